# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Peers of interfaces of all kinds, with a namespace of the test as the host."""

from __future__ import annotations

import json
import os
import subprocess
import typing as t

import pytest
from support import LONE, UPPER, ScratchHost

from ansible_collections.linuxnet.netns.plugins.module_utils._core import model
from ansible_collections.linuxnet.netns.plugins.module_utils._core.facts import peers
from ansible_collections.linuxnet.netns.plugins.module_utils._core.kernel import netns_reader, nsfs

OWN = nsfs.netns_id(os.stat("/proc/self/ns/net"))


def run(script: str) -> str:
    return subprocess.run(
        ["sh", "-euc", script], check=True, stdout=subprocess.PIPE, text=True
    ).stdout


class World:
    """Namespaces by name. The first is the host."""

    def __init__(self, scratch: ScratchHost, *names: str) -> None:
        self.pids = {name: scratch.process() for name in names}
        self.ids = {
            name: nsfs.netns_id(os.stat(f"/proc/{pid}/ns/net")) for name, pid in self.pids.items()
        }
        self.names = {netns: name for name, netns in self.ids.items()}
        self.refs = {
            netns: nsfs.NetnsRef(netns, (f"/proc/{self.pids[name]}/ns/net",))
            for name, netns in self.ids.items()
        }
        self.host = names[0]
        self.problems: tuple[str, ...] = ()

    def ip(self, where: str, *commands: str) -> None:
        """Run `ip` commands in a namespace; @NAME is replaced by the PID of the namespace NAME."""
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
        """Whether the kernel supports the type of interface that the command makes."""
        words = f"nsenter --target {self.pids[where]} --net ip {command}".split()
        return subprocess.run(words, check=False, stderr=subprocess.DEVNULL).returncode == 0

    def peers(self, *selected: str) -> dict[str, str]:
        """The peers of the interfaces in some namespaces, as 'name/interface' with '@master'."""
        host = self.refs[self.ids[self.host]]
        refs = [self.refs[self.ids[name]] for name in selected or self.pids]
        views = netns_reader.Views(refs, OWN, host, True).wait()
        descriptors = sorted(os.listdir("/proc/self/fd"))
        resolved, self.problems = peers.resolve(views, self.refs, OWN, host.netns)
        assert sorted(os.listdir("/proc/self/fd")) == descriptors
        assert nsfs.netns_id(os.stat("/proc/self/ns/net")) == OWN
        shown = {}
        for netns, view in views.items():
            for interface in view.interfaces or ():
                peer = resolved.get(netns, {}).get(interface.ifindex)
                if peer:
                    master = f"@{peer.master}" if peer.master else ""
                    shown[f"{self.names[netns]}/{interface.name}"] = (
                        f"{self.names[peer.netns]}/{peer.interface}{master}"
                    )
        return shown


def count_forks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    forks: list[int] = []
    fork = os.fork
    monkeypatch.setattr(os, "fork", lambda: forks.append(1) or fork())
    return forks


def containers(world: World) -> None:
    """A bridge on the host with two containers; a third container has a peer in one of them."""
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


