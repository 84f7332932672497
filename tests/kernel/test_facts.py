# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The facts about real namespaces, compared with what `ip` shows."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
import time
import typing as t

import pytest
from support import (
    CHROOT,
    LONE,
    UPPER,
    Daemon,
    ScratchHost,
    environment,
    inode,
    interfaces_by_ip,
    routes_by_ip,
    wait_for,
)

from ansible_collections.linuxnet.netns.plugins.module_utils._core.facts import gather, request
from ansible_collections.linuxnet.netns.plugins.module_utils._core.kernel import netns_reader

NAMES = ["a", "b", "c"]
HOST = ""
GATHER = """
import json, sys
from ansible_collections.linuxnet.netns.plugins.module_utils._core.facts import gather, request
netns_dir, state, *subset = sys.argv[1:]
facts_request = request.FactsRequest(netns_dir, None, 5.0, request.parse_subset(subset))
facts = gather.gather(facts_request, state)
json.dump([facts, [name.rpartition("._core.")[2] for name in sys.modules]], sys.stdout)
"""


def run_gather(
    scratch: ScratchHost, *subset: str, enter: t.Sequence[str] = ()
) -> tuple[t.Any, set[str]]:
    """The facts, and the modules of _core that were loaded for them."""
    netns_dir = "/run/netns" if enter else str(scratch.dir)
    words = [*enter, sys.executable, "-c", GATHER, netns_dir, str(scratch.state), *subset]
    output = subprocess.run(words, check=True, stdout=subprocess.PIPE, env=environment()).stdout
    facts, loaded = json.loads(output)
    return facts, set(loaded)


class IpHost:
    """A mount namespace with its own /run/netns, in which `ip` makes namespaces."""

    def __init__(self, scratch: ScratchHost) -> None:
        process = scratch.process("unshare", "--mount", "sleep", "infinity")
        while inode(f"/proc/{process}/ns/mnt") == inode("/proc/self/ns/mnt"):
            time.sleep(0.01)
        # Only its mount namespace is entered: the host's network namespace is the host here too.
        self.enter = ("nsenter", f"--mount=/proc/{process}/ns/mnt")
        self.run("mount", "-t", "tmpfs", "none", "/run")
        for name in NAMES:
            self.run("ip", "netns", "add", name)

    def run(self, *words: str, check: bool = True) -> bool:
        quiet = None if check else subprocess.DEVNULL
        return subprocess.run([*self.enter, *words], check=check, stderr=quiet).returncode == 0

    def ip(self, where: str, *commands: str) -> None:
        """Run `ip` commands in a namespace."""
        subprocess.run(
            [*self.inside(where), "ip", "-batch", "-"],
            input="\n".join(commands),
            check=True,
            text=True,
        )

    def has(self, where: str, command: str) -> bool:
        """Whether the kernel supports the type of interface that the command makes."""
        return self.run("ip", *self.option(where), *command.split(), check=False)

    def inside(self, where: str) -> tuple[str, ...]:
        return (*self.enter, "ip", "netns", "exec", where) if where else self.enter

    def option(self, where: str) -> tuple[str, ...]:
        return ("-n", where) if where else ()

    def json(self, *words: str) -> t.Any:
        output = subprocess.run(
            [*self.enter, "ip", "-json", *words], check=True, stdout=subprocess.PIPE
        ).stdout
        return json.loads(output or "[]")

    def facts_by_ip(self) -> dict[str, t.Any]:
        """What `ip` shows in these namespaces, in the shape of the facts."""
        shown = {
            where: {
                each["ifindex"]: each
                for each in self.json(*self.option(where), "-details", "link", "show")
            }
            for where in (HOST, *NAMES)
        }
        listed = {each["name"]: each.get("id") for each in self.json("netns", "list")}
        return {
            where: {
                "nsid": listed[where],
                "interfaces": [
                    {**each, **self._physical_and_peer(where, shown, shown[where][each["index"]])}
                    for each in interfaces_by_ip(*self.inside(where))
                ],
                "routes": [list(route) for route in routes_by_ip(*self.inside(where))],
            }
            for where in NAMES
        }

    def _physical_and_peer(
        self, where: str, shown: t.Mapping[str, t.Any], link: t.Any
    ) -> dict[str, t.Any]:
        peer = None
        if link.get("linkinfo", {}).get("info_kind") in ("veth", *UPPER):
            there = where
            if "link_netnsid" in link:
                there = self._name(where, link["link_netnsid"])
            (other,) = (
                each
                for index, each in shown[there].items()
                if index == link.get("link_index") or each["ifname"] == link.get("link")
            )
            peer = {
                "where": there,
                "interface": other["ifname"],
                "index": other["ifindex"],
                "master": other.get("master"),
            }
        return {"physical": "parentdev" in link, "peer": peer}

    def _name(self, where: str, nsid: int) -> str:
        for each in self.json(*self.option(where), "netns", "list-id"):
            if each["nsid"] == nsid:
                return str(each.get("name", HOST))
        raise LookupError(nsid)


