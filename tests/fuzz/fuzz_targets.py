# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The fuzz targets: every function that reads data of engines, containers, users or the kernel.

Each target is a context manager that returns a function of bytes. The bytes are either the input
itself, or decide how a captured document of an engine or kernel (tests/unit/data) is changed. A result
that breaks an invariant, or an exception that callers do not expect, is a defect.
"""

from __future__ import annotations

import base64
import contextlib
import csv
import gzip
import io
import ipaddress
import itertools
import json
import os
import pathlib
import re
import shlex
import socket
import struct
import tempfile
import time
import types
import typing as t
from unittest import mock

from fuzzed_data import FuzzedData
from invariants import check_container, check_name, check_reading

from ansible_collections.linuxnet.netns.plugins.module_utils._core import dns, model, names
from ansible_collections.linuxnet.netns.plugins.module_utils._core.engines import (
    bundles,
    cni,
    containerd,
    containerd_metadata,
    crio,
    docker,
    docker_daemons,
    docker_proxy,
    docker_state,
    incus,
    instance_backup,
    lxc,
    nspawn,
    pasta,
    podman,
    podman_state,
    ports,
    rest_api,
    rootless,
    state_files,
    unix_http,
    verify,
)
from ansible_collections.linuxnet.netns.plugins.module_utils._core.enter import namespace, pool
from ansible_collections.linuxnet.netns.plugins.module_utils._core.enter import (
    request as exec_request,
)
from ansible_collections.linuxnet.netns.plugins.module_utils._core.enter.command import Command
from ansible_collections.linuxnet.netns.plugins.module_utils._core.facts import discovery, records
from ansible_collections.linuxnet.netns.plugins.module_utils._core.hook import (
    config,
    examination,
    findings,
    report,
    stream,
)
from ansible_collections.linuxnet.netns.plugins.module_utils._core.kernel import (
    inotify,
    mounts,
    netlink,
    nftables,
    proc_net,
    procfs,
    rtnetlink,
    sock_diag,
    sockets,
)
from ansible_collections.linuxnet.netns.plugins.module_utils._core.links import (
    etc_netns,
    ledger,
    netns_dir,
    recognitions,
    request,
)
from ansible_collections.linuxnet.netns.plugins.plugin_utils import (
    _enter_command,
    _fleet_findings,
    _fleet_inventory,
    _fleet_ports,
    _fleet_schema,
    _fleet_search,
    _fleet_table,
    _fleet_target,
)

DATA = pathlib.Path(__file__).parents[1] / "unit" / "data"
Function = t.Callable[[bytes], None]


class Target(t.NamedTuple):
    """A fuzz target. `runs` is how often `make fuzz` calls it; `seeds` are its first inputs."""

    open: t.Callable[[], t.ContextManager[Function]]
    runs: int
    seeds: tuple[bytes, ...]
    max_bytes: int


TARGETS: dict[str, Target] = {}


def _target(
    runs: int, *seeds: bytes, max_bytes: int = 1024
) -> t.Callable[[t.Callable[[], t.Iterator[Function]]], None]:
    def add(function: t.Callable[[], t.Iterator[Function]]) -> None:
        opened = contextlib.contextmanager(function)
        TARGETS[function.__name__] = Target(opened, runs, (b"", *seeds), max_bytes)

    return add


def _load(name: str) -> t.Any:
    return json.loads((DATA / name).read_text())


# Enough decisions for a few changes in different places.
_DECISIONS = tuple(
    bytes((7 * start + 13 * place) % 251 for place in range(24)) for start in range(8)
)


@contextlib.contextmanager
def _temporary_directory() -> t.Iterator[pathlib.Path]:
    with tempfile.TemporaryDirectory(prefix="linuxnet-netns-fuzz-") as path:
        yield pathlib.Path(path)


class _FakeProcfs:
    """A procfs in which the fuzzer decides what each process's files contain."""

    def __init__(self) -> None:
        self.fuzzed = FuzzedData(b"")

    def open_process(self, pid: int) -> int:
        if self.fuzzed.number(4) == 1:
            raise model.GoneError(f"there is no process {pid}")
        return os.open("/", os.O_RDONLY)

    def read_text(self, process: int, name: str) -> str:
        if self.fuzzed.number(8) == 1:
            raise model.GoneError("the process ended")
        return self.fuzzed.text(200)

    def netns(self, process: int) -> model.NetnsId:
        return model.NetnsId(4, 4026531840 + self.fuzzed.number(3))

    def pinned_netns(self, path: str) -> model.NetnsId:
        return model.NetnsId(4, 4026531840 + self.fuzzed.number(3))

    @contextlib.contextmanager
    def patched(self) -> t.Iterator[None]:
        with contextlib.ExitStack() as stack:
            for name in ("open_process", "read_text", "netns"):
                stack.enter_context(mock.patch.object(procfs, name, getattr(self, name)))
            stack.enter_context(mock.patch.object(procfs, "pids", list))
            stack.enter_context(mock.patch.object(bundles, "pinned_netns", self.pinned_netns))
            stack.enter_context(mock.patch.object(bundles.time, "sleep", lambda _: None))
            yield


class _FakeSocket:
    """A socket that returns the data in pieces and is then closed."""

    data: t.ClassVar[bytes] = b""
    size: t.ClassVar[int] = 1

    def __init__(self, *_: object) -> None:
        self._position = 0

    def connect(self, address: str) -> None:
        pass

    def settimeout(self, seconds: float) -> None:
        assert seconds > 0

    def sendall(self, data: bytes) -> None:
        pass

    def getsockopt(self, _level: int, _name: int, size: int) -> bytes:
        return bytes(size)

    def recv(self, size: int) -> bytes:
        part = self.data[self._position : self._position + min(size, self.size)]
        self._position += len(part)
        return part

    def close(self) -> None:
        pass


_PLAIN = b"HTTP/1.1 200 OK\r\nServer: Docker/26.1.5 (linux)\r\nContent-Length: 4\r\n\r\n[{}]"
_CHUNKED = (
    b"HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"5\r\nhello\r\n6;x=y\r\n world\r\n0\r\nTrailer: x\r\n\r\n"
)


