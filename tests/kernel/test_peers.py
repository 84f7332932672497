# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Peers of interfaces of all kinds, with one of the test's own namespaces as the host."""

from __future__ import annotations

import json
import os
import subprocess
import typing as t

import pytest
from support import LONE, UPPER, Place

from ansible_collections.linuxnet.netns.plugins.module_utils._core import model
from ansible_collections.linuxnet.netns.plugins.module_utils._core.facts import peers
from ansible_collections.linuxnet.netns.plugins.module_utils._core.kernel import netns_reader, nsfs

OWN = nsfs.netns_id(os.stat("/proc/self/ns/net"))


def run(script: str) -> str:
    return subprocess.run(
        ["sh", "-euc", script], check=True, stdout=subprocess.PIPE, text=True
    ).stdout


class World:
    """Namespaces by name, the first of which is the host."""

    def __init__(self, place: Place, *names: str) -> None:
        self.pids = {name: place.process() for name in names}
        self.ids = {
            name: nsfs.netns_id(os.stat(f"/proc/{pid}/ns/net")) for name, pid in self.pids.items()
        }
        self.names = {netns: name for name, netns in self.ids.items()}
        self.targets = {
            netns: netns_reader.NetnsRef(netns, (f"/proc/{self.pids[name]}/ns/net",))
            for name, netns in self.ids.items()
        }
        self.host = names[0]
        self.problems: tuple[str, ...] = ()

    def ip(self, where: str, *commands: str) -> None:
        """Run `ip` commands in a namespace; @NAME stands for the others."""
        batch = "\n".join(commands)
        for name, pid in self.pids.items():
            batch = batch.replace(f"@{name}", str(pid))
        subprocess.run(
            ["nsenter", "--target", str(self.pids[where]), "--net", "ip", "-batch", "-"],
            input=batch,
            check=True,
            text=True,
        )

    def has(self, where: str, command: str) -> bool:
        """Whether the kernel knows the kind of interface that the command makes."""
        words = f"nsenter --target {self.pids[where]} --net ip {command}".split()
        return subprocess.run(words, check=False, stderr=subprocess.DEVNULL).returncode == 0

    def peers(self, *seen: str) -> dict[str, str]:
        """The peers of what is in some namespaces, as 'name/interface' with '@master'."""
        host = self.targets[self.ids[self.host]]
        chosen = [self.targets[self.ids[name]] for name in seen or self.pids]
        views = netns_reader.collect_views(chosen, OWN, host, True)
        descriptors = sorted(os.listdir("/proc/self/fd"))
        resolved, self.problems = peers.resolve(views, self.targets, OWN, host.netns)
        assert sorted(os.listdir("/proc/self/fd")) == descriptors
        assert nsfs.netns_id(os.stat("/proc/self/ns/net")) == OWN
        shown = {}
        for netns, view in views.items():
            for link in view.interfaces or ():
                peer = resolved.get(netns, {}).get(link.ifindex)
                if peer:
                    master = f"@{peer.master}" if peer.master else ""
                    shown[f"{self.names[netns]}/{link.name}"] = (
                        f"{self.names[peer.netns]}/{peer.interface}{master}"
                    )
        return shown


def count_forks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    forks: list[int] = []
    fork = os.fork
    monkeypatch.setattr(os, "fork", lambda: forks.append(1) or fork())
    return forks


def containers(world: World) -> None:
    """A bridge on the host, and two containers on it; a third that only has a neighbour."""
    world.ip(
        "host",
        "link add br0 type bridge",
        "link add v1 master br0 type veth peer name eth0 netns @web",
        "link add v2 type veth peer name eth0 netns @db",
        "link add in0 type veth peer name in1",
    )
    world.ip("web", "link add to-lone type veth peer name eth0 netns @lone")
    world.ip("web", "link add to-db type veth peer name to-web netns @db")


ALL = {
    "host/v1": "web/eth0",
    "host/v2": "db/eth0",
    "host/in0": "host/in1",
    "host/in1": "host/in0",
    "web/eth0": "host/v1@br0",
    "web/to-lone": "lone/eth0",
    "web/to-db": "db/to-web",
    "db/eth0": "host/v2",
    "db/to-web": "web/to-db",
    "lone/eth0": "web/to-lone",
}


