# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Docker's responses, captured from a real 20.10 daemon (tests/unit/data/docker-20.10)."""

from __future__ import annotations

import json
import os
import pathlib
import socket
import typing as t

import hostile_inputs
import pytest
from invariants import check_container

from ansible_collections.linuxnet.netns.plugins.module_utils._core import model
from ansible_collections.linuxnet.netns.plugins.module_utils._core.engines import (
    docker,
    docker_state,
    unix_http,
)
from ansible_collections.linuxnet.netns.plugins.module_utils._core.kernel import sockets

DATA = pathlib.Path(__file__).parents[4] / "data" / "docker-20.10"
HEADERS = {"server": "Docker/20.10.24+dfsg1 (linux)"}


def load(name: str) -> t.Any:
    return json.loads((DATA / f"{name}.json").read_text())


class Client:
    """A unix_http.Client that returns the captured responses."""

    asked: t.ClassVar[list[str]] = []
    answers: t.ClassVar[dict[str, t.Any]] = {}
    made: t.ClassVar[list[Client]] = []

    def __init__(self, *_: t.Any) -> None:
        self.made.append(self)
        self.errors: list[model.EngineError] = []
        self.closed = False

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.closed = True

    def reset_deadline(self, timeout: float) -> None:
        assert timeout == 5

    def get(self, targets: list[str]) -> t.Iterator[unix_http.Response]:
        assert not self.closed
        for error in self.errors:
            raise error
        for target in targets:
            self.asked.append(target)
            body = self.answers.get(target)
            yield unix_http.Response(
                404 if body is None else 200, HEADERS, json.dumps(body).encode()
            )


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> dict[str, t.Any]:
    listing = load("list")
    answers = {"/containers/json?all=1": listing}
    for item in listing:
        answers[f"/containers/{item['Id']}/json"] = load(item["Names"][0][1:])
    monkeypatch.setattr(Client, "answers", answers)
    monkeypatch.setattr(Client, "asked", [])
    monkeypatch.setattr(Client, "made", [])
    monkeypatch.setattr(docker.unix_http, "Client", Client)
    monkeypatch.setattr(docker, "is_asleep", lambda _source: False)
    return answers


def read(wanted: t.Callable[[model.Container], bool] = lambda _: True) -> model.Reading:
    return docker.read("/run/docker.sock", 5, wanted)


def test_read(answers: dict[str, t.Any]) -> None:
    reading = read()
    assert (reading.error, reading.version) == (None, "20.10.24+dfsg1")
    by_name = {one.name: one for one in reading.containers}
    assert sorted(by_name) == ["cap-created", "cap-stopped", "hosty", "lone", "side", "web"]
    web = by_name["web"]
    assert web.pid > 0
    assert web.pin is not None
    assert web.pin.startswith("/var/run/docker/netns/")
    assert web.resolv_conf == f"/var/lib/docker/containers/{web.id}/resolv.conf"
    assert by_name["hosty"].pin == "/var/run/docker/netns/default"
    assert by_name["side"].pin is None
    assert by_name["side"].network_mode == f"container:{web.id}"
    stopped = by_name["cap-stopped"]
    assert (stopped.running, stopped.status, stopped.pid) == (False, "exited", 0)
    assert stopped.labels == {"app": "shop", "com.docker.compose.project": "shop"}
    assert by_name["cap-created"].status == "created"


def test_only_running_wanted_containers_are_inspected(answers: dict[str, t.Any]) -> None:
    reading = read(lambda one: one.name in ("web", "cap-stopped"))
    assert len(Client.asked) == 2
    assert [one.name for one in reading.containers if one.pid] == ["web"]
    assert len(reading.containers) == 6


def test_containers_read_by_id_are_the_same_as_in_the_list(answers: dict[str, t.Any]) -> None:
    everything = {one.id: one for one in read().containers}
    Client.asked.clear()
    chosen = [one.id for one in everything.values() if one.name in ("web", "side", "cap-stopped")]
    gone = "ab" * 32
    reading = docker.read_some("/run/docker.sock", 5, {*chosen, gone, "../x"}, {})
    assert sorted(Client.asked) == sorted(f"/containers/{one}/json" for one in (*chosen, gone))
    assert reading.error is None
    assert reading.only == {*chosen, gone, "../x"}
    for one in reading.containers:
        known = everything[one.id]
        same = ("key", "name", "running", "image", "labels", "network_mode")
        assert [getattr(one, name) for name in same] == [getattr(known, name) for name in same]
        assert int(one.created) == int(known.created)
        if one.running:
            assert (one.pid, one.pin, one.resolv_conf) == (known.pid, known.pin, known.resolv_conf)
    assert [
        reading.contains(model.ContainerKey("docker", "/run/docker.sock", one))
        for one in (gone, "cd")
    ] == [True, False]


