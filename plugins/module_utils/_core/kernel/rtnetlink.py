# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Interfaces, addresses, routes and namespace ids (rtnetlink(7), linux/rtnetlink.h, if_link.h,
if_addr.h, nexthop.h, net_namespace.h).

`dump_…` and `get_…` fetch, over a netlink socket; `parse_…` are pure functions over the bytes, which
leave out a message that is not valid and add the reason to the `problems`.
"""

from __future__ import annotations

import errno
import functools
import re
import socket
import struct
import sys
import typing as t

from ..named_tuple import NamedTuple
from . import netlink

_RTM_NEWLINK = 16
_RTM_DELLINK = 17
_RTM_GETLINK = 18
_RTM_SETLINK = 19
_RTM_NEWADDR = 20
_RTM_GETADDR = 22
_RTM_NEWROUTE = 24
_RTM_GETROUTE = 26
_RTM_NEWNSID = 88
_RTM_GETNSID = 90
_RTM_NEWNEXTHOP = 104
_RTM_GETNEXTHOP = 106

_IFLA_ADDRESS = 1
_IFLA_IFNAME = 3
_IFLA_MTU = 4
_IFLA_LINK = 5
_IFLA_MASTER = 10
_IFLA_OPERSTATE = 16
_IFLA_LINKINFO = 18
_IFLA_INFO_KIND = 1
_IFLA_INFO_DATA = 2
_IFLA_BR_VLAN_FILTERING = 7
_IFLA_NET_NS_FD = 28
_IFLA_EXT_MASK = 29
_IFLA_LINK_NETNSID = 37
_IFLA_PROP_LIST = 52 | netlink.NESTED
_IFLA_ALT_IFNAME = 53
_IFLA_PARENT_DEV_NAME = 56
_IFLA_TSO_MAX_SIZE = 59
_RTEXT_FILTER_SKIP_STATS = 1 << 3
_IFA_ADDRESS = 1
_IFA_LOCAL = 2
_RTA_DST = 1
_RTA_OIF = 4
_RTA_GATEWAY = 5
_RTA_PRIORITY = 6
_RTA_PREFSRC = 7
_RTA_MULTIPATH = 9
_RTA_TABLE = 15
_RTA_VIA = 18
_RTA_NH_ID = 30
_RT_TABLE_MAIN = 254
# Spelled as `ip route` does.
_ROUTE_TYPES = (
    *("unspec", "unicast", "local", "broadcast", "anycast", "multicast"),
    *("blackhole", "unreachable", "prohibit", "throw", "nat", "xresolve"),
)
_SCOPES = {0: "global", 200: "site", 253: "link", 254: "host", 255: "nowhere"}
# Those that `ip route` names without its file rt_protos (lib/rt_names.c).
_ROUTE_PROTOCOLS = {
    0: "none",
    1: "redirect",
    2: "kernel",
    3: "boot",
    4: "static",
    8: "gated",
    9: "ra",
    10: "mrt",
    11: "zebra",
    12: "bird",
    13: "dnrouted",
    14: "xorp",
    15: "ntk",
    16: "dhcp",
    18: "keepalived",
    42: "babel",
    99: "openr",
    186: "bgp",
    187: "isis",
    188: "ospf",
    189: "rip",
    192: "eigrp",
}
_WITHOUT_NEXT_HOP = frozenset(("blackhole", "unreachable", "prohibit", "throw"))
_RTM_F_CLONED = 0x200
_NHA_ID = 1
_NHA_GROUP = 2
_NHA_OIF = 5
_NHA_GATEWAY = 6
_NETNSA_NSID = 1
_NETNSA_FD = 3
_RTGENMSG_SIZE = 4

_INTERFACE_ATTRIBUTES = frozenset(
    (
        _IFLA_ADDRESS,
        _IFLA_IFNAME,
        _IFLA_MTU,
        _IFLA_LINK,
        _IFLA_MASTER,
        _IFLA_OPERSTATE,
        _IFLA_LINKINFO,
        _IFLA_LINK_NETNSID,
        _IFLA_PROP_LIST,
        _IFLA_PARENT_DEV_NAME,
        _IFLA_TSO_MAX_SIZE,
    )
)
_LINKINFO_ATTRIBUTES = frozenset((_IFLA_INFO_KIND,))
_LINKINFO_DATA = frozenset((_IFLA_INFO_DATA,))
_BRIDGE_ATTRIBUTES = frozenset((_IFLA_BR_VLAN_FILTERING,))
_ADDRESS_ATTRIBUTES = frozenset((_IFA_ADDRESS, _IFA_LOCAL))
_ROUTE_ATTRIBUTES = frozenset(
    (
        _RTA_DST,
        _RTA_OIF,
        _RTA_GATEWAY,
        _RTA_PRIORITY,
        _RTA_PREFSRC,
        _RTA_MULTIPATH,
        _RTA_TABLE,
        _RTA_VIA,
        _RTA_NH_ID,
    )
)
_MULTIPATH_ATTRIBUTES = frozenset((_RTA_GATEWAY, _RTA_VIA))
_NH_ID_ATTRIBUTES = frozenset((_RTA_NH_ID,))
_NEXTHOP_ATTRIBUTES = frozenset((_NHA_ID, _NHA_GROUP, _NHA_OIF, _NHA_GATEWAY))
_NSID_ATTRIBUTES = frozenset((_NETNSA_NSID,))

# Hardware types of network adapters (linux/if_arp.h).
_ETHERNET = 1
_INFINIBAND = 32
# What VMware and VirtualBox create on the host, which older kernels do not tell from a network adapter.
_OF_HYPERVISOR = re.compile("(?:vmnet|vboxnet)[0-9]+")
# Tunnels, whose "hardware address" is an IP address (linux/if_arp.h).
_TUNNELS = frozenset((768, 769, 776, 778, 823))
_FAMILIES = {int(socket.AF_INET): "inet", int(socket.AF_INET6): "inet6"}
# Operational states of RFC 2863, spelled as `ip link` does.
_STATES = ("UNKNOWN", "NOTPRESENT", "DOWN", "LOWERLAYERDOWN", "TESTING", "DORMANT", "UP")

_IFINFOMSG = struct.Struct("=BxHiII")
_IFADDRMSG = struct.Struct("=BBBBI")
_RTMSG = struct.Struct("=BBBBBBBBI")
_RTNEXTHOP = struct.Struct("=HBBi")
_NHMSG = struct.Struct("=BBBBI")
_NEXTHOP_GRP = struct.Struct("=IBBH")

_NH_ID_HEADER = netlink.ATTRIBUTE.pack(8, _RTA_NH_ID)
_SKIP_STATS = netlink.ATTRIBUTE.pack(8, _IFLA_EXT_MASK) + netlink.U32.pack(_RTEXT_FILTER_SKIP_STATS)

# The same few requests are sent in every namespace.
_cached = functools.lru_cache(maxsize=16)


class Interface(NamedTuple):
    """An interface. `mac` is None where it has none; `master` is an ifindex of the same namespace.

    `iflink` is the ifindex of the interface at its other end or beneath it. `link_netnsid` is the id
    of the namespace which that is in, as this namespace numbers it; None where it is in the same
    one. `physical` is whether it is a device of the machine. `altnames` are its other names.
    """

    ifindex: int
    name: str
    kind: str | None
    mac: str | None
    mtu: int
    state: str
    master: int | None
    iflink: int | None = None
    link_netnsid: int | None = None
    physical: bool = False
    altnames: tuple[str, ...] = ()


class Address(NamedTuple):
    """An address of the interface with this ifindex, as 'ADDRESS/PREFIX'."""

    ifindex: int
    text: str


class Route(NamedTuple):
    """A route of the main table, or one next hop of it.

    `dst` is 'default' or a CIDR. `gateway` is None where the network is directly attached. `ifindex`
    is None where packets are dropped. `family` is 'inet' or 'inet6': the route's, which may not be
    that of its gateway. `type` is 'unicast', 'blackhole' and so on. `src` is the address that is used to send
    by it, None where it has none. `scope` and `protocol`, which is who made it, are as `ip route` names them.
    """

    dst: str
    gateway: str | None
    ifindex: int | None
    metric: int
    table: str
    family: str
    type: str = "unicast"
    scope: str = "global"
    protocol: str = "boot"
    src: str | None = None


# The gateway and the ifindex of a next hop, each None where it has none.
NextHop = t.Tuple[t.Optional[str], t.Optional[int]]


def dump_interfaces(rtnl: netlink.Socket) -> netlink.Dump:
    """Fetch all interfaces, without their counters. Raises OSError."""
    return rtnl.dump(_interfaces_request)


def dump_addresses(rtnl: netlink.Socket) -> netlink.Dump:
    """Fetch all addresses of both families. Raises OSError."""
    return rtnl.dump(_addresses_request)


def dump_routes(rtnl: netlink.Socket) -> netlink.Dump:
    """Fetch the routes of both families; those of other tables may be among them. Raises OSError."""
    try:
        return rtnl.dump(_routes_request)
    except OSError as error:
        if error.errno != errno.ENOENT:
            raise
    # Before 5.8 a family without the main table ends the dump of both.
    rtnl.set_strict_check(False)
    return rtnl.dump(_routes_request)


def has_nexthop_ids(routes: bytes) -> bool:
    """Whether routes in the messages of a dump refer to next hop objects. Raises OSError."""
    # Most hosts have none, and parsing all routes for that would take long.
    return _NH_ID_HEADER in routes and any(_nexthop_ids(routes))


def dump_nexthops(rtnl: netlink.Socket) -> netlink.Dump:
    """Fetch the next hop objects (ip-nexthop(8), since 5.3). Raises OSError."""
    return rtnl.dump(_nexthops_request)


def get_interface(rtnl: netlink.Socket, ifindex: int) -> bytes:
    """Fetch the message about one interface. Raises OSError."""
    body = _IFINFOMSG.pack(socket.AF_UNSPEC, 0, ifindex, 0, 0)
    return rtnl.ask(netlink.request(_RTM_GETLINK, 0, 0, body + _SKIP_STATS))


def move_interface(rtnl: netlink.Socket, ifindex: int, fd: int) -> None:
    """Move an interface into the namespace that is open as `fd`. Raises OSError."""
    attribute = netlink.ATTRIBUTE.pack(8, _IFLA_NET_NS_FD) + netlink.U32.pack(fd)
    body = _IFINFOMSG.pack(socket.AF_UNSPEC, 0, ifindex, 0, 0) + attribute
    rtnl.ask(netlink.request(_RTM_SETLINK, netlink.NLM_F_ACK, 0, body))


def delete_interface(rtnl: netlink.Socket, ifindex: int) -> None:
    """Delete an interface, with its other end where it is one of a pair. Raises OSError."""
    body = _IFINFOMSG.pack(socket.AF_UNSPEC, 0, ifindex, 0, 0)
    rtnl.ask(netlink.request(_RTM_DELLINK, netlink.NLM_F_ACK, 0, body))


def get_nsid(rtnl: netlink.Socket, fd: int) -> bytes:
    """Fetch the id by which the socket's namespace numbers the one that is open as `fd`. Raises OSError."""
    return rtnl.ask(_nsid_request(fd))


