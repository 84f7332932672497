# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Peers, from tables of interfaces: name, kind, ifindex, iflink, link_netnsid, master."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.linuxnet.netns.plugins.module_utils._core import model
from ansible_collections.linuxnet.netns.plugins.module_utils._core.facts import peers
from ansible_collections.linuxnet.netns.plugins.module_utils._core.kernel import rtnetlink

HOST, WEB, DB = (model.NetnsId(4, inode) for inode in (1, 20, 30))
NAMES = {HOST: "host", WEB: "web", DB: "db"}

Row = t.Tuple[str, t.Optional[str], int, t.Optional[int], t.Optional[int], t.Optional[int]]
World = t.Mapping[model.NetnsId, t.Sequence[Row]]


def row(
    name: str,
    kind: str | None,
    ifindex: int,
    iflink: int | None = None,
    link_netnsid: int | None = None,
    master: int | None = None,
) -> Row:
    return (name, kind, ifindex, iflink, link_netnsid, master)


def interfaces_of(world: World) -> dict[model.NetnsId, dict[int, rtnetlink.Interface]]:
    return {
        netns: {
            ifindex: rtnetlink.Interface(
                ifindex, name, kind, None, 1500, "UP", master, iflink, nsid
            )
            for name, kind, ifindex, iflink, nsid, master in rows
        }
        for netns, rows in world.items()
    }


def matched(world: World, nsids: peers.Nsids) -> dict[str, str]:
    """The peers, as 'namespace/interface' with '@master' where the peer has one."""
    interfaces = interfaces_of(world)
    return {
        f"{NAMES[netns]}/{interfaces[netns][ifindex].name}": (
            f"{NAMES[peer.netns]}/{interfaces[peer.netns][peer.ifindex].name}"
            + (f"@{peer.master}" if peer.master else "")
        )
        for netns, by_ifindex in peers.match(interfaces, nsids).items()
        for ifindex, peer in by_ifindex.items()
    }


# In both containers the host has nsid 0. On the host, one interface has the ifindex of the other's peer.
TWO_CONTAINERS: World = {
    HOST: [
        row("lo", None, 1),
        row("eth0", None, 2),
        row("br0", "bridge", 3),
        row("veth1", "veth", 7, 2, 0, 3),
        row("veth2", "veth", 8, 2, 1),
    ],
    WEB: [row("lo", None, 1), row("eth0", "veth", 2, 7, 0)],
    DB: [row("lo", None, 1), row("eth0", "veth", 2, 8, 0)],
}
TO_HOST = {
    "host/veth1": "web/eth0",
    "host/veth2": "db/eth0",
    "web/eth0": "host/veth1@br0",
    "db/eth0": "host/veth2",
}
BY_HOST = {HOST: {0: WEB, 1: DB}}


@pytest.mark.parametrize(
    "nsids",
    [
        BY_HOST,
        {WEB: {0: HOST}, DB: {0: HOST}},
        {**BY_HOST, WEB: {0: HOST}, DB: {0: HOST}},
        {HOST: {0: WEB}, DB: {0: HOST}},
    ],
)
def test_one_resolved_end_is_enough(nsids: peers.Nsids) -> None:
    assert matched(TWO_CONTAINERS, nsids) == TO_HOST
    # In the other order.
    backwards = {netns: TWO_CONTAINERS[netns] for netns in reversed(list(TWO_CONTAINERS))}
    assert matched(backwards, nsids) == TO_HOST


@pytest.mark.parametrize("nsids", [{}, {HOST: {2: WEB}}, {WEB: {1: HOST}}])
def test_unknown_nsids_are_not_guessed(nsids: peers.Nsids) -> None:
    assert matched(TWO_CONTAINERS, nsids) == {}


def test_a_namespace_that_was_not_read() -> None:
    world = {netns: rows for netns, rows in TWO_CONTAINERS.items() if netns != WEB}
    assert matched(world, BY_HOST) == {"host/veth2": "db/eth0", "db/eth0": "host/veth2"}
    assert matched({**world, WEB: []}, BY_HOST) == matched(world, BY_HOST)


@pytest.mark.parametrize(
    ("web", "nsids"),
    [
        # To another interface of the host.
        (row("eth0", "veth", 2, 9, 0), BY_HOST),
        # To another namespace.
        (row("eth0", "veth", 2, 7, 0), {**BY_HOST, WEB: {0: DB}}),
        # To its own.
        (row("eth0", "veth", 2, 7), BY_HOST),
        # No longer an end of a pair.
        (row("eth0", "dummy", 2, 7, 0), BY_HOST),
        (row("eth0", "veth", 2), BY_HOST),
        (row("eth0", "veth", 2, 0, 0), BY_HOST),
        (row("eth0", "macvlan", 2, 7, 0), BY_HOST),
    ],
)
def test_an_end_that_does_not_refer_back(web: Row, nsids: peers.Nsids) -> None:
    world = {HOST: TWO_CONTAINERS[HOST][:4], WEB: [web]}
    assert matched(world, nsids) == {}


def test_two_ends_that_refer_to_the_same_one() -> None:
    """One pair was removed while namespaces were read."""
    world = {
        WEB: [row("eth0", "veth", 2, 2, 0)],
        DB: [row("eth0", "veth", 2, 2, 0)],
        HOST: [row("veth1", "veth", 2, 2, 0)],
    }
    assert matched(world, {WEB: {0: HOST}, DB: {0: HOST}}) == {}
    assert matched(world, {WEB: {0: HOST}}) == {"web/eth0": "host/veth1", "host/veth1": "web/eth0"}


