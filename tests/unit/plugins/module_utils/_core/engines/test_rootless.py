# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rootless Podman and Docker, captured from /proc of real hosts (tests/unit/data/rootless-*)."""

from __future__ import annotations

import errno
import json
import os
import pathlib
import subprocess
import types
import typing as t

import hostile_inputs
import pytest

from ansible_collections.linuxnet.netns.plugins.module_utils._core import model
from ansible_collections.linuxnet.netns.plugins.module_utils._core.engines import (
    rootless,
    user_files,
)
from ansible_collections.linuxnet.netns.plugins.module_utils._core.kernel import nsfs, procfs, users

DATA = pathlib.Path(__file__).parents[4] / "data"
NAMES = {1000: "ann", 1001: "bob"}
EVIL = "e" * 64


class Host:
    """Captured processes in a directory like /proc, and the kernel's answers about them."""

    def __init__(self, version: str, directory: pathlib.Path, homes: pathlib.Path) -> None:
        captured = json.loads((DATA / f"rootless-{version}" / "processes.json").read_text())
        self.directory = directory
        self.homes = homes
        self.host = captured["host"]
        self.own_userns = captured["self"]["ns"]["user"]
        self.owners = captured["netns"]
        self.userns = captured["userns"]
        self.processes = {int(pid): known for pid, known in captured["processes"].items()}
        self.hidden: set[int] = set()
        self._open: dict[int, int] = {}
        # Not the PID of this test, which a captured process can have as well.
        self.own_pid = int(captured["self"]["stat"].split()[0])
        self.write(self.own_pid, captured["self"])
        for pid, process in self.processes.items():
            self.write(pid, process)

    def write(self, pid: int, process: t.Mapping[str, t.Any]) -> None:
        path = self.directory / str(pid)
        (path / "ns").mkdir(parents=True, exist_ok=True)
        for name in ("comm", "stat", "cgroup", "mountinfo"):
            (path / name).write_text(process[name])
        (path / "cmdline").write_text("\0".join(process["cmdline"]))
        for kind, inode in process["ns"].items():
            link = path / "ns" / kind
            link.unlink() if link.is_symlink() else None
            link.symlink_to(f"{kind}:[{inode}]")

    def change(self, pid: int, **values: t.Any) -> None:
        self.processes[pid].update(values)
        self.write(pid, self.processes[pid])

    def move(self, pid: int, **namespaces: int) -> None:
        self.change(pid, ns={**self.processes[pid]["ns"], **namespaces})

    def monitor(self, child: int) -> int:
        return int(self.processes[child]["stat"].rpartition(")")[2].split()[1])

    def add(self, like: int, *arguments: str, **values: t.Any) -> int:
        """Another monitor and child like those of a container, which start later."""
        monitor, child = max(self.processes) + 1, max(self.processes) + 2
        self.processes[monitor] = {
            **self.processes[self.monitor(like)],
            "cmdline": ["conmon", *arguments, ""],
            **values,
        }
        name, _paren, fields = self.processes[like]["stat"].rpartition(")")
        rest = fields.split(" ")
        rest[2], rest[20] = str(monitor), str(int(rest[20]) + 1)
        self.processes[child] = {
            **self.processes[like],
            "stat": f"{name}){' '.join(rest)}",
            **values,
        }
        for pid in (monitor, child):
            self.write(pid, self.processes[pid])
        return child

    def uid(self, pid: int) -> int:
        if pid not in self.processes:
            return 0
        return int(self.processes[pid]["uid"])

    def open_process(self, pid: int) -> int:
        try:
            fd = os.open(self.directory / str(pid), os.O_RDONLY)
        except FileNotFoundError:
            raise model.GoneError(f"there is no process {pid}") from None
        self._open[fd] = pid
        return fd

    def _namespace(self, process: int, kind: str) -> int:
        if self._open[process] in self.hidden:
            raise PermissionError(13, "Permission denied")
        return int(self.processes[self._open[process]]["ns"][kind])

    def netns(self, process: int) -> model.NetnsId:
        return model.NetnsId(4, self._namespace(process, "net"))

    def user_namespaces(self, name: str, process: int) -> t.Iterator[tuple[int, int]]:
        kind = name.rpartition("/")[2]
        inode = self._namespace(process, kind)
        if kind == "net":
            inode = self.owners.get(str(inode))
        while inode is not None:
            maker, above = self.userns[str(inode)]
            yield inode, maker
            inode = above

    def getpwuid(self, uid: int) -> t.Any:
        return types.SimpleNamespace(pw_name=NAMES[uid], pw_dir=str(self.homes / NAMES[uid]))

    def read(self, reader: rootless.Rootless = rootless.PODMAN) -> dict[str, model.Container]:
        reading = reader.read(str(self.directory), 5, lambda _: True)
        assert reading.error is None
        return {f"{one.user}/{one.name}": one for one in reading.containers}


