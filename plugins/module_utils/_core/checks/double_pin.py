# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Paths at which several pins are stacked.

A namespace that is mounted twice at its path stays when it is unmounted once, as `ip netns del` does, and the name with
it. If the namespaces differ, the path leads to the topmost, and the others stay unseen.
"""

from __future__ import annotations

import os
import shlex
import typing as t

from ..facts.records import as_utf_8
from .finding import WARNING, Check, Finding, Subject

if t.TYPE_CHECKING:
    from .evidence import Evidence

NAME = "double_pin"


def find(evidence: Evidence) -> t.Iterator[Finding]:
    """Each path with more than one pin where it leads."""
    for path, stack in sorted(evidence.stacks.items()):
        if len(stack.layers) < 2:
            continue
        listed = ", ".join(f"net:[{inode}]" for inode in stack.layers)
        yield Finding(
            NAME,
            WARNING,
            Subject(
                inode=stack.layers[-1],
                names=(as_utf_8(os.path.basename(path)),),
                path=as_utf_8(path),
            ),
            message=f"{as_utf_8(path)} is mounted {len(stack.layers)} times: unmounting it once leaves the rest",
            evidence=(f"/proc/self/mountinfo, the lowest mount first: {listed}",),
            remedy=f"`umount {shlex.quote(as_utf_8(path))}` takes the topmost away; do that when nothing uses its "
            "namespace, until one is left",
            identity=stack.layers,
        )


CHECK = Check(NAME, find)
