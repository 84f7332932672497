# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""containerd's state directory, captured from real hosts (tests/unit/data/containerd-*)."""

from __future__ import annotations

import errno
import gzip
import json
import os
import pathlib
import shutil
import subprocess
import sys
import typing as t

import hostile_inputs
import pytest
import stand_ins
from invariants import check_container, check_isolation, check_odd_file, refuse_to_open

from ansible_collections.linuxnet.netns.plugins.module_utils._core import model
from ansible_collections.linuxnet.netns.plugins.module_utils._core.engines import (
    containerd,
    shims,
    state_files,
)
from ansible_collections.linuxnet.netns.plugins.module_utils._core.kernel import (
    procfs,
)

DATA = pathlib.Path(__file__).parents[4] / "data"
VERSIONS = ("1.6.20", "1.7.24", "2.1.9")


class Host(stand_ins.Kernel):
    """A captured state directory on disk, and the kernel's answers about its processes."""

    def __init__(self, version: str, directory: pathlib.Path) -> None:
        captured = json.loads((DATA / f"containerd-{version}" / "state.json").read_text())
        super().__init__(captured["processes"], captured["pins"])
        self.directory = directory
        self.source = str(directory)
        self.ids: dict[str, str] = {}
        for namespace, tasks in captured["bundles"].items():
            for identity, bundle in tasks.items():
                self.add(namespace, identity, bundle["config.json"], bundle["init.pid"])

    def add(self, namespace: str, identity: str, config: t.Any, pid: str | None) -> pathlib.Path:
        path = self.directory / shims.TASKS / namespace / identity
        path.mkdir(parents=True)
        (path / "config.json").write_text(json.dumps(config))
        if pid is not None:
            (path / "init.pid").write_text(pid)
        notes = config.get("annotations") or {}
        name = notes.get("io.kubernetes.cri.container-name", "")
        self.ids[name or notes.get("io.kubernetes.cri.sandbox-name", identity)] = identity
        return path

    def bundle(self, name: str) -> pathlib.Path:
        (path,) = self.directory.glob(f"*/*/{self.ids[name]}")
        return path

    def change(self, name: str, **annotations: str) -> None:
        path = self.bundle(name) / "config.json"
        config = json.loads(path.read_text())
        config["annotations"] = {**(config.get("annotations") or {}), **annotations}
        path.write_text(json.dumps(config))

    def pid(self, name: str) -> int:
        return int((self.bundle(name) / "init.pid").read_text())

    def read(self, wanted: t.Callable[[model.Container], bool] = lambda _: True) -> model.Reading:
        return containerd.read(self.source, 5, wanted)

    def rows(self) -> dict[str, model.Container]:
        reading = self.read()
        assert reading.error is None
        return {one.name: one for one in reading.containers}


def start(monkeypatch: pytest.MonkeyPatch, host: Host) -> Host:
    host.patch(monkeypatch)
    return host


