# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Replies that a 6.18 kernel gave.

Most are from a namespace with a bridge, one end of a veth on it, and a tun interface with a peer
address; the other end of the veth is in the namespace with nsid 0. The others are from a namespace
with more interfaces and routes of all types, and from a machine with a network card.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import struct
import typing as t

import pytest

from ansible_collections.linuxnet.netns.plugins.module_utils._core.kernel import netlink, rtnetlink

DATA = pathlib.Path(__file__).parents[4] / "data" / "netlink-6.18"
INTERFACES = (DATA / "interfaces.bin").read_bytes()
ADDRESSES = (DATA / "addresses.bin").read_bytes()
INTERFACES_WITH_PEERS = (DATA / "interfaces-peers.bin").read_bytes()
CARD = (DATA / "interface-physical.bin").read_bytes()
ROUTES = (DATA / "routes.bin").read_bytes()


def test_interfaces() -> None:
    assert rtnetlink.parse_interfaces(INTERFACES) == [
        rtnetlink.Interface(1, "lo", None, "00:00:00:00:00:00", 65536, "UNKNOWN", None),
        rtnetlink.Interface(2, "br0", "bridge", "02:42:ac:11:00:03", 1400, "DOWN", None),
        rtnetlink.Interface(3, "eth0", "veth", "02:42:ac:11:00:02", 1400, "DOWN", 2, 2, 0),
        rtnetlink.Interface(4, "tun0", "tun", None, 1500, "DOWN", None),
    ]


def test_iflink_and_link_netnsid() -> None:
    interfaces = rtnetlink.parse_interfaces(INTERFACES_WITH_PEERS)
    assert [(each.name, each.kind, each.iflink, each.link_netnsid) for each in interfaces] == [
        ("lo", None, None, None),
        ("eth0", "veth", 2, 0),
        ("pad", "ifb", None, None),
        ("in1", "veth", 5, None),
        ("in0", "veth", 4, None),
        ("mac0", "macvlan", 2, None),
        ("vx0", "vxlan", None, None),
    ]
    assert not any(each.physical for each in interfaces)


def test_a_network_card() -> None:
    card = rtnetlink.Interface(
        4, "eth0", None, "02:fc:00:00:00:01", 1400, "UP", None, None, None, physical=True
    )
    assert rtnetlink.parse_interfaces(CARD) == [card]
    # From a kernel that does not report the device: what has no kind is a card or the loopback.
    assert CARD.count(b"virtio2") == 1
    attribute, newer = struct.pack("=HH", 12, 56), struct.pack("=HH", 8, 59)
    assert (CARD.count(attribute), CARD.count(newer)) == (1, 1)
    without_device = CARD.replace(attribute, struct.pack("=HH", 12, 255)).replace(
        newer, struct.pack("=HH", 8, 255)
    )
    assert rtnetlink.parse_interfaces(without_device) == [card]
    loopback = bytearray(without_device)
    struct.pack_into("=H", loopback, 18, 772)
    assert not rtnetlink.parse_interfaces(bytes(loopback))[0].physical


def interface_message(
    hardware: int = 1, name: bytes = b"x0", kind: bytes = b"", **numbers: int
) -> bytes:
    """A message about an interface with ifindex 9."""
    body = struct.pack("=BxHiII", 0, hardware, 9, 0, 0) + attribute(3, name + b"\0")
    if kind:
        body += attribute(18, attribute(1, kind + b"\0"))
    if "device" in numbers:
        body += attribute(56, b"0000:03:00.0\0")
    for key, number in (("link", 5), ("tso_max_size", 59)):
        if key in numbers:
            body += attribute(number, struct.pack("=I", numbers[key]))
    return netlink_message(16, body)


NEW = {"tso_max_size": 65536}


