# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Each check on hosts that are data: what it finds, and that it finds nothing where that cannot be known."""

from __future__ import annotations

import types
import typing as t

import pytest

from ansible_collections.linuxnet.netns.plugins.module_utils._core import model
from ansible_collections.linuxnet.netns.plugins.module_utils._core.checks import registry
from ansible_collections.linuxnet.netns.plugins.module_utils._core.checks.evidence import (
    Evidence,
    Stack,
)
from ansible_collections.linuxnet.netns.plugins.module_utils._core.checks.finding import (
    Finding,
    Unknown,
)
from ansible_collections.linuxnet.netns.plugins.module_utils._core.checks.probes import Probes
from ansible_collections.linuxnet.netns.plugins.module_utils._core.checks.request import (
    DoctorRequest,
)
from ansible_collections.linuxnet.netns.plugins.module_utils._core.engines import daemons
from ansible_collections.linuxnet.netns.plugins.module_utils._core.facts import (
    discovery,
    forwards,
    gather,
    peers,
    records,
)
from ansible_collections.linuxnet.netns.plugins.module_utils._core.kernel import (
    inet_sockets,
    mounts,
    netns_reader,
    nftables,
    nsfs,
    procfs,
    rtnetlink,
)
from ansible_collections.linuxnet.netns.plugins.module_utils._core.links import (
    etc_netns,
    ledger,
    netns_dir,
)

SOCKET = "/run/docker.sock"
HOST, WEB, SIDE, LEFT = (model.NetnsId(4, inode) for inode in (1, 2, 3, 4))
WEB_ID, SIDE_ID = "a" * 64, "b" * 64
PIN = "/run/docker/netns/0123456789ab"
RUN = mounts.Mount(22, 21, 26, "/", "/run", 0, "tmpfs")
OLD, YOUNG = 3600.0, 1.0
REQUEST = DoctorRequest()
NOTHING: t.Mapping[t.Any, t.Any] = types.MappingProxyType({})


class FakeProbes(Probes):
    """What a host that has been as it is for an hour answers."""

    def __init__(self, **values: t.Any) -> None:
        self.values = {
            "age": OLD,
            "sysctl": {"net/ipv4/conf/br0/forwarding": 1},
            "sees_all_processes": True,
            "filters_vlans": False,
            "cni": [],
            "rules": ([], []),
            **values,
        }

    def age(self, path: str) -> float | None:
        return t.cast("float", self.values["age"])

    age_of_target = age

    def process_age(self, pid: int) -> float | None:
        return t.cast("float", self.values["age"])

    def proxy_age(self, port: model.Port) -> float | None:
        return t.cast("float", self.values["age"])

    def command(self, pid: int) -> str | None:
        return "cadvisor"

    def sees_all_processes(self) -> bool:
        return bool(self.values["sees_all_processes"])

    def sysctl(self, name: str) -> int | None:
        values = self.values["sysctl"]
        return t.cast("int | None", values.get(name))

    def filters_vlans(self, ifindex: int) -> bool:
        return bool(self.values["filters_vlans"])

    def forward_rules(self) -> tuple[list[nftables.Chain], list[nftables.Rule]]:
        rules = self.values["rules"]
        if isinstance(rules, OSError):
            raise rules  # pylint: disable=raising-bad-type
        return t.cast("tuple[list[nftables.Chain], list[nftables.Rule]]", rules)

    def cni_reservations(self, addresses: t.Iterable[str]) -> list[str]:
        return [f"/var/lib/cni/networks/pods/{each}" for each in addresses if self.values["cni"]]


def references(pids: t.Sequence[int] = (), pins: t.Sequence[str] = ()) -> discovery.References:
    made = discovery.References()
    made.pids += pids
    made.pins += pins
    return made


def container(name: str, identity: str, pid: int, **more: t.Any) -> model.Container:
    return model.Container("docker", SOCKET, identity, name, True, "running", pid=pid, **more)


