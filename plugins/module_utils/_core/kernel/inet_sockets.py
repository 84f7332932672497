# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The TCP and UDP sockets of the namespace that the process is in: by sock_diag, or else by /proc/net."""

from __future__ import annotations

import typing as t

from ..named_tuple import NamedTuple
from . import proc_net, sock_diag

# How many sockets that listen are listed of one protocol in one namespace, and of all.
_MAX_LISTENERS = 10_000
_MAX_ALL_LISTENERS = 100_000


class Sockets(NamedTuple):
    """The sockets of a namespace: those that listen, and how many there are of each protocol and state."""

    listeners: tuple[sock_diag.Listener, ...]
    counts: t.Mapping[str, t.Mapping[str, int]]


# Of one protocol: whether sock_diag returned the data, the data, the number of sockets by state, the limit where it
# was reached, and the problem. Plain data, which a child can send.
Reply = t.Tuple[str, bool, t.Optional[bytes], t.Mapping[int, int], t.Optional[int], t.Optional[str]]


class Collector:
    """Fetches the sockets of one namespace after the other, up to a limit of all."""

    def __init__(self) -> None:
        self._left = _MAX_ALL_LISTENERS

    def collect(self) -> list[Reply]:
        """A reply for each protocol."""
        # The kernel counts sockets faster than it lists them: for TCP, it looks at each connection that the host has
        # room for.
        in_use = proc_net.in_use()
        return [
            self._collect(protocol) if protocol in in_use else (protocol, True, b"", {}, None, None)
            for protocol in sock_diag.PROTOCOLS
        ]

    def _collect(self, protocol: str) -> Reply:
        limit = min(_MAX_LISTENERS, self._left)
        by_netlink = True
        try:
            with sock_diag.connect() as diag:
                fetched = sock_diag.fetch(diag, protocol, limit)
        except OSError:
            # The kernel lacks the module of the protocol or may not load it, or a filter forbids the request.
            by_netlink = False
            try:
                fetched = proc_net.fetch(protocol, limit)
            except OSError as error:
                return protocol, False, None, {}, None, f"{protocol}: {error.strerror or error}"
        self._left -= min(limit, fetched.counts.get(sock_diag.LISTENING[protocol], 0))
        reached = limit if fetched.truncated else None
        return protocol, by_netlink, fetched.data, fetched.counts, reached, None


def parse(replies: t.Iterable[Reply]) -> tuple[Sockets | None, list[str]]:
    """The sockets in the replies, None where some could not be read; and what is missing."""
    problems: list[str] = []
    listeners: list[sock_diag.Listener] = []
    counts: dict[str, dict[str, int]] = {}
    for protocol, by_netlink, data, numbers, limit, problem in replies:
        if problem is not None or data is None:
            return None, [problem or protocol]
        if limit is not None:
            problems.append(f"more than {limit} {protocol} sockets listen: the others are missing")
        try:
            listeners += (
                sock_diag.parse(data, protocol, problems)
                if by_netlink
                else proc_net.parse(data, protocol)
            )
        except OSError as error:
            return None, [error.strerror or str(error)]
        counts[protocol] = sock_diag.by_state(protocol, numbers)
    return Sockets(tuple(listeners), counts), problems
