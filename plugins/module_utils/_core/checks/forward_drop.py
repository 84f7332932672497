# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bridges whose packets a forward chain drops, because no rule lets them through.

Docker sets the policy of FORWARD to drop, and adds rules for its own bridges only. An engine or hypervisor that adds
none, or whose rules were flushed, has containers that reach the host and nothing beyond it.

Only nf_tables is read, which includes iptables-nft. Rules that select by anything but interfaces and addresses may let
the packets through: then nothing is known, and nothing is found.
"""

from __future__ import annotations

import ipaddress
import typing as t

from ..kernel import nftables
from .finding import WARNING, Check, Finding, Subject, Unknown
from .topology import Bridge, bridges, container_names, exit_interfaces, host_routes, routed_ports

if t.TYPE_CHECKING:
    from .evidence import Evidence

NAME = "forward_drop"


def find(evidence: Evidence) -> t.Iterator[Finding]:
    """Each bridge that is the gateway of containers and that no rule of a dropping chain is for."""
    candidates = [bridge for bridge in bridges(evidence) if routed_ports(evidence, bridge)]
    if not candidates or not host_routes(evidence):
        return
    exit_names = [each.name.encode() for each in exit_interfaces(evidence)]
    evidence.require_host_settings("nf_tables")
    try:
        chains, rules = evidence.probes.forward_rules()
    except OSError as error:
        raise Unknown("nf_tables", error.strerror or str(error)) from None
    for chain in chains:
        if chain.family not in (nftables.INET, nftables.IPV4):
            continue
        accepting = [
            rule for rule in rules if (rule.family, rule.table) == (chain.family, chain.table)
        ]
        for bridge in candidates:
            if not any(_may_accept(rule, bridge, exit_names) for rule in accepting):
                yield _finding(evidence, chain, bridge)


def _may_accept(rule: nftables.Rule, bridge: Bridge, exit_names: t.Sequence[bytes]) -> bool:
    """Whether a rule may let a connection from the bridge to a way out through."""
    if rule.only_known:
        return False
    name = bridge.interface.name.encode()
    if rule.incoming and not _is_name(rule.incoming, name):
        return False
    # Where the way out is not known, it may be any.
    if (
        rule.outgoing
        and exit_names
        and not any(_is_name(rule.outgoing, each) for each in exit_names)
    ):
        return False
    sources = [
        ipaddress.ip_address(address).packed
        for port in bridge.ports
        for address in port.addresses
        if ":" not in address
    ]
    if rule.source and not any(source.startswith(rule.source) for source in sources):
        return False
    # An address of a container as the destination is for connections to it.
    return not (rule.destination and any(each.startswith(rule.destination) for each in sources))


def _is_name(selected: bytes, name: bytes) -> bool:
    """Whether a rule for this name, or for the names that begin with it, is for the interface."""
    if b"\0" in selected:
        return selected.rstrip(b"\0") == name
    return name.startswith(selected)


def _finding(evidence: Evidence, chain: nftables.Chain, bridge: Bridge) -> Finding:
    name = bridge.interface.name
    ports = routed_ports(evidence, bridge)
    return Finding(
        NAME,
        WARNING,
        Subject(interface=name, containers=container_names(evidence, ports)),
        message=f"the policy of chain {chain.name} in table {chain.table} is drop, and no rule lets packets from "
        f"{name} through",
        evidence=(
            f"nf_tables: chain {chain.name} of table {chain.table} is at the forward hook, its policy is drop",
            f"nf_tables: no accepting rule of the table is for {name} or the addresses of its containers",
            f"net:[{ports[0].record.netns.inode}]: its default route leads to {name}",
        ),
        remedy=f"let them through: `iptables -I FORWARD -i {name} -j ACCEPT` and `iptables -I FORWARD -o {name} "
        "-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT`; with Docker, in its chain DOCKER-USER",
    )


CHECK = Check(NAME, find)