@_cached
def _interfaces_request(sequence: int) -> bytes:
    body = _IFINFOMSG.pack(socket.AF_UNSPEC, 0, 0, 0, 0)
    return netlink.request(_RTM_GETLINK, netlink.NLM_F_DUMP, sequence, body + _SKIP_STATS)


@_cached
def _addresses_request(sequence: int) -> bytes:
    body = _IFADDRMSG.pack(socket.AF_UNSPEC, 0, 0, 0, 0)
    return netlink.request(_RTM_GETADDR, netlink.NLM_F_DUMP, sequence, body)


@_cached
def _routes_request(sequence: int) -> bytes:
    # Of the main table alone, where the kernel filters.
    body = _RTMSG.pack(socket.AF_UNSPEC, 0, 0, 0, _RT_TABLE_MAIN, 0, 0, 0, 0)
    return netlink.request(_RTM_GETROUTE, netlink.NLM_F_DUMP, sequence, body)


@_cached
def _nexthops_request(sequence: int) -> bytes:
    body = _NHMSG.pack(socket.AF_UNSPEC, 0, 0, 0, 0)
    return netlink.request(_RTM_GETNEXTHOP, netlink.NLM_F_DUMP, sequence, body)


@_cached
def _nsid_request(fd: int) -> bytes:
    body = b"\0\0\0\0" + netlink.ATTRIBUTE.pack(8, _NETNSA_FD) + netlink.U32.pack(fd)
    return netlink.request(_RTM_GETNSID, 0, 0, body)


