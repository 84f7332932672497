# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The TCP and UDP sockets of a namespace by /proc/net (proc(5)), for kernels without sock_diag; and their counters.

The files that list sockets do not contain the backlog, the interface that a socket is bound to, and v6only.
"""

from __future__ import annotations

import contextlib
import re
import socket
import sys
import typing as t

from .sock_diag import LISTENING, TCP, UDP, Listener, Reply, sort_key

# Number, local and remote address, state, sent and received bytes, timer, retransmits, user, timeout, inode.
_LINE = re.compile(
    rb" *\d+: ([0-9A-F]{8}|[0-9A-F]{32}):([0-9A-F]{4}) [0-9A-F]+:[0-9A-F]{4} ([0-9A-F]{2}) "
    rb"[0-9A-F]{8}:([0-9A-F]{8}) [0-9A-F]{2}:[0-9A-F]+ [0-9A-F]+ +\d+ +\d+ (\d{1,20})(?: .*)?\n?"
)
# That no socket is in use, and none waits because it ended a moment ago (tw, of both families), by protocol.
_NONE_IN_USE = {
    "sockstat": {
        TCP: re.compile(rb"^TCP: inuse 0 orphan \d+ tw 0 ", re.MULTILINE),
        UDP: re.compile(rb"^UDP: inuse 0 ", re.MULTILINE),
    },
    "sockstat6": {
        TCP: re.compile(rb"^TCP6: inuse 0$", re.MULTILINE),
        UDP: re.compile(rb"^UDP6: inuse 0$", re.MULTILINE),
    },
}


def in_use() -> set[str]:
    """The protocols of which the namespace that the process is in may have sockets, by counters of the kernel's.

    These do not contain half-open connections, which there are only with a socket that listens.
    """
    protocols: set[str] = set()
    for name, patterns in _NONE_IN_USE.items():
        try:
            with open(f"/proc/thread-self/net/{name}", "rb", buffering=0) as stream:
                counters = stream.read()
        except OSError as error:
            # A kernel without IPv6 has one of them.
            if name == "sockstat6" and isinstance(error, FileNotFoundError):
                continue
            counters = b""
        protocols.update(
            protocol for protocol, none in patterns.items() if not none.search(counters)
        )
    return protocols


def fetch(protocol: str, limit: int) -> Reply:
    """The sockets of a protocol in the namespace that the process is in. Raises OSError.

    The data are the lines of the sockets that listen.
    """
    listening: list[bytes] = []
    counts: dict[int, int] = {}
    # A process has only the first thread's namespace at /proc/self/net.
    with open(f"/proc/thread-self/net/{protocol}", "rb") as stream:
        _split(stream, LISTENING[protocol], listening, counts, limit)
    # A kernel without IPv6 has no such file.
    with contextlib.suppress(FileNotFoundError), open(
        f"/proc/thread-self/net/{protocol}6", "rb"
    ) as stream:
        _split(stream, LISTENING[protocol], listening, counts, limit)
    return Reply(b"".join(listening[:limit]), counts, len(listening) > limit)


def _split(
    stream: t.Iterable[bytes],
    listening: int,
    lines: list[bytes],
    counts: dict[int, int],
    limit: int,
) -> None:
    for line in stream:
        match = _LINE.fullmatch(line)
        if match:
            state = int(match[3], 16)
            counts[state] = counts.get(state, 0) + 1
            if state == listening and len(lines) <= limit:
                lines.append(line)


def parse(data: bytes, protocol: str) -> list[Listener]:
    """The sockets in lines about sockets that listen, sorted by port."""
    listeners = []
    for line in data.split(b"\n"):
        match = _LINE.fullmatch(line)
        if match:
            address, port, _state, queued, inode = match.groups()
            listeners.append(
                Listener(
                    protocol,
                    _address(address),
                    int(port, 16),
                    None,
                    None,
                    None,
                    int(queued, 16),
                    int(inode),
                )
            )
    return sorted(listeners, key=sort_key)


def _address(text: bytes) -> str:
    """The address that the kernel prints as numbers of 32 bits, in its own byte order."""
    words = [int(text[start : start + 8], 16) for start in range(0, len(text), 8)]
    packed = b"".join(word.to_bytes(4, sys.byteorder) for word in words)
    return socket.inet_ntop(socket.AF_INET if len(packed) == 4 else socket.AF_INET6, packed)