@pytest.fixture
def host(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    return start(monkeypatch, Host("1.7.24", tmp_path))


@pytest.mark.parametrize("version", VERSIONS)
def test_read(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    host = start(monkeypatch, Host(version, tmp_path))
    rows = host.rows()
    assert sorted(rows) == ["kube-proxy", "kube-system_proxy", "log", "nginx", "plain", "shop_web"]
    assert all(row.running and row.status == "running" for row in rows.values())
    assert all(row.pid in host.processes and row.source == host.source for row in rows.values())
    web, proxy, nginx, plain = (
        rows[name] for name in ("shop_web", "kube-system_proxy", "nginx", "plain")
    )
    assert web.pin in host.pins
    assert host.pins[web.pin] == host.processes[web.pid]["netns"]
    assert [row.pin for row in rows.values() if row is not web] == [None] * 5
    assert web.pod == nginx.pod
    assert web.pod is not None
    assert (web.pod.namespace, web.pod.name, len(web.pod.uid)) == ("shop", "web", 36)
    assert [row.name for row in rows.values() if row.sandbox] == [
        row.name for row in rows.values() if row in (web, proxy)
    ]
    assert [row.network_mode for row in (web, proxy, plain)] == ["", "host", ""]
    assert nginx.network_mode == f"container:{web.id}"
    assert host.processes[nginx.pid]["netns"] == host.processes[web.pid]["netns"]
    assert nginx.image == "localhost/pause:1"
    assert web.image == ("" if version < "2" else "localhost/pause:1")
    for row in (web, nginx, proxy):
        assert row.resolv_conf is not None
        assert row.resolv_conf.endswith("/resolv.conf")
    assert (plain.id, plain.pod, plain.resolv_conf, plain.labels) == ("plain", None, None, {})
    assert web.created > 0


def test_only_wanted_containers_have_details(host: Host) -> None:
    reading = host.read(lambda one: one.sandbox)
    assert {one.name for one in reading.containers if one.pid} == {"shop_web", "kube-system_proxy"}
    assert all(one.running for one in reading.containers)
    assert len([one for one in reading.containers if one.resolv_conf]) == 2


def _end(host: Host) -> None:
    del host.processes[host.pid("web")]


def _reuse(host: Host) -> None:
    host.processes[host.pid("web")]["cgroup"] = "0::/system.slice/cron.service\n"


def _move(host: Host) -> None:
    host.processes[host.pid("web")]["netns"] = stand_ins.HOST


def _unpin(host: Host) -> None:
    host.pins.clear()


def _repin(host: Host) -> None:
    host.pins.update(dict.fromkeys(host.pins, stand_ins.HOST))


def _not_started(host: Host) -> None:
    (host.bundle("web") / "init.pid").unlink()


@pytest.mark.parametrize(
    ("spoil", "running", "words"),
    [
        (_end, False, "its process is gone: there is no process"),
        (_reuse, False, "its process is gone: its PID belongs to another process"),
        (_not_started, False, "it has no known process"),
        # It still runs: its links have to stay.
        (_move, True, "its first process is in the network namespace 4026531840, not in /run/"),
        (_unpin, True, "its pin '/run/other/containerd/io.containerd.grpc.v1.cri/netns/cni-"),
        (_repin, True, "its first process is in the network namespace"),
    ],
)
def test_bundle_and_kernel_disagree(
    host: Host, spoil: t.Callable[[Host], None], running: bool, words: str
) -> None:
    spoil(host)
    rows = host.rows()
    web = rows["shop_web"]
    assert (web.problem or web.status).startswith(words)
    assert (web.problem is not None) == running
    assert (web.running, web.pid, web.pin, web.resolv_conf) == (running, 0, None, None)
    # Its containers have their own namespaces.
    assert rows["nginx"].running


@pytest.mark.parametrize(
    ("here", "in_shim", "netns", "words"),
    [
        # containerd with PrivateMounts=yes, or a file system of its own at /run/netns.
        ("an empty file", "its own", "its own", None),
        (None, "its own", "its own", None),
        # `mount --bind /run/netns /run/netns`, and its shim cannot be read.
        ("an empty file", None, "its own", None),
        ("an empty file", "another", "its own", "its first process is in the network namespace"),
        (None, "another", "its own", "its first process is in the network namespace"),
        (None, None, "its own", "is gone"),
        # Where the pin does not show it, a process may have moved to the host's network.
        ("an empty file", None, "the host's", "is an empty file"),
        ("an empty file", "another", "the host's", "its first process is in the network namespace"),
    ],
)
def test_a_pin_in_another_mount_namespace(
    host: Host, here: str | None, in_shim: str | None, netns: str, words: str | None
) -> None:
    ((pin, own),) = host.pins.items()
    host.pins.clear()
    if here:
        host.hidden_pins.append(pin)
    if in_shim:
        host.pins_elsewhere[pin] = own if in_shim == "its own" else 7
    pid = host.pid("web")
    if netns == "the host's":
        host.processes[pid]["netns"] = stand_ins.HOST
    rows = host.rows()
    web = rows["shop_web"]
    assert (web.running, web.unread) == (True, None)
    assert (web.pid, web.problem is None) == ((0, False) if words else (pid, True))
    assert (words or "None") in str(web.problem)


def test_a_container_that_joins_its_pod_has_no_pin(host: Host) -> None:
    path = host.bundle("nginx") / "config.json"
    config = json.loads(path.read_text())
    for namespace in config["linux"]["namespaces"]:
        if namespace["type"] == "network":
            (namespace["path"],) = host.pins
    path.write_text(json.dumps(config))
    nginx = host.rows()["nginx"]
    assert (nginx.running, nginx.pin) == (True, None)


def test_a_container_that_left_its_pod(host: Host) -> None:
    host.processes[host.pid("nginx")]["netns"] = stand_ins.HOST
    rows = host.rows()
    assert (rows["nginx"].running, rows["nginx"].pid) == (True, 0)
    assert str(rows["nginx"].problem).startswith("its first process left its pod")
    assert rows["log"].pid


def test_the_sandbox_has_ended_and_its_containers_run(host: Host) -> None:
    shutil.rmtree(host.bundle("web"))
    rows = host.rows()
    assert "shop_web" not in rows
    assert rows["nginx"].running
    assert rows["nginx"].pod == rows["log"].pod


def test_docker_namespaces_and_deleted_tasks_are_left_out(host: Host) -> None:
    task = host.directory / shims.TASKS
    config = {"linux": {"namespaces": [{"type": "network"}]}}
    host.add("moby", "a" * 64, config, "1")
    host.add("plugins.moby", "b" * 64, config, "1")
    host.add("k8s.io", "." + "c" * 64, config, "1")
    host.add("k8s.io", "\udcff", config, "1")
    host.add("\udcff", "plain", config, "1")
    (task / "k8s.io" / ("d" * 64)).mkdir()
    (task / "k8s.io" / "file").touch()
    (task / "k8s.io" / "link").symlink_to(task / "moby" / ("a" * 64))
    (task / "fifo").symlink_to(task / "moby")
    assert len(host.rows()) == 6


def test_no_container_was_started_yet(tmp_path: pathlib.Path) -> None:
    reading = containerd.read(str(tmp_path), 5, lambda _: True)
    assert (reading.error, reading.containers) == (None, ())
    reading = containerd.read(str(tmp_path / "none"), 5, lambda _: True)
    assert reading.error == f"there is no directory {tmp_path}/none"


def test_names_and_labels_of_nerdctl(host: Host) -> None:
    config = {
        "annotations": {"nerdctl/name": "db", "com.docker.compose.project": "shop"},
        "linux": {"namespaces": [{"type": "network"}]},
    }
    host.add("default", "e" * 64, config, None)
    host.change("plain", app="not a label")
    rows = host.rows()
    assert rows["db"].labels["com.docker.compose.project"] == "shop"
    assert (rows["db"].id, rows["db"].running) == ("e" * 64, False)
    assert rows["plain"].labels == {}


def test_the_same_id_in_two_namespaces(host: Host) -> None:
    config = json.loads((host.bundle("plain") / "config.json").read_text())
    pid = host.pid("plain")
    config["linux"]["cgroupsPath"] = "/another/plain"
    host.add("another", "plain", config, "77")
    host.processes[77] = {"cgroup": "0::/another/plain\n", "netns": 5}
    rows = {one.id: one for one in host.read().containers if one.name == "plain"}
    assert {identity: row.pid for identity, row in rows.items()} == {
        "plain": pid,
        "another/plain": 77,
    }
    assert all(containerd.still_runs(row, 5) for row in rows.values())
    del host.processes[77]
    assert [identity for identity, row in rows.items() if containerd.still_runs(row, 5)] == [
        "plain"
    ]


def test_a_pod_of_an_older_containerd_without_uid(host: Host) -> None:
    path = host.bundle("web") / "config.json"
    config = json.loads(path.read_text())
    del config["annotations"]["io.kubernetes.cri.sandbox-uid"]
    path.write_text(json.dumps(config))
    assert host.rows()["shop_web"].pod == model.Pod("shop", "web", "")


@pytest.fixture
def database(host: Host, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """The database of another host, with the ID of the sandbox of this one."""
    path = pathlib.Path(containerd.containerd_metadata.path(str(tmp_path / "root")))
    path.parent.mkdir(parents=True)
    content = gzip.decompress((DATA / "containerd-1.7.24" / "meta.db.gz").read_bytes())
    captured = b"f0396edd2838c533788e755f4b0030b20fce4190225595ee20be1ff604906fca"
    path.write_bytes(content.replace(captured, host.ids["web"].encode()))
    monkeypatch.setattr(containerd, "STATE", host.source)
    monkeypatch.setattr(containerd, "_CONFIG", "/none")
    monkeypatch.setattr(containerd, "_ROOT", str(tmp_path / "root"))
    return path


def test_labels_are_in_the_database(host: Host, database: pathlib.Path) -> None:
    labels = {one.id: one.labels for one in host.read().containers}
    assert labels[host.ids["web"]] == {"app": "web-0", "io.cri-containerd.kind": "sandbox"}
    database.unlink()
    assert {one.id: one.labels for one in host.read().containers}[host.ids["web"]] == {}


def test_where_labels_are_not_known_the_engine_was_not_read(
    host: Host, database: pathlib.Path
) -> None:
    """Unknown is not gone: with `labels`, `prune` would remove the links of all pods."""
    database.write_bytes(b"x")
    reading = host.read()
    assert (reading.state, reading.containers) == ("unreadable", ())
    assert str(database) in str(reading.error)


@pytest.mark.parametrize("file", hostile_inputs.ODD_FILES, ids=hostile_inputs.case_id)
@pytest.mark.parametrize("name", ["config.json", "init.pid"])
@pytest.mark.parametrize("container", ["nginx", "web", "plain"])
def test_odd_files(host: Host, container: str, name: str, file: hostile_inputs.File) -> None:
    unread = check_odd_file(host.read, host.bundle(container) / name, file)
    names = {"web": "shop_web", "nginx": host.ids["nginx"]} if name == "config.json" else {}
    known = {"web": "shop_web", "nginx": "nginx", "plain": "plain", **names}
    assert (unread.id, unread.name) == (host.ids[container], known[container])
    # Its containers are not taken for a pod of their own.
    assert (unread.sandbox, unread.pod is not None) == (
        container == "web",
        container == "web" or (container == "nginx" and name == "init.pid"),
    )
    assert unread.status == ("" if name == "config.json" else "running")
    with pytest.raises(model.EngineError, match=name):
        containerd.still_runs(unread, 5)


@pytest.mark.parametrize("code", [errno.EACCES, errno.EIO])
@pytest.mark.parametrize("name", ["config.json", "init.pid", "."])
def test_files_that_cannot_be_read(
    host: Host, monkeypatch: pytest.MonkeyPatch, name: str, code: int
) -> None:
    path = host.bundle("nginx") / name
    error = OSError(code, os.strerror(code))
    check_isolation(host.read, path, lambda: refuse_to_open(monkeypatch, path, error))


def test_a_process_that_cannot_be_read(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    path = pathlib.Path(f"/proc/{host.pid('nginx')}/ns/net")

    def netns(process: int) -> model.NetnsId:
        if host._open[process] == host.pid("nginx"):
            raise PermissionError(errno.EACCES, "Permission denied")
        return host.netns(process)

    check_isolation(host.read, path, lambda: monkeypatch.setattr(procfs, "netns", netns))


@pytest.mark.parametrize("spoil", [shutil.rmtree, lambda path: (path / "config.json").unlink()])
def test_a_task_that_is_being_made_or_deleted_is_not_there(
    host: Host, spoil: t.Callable[[pathlib.Path], None]
) -> None:
    spoil(host.bundle("nginx"))
    assert host.read().unread == ()
    assert "nginx" not in host.rows()


def test_permission_denied_is_an_error(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.open

    def refuse(path: t.Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        if path == "k8s.io":
            raise PermissionError(13, "Permission denied")
        return real(path, flags, mode, dir_fd=dir_fd)

    monkeypatch.setattr(state_files.os, "open", refuse)
    reading = host.read()
    assert reading.containers == ()
    assert reading.error == (
        f"no permission to read {host.source}/{shims.TASKS}/k8s.io (`become: true`)"
    )


def test_reading_ends_with_the_timeout(host: Host) -> None:
    error = containerd.read(host.source, -1, lambda _: True).error
    assert error is not None
    assert "could not be read in full" in error


@pytest.mark.parametrize("wrong", hostile_inputs.SAMPLE, ids=hostile_inputs.case_id)
@pytest.mark.parametrize("name", ["web", "nginx"])
def test_wrong_types_anywhere_are_an_error_or_ignored(host: Host, name: str, wrong: t.Any) -> None:
    path = host.bundle(name) / "config.json"
    config = json.loads(path.read_text())
    config["annotations"]["io.kubernetes.cri.sandbox-log-directory"] = ""
    for broken in hostile_inputs.with_value_anywhere(config, wrong):
        path.write_text(json.dumps(broken))
        for one in host.read().containers:
            check_container(one)


def test_still_runs(host: Host) -> None:
    rows = host.rows()
    web, nginx = rows["shop_web"], rows["nginx"]
    assert containerd.still_runs(web, 5)
    assert containerd.still_runs(nginx, 5)
    # Restarted, while the old process may still run.
    host.processes[99] = host.processes[nginx.pid]
    (host.bundle("nginx") / "init.pid").write_text("99")
    assert not containerd.still_runs(nginx, 5)
    _reuse(host)
    assert not containerd.still_runs(web, 5)
    shutil.rmtree(host.bundle("web"))
    assert not containerd.still_runs(web, 5)
    shutil.rmtree(host.directory)
    with pytest.raises(model.EngineError, match="there is no directory"):
        containerd.still_runs(web, 5)


@pytest.fixture
def default(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """A default state directory for one test, on a machine without other daemons."""
    monkeypatch.setattr(containerd, "STATE", str(tmp_path / "default"))
    monkeypatch.setattr(containerd, "_CONFIG", str(tmp_path / "config.toml"))
    started = set(procfs.pids())
    monkeypatch.setattr(
        procfs,
        "pids",
        lambda: (int(x) for x in os.listdir("/proc") if x.isdigit() and int(x) not in started),
    )
    return tmp_path / "default"


@pytest.fixture
def run(tmp_path: pathlib.Path) -> t.Iterator[t.Callable[..., None]]:
    """Start a process with the name of a daemon."""
    children = []
    script = tmp_path / "daemon.py"
    script.write_text(
        "import sys\nopen('/proc/self/comm', 'w').write(sys.argv[1])\nprint(flush=True)\ninput()\n"
    )

    def process(command: str, *arguments: str, cwd: pathlib.Path | None = None) -> None:
        child = subprocess.Popen(
            [sys.executable, script, command, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=cwd,
        )
        children.append(child)
        assert child.stdout is not None
        child.stdout.readline()

    yield process
    for child in children:
        child.communicate(b"\n")


def _make(state: pathlib.Path, *namespaces: str) -> pathlib.Path:
    for namespace in namespaces:
        (state / shims.TASKS / namespace).mkdir(parents=True)
    state.mkdir(parents=True, exist_ok=True)
    return state


@pytest.mark.parametrize(
    ("namespaces", "found"),
    [
        (("k8s.io",), True),
        (("moby", "default"), True),
        (("moby",), False),
        (("moby", "plugins.moby"), False),
        # Created only for the sockets of shims.
        ((), False),
    ],
)
def test_sources_without_a_daemon_are_the_default_directory(
    default: pathlib.Path, namespaces: tuple[str, ...], found: bool
) -> None:
    assert containerd.sources({}) == []
    _make(default, *namespaces)
    assert containerd.sources({}) == ([str(default)] if found else [])


def test_sources_by_the_daemons_options(
    default: pathlib.Path, tmp_path: pathlib.Path, run: t.Callable[..., None]
) -> None:
    state = _make(tmp_path / "other")
    _make(default, "moby")
    run("containerd", "--config", "/none", "--state", str(state))
    assert containerd.sources({}) == [str(state)]


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("config.toml", ()),
        ("other.toml", ("-c", "{}")),
        ("other.toml", ("-c={}",)),
        ("other.toml", ("--config", "{}")),
        ("other.toml", ("--config={}",)),
    ],
)
def test_sources_by_the_daemons_configuration(
    default: pathlib.Path,
    tmp_path: pathlib.Path,
    run: t.Callable[..., None],
    name: str,
    arguments: tuple[str, ...],
) -> None:
    state = _make(tmp_path / "other", "default")
    config = tmp_path / name
    config.write_text(f'version = 2\nstate = "{state}"\n[plugins]\nstate = "/not"\n')
    run("containerd", *(argument.format(config) for argument in arguments))
    assert containerd.sources({}) == [str(state)]


def test_sources_of_an_idle_daemon(default: pathlib.Path, run: t.Callable[..., None]) -> None:
    _make(default)
    run("containerd")
    assert containerd.sources({}) == [str(default)]
    _make(default, "moby")
    assert containerd.sources({}) == []


def test_a_directory_without_containers_and_daemon_is_no_containerd(
    default: pathlib.Path, run: t.Callable[..., None]
) -> None:
    _make(default, ".")
    (source,) = containerd.sources({})
    reading = containerd.read(source, 5, lambda _: True)
    assert (reading.error, reading.containers, reading.found) == (None, (), False)
    run("containerd")
    assert containerd.read(source, 5, lambda _: True).found


def test_sources_by_a_shim(
    default: pathlib.Path, tmp_path: pathlib.Path, run: t.Callable[..., None]
) -> None:
    state = _make(tmp_path / "other", "k8s.io/" + "a" * 64)
    _make(default, "k8s.io")
    run("containerd-shim-runc-v2", cwd=state / shims.TASKS / "k8s.io" / ("a" * 64))
    assert containerd.sources({}) == [str(state)]


def test_sources_with_pods_come_first(
    default: pathlib.Path, tmp_path: pathlib.Path, run: t.Callable[..., None]
) -> None:
    _make(default, "default", "moby")
    pods = _make(tmp_path / "k3s", "k8s.io")
    docker = _make(tmp_path / "docker" / "containerd" / "daemon")
    for state in (default, docker, pods):
        run("containerd", "--state", str(state))
    assert containerd.sources({}) == [str(pods), str(default)]


def test_a_daemon_with_another_root_directory_is_ignored(
    default: pathlib.Path,
    tmp_path: pathlib.Path,
    run: t.Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    state = _make(tmp_path / "other")
    run("containerd", "--state", str(state))
    monkeypatch.setattr(procfs, "shares_root", lambda *_: False)
    assert containerd.sources({}) == []
