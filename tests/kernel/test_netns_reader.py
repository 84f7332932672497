# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Interfaces of real namespaces, compared with what `ip` shows, and children that fail."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import resource
import signal
import socket
import struct
import subprocess
import sys
import typing as t

import pytest
from support import ScratchHost, interfaces_by_ip, routes_by_ip, wait_for

from ansible_collections.linuxnet.netns.plugins.module_utils._core import model
from ansible_collections.linuxnet.netns.plugins.module_utils._core.kernel import (
    netlink,
    netns_reader,
    nsfs,
    rtnetlink,
)

OWN_PATH = f"/proc/{os.getpid()}/ns/net"


def netns(path: str) -> model.NetnsId:
    return nsfs.netns_id(os.stat(path))


def ref(pid: int) -> nsfs.NetnsRef:
    path = f"/proc/{pid}/ns/net"
    return nsfs.NetnsRef(netns(path), (path,))


def collect(
    *refs: nsfs.NetnsRef, interfaces: bool = True, routes: bool = False
) -> list[netns_reader.View]:
    """The views, after checks that must hold even if the child fails."""
    own = netns(OWN_PATH)
    descriptors = sorted(os.listdir("/proc/self/fd"))
    views = netns_reader.Views(
        refs, own, nsfs.NetnsRef(own, (OWN_PATH,)), interfaces, routes
    ).wait()
    assert netns("/proc/self/ns/net") == own
    assert sorted(os.listdir("/proc/self/fd")) == descriptors
    with contextlib.suppress(ChildProcessError):
        # The processes of the test still run; a zombie would be returned here.
        assert os.waitpid(-1, os.WNOHANG) == (0, 0)
    return [views[each.netns] for each in refs]


def run(script: str) -> str:
    return subprocess.run(
        ["sh", "-euc", script], check=True, stdout=subprocess.PIPE, text=True
    ).stdout


def enter(pid: int) -> tuple[str, ...]:
    return ("nsenter", "--target", str(pid), "--net")


def interfaces_in(view: netns_reader.View) -> list[dict[str, t.Any]]:
    assert view.interfaces is not None
    assert view.addresses is not None
    names = {each.ifindex: each.name for each in view.interfaces}
    return [
        {
            "index": each.ifindex,
            "name": each.name,
            "altnames": list(each.altnames),
            "kind": each.kind,
            "mac": each.mac,
            "mtu": each.mtu,
            "state": each.state,
            "master": None if each.master is None else names[each.master],
            "addresses": [a.text for a in view.addresses if a.ifindex == each.ifindex],
        }
        for each in view.interfaces
    ]


def test_interfaces_as_ip_shows_them(scratch: ScratchHost) -> None:
    first, second = scratch.process(), scratch.process()
    run(f"""
        nsenter --target {first} --net sh -euc '
            ip link set lo up
            ip link add br0 type bridge
            ip link add eth0 mtu 1400 type veth peer name eth9 netns {second}
            ip link set eth0 master br0 up
            ip link set br0 up
            ip addr add 172.17.0.2/16 dev br0
            ip addr add 172.17.0.3/16 dev br0
            ip addr add 10.8.0.1 peer 10.8.0.2/24 dev eth0
            ip addr add fd00::2/64 dev br0 nodad
            ip link property add dev eth0 altname enp0s31f6 altname a-name-that-is-longer-than-a-name-may-be
            for i in $(seq 40); do ip link add veth-$i-a type veth peer name veth-$i-b; done'
        nsenter --target {second} --net ip link set eth9 up
    """)
    views = collect(ref(first), ref(second))
    for pid, view in zip((first, second), views):
        assert view.problem is None
        assert interfaces_in(view) == interfaces_by_ip(*enter(pid))
    # More than one read of a dump returns.
    assert len(interfaces_in(views[0])) == 83
    states = {each["name"]: each["state"] for each in interfaces_in(views[0])}
    assert (states["lo"], states["veth-1-a"]) == ("UNKNOWN", "DOWN")


