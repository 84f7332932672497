# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Everything that can refer to a namespace, with real namespaces, and the facts about them."""

from __future__ import annotations

import errno
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import time
import typing as t

import pytest
from support import Daemon, ScratchHost, environment, inode, wait_for

from ansible_collections.linuxnet.netns.plugins.module_utils._core import model
from ansible_collections.linuxnet.netns.plugins.module_utils._core.engines import registry
from ansible_collections.linuxnet.netns.plugins.module_utils._core.facts import (
    discovery,
    gather,
    request,
    shape,
)
from ansible_collections.linuxnet.netns.plugins.module_utils._core.kernel import (
    libc,
    mount_namespaces,
    netns_reader,
    nsfs,
    procfs,
    sockets,
)

WEB, SIDE, HOSTY = "a1" * 32, "a2" * 32, "a3" * 32


def netns(path: str | os.PathLike[str]) -> model.NetnsId:
    return nsfs.netns_id(os.stat(path))


def find(scratch: ScratchHost, where: model.NetnsId) -> discovery.References | None:
    return discovery.Search(str(scratch.dir)).wait().namespaces.get(where)


def can_enter(where: model.NetnsId, references: discovery.References) -> bool:
    own = netns("/proc/self/ns/net")
    host = nsfs.NetnsRef(own, (f"/proc/{os.getpid()}/ns/net",))
    view = netns_reader.Views([references.netns_ref(where)], own, host, True).wait()[where]
    return view.problem is None and view.interfaces is not None


@pytest.fixture
def helper(scratch: ScratchHost) -> t.Iterator[t.Callable[..., int]]:
    """Start a process that runs Python code and stays, and return its PID."""
    processes = []

    def start(code: str, *command: str) -> int:
        before = "import ctypes, os, threading, time\nunshare = ctypes.CDLL(None).unshare\n"
        process = subprocess.Popen(
            [*command, sys.executable, "-c", f"{before}{code}\nprint(flush=True)\ntime.sleep(600)"],
            stdout=subprocess.PIPE,
        )
        processes.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == b"\n"
        return process.pid

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def test_by_process(scratch: ScratchHost) -> None:
    pid = scratch.process()
    where = netns(f"/proc/{pid}/ns/net")
    references = find_or_fail(scratch, where)
    assert (references.pids, references.pins, references.proc_files) == ([pid], [], [])
    assert can_enter(where, references)
    scratch.end(pid)
    wait_for(lambda: find(scratch, where) is None, 5)


def test_by_name_and_pin(scratch: ScratchHost) -> None:
    pid = scratch.process()
    where = netns(f"/proc/{pid}/ns/net")
    scratch.pin("a b\\c", pid)
    scratch.pin("twice", pid)
    scratch.link("alias").symlink_to("twice")
    scratch.end(pid)
    wait_for(lambda: not find_or_fail(scratch, where).pids, 5)
    references = find_or_fail(scratch, where)
    assert sorted(references.pins) == [str(scratch.link("a b\\c")), str(scratch.link("twice"))]
    assert can_enter(where, references)
    entries = nsfs.list_names(str(scratch.dir))
    assert {name for name, entry in entries.items() if entry.netns == where} == {
        "a b\\c",
        "twice",
        "alias",
    }
    # The inode that the directory lists, and not that of the namespace.
    listed = {item.name: item.inode() for item in os.scandir(scratch.dir)}
    assert {name: entry.file for name, entry in entries.items()} == listed


def find_or_fail(scratch: ScratchHost, where: model.NetnsId) -> discovery.References:
    references = find(scratch, where)
    assert references is not None
    return references


def test_the_child_that_looks_is_left_out(scratch: ScratchHost) -> None:
    own = find_or_fail(scratch, netns("/proc/self/ns/net"))
    assert os.getpid() in own.pids
    assert all(os.path.exists(f"/proc/{pid}") for pid in own.pids)