def interface(index: int, name: str, **more: t.Any) -> rtnetlink.Interface:
    made = rtnetlink.Interface(index, name, None, f"02:00:00:00:00:{index:02x}", 1500, "UP", None)
    return made._replace(**more)


def view(
    *interfaces: rtnetlink.Interface, addresses: t.Mapping[int, str] = NOTHING, gateway: str = ""
) -> netns_reader.View:
    routes = ()
    if gateway:
        routes = (rtnetlink.Route("default", gateway, interfaces[-1].ifindex, 0, "main", "inet"),)
    return netns_reader.View(
        interfaces=(interface(1, "lo"), *interfaces),
        addresses=tuple(rtnetlink.Address(index, text) for index, text in addresses.items()),
        routes=routes,
    )


# Two containers on a bridge of the host, whose way out is eth0.
VIEWS = {
    HOST: view(
        interface(3, "br0", kind="bridge"),
        interface(4, "v1", kind="veth", master=3, link_netnsid=1),
        interface(5, "v2", kind="veth", master=3, link_netnsid=2),
        interface(2, "eth0", physical=True),
        addresses={3: "172.18.0.1/16", 2: "192.0.2.2/24"},
        gateway="192.0.2.1",
    ),
    WEB: view(
        interface(12, "eth0", kind="veth"), addresses={12: "172.18.0.2/16"}, gateway="172.18.0.1"
    ),
    SIDE: view(
        interface(13, "eth0", kind="veth"), addresses={13: "172.18.0.3/16"}, gateway="172.18.0.1"
    ),
    LEFT: view(interface(14, "eth7"), addresses={14: "172.18.0.4/16"}),
}
PEERS: peers.Peers = {
    HOST: {4: peers.Peer(WEB, 12, "eth0", None), 5: peers.Peer(SIDE, 13, "eth0", None)},
    WEB: {12: peers.Peer(HOST, 4, "v1", "br0")},
    SIDE: {13: peers.Peer(HOST, 5, "v2", "br0")},
}
CONTAINERS = (container("web", WEB_ID, 100), container("side", SIDE_ID, 101))
NAMESPACES = {HOST: references([1]), WEB: references([100]), SIDE: references([101])}


def host(
    containers: t.Sequence[model.Container] = CONTAINERS,
    namespaces: t.Mapping[model.NetnsId, discovery.References] = NOTHING,
    netns: t.Mapping[model.ContainerKey, model.NetnsId] = NOTHING,
    views: t.Mapping[model.NetnsId, netns_reader.View] = NOTHING,
    entries: t.Sequence[ledger.Entry] | None = (),
    error: str | None = None,
    unreadable: t.Sequence[int] = (),
    sockets_problem: str | None = None,
    engines: t.Sequence[str] | None = None,
    netstacks: t.Mapping[model.NetnsId, str] = NOTHING,
    request: DoctorRequest = REQUEST,
    ports: t.Sequence[forwards.Forward] = (),
    peer_problems: t.Sequence[str] = (),
    is_root: bool = True,
    own: model.NetnsId = HOST,
    probes: t.Mapping[str, t.Any] = NOTHING,
    peers: t.Mapping[model.NetnsId, t.Any] = NOTHING,
    **more: t.Any,
) -> Evidence:
    """A host that is healthy but for what is given."""
    found = {**NAMESPACES, **namespaces}
    discovered = discovery.HostNamespaces(
        HOST, own, True, found, {}, tuple(unreadable), sockets_problem=sockets_problem
    )
    reading = model.Reading("docker", SOCKET, "26", () if error else tuple(containers), error)
    names = {
        entry.name: nsfs.DirectoryEntry(entry.netns, entry.file or 0) for entry in entries or ()
    }
    located = {CONTAINERS[0].key: WEB, CONTAINERS[1].key: SIDE, **netns}
    sources = records.Sources(
        netns_dir="/run/netns",
        engines=engines,
        discovered=discovered,
        names_by_dir={"/run/netns": names},
        readings=[reading],
        container_netns={} if error else located,
        networks_by_pin={},
        ledger_entries=None if entries is None else {entry.path: entry for entry in entries},
        start_times={},
        changing_dirs=(),
        problems=[],
        is_root=is_root,
        forwards=list(ports),
    )
    details = records.Details(
        {**VIEWS, **views},
        {},
        {**PEERS, **peers},
        list(peer_problems),
        {},
        {},
        netstacks=netstacks,
    )
    values: dict[str, t.Any] = {
        "path_states": {},
        "directory": netns_dir.Directory(True, True, True, mount=RUN),
        "stacks": {},
        "resolv_conf_files": {},
        **more,
    }
    selected = records.records(sources, None)
    return Evidence(
        request,
        gather.Gathered(sources, selected, details),
        probes=FakeProbes(**probes),
        **values,
    )


