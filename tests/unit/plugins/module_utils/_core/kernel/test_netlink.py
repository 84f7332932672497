# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""On the answers of a 6.18 kernel in a namespace with a bridge, one end of a veth in it, and a tun
interface with a peer; the other end of the veth is in a namespace that has the id 0 there.
In another one with more interfaces and with routes of all types, and of a network card.
"""

from __future__ import annotations

import contextlib
import errno
import os
import pathlib
import struct
import typing as t

import pytest

from ansible_collections.linuxnet.netns.plugins.module_utils._core.kernel import netlink

DATA = pathlib.Path(__file__).parents[4] / "data" / "netlink-6.18"
LINKS = (DATA / "links.bin").read_bytes()
ADDRESSES = (DATA / "addresses.bin").read_bytes()
LINKS_AND_PEERS = (DATA / "links-peers.bin").read_bytes()
CARD = (DATA / "link-physical.bin").read_bytes()
ROUTES = (DATA / "routes.bin").read_bytes()

MULTI, INTERRUPTED = 0x2, 0x10
DONE, ERROR = 3, 2


def message(kind: int, flags: int, sequence: int, body: bytes) -> bytes:
    return struct.pack("=IHHII", 16 + len(body), kind, flags, sequence, 0) + body


def test_links() -> None:
    assert netlink.parse_interfaces(LINKS) == [
        netlink.Interface(1, "lo", None, "00:00:00:00:00:00", 65536, "UNKNOWN", None),
        netlink.Interface(2, "br0", "bridge", "02:42:ac:11:00:03", 1400, "DOWN", None),
        netlink.Interface(3, "eth0", "veth", "02:42:ac:11:00:02", 1400, "DOWN", 2, 2, 0),
        netlink.Interface(4, "tun0", "tun", None, 1500, "DOWN", None),
    ]


def test_where_links_lead() -> None:
    links = netlink.parse_interfaces(LINKS_AND_PEERS)
    assert [(link.name, link.kind, link.link, link.link_nsid) for link in links] == [
        ("lo", None, None, None),
        ("eth0", "veth", 2, 0),
        ("pad", "ifb", None, None),
        ("in1", "veth", 5, None),
        ("in0", "veth", 4, None),
        ("mac0", "macvlan", 2, None),
        ("vx0", "vxlan", None, None),
    ]
    assert not any(link.physical for link in links)


def test_a_network_card() -> None:
    card = netlink.Interface(
        4, "eth0", None, "02:fc:00:00:00:01", 1400, "UP", None, None, None, physical=True
    )
    assert netlink.parse_interfaces(CARD) == [card]
    # As of a kernel that does not tell the device: what has no kind is a card, or the loopback.
    assert CARD.count(b"virtio2") == 1
    attribute = struct.pack("=HH", 12, 56)
    assert CARD.count(attribute) == 1
    untold = CARD.replace(attribute, struct.pack("=HH", 12, 255))
    assert netlink.parse_interfaces(untold) == [card]
    loopback = bytearray(untold)
    struct.pack_into("=H", loopback, 18, 772)
    assert not netlink.parse_interfaces(bytes(loopback))[0].physical


def test_links_in_any_order() -> None:
    (length,) = struct.unpack_from("=I", LINKS)
    moved = LINKS[length:] + LINKS[:length]
    assert netlink.parse_interfaces(moved) == netlink.parse_interfaces(LINKS)


def test_the_ip_address_of_a_tunnel_is_no_mac() -> None:
    (length,) = struct.unpack_from("=I", LINKS)
    for hardware in (768, 776, 778):
        tunnel = bytearray(LINKS[:length])
        struct.pack_into("=H", tunnel, 18, hardware)
        (link,) = netlink.parse_interfaces(bytes(tunnel))
        assert (link.name, link.mac) == ("lo", None)


def test_a_name_that_is_no_text() -> None:
    assert netlink.parse_interfaces(LINKS.replace(b"eth0\0", b"\xe9th0\0"))[2].name == "\\xe9th0"


def test_a_state_that_a_later_kernel_invents() -> None:
    attribute = struct.pack("=HH", 5, 16)
    known = attribute + b"\2\0\0\0"
    assert LINKS.count(known) == 3
    assert netlink.parse_interfaces(LINKS.replace(known, attribute + b"\7\0\0\0"))[1].state == "7"


def test_addresses_are_those_of_this_end() -> None:
    assert netlink.parse_addresses(ADDRESSES) == [
        netlink.Address(1, "127.0.0.1/8"),
        netlink.Address(2, "172.17.0.2/16"),
        netlink.Address(4, "10.8.0.1/24"),
        netlink.Address(1, "::1/128"),
        netlink.Address(2, "fd00::2/64"),
        netlink.Address(4, "fd01::1/128"),
    ]


def test_routes() -> None:
    """A gateway may be of the other family; each next hop is one row; drops have no interface."""
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
    assert netlink.parse_routes(ROUTES) == [
        netlink.Route(*route, "main", family)
        for family, routes in (("inet", inet), ("inet6", inet6))
        for route in routes
    ]


def test_routes_of_a_kernel_that_does_not_filter() -> None:
    every = (DATA / "routes-all.bin").read_bytes()
    assert len(every) > len(ROUTES)
    assert netlink.parse_routes(every) == netlink.parse_routes(ROUTES)


def test_what_is_no_route_of_the_table() -> None:
    (length,) = struct.unpack_from("=I", ROUTES)
    first = ROUTES[:length]
    assert len(netlink.parse_routes(first)) == 1
    for offset, value in ((16, 28), (16, 129)):  # MPLS, multicast
        other = bytearray(first)
        other[offset] = value
        assert netlink.parse_routes(bytes(other)) == []
    learned = bytearray(first)
    struct.pack_into("=I", learned, 24, 0x200)
    assert netlink.parse_routes(bytes(learned)) == []


def test_nsid() -> None:
    assert netlink.parse_nsid((DATA / "nsid.bin").read_bytes()) == 0
    assert netlink.parse_nsid((DATA / "nsid-none.bin").read_bytes()) is None
    with pytest.raises(OSError, match="rtnetlink: Invalid argument") as error:
        netlink.parse_nsid((DATA / "nsid-error.bin").read_bytes())
    assert error.value.errno == errno.EINVAL


@pytest.mark.parametrize(
    ("data", "answer"),
    [
        (message(16, MULTI, 7, b"link"), (False, False)),
        (message(16, MULTI, 7, b"odd") + b"\0" + message(DONE, MULTI, 7, bytes(4)), (True, False)),
        (message(16, MULTI | INTERRUPTED, 7, b"link"), (False, True)),
        (message(DONE, MULTI | INTERRUPTED, 7, bytes(4)), (True, True)),
        (message(DONE, MULTI | INTERRUPTED, 6, bytes(4)), (False, False)),
        (message(ERROR, 0, 7, bytes(20)), (True, False)),
        (b"", (False, False)),
    ],
)
def test_ending(data: bytes, answer: tuple[bool, bool]) -> None:
    assert netlink.ending(data, 7) == answer


@pytest.mark.parametrize("kind", [DONE, ERROR])
def test_a_refused_dump(kind: int) -> None:
    with pytest.raises(PermissionError, match="rtnetlink: Operation not permitted"):
        netlink.ending(message(kind, 0, 7, struct.pack("=i", -errno.EPERM) + bytes(16)), 7)


class Kernel:
    """Stands in for a netlink socket: answers each dump with the next of the prepared flags."""

    def __init__(self, flags: t.Sequence[int], size: int = 4) -> None:
        self.requests: list[bytes] = []
        self.options: list[tuple[int, int, int]] = []
        self.closed = False
        self._flags = iter(flags)
        self._size = size
        self._waiting: list[bytes] = []

    def __call__(self, *_: int) -> Kernel:
        return self

    def send(self, request: bytes) -> None:
        self.requests.append(request)
        (sequence,) = struct.unpack_from("=I", request, 8)
        flags = next(self._flags)
        if flags < 0:
            self._waiting = [message(DONE, MULTI, sequence, struct.pack("=i", flags))]
            return
        flags |= MULTI
        self._waiting = [
            # The end of what was asked before, which nobody waited for.
            message(DONE, MULTI | INTERRUPTED, sequence - 1, bytes(4)),
            message(16, flags, sequence, struct.pack("=I", sequence)),
            message(DONE, MULTI, sequence, bytes(4)),
        ]

    def recv_into(self, buffer: bytearray, *_: int) -> int:
        data = self._waiting.pop(0)
        if self._size > len(buffer):
            return self._size
        buffer[: len(data)] = data
        return len(data)

    def setsockopt(self, *option: int) -> None:
        self.options.append(option)

    def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize(
    ("flags", "requests", "complete"),
    [
        ([0], 1, True),
        ([INTERRUPTED, INTERRUPTED, 0], 3, True),
        ([INTERRUPTED] * 9, 4, False),
    ],
)
def test_an_interrupted_dump_is_repeated_but_not_for_ever(
    monkeypatch: pytest.MonkeyPatch, flags: list[int], requests: int, complete: bool
) -> None:
    kernel = Kernel(flags)
    monkeypatch.setattr(netlink.socket, "socket", kernel)
    with netlink.Socket() as asked:
        dump = asked.dump(netlink.link_request)
    assert dump.complete is complete
    assert len(kernel.requests) == requests
    # What is kept is the last answer, and nothing of the interrupted ones.
    assert struct.pack("=I", requests) in dump.data
    assert dump.data.count(message(DONE, MULTI, requests, bytes(4))) == 1
    assert struct.pack("=IHHI", 20, 16, MULTI, 1) not in dump.data or requests == 1
    assert kernel.closed


def test_a_message_that_is_too_long_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(netlink.socket, "socket", Kernel([0], size=1 << 16))
    with netlink.Socket() as asked, pytest.raises(OSError, match="more than 32768 bytes") as error:
        asked.dump(netlink.address_request)
    assert error.value.errno == errno.EMSGSIZE


def test_a_dump_without_an_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(netlink, "_MAX_BYTES", 40)
    monkeypatch.setattr(netlink.socket, "socket", Kernel([0]))
    with netlink.Socket() as asked, pytest.raises(OSError, match="more than 40 bytes") as error:
        asked.dump(netlink.address_request)
    assert error.value.errno == errno.EFBIG


def test_a_family_that_lacks_the_table_hides_no_routes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before 5.8 the filter ends the dump with an error there."""
    kernel = Kernel([-errno.ENOENT, 0])
    monkeypatch.setattr(netlink.socket, "socket", kernel)
    with netlink.Socket() as asked:
        dump = asked.routes()
    assert struct.pack("=I", 2) in dump.data
    assert kernel.options == [(270, 12, 1), (270, 12, 0)]


