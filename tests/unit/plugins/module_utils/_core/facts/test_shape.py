# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sources and details -> records -> facts.

The host has container web (and side, which shares its namespace), a container on the host's network,
a named namespace, and a process in a namespace of its own.
"""

from __future__ import annotations

import json
import os
import pathlib
import typing as t
from types import MappingProxyType

import pytest

from ansible_collections.linuxnet.netns.plugins.module_utils._core import dns, model
from ansible_collections.linuxnet.netns.plugins.module_utils._core.facts import (
    discovery,
    forwards,
    listeners,
    peers,
    records,
    request,
    shape,
)
from ansible_collections.linuxnet.netns.plugins.module_utils._core.kernel import (
    inet_sockets,
    netns_reader,
    nsfs,
    rtnetlink,
    sock_diag,
)
from ansible_collections.linuxnet.netns.plugins.module_utils._core.links import ledger

SOCKET = "/run/docker.sock"
SANDBOX = "/run/docker/netns/8d6964defe15"
HOST, WEB, NAMED, LOST, LONELY = (model.NetnsId(4, 4026531833 + n) for n in range(5))
WEB_ID, SIDE_ID, HOSTY_ID = ("3" * 64, "f" * 64, "f3" * 32)


def container(name: str, identity: str, pid: int, **more: t.Any) -> model.Container:
    return model.Container(
        "docker", SOCKET, identity, name, True, "running", image="bb:1", pid=pid, **more
    )


CONTAINERS = (
    container("web", WEB_ID, 100, labels={"tier": "front"}),
    container("side", SIDE_ID, 101),
    container("hosty", HOSTY_ID, 102),
)
READ = model.Reading("docker", SOCKET, "20.10.24", CONTAINERS)
CONTAINER_NETNS: dict[model.ContainerKey, model.NetnsId | None] = dict(
    zip((each.key for each in CONTAINERS), (WEB, WEB, HOST))
)
PROCESSES = {
    1: records.Process("init", "init.scope", None),
    100: records.Process("sleep", "docker-3.scope", None),
    200: records.Process("unbound", "dns.service", "mia"),
    300: records.Process("keeper", "keeper.service", None),
}
ENTRY = ledger.Entry("/run/netns/lost", LOST, 12, "module")
FOR_OLD = {"engine": "docker", "source": SOCKET, "container_id": "9" * 64, "container_name": "old"}


def references(
    pids: t.Sequence[int] = (), pins: t.Sequence[str] = (), pins_elsewhere: t.Sequence[str] = ()
) -> discovery.References:
    made = discovery.References()
    made.pids += pids
    made.pins += pins
    made.pins_elsewhere += pins_elsewhere
    return made


def discovered(unreadable_pids: t.Sequence[int] = ()) -> discovery.HostNamespaces:
    namespaces = {
        LONELY: references([200]),
        LOST: references(pins=["/run/netns/lost"]),
        HOST: references([1, 2, 3, 4, 5, 6, 102], pins=["/run/docker/netns/default"]),
        WEB: references([100, 101], ["/run/netns/web", SANDBOX], ["/proc/7/root/run/netns/w"]),
        NAMED: references(pins=["/run/netns/plain"]),
    }
    return discovery.HostNamespaces(HOST, HOST, True, namespaces, {}, tuple(unreadable_pids))


NAMES_BY_DIR = {
    "/run/netns": {
        "web": nsfs.DirectoryEntry(WEB, 10),
        "plain": nsfs.DirectoryEntry(NAMED, 11),
        "lost": nsfs.DirectoryEntry(LOST, 12),
        "alias": nsfs.DirectoryEntry(WEB, 13),
        "late": nsfs.DirectoryEntry(model.NetnsId(4, 99), 14),
    }
}


def sources(**more: t.Any) -> records.Sources:
    values: dict[str, t.Any] = {
        "netns_dir": "/run/netns",
        "engines": None,
        "discovered": discovered(),
        "names_by_dir": NAMES_BY_DIR,
        "readings": [READ],
        "container_netns": CONTAINER_NETNS,
        "networks_by_pin": {},
        "ledger_entries": {},
        "start_times": {},
        "changing_dirs": (),
        "problems": [],
        "is_root": True,
        "forwards": None,
    }
    return records.Sources(**{**values, **more})


def build(
    read: records.Sources,
    subset: t.Iterable[str] = request.SUBSETS,
    patterns: t.Sequence[str] | None = None,
    resolved: peers.Peers = MappingProxyType({}),
    peer_problems: t.Sequence[str] = (),
    dns_results: t.Mapping[model.NetnsId, dns.Result] = MappingProxyType({}),
    **view: t.Any,
) -> shape.Facts:
    selected = records.records(read, patterns)
    views = {record.netns: netns_reader.View(**view) for record in selected}
    details = records.Details(views, PROCESSES, resolved, peer_problems, dns_results, {})
    built = shape.build(read, selected, list(subset), details)
    # Only lists, dicts and scalars.
    assert json.loads(json.dumps(built)) == built
    return built


def facts_of(built: shape.Facts, netns: model.NetnsId) -> shape.Facts:
    (namespace,) = [each for each in built["namespaces"] if each["inode"] == netns.inode]
    return t.cast("shape.Facts", namespace)


def test_the_shape() -> None:
    built = build(sources(), nsid=3, interfaces=(), addresses=(), routes=())
    assert [each["inode"] for each in built["namespaces"]] == sorted(
        netns.inode for netns in (HOST, WEB, NAMED, LOST, LONELY)
    )
    assert {key: built[key] for key in built if key != "namespaces"} == {
        "netns_dir": "/run/netns",
        "shared": True,
        "engines": [
            {
                "name": "docker",
                "version": "20.10.24",
                "source": SOCKET,
                "state": "read",
                "read_from": SOCKET,
            }
        ],
        "complete": True,
        "incomplete": [],
        "lost_devices": [],
        "forwards": None,
    }
    assert facts_of(built, WEB) == {
        "inode": WEB.inode,
        "dev": 4,
        "is_host": False,
        "names": ["alias", "web"],
        "pins": [SANDBOX, "/run/netns/web", "/proc/7/root/run/netns/w"],
        "nsid": 3,
        "kind": "container",
        "stale": False,
        "engine": "docker",
        "containers": [
            {"id": SIDE_ID, "name": "side", "image": "bb:1", "pid": 101, "labels": {}},
            {"id": WEB_ID, "name": "web", "image": "bb:1", "pid": 100, "labels": {"tier": "front"}},
        ],
        "pod": None,
        "unit": None,
        "machine": None,
        "netstack": None,
        "user": None,
        "network": None,
        "processes": {"count": 2, "first": [{"pid": 100, "command": "sleep"}], "holders": []},
        "interfaces": [],
        "routes": [],
        "dns": None,
        "listeners": None,
        "sockets": None,
    }


LISTENER = sock_diag.Listener("tcp", "::", 80, 7, True, 511, 2, 4711)


@pytest.mark.parametrize(
    ("pids", "unreadable", "processes"),
    [
        ([100, 200], [], [(100, "nginx", "web"), (200, "\\xff\nx", None)]),
        ([], [], []),
        # Some of these may have it.
        ([], [7], None),
        ([100], [7], [(100, "nginx", "web")]),
    ],
)
def test_sockets(
    pids: list[int], unreadable: list[int], processes: list[tuple[t.Any, ...]] | None
) -> None:
    read = sources(discovered=discovered(unreadable))
    known = {
        100: listeners.Holder(100, "nginx", CONTAINERS[0].key),
        200: listeners.Holder(200, os.fsdecode(b"\xff\nx"), None),
    }
    view = netns_reader.View(
        interfaces=(rtnetlink.Interface(7, "eth0", None, None, 1500, "UP", None),),
        sockets=inet_sockets.Sockets((LISTENER,), {"tcp": {"listen": 1}, "udp": {}}),
    )
    selected = [each for each in records.records(read, None) if each.netns == WEB]
    holders = {4711: tuple(known[pid] for pid in pids)}
    details = records.Details({WEB: view}, {}, {}, (), {}, holders)
    (namespace,) = shape.build(read, selected, ["sockets"], details)["namespaces"]
    assert namespace["sockets"] == {"tcp": {"listen": 1}, "udp": {}}
    assert namespace["listeners"] == [
        {
            "protocol": "tcp",
            "address": "::",
            "port": 80,
            "interface": "eth0",
            "v6only": True,
            "backlog": 511,
            "queued": 2,
            "processes": processes
            and [dict(zip(("pid", "name", "container"), each)) for each in processes],
        }
    ]


@pytest.mark.parametrize(("netstacks", "listening"), [({}, True), ({WEB: "gvisor"}, None)])
def test_forwards(netstacks: dict[model.NetnsId, str], listening: bool | None) -> None:
    port = model.Port("tcp", "0.0.0.0", 8080, "172.18.0.2", 80)
    # Of a container, of a proxy that was left behind, and of a container in a namespace that is not selected.
    published = [
        forwards.Forward(port, "docker", CONTAINERS[0]),
        forwards.Forward(port._replace(port=8081), "proxy", None),
        forwards.Forward(port, "docker", CONTAINERS[2]),
    ]
    read = sources(forwards=published)
    selected = [each for each in records.records(read, None) if each.netns == WEB]
    socket = LISTENER._replace(address="0.0.0.0", ifindex=0)
    view = netns_reader.View(sockets=inet_sockets.Sockets((socket,), {}))
    details = records.Details({WEB: view}, {}, {}, (), {}, {}, netstacks=netstacks)
    found = shape.build(read, selected, ["sockets", "containers"], details)["forwards"]
    keys = ("protocol", "address", "port", "to_address", "to_port", "inode", "container", "by")
    assert found == [
        {
            **dict(
                zip(keys, ("tcp", "0.0.0.0", 8080, "172.18.0.2", 80, WEB.inode, "web", "docker"))
            ),
            "listening": listening,
        },
        {
            **dict(zip(keys, ("tcp", "0.0.0.0", 8081, "172.18.0.2", 80, None, None, "proxy"))),
            "listening": None,
        },
    ]


def test_kinds() -> None:
    built = build(sources())
    assert {
        "host": facts_of(built, HOST)["kind"],
        "container": facts_of(built, WEB)["kind"],
        "named": facts_of(built, NAMED)["kind"],
        "process": facts_of(built, LONELY)["kind"],
    } == {kind: kind for kind in ("host", "container", "named", "process")}
    elsewhere = sources(
        discovered=discovered()._replace(namespaces={LOST: references(pins_elsewhere=["/proc/1"])})
    )
    assert facts_of(build(elsewhere), LOST)["kind"] == "named"


POD = model.Pod("shop", "cart", "0b6c")
PAUSE = container("shop_cart", "a" * 64, 500, pod=POD, sandbox=True)
CART = container("cart", "b" * 64, 501, pod=POD, network_mode=f"container:{PAUSE.id}")


@pytest.mark.parametrize(
    ("containers", "kind", "pod", "names"),
    [
        ((PAUSE, CART), "pod", POD, ["cart"]),
        ((PAUSE,), "pod", POD, []),
        # The sandbox has died.
        ((CART,), "pod", POD, ["cart"]),
        # Containers of two pods whose sandboxes are gone: not known.
        (
            (CART, CART._replace(id="c" * 64, pod=model.Pod("x", "y", "z"))),
            "container",
            None,
            ["cart", "cart"],
        ),
        # In a pod, but with a namespace of its own.
        ((CART._replace(network_mode="none"),), "container", None, ["cart"]),
        # A container from outside the pod.
        ((PAUSE, CART, CONTAINERS[0]), "pod", POD, ["cart", "web"]),
    ],
)
def test_pods(
    containers: t.Sequence[model.Container],
    kind: str,
    pod: model.Pod | None,
    names: list[str],
) -> None:
    container_netns = dict.fromkeys((each.key for each in containers), WEB)
    namespace = facts_of(
        build(sources(readings=[reading(*containers)], container_netns=container_netns)), WEB
    )
    assert namespace["kind"] == kind
    assert namespace["pod"] == (pod and pod._asdict())
    assert [each["name"] for each in namespace["containers"]] == names


def test_a_pod_on_the_hosts_network_does_not_make_the_host_a_pod() -> None:
    container_netns = dict.fromkeys((PAUSE.key, CART.key), HOST)
    namespace = facts_of(
        build(sources(readings=[reading(PAUSE, CART)], container_netns=container_netns)), HOST
    )
    assert (namespace["kind"], namespace["pod"]) == ("host", None)
    assert [each["name"] for each in namespace["containers"]] == ["cart"]


def test_owners_that_are_not_containers() -> None:
    held = references()
    held.proc_files += ["/proc/300/fd/7", "/proc/300/fd/9"]
    namespaces = {**discovered().namespaces, NAMED: held}
    built = build(sources(discovered=discovered()._replace(namespaces=namespaces)))
    assert (facts_of(built, LONELY)["unit"], facts_of(built, LONELY)["user"]) == (
        "dns.service",
        "mia",
    )
    # Without a process in it, the one that holds it open counts.
    assert (facts_of(built, NAMED)["unit"], facts_of(built, NAMED)["user"]) == (
        "keeper.service",
        None,
    )
    assert facts_of(built, NAMED)["processes"] == {
        "count": 0,
        "first": [],
        "holders": [{"pid": 300, "command": "keeper"}],
    }
    for netns in (HOST, WEB, LOST):
        assert (facts_of(built, netns)["unit"], facts_of(built, netns)["user"]) == (None, None)


@pytest.mark.parametrize(
    ("netstack", "arguments"),
    [
        ("gvisor", ["runsc-sandbox", "--root=/run/x", "boot", "0d5c"]),
        ("gvisor", ["runsc-sandbox", "--network=none", "boot"]),
        (None, ["runsc-sandbox", "--network=host", "boot"]),
        (None, ["runsc-gofer", "gofer"]),
        (None, [""]),
    ],
)
def test_gvisor(netstack: str | None, arguments: list[str]) -> None:
    assert records.gvisor_netstack(arguments) == netstack


def test_the_netstack_of_a_container() -> None:
    read = sources()
    selected = records.records(read, None)
    views = {record.netns: netns_reader.View() for record in selected}
    details = records.Details(views, PROCESSES, {}, (), {}, {}, netstacks={WEB: "gvisor"})
    built = shape.build(read, selected, ["containers"], details)
    assert [facts_of(built, netns)["netstack"] for netns in (WEB, LONELY)] == ["gvisor", None]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("box", b"box\n"),
        (None, b""),
        (None, b"a b\n"),
        (None, b"x" * 65),
        (None, b"\xff\n"),
        (None, b"../x\n"),
    ],
)
def test_firejail(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, name: str | None, text: bytes
) -> None:
    monkeypatch.setattr(records, "_FIREJAIL", str(tmp_path))
    assert records.firejail_sandbox(7) is None
    (tmp_path / "7").write_bytes(text)
    assert records.firejail_sandbox(7) == name


@pytest.mark.parametrize(
    ("node", "arguments"),
    [
        ("h1", ["bash", "--norc", "--noediting", "-is", "mininet:h1"]),
        ("s1-a.b", ["bash", "mininet:s1-a.b"]),
        (None, ["bash"]),
        (None, [""]),
        (None, ["bash", "mininet:"]),
        (None, ["bash", "mininet:a b"]),
        (None, ["bash", "mininet:h1", "-x"]),
    ],
)
def test_mininet_nodes(node: str | None, arguments: list[str]) -> None:
    assert records.mininet_node(arguments) == node


def test_machines() -> None:
    read = sources()
    processes = {**PROCESSES, 200: records.Process("init", None, None, "c\udce91")}
    selected = records.records(read, None)
    views = {record.netns: netns_reader.View() for record in selected}
    built = shape.build(
        read, selected, ["containers"], records.Details(views, processes, {}, (), {}, {})
    )
    assert facts_of(built, LONELY)["machine"] == "c\\xe91"
    # Where an engine reports a container, its name counts.
    assert facts_of(built, WEB)["machine"] is None


def test_the_user_of_a_rootless_engine() -> None:
    containers = [CONTAINERS[0]._replace(user="mia"), *CONTAINERS[1:]]
    built = build(sources(readings=[reading(*containers)]))
    assert facts_of(built, WEB)["user"] == "mia"


def test_the_network_that_a_sandbox_is_for() -> None:
    pin = "/run/docker/netns/1-s0d2k8q1m3"
    read = sources(
        discovered=discovered()._replace(
            namespaces={LOST: references(pins=["/run/netns/lost", pin])}
        ),
        networks_by_pin={pin: model.Network("s0d2k8q1m3v5", "shop")},
    )
    namespace = facts_of(build(read), LOST)
    assert namespace["network"] == {"id": "s0d2k8q1m3v5", "name": "shop"}
    assert (namespace["kind"], namespace["engine"], namespace["stale"]) == (
        "named",
        "docker",
        False,
    )


def test_an_engine_of_uncertain_presence_is_listed_with_its_containers() -> None:
    without = model.Reading("podman", model.PROCESSES, presence_uncertain=True)
    assert [each["name"] for each in build(sources(readings=[READ, without]))["engines"]] == [
        "docker"
    ]
    mias = CONTAINERS[0]._replace(engine="podman", user="mia")
    (engine,) = build(sources(readings=[without._replace(containers=(mias,))]))["engines"]
    assert engine["source"] == model.PROCESSES
    files = READ._replace(read_from="/var/lib/docker")
    (engine,) = build(sources(readings=[files]))["engines"]
    assert (engine["source"], engine["read_from"]) == (SOCKET, "/var/lib/docker")


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (model.EngineError("no answer"), "unreadable"),
        (model.DownError("nothing listens"), "down"),
        (model.ElsewhereError("its PIDs are not this host's"), "elsewhere"),
    ],
)
def test_the_state_of_an_engine_that_was_not_read(error: model.EngineError, state: str) -> None:
    failed = model.Reading.failed("docker", SOCKET, error)
    built = build(sources(readings=[failed], container_netns={}))
    assert [each["state"] for each in built["engines"]] == [state]
    assert built["incomplete"] == [{"source": "docker", "reason": str(error)}]


def test_a_container_about_which_engine_and_kernel_disagree() -> None:
    unlocated = CONTAINERS[0]._replace(pid=0, problem="its first process is elsewhere")
    built = build(sources(readings=[reading(unlocated)], container_netns={}))
    assert built["incomplete"] == [
        {"source": "docker", "reason": "container web: its first process is elsewhere"}
    ]


def test_a_container_that_could_not_be_read() -> None:
    unread = CONTAINERS[0]._replace(pid=0, unread="no answer in 5 s")
    netns = {key: where for key, where in CONTAINER_NETNS.items() if key != unread.key}
    built = build(sources(readings=[reading(unread, *CONTAINERS[1:])], container_netns=netns))
    assert built["incomplete"] == [
        {"source": "docker", "reason": "container web could not be read: no answer in 5 s"}
    ]
    kinds = {netns: facts_of(built, netns)["kind"] for netns in (HOST, WEB, NAMED, LONELY)}
    # It has a process, so that it is in no namespace without one.
    assert kinds == {HOST: "host", WEB: "container", NAMED: "named", LONELY: None}


def test_containers_on_the_hosts_network_are_on_the_hosts_namespace() -> None:
    namespace = facts_of(build(sources()), HOST)
    assert [each["name"] for each in namespace["containers"]] == ["hosty"]
    assert (namespace["is_host"], namespace["engine"]) == (True, None)


@pytest.mark.parametrize(
    ("subset", "error", "kind"),
    [
        (request.SUBSETS, None, "process"),
        (request.SUBSETS, "it hangs", None),
        ([request.INTERFACES], None, None),
    ],
)
def test_kind_is_unknown_where_an_engine_was_not_read(
    subset: t.Sequence[str], error: str | None, kind: str | None
) -> None:
    built = build(sources(readings=[reading(error=error)], container_netns={}), subset)
    assert facts_of(built, LONELY)["kind"] == kind
    assert facts_of(built, HOST)["kind"] == "host"


def test_subsets_that_are_not_requested_are_left_out() -> None:
    built = build(sources(), subset=[])
    assert "lost_devices" not in built
    every = {*request.SUBSETS, "pod", "unit", "machine", "netstack", "user", "network"}
    assert not every & set(facts_of(built, WEB))
    assert len(facts_of(build(sources(), subset=["processes"]), HOST)["processes"]["first"]) == 1


def test_only_the_first_few_processes() -> None:
    read = sources()
    processes = {pid: records.Process(f"c{pid}", None, None) for pid in range(200)}
    selected = records.records(read, None)
    views = {record.netns: netns_reader.View() for record in selected}
    details = records.Details(views, processes, {}, (), {}, {})
    built = shape.build(read, selected, ["processes"], details)
    processes = facts_of(built, HOST)["processes"]
    assert processes["count"] == 7
    assert [each["pid"] for each in processes["first"]] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        (None, [HOST, WEB, NAMED, LOST, LONELY]),
        ([], []),
        (["web"], [WEB]),
        (["side"], [WEB]),
        ([WEB_ID[:12]], [WEB]),
        (["f3"], []),
        (["f3f3"], [HOST]),
        (["F3F3"], [HOST]),
        (["*o*"], [HOST, LOST]),
        (["plain", "lost"], [NAMED, LOST]),
        (["alia?"], [WEB]),
        (["*/*"], []),
        (["WEB"], []),
    ],
)
def test_patterns(patterns: list[str] | None, expected: list[model.NetnsId]) -> None:
    assert [each.netns for each in records.records(sources(), patterns)] == expected


def test_the_name_of_a_link_beats_the_beginning_of_an_id() -> None:
    entries = {**NAMES_BY_DIR["/run/netns"], "3333": nsfs.DirectoryEntry(NAMED, 15)}
    read = sources(names_by_dir={"/run/netns": entries})
    assert [each.netns for each in records.records(read, ["3333"])] == [NAMED]
    assert [each.netns for each in records.records(read, ["33333"])] == [WEB]


def entry(**changes: t.Any) -> ledger.Entry:
    return ledger.Entry(**{**ENTRY._asdict(), **changes})


def reading(*containers: model.Container, **changes: t.Any) -> model.Reading:
    return model.Reading(**{**READ._asdict(), "containers": containers, **changes})


BACK = container("old", "9" * 64, 400)
UNREAD = BACK._replace(pid=0, unread="its files are cut")


@pytest.mark.parametrize(
    ("stale", "more"),
    [
        # A named namespace without an owner; a managed link that was made for a path.
        (False, {}),
        (False, {"entries": [entry()]}),
        # A link for a container that is gone; that runs elsewhere; whose namespace is not known.
        (True, {"entries": [entry(**FOR_OLD)]}),
        (
            True,
            {
                "entries": [entry(**FOR_OLD)],
                "containers": [BACK],
                "container_netns": {BACK.key: WEB},
            },
        ),
        (
            None,
            {
                "entries": [entry(**FOR_OLD)],
                "containers": [BACK],
                "container_netns": {BACK.key: None},
            },
        ),
        # The entry does not match the link any more.
        (False, {"entries": [entry(**FOR_OLD, file=99)]}),
        (False, {"entries": [entry(**FOR_OLD, netns=WEB)]}),
        (False, {"entries": [entry(**FOR_OLD, path="/run/netns/plain")]}),
        (False, {"entries": [entry(**FOR_OLD, path="/srv/netns/lost")]}),
        # A relink that was not finished.
        (True, {"entries": [entry(**FOR_OLD, netns=WEB, previous=LOST)]}),
        # The container could not be read, or another one.
        (None, {"entries": [entry(**FOR_OLD)], "containers": [UNREAD]}),
        (True, {"entries": [entry(**FOR_OLD)], "containers": [UNREAD._replace(id="8" * 64)]}),
        (None, {"pins": [SANDBOX], "containers": [UNREAD._replace(id="8" * 64)]}),
        # The engine was not read, or another daemon of it was.
        (None, {"entries": [entry(**FOR_OLD)], "error": "hangs"}),
        (None, {"entries": [entry(**{**FOR_OLD, "source": "/srv/docker.sock"})]}),
        # A link for a process that is gone; that still runs; whose PID was used again.
        (True, {"entries": [entry(pid=7, start_time=70)]}),
        (False, {"entries": [entry(pid=7, start_time=70)], "start_times": {7: 70}}),
        (True, {"entries": [entry(pid=7, start_time=70)], "start_times": {7: 71}}),
        (None, {"entries": [entry(pid=7, start_time=70)], "start_times": {7: None}}),
        # A process or a container is in it.
        (False, {"entries": [entry(**FOR_OLD)], "pids": [9]}),
        (
            False,
            {
                "entries": [entry(**FOR_OLD)],
                "containers": [BACK],
                "container_netns": {BACK.key: LOST},
            },
        ),
        # Docker's own pins: of a container, by a daemon that was (not) read, and of networks.
        (True, {"pins": [SANDBOX]}),
        (None, {"pins": [SANDBOX], "error": "hangs"}),
        (None, {"pins": ["/run/user/1000/docker/netns/8d6964defe15"]}),
        (False, {"pins": ["/run/docker/netns/ingress_sbox"]}),
        (False, {"pins": ["/run/docker/netns/1-s0d2k8q1m3"]}),
        # A container may be starting.
        (None, {"pins": [SANDBOX], "changing_dirs": ["/run/docker/netns"]}),
        (True, {"pins": [SANDBOX], "changing_dirs": ["/run/netns"]}),
        # One owner that is gone is enough.
        (True, {"pins": [SANDBOX, "/run/user/1000/docker/netns/8d6964defe15"]}),
        # A process that cannot be read may be in it; PID 1 is in the host's.
        (None, {"entries": [entry(**FOR_OLD)], "unreadable_pids": [8]}),
        (True, {"entries": [entry(**FOR_OLD)], "unreadable_pids": [1]}),
        (False, {"unreadable_pids": [8]}),
        (None, {"entries": [entry(**FOR_OLD)], "processes_hidden": True}),
        # The ledger could not be read.
        (None, {"entries": None}),
    ],
)
def test_stale(stale: bool | None, more: dict[str, t.Any]) -> None:
    entries = more.get("entries", [])
    built = build(
        sources(
            discovered=discovered(more.get("unreadable_pids", ()))._replace(
                namespaces={LOST: references(more.get("pids", ()), more.get("pins", ()))},
                processes_hidden=more.get("processes_hidden", False),
            ),
            readings=[reading(*more.get("containers", ()), error=more.get("error"))],
            container_netns=more.get("container_netns", {}),
            ledger_entries=None if entries is None else {each.path: each for each in entries},
            start_times=more.get("start_times", {}),
            changing_dirs=more.get("changing_dirs", ()),
        )
    )
    assert facts_of(built, LOST)["stale"] is stale


CNI = "/run/netns/cni-7c4e9a01-52d4-4b1d-9c0e-3f5f0c9d1a2b"
CNI_OF_K3S = CNI.replace("/run/netns", "/run/k3s/netns")
OF_CRIO = "/var/run/netns/7c4e9a01-52d4-4b1d-9c0e-3f5f0c9d1a2b"
OF_PODMAN = "/run/netns/netns-7c4e9a01-52d4-4b1d-9c0e-3f5f0c9d1a2b"
OF_CONTAINERD = (
    "/run/containerd/io.containerd.grpc.v1.cri/netns/cni-7c4e9a01-52d4-4b1d-9c0e-3f5f0c9d1a2b"
)
NETWORK = "/run/docker/netns/1-s0d2k8q1m3"
CONTAINERD = model.Reading("containerd", "/run/containerd")
CRIO = model.Reading("crio", "/run/crio")
PODMAN = model.Reading("podman", "/var/lib/containers/storage")
ROOTLESS = model.Reading("podman", model.PROCESSES, presence_uncertain=True)


@pytest.mark.parametrize(
    ("stale", "pins", "more"),
    [
        # By intent: `ip netns add`, a program of the user's, whatever other engines there are.
        (False, ["/run/netns/plain"], {}),
        (False, ["/run/netns/plain"], {"readings": [READ, CONTAINERD, CRIO, PODMAN]}),
        (False, ["/var/run/netns/qrouter-7c4e9a01-52d4-4b1d-9c0e-3f5f0c9d1a2b"], {}),
        (False, ["/run/netns/cni-eth0"], {"readings": [CONTAINERD]}),
        (
            False,
            ["/srv/netns/plain"],
            {"netns_dir": "/srv/netns", "names_by_dir": {"/srv/netns": {}}},
        ),
        # Mounted anywhere else, by nobody knows whom.
        (None, ["/srv/netns/plain"], {}),
        (None, ["/run/netns/plain", "/srv/netns/plain"], {}),
        (None, ["/var/lib/buildkit/net/cni/b5k2"], {"readings": [READ]}),
        # Left over by one of the engines that make such pins.
        (True, [CNI], {"readings": [CONTAINERD]}),
        (True, [CNI], {"readings": [READ, CONTAINERD, ROOTLESS]}),
        (True, [CNI], {"readings": [CRIO]}),
        (True, [CNI], {"readings": [PODMAN]}),
        (True, [CNI_OF_K3S], {"readings": [CONTAINERD]}),
        (True, [OF_CRIO], {"readings": [CRIO]}),
        (True, [CNI, "/run/netns/plain"], {"readings": [CONTAINERD]}),
        (True, [OF_PODMAN], {"readings": [PODMAN]}),
        (True, [OF_CONTAINERD], {"readings": [CONTAINERD]}),
        # None of them is there, was asked for, or was read in full.
        (None, [CNI], {"readings": []}),
        (None, [CNI], {"readings": [READ, ROOTLESS]}),
        (None, [OF_CRIO], {"readings": [CONTAINERD, PODMAN]}),
        (None, [OF_PODMAN], {"readings": [CONTAINERD]}),
        (None, [CNI], {"readings": [PODMAN], "engines": ["podman"]}),
        (None, [CNI], {"readings": [CONTAINERD._replace(error="hangs"), PODMAN]}),
        (None, [CNI], {"readings": [CONTAINERD, PODMAN._replace(error="hangs")]}),
        (None, [OF_CONTAINERD], {"readings": [CONTAINERD._replace(error="hangs")]}),
        (None, [CNI], {"readings": [CONTAINERD], "unreadable_pids": [8]}),
        # It may be that of a container whose namespace is not known.
        *(
            (None, [pin], {"readings": [CONTAINERD._replace(containers=(container,))]})
            for pin in (CNI, OF_CONTAINERD)
            for container in (
                BACK._replace(engine="containerd", source="/run/containerd", pid=0, unread="cut"),
                BACK._replace(engine="containerd", source="/run/containerd", problem="elsewhere"),
            )
        ),
        (None, [SANDBOX], {"container_netns": {CONTAINERS[0].key: None}}),
        # A pod may be starting.
        (None, [CNI], {"readings": [CONTAINERD], "changing_dirs": ["/run/netns"]}),
        # Of a network: one that Docker lists, does not list, or was not asked for.
        (False, [NETWORK], {"networks_by_pin": {NETWORK: model.Network("s0d2k8q1m3v5", "shop")}}),
        (None, [NETWORK], {"networks_by_pin": {NETWORK: model.Network("s0d2k8q1m3", None)}}),
        (False, [NETWORK], {}),
        # Only in another mount namespace, or there as well.
        (None, [], {"pins_elsewhere": [f"/proc/7/root{CNI}"], "readings": [CONTAINERD]}),
        (None, [], {"pins_elsewhere": ["/proc/7/root/run/netns/plain"]}),
        (False, ["/run/netns/plain"], {"pins_elsewhere": ["/proc/7/root/rootfs/run/netns/plain"]}),
        (True, [CNI], {"pins_elsewhere": [f"/proc/7/root{CNI}"], "readings": [CONTAINERD]}),
    ],
)
def test_stale_by_kinds_of_pins(
    stale: bool | None, pins: list[str], more: dict[str, t.Any]
) -> None:
    changes = dict(more)
    refs = references(pins=pins, pins_elsewhere=changes.pop("pins_elsewhere", ()))
    found = discovered(changes.pop("unreadable_pids", ()))
    values = {"readings": [READ], "container_netns": {}, **changes}
    built = build(sources(discovered=found._replace(namespaces={LOST: refs}), **values))
    assert facts_of(built, LOST)["stale"] is stale


@pytest.mark.parametrize(
    ("engine", "entries", "pins"),
    [
        ("docker", [], [SANDBOX]),
        ("docker", [entry(**FOR_OLD)], []),
        (None, [entry(pid=7, start_time=70)], []),
        (None, [], ["/run/docker/netns/ingress_sbox"]),
    ],
)
def test_the_engine_that_it_was_linked_or_pinned_for(
    engine: str | None, entries: list[ledger.Entry], pins: list[str]
) -> None:
    read = sources(
        discovered=discovered()._replace(namespaces={LOST: references(pins=pins)}),
        ledger_entries={each.path: each for each in entries},
    )
    assert facts_of(build(read), LOST)["engine"] == engine


def test_managed_links_in_other_directories() -> None:
    """The ledger contains links of every netns_dir that was used; `names` are those of one."""
    elsewhere = entry(**FOR_OLD, path="/srv/netns/old", file=77)
    names_by_dir = {**NAMES_BY_DIR, "/srv/netns": {"old": nsfs.DirectoryEntry(LOST, 77)}}
    namespace = facts_of(
        build(sources(names_by_dir=names_by_dir, ledger_entries={elsewhere.path: elsewhere})), LOST
    )
    assert (namespace["stale"], namespace["names"]) == (True, ["lost"])


def test_interfaces() -> None:
    interfaces = (
        rtnetlink.Interface(1, "lo", None, "00:00:00:00:00:00", 65536, "UNKNOWN", None),
        rtnetlink.Interface(2, "br0", "bridge", "02:42:ac:11:00:03", 1400, "UP", None),
        rtnetlink.Interface(
            *(3, "eth0", "veth", "02:42:ac:11:00:02", 1400, "UP", 2), altnames=("lan", "x")
        ),
        rtnetlink.Interface(4, "tun0", "tun", None, 1500, "DOWN", 99),
    )
    addresses = (
        rtnetlink.Address(2, "172.17.0.2/16"),
        rtnetlink.Address(1, "127.0.0.1/8"),
        rtnetlink.Address(2, "fd00::2/64"),
    )
    keys = (
        *("name", "index", "kind", "mac", "mtu", "state"),
        *("addresses", "master", "physical", "peer", "altnames"),
    )
    rest = (False, None, [])
    expected = [
        ("lo", 1, None, "00:00:00:00:00:00", 65536, "UNKNOWN", ["127.0.0.1/8"], None, *rest),
        (
            "br0",
            2,
            "bridge",
            "02:42:ac:11:00:03",
            1400,
            "UP",
            ["172.17.0.2/16", "fd00::2/64"],
            None,
            *rest,
        ),
        ("eth0", 3, "veth", "02:42:ac:11:00:02", 1400, "UP", [], "br0", False, None, ["lan", "x"]),
        ("tun0", 4, "tun", None, 1500, "DOWN", [], None, *rest),
    ]
    built = build(sources(), interfaces=interfaces, addresses=addresses)
    assert facts_of(built, WEB)["interfaces"] == [dict(zip(keys, each)) for each in expected]
    # None is not the same as no interfaces.
    assert facts_of(build(sources(), problem="gone"), WEB)["interfaces"] is None


def interface(ifindex: int, name: str, **more: t.Any) -> rtnetlink.Interface:
    return rtnetlink.Interface(ifindex, name, None, "02:42:ac:11:00:02", 1500, "UP", None, **more)


def test_peers() -> None:
    """A peer has the names of its namespace, whether that is selected or not."""
    resolved: peers.Peers = {
        WEB: {
            2: peers.Peer(HOST, 9, "veth35b0a78", "docker0"),
            3: peers.Peer(LOST, 2, "eth1", None),
        },
        HOST: {4: peers.Peer(WEB, 5, "eth9", None)},
    }
    interfaces = (interface(2, "eth0"), interface(3, "eth1"), interface(4, "eth2"))
    built = build(
        sources(), patterns=["web"], resolved=resolved, interfaces=interfaces, addresses=()
    )
    assert [each["inode"] for each in built["namespaces"]] == [WEB.inode]
    keys = ("inode", "names", "interface", "index", "master")
    assert [each["peer"] for each in facts_of(built, WEB)["interfaces"]] == [
        dict(zip(keys, (HOST.inode, [], "veth35b0a78", 9, "docker0"))),
        dict(zip(keys, (LOST.inode, ["lost"], "eth1", 2, None))),
        None,
    ]


def test_routes() -> None:
    routes = (
        rtnetlink.Route(
            *(
                "default",
                "172.17.0.1",
                2,
                0,
                "main",
                "inet",
                "unicast",
                "link",
                "dhcp",
                "172.17.0.2",
            )
        ),
        rtnetlink.Route("10.0.0.0/8", None, None, 50, "main", "inet", "throw"),
        rtnetlink.Route("fd00::/64", None, 77, 256, "main", "inet6"),
    )
    keys = ("dst", "gateway", "interface", "metric", "table", "family", "type")
    keys += ("scope", "protocol", "src")
    expected = [
        (
            *("default", "172.17.0.1", "eth0", 0, "main", "inet", "unicast"),
            *("link", "dhcp", "172.17.0.2"),
        ),
        ("10.0.0.0/8", None, None, 50, "main", "inet", "throw", "global", "boot", None),
        # Its interface was added between the two dumps.
        ("fd00::/64", None, None, 256, "main", "inet6", "unicast", "global", "boot", None),
    ]
    built = build(sources(), interfaces=(interface(2, "eth0"),), routes=routes)
    assert facts_of(built, WEB)["routes"] == [dict(zip(keys, each)) for each in expected]
    # The addresses were not requested.
    assert facts_of(built, WEB)["interfaces"] is None
    assert facts_of(build(sources(), interfaces=(), problem="too many"), WEB)["routes"] is None


def test_dns() -> None:
    settings = dns.Dns(("192.0.2.53",), ("shop.test", "test"), ("ndots:5",))
    built = build(sources(), dns_results={WEB: dns.Result(settings), LOST: dns.Result()})
    assert facts_of(built, WEB)["dns"] == {
        "nameservers": ["192.0.2.53"],
        "search": ["shop.test", "test"],
        "options": ["ndots:5"],
    }
    assert {facts_of(built, netns)["dns"] for netns in (HOST, NAMED, LOST)} == {None}
    assert built["complete"]


@pytest.mark.parametrize(
    ("containers", "owner"),
    [
        ((), None),
        ((CART, PAUSE), PAUSE.id),
        ((CART._replace(created=1.0), PAUSE._replace(created=9.0)), PAUSE.id),
        # It joined the namespace, although it is older.
        (
            (CART._replace(created=1.0), container("web", WEB_ID, 1, created=9.0)),
            WEB_ID,
        ),
        ((CART,), CART.id),
        ((container("b", "b", 1, created=2.0), container("a", "c", 2, created=1.0)), "c"),
        ((container("b", "b", 1), container("a", "a", 2)), "a"),
    ],
)
def test_the_owner(containers: t.Sequence[model.Container], owner: str | None) -> None:
    container_netns = dict.fromkeys((each.key for each in containers), WEB)
    selected = records.records(
        sources(readings=[reading(*containers)], container_netns=container_netns), None
    )
    (record,) = [each for each in selected if each.netns == WEB]
    assert (record.owner and record.owner.id) == owner


@pytest.mark.parametrize(
    ("entries", "error", "names"),
    [
        ([entry(**FOR_OLD)], None, ["lost"]),
        # Whether the owner is gone is not known.
        ([entry(**FOR_OLD)], "hangs", []),
        # It has no owner: it is there by intent.
        ([], None, []),
    ],
)
def test_devices_that_the_host_has_lost(
    entries: list[ledger.Entry], error: str | None, names: list[str]
) -> None:
    read = sources(
        ledger_entries={each.path: each for each in entries},
        readings=[reading(error=error)],
        container_netns={},
    )
    interfaces = (interface(1, "veth0"), interface(2, "enp3s0f1", physical=True))
    built = build(read, interfaces=interfaces, addresses=())
    assert built["lost_devices"] == [
        {
            "interface": "enp3s0f1",
            "mac": "02:42:ac:11:00:02",
            "inode": LOST.inode,
            "names": [name],
            "pins": ["/run/netns/lost"],
        }
        for name in names
    ]
    assert [each["physical"] for each in facts_of(built, HOST)["interfaces"]] == [False, True]
    warning = shape.warning(built)
    assert (warning is None) == (not names)
    if warning:
        assert "whose owners are gone: enp3s0f1 in lost. They return to the host" in warning
    assert build(read, problem="gone")["lost_devices"] == []
    assert shape.warning(build(read, subset=[])) is None


def test_very_many_lost_devices_are_one_warning() -> None:
    interfaces = tuple(interface(number, f"eth{number}", physical=True) for number in range(1, 31))
    read = sources(ledger_entries={ENTRY.path: entry(**FOR_OLD)}, container_netns={})
    warning = shape.warning(build(read, interfaces=interfaces, addresses=()))
    assert warning is not None
    assert "eth5 in lost and 25 more. They return" in warning


def test_incomplete_dns_and_peers() -> None:
    dns_results = {
        WEB: dns.Result(None, "Permission denied"),
        LOST: dns.Result(None, "Permission denied"),
        HOST: dns.Result(),
    }
    peer_problems = ["more than 65536 requests to the kernel would be needed"]
    built = build(
        sources(), dns_results=dns_results, peer_problems=peer_problems, interfaces=(), addresses=()
    )
    assert built["incomplete"] == [
        {"source": "dns", "reason": f"{WEB.inode}, {LOST.inode}: Permission denied"},
        {
            "source": "peers",
            "reason": f"the peers of some interfaces could not be determined: {peer_problems[0]}",
        },
    ]


def test_incomplete_and_the_way_out() -> None:
    read = sources(
        discovered=discovered(unreadable_pids=range(1000, 1212))._replace(processes_hidden=True),
        readings=[reading(error="/run/docker.sock: no permission")],
        container_netns={},
        ledger_entries=None,
        problems=[("podman", "not found on this host")],
        is_root=False,
    )
    built = build(read, problem="setns: Operation not permitted")
    become = ": run as root (`become: true`)"
    inodes = ", ".join(str(netns.inode) for netns in (HOST, WEB, NAMED, LOST, LONELY))
    assert built["complete"] is False
    assert built["incomplete"] == [
        {"source": "docker", "reason": "/run/docker.sock: no permission"},
        {"source": "podman", "reason": "not found on this host"},
        {
            "source": "processes",
            "reason": f"212 processes of other users could not be read{become}",
        },
        {
            "source": "processes",
            "reason": f"the processes of other users are hidden, as /proc is mounted with `hidepid`{become}",
        },
        {
            "source": "ledger",
            "reason": f"the list of managed links could not be read{become}",
        },
        {"source": "namespaces", "reason": f"{inodes}: setns: Operation not permitted{become}"},
    ]


def test_very_many_namespaces_with_one_problem_are_one_entry() -> None:
    namespaces = {model.NetnsId(4, number): references([number]) for number in range(10, 310)}
    read = sources(
        discovered=discovered(unreadable_pids=[1])._replace(namespaces=namespaces),
        container_netns={},
    )
    assert build(read, problem="it hangs")["incomplete"] == [
        {"source": "processes", "reason": "1 process could not be read"},
        {"source": "namespaces", "reason": "10, 11, 12, 13, 14 and 295 more: it hangs"},
    ]


def test_containers_whose_namespace_could_not_be_read() -> None:
    read = sources(container_netns={each.key: None for each in CONTAINERS[:2]}, is_root=False)
    assert build(read)["incomplete"] == [
        {
            "source": "docker",
            "reason": "the network namespaces of these containers could not be read: side, web"
            ": run as root (`become: true`)",
        }
    ]


def test_names_that_are_not_utf_8() -> None:
    """Python reads such names with lone surrogates, which would break the controller."""
    names_by_dir = {"/run/netns": {"w\udce9b": nsfs.DirectoryEntry(NAMED, 1)}}
    namespaces = {NAMED: references([1], pins=["/run/netns/w\udce9b"])}
    read = sources(
        discovered=discovered()._replace(namespaces=namespaces), names_by_dir=names_by_dir
    )
    selected = records.records(read, None)
    processes = {1: records.Process("\udcff", "u\udcff.scope", None)}
    subset = ["containers", "processes"]
    details = records.Details({NAMED: netns_reader.View()}, processes, {}, (), {}, {})
    built = shape.build(read, selected, subset, details)
    namespace = facts_of(built, NAMED)
    assert namespace["unit"] == "u\\xff.scope"
    assert namespace["names"] == ["w\\xe9b"]
    assert namespace["pins"] == ["/run/netns/w\\xe9b"]
    assert namespace["processes"]["first"] == [{"pid": 1, "command": "\\xff"}]
