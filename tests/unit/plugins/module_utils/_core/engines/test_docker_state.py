# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Docker's files, captured from real daemons with live-restore (tests/unit/data/docker-*)."""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import socket
import typing as t

import hostile_inputs
import pytest
from invariants import check_container

from ansible_collections.linuxnet.netns.plugins.module_utils._core import model
from ansible_collections.linuxnet.netns.plugins.module_utils._core.engines import (
    daemons,
    docker,
    docker_daemons,
    docker_state,
    state_files,
    unix_http,
    values,
    verify,
)
from ansible_collections.linuxnet.netns.plugins.module_utils._core.kernel import procfs

DATA = pathlib.Path(__file__).parents[4] / "data"
VERSIONS = ("20.10.24", "26.1.5", "28.5.2")
RUNNING = ["frozen", "hosty", "lone", "owned", "parent", "pidhost", "side", "web"]
SOURCE = "/run/docker.sock"
OTHER = "0123456789abcdef" * 4


class Host:
    """A captured data root on disk, and the captured processes in a /proc of the test."""

    def __init__(self, version: str, directory: pathlib.Path) -> None:
        captured = json.loads((DATA / f"docker-{version}" / "state.json").read_text())
        self.api = captured["api"]
        self.directory = directory
        self.root = directory / "docker"
        self.proc = directory / "proc"
        self.daemon_json = directory / "daemon.json"
        self.ids: dict[str, str] = {}
        self.add_process(1, captured["processes"].pop("1")["cgroup"], comm="systemd")
        for identity, files in captured["containers"].items():
            self.add(self.root, identity, files["config.v2.json"], files["hostconfig.json"])
        for pid, known in captured["processes"].items():
            # Its arguments were not captured; tests that need them write them.
            if known["comm"] != "containerd-shim":
                self.add_process(int(pid), known["cgroup"], known["comm"])

    def add(self, root: pathlib.Path, identity: str, config: t.Any, host: t.Any) -> pathlib.Path:
        path = root / "containers" / identity
        path.mkdir(parents=True)
        (path / "config.v2.json").write_text(json.dumps(config))
        (path / "hostconfig.json").write_text(json.dumps(host))
        self.ids[config["Name"][1:]] = identity
        return path

    def add_process(
        self,
        pid: int,
        cgroup: str,
        comm: str = "sh",
        arguments: t.Sequence[str] = (),
        cwd: pathlib.Path | None = None,
    ) -> pathlib.Path:
        path = self.proc / str(pid)
        path.mkdir(parents=True)
        (path / "comm").write_text(f"{comm}\n")
        (path / "cgroup").write_text(cgroup)
        if comm in ("dockerd", "containerd-shim"):
            (path / "status").write_text("Uid:\t0\t0\t0\t0\n")
            (path / "root").symlink_to("/")
            (path / "cwd").symlink_to(cwd or "/")
            (path / "cmdline").write_text("\0".join((comm, *arguments, "")))
        return path

    def add_shim(self, identity: str, resolv_conf: str | None = None, pid: int = 9000) -> None:
        bundle = self.directory / "bundles" / identity
        bundle.mkdir(parents=True)
        if resolv_conf is not None:
            mounts = [{"destination": "/etc/resolv.conf", "source": resolv_conf}]
            (bundle / "config.json").write_text(json.dumps({"mounts": mounts}))
        arguments = ("-namespace", "moby", "-id", identity, "-address", "/run/x.sock")
        self.add_process(
            pid, "0::/system.slice/containerd.service\n", "containerd-shim", arguments, bundle
        )

    def path(self, name: str) -> pathlib.Path:
        return self.root / "containers" / self.ids[name]

    def config(self, name: str) -> t.Any:
        return json.loads((self.path(name) / "config.v2.json").read_text())

    def change(self, name: str, **state: t.Any) -> None:
        config = self.config(name)
        config["State"].update(state)
        (self.path(name) / "config.v2.json").write_text(json.dumps(config))

    def end(self, name: str) -> None:
        for path in self.proc.iterdir():
            if self.ids[name] in (path / "cgroup").read_text():
                shutil.rmtree(path)

    def open_process(self, pid: int) -> int:
        try:
            return os.open(self.proc / str(pid), os.O_RDONLY | os.O_DIRECTORY)
        except FileNotFoundError:
            raise model.GoneError(f"there is no process {pid}") from None

    def command(self, pid: int) -> str:
        return (self.proc / str(pid) / "comm").read_text().rstrip("\n")

    def read(self, wanted: t.Callable[[model.Container], bool] = lambda _: True) -> model.Reading:
        return docker_state.read("docker", SOURCE, 5, wanted)

    def rows(self) -> dict[str, model.Container]:
        return {one.name: one for one in self.read().containers}


