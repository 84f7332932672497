# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Docker's responses, captured from a real 20.10 daemon (tests/unit/data/docker-20.10)."""

from __future__ import annotations

import json
import os
import pathlib
import re
import socket
import time
import typing as t

import hostile_inputs
import odd_server
import pytest
from invariants import check_container

from ansible_collections.linuxnet.netns.plugins.module_utils._core import model
from ansible_collections.linuxnet.netns.plugins.module_utils._core.engines import (
    daemons,
    docker,
    docker_daemons,
    docker_state,
    unix_http,
    verify,
)
from ansible_collections.linuxnet.netns.plugins.module_utils._core.kernel import procfs, sockets

DATA = pathlib.Path(__file__).parents[4] / "data" / "docker-20.10"
REAL_CLIENT = unix_http.Client
HEADERS = {"server": "Docker/20.10.24+dfsg1 (linux)"}


def load(name: str) -> t.Any:
    return json.loads((DATA / f"{name}.json").read_text())


class Client:
    """A unix_http.Client that returns the captured responses."""

    peer_pid = 1
    asked: t.ClassVar[list[str]] = []
    answers: t.ClassVar[dict[str, t.Any]] = {}
    made: t.ClassVar[list[Client]] = []

    def __init__(
        self, _path: str, _timeout: float, check: t.Callable[[], object] = lambda: None
    ) -> None:
        check()
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

    def get(self, target: str) -> unix_http.Response:
        (response,) = self.get_each([target])
        return response

    def get_each(self, targets: list[str]) -> list[unix_http.Response]:
        assert not self.closed
        for error in self.errors:
            raise error
        self.asked += targets
        bodies = [self.answers.get(target) for target in targets]
        return [
            unix_http.Response(404 if body is None else 200, HEADERS, json.dumps(body).encode())
            for body in bodies
        ]

    def make_each(self, targets: list[str], make: t.Callable[..., t.Any]) -> list[t.Any]:
        return list(map(make, targets, self.get_each(targets)))


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
    monkeypatch.setattr(verify, "check", lambda _claim: verify.CONFIRMED)
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


def test_the_list_has_the_ports(answers: dict[str, t.Any]) -> None:
    answers["/containers/json?all=1"] = load("published")["listed"]
    containers = {one.name: one.ports for one in read(lambda _one: False).containers}
    assert {port.port for port in containers.pop("web")} == {8080, 8081}
    assert containers["stopped"] == ()


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


def test_the_pods_of_cri_dockerd(answers: dict[str, t.Any]) -> None:
    ids = {each.name: each.id for each in read().containers}
    for name, member in (("web", "POD"), ("side", "nginx")):
        labels = {
            "io.kubernetes.container.name": member,
            "io.kubernetes.docker.type": "podsandbox" if member == "POD" else "container",
            "io.kubernetes.pod.name": "web-0",
            "io.kubernetes.pod.namespace": "shop",
            "io.kubernetes.pod.uid": "0b6c9c5c",
        }
        pod_name = f"/k8s_{member}_web-0_shop_0b6c9c5c_0"
        details = answers[f"/containers/{ids[name]}/json"]
        details["Name"], details["Config"]["Labels"] = pod_name, labels
        for item in answers["/containers/json?all=1"]:
            if item["Id"] == ids[name]:
                item["Names"], item["Labels"] = [pod_name], labels
    chosen = {ids["web"], ids["side"]}
    some = docker.read_some("/run/docker.sock", 5, chosen, {})
    for containers in (read().containers, some.containers):
        sandbox, nginx = sorted(
            (each for each in containers if each.id in chosen), key=lambda each: not each.sandbox
        )
        assert (sandbox.name, nginx.name, nginx.joined) == ("shop_web-0", "nginx", sandbox.id)
        assert sandbox.pod == nginx.pod == model.Pod("shop", "web-0", "0b6c9c5c")
        assert sandbox.pid