def findings(evidence: Evidence) -> list[Finding]:
    found: list[Finding] = []
    for check in registry.CHECKS:
        found += check.find(evidence)
    return found


def test_a_healthy_host() -> None:
    assert findings(host()) == []


EMPTY = netns_dir.PathState(netns_dir.EMPTY, "an empty file", 7)
DEAD = netns_dir.PathState(netns_dir.SYMLINK, "a symbolic link that leads nowhere", 8, dead=True)
MOUNT = mounts.Mount(40, 30, 4, "net:[4]", "/run/netns/cni-1", 0, "nsfs")
ENTRY = ledger.Entry("/run/netns/old", LEFT, 9, "module", None, "docker", SOCKET, "c" * 64, "old")
STRANDED = (
    CONTAINERS[0],
    container("side", SIDE_ID, 101, network_mode=f"container:{WEB_ID}"),
)
OF_REMOVED = (container("side", SIDE_ID, 101, network_mode="container:" + "d" * 64),)
PORT = model.Port("tcp", "0.0.0.0", 8080, "172.18.0.2", 80)
GHOST = PORT._replace(to_address="172.18.0.99")
LISTENS = VIEWS[WEB]._replace(sockets=inet_sockets.Sockets((), {}))
DROPS = [nftables.Chain(nftables.IPV4, "filter", "FORWARD")]
FOR_DOCKER0 = [nftables.Rule(nftables.IPV4, "filter", incoming=b"docker0\0")]
MARKED = etc_netns.File("# linuxnet.netns …\n", {"link": "/run/netns/old"})


def held() -> discovery.References:
    made = discovery.References()
    made.proc_files.append("/proc/55/fd/7")
    return made


def with_duplicate() -> dict[model.NetnsId, netns_reader.View]:
    side = VIEWS[SIDE]
    return {SIDE: side._replace(addresses=(rtnetlink.Address(13, "172.18.0.2/16"),))}


def with_mtu(mtu: int) -> dict[model.NetnsId, netns_reader.View]:
    view_of_host = VIEWS[HOST]
    assert view_of_host.interfaces
    changed = tuple(
        each._replace(mtu=mtu) if each.name == "eth0" else each for each in view_of_host.interfaces
    )
    return {HOST: view_of_host._replace(interfaces=changed)}


def without_route() -> dict[str, t.Any]:
    """A third container, which has lost its default route."""
    third, its_id = model.NetnsId(4, 5), "e" * 64
    lost = container("lost", its_id, 102)
    return {
        "containers": (*CONTAINERS, lost),
        "namespaces": {third: references([102])},
        "netns": {lost.key: third},
        "views": {third: view(interface(15, "eth0"), addresses={15: "172.18.0.5/16"})},
        "peers": {third: {15: peers.Peer(HOST, 6, "v3", "br0")}},
    }


