# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""rtnetlink (rtnetlink(7), linux/rtnetlink.h, if_link.h, if_addr.h, net_namespace.h).

The kernel's answers are parsed by pure functions over bytes; `Socket` only fetches them.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import os
import socket
import struct
import sys
import typing as t

_NLMSG_ERROR = 2
_NLMSG_DONE = 3
_ENDS = frozenset((_NLMSG_ERROR, _NLMSG_DONE))
_RTM_NEWLINK = 16
_RTM_GETLINK = 18
_RTM_NEWADDR = 20
_RTM_GETADDR = 22
_RTM_NEWROUTE = 24
_RTM_GETROUTE = 26
_RTM_NEWNSID = 88
_RTM_GETNSID = 90

_NLM_F_REQUEST = 0x001
_NLM_F_DUMP_INTR = 0x010
_NLM_F_DUMP = 0x300

_IFLA_ADDRESS = 1
_IFLA_IFNAME = 3
_IFLA_MTU = 4
_IFLA_LINK = 5
_IFLA_MASTER = 10
_IFLA_OPERSTATE = 16
_IFLA_LINKINFO = 18
_IFLA_INFO_KIND = 1
_IFLA_EXT_MASK = 29
_IFLA_LINK_NETNSID = 37
_IFLA_PARENT_DEV_NAME = 56
_RTEXT_FILTER_SKIP_STATS = 1 << 3
_IFA_ADDRESS = 1
_IFA_LOCAL = 2
_RTA_DST = 1
_RTA_OIF = 4
_RTA_GATEWAY = 5
_RTA_PRIORITY = 6
_RTA_MULTIPATH = 9
_RTA_TABLE = 15
_RTA_VIA = 18
_RT_TABLE_MAIN = 254
_RTN_DROPS = frozenset((6, 7, 8, 9))  # blackhole, unreachable, prohibit, throw
_RTM_F_CLONED = 0x200
_NETNSA_NSID = 1
_NETNSA_FD = 3
_RTGEN_SIZE = 4

_SOL_NETLINK = 270
_NETLINK_GET_STRICT_CHK = 12

_LINK_ATTRIBUTES = frozenset(
    (
        _IFLA_ADDRESS,
        _IFLA_IFNAME,
        _IFLA_MTU,
        _IFLA_LINK,
        _IFLA_MASTER,
        _IFLA_OPERSTATE,
        _IFLA_LINKINFO,
        _IFLA_LINK_NETNSID,
        _IFLA_PARENT_DEV_NAME,
    )
)
_KIND_ATTRIBUTES = frozenset((_IFLA_INFO_KIND,))
_ADDRESS_ATTRIBUTES = frozenset((_IFA_ADDRESS, _IFA_LOCAL))
_ROUTE_ATTRIBUTES = frozenset(
    (_RTA_DST, _RTA_OIF, _RTA_GATEWAY, _RTA_PRIORITY, _RTA_MULTIPATH, _RTA_TABLE, _RTA_VIA)
)
_HOP_ATTRIBUTES = frozenset((_RTA_GATEWAY, _RTA_VIA))
_NSID_ATTRIBUTES = frozenset((_NETNSA_NSID,))

# Hardware of which a network adapter is (linux/if_arp.h).
_ADAPTERS = frozenset((1, 32))  # Ethernet, InfiniBand
# Interfaces whose "hardware address" is the IP address of a tunnel's end (linux/if_arp.h).
_TUNNELS = frozenset((768, 769, 776, 778, 823))
_FAMILIES = {int(socket.AF_INET): "inet", int(socket.AF_INET6): "inet6"}
# RFC 2863, as `ip link` writes them.
_STATES = ("UNKNOWN", "NOTPRESENT", "DOWN", "LOWERLAYERDOWN", "TESTING", "DORMANT", "UP")

_HEADER = struct.Struct("=IHHII")
_IFINFO = struct.Struct("=BxHiII")
_IFADDR = struct.Struct("=BBBBI")
_ROUTE = struct.Struct("=BBBBBBBBI")
_HOP = struct.Struct("=HBBi")
_ATTRIBUTE = struct.Struct("=HH")
_U32 = struct.Struct("=I")
_S32 = struct.Struct("=i")