@pytest.mark.parametrize(
    ("physical", "given"),
    [
        (True, {"device": 1}),
        (True, {"device": 1, **NEW}),
        # Ports of a switch: each is a device, on top of the one that leads to the CPU.
        (True, {"device": 1, "kind": b"dsa", "link": 2, **NEW}),
        (False, {"kind": b"veth", "link": 2, **NEW}),
        (False, {"kind": b"bridge"}),
        # From a kernel that does not name devices.
        (True, {}),
        (True, {"name": b"vmnet"}),
        # The interfaces of hypervisors have no kind, and no device.
        (False, NEW),
        (False, {"name": b"vmnet8"}),
        (False, {"name": b"vboxnet0", **NEW}),
        # A real device may have that name.
        (True, {"name": b"vmnet8", "device": 1, **NEW}),
        # IPoIB: a port, and interfaces for other partitions of it.
        (True, {"hardware": 32}),
        (True, {"hardware": 32, "kind": b"ipoib"}),
        (True, {"hardware": 32, "kind": b"ipoib", "device": 1, "link": 9, **NEW}),
        (False, {"hardware": 32, "kind": b"ipoib", "device": 1, "link": 2, **NEW}),
        (False, {"hardware": 32, "kind": b"ipoib", "link": 2}),
        (False, {"hardware": 32, "link": 2}),
        # The loopback, a tunnel.
        (False, {"hardware": 772}),
        (False, {"hardware": 768}),
    ],
)
def test_what_is_a_device_of_the_machine(physical: bool, given: dict[str, t.Any]) -> None:
    (interface,) = rtnetlink.parse_interfaces(interface_message(**given))
    assert interface.physical is physical


def test_interfaces_are_sorted() -> None:
    (length,) = struct.unpack_from("=I", INTERFACES)
    moved = INTERFACES[length:] + INTERFACES[:length]
    assert rtnetlink.parse_interfaces(moved) == rtnetlink.parse_interfaces(INTERFACES)


def test_the_ip_address_of_a_tunnel_is_not_a_mac() -> None:
    (length,) = struct.unpack_from("=I", INTERFACES)
    for hardware in (768, 776, 778):
        tunnel = bytearray(INTERFACES[:length])
        struct.pack_into("=H", tunnel, 18, hardware)
        (interface,) = rtnetlink.parse_interfaces(bytes(tunnel))
        assert (interface.name, interface.mac) == ("lo", None)


def test_a_name_that_is_not_utf_8() -> None:
    assert (
        rtnetlink.parse_interfaces(INTERFACES.replace(b"eth0\0", b"\xe9th0\0"))[2].name
        == "\\xe9th0"
    )


def test_a_state_of_a_newer_kernel() -> None:
    attribute = struct.pack("=HH", 5, 16)
    known = attribute + b"\2\0\0\0"
    assert INTERFACES.count(known) == 3
    assert (
        rtnetlink.parse_interfaces(INTERFACES.replace(known, attribute + b"\7\0\0\0"))[1].state
        == "7"
    )


def test_the_address_of_a_point_to_point_interface_is_its_own() -> None:
    assert rtnetlink.parse_addresses(ADDRESSES) == [
        rtnetlink.Address(1, "127.0.0.1/8"),
        rtnetlink.Address(2, "172.17.0.2/16"),
        rtnetlink.Address(4, "10.8.0.1/24"),
        rtnetlink.Address(1, "::1/128"),
        rtnetlink.Address(2, "fd00::2/64"),
        rtnetlink.Address(4, "fd01::1/128"),
    ]


def test_routes() -> None:
    """A gateway can be of the other family; each next hop is a row; dropping routes have no interface."""
    inet = [
        ("default", "10.0.0.1", 2, 0),
        ("default", "10.1.0.1", 5, 50),
        ("10.0.0.0/24", None, 2, 0),
        ("10.1.0.0/24", None, 5, 0),
        ("10.6.0.0/16", None, None, 0),
        ("10.7.0.0/16", None, None, 0),
        ("10.8.0.0/16", None, None, 9),
        ("10.9.0.0/16", None, None, 0),
        ("192.0.2.1/32", None, 5, 0),
        ("198.51.100.0/24", "10.0.0.3", 2, 0),
        ("198.51.100.0/24", "10.1.0.3", 5, 0),
        ("198.51.100.0/24", "fd01::9", 5, 0),
        ("203.0.113.0/24", "fd00::1", 2, 0),
    ]
    inet6 = [
        ("fd00::/64", None, 2, 256),
        ("fd01::/64", None, 5, 256),
        ("fd02::/48", "fd00::3", 2, 1024),
        ("fd02::/48", "fd01::3", 5, 1024),
        ("fd03::/16", None, None, 1024),
        ("fe80::/64", None, 4, 256),
        ("fe80::/64", None, 5, 256),
        ("fe80::/64", None, 2, 256),
        ("default", "fd00::1", 2, 20),
    ]
    types = {
        "10.6.0.0/16": "throw",
        "10.7.0.0/16": "prohibit",
        "10.8.0.0/16": "blackhole",
        "10.9.0.0/16": "unreachable",
        "fd03::/16": "unreachable",
    }
    assert [route[:7] for route in rtnetlink.parse_routes(ROUTES)] == [
        (*route, "main", family, types.get(str(route[0]), "unicast"))
        for family, routes in (("inet", inet), ("inet6", inet6))
        for route in routes
    ]