@netlink.strict
def parse_interfaces(data: bytes, problems: list[str] | None = None) -> list[Interface]:
    """The interfaces in the messages of a dump, by ifindex."""

    def parse(start: int, attributes: dict[int, bytes]) -> tuple[Interface]:
        _family, hardware, ifindex, _flags, _change = _IFINFOMSG.unpack_from(data, start)
        mac = attributes.get(_IFLA_ADDRESS)
        state = attributes[_IFLA_OPERSTATE][0] if _IFLA_OPERSTATE in attributes else 0
        info = attributes.get(_IFLA_LINKINFO)
        kind = _kind(info) if info else None
        nsid = attributes.get(_IFLA_LINK_NETNSID)
        interface = Interface(
            ifindex,
            _string(attributes.get(_IFLA_IFNAME, b"")),
            kind,
            mac.hex(":") if mac and hardware not in _TUNNELS else None,
            _number(attributes.get(_IFLA_MTU)) or 0,
            _STATES[state] if state < len(_STATES) else str(state),
            _number(attributes.get(_IFLA_MASTER)),
            _number(attributes.get(_IFLA_LINK)),
            None if nsid is None else netlink.S32.unpack(nsid)[0],
            _is_physical(hardware, ifindex, kind, attributes),
            tuple(_altnames(attributes[_IFLA_PROP_LIST])) if _IFLA_PROP_LIST in attributes else (),
        )
        return (interface,)

    return sorted(
        netlink.parse_messages(
            data, _RTM_NEWLINK, _IFINFOMSG.size, _INTERFACE_ATTRIBUTES, parse, problems
        )
    )


