# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which interface is at the other end of each, or beneath it. Pure.

The kernel names that by its ifindex and the id of its namespace. Both mean something only as seen
from the namespace of the interface itself: each namespace numbers the others on its own.
"""

from __future__ import annotations

import typing as t

from .. import model
from ..kernel import rtnetlink

# Made in pairs, each end of which names the other.
_PAIRS = frozenset(("veth", "netkit", "vxcan"))
# On top of another interface, which knows nothing of them.
_UPPER = frozenset(("macvlan", "macvtap", "ipvlan", "ipvtap", "vlan", "macsec"))

Links = t.Mapping[model.NetnsId, t.Mapping[int, rtnetlink.Interface]]
Ids = t.Mapping[model.NetnsId, t.Mapping[int, model.NetnsId]]


class End(t.NamedTuple):
    """An interface of the host: its namespace and its ifindex there."""

    netns: model.NetnsId
    ifindex: int


class Peer(t.NamedTuple):
    """Where an interface leads. `master` is what the other one is a member of, such as a bridge."""

    netns: model.NetnsId
    ifindex: int
    interface: str
    master: str | None


def find(links: Links, ids: Ids) -> dict[End, Peer]:
    """The peer of each interface that has one and for which it can be told.

    `links` are the interfaces by namespace and ifindex, `ids` the namespaces by who sees them and
    under which id. The two of a pair have to name each other; of what is on top of another, such as
    a macvlan, that is the peer. None is ever guessed: where a namespace is not known, or its
    interfaces are not, there is no peer.
    """
    claims: dict[End, End] = {}
    unclear: dict[End, int] = {}
    peers: dict[End, End] = {}
    for netns, link, index in _leading(links):
        end, place = End(netns, link.ifindex), _place(ids, netns, link)
        if place is None:
            if link.kind in _PAIRS:
                unclear[end] = index
        elif index in links.get(place, {}):
            (claims if link.kind in _PAIRS else peers)[end] = End(place, index)
    answers: dict[End, list[End]] = {}
    for end, other in claims.items():
        if claims.get(other) == end:
            peers[end] = other
        elif unclear.get(other) == end.ifindex and other.netns != end.netns:
            answers.setdefault(other, []).append(end)
    for other, ends in answers.items():
        # It has one peer: what was read of several that name it is not of one time.
        if len(ends) == 1:
            peers[other], peers[ends[0]] = ends[0], other
    return {end: _peer(links, other) for end, other in peers.items()}


def _peer(links: Links, end: End) -> Peer:
    each = links[end.netns]
    link = each[end.ifindex]
    master = None if link.master is None else each.get(link.master)
    return Peer(end.netns, end.ifindex, link.name, None if master is None else master.name)


def unknown(
    links: Links, ids: Ids, found: t.Container[End], others: t.Sequence[model.NetnsId]
) -> dict[model.NetnsId, tuple[set[int], list[model.NetnsId]]]:
    """The ids that would have to be known to find more, and the namespaces that may have them.

    By the namespace that sees them. `found` are the interfaces whose peers are known. `others` are
    the namespaces of which nothing was read: each may be the one. Of those that were read it is one
    with an interface that can be the other end. Those come first that are the likeliest.
    """
    missing = [
        (netns, link, index)
        for netns, link, index in _leading(links)
        if link.link_netnsid is not None
        and link.link_netnsid not in ids.get(netns, {})
        and End(netns, link.ifindex) not in found
    ]
    ends: dict[tuple[str | None, int, int], list[model.NetnsId]] = {}
    for netns, link, index in missing:
        ends.setdefault((link.kind, link.ifindex, index), []).append(netns)
    beneath: dict[int, list[model.NetnsId]] = {}
    for index in {index for _netns, link, index in missing if link.kind in _UPPER}:
        beneath[index] = [netns for netns, each in links.items() if index in each]
    wanted: dict[model.NetnsId, tuple[set[int], set[model.NetnsId]]] = {}
    for netns, link, index in missing:
        upper = link.kind in _UPPER
        places = beneath[index] if upper else ends.get((link.kind, index, link.ifindex), [])
        if link.link_netnsid is not None and (places or others):
            nsids, candidates = wanted.setdefault(netns, (set(), set()))
            nsids.add(link.link_netnsid)
            candidates.update(places)
    return {
        netns: (nsids, [*others, *sorted(candidates - {netns}, key=_distance(netns, links))])
        for netns, (nsids, candidates) in wanted.items()
    }


def _distance(netns: model.NetnsId, links: Links) -> t.Callable[[model.NetnsId], int]:
    """How far off a namespace is: nearest is the first of all, then what was made about then."""
    first = next(iter(links))
    return lambda other: -1 if other == first else abs(other.inode - netns.inode)


def unread(links: Links, ids: Ids) -> dict[model.NetnsId, set[int]]:
    """The interfaces that others lead to, by namespaces of which none were read."""
    wanted: dict[model.NetnsId, set[int]] = {}
    for netns, link, index in _leading(links):
        place = _place(ids, netns, link)
        if place is not None and place not in links:
            wanted.setdefault(place, set()).add(index)
    return wanted


def _leading(links: Links) -> t.Iterator[tuple[model.NetnsId, rtnetlink.Interface, int]]:
    """Each interface that leads to another, with its namespace, and the number of the other."""
    for netns, each in links.items():
        for link in each.values():
            if link.kind in _PAIRS or link.kind in _UPPER:
                index = link.iflink
                if index is None and link.link_netnsid is not None:
                    # Kernels before 5.10 leave it out where both have the same number.
                    index = link.ifindex
                if index:
                    yield netns, link, index


def _place(ids: Ids, netns: model.NetnsId, link: rtnetlink.Interface) -> model.NetnsId | None:
    """The namespace that an interface leads to."""
    return netns if link.link_netnsid is None else ids.get(netns, {}).get(link.link_netnsid)
