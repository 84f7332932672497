# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is missing from the facts, with the reasons and how to resolve them. No I/O."""

from __future__ import annotations

import typing as t

from .. import model
from ..texts import printable
from .records import Details, Sources

_MAX_ITEMS = 5
_BECOME = "run as root (`become: true`)"


def problems(sources: Sources, details: Details) -> list[dict[str, str]]:
    """What could not be read, as dicts of `source` and `reason`."""
    way_out = "" if sources.is_root else f": {_BECOME}"
    reasons = [(each.engine, each.error) for each in sources.readings if each.error is not None]
    reasons += sources.problems
    for reading in sources.readings:
        reasons += _of_containers(sources, reading, way_out)
    unreadable = sources.discovered.unreadable_pids
    if unreadable:
        count = "1 process" if len(unreadable) == 1 else f"{len(unreadable)} processes"
        users = "" if sources.is_root else " of other users"
        reasons.append(("processes", f"{count}{users} could not be read{way_out}"))
    if sources.discovered.processes_hidden:
        reason = "the processes of other users are hidden, as /proc is mounted with `hidepid`"
        reasons.append(("processes", f"{reason}{way_out}"))
    reasons += sources.discovered.problems
    if sources.ledger_entries is None:
        reasons.append(("ledger", f"the list of managed links could not be read{way_out}"))
    if details.user_problem is not None:
        reasons.append(("users", details.user_problem))
    if details.socket_holders and sources.discovered.socket_holders.truncated:
        reasons.append(("sockets", "processes share too many sockets: not all of them are listed"))
    reasons += _of_namespaces(details, way_out)
    reasons += [
        ("peers", f"the peers of some interfaces could not be determined: {reason}")
        for reason in details.peer_problems
    ]
    return [
        {"source": printable(source), "reason": printable(reason)} for source, reason in reasons
    ]


def _of_containers(
    sources: Sources, reading: model.Reading, way_out: str
) -> t.Iterator[tuple[str, str]]:
    for container in reading.containers:
        if container.problem is not None:
            yield reading.engine, f"container {container.name}: {container.problem}"
        if container.unread is not None:
            reason = f"container {container.name} could not be read: {container.unread}"
            yield reading.engine, reason
    unlocated = [
        container.name
        for container in reading.containers
        if container.key in sources.container_netns
        and sources.container_netns[container.key] is None
    ]
    if unlocated:
        reason = "the network namespaces of these containers could not be read: "
        yield reading.engine, f"{reason}{shorten(sorted(unlocated))}{way_out}"


def _of_namespaces(details: Details, way_out: str) -> t.Iterator[tuple[str, str]]:
    """The problems of namespaces, each reason once."""
    inodes_by_reason: dict[tuple[str, str], list[int]] = {}
    for netns, view in details.views.items():
        if view.problem is not None:
            inodes_by_reason.setdefault(("namespaces", view.problem), []).append(netns.inode)
        if view.socket_problem is not None:
            inodes_by_reason.setdefault(("sockets", view.socket_problem), []).append(netns.inode)
    for netns, result in details.dns.items():
        if result.problem is not None:
            inodes_by_reason.setdefault(("dns", result.problem), []).append(netns.inode)
    for (source, reason), inodes in inodes_by_reason.items():
        yield source, f"{shorten(sorted(inodes))}: {reason}{way_out}"


def shorten(items: t.Sequence[object]) -> str:
    """The first items of a list that may be long, and how many more there are."""
    shown = ", ".join(map(str, items[:_MAX_ITEMS]))
    more = len(items) - _MAX_ITEMS
    return f"{shown} and {more} more" if more > 0 else shown