@pytest.fixture
def version() -> str:
    return VERSIONS[-1]


@pytest.fixture
def host(version: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    host = Host(version, tmp_path)
    monkeypatch.setattr(docker_state, "_DATA_ROOT", str(host.root))
    monkeypatch.setattr(docker_daemons, "CONFIG", str(host.daemon_json))
    monkeypatch.setattr(docker_state, "_RETRY_DELAY", 0)
    monkeypatch.setattr(procfs, "open_process", host.open_process)
    monkeypatch.setattr(procfs, "pids", lambda: [int(one.name) for one in host.proc.iterdir()])
    monkeypatch.setattr(daemons, "_command", host.command)
    # These directories are all of who runs the tests.
    monkeypatch.setattr(procfs, "user", lambda process: int(procfs.status_field(process, "Uid")[1]))
    return host


class Down:
    """A unix_http.Client that does not connect."""

    def __init__(self, *_: t.Any) -> None:
        raise model.DownError("nothing listens")


@pytest.mark.parametrize("version", VERSIONS)
def test_files_and_api_agree(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = {"/containers/json?all=1": host.api["list"]}
    for identity, body in host.api["inspect"].items():
        answers[f"/containers/{identity}/json"] = body

    class Client:
        peer_pid = 1

        def __init__(self, *_: t.Any) -> None:
            pass

        def __enter__(self) -> t.Any:
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def get(self, target: str) -> unix_http.Response:
            return unix_http.Response(200, {}, json.dumps(answers[target]).encode())

        def make_each(self, targets: list[str], make: t.Callable[..., t.Any]) -> list[t.Any]:
            return [make(target, self.get(target)) for target in targets]

    monkeypatch.setattr(docker.unix_http, "Client", Client)
    by_api = docker.read(SOURCE, 5, lambda _: True)
    monkeypatch.setattr(docker.unix_http, "Client", Down)
    read = docker.read(SOURCE, 5, lambda _: True)
    assert (read.error, read.source, read.version) == (None, SOURCE, None)
    assert (by_api.read_from, read.read_from) == (None, str(host.root))
    by_id = {one.id: one._replace(created=int(one.created)) for one in read.containers}
    assert by_id == {
        # The API returns it for stopped containers as well.
        one.id: one if one.running else one._replace(resolv_conf=None)
        for one in by_api.containers
    }
    assert sorted(one.name for one in read.containers if one.running) == RUNNING
    assert sorted(one.name for one in read.containers if not one.running) == ["ended", "made"]


def test_only_wanted_containers_have_details(host: Host) -> None:
    containers = host.read(lambda one: one.name in ("web", "ended")).containers
    assert [one.name for one in containers if one.pid or one.pin or one.resolv_conf] == ["web"]
    assert sorted(one.name for one in containers if one.running) == RUNNING


@pytest.mark.parametrize("is_wanted", [True, False])
def test_ports_are_no_details(host: Host, is_wanted: bool) -> None:
    config = host.config("web")
    config["NetworkSettings"]["Ports"] = {"80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8080"}]}
    (host.path("web") / "config.v2.json").write_text(json.dumps(config))
    ports = {one.name: one.ports for one in host.read(lambda _: is_wanted).containers}
    assert [port.port for port in ports["web"]] == [8080]
    host.end("web")
    assert {one.ports for one in host.read(lambda _: is_wanted).containers} == {()}


def _end(host: Host) -> None:
    host.end("web")


def _reuse(host: Host) -> None:
    cgroup = host.proc / str(host.config("web")["State"]["Pid"]) / "cgroup"
    cgroup.write_text("0::/system.slice/cron.service\n")
    for path in host.proc.iterdir():
        if host.ids["web"] in (path / "cgroup").read_text():
            (path / "cgroup").write_text("0::/\n")


