# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The table of what stands at NAME, against the running kernel."""

from __future__ import annotations

import errno
import os
import pathlib
import signal
import subprocess
import sys
import time
import typing as t

import pytest
from support import Daemon, Place, inode, pins

from ansible_collections.linuxnet.netns.plugins.module_utils._core import model
from ansible_collections.linuxnet.netns.plugins.module_utils._core.engines import docker, registry
from ansible_collections.linuxnet.netns.plugins.module_utils._core.kernel import mounts
from ansible_collections.linuxnet.netns.plugins.module_utils._core.links import (
    apply,
    etc_netns,
    ledger,
    plan,
)

WEB = "a1" * 32
DB = "a2" * 32


def netns(pid: int) -> int:
    return inode(f"/proc/{pid}/ns/net")


def test_created_then_unchanged_then_removed(place: Place) -> None:
    pid = place.process()
    assert place.run(check=True, pid=pid, names=("web",)).links[0]["action"] == "created"
    assert not place.dir.exists()
    assert not place.state.exists()
    assert place.act(pid=pid, names=("web",)) == {"web": "created"}
    assert inode(place.link("web")) == netns(pid)
    assert place.act(pid=pid, names=("web",)) == {"web": "unchanged"}
    assert place.act(state="absent", names=("web",)) == {"web": "removed"}
    assert os.listdir(place.dir) == []
    assert pins(netns(pid)) == 0
    assert place.act(state="absent", names=("web",)) == {"web": "unchanged"}
    assert place.entries() == {}


def test_a_link_by_others_to_this_very_namespace_is_unchanged_and_stays_theirs(
    place: Place,
) -> None:
    pid = place.process()
    place.pin("web", pid)
    assert place.act(pid=pid, names=("web",)) == {"web": "unchanged"}
    with pytest.raises(model.SelectionError, match="did not make"):
        place.run(state="absent", names=("web",))
    assert place.act(state="absent", all=True) == {}
    assert inode(place.link("web")) == netns(pid)
    assert place.act(state="absent", names=("web",), force=True) == {"web": "removed"}
    assert pins(netns(pid)) == 0


def test_ours_to_another_namespace_is_relinked(place: Place) -> None:
    old, new = place.process(), place.process()
    place.act(pid=old, names=("web",))
    left = netns(old)
    assert place.act(pid=new, names=("web",)) == {"web": "relinked"}
    assert inode(place.link("web")) == netns(new)
    assert pins(left) == 0
    assert place.entries()[str(place.link("web"))].previous is None


def test_a_link_of_others_to_another_namespace_is_refused_unless_force(place: Place) -> None:
    theirs, ours = place.process(), place.process()
    place.pin("web", theirs)
    with pytest.raises(model.SelectionError, match="force: true"):
        place.run(pid=ours, names=("web",))
    assert inode(place.link("web")) == netns(theirs)
    assert place.act(pid=ours, names=("web",), force=True) == {"web": "relinked"}
    assert inode(place.link("web")) == netns(ours)
    assert place.act(state="absent", names=("web",)) == {"web": "removed"}


def test_a_name_made_anew_by_others_with_the_same_inode_is_not_ours(place: Place) -> None:
    """The kernel reuses inode numbers at once; the file beneath the mount tells them apart."""
    pid = place.process()
    place.act(pid=pid, names=("web",))
    subprocess.run(["umount", place.link("web")], check=True)
    place.link("web").rename(place.link("old"))
    place.pin("web", pid)
    with pytest.raises(model.SelectionError, match="did not make"):
        place.run(state="absent", names=("web",))
    assert place.act(state="absent", all=True) == {"web": "unchanged"}
    assert inode(place.link("web")) == netns(pid)


@pytest.mark.parametrize("state", ["present", "absent"])
def test_an_empty_file_is_what_a_crash_left(place: Place, state: str) -> None:
    pid = place.process()
    place.dir.mkdir()
    place.link("web").touch()
    if state == "present":
        assert place.act(pid=pid, names=("web",)) == {"web": "repaired"}
        assert inode(place.link("web")) == netns(pid)
    assert place.act(state="absent", names=("web",)) == {"web": "removed"}
    assert os.listdir(place.dir) == []


