# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names of processes, cgroups and sockets on the running kernel: none is mistaken for another."""

from __future__ import annotations

import os
import pathlib
import socket
import subprocess
import sys
import typing as t

import pytest

from ansible_collections.linuxnet.netns.plugins.module_utils._core import model
from ansible_collections.linuxnet.netns.plugins.module_utils._core.engines import docker_state
from ansible_collections.linuxnet.netns.plugins.module_utils._core.kernel import procfs, sockets

RENAME = "import sys; open('/proc/self/comm', 'w').write(sys.argv[1]); print(flush=True); input()"

# Its real user stays root.
UNDUMPABLE = """
import ctypes, os, sys
os.seteuid(int(sys.argv[1]))
ctypes.CDLL(None).prctl(4, 0)
print(flush=True)
input()
"""


@pytest.fixture
def start() -> t.Iterator[t.Callable[[str], int]]:
    """Start a process with this command name, and return a descriptor of its /proc/PID."""
    children: list[subprocess.Popen[bytes]] = []
    processes: list[int] = []

    def start_process(name: str) -> int:
        child = subprocess.Popen(
            [sys.executable, "-c", RENAME, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        children.append(child)
        assert child.stdout is not None
        child.stdout.readline()
        processes.append(procfs.open_process(child.pid))
        return processes[-1]

    yield start_process
    for process in processes:
        os.close(process)
    for child in children:
        child.communicate(b"\n")


@pytest.mark.parametrize(
    "name",
    [
        "lxc-\x0cUid:0",
        "lxc-\x1cUid:0 0",
        "a\x0bNSpid:1 2 3",
        "a\rUid:9",
        "a\nUid:9",
        "x) S 1 (",
        "\\",
    ],
)
def test_any_command_name(start: t.Callable[[str], int], name: str) -> None:
    process = start(name)
    assert procfs.command(process) == name
    assert procfs.status_field(process, "Uid") == [str(os.getuid())] * 4
    assert procfs.status_field(process, "NSpid")[-1] != "3"
    assert procfs.parent(process) == os.getpid()
    assert procfs.start_time(process) > 0


def test_the_inode_of_a_pidfd(start: t.Callable[[str], int]) -> None:
    pids = [procfs.status_field(start(name), "Tgid")[0] for name in ("a", "b")]
    inodes = [procfs.pidfd_inode(int(pid)) for pid in pids]
    child = os.fork()
    if not child:
        os._exit(0)
    os.waitpid(child, 0)
    assert procfs.pidfd_inode(child) is None
    if None in inodes:
        pytest.skip("this kernel has no pidfs")
    assert [procfs.pidfd_inode(int(pid)) for pid in pids] == inodes
    assert len({*inodes, procfs.pidfd_inode(os.getpid())}) == 3


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
@pytest.mark.parametrize("uid", [0, 4711])
def test_the_user_of_a_process(uid: int) -> None:
    """Also of one whose files are root's, as it may not be traced."""
    child = subprocess.Popen(
        [sys.executable, "-c", UNDUMPABLE, str(uid)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert child.stdout is not None
    child.stdout.readline()
    process = procfs.open_process(child.pid)
    try:
        assert os.stat("stat", dir_fd=process).st_uid == 0
        assert procfs.status_field(process, "Uid")[:2] == ["0", str(uid)]
        assert procfs.user(process) == uid
        child.communicate(b"\n")
        with pytest.raises(model.GoneError):
            procfs.user(process)
    finally:
        os.close(process)


def test_any_cgroup_name(monkeypatch: pytest.MonkeyPatch) -> None:
    identity = "ab" * 32
    path = f"/user.slice/a\x0c0::/docker/{identity}/b\u2028docker-{identity}.scope"
    text = f"1:name=systemd:/a\x85b\n0::{path}\n"
    monkeypatch.setattr(procfs, "read_text", lambda _process, _name: text)
    assert procfs.systemd_cgroups(0) == ["/a\x85b", path]
    assert procfs.unit([path, f"/user.slice/b\u2028docker-{identity}.scope"]) == (
        f"b\u2028docker-{identity}.scope"
    )
    assert procfs.lines(text) == ["1:name=systemd:/a\x85b", f"0::{path}"]
    # Docker does not name cgroups like this.
    assert docker_state._cgroups(os.getpid()) == [("name=systemd", "/a\x85b"), ("", path)]
    assert not docker_state._CONTAINER_CGROUP.match(path)


@pytest.mark.parametrize(
    ("unit", "machine", "cgroups"),
    [
        ("init.scope", None, ["/init.scope"]),
        ("unbound.service", None, ["/system.slice/unbound.service"]),
        ("unbound.service", None, ["/system.slice/unbound.service/worker"]),
        ("a.service", None, ["/system.slice/system-a.slice/a.service"]),
        ("a.service", None, ["/../../system.slice/a.service"]),
        # A user's service, the manager of a user's services, a session.
        ("vpn.service", None, ["/user.slice/user-7.slice/user@7.service/app.slice/vpn.service"]),
        ("user@7.service", None, ["/user.slice/user-7.slice/user@7.service/init.scope"]),
        ("session-3.scope", None, ["/user.slice/user-7.slice/session-3.scope"]),
        # A systemd in a container: kind, Docker without systemd's driver, nspawn, a pod.
        ("docker-3f.scope", None, ["/system.slice/docker-3f.scope/init.scope"]),
        (
            "docker-3f.scope",
            None,
            ["/system.slice/docker-3f.scope/kubelet.slice/system.slice/containerd.service"],
        ),
        (None, None, ["/docker/3f/init.scope"]),
        (None, None, ["/docker/3f/system.slice/containerd.service"]),
        ("machine-a.scope", None, ["/machine.slice/machine-a.scope/payload/init.scope"]),
        ("a.scope", None, ["/kubepods.slice/kubepods-besteffort.slice/a.scope/init.scope"]),
        (None, None, ["/kubepods/besteffort/pod1/3f/init.scope"]),
        # LXC, LXD and Incus.
        (None, "c1", ["/lxc.payload.c1/init.scope"]),
        (None, "c1", ["/lxc.payload.c1/system.slice/ssh.service"]),
        (None, "c1", ["/lxc.payload/c1"]),
        (None, "c1", ["/lxc/c1/init.scope", "/"]),
        (None, None, ["/lxc.monitor.c1"]),
        (
            "app.scope",
            "c1",
            ["/user.slice/user-7.slice/user@7.service/app.slice/app.scope/lxc.payload.c1"],
        ),
        # v1, where the other path shows nothing; hosts without systemd.
        ("unbound.service", None, ["/system.slice/unbound.service", "/"]),
        ("unbound.service", None, ["/", "/system.slice/unbound.service"]),
        (None, None, ["/"]),
        (None, None, []),
    ],
)
def test_the_unit_of_the_host(unit: str | None, machine: str | None, cgroups: list[str]) -> None:
    assert procfs.unit(cgroups) == unit
    assert procfs.lxc_payload(cgroups) == machine


@pytest.mark.parametrize(
    "numbers", ["0: 2 0 zz 1 1 9", "0: 2 0 00010000 1 1 \udcff", "0: 2 0 1 1 1 9"]
)
def test_any_socket_name(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, numbers: str
) -> None:
    monkeypatch.chdir(tmp_path)
    directory = tmp_path / f"x\n{numbers} "
    directory.mkdir()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(f"{directory.name}/wanted")
        server.listen()
        assert sockets.listening("/wanted") == set()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("other wanted")
        server.listen()
        assert sockets.listening("other wanted") == {str(os.fstat(server.fileno()).st_ino)}


def test_sockets_that_the_own_namespace_lists() -> None:
    with socket.socket(socket.AF_UNIX) as unix, socket.socket(
        socket.AF_NETLINK, socket.SOCK_RAW
    ) as netlink, socket.socket(socket.AF_INET) as inet:
        netlink.bind((0, 0))
        inodes = [str(os.fstat(each.fileno()).st_ino) for each in (unix, netlink, inet)]
        listed = set(sockets.listed())
    assert [inode in listed for inode in inodes] == [True, True, False]
