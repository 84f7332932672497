# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Netlink sockets and the frames of their messages (netlink(7), linux/netlink.h).

What the messages contain is in rtnetlink.py, sock_diag.py and nftables.py.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import os
import socket
import struct
import typing as t

from ..named_tuple import NamedTuple

NLM_F_ACK = 0x004
NLM_F_DUMP = 0x300
_NLM_F_REQUEST = 0x001
_NLM_F_DUMP_INTR = 0x010
_NLMSG_ERROR = 2
_NLMSG_DONE = 3
_END_TYPES = frozenset((_NLMSG_ERROR, _NLMSG_DONE))
_SOL_NETLINK = 270
_KERNEL_PORT = 0
_NETLINK_GET_STRICT_CHK = 12

ATTRIBUTE = struct.Struct("=HH")
U32 = struct.Struct("=I")
S32 = struct.Struct("=i")
_HEADER = struct.Struct("=IHHII")
HEADER_SIZE = _HEADER.size
# What marks the type of an attribute whose value consists of attributes. Some are not marked.
NESTED = 0x8000
_TYPE_MASK = 0x3FFF

# The kernel's messages grow to the longest read so far. Beyond 64 kB that costs more than it saves,
# and the kernel itself never makes them longer than this.
_BUFFER_SIZE = 1 << 15
_MAX_DUMPS = 4
# Thousands of interfaces, or a hundred thousand routes.
_MAX_BYTES = 1 << 24
# The messages that are known again: so many, each of at most so many bytes.
_MAX_KNOWN = 1 << 10
_MAX_KNOWN_SIZE = 256
# The layouts of attributes that are kept: of so many sizes, so many each. Fewer attributes are read as fast without.
_MAX_SIZES = 64
_MAX_LAYOUTS = 4
_MIN_LAYOUT_SIZE = 256


class Dump(NamedTuple):
    """The messages of a dump. `complete` is False where changes interrupted every attempt."""

    data: bytes
    complete: bool


def request(kind: int, flags: int, sequence: int, body: bytes) -> bytes:
    """A message to the kernel."""
    return _HEADER.pack(_HEADER.size + len(body), kind, flags | _NLM_F_REQUEST, sequence, 0) + body


_Parser = t.TypeVar("_Parser", bound=t.Callable[..., t.Any])
_Item = t.TypeVar("_Item")
_INVALID = (struct.error, ValueError, LookupError, OverflowError)


def _not_valid(error: Exception) -> str:
    return f"not a valid netlink message: {error}"


def strict(parser: _Parser) -> _Parser:
    """Make a parser raise OSError for bytes that are not a message of the kernel's."""

    @functools.wraps(parser)
    def parse(*arguments: t.Any, **options: t.Any) -> t.Any:
        try:
            return parser(*arguments, **options)
        except _INVALID as error:
            raise OSError(errno.EBADMSG, _not_valid(error)) from None

    return t.cast("_Parser", parse)


