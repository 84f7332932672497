# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every place where a namespace can be, on real namespaces, and the facts that come of it."""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import subprocess
import sys
import time
import typing as t

import pytest
from support import Daemon, Place, inode

from ansible_collections.linuxnet.netns.plugins.module_utils._core import model
from ansible_collections.linuxnet.netns.plugins.module_utils._core.engines import registry
from ansible_collections.linuxnet.netns.plugins.module_utils._core.facts import (
    discovery,
    gather,
    shape,
)
from ansible_collections.linuxnet.netns.plugins.module_utils._core.kernel import (
    netns_reader,
    nsfs,
    procfs,
)

WEB, SIDE, HOSTY = "a1" * 32, "a2" * 32, "a3" * 32


def netns(path: str | os.PathLike[str]) -> model.NetnsId:
    return nsfs.netns_id(os.stat(path))


def found(place: Place, where: model.NetnsId) -> discovery.Namespace | None:
    return discovery.read(str(place.dir)).namespaces.get(where)


def can_enter(where: model.NetnsId, namespace: discovery.Namespace) -> bool:
    own = netns("/proc/self/ns/net")
    host = netns_reader.NetnsRef(own, (f"/proc/{os.getpid()}/ns/net",))
    view = netns_reader.collect_views([namespace.target(where)], own, host, True)[where]
    return view.problem is None and view.interfaces is not None


@pytest.fixture
def helper(place: Place) -> t.Iterator[t.Callable[..., int]]:
    """Runs Python code in a process that prints a line when it is ready, and gives its PID."""
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


def test_by_process(place: Place) -> None:
    pid = place.process()
    where = netns(f"/proc/{pid}/ns/net")
    namespace = found(place, where)
    assert namespace is not None
    assert (namespace.pids, namespace.pins, namespace.files) == ([pid], [], [])
    assert can_enter(where, namespace)
    place.end(pid)
    wait_until(lambda: found(place, where) is None)