def _between_two_lives(host: Host) -> None:
    host.end("web")
    host.change("web", Running=True, Restarting=True, Pid=0)


def _removed_cgroup(host: Host) -> None:
    """As of a zombie process."""
    for path in host.proc.iterdir():
        text = (path / "cgroup").read_text()
        if host.ids["web"] in text:
            (path / "cgroup").write_text(text.rstrip("\n") + " (deleted)\n")


@pytest.mark.parametrize("spoil", [_end, _reuse, _between_two_lives, _removed_cgroup])
@pytest.mark.parametrize("version", VERSIONS)
def test_a_container_whose_process_has_ended_does_not_run(
    host: Host, spoil: t.Callable[[Host], None]
) -> None:
    spoil(host)
    web = host.rows()["web"]
    assert (web.running, web.status, web.pid, web.pin) == (False, "exited", 0, None)
    assert (web.resolv_conf, web.problem) == (None, None)
    assert host.rows()["side"].running


@pytest.mark.parametrize(
    ("state", "status"),
    [
        ({"RemovalInProgress": True}, "removing"),
        ({"Dead": True}, "dead"),
        ({"StartedAt": None}, "created"),
    ],
)
def test_status_of_stopped_containers(host: Host, state: dict[str, t.Any], status: str) -> None:
    host.change("ended", **state)
    assert host.rows()["ended"].status == status


@pytest.mark.parametrize("state", [{"Running": False}, {"Pid": 1}, {"Pid": 0}, {"Pid": -5}])
def test_processes_of_a_container_without_a_pid_in_its_files(
    host: Host, state: dict[str, t.Any]
) -> None:
    host.change("web", **state)
    web = host.rows()["web"]
    assert (web.running, web.pid, web.pin) == (True, 0, None)
    assert web.problem is not None
    assert "start Docker again" in web.problem


@pytest.mark.parametrize(
    "cgroup",
    [
        f"0::/docker/{OTHER}\n",
        f"3:pids:/docker/{OTHER}/init.scope\n0::/\n",
        f"0::/system.slice/docker-{OTHER}.scope\n",
        f"0::/a.slice/a-b.slice/docker-{OTHER}.scope/inner\n",
    ],
)
def test_a_running_container_without_files(host: Host, cgroup: str) -> None:
    host.add_process(7000, cgroup)
    with pytest.raises(model.EngineError) as raised:
        host.read()
    assert str(raised.value) == (
        f"containers 0123456789ab run, but their files are not in {host.root}: start Docker, mount its "
        f"data root, or set data-root in {host.daemon_json}"
    )
    shutil.rmtree(host.root)
    with pytest.raises(model.EngineError, match=r"and \d more run, .* not in any known data root"):
        host.read()


@pytest.mark.parametrize(
    "cgroup",
    [
        # Docker in Docker, in LXC, in a unit of nspawn, rootless, of the CRI, Podman's.
        "0::{web}/docker/" + OTHER,
        "0::/lxc.payload.ct/docker/" + OTHER,
        f"0::/lxc.payload.ct/system.slice/docker-{OTHER}.scope",
        f"0::/machine.slice/systemd-nspawn@ct.service/payload/docker/{OTHER}",
        f"0::/user.slice/user-1000.slice/user@1000.service/user.slice/docker-{OTHER}.scope",
        f"0::/kubepods/besteffort/pod1/{OTHER}",
        f"0::/machine.slice/libpod-{OTHER}.scope",
        f"0::/docker/{OTHER[:-1]}",
        f"0::/docker/{OTHER}0",
        f"0::/foo/{OTHER}",
    ],
)
def test_processes_outside_of_docker(host: Host, cgroup: str) -> None:
    web = host.proc / str(host.config("web")["State"]["Pid"]) / "cgroup"
    own = web.read_text().split("::")[-1].strip()
    host.add_process(7000, cgroup.format(web=own) + "\n")
    assert sorted(one.name for one in host.read().containers if one.running) == RUNNING