def test_a_connection_is_kept_until_it_is_closed(answers: dict[str, t.Any]) -> None:
    kept: dict[str, t.Any] = {}

    def ask() -> str | None:
        return docker.read_some("/run/docker.sock", 5, {"ab" * 32}, kept).error

    assert [ask(), ask()] == [None, None]
    (first,) = Client.made
    assert kept == {"/run/docker.sock": first}
    # The daemon was restarted.
    first.errors.append(unix_http.ClosedError("it has ended"))
    assert ask() is None
    assert (first.closed, kept) == (True, {"/run/docker.sock": Client.made[1]})
    # A request that failed is not repeated.
    Client.made[1].errors.append(model.EngineError("no answer in 5 s"))
    assert ask() == "no answer in 5 s"
    assert (Client.made[1].closed, kept, len(Client.made)) == (True, {}, 2)


def test_read_some_of_a_daemon_that_is_down(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(docker, "is_asleep", lambda _source: True)
    reading = docker.read_some("/run/docker.sock", 5, {"ab" * 32}, {})
    assert "would start Docker" in str(reading.error)
    assert not reading.contains(model.ContainerKey("docker", "/run/docker.sock", "ab" * 32))


@pytest.mark.parametrize("file", hostile_inputs.FILES, ids=hostile_inputs.case_id)
def test_an_unusable_pid_file(tmp_path: pathlib.Path, file: hostile_inputs.File) -> None:
    file.put(tmp_path / "docker.pid")
    assert not docker._is_dockerd(str(tmp_path / "docker.pid"))


@pytest.mark.parametrize(
    ("pid", "listens", "dockerds", "asleep"),
    [
        ("own", True, 0, False),
        ("gone", True, 0, True),
        ("nonsense", True, 0, True),
        (None, True, 0, True),
        # With another PID file.
        (None, True, 1, False),
        # dockerd listens, or nothing does.
        (None, False, 0, False),
    ],
)
def test_a_daemon_that_systemd_would_start_is_not_connected_to(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: pathlib.Path,
    pid: str | None,
    listens: bool,
    dockerds: int,
    asleep: bool,
) -> None:
    texts = {"own": str(os.getpid()), "gone": "999999999", "nonsense": "x"}
    if pid:
        (tmp_path / "pid").write_text(texts[pid])
    monkeypatch.setattr(docker, "_PID_FILE", str(tmp_path / "pid"))
    monkeypatch.setattr(docker.procfs, "command", lambda _process: "dockerd")
    monkeypatch.setattr(sockets, "holds", lambda _pid, _inodes: listens)
    found = [(0, "dockerd"), (0, "dockerd-helper")][: dockerds or None]
    monkeypatch.setattr(
        docker_state.daemons, "running", lambda _prefix: found if dockerds else found[1:]
    )
    assert docker.is_asleep("/run/docker.sock") is asleep
    assert not docker.is_asleep("/run/other.sock")


def test_the_process_that_holds_a_socket(tmp_path: pathlib.Path) -> None:
    path = str(tmp_path / "a b.sock")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        assert sockets.listening(path) == set()
        server.listen()
        inodes = sockets.listening(path)
        assert len(inodes) == 1
        assert sockets.holds(os.getpid(), inodes)
    assert not sockets.holds(os.getpid(), inodes)
    assert not sockets.holds(999999999, inodes)


def test_a_container_removed_meanwhile_is_left_out(answers: dict[str, t.Any]) -> None:
    web = next(one for one in read().containers if one.name == "web")
    del answers[f"/containers/{web.id}/json"]
    assert "web" not in [one.name for one in read().containers]


def test_a_container_between_two_restarts(answers: dict[str, t.Any]) -> None:
    web = next(one for one in read().containers if one.name == "web")
    answers[f"/containers/{web.id}/json"]["State"].update(Pid=0, Status="restarting")
    (again,) = [one for one in read().containers if one.id == web.id]
    assert (again.running, again.pid, again.status) == (False, 0, "restarting")


def test_a_legacy_link_of_another_container_is_not_its_name(answers: dict[str, t.Any]) -> None:
    answers["/containers/json?all=1"][0]["Names"].insert(0, "/other/alias")
    assert "alias" not in str([one.name for one in read().containers])


@pytest.mark.parametrize("wrong", hostile_inputs.SAMPLE, ids=hostile_inputs.case_id)
def test_wrong_types_anywhere_are_an_error_or_ignored(
    answers: dict[str, t.Any], wrong: t.Any
) -> None:
    for target in ("/containers/json?all=1", next(key for key in answers if "all" not in key)):
        body = answers[target]
        for answers[target] in hostile_inputs.with_value_anywhere(
            body[:2] if isinstance(body, list) else body, wrong
        ):
            for one in read().containers:
                check_container(one)
        answers[target] = body


class SocketPaths(t.NamedTuple):
    """The paths of Docker's and Podman's sockets."""

    docker: pathlib.Path
    podman: pathlib.Path


@pytest.fixture
def paths(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> SocketPaths:
    paths = SocketPaths(tmp_path / "docker.sock", tmp_path / "other.sock")
    monkeypatch.setattr(docker, "_SOCKET", str(paths.docker))
    monkeypatch.setattr(docker, "_PODMAN_SOCKET", str(paths.podman))
    monkeypatch.setattr(docker_state, "_DATA_ROOT", str(tmp_path / "data"))
    monkeypatch.setattr(docker_state, "_CONFIG", str(tmp_path / "daemon.json"))
    return paths


def _listen(paths: SocketPaths) -> None:
    paths.docker.touch()


def _link_to_podman(paths: SocketPaths) -> None:
    (paths.docker.parent / "podman").mkdir()
    paths.docker.symlink_to("podman/podman.sock")


def _bind_of_podman(paths: SocketPaths) -> None:
    paths.podman.touch()
    os.link(paths.podman, paths.docker)


def _nowhere(paths: SocketPaths) -> None:
    pass


@pytest.mark.parametrize("containers", [False, True])
@pytest.mark.parametrize(
    ("make", "listens"),
    [(_nowhere, False), (_listen, True), (_link_to_podman, False), (_bind_of_podman, False)],
)
@pytest.mark.parametrize("address", ["", "unix:///run/user/0/podman/podman.sock"])
def test_sources(
    paths: SocketPaths,
    address: str,
    make: t.Callable[[SocketPaths], None],
    listens: bool,
    containers: bool,
) -> None:
    make(paths)
    if containers:
        (paths.docker.parent / "data" / "containers").mkdir(parents=True)
    expected = [str(paths.docker)] if listens or containers else []
    assert docker.sources({"DOCKER_HOST": address}) == expected


def test_sources_follow_symbolic_links(paths: SocketPaths) -> None:
    paths.docker.symlink_to("/run/elsewhere.sock")
    assert docker.sources({}) == ["/run/elsewhere.sock"]
    paths.docker.unlink()
    paths.docker.symlink_to(paths.docker.parent / "gone" / "podman" / "podman.sock")
    assert docker.sources({}) == []


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("unix:///var/run/../run/x.sock", "/run/x.sock"),
        ("tcp://127.0.0.1:2375", "tcp://127.0.0.1:2375"),
        ("ssh://host", "ssh://host"),
    ],
)
def test_sources_by_docker_host(address: str, expected: str) -> None:
    assert docker.sources({"DOCKER_HOST": address}) == [expected]