@strict
def find_end(data: bytes, sequence: int) -> tuple[bool, bool]:
    """Whether part of a dump contains its end, and whether a change interrupted the dump.

    Raises OSError with the error that the kernel returned.
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
            if kind in _END_TYPES:
                _raise_error(data, offset)
                return True, interrupted
        offset += (length + 3) & ~3 or end
    return False, interrupted


def _raise_error(data: bytes, offset: int) -> None:
    (number,) = S32.unpack_from(data, offset + _HEADER.size)
    if number:
        raise OSError(-number, f"netlink: {os.strerror(-number)}")


@strict
def check_reply(data: bytes) -> bytes:
    """Return the reply to a request. Raises OSError with the error that the kernel returned."""
    if _HEADER.unpack_from(data)[1] == _NLMSG_ERROR:
        _raise_error(data, 0)
    return data


def parse_messages(
    data: bytes,
    wanted: int,
    family_size: int,
    wanted_attributes: frozenset[int],
    parse: t.Callable[[int, dict[int, bytes]], t.Iterable[_Item]],
    problems: list[str] | None,
    known: dict[bytes, tuple[_Item, ...]] | None = None,
) -> list[_Item]:
    """What `parse` makes of each message of one type: of its family header's offset, and its attributes.

    A message that is not valid is left out and added to the `problems`: it hides no other. `known` is what was made
    of messages before, by all after their header: the same is made of the same ones, as namespaces have many in common.
    """
    items: list[_Item] = []
    offset = 0
    size = len(data)
    unpack = _HEADER.unpack_from
    while offset < size:
        length, kind, _flags, _sequence, _port = unpack(data, offset)
        start = offset + HEADER_SIZE
        end = offset + length
        if not start <= end <= size:
            raise ValueError(f"a length of {length}")
        if kind == wanted:
            body = data[start:end] if known is not None and length <= _MAX_KNOWN_SIZE else None
            if known is not None and body in known:
                items += known[body]
                offset += (length + 3) & ~3
                continue
            try:
                if start + family_size > end:
                    raise ValueError(f"a length of {length}")
                values = attributes(data, start + family_size, end, wanted_attributes)
                made = tuple(parse(start, values))
                items += made
                if known is not None and body is not None and len(known) < _MAX_KNOWN:
                    known[body] = made
            except _INVALID as error:
                if problems is not None:
                    problems.append(_not_valid(error))
        offset += (length + 3) & ~3
    return items


def attributes(data: bytes, offset: int, end: int, wanted: frozenset[int]) -> dict[int, bytes]:
    """The values of the wanted attributes, by type."""
    size = end - offset
    if size < _MIN_LAYOUT_SIZE:
        return _walk(data, offset, end, wanted)
    layouts = _layouts.get((size, wanted), ())
    for layout in layouts:
        if layout.read_headers(data, offset) == layout.headers:
            return dict(zip(layout.kinds, layout.read_values(data, offset)))
    values = _walk(data, offset, end, wanted)
    if len(layouts) < _MAX_LAYOUTS and (layouts or len(_layouts) < _MAX_SIZES):
        new = _layout(data, offset, end, wanted)
        if new is not None:
            _layouts[size, wanted] = (*layouts, new)
    return values


def _walk(data: bytes, offset: int, end: int, wanted: frozenset[int]) -> dict[int, bytes]:
    # Most attributes of an interface are not wanted, so skipping one has to be cheap.
    values = {}
    unpack = ATTRIBUTE.unpack_from
    while offset < end:
        length, kind = unpack(data, offset)
        if kind in wanted:
            if offset + length > end:
                raise ValueError(f"an attribute with a length of {length}")
            values[kind] = data[offset + 4 : offset + length]
        # An attribute of length 0 would be read again and again.
        offset += (length + 3) & ~3 or end
    return values


class _Layout(NamedTuple):
    """The lengths and types of the attributes in a message, and what reads them, in two calls in place of a loop.

    Messages about interfaces have fifty attributes each, and most of these messages one of a few layouts.
    """

    headers: tuple[int, ...]
    kinds: tuple[int, ...]
    read_headers: t.Callable[[bytes, int], tuple[t.Any, ...]]
    read_values: t.Callable[[bytes, int], tuple[t.Any, ...]]


_layouts: dict[tuple[int, frozenset[int]], tuple[_Layout, ...]] = {}


def _layout(data: bytes, offset: int, end: int, wanted: frozenset[int]) -> _Layout | None:
    """The layout of attributes, None where a length is not valid."""
    headers: list[int] = []
    header_format = value_format = padding = ""
    while offset < end:
        length, kind = ATTRIBUTE.unpack_from(data, offset)
        if not ATTRIBUTE.size <= length <= end - offset:
            return None
        size = length - ATTRIBUTE.size
        # The message may end without the padding of the last attribute.
        header_format += f"{padding}HH{size}x"
        value_format += f"{padding}4x{size}{'s' if kind in wanted else 'x'}"
        padding = f"{-length % 4}x"
        headers += (length, kind)
        offset += (length + 3) & ~3
    return _Layout(
        tuple(headers),
        tuple(kind for kind in headers[1::2] if kind in wanted),
        struct.Struct(f"={header_format}").unpack_from,
        struct.Struct(f"={value_format}").unpack_from,
    )


def nested(data: bytes) -> t.Iterator[tuple[int, bytes]]:
    """Types and values of all attributes in the value of another one, without the marks of nested ones."""
    offset = 0
    while offset < len(data):
        length, kind = ATTRIBUTE.unpack_from(data, offset)
        if not ATTRIBUTE.size <= length <= len(data) - offset:
            raise ValueError(f"an attribute with a length of {length}")
        yield kind & _TYPE_MASK, data[offset + ATTRIBUTE.size : offset + length]
        offset += (length + 3) & ~3


class Socket:
    """A netlink socket of the namespace that the process is in, by default of rtnetlink; a context manager."""

    def __init__(self, protocol: int = socket.NETLINK_ROUTE) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, protocol)
        # Who has CAP_NET_ADMIN in the namespace may send to any socket there. A connected socket refuses
        # that, so that its buffer is not filled; what came before is recognized by its sender.
        self._socket.connect((_KERNEL_PORT, 0))
        with contextlib.suppress(OSError):  # kernels before 4.20 do not filter
            self.set_strict_check(True)
        self._sequence = 0
        self._buffer = bytearray(_BUFFER_SIZE)

    def __enter__(self) -> Socket:
        return self

    def __exit__(self, *exception: object) -> None:
        self._socket.close()

    def set_strict_check(self, on: bool) -> None:
        """Switch NETLINK_GET_STRICT_CHK: whether the kernel filters a dump by its request."""
        self._socket.setsockopt(_SOL_NETLINK, _NETLINK_GET_STRICT_CHK, int(on))

    def ask(self, message: bytes) -> bytes:
        """Send a request and return the kernel's single reply. Raises OSError."""
        self._socket.send(message)
        return check_reply(self._receive())

    def dump(self, request_for: t.Callable[[int], bytes]) -> Dump:
        """Fetch all messages of a dump; repeat it where a change interrupts it. Raises OSError.

        `request_for` makes the request from a sequence number.
        """
        for _attempt in range(_MAX_DUMPS):
            data, interrupted = self._dump_once(request_for)
            if not interrupted:
                return Dump(data, True)
        return Dump(data, False)

    def _dump_once(self, request_for: t.Callable[[int], bytes]) -> tuple[bytes, bool]:
        parts = []
        size = 0
        interrupted = False
        for part, part_interrupted in self.parts(request_for):
            size += len(part)
            if size > _MAX_BYTES:
                raise OSError(errno.EFBIG, f"netlink: more than {_MAX_BYTES} bytes")
            interrupted = interrupted or part_interrupted
            parts.append(part)
        return b"".join(parts), interrupted

    def parts(self, request_for: t.Callable[[int], bytes]) -> t.Iterator[tuple[bytes, bool]]:
        """Send the request for a dump, and yield its parts as they arrive. Raises OSError.

        With each part, whether a change interrupted it.
        """
        self._sequence += 1
        self._socket.send(request_for(self._sequence))
        ended = False
        while not ended:
            part = self._receive()
            ended, interrupted = find_end(part, self._sequence)
            yield part, interrupted

    def _receive(self) -> bytes:
        sender = None
        while sender != _KERNEL_PORT:
            # With MSG_TRUNC the size is that of the message, even where the buffer is shorter.
            size, (sender, _groups) = self._socket.recvfrom_into(self._buffer, 0, socket.MSG_TRUNC)
        if size > _BUFFER_SIZE:
            raise OSError(errno.EMSGSIZE, f"a netlink message of more than {_BUFFER_SIZE} bytes")
        return bytes(memoryview(self._buffer)[:size])
