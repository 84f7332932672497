# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which interfaces of containers are on which bridge of the host, and which of them the host routes."""

from __future__ import annotations

import typing as t

from ..facts.records import NamespaceRecord
from ..kernel import rtnetlink
from ..named_tuple import NamedTuple
from .finding import Subject, Unknown

if t.TYPE_CHECKING:
    from .evidence import Evidence

_UP = "UP"


class Port(NamedTuple):
    """An interface in a namespace whose other end is a port of a bridge of the host.

    `addresses` are without their prefix lengths.
    """

    record: NamespaceRecord
    interface: rtnetlink.Interface
    host_end: str
    addresses: tuple[str, ...]


class Bridge(NamedTuple):
    """A bridge of the host, its own addresses, and the interfaces of containers on it that are up.

    `is_uplinked` is whether a device of the machine is a port as well, so that others may route for it.
    """

    interface: rtnetlink.Interface
    addresses: tuple[str, ...]
    ports: tuple[Port, ...]
    is_uplinked: bool


def bridges(evidence: Evidence) -> list[Bridge]:
    """The bridges of the host with interfaces of other namespaces. Raises Unknown where these cannot be known."""
    host = evidence.require_host()
    if not evidence.sources.is_root and any(
        each.kind == "bridge" for each in evidence.interfaces(host)
    ):
        raise Unknown("interfaces", "only root can read those of containers: set `become: true`")
    ports: dict[str, list[Port]] = {}
    for record in evidence.records.values():
        if record is host:
            continue
        for interface in evidence.interfaces(record):
            peer = evidence.peer(record, interface.ifindex)
            if peer and peer.netns == host.netns and peer.master and interface.state == _UP:
                addresses = _plain(evidence.addresses(record, interface.ifindex))
                port = Port(record, interface, peer.interface, addresses)
                ports.setdefault(peer.master, []).append(port)
    interfaces = evidence.interfaces(host)
    return [
        Bridge(
            bridge,
            _plain(evidence.addresses(host, bridge.ifindex)),
            tuple(ports[bridge.name]),
            any(
                each.master == bridge.ifindex and each.kind not in ("veth", "dummy")
                for each in interfaces
            ),
        )
        for bridge in interfaces
        if bridge.kind == "bridge" and bridge.name in ports
    ]


def default_routes(evidence: Evidence, record: NamespaceRecord) -> list[rtnetlink.Route]:
    """The IPv4 route that packets to anywhere take, by the main table: one for each of its next hops."""
    routes = [
        route
        for route in evidence.routes(record)
        if route.dst == "default" and route.family == "inet" and route.type == "unicast"
    ]
    metric = min((route.metric for route in routes), default=None)
    return [route for route in routes if route.metric == metric]


def host_routes(evidence: Evidence) -> list[rtnetlink.Route]:
    """The default route of the host, by next hop."""
    return default_routes(evidence, evidence.host) if evidence.host else []


def exit_interfaces(evidence: Evidence) -> list[rtnetlink.Interface]:
    """The interfaces that the default route of the host leads to, several where it has several next hops."""
    indexes = {route.ifindex for route in host_routes(evidence)}
    interfaces = evidence.interfaces(evidence.host) if evidence.host else ()
    return [each for each in interfaces if each.ifindex in indexes]


def routed_ports(evidence: Evidence, bridge: Bridge) -> list[Port]:
    """The ports whose way out leads through the host: the bridge's address is their gateway."""
    found = []
    for port in bridge.ports:
        if any(
            route.ifindex == port.interface.ifindex and route.gateway in bridge.addresses
            for route in default_routes(evidence, port.record)
        ):
            found.append(port)
    return found


def container_names(evidence: Evidence, ports: t.Iterable[Port]) -> tuple[str, ...]:
    """The names of the containers that these ports are of."""
    return tuple(sorted({each for port in ports for each in evidence.container_names(port.record)}))


def subject(evidence: Evidence, port: Port) -> Subject:
    """The subject of a finding about one port."""
    return Subject(
        port.record.netns.inode,
        evidence.names(port.record),
        interface=port.interface.name,
        containers=evidence.container_names(port.record),
    )


def _plain(addresses: t.Iterable[str]) -> tuple[str, ...]:
    return tuple(address.partition("/")[0] for address in addresses)