def facts_by_name(facts: t.Any) -> dict[str, t.Any]:
    """The same part of the facts, by name."""
    names = {each["inode"]: each["names"][0] for each in facts["namespaces"] if each["names"]}
    (host,) = (each["inode"] for each in facts["namespaces"] if each["is_host"])
    by_name = {}
    for namespace in facts["namespaces"]:
        if namespace["names"]:
            for interface in namespace["interfaces"]:
                peer = interface["peer"]
                if peer:
                    inode_of_peer = peer.pop("inode")
                    assert peer.pop("names") == (
                        [names[inode_of_peer]] if inode_of_peer in names else []
                    )
                    peer["where"] = HOST if inode_of_peer == host else names[inode_of_peer]
            by_name[namespace["names"][0]] = {
                "nsid": namespace["nsid"],
                "interfaces": namespace["interfaces"],
                "routes": [
                    [
                        each[key]
                        for key in (
                            *("dst", "gateway", "interface", "metric", "table", "family"),
                            *("type", "scope", "protocol", "src"),
                        )
                    ]
                    for each in namespace["routes"]
                ],
            }
    return by_name


def add_interfaces(ip_host: IpHost, outside: str) -> set[str]:
    """Add interfaces of all kinds that the kernel has, in and between namespaces and the host."""
    ip_host.ip(HOST, f"link add {outside} mtu 1400 type veth peer name eth0 netns a")
    ip_host.ip(
        "a",
        "link add br0 type bridge",
        "link add in0 type veth peer name in1",
        "link set in0 master br0",
        "link add to-b type veth peer name to-a netns b",
    )
    ip_host.ip("b", "link add to-c type veth peer name to-b netns c")
    kinds = {"veth"}
    for kind, words in UPPER.items():
        if ip_host.has("a", f"link add link in1 name {kind} {words}"):
            kinds.add(kind)
        ip_host.has("a", f"link add link in1 name {kind}-b netns b {words}")
        ip_host.has(HOST, f"link add link {outside} name {kind}-c netns c {words}")
    for kind, words in LONE.items():
        if ip_host.has("a", f"link add {kind}0 {words}"):
            kinds.add(kind)
    # It stays on top of an interface in the namespace that it was created in.
    ip_host.has("a", "link add vx1 netns c type vxlan id 8 dev eth0 dstport 4790")
    if ip_host.has("b", "tuntap add tun0 mode tun"):
        kinds.add("tun")
    for where, *names in (
        ("a", "lo", "eth0", "br0", "in0", "in1", "to-b"),
        ("b", "to-a"),
        ("c", "lo"),
    ):
        ip_host.ip(where, *(f"link set {name} up" for name in names))
    ip_host.ip(HOST, f"link set {outside} up")
    ip_host.ip(
        "a",
        "addr add 192.0.2.2/24 dev eth0",
        "addr add 10.8.0.1 peer 10.8.0.2/32 dev to-b",
        "addr add 2001:db8::2/64 dev br0 nodad",
        "route add default via 192.0.2.1",
        "route add 198.51.100.0/24 nexthop via 192.0.2.3 nexthop via 192.0.2.4",
        "route add unreachable 203.0.113.0/24 metric 7",
        "route add default via 2001:db8::1 metric 20",
    )
    return kinds