@pytest.mark.parametrize(
    ("number", "kind"),
    [(0, "unspec"), (2, "local"), (5, "multicast"), (11, "xresolve"), (12, "12"), (255, "255")],
)
def test_types_of_routes(number: int, kind: str) -> None:
    (length,) = struct.unpack_from("=I", ROUTES)
    route = bytearray(ROUTES[:length])
    route[23] = number
    (parsed,) = rtnetlink.parse_routes(bytes(route))
    assert (parsed.type, parsed.gateway, parsed.ifindex) == (kind, "10.0.0.1", 2)


def test_who_made_a_route_and_its_scope() -> None:
    routes = rtnetlink.parse_routes(ROUTES)
    by_dst = {each.dst: (each.scope, each.protocol, each.src) for each in routes}
    assert by_dst["10.0.0.0/24"] == ("link", "kernel", "10.0.0.2")
    assert by_dst["198.51.100.0/24"] == ("global", "boot", None)
    assert by_dst["fd00::/64"] == ("global", "kernel", None)
    (length,) = struct.unpack_from("=I", ROUTES)
    route = bytearray(ROUTES[:length])
    for protocol, scope, names in ((186, 254, ("host", "bgp")), (77, 99, ("99", "77"))):
        route[21:23] = protocol, scope
        (parsed,) = rtnetlink.parse_routes(bytes(route))
        assert (parsed.scope, parsed.protocol) == names


def test_altnames() -> None:
    (length,) = struct.unpack_from("=I", INTERFACES)
    names = b"".join(
        struct.pack("=HH", 4 + len(name), kind) + name + bytes(-len(name) % 4)
        for kind, name in ((53, b"enp0s1\0"), (99, b"x\0"), (53, b"\xff-lan\0"))
    )
    properties = struct.pack("=HH", 4 + len(names), 0x8000 | 52) + names
    message = struct.pack("=I", length + len(properties)) + INTERFACES[4:length] + properties
    (interface,) = rtnetlink.parse_interfaces(message)
    assert interface.altnames == ("enp0s1", "\\xff-lan")
    problems: list[str] = []
    odd = message.replace(struct.pack("=HH", 11, 53), struct.pack("=HH", 0, 53))
    assert rtnetlink.parse_interfaces(odd, problems) == []
    assert len(problems) == 1