@_target(100_000, b"\x07" + _PLAIN + _CHUNKED, b"\xff" + _CHUNKED + _PLAIN)
def http() -> t.Iterator[Function]:
    """HTTP responses on a socket, complete and truncated."""

    def run(data: bytes) -> None:
        _FakeSocket.size, _FakeSocket.data = 1 + (data[0] if data else 0), data[1:]
        responses: list[unix_http.Response] = []
        deadline = time.monotonic() + 5
        try:
            with contextlib.closing(unix_http._Connection("/socket", deadline)) as connection:
                connection.send(["/x", "/y"], deadline)
                while connection.requested:
                    responses += [response for _target, response in connection.receive()]
        except model.EngineError:
            return
        assert sum(len(response.body) for response in responses) <= len(data)
        for response in responses:
            with contextlib.suppress(model.EngineError):
                rest_api.body(response)

    fake_socket = types.SimpleNamespace(
        socket=_FakeSocket,
        timeout=socket.timeout,
        AF_UNIX=0,
        SOCK_STREAM=0,
        SOL_SOCKET=0,
        SO_PEERCRED=0,
    )
    with mock.patch.object(unix_http, "socket", fake_socket):
        yield run


class _FakeClient:
    """A unix_http.Client that returns changed documents."""

    fuzzed = FuzzedData(b"")
    documents: t.ClassVar[dict[str, t.Any]] = {}
    server = ""
    peer_pid = 1

    def __init__(self, *_: object) -> None:
        pass

    def __enter__(self) -> _FakeClient:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def close(self) -> None:
        pass

    def reset_deadline(self, timeout: float) -> None:
        pass

    def get(self, target: str) -> unix_http.Response:
        document = self.documents.get(target)
        status = 404 if document is None else 200
        if self.fuzzed.number(2):
            document = self.fuzzed.mutate(document)
        return unix_http.Response(status, {"server": self.server}, self.fuzzed.to_json(document))

    def get_each(self, targets: t.Sequence[str]) -> list[unix_http.Response]:
        return list(map(self.get, targets))

    def make_each(self, targets: t.Sequence[str], make: t.Callable[..., t.Any]) -> list[t.Any]:
        return [make(target, self.get(target)) for target in targets]


@contextlib.contextmanager
def _patched_client(
    module: types.ModuleType, server: str, documents: dict[str, t.Any]
) -> t.Iterator[None]:
    with mock.patch.object(module.unix_http, "Client", _FakeClient), mock.patch.multiple(
        _FakeClient, documents=documents, server=server
    ):
        yield


def _docker_documents() -> dict[str, t.Any]:
    summaries = _load("docker-20.10/list.json")[:3]
    documents = {
        "/containers/json?all=1": summaries,
        "/networks": _load("docker-26.1.5/networks.json"),
    }
    for item in summaries:
        documents[f"/containers/{item['Id']}/json"] = _load(
            f"docker-20.10/{item['Names'][0][1:]}.json"
        )
    return documents


@_target(30_000, *_DECISIONS)
def docker_api() -> t.Iterator[Function]:
    """The responses of Docker's API, with hostile values anywhere."""
    documents = _docker_documents()
    ids = {target.split("/")[2] for target in documents if target.endswith("/json")}
    pin = "/run/docker/netns/lb_s0d2abcde"

    def run(data: bytes) -> None:
        _FakeClient.fuzzed = FuzzedData(data)
        if _FakeClient.fuzzed.number(3) == 0:
            check_reading(docker.read_some("/socket", 5, ids, {}))
        elif _FakeClient.fuzzed.number(3) == 0:
            for network in docker.networks("/socket", [pin], 5)[0].values():
                assert network.name is None or isinstance(network.name, str)
        else:
            check_reading(docker.read("/socket", 5, lambda _: True))

    with _patched_client(docker, "Docker/20.10.24 (linux)", documents), mock.patch.object(
        verify, "check", lambda claim: claim.pid % (verify.GONE + 1)
    ):
        yield run


@_target(8_000, *_DECISIONS)
def docker_files() -> t.Iterator[Function]:
    """Docker's files about containers, which are read while it is down, and daemon.json."""
    captured = _load("docker-28.5.2/state.json")["containers"]
    with _temporary_directory() as directory, _FakeProcfs().patched():
        daemon_json = directory / "daemon.json"
        for identity in list(captured)[:2]:
            path = directory / "containers" / identity
            path.mkdir(parents=True)
            for name, content in captured[identity].items():
                (path / name).write_text(json.dumps(content))

        def run(data: bytes) -> None:
            fuzzed = FuzzedData(data)
            identity = fuzzed.pick(list(captured)[:2])
            name = fuzzed.pick(sorted(captured[identity]))
            path = directory / "containers" / identity / name
            document = captured[identity][name]
            if fuzzed.number(8) == 0:
                daemon_json.write_bytes(
                    fuzzed.to_json(fuzzed.mutate({"data-root": str(directory)}))
                )
            path.write_bytes(fuzzed.to_json(fuzzed.mutate(document)))
            try:
                check_reading(docker_state.read("docker", "/socket", 5, lambda _: True))
            except model.EngineError:
                pass
            finally:
                daemon_json.unlink(missing_ok=True)
                path.write_text(json.dumps(document))

        with mock.patch.object(docker_daemons, "CONFIG", str(daemon_json)), mock.patch.multiple(
            docker_state, _DATA_ROOT=str(directory), _RETRY_DELAY=0
        ):
            yield run


@_target(30_000, *_DECISIONS)
def podman_api() -> t.Iterator[Function]:
    """The responses of Podman's API."""
    captured = _load("podman-5.4.2/api.json")
    summaries = captured["list"][:3]
    documents = {
        f"/v4.0.0/libpod/containers/{item['Id']}/json": captured["inspect"][item["Id"]]
        for item in summaries
        if item["Id"] in captured["inspect"]
    }
    for target, document in documents.items():
        # The capture is without it.
        document["Id"] = target.split("/")[-2]
    documents["/v4.0.0/libpod/containers/json?all=true"] = summaries

    def run(data: bytes) -> None:
        _FakeClient.fuzzed = FuzzedData(data)
        with contextlib.suppress(model.EngineError):
            check_reading(podman._read_api("/graph", 5, lambda _: True))

    with _patched_client(podman, captured["server"], documents), mock.patch.object(
        podman, "still_runs", lambda *_: True
    ):
        yield run


@_target(20_000, *_DECISIONS)
def podman_records() -> t.Iterator[Function]:
    """The JSON in Podman's database."""
    with _temporary_directory() as directory:
        packed = (DATA / "podman-5.4.2" / "db.sql.gz").read_bytes()
        (directory / "db.sql").write_bytes(gzip.decompress(packed))
        records = podman_state._read_sqlite(str(directory / "db.sql"), time.monotonic() + 60)
    for record in records:
        # A seccomp profile has hundreds of names of system calls.
        record.config["spec"].get("linux", {}).pop("seccomp", None)

    def run(data: bytes) -> None:
        fuzzed = FuzzedData(data)
        record = fuzzed.pick(records)
        changed = podman_state.Record(
            record.id,
            *(
                podman_state._decode(fuzzed.to_json(fuzzed.mutate(part)), "db")
                if fuzzed.number(2)
                else part
                for part in (record.config, record.state)
            ),
            pin=fuzzed.text(),
            pod_name=record.pod_name,
        )
        check_container(podman._recorded("/graph", changed))

    with mock.patch.object(podman, "still_runs", lambda *_: True):
        yield _or_engine_error(run)


