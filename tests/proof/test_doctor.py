# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The illnesses that the doctor looks for, made for real: each is found alone, and a repair changes nothing else."""

from __future__ import annotations

import collections
import contextlib
import functools
import itertools
import multiprocessing
import os
import pathlib
import socket
import struct
import subprocess
import sys
import time
import typing as t
from concurrent import futures

import pytest
from isolated_host import (
    FOREIGN,
    IsolatedHost,
    Progress,
    netns,
)
from support import environment, inode, wait_a_clock_tick
from syscall_tracer import Traced
from test_at_once import Churn

from ansible_collections.linuxnet.netns.plugins.module_utils._core import model
from ansible_collections.linuxnet.netns.plugins.module_utils._core.checks import (
    doctor,
    evidence,
    probes,
)
from ansible_collections.linuxnet.netns.plugins.module_utils._core.checks.request import (
    DoctorRequest,
)
from ansible_collections.linuxnet.netns.plugins.module_utils._core.kernel import (
    libc,
    rtnetlink,
)

WEB, SIDE = "a" * 64, "b" * 64

SECOND_LOOK_DELAY = doctor._SECOND_LOOK_DELAY
# How many run at a time while containers come and go.
DOCTORS = 4
# What a test keeps open.
kept = contextlib.ExitStack()


@pytest.fixture(autouse=True)
def a_host_with_a_network(network: None, doctor_of_this_host: None) -> t.Iterator[None]:
    yield
    kept.close()


def look(host: IsolatedHost, check: bool = False, **request: t.Any) -> doctor.Result:
    return doctor.run(request_for(host, **request), check, str(host.state))


def request_for(host: IsolatedHost, **request: t.Any) -> DoctorRequest:
    values = {"netns_dir": str(host.dir), "min_age": 0.0, "timeout": 60.0, **request}
    return DoctorRequest(**values)


def found(result: doctor.Result) -> list[tuple[str, str]]:
    """The check and the path, interface or container of each finding."""
    return [
        (
            each["check"],
            each["subject"]["path"]
            or each["subject"]["interface"]
            or ",".join(each["subject"]["containers"]),
        )
        for each in result.findings
    ]


def healthy(host: IsolatedHost) -> None:
    """A host with names of `ip netns`, links, and a container that shares the namespace of another."""
    host.prepare_as_ip()
    subprocess.run(["ip", "netns", "add", "plain"], check=True)
    web = host.process()
    host.container("web", web, WEB)
    side = host.sharer(web)
    host.container("side", side, SIDE, mode=f"container:{WEB}")
    wait_a_clock_tick()
    assert host.run(containers=("web",)).failures == ()


def dangling_file(host: IsolatedHost) -> str:
    host.link("dead").touch()
    return str(host.link("dead"))


def dangling_symlink(host: IsolatedHost) -> str:
    host.link("gone").symlink_to("/run/nowhere")
    return str(host.link("gone"))


def dangling_hostile(host: IsolatedHost) -> str:
    name = os.fsdecode(b"\xff\n; rm -rf ~ \x1b[2J{{ 7 * 7 }}")
    host.link(name).touch()
    return str(host.link("\\xff\n; rm -rf ~ \x1b[2J{{ 7 * 7 }}"))


def stale(host: IsolatedHost) -> str:
    host.container("old", host.process(), "c" * 64)
    wait_a_clock_tick()
    assert host.run(containers=("old",)).failures == ()
    host.end(host.containers.pop("c" * 64)["pid"])
    host.update_engine()
    return str(host.link("old"))


def leftover(host: IsolatedHost) -> str:
    path = stale(host)
    assert host.run(prune=True).failures == ()
    (host.etc / "old").mkdir(parents=True)
    mark = f'# linuxnet.netns {{"link": "{path}", "labels": {{}}}}\nnameserver 192.0.2.1\n'
    (host.etc / "old" / "resolv.conf").write_text(mark)
    return str(host.etc / "old" / "resolv.conf")


REPAIRED = {
    "dangling_file": ("dangling_entry", dangling_file),
    "dangling_symlink": ("dangling_entry", dangling_symlink),
    "dangling_hostile": ("dangling_entry", dangling_hostile),
    "stale_link": ("stale_link", stale),
    "leftover_etc": ("leftover_etc", leftover),
}