def test_as_ip_shows(scratch: ScratchHost) -> None:
    ip_host = IpHost(scratch)
    kinds = add_interfaces(ip_host, f"ntf{os.getpid()}")
    assert {"veth", "bridge", "vxlan"} <= kinds
    for _each in range(20):
        expected = ip_host.facts_by_ip()
        facts, _loaded = run_gather(scratch, "interfaces", "routes", enter=ip_host.enter)
        if ip_host.facts_by_ip() == expected:
            break
        # Interfaces change their state, and addresses are added, for some time.
        time.sleep(0.2)
    actual = facts_by_name(facts)
    assert list(actual) == sorted(actual, key=lambda name: inode_of(facts, name))
    for name in NAMES:
        assert actual[name]["interfaces"] == expected[name]["interfaces"]
        assert actual[name] == expected[name]
    assert actual.keys() == expected.keys()
    shown = {each["kind"] for name in NAMES for each in actual[name]["interfaces"]}
    assert kinds <= shown
    peered = [each for name in NAMES for each in actual[name]["interfaces"] if each["peer"]]
    assert {each["peer"]["where"] for each in peered} == {HOST, *NAMES}
    assert "peers" not in [each["source"] for each in facts["incomplete"]]
    assert facts["lost_devices"] == []


@pytest.mark.parametrize("further", [(), ("containers",)], ids=["kernel", "engines"])
def test_reading_a_namespace_leaves_no_trace_in_its_facts(
    scratch: ScratchHost, further: tuple[str, ...]
) -> None:
    """A child is in some, and has them open, while others are searched for processes and descriptors."""
    ip_host = IpHost(scratch)
    facts, _loaded = run_gather(scratch, "interfaces", "processes", *further, enter=ip_host.enter)
    pinned = [each for each in facts["namespaces"] if each["names"]]
    assert sorted(each["names"] for each in pinned) == [[name] for name in NAMES]
    for each in pinned:
        assert each["interfaces"][0]["name"] == "lo"
        assert each["processes"] == {"count": 0, "first": [], "holders": []}


def test_a_pin_that_is_covered_is_not_needed_where_a_process_leads_to_its_namespace(
    scratch: ScratchHost,
) -> None:
    ip_host = IpHost(scratch)
    process = scratch.process(*ip_host.inside("a"), "sleep", "infinity")
    wait_for(lambda: pathlib.Path(f"/proc/{process}/comm").read_text() == "sleep\n")
    ip_host.run("mount", "-t", "tmpfs", "none", "/run/netns")
    facts, _loaded = run_gather(scratch, "interfaces", enter=ip_host.enter)
    reachable = {each["inode"]: bool(each["interfaces"]) for each in facts["namespaces"]}
    assert reachable.pop(inode(f"/proc/{process}/ns/net"))
    assert list(reachable.values()).count(False) == 2


def inode_of(facts: t.Any, name: str) -> int:
    return next(each["inode"] for each in facts["namespaces"] if each["names"] == [name])


@pytest.mark.parametrize(
    ("subset", "loaded", "left_out"),
    [
        ("min", set(), {"facts.peers", "dns", "engines.docker"}),
        ("interfaces", {"facts.peers"}, {"dns", "engines.docker"}),
        ("routes", set(), {"facts.peers", "dns"}),
        ("dns", {"dns", "engines.docker"}, {"facts.peers"}),
    ],
)
def test_only_what_is_requested_is_loaded(
    scratch: ScratchHost, daemon: Daemon, subset: str, loaded: set[str], left_out: set[str]
) -> None:
    _facts, modules = run_gather(scratch, subset)
    assert loaded <= modules
    assert not left_out & modules


