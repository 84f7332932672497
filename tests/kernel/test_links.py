# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Links on the running kernel: each state of a path, containers and their engine, crashes and races."""

from __future__ import annotations

import contextlib
import errno
import os
import pathlib
import signal
import subprocess
import sys
import time
import typing as t

import pytest
from support import Daemon, ScratchHost, environment, inode, pins

from ansible_collections.linuxnet.netns.plugins.module_utils._core import model
from ansible_collections.linuxnet.netns.plugins.module_utils._core.engines import docker, registry
from ansible_collections.linuxnet.netns.plugins.module_utils._core.kernel import libc, mounts
from ansible_collections.linuxnet.netns.plugins.module_utils._core.links import (
    apply,
    ledger,
    plan,
)

WEB = "a1" * 32
DB = "a2" * 32


def netns(pid: int) -> int:
    return inode(f"/proc/{pid}/ns/net")


def test_created_then_unchanged_then_removed(scratch: ScratchHost) -> None:
    pid = scratch.process()
    assert scratch.run(check=True, pid=pid, names=("web",)).links[0]["action"] == "created"
    assert not scratch.dir.exists()
    assert not scratch.state.exists()
    assert scratch.act(pid=pid, names=("web",)) == {"web": "created"}
    assert inode(scratch.link("web")) == netns(pid)
    assert scratch.act(pid=pid, names=("web",)) == {"web": "unchanged"}
    assert scratch.act(state="absent", names=("web",)) == {"web": "removed"}
    assert os.listdir(scratch.dir) == []
    assert pins(netns(pid)) == 0
    assert scratch.act(state="absent", names=("web",)) == {"web": "unchanged"}
    assert scratch.entries() == {}


def test_a_foreign_link_to_the_same_namespace_is_unchanged_and_stays_foreign(
    scratch: ScratchHost,
) -> None:
    pid = scratch.process()
    scratch.pin("web", pid)
    assert scratch.act(pid=pid, names=("web",)) == {"web": "unchanged"}
    with pytest.raises(model.SelectionError, match="did not make"):
        scratch.run(state="absent", names=("web",))
    assert scratch.act(state="absent", all=True) == {}
    assert inode(scratch.link("web")) == netns(pid)
    assert scratch.act(state="absent", names=("web",), force=True) == {"web": "removed"}
    assert pins(netns(pid)) == 0


def test_a_managed_link_to_another_namespace_is_relinked(scratch: ScratchHost) -> None:
    old, new = scratch.process(), scratch.process()
    scratch.act(pid=old, names=("web",))
    old_inode = netns(old)
    assert scratch.act(pid=new, names=("web",)) == {"web": "relinked"}
    assert inode(scratch.link("web")) == netns(new)
    assert pins(old_inode) == 0
    assert scratch.entries()[str(scratch.link("web"))].previous is None


def test_a_foreign_link_to_another_namespace_is_refused_unless_force(scratch: ScratchHost) -> None:
    foreign, new = scratch.process(), scratch.process()
    scratch.pin("web", foreign)
    with pytest.raises(model.SelectionError, match="force: true"):
        scratch.run(pid=new, names=("web",))
    assert inode(scratch.link("web")) == netns(foreign)
    assert scratch.act(pid=new, names=("web",), force=True) == {"web": "relinked"}
    assert inode(scratch.link("web")) == netns(new)
    assert scratch.act(state="absent", names=("web",)) == {"web": "removed"}


def test_a_foreign_link_with_the_inode_of_a_former_managed_link_is_not_managed(
    scratch: ScratchHost,
) -> None:
    """The kernel reuses inode numbers at once; the files beneath the mounts distinguish the links."""
    pid = scratch.process()
    scratch.act(pid=pid, names=("web",))
    subprocess.run(["umount", scratch.link("web")], check=True)
    scratch.link("web").rename(scratch.link("old"))
    scratch.pin("web", pid)
    with pytest.raises(model.SelectionError, match="did not make"):
        scratch.run(state="absent", names=("web",))
    assert scratch.act(state="absent", all=True) == {"web": "unchanged"}
    assert inode(scratch.link("web")) == netns(pid)


@pytest.mark.parametrize("state", ["present", "absent"])
def test_an_empty_file_of_a_crash_is_repaired_or_removed(scratch: ScratchHost, state: str) -> None:
    pid = scratch.process()
    scratch.dir.mkdir()
    scratch.link("web").touch()
    if state == "present":
        assert scratch.act(pid=pid, names=("web",)) == {"web": "repaired"}
        assert inode(scratch.link("web")) == netns(pid)
    assert scratch.act(state="absent", names=("web",)) == {"web": "removed"}
    assert os.listdir(scratch.dir) == []


