# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What was read -> facts, on a host with container web (and its sharer side), a host-network
container, a named namespace and a plain process in one of its own.
"""

from __future__ import annotations

import json
import typing as t
from types import MappingProxyType

import pytest

from ansible_collections.linuxnet.netns.plugins.module_utils._core import model
from ansible_collections.linuxnet.netns.plugins.module_utils._core.facts import (
    discovery,
    dns,
    peers,
    shape,
)
from ansible_collections.linuxnet.netns.plugins.module_utils._core.kernel import (
    netns_reader,
    rtnetlink,
)
from ansible_collections.linuxnet.netns.plugins.module_utils._core.links import ledger

SOCKET = "/run/docker.sock"
SANDBOX = "/run/docker/netns/8d6964defe15"
HOST, WEB, PLAIN, LOST, LONELY = (model.NetnsId(4, 4026531833 + n) for n in range(5))
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
PLACES: dict[model.ContainerKey, model.NetnsId | None] = dict(
    zip((one.key for one in CONTAINERS), (WEB, WEB, HOST))
)
PROCESSES = {
    1: shape.Process("init", "init.scope", None),
    100: shape.Process("sleep", "docker-3.scope", None),
    200: shape.Process("unbound", "dns.service", "mia"),
    300: shape.Process("keeper", "keeper.service", None),
}
ENTRY = ledger.Entry("/run/netns/lost", LOST, 12, "module")
OURS = {"engine": "docker", "source": SOCKET, "container_id": "9" * 64, "container_name": "old"}


def found(
    pids: t.Sequence[int] = (), pins: t.Sequence[str] = (), foreign: t.Sequence[str] = ()
) -> discovery.Namespace:
    namespace = discovery.Namespace()
    namespace.pids += pids
    namespace.pins += pins
    namespace.foreign_pins += foreign
    return namespace


def host(unreadable: t.Sequence[int] = ()) -> discovery.Host:
    namespaces = {
        LONELY: found([200]),
        LOST: found(pins=["/run/netns/lost"]),
        HOST: found([1, 2, 3, 4, 5, 6, 102], pins=["/run/docker/netns/default"]),
        WEB: found([100, 101], ["/run/netns/web", SANDBOX], ["/proc/7/root/run/netns/w"]),
        PLAIN: found(pins=["/run/netns/plain"]),
    }
    return discovery.Host(HOST, HOST, True, namespaces, {}, tuple(unreadable))


LINKS = {
    "/run/netns": {
        "web": discovery.Name(WEB, 10),
        "plain": discovery.Name(PLAIN, 11),
        "lost": discovery.Name(LOST, 12),
        "alias": discovery.Name(WEB, 13),
        "late": discovery.Name(model.NetnsId(4, 99), 14),
    }
}


def sources(**more: t.Any) -> shape.Sources:
    values: dict[str, t.Any] = {
        "netns_dir": "/run/netns",
        "host": host(),
        "links": LINKS,
        "readings": [READ],
        "places": PLACES,
        "networks": {},
        "entries": {},
        "start_times": {},
        "busy": (),
        "problems": [],
        "root": True,
    }
    return shape.Sources(**{**values, **more})


def build(
    read: shape.Sources,
    asked: t.Iterable[str] = shape.SUBSETS,
    patterns: t.Sequence[str] | None = None,
    leads: peers.Peers = MappingProxyType({}),
    lost: t.Sequence[str] = (),
    answers: t.Mapping[model.NetnsId, dns.Answer] = MappingProxyType({}),
    **view: t.Any,
) -> shape.Facts:
    chosen = shape.records(read, patterns)
    views = {one.netns: netns_reader.View(**view) for one in chosen}
    seen = shape.Seen(views, PROCESSES, leads, lost, answers)
    built = shape.build(read, chosen, list(asked), seen)
    # Lists and dicts only.
    assert json.loads(json.dumps(built)) == built
    return built


def one(built: shape.Facts, netns: model.NetnsId) -> shape.Facts:
    (namespace,) = [each for each in built["namespaces"] if each["inode"] == netns.inode]
    return t.cast("shape.Facts", namespace)


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        (["containers", "interfaces"], "containers interfaces"),
        ([], ""),
        (["min"], ""),
        (["all"], "containers interfaces routes processes dns"),
        (["all", "!interfaces"], "containers routes processes dns"),
        (["!interfaces", "all"], "containers routes processes dns"),
        (["!interfaces", "!routes"], "containers processes dns"),
        (["!all"], ""),
        (["!all", "!min"], ""),
        (["!all", "interfaces"], "interfaces"),
        (["min", "!containers"], ""),
        (["!min"], "containers interfaces routes processes dns"),
        (["containers", "!containers"], ""),
        (["dns"], "containers dns"),
        (["!all", "dns"], "containers dns"),
        (["dns", "!containers"], ""),
        (["!containers"], "interfaces routes processes"),
        (["!dns"], "containers interfaces routes processes"),
    ],
)
def test_subset(items: list[str], expected: str) -> None:
    assert shape.subset(items) == set(expected.split())


def test_the_shape() -> None:
    built = build(sources(), nsid=3, interfaces=(), addresses=(), routes=())
    assert [each["inode"] for each in built["namespaces"]] == sorted(
        netns.inode for netns in (HOST, WEB, PLAIN, LOST, LONELY)
    )
    assert {key: built[key] for key in built if key != "namespaces"} == {
        "netns_dir": "/run/netns",
        "shared": True,
        "engines": [
            {"name": "docker", "version": "20.10.24", "source": SOCKET, "read_from": SOCKET}
        ],
        "complete": True,
        "incomplete": [],
        "lost_devices": [],
    }
    assert one(built, WEB) == {
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
        "user": None,
        "network": None,
        "processes": {"count": 2, "first": [{"pid": 100, "command": "sleep"}], "holders": []},
        "interfaces": [],
        "routes": [],
        "dns": None,
    }


def test_kinds() -> None:
    built = build(sources())
    assert {
        "host": one(built, HOST)["kind"],
        "container": one(built, WEB)["kind"],
        "named": one(built, PLAIN)["kind"],
        "process": one(built, LONELY)["kind"],
    } == {kind: kind for kind in ("host", "container", "named", "process")}
    foreign = sources(host=host()._replace(namespaces={LOST: found(foreign=["/proc/1"])}))
    assert one(build(foreign), LOST)["kind"] == "named"


POD = model.Pod("shop", "cart", "0b6c")
PAUSE = container("shop_cart", "a" * 64, 500, pod=POD, sandbox=True)
CART = container("cart", "b" * 64, 501, pod=POD, network_mode=f"container:{PAUSE.id}")


@pytest.mark.parametrize(
    ("containers", "kind", "pod", "names"),
    [
        ((PAUSE, CART), "pod", POD, ["cart"]),
        ((PAUSE,), "pod", POD, []),
        # Its sandbox has died.
        ((CART,), "pod", POD, ["cart"]),
        # Two pods' members, whose own sandboxes are gone: nobody knows.
        (
            (CART, CART._replace(id="c" * 64, pod=model.Pod("x", "y", "z"))),
            "container",
            None,
            ["cart", "cart"],
        ),
        # In a pod, and in a namespace of its own.
        ((CART._replace(network_mode="none"),), "container", None, ["cart"]),
        # Somebody from outside.
        ((PAUSE, CART, CONTAINERS[0]), "pod", POD, ["cart", "web"]),
    ],
)
def test_pods(
    containers: t.Sequence[model.Container],
    kind: str,
    pod: model.Pod | None,
    names: list[str],
) -> None:
    places = dict.fromkeys((each.key for each in containers), WEB)
    namespace = one(build(sources(readings=[reading(*containers)], places=places)), WEB)
    assert namespace["kind"] == kind
    assert namespace["pod"] == (pod and pod._asdict())
    assert [each["name"] for each in namespace["containers"]] == names


def test_a_pod_on_the_hosts_network_does_not_make_the_host_a_pod() -> None:
    places = dict.fromkeys((PAUSE.key, CART.key), HOST)
    namespace = one(build(sources(readings=[reading(PAUSE, CART)], places=places)), HOST)
    assert (namespace["kind"], namespace["pod"]) == ("host", None)
    assert [each["name"] for each in namespace["containers"]] == ["cart"]


def test_whose_the_others_are() -> None:
    held = found()
    held.files += ["/proc/300/fd/7", "/proc/300/fd/9"]
    built = build(sources(host=host()._replace(namespaces={**host().namespaces, PLAIN: held})))
    assert (one(built, LONELY)["unit"], one(built, LONELY)["user"]) == ("dns.service", "mia")
    # Where nobody is in it, the one that holds it open says it.
    assert (one(built, PLAIN)["unit"], one(built, PLAIN)["user"]) == ("keeper.service", None)
    assert one(built, PLAIN)["processes"] == {
        "count": 0,
        "first": [],
        "holders": [{"pid": 300, "command": "keeper"}],
    }
    for netns in (HOST, WEB, LOST):
        assert (one(built, netns)["unit"], one(built, netns)["user"]) == (None, None)


def test_the_user_of_a_rootless_engine() -> None:
    containers = [CONTAINERS[0]._replace(user="mia"), *CONTAINERS[1:]]
    built = build(sources(readings=[reading(*containers)]))
    assert one(built, WEB)["user"] == "mia"


def test_the_network_that_a_sandbox_is_for() -> None:
    pin = "/run/docker/netns/1-s0d2k8q1m3"
    read = sources(
        host=host()._replace(namespaces={LOST: found(pins=["/run/netns/lost", pin])}),
        networks={pin: model.Network("s0d2k8q1m3v5", "shop")},
    )
    namespace = one(build(read), LOST)
    assert namespace["network"] == {"id": "s0d2k8q1m3v5", "name": "shop"}
    assert (namespace["kind"], namespace["engine"], namespace["stale"]) == (
        "named",
        "docker",
        False,
    )


def test_an_engine_that_is_only_sought_is_there_if_something_of_it_is() -> None:
    nothing = model.Reading("podman", model.PROCESSES, presence_uncertain=True)
    assert [each["name"] for each in build(sources(readings=[READ, nothing]))["engines"]] == [
        "docker"
    ]
    mias = CONTAINERS[0]._replace(engine="podman", user="mia")
    (engine,) = build(sources(readings=[nothing._replace(containers=(mias,))]))["engines"]
    assert engine["source"] == model.PROCESSES
    files = READ._replace(read_from="/var/lib/docker")
    (engine,) = build(sources(readings=[files]))["engines"]
    assert (engine["source"], engine["read_from"]) == (SOCKET, "/var/lib/docker")


def test_a_container_of_which_engine_and_kernel_disagree() -> None:
    lost = CONTAINERS[0]._replace(pid=0, problem="its first process is elsewhere")
    built = build(sources(readings=[reading(lost)], places={}))
    assert built["incomplete"] == [
        {"source": "docker", "reason": "container web: its first process is elsewhere"}
    ]


def test_containers_on_the_hosts_network_are_on_the_hosts_namespace() -> None:
    namespace = one(build(sources()), HOST)
    assert [each["name"] for each in namespace["containers"]] == ["hosty"]
    assert (namespace["is_host"], namespace["engine"]) == (True, None)


@pytest.mark.parametrize(
    ("asked", "error", "kind"),
    [
        (shape.SUBSETS, None, "process"),
        (shape.SUBSETS, "it hangs", None),
        ([shape.INTERFACES], None, None),
    ],
)
def test_kind_is_unknown_where_an_engine_was_not_read(
    asked: t.Sequence[str], error: str | None, kind: str | None
) -> None:
    built = build(sources(readings=[reading(error=error)], places={}), asked)
    assert one(built, LONELY)["kind"] == kind
    assert one(built, HOST)["kind"] == "host"


def test_what_is_not_asked_for_is_not_there() -> None:
    built = build(sources(), asked=[])
    assert "lost_devices" not in built
    every = {*shape.SUBSETS, "pod", "unit", "user", "network"}
    assert not every & set(one(built, WEB))
    assert len(one(build(sources(), asked=["processes"]), HOST)["processes"]["first"]) == 1


def test_only_the_first_few_processes() -> None:
    read = sources()
    processes = {pid: shape.Process(f"c{pid}", None, None) for pid in range(200)}
    chosen = shape.records(read, None)
    views = {record.netns: netns_reader.View() for record in chosen}
    built = shape.build(read, chosen, ["processes"], shape.Seen(views, processes, {}, (), {}))
    processes = one(built, HOST)["processes"]
    assert processes["count"] == 7
    assert [each["pid"] for each in processes["first"]] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        (None, [HOST, WEB, PLAIN, LOST, LONELY]),
        ([], []),
        (["web"], [WEB]),
        (["side"], [WEB]),
        ([WEB_ID[:12]], [WEB]),
        (["f3"], [HOST]),
        (["*o*"], [HOST, LOST]),
        (["plain", "lost"], [PLAIN, LOST]),
        (["alia?"], [WEB]),
        (["*/*"], []),
        (["WEB"], []),
    ],
)
def test_patterns(patterns: list[str] | None, expected: list[model.NetnsId]) -> None:
    assert [each.netns for each in shape.records(sources(), patterns)] == expected


def entry(**changes: t.Any) -> ledger.Entry:
    return ledger.Entry(**{**ENTRY._asdict(), **changes})


def reading(*containers: model.Container, **changes: t.Any) -> model.Reading:
    return model.Reading(**{**READ._asdict(), "containers": containers, **changes})


BACK = container("old", "9" * 64, 400)


@pytest.mark.parametrize(
    ("stale", "more"),
    [
        # A plain named namespace; a link of ours to a file.
        (False, {}),
        (False, {"entries": [entry()]}),
        # A link made for a container that is gone; and that runs elsewhere; and nobody knows where.
        (True, {"entries": [entry(**OURS)]}),
        (True, {"entries": [entry(**OURS)], "containers": [BACK], "places": {BACK.key: WEB}}),
        (None, {"entries": [entry(**OURS)], "containers": [BACK], "places": {BACK.key: None}}),
        # It is another's by now.
        (False, {"entries": [entry(**OURS, file=99)]}),
        (False, {"entries": [entry(**OURS, netns=WEB)]}),
        (False, {"entries": [entry(**OURS, path="/run/netns/plain")]}),
        (False, {"entries": [entry(**OURS, path="/srv/netns/lost")]}),
        # A move away from it that was never finished.
        (True, {"entries": [entry(**OURS, netns=WEB, previous=LOST)]}),
        # The engine was not read, or it was another daemon of its kind.
        (None, {"entries": [entry(**OURS)], "error": "hangs"}),
        (None, {"entries": [entry(**{**OURS, "source": "/srv/docker.sock"})]}),
        # A link made for a process that is gone; that still runs; whose PID is another's.
        (True, {"entries": [entry(pid=7, start_time=70)]}),
        (False, {"entries": [entry(pid=7, start_time=70)], "start_times": {7: 70}}),
        (True, {"entries": [entry(pid=7, start_time=70)], "start_times": {7: 71}}),
        # Somebody is in there.
        (False, {"entries": [entry(**OURS)], "pids": [9]}),
        (False, {"entries": [entry(**OURS)], "containers": [BACK], "places": {BACK.key: LOST}}),
        # Docker's own pins: of a container, by a daemon that was (not) read, and of a network.
        (True, {"pins": [SANDBOX]}),
        (None, {"pins": [SANDBOX], "error": "hangs"}),
        (None, {"pins": ["/run/user/1000/docker/netns/8d6964defe15"]}),
        (False, {"pins": ["/run/docker/netns/ingress_sbox"]}),
        (False, {"pins": ["/run/docker/netns/1-s0d2k8q1m3"]}),
        # Of a container that is perhaps just being started.
        (None, {"pins": [SANDBOX], "busy": ["/run/docker/netns"]}),
        (True, {"pins": [SANDBOX], "busy": ["/run/netns"]}),
        # One verdict is enough.
        (True, {"pins": [SANDBOX, "/run/user/1000/docker/netns/8d6964defe15"]}),
        # Processes that cannot be seen may be in there; but PID 1 is the host's.
        (None, {"entries": [entry(**OURS)], "unreadable": [8]}),
        (True, {"entries": [entry(**OURS)], "unreadable": [1]}),
        (False, {"unreadable": [8]}),
        # It is unknown whose link it is.
        (None, {"entries": None}),
    ],
)
def test_stale(stale: bool | None, more: dict[str, t.Any]) -> None:
    entries = more.get("entries", [])
    built = build(
        sources(
            host=host(more.get("unreadable", ()))._replace(
                namespaces={LOST: found(more.get("pids", ()), more.get("pins", ()))}
            ),
            readings=[reading(*more.get("containers", ()), error=more.get("error"))],
            places=more.get("places", {}),
            entries=None if entries is None else {each.path: each for each in entries},
            start_times=more.get("start_times", {}),
            busy=more.get("busy", ()),
        )
    )
    assert one(built, LOST)["stale"] is stale


@pytest.mark.parametrize(
    ("engine", "entries", "pins"),
    [
        ("docker", [], [SANDBOX]),
        ("docker", [entry(**OURS)], []),
        (None, [entry(pid=7, start_time=70)], []),
        (None, [], ["/run/docker/netns/ingress_sbox"]),
    ],
)
def test_the_engine_that_it_was_made_for(
    engine: str | None, entries: list[ledger.Entry], pins: list[str]
) -> None:
    read = sources(
        host=host()._replace(namespaces={LOST: found(pins=pins)}),
        entries={each.path: each for each in entries},
    )
    assert one(build(read), LOST)["engine"] == engine


def test_links_in_other_directories_are_ours_too() -> None:
    """The ledger knows every netns_dir that was ever used; `names` are of the one asked for."""
    elsewhere = entry(**OURS, path="/srv/netns/old", file=77)
    links = {**LINKS, "/srv/netns": {"old": discovery.Name(LOST, 77)}}
    namespace = one(build(sources(links=links, entries={elsewhere.path: elsewhere})), LOST)
    assert (namespace["stale"], namespace["names"]) == (True, ["lost"])


def test_interfaces() -> None:
    interfaces = (
        rtnetlink.Interface(1, "lo", None, "00:00:00:00:00:00", 65536, "UNKNOWN", None),
        rtnetlink.Interface(2, "br0", "bridge", "02:42:ac:11:00:03", 1400, "UP", None),
        rtnetlink.Interface(3, "eth0", "veth", "02:42:ac:11:00:02", 1400, "UP", 2),
        rtnetlink.Interface(4, "tun0", "tun", None, 1500, "DOWN", 99),
    )
    addresses = (
        rtnetlink.Address(2, "172.17.0.2/16"),
        rtnetlink.Address(1, "127.0.0.1/8"),
        rtnetlink.Address(2, "fd00::2/64"),
    )
    keys = (
        *("name", "index", "kind", "mac", "mtu", "state"),
        *("addresses", "master", "physical", "peer"),
    )
    rest = (False, None)
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
        ("eth0", 3, "veth", "02:42:ac:11:00:02", 1400, "UP", [], "br0", *rest),
        ("tun0", 4, "tun", None, 1500, "DOWN", [], None, *rest),
    ]
    built = build(sources(), interfaces=interfaces, addresses=addresses)
    assert one(built, WEB)["interfaces"] == [dict(zip(keys, each)) for each in expected]
    # None is not the same as no interfaces.
    assert one(build(sources(), problem="gone"), WEB)["interfaces"] is None


def link(ifindex: int, name: str, **more: t.Any) -> rtnetlink.Interface:
    return rtnetlink.Interface(ifindex, name, None, "02:42:ac:11:00:02", 1500, "UP", None, **more)


def test_where_interfaces_lead() -> None:
    """The names of the other namespace are told whether that was asked for or not."""
    leads = {
        WEB: {
            2: peers.Peer(HOST, 9, "veth35b0a78", "docker0"),
            3: peers.Peer(LOST, 2, "eth1", None),
        },
        HOST: {4: peers.Peer(WEB, 5, "eth9", None)},
    }
    interfaces = (link(2, "eth0"), link(3, "eth1"), link(4, "eth2"))
    built = build(sources(), patterns=["web"], leads=leads, interfaces=interfaces, addresses=())
    assert [each["inode"] for each in built["namespaces"]] == [WEB.inode]
    keys = ("inode", "names", "interface", "index", "master")
    assert [each["peer"] for each in one(built, WEB)["interfaces"]] == [
        dict(zip(keys, (HOST.inode, [], "veth35b0a78", 9, "docker0"))),
        dict(zip(keys, (LOST.inode, ["lost"], "eth1", 2, None))),
        None,
    ]


def test_routes() -> None:
    routes = (
        rtnetlink.Route("default", "172.17.0.1", 2, 0, "main", "inet"),
        rtnetlink.Route("10.0.0.0/8", None, None, 50, "main", "inet"),
        rtnetlink.Route("fd00::/64", None, 77, 256, "main", "inet6"),
    )
    keys = ("dst", "gateway", "interface", "metric", "table", "family")
    expected = [
        ("default", "172.17.0.1", "eth0", 0, "main", "inet"),
        ("10.0.0.0/8", None, None, 50, "main", "inet"),
        # Its interface came between the two dumps.
        ("fd00::/64", None, None, 256, "main", "inet6"),
    ]
    built = build(sources(), interfaces=(link(2, "eth0"),), routes=routes)
    assert one(built, WEB)["routes"] == [dict(zip(keys, each)) for each in expected]
    # The addresses were not asked for.
    assert one(built, WEB)["interfaces"] is None
    assert one(build(sources(), interfaces=(), problem="too many"), WEB)["routes"] is None


def test_dns() -> None:
    said = dns.Dns(("192.0.2.53",), ("shop.test", "test"), ("ndots:5",))
    built = build(sources(), answers={WEB: dns.Answer(said), LOST: dns.Answer()})
    assert one(built, WEB)["dns"] == {
        "nameservers": ["192.0.2.53"],
        "search": ["shop.test", "test"],
        "options": ["ndots:5"],
    }
    assert {one(built, netns)["dns"] for netns in (HOST, PLAIN, LOST)} == {None}
    assert built["complete"]


@pytest.mark.parametrize(
    ("containers", "owner"),
    [
        ((), None),
        ((CART, PAUSE), PAUSE.id),
        ((CART._replace(created=1.0), PAUSE._replace(created=9.0)), PAUSE.id),
        # It joined, although it is older.
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
    places = dict.fromkeys((each.key for each in containers), WEB)
    chosen = shape.records(sources(readings=[reading(*containers)], places=places), None)
    (record,) = [each for each in chosen if each.netns == WEB]
    assert (record.owner and record.owner.id) == owner


@pytest.mark.parametrize(
    ("entries", "error", "names"),
    [
        ([entry(**OURS)], None, ["lost"]),
        # Whether its owner is gone is not known.
        ([entry(**OURS)], "hangs", []),
        # It is there by intent.
        ([], None, []),
    ],
)
def test_devices_that_the_host_has_lost(
    entries: list[ledger.Entry], error: str | None, names: list[str]
) -> None:
    read = sources(
        entries={each.path: each for each in entries}, readings=[reading(error=error)], places={}
    )
    interfaces = (link(1, "veth0"), link(2, "enp3s0f1", physical=True))
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
    assert [each["physical"] for each in one(built, HOST)["interfaces"]] == [False, True]
    warning = shape.warning(built)
    assert (warning is None) == (not names)
    if warning:
        assert "whose owners are gone: enp3s0f1 in lost. The host has them back" in warning
    assert build(read, problem="gone")["lost_devices"] == []
    assert shape.warning(build(read, asked=[])) is None


def test_very_many_lost_devices_are_one_warning() -> None:
    interfaces = tuple(link(number, f"eth{number}", physical=True) for number in range(1, 31))
    read = sources(entries={ENTRY.path: entry(**OURS)}, places={})
    warning = shape.warning(build(read, interfaces=interfaces, addresses=()))
    assert warning is not None
    assert "eth5 in lost and 25 more. The host" in warning


def test_what_of_the_network_is_incomplete() -> None:
    answers = {
        WEB: dns.Answer(None, "Permission denied"),
        LOST: dns.Answer(None, "Permission denied"),
        HOST: dns.Answer(),
    }
    lost = ["more than 65536 requests to the kernel would be needed"]
    built = build(sources(), answers=answers, lost=lost, interfaces=(), addresses=())
    assert built["incomplete"] == [
        {"source": "dns", "reason": f"{WEB.inode}, {LOST.inode}: Permission denied"},
        {"source": "peers", "reason": f"where some interfaces lead is not known: {lost[0]}"},
    ]


def test_what_is_incomplete_and_the_way_out() -> None:
    read = sources(
        host=host(unreadable=range(1000, 1212)),
        readings=[reading(error="/run/docker.sock: no permission")],
        places={},
        entries=None,
        problems=[("podman", "not found on this host")],
        root=False,
    )
    built = build(read, problem="setns: Operation not permitted")
    become = ": run as root (`become: true`)"
    inodes = ", ".join(str(netns.inode) for netns in (HOST, WEB, PLAIN, LOST, LONELY))
    assert built["complete"] is False
    assert built["incomplete"] == [
        {"source": "docker", "reason": "/run/docker.sock: no permission"},
        {"source": "podman", "reason": "not found on this host"},
        {
            "source": "processes",
            "reason": f"212 processes of other users could not be read{become}",
        },
        {
            "source": "ledger",
            "reason": f"which links are this collection's could not be read{become}",
        },
        {"source": "namespaces", "reason": f"{inodes}: setns: Operation not permitted{become}"},
    ]


def test_very_many_namespaces_with_one_problem_are_one_entry() -> None:
    namespaces = {model.NetnsId(4, number): found([number]) for number in range(10, 310)}
    read = sources(host=host(unreadable=[1])._replace(namespaces=namespaces), places={})
    assert build(read, problem="it hangs")["incomplete"] == [
        {"source": "processes", "reason": "1 process could not be read"},
        {"source": "namespaces", "reason": "10, 11, 12, 13, 14 and 295 more: it hangs"},
    ]


def test_containers_that_could_not_be_placed() -> None:
    read = sources(places={one.key: None for one in CONTAINERS[:2]}, root=False)
    assert build(read)["incomplete"] == [
        {
            "source": "docker",
            "reason": "which namespace these containers are in could not be read: side, web"
            ": run as root (`become: true`)",
        }
    ]


def test_names_that_are_no_text() -> None:
    """A lone surrogate, as Python reads such names, would break the controller."""
    links = {"/run/netns": {"w\udce9b": discovery.Name(PLAIN, 1)}}
    namespaces = {PLAIN: found([1], pins=["/run/netns/w\udce9b"])}
    read = sources(host=host()._replace(namespaces=namespaces), links=links)
    chosen = shape.records(read, None)
    processes = {1: shape.Process("\udcff", "u\udcff.scope", None)}
    asked = ["containers", "processes"]
    seen = shape.Seen({PLAIN: netns_reader.View()}, processes, {}, (), {})
    built = shape.build(read, chosen, asked, seen)
    namespace = one(built, PLAIN)
    assert namespace["unit"] == "u\\xff.scope"
    assert namespace["names"] == ["w\\xe9b"]
    assert namespace["pins"] == ["/run/netns/w\\xe9b"]
    assert namespace["processes"]["first"] == [{"pid": 1, "command": "\\xff"}]