def _or_engine_error(run: Function) -> Function:
    def tried(data: bytes) -> None:
        with contextlib.suppress(model.EngineError):
            run(data)

    return tried


def _with_changed_bytes(content: bytes, fuzzed: FuzzedData) -> bytes:
    """The content with some bytes changed, complete or truncated."""
    data = bytearray(content)
    for _change in range(fuzzed.number(6)):
        offset = fuzzed.number(len(data))
        part = fuzzed.part(32)
        data[offset : offset + len(part)] = part
    return bytes(data[: fuzzed.number(len(data))] if fuzzed.number(8) == 1 else data)


@contextlib.contextmanager
def _database(name: str, read: t.Callable[[str, float], object]) -> t.Iterator[Function]:
    """A captured database, with other changes each time."""
    content = gzip.decompress((DATA / f"{name}.gz").read_bytes())
    with _temporary_directory() as directory:
        path = directory / pathlib.PurePath(name).name

        def run(data: bytes) -> None:
            path.write_bytes(_with_changed_bytes(content, FuzzedData(data)))
            read(str(path), time.monotonic() + 5)

        yield _or_engine_error(run)


@_target(2_000, *_DECISIONS)
def podman_bolt() -> t.Iterator[Function]:
    """Podman's BoltDB database, with changes anywhere."""
    with _database("podman-4.3.1/bolt_state.db", podman_state._read_bolt) as run:
        yield run


@_target(2_000, *_DECISIONS)
def containerd_bolt() -> t.Iterator[Function]:
    """containerd's BoltDB database, with changes anywhere."""
    keys = {("default", "plain")}

    def read(path: str, deadline: float) -> None:
        for labels in containerd_metadata.read(path, keys, deadline).values():
            for text in itertools.chain.from_iterable(
                labels.items() if isinstance(labels, dict) else ()
            ):
                text.encode()

    with _database("containerd-1.7.24/meta.db", read) as run:
        yield run


@_target(2_000, *_DECISIONS)
def podman_sqlite() -> t.Iterator[Function]:
    """Podman's SQLite database, with changes anywhere."""
    with _database("podman-5.4.2/db.sql", podman_state._read_sqlite) as run:
        yield run


@_target(2_000, *_DECISIONS)
def podman_sqlite_of_user() -> t.Iterator[Function]:
    """The same database in the home of a user, which SQLite does not read."""

    def read(path: str, deadline: float) -> None:
        left = state_files.Deadline(deadline - time.monotonic())
        with state_files.open_regular(path) as fd:
            podman_state.records_of_user(path, fd, 1 << 25, left)

    with _database("podman-5.4.2/db.sql", read) as run:
        yield run


@contextlib.contextmanager
def _bundles(
    configs: t.Mapping[pathlib.PurePath, t.Any],
    pid_file: str,
    read: t.Callable[[str], model.Reading],
) -> t.Iterator[Function]:
    """OCI bundles in a directory, of which one is changed each time."""
    kernel = _FakeProcfs()
    with _temporary_directory() as directory, kernel.patched():
        for place, document in configs.items():
            (directory / place).mkdir(parents=True)
            (directory / place / "config.json").write_text(json.dumps(document))
            (directory / place / pid_file).write_text("4711")

        def run(data: bytes) -> None:
            kernel.fuzzed = fuzzed = FuzzedData(data)
            place = fuzzed.pick(list(configs))
            path = directory / place
            (path / "config.json").write_bytes(fuzzed.to_json(fuzzed.mutate(configs[place])))
            if fuzzed.number(4) == 1:
                (path / pid_file).write_bytes(fuzzed.part())
            try:
                reading = read(str(directory))
                check_reading(reading)
                # One bundle never hides the others.
                assert reading.error is None
            finally:
                (path / "config.json").write_text(json.dumps(configs[place]))
                (path / pid_file).write_text("4711")

        yield run


@_target(8_000, *_DECISIONS)
def containerd_bundles() -> t.Iterator[Function]:
    """The OCI bundles of a pod's sandbox and of one of its containers."""
    captured = _load("containerd-1.7.24/state.json")["bundles"]["k8s.io"]
    configs = {
        pathlib.PurePath(containerd.TASKS, "k8s.io", identity): captured[identity]["config.json"]
        for identity in list(captured)[:2]
    }
    with _bundles(
        configs, "init.pid", lambda path: containerd.read(path, 5, lambda _: True)
    ) as run:
        yield run


@_target(8_000, *_DECISIONS)
def crio_bundles() -> t.Iterator[Function]:
    """The same of CRI-O, with JSON in the annotations."""
    captured = _load("crio/state.json")["bundles"]
    configs = {
        pathlib.PurePath("overlay-containers", identity, "userdata"): captured[identity][
            "config.json"
        ]
        for identity in list(captured)[:2]
    }
    with _bundles(configs, "pidfile", lambda path: crio.read(path, 5, lambda _: True)) as run:
        yield run


def _bundle(path: str) -> bundles.Bundle:
    with state_files.open_directory(path, path) as fd:
        assert fd is not None
        bundle = bundles.read(fd, path, "init.pid")
    assert bundle is not None
    return bundle


@_target(15_000, b'{"linux": {"cgroupsPath": "/x"}}', b'state = "/run/x"\n[a]\nb = 1\n')
def bundle_files() -> t.Iterator[Function]:
    """The bytes of a bundle's files and of a TOML file."""
    with _temporary_directory() as directory, mock.patch.object(
        bundles.time, "sleep", lambda _: None
    ):
        (directory / "init.pid").write_text("1")

        def run(data: bytes) -> None:
            (directory / "config.json").write_bytes(data)
            (directory / "init.pid").write_bytes(data[:80] if data[:1] == b"1" else b"1")
            state_files.toml_string(str(directory / "config.json"), "state", "").encode(
                "utf-8", "replace"
            )
            bundle = _bundle(str(directory))
            assert bundle.unread or bundle.pid > 0

        yield run