def test_a_connection_is_kept_until_it_is_closed(answers: dict[str, t.Any]) -> None:
    kept: dict[str, t.Any] = {}

    def ask() -> str | None:
        return docker.read_some("/run/docker.sock", 5, {"ab" * 32}, kept).error

    assert [ask(), ask()] == [None, None]
    (first,) = Client.made
    assert kept == {"/run/docker.sock": first}
    # What fails closes the connection, and the next run has a new one.
    first.errors.append(model.EngineError("no answer in 5 s"))
    assert ask() == "no answer in 5 s"
    assert (first.closed, kept) == (True, {})
    assert ask() is None
    assert kept == {"/run/docker.sock": Client.made[1]}


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
    ("pid", "holders", "asleep"),
    [
        ("own", {1}, False),
        ("gone", {1}, True),
        ("nonsense", {1}, True),
        (None, {1}, True),
        # With another PID file.
        (None, {1, 7}, False),
        # Another program has the socket too.
        (None, {1, 8}, True),
        # dockerd listens, or nothing does.
        (None, {7}, False),
        (None, set(), False),
    ],
)
def test_a_daemon_that_systemd_would_start_is_not_connected_to(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: pathlib.Path,
    pid: str | None,
    holders: set[int],
    asleep: bool,
) -> None:
    texts = {"own": str(os.getpid()), "gone": "999999999", "nonsense": "x"}
    if pid:
        (tmp_path / "pid").write_text(texts[pid])
    monkeypatch.setattr(docker, "_PID_FILE", str(tmp_path / "pid"))
    monkeypatch.setattr(docker.procfs, "command", lambda _process: "dockerd")
    monkeypatch.setattr(sockets, "listening", lambda path: {path})
    monkeypatch.setattr(
        sockets, "holds", lambda pid, inodes: pid in holders and inodes != {"/run/free.sock"}
    )
    commands = {1: "systemd", 7: "dockerd", 8: "dockerd-helper"}
    monkeypatch.setattr(daemons, "_command", commands.get)
    monkeypatch.setattr(procfs, "pids", lambda: iter(commands))
    assert docker.is_asleep("/run/docker.sock") is asleep
    # The PID file is that of one daemon.
    assert docker.is_asleep("/run/other.sock") is (holders & {1, 7} == {1})
    assert not docker.is_asleep("/run/free.sock")


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
    monkeypatch.setattr(docker_daemons, "CONFIG", str(tmp_path / "daemon.json"))
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
        (model.DownError("nothing listens on it"), True),
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
    reading = docker.read(source, 5, lambda _: True)
    assert reading == model.Reading("docker", source, presence_uncertain=True)
    monkeypatch.setattr(verify, "check", lambda _claim: verify.REFUTED)
    with pytest.raises(model.DownError):
        docker.still_runs(web, 5)
    _unused, problem = docker.networks("/run/docker.sock", ["/run/docker/netns/ingress_sbox"], 5)
    assert problem == (
        "the names of its networks could not be read: Podman answers on /run/docker.sock, not Docker"
    )


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
    problem = (
        "" if network is None else "the names of its networks could not be read: status 404: null"
    )
    expected = {pin: without_names} if without_names else {}
    assert docker.networks("/run/x.sock", [pin], 5) == (expected, problem)
    answers["/networks"] = json.loads(NETWORKS.read_text())
    assert docker.networks("/run/x.sock", [pin], 5) == ({pin: network} if network else {}, "")
    assert Client.asked == ["/networks"] * (2 if problem else 0)


def test_networks_take_one_request(answers: dict[str, t.Any]) -> None:
    answers["/networks"] = json.loads(NETWORKS.read_text())
    answers["/networks"].append(dict(answers["/networks"][0], Id="kyfhw2vhmq" + "0" * 15))
    pins = [f"/run/docker/netns/{name}" for name in ("1-kyfhw2vhmq", "lb_rmj50bmzr")]
    found, problem = docker.networks("/run/x.sock", ["/run/netns/x", *pins], 5)
    # Two with this prefix: it could belong to either.
    assert found == {pins[0]: model.Network("kyfhw2vhmq", None), pins[1]: INGRESS}
    assert (problem, Client.asked) == ("", ["/networks"])


@pytest.mark.parametrize("wrong", hostile_inputs.SAMPLE, ids=hostile_inputs.case_id)
def test_networks_of_wrong_types_are_an_error_or_ignored(
    answers: dict[str, t.Any], wrong: t.Any
) -> None:
    body = json.loads(NETWORKS.read_text())[:2]
    for answers["/networks"] in hostile_inputs.with_value_anywhere(body, wrong):
        found, problem = docker.networks("/run/x.sock", ["/run/docker/netns/ingress_sbox"], 5)
        assert len(found) == 1
        problem.encode()


def test_a_remote_daemon_is_refused() -> None:
    error = docker.read("tcp://127.0.0.1:2375", 5, lambda _: True).error
    assert error is not None
    assert "only a unix:// socket" in error