def test_all_namespaces_of_a_host(scratch: ScratchHost, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(scratch, "host", "web", "db", "lone", "none")
    containers(world)
    forks = count_forks(monkeypatch)
    assert world.peers() == ALL
    # The views, and the nsids between containers.
    assert len(forks) == 2
    del forks[:]
    assert world.peers("host", "web", "db") == {
        end: peer for end, peer in ALL.items() if not end.startswith("lone")
    }


def test_peers_on_the_host_need_no_second_fork(
    scratch: ScratchHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(scratch, "host", "web", "db")
    world.ip(
        "host",
        "link add v1 type veth peer name eth0 netns @web",
        "link add v2 type veth peer name eth0 netns @db",
    )
    forks = count_forks(monkeypatch)
    assert len(world.peers()) == 4
    assert len(forks) == 1


@pytest.mark.parametrize("selected", ["web", "db", "lone", "host"])
def test_one_selected_namespace(
    scratch: ScratchHost, monkeypatch: pytest.MonkeyPatch, selected: str
) -> None:
    """Little is read of the others, and the peers are the same."""
    world = World(scratch, "none", "host", "web", "db", "lone")
    world.host = "host"
    containers(world)
    resolve_nsids = netns_reader.resolve_nsids
    queries: list[netns_reader.NsidQuery] = []
    monkeypatch.setattr(
        netns_reader,
        "resolve_nsids",
        lambda *given: queries.extend(given[0]) or resolve_nsids(*given),
    )
    assert world.peers(selected) == {
        end: peer for end, peer in ALL.items() if end.startswith(f"{selected}/")
    }
    if selected != "host":
        # Most peers are there.
        assert {query.candidates[0].netns for query in queries} == {world.ids["host"]}


def test_a_ring_of_identical_namespaces(
    scratch: ScratchHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"n{number}" for number in range(8)]
    world = World(scratch, *names)
    expected = {}
    for name, following in zip(names, names[1:] + names[:1]):
        world.ip(name, f"link add next type veth peer name last netns @{following}")
        expected[f"{name}/next"] = f"{following}/last"
        expected[f"{following}/last"] = f"{name}/next"
    assert world.peers() == expected
    assert world.problems == ()
    # At the limit of requests some peers are missing, and none is wrong.
    monkeypatch.setattr(netns_reader, "_MAX_NSID_REQUESTS", 3)
    some = world.peers()
    assert some.items() < expected.items()
    assert world.problems == ("more than 3 requests to the kernel would be needed",)


def test_a_namespace_that_was_not_found(scratch: ScratchHost) -> None:
    world = World(scratch, "host", "web", "db")
    world.ip("host", "link add v1 type veth peer name eth0 netns @web")
    world.ip("db", "link add to-web type veth peer name to-db netns @web")
    del world.refs[world.ids["db"]], world.pids["db"]
    assert world.peers() == {"host/v1": "web/eth0", "web/eth0": "host/v1"}


def test_interfaces_on_top_of_others(scratch: ScratchHost) -> None:
    """What `ip link` shows after the @: the interface beneath, also where that is on the host."""
    world = World(scratch, "host", "web", "db")
    world.ip(
        "host",
        "link add eth0 type veth peer name up",
        "link add br0 type bridge",
        "link set eth0 master br0",
    )
    expected = {"host/eth0": "host/up", "host/up": "host/eth0@br0"}
    supported = 0
    for kind, words in UPPER.items():
        if world.has("host", f"link add link up name {kind} {words}"):
            supported += 1
            expected[f"host/{kind}"] = "host/up"
            if world.has(
                "host", f"link add link up name {kind}-1 netns {world.pids['web']} {words}"
            ):
                expected[f"web/{kind}-1"] = "host/up"
    assert supported
    # On top of an interface of another container.
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


def test_interfaces_without_a_peer(scratch: ScratchHost) -> None:
    world = World(scratch, "host", "web")
    world.ip("host", "link add eth0 type veth peer name eth0 netns @web")
    made = [kind for kind, words in LONE.items() if world.has("host", f"link add {kind} {words}")]
    assert {"bridge", "vxlan"} <= set(made)
    # It keeps its underlay on the host, and the kernel reports that as it does the peer of a veth.
    world.ip(
        "host", "link add vx1 type vxlan id 8 dev eth0 dstport 4789", "link set vx1 netns @web"
    )
    world.has("host", "tuntap add tun0 mode tun")
    assert world.peers() == {"host/eth0": "web/eth0", "web/eth0": "host/eth0"}


def test_peers_as_ip_shows_them(scratch: ScratchHost) -> None:
    """iflink and link_netnsid, and which are devices of the machine, on the host and elsewhere."""
    world = World(scratch, "host", "web", "db", "lone")
    containers(world)
    world.ip("host", "link add link in0 name mac0 netns @web type macvlan")
    own = nsfs.NetnsRef(OWN, ())
    views = netns_reader.Views([own, *world.refs.values()], OWN, own, True).wait()
    for netns, view in views.items():
        enter = f"nsenter --target {world.pids[world.names[netns]]} --net" if netns != OWN else ""
        shown = json.loads(run(f"{enter} ip -json -details link show"))
        assert view.interfaces is not None
        names = {each["ifindex"]: each["ifname"] for each in shown}
        assert [
            (each.name, each.link_netnsid, each.physical, _lower(each, names))
            for each in view.interfaces
        ] == [
            (
                each["ifname"],
                each.get("link_netnsid"),
                "parentdev" in each,
                each.get("link_index", each.get("link")),
            )
            for each in shown
        ]


def _lower(interface: t.Any, names: t.Mapping[int, str]) -> object:
    if interface.link_netnsid is None:
        return names.get(interface.iflink)
    return interface.iflink


def test_what_cannot_be_read_is_left_out(scratch: ScratchHost) -> None:
    (ref,) = World(scratch, "web").refs.values()
    gone = nsfs.NetnsRef(model.NetnsId(4, 1), ("/nowhere",))
    query = netns_reader.NsidQuery(ref, frozenset((0,)), (gone,))
    assert netns_reader.resolve_nsids([query, query._replace(viewer=gone)], OWN) == ({}, None)
    interfaces, problem = netns_reader.read_interfaces([(gone, {1}), (ref, {1, 99})], OWN)
    assert (interfaces.keys(), problem) == ({ref.netns}, None)


def test_peers_that_were_resolved_before_a_child_dies(
    scratch: ScratchHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> t.NoReturn:
        os._exit(1)

    monkeypatch.setattr(netns_reader._NamespaceWorker, "resolve_nsids", fails)
    monkeypatch.setattr(netns_reader._NamespaceWorker, "read_interfaces", fails)
    world = World(scratch, "host", "web", "db", "lone")
    containers(world)
    assert world.peers() == {
        end: peer for end, peer in ALL.items() if end.startswith("host/") or "host/" in peer
    }
    problem = "the process that reads namespaces exited before it was finished"
    assert world.problems == (problem,)
    assert world.peers("lone") == {}
    assert world.problems == (problem,)