@pytest.mark.parametrize("version", VERSIONS)
def test_a_host_in_a_container(host: Host) -> None:
    outer = f"/docker/{OTHER}"
    for path in host.proc.iterdir():
        text = (path / "cgroup").read_text()
        (path / "cgroup").write_text(text.replace("0::", f"0::{outer}"))
    assert sorted(one.name for one in host.read().containers if one.running) == RUNNING
    host.add_process(7000, f"0::{outer}/docker/{'f' * 64}\n")
    with pytest.raises(model.EngineError, match="ffffffffffff run"):
        host.read()


def test_a_container_in_another_cgroup_is_found_by_its_shim(host: Host) -> None:
    host.add_process(7000, f"0::/foo/{OTHER}\n")
    host.add_shim(OTHER)
    with pytest.raises(model.EngineError, match="containers 0123456789ab run"):
        host.read()
    # The shim stays until Docker is started again.
    shutil.rmtree(host.proc / "7000")
    assert OTHER not in [one.id for one in host.read().containers]


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("cmdline", f"shim\0-namespace\0k8s.io\0-id\0{OTHER}\0"),
        ("cmdline", "shim\0-namespace\0moby\0-id\0x\0"),
        ("cmdline", "shim\0"),
        ("status", "Uid:\t1000\t1000\t1000\t1000\n"),
    ],
)
def test_shims_outside_of_docker(host: Host, file: str, text: str) -> None:
    host.add_process(7000, f"0::/foo/{OTHER}\n")
    host.add_shim(OTHER)
    (host.proc / "9000" / file).write_text(text)
    assert sorted(one.name for one in host.read().containers if one.running) == RUNNING


def test_another_data_root_is_found_by_a_shim(host: Host) -> None:
    other = host.directory / "srv"
    identity = host.ids["web"]
    shutil.move(str(host.root), str(other))
    host.add_shim(identity, f"{other}/containers/{identity}/resolv.conf")
    reading = host.read()
    assert reading.read_from == str(other)
    assert sorted(one.name for one in reading.containers if one.running) == RUNNING
    (host.root / "containers").mkdir(parents=True)
    assert host.read().read_from == f"{host.root}, {other}"


@pytest.mark.parametrize(
    "resolv_conf", [None, "/etc/resolv.conf", f"/srv/containers/{OTHER}/hosts", "containers/"]
)
def test_a_shim_without_a_data_root(host: Host, resolv_conf: str | None) -> None:
    host.add_shim(OTHER, resolv_conf)
    assert host.read().read_from == str(host.root)


def test_a_shim_of_userns_remap_or_of_another_namespace_is_dockers(host: Host) -> None:
    """Such namespaces are named by an option of dockerd that ended: the bundles show that they are its own."""
    host.add_process(7000, f"0::/foo/{OTHER}\n")
    host.add_shim(OTHER, f"/srv/containers/{OTHER}/resolv.conf")
    cmdline = host.proc / "9000" / "cmdline"
    for namespace in ("moby-165536.165536", "mine"):
        cmdline.write_text(cmdline.read_text().replace("moby", namespace))
        with pytest.raises(model.EngineError, match="containers 0123456789ab run"):
            host.read()
        cmdline.write_text(cmdline.read_text().replace(namespace, "moby"))


def test_userns_remap_has_its_own_data_root(host: Host) -> None:
    (host.root / "231072.231072").mkdir()
    (host.root / "containers").rename(host.root / "231072.231072" / "containers")
    assert docker_state.may_exist()
    reading = host.read()
    assert reading.read_from == f"{host.root}/231072.231072"
    assert len(reading.containers) == 10


def test_a_running_daemon_is_an_error(host: Host) -> None:
    dockerd = host.add_process(8000, "0::/system.slice/docker.service\n", "dockerd")
    with pytest.raises(model.EngineError, match="dockerd is running"):
        host.read()
    (dockerd / "comm").write_text("dockerd-rootles\n")
    assert host.read().containers
    # A user's daemon.
    (dockerd / "comm").write_text("dockerd\n")
    (dockerd / "status").write_text("Uid:\t1000\t1000\t1000\t1000\n")
    assert host.read().containers