# By check: a host with the illness, and what the subject then has.
ILL: dict[str, tuple[dict[str, t.Any], dict[str, t.Any]]] = {
    "dangling_entry": ({"path_states": {"dead": EMPTY}}, {"path": "/run/netns/dead"}),
    "covered_pin": (
        {"stacks": {"/run/netns/cni-1": Stack((4,), (MOUNT,))}},
        {"path": "/run/netns/cni-1"},
    ),
    "double_pin": (
        {"stacks": {"/run/netns/web": Stack((4, 2), ())}},
        {"inode": 2, "path": "/run/netns/web"},
    ),
    "busy_pin": (
        {
            "path_states": {"held": EMPTY._replace(holder=55, held_inode=LEFT.inode)},
            "namespaces": {LEFT: references()},
        },
        {"inode": 4, "path": "/run/netns/held"},
    ),
    "private_directory": (
        {"directory": netns_dir.Directory(mount=RUN)},
        {"path": "/run/netns"},
    ),
    "stale_link": (
        {"entries": [ENTRY], "namespaces": {LEFT: references(pins=["/run/netns/old"])}},
        {"inode": 4, "path": "/run/netns/old", "containers": ("old",)},
    ),
    "orphaned_namespace": (
        {"namespaces": {LEFT: references(pins=[PIN])}, "probes": {"cni": True}},
        {"inode": 4, "path": PIN},
    ),
    "held_open": ({"namespaces": {LEFT: held()}}, {"inode": 4}),
    "lost_device": (
        {
            "entries": [ENTRY],
            "namespaces": {LEFT: references(pins=["/run/netns/old"])},
            "views": {LEFT: view(interface(14, "eth7", physical=True))},
        },
        {"inode": 4, "interface": "eth7"},
    ),
    "stranded_sharer": ({"containers": STRANDED}, {"inode": 3, "containers": ("side",)}),
    "ownerless_veth": (
        {
            "views": {
                HOST: VIEWS[HOST]._replace(
                    interfaces=(
                        *(VIEWS[HOST].interfaces or ()),
                        interface(9, "vlost", kind="veth", link_netnsid=7),
                    )
                )
            }
        },
        {"interface": "vlost"},
    ),
    "duplicate_address": ({"views": with_duplicate()}, {"interface": "br0"}),
    "mtu": ({"views": with_mtu(1460)}, {"inode": 2, "containers": ("web",)}),
    "forward_drop": ({"probes": {"rules": (DROPS, FOR_DOCKER0)}}, {"interface": "br0"}),
    "no_forwarding": (
        {"probes": {"sysctl": {"net/ipv4/conf/br0/forwarding": 0}}},
        {"interface": "br0"},
    ),
    "no_default_route": (without_route(), {"inode": 5, "containers": ("lost",)}),
    "deaf_port": (
        {
            "ports": [forwards.Forward(PORT, "docker", CONTAINERS[0])],
            "views": {WEB: LISTENS},
        },
        {"inode": 2, "containers": ("web",)},
    ),
    "ghost_port": ({"ports": [forwards.Forward(GHOST, "proxy", None)]}, {}),
    "conntrack_full": (
        {
            "probes": {
                "sysctl": {
                    "net/netfilter/nf_conntrack_count": 95,
                    "net/netfilter/nf_conntrack_max": 100,
                    "net/ipv4/conf/br0/forwarding": 1,
                }
            }
        },
        {"path": "/proc/sys/net/netfilter/nf_conntrack_max"},
    ),
    "leftover_etc": (
        {"resolv_conf_files": {"old": MARKED}},
        {"path": "/etc/netns/old/resolv.conf"},
    ),
}


def test_there_is_an_illness_for_each_check() -> None:
    assert list(ILL) == list(registry.NAMES)


@pytest.mark.parametrize("name", ILL)
def test_an_illness_is_found_alone(name: str) -> None:
    values, subject = ILL[name]
    found = findings(host(**values))
    # The device is in the namespace of a stale link.
    assert {each.check for each in found} - (
        {"stale_link"} if name == "lost_device" else set()
    ) == {name}
    (first, *_others) = (each for each in found if each.check == name)
    assert {key: getattr(first.subject, key) for key in subject} == subject
    assert first.evidence
    assert first.remedy
    assert first.message
    # What a repair needs of the finding is there.
    (check,) = (check for check in registry.CHECKS if check.name == name)
    assert (first.repair is not None) == check.repairs


