# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sockets that listen in real namespaces, compared with what `ss` shows field by field."""

from __future__ import annotations

import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import time
import typing as t

import pytest
from support import Daemon, ScratchHost, children, environment, inode

from ansible_collections.linuxnet.netns.plugins.module_utils._core.facts import gather, listeners
from ansible_collections.linuxnet.netns.plugins.module_utils._core.facts.request import (
    FactsRequest,
)
from ansible_collections.linuxnet.netns.plugins.module_utils._core.kernel import (
    inet_sockets,
    libc,
    proc_net,
    sock_diag,
)

_SERVER = """
import os, resource, socket, sys, time
most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
V4, V6, TCP, UDP = socket.AF_INET, socket.AF_INET6, socket.SOCK_STREAM, socket.SOCK_DGRAM
kept = []
def open_socket(family, kind, address, port, *options, backlog=None):
    each = socket.socket(family, kind)
    for option in options:
        each.setsockopt(*option)
    each.bind((address, port))
    if backlog is not None:
        each.listen(backlog)
    kept.append(each)
    return each
V6ONLY = (socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
REUSE = (socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
ON_LO = (socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"lo")
open("/proc/self/comm", "w").write("web ser:ver")
os.system("ip link set lo up; ip addr add 192.0.2.7/24 dev lo; ip addr add fd00::7/64 dev lo nodad")
web = open_socket(V4, TCP, "0.0.0.0", 80, backlog=7)
open_socket(V4, TCP, "192.0.2.7", 8080, backlog=128)
open_socket(V6, TCP, "::", 443, backlog=5)
open_socket(V6, TCP, "::", 80, V6ONLY, backlog=5)
open_socket(V6, TCP, "fd00::7", 8080, backlog=5)
open_socket(V6, TCP, "::ffff:192.0.2.7", 8081, backlog=5)
open_socket(V4, TCP, "127.0.0.1", 9000, ON_LO, backlog=5)
for number in range(3):
    open_socket(V4, TCP, "127.0.0.1", 9001, REUSE, backlog=5 + number)
# Bound, and does not listen.
open_socket(V4, TCP, "127.0.0.1", 9100)
dns = open_socket(V4, UDP, "0.0.0.0", 53)
open_socket(V6, UDP, "::", 5353)
open_socket(V6, UDP, "fd00::7", 53, V6ONLY)
open_socket(V4, UDP, "127.0.0.1", 67, ON_LO)
# Two wait to be accepted, and a message to be read.
for number in range(2):
    kept.append(socket.create_connection(("127.0.0.1", 80)))
connected = socket.socket(V4, UDP)
connected.connect(("127.0.0.1", 53))
connected.send(b"question")
kept += [connected, web.accept()[0]]
for number in range(min(int(sys.argv[2]), most - 100)):
    os.dup(0)
if os.fork() == 0:
    # The child has the first two sockets too.
    for each in kept[2:]:
        each.close()
    open("/proc/self/comm", "w").write("worker")
    open(sys.argv[1], "w").close()
time.sleep(999)
"""
_USERS = re.compile(r'\("((?:[^"\\]|\\.)*)",pid=(\d+),fd=\d+\)')


def server(scratch: ScratchHost, ready: pathlib.Path, descriptors: int = 0) -> int:
    """A process that listens, and has a child that does."""
    pid = scratch.process(sys.executable, "-c", _SERVER, str(ready), str(descriptors))
    while not ready.exists():
        assert os.path.exists(f"/proc/{pid}/exe")
        time.sleep(0.01)
    return pid


@pytest.fixture
def listening(scratch: ScratchHost, tmp_path: pathlib.Path) -> t.Iterator[int]:
    pid = server(scratch, tmp_path / "ready")
    try:
        yield pid
    finally:
        end_all_in(pid)


def end_all_in(pid: int) -> None:
    """End the processes of a namespace that a test made."""
    netns = inode(f"/proc/{pid}/ns/net")
    assert netns != inode("/proc/self/ns/net")
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            if inode(f"/proc/{name}/ns/net") == netns:
                os.kill(int(name), signal.SIGKILL)
        except OSError:
            continue


def gather_from(scratch: ScratchHost, *subset: str) -> dict[str, t.Any]:
    request = FactsRequest(str(scratch.dir), None, 5.0, frozenset(subset or ("sockets",)))
    return gather.gather(request)


def namespace_of(pid: int, namespaces: t.Iterable[dict[str, t.Any]]) -> dict[str, t.Any]:
    netns = inode(f"/proc/{pid}/ns/net")
    (namespace,) = (each for each in namespaces if each["inode"] == netns)
    return namespace


def gathered(scratch: ScratchHost, pid: int, *subset: str) -> dict[str, t.Any]:
    return namespace_of(pid, gather_from(scratch, *subset)["namespaces"])