def test_another_daemon_that_runs(host: Host) -> None:
    """The files of this one are read, and the containers of the other are not taken for its own."""
    expected = host.rows()
    other = host.directory / "other"
    path = host.add(other, OTHER, {**host.config("web"), "ID": OTHER, "Name": "/other"}, {})
    assert path.exists()
    host.add_process(7000, f"0::/docker/{OTHER}\n")
    host.add_shim(OTHER, f"{other}/containers/{OTHER}/resolv.conf")
    dockerd = host.add_process(8000, "0::/\n", "dockerd", ("--data-root", str(other)))
    assert host.rows() == expected
    config = host.directory / "other.json"
    config.write_text(json.dumps({"data-root": str(other)}))
    (dockerd / "cmdline").write_text(f"dockerd\0--config-file={config}\0")
    assert host.rows() == expected
    # When it has ended, its files are those of a daemon that nothing else describes.
    host.proc.joinpath("8000").rename(host.directory / "ended")
    assert "other" in host.rows()


def test_a_container_that_starts_meanwhile(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    web = host.directory / "web"
    host.path("web").rename(web)
    monkeypatch.setattr(docker_state.time, "sleep", lambda _: web.rename(host.path("web")))
    assert host.rows()["web"].running


def test_no_data_root(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.rmtree(host.root)
    shutil.rmtree(host.proc)
    host.add_process(1, "0::/init.scope\n")
    assert not docker_state.may_exist()
    reading = host.read()
    assert (reading.containers, reading.read_from) == ((), None)
    monkeypatch.setattr(docker.unix_http, "Client", Down)
    # A dead socket, or a directory of its name, is no Docker.
    reading = docker.read(SOURCE, 5, lambda _: True)
    assert (reading.state, reading.found) == ("read", False)
    # One that runs a container is.
    host.add_process(7000, f"0::/docker/{OTHER}\n")
    reading = docker.read(SOURCE, 5, lambda _: True)
    assert (reading.state, reading.found) == ("down", True)
    assert "containers 0123456789ab run" in str(reading.error)


def _dead_socket(path: pathlib.Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))


def _dangling(path: pathlib.Path) -> None:
    path.symlink_to("nowhere")


def _nothing(path: pathlib.Path) -> None:
    pass


@pytest.mark.parametrize("files", ["none", "containers", "damaged"])
@pytest.mark.parametrize(
    "make", [pathlib.Path.mkdir, os.mkfifo, pathlib.Path.touch, _dead_socket, _dangling, _nothing]
)
def test_a_name_of_dockers_socket_that_is_no_sign_of_docker(
    host: Host,
    monkeypatch: pytest.MonkeyPatch,
    make: t.Callable[[pathlib.Path], None],
    files: str,
) -> None:
    """Runtimes make a directory where a container asks for the socket; removed packages leave one behind."""
    path = host.directory / "docker.sock"
    make(path)
    monkeypatch.setattr(docker, "_SOCKET", str(path))
    monkeypatch.setattr(docker, "is_asleep", lambda _source: False)
    if files == "damaged":
        host.daemon_json.write_text("{")
    elif files == "none":
        shutil.rmtree(host.root)
        shutil.rmtree(host.proc)
        host.add_process(1, "0::/init.scope\n")
    sources = docker.sources({})
    if make == _nothing and files == "none":
        assert sources == []
        return
    readings = [docker.read(source, 5, lambda _: True) for source in sources]
    assert [(one.state, one.found, len(one.containers)) for one in readings] == [
        {
            "none": ("read", False, 0),
            "containers": ("read", True, 10),
            "damaged": ("down", True, 0),
        }[files]
    ]


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ('{{"data-root": "{root}"}}', "elsewhere"),
        ('{{"data-root": "{root}/", "graph": "/none"}}', "elsewhere"),
        ('{{"graph": "{root}"}}', "elsewhere"),
        ('{{"data-root": null}}', "docker"),
        ("{{}}", "docker"),
        ("", "docker"),
        (" \n", "docker"),
    ],
)
def test_the_configured_data_root(host: Host, text: str, path: str) -> None:
    root = host.directory / path
    host.root.rename(root)
    host.daemon_json.write_text(text.format(root=root))
    assert docker_state.may_exist()
    assert host.read().read_from == str(root)


def test_daemon_json_may_be_a_symbolic_link(host: Host) -> None:
    (host.directory / "real.json").write_text(json.dumps({"data-root": str(host.root)}))
    host.daemon_json.symlink_to("real.json")
    assert host.read().read_from == str(host.root)