YOUNG_PROBES = {"probes": {"age": YOUNG}}
REFUSED = {"probes": {"rules": OSError(1, "Operation not permitted")}}
USED = {LEFT: references([77], ["/run/netns/old"])}
NO_FINDING: list[tuple[str, dict[str, t.Any]]] = [
    (
        "dangling_entry",
        {"path_states": {"dead": EMPTY._replace(holder=5)}},
    ),
    ("dangling_entry", {"path_states": {"dead": EMPTY._replace(kind=netns_dir.OTHER)}}),
    ("dangling_entry", YOUNG_PROBES),
    ("busy_pin", {"namespaces": {LEFT: references([77])}}),
    ("busy_pin", {"namespaces": {LEFT: references([77])}, "unreadable": [5]}),
    ("busy_pin", YOUNG_PROBES),
    ("private_directory", YOUNG_PROBES),
    # The engine is in `incomplete`.
    ("stale_link", {"error": "it does not answer"}),
    ("stale_link", {"namespaces": USED, "unreadable": [5]}),
    ("orphaned_namespace", {"error": "it does not answer"}),
    ("orphaned_namespace", {"namespaces": {LEFT: references([77], [PIN])}, "unreadable": [5]}),
    # Pins of engines that are not known, and names that were given on purpose.
    ("orphaned_namespace", {"namespaces": {LEFT: references(pins=["/run/other/x"])}}),
    ("orphaned_namespace", {"namespaces": {LEFT: references(pins=["/run/netns/qdhcp-1"])}}),
    ("orphaned_namespace", YOUNG_PROBES),
    ("held_open", YOUNG_PROBES),
    ("lost_device", {"error": "it does not answer"}),
    ("lost_device", {"namespaces": USED, "unreadable": [5]}),
    ("stranded_sharer", {"error": "it does not answer"}),
    ("stranded_sharer", YOUNG_PROBES),
    ("stranded_sharer", {"netns": {CONTAINERS[1].key: WEB}}),
    ("ownerless_veth", {"views": {}, "unreadable": [5], "sockets_problem": "of a kernel"}),
    ("duplicate_address", {"probes": {"filters_vlans": True}}),
    ("mtu", {"views": {HOST: VIEWS[HOST]._replace(routes=())}}),
    ("forward_drop", {"views": {HOST: VIEWS[HOST]._replace(routes=())}}),
    ("no_forwarding", {"probes": {"sysctl": {}}}),
    ("no_default_route", YOUNG_PROBES),
    ("deaf_port", YOUNG_PROBES),
    ("deaf_port", {"views": {}}),
    ("deaf_port", {"netstacks": {WEB: "gvisor"}}),
    ("ghost_port", YOUNG_PROBES),
    ("ghost_port", {"ports": [], "error": "it does not answer", "unreadable": [5]}),
    # The module is not loaded.
    ("conntrack_full", {"probes": {"sysctl": {}}, "own": SIDE}),
    ("leftover_etc", YOUNG_PROBES),
    ("leftover_etc", {"path_states": {"old": EMPTY._replace(kind=netns_dir.NETNS)}}),
    ("leftover_etc", {"resolv_conf_files": {"old": MARKED._replace(mark=None)}}),
    # What its repair would leave.
    ("leftover_etc", {"request": DoctorRequest(engines=("podman",))}),
]
NO_NETNS_DIR = {"problems": [("/run/netns", "Input/output error")]}
PARTIAL = {"views": {HOST: VIEWS[HOST]._replace(routes=None)}}
OF_BRIDGES = ("duplicate_address", "mtu", "forward_drop", "no_forwarding", "no_default_route")
# What is missing is the first argument of Unknown.
UNKNOWN: list[tuple[str, dict[str, t.Any], str]] = [
    ("dangling_entry", {"unreadable": [5]}, "/run/netns"),
    ("dangling_entry", {"is_root": False}, "/run/netns"),
    ("dangling_entry", {"pins_propagate": False}, "/run/netns"),
    ("dangling_entry", NO_NETNS_DIR, "/run/netns"),
    ("busy_pin", {"unreadable": [5]}, "processes"),
    ("busy_pin", {"path_states": {"held": EMPTY}, "unreadable": [5]}, "processes"),
    ("busy_pin", NO_NETNS_DIR, "/run/netns"),
    ("private_directory", NO_NETNS_DIR, "/run/netns"),
    ("stale_link", {"unreadable": [5]}, "processes"),
    ("stale_link", {"entries": None}, "ledger"),
    ("orphaned_namespace", {"unreadable": [5]}, "processes"),
    ("orphaned_namespace", {"is_root": False}, "processes"),
    ("held_open", {"unreadable": [5]}, "processes"),
    ("lost_device", {"unreadable": [5]}, "processes"),
    ("ownerless_veth", PARTIAL, "interfaces"),
    ("ownerless_veth", {"peer_problems": ["it was killed"]}, "peers"),
    ("ownerless_veth", {"probes": {"sees_all_processes": False}}, "processes"),
    ("ownerless_veth", {"unreadable": [5]}, "processes"),
    ("ownerless_veth", {"sockets_problem": "process 55 has more than 1000 sockets"}, "sockets"),
    *((name, PARTIAL, "interfaces") for name in OF_BRIDGES),
    *((name, {"is_root": False}, "interfaces") for name in OF_BRIDGES),
    ("duplicate_address", {"own": SIDE}, "br0"),
    ("forward_drop", {"own": SIDE}, "nf_tables"),
    ("forward_drop", REFUSED, "nf_tables"),
    ("no_forwarding", {"own": SIDE}, "/proc/sys/net"),
    ("ghost_port", {"error": "it does not answer"}, "engines"),
    ("ghost_port", {"engines": ["docker"]}, "engines"),
    ("ghost_port", {"unreadable": [5]}, "processes"),
    ("ghost_port", {"netstacks": {WEB: "gvisor"}}, "addresses"),
    ("conntrack_full", {"own": SIDE}, "/proc/sys/net/netfilter"),
    ("conntrack_full", {"is_root": False}, "/proc/sys/net/netfilter"),
    ("leftover_etc", NO_NETNS_DIR, "/run/netns"),
    ("leftover_etc", {"problems": [("/etc/netns", "Permission denied")]}, "/etc/netns"),
]


