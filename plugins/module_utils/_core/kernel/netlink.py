# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""rtnetlink (rtnetlink(7), linux/rtnetlink.h, if_link.h, if_addr.h, net_namespace.h).

The kernel's answers are parsed by pure functions over bytes; `Socket` only fetches them.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
import sys
import typing as t

_NLMSG_ERROR = 2
_NLMSG_DONE = 3
_RTM_NEWLINK = 16
_RTM_GETLINK = 18
_RTM_NEWADDR = 20
_RTM_GETADDR = 22
_RTM_NEWNSID = 88
_RTM_GETNSID = 90

_NLM_F_REQUEST = 0x001
_NLM_F_DUMP_INTR = 0x010
_NLM_F_DUMP = 0x300

_IFLA_ADDRESS = 1
_IFLA_IFNAME = 3
_IFLA_MTU = 4
_IFLA_MASTER = 10
_IFLA_OPERSTATE = 16
_IFLA_LINKINFO = 18
_IFLA_INFO_KIND = 1
_IFLA_EXT_MASK = 29
_RTEXT_FILTER_SKIP_STATS = 1 << 3
_IFA_ADDRESS = 1
_IFA_LOCAL = 2
_NETNSA_NSID = 1
_NETNSA_FD = 3
_RTGEN_SIZE = 4

_LINK_ATTRIBUTES = frozenset(
    (_IFLA_ADDRESS, _IFLA_IFNAME, _IFLA_MTU, _IFLA_MASTER, _IFLA_OPERSTATE, _IFLA_LINKINFO)
)
_KIND_ATTRIBUTES = frozenset((_IFLA_INFO_KIND,))
_ADDRESS_ATTRIBUTES = frozenset((_IFA_ADDRESS, _IFA_LOCAL))
_NSID_ATTRIBUTES = frozenset((_NETNSA_NSID,))

# Interfaces whose "hardware address" is the IP address of a tunnel's end (linux/if_arp.h).
_TUNNELS = frozenset((768, 769, 776, 778, 823))
# RFC 2863, as `ip link` writes them.
_STATES = ("UNKNOWN", "NOTPRESENT", "DOWN", "LOWERLAYERDOWN", "TESTING", "DORMANT", "UP")

_HEADER = struct.Struct("=IHHII")
_IFINFO = struct.Struct("=BxHiII")
_IFADDR = struct.Struct("=BBBBI")
_ATTRIBUTE = struct.Struct("=HH")
_U32 = struct.Struct("=I")
_S32 = struct.Struct("=i")

# A dump's answers are as long as the longest read so far, and beyond 64 kB that costs more than
# it saves. The kernel itself never makes them longer than this.
_BUFFER = 1 << 15
_DUMPS_AT_MOST = 4


class Link(t.NamedTuple):
    """An interface. `mac` is None where it has none; `master` is an ifindex of the same namespace."""

    ifindex: int
    name: str
    kind: str | None
    mac: str | None
    mtu: int
    state: str
    master: int | None


class Address(t.NamedTuple):
    """An address of the interface with this ifindex, as 'ADDRESS/PREFIX'."""

    ifindex: int
    text: str


class Dump(t.NamedTuple):
    """The messages of a dump; not `complete` where changes kept interrupting it."""

    data: bytes
    complete: bool


def link_request(sequence: int) -> bytes:
    """A dump of all interfaces, without their counters."""
    body = _IFINFO.pack(socket.AF_UNSPEC, 0, 0, 0, 0)
    body += _ATTRIBUTE.pack(8, _IFLA_EXT_MASK) + _U32.pack(_RTEXT_FILTER_SKIP_STATS)
    return _request(_RTM_GETLINK, _NLM_F_DUMP, sequence, body)


def address_request(sequence: int) -> bytes:
    """A dump of all addresses of both families."""
    return _request(_RTM_GETADDR, _NLM_F_DUMP, sequence, _IFADDR.pack(socket.AF_UNSPEC, 0, 0, 0, 0))


def nsid_request(sequence: int, fd: int) -> bytes:
    """The id by which the socket's namespace knows the one that is open as `fd`."""
    return _request(
        _RTM_GETNSID, 0, sequence, b"\0\0\0\0" + _ATTRIBUTE.pack(8, _NETNSA_FD) + _U32.pack(fd)
    )


def _request(kind: int, flags: int, sequence: int, body: bytes) -> bytes:
    return _HEADER.pack(_HEADER.size + len(body), kind, flags | _NLM_F_REQUEST, sequence, 0) + body


def ending(data: bytes, sequence: int) -> tuple[bool, bool]:
    """Whether a read of a dump holds its end, and whether a change interrupted it.

    Raises OSError with the error that the kernel answered with.
    """
    interrupted = False
    offset = 0
    while offset < len(data):
        length, kind, flags, number, _port = _HEADER.unpack_from(data, offset)
        if number == sequence:
            interrupted = interrupted or bool(flags & _NLM_F_DUMP_INTR)
            if kind in (_NLMSG_DONE, _NLMSG_ERROR):
                _check(data, offset)
                return True, interrupted
        offset += (length + 3) & ~3
    return False, interrupted


def _check(data: bytes, offset: int) -> None:
    (number,) = _S32.unpack_from(data, offset + _HEADER.size)
    if number:
        raise OSError(-number, f"rtnetlink: {os.strerror(-number)}")


