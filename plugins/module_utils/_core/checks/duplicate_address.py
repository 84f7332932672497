# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Two interfaces on one bridge that have the same address or the same MAC.

Packets reach one or the other, as ARP has it at the moment: connections hang and work again. It happens with addresses
that are given by hand, containers that were copied with their MAC, and an engine that forgot what it had assigned.
"""

from __future__ import annotations

import ipaddress
import typing as t

from .finding import ERROR, Check, Finding, Subject
from .topology import Bridge, Port, bridges, container_names

if t.TYPE_CHECKING:
    from .evidence import Evidence

NAME = "duplicate_address"


def find(evidence: Evidence) -> t.Iterator[Finding]:
    """Each address and MAC that several interfaces on a bridge of the host have."""
    for bridge in bridges(evidence):
        ports: dict[str, list[Port]] = {}
        for port in bridge.ports:
            for item in {*filter(_is_unique, port.addresses), port.interface.mac or ""} - {""}:
                ports.setdefault(item, []).append(port)
        for item, holders in sorted(ports.items()):
            is_shared = item in bridge.addresses
            if (len(holders) > 1 or is_shared) and not _separates(evidence, bridge):
                yield _finding(evidence, bridge, item, holders, is_shared)


def _is_unique(address: str) -> bool:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    return not (parsed.is_link_local or parsed.is_loopback or parsed.is_multicast)


def _separates(evidence: Evidence, bridge: Bridge) -> bool:
    """Whether ports may be in different VLANs, where several can have the same address."""
    evidence.require_host_settings(bridge.interface.name)
    return evidence.probes.filters_vlans(bridge.interface.ifindex)


def _finding(
    evidence: Evidence, bridge: Bridge, item: str, holders: t.Sequence[Port], is_shared: bool
) -> Finding:
    owners = [evidence.title(port.record) for port in holders]
    if is_shared:
        owners.append("the bridge itself")
    name = bridge.interface.name
    return Finding(
        NAME,
        ERROR,
        Subject(
            holders[0].record.netns.inode,
            interface=name,
            containers=container_names(evidence, holders),
        ),
        message=f"{item} is used {len(owners)} times on {name}: by {' and '.join(owners)}",
        evidence=tuple(
            f"net:[{port.record.netns.inode}]: {port.interface.name} has it, and its other end "
            f"{port.host_end} is a port of {name}"
            for port in holders
        ),
        remedy="give one of them another address: recreate it without a fixed address or MAC",
        identity=(item,),
    )


CHECK = Check(NAME, find)