def test_routes_by_nexthop_objects() -> None:
    """With nexthop_compat_mode 0. The objects are known, not known, or gone."""
    by_object = (DATA / "routes-nexthops.bin").read_bytes()
    objects = (DATA / "nexthops.bin").read_bytes()
    assert rtnetlink.has_nexthop_ids(by_object)
    assert not rtnetlink.has_nexthop_ids(ROUTES)
    # The same bytes are the address 8.0.30.0.
    assert not rtnetlink.has_nexthop_ids(ROUTES.replace(bytes([10, 0, 0, 1]), b"\x08\0\x1e\0"))
    rest = [
        ("10.0.0.0/24", None, 3, 0, "main", "inet", "unicast"),
        ("10.22.0.0/16", None, None, 0, "main", "inet", "blackhole"),
        ("10.25.0.0/16", "10.0.0.7", 3, 3, "main", "inet", "unicast"),
        ("10.26.0.0/16", None, None, 0, "main", "inet", "throw"),
        ("fd00::/64", None, 3, 256, "main", "inet6", "unicast"),
    ]
    resolved = [
        ("10.20.0.0/16", "10.0.0.1", 3, 0, "main", "inet", "unicast"),
        ("10.21.0.0/16", "10.0.0.1", 3, 0, "main", "inet", "unicast"),
        ("10.21.0.0/16", "10.0.0.3", 3, 0, "main", "inet", "unicast"),
        ("10.23.0.0/16", "fd00::9", 3, 0, "main", "inet", "unicast"),
        ("10.24.0.0/16", None, 3, 0, "main", "inet", "unicast"),
        ("fd20::/32", "fd00::9", 3, 1024, "main", "inet6", "unicast"),
        ("fd21::/32", "fd00::9", 3, 1024, "main", "inet6", "unicast"),
        ("fd21::/32", "fd00::8", 3, 1024, "main", "inet6", "unicast"),
    ]
    unresolved = {(each[0], None, None, *each[3:]) for each in resolved}
    for nexthops, expected in (
        (objects, {*resolved, *rest}),
        (None, {*unresolved, *rest}),
        (b"", set(rest)),
    ):
        problems: list[str] = []
        routes = rtnetlink.parse_routes(by_object, problems, nexthops=nexthops)
        assert {each[:7] for each in routes if each.dst != "fe80::/64"} == expected
        assert problems == []
    # An object that is not valid hides no other, and takes its own routes with it.
    first = objects[: struct.unpack_from("=I", objects)[0]]
    odd = first[:24] + first[24:].replace(struct.pack("=HH", 8, 6), struct.pack("=HH", 7, 6))
    problems = []
    routes = rtnetlink.parse_routes(by_object, problems, nexthops=odd + objects[len(first) :])
    assert len(problems) == 1
    assert {*resolved, *rest} - {each[:7] for each in routes} == {resolved[0], resolved[1]}


def test_routes_of_a_kernel_that_does_not_filter() -> None:
    every = (DATA / "routes-all.bin").read_bytes()
    assert len(every) > len(ROUTES)
    assert rtnetlink.parse_routes(every) == rtnetlink.parse_routes(ROUTES)


def test_other_messages_about_routes_are_skipped() -> None:
    (length,) = struct.unpack_from("=I", ROUTES)
    first = ROUTES[:length]
    assert len(rtnetlink.parse_routes(first)) == 1
    for offset, value in ((16, 28), (16, 129)):  # MPLS, multicast
        other = bytearray(first)
        other[offset] = value
        assert rtnetlink.parse_routes(bytes(other)) == []
    cached = bytearray(first)
    struct.pack_into("=I", cached, 24, 0x200)
    assert rtnetlink.parse_routes(bytes(cached)) == []


def test_nsid() -> None:
    assert rtnetlink.parse_nsid((DATA / "nsid.bin").read_bytes()) == 0
    assert rtnetlink.parse_nsid((DATA / "nsid-none.bin").read_bytes()) is None


def netlink_message(kind: int, body: bytes) -> bytes:
    return struct.pack("=IHHII", 16 + len(body), kind, 2, 1, 0) + body + bytes(-len(body) % 4)


def attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


NSID = (DATA / "nsid.bin").read_bytes()
_INTERFACE = struct.pack("=BxHiII", 0, 1, 9, 0, 0)
_ADDRESS = struct.pack("=BBBBI", 2, 24, 0, 0, 1)
_ROUTE = struct.pack("=BBBBBBBBI", 2, 24, 0, 0, 254, 0, 0, 1, 0)
ODD_MESSAGES = {
    rtnetlink.parse_interfaces: (
        INTERFACES,
        16,
        [
            _INTERFACE[:-1],
            _INTERFACE + struct.pack("=HH", 40, 3),
            _INTERFACE + attribute(16, b""),
            _INTERFACE + attribute(37, b"\0"),
            _INTERFACE + attribute(18, b"\1"),
        ],
    ),
    rtnetlink.parse_addresses: (
        ADDRESSES,
        20,
        [_ADDRESS[:-1], _ADDRESS + struct.pack("=HH", 40, 2), _ADDRESS + attribute(2, b"\1\2\3")],
    ),
    rtnetlink.parse_routes: (
        ROUTES,
        24,
        [
            _ROUTE[:-1],
            _ROUTE,
            _ROUTE + attribute(1, b"\1\2\3"),
            _ROUTE + attribute(1, bytes(4)) + attribute(5, b"\1"),
            # A gateway of a family that we do not know; a next hop that is cut short.
            _ROUTE + attribute(1, bytes(4)) + attribute(18, struct.pack("=H", 45) + b"\1"),
            _ROUTE + attribute(1, bytes(4)) + attribute(9, b"\1\2\3"),
        ],
    ),
}
ODD_ITEMS = [
    pytest.param(parse, good, netlink_message(kind, body), id=f"{parse.__name__}-{number}")
    for parse, (good, kind, bodies) in ODD_MESSAGES.items()
    for number, body in enumerate(bodies)
]