@pytest.mark.parametrize(("check", "make"), REPAIRED.values(), ids=REPAIRED)
def test_an_illness_is_found_and_repaired_alone(
    host: IsolatedHost, check: str, make: t.Callable[[IsolatedHost], str]
) -> None:
    healthy(host)
    assert found(look(host)) == []
    before = host.all_mounts(), sorted(os.listdir(host.dir))
    path = make(host)
    ill = host.all_mounts(), sorted(os.listdir(host.dir))
    result = look(host)
    assert found(result) == [(check, path)]
    assert result.findings[0]["message"].isprintable()
    assert result.incomplete == []
    assert result.findings[0]["repairable"]
    # Only those checks are repaired that are named, and only in a real run.
    others = tuple(name for name, _make in REPAIRED.values() if name != check)
    assert not look(host, repair=others).changed
    expected = look(host, check=True, repair=(check,))
    assert (host.all_mounts(), sorted(os.listdir(host.dir))) == ill
    result = look(host, repair=(check,))
    assert result == expected
    assert result.changed
    assert result.findings[0]["repaired"]
    assert len(result.diff) == 1
    assert (host.all_mounts(), sorted(os.listdir(host.dir))) == before
    again = look(host, repair=(check,))
    assert (again.changed, again.findings, again.diff) == (False, [], [])


def double(host: IsolatedHost) -> tuple[str, str]:
    subprocess.run(["mount", "--bind", host.link("plain"), host.link("plain")], check=True)
    return "double_pin", str(host.link("plain"))


def busy(host: IsolatedHost) -> tuple[str, str]:
    """Another mount namespace has a private copy of a pin that is unmounted here, as cadvisor's."""
    subprocess.run(["ip", "netns", "add", "held"], check=True)
    host.copy_mounts()
    libc.umount(str(host.link("held")), libc.MNT_DETACH)
    return "busy_pin", str(host.link("held"))


def stranded(host: IsolatedHost) -> tuple[str, str]:
    host.end(host.containers[WEB]["pid"])
    host.container("web", host.process(), WEB)
    wait_a_clock_tick()
    return "stranded_sharer", "side"


def held_open(host: IsolatedHost) -> tuple[str, str]:
    pid = host.process()
    descriptor = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    host.end(pid)
    kept.callback(os.close, descriptor)
    return "held_open", ""


def ip(*commands: str, inside: int = 0) -> None:
    """Run `ip` commands in the host, or in the namespace of a process."""
    enter = ["nsenter", f"--net=/proc/{inside}/ns/net"] if inside else []
    text = "\n".join(commands)
    subprocess.run([*enter, "ip", "-batch", "-"], input=text, check=True, text=True)


def bridged(host: IsolatedHost, count: int = 3) -> list[int]:
    """A host with a way out, and containers on a bridge, which it forwards for. Returns their PIDs."""
    way_out()
    ip("link add br0 type bridge", "addr add 172.31.0.1/24 dev br0", "link set br0 up")
    pids = []
    for number in range(count):
        pid = host.process()
        pids.append(pid)
        host.container(f"c{number}", pid, f"{number}" * 64)
        connect(pid, f"v{number}", f"172.31.0.{number + 2}/24")
    wait_a_clock_tick()
    return pids


def way_out() -> None:
    """Give the host an interface with a default route, and have it forward packets."""
    ip(
        "link set lo up",
        "link add eth0 type veth peer name eth0-far",
        "link set eth0-far up",
        "link set eth0 up",
        "addr add 192.0.2.2/24 dev eth0",
        "route add default via 192.0.2.1",
    )
    forwarding(1)


def connect(pid: int, name: str, address: str, bridge: str = "br0") -> None:
    """Connect a process's namespace to a bridge, with a default route."""
    ip(
        f"link add {name} type veth peer name eth0 netns {pid}",
        f"link set {name} master {bridge} up",
    )
    ip("link set lo up", f"addr add {address} dev eth0", "link set eth0 up", inside=pid)
    gateway = address.rpartition(".")[0] + ".1"
    ip(f"route add default via {gateway}", inside=pid)


def forwarding(value: int) -> None:
    pathlib.Path("/proc/sys/net/ipv4/ip_forward").write_text(str(value))


def duplicated(host: IsolatedHost) -> tuple[str, str]:
    pids = bridged(host)
    ip("addr add 172.31.0.2/24 dev eth0", inside=pids[1])
    return "duplicate_address", "br0"


def duplicated_gateway(host: IsolatedHost) -> tuple[str, str]:
    pids = bridged(host)
    ip("addr add 172.31.0.1/24 dev eth0", inside=pids[1])
    return "duplicate_address", "br0"