@_target(100_000, b"lxc-start\0-n\0web\0-P\0/srv\0", b"[lxc monitor] /var/lib/lxc web\0")
def lxc_monitors() -> t.Iterator[Function]:
    """The arguments and titles of processes with the name of an LXC monitor."""
    kernel = _FakeProcfs()

    def run(data: bytes) -> None:
        kernel.fuzzed = FuzzedData(b"")
        with mock.patch.object(procfs, "read_text", lambda _process, name: os.fsdecode(data)):
            monitored = lxc._monitored_container(0, "/var/lib/lxc")
        if monitored is not None:
            assert "/" not in monitored.name
            identity = monitored.id("/var/lib/lxc")
            check_container(
                model.Container("lxc", "/", identity, monitored.name, running=True, status="")
            )

    with mock.patch.object(procfs, "command", lambda _: "lxc-execute"), mock.patch.object(
        lxc.lxc_monitors, "is_program_of_root", lambda *_: True
    ):
        yield run


@_target(10_000, *_DECISIONS)
def incus_instances() -> t.Iterator[Function]:
    """The answers of Incus and LXD about instances."""
    listed = _load("incus-6.0.4/state.json")["api"][incus._INSTANCES]

    def run(data: bytes) -> None:
        fuzzed = FuzzedData(data)
        answers = [fuzzed.to_json(fuzzed.mutate(listed)) for _answer in range(2)]
        response, state = (unix_http.Response(200, {}, answer) for answer in answers)
        try:
            containers, problem = incus.INCUS._listed("/var/lib/incus", response)
        except model.EngineError:
            return
        check_reading(model.Reading("incus", "/var/lib/incus", None, tuple(containers), problem))
        for container in containers:
            assert "/" not in container.full_name
            check_container(incus._with_reported_pid(container, state)[0])

    yield run


@_target(
    100_000,
    b"container:\n  expanded_config:\n    user.a: 'b'\n    user.c: d\n  name: web\n",
    b'instance:\n  expanded_config:\n    user.a: "b\\n"\n',
)
def instance_backups() -> t.Iterator[Function]:
    """backup.yaml of an instance of Incus or LXD."""

    def run(data: bytes) -> None:
        try:
            settings = instance_backup.parse(data.decode())
        except ValueError:
            return
        for key, value in settings.items():
            assert ":" not in key
            value.encode()

    yield run


@_target(
    10_000, b"CLASS=container\nSERVICE=systemd-nspawn\nLEADER=1\nSCOPE=a.scope\nREALTIME=123456\n"
)
def nspawn_machines() -> t.Iterator[Function]:
    """machined's state file of a machine."""
    kernel = _FakeProcfs()
    with _temporary_directory() as directory, kernel.patched(), mock.patch.object(
        nspawn, "_IMAGES", str(directory / "images")
    ):

        def run(data: bytes) -> None:
            kernel.fuzzed = FuzzedData(data)
            (directory / "web").write_bytes(data)
            check_reading(nspawn.read(str(directory), 5, lambda _: True))

        yield run


@_target(30_000, *_DECISIONS)
def rootless_monitors() -> t.Iterator[Function]:
    """The arguments of users' processes, and Docker's file in a user's home."""
    document = _load("rootless-5.4.2/config.v2.json")
    container = model.Container(
        "docker", "/proc#1", document["ID"], "x", running=True, status="running"
    )

    def run(data: bytes) -> None:
        fuzzed = FuzzedData(data)
        arguments = fuzzed.text(200).split("\0")
        for parsed in (rootless._parse_conmon(arguments), rootless._parse_shim(arguments)):
            assert parsed is None or isinstance(parsed.id, str)
        content = fuzzed.to_json(fuzzed.mutate(document))
        with mock.patch.object(rootless, "_read_docker_file", lambda *_: content):
            check_container(rootless._add_docker_details(container, 1))

    yield run


@_target(100_000, b"dockerd", b"lxc-\x0cUid:0", b"x) S 1 (", b"a\x0c0::/docker/x")
def procfs_files() -> t.Iterator[Function]:
    """Names of processes and cgroups in files of procfs: none can pass for another line or field."""

    def run(data: bytes) -> None:
        fuzzed = FuzzedData(data)
        comm = fuzzed.part(16).replace(b"\0", b"")
        path = os.fsdecode(fuzzed.part(200).replace(b"\0", b"").replace(b"\n", b""))
        escaped = comm.replace(b"\\", rb"\\").replace(b"\n", rb"\n")
        numbers = " ".join(map(str, range(4, 53)))
        texts = {
            "stat": os.fsdecode(b"7 (%s) S " % comm) + numbers,
            "status": os.fsdecode(b"Name:\t%s\n" % escaped)
            + "Umask:\t0022\nUid:\t1000\t1001\t1002\t1003\nNSpid:\t7\t1\n",
            "cgroup": f"5:name=systemd:/{path}\n0::/a.slice/b.service\n",
        }
        with mock.patch.object(
            procfs, "read_text", lambda _process, name: texts[name]
        ), mock.patch.object(procfs, "living_thread", lambda _process: ""):
            assert procfs.parent(0) == 4
            assert procfs.start_time(0) == 22
            assert procfs.status_field(0, "Uid")[1] == "1001"
            assert procfs.status_field(0, "NSpid") == ["7", "1"]
            unit = procfs.unit(procfs.systemd_cgroups(0))
            assert unit == "b.service" or (unit is not None and unit in path.split("/"))
            identity = "ab" * 32
            assert not procfs.in_cgroup_of(0, identity) or identity in path
        with mock.patch.object(docker_state, "procfs", _Cgroups(texts["cgroup"])):
            assert docker_state._cgroups(7) == [
                ("name=systemd", f"/{path}"),
                ("", "/a.slice/b.service"),
            ]

    yield run


class _Cgroups:
    """A procfs with one process."""

    lines = staticmethod(procfs.lines)

    def __init__(self, text: str) -> None:
        self._text = text

    def opened(self, pid: int) -> t.ContextManager[int]:
        return contextlib.nullcontext(pid)

    def read_text(self, process: int, name: str) -> str:
        return self._text


@_target(20_000, b"/run/docker.sock", b"x\n0: 2 0 10000 1 1 9 /run/docker.sock")
def unix_sockets() -> t.Iterator[Function]:
    """/proc/net/unix, in which paths are not escaped."""
    line = b"0000000010c027c4: 00000003 00000000 00010000 0001 01 6327404 %s\n"
    with _temporary_directory() as directory:
        table = directory / "unix"

        def run(data: bytes) -> None:
            path = data[:107].replace(b"\0", b"@") or b"/"
            table.write_bytes(
                b"Num       RefCount Protocol Flags    Type St Inode Path\n" + line % path
            )
            for wanted in ("/run/docker.sock", os.fsdecode(path)):
                found = sockets.listening(wanted)
                assert all(inode.isdecimal() for inode in found)
            if b"\n" not in path and b"\r" not in path:
                assert found == {"6327404"}

        real = open

        def opened(path: str, mode: str) -> t.IO[t.Any]:
            return real(table if path == "/proc/net/unix" else path, mode)

        with mock.patch.object(sockets, "open", opened, create=True):
            yield run


