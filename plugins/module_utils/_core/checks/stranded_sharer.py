# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Containers in a namespace that the container they joined has left.

With `network_mode: container:X` or `service:X`, a container is in the namespace that X had when it started. X gets a
new one at each restart, and the engine takes the interfaces out of the old one: the sharer stays there with `lo`
alone, and reports itself as running.
"""

from __future__ import annotations

import typing as t

from .. import model
from ..facts.records import as_utf_8
from ..texts import describe
from .finding import ERROR, Check, Finding, Subject

if t.TYPE_CHECKING:
    from .evidence import Evidence

NAME = "stranded_sharer"


def find(evidence: Evidence) -> t.Iterator[Finding]:
    """Each running container whose namespace is not that of the container it joined."""
    containers = {container.key: container for container in evidence.containers()}
    for sharer in containers.values():
        netns = evidence.sources.container_netns.get(sharer.key)
        if not sharer.running or not sharer.joined or netns is None:
            continue
        owner = containers.get(model.ContainerKey(sharer.engine, sharer.source, sharer.joined))
        if owner is None:
            if evidence.was_read(sharer.key._replace(id=sharer.joined)):
                yield from _of_removed(evidence, sharer, netns)
            continue
        owner_netns = evidence.sources.container_netns.get(owner.key)
        if not owner.running or owner_netns is None or owner_netns == netns:
            continue
        if evidence.is_old_process(owner.pid):
            yield _finding(
                sharer,
                netns,
                message=f"{as_utf_8(describe(sharer))} is in a namespace that {as_utf_8(describe(owner))} has left, "
                "and does not share its network any more",
                read=f"/proc/{owner.pid}/ns/net: net:[{owner_netns.inode}], {as_utf_8(owner.name)}",
                identity=(owner_netns,),
            )


def _of_removed(
    evidence: Evidence, sharer: model.Container, netns: model.NetnsId
) -> t.Iterator[Finding]:
    """A sharer whose partner was removed, if nothing but `lo` is left to it."""
    record = evidence.records.get(netns)
    if record is None or not evidence.is_complete(record):
        return
    if len(evidence.interfaces(record)) == 1 and evidence.is_old_process(sharer.pid):
        yield _finding(
            sharer,
            netns,
            message=f"{as_utf_8(describe(sharer))} shares the network of container {sharer.joined[:12]}, which "
            "does not exist any more",
            read=f"net:[{netns.inode}]: its only interface is lo",
            identity=(),
        )


def _finding(
    sharer: model.Container,
    netns: model.NetnsId,
    message: str,
    read: str,
    identity: tuple[t.Any, ...],
) -> Finding:
    return Finding(
        NAME,
        ERROR,
        Subject(netns.inode, containers=(as_utf_8(sharer.name),)),
        message=message,
        evidence=(
            f"{sharer.engine} on {sharer.source}: its network mode is container:{sharer.joined[:12]}",
            f"/proc/{sharer.pid}/ns/net: net:[{netns.inode}], {as_utf_8(sharer.name)}",
            read,
        ),
        remedy="restart it. In a compose file, `depends_on` with `restart: true` does that from now on, where compose "
        "itself restarts the other container",
        identity=identity,
    )


CHECK = Check(NAME, find)
