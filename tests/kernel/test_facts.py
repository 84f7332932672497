# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The facts about real namespaces, compared with what `ip` says of them."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
import time
import typing as t

import pytest
from support import CHROOT, LONE, UPPER, Daemon, Place, inode, interfaces_by_ip, routes_by_ip

from ansible_collections.linuxnet.netns.plugins.module_utils._core.facts import gather, shape
from ansible_collections.linuxnet.netns.plugins.module_utils._core.kernel import netns_reader

NAMES = ["a", "b", "c"]
HOST = ""
GATHER = """
import json, sys
from ansible_collections.linuxnet.netns.plugins.module_utils._core.facts import gather, shape
netns_dir, state, *subset = sys.argv[1:]
found = gather.gather(gather.FactsRequest(netns_dir, None, 5.0, shape.subset(subset)), state)
json.dump([found, [name.rpartition("._core.")[2] for name in sys.modules]], sys.stdout)
"""


def run_gather(place: Place, *subset: str, enter: t.Sequence[str] = ()) -> tuple[t.Any, set[str]]:
    """The facts, and the files of the program that were loaded for them."""
    netns_dir = "/run/netns" if enter else str(place.dir)
    words = [*enter, sys.executable, "-c", GATHER, netns_dir, str(place.state), *subset]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    output = subprocess.run(words, check=True, stdout=subprocess.PIPE, env=environment).stdout
    found, loaded = json.loads(output)
    return found, set(loaded)


class Realm:
    """A /run/netns of its own, in a mount namespace of its own, with what `ip` puts there."""

    def __init__(self, place: Place) -> None:
        process = place.process("unshare", "--mount", "sleep", "infinity")
        while inode(f"/proc/{process}/ns/mnt") == inode("/proc/self/ns/mnt"):
            time.sleep(0.01)
        # It is in a network namespace too, and everything here is about the host's.
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
        """Whether the kernel knows the kind of interface that the command makes."""
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

    def says(self) -> dict[str, t.Any]:
        """All that `ip` says about what is in these namespaces, in the facts' shape."""
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
                    {**each, **self._leads(where, shown, shown[where][each["index"]])}
                    for each in interfaces_by_ip(*self.inside(where))
                ],
                "routes": [list(route) for route in routes_by_ip(*self.inside(where))],
            }
            for where in NAMES
        }

    def _leads(self, where: str, shown: t.Mapping[str, t.Any], link: t.Any) -> dict[str, t.Any]:
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


def by_us(found: t.Any) -> dict[str, t.Any]:
    """The same of the facts."""
    own = {each["inode"]: each["names"][0] for each in found["namespaces"] if each["names"]}
    (host,) = (each["inode"] for each in found["namespaces"] if each["is_host"])
    by_name = {}
    for namespace in found["namespaces"]:
        if namespace["names"]:
            for interface in namespace["interfaces"]:
                peer = interface["peer"]
                if peer:
                    number = peer.pop("inode")
                    assert peer.pop("names") == ([own[number]] if number in own else [])
                    peer["where"] = HOST if number == host else own[number]
            by_name[namespace["names"][0]] = {
                "nsid": namespace["nsid"],
                "interfaces": namespace["interfaces"],
                "routes": [
                    [
                        each[key]
                        for key in ("dst", "gateway", "interface", "metric", "table", "family")
                    ]
                    for each in namespace["routes"]
                ],
            }
    return by_name


