# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Entries of netns_dir that lead to no namespace: an empty file, or a symbolic link to nothing.

A crash between touch and mount leaves them, and so does what unmounts a pin and does not remove its file. `ip netns`
prints "Peer netns reference is invalid" for it, and `ip netns add` of that name fails, as does what deploys it.

Repair: unlink, where nothing is mounted on the file in any mount namespace. A file that something is mounted on
elsewhere is that mount's place, and unlink(2) would tear the mount off.
"""

from __future__ import annotations

import os
import shlex
import typing as t

from ..facts.records import as_utf_8
from ..links.netns_dir import EMPTY, SYMLINK, PathState
from .finding import WARNING, Check, Finding, Repair, Subject, Unknown
from .repair import Context

if t.TYPE_CHECKING:
    from .evidence import Evidence

NAME = "dangling_entry"


def find(evidence: Evidence) -> t.Iterator[Finding]:
    """Each entry that has led nowhere for `min_age`."""
    pinned_elsewhere = _names_without_process(evidence)
    evidence.require_read(evidence.netns_dir)
    for name, path_state in sorted(evidence.path_states.items()):
        path = os.path.join(evidence.netns_dir, name)
        if path_state.kind == EMPTY:
            if path_state.holder or path_state.covered or name in pinned_elsewhere:
                continue
            # What is mounted in the mount namespace of a process that cannot be read is not known.
            if not evidence.all_processes_read or not evidence.pins_propagate:
                raise Unknown(
                    as_utf_8(evidence.netns_dir),
                    "whether its empty files are pins in other mount namespaces cannot be read here",
                )
        elif not path_state.dead:
            continue
        if not evidence.is_old(path):
            continue
        yield Finding(
            NAME,
            WARNING,
            Subject(names=(as_utf_8(name),), path=as_utf_8(path)),
            message=f"{as_utf_8(path)} is {path_state.description}: it leads to no network namespace",
            evidence=(_found(path, path_state),),
            remedy=f"remove it: `rm {shlex.quote(as_utf_8(path))}`, or `repair: [{NAME}]`",
            repair=Repair(
                evidence.netns_dir,
                f"{as_utf_8(name)} ({path_state.description})\n",
                target=(name, path_state),
            ),
            identity=(path_state.file,),
        )


def _found(path: str, path_state: PathState) -> str:
    if path_state.kind == SYMLINK:
        return f"{as_utf_8(path)}: its target does not exist"
    return f"{as_utf_8(path)}: size 0, and in no mount table of the host"


def _names_without_process(evidence: Evidence) -> set[str]:
    """The names of pins in mount namespaces without processes, whose paths there are not those here."""
    return {
        os.path.basename(pin)
        for record in evidence.records.values()
        for pin in record.references.pins_without_process
    }


def _repair(repair: Repair, context: Context) -> None:
    name, path_state = repair.target
    context.clear(repair.where, name, path_state)


CHECK = Check(NAME, find, repair=_repair)
