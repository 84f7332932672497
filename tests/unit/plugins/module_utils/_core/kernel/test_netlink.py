# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Dumps over a netlink socket that a stand-in for the kernel answers."""

from __future__ import annotations

import errno
import pathlib
import random
import struct
import typing as t

import pytest

from ansible_collections.linuxnet.netns.plugins.module_utils._core.kernel import netlink, rtnetlink

DATA = pathlib.Path(__file__).parents[4] / "data" / "netlink-6.18"
MULTI, INTERRUPTED = 0x2, 0x10
DONE, ERROR = 3, 2


def message(kind: int, flags: int, sequence: int, body: bytes) -> bytes:
    return struct.pack("=IHHII", 16 + len(body), kind, flags, sequence, 0) + body


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
def test_find_end(data: bytes, answer: tuple[bool, bool]) -> None:
    assert netlink.find_end(data, 7) == answer


def test_check_reply() -> None:
    reply = (DATA / "nsid.bin").read_bytes()
    assert netlink.check_reply(reply) == reply
    with pytest.raises(OSError, match="netlink: Invalid argument") as error:
        netlink.check_reply((DATA / "nsid-error.bin").read_bytes())
    assert error.value.errno == errno.EINVAL


@pytest.mark.parametrize("kind", [DONE, ERROR])
def test_a_refused_dump(kind: int) -> None:
    with pytest.raises(PermissionError, match="netlink: Operation not permitted"):
        netlink.find_end(message(kind, 0, 7, struct.pack("=i", -errno.EPERM) + bytes(16)), 7)


class Kernel:
    """A stand-in for a netlink socket that answers each dump with the next of the given flags."""

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
            # The end of an earlier dump, which was not read.
            message(DONE, MULTI | INTERRUPTED, sequence - 1, bytes(4)),
            message(16, flags, sequence, struct.pack("=I", sequence)),
            message(DONE, MULTI, sequence, bytes(4)),
        ]

    def connect(self, address: tuple[int, int]) -> None:
        assert address == (0, 0)

    def recvfrom_into(self, buffer: bytearray, *_: int) -> tuple[int, tuple[int, int]]:
        data = self._waiting.pop(0)
        if self._size > len(buffer):
            return self._size, (0, 0)
        buffer[: len(data)] = data
        return len(data), (0, 0)

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
    with netlink.Socket() as rtnl:
        dump = rtnetlink.dump_interfaces(rtnl)
    assert dump.complete is complete
    assert len(kernel.requests) == requests
    # The data is from the last dump, and nothing from the interrupted ones.
    assert struct.pack("=I", requests) in dump.data
    assert dump.data.count(message(DONE, MULTI, requests, bytes(4))) == 1
    assert struct.pack("=IHHI", 20, 16, MULTI, 1) not in dump.data or requests == 1
    assert kernel.closed


def test_a_message_that_is_too_long_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(netlink.socket, "socket", Kernel([0], size=1 << 16))
    with netlink.Socket() as rtnl, pytest.raises(OSError, match="more than 32768 bytes") as error:
        rtnetlink.dump_addresses(rtnl)
    assert error.value.errno == errno.EMSGSIZE


def test_a_dump_without_an_end_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(netlink, "_MAX_BYTES", 40)
    monkeypatch.setattr(netlink.socket, "socket", Kernel([0]))
    with netlink.Socket() as rtnl, pytest.raises(OSError, match="more than 40 bytes") as error:
        rtnetlink.dump_addresses(rtnl)
    assert error.value.errno == errno.EFBIG


def test_a_family_without_the_main_table_does_not_hide_routes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Before 5.8 a filtered dump ends with an error there."""
    kernel = Kernel([-errno.ENOENT, 0])
    monkeypatch.setattr(netlink.socket, "socket", kernel)
    with netlink.Socket() as rtnl:
        dump = rtnetlink.dump_routes(rtnl)
    assert struct.pack("=I", 2) in dump.data
    assert kernel.options == [(270, 12, 1), (270, 12, 0)]


def test_other_errors_of_the_routes_are_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(netlink.socket, "socket", Kernel([-errno.ENOBUFS, 0]))
    with netlink.Socket() as rtnl, pytest.raises(OSError, match="No buffer space"):
        rtnetlink.dump_routes(rtnl)


def test_a_kernel_that_cannot_filter(monkeypatch: pytest.MonkeyPatch) -> None:
    class Old(Kernel):
        def setsockopt(self, *_: int) -> None:
            raise OSError(errno.ENOPROTOOPT, "Protocol not available")

    monkeypatch.setattr(netlink.socket, "socket", Old([0]))
    with netlink.Socket() as rtnl:
        assert rtnetlink.dump_routes(rtnl).complete


def _attributes(read: t.Callable[..., dict[int, bytes]], data: bytes, end: int) -> object:
    try:
        return read(data, 4, end, frozenset((3, 5, 18)))
    except (struct.error, ValueError) as error:
        return type(error)


def test_attributes_of_a_known_layout_are_the_same() -> None:
    """What is read in two calls after the first message is what a loop reads, also of a message that is odd."""
    sizes = (6, 4, 9, 200, 1, 0, 64, 7)
    attributes = b"".join(
        netlink.ATTRIBUTE.pack(size + 4, kind) + bytes(size) + bytes(-size % 4)
        for kind, size in enumerate(sizes, 1)
    )
    message = b"head" + attributes
    assert netlink._layout(message, 4, len(message), frozenset((3,))) is not None
    chance = random.Random(5)
    for _turn in range(3000):
        data = bytearray(message)
        for _change in range(chance.randrange(3)):
            data[chance.randrange(len(data))] = chance.choice((0, 1, 3, 5, 8, 18, 255))
        # The last attribute may have no padding.
        end = len(data) - chance.randrange(3)
        expected = _attributes(netlink._walk, bytes(data), end)
        assert _attributes(netlink.attributes, bytes(data), end) == expected
