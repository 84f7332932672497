# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The TCP and UDP sockets of a namespace (sock_diag(7), linux/inet_diag.h).

`fetch` returns the kernel's messages about those that listen, and counts the others as they arrive: there can
be a million of them. `split` and `parse` are pure functions over the bytes.
"""

from __future__ import annotations

import functools
import socket
import struct
import typing as t

from ..named_tuple import NamedTuple
from . import netlink

TCP, UDP = "tcp", "udp"
PROTOCOLS = (TCP, UDP)
LISTEN = "listen"
# A UDP socket without a peer receives from anybody, as one that listens does. The kernel reports it as closed.
UNCONNECTED = "unconnected"
# By the kernel's number (net/tcp_states.h).
STATES = {
    1: "established",
    2: "syn_sent",
    3: "syn_recv",
    4: "fin_wait1",
    5: "fin_wait2",
    6: "time_wait",
    7: "close",
    8: "close_wait",
    9: "last_ack",
    10: LISTEN,
    11: "closing",
}
# The number of the state of a socket that listens.
LISTENING = {TCP: 10, UDP: 7}

_NETLINK_SOCK_DIAG = 4
_TCPDIAG_GETSOCK = 18
_SOCK_DIAG_BY_FAMILY = 20
_INET_DIAG_SKV6ONLY = 11
_ALL_STATES = 0xFFF
# Sockets of both families, which one request returns: the kernel walks all connections of the host for each.
_TCP_REQUEST = struct.Struct("=BBBB48xII")
_UDP_REQUEST = struct.Struct("=BBBBI48x")
_FAMILIES = {int(socket.AF_INET): 4, int(socket.AF_INET6): 16}
# Family, state, port, local address, ifindex, cookie, queued, backlog, inode.
_MESSAGE = struct.Struct("=BBxx2s2x16s16xIQ4xII4xI")
_HEADER = struct.Struct("=IH")
_ATTRIBUTES = frozenset((_INET_DIAG_SKV6ONLY,))


class Listener(NamedTuple):
    """A socket that listens; for UDP, one that is bound and has no peer.

    `ifindex` is the interface that it is bound to, 0 for none. `v6only` is whether an IPv6 socket takes no
    IPv4; None for IPv4. `backlog` is how many connections may wait to be accepted, None for UDP. `queued` is how
    many wait; for UDP, how many bytes. `inode` identifies the socket. What the kernel did not report is None.
    """

    protocol: str
    address: str
    port: int
    ifindex: int | None
    v6only: bool | None
    backlog: int | None
    queued: int
    inode: int


def sort_key(listener: Listener) -> tuple[int, str, int]:
    """Sorts by port and address."""
    return listener.port, listener.address, listener.inode


class Reply(NamedTuple):
    """What the kernel returned about the sockets of one protocol.

    `data` describes those that listen. `counts` are all sockets, by the number of their state. `truncated`
    is whether more listen than were asked for.
    """

    data: bytes
    counts: t.Mapping[int, int]
    truncated: bool


@functools.lru_cache(maxsize=None)
def _tcp_request(sequence: int) -> bytes:
    body = _TCP_REQUEST.pack(socket.AF_INET, 0, 0, 0, _ALL_STATES, 0)
    return netlink.request(_TCPDIAG_GETSOCK, netlink.NLM_F_DUMP, sequence, body)


@functools.lru_cache(maxsize=None)
def _udp_request(family: int, sequence: int) -> bytes:
    body = _UDP_REQUEST.pack(family, socket.IPPROTO_UDP, 0, 0, _ALL_STATES)
    return netlink.request(_SOCK_DIAG_BY_FAMILY, netlink.NLM_F_DUMP, sequence, body)


def connect() -> netlink.Socket:
    """A socket to ask the kernel with. Raises OSError."""
    return netlink.Socket(_NETLINK_SOCK_DIAG)


def fetch(diag: netlink.Socket, protocol: str, limit: int) -> Reply:
    """The sockets of a protocol, at most `limit` of those that listen. Raises OSError."""
    requests: list[t.Callable[[int], bytes]] = [_tcp_request]
    if protocol == UDP:
        requests = [functools.partial(_udp_request, family) for family in _FAMILIES]
    listening: list[bytes] = []
    counts: dict[int, int] = {}
    for request in requests:
        for part, _interrupted in diag.parts(request):
            split(part, LISTENING[protocol], listening, counts)
            del listening[limit + 1 :]
    return Reply(b"".join(listening[:limit]), counts, len(listening) > limit)


@netlink.strict
def split(data: bytes, listening: int, messages: list[bytes], counts: dict[int, int]) -> None:
    """Count the sockets in a part of a dump by state; the messages about those that listen are added."""
    offset = 0
    end = len(data)
    unpack = _HEADER.unpack_from
    while offset < end:
        length, kind = unpack(data, offset)
        if kind in (_TCPDIAG_GETSOCK, _SOCK_DIAG_BY_FAMILY):
            state = data[offset + netlink.HEADER_SIZE + 1]
            counts[state] = counts.get(state, 0) + 1
            if state == listening:
                messages.append(data[offset : offset + ((length + 3) & ~3)])
        # A length of 0 would be read again and again.
        offset += (length + 3) & ~3 or end


@netlink.strict
def parse(data: bytes, protocol: str, problems: list[str] | None = None) -> list[Listener]:
    """The sockets in messages about sockets that listen, each once, sorted by port."""
    # A dump that takes several reads may return a socket twice.
    by_cookie: dict[int, Listener] = {}

    def add(start: int, attributes: dict[int, bytes]) -> t.Iterator[None]:
        family, _state, port, address, ifindex, cookie, queued, backlog, inode = (
            _MESSAGE.unpack_from(data, start)
        )
        v6only = attributes.get(_INET_DIAG_SKV6ONLY)
        by_cookie[cookie] = Listener(
            protocol,
            socket.inet_ntop(family, address[: _FAMILIES[family]]),
            int.from_bytes(port, "big"),
            ifindex,
            bool(v6only[0]) if v6only and family == socket.AF_INET6 else None,
            backlog if protocol == TCP else None,
            queued,
            inode,
        )
        return iter(())

    for kind in (_TCPDIAG_GETSOCK, _SOCK_DIAG_BY_FAMILY):
        netlink.parse_messages(data, kind, _MESSAGE.size, _ATTRIBUTES, add, problems)
    return sorted(by_cookie.values(), key=sort_key)


def by_state(protocol: str, counts: t.Mapping[int, int]) -> dict[str, int]:
    """The number of sockets by the name of their state, in the order of the kernel's numbers."""
    names = {**STATES, LISTENING[UDP]: UNCONNECTED} if protocol == UDP else STATES
    return {
        names.get(number, str(number)): count for number, count in sorted(counts.items()) if count
    }
