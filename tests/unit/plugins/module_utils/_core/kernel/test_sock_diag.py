# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the kernel returns about sockets, by sock_diag and in /proc/net."""

from __future__ import annotations

import pathlib
import struct
import sys
import typing as t

import pytest

from ansible_collections.linuxnet.netns.plugins.module_utils._core.kernel import (
    inet_sockets,
    proc_net,
    sock_diag,
)

# From a 6.18 kernel.
DATA = pathlib.Path(__file__).parents[4] / "data" / "netlink-6.18"
V4, V6 = 2, 10


def message(
    address: bytes,
    port: int,
    family: int = V4,
    state: int = 10,
    cookie: int = 1,
    kind: int = 18,
    v6only: int | None = None,
) -> bytes:
    """A message of linux/inet_diag.h."""
    body = struct.pack(
        "=BBBB2s2s16s16sIQIIIII",
        *(family, state, 0, 0, port.to_bytes(2, "big"), b"\0\0", address, b""),
        *(3, cookie, 0, 1, 128, 1000, 4711),
    )
    if v6only is not None:
        body += struct.pack("=HHBxxx", 5, 11, v6only)
    return struct.pack("=IHHII", 16 + len(body), kind, 2, 1, 0) + body


ANY = bytes(4)
LISTENER = sock_diag.Listener("tcp", "0.0.0.0", 80, 3, None, 128, 1, 4711)


@pytest.mark.parametrize(
    ("data", "protocol", "listener"),
    [
        (message(ANY, 80), "tcp", LISTENER),
        (message(ANY, 80, v6only=0), "tcp", LISTENER),
        (message(ANY, 80, state=7), "udp", LISTENER._replace(protocol="udp", backlog=None)),
        (
            message(bytes(15) + b"\1", 65535, V6, v6only=1),
            "tcp",
            LISTENER._replace(address="::1", port=65535, v6only=True),
        ),
        (
            message(bytes(10) + b"\xff\xff\x0a\0\0\5", 80, V6, v6only=0),
            "tcp",
            LISTENER._replace(address="::ffff:10.0.0.5", v6only=False),
        ),
        (message(bytes(16), 80, V6), "tcp", LISTENER._replace(address="::")),
    ],
)
def test_a_message(data: bytes, protocol: str, listener: sock_diag.Listener) -> None:
    assert sock_diag.parse(data, protocol) == [listener]


@pytest.mark.parametrize(
    ("protocol", "counts", "expected"),
    [
        (
            "tcp",
            {"established": 4, "listen": 10},
            [
                ("0.0.0.0", 80, 0, None, 7, 1),
                ("::", 80, 0, True, 5, 0),
                ("::", 443, 0, False, 5, 0),
                ("192.0.2.7", 8080, 0, None, 128, 0),
                ("fd00::7", 8080, 0, True, 5, 0),
                ("::ffff:192.0.2.7", 8081, 0, False, 5, 0),
                ("127.0.0.1", 9000, 1, None, 5, 0),
                *(("127.0.0.1", 9001, 0, None, backlog, 0) for backlog in (5, 6, 7)),
            ],
        ),
        (
            "udp",
            {"established": 1, "unconnected": 4},
            [
                ("0.0.0.0", 53, 0, None, None, 832),
                ("fd00::7", 53, 0, True, None, 0),
                ("127.0.0.1", 67, 1, None, None, 0),
                ("::", 5353, 0, False, None, 0),
            ],
        ),
    ],
)
def test_captured_messages(
    protocol: str, counts: dict[str, int], expected: list[tuple[t.Any, ...]]
) -> None:
    messages: list[bytes] = []
    numbers: dict[int, int] = {}
    dump = (DATA / f"sockets-{protocol}.bin").read_bytes()
    sock_diag.split(dump, sock_diag.LISTENING[protocol], messages, numbers)
    assert sock_diag.by_state(protocol, numbers) == counts
    found = sock_diag.parse(b"".join(messages), protocol)
    assert [each[1:7] for each in found] == expected