def check_of(name: str) -> t.Callable[[Evidence], t.Iterable[Finding]]:
    (check,) = (check for check in registry.CHECKS if check.name == name)
    assert list(check.find(host(**ILL[name][0])))
    return check.find


@pytest.mark.parametrize(
    ("name", "change"),
    NO_FINDING,
    ids=[f"{name}-{'-'.join(change)}" for name, change in NO_FINDING],
)
def test_what_is_not_wrong_is_no_finding(name: str, change: dict[str, t.Any]) -> None:
    assert list(check_of(name)(host(**{**ILL[name][0], **change}))) == []


@pytest.mark.parametrize(
    ("name", "change", "source"),
    UNKNOWN,
    ids=[f"{name}-{'-'.join(change)}" for name, change, _source in UNKNOWN],
)
def test_a_check_that_cannot_know_reports_what_is_missing(
    name: str, change: dict[str, t.Any], source: str
) -> None:
    with pytest.raises(Unknown) as unknown:
        list(check_of(name)(host(**{**ILL[name][0], **change})))
    assert unknown.value.source == source
    assert unknown.value.reason


OF_REMOVED_VIEWS = {SIDE: view()}


def test_a_sharer_of_a_container_that_was_removed() -> None:
    assert [each.check for each in findings(host(OF_REMOVED, views=OF_REMOVED_VIEWS))] == [
        "stranded_sharer"
    ]
    # It still has an interface.
    assert findings(host(OF_REMOVED)) == []


def test_the_reserved_address_is_named_before_anything_is_removed() -> None:
    values, _subject = ILL["orphaned_namespace"]
    (finding,) = findings(host(**values))
    assert "/var/lib/cni/networks/pods/172.18.0.4" in finding.remedy
    assert finding.evidence[-1].startswith("/var/lib/cni/networks/pods/172.18.0.4: ")


