# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Podman's responses and databases, captured from real hosts (tests/unit/data/podman-*).

Each has: web (bridge, labels), lone (none), hosty (host), side (container:web), the pod shop with api
and db, stopped, and fresh, which was never started. The details have only the fields that are read.
"""

from __future__ import annotations

import contextlib
import fcntl
import gzip
import json
import os
import pathlib
import re
import socket
import struct
import subprocess
import sys
import time
import typing as t

import hostile_inputs
import odd_server
import pytest
from invariants import check_container

from ansible_collections.linuxnet.netns.plugins.module_utils._core import model
from ansible_collections.linuxnet.netns.plugins.module_utils._core.engines import (
    boltdb,
    podman,
    podman_state,
    unix_http,
)

DATA = pathlib.Path(__file__).parents[4] / "data"
BOLT, SQLITE = "libpod/bolt_state.db", "db.sql"
VERSIONS = {"3.0.1": BOLT, "4.3.1": BOLT, "5.4.2": SQLITE, "5.8.6": SQLITE}
STILL_RUNS = podman.still_runs

sqlite3 = pytest.importorskip("sqlite3")

# Status, network mode (its kind), whether it has a pin of its own, resolv.conf, pod, sandbox.
CONTAINERS = {
    "web": ("running", "bridge", True, True, None, False),
    "lone": ("running", "none", False, False, None, False),
    "hosty": ("running", "host", False, True, None, False),
    "side": ("running", "container", False, True, None, False),
    "infra": ("running", "bridge", True, True, "shop", True),
    "api": ("running", "container", False, True, "shop", False),
    "db": ("running", "container", False, True, "shop", False),
    "stopped": ("exited", None, False, False, None, False),
    "fresh": ("created", None, False, False, None, False),
}


@pytest.fixture
def graph(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """The storage directory of a host with a Podman that has no database and no socket yet."""
    directory = tmp_path / "storage"
    (directory / "libpod").mkdir(parents=True)
    monkeypatch.setattr(podman_state, "_STORAGE_CONFS", (str(tmp_path / "storage.conf"),))
    defaults = {"graphroot": str(directory), "runroot": str(tmp_path / "run")}
    monkeypatch.setattr(podman_state, "_DEFAULTS", defaults)
    monkeypatch.setattr(podman_state, "_IN_RUN", podman_state._IN_RUN[:1])
    monkeypatch.setattr(podman, "_SOCKET", str(tmp_path / "podman.sock"))
    monkeypatch.setattr(podman, "still_runs", lambda *_: True)
    return directory


def store(graph: pathlib.Path, version: str) -> pathlib.Path:
    path = VERSIONS[version]
    packed = DATA / f"podman-{version}" / f"{os.path.basename(path)}.gz"
    (graph / path).write_bytes(gzip.decompress(packed.read_bytes()))
    return graph / path


def read(
    graph: pathlib.Path,
    wanted: t.Callable[[model.Container], bool] = lambda _: True,
    timeout: float = 5,
) -> model.Reading:
    return podman.read(str(graph), timeout, wanted)


def by_name(reading: model.Reading) -> dict[str, model.Container]:
    assert reading.error is None
    return {one.name.rpartition("-")[2]: one for one in reading.containers}


class Service:
    """A unix_http.Client that returns the captured responses."""

    peer_pid = 1

    def __init__(self, version: str) -> None:
        captured = json.loads((DATA / f"podman-{version}" / "api.json").read_text())
        self.headers = {"server": captured["server"]}
        self.listing = captured["list"]
        self.answers: dict[str, t.Any] = {
            f"/v4.0.0/libpod/containers/{identity}/json": {"Id": identity, **answer}
            for identity, answer in captured["inspect"].items()
        }
        self.answers["/v4.0.0/libpod/containers/json?all=true"] = self.listing
        self.asked: list[str] = []

    def __call__(self, _path: str, _timeout: float) -> Service:
        return self

    def __enter__(self) -> Service:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def get(self, target: str) -> unix_http.Response:
        (response,) = self.get_each([target])
        return response

    def get_each(self, targets: list[str]) -> list[unix_http.Response]:
        self.asked += targets
        bodies = [self.answers.get(target) for target in targets]
        return [
            unix_http.Response(200 if body else 404, self.headers, json.dumps(body).encode())
            for body in bodies
        ]

    def make_each(self, targets: list[str], make: t.Callable[..., t.Any]) -> list[t.Any]:
        return list(map(make, targets, self.get_each(targets)))

    def inspected(self, name: str) -> dict[str, t.Any]:
        (identity,) = (one["Id"] for one in self.listing if one["Names"][0].endswith(name))
        return t.cast("dict[str, t.Any]", self.answers[self.target(identity)])

    @staticmethod
    def target(identity: str) -> str:
        return f"/v4.0.0/libpod/containers/{identity}/json"


def serve(graph: pathlib.Path, monkeypatch: pytest.MonkeyPatch, version: str) -> Service:
    service = Service(version)
    (graph.parent / "podman.sock").touch()
    monkeypatch.setattr(podman.unix_http, "Client", service)
    return service


def check(reading: model.Reading) -> dict[str, model.Container]:
    found = by_name(reading)
    assert sorted(found) == sorted(CONTAINERS)
    for name, (status, mode, has_pin, has_resolv_conf, pod, sandbox) in CONTAINERS.items():
        one = found[name]
        assert (one.status, one.running) == (status, status == "running"), name
        assert (one.pid > 0) == one.running, name
        assert mode is None or one.network_mode.partition(":")[0] == mode, name
        assert (one.pin is not None) == has_pin, name
        assert (one.resolv_conf is not None) == has_resolv_conf, name
        assert (one.pod.name if one.pod else None) == pod, name
        assert one.sandbox == sandbox, name
        assert one.image == "localhost/bb:1", name
        assert 1795484000 < one.created < 1795486000, name
    assert found["web"].labels == {"app": "shop", "io.x": "a b"}
    assert found["side"].network_mode == f"container:{found['web'].id}"
    assert found["side"].resolv_conf == found["web"].resolv_conf
    assert found["api"].pod == found["infra"].pod == found["db"].pod
    return found


@pytest.mark.parametrize("version", VERSIONS)
def test_read_the_database(graph: pathlib.Path, version: str) -> None:
    store(graph, version)
    reading = read(graph)
    assert (reading.version, reading.source) == (None, str(graph))
    assert reading.read_from in podman_state.databases(str(graph))
    check(reading)


@pytest.mark.parametrize("version", VERSIONS)
def test_api_and_database_agree(
    graph: pathlib.Path, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    store(graph, version)
    files = check(read(graph))
    serve(graph, monkeypatch, version)
    reading = read(graph)
    assert reading.version is not None
    assert reading.version[:4] == version[:4]
    assert (reading.source, reading.read_from) == (str(graph), podman._SOCKET)
    answers = check(reading)
    for name, answer in answers.items():
        # The list has no network mode of stopped containers.
        expected = files[name] if answer.running else files[name]._replace(network_mode="")
        assert answer == expected


@pytest.mark.parametrize("by_socket", [False, True])
def test_only_running_wanted_containers_are_inspected(
    graph: pathlib.Path, monkeypatch: pytest.MonkeyPatch, by_socket: bool
) -> None:
    store(graph, "4.3.1")
    service = serve(graph, monkeypatch, "4.3.1") if by_socket else None
    found = by_name(read(graph, lambda one: one.name in ("web", "stopped")))
    assert [name for name, one in found.items() if one.pid or one.pin or one.resolv_conf] == ["web"]
    assert sorted(found) == sorted(CONTAINERS)
    assert found["side"].running
    assert service is None or len(service.asked) == 2


def test_a_container_removed_meanwhile_is_left_out(
    graph: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = serve(graph, monkeypatch, "5.4.2")
    (web,) = (one["Id"] for one in service.listing if one["Names"] == ["web"])
    del service.answers[service.target(web)]
    assert "web" not in by_name(read(graph))


def test_paused_and_stopping_run_initialized_does_not(
    graph: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = serve(graph, monkeypatch, "5.4.2")
    path = store(graph, "5.4.2")
    states = {"paused": (5, True), "stopping": (8, True), "initialized": (2, False)}
    for word, (number, running) in states.items():
        service.inspected("web")["State"].update(Status=word, Running=False)
        one = by_name(read(graph))["web"]
        assert (one.status, one.running, one.pid > 0) == (word, running, running)
        assert (one.resolv_conf is not None) == running
        (record,) = (one for one in podman_state.read(str(graph), 5) if one.config["name"] == "web")
        state = json.dumps({**record.state, "state": number})
        change(path, "UPDATE ContainerState SET JSON = ? WHERE ID = ?", state, record.config["id"])
        with without_socket(graph):
            one = by_name(read(graph))["web"]
        assert (one.status, one.running, one.pid > 0) == (word, running, running)


def change(path: pathlib.Path, statement: str, *values: t.Any) -> None:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute(statement, values)
        connection.commit()


@contextlib.contextmanager
def without_socket(graph: pathlib.Path) -> t.Iterator[None]:
    path = graph.parent / "podman.sock"
    path.unlink()
    yield
    path.touch()


@pytest.mark.parametrize("by_socket", [False, True])
def test_a_container_without_its_process_does_not_run(
    graph: pathlib.Path, monkeypatch: pytest.MonkeyPatch, by_socket: bool
) -> None:
    monkeypatch.setattr(podman, "still_runs", lambda one, _: one.name != "web")
    monkeypatch.setattr(podman.os, "geteuid", lambda: 0)
    store(graph, "5.8.6")
    if by_socket:
        serve(graph, monkeypatch, "5.8.6")
    found = by_name(read(graph))
    web = found["web"]
    assert (web.running, web.status, web.pid, web.pin) == (False, "exited", 0, None)
    assert found["api"].running


@pytest.mark.parametrize(
    ("mode", "key", "pin"),
    [
        ("bridge", "/run/netns/netns-1", "/run/netns/netns-1"),
        ("pasta", "/run/netns/netns-1", "/run/netns/netns-1"),
        # The API returns the pin that the joined container has now.
        ("container:abc", "/run/netns/netns-1", None),
        ("none", "/proc/214/ns/net", None),
        ("none", "", None),
        ("host", "", None),
        ("ns:/run/netns/mine", "/run/netns/mine", None),
    ],
)
def test_pins_of_containers_with_their_own_namespace(
    graph: pathlib.Path, monkeypatch: pytest.MonkeyPatch, mode: str, key: str, pin: str | None
) -> None:
    answer = serve(graph, monkeypatch, "5.8.6").inspected("web")
    answer["HostConfig"]["NetworkMode"] = mode
    answer["NetworkSettings"]["SandboxKey"] = key
    assert by_name(read(graph))["web"].pin == pin


@pytest.mark.parametrize(
    ("config", "mode"),
    [
        ({"createNetNS": True, "networkMode": "pasta"}, "pasta"),
        ({"createNetNS": True}, "bridge"),
        ({"netNsCtr": "abc"}, "container:abc"),
        ({"spec": {"linux": {"namespaces": [{"type": "network"}]}}}, "none"),
        (
            {"spec": {"linux": {"namespaces": [{"type": "network", "path": "/run/netns/x"}]}}},
            "ns:/run/netns/x",
        ),
        ({"spec": {"linux": {"namespaces": [{"type": "pid"}]}}}, "host"),
    ],
)
def test_network_mode(config: dict[str, t.Any], mode: str) -> None:
    assert podman._network_mode(config) == mode


@pytest.mark.parametrize("wrong", hostile_inputs.SAMPLE, ids=hostile_inputs.case_id)
def test_wrong_types_anywhere_in_responses_are_an_error_or_ignored(
    graph: pathlib.Path, monkeypatch: pytest.MonkeyPatch, wrong: t.Any
) -> None:
    service = serve(graph, monkeypatch, "5.4.2")
    (web,) = (one for one in service.listing if one["Names"][0].endswith("web"))
    service.listing[:] = [web]
    for target in (service.target(web["Id"]), list(service.answers)[-1]):
        body = service.answers[target]
        for service.answers[target] in hostile_inputs.with_value_anywhere(body, wrong):
            for one in read(graph).containers:
                check_container(one)
        service.answers[target] = body
    assert read(graph).error is None


@pytest.mark.parametrize("wrong", hostile_inputs.SAMPLE, ids=hostile_inputs.case_id)
def test_wrong_types_anywhere_in_the_database_are_an_error_or_ignored(
    graph: pathlib.Path, monkeypatch: pytest.MonkeyPatch, wrong: t.Any
) -> None:
    store(graph, "5.4.2")
    records = podman_state.read(str(graph), 5)
    (record,) = (one for one in records if one.config["name"] == "api")
    del record.config["spec"]["linux"]["seccomp"]
    for field in ("config", "state"):
        for spoiled in hostile_inputs.with_value_anywhere(getattr(record, field), wrong):
            broken = record._replace(**{field: spoiled})
            monkeypatch.setattr(podman_state, "read", lambda *_, one=broken: [one])
            for one in read(graph).containers:
                check_container(one)


@pytest.mark.parametrize("file", hostile_inputs.UNUSABLE_FILES, ids=hostile_inputs.case_id)
@pytest.mark.parametrize("path", [BOLT, SQLITE])
def test_hostile_files(graph: pathlib.Path, path: str, file: hostile_inputs.File) -> None:
    """A database may be a symbolic link, as any directory of Podman. Reading does not block."""
    file.put(graph / path)
    error = read(graph, timeout=1).error
    assert error is not None
    assert str(graph / path) in error or "there is no Podman database" in error


def test_an_endless_view_ends_with_the_timeout(graph: pathlib.Path) -> None:
    with contextlib.closing(sqlite3.connect(graph / SQLITE)) as connection:
        connection.executescript(
            """
            CREATE VIEW ContainerConfig AS WITH RECURSIVE r(n) AS
                (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT n AS ID, '{' AS JSON, '' AS PodID FROM r
                WHERE n < 0;
            CREATE TABLE ContainerState (ID, JSON);
            CREATE TABLE PodConfig (ID, Name);
            """
        )
    started = time.monotonic()
    error = read(graph, timeout=1).error
    assert time.monotonic() - started < 10
    assert error is not None
    assert "interrupted" in error


def test_a_schema_that_is_not_valid_utf8(graph: pathlib.Path) -> None:
    path = store(graph, "5.4.2")
    whole = path.read_bytes()
    assert b"CREATE TABLE" in whole
    errors = 0
    for word in (
        b"CREATE TABLE",
        b"ContainerConfig",
        b"PRIMARY KEY",
        b"JSON",
        b"Name",
        b"DEFERRED",
    ):
        path.write_bytes(whole.replace(word, b"\x80" + word[1:]))
        errors += read(graph).error is not None
    assert errors > 2


def test_rows_are_limited(graph: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store(graph, "5.4.2")
    monkeypatch.setattr(boltdb, "MAX_SIZE", 10_000)
    error = read(graph).error
    assert error is not None
    assert "more than 10000 bytes" in error


def test_reading_boltdb_ends_with_the_timeout(graph: pathlib.Path) -> None:
    path = store(graph, "4.3.1")
    with pytest.raises(model.EngineError, match="could not be read in full in time"):
        podman_state._read_bolt(str(path), time.monotonic() - 1)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_truncated_database_is_an_error(graph: pathlib.Path, version: str) -> None:
    path = store(graph, version)
    whole = path.read_bytes()
    failed = 0
    for length in [*range(0, len(whole), 4096), *range(1, len(whole), 9973), len(whole) - 1]:
        path.write_bytes(whole[:length])
        reading = read(graph)
        failed += reading.error is not None
        assert reading.error is not None or len(reading.containers) == len(CONTAINERS), length
        assert reading.error is None or str(path) in reading.error
    assert failed > 10


@pytest.mark.parametrize("version", VERSIONS)
def test_a_missing_page_is_an_error(graph: pathlib.Path, version: str) -> None:
    path = store(graph, version)
    whole = path.read_bytes()
    errors = 0
    for filling in (b"\0", b"\xff", b"\x01"):
        for start in range(0, len(whole), 4096):
            path.write_bytes(whole[:start] + filling * 4096 + whole[start + 4096 :])
            reading = read(graph)
            errors += reading.error is not None or bool(reading.unread)
    assert errors > 10


def bolt(*pages: bytes, number: int = 1, root: int = 2) -> bytes:
    """A bbolt file with these pages after its two meta pages."""
    meta = struct.pack("=IIIIQQQQQ", 0xED0CDAED, 2, 4096, 0, root, 0, 3, len(pages) + 2, number)
    checksum = 0xCBF29CE484222325
    for byte in meta:
        checksum = (checksum ^ byte) * 0x100000001B3 % (1 << 64)
    first = struct.pack("=QHHI", 0, 4, 0, 0) + meta + struct.pack("=Q", checksum)
    return b"".join(page.ljust(4096, b"\0") for page in (first, b"", *pages))


def branch(*numbers: int) -> bytes:
    elements = b"".join(struct.pack("=IIQ", 0, 0, number) for number in numbers)
    return struct.pack("=QHHI", 2, 1, len(numbers), 0) + elements


LEAF = struct.pack("=QHHI", 2, 2, 0, 0)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not a BoltDB file"),
        (b"x" * 10000, "not a BoltDB file"),
        (bolt(branch(2)), "damaged"),
        (bolt(branch(*[3] * 200), branch(*[2] * 200)), "damaged"),
        # Too deep for Python's stack, and wide enough to never end.
        (bolt(branch(2), *[b""] * 2000), "damaged"),
        (bolt(*(branch(*[number] * 200) for number in range(3, 12)), LEAF), "damaged"),
        (bolt(branch(1 << 60)), "truncated"),
        (bolt(LEAF), "not a Podman database"),
        (
            bolt(struct.pack("=QHHIIIII", 2, 2, 1, 0, 0, 16, 3, 1) + b"ctrx"),
            "not a Podman database",
        ),
        (bolt(struct.pack("=QHHIIIII", 2, 2, 1, 0, 1, 16, 3, 1) + b"podx"), "truncated"),
        # Each is as long as the file: some hundred megabytes.
        (
            bolt(
                struct.pack("=QHHI", 2, 2, 60_000, 0)
                + b"".join(struct.pack("=IIII", 0, 16, 4, 1 << 19) for _item in range(60_000)),
            ).ljust(2 << 20, b"x"),
            "damaged",
        ),
        (bolt(struct.pack("=QHHIIIII", 2, 2, 1, 0, 1, 16, 3, 1 << 30) + b"podx"), "damaged"),
    ],
)
def test_invalid_database(graph: pathlib.Path, content: bytes, reason: str) -> None:
    (graph / BOLT).write_bytes(content)
    error = read(graph).error
    assert error is not None
    assert reason in error


def test_the_newer_meta_page_counts(graph: pathlib.Path) -> None:
    path = store(graph, "4.3.1")
    whole = path.read_bytes()
    numbers = [struct.unpack_from("=Q", whole, offset + 16 + 48)[0] for offset in (0, 4096)]
    newer = numbers.index(max(numbers)) * 4096
    # Half written, so that its checksum is wrong: the older meta page counts.
    path.write_bytes(whole[: newer + 40] + b"\xff" + whole[newer + 41 :])
    root, older_root = (
        struct.unpack_from("=Q", whole, offset + 32)[0] for offset in (newer, 4096 - newer)
    )
    assert root != older_root
    tree = boltdb.of_bytes(str(path), path.read_bytes(), time.monotonic() + 5)
    assert tree._root == older_root
    assert boltdb.of_bytes(str(path), whole, time.monotonic() + 5)._root == root


@pytest.mark.parametrize("table", ["ContainerConfig", "ContainerState"])
@pytest.mark.parametrize("garbage", [b"\xff{", "{", "[" * 100000, b"", "", "7", "[]", 7, 1.5])
def test_an_odd_row_of_one_container(graph: pathlib.Path, table: str, garbage: t.Any) -> None:
    """The others are right, and this one is named."""
    path = store(graph, "5.8.6")
    expected = {one.id: one for one in read(graph).containers}
    (web,) = (one.id for one in expected.values() if one.name == "web")
    change(path, f"UPDATE {table} SET JSON = ? WHERE ID = ?", garbage, web)
    reading = read(graph)
    assert reading.error is None
    found = {one.id: one for one in reading.containers}
    unread = found.pop(web)
    assert (unread.running, unread.pid, unread.status) == (True, 0, "")
    assert re.search("JSON|a value of type|a column is of type", str(unread.unread))
    assert found == {key: one for key, one in expected.items() if key != web}


def test_a_row_that_may_be_of_any_container(graph: pathlib.Path) -> None:
    path = store(graph, "5.8.6")
    change(path, "UPDATE ContainerConfig SET ID = 'x' WHERE Name = 'web'")
    reading = read(graph)
    assert "'ID' is not a container ID: 'x'" in str(reading.error)


def test_an_odd_record_of_one_container_in_boltdb(graph: pathlib.Path) -> None:
    path = store(graph, "4.3.1")
    expected = {one.id: one for one in read(graph).containers}
    content = path.read_bytes()
    (web,) = (one for one in expected.values() if one.name == "web")
    text = b'"name":"web"'
    assert text in content
    path.write_bytes(content.replace(text, b'"name" "web"'))
    reading = read(graph)
    assert reading.error is None
    found = {one.id: one for one in reading.containers}
    assert "is not valid JSON" in str(found.pop(web.id).unread)
    assert found == {key: one for key, one in expected.items() if key != web.id}


@pytest.mark.parametrize("has_database", [False, True])
@pytest.mark.parametrize("name", hostile_inputs.ODD_ANSWERS)
def test_an_odd_answer_about_one_container(
    graph: pathlib.Path, name: str, has_database: bool
) -> None:
    """The others are right. The database is read for what the API does not describe."""
    service = Service("5.4.2")
    odd = hostile_inputs.ODD_ANSWERS[name]
    with odd_server.OddServer(graph.parent / "podman.sock", service.headers["server"]) as server:
        server.documents = service.answers
        expected = {one.id: one for one in read(graph).containers}
        (web,) = (one.id for one in expected.values() if one.name == "web")
        server.odd = {Service.target(web): odd}
        if has_database:
            store(graph, "5.4.2")
        started = time.monotonic()
        reading = read(graph, timeout=1.5)
        assert time.monotonic() - started < 2
    assert reading.error is None
    found = {one.id: one for one in reading.containers}
    unread = found.pop(web)
    if has_database:
        assert unread == expected[web]._replace(network_mode=unread.network_mode)
    else:
        assert (unread.running, unread.pid, unread.pin) == (True, 0, None)
        assert re.search(odd.error, str(unread.unread)), unread.unread
    assert found == {key: one for key, one in expected.items() if key != web}


def test_a_service_whose_pids_are_not_this_hosts(
    graph: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its database is read, in which all that ran is found to have ended."""
    service = serve(graph, monkeypatch, "5.4.2")
    service.peer_pid = 0
    assert by_name(read(graph))["web"].pid > 0
    monkeypatch.setattr(podman, "still_runs", lambda *_: False)
    reading = read(graph)
    assert "its PIDs are not this host's" in str(reading.error)
    store(graph, "5.4.2")
    assert not by_name(read(graph))["web"].running


def _directory(path: pathlib.Path) -> None:
    path.mkdir()


@pytest.mark.parametrize("make", [_directory, pathlib.Path.touch, os.mkfifo])
def test_a_name_of_the_socket_that_is_none(
    graph: pathlib.Path, make: t.Callable[[pathlib.Path], None]
) -> None:
    make(graph.parent / "podman.sock")
    # It is no sign of Podman, and does not hide its database.
    assert podman.sources({}) == []
    store(graph, "5.4.2")
    check(read(graph))


def test_a_writer_is_waited_for(graph: pathlib.Path) -> None:
    path = store(graph, "5.8.6")
    with contextlib.closing(sqlite3.connect(path)) as writer:
        writer.execute("BEGIN EXCLUSIVE")
        error = read(graph, timeout=0.1).error
    assert error is not None
    assert "locked" in error
    assert read(graph, timeout=0.1).error is None
    path.unlink()
    path = store(graph, "3.0.1")
    with path.open("rb") as locked:
        fcntl.flock(locked, fcntl.LOCK_EX)
        error = read(graph, timeout=0.1).error
    assert error is not None
    assert "locked" in error
    assert read(graph, timeout=0.1).error is None


def test_reading_changes_nothing(graph: pathlib.Path) -> None:
    paths = [store(graph, "5.8.6"), store(graph, "4.3.1")]
    before = [(path.read_bytes(), path.stat().st_mtime_ns) for path in paths]
    assert read(graph).error is None
    assert [(path.read_bytes(), path.stat().st_mtime_ns) for path in paths] == before
    assert sorted(os.listdir(graph)) == ["db.sql", "libpod"]
    assert os.listdir(graph / "libpod") == ["bolt_state.db"]


def test_of_two_databases_both_are_read(graph: pathlib.Path) -> None:
    store(graph, "4.3.1")
    store(graph, "5.4.2")
    assert len(read(graph).containers) == 2 * len(CONTAINERS)


@pytest.mark.parametrize("newer_first", [True, False])
def test_of_two_databases_the_running_record_counts(
    graph: pathlib.Path, monkeypatch: pytest.MonkeyPatch, newer_first: bool
) -> None:
    store(graph, "5.4.2")
    (web,) = (one for one in podman_state.read(str(graph), 5) if one.config["name"] == "web")
    records = [web, web._replace(state={"state": 6})]
    found = records if newer_first else records[::-1]
    monkeypatch.setattr(podman_state, "read", lambda *_: found)
    (one,) = read(graph).containers
    assert (one.running, one.pid > 0) == (True, True)


def test_without_sqlite3_the_error_names_the_socket(
    graph: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(graph, "5.4.2")
    monkeypatch.setitem(sys.modules, "sqlite3", None)
    error = read(graph).error
    assert error is not None
    assert "podman.socket" in error


@contextlib.contextmanager
def listening(graph: pathlib.Path) -> t.Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        server.bind(str(graph.parent / "podman.sock"))
        server.listen(1)
        yield server


def test_a_hung_socket_leaves_time_for_the_files(graph: pathlib.Path) -> None:
    store(graph, "5.4.2")
    with listening(graph):
        start = time.monotonic()
        check(read(graph, timeout=0.6))
        assert time.monotonic() - start < 0.6


def test_a_socket_that_nothing_listens_on(graph: pathlib.Path) -> None:
    store(graph, "4.3.1")
    with listening(graph):
        pass
    check(read(graph))


def test_neither_api_nor_database(graph: pathlib.Path) -> None:
    store(graph, "4.3.1").write_bytes(b"")
    with listening(graph):
        pass
    reading = read(graph)
    assert reading.error is not None
    assert "not a BoltDB file" in reading.error
    assert "nothing listens" in reading.error
    assert reading.containers == ()


def test_sources(
    graph: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert podman.sources({}) == []
    store(graph, "5.8.6")
    assert podman.sources({}) == [str(graph)]
    conf = tmp_path / "storage.conf"
    conf.write_text('[storage]\ngraphroot = "/nowhere"\n')
    assert podman.sources({}) == []
    link = tmp_path / "link"
    link.symlink_to(graph)
    conf.write_text(f'# graphroot = "/x"\n[storage]\ndriver = "vfs"\ngraphroot="{link}"\n')
    assert podman.sources({}) == [str(graph)]
    assert read(graph).source == str(graph)

    def denied(path: str, **_: t.Any) -> t.NoReturn:
        raise PermissionError(13, "Permission denied", path)

    (graph / SQLITE).unlink()
    conf.unlink()
    monkeypatch.setattr(podman_state.os, "stat", denied)
    assert podman_state.databases(str(graph))


def test_a_storage_of_another_configuration(
    graph: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(graph, "5.8.6")
    other = tmp_path / "other"
    graph.rename(other)
    conf = tmp_path / "other.conf"
    conf.write_text(f'[storage]\ngraphroot="{other}"\n')
    assert podman.sources({}) == []
    assert podman.sources({"CONTAINERS_STORAGE_CONF": str(conf)}) == [str(other)]
    # The service on the socket has the containers of the host's configuration.
    monkeypatch.setattr(podman, "_read_api", None)
    (tmp_path / "podman.sock").touch()
    reading = podman.read(str(other), 5, bool)
    assert (reading.error, reading.read_from) == (None, f"{other}/db.sql")
    assert reading.containers


def test_transient_store(graph: pathlib.Path, tmp_path: pathlib.Path) -> None:
    (tmp_path / "run").mkdir()
    store(graph, "5.8.6").rename(tmp_path / "run" / "db.sql")
    assert podman.sources({}) == [str(graph)]
    check(read(graph))


def test_databases_removed_meanwhile(graph: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    error = read(graph).error
    assert error is not None
    assert "no Podman database" in error
    for name in (SQLITE, BOLT):
        monkeypatch.setattr(podman_state, "databases", lambda path, name=name: [f"{path}/{name}"])
        assert read(graph).error is not None
        assert not (graph / name).exists()


def test_still_runs_by_its_monitor() -> None:
    identity = "c0ffee" * 10 + "beef"
    container = model.Container("podman", "/s", identity, "web", True, "running")
    monitor = "import subprocess, sys; subprocess.run([sys.executable, '-c', sys.argv[3]])"
    process = "import os, sys; print(os.getpid(), flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", monitor, "-c", identity, process],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as running:
        assert running.stdin is not None
        assert running.stdout is not None
        pid = int(running.stdout.readline())
        assert STILL_RUNS(container._replace(pid=pid), 5)
        assert not STILL_RUNS(container._replace(pid=pid, id="0" * 64), 5)
        # The monitor itself is not the container.
        assert not STILL_RUNS(container._replace(pid=running.pid), 5)
        running.stdin.close()
        running.wait()
    assert not STILL_RUNS(container._replace(pid=pid), 5)