_WITHOUT_COUNTERS = _ATTRIBUTE.pack(8, _IFLA_EXT_MASK) + _U32.pack(_RTEXT_FILTER_SKIP_STATS)

# A dump's answers are as long as the longest read so far, and beyond 64 kB that costs more than
# it saves. The kernel itself never makes them longer than this.
_BUFFER = 1 << 15
_MAX_DUMPS = 4
# Thousands of interfaces, or a hundred thousand routes.
_MAX_BYTES = 1 << 24


# The same few are sent to each namespace.
_once = functools.lru_cache(maxsize=16)


class Interface(t.NamedTuple):
    """An interface. `mac` is None where it has none; `master` is an ifindex of the same namespace.

    `link` is the ifindex of the interface at its other end or beneath it, and `link_nsid` the id of
    the namespace which that is in, as this one knows it, or None where it is in the same one.
    `physical` is whether it is a device of the machine's.
    """

    ifindex: int
    name: str
    kind: str | None
    mac: str | None
    mtu: int
    state: str
    master: int | None
    link: int | None = None
    link_nsid: int | None = None
    physical: bool = False


class Address(t.NamedTuple):
    """An address of the interface with this ifindex, as 'ADDRESS/PREFIX'."""

    ifindex: int
    text: str


class Route(t.NamedTuple):
    """A route of the main table, or one next hop of it.

    `dst` is 'default' or a CIDR; `gateway` is None where the network is at the interface itself.
    `ifindex` is None where packets are dropped. `family` is 'inet' or 'inet6', whatever family the
    gateway is of.
    """

    dst: str
    gateway: str | None
    ifindex: int | None
    metric: int
    table: str
    family: str


class Dump(t.NamedTuple):
    """The messages of a dump; not `complete` where changes kept interrupting it."""

    data: bytes
    complete: bool


@_once
def link_request(sequence: int) -> bytes:
    """A dump of all interfaces, without their counters."""
    body = _IFINFO.pack(socket.AF_UNSPEC, 0, 0, 0, 0)
    return _request(_RTM_GETLINK, _NLM_F_DUMP, sequence, body + _WITHOUT_COUNTERS)


def one_link_request(ifindex: int) -> bytes:
    """A single interface."""
    body = _IFINFO.pack(socket.AF_UNSPEC, 0, ifindex, 0, 0)
    return _request(_RTM_GETLINK, 0, 0, body + _WITHOUT_COUNTERS)


@_once
def address_request(sequence: int) -> bytes:
    """A dump of all addresses of both families."""
    return _request(_RTM_GETADDR, _NLM_F_DUMP, sequence, _IFADDR.pack(socket.AF_UNSPEC, 0, 0, 0, 0))


@_once
def route_request(sequence: int) -> bytes:
    """A dump of the routes of both families: where the kernel filters, of those of the main table."""
    body = _ROUTE.pack(socket.AF_UNSPEC, 0, 0, 0, _RT_TABLE_MAIN, 0, 0, 0, 0)
    return _request(_RTM_GETROUTE, _NLM_F_DUMP, sequence, body)


@_once
def nsid_request(fd: int) -> bytes:
    """The id by which the socket's namespace knows the one that is open as `fd`."""
    return _request(
        _RTM_GETNSID, 0, 0, b"\0\0\0\0" + _ATTRIBUTE.pack(8, _NETNSA_FD) + _U32.pack(fd)
    )


def _request(kind: int, flags: int, sequence: int, body: bytes) -> bytes:
    return _HEADER.pack(_HEADER.size + len(body), kind, flags | _NLM_F_REQUEST, sequence, 0) + body


_Parser = t.TypeVar("_Parser", bound=t.Callable[..., t.Any])


def _strict(parser: _Parser) -> _Parser:
    """What is no message of the kernel's is an OSError."""

    @functools.wraps(parser)
    def parse(*arguments: t.Any) -> t.Any:
        try:
            return parser(*arguments)
        except (struct.error, ValueError, LookupError) as error:
            raise OSError(errno.EBADMSG, f"no message of rtnetlink: {error}") from None

    return t.cast("_Parser", parse)