@pytest.mark.parametrize(("parse", "good", "odd"), ODD_ITEMS)
def test_an_odd_message_hides_no_other(parse: t.Any, good: bytes, odd: bytes) -> None:
    (length,) = struct.unpack_from("=I", good)
    for data in (odd + good, good[:length] + odd + good[length:], good + odd):
        problems: list[str] = []
        assert parse(data, problems) == parse(good)
        (problem,) = problems
        assert problem.startswith("not a valid netlink message: ")


@pytest.mark.parametrize("family", [5, 35, 45, 200])
def test_families_that_are_not_of_ip(family: int) -> None:
    """AppleTalk, Phonet, MCTP, and one of a newer kernel."""
    address = netlink_message(20, struct.pack("=BBBBI", family, 0, 0, 0, 1) + attribute(2, b"\x08"))
    route = netlink_message(24, bytes([family]) + _ROUTE[1:] + attribute(1, b"\x08"))
    problems: list[str] = []
    assert rtnetlink.parse_addresses(address + ADDRESSES, problems) == rtnetlink.parse_addresses(
        ADDRESSES
    )
    assert rtnetlink.parse_routes(route + ROUTES, problems) == rtnetlink.parse_routes(ROUTES)
    assert problems == []


@pytest.mark.parametrize(
    "parse",
    [
        rtnetlink.parse_interfaces,
        rtnetlink.parse_addresses,
        rtnetlink.parse_routes,
        rtnetlink.parse_nsid,
        netlink.check_reply,
        lambda data: netlink.find_end(data, 1),
    ],
)
def test_bytes_that_are_not_a_message_end_in_an_error(parse: t.Callable[[bytes], object]) -> None:
    whole = INTERFACES + ADDRESSES + ROUTES
    for data in (
        b"x",
        # A message and an attribute of length 0.
        struct.pack("=IHHII", 0, 16, 0, 1, 0) * 3,
        *(struct.pack("=IHHII", 80, kind, 0, 1, 0) + bytes(64) for kind in (16, 20, 24, 88)),
        # An error whose number has no counterpart.
        struct.pack("=IHHIIi", 20, 2, 0, 1, 0, -(1 << 31)),
        *(whole[:end] for end in range(0, 4000, 7)),
        *(whole[:offset] + b"\xff\xff" + whole[offset + 2 :] for offset in range(0, 2000, 11)),
    ):
        with contextlib.suppress(OSError):
            parse(data)
    with pytest.raises(OSError, match="not a valid netlink message"):
        rtnetlink.parse_interfaces(b"x")


def test_the_running_kernel() -> None:
    """A process may ask about its own namespace without root."""
    fd = os.open("/proc/self/ns/net", os.O_RDONLY)
    try:
        with netlink.Socket() as rtnl:
            interfaces = rtnetlink.parse_interfaces(rtnetlink.dump_interfaces(rtnl).data)
            rtnetlink.parse_addresses(rtnetlink.dump_addresses(rtnl).data)
            rtnetlink.parse_routes(rtnetlink.dump_routes(rtnl).data)
            one = rtnetlink.get_interface(rtnl, 1)
            assert rtnetlink.parse_interfaces(one) == interfaces[:1]
            rtnetlink.get_nsid(rtnl, fd)
            with pytest.raises(OSError, match="No such device"):
                rtnetlink.get_interface(rtnl, 1 << 30)
    finally:
        os.close(fd)
    assert (interfaces[0].ifindex, interfaces[0].name, interfaces[0].mtu) == (1, "lo", 65536)