def routes_in(view: netns_reader.View) -> list[tuple[t.Any, ...]]:
    assert view.interfaces is not None
    assert view.routes is not None
    names = {each.ifindex: each.name for each in view.interfaces}
    return [
        route._replace(ifindex=None if route.ifindex is None else names[route.ifindex])  # type: ignore[arg-type]
        for route in view.routes
    ]


def test_routes_as_ip_shows_them(scratch: ScratchHost) -> None:
    bare, first, second = scratch.process(), scratch.process(), scratch.process()
    drops = "\n".join(
        f"ip route add {kind} 10.{number}.0.0/16; ip -6 route add {kind} fd0{number}::/32"
        for number, kind in enumerate(("unreachable", "blackhole", "prohibit", "throw"), 5)
    )
    run(f"""
        nsenter --target {first} --net sh -euc '
            ip link add left type veth peer name right
            ip link set lo up; ip link set left up; ip link set right up
            ip addr add 10.0.0.2/24 dev left
            ip addr add 10.1.0.2/24 dev right
            ip addr add fd00::2/64 dev left nodad
            ip addr add fd01::2/64 dev right nodad
            ip route add default via 10.0.0.1
            ip route add default via 10.1.0.1 metric 50
            ip route add 192.0.2.1 dev right src 10.0.0.2 proto static scope host
            ip route add 192.0.2.2 dev right proto bgp
            ip route add 192.0.2.3 dev right proto 77
            ip route add 198.51.100.0/24 nexthop via 10.0.0.3 nexthop via inet6 fd01::9 dev right
            ip route add 203.0.113.0/24 via inet6 fd00::1 dev left
            {drops}
            ip route add local 10.77.0.0/16 dev lo table main
            ip route add 10.9.0.0/16 via 10.0.0.9 table 100
            ip route add 10.4.0.0/16 via 10.0.0.9 table 70000
            ip -6 route add default via fd00::1 metric 20
            ip -6 route add fd02::/48 nexthop via fd00::3 nexthop via fd01::3
            ip -6 route add fd0a::/48 via fd00::4 table 100'
        nsenter --target {second} --net sh -euc '
            ip link set lo up
            for i in $(seq 250); do echo route add 10.0.$i.0/24 dev lo metric $i; done | ip -batch -'
    """)
    for views in (
        collect(ref(bare), ref(first), ref(second), routes=True),
        collect(ref(bare), ref(first), ref(second), interfaces=False, routes=True),
    ):
        for pid, view in zip((bare, first, second), views):
            assert view.problem is None
            assert routes_in(view) == routes_by_ip(*enter(pid))
        assert [len(view.routes or ()) for view in views] == [0, 26, 250]
    assert views[1].addresses is None


NEXTHOPS = """
    ip link add left type veth peer name right
    ip link set lo up; ip link set left up; ip link set right up
    ip addr add 10.0.0.2/24 dev left
    ip addr add fd00::2/64 dev left nodad
    ip nexthop add id 1 via 10.0.0.1 dev left
    ip nexthop add id 2 via 10.0.0.3 dev left
    ip nexthop add id 3 blackhole
    ip nexthop add id 4 via fd00::9 dev left
    ip nexthop add id 5 dev left
    ip nexthop add id 6 via fd00::8 dev left
    ip nexthop add id 11 group 1,3/2,10
    ip nexthop add id 12 group 4/6
    ip route add 10.20.0.0/16 nhid 1
    ip route add 10.21.0.0/16 nhid 11
    ip route add 10.22.0.0/16 nhid 3
    ip route add 10.23.0.0/16 nhid 4
    ip route add 10.24.0.0/16 nhid 5
    ip route add 10.25.0.0/16 via 10.0.0.7 metric 3
    ip route add throw 10.26.0.0/16
    ip -6 route add fd20::/32 nhid 4
    ip -6 route add fd21::/32 nhid 12
"""


def test_routes_by_nexthop_objects(scratch: ScratchHost) -> None:
    """Where the kernel does not repeat in each route what the object has."""
    bare, pid = scratch.process(), scratch.process()
    run(f"nsenter --target {pid} --net sh -euc '{NEXTHOPS}'")
    expected = routes_by_ip(*enter(pid))
    assert ("10.21.0.0/16", "10.0.0.3", "left") in {row[:3] for row in expected}
    for mode in (1, 0):
        run(f"nsenter --target {pid} --net sysctl -qw net.ipv4.nexthop_compat_mode={mode}")
        before, view = collect(ref(bare), ref(pid), routes=True)
        assert (before.problem, before.routes, view.problem) == (None, (), None)
        assert routes_in(view) == expected


