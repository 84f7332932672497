# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where the interfaces of namespaces lead, asking the kernel for what the views do not tell.

On most hosts they tell it all: the ids by which the host knows the namespaces lead to one end of
each pair. What is between two containers, or on top of an interface, has to be asked for.
"""

from __future__ import annotations

import typing as t

from .. import model
from ..kernel import netns_reader, rtnetlink
from . import peers


class Found(t.NamedTuple):
    """The peers of interfaces, and why some may be missing."""

    peers: t.Mapping[peers.End, peers.Peer]
    problems: tuple[str, ...]


def find(
    views: t.Mapping[model.NetnsId, netns_reader.View],
    targets: t.Mapping[model.NetnsId, netns_reader.NetnsRef],
    own: model.NetnsId,
    host: model.NetnsId,
) -> Found:
    """The peers of the interfaces that were seen, in no more than two forks.

    `targets` are all namespaces that are known, whether there is a view of them or not, `own` is
    the caller's, and `host` the one whose ids the views have.
    """
    # The host is where most of what has to be asked for is.
    order = sorted(targets, key=lambda netns: netns != host)
    links = {
        netns: {link.ifindex: link for link in views[netns].interfaces or ()}
        for netns in order
        if netns in views
    }
    ids = {host: {view.nsid: netns for netns, view in views.items() if view.nsid is not None}}
    found = peers.find(links, ids)
    problems: list[str | None] = []
    others = [netns for netns in order if netns not in links]
    unknown = peers.unknown(links, ids, found, others)
    if unknown:
        queries = [
            netns_reader.NsidQuery(
                targets[viewer],
                frozenset(nsids),
                tuple(targets[place] for place in candidates if place in targets),
            )
            for viewer, (nsids, candidates) in unknown.items()
        ]
        answers, problem = netns_reader.resolve_nsids(queries, own)
        problems.append(problem)
        for viewer, places in answers.items():
            ids.setdefault(viewer, {}).update(places)
    unread = peers.unread(links, ids)
    if unread:
        more, problem = netns_reader.read_interfaces(
            [(targets[netns], wanted) for netns, wanted in unread.items()], own
        )
        problems.append(problem)
        links.update((netns, _by_index(read)) for netns, read in more.items())
    if unknown or unread:
        found = peers.find(links, ids)
    return Found(found, tuple(filter(None, problems)))


def _by_index(links: t.Iterable[rtnetlink.Interface]) -> dict[int, rtnetlink.Interface]:
    return {link.ifindex: link for link in links}