def test_the_data_root_may_be_a_symbolic_link(host: Host) -> None:
    host.root.rename(host.directory / "disk")
    host.root.symlink_to("disk")
    assert len(host.read().containers) == 10


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{x", r"daemon\.json is not valid JSON"),
        ("[]", r"daemon\.json: no 'data-root' in a value of type list"),
        ('{"data-root": 7}', r"daemon\.json: 'data-root' is of type int, not str"),
        ('{"data-root": "srv"}', r"daemon\.json: 'data-root' is not an absolute path: 'srv'"),
        ('{"data-root": "/\\u0000"}', r"daemon\.json: 'data-root' is not an absolute path"),
        ('{"data-root": "/\\ud800"}', r"daemon\.json: 'data-root' is not valid Unicode"),
    ],
)
def test_invalid_daemon_json(host: Host, text: str, words: str) -> None:
    host.daemon_json.write_text(text)
    # Reading raises the error.
    assert docker_state.may_exist()
    with pytest.raises(model.EngineError, match=words):
        host.read()


@pytest.mark.parametrize(
    "file",
    # It may be a symbolic link.
    [file for file in hostile_inputs.FILES if file.error != "symbolic links"],
    ids=hostile_inputs.case_id,
)
def test_a_hostile_daemon_json(host: Host, file: hostile_inputs.File) -> None:
    file.put(host.daemon_json)
    with pytest.raises(model.EngineError, match=file.error) as raised:
        host.read()
    assert "daemon.json" in str(raised.value)


def test_the_pods_of_cri_dockerd(host: Host) -> None:
    config = host.config("web")
    config["Name"] = "/k8s_POD_web-0_shop_0b6c9c5c_0"
    config["Config"]["Labels"] = {
        "io.kubernetes.container.name": "POD",
        "io.kubernetes.docker.type": "podsandbox",
        "io.kubernetes.pod.name": "web-0",
        "io.kubernetes.pod.namespace": "shop",
        "io.kubernetes.pod.uid": "0b6c9c5c",
    }
    (host.path("web") / "config.v2.json").write_text(json.dumps(config))
    sandbox = host.rows()["shop_web-0"]
    assert (sandbox.running, sandbox.sandbox) == (True, True)
    assert sandbox.pod == model.Pod("shop", "web-0", "0b6c9c5c")


@pytest.mark.parametrize("container", ["web", "ended"])
@pytest.mark.parametrize("name", ["config.v2.json", "hostconfig.json"])
@pytest.mark.parametrize("file", hostile_inputs.ODD_FILES, ids=hostile_inputs.case_id)
def test_an_odd_file_of_one_container(
    host: Host, container: str, name: str, file: hostile_inputs.File
) -> None:
    """The others are right, and this one is named."""
    expected = {one.id: one for one in host.read().containers}
    file.put(host.path(container) / name)
    reading = host.read()
    if file == hostile_inputs.ODD_FILES[-1] and name == "hostconfig.json":
        # It lacks no more than the network mode, as any container may.
        assert [one.unread for one in reading.containers if one.unread] == []
        return
    found = {one.id: one for one in reading.containers}
    unread = found.pop(host.ids[container])
    assert (unread.running, unread.pid, unread.pin, unread.status) == (True, 0, None, "")
    assert file.error in str(unread.unread)
    assert str(host.path(container)) in str(unread.unread)
    assert found == {key: one for key, one in expected.items() if key != unread.id}


def _no_config(path: pathlib.Path) -> None:
    (path / "config.v2.json").unlink()


def _symlink(path: pathlib.Path) -> None:
    path.rename(path.parent / "elsewhere")
    path.symlink_to("elsewhere")


def _file(path: pathlib.Path) -> None:
    shutil.rmtree(path)
    path.touch()


@pytest.mark.parametrize("spoil", [_no_config, _symlink, _file])
def test_a_running_container_whose_directory_is_odd(
    host: Host, spoil: t.Callable[[pathlib.Path], None]
) -> None:
    spoil(host.path("web"))
    found = {one.id: one for one in host.read().containers}
    assert str(found.pop(host.ids["web"]).unread).startswith("there is no ")
    assert {one.unread for one in found.values()} == {None}
    # Docker makes and removes directories of containers that do not run.
    host.end("web")
    assert host.ids["web"] not in {one.id for one in host.read().containers}