@_strict
def ending(data: bytes, sequence: int) -> tuple[bool, bool]:
    """Whether a read of a dump holds its end, and whether a change interrupted it.

    Raises OSError with the error that the kernel answered with.
    """
    interrupted = False
    offset = 0
    end = len(data)
    unpack = _HEADER.unpack_from
    while offset < end:
        length, kind, flags, number, _port = unpack(data, offset)
        if number == sequence:
            if flags & _NLM_F_DUMP_INTR:
                interrupted = True
            if kind in _ENDS:
                _check(data, offset)
                return True, interrupted
        offset += (length + 3) & ~3 or end
    return False, interrupted


def _check(data: bytes, offset: int) -> None:
    (number,) = _S32.unpack_from(data, offset + _HEADER.size)
    if number:
        raise OSError(-number, f"rtnetlink: {os.strerror(-number)}")


@_strict
def parse_interfaces(data: bytes) -> list[Interface]:
    """The interfaces in the messages of a dump, by index."""
    links = []
    for start, found in _messages(data, _RTM_NEWLINK, _IFINFO.size, _LINK_ATTRIBUTES):
        _family, hardware, ifindex, _flags, _change = _IFINFO.unpack_from(data, start)
        mac = found.get(_IFLA_ADDRESS)
        state = found[_IFLA_OPERSTATE][0] if _IFLA_OPERSTATE in found else 0
        info = found.get(_IFLA_LINKINFO)
        kind = _kind(info) if info else None
        nsid = found.get(_IFLA_LINK_NETNSID)
        links.append(
            Interface(
                ifindex,
                _string(found.get(_IFLA_IFNAME, b"")),
                kind,
                mac.hex(":") if mac and hardware not in _TUNNELS else None,
                _number(found.get(_IFLA_MTU)) or 0,
                _STATES[state] if state < len(_STATES) else str(state),
                _number(found.get(_IFLA_MASTER)),
                _number(found.get(_IFLA_LINK)),
                None if nsid is None else _S32.unpack(nsid)[0],
                # Kernels before 5.14 do not name the device that it belongs to.
                _IFLA_PARENT_DEV_NAME in found or (kind is None and hardware in _ADAPTERS),
            )
        )
    links.sort()
    return links


def _kind(info: bytes) -> str | None:
    kind = _attributes(info, 0, len(info), _KIND_ATTRIBUTES).get(_IFLA_INFO_KIND)
    return None if kind is None else _string(kind)


@_strict
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


@_strict
def parse_routes(data: bytes) -> list[Route]:
    """The routes of the main table in the messages of a dump, in the kernel's order."""
    routes: list[Route] = []
    for start, found in _messages(data, _RTM_NEWROUTE, _ROUTE.size, _ROUTE_ATTRIBUTES):
        family, prefix, _source, _tos, table, _protocol, _scope, kind, flags = _ROUTE.unpack_from(
            data, start
        )
        if _RTA_TABLE in found:
            table = _number(found[_RTA_TABLE])
        name = _FAMILIES.get(family)
        # Without the filter there are the other tables too, and what was learned about single hosts.
        if name is None or table != _RT_TABLE_MAIN or flags & _RTM_F_CLONED:
            continue
        dst = f"{socket.inet_ntop(family, found[_RTA_DST])}/{prefix}" if prefix else "default"
        metric = _number(found.get(_RTA_PRIORITY)) or 0
        for gateway, ifindex in _hops(family, kind, found):
            routes.append(Route(dst, gateway, ifindex, metric, "main", name))
    return routes


def _hops(
    family: int, kind: int, found: t.Mapping[int, bytes]
) -> t.Iterator[tuple[str | None, int | None]]:
    """The gateway and the interface of each next hop."""
    if kind in _RTN_DROPS:
        yield None, None
        return
    several = found.get(_RTA_MULTIPATH)
    if several is None:
        yield _gateway(family, found), _number(found.get(_RTA_OIF))
        return
    offset = 0
    while offset < len(several):
        length, _flags, _weight, ifindex = _HOP.unpack_from(several, offset)
        hop = _attributes(several, offset + _HOP.size, offset + length, _HOP_ATTRIBUTES)
        yield _gateway(family, hop), ifindex
        offset += (length + 3) & ~3 or len(several)