_MOUNTS = b"""27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard
35 27 0:31 / /run rw,nosuid,nodev shared:12 - tmpfs tmpfs rw,size=4k
96 35 0:31 /netns /run/netns rw,nosuid shared:12 - tmpfs tmpfs rw,size=4k
140 96 0:4 net:[4026532261] /run/netns/red rw shared:7 master:3 propagate_from:2 - nsfs nsfs rw
150 27 254:0 /srv/a\\040b\\011c\\134d /mnt/a\\040b rw - ext4 /dev/vda rw
151 96 0:4 net:[4026532300] /run/netns/gone//deleted rw - nsfs nsfs rw
"""


def _escaped(path: bytes) -> bytes:
    return b"".join(b"\\%03o" % byte if byte in b" \t\n\\#" else bytes((byte,)) for byte in path)


@_target(50_000, _MOUNTS, *_MOUNTS.splitlines(keepends=True))
def mountinfo() -> t.Iterator[Function]:
    """The bytes of a mountinfo file, and mount points escaped as the kernel does."""

    def run(data: bytes) -> None:
        text = os.fsdecode(data)
        for directory in (None, "/run/netns", "/"):
            table = {mount.id: mount for mount in mounts.parse(text, directory)}
            for mount in table.values():
                mounts.location(mount, table)
                mounts.is_self_bind(mount, table)
            if table:
                netns_dir.pins_in("/run/netns", next(iter(table)), table, None)
        scanner = discovery._Scanner()
        scanner.add_pins(mounts.parse(text))
        scanner._mount_tables["x"] = (7, data)
        scanner.add_pins_elsewhere()
        found = discovery._host_namespaces(None, *scanner.found())
        assert all(netns.inode >= 0 for netns in found.namespaces)
        path = b"/" + data[:64].replace(b"\0", b"")
        line = b"140 96 0:4 net:[4026532261] %s rw shared:7 - nsfs nsfs rw\n" % _escaped(path)
        (mount,) = mounts.parse(os.fsdecode(line))
        assert mount.point == os.fsdecode(path)

    yield run


def _netlinks() -> tuple[bytes, ...]:
    return tuple(path.read_bytes() for path in sorted((DATA / "netlink-6.18").glob("*.bin")))


@_target(100_000, *_netlinks(), max_bytes=8192)
def netlink_messages() -> t.Iterator[Function]:
    """Netlink messages and inotify events of the kernel."""

    def run(data: bytes) -> None:
        for parse in (
            rtnetlink.parse_interfaces,
            rtnetlink.parse_addresses,
            rtnetlink.parse_routes,
            rtnetlink.parse_nsid,
            rtnetlink.filters_vlans,
            nftables.parse_chains,
            nftables.parse_rules,
            netlink.check_reply,
            lambda part: netlink.find_end(part, 1),
        ):
            with contextlib.suppress(OSError):
                parse(data)
        with contextlib.suppress(struct.error):
            list(inotify.parse(data))

    yield run


_PROC_NET = (
    b"   0: 0100007F:1F90 00000000:0000 0A 00000000:00000002 00:00000000 00000000  1000        0 4711 1 0\n",
    (
        b"   1: 00000000000000000000000001000000:01BB 00000000000000000000000000000000:0000 07 00000000:00000000 "
        b"00:00000000 00000000     0        0 9 2 0000 0\n"
    ),
)
_SOCKETS = tuple(
    (DATA / f"netlink-6.18/sockets-{name}.bin").read_bytes() for name in ("tcp", "udp")
)


@_target(50_000, *_SOCKETS, *_PROC_NET, max_bytes=8192)
def sockets_that_listen() -> t.Iterator[Function]:
    """The kernel's messages about sockets, and the lines of /proc/net."""

    def run(data: bytes) -> None:
        for protocol in sock_diag.PROTOCOLS:
            found = proc_net.parse(data, protocol)
            counts: dict[int, int] = {}
            with contextlib.suppress(OSError):
                messages: list[bytes] = []
                sock_diag.split(data, sock_diag.LISTENING[protocol], messages, counts)
                assert sum(map(len, messages)) <= len(data)
                found += sock_diag.parse(b"".join(messages), protocol, [])
            with contextlib.suppress(OSError):
                found += sock_diag.parse(data, protocol, [])
            assert all(sock_diag.by_state(protocol, counts).values())
            for listener in found:
                ipaddress.ip_address(listener.address)
                assert 0 <= listener.port < 1 << 16

    yield run


@_target(5_000, *_DECISIONS)
def published_ports() -> t.Iterator[Function]:
    """What engines record about ports, with hostile values anywhere."""
    mapping = {"host_ip": "", "host_port": 80, "hostPort": 81, "container_port": 80, "range": 2}
    binding = {"HostIp": "0.0.0.0", "HostPort": "8080"}
    subnets = {"podman": {"interfaces": {"eth0": {"subnets": [{"ipnet": "10.0.0.1/8"}]}}}}
    documents = (
        {
            "NetworkSettings": {
                "Ports": {"80/tcp": [binding], "81/udp": None},
                "Networks": {"a": {"IPAddress": "10.0.0.1", "GlobalIPv6Address": "fd00::1"}},
            }
        },
        {"newPortMappings": [mapping], "portMappings": [mapping], "networkStatus": subnets},
        {
            "capabilityArgs": {"portMappings": [mapping]},
            "result": {"ips": [{"address": "10.0.0.1/8"}]},
        },
        {"a": {"type": "proxy", "listen": "tcp:0.0.0.0:80-82", "connect": "udp:[::1]:80,90,91"}},
    )

    def run(data: bytes) -> None:
        fuzzed = FuzzedData(data)
        settings, database, cached, devices = map(fuzzed.mutate, documents)
        for found in (
            ports.from_settings(settings),
            ports.from_podman_database(database, database),
            ports.from_cni(cached),
            ports.from_devices(devices),
        ):
            _check_ports(found)

    yield run


def _check_ports(found: t.Iterable[model.Port]) -> None:
    # Thousands of a range are alike.
    for port in itertools.islice(found, 100):
        ipaddress.ip_address(port.address)
        ipaddress.ip_address(port.to_address or "::")
        assert 0 < port.port < 1 << 16 > port.to_port > 0