def furnish(realm: Realm, outside: str) -> set[str]:
    """Interfaces of all kinds that there are, in and between the namespaces and the host."""
    realm.ip(HOST, f"link add {outside} mtu 1400 type veth peer name eth0 netns a")
    realm.ip(
        "a",
        "link add br0 type bridge",
        "link add in0 type veth peer name in1",
        "link set in0 master br0",
        "link add to-b type veth peer name to-a netns b",
    )
    realm.ip("b", "link add to-c type veth peer name to-b netns c")
    kinds = {"veth"}
    for kind, words in UPPER.items():
        if realm.has("a", f"link add link in1 name {kind} {words}"):
            kinds.add(kind)
        realm.has("a", f"link add link in1 name {kind}-b netns b {words}")
        realm.has(HOST, f"link add link {outside} name {kind}-c netns c {words}")
    for kind, words in LONE.items():
        if realm.has("a", f"link add {kind}0 {words}"):
            kinds.add(kind)
    # It stays on top of something in the namespace that it was made in.
    realm.has("a", "link add vx1 netns c type vxlan id 8 dev eth0 dstport 4790")
    if realm.has("b", "tuntap add tun0 mode tun"):
        kinds.add("tun")
    for where, *names in (
        ("a", "lo", "eth0", "br0", "in0", "in1", "to-b"),
        ("b", "to-a"),
        ("c", "lo"),
    ):
        realm.ip(where, *(f"link set {name} up" for name in names))
    realm.ip(HOST, f"link set {outside} up")
    realm.ip(
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


def test_as_ip_says(place: Place) -> None:
    realm = Realm(place)
    kinds = furnish(realm, f"ntf{os.getpid()}")
    assert {"veth", "bridge", "vxlan"} <= kinds
    for _each in range(20):
        said = realm.says()
        found, _loaded = run_gather(place, "interfaces", "routes", enter=realm.enter)
        if realm.says() == said:
            break
        # States and addresses come by and by.
        time.sleep(0.2)
    ours = by_us(found)
    assert list(ours) == sorted(ours, key=lambda name: found_inode(found, name))
    for name in NAMES:
        assert ours[name]["interfaces"] == said[name]["interfaces"]
        assert ours[name] == said[name]
    assert ours.keys() == said.keys()
    shown = {each["kind"] for name in NAMES for each in ours[name]["interfaces"]}
    assert kinds <= shown
    leading = [each for name in NAMES for each in ours[name]["interfaces"] if each["peer"]]
    assert {each["peer"]["where"] for each in leading} == {HOST, *NAMES}
    assert "peers" not in [each["source"] for each in found["incomplete"]]
    assert found["lost_devices"] == []


def found_inode(found: t.Any, name: str) -> int:
    return next(each["inode"] for each in found["namespaces"] if each["names"] == [name])


@pytest.mark.parametrize(
    ("subset", "loaded", "left_out"),
    [
        ("min", set(), {"facts.peers", "facts.dns", "engines.docker"}),
        ("interfaces", {"facts.peers"}, {"facts.dns", "engines.docker"}),
        ("routes", set(), {"facts.peers", "facts.dns"}),
        ("dns", {"facts.dns", "engines.docker"}, {"facts.peers"}),
    ],
)
def test_only_what_is_asked_for_is_loaded(
    place: Place, daemon: Daemon, subset: str, loaded: set[str], left_out: set[str]
) -> None:
    _found, files = run_gather(place, subset)
    assert loaded <= files
    assert not left_out & files


def test_a_container(
    place: Place, daemon: Daemon, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole way, narrowed to one namespace: the others are only named."""
    outside = f"nth{os.getpid()}"
    (tmp_path / "root/etc").mkdir(parents=True)
    (tmp_path / "root/etc/resolv.conf").write_text("nameserver 192.0.2.53\nsearch shop.test\n")
    web = place.process(sys.executable, "-c", CHROOT, str(tmp_path / "root"))
    next_door = place.process()
    while os.readlink(f"/proc/{web}/root") == "/":
        time.sleep(0.01)
    place.pin("door", next_door)
    daemon.add("web", web, "1" * 64)
    # Made later, and in the same namespace; its own resolv.conf is not told.
    sharer = subprocess.Popen(["nsenter", f"--net=/proc/{web}/ns/net", "sleep", "infinity"])
    daemon.add("side", sharer.pid, "2" * 64)
    try:
        next_to = ["nsenter", f"--net=/proc/{next_door}/ns/net"]
        for enter, name, peer in (([], outside, "eth0"), (next_to, "eth1", "eth1")):
            words = f"ip link add {name} type veth peer name {peer} netns {web}".split()
            subprocess.run([*enter, *words], check=True)
        found = ask(place)
        (namespace,) = found["namespaces"]
        assert [each["name"] for each in namespace["containers"]] == ["side", "web"]
        assert namespace["dns"] == {
            "nameservers": ["192.0.2.53"],
            "search": ["shop.test"],
            "options": [],
        }
        assert namespace["routes"] == []
        leads = {each["name"]: each["peer"] for each in namespace["interfaces"]}
        assert leads["lo"] is None
        assert leads["eth0"]["interface"] == outside
        assert leads["eth0"]["inode"] == inode("/proc/self/ns/net")
        assert leads["eth1"]["names"] == ["door"]
        assert leads["eth1"]["inode"] == inode(f"/proc/{next_door}/ns/net")
        assert "peers" not in [each["source"] for each in found["incomplete"]]
        # What was not looked for is not passed off as nothing.
        monkeypatch.setattr(netns_reader, "_MAX_NSID_REQUESTS", 1)
        (problem,) = [each for each in ask(place)["incomplete"] if each["source"] == "peers"]
        assert "more than 1 requests" in problem["reason"]
    finally:
        sharer.kill()
        sharer.wait()


def ask(place: Place) -> t.Any:
    subset = shape.subset(["all", "!processes"])
    question = gather.FactsRequest(str(place.dir), ["docker"], 5.0, subset, ["web"])
    return gather.gather(question, str(place.state))