@pytest.fixture
def held(place: Place) -> t.Iterator[int]:
    """An empty file that a process pins its namespace on, inside a mount namespace of its own."""
    place.dir.mkdir()
    place.link("web").touch()
    script = 'mount --bind /proc/self/ns/net "$1" && echo && exec sleep infinity'
    process = subprocess.Popen(
        ["unshare", "--net", "--mount", "sh", "-c", script, "sh", place.link("web")],
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"\n"
    yield process.pid
    process.kill()
    process.communicate()


def theirs(pid: int, place: Place) -> int:
    return inode(f"/proc/{pid}/root{place.link('web')}")


def test_an_empty_file_that_is_a_pin_elsewhere_is_refused_unless_force(
    place: Place, held: int
) -> None:
    pid = place.process()
    for request in ({"pid": pid, "names": ("web",)}, {"state": "absent", "names": ("web",)}):
        with pytest.raises(model.SelectionError, match=f"mount namespace of process {held}"):
            place.run(**request)
        assert theirs(held, place) == netns(held)
    assert place.act(pid=pid, names=("web",), force=True) == {"web": "repaired"}
    assert inode(place.link("web")) == netns(pid)


def test_a_symbolic_link_is_never_followed(place: Place) -> None:
    pin, other = place.process(), place.process()
    place.pin("cni-1", pin)
    place.link("web").symlink_to("cni-1")
    assert place.act(pid=pin, names=("web",)) == {"web": "unchanged"}
    for request in ({"pid": other, "names": ("web",)}, {"state": "absent", "names": ("web",)}):
        with pytest.raises(model.SelectionError, match="symbolic link"):
            place.run(**request)
    assert place.act(state="absent", names=("web",), force=True) == {"web": "removed"}
    assert not place.link("web").is_symlink()
    assert inode(place.link("cni-1")) == netns(pin)
    place.link("web").symlink_to("nowhere")
    assert place.act(pid=other, names=("web",), force=True) == {"web": "relinked"}
    assert inode(place.link("web")) == netns(other)
    assert not place.link("nowhere").exists()


def _directory(place: Place) -> None:
    place.link("web").mkdir()


def _file(place: Place) -> None:
    place.link("web").write_text("x")


def _fifo(place: Place) -> None:
    os.mkfifo(place.link("web"))


def _device(place: Place) -> None:
    os.mknod(place.link("web"), 0o600 | 0o020000, os.makedev(1, 3))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (_directory, "a directory"),
        (_file, "not empty"),
        (_fifo, "a FIFO"),
        (_device, "a character device"),
    ],
)
def test_what_is_no_link_is_refused_always(
    place: Place, make: t.Callable[[Place], None], words: str
) -> None:
    pid = place.process()
    place.dir.mkdir()
    make(place)
    before = os.lstat(place.link("web"))
    for request in ({"pid": pid, "names": ("web",)}, {"state": "absent", "names": ("web",)}):
        for force in (False, True):
            with pytest.raises(model.SelectionError, match=words):
                place.run(force=force, **request)
    assert os.lstat(place.link("web")).st_ino == before.st_ino


def test_the_host_is_never_linked(place: Place) -> None:
    for request in ({"pid": os.getpid()}, {"path": "/proc/self/ns/net"}):
        with pytest.raises(model.SelectionError, match="host's own"):
            place.run(names=("web",), **request)


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/proc/self/ns/mnt", "a mount namespace"),
        ("/etc/passwd", "a regular file"),
        ("/dev/null", "a character device"),
        ("/", "a directory"),
        ("/nowhere", "No such file"),
    ],
)
def test_a_path_that_is_no_network_namespace_is_told_what_it_is(
    place: Place, path: str, words: str
) -> None:
    with pytest.raises(model.SelectionError, match=words):
        place.run(path=path, names=("web",))


