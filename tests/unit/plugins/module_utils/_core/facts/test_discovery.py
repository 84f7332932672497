# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What needs no rights; namespaces, threads and mounts are in tests/kernel."""

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


def host(*pins: str) -> discovery.Host:
    return discovery.Host(OWN, OWN, None, {}, dict.fromkeys(pins, PINNED), ())


def test_our_own_namespace_is_found(tmp_path: pathlib.Path) -> None:
    read = discovery.read(str(tmp_path))
    assert read.own == OWN
    assert os.getpid() in read.namespaces[OWN].pids
    assert read.namespaces[OWN].pids == sorted(set(read.namespaces[OWN].pids))
    assert read.shared is not None
    assert discovery.read(str(tmp_path / "none")).shared is None


def test_names(tmp_path: pathlib.Path) -> None:
    (tmp_path / "empty").touch()
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "lost").symlink_to("/nowhere")
    (tmp_path / "link").symlink_to("/proc/self/ns/net")
    names = discovery.names(str(tmp_path))
    assert names == {"link": discovery.Name(OWN, (tmp_path / "link").lstat().st_ino)}
    assert discovery.names(str(tmp_path / "none")) == {}
    with pytest.raises(NotADirectoryError):
        discovery.names(str(tmp_path / "empty"))


def test_the_pin_beats_the_pid() -> None:
    pin = "/run/docker/netns/8d6964defe15"
    for told in (pin, "/var" + pin if os.path.realpath("/var/run") == "/run" else pin):
        found = discovery.netns_of(container(os.getpid(), told), host(pin), lambda one: False)
        assert found == PINNED


@pytest.mark.parametrize("pin", [None, "/run/user/1000/docker/netns/8d6964defe15"])
@pytest.mark.parametrize("is_its_own", [True, False])
def test_a_process_whose_cgroup_does_not_say_whose_it_is(pin: str | None, is_its_own: bool) -> None:
    """As here: the engine is asked again, after the namespace was read."""
    found = discovery.netns_of(container(os.getpid(), pin), host(), lambda one: is_its_own)
    assert found == (OWN if is_its_own else None)


def test_a_container_that_is_gone() -> None:
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    assert discovery.netns_of(container(pid), host(), lambda one: True) is None
