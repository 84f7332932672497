# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Locks that others hold, mounts that the kernel refuses, and the umask of the run."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import pathlib
import stat
import subprocess
import sys
import time
import typing as t

import pytest
from support import Daemon, ScratchHost, inode, pins

from ansible_collections.linuxnet.netns.plugins.module_utils._core import model
from ansible_collections.linuxnet.netns.plugins.module_utils._core.kernel import (
    libc,
    locks,
    mounts,
)
from ansible_collections.linuxnet.netns.plugins.module_utils._core.links import plan

NOBODY = 65534
WEB = "a1" * 32
# Takes the lock of a path. `left` is a lock that outlives the process which took it, as with
# `exec 9<DIRECTORY; flock 9` in a shell.
_HOLD = """
import fcntl, os, sys, time
kind, user, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
fd = os.open(sys.argv[4], os.O_RDONLY)
os.setgid(user); os.setuid(user)
if kind == "left":
    if os.fork() == 0:
        fcntl.flock(fd, fcntl.LOCK_EX)
        os._exit(0)
    os.wait()
else:
    fcntl.flock(fd, fcntl.LOCK_EX)
print(flush=True)
time.sleep(seconds)
"""


@contextlib.contextmanager
def held(path: pathlib.Path, kind: str, user: int, seconds: float = 60.0) -> t.Iterator[None]:
    """A process of a user that holds the lock on a path."""
    process = subprocess.Popen(
        [sys.executable, "-c", _HOLD, kind, str(user), str(seconds), str(path)],
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == b"\n"
        yield
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("kind", ["running", "left"])
@pytest.mark.parametrize("directory", ["state", "netns"])
def test_a_users_lock_has_no_effect(scratch: ScratchHost, kind: str, directory: str) -> None:
    pid = scratch.process()
    scratch.act(pid=pid, names=("before",))
    with held(scratch.dir.parent / directory, kind, NOBODY):
        start = time.monotonic()
        result = scratch.run(pid=pid, names=("web",))
        assert time.monotonic() - start < 2
    assert (result.failures, result.links[0]["action"]) == ((), "created")
    assert len(result.warnings) == (directory == "netns")
    assert all("went on without it" in warning for warning in result.warnings)


@pytest.mark.parametrize("directory", ["state", "netns"])
def test_roots_lock_on_a_directory_is_waited_for(
    scratch: ScratchHost, monkeypatch: pytest.MonkeyPatch, directory: str
) -> None:
    """`ip netns` holds that of netns_dir for a moment, version 1.0.0 that of the ledger's for a run."""
    pid = scratch.process()
    scratch.act(pid=pid, names=("before",))
    path = scratch.dir.parent / directory
    with held(path, "running", 0, seconds=0.5):
        start = time.monotonic()
        result = scratch.run(pid=pid, names=("web",))
        assert 0.3 < time.monotonic() - start < 5
    assert result.warnings == ()
    monkeypatch.setattr(locks, "_DIRECTORY_TIMEOUT", 0.5)
    with held(path, "running", 0):
        result = scratch.run(pid=pid, names=("other",))
    assert result.links[0]["action"] == "created"
    assert len(result.warnings) == (directory == "netns")


def test_version_1_0_0_waits_for_a_run(
    scratch: ScratchHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It locks the directory of the ledger."""
    real = plan.make
    refused = []

    def make(*args: t.Any) -> plan.Plan:
        fd = os.open(scratch.state, os.O_RDONLY)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            refused.append(fd)
        os.close(fd)
        return real(*args)

    monkeypatch.setattr(plan, "make", make)
    scratch.act(pid=scratch.process(), names=("web",))
    assert refused


def test_only_root_can_open_the_lock_of_the_ledger(
    scratch: ScratchHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    pid = scratch.process()
    scratch.act(pid=pid, names=("web",))
    lock = scratch.state / "lock"
    assert stat.S_IMODE(lock.stat().st_mode) == 0o600
    monkeypatch.setattr(locks, "_LOCK_TIMEOUT", 0.2)
    with held(lock, "running", 0), pytest.raises(model.NetnsError, match=f"fuser -v {lock}"):
        scratch.run(pid=pid, names=("other",))
    assert scratch.act(pid=pid, names=("other",)) == {"other": "created"}


def test_check_mode_makes_no_lock(scratch: ScratchHost) -> None:
    pid = scratch.process()
    scratch.state.mkdir()
    scratch.run(check=True, pid=pid, names=("web",))
    assert os.listdir(scratch.state) == []


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("refused", [1, 2, 3, 4])
def test_a_mount_that_is_refused_once_has_no_effect_on_the_next_run(
    scratch: ScratchHost, monkeypatch: pytest.MonkeyPatch, refused: int, shared: bool
) -> None:
    """The directory is bound, made private and shared; then the link is mounted."""
    pid = scratch.process()
    root = scratch.dir.parent
    if shared:
        subprocess.run(["mount", "--bind", root, root], check=True)
        subprocess.run(["mount", "--make-shared", root], check=True)
    real = libc.mount
    calls = []

    def mount(*args: t.Any) -> None:
        calls.append(args)
        if len(calls) == refused:
            raise OSError(errno.EPERM, "mount: Operation not permitted", args[1])
        real(*args)

    def open_tree(_file: int | str) -> t.NoReturn:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    monkeypatch.setattr(libc, "mount", mount)
    # Otherwise, a link is mounted by another call.
    monkeypatch.setattr(libc, "open_tree", open_tree)
    descriptors = len(os.listdir("/proc/self/fd"))
    with pytest.raises(model.NetnsError, match="CAP_SYS_ADMIN"):
        raise model.NetnsError(*scratch.run(pid=pid, names=("web",)).failures)
    assert len(calls) == refused
    assert len(os.listdir("/proc/self/fd")) == descriptors
    for path in (scratch.dir, scratch.state, scratch.state / "lock"):
        fd = os.open(path, os.O_RDONLY)
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.close(fd)
    assert scratch.act(pid=pid, names=("web",)) == {"web": "created"}
    assert inode(scratch.link("web")) == inode(f"/proc/{pid}/ns/net")
    assert len([mount for mount in mounts.read() if mount.point == str(scratch.dir)]) == 1
    assert pins(inode(f"/proc/{pid}/ns/net")) in ((1, 2) if shared else (1,))


@pytest.mark.parametrize("umask", [0o077, 0o027, 0o022, 0o000])
def test_modes_do_not_depend_on_the_umask(
    scratch: ScratchHost,
    daemon: Daemon,
    tmp_path: pathlib.Path,
    umask: int,
) -> None:
    source = tmp_path / "resolv.conf"
    source.write_text("nameserver 192.0.2.1\n")
    daemon.add("web", scratch.process(), WEB)
    daemon.containers[WEB]["resolv_conf"] = str(source)
    before = os.umask(umask)
    try:
        scratch.act(all=True, resolv_conf=True)
        # Writes the ledger anew.
        with open(scratch.state / "ledger", "r+b") as stream:
            stream.write(stream.read().splitlines(keepends=True)[-1] * 300)
        scratch.act(all=True, name_template="{short_id}")
        assert os.umask(umask) == umask
    finally:
        os.umask(before)
    modes = {
        str(path.relative_to(tmp_path)): stat.S_IMODE(path.stat().st_mode)
        for path in (
            scratch.dir,
            scratch.state,
            scratch.state / "ledger",
            scratch.state / "lock",
            scratch.etc,
            scratch.etc / "web",
            scratch.etc / "web" / "resolv.conf",
        )
    }
    assert modes == {
        "netns": 0o755,
        "state": 0o755,
        "state/ledger": 0o600,
        "state/lock": 0o600,
        "etc-netns": 0o755,
        "etc-netns/web": 0o755,
        "etc-netns/web/resolv.conf": 0o644,
    }