def test_a_process_that_is_not_there(place: Place) -> None:
    pid = place.process()
    place.end(pid)
    with pytest.raises(model.SelectionError, match=f"no process {pid}"):
        place.run(pid=pid, names=("web",))


# netns_dir and propagation


def test_the_directory_becomes_a_shared_mount_of_itself_once(place: Place) -> None:
    first, second = place.process(), place.process()
    place.act(pid=first, names=("one",))
    place.act(pid=second, names=("two",))
    (mount,) = [mount for mount in mounts.read() if mount.point == str(place.dir)]
    assert mount.peer_group != 0
    assert pins(netns(first)) == pins(netns(second)) == 1
    # What `ip netns` does first of all finds nothing to do, and covers nothing.
    subprocess.run(["mount", "--make-rshared", place.dir], check=True)
    assert place.act(state="absent", all=True) == {"one": "removed", "two": "removed"}


def test_a_directory_with_mounts_in_it_is_left_alone_with_a_warning(place: Place) -> None:
    theirs, ours = place.process(), place.process()
    place.pin("cni-1", theirs)
    result = place.run(pid=ours, names=("web",))
    assert "is not shared" in result.warnings[0]
    assert not [mount for mount in mounts.read() if mount.point == str(place.dir)]
    assert inode(place.link("web")) == netns(ours)


def test_a_directory_that_is_another_mount_is_refused(place: Place) -> None:
    pid = place.process()
    place.dir.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "none", place.dir], check=True)
    with pytest.raises(model.SelectionError, match="mount point of something else"):
        place.run(pid=pid, names=("web",))
    assert os.listdir(place.dir) == []


def test_a_covered_pin_is_told_and_not_looped_over(place: Place) -> None:
    """`ip netns` binds a directory that has pins in it onto itself, with all of them."""
    other, pid = place.process(), place.process()
    place.pin("other", other)
    place.act(pid=pid, names=("web",))
    subprocess.run(["mount", "--rbind", "--make-private", place.dir, place.dir], check=True)
    assert pins(netns(pid)) == 2
    result = place.run(state="absent", all=True)
    assert result.links[0]["action"] == "conflict"
    assert "covered" in result.failures[0]
    assert pins(netns(pid)) == 2


def test_a_twin_by_propagation_is_no_covered_pin(place: Place) -> None:
    """`ip netns add` came first on a host whose /run is shared, as under systemd."""
    old, new = place.process(), place.process()
    root = place.dir.parent
    subprocess.run(["mount", "--bind", root, root], check=True)
    subprocess.run(["mount", "--make-shared", root], check=True)
    place.dir.mkdir()
    subprocess.run(["mount", "--rbind", place.dir, place.dir], check=True)
    assert place.act(pid=old, names=("web",)) == {"web": "created"}
    assert pins(netns(old)) == 2
    result = place.run(pid=new, names=("web",))
    assert (result.links[0]["action"], result.links[0]["reason"]) == ("relinked", None)
    assert (pins(netns(old)), pins(netns(new))) == (0, 2)
    assert place.act(state="absent", all=True) == {"web": "removed"}
    assert pins(netns(new)) == 0


def test_a_mount_of_others_on_top_of_ours_is_a_conflict(place: Place) -> None:
    ours, theirs = place.process(), place.process()
    place.act(pid=ours, names=("web",))
    subprocess.run(["mount", "--bind", f"/proc/{theirs}/ns/net", place.link("web")], check=True)
    with pytest.raises(model.SelectionError, match="did not make"):
        place.run(state="absent", names=("web",))
    with pytest.raises(model.SelectionError, match="did not make"):
        place.run(pid=ours, names=("web",))
    assert inode(place.link("web")) == netns(theirs)
    assert place.act(state="absent", names=("web",), force=True) == {"web": "removed"}
    assert pins(netns(ours)) == pins(netns(theirs)) == 0