def duplicated_mac(host: IsolatedHost) -> tuple[str, str]:
    pids = bridged(host)
    for pid in pids[:2]:
        ip("link set eth0 address 02:00:00:00:00:07", inside=pid)
    return "duplicate_address", "br0"


def larger_mtu(host: IsolatedHost) -> tuple[str, str]:
    bridged(host, 1)
    ip("link set eth0 mtu 1460")
    return "mtu", "eth0"


def not_forwarded(host: IsolatedHost) -> tuple[str, str]:
    bridged(host)
    forwarding(0)
    return "no_forwarding", "br0"


def dropped(host: IsolatedHost) -> tuple[str, str]:
    bridged(host)
    iptables("-P FORWARD DROP")
    # As Docker has them, for its own bridge and for connections that exist.
    iptables("-N DOCKER")
    iptables("-A FORWARD -o docker0 -j DOCKER")
    iptables("-A DOCKER -d 172.17.0.2/32 ! -i docker0 -o docker0 -p tcp --dport 80 -j ACCEPT")
    iptables("-A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT")
    iptables("-A FORWARD -i docker0 -o docker0 -j ACCEPT")
    iptables("-A FORWARD -i docker0 ! -o docker0 -j ACCEPT")
    return "forward_drop", "br0"


def iptables(options: str) -> None:
    subprocess.run(["iptables", "-w", *options.split()], check=True)


def deaf(host: IsolatedHost) -> tuple[str, str]:
    """One port is published and has a server, the other has none."""
    pids = bridged(host, 1)
    listen = "import socket, time; s = socket.create_server(('0.0.0.0', 80)); print(flush=True); time.sleep(999)"
    keep_running("nsenter", f"--net=/proc/{pids[0]}/ns/net", sys.executable, "-c", listen)
    host.container(
        "c0",
        pids[0],
        "0" * 64,
        ports={
            "80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8080"}],
            "81/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8081"}],
        },
        networks={"bridge": {"IPAddress": "172.31.0.2"}},
    )
    return "deaf_port", "c0"


def ghost(host: IsolatedHost) -> tuple[str, str]:
    bridged(host, 1)
    # One for the address of a container, as Docker has it for each port, and one for nobody.
    for address in ("172.31.0.2", "172.31.0.77"):
        proxy(address)
    return "ghost_port", ""


def proxy(address: str) -> None:
    """A process with the name and the arguments of a docker-proxy."""
    program = "import ctypes, time; ctypes.CDLL(None).prctl(15, b'docker-proxy'); print(flush=True); time.sleep(999)"
    options = (
        f"-proto tcp -host-ip 0.0.0.0 -host-port 8080 -container-ip {address} -container-port 80"
    )
    keep_running(sys.executable, "-c", program, *options.split())


def keep_running(*command: str) -> None:
    """Start a process that runs until the end of the test, and wait until it prints a line."""
    process = kept.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE))
    kept.callback(process.kill)
    assert process.stdout
    process.stdout.readline()


def without_default_route(host: IsolatedHost) -> tuple[str, str]:
    pids = bridged(host)
    ip("route del default", inside=pids[2])
    return "no_default_route", "eth0"


def out_of_reach(host: IsolatedHost) -> tuple[str, str]:
    """Only a message in flight has the namespace: no process has a descriptor of it."""
    pid = host.process()
    connect(pid, "vlost", "172.31.0.99/24")
    namespace = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY)
    ends = [kept.enter_context(each) for each in socket.socketpair()]
    rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack("i", namespace))
    ends[0].sendmsg([b"x"], [rights])
    os.close(namespace)
    host.end(pid)
    return "ownerless_veth", "vlost"


def stranded_by_removal(host: IsolatedHost) -> tuple[str, str]:
    host.end(host.containers.pop(WEB)["pid"])
    host.update_engine()
    return "stranded_sharer", "side"


REPORTED = (
    double,
    busy,
    held_open,
    stranded,
    stranded_by_removal,
    duplicated,
    duplicated_gateway,
    duplicated_mac,
    larger_mtu,
    not_forwarded,
    dropped,
    without_default_route,
    deaf,
    ghost,
)