def _is_physical(
    hardware: int, ifindex: int, kind: str | None, attributes: t.Mapping[int, bytes]
) -> bool:
    if kind in (None, "ipoib"):
        # An interface for another partition of an InfiniBand port, which belongs to the same device.
        iflink = _number(attributes.get(_IFLA_LINK))
        if hardware == _INFINIBAND and iflink not in (None, ifindex):
            return False
    if _IFLA_PARENT_DEV_NAME in attributes:
        return True
    # Kernels before 5.14 do not name the device that an interface belongs to. From 5.18 on, which this
    # attribute shows, what has none is not a device: the interfaces of VMware and VirtualBox.
    if _IFLA_TSO_MAX_SIZE in attributes:
        return False
    name = _string(attributes.get(_IFLA_IFNAME, b""))
    return (
        kind in (None, "ipoib")
        and hardware in (_ETHERNET, _INFINIBAND)
        and _OF_HYPERVISOR.fullmatch(name) is None
    )


def _kind(info: bytes) -> str | None:
    kind = netlink.attributes(info, 0, len(info), _LINKINFO_ATTRIBUTES).get(_IFLA_INFO_KIND)
    return None if kind is None else _string(kind)


def _altnames(properties: bytes) -> t.Iterator[str]:
    for kind, value in netlink.nested(properties):
        if kind == _IFLA_ALT_IFNAME:
            yield _string(value)