def parse_links(data: bytes) -> list[Link]:
    """The interfaces in the messages of a dump, by index."""
    links = []
    for start, found in _messages(data, _RTM_NEWLINK, _IFINFO.size, _LINK_ATTRIBUTES):
        _family, hardware, ifindex, _flags, _change = _IFINFO.unpack_from(data, start)
        mac = found.get(_IFLA_ADDRESS)
        state = found[_IFLA_OPERSTATE][0] if _IFLA_OPERSTATE in found else 0
        info = found.get(_IFLA_LINKINFO)
        links.append(
            Link(
                ifindex,
                _string(found.get(_IFLA_IFNAME, b"")),
                _kind(info) if info else None,
                mac.hex(":") if mac and hardware not in _TUNNELS else None,
                _number(found.get(_IFLA_MTU)) or 0,
                _STATES[state] if state < len(_STATES) else str(state),
                _number(found.get(_IFLA_MASTER)),
            )
        )
    links.sort()
    return links


def _kind(info: bytes) -> str | None:
    kind = _attributes(info, 0, len(info), _KIND_ATTRIBUTES).get(_IFLA_INFO_KIND)
    return None if kind is None else _string(kind)


def parse_addresses(data: bytes) -> list[Address]:
    """The addresses in the messages of a dump, in the kernel's order."""
    addresses = []
    for start, found in _messages(data, _RTM_NEWADDR, _IFADDR.size, _ADDRESS_ATTRIBUTES):
        family, prefix, _flags, _scope, ifindex = _IFADDR.unpack_from(data, start)
        # On point-to-point interfaces IFA_ADDRESS is the other end.
        raw = found.get(_IFA_LOCAL) or found.get(_IFA_ADDRESS)
        if raw:
            addresses.append(Address(ifindex, f"{socket.inet_ntop(family, raw)}/{prefix}"))
    return addresses


def parse_nsid(data: bytes) -> int | None:
    """The id in the answer to `nsid_request`; None where none was given yet. Raises OSError."""
    kind = _HEADER.unpack_from(data)[1]
    if kind == _NLMSG_ERROR:
        _check(data, 0)
    for _start, found in _messages(data, _RTM_NEWNSID, _RTGEN_SIZE, _NSID_ATTRIBUTES):
        (nsid,) = _S32.unpack(found[_NETNSA_NSID])
        return int(nsid) if nsid >= 0 else None
    return None


def _messages(
    data: bytes, wanted: int, family_size: int, attributes: frozenset[int]
) -> t.Iterator[tuple[int, dict[int, bytes]]]:
    """Where the family header of each message of a type is, and its wanted attributes."""
    offset = 0
    while offset < len(data):
        length, kind = _HEADER.unpack_from(data, offset)[:2]
        if kind == wanted:
            start = offset + _HEADER.size
            yield start, _attributes(data, start + family_size, offset + length, attributes)
        offset += (length + 3) & ~3


def _attributes(data: bytes, offset: int, end: int, wanted: frozenset[int]) -> dict[int, bytes]:
    # Most attributes of an interface are of no interest, so that passing over one has to be cheap.
    found = {}
    unpack = _ATTRIBUTE.unpack_from
    while offset < end:
        length, number = unpack(data, offset)
        if number in wanted:
            found[number] = data[offset + 4 : offset + length]
        offset += (length + 3) & ~3
    return found


def _number(value: bytes | None) -> int | None:
    return None if value is None else int.from_bytes(value, sys.byteorder)


def _string(value: bytes) -> str:
    return value.rstrip(b"\0").decode("utf-8", "backslashreplace")


class Socket:
    """A socket of the namespace that the process is in when it is made; a context manager."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        self._sequence = 0
        self._buffer = bytearray(_BUFFER)

    def __enter__(self) -> Socket:
        return self

    def __exit__(self, *exception: object) -> None:
        self._socket.close()

    def dump(self, request: t.Callable[[int], bytes]) -> Dump:
        """Fetch all messages of a dump, anew where a change interrupted it. Raises OSError."""
        for _dump in range(_DUMPS_AT_MOST):
            data, interrupted = self._dump(request)
            if not interrupted:
                return Dump(data, True)
        return Dump(data, False)

    def _dump(self, request: t.Callable[[int], bytes]) -> tuple[bytes, bool]:
        self._sequence += 1
        self._socket.send(request(self._sequence))
        parts = []
        ended = interrupted = False
        while not ended:
            part = self._receive()
            ended, cut = ending(part, self._sequence)
            interrupted = interrupted or cut
            parts.append(part)
        return b"".join(parts), interrupted

    def _receive(self) -> bytes:
        # With MSG_TRUNC the size is that of the message, also where the buffer is shorter.
        size = self._socket.recv_into(self._buffer, 0, socket.MSG_TRUNC)
        if size > _BUFFER:
            raise OSError(errno.EMSGSIZE, f"an rtnetlink message of more than {_BUFFER} bytes")
        return bytes(memoryview(self._buffer)[:size])

    def nsid(self, fd: int) -> int | None:
        """The id of the namespace that is open as `fd`, or None. Raises OSError."""
        self._sequence += 1
        self._socket.send(nsid_request(self._sequence, fd))
        return parse_nsid(self._receive())
