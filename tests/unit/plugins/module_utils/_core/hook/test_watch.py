# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which names in which directories are hints, with real directories."""

from __future__ import annotations

import contextlib
import errno
import os
import pathlib
import resource
import struct
import typing as t

import inotify_instances
import pytest

from ansible_collections.linuxnet.netns.plugins.module_utils._core.hook import watch
from ansible_collections.linuxnet.netns.plugins.module_utils._core.kernel import inotify, libc

TASKS = "tasks/*/*/init.pid"


@pytest.fixture(autouse=True)
def own_inotify_instances(monkeypatch: pytest.MonkeyPatch) -> None:
    inotify_instances.take_own(monkeypatch)


@pytest.fixture
def top(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    monkeypatch.setattr(watch, "_TOPS", (str(tmp_path),))
    return tmp_path


@pytest.fixture
def watches(top: pathlib.Path) -> t.Iterator[watch.Watches]:
    watches = watch.Watches(
        [
            watch.WatchSpec(f"{top}/{TASKS}", ("containerd",), exclude=frozenset(("moby",))),
            watch.WatchSpec(f"{top}/exits/*", ("podman",)),
            watch.WatchSpec(f"{top}/cgroup.*", ("lxc",)),
            watch.WatchSpec(f"{top}/docker.sock", ("docker",), socket=True),
        ]
    )
    try:
        yield watches
    finally:
        watches.close()


def make(path: pathlib.Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


@pytest.mark.parametrize(
    ("path", "engines", "sockets"),
    [
        ("tasks/k8s.io/c1/init.pid", {"containerd"}, set()),
        ("tasks/k8s.io/c1/other", set(), set()),
        ("tasks/moby/c1/init.pid", set(), set()),
        ("exits/c1", {"podman"}, set()),
        ("cgroup.box", {"lxc"}, set()),
        ("cgrou", set(), set()),
        ("docker.sock", set(), {"docker"}),
        ("docker.sock.d", set(), set()),
    ],
)
def test_names_that_appear(
    watches: watch.Watches, top: pathlib.Path, path: str, engines: set[str], sockets: set[str]
) -> None:
    # The directories appear together, before the watches on them.
    make(top / path)
    assert watches.read() == watch.Hints(engines, sockets, False)
    assert watches.read() == watch.Hints(set(), set(), False)


def test_names_that_disappear_and_appear_again(watches: watch.Watches, top: pathlib.Path) -> None:
    for _round in range(3):
        make(top / "tasks/k8s.io/c1/init.pid")
        assert watches.read().engines == {"containerd"}
        (top / "tasks/k8s.io/c1/init.pid").unlink()
        assert watches.read().engines == {"containerd"}
        (top / "tasks/k8s.io/c1").rmdir()
        assert watches.read().engines == {"containerd"}
        (top / "tasks/k8s.io").rmdir()
        (top / "tasks").rmdir()
        watches.read()
    make(top / "docker.sock")
    watches.read()
    (top / "docker.sock").unlink()
    assert watches.read() == watch.Hints(set(), set(), False)


def test_each_step_of_a_container(watches: watch.Watches, top: pathlib.Path) -> None:
    (top / "tasks/k8s.io").mkdir(parents=True)
    assert watches.read().engines == set()
    (top / "tasks/k8s.io/c1").mkdir()
    assert watches.read().engines == set()
    new = top / "tasks/k8s.io/c1/.init.pid"
    new.touch()
    new.rename(top / "tasks/k8s.io/c1/init.pid")
    assert watches.read().engines == {"containerd"}


def test_symbolic_links_are_not_followed(watches: watch.Watches, top: pathlib.Path) -> None:
    (top / "elsewhere").mkdir()
    (top / "exits").symlink_to(top / "elsewhere")
    make(top / "elsewhere/c1")
    assert watches.read().engines == set()


def test_further_sources(top: pathlib.Path) -> None:
    sources = {
        "docker": [f"{top}/ci.sock", "/srv/ci.sock"],
        "containerd": [f"{top}/state", "/srv/state"],
        "podman": [f"{top}/storage"],
    }
    specs = watch.further_specs(sources)
    tasks = "io.containerd.runtime.v2.task/*/*/init.pid"
    assert [(spec.path, spec.engines, spec.socket) for spec in specs] == [
        (f"{top}/ci.sock", ("docker",), True),
        (f"{top}/state/{tasks}", ("containerd",), False),
    ]


def test_all_specs_are_below_a_top_directory() -> None:
    watch.Watches(watch.WATCH_SPECS).close()


def use_up_instances() -> list[int]:
    used: list[int] = []
    with contextlib.suppress(OSError):
        while True:
            used.append(libc.inotify_init(os.O_CLOEXEC))
    return used


def test_watches_without_an_inotify_instance(top: pathlib.Path) -> None:
    spec = watch.WatchSpec(f"{top}/exits/*", ("podman",))
    used = use_up_instances()
    try:
        watches = watch.Watches([spec])
    finally:
        for fd in used:
            os.close(fd)
    assert str(watches.error).endswith("raise the sysctl fs.inotify.max_user_instances")
    assert watches.fileno() == -1
    assert watches.read() == watch.Hints(set(), set(), False)
    watches.complete()
    try:
        assert watches.error is None
        make(top / "exits/c1")
        assert watches.read().engines == {"podman"}
    finally:
        watches.close()


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (errno.ENOSPC, "raise the sysctl fs.inotify.max_user_watches"),
        (errno.ENOMEM, "Cannot allocate memory"),
        (errno.EACCES, "Permission denied"),
    ],
)
def test_a_directory_that_cannot_be_watched(
    top: pathlib.Path, monkeypatch: pytest.MonkeyPatch, number: int, message: str
) -> None:
    """Other directories are watched, and this one later."""
    add_watch = libc.inotify_add_watch

    def refuse(fd: int, path: str, mask: int) -> int:
        if path.endswith("exits"):
            raise OSError(number, os.strerror(number), path)
        return add_watch(fd, path, mask)

    for name in ("exits", "tasks"):
        (top / name).mkdir()
    monkeypatch.setattr(libc, "inotify_add_watch", refuse)
    specs = [watch.WatchSpec(f"{top}/{name}/*", (name,)) for name in ("exits", "tasks")]
    watches = watch.Watches(specs)
    try:
        assert message in str(watches.error)
        make(top / "tasks/c1")
        make(top / "exits/c1")
        assert watches.read().engines == {"tasks"}
        monkeypatch.setattr(libc, "inotify_add_watch", add_watch)
        watches.complete()
        assert watches.error is None
        make(top / "tasks/c2")
        make(top / "exits/c2")
        assert watches.read().engines == {"tasks", "exits"}
    finally:
        watches.close()


def test_the_process_has_too_many_open_files(top: pathlib.Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        watches = watch.Watches([watch.WatchSpec(f"{top}/exits/*", ("podman",))])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    watches.close()
    assert str(watches.error).endswith("raise LimitNOFILE=")


def test_an_overflow_is_parsed() -> None:
    data = (
        struct.pack("iIII", -1, 0x4000, 0, 0)
        + struct.pack("iIII", 3, 0x100, 0, 16)
        + b"web".ljust(16, b"\0")
    )
    assert list(inotify.parse(data)) == [
        inotify.Event(-1, "", overflow=True),
        inotify.Event(3, "web", added=True),
    ]
