# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Namespaces that only a descriptor or a socket of a process keeps.

No process is in them and nothing is mounted, so that `ip netns` does not show them. A daemon that still has the
namespace of a removed container open keeps its interfaces and addresses.
"""

from __future__ import annotations

import typing as t

from ..facts.records import NamespaceRecord, as_utf_8
from .finding import NOTE, Check, Finding, Subject

if t.TYPE_CHECKING:
    from .evidence import Evidence

NAME = "held_open"


def find(evidence: Evidence) -> t.Iterator[Finding]:
    """Each namespace with holders alone, which have had it for `min_age`."""
    for record in evidence.records.values():
        references = record.references
        holders = references.holders
        if references.pids or references.is_pinned or record.containers or not holders:
            continue
        if evidence.classifier.is_host(record) or not _is_old(evidence, record):
            continue
        evidence.require_all_processes()
        commands = {pid: as_utf_8(evidence.probes.command(pid) or "?") for pid in holders}
        listed = ", ".join(f"{pid} ({command})" for pid, command in commands.items())
        yield Finding(
            NAME,
            NOTE,
            Subject(record.netns.inode),
            message=f"net:[{record.netns.inode}] has no process and no name, and is only held open by process {listed}",
            evidence=(
                *(f"{path}: the namespace" for path in references.proc_files),
                *(
                    f"/proc/{pid}/fd/{fd}: a socket of the namespace"
                    for pid, fd in references.sockets
                ),
            ),
            remedy="restart the process, if the namespace is not what it works with",
        )


def _is_old(evidence: Evidence, record: NamespaceRecord) -> bool:
    files = record.references.proc_files
    if files:
        return all(map(evidence.is_old_target, files))
    return all(evidence.is_old_process(pid) for pid, _fd in record.references.sockets)


CHECK = Check(NAME, find)