def test_ours_mounted_twice_goes_whole(place: Place) -> None:
    pid = place.process()
    place.act(pid=pid, names=("web",))
    subprocess.run(["mount", "--bind", f"/proc/{pid}/ns/net", place.link("web")], check=True)
    assert place.act(state="absent", names=("web",)) == {"web": "removed"}
    assert pins(netns(pid)) == 0


# Containers and their engine


def test_a_restart_is_followed_and_a_removal_is_pruned(place: Place, daemon: Daemon) -> None:
    old = place.process()
    daemon.add("web", old, WEB)
    daemon.add("db", place.process(), DB)
    # They are in no container's cgroup, so the daemon is asked again whose the PID is.
    assert place.act(all=True) == {"web": "created", "db": "created"}
    daemon.containers[WEB]["pid"] = place.process()
    left = netns(old)
    place.end(old)
    assert place.act(all=True) == {"db": "unchanged", "web": "relinked"}
    assert pins(left) == 0
    del daemon.containers[WEB]
    assert place.act(prune=True) == {"web": "removed"}
    assert os.listdir(place.dir) == ["db"]


def test_prune_alone_removes_a_link_whose_container_moved_on(place: Place, daemon: Daemon) -> None:
    old = place.process()
    daemon.add("web", old, WEB)
    place.act(all=True)
    daemon.containers[WEB]["pid"] = place.process()
    assert place.act(prune=True) == {"web": "removed"}


@pytest.mark.parametrize("trouble", ["hangs", "garbage", "http", "gone"])
def test_unknown_is_not_gone(place: Place, daemon: Daemon, trouble: str) -> None:
    pid = place.process()
    daemon.add("web", pid, WEB)
    place.act(all=True)
    if trouble == "hangs":
        daemon.hangs.set()
    elif trouble == "garbage":
        daemon.garbage = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n[{]}!"
    elif trouble == "http":
        daemon.garbage = b"220 mail.example.org ESMTP\r\n\r\n"
    else:
        daemon.close()
    for request in (
        {"prune": True},
        {"all": True, "prune": True},
        {"containers": ("w*",), "prune": True},
        {"state": "absent", "containers": ("web",)},
    ):
        result = place.run(timeout=0.2, **request)
        assert result.failures
        assert "docker was not read" in result.failures[0]
        assert not result.changed
        assert inode(place.link("web")) == netns(pid)
    with pytest.raises(model.SelectionError, match="docker was not read"):
        place.run(timeout=0.2, containers=("web",))
    assert place.act(state="absent", all=True) == {"web": "removed"}