@pytest.fixture
def pinned_elsewhere(scratch: ScratchHost) -> t.Iterator[int]:
    """An empty file that a process pins its namespace on, inside a mount namespace of its own."""
    scratch.dir.mkdir()
    scratch.link("web").touch()
    script = 'mount --bind /proc/self/ns/net "$1" && echo && exec sleep infinity'
    process = subprocess.Popen(
        ["unshare", "--net", "--mount", "sh", "-c", script, "sh", scratch.link("web")],
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"\n"
    yield process.pid
    process.kill()
    process.communicate()


def netns_in_its_view(pid: int, scratch: ScratchHost) -> int:
    """The namespace at the path in the mount namespace of a process."""
    return inode(f"/proc/{pid}/root{scratch.link('web')}")


def test_an_empty_file_that_is_a_pin_elsewhere_is_refused_unless_force(
    scratch: ScratchHost, pinned_elsewhere: int
) -> None:
    pid = scratch.process()
    for request in ({"pid": pid, "names": ("web",)}, {"state": "absent", "names": ("web",)}):
        with pytest.raises(
            model.SelectionError, match=f"mount namespace of process {pinned_elsewhere}"
        ):
            scratch.run(**request)
        assert netns_in_its_view(pinned_elsewhere, scratch) == netns(pinned_elsewhere)
    assert scratch.act(pid=pid, names=("web",), force=True) == {"web": "repaired"}
    assert inode(scratch.link("web")) == netns(pid)


def test_a_symbolic_link_is_never_followed(scratch: ScratchHost) -> None:
    pin, other = scratch.process(), scratch.process()
    scratch.pin("cni-1", pin)
    scratch.link("web").symlink_to("cni-1")
    assert scratch.act(pid=pin, names=("web",)) == {"web": "unchanged"}
    for request in ({"pid": other, "names": ("web",)}, {"state": "absent", "names": ("web",)}):
        with pytest.raises(model.SelectionError, match="symbolic link"):
            scratch.run(**request)
    assert scratch.act(state="absent", names=("web",), force=True) == {"web": "removed"}
    assert not scratch.link("web").is_symlink()
    assert inode(scratch.link("cni-1")) == netns(pin)
    scratch.link("web").symlink_to("nowhere")
    assert scratch.act(pid=other, names=("web",), force=True) == {"web": "repaired"}
    assert inode(scratch.link("web")) == netns(other)
    assert not scratch.link("nowhere").exists()


def test_a_symbolic_link_that_leads_nowhere_is_repaired_or_removed(
    scratch: ScratchHost, daemon: Daemon, meanwhile: Meanwhile
) -> None:
    """As the recipe with `ln -s /proc/PID/ns/net`, and containerlab, leave them when the process ends."""
    old, new = scratch.process(), scratch.process()
    daemon.add("web", new, WEB)
    scratch.dir.mkdir()
    for name in ("web", "other"):
        scratch.link(name).symlink_to(f"/proc/{old}/ns/net")
    scratch.end(old)
    assert scratch.act(all=True, prune=True) == {"web": "repaired"}
    assert inode(scratch.link("web")) == netns(new)
    assert scratch.act(state="absent", all=True) == {"web": "removed"}
    assert scratch.act(state="absent", names=("other",)) == {"other": "removed"}
    assert os.listdir(scratch.dir) == []


@pytest.mark.parametrize("target", ["web", "loop/x", "file/x"])
def test_a_symbolic_link_that_cannot_be_followed_is_refused(
    scratch: ScratchHost, target: str
) -> None:
    scratch.dir.mkdir()
    (scratch.dir / "file").write_text("x")
    scratch.link("loop").symlink_to("loop")
    scratch.link("web").symlink_to(target)
    with pytest.raises(model.SelectionError, match="cannot be followed"):
        scratch.run(pid=scratch.process(), names=("web",))
    assert scratch.link("web").is_symlink()


def test_a_dead_symbolic_link_replaced_meanwhile_is_left_alone(
    scratch: ScratchHost, meanwhile: Meanwhile
) -> None:
    living, new = scratch.process(), scratch.process()
    scratch.dir.mkdir()
    scratch.link("web").symlink_to("nowhere")

    def replace() -> None:
        scratch.link("web").rename(scratch.link("aside"))
        scratch.link("web").symlink_to(f"/proc/{living}/ns/net")

    meanwhile(replace)
    assert "meanwhile" in scratch.run(pid=new, names=("web",)).failures[0]
    assert inode(scratch.link("web")) == netns(living)


def _directory(scratch: ScratchHost) -> None:
    scratch.link("web").mkdir()


def _file(scratch: ScratchHost) -> None:
    scratch.link("web").write_text("x")


def _fifo(scratch: ScratchHost) -> None:
    os.mkfifo(scratch.link("web"))


def _device(scratch: ScratchHost) -> None:
    os.mknod(scratch.link("web"), 0o600 | 0o020000, os.makedev(1, 3))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (_directory, "a directory"),
        (_file, "not empty"),
        (_fifo, "a FIFO"),
        (_device, "a character device"),
    ],
)
def test_an_entry_that_is_not_a_link_is_always_refused(
    scratch: ScratchHost, make: t.Callable[[ScratchHost], None], words: str
) -> None:
    pid = scratch.process()
    scratch.dir.mkdir()
    make(scratch)
    before = os.lstat(scratch.link("web"))
    for request in ({"pid": pid, "names": ("web",)}, {"state": "absent", "names": ("web",)}):
        for force in (False, True):
            with pytest.raises(model.SelectionError, match=words):
                scratch.run(force=force, **request)
    assert os.lstat(scratch.link("web")).st_ino == before.st_ino


def test_the_host_is_never_linked(scratch: ScratchHost) -> None:
    for request in ({"pid": os.getpid()}, {"path": "/proc/self/ns/net"}):
        with pytest.raises(model.SelectionError, match="host's own"):
            scratch.run(names=("web",), **request)


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
def test_a_path_that_is_not_a_network_namespace_is_described(
    scratch: ScratchHost, path: str, words: str
) -> None:
    with pytest.raises(model.SelectionError, match=words):
        scratch.run(path=path, names=("web",))


def test_a_process_that_does_not_exist(scratch: ScratchHost) -> None:
    pid = scratch.process()
    scratch.end(pid)
    with pytest.raises(model.SelectionError, match=f"no process {pid}"):
        scratch.run(pid=pid, names=("web",))


