# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pins that a later mount of their directory hides.

`ip netns` mounts /run/netns on itself when it first adds a name. Pins that were there before are then beneath, where no
path leads: whoever made one unmounts its copy on top, and the namespace stays, with its interfaces and addresses.
"""

from __future__ import annotations

import os
import shlex
import typing as t

from ..facts.records import as_utf_8
from .finding import WARNING, Check, Finding, Subject

if t.TYPE_CHECKING:
    from .evidence import Evidence

NAME = "covered_pin"


def find(evidence: Evidence) -> t.Iterator[Finding]:
    """Each path with pins that no path leads to."""
    for path, stack in sorted(evidence.stacks.items()):
        if not stack.covered:
            continue
        directory, name = map(as_utf_8, os.path.split(path))
        roots = sorted({mount.root for mount in stack.covered})
        yield Finding(
            NAME,
            WARNING,
            Subject(names=(name,), path=as_utf_8(path)),
            message=f"{as_utf_8(path)} has a pin of {', '.join(roots)} that a later mount of "
            f"{directory} covers, and that keeps the namespace alive",
            evidence=tuple(
                f"/proc/self/mountinfo: mount {mount.id} on {as_utf_8(mount.point)} is {mount.root}, on mount "
                f"{mount.parent}, where the path does not lead"
                for mount in stack.covered
            ),
            remedy="when nothing uses the namespaces, unmount what covers it, "
            f"`umount {shlex.quote(directory)}`, and then the pin, `umount {shlex.quote(as_utf_8(path))}`; "
            "`umount --recursive` would take other links with it",
            identity=tuple(sorted(mount.id for mount in stack.covered)),
        )


CHECK = Check(NAME, find)
