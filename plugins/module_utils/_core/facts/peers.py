# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The peer of each interface: the interface at its other end, or beneath it.

The kernel identifies a peer by its ifindex and by the nsid of its namespace. Both are valid only in
the namespace of the interface itself, because each namespace numbers the others on its own.

`resolve` matches what the views contain, asks the kernel for what is missing, and matches again. On
most hosts nothing is missing: the nsids of the host lead to one end of each pair. The other
functions are pure.
"""

from __future__ import annotations

import typing as t

from .. import model
from ..kernel import netns_reader, nsfs, rtnetlink
from ..named_tuple import NamedTuple

# Created in pairs; each end refers to the other.
_PAIRS = frozenset(("veth", "netkit", "vxcan"))
# On top of another interface, which does not refer to them.
_UPPER = frozenset(("macvlan", "macvtap", "ipvlan", "ipvtap", "vlan", "macsec"))


class Peer(NamedTuple):
    """An interface at the other end, or beneath. `master` is the name of its bridge, bond or VRF."""

    netns: model.NetnsId
    ifindex: int
    interface: str
    master: str | None


# Interfaces and their peers by namespace and ifindex; namespaces by viewer and nsid.
Interfaces = t.Mapping[model.NetnsId, t.Mapping[int, rtnetlink.Interface]]
Peers = t.Mapping[model.NetnsId, t.Mapping[int, Peer]]
Nsids = t.Mapping[model.NetnsId, t.Mapping[int, model.NetnsId]]


class Resolution(NamedTuple):
    """The peers, and why some may be missing."""

    peers: Peers
    problems: tuple[str, ...]


def resolve(
    views: t.Mapping[model.NetnsId, netns_reader.View],
    refs: t.Mapping[model.NetnsId, nsfs.NetnsRef],
    own: model.NetnsId,
    host: model.NetnsId,
) -> Resolution:
    """Resolve the peers of the interfaces in the views, in two forks at most.

    `refs` are all namespaces that were found, whether they have a view or not. `own` is the caller's
    namespace; `host` is the one whose nsids the views contain.
    """
    # The host comes first: most of the peers that have to be searched for are there.
    order = sorted(refs, key=lambda netns: netns != host)
    interfaces = {
        netns: _by_ifindex(views[netns].interfaces or ()) for netns in order if netns in views
    }
    nsids = {host: {view.nsid: netns for netns, view in views.items() if view.nsid is not None}}
    peers = match(interfaces, nsids)
    problems: list[str | None] = []
    unread = [netns for netns in order if netns not in interfaces]
    searches = missing_nsids(interfaces, nsids, peers, unread)
    if searches:
        queries = [
            netns_reader.NsidQuery(
                refs[viewer],
                frozenset(wanted),
                tuple(refs[candidate] for candidate in candidates if candidate in refs),
            )
            for viewer, (wanted, candidates) in searches.items()
        ]
        answers, problem = netns_reader.resolve_nsids(queries, own)
        problems.append(problem)
        for viewer, netns_by_nsid in answers.items():
            nsids.setdefault(viewer, {}).update(netns_by_nsid)
    ifindexes = missing_interfaces(interfaces, nsids)
    if ifindexes:
        more, problem = netns_reader.read_interfaces(
            [(refs[netns], wanted) for netns, wanted in ifindexes.items()], own
        )
        problems.append(problem)
        interfaces.update((netns, _by_ifindex(read)) for netns, read in more.items())
    if searches or ifindexes:
        peers = match(interfaces, nsids)
    return Resolution(peers, tuple(filter(None, problems)))


def _by_ifindex(
    interfaces: t.Iterable[rtnetlink.Interface],
) -> dict[int, rtnetlink.Interface]:
    return {interface.ifindex: interface for interface in interfaces}


# The namespace and the ifindex of an interface. Each interface needs some, and a named tuple takes ten times as long.
_End = t.Tuple[model.NetnsId, int]


def match(interfaces: Interfaces, nsids: Nsids) -> Peers:
    """The peer of each interface whose peer can be determined.

    The two ends of a pair have to refer to each other. For an interface on top of another, such as a
    macvlan, the peer is the one beneath. No peer is guessed: where a namespace or its interfaces are
    not known, there is none.
    """
    peers: dict[_End, _End] = {}
    # Ends of pairs: the peer that each refers to, or the ifindex alone where its nsid is unknown.
    referred: dict[_End, _End] = {}
    unresolved: dict[_End, int] = {}
    for netns, interface, ifindex in _peered(interfaces):
        end = (netns, interface.ifindex)
        is_pair = interface.kind in _PAIRS
        peer_netns = _peer_netns(nsids, netns, interface)
        if peer_netns is None:
            if is_pair:
                unresolved[end] = ifindex
        elif ifindex in interfaces.get(peer_netns, {}):
            (referred if is_pair else peers)[end] = (peer_netns, ifindex)
    candidates: dict[_End, list[_End]] = {}
    for end, peer in referred.items():
        if referred.get(peer) == end:
            peers[end] = peer
        elif unresolved.get(peer) == end[1] and peer[0] != end[0]:
            candidates.setdefault(peer, []).append(end)
    for end, ends in candidates.items():
        # An end has one peer. Several that refer to it were not read at the same moment.
        if len(ends) == 1:
            peers[end], peers[ends[0]] = ends[0], end
    by_netns: dict[model.NetnsId, dict[int, Peer]] = {}
    for (netns, ifindex), peer in peers.items():
        by_netns.setdefault(netns, {})[ifindex] = _describe(interfaces, *peer)
    return by_netns


def _describe(interfaces: Interfaces, netns: model.NetnsId, ifindex: int) -> Peer:
    in_netns = interfaces[netns]
    interface = in_netns[ifindex]
    master = None if interface.master is None else in_netns.get(interface.master)
    return Peer(netns, ifindex, interface.name, None if master is None else master.name)


def missing_nsids(
    interfaces: Interfaces, nsids: Nsids, peers: Peers, unread: t.Sequence[model.NetnsId]
) -> dict[model.NetnsId, tuple[set[int], list[model.NetnsId]]]:
    """The nsids without which some peers cannot be determined, by viewer, each with the candidates.

    Any of the namespaces in `unread`, whose interfaces were not read, is a candidate. The others are
    those with an interface that can be the peer. The likeliest candidates come first.
    """
    missing = [
        (netns, interface, ifindex)
        for netns, interface, ifindex in _peered(interfaces)
        if interface.link_netnsid is not None
        and interface.link_netnsid not in nsids.get(netns, {})
        and interface.ifindex not in peers.get(netns, {})
    ]
    ends: dict[tuple[str | None, int, int], list[model.NetnsId]] = {}
    for netns, interface, ifindex in missing:
        ends.setdefault((interface.kind, interface.ifindex, ifindex), []).append(netns)
    having: dict[int, list[model.NetnsId]] = {}
    for ifindex in {ifindex for _netns, upper, ifindex in missing if upper.kind in _UPPER}:
        having[ifindex] = [netns for netns, in_netns in interfaces.items() if ifindex in in_netns]
    searches: dict[model.NetnsId, tuple[set[int], set[model.NetnsId]]] = {}
    for netns, interface, ifindex in missing:
        if interface.kind in _UPPER:
            possible = having[ifindex]
        else:
            possible = ends.get((interface.kind, ifindex, interface.ifindex), [])
        if interface.link_netnsid is not None and (possible or unread):
            wanted, candidates = searches.setdefault(netns, (set(), set()))
            wanted.add(interface.link_netnsid)
            candidates.update(possible)
    return {
        netns: (wanted, [*unread, *sorted(candidates - {netns}, key=_distance(netns, interfaces))])
        for netns, (wanted, candidates) in searches.items()
    }


def _distance(netns: model.NetnsId, interfaces: Interfaces) -> t.Callable[[model.NetnsId], int]:
    """A sort key: the first of all namespaces, then those that were created at about the same time."""
    first = next(iter(interfaces))
    return lambda other: -1 if other == first else abs(other.inode - netns.inode)


def missing_interfaces(interfaces: Interfaces, nsids: Nsids) -> dict[model.NetnsId, set[int]]:
    """The ifindexes of peers in namespaces whose interfaces were not read."""
    missing: dict[model.NetnsId, set[int]] = {}
    for netns, interface, ifindex in _peered(interfaces):
        peer_netns = _peer_netns(nsids, netns, interface)
        if peer_netns is not None and peer_netns not in interfaces:
            missing.setdefault(peer_netns, set()).add(ifindex)
    return missing


def _peered(
    interfaces: Interfaces,
) -> t.Iterator[tuple[model.NetnsId, rtnetlink.Interface, int]]:
    """Each interface that has a peer: its namespace, the interface, and the ifindex of the peer."""
    for netns, in_netns in interfaces.items():
        for interface in in_netns.values():
            if interface.kind in _PAIRS or interface.kind in _UPPER:
                ifindex = interface.iflink
                if ifindex is None and interface.link_netnsid is not None:
                    # Kernels before 5.10 omit it where both have the same ifindex.
                    ifindex = interface.ifindex
                if ifindex:
                    yield netns, interface, ifindex


def _peer_netns(
    nsids: Nsids, netns: model.NetnsId, interface: rtnetlink.Interface
) -> model.NetnsId | None:
    if interface.link_netnsid is None:
        return netns
    return nsids.get(netns, {}).get(interface.link_netnsid)