def test_the_own_namespace_among_others(scratch: ScratchHost) -> None:
    """The own namespace can be anywhere in the list."""
    # It needs no path.
    own = nsfs.NetnsRef(netns(OWN_PATH), ())
    first, second = ref(scratch.process()), ref(scratch.process())
    # It is the machine's namespace, in which an engine may make and remove interfaces meanwhile.
    for _attempt in range(50):
        expected = interfaces_by_ip()
        views = collect(first, own, second)
        if interfaces_by_ip() == expected:
            break
    assert interfaces_in(views[1]) == expected
    assert [len(interfaces_in(views[0])), len(interfaces_in(views[2]))] == [1, 1]


def test_nsid_as_the_host_sees_it(scratch: ScratchHost) -> None:
    numbered, unnumbered = scratch.process(), scratch.process()
    name = f"nta{os.getpid()}"
    # The kernel assigns an nsid when an interface here has its peer there.
    run(f"ip link add {name} type veth peer name eth0 netns {numbered}")
    (shown,) = json.loads(run(f"ip -json link show {name}"))
    for interfaces in (True, False):
        views = collect(ref(unnumbered), ref(numbered), interfaces=interfaces)
        assert [view.nsid for view in views] == [None, shown["link_netnsid"]]
        assert [view.interfaces is None for view in views] == [not interfaces] * 2


def test_nsids_are_those_of_the_host_for_any_caller(scratch: ScratchHost) -> None:
    numbered = scratch.process()
    name = f"ntb{os.getpid()}"
    run(f"ip link add {name} type veth peer name eth0 netns {numbered}")
    (expected,) = (view.nsid for view in collect(ref(numbered)))
    assert expected is not None
    elsewhere = ref(scratch.process())
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            fd = os.open(elsewhere.paths[0], os.O_RDONLY)
            netns_reader.libc.setns(fd, netns_reader.libc.CLONE_NEWNET)
            host = nsfs.NetnsRef(netns(OWN_PATH), (OWN_PATH,))
            views = netns_reader.Views(
                [ref(numbered), elsewhere], elsewhere.netns, host, True
            ).wait()
            view = views[netns(f"/proc/{numbered}/ns/net")]
            os.write(writer, repr((view.nsid, len(interfaces_in(views[elsewhere.netns])))).encode())
            status = 0
        finally:
            os._exit(status)
    os.close(writer)
    with open(reader) as stream:
        assert stream.read() == repr((expected, 1))
    assert os.waitpid(child, 0)[1] == 0


def test_one_fork_for_all(scratch: ScratchHost, monkeypatch: pytest.MonkeyPatch) -> None:
    refs = [ref(scratch.process()) for _each in range(5)]
    forks = []
    fork = os.fork
    monkeypatch.setattr(os, "fork", lambda: forks.append(1) or fork())
    assert all(view.problem is None for view in collect(*refs))
    assert forks == [1]


def test_more_namespaces_than_descriptors(scratch: ScratchHost) -> None:
    many = [ref(scratch.process())] * 200
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))
    try:
        assert {view.problem for view in collect(*many)} == {None}
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_namespace_that_is_gone_hides_no_other(scratch: ScratchHost) -> None:
    first, last = ref(scratch.process()), ref(scratch.process())
    pid = scratch.process()
    gone = ref(pid)
    scratch.end(pid)
    reused = nsfs.NetnsRef(model.NetnsId(gone.netns.dev, 1), last.paths)
    views = collect(first, gone, reused, nsfs.NetnsRef(model.NetnsId(4, 2), ()), last)
    assert [view.problem is None for view in views] == [True, False, False, False, True]
    assert views[1].problem == "No such file or directory"
    assert views[2].problem == "its path leads to something else now"
    assert views[3].problem == "no path to the namespace is known"
    assert views[1].interfaces is None