def test_another_daemon_does_not_know_and_so_does_not_prune(
    place: Place, daemon: Daemon, tmp_path: t.Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    pid = place.process()
    daemon.add("web", pid, WEB)
    place.act(all=True)
    other = Daemon(str(tmp_path / "other.sock"))
    try:
        monkeypatch.setenv("DOCKER_HOST", f"unix://{other.path}")
        assert place.act(prune=True) == {}
        assert place.act(all=True, prune=True) == {}
    finally:
        other.close()
    assert inode(place.link("web")) == netns(pid)


def test_absent_needs_no_engine(
    place: Place, daemon: Daemon, tmp_path: t.Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    daemon.add("web", place.process(), WEB, app="shop")
    place.act(all=True)
    monkeypatch.setattr(docker, "_SOCKET", str(tmp_path / "none"))
    monkeypatch.delenv("DOCKER_HOST")
    assert place.act(state="absent", containers=("db",)) == {"db": "unchanged"}
    assert place.act(state="absent", containers=("w*",), labels={"app": "x"}) == {}
    assert place.act(state="absent", containers=(WEB[:5],)) == {"web": "removed"}


def test_a_sharer_named_exactly_gets_a_link_and_under_all_is_skipped(
    place: Place, daemon: Daemon
) -> None:
    pid = place.process()
    daemon.add("web", pid, WEB)
    daemon.add("side", pid, "b" * 64)
    assert place.act(all=True) == {"web": "created", "side": "skipped"}
    assert place.act(containers=("side",)) == {"side": "created"}
    assert inode(place.link("side")) == netns(pid)


def test_a_link_that_stays_for_another_container_is_not_mounted_anew(
    place: Place, daemon: Daemon, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(etc_netns, "DIRECTORY", str(tmp_path / "etc-netns"))
    pid = place.process()
    for name, letter in (("old", "a"), ("new", "b")):
        identity = daemon.add(name, pid, letter * 64)
        path = tmp_path / name
        path.write_text(f"nameserver 192.0.2.{len(daemon.containers)}\n")
        daemon.containers[identity]["resolv_conf"] = str(path)
    request: dict[str, t.Any] = {"names": ("web",), "resolv_conf": True}
    assert place.act(containers=("old",), **request) == {"web": "created"}
    monkeypatch.delattr(mounts, "detach")
    assert place.act(containers=("new",), **request) == {"web": "repaired"}
    assert "192.0.2.2" in (tmp_path / "etc-netns" / "web" / "resolv.conf").read_text()
    assert place.entries()[str(place.link("web"))].container_name == "new"
    assert place.act(containers=("new",), **request) == {"web": "unchanged"}


def test_two_containers_of_one_name_are_a_conflict_and_the_rest_is_linked(
    place: Place, daemon: Daemon
) -> None:
    labels = {"com.docker.compose.service": "web"}
    daemon.add("shop-web-1", place.process(), WEB, **labels)
    daemon.add("shop-web-2", place.process(), DB, **labels)
    daemon.add("db", place.process(), "c" * 64, **{"com.docker.compose.service": "db"})
    daemon.add("plain", place.process(), "d" * 64)
    result = place.run(all=True, name_template="{compose_service}")
    assert [(row["name"], row["action"]) for row in result.links] == [
        ("db", "created"),
        ("plain", "skipped"),
        ("web", "conflict"),
        ("web", "conflict"),
    ]
    assert result.changed
    assert "name_template" in result.failures[0]
    assert os.listdir(place.dir) == ["db"]
    with pytest.raises(model.SelectionError, match="'web'"):
        place.run(containers=("shop-web-1", "shop-web-2"), name_template="{compose_service}")


def test_a_pid_that_became_another_process_is_not_linked(
    place: Place, daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The container ends and its PID is taken right after its daemon told it."""
    container, stranger = place.process(), place.process()
    daemon.add("web", container, WEB)
    real = registry.still_runs

    def dies(one: model.Container, timeout: float) -> bool:
        daemon.containers[WEB]["pid"] = stranger
        return real(one, timeout)

    monkeypatch.setattr(registry, "still_runs", dies)
    assert place.act(all=True) == {"web": "skipped"}
    assert os.listdir(place.dir) == []
    assert place.entries() == {}
    daemon.containers[WEB]["pid"] = container
    assert "run again" in place.run(containers=("web",)).failures[0]
    assert os.listdir(place.dir) == []


# What others do between our look and our deed


@pytest.fixture
def meanwhile(monkeypatch: pytest.MonkeyPatch) -> t.Callable[[t.Callable[[], object]], None]:
    """Have something happen once, right after the next plan is made."""
    real = plan.make
    actions: list[t.Callable[[], object]] = []

    def make(*args: t.Any) -> plan.Plan:
        made = real(*args)
        while actions:
            actions.pop()()
        return made

    monkeypatch.setattr(plan, "make", make)
    return actions.append


Meanwhile = t.Callable[[t.Callable[[], object]], None]


def test_a_link_swapped_meanwhile_is_not_torn_off(place: Place, meanwhile: Meanwhile) -> None:
    ours, theirs, new = place.process(), place.process(), place.process()
    place.act(pid=ours, names=("web",))

    def swap() -> None:
        subprocess.run(["umount", place.link("web")], check=True)
        place.pin("web", theirs)

    for request in ({"state": "absent", "names": ("web",)}, {"pid": new, "names": ("web",)}):
        meanwhile(swap)
        result = place.run(**request)
        assert "meanwhile" in result.failures[0]
        assert not result.changed
        assert inode(place.link("web")) == netns(theirs)
        place.run(state="absent", names=("web",), force=True)
        place.act(pid=ours, names=("web",))


def test_a_file_put_there_meanwhile_is_not_unlinked(place: Place, meanwhile: Meanwhile) -> None:
    pid = place.process()
    place.act(pid=pid, names=("web",))

    def swap() -> None:
        subprocess.run(["umount", place.link("web")], check=True)
        place.link("web").rename(place.link("old"))
        place.link("web").write_text("precious")

    meanwhile(swap)
    assert "meanwhile" in place.run(state="absent", names=("web",)).failures[0]
    assert place.link("web").read_text() == "precious"


def test_a_link_deleted_meanwhile_is_as_good_as_removed(place: Place, meanwhile: Meanwhile) -> None:
    pid = place.process()
    place.act(pid=pid, names=("web",))

    def delete() -> None:
        subprocess.run(["umount", place.link("web")], check=True)
        place.link("web").unlink()

    meanwhile(delete)
    assert place.act(state="absent", names=("web",)) == {"web": "removed"}
    assert place.entries() == {}


def test_prune_forgets_what_others_removed(place: Place, daemon: Daemon) -> None:
    daemon.add("web", place.process(), WEB)
    place.act(all=True)
    subprocess.run(["umount", place.link("web")], check=True)
    place.link("web").unlink()
    daemon.containers.clear()
    assert place.act(prune=True) == {}
    assert place.entries() == {}


def test_a_name_taken_meanwhile_is_left_to_them(place: Place, meanwhile: Meanwhile) -> None:
    ours, theirs = place.process(), place.process()
    meanwhile(lambda: place.pin("web", theirs))
    result = place.run(pid=ours, names=("web",))
    assert "somebody else made" in result.failures[0]
    assert inode(place.link("web")) == netns(theirs)
    assert place.entries() == {}


def test_a_path_that_leads_elsewhere_meanwhile_is_linked_as_it_was(
    place: Place, meanwhile: Meanwhile
) -> None:
    first, second = place.process(), place.process()
    place.pin("pin", first)
    command = ["mount", "--bind", f"/proc/{second}/ns/net", place.link("pin")]
    meanwhile(lambda: subprocess.run(command, check=True))
    assert place.act(path=str(place.link("pin")), names=("web",)) == {"web": "created"}
    assert inode(place.link("web")) == netns(first)


def reuse(place: Place, pid: int) -> None:
    """End a process and have its very PID taken by another, in another namespace."""
    place.end(pid)
    for _try in range(100):
        with open("/proc/sys/kernel/ns_last_pid", "w", encoding="ascii") as stream:
            stream.write(str(pid - 1))
        if place.process() == pid:
            return
    pytest.fail("no other process came to have the PID")


def test_a_pid_that_is_taken_anew_meanwhile_is_not_linked(
    place: Place, meanwhile: Meanwhile
) -> None:
    pid = place.process()
    meanwhile(lambda: reuse(place, pid))
    result = place.run(pid=pid, names=("web",))
    assert "it ended" in result.failures[0]
    assert not place.link("web").exists()
    assert pins(netns(pid)) == 0


@pytest.mark.parametrize("noticed", [True, False])
def test_a_containers_pid_that_is_taken_anew_meanwhile_is_not_linked(
    place: Place, daemon: Daemon, meanwhile: Meanwhile, noticed: bool
) -> None:
    pid = place.process()
    daemon.add("web", pid, WEB)

    def die() -> None:
        time.sleep(0.02)  # a clock tick, which start times are counted in
        if noticed:
            daemon.containers[WEB]["pid"] = 0
        reuse(place, pid)

    meanwhile(die)
    assert place.act(all=True) == {"web": "skipped"}
    assert not place.link("web").exists()
    assert pins(netns(pid)) == 0


def test_an_engines_pin_beats_the_pid_and_is_checked_again(
    place: Place, daemon: Daemon, meanwhile: Meanwhile
) -> None:
    pid, pinned, other = place.process(), place.process(), place.process()
    place.pin("pin", pinned)
    daemon.add("web", pid, WEB)
    daemon.containers[WEB]["pin"] = str(place.link("pin"))
    command = ["mount", "--bind", f"/proc/{other}/ns/net", place.link("pin")]
    meanwhile(lambda: subprocess.run(command, check=True))
    assert place.act(all=True) == {"web": "skipped"}
    subprocess.run(["umount", place.link("pin")], check=True)
    result = place.run(all=True)
    assert "has moved to another network namespace" in " ".join(result.warnings)
    assert inode(place.link("web")) == netns(pinned)


def test_a_mount_that_fails_leaves_nothing(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = place.process(), place.process()
    place.act(pid=old, names=("other",))

    def fail(*_: t.Any) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM), "/proc/self/fd/9")

    monkeypatch.setattr(mounts, "bind", fail)
    result = place.run(pid=new, names=("web",))
    assert "CAP_SYS_ADMIN" in result.failures[0]
    assert os.listdir(place.dir) == ["other"]
    assert list(place.entries()) == [str(place.link("other"))]


# Crashes and races


@pytest.mark.parametrize("moment", ["record", "bind", "detach", "_unlink"])
@pytest.mark.parametrize("after", [False, True])
def test_a_run_killed_at_any_point_is_finished_by_the_next(
    place: Place, moment: str, after: bool
) -> None:
    old, new = place.process(), place.process()
    place.act(pid=old, names=("web",))
    place.act(pid=old, names=("gone",))
    owner: t.Any = {"record": ledger.Ledger, "_unlink": apply._Folder}.get(moment, mounts)

    def killed(**request: t.Any) -> None:
        child = os.fork()
        if child == 0:
            real = getattr(owner, moment)

            def die(*args: t.Any) -> None:
                if after:
                    real(*args)
                os.kill(os.getpid(), signal.SIGKILL)

            setattr(owner, moment, die)
            place.run(**request)
            os._exit(0)
        os.waitpid(child, 0)

    killed(pid=new, names=("web",))
    assert place.act(pid=new, names=("web",)).keys() == {"web"}
    assert inode(place.link("web")) == netns(new)
    killed(pid=new, names=("fresh",))
    place.act(pid=new, names=("fresh",))
    assert inode(place.link("fresh")) == netns(new)
    killed(state="absent", names=("gone",))
    place.act(state="absent", all=True)
    assert os.listdir(place.dir) == []
    assert pins(netns(old)) == pins(netns(new)) == 0


def test_runs_at_once_both_end_well(place: Place) -> None:
    pids = [place.process() for _each in range(4)]
    code = (
        "import sys\n"
        "from ansible_collections.linuxnet.netns.plugins.module_utils._core import run\n"
        "from ansible_collections.linuxnet.netns.plugins.module_utils._core.wish import Wish\n"
        "directory, state, *pids = sys.argv[1:]\n"
        "for _ in range(10):\n"
        "    for pid in pids:\n"
        "        wish = Wish(pid=int(pid), names=(f'p{pid}',), netns_dir=directory)\n"
        "        assert run.run(wish, state_dir=state).failures == ()\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(place.dir), str(place.state), *map(str, pids)],
            env=environment,
        )
        for _each in range(3)
    ]
    assert [one.wait() for one in runs] == [0, 0, 0]
    assert len([mount for mount in mounts.read() if mount.point == str(place.dir)]) == 1
    assert [pins(netns(pid)) for pid in pids] == [1, 1, 1, 1]


def test_a_hundred_links_in_one_run(place: Place, daemon: Daemon) -> None:
    for index in range(250):
        daemon.add(f"c{index}", place.process(), f"{index:064x}")
    actions = place.act(all=True)
    assert len(actions) == 250
    assert set(actions.values()) == {"created"}
    assert set(place.act(all=True).values()) == {"unchanged"}
    daemon.containers.clear()
    assert set(place.act(prune=True).values()) == {"removed"}
    assert os.listdir(place.dir) == []