def start(monkeypatch: pytest.MonkeyPatch, host: Host) -> Host:
    real_stat, real_readlink = os.stat, os.readlink

    def stat(path: t.Any, **options: t.Any) -> t.Any:
        if path == "/proc/self/ns/user":
            return types.SimpleNamespace(st_ino=host.own_userns)
        return real_stat(path, **options)

    def readlink(path: t.Any, *, dir_fd: int) -> str:
        host._namespace(dir_fd, path.rpartition("/")[2])
        return real_readlink(path, dir_fd=dir_fd)

    monkeypatch.setattr(procfs, "open_process", host.open_process)
    monkeypatch.setattr(procfs, "netns", host.netns)
    monkeypatch.setattr(nsfs, "host_netns", lambda: model.NetnsId(4, host.host))
    monkeypatch.setattr(rootless, "_uid", host.uid)
    monkeypatch.setattr(rootless, "_user_namespaces", host.user_namespaces)
    monkeypatch.setattr(rootless.os, "getpid", lambda: host.own_pid)
    monkeypatch.setattr(rootless.os, "stat", stat)
    monkeypatch.setattr(rootless.os, "readlink", readlink)
    monkeypatch.setattr(users, "_PASSWD", "/nowhere")
    monkeypatch.setattr(users, "_answers", users._Answers())
    monkeypatch.setattr(users.pwd, "getpwuid", host.getpwuid)
    return host


@pytest.fixture
def homes(tmp_path: pathlib.Path) -> pathlib.Path:
    for name in NAMES.values():
        (tmp_path / "home" / name).mkdir(parents=True)
    return tmp_path / "home"