def test_the_next_path_is_tried(scratch: ScratchHost, tmp_path: pathlib.Path) -> None:
    pid = scratch.process()
    os.mkfifo(tmp_path / "fifo")
    scratch.pin("pinned", pid)
    good, fifo, pin = ref(pid), str(tmp_path / "fifo"), str(scratch.link("pinned"))
    for paths, untrusted_paths in (
        (("/nowhere", *good.paths), ()),
        ((fifo, pin), ()),
        (("/nowhere",), (fifo, "/nowhere", pin)),
    ):
        (view,) = collect(nsfs.NetnsRef(good.netns, paths, untrusted_paths))
        assert (view.problem, len(interfaces_in(view))) == (None, 1)


def test_untrusted_paths_are_checked_before_they_are_opened(
    scratch: ScratchHost, tmp_path: pathlib.Path
) -> None:
    """The writer would end if anybody opened the FIFO for reading."""
    os.mkfifo(tmp_path / "fifo")
    writer = subprocess.Popen(["sh", "-c", f"echo >{tmp_path}/fifo"])
    try:
        scratch.process()
        untrusted = nsfs.NetnsRef(model.NetnsId(4, 3), (), (str(tmp_path / "fifo"),))
        (view,) = collect(untrusted)
        assert view.problem == "its path leads to something else now"
        assert writer.poll() is None
    finally:
        writer.kill()
        writer.wait()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_child_that_dies_is_the_problem_of_unread_namespaces(
    scratch: ScratchHost, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    monkeypatch.setattr(netns_reader, "_BATCH_SIZE", 1)
    refs = [ref(scratch.process()) for _each in range(3)]
    real_collect = netns_reader._ViewCollector._collect

    def dies(child: t.Any, each: nsfs.NetnsRef) -> t.Any:
        if each == refs[1]:
            # In these tests, SIGTERM has a handler.
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        return real_collect(child, each)

    monkeypatch.setattr(netns_reader._ViewCollector, "_collect", dies)
    first, *others = collect(*refs)
    assert first.problem is None
    for view in others:
        assert view.problem == f"the process that reads namespaces was killed by signal {number}"


def state(pid: int | None) -> str:
    return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def open_files(pid: int | None) -> list[str]:
    found = []
    files = f"/proc/{pid}/fd"
    for name in os.listdir(files):
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            found.append(os.readlink(f"{files}/{name}"))
    return found


def test_no_namespace_gets_the_number_of_one_that_is_kept_open(scratch: ScratchHost) -> None:
    """Otherwise, the new namespace of a restarted container often has the inode number of its old one."""
    pid = scratch.process()
    each = ref(pid)
    own = netns(OWN_PATH)
    host = nsfs.NetnsRef(own, (OWN_PATH,))
    views = netns_reader.Views([each], own, host, True, keep_open=True)
    text = f"net:[{each.netns.inode}]"
    wait_for(lambda: text in open_files(views.pid))
    # Then it is in no namespace that others look at.
    wait_for(lambda: netns(f"/proc/{views.pid}/ns/net") == own and state(views.pid) == "S")
    scratch.end(pid)
    views.receive()
    assert each.netns not in [ref(scratch.process()).netns for _number in range(20)]
    views.release()
    wait_for(lambda: state(views.pid) == "Z")
    assert interfaces_in(views.wait()[each.netns])


def test_an_exception_in_the_child(
    scratch: ScratchHost, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(netns_reader._ViewCollector, "_collect", fails)
    (view,) = collect(ref(scratch.process()))
    assert view.problem == "the process that reads namespaces exited before it was finished"


def test_a_child_that_hangs_is_killed(
    scratch: ScratchHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(netns_reader, "_IDLE_TIMEOUT", 0.2)
    monkeypatch.setattr(netns_reader._ViewCollector, "_collect", lambda *_: signal.pause())
    hanging = ref(scratch.process())
    own = netns(OWN_PATH)
    views = netns_reader.Views([hanging], own, nsfs.NetnsRef(own, ()), True).wait()
    assert (
        views[hanging.netns].problem == "the process that reads namespaces did not answer for 0 s"
    )
    # Only the process of the test is left.
    assert os.waitpid(-1, os.WNOHANG) == (0, 0)


def test_a_dump_that_is_always_interrupted_is_returned_with_the_problem(
    scratch: ScratchHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    dump = netlink.Socket.dump
    monkeypatch.setattr(
        netlink.Socket, "dump", lambda *given: dump(*given)._replace(complete=False)
    )
    (view,) = collect(ref(scratch.process()))
    assert view.problem == "its interfaces changed during every attempt to read them"
    assert len(interfaces_in(view)) == 1


# Sends what the kernel could have answered to a dump of addresses: 203.0.113.66/24 on lo, and the end.
FORGE = """
import socket, struct, sys
port, sequence = map(int, sys.argv[1:])
def message(kind, body):
    return struct.pack("=IHHII", 16 + len(body), kind, 2, sequence, port) + body
address = struct.pack("=BBBBI", 2, 24, 0, 0, 1) + struct.pack("=HH", 8, 2) + bytes([203, 0, 113, 66])
with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as forger:
    try:
        forger.sendto(message(20, address) + message(3, bytes(4)), (port, 0))
    except ConnectionRefusedError:
        sys.exit(7)
"""


@pytest.mark.parametrize("connected", [True, False])
def test_only_the_kernels_answers_are_taken(
    scratch: ScratchHost, monkeypatch: pytest.MonkeyPatch, connected: bool
) -> None:
    """A process in the namespace that has CAP_NET_ADMIN there can send to the socket before the kernel."""
    pid = scratch.process()
    run(f"nsenter --target {pid} --net ip link set lo up")
    dump_addresses = rtnetlink.dump_addresses

    def after_forgery(rtnl: netlink.Socket) -> netlink.Dump:
        # In the child, which has entered the namespace: so does the process that it starts.
        port, sequence = rtnl._socket.getsockname()[0], rtnl._sequence + 1
        words = [sys.executable, "-c", FORGE, str(port), str(sequence)]
        forger = subprocess.run(words, check=False)
        assert forger.returncode == (7 if connected else 0)
        return dump_addresses(rtnl)

    if not connected:
        # What was sent before the socket was connected.
        monkeypatch.setattr(socket.socket, "connect", lambda *_: None)
    monkeypatch.setattr(rtnetlink, "dump_addresses", after_forgery)
    (view,) = collect(ref(pid))
    assert view.problem is None
    assert interfaces_in(view) == interfaces_by_ip(*enter(pid))
    assert [each.text for each in view.addresses or ()] == ["127.0.0.1/8", "::1/128"]


def test_an_odd_message_hides_no_other(
    scratch: ScratchHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An address of a family of a newer kernel is left out; a message that is not valid is named."""
    pid = scratch.process()
    run(f"nsenter --target {pid} --net ip link set lo up")
    odd = [struct.pack("=IHHIIBBBBIHHI", 32, 20, 2, 0, 0, 45, 0, 0, 0, 1, 5, 2, 8)]
    dump_addresses = rtnetlink.dump_addresses

    def with_odd(rtnl: netlink.Socket) -> netlink.Dump:
        data, complete = dump_addresses(rtnl)
        return netlink.Dump(b"".join(odd) + data, complete)

    monkeypatch.setattr(rtnetlink, "dump_addresses", with_odd)
    (view,) = collect(ref(pid))
    assert (view.problem, interfaces_in(view)) == (None, interfaces_by_ip(*enter(pid)))
    odd.append(struct.pack("=IHHII", 20, 20, 2, 0, 0) + bytes(4))
    (view,) = collect(ref(pid))
    assert interfaces_in(view) == interfaces_by_ip(*enter(pid))
    assert view.problem == "not a valid netlink message: a length of 20"
    # What cannot be read at all takes nothing else with it.
    odd.insert(0, b"x")
    (view,) = collect(ref(pid), routes=True)
    assert (view.addresses, view.routes) == (None, ())
    assert [each.name for each in view.interfaces or ()] == ["lo"]
    assert (view.problem or "").startswith("not a valid netlink message: ")