@netlink.strict
def filters_vlans(data: bytes) -> bool:
    """Whether the message about a bridge shows that it filters VLANs."""

    def parse(_start: int, attributes: dict[int, bytes]) -> tuple[bool]:
        info = attributes[_IFLA_LINKINFO]
        values = netlink.attributes(info, 0, len(info), _LINKINFO_DATA).get(_IFLA_INFO_DATA, b"")
        found = netlink.attributes(values, 0, len(values), _BRIDGE_ATTRIBUTES)
        return (any(found.get(_IFLA_BR_VLAN_FILTERING, b"")),)

    wanted = frozenset((_IFLA_LINKINFO,))
    return any(netlink.parse_messages(data, _RTM_NEWLINK, _IFINFOMSG.size, wanted, parse, None))


@netlink.strict
def parse_addresses(data: bytes, problems: list[str] | None = None) -> list[Address]:
    """The IPv4 and IPv6 addresses in the messages of a dump, in the kernel's order."""

    def parse(start: int, attributes: dict[int, bytes]) -> tuple[Address, ...]:
        family, prefix, _flags, _scope, ifindex = _IFADDRMSG.unpack_from(data, start)
        # On point-to-point interfaces IFA_ADDRESS is the address of the other end.
        address = attributes.get(_IFA_LOCAL) or attributes.get(_IFA_ADDRESS)
        # Other families have no addresses that inet_ntop() can write: Phonet, MCTP.
        if address and family in _FAMILIES:
            return (Address(ifindex, f"{socket.inet_ntop(family, address)}/{prefix}"),)
        return ()

    return netlink.parse_messages(
        data, _RTM_NEWADDR, _IFADDRMSG.size, _ADDRESS_ATTRIBUTES, parse, problems
    )


# The default routes and those of the loopback interface are the same in most namespaces.
_known_routes: dict[bytes, tuple[Route, ...]] = {}


@netlink.strict
def parse_routes(
    data: bytes, problems: list[str] | None = None, nexthops: bytes | None = None
) -> list[Route]:
    """The routes of the main table in the messages of a dump, in the kernel's order.

    `nexthops` are the messages about the next hop objects, without which the gateways of routes that
    only refer to these (`nexthop_compat_mode` 0) are not known.
    """
    objects = None if nexthops is None else _nexthops(nexthops, problems)

    def parse(start: int, attributes: dict[int, bytes]) -> list[Route]:
        family, prefix, _source, _tos, table, protocol, scope, number, flags = _RTMSG.unpack_from(
            data, start
        )
        if _RTA_TABLE in attributes:
            table = _number(attributes[_RTA_TABLE])
        family_name = _FAMILIES.get(family)
        # Kernels that do not filter add other tables, and cached routes to single hosts.
        if family_name is None or table != _RT_TABLE_MAIN or flags & _RTM_F_CLONED:
            return []
        dst = f"{socket.inet_ntop(family, attributes[_RTA_DST])}/{prefix}" if prefix else "default"
        metric = _number(attributes.get(_RTA_PRIORITY)) or 0
        kind = _ROUTE_TYPES[number] if number < len(_ROUTE_TYPES) else str(number)
        src = attributes.get(_RTA_PREFSRC)
        origin = (
            _SCOPES.get(scope, str(scope)),
            _ROUTE_PROTOCOLS.get(protocol, str(protocol)),
            None if src is None else socket.inet_ntop(family, src),
        )
        hops: t.Iterable[NextHop] = [(None, None)]
        if kind not in _WITHOUT_NEXT_HOP:
            hops = _next_hops(family, attributes, objects)
        # All next hops of a route or none: a part of them would be another route.
        return [
            Route(dst, gateway, ifindex, metric, "main", family_name, kind, *origin)
            for gateway, ifindex in hops
        ]

    return netlink.parse_messages(
        data,
        _RTM_NEWROUTE,
        _RTMSG.size,
        _ROUTE_ATTRIBUTES,
        parse,
        problems,
        _known_routes if objects is None else None,
    )