def test_all_that_a_host_has(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(place, "host", "web", "db", "lone", "none")
    containers(world)
    forks = count_forks(monkeypatch)
    assert world.peers() == ALL
    # The look, and what is between containers.
    assert len(forks) == 2
    del forks[:]
    assert world.peers("host", "web", "db") == {
        end: peer for end, peer in ALL.items() if not end.startswith("lone")
    }


def test_what_only_leads_to_the_host_needs_no_second_fork(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(place, "host", "web", "db")
    world.ip(
        "host",
        "link add v1 type veth peer name eth0 netns @web",
        "link add v2 type veth peer name eth0 netns @db",
    )
    forks = count_forks(monkeypatch)
    assert len(world.peers()) == 4
    assert len(forks) == 1


@pytest.mark.parametrize("seen", ["web", "db", "lone", "host"])
def test_one_that_is_picked_out(place: Place, monkeypatch: pytest.MonkeyPatch, seen: str) -> None:
    """The others are looked at no further than needed, and the answer is the same."""
    world = World(place, "none", "host", "web", "db", "lone")
    world.host = "host"
    containers(world)
    resolve_nsids = netns_reader.resolve_nsids
    asked: list[netns_reader.NsidQuery] = []
    monkeypatch.setattr(
        netns_reader,
        "resolve_nsids",
        lambda *given: asked.extend(given[0]) or resolve_nsids(*given),
    )
    assert world.peers(seen) == {
        end: peer for end, peer in ALL.items() if end.startswith(f"{seen}/")
    }
    if seen != "host":
        # Which is most often the answer.
        assert {query.candidates[0].netns for query in asked} == {world.ids["host"]}


def test_a_ring_in_which_all_look_alike(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"n{number}" for number in range(8)]
    world = World(place, *names)
    expected = {}
    for name, following in zip(names, names[1:] + names[:1]):
        world.ip(name, f"link add next type veth peer name last netns @{following}")
        expected[f"{name}/next"] = f"{following}/last"
        expected[f"{following}/last"] = f"{name}/next"
    assert world.peers() == expected
    assert world.problems == ()
    # With nothing left to ask, those are missing that nobody knows; none is wrong.
    monkeypatch.setattr(netns_reader, "_MAX_NSID_REQUESTS", 3)
    some = world.peers()
    assert some.items() < expected.items()
    assert world.problems == ("more than 3 requests to the kernel would be needed",)


def test_a_namespace_that_nobody_knows(place: Place) -> None:
    world = World(place, "host", "web", "db")
    world.ip("host", "link add v1 type veth peer name eth0 netns @web")
    world.ip("db", "link add to-web type veth peer name to-db netns @web")
    del world.targets[world.ids["db"]], world.pids["db"]
    assert world.peers() == {"host/v1": "web/eth0", "web/eth0": "host/v1"}


def test_interfaces_on_top_of_others(place: Place) -> None:
    """What `ip link` shows after the @: the one beneath, also where that is on the host."""
    world = World(place, "host", "web", "db")
    world.ip(
        "host",
        "link add eth0 type veth peer name up",
        "link add br0 type bridge",
        "link set eth0 master br0",
    )
    expected = {"host/eth0": "host/up", "host/up": "host/eth0@br0"}
    known = 0
    for kind, words in UPPER.items():
        if world.has("host", f"link add link up name {kind} {words}"):
            known += 1
            expected[f"host/{kind}"] = "host/up"
            if world.has(
                "host", f"link add link up name {kind}-1 netns {world.pids['web']} {words}"
            ):
                expected[f"web/{kind}-1"] = "host/up"
    assert known
    # Of an interface that is another container's.
    world.ip(
        "db",
        "link add pad type bridge",
        "link add eth0 type veth peer name eth9",
        "link add link eth9 name mac0 netns @web type macvlan",
    )
    expected.update({"db/eth0": "db/eth9", "db/eth9": "db/eth0", "web/mac0": "db/eth9"})
    assert world.peers() == expected
    assert world.peers("web") == {
        end: peer for end, peer in expected.items() if end.startswith("web/")
    }


def test_interfaces_that_have_none(place: Place) -> None:
    world = World(place, "host", "web")
    world.ip("host", "link add eth0 type veth peer name eth0 netns @web")
    made = [kind for kind, words in LONE.items() if world.has("host", f"link add {kind} {words}")]
    assert {"bridge", "vxlan"} <= set(made)
    # It keeps its underlay on the host, and says so like a veth does.
    world.ip(
        "host", "link add vx1 type vxlan id 8 dev eth0 dstport 4789", "link set vx1 netns @web"
    )
    world.has("host", "tuntap add tun0 mode tun")
    assert world.peers() == {"host/eth0": "web/eth0", "web/eth0": "host/eth0"}


def test_links_as_ip_shows_them(place: Place) -> None:
    """What each leads to, and which are devices of the machine's: here and in namespaces."""
    world = World(place, "host", "web", "db", "lone")
    containers(world)
    world.ip("host", "link add link in0 name mac0 netns @web type macvlan")
    own = netns_reader.NetnsRef(OWN, ())
    views = netns_reader.collect_views([own, *world.targets.values()], OWN, own, True)
    for netns, view in views.items():
        enter = f"nsenter --target {world.pids[world.names[netns]]} --net" if netns != OWN else ""
        shown = json.loads(run(f"{enter} ip -json -details link show"))
        assert view.interfaces is not None
        names = {each["ifindex"]: each["ifname"] for each in shown}
        assert [
            (link.name, link.link_netnsid, link.physical, _lower(link, names))
            for link in view.interfaces
        ] == [
            (
                each["ifname"],
                each.get("link_netnsid"),
                "parentdev" in each,
                each.get("link_index", each.get("link")),
            )
            for each in shown
        ]


def _lower(link: t.Any, names: t.Mapping[int, str]) -> object:
    return names.get(link.iflink) if link.link_netnsid is None else link.iflink


def test_what_cannot_be_read_is_left_out(place: Place) -> None:
    web = World(place, "web").targets
    (target,) = web.values()
    gone = netns_reader.NetnsRef(model.NetnsId(4, 1), ("/nowhere",))
    query = netns_reader.NsidQuery(target, frozenset((0,)), (gone,))
    assert netns_reader.resolve_nsids([query, query._replace(viewer=gone)], OWN) == ({}, None)
    found, problem = netns_reader.read_interfaces([(gone, {1}), (target, {1, 99})], OWN)
    assert (found.keys(), problem) == ({target.netns}, None)


def test_a_child_that_dies_leaves_what_it_found(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> t.NoReturn:
        os._exit(1)

    monkeypatch.setattr(netns_reader._NamespaceWorker, "resolve_nsids", fails)
    monkeypatch.setattr(netns_reader._NamespaceWorker, "read_interfaces", fails)
    world = World(place, "host", "web", "db", "lone")
    containers(world)
    assert world.peers() == {
        end: peer for end, peer in ALL.items() if end.startswith("host/") or "host/" in peer
    }
    said = "the process that reads namespaces exited before it was finished"
    assert world.problems == (said,)
    assert world.peers("lone") == {}
    assert world.problems == (said,)