def test_still_runs(answers: dict[str, t.Any], monkeypatch: pytest.MonkeyPatch) -> None:
    web = next(one for one in read().containers if one.name == "web")
    Client.asked.clear()
    assert docker.still_runs(web, 5)
    # What the kernel shows is not asked of Docker.
    assert Client.asked == []
    monkeypatch.setattr(verify, "check", lambda _claim: verify.GONE)
    assert not docker.still_runs(web, 5)
    assert Client.asked == []
    monkeypatch.setattr(
        verify, "check", lambda claim: verify.POSSIBLE if claim.started else verify.REFUTED
    )
    assert docker.still_runs(web, 5)
    answers[f"/containers/{web.id}/json"]["State"]["Pid"] += 1
    assert not docker.still_runs(web, 5)
    answers[f"/containers/{web.id}/json"]["State"]["Pid"] -= 1
    answers[f"/containers/{web.id}/json"]["State"]["StartedAt"] = None
    assert not docker.still_runs(web, 5)
    del answers[f"/containers/{web.id}/json"]
    assert not docker.still_runs(web, 5)


LIST = "/containers/json?all=1"


@pytest.fixture
def server(answers: dict[str, t.Any], tmp_path: pathlib.Path) -> t.Iterator[odd_server.OddServer]:
    """The captured responses on a socket."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(docker.unix_http, "Client", REAL_CLIENT)
        with odd_server.OddServer(tmp_path / "docker.sock", HEADERS["server"]) as server:
            server.documents = answers
            yield server


@pytest.mark.parametrize("some", [False, True])
@pytest.mark.parametrize("name", hostile_inputs.ODD_ANSWERS)
def test_an_odd_answer_about_one_container(
    server: odd_server.OddServer,
    answers: dict[str, t.Any],
    tmp_path: pathlib.Path,
    name: str,
    some: bool,
) -> None:
    """The others are right, whichever it is about; all takes no longer than the timeout."""
    source, timeout = str(tmp_path / "docker.sock"), 1.0
    expected = {one.id: one for one in docker.read(source, 5, lambda _: True).containers}
    server.requests.clear()
    odd = hostile_inputs.ODD_ANSWERS[name]
    running = [one.id for one in expected.values() if one.running]
    for identity in running[:1] if odd.is_slow else running:
        server.odd = {f"/containers/{identity}/json": odd}
        started = time.monotonic()
        if some:
            kept: dict[str, unix_http.Client] = {}
            reading = docker.read_some(source, timeout, set(running), kept)
            kept[source].close()
        else:
            reading = docker.read(source, timeout, lambda _: True)
        assert time.monotonic() - started < timeout + 1
        assert reading.error is None
        found = {one.id: one for one in reading.containers}
        assert set(found) == set(running if some else expected)
        unread = found.pop(identity)
        assert (unread.running, unread.pid, unread.pin) == (True, 0, None)
        assert re.search(odd.error, str(unread.unread)), unread.unread
        for each in found.values():
            assert (each.pid, each.pin) == (expected[each.id].pid, expected[each.id].pin)


def test_many_containers_that_hang(
    server: odd_server.OddServer, answers: dict[str, t.Any], tmp_path: pathlib.Path
) -> None:
    """Hundreds of others are read within one timeout."""
    listed, inspected = answers[LIST][0], answers[f"/containers/{answers[LIST][0]['Id']}/json"]
    answers[LIST] = []
    for number in range(300):
        identity = f"{number:064x}"
        answers[LIST].append(dict(listed, Id=identity, State="running"))
        answers[f"/containers/{identity}/json"] = dict(inspected, Id=identity)
        if number % 10 == 3:
            server.odd[f"/containers/{identity}/json"] = hostile_inputs.ODD_ANSWERS["hangs"]
    started = time.monotonic()
    reading = docker.read(str(tmp_path / "docker.sock"), 3, lambda _: True)
    assert time.monotonic() - started < 4
    assert (len(reading.containers), len(reading.unread)) == (300, 30)
    server.odd.clear()
    server.requests.clear()
    server.connections = 0
    reading = docker.read(str(tmp_path / "docker.sock"), 3, lambda _: True)
    # Where nothing hangs, there is one connection, and one request for each.
    assert (len(reading.unread), server.connections, len(server.requests)) == (0, 1, 301)


@pytest.mark.parametrize("item", [7, [], {}, {"Id": "x"}, {"Id": None, "Names": ["/x"]}])
def test_an_item_of_the_list_that_may_be_any_container(
    answers: dict[str, t.Any], item: t.Any
) -> None:
    expected = read().containers
    answers[LIST].insert(1, item)
    reading = read()
    assert reading.containers == expected
    assert reading.error is not None


@pytest.mark.parametrize(
    "odd", [{"Names": 7}, {"State": []}, {"Labels": {"x": None}}, {"Created": "x"}]
)
def test_an_item_of_the_list_that_is_odd(answers: dict[str, t.Any], odd: dict[str, t.Any]) -> None:
    expected = {one.id: one for one in read().containers}
    answers[LIST][0].update(odd)
    reading = read()
    assert reading.error is None
    found = {one.id: one for one in reading.containers}
    unread = found.pop(answers[LIST][0]["Id"])
    assert (unread.running, unread.status, unread.name) == (True, "", unread.id[:12])
    assert unread.unread
    assert found == {key: one for key, one in expected.items() if key != unread.id}


OURS, OTHERS, SYSTEMD = 7, 0, 1


@pytest.mark.parametrize(
    ("results", "peer", "elsewhere"),
    [
        # The kernel names one process of it: it is this host's, whoever listens.
        ([verify.CONFIRMED, verify.REFUTED, verify.GONE], OURS, False),
        ([verify.CONFIRMED, verify.REFUTED], OTHERS, False),
        # Nothing runs, or only what has no cgroup.
        ([], OURS, False),
        ([], OTHERS, True),
        ([verify.POSSIBLE], OURS, False),
        ([verify.POSSIBLE], OTHERS, True),
        ([verify.POSSIBLE, verify.REFUTED], OURS, True),
        ([verify.REFUTED], OURS, True),
        ([verify.REFUTED], SYSTEMD, True),
        # On another machine no PID is used here, or the one container has ended.
        ([verify.GONE, verify.GONE], OURS, True),
        ([verify.GONE], SYSTEMD, False),
    ],
)
def test_a_daemon_whose_pids_are_not_this_hosts(
    answers: dict[str, t.Any],
    monkeypatch: pytest.MonkeyPatch,
    results: list[int],
    peer: int,
    elsewhere: bool,
) -> None:
    running = [item["Id"] for item in answers[LIST] if item["State"] == "running"]
    answers[LIST] = [item for item in answers[LIST] if item["Id"] in running[: len(results)]]
    by_id = dict(zip(running, results))
    monkeypatch.setattr(verify, "check", lambda claim: by_id[claim.container_id])
    monkeypatch.setattr(verify, "_peer", lambda pid: ("socat", pid != OTHERS))
    monkeypatch.setattr(Client, "peer_pid", peer)
    for reading in (read(), docker.read_some("/run/docker.sock", 5, set(by_id), {})):
        if elsewhere:
            assert reading.state == "elsewhere"
            assert "its PIDs are not this host's" in str(reading.error)
            assert reading.containers == ()
            continue
        assert reading.state == "read"
        for container in reading.containers:
            refuted = by_id[container.id] == verify.REFUTED
            assert (container.pid == 0, container.problem is not None) == (refuted, refuted)


def test_a_daemon_that_listens_itself_is_this_hosts(
    answers: dict[str, t.Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verify, "check", lambda _claim: verify.REFUTED)
    monkeypatch.setattr(verify, "_peer", lambda _pid: ("dockerd", True))
    reading = read()
    assert reading.state == "read"
    assert {one.pid for one in reading.containers} == {0}


@pytest.mark.parametrize("then", ["gone", "ended", "again"])
def test_containers_that_end_meanwhile_are_no_sign_of_another_host(
    answers: dict[str, t.Any], monkeypatch: pytest.MonkeyPatch, then: str
) -> None:
    """The daemon is asked once more about a PID that is gone."""
    listed = next(item for item in answers[LIST] if item["State"] == "running")
    answers[LIST] = [listed]
    target = f"/containers/{listed['Id']}/json"
    first = answers[target]["State"]["Pid"]

    def check(claim: verify.Claim) -> int:
        if claim.pid != first:
            return verify.CONFIRMED
        if then == "gone":
            answers.pop(target, None)
        else:
            state = {"Pid": first + 1} if then == "again" else {"Pid": 0, "Running": False}
            answers[target]["State"].update(state)
        return verify.GONE

    monkeypatch.setattr(verify, "check", check)
    monkeypatch.setattr(verify, "_peer", lambda _pid: ("socat", True))
    reading = read()
    assert reading.error is None
    assert [one.pid for one in reading.containers] == {
        "gone": [],
        "ended": [0],
        "again": [first + 1],
    }[then]