def test_permission_denied_is_an_error(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.open
    refused: list[str] = []

    def refuse(path: t.Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        if path in refused:
            raise PermissionError(13, "Permission denied")
        return real(path, flags, mode, dir_fd=dir_fd)

    monkeypatch.setattr(state_files.os, "open", refuse)
    containers = host.root / "containers"
    first = containers / min(host.ids.values())
    for name, path in (("daemon.json", host.daemon_json), (str(containers), containers)):
        refused[:] = [name]
        with pytest.raises(model.EngineError) as raised:
            host.read()
        assert str(raised.value) == f"no permission to read {path} (`become: true`)"
    refused[:] = [first.name]
    (unread,) = host.read().unread
    assert unread.unread == f"no permission to read {first} (`become: true`)"
    refused[:] = ["hostconfig.json"]
    assert f"no permission to read {first}/hostconfig.json (`become: true`)" in {
        one.unread for one in host.read().unread
    }


def test_docker_is_assumed_where_permission_is_denied(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: t.Any) -> t.Any:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(docker_state.os, "stat", refuse)
    assert docker_state.may_exist()


def test_directories_without_a_container(host: Host) -> None:
    containers = host.root / "containers"
    (containers / "x").mkdir()
    (containers / "file").touch()
    (containers / ("a" * 64)).mkdir()
    (containers / ("b" * 64)).touch()
    (containers / ("c" * 64)).symlink_to(host.path("web"))
    (host.path("web") / "hostconfig.json").unlink()
    rows = host.rows()
    assert len(rows) == 10
    assert (rows["web"].running, rows["web"].network_mode) == (True, "")


def test_files_of_another_container(host: Host) -> None:
    host.path("ended").rename(host.root / "containers" / OTHER)
    (unread,) = host.read().unread
    assert unread.id == OTHER
    assert f"{OTHER}: config.v2.json belongs to container" in str(unread.unread)


def test_reading_ends_with_the_timeout(host: Host) -> None:
    with pytest.raises(model.EngineError, match="could not be read in full"):
        docker_state.read("docker", SOURCE, -1, lambda _: True)


@pytest.mark.parametrize("wrong", hostile_inputs.SAMPLE, ids=hostile_inputs.case_id)
@pytest.mark.parametrize("name", ["config.v2.json", "hostconfig.json"])
def test_wrong_types_anywhere_are_an_error_or_ignored(
    host: Host, monkeypatch: pytest.MonkeyPatch, name: str, wrong: t.Any
) -> None:
    monkeypatch.setattr(docker.unix_http, "Client", Down)
    for other in host.ids.keys() - {"web", "side"}:
        shutil.rmtree(host.path(other))
        host.end(other)
    path = host.path("web") / name
    document = json.loads(path.read_text())
    for broken in hostile_inputs.with_value_anywhere(document, wrong):
        path.write_text(json.dumps(broken))
        reading = docker.read(SOURCE, 5, lambda _: True)
        assert reading.error is None
        for one in reading.containers:
            assert one.unread is None or str(host.path("web")) in one.unread
            check_container(one)


def test_still_runs(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(docker.unix_http, "Client", Down)
    web = host.rows()["web"]
    assert docker.still_runs(web, 5)
    # The kernel shows it without any daemon.
    assert docker.still_runs(web._replace(source="/run/other.sock"), 5)
    monkeypatch.setattr(verify, "check", lambda _claim: verify.REFUTED)
    assert docker.still_runs(web, 5)
    with pytest.raises(model.EngineError):
        docker.still_runs(web._replace(source="/run/other.sock"), 5)
    monkeypatch.undo()
    monkeypatch.setattr(docker.unix_http, "Client", Down)
    monkeypatch.setattr(procfs, "open_process", host.open_process)
    host.end("web")
    assert not docker.still_runs(web, 5)


def test_labels_that_are_not_valid_unicode() -> None:
    for label in ({"\ud800": "x"}, {"x": "\ud800"}):
        with pytest.raises(model.EngineError, match="'Labels' is not valid Unicode"):
            values.labels({"Labels": label}, "Labels")