@_target(10_000, *_DECISIONS)
def cni_results() -> t.Iterator[Function]:
    """The files in which the library of CNI has the ports of a container."""
    mapping = {"hostPort": 8080, "containerPort": 80, "protocol": "tcp", "hostIP": ""}
    plugin = {"type": "portmap", "capabilities": {"portMappings": True}}
    network = {"cniVersion": "1.0.0", "name": "pods", "plugins": [{"type": "bridge"}, plugin]}
    document = {
        "containerId": "ab" * 32,
        "config": "",
        "capabilityArgs": {"portMappings": [mapping]},
        "result": {"ips": [{"address": "10.0.0.1/8"}]},
    }
    with _temporary_directory() as directory, mock.patch.object(cni, "_RESULTS", str(directory)):

        def run(data: bytes) -> None:
            fuzzed = FuzzedData(data)
            config = fuzzed.to_json(fuzzed.mutate(network) if fuzzed.number(2) else network)
            encoded = base64.b64encode(config).decode()
            (directory / "pods-web-eth0").write_bytes(
                fuzzed.to_json(fuzzed.mutate({**document, "config": encoded}))
            )
            by_id, problems = cni.published(state_files.Deadline(5))
            for identity, found in by_id.items():
                assert isinstance(identity, str)
                _check_ports(found)
            assert all(str(directory) in problem for problem in problems)

        yield run


@_target(
    50_000,
    b"docker-proxy\0-proto\0tcp\0-host-ip\0::\0-host-port\x0080\0-container-ip\0fd00::2\0-container-port\x0080",
    b"pasta\0--config-net\0-t\0127.0.0.1%lo/8080-8090:80-90,53\0--udp-ports=5353:53\0-a\0",
    b"[lxc monitor] /var/lib/incus/containers shop_web",
    b"runsc-sandbox\0--network=sandbox\0boot",
    b"bash\0--norc\0mininet:h1",
    b"0::/lxc.payload.web/init.scope",
)
def command_lines() -> t.Iterator[Function]:
    """The arguments of proxies and monitors, which name ports, containers and nodes, and their cgroups."""
    words: list[str] = []

    def run(data: bytes) -> None:
        text = os.fsdecode(data)
        words[:] = text.split("\0")
        _check_ports(docker_proxy.published())
        for protocol in sock_diag.PROTOCOLS:
            for number in (53, 80, 8080, 65535):
                to_port = pasta.to_port(words, protocol, number)
                assert to_port is None or 0 <= to_port < 1 << 18
        with mock.patch.object(procfs, "read_text", lambda _process, _name: text):
            monitored = incus.INCUS._monitored(0, "/var/lib/incus")
        # A project can have most characters in its name.
        assert monitored is None or re.fullmatch(r"[^/\s]+", monitored)
        for name in (records.mininet_node(words), procfs.lxc_payload(words)):
            assert name is None or "/" not in name
        assert records.gvisor_netstack(words) in (None, "gvisor")

    with mock.patch.multiple(
        docker_proxy.daemons,
        running=lambda _prefix: [(0, docker_proxy.COMMAND)],
        arguments=lambda _process: words,
    ), mock.patch.object(procfs, "command", lambda _process: "incusd"), mock.patch.object(
        incus.lxc_monitors, "is_program_of_root", lambda *_arguments: True
    ):
        yield run


_RESOLV_CONF = b"search example.org\nnameserver 127.0.0.11\noptions edns0 ndots:0\n"
_MARKED = b'# linuxnet.netns {"link": "/run/netns/web", "labels": {}}\nnameserver 127.0.0.11\n'


@_target(15_000, _RESOLV_CONF, _MARKED, b"nameserver fe80::1%eth0\ndomain x\n")
def resolv_conf() -> t.Iterator[Function]:
    """resolv.conf files of containers, and files in /etc/netns."""
    container = model.Container("docker", "/s", "a" * 64, "web", running=True, status="running")
    with _temporary_directory() as directory:
        path = directory / "resolv.conf"

        def run(data: bytes) -> None:
            parsed = dns.parse(dns._text(data))
            for text in (*parsed.nameservers, *parsed.search, *parsed.options):
                text.encode()
            path.write_bytes(data)
            lines = etc_netns.dns_lines(str(path))
            assert all("\n" not in line for line in lines)
            written = etc_netns.compose(lines, "/run/netns/web", container)
            assert written.encode("utf-8", "surrogateescape").count(b"\n") == len(lines) + 1
            for text in (os.fsdecode(data), written):
                owner = etc_netns._mark(text)
                if owner is not None:
                    assert isinstance(owner["link"], str)
                    assert isinstance(owner.get("labels", {}), dict)

        yield run


_ENTRY = {
    "netns": [4, 4026532184],
    "file": 17,
    "maker": "module",
    "previous": [4, 4026532100],
    "engine": "docker",
    "source": "/run/docker.sock",
    "container_id": "a" * 64,
    "container_name": "web",
    "pod": {"namespace": "shop", "name": "web", "uid": "u-1"},
    "labels": {"app": "shop"},
    "pid": 12,
    "start_time": 34,
}


@_target(10_000, *_DECISIONS)
def ledger_file() -> t.Iterator[Function]:
    """The ledger, with any lines and any entries."""
    header = json.dumps(["linuxnet.netns ledger", 1, "boot"]).encode() + b"\n"
    plain = ledger.Entry("/run/netns/vpn", model.NetnsId(4, 4026532185), None, "module")
    with _temporary_directory() as directory, mock.patch.object(ledger, "boot_id", lambda: "boot"):
        path = directory / "ledger"

        def run(data: bytes) -> None:
            fuzzed = FuzzedData(data)
            line = fuzzed.to_json(fuzzed.mutate(["/run/netns/web", _ENTRY]))
            path.write_bytes(header + line + b"\n" + fuzzed.rest())
            loaded = ledger.Ledger(str(directory))
            for entry_path, entry in loaded.entries.items():
                assert entry_path == entry.path
                assert names.unusable(entry.name) is None
                assert entry.netns != entry.previous or isinstance(entry.netns, model.NetnsId)
                container = entry.container()
                if container is not None:
                    check_container(container)
            loaded.record([plain])
            assert ledger.Ledger(str(directory)).entries == loaded.entries

        yield run


_RECOGNITIONS = ["boot", [[12, 11306928, 34, "a" * 64], [13, 11306929, 35, "b" * 64]]]