def test_messages_by_port_each_socket_once() -> None:
    data = message(ANY, 443) + message(ANY, 80, cookie=2) + message(ANY, 443)
    assert [each.port for each in sock_diag.parse(data, "tcp")] == [80, 443]


def test_a_message_that_is_not_valid_hides_no_other() -> None:
    problems: list[str] = []
    data = message(ANY, 1, family=77) + message(ANY, 80, cookie=2) + message(ANY, 2)[:88]
    # A length that leads beyond the end.
    with pytest.raises(OSError, match="not a valid"):
        sock_diag.parse(data + b"\xff\0\0\0\x12\0", "tcp", problems)
    short = struct.pack("=IHHII", 20, 18, 2, 1, 0) + b"\0" * 4
    problems.clear()
    assert [each.port for each in sock_diag.parse(data + short, "tcp", problems)] == [2, 80]
    assert len(problems) == 2


def test_only_those_that_listen_are_kept() -> None:
    messages: list[bytes] = []
    counts: dict[int, int] = {}
    listening = message(ANY, 80)
    others = [message(ANY, 80, state=state, cookie=state) for state in (1, 1, 6)]
    sock_diag.split(others[0] + listening + others[1] + others[2], 10, messages, counts)
    assert messages == [listening]
    assert sock_diag.by_state("tcp", counts) == {"established": 2, "time_wait": 1, "listen": 1}
    assert sock_diag.by_state("udp", {1: 1, 7: 2, 99: 1, 6: 0}) == {
        "established": 1,
        "unconnected": 2,
        "99": 1,
    }


NO_TIMER = b"00:00000000 00000000"
TCP4 = (
    b"   0: 0100007F:1F90 00000000:0000 0A 00000000:00000002 %b  1000        0 4711 1 ffff888 100 0 0 10 0\n"
    % NO_TIMER
)
TCP6 = (
    b"   1: 00000000000000000000000001000000:01BB 00000000000000000000000000000000:0000 0A 00000000:00000000 "
    b"%b     0        0 9 1 0000 100 0 0 10 0\n" % NO_TIMER
)
UDP4 = (
    b"  103: 00000000:0035 00000000:0000 07 00000000:00000300 %b     0        0 12 2 0000 0\n"
    % NO_TIMER
)


@pytest.mark.skipif(sys.byteorder == "big", reason="lines of a little-endian machine")
@pytest.mark.parametrize(
    ("line", "protocol", "expected"),
    [
        (TCP4, "tcp", ("127.0.0.1", 8080, 2, 4711)),
        (TCP6, "tcp", ("::1", 443, 0, 9)),
        (UDP4, "udp", ("0.0.0.0", 53, 768, 12)),
    ],
)
def test_a_line_of_proc(line: bytes, protocol: str, expected: tuple[t.Any, ...]) -> None:
    address, port, queued, inode = expected
    (listener,) = proc_net.parse(b"  sl  local_address\n" + line, protocol)
    assert listener == sock_diag.Listener(protocol, address, port, None, None, None, queued, inode)


def test_replies() -> None:
    reply: inet_sockets.Reply = ("tcp", True, message(ANY, 80), {10: 2}, 1, None)
    sockets, problems = inet_sockets.parse([reply, ("udp", False, UDP4, {7: 1}, None, None)])
    assert sockets is not None
    assert [each.port for each in sockets.listeners] == [80, 53]
    assert sockets.counts == {"tcp": {"listen": 2}, "udp": {"unconnected": 1}}
    assert problems == ["more than 1 tcp sockets listen: the others are missing"]
    assert inet_sockets.parse([("tcp", True, b"\0", {}, None, None)])[0] is None
    assert inet_sockets.parse([("tcp", False, None, {}, None, "tcp: no")]) == (None, ["tcp: no"])