@pytest.mark.parametrize("is_started", [True, False])
def test_without_a_child(
    scratch: ScratchHost, monkeypatch: pytest.MonkeyPatch, is_started: bool
) -> None:
    pid = scratch.process()
    parent, add_pins = os.getpid(), discovery._Scanner.add_pins

    def end_the_child(*arguments: t.Any) -> None:
        if os.getpid() != parent:
            os.kill(os.getpid(), signal.SIGKILL)
        add_pins(*arguments)

    def refuse() -> t.NoReturn:
        raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    monkeypatch.setattr(discovery._Scanner, "add_pins", end_the_child)
    if not is_started:
        monkeypatch.setattr(os, "fork", refuse)
    where = netns(f"/proc/{pid}/ns/net")
    assert find_or_fail(scratch, where).pids == [pid]
    search = discovery.Search(str(scratch.dir))
    search.wait_for_listing()
    assert where not in search.wait(leave_out=pid).namespaces


def test_a_process_that_starts_after_the_list_is_not_looked_at(
    scratch: ScratchHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    list_pids = procfs.pids

    def list_late() -> t.Iterator[int]:
        time.sleep(0.5)
        return list_pids()

    before = scratch.process()
    monkeypatch.setattr(procfs, "pids", list_late)
    search = discovery.Search(str(scratch.dir))
    search.wait_for_listing()
    after = scratch.process()
    found = search.wait().namespaces
    assert netns(f"/proc/{before}/ns/net") in found
    assert netns(f"/proc/{after}/ns/net") not in found


def test_a_covered_pin_is_found_but_cannot_be_opened(scratch: ScratchHost) -> None:
    first, second = scratch.process(), scratch.process()
    covered, top = netns(f"/proc/{first}/ns/net"), netns(f"/proc/{second}/ns/net")
    scratch.pin("web", first)
    subprocess.run(["mount", "--bind", f"/proc/{second}/ns/net", scratch.link("web")], check=True)
    discovered = discovery.Search(str(scratch.dir)).wait()
    assert discovered.netns_by_pin[str(scratch.link("web"))] == top
    assert discovered.namespaces[covered].pins == [str(scratch.link("web"))]
    scratch.end(first)
    wait_for(lambda: not find_or_fail(scratch, covered).pids, 5)
    assert not can_enter(covered, find_or_fail(scratch, covered))


def test_by_thread(scratch: ScratchHost, helper: t.Callable[..., int]) -> None:
    pid = helper(
        "def other():\n"
        "    unshare(0x40000000)\n"
        "    ready.set()\n"
        "    time.sleep(600)\n"
        "ready = threading.Event()\n"
        "threading.Thread(target=other, daemon=True).start()\n"
        "ready.wait()"
    )
    threads = {
        tid: netns(f"/proc/{pid}/task/{tid}/ns/net") for tid in os.listdir(f"/proc/{pid}/task")
    }
    (tid,) = (tid for tid, where in threads.items() if where != threads[str(pid)])
    references = find_or_fail(scratch, threads[tid])
    assert references.pids == [pid]
    assert references.proc_files == [f"/proc/{pid}/task/{tid}/ns/net"]
    assert can_enter(threads[tid], references)


def test_by_thread_where_the_first_thread_has_ended(
    scratch: ScratchHost, helper: t.Callable[..., int]
) -> None:
    pid = helper(
        "unshare(0x40000000)\n"
        "def other():\n"
        "    time.sleep(0.2)\n"
        "    print(flush=True)\n"
        "    time.sleep(600)\n"
        "threading.Thread(target=other).start()\n"
        "ctypes.CDLL(None).syscall(60 if os.uname().machine == 'x86_64' else 93, 0)"
    )
    (tid,) = set(os.listdir(f"/proc/{pid}/task")) - {str(pid)}
    where = netns(f"/proc/{pid}/task/{tid}/ns/net")
    references = find_or_fail(scratch, where)
    assert references.pids == [pid]
    assert can_enter(where, references)


def test_by_open_descriptor(scratch: ScratchHost, helper: t.Callable[..., int]) -> None:
    pid = helper(
        "home = os.open('/proc/self/ns/net', os.O_RDONLY)\n"
        "unshare(0x40000000)\n"
        "held = os.open('/proc/self/ns/net', os.O_RDONLY)\n"
        "ctypes.CDLL(None).setns(home, 0)"
    )
    (where,) = {
        netns(f"/proc/{pid}/fd/{fd}")
        for fd in os.listdir(f"/proc/{pid}/fd")
        if os.readlink(f"/proc/{pid}/fd/{fd}").startswith("net:[")
    } - {netns("/proc/self/ns/net")}
    references = find_or_fail(scratch, where)
    assert (references.pids, references.pins) == ([], [])
    assert len(references.proc_files) == 1
    assert can_enter(where, references)


def test_by_pin_in_another_mount_namespace(
    scratch: ScratchHost, helper: t.Callable[..., int], tmp_path: pathlib.Path
) -> None:
    pid = scratch.process()
    where = netns(f"/proc/{pid}/ns/net")
    scratch.pin("both", pid)
    pin = tmp_path / "elsewhere"
    pin.touch()
    holder = helper(
        f"os.spawnlp(os.P_WAIT, 'mount', 'mount', '--bind', '/proc/{pid}/ns/net', '{pin}')",
        "unshare",
        "--mount",
        "--propagation=private",
    )
    scratch.end(pid)
    wait_for(lambda: not find_or_fail(scratch, where).pids, 5)
    references = find_or_fail(scratch, where)
    # A pin at the same path in both mount namespaces is found once.
    assert references.pins == [str(scratch.link("both"))]
    assert references.pins_elsewhere == [f"/proc/{holder}/root{pin}"]
    subprocess.run(["umount", scratch.link("both")], check=True)
    # It is still mounted at that path in the other mount namespace, and not in ours.
    references = find_or_fail(scratch, where)
    assert references.pins == []
    assert sorted(references.pins_elsewhere) == sorted(
        f"/proc/{holder}/root{path}" for path in (pin, scratch.link("both"))
    )
    assert can_enter(where, references)
    assert (pin.stat().st_size, netns(pin) == where) == (0, False)


def test_whether_netns_dir_is_shared(scratch: ScratchHost, helper: t.Callable[..., int]) -> None:
    scratch.dir.mkdir()
    subprocess.run(["mount", "--bind", scratch.dir, scratch.dir], check=True)
    for propagation in ("shared", "private"):
        subprocess.run(["mount", f"--make-{propagation}", scratch.dir], check=True)
        assert discovery.Search(str(scratch.dir)).wait().netns_dir_shared is (
            propagation == "shared"
        )


def test_processes_that_start_and_end_meanwhile(scratch: ScratchHost) -> None:
    churn = subprocess.Popen(["sh", "-c", "while :; do /bin/true & /bin/true; done"])
    try:
        for _try in range(30):
            discovered = discovery.Search(str(scratch.dir)).wait()
            assert discovered.own_netns in discovered.namespaces
    finally:
        churn.kill()
        churn.wait()


# The standard library may be unreadable for other users, so everything is imported before.
GATHER_WITHOUT_ROOT = """
import encodings.ascii, json, os
from ansible_collections.linuxnet.netns.plugins.module_utils._core.facts import forwards, gather, request
from ansible_collections.linuxnet.netns.plugins.module_utils._core.engines import docker
os.setgroups([]); os.setgid(65534); os.setuid(65534)
facts_request = request.FactsRequest({!r}, ["docker"], 5, request.parse_subset(["all"]))
print(json.dumps(gather.gather(facts_request, {!r})))
"""


def gather_without_root(scratch: ScratchHost, mount: str) -> subprocess.CompletedProcess[bytes]:
    """Gather in a mount namespace of its own, in which a command has mounted something."""
    code = GATHER_WITHOUT_ROOT.format(str(scratch.dir), str(scratch.state))
    before = ("unshare", "--mount", "sh", "-ec", f'{mount}; exec "$@"', "sh")
    return subprocess.run(
        [*before, sys.executable, "-c", code], check=False, capture_output=True, env=environment()
    )


@pytest.mark.parametrize("hidden", [False, True])
def test_without_root(
    scratch: ScratchHost, daemon: Daemon, tmp_path: pathlib.Path, hidden: bool
) -> None:
    pid = scratch.process()
    scratch.pin("web", pid)
    scratch.state.mkdir()
    (scratch.state / "ledger").touch(0o600)
    for directory in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
        directory.chmod(0o755)
    os.chmod(daemon.path, 0o600)
    # The option is that of this mount alone.
    mount = "mount -t proc -o hidepid=2 proc /proc" if hidden else "true"
    gathered = gather_without_root(scratch, mount)
    assert gathered.returncode == 0, gathered.stderr
    facts = json.loads(gathered.stdout)
    assert facts["complete"] is False
    reasons = {each["source"]: each["reason"] for each in facts["incomplete"]}
    assert sorted(reasons) == ["docker", "ledger", "namespaces", "processes"]
    assert all("`become: true`" in reason for reason in reasons.values())
    problem = "are hidden" if hidden else "could not be read"
    assert f"processes of other users {problem}" in reasons["processes"]
    by_inode = {each["inode"]: each for each in facts["namespaces"]}
    # Without root too, mounts and the own namespace can be read.
    web = by_inode[inode(scratch.link("web"))]
    assert (web["names"], web["pins"]) == (["web"], [str(scratch.link("web"))])
    assert (web["interfaces"], web["kind"], web["stale"]) == (None, None, None)
    own = by_inode[inode("/proc/self/ns/net")]
    assert own["is_host"]
    assert own["interfaces"][0]["name"] == "lo"


def test_without_proc(scratch: ScratchHost) -> None:
    gathered = gather_without_root(scratch, "mount -t tmpfs none /proc")
    # The modules show it without the traceback.
    assert b"NetnsError: /proc is not mounted here" in gathered.stderr


def gather_from(
    scratch: ScratchHost, *subset: str, patterns: t.Sequence[str] | None = None, **more: t.Any
) -> tuple[shape.Facts, dict[int, shape.Facts]]:
    """The facts, and those of each namespace by inode."""
    facts_request = request.FactsRequest(
        str(scratch.dir),
        # The machine may have other engines.
        more.get("engines", ["docker"]),
        5,
        request.parse_subset(subset or ("all",)),
        patterns,
    )
    facts = gather.gather(facts_request, str(scratch.state))
    return facts, {each["inode"]: each for each in facts["namespaces"]}


def test_the_ledger_has_a_link_that_is_made_during_the_search(
    scratch: ScratchHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is read before the search ends, and again where it has changed."""
    wait = discovery.Search.wait

    def link_meanwhile(*arguments: t.Any) -> discovery.HostNamespaces:
        scratch.act(pid=scratch.process(), names=("late",))
        return wait(*arguments)

    monkeypatch.setattr(discovery.Search, "wait", link_meanwhile)
    subset = request.parse_subset(["containers"])
    facts_request = request.FactsRequest(str(scratch.dir), ["docker"], 5, subset, None)
    sources = gather.read(facts_request, str(scratch.state)).sources
    assert list(sources.ledger_entries or ()) == [str(scratch.link("late"))]


def test_nothing_is_left_open(scratch: ScratchHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{scratch.dir}/none.sock")
    scratch.act(pid=scratch.process(), names=("web",))
    own, descriptors = netns("/proc/self/ns/net"), sorted(os.listdir("/proc/self/fd"))
    assert gather_from(scratch)[1]
    assert sorted(os.listdir("/proc/self/fd")) == descriptors
    assert netns("/proc/self/ns/net") == own


def test_the_life_of_a_link(scratch: ScratchHost, daemon: Daemon) -> None:
    web, hosty = scratch.process(), os.getpid()
    side = scratch.sharer(web)
    where = inode(f"/proc/{web}/ns/net")
    daemon.add("web", web, WEB, tier="front")
    daemon.add("side", side, SIDE)
    daemon.add("hosty", hosty, HOSTY)
    scratch.act(containers=("web",))
    facts, namespaces = gather_from(scratch)
    assert [each["source"] for each in facts["engines"]] == [daemon.path]
    linked = namespaces[where]
    assert [each["name"] for each in linked["containers"]] == ["side", "web"]
    assert [each["pid"] for each in linked["containers"]] == [side, web]
    assert linked["containers"][1]["labels"] == {"tier": "front"}
    assert (linked["kind"], linked["engine"], linked["stale"]) == ("container", "docker", False)
    assert linked["names"] == ["web"]
    assert linked["processes"]["count"] == 2
    assert linked["processes"]["first"] == [
        {"pid": pid, "command": "sleep"} for pid in sorted((web, side))
    ]
    host = namespaces[inode("/proc/self/ns/net")]
    assert [each["name"] for each in host["containers"]] == ["hosty"]
    assert list(gather_from(scratch, patterns=["sid*"])[1]) == [where]

    for pid, identity in ((web, WEB), (side, SIDE)):
        del daemon.containers[identity]
        scratch.end(pid)
    wait_for(lambda: not find_or_fail(scratch, netns(scratch.link("web"))).pids, 5)
    stale = gather_from(scratch)[1][where]
    assert (stale["kind"], stale["engine"], stale["stale"]) == ("named", "docker", True)
    daemon.garbage = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlook"
    facts, namespaces = gather_from(scratch)
    assert namespaces[where]["stale"] is None
    assert not facts["complete"]
    assert "the response is not valid JSON" in facts["incomplete"][0]["reason"]
    # Created again by another program, it is not managed.
    daemon.garbage = None
    subprocess.run(["umount", scratch.link("web")], check=True)
    # Its inode number is not used again while it is open, which file systems but tmpfs do at once.
    with scratch.link("web").open():
        scratch.link("web").unlink()
        pid = scratch.process()
        scratch.pin("web", pid)
    scratch.end(pid)
    recreated = netns(scratch.link("web"))
    wait_for(lambda: not find_or_fail(scratch, recreated).pids, 5)
    assert gather_from(scratch)[1][recreated.inode]["stale"] is False


def test_a_link_for_a_process(scratch: ScratchHost, daemon: Daemon) -> None:
    pid = scratch.process()
    scratch.act(pid=pid, names=("plain",))
    where = netns(scratch.link("plain"))
    before = gather_from(scratch)[1][where.inode]
    assert (before["kind"], before["stale"], before["engine"]) == ("named", False, None)
    scratch.end(pid)
    wait_for(lambda: not find_or_fail(scratch, where).pids, 5)
    assert gather_from(scratch)[1][where.inode]["stale"] is True


def test_engines_that_cannot_be_read(
    scratch: ScratchHost, daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts, _namespaces = gather_from(scratch, engines=["podman"])
    assert [each["source"] for each in facts["incomplete"] if each["source"] == "podman"] == [
        "podman"
    ]
    assert facts["engines"] == []
    # Without the containers, an engine is not missing.
    facts, _namespaces = gather_from(scratch, "interfaces", engines=["podman"])
    assert "podman" not in [each["source"] for each in facts["incomplete"]]
    monkeypatch.setenv("DOCKER_HOST", f"unix://{daemon.path}.gone")
    facts, _namespaces = gather_from(scratch, engines=["docker"])
    assert "docker" in [each["source"] for each in facts["incomplete"]]


def test_containers_whose_namespace_cannot_be_read(
    scratch: ScratchHost, daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    pid = scratch.process()
    daemon.add("web", pid, WEB)
    daemon.add("side", pid, SIDE)

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied", f"/proc/{pid}/ns/net")

    monkeypatch.setattr(discovery, "container_netns", refuse)
    facts, namespaces = gather_from(scratch)
    assert namespaces[inode(f"/proc/{pid}/ns/net")]["containers"] == []
    assert {
        "source": "docker",
        "reason": "the network namespaces of these containers could not be read: side, web",
    } in facts["incomplete"]


def test_engines_are_only_read_for_the_containers(
    scratch: ScratchHost, daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    starts = []
    monkeypatch.setattr(
        registry, "start", lambda *given, sources: starts.append((*given, sources)) or list
    )
    gather_from(scratch, "min")
    gather_from(scratch, "interfaces", "processes")
    assert starts == []
    gather_from(scratch, "containers")
    assert len(starts) == 1


@pytest.mark.parametrize(("user", "listed"), [(0, False), (65534, True)])
def test_commands_of_processes_without_root(
    tmp_path: pathlib.Path, user: int, listed: bool
) -> None:
    for directory in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
        directory.chmod(0o755)
    program = tmp_path / "netns-monitor"
    program.symlink_to(t.cast(str, shutil.which("sleep")))
    command = ["setpriv", "--reuid", str(user), "--clear-groups", program, "infinity"]
    with subprocess.Popen(command) as process:
        try:
            comm = pathlib.Path(f"/proc/{process.pid}/comm")
            while comm.read_text() != "netns-monitor\n":
                assert process.poll() is None
            assert ("netns-monitor" in procfs.nonroot_commands()) == listed
        finally:
            process.kill()


@pytest.mark.parametrize("kind", ["AF_UNIX", "AF_INET", "AF_NETLINK", "AF_PACKET"])
def test_by_socket(scratch: ScratchHost, helper: t.Callable[..., int], kind: str) -> None:
    """As a program that made a socket in a namespace and left it."""
    type_ = "SOCK_RAW" if kind in ("AF_NETLINK", "AF_PACKET") else "SOCK_STREAM"
    pid = helper(
        "import socket\n"
        "home = os.open('/proc/self/ns/net', os.O_RDONLY)\n"
        "unshare(0x40000000)\n"
        "os.system('ip link add left type veth peer name right')\n"
        f"kept = socket.socket(socket.{kind}, socket.{type_})\n"
        "print(os.stat('/proc/self/ns/net').st_ino, file=open('inode', 'w'))\n"
        "ctypes.CDLL(None).setns(home, 0)\n"
        "os.close(home)",
        *("env", "--chdir", str(scratch.dir.parent)),
    )
    where = model.NetnsId(nsfs.device(), int((scratch.dir.parent / "inode").read_text()))
    references = find_or_fail(scratch, where)
    assert (references.pids, references.proc_files, references.pins) == ([], [], [])
    assert [each for each, _fd in references.sockets] == [pid]
    assert references.holders == [pid]
    assert can_enter(where, references)
    facts = gather_from(scratch)[1][where.inode]
    assert {"left", "right"} < {each["name"] for each in facts["interfaces"]}
    assert (facts["kind"], facts["stale"]) == ("process", False)
    assert [each["pid"] for each in facts["processes"]["holders"]] == [pid]
    # Sockets of namespaces that are known otherwise show nothing new.
    found = discovery.Search(str(scratch.dir)).wait()
    assert [netns for netns, each in found.namespaces.items() if each.sockets] == [where]
    assert found.sockets_problem is None


def test_sockets_are_left_alone_where_that_would_change_them(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    controllers = tmp_path / "cgroups"
    monkeypatch.setattr(sockets, "_CGROUP_CONTROLLERS", str(controllers))
    assert sockets.may_duplicate()
    rows = "#subsys_name\thierarchy\tnum_cgroups\tenabled\ncpu\t1\t3\t1\nnet_cls\t{}\t22\t1\n"
    for hierarchy, expected in ((0, True), (4, False)):
        controllers.write_text(rows.format(hierarchy))
        assert sockets.may_duplicate() is expected
    # Then not a single socket is duplicated.
    monkeypatch.setattr(libc, "pidfd_getfd", None)
    problem = discovery.Search(str(tmp_path)).wait().sockets_problem
    assert problem is not None
    assert problem.startswith("net_cls or net_prio of cgroups v1 is mounted")


@pytest.mark.parametrize(
    ("number", "problem"),
    [
        (errno.ENOSYS, "only Linux 5.6 and later can look at sockets of other processes"),
        (errno.EPERM, "the sockets of process {} could not be looked at: Operation not permitted"),
        (None, "process {} has more than 0 sockets"),
        # The process ended, or closed the socket.
        (errno.ESRCH, None),
        (errno.EBADF, None),
    ],
)
def test_sockets_that_are_not_looked_at(
    scratch: ScratchHost, monkeypatch: pytest.MonkeyPatch, number: int | None, problem: str | None
) -> None:
    def refuse(_pidfd: int, _fd: int) -> int:
        assert number is not None
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(libc, "pidfd_getfd", refuse)
    if number is None:
        monkeypatch.setattr(discovery, "_MAX_SOCKETS", 0)
    pid = os.getpid()
    with socket.socket():
        monkeypatch.setattr(procfs, "pids", lambda: [pid])
        found = discovery.Search(str(scratch.dir)).wait()
    assert found.sockets_problem == (problem and problem.format(pid))
    # The facts miss no namespace that they promise.
    assert found.problems == ()


KEEP_MOUNT_NAMESPACE = """
home = os.open('/proc/self/ns/mnt', os.O_RDONLY)
# The kernel mounts a mount namespace only in one with a smaller number, and each CPU has numbers of its own.
for cpu in os.sched_getaffinity(0):
    os.sched_setaffinity(0, [cpu])
    unshare(0x20000)
    os.system('mount --make-rprivate /')
    os.system('mount --bind /proc/{pid}/ns/net {pin}')
    kept = os.open('/proc/self/ns/mnt', os.O_RDONLY)
    ctypes.CDLL(None).setns(home, 0)
    path = f'/proc/{{os.getpid()}}/fd/{{kept}}'
    if {target!r} == '' or os.system(f'mount --bind {{path}} {target}') == 0:
        break
    os.close(kept)
os.close(home)
"""


@pytest.mark.parametrize("by", ["descriptor", "mount"])
def test_by_pin_in_a_mount_namespace_without_processes(
    scratch: ScratchHost, helper: t.Callable[..., int], tmp_path: pathlib.Path, by: str
) -> None:
    pid = scratch.process()
    where = netns(f"/proc/{pid}/ns/net")
    pin = tmp_path / "inside"
    pin.touch()
    target = ""
    if by == "mount":
        # As snapd does: in a directory that is not shared, or it would be in itself.
        scratch.dir.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "none", scratch.dir], check=True)
        subprocess.run(["mount", "--make-private", scratch.dir], check=True)
        target = str(scratch.dir / "kept.mnt")
        pathlib.Path(target).touch()
    holder = helper(KEEP_MOUNT_NAMESPACE.format(pid=pid, pin=pin, target=target))
    (fd,) = (
        fd
        for fd in os.listdir(f"/proc/{holder}/fd")
        if os.readlink(f"/proc/{holder}/fd/{fd}").startswith("mnt:[")
    )
    kept = f"/proc/{holder}/fd/{fd}"
    if target:
        kept = target
        os.kill(holder, 9)
    scratch.end(pid)
    wait_for(lambda: not find_or_fail(scratch, where).pids, 5)
    descriptors = sorted(os.listdir("/proc/self/fd"))
    own = os.readlink("/proc/self/ns/mnt")
    references = find_or_fail(scratch, where)
    assert (references.pins, references.pins_elsewhere) == ([], [])
    assert references.pins_without_process == [f"{kept}:{pin}"]
    assert (os.readlink("/proc/self/ns/mnt"), sorted(os.listdir("/proc/self/fd"))) == (
        own,
        descriptors,
    )
    facts, namespaces = gather_from(scratch)
    found = namespaces[where.inode]
    assert (found["pins"], found["kind"], found["stale"]) == ([f"{kept}:{pin}"], "named", None)
    assert found["interfaces"] is None
    reason = f"{where.inode}: no path to the namespace is known"
    assert {"source": "namespaces", "reason": reason} in facts["incomplete"]


def test_a_mount_namespace_that_cannot_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    own = os.stat("/proc/self/ns/mnt").st_ino
    # One that is gone is no problem.
    assert mount_namespaces.read({"/proc/self/ns/mnt": 1, "/nowhere": 2}) == ({}, None)
    tables, problem = mount_namespaces.read({"/proc/self/ns/mnt": own})
    assert (list(tables), problem) == (["/proc/self/ns/mnt"], None)
    assert b" / / " in tables["/proc/self/ns/mnt"]

    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(libc, "setns", refuse)
    assert mount_namespaces.read({"/proc/self/ns/mnt": own}) == (
        {},
        "/proc/self/ns/mnt: Operation not permitted",
    )
    monkeypatch.setattr(mount_namespaces, "_MAX_NAMESPACES", 0)
    assert mount_namespaces.read({"/proc/self/ns/mnt": own}) == (
        {},
        "only 0 of 1 without processes were read",
    )