def test_other_errors_of_the_routes_are_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(netlink.socket, "socket", Kernel([-errno.ENOBUFS, 0]))
    with netlink.Socket() as asked, pytest.raises(OSError, match="No buffer space"):
        asked.routes()


def test_a_kernel_that_cannot_filter(monkeypatch: pytest.MonkeyPatch) -> None:
    class Old(Kernel):
        def setsockopt(self, *_: int) -> None:
            raise OSError(errno.ENOPROTOOPT, "Protocol not available")

    monkeypatch.setattr(netlink.socket, "socket", Old([0]))
    with netlink.Socket() as asked:
        assert asked.routes().complete


@pytest.mark.parametrize(
    "parse",
    [
        netlink.parse_interfaces,
        netlink.parse_addresses,
        netlink.parse_routes,
        netlink.parse_nsid,
        lambda data: netlink.ending(data, 1),
    ],
)
def test_what_is_no_message_ends_and_is_an_error(parse: t.Callable[[bytes], object]) -> None:
    whole = LINKS + ADDRESSES + ROUTES
    for data in (
        b"x",
        # No length at all, of a message, and of an attribute.
        struct.pack("=IHHII", 0, 16, 0, 1, 0) * 3,
        *(message(kind, 0, 1, bytes(64)) for kind in (16, 20, 24, 88)),
        *(whole[:end] for end in range(0, 4000, 7)),
        *(whole[:place] + b"\xff\xff" + whole[place + 2 :] for place in range(0, 2000, 11)),
    ):
        with contextlib.suppress(OSError):
            parse(data)
    with pytest.raises(OSError, match="no message of rtnetlink"):
        netlink.parse_interfaces(b"x")


def test_our_own_kernel_answers() -> None:
    """No rights are needed for one's own namespace."""
    fd = os.open("/proc/self/ns/net", os.O_RDONLY)
    try:
        with netlink.Socket() as asked:
            links = netlink.parse_interfaces(asked.dump(netlink.link_request).data)
            netlink.parse_addresses(asked.dump(netlink.address_request).data)
            netlink.parse_routes(asked.routes().data)
            assert netlink.parse_interfaces(asked.link(1)) == links[:1]
            asked.nsid(fd)
            with pytest.raises(OSError, match="No such device"):
                asked.link(1 << 30)
    finally:
        os.close(fd)
    assert (links[0].ifindex, links[0].name, links[0].mtu) == (1, "lo", 65536)