@netlink.strict
def _nexthop_ids(data: bytes) -> list[int | None]:
    def parse(_start: int, attributes: dict[int, bytes]) -> tuple[int | None]:
        return (_number(attributes.get(_RTA_NH_ID)),)

    return netlink.parse_messages(data, _RTM_NEWROUTE, _RTMSG.size, _NH_ID_ATTRIBUTES, parse, None)


def _nexthops(data: bytes, problems: list[str] | None) -> dict[int, list[NextHop]]:
    """The next hops of each next hop object, by its id."""
    groups: dict[int, list[int]] = {}

    def parse(start: int, attributes: dict[int, bytes]) -> tuple[tuple[int, NextHop], ...]:
        (family,) = data[start : start + 1]
        number = int.from_bytes(attributes[_NHA_ID], sys.byteorder)
        if _NHA_GROUP in attributes:
            members = _NEXTHOP_GRP.iter_unpack(attributes[_NHA_GROUP])
            groups[number] = [member for member, *_weights in members]
            return ()
        gateway = attributes.get(_NHA_GATEWAY)
        hop = (
            None if gateway is None else socket.inet_ntop(family, gateway),
            _number(attributes.get(_NHA_OIF)),
        )
        return ((number, hop),)

    single = dict(
        netlink.parse_messages(
            data, _RTM_NEWNEXTHOP, _NHMSG.size, _NEXTHOP_ATTRIBUTES, parse, problems
        )
    )
    hops = {number: [hop] for number, hop in single.items()}
    for number, members in groups.items():
        hops[number] = [single[member] for member in members if member in single]
    return hops


def _next_hops(
    family: int,
    attributes: t.Mapping[int, bytes],
    objects: t.Mapping[int, list[NextHop]] | None,
) -> t.Iterator[NextHop]:
    multipath = attributes.get(_RTA_MULTIPATH)
    ifindex = _number(attributes.get(_RTA_OIF))
    nexthop_id = _number(attributes.get(_RTA_NH_ID))
    if nexthop_id is not None and multipath is None and ifindex is None:
        # Without the objects it is not known. An object that has gone has taken its routes with it.
        yield from [(None, None)] if objects is None else objects.get(nexthop_id, [])
        return
    if multipath is None:
        yield _gateway(family, attributes), ifindex
        return
    offset = 0
    while offset < len(multipath):
        length, _flags, _weight, ifindex = _RTNEXTHOP.unpack_from(multipath, offset)
        hop = netlink.attributes(
            multipath, offset + _RTNEXTHOP.size, offset + length, _MULTIPATH_ATTRIBUTES
        )
        yield _gateway(family, hop), ifindex
        offset += (length + 3) & ~3 or len(multipath)


def _gateway(family: int, attributes: t.Mapping[int, bytes]) -> str | None:
    if _RTA_GATEWAY in attributes:
        return socket.inet_ntop(family, attributes[_RTA_GATEWAY])
    via = attributes.get(_RTA_VIA)
    if via is None:
        return None
    return socket.inet_ntop(int.from_bytes(via[:2], sys.byteorder), via[2:])


@netlink.strict
def parse_nsid(data: bytes) -> int | None:
    """The id in the reply to RTM_GETNSID; None where the kernel has not assigned one yet."""

    def parse(_start: int, attributes: dict[int, bytes]) -> tuple[int]:
        return (netlink.S32.unpack(attributes[_NETNSA_NSID])[0],)

    nsids = netlink.parse_messages(
        data, _RTM_NEWNSID, _RTGENMSG_SIZE, _NSID_ATTRIBUTES, parse, None
    )
    return nsids[0] if nsids and nsids[0] >= 0 else None


def _number(value: bytes | None) -> int | None:
    return None if value is None else int.from_bytes(value, sys.byteorder)


def _string(value: bytes) -> str:
    return value.rstrip(b"\0").decode("utf-8", "backslashreplace")
