# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tables of interfaces as namespaces list them: name, kind, ifindex, link, link's nsid, master."""

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
    link: int | None = None,
    nsid: int | None = None,
    master: int | None = None,
) -> Row:
    return (name, kind, ifindex, link, nsid, master)


def links(world: World) -> dict[model.NetnsId, dict[int, rtnetlink.Interface]]:
    return {
        netns: {
            ifindex: rtnetlink.Interface(ifindex, name, kind, None, 1500, "UP", master, link, nsid)
            for name, kind, ifindex, link, nsid, master in rows
        }
        for netns, rows in world.items()
    }


def found(world: World, ids: peers.Ids) -> dict[str, str]:
    """The peers, as 'namespace/interface' with '@master' where the peer has one."""
    read = links(world)
    return {
        f"{NAMES[end.netns]}/{read[end.netns][end.ifindex].name}": (
            f"{NAMES[peer.netns]}/{read[peer.netns][peer.ifindex].name}"
            + (f"@{peer.master}" if peer.master else "")
        )
        for end, peer in peers.find(read, ids).items()
    }


# Both containers see the host as 0, and on the host one has the number that the other's peer has.
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
    "ids",
    [
        BY_HOST,
        {WEB: {0: HOST}, DB: {0: HOST}},
        {**BY_HOST, WEB: {0: HOST}, DB: {0: HOST}},
        {HOST: {0: WEB}, DB: {0: HOST}},
    ],
)
def test_one_end_that_can_be_told_is_enough(ids: peers.Ids) -> None:
    assert found(TWO_CONTAINERS, ids) == TO_HOST
    # The other way round.
    backwards = {netns: TWO_CONTAINERS[netns] for netns in reversed(list(TWO_CONTAINERS))}
    assert found(backwards, ids) == TO_HOST


@pytest.mark.parametrize("ids", [{}, {HOST: {2: WEB}}, {WEB: {1: HOST}}])
def test_unknown_ids_are_not_guessed(ids: peers.Ids) -> None:
    assert found(TWO_CONTAINERS, ids) == {}


def test_a_namespace_that_was_not_read() -> None:
    world = {netns: rows for netns, rows in TWO_CONTAINERS.items() if netns != WEB}
    assert found(world, BY_HOST) == {"host/veth2": "db/eth0", "db/eth0": "host/veth2"}
    assert found({**world, WEB: []}, BY_HOST) == found(world, BY_HOST)


@pytest.mark.parametrize(
    ("web", "ids"),
    [
        # To another interface of the host's.
        (row("eth0", "veth", 2, 9, 0), BY_HOST),
        # To another namespace.
        (row("eth0", "veth", 2, 7, 0), {**BY_HOST, WEB: {0: DB}}),
        # To its own.
        (row("eth0", "veth", 2, 7), BY_HOST),
        # No longer a pair's.
        (row("eth0", "dummy", 2, 7, 0), BY_HOST),
        (row("eth0", "veth", 2), BY_HOST),
        (row("eth0", "veth", 2, 0, 0), BY_HOST),
        (row("eth0", "macvlan", 2, 7, 0), BY_HOST),
    ],
)
def test_an_end_that_does_not_point_back(web: Row, ids: peers.Ids) -> None:
    world = {HOST: TWO_CONTAINERS[HOST][:4], WEB: [web]}
    assert found(world, ids) == {}


def test_two_that_name_one() -> None:
    """The pair of one was removed between the readings."""
    world = {
        WEB: [row("eth0", "veth", 2, 2, 0)],
        DB: [row("eth0", "veth", 2, 2, 0)],
        HOST: [row("veth1", "veth", 2, 2, 0)],
    }
    assert found(world, {WEB: {0: HOST}, DB: {0: HOST}}) == {}
    assert found(world, {WEB: {0: HOST}}) == {"web/eth0": "host/veth1", "host/veth1": "web/eth0"}


def test_both_ends_in_one_namespace() -> None:
    world = {
        WEB: [row("a", "veth", 3, 4), row("b", "veth", 4, 3), row("c", "veth", 5, 4)],
        DB: [row("a", "veth", 4, 3, 0)],
    }
    assert found(world, {DB: {0: WEB}}) == {"web/a": "web/b", "web/b": "web/a"}


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
    assert found(world, {WEB: {3: DB}}) == both
    assert found(world, {DB: {8: WEB}}) == both
    assert found(world, {}) == {}


