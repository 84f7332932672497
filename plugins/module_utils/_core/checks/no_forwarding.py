# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Containers that the host would have to forward packets for, and it does not.

Engines switch forwarding on when they start. Something, such as a hardening role or `sysctl --system`, switched it off
afterwards: containers reach the host and nothing beyond it.
"""

from __future__ import annotations

import typing as t

from .finding import ERROR, Check, Finding, Subject
from .topology import bridges, container_names, routed_ports

if t.TYPE_CHECKING:
    from .evidence import Evidence

NAME = "no_forwarding"


def find(evidence: Evidence) -> t.Iterator[Finding]:
    """Each bridge of the host that is the gateway of containers and does not forward."""
    for bridge in bridges(evidence):
        ports = routed_ports(evidence, bridge)
        if not ports:
            continue
        evidence.require_host_settings("/proc/sys/net")
        # A setting of an interface counts for that interface; the global one sets them all.
        setting = f"net/ipv4/conf/{bridge.interface.name}/forwarding"
        if evidence.probes.sysctl(setting) != 0:
            continue
        name = bridge.interface.name
        yield Finding(
            NAME,
            ERROR,
            Subject(interface=name, containers=container_names(evidence, ports)),
            message=f"the host does not forward packets from {name}: {len(ports)} namespaces with this gateway "
            "reach only the host",
            evidence=(
                f"/proc/sys/{setting}: 0",
                f"net:[{ports[0].record.netns.inode}]: its default route leads to {name}",
            ),
            remedy="`sysctl net.ipv4.ip_forward=1`, and find in /etc/sysctl.d what sets it to 0",
        )


CHECK = Check(NAME, find)