# netns_dir and propagation


def test_the_directory_becomes_a_shared_mount_of_itself_once(scratch: ScratchHost) -> None:
    first, second = scratch.process(), scratch.process()
    scratch.act(pid=first, names=("one",))
    scratch.act(pid=second, names=("two",))
    (mount,) = [mount for mount in mounts.read() if mount.point == str(scratch.dir)]
    assert mount.peer_group != 0
    assert pins(netns(first)) == pins(netns(second)) == 1
    # The first step of `ip netns` then changes nothing, and covers nothing.
    subprocess.run(["mount", "--make-rshared", scratch.dir], check=True)
    assert scratch.act(state="absent", all=True) == {"one": "removed", "two": "removed"}


def test_the_mount_table_is_read_once_where_nothing_is_to_do(
    scratch: ScratchHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the root directory of PID 1 may not be followed, as under a security module."""
    pid = scratch.process()
    scratch.act(pid=pid, names=("web",))
    reads = []
    parse, open_ = mounts.parse, os.open

    def count(*arguments: t.Any) -> list[mounts.Mount]:
        reads.append(arguments)
        return parse(*arguments)

    def refuse(path: str, *arguments: t.Any, **options: t.Any) -> int:
        if path.startswith("/proc/1/root"):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
        return open_(path, *arguments, **options)

    monkeypatch.setattr(mounts, "parse", count)
    monkeypatch.setattr(os, "open", refuse)
    assert scratch.act(pid=pid, names=("web",)) == {"web": "unchanged"}
    assert len(reads) == 1


def test_a_directory_with_mounts_in_it_is_left_alone_with_a_warning(scratch: ScratchHost) -> None:
    foreign, new = scratch.process(), scratch.process()
    scratch.pin("cni-1", foreign)
    result = scratch.run(pid=new, names=("web",))
    assert "is not shared" in result.warnings[0]
    assert not [mount for mount in mounts.read() if mount.point == str(scratch.dir)]
    assert inode(scratch.link("web")) == netns(new)


def test_a_directory_that_is_another_mount_is_refused(scratch: ScratchHost) -> None:
    pid = scratch.process()
    scratch.dir.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "none", scratch.dir], check=True)
    with pytest.raises(model.SelectionError, match="mount point of something else"):
        scratch.run(pid=pid, names=("web",))
    assert os.listdir(scratch.dir) == []


def test_a_covered_pin_is_reported_and_not_looped_over(scratch: ScratchHost) -> None:
    """`ip netns` binds a directory that has pins in it onto itself, with all of them."""
    other, pid = scratch.process(), scratch.process()
    scratch.pin("other", other)
    scratch.act(pid=pid, names=("web",))
    subprocess.run(["mount", "--rbind", "--make-private", scratch.dir, scratch.dir], check=True)
    assert pins(netns(pid)) == 2
    result = scratch.run(state="absent", all=True)
    assert result.links[0]["action"] == "conflict"
    assert "was mounted over later" in result.failures[0]
    assert pins(netns(pid)) == 2


def test_a_duplicate_by_propagation_is_not_a_covered_pin(scratch: ScratchHost) -> None:
    """`ip netns add` came first on a host whose /run is shared, as under systemd."""
    old, new = scratch.process(), scratch.process()
    root = scratch.dir.parent
    subprocess.run(["mount", "--bind", root, root], check=True)
    subprocess.run(["mount", "--make-shared", root], check=True)
    scratch.dir.mkdir()
    subprocess.run(["mount", "--rbind", scratch.dir, scratch.dir], check=True)
    assert scratch.act(pid=old, names=("web",)) == {"web": "created"}
    assert pins(netns(old)) == 2
    result = scratch.run(pid=new, names=("web",))
    assert (result.links[0]["action"], result.links[0]["reason"]) == ("relinked", None)
    assert (pins(netns(old)), pins(netns(new))) == (0, 2)
    assert scratch.act(state="absent", all=True) == {"web": "removed"}
    assert pins(netns(new)) == 0


@pytest.fixture
def private_copy(scratch: ScratchHost) -> t.Iterator[t.Callable[[], t.Callable[[int], int]]]:
    """A function that copies all mounts into a mount namespace of its own, as `podman run -v /:/rootfs` does.

    It returns another one, which counts the pins of a namespace in the copy.
    """
    processes: list[subprocess.Popen[bytes]] = []

    def copy() -> t.Callable[[int], int]:
        command = ["unshare", "--mount", "--propagation", "private", "sh", "-c", "echo; exec cat"]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        processes.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == b"\n"
        table = f"/proc/{process.pid}/mountinfo"
        return lambda netns: sum(mount.root == f"net:[{netns}]" for mount in mounts.read(table))

    yield copy
    for process in processes:
        process.communicate()


PrivateCopy = t.Callable[[], t.Callable[[int], int]]


def _crash_after_detaching(scratch: ScratchHost) -> None:
    subprocess.run(["umount", scratch.link("web")], check=True)


@pytest.mark.parametrize(
    ("before", "request_more", "action"),
    [
        (None, {}, "relinked"),
        (None, {"force": True}, "relinked"),
        (_crash_after_detaching, {}, "repaired"),
        (None, {"state": "absent", "pid": None}, "removed"),
        (_crash_after_detaching, {"state": "absent", "pid": None}, "removed"),
    ],
)
def test_private_copies_do_not_keep_the_old_namespace(
    scratch: ScratchHost,
    private_copy: PrivateCopy,
    before: t.Callable[[ScratchHost], None] | None,
    request_more: dict[str, t.Any],
    action: str,
) -> None:
    old, new = scratch.process(), scratch.process()
    scratch.act(pid=old, names=("web",))
    scratch.act(pid=old, names=("stays",))
    # A foreign empty file, for which the other mount namespaces are searched.
    scratch.link("pending").touch()
    pins_in_copy = private_copy()
    if before:
        before(scratch)
    assert pins_in_copy(netns(old)) == 2
    assert scratch.act(**{"pid": new, "names": ("web",), **request_more}) == {"web": action}
    assert pins_in_copy(netns(old)) == 1
    assert pins(netns(new)) == (action != "removed")
    assert scratch.act(pid=old, names=("stays",)) == {"stays": "unchanged"}


def test_a_foreign_link_replaced_by_force_goes_from_private_copies(
    scratch: ScratchHost, private_copy: PrivateCopy
) -> None:
    foreign, new = scratch.process(), scratch.process()
    scratch.pin("web", foreign)
    pins_in_copy = private_copy()
    assert scratch.act(pid=new, names=("web",), force=True) == {"web": "relinked"}
    assert (pins_in_copy(netns(foreign)), pins(netns(new))) == (0, 1)


def test_a_relink_where_the_file_cannot_go_uses_it_again(scratch: ScratchHost) -> None:
    """The directory is mounted at another path too, with its pins."""
    old, new = scratch.process(), scratch.process()
    scratch.act(pid=old, names=("web",))
    other = scratch.dir.parent / "other"
    other.mkdir()
    subprocess.run(["mount", "--rbind", "--make-rprivate", scratch.dir, other], check=True)
    result = scratch.run(pid=new, names=("web",))
    assert (result.failures, result.links[0]["action"]) == ((), "relinked")
    assert "another mount of the old link is left" in result.links[0]["reason"]
    assert inode(scratch.link("web")) == netns(new)
    assert scratch.act(pid=new, names=("web",)) == {"web": "unchanged"}
    assert scratch.entries()[str(scratch.link("web"))].previous is None


def test_a_foreign_mount_over_a_managed_link_is_a_conflict(scratch: ScratchHost) -> None:
    managed, foreign = scratch.process(), scratch.process()
    scratch.act(pid=managed, names=("web",))
    subprocess.run(["mount", "--bind", f"/proc/{foreign}/ns/net", scratch.link("web")], check=True)
    with pytest.raises(model.SelectionError, match="did not make"):
        scratch.run(state="absent", names=("web",))
    with pytest.raises(model.SelectionError, match="did not make"):
        scratch.run(pid=managed, names=("web",))
    assert inode(scratch.link("web")) == netns(foreign)
    assert scratch.act(state="absent", names=("web",), force=True) == {"web": "removed"}
    assert pins(netns(managed)) == pins(netns(foreign)) == 0


def test_a_managed_link_that_is_mounted_twice_is_removed_with_both_mounts(
    scratch: ScratchHost,
) -> None:
    pid = scratch.process()
    scratch.act(pid=pid, names=("web",))
    subprocess.run(["mount", "--bind", f"/proc/{pid}/ns/net", scratch.link("web")], check=True)
    assert scratch.act(state="absent", names=("web",)) == {"web": "removed"}
    assert pins(netns(pid)) == 0


# Containers and their engine


def test_a_restart_is_followed_and_a_removal_is_pruned(
    scratch: ScratchHost, daemon: Daemon
) -> None:
    old = scratch.process()
    daemon.add("web", old, WEB)
    daemon.add("db", scratch.process(), DB)
    # The processes are in no container's cgroup, so the daemon is asked again who owns the PID.
    assert scratch.act(all=True) == {"web": "created", "db": "created"}
    daemon.containers[WEB]["pid"] = scratch.process()
    old_inode = netns(old)
    scratch.end(old)
    assert scratch.act(all=True) == {"db": "unchanged", "web": "relinked"}
    assert pins(old_inode) == 0
    del daemon.containers[WEB]
    assert scratch.act(prune=True) == {"web": "removed"}
    assert os.listdir(scratch.dir) == ["db"]


def test_prune_alone_removes_a_link_whose_container_moved_on(
    scratch: ScratchHost, daemon: Daemon
) -> None:
    old = scratch.process()
    daemon.add("web", old, WEB)
    scratch.act(all=True)
    daemon.containers[WEB]["pid"] = scratch.process()
    assert scratch.act(prune=True) == {"web": "removed"}


@pytest.mark.parametrize("trouble", ["hangs", "garbage", "http", "gone"])
def test_unknown_is_not_gone(scratch: ScratchHost, daemon: Daemon, trouble: str) -> None:
    pid = scratch.process()
    daemon.add("web", pid, WEB)
    scratch.act(all=True)
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
        result = scratch.run(timeout=0.2, **request)
        assert result.failures
        assert "docker was not read" in result.failures[0]
        assert not result.changed
        assert inode(scratch.link("web")) == netns(pid)
    with pytest.raises(model.SelectionError, match="docker was not read"):
        scratch.run(timeout=0.2, containers=("web",))
    assert scratch.act(state="absent", all=True) == {"web": "removed"}


def test_the_former_name_goes_when_a_container_is_renamed_or_the_template_changes(
    scratch: ScratchHost, daemon: Daemon
) -> None:
    pid = scratch.process()
    daemon.add("web", pid, WEB)
    everything: dict[str, t.Any] = {"all": True, "prune": True}
    scratch.act(containers=("web",), names=("frontend",))
    assert scratch.act(**everything) == {"web": "created"}
    daemon.containers[WEB]["name"] = "www"
    assert scratch.act(**everything) == {"www": "created", "web": "removed"}
    template = "{engine}-{name}"
    assert scratch.act(**everything, name_template=template) == {
        "docker-www": "created",
        "www": "removed",
    }
    assert scratch.act(**everything) == {"www": "created", "docker-www": "removed"}
    assert sorted(os.listdir(scratch.dir)) == ["frontend", "www"]
    daemon.containers[WEB]["name"] = "shop"
    absent = scratch.act(state="absent", containers=("www",))
    assert absent == {"www": "removed", "frontend": "removed"}


def test_links_of_a_daemon_are_not_pruned_by_another_daemon(
    scratch: ScratchHost, daemon: Daemon, tmp_path: t.Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    pid = scratch.process()
    daemon.add("web", pid, WEB)
    scratch.act(all=True)
    other = Daemon(str(tmp_path / "other.sock"))
    try:
        monkeypatch.setenv("DOCKER_HOST", f"unix://{other.path}")
        assert scratch.act(prune=True) == {}
        assert scratch.act(all=True, prune=True) == {}
    finally:
        other.close()
    assert inode(scratch.link("web")) == netns(pid)


def test_absent_needs_no_engine(
    scratch: ScratchHost, daemon: Daemon, tmp_path: t.Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    daemon.add("web", scratch.process(), WEB, app="shop")
    scratch.act(all=True)
    monkeypatch.setattr(docker, "_SOCKET", str(tmp_path / "none"))
    monkeypatch.delenv("DOCKER_HOST")
    assert scratch.act(state="absent", containers=("db",)) == {"db": "unchanged"}
    assert scratch.act(state="absent", containers=("w*",), labels={"app": "x"}) == {}
    assert scratch.act(state="absent", containers=(WEB[:11],)) == {WEB[:11]: "unchanged"}
    assert scratch.act(state="absent", containers=(WEB[:12],)) == {"web": "removed"}


def test_a_sharer_named_exactly_gets_a_link_and_under_all_is_skipped(
    scratch: ScratchHost, daemon: Daemon
) -> None:
    pid = scratch.process()
    daemon.add("web", pid, WEB)
    daemon.add("side", pid, "b" * 64)
    assert scratch.act(all=True) == {"web": "created", "side": "skipped"}
    assert scratch.act(containers=("side",)) == {"side": "created"}
    assert inode(scratch.link("side")) == netns(pid)


def test_a_link_that_stays_for_another_container_is_not_mounted_anew(
    scratch: ScratchHost, daemon: Daemon, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pid = scratch.process()
    for name, letter in (("old", "a"), ("new", "b")):
        identity = daemon.add(name, pid, letter * 64)
        path = tmp_path / name
        path.write_text(f"nameserver 192.0.2.{len(daemon.containers)}\n")
        daemon.containers[identity]["resolv_conf"] = str(path)
    request: dict[str, t.Any] = {"names": ("web",), "resolv_conf": True}
    assert scratch.act(containers=("old",), **request) == {"web": "created"}
    monkeypatch.delattr(mounts, "detach")
    assert scratch.act(containers=("new",), **request) == {"web": "repaired"}
    assert "192.0.2.2" in (scratch.etc / "web" / "resolv.conf").read_text()
    assert scratch.entries()[str(scratch.link("web"))].container_name == "new"
    assert scratch.act(containers=("new",), **request) == {"web": "unchanged"}


def test_two_containers_of_one_name_are_a_conflict_and_the_rest_is_linked(
    scratch: ScratchHost, daemon: Daemon
) -> None:
    labels = {"com.docker.compose.service": "web"}
    daemon.add("shop-web-1", scratch.process(), WEB, **labels)
    daemon.add("shop-web-2", scratch.process(), DB, **labels)
    daemon.add("db", scratch.process(), "c" * 64, **{"com.docker.compose.service": "db"})
    daemon.add("plain", scratch.process(), "d" * 64)
    result = scratch.run(all=True, name_template="{compose_service}")
    assert [(row["name"], row["action"]) for row in result.links] == [
        ("db", "created"),
        ("plain", "skipped"),
        ("web", "conflict"),
        ("web", "conflict"),
    ]
    assert result.changed
    assert "name_template" in result.failures[0]
    assert os.listdir(scratch.dir) == ["db"]
    with pytest.raises(model.SelectionError, match="'web'"):
        scratch.run(containers=("shop-web-1", "shop-web-2"), name_template="{compose_service}")


def test_a_pid_that_became_another_process_is_not_linked(
    scratch: ScratchHost, daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The container ends and its PID is reused right after its daemon reported it."""
    container, other = scratch.process(), scratch.process()
    daemon.add("web", container, WEB)
    real = registry.still_runs

    def ends_first(container: model.Container, timeout: float) -> bool:
        daemon.containers[WEB]["pid"] = other
        return real(container, timeout)

    monkeypatch.setattr(registry, "still_runs", ends_first)
    assert scratch.act(all=True) == {"web": "skipped"}
    assert os.listdir(scratch.dir) == []
    assert scratch.entries() == {}
    daemon.containers[WEB]["pid"] = container
    assert "run again" in scratch.run(containers=("web",)).failures[0]
    assert os.listdir(scratch.dir) == []


# Changes by other programs between the snapshot and the change


@pytest.fixture
def meanwhile(monkeypatch: pytest.MonkeyPatch) -> t.Callable[[t.Callable[[], object]], None]:
    """A function that has something happen once, right after the next plan is made."""
    real = plan.make
    actions: list[t.Callable[[], object]] = []

    def make(*args: t.Any) -> plan.Plan:
        steps = real(*args)
        while actions:
            actions.pop()()
        return steps

    monkeypatch.setattr(plan, "make", make)
    return actions.append


Meanwhile = t.Callable[[t.Callable[[], object]], None]


def test_a_link_replaced_meanwhile_is_not_detached(
    scratch: ScratchHost, meanwhile: Meanwhile
) -> None:
    managed, foreign, new = scratch.process(), scratch.process(), scratch.process()
    scratch.act(pid=managed, names=("web",))

    def replace() -> None:
        subprocess.run(["umount", scratch.link("web")], check=True)
        scratch.pin("web", foreign)

    for request in ({"state": "absent", "names": ("web",)}, {"pid": new, "names": ("web",)}):
        meanwhile(replace)
        result = scratch.run(**request)
        assert "meanwhile" in result.failures[0]
        assert not result.changed
        assert inode(scratch.link("web")) == netns(foreign)
        scratch.run(state="absent", names=("web",), force=True)
        scratch.act(pid=managed, names=("web",))


def test_a_file_made_meanwhile_is_not_unlinked(scratch: ScratchHost, meanwhile: Meanwhile) -> None:
    pid = scratch.process()
    scratch.act(pid=pid, names=("web",))

    def replace() -> None:
        subprocess.run(["umount", scratch.link("web")], check=True)
        scratch.link("web").rename(scratch.link("old"))
        scratch.link("web").write_text("precious")

    meanwhile(replace)
    assert "meanwhile" in scratch.run(state="absent", names=("web",)).failures[0]
    assert scratch.link("web").read_text() == "precious"


def test_a_link_deleted_meanwhile_counts_as_removed(
    scratch: ScratchHost, meanwhile: Meanwhile
) -> None:
    pid = scratch.process()
    scratch.act(pid=pid, names=("web",))

    def delete() -> None:
        subprocess.run(["umount", scratch.link("web")], check=True)
        scratch.link("web").unlink()

    meanwhile(delete)
    assert scratch.act(state="absent", names=("web",)) == {"web": "removed"}
    assert scratch.entries() == {}


def test_prune_forgets_links_that_another_program_removed(
    scratch: ScratchHost, daemon: Daemon
) -> None:
    daemon.add("web", scratch.process(), WEB)
    scratch.act(all=True)
    subprocess.run(["umount", scratch.link("web")], check=True)
    scratch.link("web").unlink()
    daemon.containers.clear()
    assert scratch.act(prune=True) == {}
    assert scratch.entries() == {}


def test_a_name_taken_meanwhile_is_left_alone(scratch: ScratchHost, meanwhile: Meanwhile) -> None:
    managed, foreign = scratch.process(), scratch.process()
    meanwhile(lambda: scratch.pin("web", foreign))
    result = scratch.run(pid=managed, names=("web",))
    assert "another program made" in result.failures[0]
    assert inode(scratch.link("web")) == netns(foreign)
    assert scratch.entries() == {}


def test_a_path_that_leads_elsewhere_meanwhile_is_linked_as_opened(
    scratch: ScratchHost, meanwhile: Meanwhile
) -> None:
    first, second = scratch.process(), scratch.process()
    scratch.pin("pin", first)
    command = ["mount", "--bind", f"/proc/{second}/ns/net", scratch.link("pin")]
    meanwhile(lambda: subprocess.run(command, check=True))
    assert scratch.act(path=str(scratch.link("pin")), names=("web",)) == {"web": "created"}
    assert inode(scratch.link("web")) == netns(first)


def reuse_pid(scratch: ScratchHost, pid: int) -> None:
    """End a process and have its PID reused by another, in another namespace."""
    scratch.end(pid)
    for _try in range(100):
        with open("/proc/sys/kernel/ns_last_pid", "w", encoding="ascii") as stream:
            stream.write(str(pid - 1))
        if scratch.process() == pid:
            return
    pytest.fail("no other process got the PID")


def test_a_pid_that_is_reused_meanwhile_is_not_linked(
    scratch: ScratchHost, meanwhile: Meanwhile
) -> None:
    pid = scratch.process()
    meanwhile(lambda: reuse_pid(scratch, pid))
    result = scratch.run(pid=pid, names=("web",))
    assert "it ended" in result.failures[0]
    assert not scratch.link("web").exists()
    assert pins(netns(pid)) == 0


@pytest.mark.parametrize("noticed", [True, False])
def test_a_containers_pid_that_is_reused_meanwhile_is_not_linked(
    scratch: ScratchHost, daemon: Daemon, meanwhile: Meanwhile, noticed: bool
) -> None:
    pid = scratch.process()
    daemon.add("web", pid, WEB)

    def die() -> None:
        time.sleep(0.02)  # a clock tick, which start times are counted in
        if noticed:
            daemon.containers[WEB]["pid"] = 0
        reuse_pid(scratch, pid)

    meanwhile(die)
    assert scratch.act(all=True) == {"web": "skipped"}
    assert not scratch.link("web").exists()
    assert pins(netns(pid)) == 0


def test_an_engines_pin_beats_the_pid_and_is_checked_again(
    scratch: ScratchHost, daemon: Daemon, meanwhile: Meanwhile
) -> None:
    pid, pinned, other = scratch.process(), scratch.process(), scratch.process()
    scratch.pin("pin", pinned)
    daemon.add("web", pid, WEB)
    daemon.containers[WEB]["pin"] = str(scratch.link("pin"))
    command = ["mount", "--bind", f"/proc/{other}/ns/net", scratch.link("pin")]
    meanwhile(lambda: subprocess.run(command, check=True))
    assert scratch.act(all=True) == {"web": "skipped"}
    subprocess.run(["umount", scratch.link("pin")], check=True)
    result = scratch.run(all=True)
    assert "has moved to another network namespace" in " ".join(result.warnings)
    assert inode(scratch.link("web")) == netns(pinned)


def _gone(pin: pathlib.Path) -> None:
    subprocess.run(["umount", pin], check=True)
    pin.unlink()


def _not_mounted(pin: pathlib.Path) -> None:
    subprocess.run(["umount", pin], check=True)


def _fifo_there(pin: pathlib.Path) -> None:
    _gone(pin)
    os.mkfifo(pin)


def _another_type(pin: pathlib.Path) -> None:
    subprocess.run(["mount", "--bind", "/proc/self/ns/uts", pin], check=True)


@pytest.mark.parametrize("change", [_gone, _not_mounted, _fifo_there, _another_type])
def test_what_replaces_an_engines_pin_meanwhile_is_not_linked(
    scratch: ScratchHost,
    daemon: Daemon,
    meanwhile: Meanwhile,
    tmp_path: pathlib.Path,
    change: t.Callable[[pathlib.Path], None],
) -> None:
    pid = scratch.process()
    daemon.add("web", pid, WEB)
    pin = pinned_by_engine(daemon, tmp_path, pid)
    descriptors = len(os.listdir("/proc/self/fd"))
    meanwhile(lambda: change(pin))
    try:
        (row,) = scratch.run(all=True).links
        assert (row["action"], row["reason"]) == ("skipped", "it ended meanwhile: run again")
        assert not scratch.link("web").exists()
        assert len(os.listdir("/proc/self/fd")) == descriptors
    finally:
        subprocess.run(["umount", "--lazy", pin], check=False, stderr=subprocess.DEVNULL)


def pinned_by_engine(daemon: Daemon, directory: pathlib.Path, pid: int) -> pathlib.Path:
    """The engine's pin of the container's namespace."""
    pin = directory / "pin"
    pin.touch()
    subprocess.run(["mount", "--bind", f"/proc/{pid}/ns/net", pin], check=True)
    daemon.containers[WEB]["pin"] = str(pin)
    return pin


def refuse(monkeypatch: pytest.MonkeyPatch, call: str, number: int) -> None:
    def fail(*arguments: t.Any) -> t.NoReturn:
        raise OSError(number, f"{call}: {os.strerror(number)}", str(arguments[0]))

    monkeypatch.setattr(libc, call, fail)


@pytest.mark.parametrize(
    ("call", "number"),
    [
        ("open_tree", errno.ENOSYS),
        ("open_tree", errno.EPERM),
        # systemd 258 allows each service the other call.
        ("move_mount", errno.EPERM),
    ],
)
def test_links_are_mounted_by_path_where_only_that_is_possible(
    scratch: ScratchHost, monkeypatch: pytest.MonkeyPatch, call: str, number: int
) -> None:
    refuse(monkeypatch, call, number)
    descriptors = len(os.listdir("/proc/self/fd"))
    pid = scratch.process()
    assert scratch.act(pid=pid, names=("web",)) == {"web": "created"}
    assert inode(scratch.link("web")) == inode(f"/proc/{pid}/ns/net")
    assert scratch.act(state="absent", names=("web",)) == {"web": "removed"}
    assert os.listdir(scratch.dir) == []
    assert len(os.listdir("/proc/self/fd")) == descriptors


@pytest.mark.parametrize("refused", [None, "open_tree", "move_mount"])
def test_an_engines_pin_stays_where_it_is(
    scratch: ScratchHost,
    daemon: Daemon,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: pathlib.Path,
    refused: str | None,
) -> None:
    """move_mount(2) takes what it mounts from where it is: only a copy may be given to it."""
    pid = scratch.process()
    daemon.add("web", pid, WEB)
    pin = pinned_by_engine(daemon, tmp_path, pid)
    if refused:
        refuse(monkeypatch, refused, errno.EPERM)
    descriptors = len(os.listdir("/proc/self/fd"))
    try:
        assert scratch.act(all=True) == {"web": "created"}
        assert inode(scratch.link("web")) == inode(pin) == netns(pid)
        assert pins(netns(pid)) == 2
        assert scratch.act(state="absent", all=True) == {"web": "removed"}
        assert inode(pin) == netns(pid)
        assert len(os.listdir("/proc/self/fd")) == descriptors
    finally:
        subprocess.run(["umount", pin], check=True)


def test_a_mount_that_fails_leaves_nothing(
    scratch: ScratchHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = scratch.process(), scratch.process()
    scratch.act(pid=old, names=("other",))
    descriptors = len(os.listdir("/proc/self/fd"))

    refuse(monkeypatch, "move_mount", errno.EPERM)
    refuse(monkeypatch, "mount", errno.EPERM)
    result = scratch.run(pid=new, names=("web",))
    # Not the path of a descriptor, which the kernel was given.
    assert f"(EPERM) at {scratch.link('web')}: root lacks CAP_SYS_ADMIN" in result.failures[0]
    assert os.listdir(scratch.dir) == ["other"]
    assert list(scratch.entries()) == [str(scratch.link("other"))]
    assert len(os.listdir("/proc/self/fd")) == descriptors


@pytest.fixture
def full(scratch: ScratchHost) -> t.Callable[[], None]:
    """A function that fills the file system of netns_dir and the ledger, as a log can fill /run."""
    root = scratch.dir.parent / "run"
    root.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k,nr_inodes=16", "run", root], check=True)
    scratch.dir, scratch.state = root / "netns", root / "state"

    def fill() -> None:
        with contextlib.suppress(OSError):
            for number in range(16):
                (root / f"log{number}").touch()
        with contextlib.suppress(OSError), open(root / "log0", "wb", buffering=0) as stream:
            while True:
                stream.write(b"x" * 4096)

    return fill


def test_a_full_file_system_is_named(
    scratch: ScratchHost, daemon: Daemon, full: t.Callable[[], None]
) -> None:
    pid = scratch.process()
    daemon.add("web", pid, WEB)
    root = scratch.dir.parent
    scratch.act(pid=pid, names=("before",))
    full()
    # The ledger still has room in its page, but there is no inode for the placeholder.
    result = scratch.run(all=True)
    assert result.links[0]["action"] == "skipped"
    path = scratch.link("web")
    message = f"{path}: No space left on device (ENOSPC) at {path}: its file system is full"
    assert result.failures == (f"{message}: free space there, and run again",)

    def run_until_refused() -> None:
        for _try in range(100):
            scratch.run(all=True)

    with open(scratch.state / "ledger", "r+b") as stream:
        stream.write(stream.read().splitlines(keepends=True)[-1] * 20)
    with pytest.raises(model.NetnsError, match=rf"ENOSPC\) at {scratch.state}/ledger"):
        run_until_refused()
    for log in root.glob("log*"):
        log.unlink()
    assert scratch.act(all=True, prune=True) == {"web": "created"}
    assert inode(scratch.link("web")) == netns(pid)


# Crashes and races


@pytest.mark.parametrize("function", ["record", "bind", "detach", "_unlink"])
@pytest.mark.parametrize("after", [False, True])
def test_a_run_killed_at_any_point_is_finished_by_the_next(
    scratch: ScratchHost, function: str, after: bool
) -> None:
    old, new = scratch.process(), scratch.process()
    scratch.act(pid=old, names=("web",))
    scratch.act(pid=old, names=("gone",))
    owner: t.Any = {"record": ledger.Ledger, "_unlink": apply._LockedDirectory}.get(
        function, mounts
    )

    def killed(**request: t.Any) -> None:
        child = os.fork()
        if child == 0:
            real = getattr(owner, function)

            def die(*args: t.Any) -> None:
                if after:
                    real(*args)
                os.kill(os.getpid(), signal.SIGKILL)

            setattr(owner, function, die)
            scratch.run(**request)
            os._exit(0)
        os.waitpid(child, 0)

    killed(pid=new, names=("web",))
    assert scratch.act(pid=new, names=("web",)).keys() == {"web"}
    assert inode(scratch.link("web")) == netns(new)
    killed(pid=new, names=("fresh",))
    scratch.act(pid=new, names=("fresh",))
    assert inode(scratch.link("fresh")) == netns(new)
    killed(state="absent", names=("gone",))
    scratch.act(state="absent", all=True)
    assert os.listdir(scratch.dir) == []
    assert pins(netns(old)) == pins(netns(new)) == 0


def test_parallel_runs_all_succeed(scratch: ScratchHost) -> None:
    pids = [scratch.process() for _each in range(4)]
    code = (
        "import sys\n"
        "from ansible_collections.linuxnet.netns.plugins.module_utils._core.links import request, run\n"
        "directory, state, *pids = sys.argv[1:]\n"
        "for _each in range(10):\n"
        "    for pid in pids:\n"
        "        options = {'pid': int(pid), 'names': (f'p{pid}',), 'netns_dir': directory}\n"
        "        link = request.LinkRequest(**options)\n"
        "        assert run.run(link, state_dir=state).failures == ()\n"
    )
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(scratch.dir), str(scratch.state), *map(str, pids)],
            env=environment(),
        )
        for _each in range(3)
    ]
    assert [process.wait() for process in runs] == [0, 0, 0]
    assert len([mount for mount in mounts.read() if mount.point == str(scratch.dir)]) == 1
    assert [pins(netns(pid)) for pid in pids] == [1, 1, 1, 1]


def test_two_batches_of_links_in_one_run(scratch: ScratchHost, daemon: Daemon) -> None:
    for index in range(250):
        daemon.add(f"c{index}", scratch.process(), f"{index:064x}")
    actions = scratch.act(all=True)
    assert len(actions) == 250
    assert set(actions.values()) == {"created"}
    assert set(scratch.act(all=True).values()) == {"unchanged"}
    daemon.containers.clear()
    assert set(scratch.act(prune=True).values()) == {"removed"}
    assert os.listdir(scratch.dir) == []


def test_the_directory_for_compiled_code_is_made_by_runs_over_all_links(
    scratch: ScratchHost,
) -> None:
    """Not at each event, for which a resident process runs."""
    cache = scratch.state / ledger.CODE_CACHE
    scratch.run(all=True, only={})
    scratch.run(all=True, check=True)
    assert not cache.exists()
    scratch.run(all=True)
    assert list(cache.iterdir()) == []
    (cache / "unfinished").touch()
    scratch.run(all=True, only={})
    scratch.run(all=True, check=True)
    assert len(list(cache.iterdir())) == 1
    scratch.run(all=True)
    assert list(cache.iterdir()) == []