def test_commands_in_remedies_are_quoted() -> None:
    (finding,) = findings(host(path_states={"a; rm -rf ~": EMPTY}))
    assert "`rm '/run/netns/a; rm -rf ~'`" in finding.remedy


def test_other_chains_and_rules() -> None:
    inet = nftables.Chain(nftables.INET, "filter", "forward")
    bridge = nftables.Chain(7, "filter", "forward")
    for_br0 = nftables.Rule(nftables.INET, "filter", incoming=b"br0\0")
    for rules, expected in (
        (([inet], []), ["forward_drop"]),
        (([inet], [for_br0]), []),
        # Of another table, and of a chain that bridges.
        (([inet], [for_br0._replace(table="nat")]), ["forward_drop"]),
        (([bridge], []), []),
    ):
        assert [each.check for each in findings(host(probes={"rules": rules}))] == expected


def with_next_hops(*ifindexes: int, mtu: int = 1500) -> dict[str, t.Any]:
    """A default route of the host with several next hops, of which eth1 has this MTU."""
    of_host = VIEWS[HOST]
    assert of_host.interfaces
    assert of_host.routes
    several = of_host._replace(
        interfaces=(*of_host.interfaces, interface(7, "eth1", physical=True, mtu=mtu)),
        routes=tuple(of_host.routes[0]._replace(ifindex=each) for each in ifindexes),
    )
    return {"views": {HOST: several}}


@pytest.mark.parametrize("ifindexes", [(2, 7), (7, 2)])
def test_each_next_hop_of_the_default_route_counts(ifindexes: tuple[int, int]) -> None:
    found = findings(host(**with_next_hops(*ifindexes, mtu=1400)))
    assert [each.check for each in found] == ["mtu", "mtu"]
    assert all("eth1 of the host, has 1400" in each.message for each in found)
    # A way out over another metric does not.
    one = with_next_hops(2, 7, mtu=1400)
    first, second = one["views"][HOST].routes
    routes = (first, second._replace(metric=100))
    assert findings(host(views={HOST: one["views"][HOST]._replace(routes=routes)})) == []


@pytest.mark.parametrize(
    ("outgoing", "ifindexes", "expected"),
    [
        (b"eth0\0", (2, 7), []),
        (b"eth1\0", (2, 7), []),
        (b"eth2\0", (2, 7), ["forward_drop"]),
        # Where the way out is not known.
        (b"eth2\0", (99,), []),
        (b"", (99,), ["forward_drop"]),
    ],
)
def test_a_rule_for_one_of_the_ways_out_may_let_packets_through(
    outgoing: bytes, ifindexes: tuple[int, ...], expected: list[str]
) -> None:
    rules = FOR_DOCKER0
    if outgoing:
        rules = [nftables.Rule(nftables.IPV4, "filter", outgoing=outgoing)]
    looked_at = host(**with_next_hops(*ifindexes), probes={"rules": (DROPS, rules)})
    assert [each.check for each in findings(looked_at)] == expected


def test_the_route_of_a_container_can_have_several_next_hops() -> None:
    web = VIEWS[WEB]
    assert web.routes
    routes = (web.routes[0]._replace(gateway="172.18.0.254"), *web.routes)
    views = {WEB: web._replace(routes=routes), **with_mtu(1460)}
    assert [each.check for each in findings(host(views=views))] == ["mtu", "mtu"]


def test_a_proxy_that_ends_just_then_has_no_age(monkeypatch: pytest.MonkeyPatch) -> None:
    def age(process: int) -> float:
        if process == 3:
            raise model.GoneError("the process ended")
        return 10.0 * process

    options = {"host-port": "8080", "container-ip": GHOST.to_address}
    monkeypatch.setattr(daemons, "option", lambda _process, name: options[name])
    monkeypatch.setattr(procfs, "age", age)
    for processes, expected in (((3,), None), ((3, 4, 5), 40.0)):
        running = [(process, "docker-proxy") for process in processes]
        monkeypatch.setattr(daemons, "running", lambda _prefix, listed=running: iter(listed))
        assert Probes().proxy_age(GHOST) == expected