@pytest.fixture
def host(tmp_path: pathlib.Path, homes: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    return start(monkeypatch, Host("5.4.2", tmp_path / "proc", homes))


@pytest.mark.parametrize(
    ("version", "containers", "nested"),
    [
        ("3.0.1", "host joined none pidhost plain", []),
        ("4.3.1", "host joined nocgroup none pidhost plain web 3052e67b019d-infra", []),
        (
            "5.8.6",
            "host joined keepid nocgroup none pidhost plain web d93ad0b358e0-infra",
            ["keepid"],
        ),
    ],
)
def test_podman(
    tmp_path: pathlib.Path,
    homes: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    version: str,
    containers: str,
    nested: list[str],
) -> None:
    host = start(monkeypatch, Host(version, tmp_path / "proc", homes))
    rows = host.read()
    assert sorted(rows) == sorted(["bob/plain", *(f"ann/{name}" for name in containers.split())])
    for row in rows.values():
        process = host.processes[row.pid]
        assert (row.running, row.status, row.problem) == (True, "running", None)
        assert (row.pin, row.resolv_conf) == (None, None)
        assert row.source == f"/proc#{host.processes[host.monitor(row.pid)]['uid']}"
        # A child of the container's monitor, not of that of an exec session.
        assert f"-c\0{row.id}\0-u\0{row.id}" in "\0".join(
            host.processes[host.monitor(row.pid)]["cmdline"]
        )
        assert (process["ns"]["net"] == host.host) == (row.name == "host")
        assert row.network_mode.partition(":")[0] == {"host": "host", "web": "container"}.get(
            row.name, ""
        )
        assert rootless.PODMAN.still_runs(row, 5)
    assert [name for name in nested if rows[f"ann/{name}"].pid] == nested
    oldest = sorted(rows.values(), key=lambda one: one.created)
    assert [one.pid for one in oldest] == sorted(one.pid for one in oldest)


@pytest.mark.parametrize("version", ["4.3.1", "5.4.2", "5.8.6"])
def test_docker(
    tmp_path: pathlib.Path, homes: pathlib.Path, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    host = start(monkeypatch, Host(version, tmp_path / "proc", homes))
    rows = host.read(rootless.DOCKER)
    assert len(rows) == (5 if version == "5.4.2" else 3)
    for name, row in rows.items():
        # Processes of `exec` are younger children of the shim.
        assert host.processes[row.pid]["cmdline"][0] == "sh"
        assert name == f"ann/{row.id[:12]}"
        assert (row.labels, row.image, row.network_mode) == ({}, "", "")
        assert rootless.DOCKER.still_runs(row, 5)
        assert not rootless.PODMAN.still_runs(row, 5)


def test_containers_of_another_containerd_are_left_out(host: Host) -> None:
    before = host.read(rootless.DOCKER)
    row = next(iter(before.values()))
    monitor = host.monitor(row.pid)
    arguments = host.processes[monitor]["cmdline"]
    host.change(monitor, cmdline=["default" if one == "moby" else one for one in arguments])
    assert len(host.read(rootless.DOCKER)) == len(before) - 1
    assert not rootless.DOCKER.still_runs(row, 5)


def test_pods(host: Host) -> None:
    rows = host.read()
    infra, web, custom = (rows[f"ann/{x}"] for x in ("781ef93e92de-infra", "web", "custom"))
    assert infra.pod == model.Pod(
        "", "781ef93e92de", "781ef93e92dea91fdde88d530db567e7ac2b5c016fb306977b57582652e86a1c"
    )
    assert (infra.sandbox, web.sandbox, web.pod) == (True, False, infra.pod)
    assert web.network_mode == rows["ann/db"].network_mode == f"container:{infra.id}"
    # An infra container with another name is not recognized.
    assert (custom.sandbox, custom.pod) == (False, rows["ann/ownweb"].pod)
    assert rows["ann/ownweb"].network_mode == ""
    # It left the namespace, or the kernel does not show it.
    host.move(web.pid, net=host.processes[rows["ann/none"].pid]["ns"]["net"])
    assert host.read()["ann/web"].network_mode == ""
    host.hidden.update((infra.pid, web.pid))
    assert host.read()["ann/web"].network_mode == ""


def test_only_wanted_containers_have_a_pid(host: Host) -> None:
    reading = rootless.PODMAN.read(str(host.directory), 5, lambda one: one.name == "none")
    assert [one.name for one in reading.containers if one.pid] == ["none"]
    assert all(one.running for one in reading.containers)


def test_no_rootless_containers(host: Host) -> None:
    for pid, process in host.processes.items():
        if process["comm"] in ("conmon\n", "containerd-shim\n"):
            host.change(pid, uid=0)
    for reader in (rootless.PODMAN, rootless.DOCKER):
        reading = reader.read(str(host.directory), 5, lambda _: True)
        assert (reading.error, reading.containers) == (None, ())


def _roots(host: Host, child: int, monitor: int) -> None:
    host.change(monitor, uid=0)


def _other_command(host: Host, child: int, monitor: int) -> None:
    host.change(monitor, comm="common\n")


def _short_id(host: Host, child: int, monitor: int) -> None:
    line = "\0".join(host.processes[monitor]["cmdline"])
    identity = line.partition("-c\0")[2][:64]
    host.change(monitor, cmdline=line.replace(identity, identity[:63]).split("\0"))


def _id_is_a_path(host: Host, child: int, monitor: int) -> None:
    line = "\0".join(host.processes[monitor]["cmdline"])
    identity = line.partition("-c\0")[2][:64]
    host.change(monitor, cmdline=line.replace(identity, "../" + identity[3:]).split("\0"))


def _no_arguments(host: Host, child: int, monitor: int) -> None:
    host.change(monitor, cmdline=["conmon"])


def _exec_session(host: Host, child: int, monitor: int) -> None:
    arguments = list(host.processes[monitor]["cmdline"])
    arguments[arguments.index("-u") + 1] = "5" * 64
    host.change(monitor, cmdline=arguments)


def _not_its_child(host: Host, child: int, monitor: int) -> None:
    host.change(child, stat=host.processes[child]["stat"].replace(f" S {monitor} ", " S 1 "))


def _the_runtime(host: Host, child: int, monitor: int) -> None:
    host.move(child, mnt=host.processes[monitor]["ns"]["mnt"])


def _no_user_namespace(host: Host, child: int, monitor: int) -> None:
    host.move(child, user=host.own_userns)


def _anothers_user_namespace(host: Host, child: int, monitor: int) -> None:
    host.userns["7"] = [1001, host.own_userns]
    host.move(child, user=7)


def _roots_user_namespace(host: Host, child: int, monitor: int) -> None:
    host.userns["7"] = [0, host.own_userns]
    host.move(child, user=7)


def _creator_of_our_userns_is_unknown(host: Host, child: int, monitor: int) -> None:
    host.userns[str(host.own_userns)] = [host.processes[monitor]["uid"], None]
    host.move(child, user=host.own_userns)


def _another_root(host: Host, child: int, monitor: int) -> None:
    table = host.processes[monitor]["mountinfo"]
    host.move(monitor, mnt=8)
    host.change(monitor, mountinfo=table.replace(" / / ", " /nodes/1 / "))


def _no_root_at_all(host: Host, child: int, monitor: int) -> None:
    host.move(monitor, mnt=8)
    host.change(monitor, mountinfo="")


@pytest.mark.parametrize(
    "spoil",
    [
        _roots,
        _other_command,
        _short_id,
        _id_is_a_path,
        _no_arguments,
        _exec_session,
        _not_its_child,
        _the_runtime,
        _no_user_namespace,
        _anothers_user_namespace,
        _roots_user_namespace,
        _creator_of_our_userns_is_unknown,
        _another_root,
        _no_root_at_all,
    ],
)
def test_processes_that_are_not_containers_of_the_user(
    host: Host, spoil: t.Callable[[Host, int, int], None]
) -> None:
    before = host.read()
    row = before.pop("ann/none")
    spoil(host, row.pid, host.monitor(row.pid))
    assert host.read().keys() == before.keys()
    if spoil not in (_another_root, _no_root_at_all):
        assert not rootless.PODMAN.still_runs(row, 5)


def test_the_first_thread_of_the_first_process_has_ended(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(procfs, "since_epoch", float)
    before = host.read()
    pid = before["ann/none"].pid
    directory = host.directory / str(pid)
    (directory / "task" / "99").mkdir(parents=True)
    (directory / "ns").rename(directory / "task" / "99" / "ns")
    (directory / "cgroup").rename(directory / "task" / "99" / "cgroup")
    (directory / "cgroup").write_text("0::/\n")
    assert host.read() == before
    assert rootless.PODMAN.still_runs(before["ann/none"], 5)


def test_a_namespace_that_the_kernel_does_not_show(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It still runs, so that its link stays."""
    monkeypatch.setattr(procfs, "since_epoch", float)
    before = host.read()
    pid = before["ann/none"].pid

    def netns(process: int) -> model.NetnsId:
        if host._open[process] == pid:
            raise OSError(errno.EBUSY, "its threads are in several network namespaces", "task")
        return host.netns(process)

    monkeypatch.setattr(procfs, "netns", netns)
    rows = host.read()
    row = rows.pop("ann/none")
    assert rows == {name: one for name, one in before.items() if name != "ann/none"}
    assert (row.running, row.pid) == (True, 0)
    assert row.problem == f"process {pid}: its threads are in several network namespaces"
    assert not rootless.PODMAN.still_runs(before["ann/none"], 5)


def test_a_nested_user_namespace(host: Host) -> None:
    row = host.read()["ann/none"]
    host.userns["7"] = [100033, host.processes[row.pid]["ns"]["user"]]
    host.owners["9"] = 7
    host.move(row.pid, user=7, net=9)
    assert host.read()["ann/none"].pid == row.pid


@pytest.mark.parametrize("maker", [0, 1001])
def test_a_network_namespace_of_another_user_is_a_problem(host: Host, maker: int) -> None:
    row = host.read()["ann/none"]
    host.userns["7"] = [maker, host.own_userns]
    host.owners["9"] = 7
    host.move(row.pid, net=9)
    seen = host.read()["ann/none"]
    assert (seen.running, seen.pid) == (True, 0)
    assert seen.problem == "its network namespace 9 was not created by ann"
    assert not rootless.PODMAN.still_runs(row, 5)


def test_a_network_namespace_above_our_user_namespace_is_a_problem(host: Host) -> None:
    row = host.read()["ann/none"]
    host.move(row.pid, net=9)
    assert host.read()["ann/none"].problem is not None


@pytest.mark.parametrize("name", ["", "../x", "a b", ".x", "x\n", "x" * 256, "ä"])
def test_an_invalid_name(host: Host, name: str) -> None:
    like = host.read()["ann/none"].pid
    child = host.add(like, "-c", EVIL, "-u", EVIL, "-n", name)
    assert host.read()[f"ann/{EVIL[:12]}"].pid == child


def test_an_id_copied_from_another_users_container(host: Host) -> None:
    before = host.read()
    row = before["ann/none"]
    fake = host.add(before["bob/plain"].pid, "-c", row.id, "-u", row.id, "-n", "stolen", uid=1001)
    rows = host.read()
    assert rows["ann/none"].pid == row.pid
    # For the ledger it is a container of another user.
    assert rows["bob/stolen"].id == row.id
    assert rows["bob/stolen"].key != row.key
    # Nor for the other user's container.
    assert not rootless.PODMAN.still_runs(row._replace(pid=fake), 5)


def test_an_ordinary_user_sees_only_the_ids(host: Host) -> None:
    host.hidden.update(pid for pid, one in host.processes.items() if one["uid"] == 1000)
    rows = host.read()
    assert {"ann/none", "ann/plain", "bob/plain"} <= set(rows)
    assert rows["ann/host"].network_mode == ""
    assert all(row.pid and row.problem is None for row in rows.values())


def test_a_pid_of_another_users_process(host: Host) -> None:
    rows = host.read()
    none, plain = rows["ann/none"], rows["ann/plain"]
    assert not rootless.PODMAN.still_runs(none._replace(pid=plain.pid), 5)
    monitor = rootless.PODMAN._monitor(host.monitor(none.pid), 1000)
    assert monitor is not None
    assert rootless._first_process(monitor, [plain.pid], lambda _: True) is None
    assert rootless._first_process(monitor, [plain.pid, none.pid], lambda _: True) is not None


def test_the_container_has_ended(host: Host) -> None:
    row = host.read()["ann/none"]
    assert not rootless.PODMAN.still_runs(row._replace(pid=999999), 5)
    for path in sorted((host.directory / str(row.pid)).rglob("*")):
        if not path.is_dir():
            path.unlink()
    assert "ann/none" not in host.read()
    assert not rootless.PODMAN.still_runs(row, 5)


def test_reading_ends_with_the_timeout(host: Host) -> None:
    error = rootless.PODMAN.read(str(host.directory), -1, lambda _: True).error
    assert error is not None
    assert "could not be read in full" in error
    assert rootless.PODMAN.read("/none", 5, lambda _: True).error == "there is no directory /none"


def _write_config(host: Host, **changes: t.Any) -> tuple[str, pathlib.Path]:
    config = json.loads((DATA / "rootless-5.4.2" / "config.v2.json").read_text())
    identity = config["ID"]
    path = host.homes / "ann/.local/share/docker/containers" / identity / "config.v2.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({**config, **changes}))
    return f"ann/{identity[:12]}", path


def test_docker_details_from_the_home_directory(host: Host) -> None:
    plain, _path = _write_config(host)
    rows = host.read(rootless.DOCKER)
    assert plain not in rows
    row = rows["ann/dplain"]
    assert (row.image, row.labels) == ("linuxnet-netns-test:1", {"x": "y"})
    assert len(rows) == 5


@pytest.mark.parametrize(
    "changes",
    [
        {"ID": EVIL},
        {"Name": "/../x"},
        {"Name": 7},
        {"Name": None},
        {"Config": []},
        {"Config": {"Labels": {"a": 1}}},
        {"Config": {"Labels": {"a": "\ud800"}}},
        {"Config": {"Image": "\ud800"}},
        {"padding": "x" * (1 << 20)},
    ],
)
def test_invalid_docker_files(host: Host, changes: dict[str, t.Any]) -> None:
    plain, _path = _write_config(host, **changes)
    row = host.read(rootless.DOCKER)[plain]
    assert (row.image, row.labels) == ("", {})


@pytest.mark.parametrize(
    ("namespace", "identity", "expected"),
    [
        ("default", "web", ("web", "web")),
        ("mine", "web", ("mine/web", "web")),
        ("k8s.io", "ab" * 32, ("ab" * 32, "")),
        ("moby", "ab" * 32, None),
        ("", "web", None),
        ("default", "", None),
        ("default", "a/b", None),
        ("../x", "web", None),
    ],
)
def test_the_containers_of_containerd(
    namespace: str, identity: str, expected: tuple[str, str] | None
) -> None:
    """As ctr and nerdctl run them, recorded with containerd 1.7 in the namespaces of rootlesskit."""
    shim = ["/usr/bin/containerd-shim-runc-v2", "-namespace", namespace, "-id", identity]
    shim += ["-address", "/run/user/1000/docker/containerd/containerd.sock", ""]
    assert rootless._parse_containerd_shim(shim) == expected


@pytest.mark.parametrize("file", hostile_inputs.ODD_FILES, ids=hostile_inputs.case_id)
def test_odd_files(host: Host, monkeypatch: pytest.MonkeyPatch, file: hostile_inputs.File) -> None:
    """The processes show the container, whose name is its ID then: a user's file fails no run of root's."""
    monkeypatch.setattr(procfs, "since_epoch", float)
    plain, path = _write_config(host)
    before = host.read(rootless.DOCKER)
    file.put(path)
    rows = host.read(rootless.DOCKER)
    row, named = rows.pop(plain), before.pop("ann/dplain")
    assert rows == before
    assert row == named._replace(name=named.id[:12], image="", labels={})


def _fifo(path: pathlib.Path) -> None:
    data = path.read_bytes()
    path.unlink()
    os.mkfifo(path)
    # Left open, so that the FIFO keeps its data.
    os.write(os.open(path, os.O_RDWR), data)


def _link_to_the_file(path: pathlib.Path) -> None:
    path.rename(path.with_name("other"))
    path.symlink_to("other")


def _link_to_the_directory(path: pathlib.Path) -> None:
    path.parent.rename(path.parent.with_name("other"))
    path.parent.symlink_to("other")


def _directory(path: pathlib.Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("spoil", [_fifo, _link_to_the_file, _link_to_the_directory, _directory])
def test_docker_files_that_are_not_regular_files(
    host: Host, spoil: t.Callable[[pathlib.Path], None]
) -> None:
    plain, path = _write_config(host)
    spoil(path)
    assert plain in host.read(rootless.DOCKER)


def test_no_mount_in_a_home_directory_is_entered(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, _path = _write_config(host)
    numbers = iter(range(100))
    monkeypatch.setattr(user_files.mounts, "mount_id", lambda fd: next(numbers))
    assert plain in host.read(rootless.DOCKER)


def test_the_kernel_reports_who_created_a_namespace() -> None:
    child = subprocess.Popen(
        ["unshare", "--user", "--net", "sh", "-c", "echo; read x"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert child.stdout is not None
    try:
        if not child.stdout.readline():
            pytest.skip("no user namespaces here")
        process = procfs.open_process(child.pid)
        try:
            made = os.stat(f"/proc/{child.pid}/ns/user").st_ino
            for kind in ("user", "net"):
                first, *rest = rootless._user_namespaces(f"ns/{kind}", process)
                assert first == (made, os.getuid())
                assert rest[0][0] == os.stat("/proc/self/ns/user").st_ino
                assert rootless._is_owned(f"ns/{kind}", process, os.getuid())
                assert not rootless._is_owned(f"ns/{kind}", process, os.getuid() + 1)
        finally:
            os.close(process)
    finally:
        child.communicate(b"\n")