def test_a_kernel_that_leaves_out_equal_numbers() -> None:
    world = {
        WEB: [row("eth0", "veth", 5, None, 0)],
        DB: [row("eth0", "veth", 5, None, 0)],
        HOST: [row("mac0", "macvlan", 5, None), row("lost", "veth", 6, None)],
    }
    assert found(world, {WEB: {0: DB}}) == {"web/eth0": "db/eth0", "db/eth0": "web/eth0"}


@pytest.mark.parametrize("kind", ["macvlan", "macvtap", "ipvlan", "ipvtap", "vlan", "macsec"])
def test_on_top_of_another(kind: str) -> None:
    """The one beneath knows nothing of it, and has no peer of its own for that."""
    world = {
        HOST: [row("eth0", None, 2, master=9), row("eth0.1", kind, 3, 2), row("vrf", "vrf", 9)],
        WEB: [row("eth0", kind, 2, 2, 0), row("eth1", kind, 5, 77, 0), row("eth2", kind, 6, 2, 1)],
    }
    assert found(world, {WEB: {0: HOST}}) == {
        "host/eth0.1": "host/eth0@vrf",
        "web/eth0": "host/eth0@vrf",
    }


@pytest.mark.parametrize("kind", [None, "vxlan", "dummy", "tun", "bridge", "gre", "ipoib"])
def test_what_has_no_peer(kind: str | None) -> None:
    world = {
        HOST: [row("a", kind, 2, 3, 0), row("b", kind, 4, 5)],
        WEB: [row("a", kind, 3, 2, 0), row("b", kind, 5, 4)],
    }
    assert found(world, {HOST: {0: WEB}, WEB: {0: HOST}}) == {}


def unknown(
    world: World, ids: peers.Ids, others: t.Sequence[model.NetnsId] = ()
) -> dict[model.NetnsId, tuple[set[int], list[model.NetnsId]]]:
    read = links(world)
    return peers.unknown(read, ids, peers.find(read, ids), others)


def test_what_the_host_knows_is_not_asked_for() -> None:
    assert unknown(TWO_CONTAINERS, BY_HOST) == {}


def test_those_are_asked_about_that_can_be_the_other_end() -> None:
    far = model.NetnsId(4, 31)
    world = {
        **TWO_CONTAINERS,
        WEB: [*TWO_CONTAINERS[WEB], row("to-db", "veth", 3, 5, 4), row("vx", "vxlan", 9, 3, 7)],
        far: [row("x", "veth", 5, 3, 0)],
        DB: [*TWO_CONTAINERS[DB], row("to-web", "veth", 5, 3, 2), row("y", "veth", 6, 3, 2)],
    }
    # Those made at about the same time come first.
    assert unknown(world, BY_HOST) == {
        WEB: ({4}, [DB, far]),
        DB: ({2}, [WEB]),
        far: ({0}, [WEB]),
    }
    assert unknown(world, {**BY_HOST, WEB: {4: DB}}) == {}


def test_the_host_is_asked_about_first_for_what_is_on_top() -> None:
    world = {
        HOST: [row("eth0", None, 2)],
        DB: [row("eth0", "dummy", 2)],
        WEB: [row("eth0", "macvlan", 2, 2, 0), row("eth1", "macvlan", 3, 77, 1)],
    }
    assert unknown(world, {}) == {WEB: ({0}, [HOST, DB])}


def test_any_that_was_not_read_can_be_the_one() -> None:
    world = {WEB: TWO_CONTAINERS[WEB]}
    assert unknown(world, {}, [HOST, DB]) == {WEB: ({0}, [HOST, DB])}
    assert unknown({WEB: [row("lo", None, 1)]}, {}, [HOST, DB]) == {}


def test_what_to_read_of_the_others() -> None:
    world = {
        WEB: [*TWO_CONTAINERS[WEB], row("mac0", "macvlan", 3, 2, 0), row("vx0", "vxlan", 4, 9, 0)],
        DB: TWO_CONTAINERS[DB],
    }
    assert peers.unread(links(world), {WEB: {0: HOST}, DB: {0: HOST}}) == {HOST: {2, 7, 8}}
    assert peers.unread(links(world), {}) == {}
    assert peers.unread(links({**world, HOST: []}), {WEB: {0: HOST}}) == {}