@_target(10_000, *_DECISIONS)
def recognized_processes() -> t.Iterator[Function]:
    """The file of the recognized processes, with anything in it."""
    with _temporary_directory() as directory, mock.patch.object(ledger, "boot_id", lambda: "boot"):
        path = directory / recognitions.NAME

        def run(data: bytes) -> None:
            fuzzed = FuzzedData(data)
            path.write_bytes(fuzzed.to_json(fuzzed.mutate(_RECOGNITIONS)) + fuzzed.rest())
            found = recognitions.read(str(directory))
            assert all(len(each) == 3 for each in found.values())
            recognitions.write(str(directory), {1: (2, 3, "c" * 64)})
            assert recognitions.read(str(directory)) == {1: (2, 3, "c" * 64)}

        yield run


@_target(50_000, b"web", b"0x1f", b"{name}", b"\xed\xa0\x80", "🐋".encode(), b"../x")
def link_names() -> t.Iterator[Function]:
    """Names, templates and options that users give."""
    limits = pool.Limits(5.0, 1, 1024)

    def run(data: bytes) -> None:
        for text in (
            os.fsdecode(data),
            data.decode("utf-8", "surrogatepass") if _is_wtf8(data) else "",
        ):
            check_name(text)
            names.unusable(text)
            with contextlib.suppress(model.SelectionError):
                names.Template(text)
            for link_request in (
                request.LinkRequest(pid=7, names=(text,)),
                request.LinkRequest(state="absent", names=(text,)),
                request.LinkRequest(all=True, name_template=text, netns_dir=text),
                request.LinkRequest(path=text, names=("x",)),
                exec_request.ExecRequest(
                    Command((text,), chdir=text, environment={text: text}), limits, links=(text,)
                ),
                exec_request.ExecRequest(Command(("id",)), limits, path=text, sources=(text,)),
            ):
                with contextlib.suppress(model.SelectionError):
                    link_request.check()
                    assert "\0" not in link_request.netns_dir + (link_request.path or "")

    yield run


def _is_wtf8(data: bytes) -> bool:
    try:
        data.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return False
    return True


_SETTINGS = {
    "trigger": "udev",
    "engines": ["docker", "podman"],
    "labels": {"app": "x"},
    "name_template": "{engine}-{name}",
    "resolv_conf": True,
    "resync_interval": 5,
}


@_target(15_000, *_DECISIONS)
def hook_config() -> t.Iterator[Function]:
    """The hook's configuration file, and the files of what it has reported."""
    found = examination.Report([], ["mtu"], True)
    with _temporary_directory() as directory, contextlib.redirect_stderr(io.StringIO()):
        reported = directory / "hook-reported"
        logged = directory / "hook-findings"

        def run(data: bytes) -> None:
            fuzzed = FuzzedData(data)
            reported.write_bytes(fuzzed.to_json(fuzzed.mutate([{"a": "b"}, {"c": "d"}])))
            report.Reporter(str(directory))
            logged.write_bytes(fuzzed.to_json(fuzzed.mutate({"mtu: m": "mtu", "x: y": "x"})))
            findings.FindingsReporter(str(directory)).log(found)
            with contextlib.suppress(model.NetnsError):
                settings = config.parse(fuzzed.to_json(fuzzed.mutate(_SETTINGS)))
                time.strftime("%H", time.gmtime(settings.resync_interval))
                settings.link_request()
            with contextlib.suppress(model.NetnsError):
                config.parse(fuzzed.rest())

        yield run


_EVENT = b'{"Type":"container","Action":"start","Actor":{"ID":"%s"}}\n' % (b"ab" * 32)
_EVENTS = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n" % (
    len(_EVENT),
    _EVENT,
)


def _captured_events() -> tuple[bytes, ...]:
    return tuple(
        b"\x20" + gzip.decompress(path.read_bytes())[:4000]
        for path in sorted(DATA.glob("*/events.gz"))
    )


@_target(100_000, b"\x05" + _EVENTS, b"\xffHTTP/1.0 200 OK\r\n\r\n" + _EVENT, *_captured_events())
def hook_events() -> t.Iterator[Function]:
    """Streams of events, whose events are the same however the stream is split."""

    def read(*parts: bytes) -> tuple[list[stream.Event], bool]:
        parser = stream.Parser()
        events: list[stream.Event] = []
        try:
            for part in parts:
                events += parser.feed(part)
        except model.EngineError:
            return events, True
        return events, False

    def run(data: bytes) -> None:
        size, data = 1 + (data[0] if data else 0), data[1:]
        whole, broken = read(data)
        pieces, broken_too = read(*(data[at : at + size] for at in range(0, len(data), size)))
        # Events before an error in the same piece are not returned.
        assert broken == broken_too
        assert broken or whole == pieces
        for event in pieces:
            assert len(event.id) == 64
            assert len(event.action) < 16

    yield run


@_target(5_000, *_DECISIONS)
def fleet_facts() -> t.Iterator[Function]:
    """Facts of managed hosts, which the controller's filters read."""
    web1 = _load("facts/web1.json")
    good = {**web1, "namespaces": web1["namespaces"][:1]}

    def run(data: bytes) -> None:
        fuzzed = FuzzedData(data)
        changed = json.loads(json.dumps(fuzzed.mutate(web1)))
        facts = {"web1": changed, "good": good}
        question = fuzzed.text()
        try:
            rows = _fleet_table.rows(facts)
            # One host cannot hide another.
            assert [row["inode"] for row in rows if row["host"] == "good"] == [
                good["namespaces"][0]["inode"]
            ]
            for line in _fleet_table.table(facts):
                assert line.isprintable()
            for cells in csv.reader(io.StringIO(_fleet_table.comma_separated(facts))):
                assert len(cells) == 10
                for cell in cells:
                    assert cell.isprintable()
                    for part in cell.split(";"):
                        assert not part.lstrip().startswith(("=", "+", "-", "@"))
            for match in _fleet_search.find(facts, question) + _fleet_search.find(
                facts, good["namespaces"][0]["inode"]
            ):
                assert match["answer"].isprintable()
        except _fleet_schema.FleetError:
            assert not question.strip()

    yield run


_LISTENERS = [
    {"protocol": "tcp", "address": "::", "port": 80, "processes": [{"pid": 7, "name": "nginx"}]},
    {"protocol": "udp", "address": "10.0.0.5", "port": 53, "processes": None},
]
_FORWARDS = [
    {
        "protocol": "tcp",
        "address": "0.0.0.0",
        "port": 8080,
        "by": "docker",
        "container": "web",
        "inode": None,
        "to_address": "10.0.0.5",
        "to_port": 80,
        "listening": True,
    }
]


