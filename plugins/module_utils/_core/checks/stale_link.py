# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Managed links that were made for a container or process that has ended.

The link alone keeps the namespace, with its interfaces: a network card that was moved into it is missing on the host,
and programs that use the name are in a namespace that nothing else uses.

Repair: prune, as `netns_link` does with `prune: true`. A link that was made by `pid` or `path` is not pruned.
"""

from __future__ import annotations

import typing as t

from ..facts.records import NamespaceRecord, as_utf_8
from ..links import ledger
from ..links.request import HOOK
from ..texts import describe
from .finding import WARNING, Check, Finding, Repair, Subject, Unknown

if t.TYPE_CHECKING:
    from .evidence import Evidence

NAME = "stale_link"
# The hook removes its own links, usually at once; on a busy host it takes longer.
_HOOK_SECONDS = 5.0


def find(evidence: Evidence) -> t.Iterator[Finding]:
    """Each link that was made for a container or process that is known to have ended."""
    if evidence.sources.ledger_entries is None:
        raise Unknown("ledger", "the list of managed links could not be read")
    for record in evidence.records.values():
        stale = evidence.classifier.stale(record)
        if stale is False:
            continue
        for entry in record.ledger_entries:
            if evidence.classifier.owner_is_gone(entry):
                if stale is None:  # it may have processes
                    evidence.require_all_processes()
                    continue
                yield _finding(evidence, record, entry)


def _finding(evidence: Evidence, record: NamespaceRecord, entry: ledger.Entry) -> Finding:
    container = entry.container()
    path = as_utf_8(entry.path)
    name = as_utf_8(entry.name)
    owner = f"process {entry.pid}" if container is None else as_utf_8(describe(container))
    return Finding(
        NAME,
        WARNING,
        Subject(
            record.netns.inode,
            (name,),
            path,
            containers=() if container is None else (as_utf_8(container.name),),
        ),
        message=f"{path} was made for {owner}, which is gone: only pins keep the namespace",
        evidence=(
            f"{ledger.DIRECTORY}/ledger: {path} is net:[{record.netns.inode}], for {owner}",
            "/proc: no process is in the namespace",
            f"{entry.engine} on {entry.source}: read in full, and the container is not in the namespace"
            if container is not None
            else f"/proc/{entry.pid}: not that process",
        ),
        remedy=f"`netns_link` with `prune: true`, or `repair: [{NAME}]`"
        if container is not None
        else f"`netns_link` with `name: {name}` and `state: absent`",
        repair=Repair(evidence.netns_dir, f"{name} net:[{record.netns.inode}]\n", target=entry.name)
        if container is not None and entry.path == f"{evidence.netns_dir}/{entry.name}"
        else None,
        identity=(entry.file,),
        settles=_HOOK_SECONDS if entry.maker == HOOK else 0.0,
    )


CHECK = Check(NAME, find, prunes=True)