@pytest.mark.parametrize("make", REPORTED, ids=[make.__name__ for make in REPORTED])
def test_an_illness_without_a_repair_is_found_alone(
    host: IsolatedHost, make: t.Callable[[IsolatedHost], tuple[str, str]]
) -> None:
    healthy(host)
    expected = make(host)
    before = host.all_mounts()
    result = look(host, repair=tuple(doctor.registry.REPAIRS))
    assert found(result) == [expected]
    assert not result.changed
    assert not result.findings[0]["repairable"]
    assert result.findings[0]["evidence"]
    assert host.all_mounts() == before


def test_a_healthy_network(host: IsolatedHost) -> None:
    """Containers with several networks, an internal one, and one that is not up."""
    healthy(host)
    pids = bridged(host)
    ip("link add br1 type bridge", "addr add 172.31.1.1/24 dev br1", "link set br1 up")
    ip(
        f"link add w0 type veth peer name eth1 netns {pids[0]}",
        "link set w0 master br1 up",
        f"link add w1 type veth peer name eth1 netns {pids[1]}",
        "link set w1 master br1 up",
    )
    for number, pid in enumerate(pids[:2]):
        ip(f"addr add 172.31.1.{number + 2}/24 dev eth1", "link set eth1 up", inside=pid)
    alone = host.process()
    host.container("internal", alone, "d" * 64)
    ip(f"link add w2 type veth peer name eth0 netns {alone}", "link set w2 master br1 up")
    ip("addr add 172.31.1.9/24 dev eth0", "link set eth0 up", inside=alone)
    # The same address as that of c0, and down.
    ip(f"link add w3 type veth peer name eth1 netns {alone}", "link set w3 master br0")
    ip("addr add 172.31.0.2/24 dev eth1", inside=alone)
    wait_a_clock_tick()
    result = look(host)
    assert (found(result), result.incomplete) == ([], [])


@pytest.mark.parametrize(
    "rule",
    [
        "-i br0 -j ACCEPT",
        "-i br+ -j ACCEPT",
        "-s 172.31.0.0/24 -j ACCEPT",
        "-s 172.31.0.0/17 -j ACCEPT",
        "-s 172.31.0.3/32 -j ACCEPT",
        "-o eth0 -j ACCEPT",
        "! -i docker0 -j ACCEPT",
        "-m conntrack --ctstate NEW,RELATED,ESTABLISHED -j ACCEPT",
        "-p tcp -j ACCEPT",
        "-m comment --comment all -j ACCEPT",
        "-j ACCEPT",
    ],
)
def test_a_rule_that_may_let_packets_through(host: IsolatedHost, rule: str) -> None:
    host.prepare_as_ip()
    expected = dropped(host)
    for other in ("-i br1", "-s 172.31.1.0/24", "-o br0 -d 172.31.0.0/24", "-o br0"):
        iptables(f"-A FORWARD {other} -j ACCEPT")
    assert found(look(host)) == [expected]
    iptables(f"-A FORWARD {rule}")
    assert found(look(host)) == []