def wait_until(holds: t.Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_by_name_and_pin(place: Place) -> None:
    pid = place.process()
    where = netns(f"/proc/{pid}/ns/net")
    place.pin("a b\\c", pid)
    place.pin("twice", pid)
    place.link("alias").symlink_to("twice")
    place.end(pid)
    wait_until(lambda: not found_or_fail(place, where).pids)
    namespace = found_or_fail(place, where)
    assert sorted(namespace.pins) == [str(place.link("a b\\c")), str(place.link("twice"))]
    assert can_enter(where, namespace)
    names = discovery.names(str(place.dir))
    assert {name for name, one in names.items() if one.netns == where} == {
        "a b\\c",
        "twice",
        "alias",
    }
    # What the directory lists, and not the namespace's own number.
    listed = {item.name: item.inode() for item in os.scandir(place.dir)}
    assert {name: one.file for name, one in names.items()} == listed


def found_or_fail(place: Place, where: model.NetnsId) -> discovery.Namespace:
    namespace = found(place, where)
    assert namespace is not None
    return namespace


def test_a_covered_pin_is_reached_by_no_path_but_known(place: Place) -> None:
    first, second = place.process(), place.process()
    covered, top = netns(f"/proc/{first}/ns/net"), netns(f"/proc/{second}/ns/net")
    place.pin("web", first)
    subprocess.run(["mount", "--bind", f"/proc/{second}/ns/net", place.link("web")], check=True)
    read = discovery.read(str(place.dir))
    assert read.mounted[str(place.link("web"))] == top
    assert read.namespaces[covered].pins == [str(place.link("web"))]
    place.end(first)
    wait_until(lambda: not found_or_fail(place, covered).pids)
    assert not can_enter(covered, found_or_fail(place, covered))


def test_by_thread(place: Place, helper: t.Callable[..., int]) -> None:
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
    namespace = found_or_fail(place, threads[tid])
    assert namespace.pids == [pid]
    assert namespace.files == [f"/proc/{pid}/task/{tid}/ns/net"]
    assert can_enter(threads[tid], namespace)


def test_by_thread_where_the_first_thread_has_ended(
    place: Place, helper: t.Callable[..., int]
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
    namespace = found_or_fail(place, where)
    assert namespace.pids == [pid]
    assert can_enter(where, namespace)


def test_by_open_descriptor(place: Place, helper: t.Callable[..., int]) -> None:
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
    namespace = found_or_fail(place, where)
    assert (namespace.pids, namespace.pins) == ([], [])
    assert len(namespace.files) == 1
    assert can_enter(where, namespace)


def test_by_pin_in_another_mount_namespace(
    place: Place, helper: t.Callable[..., int], tmp_path: pathlib.Path
) -> None:
    pid = place.process()
    where = netns(f"/proc/{pid}/ns/net")
    place.pin("both", pid)
    spot = tmp_path / "foreign"
    spot.touch()
    holder = helper(
        f"os.spawnlp(os.P_WAIT, 'mount', 'mount', '--bind', '/proc/{pid}/ns/net', '{spot}')",
        "unshare",
        "--mount",
        "--propagation=private",
    )
    place.end(pid)
    wait_until(lambda: not found_or_fail(place, where).pids)
    namespace = found_or_fail(place, where)
    # The one that stands at the same path there is not told twice.
    assert namespace.pins == [str(place.link("both"))]
    assert namespace.foreign_pins == [f"/proc/{holder}/root{spot}"]
    subprocess.run(["umount", place.link("both")], check=True)
    # There it is still mounted at that path, which now differs from ours.
    namespace = found_or_fail(place, where)
    assert namespace.pins == []
    assert sorted(namespace.foreign_pins) == sorted(
        f"/proc/{holder}/root{path}" for path in (spot, place.link("both"))
    )
    assert can_enter(where, namespace)
    assert (spot.stat().st_size, netns(spot) == where) == (0, False)


def test_whether_netns_dir_is_shared(place: Place, helper: t.Callable[..., int]) -> None:
    place.dir.mkdir()
    subprocess.run(["mount", "--bind", place.dir, place.dir], check=True)
    for propagation in ("shared", "private"):
        subprocess.run(["mount", f"--make-{propagation}", place.dir], check=True)
        assert discovery.read(str(place.dir)).shared is (propagation == "shared")


def test_a_linux_machine_in_motion(place: Place) -> None:
    """Processes that come and go break nothing."""
    churn = subprocess.Popen(["sh", "-c", "while :; do /bin/true & /bin/true; done"])
    try:
        for _try in range(30):
            read = discovery.read(str(place.dir))
            assert read.own in read.namespaces
    finally:
        churn.kill()
        churn.wait()


# The standard library may be where nobody can read it, so all is imported before.
NOBODY = """
import encodings.ascii, json, os
from ansible_collections.linuxnet.netns.plugins.module_utils._core.facts import gather, shape
from ansible_collections.linuxnet.netns.plugins.module_utils._core.engines import docker
os.setgroups([]); os.setgid(65534); os.setuid(65534)
print(json.dumps(gather.gather(gather.FactsRequest({!r}, ["docker"], 5, shape.subset(["all"])), {!r})))
"""


def test_without_root(place: Place, daemon: Daemon, tmp_path: pathlib.Path) -> None:
    pid = place.process()
    place.pin("web", pid)
    place.state.mkdir()
    (place.state / "ledger").touch(0o600)
    for folder in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
        folder.chmod(0o755)
    os.chmod(daemon.path, 0o600)
    code = NOBODY.format(str(place.dir), str(place.state))
    output = subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    ).stdout
    answer = json.loads(output)
    assert answer["complete"] is False
    reasons = {one["source"]: one["reason"] for one in answer["incomplete"]}
    assert sorted(reasons) == ["docker", "ledger", "namespaces", "processes"]
    assert all("`become: true`" in reason for reason in reasons.values())
    assert "processes of other users could not be read" in reasons["processes"]
    by_inode = {one["inode"]: one for one in answer["namespaces"]}
    # Mounts and our own namespace are for all to see.
    web = by_inode[inode(place.link("web"))]
    assert (web["names"], web["pins"]) == (["web"], [str(place.link("web"))])
    assert (web["interfaces"], web["kind"], web["stale"]) == (None, None, None)
    own = by_inode[inode("/proc/self/ns/net")]
    assert own["is_host"]
    assert own["interfaces"][0]["name"] == "lo"


def ask(
    place: Place, *subset: str, patterns: t.Sequence[str] | None = None, **more: t.Any
) -> tuple[shape.Facts, dict[int, shape.Facts]]:
    """The facts; and the namespaces by inode."""
    asked = gather.FactsRequest(
        # The machine may have others.
        str(place.dir),
        more.get("engines", ["docker"]),
        5,
        shape.subset(subset or ("all",)),
        patterns,
    )
    answer = gather.gather(asked, str(place.state))
    return answer, {one["inode"]: one for one in answer["namespaces"]}


def test_nothing_is_left_open(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{place.dir}/none.sock")
    place.act(pid=place.process(), names=("web",))
    own, descriptors = netns("/proc/self/ns/net"), sorted(os.listdir("/proc/self/fd"))
    assert ask(place)[1]
    assert sorted(os.listdir("/proc/self/fd")) == descriptors
    assert netns("/proc/self/ns/net") == own


def test_the_life_of_a_link(place: Place, daemon: Daemon) -> None:
    web, hosty = place.process(), os.getpid()
    side = place.process("nsenter", f"--net=/proc/{web}/ns/net", "sleep", "infinity")
    where = inode(f"/proc/{web}/ns/net")
    daemon.add("web", web, WEB, tier="front")
    daemon.add("side", side, SIDE)
    daemon.add("hosty", hosty, HOSTY)
    place.act(containers=("web",))
    answer, namespaces = ask(place)
    assert [one["source"] for one in answer["engines"]] == [daemon.path]
    linked = namespaces[where]
    assert [one["name"] for one in linked["containers"]] == ["side", "web"]
    assert [one["pid"] for one in linked["containers"]] == [side, web]
    assert linked["containers"][1]["labels"] == {"tier": "front"}
    assert (linked["kind"], linked["engine"], linked["stale"]) == ("container", "docker", False)
    assert linked["names"] == ["web"]
    assert linked["processes"]["count"] == 2
    assert linked["processes"]["first"] == [
        {"pid": pid, "command": "sleep"} for pid in sorted((web, side))
    ]
    host = namespaces[inode("/proc/self/ns/net")]
    assert [one["name"] for one in host["containers"]] == ["hosty"]
    assert list(ask(place, patterns=["sid*"])[1]) == [where]

    for pid, identity in ((web, WEB), (side, SIDE)):
        del daemon.containers[identity]
        place.end(pid)
    wait_until(lambda: not found_or_fail(place, netns(place.link("web"))).pids)
    stale = ask(place)[1][where]
    assert (stale["kind"], stale["engine"], stale["stale"]) == ("named", "docker", True)
    daemon.garbage = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlook"
    answer, namespaces = ask(place)
    assert namespaces[where]["stale"] is None
    assert not answer["complete"]
    assert "the response is not valid JSON" in answer["incomplete"][0]["reason"]
    # Made anew by another hand, it is nobody's that we know.
    daemon.garbage = None
    subprocess.run(["umount", place.link("web")], check=True)
    place.link("web").unlink()
    pid = place.process()
    place.pin("web", pid)
    place.end(pid)
    anew = netns(place.link("web"))
    wait_until(lambda: not found_or_fail(place, anew).pids)
    assert ask(place)[1][anew.inode]["stale"] is False


def test_a_link_for_a_process(place: Place, daemon: Daemon) -> None:
    pid = place.process()
    place.act(pid=pid, names=("plain",))
    where = netns(place.link("plain"))
    before = ask(place)[1][where.inode]
    assert (before["kind"], before["stale"], before["engine"]) == ("named", False, None)
    place.end(pid)
    wait_until(lambda: not found_or_fail(place, where).pids)
    assert ask(place)[1][where.inode]["stale"] is True


def test_engines_that_cannot_be_asked(
    place: Place, daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer, _text = ask(place, engines=["podman"])
    assert [one["source"] for one in answer["incomplete"] if one["source"] == "podman"] == [
        "podman"
    ]
    assert answer["engines"] == []
    # What was not asked for cannot be missing.
    unasked, _text = ask(place, "interfaces", engines=["podman"])
    assert "podman" not in [one["source"] for one in unasked["incomplete"]]
    monkeypatch.setenv("DOCKER_HOST", f"unix://{daemon.path}.gone")
    answer, _text = ask(place, engines=["docker"])
    assert "docker" in [one["source"] for one in answer["incomplete"]]


def test_containers_whose_namespace_cannot_be_told(
    place: Place, daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    pid = place.process()
    daemon.add("web", pid, WEB)
    daemon.add("side", pid, SIDE)

    def hidden(*_: object) -> None:
        raise PermissionError(13, "Permission denied", f"/proc/{pid}/ns/net")

    monkeypatch.setattr(discovery, "netns_of", hidden)
    answer, namespaces = ask(place)
    assert namespaces[inode(f"/proc/{pid}/ns/net")]["containers"] == []
    assert {
        "source": "docker",
        "reason": "which namespace these containers are in could not be read: side, web",
    } in answer["incomplete"]


def test_the_engines_are_asked_no_more_than_is_needed(
    place: Place, daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = []
    monkeypatch.setattr(registry, "start", lambda *given: read.append(given) or list)
    ask(place, "min")
    ask(place, "interfaces", "processes")
    assert read == []
    ask(place, "containers")
    assert len(read) == 1


@pytest.mark.parametrize(("user", "told"), [(0, False), (65534, True)])
def test_the_commands_of_users(tmp_path: pathlib.Path, user: int, told: bool) -> None:
    for folder in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
        folder.chmod(0o755)
    program = tmp_path / "netns-monitor"
    program.symlink_to(t.cast(str, shutil.which("sleep")))
    command = ["setpriv", "--reuid", str(user), "--clear-groups", program, "infinity"]
    with subprocess.Popen(command) as process:
        try:
            comm = pathlib.Path(f"/proc/{process.pid}/comm")
            while comm.read_text() != "netns-monitor\n":
                assert process.poll() is None
            assert ("netns-monitor" in procfs.nonroot_commands()) == told
        finally:
            process.kill()