def test_a_container(
    scratch: ScratchHost, daemon: Daemon, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All facts of one selected namespace; the others only appear as peers."""
    outside = f"nth{os.getpid()}"
    (tmp_path / "root/etc").mkdir(parents=True)
    (tmp_path / "root/etc/resolv.conf").write_text("nameserver 192.0.2.53\nsearch shop.test\n")
    web = scratch.process(sys.executable, "-c", CHROOT, str(tmp_path / "root"))
    next_door = scratch.process()
    while os.readlink(f"/proc/{web}/root") == "/":
        time.sleep(0.01)
    scratch.pin("door", next_door)
    daemon.add("web", web, "1" * 64)
    # Created later in the same namespace; its own resolv.conf does not count.
    sharer = subprocess.Popen(["nsenter", f"--net=/proc/{web}/ns/net", "sleep", "infinity"])
    daemon.add("side", sharer.pid, "2" * 64)
    try:
        next_to = ["nsenter", f"--net=/proc/{next_door}/ns/net"]
        for enter, name, peer in (([], outside, "eth0"), (next_to, "eth1", "eth1")):
            words = f"ip link add {name} type veth peer name {peer} netns {web}".split()
            subprocess.run([*enter, *words], check=True)
        facts = gather_web(scratch)
        (namespace,) = facts["namespaces"]
        assert [each["name"] for each in namespace["containers"]] == ["side", "web"]
        assert namespace["dns"] == {
            "nameservers": ["192.0.2.53"],
            "search": ["shop.test"],
            "options": [],
        }
        assert namespace["routes"] == []
        peers = {each["name"]: each["peer"] for each in namespace["interfaces"]}
        assert peers["lo"] is None
        assert peers["eth0"]["interface"] == outside
        assert peers["eth0"]["inode"] == inode("/proc/self/ns/net")
        assert peers["eth1"]["names"] == ["door"]
        assert peers["eth1"]["inode"] == inode(f"/proc/{next_door}/ns/net")
        assert "peers" not in [each["source"] for each in facts["incomplete"]]
        # Peers that were not searched for are reported as missing.
        monkeypatch.setattr(netns_reader, "_MAX_NSID_REQUESTS", 1)
        (problem,) = [
            each for each in gather_web(scratch)["incomplete"] if each["source"] == "peers"
        ]
        assert "more than 1 requests" in problem["reason"]
    finally:
        sharer.kill()
        sharer.wait()


def gather_web(scratch: ScratchHost) -> t.Any:
    subset = request.parse_subset(["all", "!processes"])
    facts_request = request.FactsRequest(str(scratch.dir), ["docker"], 5.0, subset, ["web"])
    return gather.gather(facts_request, str(scratch.state))


HANGING_NAMES = """
import json, pwd, sys, time
from ansible_collections.linuxnet.netns.plugins.module_utils._core.facts import gather, request
pwd.getpwuid = lambda uid: time.sleep(15)
facts_request = request.FactsRequest(sys.argv[1], [], 1.0, request.parse_subset(["containers"]))
started = time.monotonic()
facts = gather.gather(facts_request, sys.argv[2])
json.dump([facts, time.monotonic() - started], sys.stdout)
"""


def test_names_of_users_that_no_service_answers(scratch: ScratchHost) -> None:
    """As LDAP that is down; such a user is not in /etc/passwd."""
    command = ("setpriv", "--reuid", "54321", "--clear-groups", "sleep", "infinity")
    pids = [scratch.process(*command) for _each in range(3)]
    for pid in pids:
        while os.stat(f"/proc/{pid}").st_uid != 54321:
            time.sleep(0.01)
    started = time.monotonic()
    output = subprocess.run(
        [sys.executable, "-c", HANGING_NAMES, str(scratch.dir), str(scratch.state)],
        check=True,
        stdout=subprocess.PIPE,
        env=environment(),
    ).stdout
    # Neither the facts nor the end of the process wait for it.
    assert time.monotonic() - started < 10
    facts, seconds = json.loads(output)
    assert 0.5 <= seconds < 5
    users = {each["inode"]: each["user"] for each in facts["namespaces"]}
    assert [users[inode(f"/proc/{pid}/ns/net")] for pid in pids] == ["54321"] * 3
    (reason,) = [each["reason"] for each in facts["incomplete"] if each["source"] == "users"]
    assert reason.startswith(
        "the names of some users could not be read: no name service answered in "
    )


def test_a_mininet_node(scratch: ScratchHost, tmp_path: pathlib.Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    # Opening it waits for a writer.
    node, other = (
        scratch.process("bash", "-c", f"read -r line <{tmp_path}/fifo", argument)
        for argument in ("mininet:h1", "h1")
    )
    for pid in (node, other):
        while pathlib.Path(f"/proc/{pid}/comm").read_text() != "bash\n":
            time.sleep(0.01)
    facts, _loaded = run_gather(scratch, "containers")
    machines = {each["inode"]: each["machine"] for each in facts["namespaces"]}
    assert machines[inode(f"/proc/{node}/ns/net")] == "h1"
    assert machines[inode(f"/proc/{other}/ns/net")] is None