def test_both_ends_in_one_namespace() -> None:
    world = {
        WEB: [row("a", "veth", 3, 4), row("b", "veth", 4, 3), row("c", "veth", 5, 4)],
        DB: [row("a", "veth", 4, 3, 0)],
    }
    assert matched(world, {DB: {0: WEB}}) == {"web/a": "web/b", "web/b": "web/a"}


def test_between_containers() -> None:
    world = {
        WEB: [row("to-db", "veth", 5, 5, 3), row("nk", "netkit", 6, 9, 3)],
        DB: [row("to-web", "veth", 5, 5, 8), row("nk", "netkit", 9, 6, 8)],
    }
    both = {
        "web/to-db": "db/to-web",
        "db/to-web": "web/to-db",
        "web/nk": "db/nk",
        "db/nk": "web/nk",
    }
    assert matched(world, {WEB: {3: DB}}) == both
    assert matched(world, {DB: {8: WEB}}) == both
    assert matched(world, {}) == {}


def test_a_kernel_that_omits_equal_ifindexes() -> None:
    world = {
        WEB: [row("eth0", "veth", 5, None, 0)],
        DB: [row("eth0", "veth", 5, None, 0)],
        HOST: [row("mac0", "macvlan", 5, None), row("lost", "veth", 6, None)],
    }
    assert matched(world, {WEB: {0: DB}}) == {"web/eth0": "db/eth0", "db/eth0": "web/eth0"}


@pytest.mark.parametrize("kind", ["macvlan", "macvtap", "ipvlan", "ipvtap", "vlan", "macsec"])
def test_interfaces_on_top_of_another(kind: str) -> None:
    """The interface beneath does not refer to it, and does not get a peer from it."""
    world = {
        HOST: [row("eth0", None, 2, master=9), row("eth0.1", kind, 3, 2), row("vrf", "vrf", 9)],
        WEB: [row("eth0", kind, 2, 2, 0), row("eth1", kind, 5, 77, 0), row("eth2", kind, 6, 2, 1)],
    }
    assert matched(world, {WEB: {0: HOST}}) == {
        "host/eth0.1": "host/eth0@vrf",
        "web/eth0": "host/eth0@vrf",
    }


@pytest.mark.parametrize("kind", [None, "vxlan", "dummy", "tun", "bridge", "gre", "ipoib"])
def test_kinds_without_a_peer(kind: str | None) -> None:
    world = {
        HOST: [row("a", kind, 2, 3, 0), row("b", kind, 4, 5)],
        WEB: [row("a", kind, 3, 2, 0), row("b", kind, 5, 4)],
    }
    assert matched(world, {HOST: {0: WEB}, WEB: {0: HOST}}) == {}


def missing_nsids(
    world: World, nsids: peers.Nsids, unread: t.Sequence[model.NetnsId] = ()
) -> dict[model.NetnsId, tuple[set[int], list[model.NetnsId]]]:
    interfaces = interfaces_of(world)
    return peers.missing_nsids(interfaces, nsids, peers.match(interfaces, nsids), unread)


def test_nsids_of_the_host_are_enough() -> None:
    assert missing_nsids(TWO_CONTAINERS, BY_HOST) == {}


def test_namespaces_with_a_matching_end_are_candidates() -> None:
    far = model.NetnsId(4, 31)
    world = {
        **TWO_CONTAINERS,
        WEB: [*TWO_CONTAINERS[WEB], row("to-db", "veth", 3, 5, 4), row("vx", "vxlan", 9, 3, 7)],
        far: [row("x", "veth", 5, 3, 0)],
        DB: [*TWO_CONTAINERS[DB], row("to-web", "veth", 5, 3, 2), row("y", "veth", 6, 3, 2)],
    }
    # Namespaces created at about the same time come first.
    assert missing_nsids(world, BY_HOST) == {
        WEB: ({4}, [DB, far]),
        DB: ({2}, [WEB]),
        far: ({0}, [WEB]),
    }
    assert missing_nsids(world, {**BY_HOST, WEB: {4: DB}}) == {}


def test_the_host_is_the_first_candidate_for_what_is_beneath() -> None:
    world = {
        HOST: [row("eth0", None, 2)],
        DB: [row("eth0", "dummy", 2)],
        WEB: [row("eth0", "macvlan", 2, 2, 0), row("eth1", "macvlan", 3, 77, 1)],
    }
    assert missing_nsids(world, {}) == {WEB: ({0}, [HOST, DB])}


def test_namespaces_that_were_not_read_are_candidates() -> None:
    world = {WEB: TWO_CONTAINERS[WEB]}
    assert missing_nsids(world, {}, [HOST, DB]) == {WEB: ({0}, [HOST, DB])}
    assert missing_nsids({WEB: [row("lo", None, 1)]}, {}, [HOST, DB]) == {}


def test_missing_interfaces() -> None:
    world = {
        WEB: [*TWO_CONTAINERS[WEB], row("mac0", "macvlan", 3, 2, 0), row("vx0", "vxlan", 4, 9, 0)],
        DB: TWO_CONTAINERS[DB],
    }
    assert peers.missing_interfaces(interfaces_of(world), {WEB: {0: HOST}, DB: {0: HOST}}) == {
        HOST: {2, 7, 8}
    }
    assert peers.missing_interfaces(interfaces_of(world), {}) == {}
    assert peers.missing_interfaces(interfaces_of({**world, HOST: []}), {WEB: {0: HOST}}) == {}