def _gateway(family: int, found: t.Mapping[int, bytes]) -> str | None:
    if _RTA_GATEWAY in found:
        return socket.inet_ntop(family, found[_RTA_GATEWAY])
    via = found.get(_RTA_VIA)
    if via is None:
        return None
    return socket.inet_ntop(int.from_bytes(via[:2], sys.byteorder), via[2:])


@_strict
def parse_nsid(data: bytes) -> int | None:
    """The id in the answer to `nsid_request`; None where none was given yet. Raises OSError."""
    for _start, found in _messages(_answer(data), _RTM_NEWNSID, _RTGEN_SIZE, _NSID_ATTRIBUTES):
        (nsid,) = _S32.unpack(found[_NETNSA_NSID])
        return int(nsid) if nsid >= 0 else None
    return None


def _answer(data: bytes) -> bytes:
    if _HEADER.unpack_from(data)[1] == _NLMSG_ERROR:
        _check(data, 0)
    return data


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
        offset += (length + 3) & ~3 or len(data)


def _attributes(data: bytes, offset: int, end: int, wanted: frozenset[int]) -> dict[int, bytes]:
    # Most attributes of an interface are of no interest, so that passing over one has to be cheap.
    found = {}
    unpack = _ATTRIBUTE.unpack_from
    while offset < end:
        length, number = unpack(data, offset)
        if number in wanted:
            found[number] = data[offset + 4 : offset + length]
        # What says that it has no length would be the same again for ever.
        offset += (length + 3) & ~3 or end
    return found


def _number(value: bytes | None) -> int | None:
    return None if value is None else int.from_bytes(value, sys.byteorder)


def _string(value: bytes) -> str:
    return value.rstrip(b"\0").decode("utf-8", "backslashreplace")


class Socket:
    """A socket of the namespace that the process is in when it is made; a context manager."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        with contextlib.suppress(OSError):  # unknown before 4.20: nothing is filtered
            self._filter(True)
        self._sequence = 0
        self._buffer = bytearray(_BUFFER)

    def __enter__(self) -> Socket:
        return self

    def __exit__(self, *exception: object) -> None:
        self._socket.close()

    def dump(self, request: t.Callable[[int], bytes]) -> Dump:
        """Fetch all messages of a dump, anew where a change interrupted it. Raises OSError."""
        for _dump in range(_MAX_DUMPS):
            data, interrupted = self._dump(request)
            if not interrupted:
                return Dump(data, True)
        return Dump(data, False)

    def _dump(self, request: t.Callable[[int], bytes]) -> tuple[bytes, bool]:
        self._sequence += 1
        self._socket.send(request(self._sequence))
        parts = []
        size = 0
        ended = interrupted = False
        while not ended:
            part = self._receive()
            size += len(part)
            if size > _MAX_BYTES:
                raise OSError(errno.EFBIG, f"rtnetlink: more than {_MAX_BYTES} bytes")
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

    def routes(self) -> Dump:
        """Fetch the routes; those of other tables may be among them. Raises OSError."""
        try:
            return self.dump(route_request)
        except OSError as error:
            if error.errno != errno.ENOENT:
                raise
        # Before 5.8 a family that has no such table ends the dump of all.
        self._filter(False)
        return self.dump(route_request)

    def _filter(self, on: bool) -> None:
        self._socket.setsockopt(_SOL_NETLINK, _NETLINK_GET_STRICT_CHK, int(on))

    def link(self, ifindex: int) -> bytes:
        """Fetch the message about one interface. Raises OSError."""
        self._socket.send(one_link_request(ifindex))
        return _answer(self._receive())

    def nsid(self, fd: int) -> int | None:
        """The id of the namespace that is open as `fd`, or None. Raises OSError."""
        self._socket.send(nsid_request(fd))
        return parse_nsid(self._receive())
