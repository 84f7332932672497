# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Containers without a default route, on a bridge where the others have one.

An engine that was interrupted, or a restored or migrated container, has its interface and address, and no way out. On a
network that is internal, no container has a default route, and none is found.
"""

from __future__ import annotations

import typing as t

from .finding import WARNING, Check, Finding
from .topology import Port, bridges, routed_ports, subject

if t.TYPE_CHECKING:
    from .evidence import Evidence

NAME = "no_default_route"


def find(evidence: Evidence) -> t.Iterator[Finding]:
    """Each namespace of a container without any default route, if most on its bridge have one through the bridge."""
    for bridge in bridges(evidence):
        routed = routed_ports(evidence, bridge)
        without = [port for port in bridge.ports if _has_no_way(evidence, port)]
        if len(routed) <= len(without):
            continue
        for port in without:
            name = bridge.interface.name
            yield Finding(
                NAME,
                WARNING,
                subject(evidence, port),
                message=f"{evidence.title(port.record)} has no default route, and {len(routed)} others on {name} "
                "have one",
                evidence=(
                    f"net:[{port.record.netns.inode}]: {len(evidence.routes(port.record))} routes, none to default",
                    f"net:[{routed[0].record.netns.inode}]: its default route leads to {name}",
                ),
                remedy="restart the container, or connect it to its network again",
            )


def _has_no_way(evidence: Evidence, port: Port) -> bool:
    record = port.record
    owner = record.owner
    return (
        owner is not None
        and evidence.is_complete(record)
        and any("." in address for address in port.addresses)
        and not any(route.dst == "default" for route in evidence.routes(record))
        and evidence.is_old_process(owner.pid)
    )


CHECK = Check(NAME, find)