FROM_FILES = model.Reading("docker", "x", read_from="/var/lib/docker")


@pytest.fixture
def files(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The sources that were read from files."""
    asked = []

    def read(_engine: str, source: str, *_: t.Any) -> model.Reading:
        asked.append(source)
        return FROM_FILES

    monkeypatch.setattr(docker_state, "read", read)
    return asked


class Silent:
    """A unix_http.Client that raises an error."""

    error: t.ClassVar[model.EngineError]

    def __init__(self, *_: t.Any) -> None:
        raise self.error


@pytest.mark.parametrize(
    ("error", "is_down"),
    [
        (unix_http.DownError("nothing listens on it"), True),
        (model.EngineError("no answer on it in 5 s"), False),
        (model.EngineError("no permission to ask on it"), False),
    ],
)
def test_files_are_only_read_where_nothing_listens(
    paths: SocketPaths,
    files: list[str],
    monkeypatch: pytest.MonkeyPatch,
    error: model.EngineError,
    is_down: bool,
) -> None:
    monkeypatch.setattr(docker.unix_http, "Client", Silent)
    monkeypatch.setattr(Silent, "error", error, raising=False)
    reading = docker.read(str(paths.docker), 5, lambda _: True)
    assert (reading is FROM_FILES, reading.error) == (is_down, None if is_down else str(error))
    # Where the files of another daemon are is not known.
    assert docker.read("/run/other.sock", 5, lambda _: True).error == (
        "nothing listens on it: its daemon is not running" if is_down else str(error)
    )
    assert files == ([str(paths.docker)] if is_down else [])


def test_podman_on_dockers_socket_is_refused(
    paths: SocketPaths, answers: dict[str, t.Any], monkeypatch: pytest.MonkeyPatch, files: list[str]
) -> None:
    web = next(one for one in read().containers if one.name == "web")
    paths.docker.touch()
    monkeypatch.setitem(HEADERS, "server", "Libpod/5.4.2 (linux)")
    source = str(paths.docker)
    assert docker.read(source, 5, lambda _: True) is FROM_FILES
    assert docker.read("/run/other.sock", 5, lambda _: True).error == (
        "Podman answers on /run/other.sock, not Docker: its daemon is not running"
    )
    # Where Docker was never installed, that is not an error.
    monkeypatch.setattr(docker_state, "read", lambda *_: model.Reading("docker", source))
    assert docker.read(source, 5, lambda _: True) == model.Reading("docker", source)
    with pytest.raises(unix_http.DownError):
        docker.still_runs(web, 5)
    _unused, problems = docker.networks(["/run/docker/netns/ingress_sbox"], 5)
    assert problems == [
        "the names of its networks could not be read: Podman answers on /run/docker.sock, not Docker"
    ]


def test_podmans_socket_is_not_connected_to(
    paths: SocketPaths, answers: dict[str, t.Any], files: list[str]
) -> None:
    _link_to_podman(paths)
    assert docker.read(str(paths.docker), 5, lambda _: True) is FROM_FILES
    assert Client.asked == []


NETWORKS = pathlib.Path(__file__).parents[4] / "data" / "docker-26.1.5" / "networks.json"
OVERLAY = model.Network("kyfhw2vhmqlm6upue5nnd9wkm", "dknet")
INGRESS = model.Network("rmj50bmzrn85ns0am3tblxonb", "ingress")


@pytest.mark.parametrize(
    ("name", "network", "without_names"),
    [
        ("1-kyfhw2vhmq", OVERLAY, model.Network("kyfhw2vhmq", None)),
        ("12-kyfhw2vhm", OVERLAY, model.Network("kyfhw2vhm", None)),
        ("lb_kyfhw2vhm", OVERLAY, model.Network("kyfhw2vhm", None)),
        ("1-rmj50bmzrn", INGRESS, model.Network("rmj50bmzrn", None)),
        ("ingress_sbox", INGRESS, model.Network(None, None)),
        # Left behind by a swarm, or truncated in another way.
        ("1-aaaaaaaaaa", model.Network("aaaaaaaaaa", None), model.Network("aaaaaaaaaa", None)),
        ("1-kyfhw2vhm", None, None),
        ("lb_kyfhw2vhmq", None, None),
        ("x-kyfhw2vhmq", None, None),
        ("1-kyfhw2vhmq\n", None, None),
        ("5b51c6ed5e4e", None, None),
        ("default", None, None),
    ],
)
def test_networks(
    answers: dict[str, t.Any],
    name: str,
    network: model.Network | None,
    without_names: model.Network | None,
) -> None:
    pin = f"/run/docker/netns/{name}"
    problems = (
        [] if network is None else ["the names of its networks could not be read: status 404: null"]
    )
    assert docker.networks([pin], 5) == ({pin: without_names} if without_names else {}, problems)
    answers["/networks"] = json.loads(NETWORKS.read_text())
    assert docker.networks([pin], 5) == ({pin: network} if network else {}, [])
    assert Client.asked == ["/networks"] * 2 * len(problems)


def test_networks_take_one_request(answers: dict[str, t.Any]) -> None:
    answers["/networks"] = json.loads(NETWORKS.read_text())
    answers["/networks"].append(dict(answers["/networks"][0], Id="kyfhw2vhmq" + "0" * 15))
    pins = [f"/run/docker/netns/{name}" for name in ("1-kyfhw2vhmq", "lb_rmj50bmzr")]
    found, problems = docker.networks(["/run/netns/x", *pins], 5)
    # Two with this prefix: it could belong to either.
    assert found == {pins[0]: model.Network("kyfhw2vhmq", None), pins[1]: INGRESS}
    assert (problems, Client.asked) == ([], ["/networks"])


@pytest.mark.parametrize("wrong", hostile_inputs.SAMPLE, ids=hostile_inputs.case_id)
def test_networks_of_wrong_types_are_an_error_or_ignored(
    answers: dict[str, t.Any], wrong: t.Any
) -> None:
    body = json.loads(NETWORKS.read_text())[:2]
    for answers["/networks"] in hostile_inputs.with_value_anywhere(body, wrong):
        found, problems = docker.networks(["/run/docker/netns/ingress_sbox"], 5)
        assert len(found) == 1
        "".join(problems).encode()


def test_a_remote_daemon_is_refused() -> None:
    error = docker.read("tcp://127.0.0.1:2375", 5, lambda _: True).error
    assert error is not None
    assert "only a unix:// socket" in error


def test_still_runs(answers: dict[str, t.Any]) -> None:
    web = next(one for one in read().containers if one.name == "web")
    assert docker.still_runs(web, 5)
    answers[f"/containers/{web.id}/json"]["State"]["Pid"] += 1
    assert not docker.still_runs(web, 5)
    del answers[f"/containers/{web.id}/json"]
    assert not docker.still_runs(web, 5)
