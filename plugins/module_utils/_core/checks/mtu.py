# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Containers with a larger MTU than the interface through which the host sends their packets.

Small packets pass, large ones depend on path MTU discovery. Where something drops its ICMP messages, downloads and TLS
handshakes hang. On clouds and VPNs the host's MTU is below 1500, and engines use 1500.
"""

from __future__ import annotations

import typing as t

from .finding import WARNING, Check, Finding
from .topology import bridges, exit_interfaces, routed_ports, subject

if t.TYPE_CHECKING:
    from .evidence import Evidence

NAME = "mtu"


def find(evidence: Evidence) -> t.Iterator[Finding]:
    """Each container that the host routes, with an MTU above that of the host's default route."""
    on_bridges = bridges(evidence)
    exits = [each for each in exit_interfaces(evidence) if each.mtu > 0]
    if not exits:
        return
    # Of several, the smallest is what some of the packets have to fit in.
    way_out = min(exits, key=lambda each: each.mtu)
    for bridge in on_bridges:
        if bridge.is_uplinked or bridge.interface in exits:
            continue
        for port in routed_ports(evidence, bridge):
            if port.interface.mtu <= way_out.mtu:
                continue
            yield Finding(
                NAME,
                WARNING,
                subject(evidence, port),
                message=f"{port.interface.name} of {evidence.title(port.record)} has MTU {port.interface.mtu}, and its "
                f"way out, {way_out.name} of the host, has {way_out.mtu}",
                evidence=(
                    f"net:[{port.record.netns.inode}]: the default route leads to {bridge.interface.name}",
                    f"the host: the default route leads to {way_out.name}, MTU {way_out.mtu}",
                ),
                remedy=f"set the MTU of the network to {way_out.mtu}: `mtu` in Docker's daemon.json for the "
                "default bridge, `com.docker.network.driver.mtu` or `mtu` of a network; then recreate it",
            )


CHECK = Check(NAME, find)