@_target(5_000, *_DECISIONS)
def fleet_ports() -> t.Iterator[Function]:
    """The ports in facts of managed hosts."""
    web1 = _load("facts/web1.json")
    namespaces = [{**each, "listeners": _LISTENERS} for each in web1["namespaces"][:2]]
    forwards = [{**each, "inode": namespaces[0]["inode"]} for each in _FORWARDS]
    good = {**web1, "namespaces": namespaces, "forwards": forwards}

    def run(data: bytes) -> None:
        fuzzed = FuzzedData(data)
        changed = json.loads(json.dumps(fuzzed.mutate(good)))
        facts = {"web1": changed, "good": good}
        rows = _fleet_ports.rows(facts)
        # One host cannot hide another.
        assert [row for row in rows if row["host"] == "good"] == _fleet_ports.rows({"good": good})
        assert all(row["answer"].isprintable() for row in rows)
        questions = ["8080/tcp", "*:80", "10.0.0.5:53", f":{fuzzed.number(70000)}"]
        for match in _fleet_search.find(facts, questions):
            assert match["answer"].isprintable()

    yield run


@_target(5_000, *_DECISIONS)
def fleet_findings() -> t.Iterator[Function]:
    """The doctor's results of managed hosts, and facts with an address that two of them have."""
    web1 = _load("facts/web1.json")
    finding = {
        "check": "mtu",
        "severity": "warning",
        "subject": {"inode": 4, "names": [], "path": None, "interface": "eth0", "containers": []},
        "message": "eth0 has a larger MTU",
        "evidence": ["1500"],
        "remedy": "set it",
        "repairable": False,
        "repaired": False,
    }
    gap = {"source": "docker", "reason": "it does not answer"}
    good = {"findings": [finding], "checked": ["mtu"], "incomplete": [gap]}

    def run(data: bytes) -> None:
        fuzzed = FuzzedData(data)
        changed = json.loads(json.dumps(fuzzed.mutate(good)))
        results = {"web1": changed, "good": good}
        facts = {"web1": json.loads(json.dumps(fuzzed.mutate(web1))), "good": web1}
        rows = _fleet_findings.rows(results, facts)
        assert {"host": "good", **finding} in rows
        assert all(line.isprintable() for line in _fleet_findings.table(results, facts))
        text = _fleet_findings.comma_separated(results, facts)
        for cells in csv.reader(io.StringIO(text)):
            assert len(cells) == 7
            for cell in cells:
                assert cell.isprintable()
                assert not cell.lstrip().startswith(("=", "+", "-", "@"))

    yield run


@_target(5_000, *_DECISIONS)
def fleet_hosts() -> t.Iterator[Function]:
    """Facts of managed hosts, of which the inventory plugin makes hosts, and the targets of tasks."""
    web1 = _load("facts/web1.json")

    def run(data: bytes) -> None:
        fuzzed = FuzzedData(data)
        changed = json.loads(json.dumps(fuzzed.mutate(web1)))
        fleet = _fleet_schema.facts_by_host({"web1": changed, fuzzed.text(20): changed})
        taken = {"db.web1", "mail"}
        templates = ["{name}.{host}", "{pod}", "{name}"]
        kinds = ("container", "pod", "named", "process")
        hosts = _fleet_inventory.build(fleet, templates, kinds, taken)
        names = [host.name for host in hosts.hosts]
        assert len(set(names)) == len(names)
        assert taken.isdisjoint(names)
        for host in hosts.hosts:
            assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", host.name)
            assert re.fullmatch(r"/[^\\]+@-?[0-9]+", host.target)
            assert host.target.isprintable()
        with contextlib.suppress(_fleet_schema.FleetError):
            assert _fleet_target.target(changed, fuzzed.text()).startswith("/")

    yield run


@_target(20_000, *_DECISIONS)
def enter_commands() -> t.Iterator[Function]:
    """Targets, users and paths, which the become plugin gives to a shell."""

    def run(data: bytes) -> None:
        fuzzed = FuzzedData(data)
        texts = [fuzzed.text(60).replace("\0", "") for _number in range(4)]
        # The code is long, and always the same.
        with mock.patch.object(_enter_command, "helper", lambda: "CODE"):
            command = _enter_command.enter(*texts, features=["etc", "sysfs"])
        python, target, netns_dir, user = texts
        words = [python, "-I", "-S", "-c", "CODE", target, netns_dir, user, "etc,sysfs"]
        assert shlex.split(command) == words
        shell, _option, script, _name, *arguments = shlex.split(
            _enter_command.as_root("sudo -n", command)
        )
        assert (shell, arguments) == ("/bin/sh", words)
        assert script.count('"$@"') == 2

    yield run


@_target(
    20_000,
    b"web",
    b"run/netns/web@4026532184",
    b"4026531840",
    b"proc/self/ns/net@\xc2\xb2",
    b"a b\x0c#\\040",
)
def enter_targets() -> t.Iterator[Function]:
    """Targets of the become plugin and of netns_exec, and the mount points that the kernel escapes."""

    def run(data: bytes) -> None:
        # Neither a command line nor an option that was checked has a NUL.
        text = os.fsdecode(data.replace(b"\0", b""))
        for target in (text, f"/{text}", f"/proc/self/ns/net@{text}", f"net:[{text}]"):
            inode, problem = None, ""
            try:
                fd, _name = namespace.open_target(target, "/run/none")
                inode = os.fstat(fd).st_ino
                os.close(fd)
            except namespace.EnterError as error:
                problem = str(error)
            assert problem.isprintable()
            assert inode is None or "@" not in target or target.endswith(f"@{inode}")
        path = b"/sys/" + data[:64].replace(b"\0", b"")
        escaped = b"".join(
            b"\\%03o" % byte if byte in b" \t\n\\" else bytes((byte,)) for byte in path
        )
        line = b"36 35 0:31 / %s rw - tmpfs tmpfs rw\n" % escaped
        with mock.patch.object(namespace, "_mountinfo", lambda: line):
            assert namespace._mounts_below_sys() == [path]

    yield run


@_target(
    50_000,
    b"hosts: files resolve [!UNAVAIL=return] dns\npasswd: files\n",
    b"hosts:mdns4_minimal[NOTFOUND=return]mymachines # resolve\nhosts: [ ]",
)
def nsswitch_conf() -> t.Iterator[Function]:
    """/etc/nsswitch.conf of managed hosts."""

    def run(data: bytes) -> None:
        text = os.fsdecode(data)
        guarded = namespace.without_host_services(text)
        assert namespace.without_host_services(guarded) == guarded
        before, after = text.split("\n"), guarded.split("\n")
        assert len(before) == len(after)
        for old, new in zip(before, after):
            database, _colon, services = new.partition(":")
            assert old == new or database.strip() == "hosts"
            if database.strip() == "hosts":
                kept, dropped = namespace._select_services(services.partition("#")[0])
                assert not dropped
                assert old == new or "dns" in kept

    yield run
