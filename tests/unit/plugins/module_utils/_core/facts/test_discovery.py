# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Discovery without root. Namespaces, threads and mounts are in tests/kernel."""

from __future__ import annotations

import os
import pathlib

import pytest

from ansible_collections.linuxnet.netns.plugins.module_utils._core import model
from ansible_collections.linuxnet.netns.plugins.module_utils._core.facts import discovery
from ansible_collections.linuxnet.netns.plugins.module_utils._core.kernel import nsfs

OWN = nsfs.netns_id(os.stat("/proc/self/ns/net"))
PINNED = model.NetnsId(4, 4026532184)


def container(pid: int, pin: str | None = None) -> model.Container:
    return model.Container(
        "docker", "/run/docker.sock", "a" * 64, "web", True, "running", pid=pid, pin=pin
    )


def discovered(*pins: str) -> discovery.HostNamespaces:
    return discovery.HostNamespaces(OWN, OWN, None, {}, dict.fromkeys(pins, PINNED), ())


def test_the_own_namespace_is_found(tmp_path: pathlib.Path) -> None:
    found = discovery.Search(str(tmp_path)).wait()
    assert found.own_netns == OWN
    assert os.getpid() in found.namespaces[OWN].pids
    assert found.namespaces[OWN].pids == sorted(set(found.namespaces[OWN].pids))
    assert found.netns_dir_shared is not None
    assert discovery.Search(str(tmp_path / "none")).wait().netns_dir_shared is None


def refuse(*_arguments: object, **_options: object) -> str:
    """The kernel refuses what is not allowed, and what ends while it is looked at."""
    raise PermissionError


@pytest.mark.parametrize("ended", [True, False])
def test_a_process_that_ends_meanwhile_is_not_unreadable(
    monkeypatch: pytest.MonkeyPatch, ended: bool
) -> None:
    pid = 4194305 if ended else os.getpid()  # the first is above the largest PID
    scanner = discovery._Scanner()
    monkeypatch.setattr(os, "readlink", refuse)
    scanner.scan_processes([pid])
    _references, _pins, unreadable_pids, *_others = scanner.found()
    assert unreadable_pids == ([] if ended else [pid])


def test_a_thread_that_ends_meanwhile_is_left_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    (tmp_path / "8").touch()
    monkeypatch.setattr(os, "readlink", refuse)
    with pytest.raises(PermissionError):
        list(discovery._readlinks(str(tmp_path), "/ns/net"))
    monkeypatch.setattr(os, "listdir", lambda _fd: ["9"])
    assert list(discovery._readlinks(str(tmp_path), "/ns/net")) == []


def test_list_names(tmp_path: pathlib.Path) -> None:
    (tmp_path / "empty").touch()
    (tmp_path / "directory").mkdir()
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "dangling").symlink_to("/nowhere")
    (tmp_path / "link").symlink_to("/proc/self/ns/net")
    names = nsfs.list_names(str(tmp_path))
    assert names == {"link": nsfs.DirectoryEntry(OWN, (tmp_path / "link").lstat().st_ino)}
    assert nsfs.list_names(str(tmp_path / "none")) == {}
    with pytest.raises(NotADirectoryError):
        nsfs.list_names(str(tmp_path / "empty"))


def test_the_pin_takes_precedence_over_the_pid() -> None:
    pin = "/run/docker/netns/8d6964defe15"
    for path in (pin, "/var" + pin if os.path.realpath("/var/run") == "/run" else pin):
        netns = discovery.container_netns(
            container(os.getpid(), path), discovered(pin), lambda _container: False
        )
        assert netns == PINNED


@pytest.mark.parametrize("pin", [None, "/run/user/1000/docker/netns/8d6964defe15"])
@pytest.mark.parametrize("still_runs", [True, False])
def test_a_process_whose_cgroup_is_not_of_the_container(pin: str | None, still_runs: bool) -> None:
    """Such as the test itself. The engine has to confirm it, after the namespace was read."""
    netns = discovery.container_netns(
        container(os.getpid(), pin), discovered(), lambda _container: still_runs
    )
    assert netns == (OWN if still_runs else None)


def test_a_container_that_is_gone() -> None:
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    assert discovery.container_netns(container(pid), discovered(), lambda _container: True) is None
    # Where /proc hides processes, it may be one that is hidden.
    hidden = discovered()._replace(processes_hidden=True)
    with pytest.raises(PermissionError):
        discovery.container_netns(container(pid), hidden, lambda _container: True)