def test_vlans_separate_the_ports_of_a_bridge(
    host: IsolatedHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not every kernel has them."""
    host.prepare_as_ip()
    expected = duplicated(host)
    assert found(look(host)) == [expected]
    monkeypatch.setattr(probes.Probes, "filters_vlans", lambda self, ifindex: True)
    assert found(look(host)) == []


def test_an_ownerless_veth_is_deleted_if_that_is_named(
    host: IsolatedHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.prepare_as_ip()
    bridged(host)
    expected = out_of_reach(host)
    assert found(look(host)) == [expected]
    assert look(host, check=True, repair=("ownerless_veth",)).changed
    assert os.path.exists("/proc/sys/net/ipv4/conf/vlost")
    result = look(host, repair=("ownerless_veth",))
    assert result.changed
    assert result.findings[0]["repaired"]
    names = os.listdir("/proc/sys/net/ipv4/conf")
    assert "vlost" not in names
    assert "v0" in names
    assert found(look(host, repair=("ownerless_veth",))) == []
    out_of_reach(host)
    monkeypatch.setattr(probes.Probes, "sees_all_processes", lambda self: False)
    result = look(host)
    assert found(result) == []
    assert "ownerless_veth" not in result.checked


def orphan(host: IsolatedHost) -> pathlib.Path:
    """What is left of a container of Docker, with a device of the machine in it."""
    pid = host.process()
    pin = pathlib.Path("/run/docker/netns/0123456789ab")
    pin.parent.mkdir(parents=True)
    host.pin_at(pin, pid)
    ip("link add eth7 type veth peer name eth8", "link set lo up", "link set eth7 up", inside=pid)
    host.end(pid)
    os.utime(pin.parent, (0, 0))
    return pin


def test_an_orphan_and_its_device(host: IsolatedHost, monkeypatch: pytest.MonkeyPatch) -> None:
    healthy(host)
    real = rtnetlink._is_physical
    monkeypatch.setattr(
        rtnetlink,
        "_is_physical",
        lambda *arguments: real(*arguments) or b"eth7" in arguments[-1].get(3, b""),
    )
    pin = orphan(host)
    # The engine is the one on /run/docker.sock.
    pathlib.Path("/run/docker.sock").touch()
    subprocess.run(["mount", "--bind", host.socket, "/run/docker.sock"], check=True)
    before = host.all_mounts()
    monkeypatch.setenv("DOCKER_HOST", "unix:///run/docker.sock")
    result = look(host)
    assert found(result) == [("orphaned_namespace", str(pin)), ("lost_device", "eth7")]
    orphaned = f"net:[{inode(pin)}]"
    result = look(host, repair=("lost_device",))
    assert [each["repaired"] for each in result.findings] == [False, True]
    assert os.path.exists("/proc/sys/net/ipv4/conf/eth7")
    result = look(host, repair=("orphaned_namespace",))
    assert found(result) == [("orphaned_namespace", str(pin))]
    assert result.changed
    assert [mount for mount in before if mount not in host.all_mounts()] == [(str(pin), orphaned)]
    assert os.listdir(pin.parent) == []
    assert found(look(host, repair=("orphaned_namespace", "lost_device"))) == []


def test_an_orphan_is_not_known_to_be_one(host: IsolatedHost) -> None:
    """Without its engine, while its directory changes, and with a process in it."""
    healthy(host)
    pin = orphan(host)
    # The engine that answers is not the one on /run/docker.sock.
    assert found(look(host)) == []
    assert pin.exists()


def test_pins_that_ip_netns_covers(host: IsolatedHost) -> None:
    """As containerd's, where the first name of `ip netns` comes after them."""
    host.pin_at(host.link("cni-1"), host.process())
    assert found(look(host)) == [("private_directory", str(host.dir))]
    assert not look(host, repair=("private_directory",)).changed
    subprocess.run(["ip", "netns", "add", "late"], check=True)
    result = look(host)
    assert found(result) == [("covered_pin", str(host.link("cni-1")))]


# Calls that change something on the host.
CHANGING = (
    *("mkdir", "rmdir", "unlink", "unlinkat", "rename", "renameat"),
    *("mount", "open_tree", "move_mount", "umount2"),
)


@pytest.mark.parametrize(("check", "make"), REPAIRED.values(), ids=REPAIRED)
def test_a_repair_that_is_killed(
    host: IsolatedHost, full: bool, check: str, make: t.Callable[[IsolatedHost], str]
) -> None:
    """It is killed before each call that changes something; the next run repairs the rest, and nothing else.

    Between its unmount and the removal of its file, a stale link is a dangling entry.
    """
    if not full and make not in (dangling_file, stale):
        pytest.skip("a sample")
    for point in itertools.count():
        host.end_all()
        host.containers.clear()
        host.reset()
        healthy(host)
        before = host.all_mounts(), sorted(os.listdir(host.dir))
        make(host)
        if not _killed_at(point, functools.partial(look, host, repair=(check,))):
            break
        result = look(host, repair=(check, "dangling_entry"))
        assert result.failures == ()
        assert found(look(host)) == []
        assert (host.all_mounts(), sorted(os.listdir(host.dir))) == before
    assert point > 0


def _killed_at(point: int, run: t.Callable[[], t.Any]) -> bool:
    """Run until the call that changes something for this time, and kill it there. Returns whether there was one."""
    with Traced(run) as traced:
        changing = 0
        for call in traced:
            if call.name in CHANGING:
                if changing == point:
                    traced.kill()
                    return True
                changing += 1
        assert traced.error is None, traced.error
    return False


def test_a_private_directory_is_shared(host: IsolatedHost) -> None:
    host.dir.mkdir()
    before = host.all_mounts()
    result = look(host)
    assert found(result) == [("private_directory", str(host.dir))]
    assert look(host, check=True, repair=("private_directory",)).changed
    assert host.all_mounts() == before
    result = look(host, repair=("private_directory",))
    assert result.changed
    assert [mount for mount in host.all_mounts() if mount not in before] == [
        (str(host.dir), "/netns")
    ]
    assert found(look(host)) == []
    subprocess.run(["ip", "netns", "add", "a"], check=True)
    assert len([mount for mount in host.all_mounts() if mount[0] == str(host.dir)]) == 1


def test_a_file_that_is_pinned_elsewhere_is_not_removed(host: IsolatedHost) -> None:
    """As a rootless engine does, in a mount namespace of its own, for a namespace with a process."""
    healthy(host)
    copy = host.copy_mounts()
    host.link("rootless").touch()
    enter = ["nsenter", f"--mount=/proc/{copy}/ns/mnt"]
    subprocess.run(
        [*enter, "mount", "--bind", f"/proc/{copy}/ns/net", host.link("rootless")], check=True
    )
    assert found(look(host, repair=("dangling_entry",))) == []
    assert host.link("rootless").exists()


def test_what_is_young_is_left_alone(host: IsolatedHost) -> None:
    healthy(host)
    dangling_file(host)
    assert found(look(host, min_age=60.0, repair=("dangling_entry",))) == []
    os.utime(host.link("dead"), (0, 0))
    # The time of the last change of the inode counts as well, and nobody can set it.
    assert found(look(host, min_age=60.0)) == []


def test_an_engine_that_does_not_answer_is_no_finding(host: IsolatedHost) -> None:
    healthy(host)
    stale(host)
    stranded(host)
    host.silent = True
    host.update_engine()
    result = look(host, repair=("stale_link",))
    assert found(result) == []
    assert [each["source"] for each in result.incomplete] == ["docker"]
    assert host.link("old").exists()


def test_without_root(host: IsolatedHost) -> None:
    """What only root may read is not known, and not found."""
    healthy(host)
    dangling_file(host)
    stale(host)
    host.etc.mkdir(parents=True)
    host.etc.chmod(0o700)
    expected = [double(host)]
    nobody = futures.ProcessPoolExecutor(
        1, multiprocessing.get_context("fork"), initializer=os.setuid, initargs=(65534,)
    )
    with nobody:
        run = nobody.submit(doctor.run, request_for(host), False, str(host.state))
        repair = nobody.submit(
            doctor.run, request_for(host, repair=("stale_link",)), False, str(host.state)
        )
    assert found(run.result()) == expected
    sources = {each["source"] for each in run.result().incomplete}
    assert {"processes", str(host.etc), f"dangling_entry, {host.dir}"} <= sources
    unknown = {"dangling_entry", "stale_link", "leftover_etc"}
    assert unknown.isdisjoint(run.result().checked)
    with pytest.raises(model.NetnsError, match="only root can repair"):
        repair.result()


def test_what_is_repaired_before_a_failure_is_returned(host: IsolatedHost) -> None:
    """An engine that was asked for is not there, which ends the run that prunes."""
    healthy(host)
    dangling_file(host)
    stale(host)
    repair = ("dangling_entry", "stale_link")
    result = look(host, engines=("docker", "podman"), repair=repair)
    repaired = {each["check"]: each["repaired"] for each in result.findings}
    assert repaired == {"dangling_entry": True, "stale_link": False}
    assert result.changed
    assert not host.link("dead").exists()
    assert [each.partition(": ")[0] for each in result.failures] == ["stale_link"]
    assert "podman" in result.failures[0]


def test_a_lock_that_cannot_be_taken_is_a_failure(host: IsolatedHost) -> None:
    healthy(host)
    dangling_file(host)
    host.state.chmod(0o777)
    result = look(host, repair=("dangling_entry",))
    assert found(result) == [("dangling_entry", str(host.link("dead")))]
    assert not result.changed
    assert "users other than root can write" in result.failures[0]


def test_what_changes_between_the_looks_and_the_repair_stays(
    host: IsolatedHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that is used again after the second look is not touched."""
    healthy(host)
    dangling_file(host)
    real = doctor._repair

    def used_again(*arguments: t.Any) -> t.Any:
        host.link("dead").unlink()
        host.pin_at(host.link("dead"), host.containers[WEB]["pid"])
        return real(*arguments)

    monkeypatch.setattr(doctor, "_repair", used_again)
    result = look(host, repair=("dangling_entry",))
    assert not result.changed
    assert host.pins()["dead"].netns == netns(host.containers[WEB]["pid"])


def test_what_cannot_be_known_under_the_locks_is_not_repaired(
    host: IsolatedHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    healthy(host)
    dangling_file(host)
    real = doctor._repair

    def unknown_now(*arguments: t.Any) -> t.Any:
        monkeypatch.setattr(evidence, "_pins_propagate", lambda *_arguments: False)
        return real(*arguments)

    monkeypatch.setattr(doctor, "_repair", unknown_now)
    result = look(host, repair=("dangling_entry",))
    assert found(result) == [("dangling_entry", str(host.link("dead")))]
    assert not result.changed
    (failure,) = result.failures
    assert failure.startswith(f"dangling_entry, {host.dir}: whether its empty files are pins")
    assert host.link("dead").exists()


@pytest.mark.parametrize("pattern", ["web", "pl*", "de?d"])
def test_containers_narrow_the_findings(host: IsolatedHost, pattern: str) -> None:
    healthy(host)
    dangling_file(host)
    double(host)
    expected = {
        "web": [],
        "pl*": [("double_pin", str(host.link("plain")))],
        "de?d": [("dangling_entry", str(host.link("dead")))],
    }
    assert found(look(host, containers=(pattern,))) == expected[pattern]


def test_names_come_and_go(host: IsolatedHost, full: bool) -> None:
    """No run finds what `ip netns` and links are just making or removing."""
    healthy(host)
    names = "for name in a b c d; do ip netns"
    script = f"while :; do {names} add $name; done; {names} del $name; done; done"
    with contextlib.ExitStack() as stack:
        process = subprocess.Popen(["sh", "-c", script], stderr=subprocess.DEVNULL)
        stack.callback(process.wait)
        stack.callback(process.kill)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(doctor, "_SECOND_LOOK_DELAY", SECOND_LOOK_DELAY)
            for _run in range(300 if full else 20):
                assert found(look(host)) == []


def test_containers_come_and_go(host: IsolatedHost, full: bool, progress: Progress) -> None:
    """No run finds what the hook, `ip netns` and the engine are just making or removing."""
    healthy(host)
    churn = Churn(host)
    script = str(pathlib.Path(__file__).with_name("actor.py"))
    with contextlib.ExitStack() as stack, pytest.MonkeyPatch.context() as patch:
        patch.setattr(doctor, "_SECOND_LOOK_DELAY", SECOND_LOOK_DELAY)
        for role in ("hook", "ip"):
            command = [sys.executable, script, role, "1"]
            actor = stack.enter_context(
                subprocess.Popen(
                    command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment()
                )
            )
            stack.callback(actor.kill)
            assert actor.stdout is not None
            assert actor.stdout.readline() == b"ready\n"
        # Most of the time of a run is the wait for its second look.
        doctors = stack.enter_context(
            futures.ProcessPoolExecutor(DOCTORS, multiprocessing.get_context("fork"))
        )
        runs = [
            doctors.submit(doctor.run, request_for(host), False, str(host.state))
            for _run in range(1000 if full else 20)
        ]
        steps = 0
        while not all(run.done() for run in runs):
            churn.step()
            steps += 1
            time.sleep(0.05)
            progress(f"{sum(run.done() for run in runs)} runs, {steps} steps")
        results = [run.result() for run in runs]
        assert [found(result) for result in results if result.findings] == []
        # Not all namespaces can be read while some of them end, and then nobody knows whose end a veth is.
        checked = collections.Counter(name for result in results for name in result.checked)
        assert (
            min(checked[name] for name in doctor.registry.NAMES if name != "ownerless_veth")
            > len(runs) / 2
        )
        progress(f"{len(runs)} runs, {steps} steps; {dict(checked)}", always=True)


@pytest.mark.parametrize("shared", [False, True])
def test_a_shared_run(host: IsolatedHost, shared: bool) -> None:
    """Where /run is shared, as under systemd, each pin is mounted twice."""
    host.reset(shared=shared)
    healthy(host)
    result = look(host, repair=tuple(doctor.registry.REPAIRS))
    assert (found(result), result.changed) == ([], False)


# Networks of a host of OpenStack's kind, with five names each; those that have addresses.
NETWORKS, CONFIGURED = 60, 8


def openstack(host: IsolatedHost) -> None:
    """A network node: routers, SNAT and DHCP servers on a bridge for each network, all with the same addresses.

    Two of five names are empty, and few namespaces have a process.
    """
    host.prepare_as_ip()
    way_out()
    # Not every kernel has them.
    has_vlans = not subprocess.run(
        ["ip", "link", "add", "link", "eth0", "name", "eth0.1", "type", "vlan", "id", "1"],
        check=False,
        stderr=subprocess.DEVNULL,
    ).returncode
    for number in range(NETWORKS):
        identity = f"{number:08x}-1111-4222-8333-444444444444"
        bridge = f"brq{number:08x}"
        names = [f"{kind}-{identity}" for kind in ("qrouter", "qdhcp", "snat", "fip", "qlbaas")]
        commands = [f"netns add {name}" for name in names]
        commands += [f"link add {bridge} type bridge", f"link set {bridge} up"]
        if has_vlans:
            commands += [
                f"link add link eth0 name eth0.{number + 2} type vlan id {number + 2}",
                f"link set eth0.{number + 2} master {bridge} up",
            ]
        for last, name in enumerate(names[:3], 1):
            commands += [
                f"link add tap{last}-{number} type veth peer name port netns {name}",
                f"link set tap{last}-{number} master {bridge} mtu 1450 up",
            ]
        ip(*commands)
        for last, name in enumerate(names[:3] if number < CONFIGURED else (), 1):
            subprocess.run(
                ["ip", "-netns", name, "-batch", "-"],
                input=f"link set port mtu 1450 up\naddr add 10.0.0.{last}/24 dev port\n",
                check=True,
                text=True,
            )
            pid = host.process("ip", "netns", "exec", name, "sleep", "infinity")
            while netns(pid) != inode(host.link(name)):
                pass


def swarm(host: IsolatedHost) -> None:
    """Docker's own namespaces for its ingress network, an overlay network and a load balancer, without a process."""
    healthy(host)
    pathlib.Path("/run/docker.sock").touch()
    subprocess.run(["mount", "--bind", host.socket, "/run/docker.sock"], check=True)
    way_out()
    ip("link add docker_gwbridge type bridge", "link set docker_gwbridge up")
    host.networks = [
        {"Id": "ing" + 22 * "a", "Name": "ingress", "Ingress": True},
        {"Id": "mesh" + 21 * "b", "Name": "mesh"},
    ]
    host.update_engine()
    for number, name in enumerate(("ingress_sbox", "1-ingaaaaaaa", "2-meshbbbbbb", "lb_meshbbbbb")):
        pid = host.process()
        host.pin_at(pathlib.Path("/run/docker/netns", name), pid)
        connect(pid, f"veth{number}", f"172.18.0.{number + 2}/16", "docker_gwbridge")
        host.end(pid)
    os.utime("/run/docker/netns", (0, 0))


def rootless(host: IsolatedHost) -> None:
    """A user's engine in namespaces of its own, whose pins are only in its mount namespace.

    One namespace has a container, the other only the engine's pin and a program that holds it open.
    """
    healthy(host)
    script = """
mount -t tmpfs user /run/user
touch /run/user/rootless-netns /run/user/container
unshare --net mount --bind /proc/self/ns/net /run/user/rootless-netns
mount --bind /proc/self/ns/net /run/user/container
exec sleep infinity 7</run/user/rootless-netns
"""
    pathlib.Path("/run/user").mkdir()
    user = ("setpriv", "--reuid=1000", "--regid=1000", "--clear-groups")
    unshare = ("unshare", "--user", "--map-root-user", "--mount", "--net")
    pid = host.process(*user, *unshare, "sh", "-ec", script)
    while pathlib.Path(f"/proc/{pid}/comm").read_text() != "sleep\n":
        pass


HEALTHY = (openstack, swarm, rootless)


@pytest.mark.parametrize("make", HEALTHY, ids=[make.__name__ for make in HEALTHY])
def test_hosts_of_other_kinds_are_healthy(
    host: IsolatedHost, monkeypatch: pytest.MonkeyPatch, make: t.Callable[[IsolatedHost], None]
) -> None:
    make(host)
    if make is swarm:
        monkeypatch.setenv("DOCKER_HOST", "unix:///run/docker.sock")
    wait_a_clock_tick()
    before = host.all_mounts()
    result = look(host, repair=tuple(doctor.registry.REPAIRS))
    assert (found(result), result.incomplete) == ([], [])
    assert result.checked == list(doctor.registry.NAMES)
    assert not result.changed
    assert host.all_mounts() == before


def test_without_netns_dir(host: IsolatedHost) -> None:
    result = look(host, repair=tuple(doctor.registry.REPAIRS))
    assert (result.findings, result.changed, result.incomplete) == ([], False, [])
    assert result.checked == list(doctor.registry.NAMES)
    assert os.listdir("/run") == [FOREIGN.name]
    assert pathlib.Path(host.dir).exists() is False