def by_ss(pid: int, protocol: str) -> list[tuple[t.Any, ...]]:
    """A row for each socket that listens: address, interface, port, backlog, queued and processes."""
    option = {"tcp": "-Htlnp", "udp": "-Hulnp"}[protocol]
    text = subprocess.run(
        ["nsenter", "--target", str(pid), "--net", "ss", option],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout
    rows = []
    for line in text.splitlines():
        _state, queued, backlog, local, _peer = line.split()[:5]
        address, _colon, port = local.rpartition(":")
        address, _percent, interface = address.partition("%")
        holders = sorted({(int(pid), name) for name, pid in _USERS.findall(line)})
        rows.append(
            (
                address.strip("[]"),
                # `[address]%interface`
                interface or None,
                int(port),
                int(backlog) if protocol == "tcp" else None,
                int(queued),
                holders,
            )
        )
    return sorted(rows, key=repr)


def as_ss_does(listener: dict[str, t.Any]) -> tuple[t.Any, ...]:
    # A socket that takes both families is shown as `*`.
    both = listener["address"] == "::" and listener["v6only"] is False
    return (
        "*" if both else listener["address"],
        listener["interface"],
        listener["port"],
        listener["backlog"],
        listener["queued"],
        sorted((each["pid"], each["name"]) for each in listener["processes"] or ()),
    )


@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_equal_to_ss(scratch: ScratchHost, listening: int, protocol: str) -> None:
    found = gathered(scratch, listening)["listeners"]
    rows = [as_ss_does(each) for each in found if each["protocol"] == protocol]
    assert sorted(rows, key=repr) == by_ss(listening, protocol)
    assert len(rows) >= 4


def test_the_cases_are_there(scratch: ScratchHost, listening: int) -> None:
    namespace = gathered(scratch, listening)
    found = namespace["listeners"]
    assert [(each["address"], each["v6only"]) for each in found if each["port"] == 80] == [
        ("0.0.0.0", None),
        ("::", True),
    ]
    assert sum(each["port"] == 9001 for each in found) == 3
    assert {each["queued"] for each in found if each["protocol"] == "udp"} > {0}
    assert max(len(each["processes"]) for each in found) == 2
    assert [each["interface"] for each in found if each["port"] in (67, 9000)] == ["lo", "lo"]
    counts = namespace["sockets"]
    assert counts == {
        "tcp": {"established": 4, "listen": 10},
        "udp": {"established": 1, "unconnected": 4},
    }


def test_without_sock_diag(
    scratch: ScratchHost, listening: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    complete = gathered(scratch, listening)

    def refuse() -> t.NoReturn:
        raise PermissionError

    monkeypatch.setattr(sock_diag, "connect", refuse)
    namespace = gathered(scratch, listening)
    for each in complete["listeners"]:
        each.update(interface=None, v6only=None, backlog=None)
    assert namespace == complete

    def fail(_protocol: str, _limit: int) -> t.NoReturn:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(proc_net, "fetch", fail)
    facts = gather_from(scratch)
    assert {each["listeners"] for each in facts["namespaces"]} == {None}
    (problem,) = (each for each in facts["incomplete"] if each["source"] == "sockets")
    assert problem["reason"].endswith(": tcp: Operation not permitted")


_IN_USE = """
import json, socket, sys
from ansible_collections.linuxnet.netns.plugins.module_utils._core.kernel import proc_net
before = proc_net.in_use()
each = socket.socket(getattr(socket, sys.argv[1]), getattr(socket, sys.argv[2]))
each.bind(("", 0))
if each.type == socket.SOCK_STREAM:
    each.listen()
print(json.dumps([sorted(before), sorted(proc_net.in_use())]))
"""


@pytest.mark.parametrize("family", ["AF_INET", "AF_INET6"])
@pytest.mark.parametrize(("kind", "protocol"), [("SOCK_STREAM", "tcp"), ("SOCK_DGRAM", "udp")])
def test_the_counters_show_which_protocol_is_in_use(family: str, kind: str, protocol: str) -> None:
    words = ["unshare", "--net", sys.executable, "-c", _IN_USE, family, kind]
    seen = subprocess.run(words, check=True, stdout=subprocess.PIPE, env=environment()).stdout
    assert json.loads(seen) == [[], [protocol]]


_STATES = """
import json, os, socket
from ansible_collections.linuxnet.netns.plugins.module_utils._core.kernel import inet_sockets, sock_diag
seen = []
def counts():
    with sock_diag.connect() as diag:
        return sock_diag.fetch(diag, "tcp", 10).counts
def look():
    (_protocol, _by_netlink, _data, collected, *_rest), _udp = inet_sockets.Collector().collect()
    seen.append([sorted(map(sock_diag.STATES.get, collected)), collected == counts()])
os.system("ip link set lo up")
look()
listener = socket.socket()
listener.bind(("127.0.0.1", 80))
look()
with socket.socket(socket.AF_INET6) as other:
    other.bind(("::1", 80))
    other.listen(1)
    look()
listener.listen(1)
look()
client = socket.create_connection(("127.0.0.1", 80))
server = listener.accept()[0]
listener.close()
look()
client.close()
server.close()
while list(counts()) != [6]:
    pass
look()
print(json.dumps(seen))
"""


def test_the_counters_show_each_state_of_tcp() -> None:
    seen = json.loads(
        subprocess.run(
            ["unshare", "--net", sys.executable, "-c", _STATES],
            check=True,
            stdout=subprocess.PIPE,
            env=environment(),
            timeout=60,
        ).stdout
    )
    states: list[list[str]] = [[], [], ["listen"], ["listen"], ["established"], ["time_wait"]]
    assert seen == [[each, True] for each in states]


def test_of_a_process_with_many_descriptors(scratch: ScratchHost, tmp_path: pathlib.Path) -> None:
    pid = server(scratch, tmp_path / "ready", 100_000)
    try:
        started = time.monotonic()
        namespace = gathered(scratch, pid)
        assert time.monotonic() - started < 5
        assert all(each["processes"] for each in namespace["listeners"])
    finally:
        end_all_in(pid)


def test_more_listeners_than_the_limit(
    scratch: ScratchHost, listening: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inet_sockets, "_MAX_LISTENERS", 3)
    facts = gather_from(scratch)
    namespace = namespace_of(listening, facts["namespaces"])
    assert len(namespace["listeners"]) == 6
    assert namespace["sockets"]["tcp"]["listen"] == 10
    reasons = [each["reason"] for each in facts["incomplete"] if each["source"] == "sockets"]
    assert f"{namespace['inode']}: more than 3 tcp sockets listen: the others are missing" in str(
        reasons
    )


def test_more_processes_than_the_limit(
    scratch: ScratchHost, listening: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listeners, "MAX_PROCESSES", 1)
    found = gathered(scratch, listening)["listeners"]
    assert {len(each["processes"]) for each in found} == {1}


def test_a_socket_whose_process_is_elsewhere(scratch: ScratchHost) -> None:
    # As Docker's name server in each container, and the sockets of systemd's units.
    pid = scratch.process()
    fd = os.open("/proc/self/ns/net", os.O_RDONLY)
    try:
        with open(f"/proc/{pid}/ns/net", "rb") as netns:
            libc.setns(netns.fileno(), libc.CLONE_NEWNET)
        listener = socket.create_server(("0.0.0.0", 8080))
    finally:
        libc.setns(fd, libc.CLONE_NEWNET)
        os.close(fd)
    with listener:
        (found,) = gathered(scratch, pid)["listeners"]
        assert [each["pid"] for each in found["processes"]] == [os.getpid()]
    assert gathered(scratch, pid)["listeners"] == []


def test_a_socket_of_the_kernel(scratch: ScratchHost) -> None:
    pid = scratch.process()
    enter = ("nsenter", "--target", str(pid), "--net")
    add = "ip link set lo up && ip link add vx0 type vxlan id 7 local 127.0.0.1 dstport 4789"
    if subprocess.run([*enter, "sh", "-c", f"{add} && ip link set vx0 up"], check=False).returncode:
        pytest.skip("the kernel has no vxlan")
    found = gathered(scratch, pid)["listeners"]
    # None where a process of this machine cannot be read: it may be the one.
    assert not any(each["processes"] for each in found)
    assert [as_ss_does(each) for each in found] == by_ss(pid, "udp")


def test_the_container_of_a_process(
    scratch: ScratchHost, daemon: Daemon, tmp_path: pathlib.Path
) -> None:
    """By the PID namespace: no cgroup is named after the container here. The program that made it is outside."""
    ready = tmp_path / "ready"
    inside = (sys.executable, "-c", _SERVER, str(ready), "0")
    parent = scratch.process("unshare", "--pid", "--fork", "--kill-child", *inside)
    try:
        while not ready.exists():
            time.sleep(0.01)
        (child,) = children(parent)
        daemon.add("web", child, "7" * 64)
        daemon.add("other", parent, "8" * 64)
        found = gathered(scratch, parent, "sockets", "containers")["listeners"]
        processes = [process for each in found for process in each["processes"]]
        assert {each["name"] for each in processes} == {"web ser:ver", "worker"}
        assert {each["container"] for each in processes} == {"web"}
    finally:
        end_all_in(parent)


def test_without_root(scratch: ScratchHost, listening: int) -> None:
    """The sockets of the own namespace are known, and not the processes of others."""
    code = """
import json, sys
from ansible_collections.linuxnet.netns.plugins.module_utils._core.facts import gather, request
facts = gather.gather(request.FactsRequest(sys.argv[1], None, 5.0, frozenset(("sockets",))))
print(json.dumps(facts["namespaces"]))
"""
    enter = ("nsenter", "--target", str(listening), "--net")
    python = ("setpriv", "--reuid=65534", "--clear-groups", sys.executable, "-c")
    if subprocess.run([*python, ""], check=False, stderr=subprocess.DEVNULL).returncode:
        pytest.skip("this Python is in a directory that is not open to other users")
    output = subprocess.run(
        [*enter, *python, code, str(scratch.dir)],
        check=True,
        stdout=subprocess.PIPE,
        env=environment(),
    ).stdout
    namespace = namespace_of(listening, json.loads(output))
    complete = gathered(scratch, listening)
    for each in complete["listeners"]:
        each["processes"] = None
    assert namespace["listeners"] == complete["listeners"]
    assert namespace["sockets"] == complete["sockets"]
