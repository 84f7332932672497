# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pathlib
import threading
import typing as t

import pytest

from ansible_collections.linuxnet.netns.plugins.module_utils._core import model
from ansible_collections.linuxnet.netns.plugins.module_utils._core.engines import nspawn, registry

UUID = "0f80b2fb-9708-236e-b4c3-48f37a1f0836"
CRI = "io.containerd.grpc.v1.cri/netns"


@pytest.mark.parametrize(
    ("path", "owner"),
    [
        ("/run/docker/netns/8d6964defe15", ("docker", "/run/docker.sock")),
        ("/run/user/1000/docker/netns/8d6964defe15", ("docker", "/run/user/1000/docker.sock")),
        ("/run/docker/netns/8d6964defe1", None),
        # Networks' own.
        ("/run/docker/netns/ingress_sbox", None),
        ("/run/docker/netns/1-s0d2k8q1m3", None),
        (f"/run/netns/netns-{UUID}", ("podman", None)),
        (f"/var/run/netns/netns-{UUID}", ("podman", None)),
        (f"/run/user/1000/netns/netns-{UUID}", None),
        (f"/run/netns/netns-{UUID}0", None),
        ("/run/netns/netns-mine", None),
        # Of containerd, or of Podman 3.
        (f"/run/netns/cni-{UUID}", None),
        (f"/run/containerd/{CRI}/cni-{UUID}", ("containerd", "/run/containerd")),
        (f"/run/k3s/containerd/{CRI}/cni-{UUID}", ("containerd", "/run/k3s/containerd")),
        (f"/run/containerd/{CRI}/mine", None),
        # CRI-O's have no more than a UUID.
        (f"/run/netns/{UUID}", None),
    ],
)
def test_pin_owner(path: str, owner: tuple[str, str | None] | None) -> None:
    assert registry.pin_owner(path) == owner


class Reader:
    """Reads no faster than another does at the same time."""

    def __init__(self, engine: str, barrier: threading.Barrier, user: str = "") -> None:
        self.engine = engine
        self.barrier = barrier
        self.user = user

    def sources(self, environment: t.Mapping[str, str]) -> list[str]:
        return [f"/run/{self.engine}"]

    def read(
        self, source: str, timeout: float, wanted: t.Callable[[model.Container], bool]
    ) -> model.Reading:
        self.barrier.wait(5)
        return model.Reading(self.engine, source)

    def still_runs(self, container: model.Container, timeout: float) -> bool:
        return bool(self.user) == bool(container.user)


def rows(
    monkeypatch: pytest.MonkeyPatch, *readers: Reader, markers: tuple[str, ...] = ("/proc",)
) -> None:
    table = tuple(
        registry._EngineSpec(
            one.engine,
            lambda one=one: one,
            markers,
            monitor=one.user and "monitor",
            source_if_absent=one.user and model.PROCESSES,
        )
        for one in readers
    )
    monkeypatch.setattr(registry, "_ENGINE_SPECS", table)


def test_all_engines_are_read_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    barrier = threading.Barrier(2)
    rows(monkeypatch, Reader("docker", barrier), Reader("podman", barrier))
    readings = registry.start(None, 5, lambda _: True)()
    assert [one.source for one in readings] == ["/run/docker", "/run/podman"]


def test_all_sources_of_an_engine_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    rows(monkeypatch, Reader("containerd", threading.Barrier(1)))
    monkeypatch.setattr(Reader, "sources", lambda *_: ["/run/a", "/run/b"])
    readings = registry.start(None, 5, lambda _: True)()
    assert [one.source for one in readings] == ["/run/a", "/run/b"]


def test_some_containers_are_read_by_id_where_that_is_cheaper(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    barrier = threading.Barrier(1)
    rows(monkeypatch, Reader("docker", barrier), Reader("podman", barrier), Reader("lxc", barrier))
    calls: list[tuple[str, t.AbstractSet[str]]] = []

    def read_some(
        source: str, _timeout: float, ids: t.AbstractSet[str], connections: dict[str, t.Any]
    ) -> model.Reading:
        calls.append((source, ids))
        connections[f"{source}#kept"] = None
        return model.Reading("docker", source, only=frozenset(ids))

    first, *others = registry._ENGINE_SPECS
    users = registry._EngineSpec("docker", first.load, ("/proc",), monitor="monitor")
    monkeypatch.setattr(
        registry, "_ENGINE_SPECS", (first._replace(read_some=read_some), *others, users)
    )
    parts = {"docker": {"a"}, "podman": {"b"}}
    connections: registry.Connections = {}
    readings = registry.read_part(parts, 5, lambda _: True, (), connections)
    assert [(one.engine, one.only) for one in readings] == [("docker", {"a"}), ("podman", {"b"})]
    assert calls == [("/run/docker", {"a"})]
    # One that is connected is not looked for again.
    registry.read_part({"docker": {"a"}}, 5, lambda _: True, (), connections)
    assert calls[1:] == [("/run/docker#kept", {"a"})]
    # All of an engine: that of root's alone, as nothing tells when users' containers come and go.
    readings = registry.read_part({"docker": None}, 5, lambda _: True, (), connections)
    assert [(one.engine, one.only) for one in readings] == [("docker", None)]
    assert len(calls) == 2


@pytest.mark.parametrize("commands", [set(), {"monitor", "sh"}])
def test_what_users_run_is_told_also_where_it_has_all_ended(
    monkeypatch: pytest.MonkeyPatch, commands: set[str]
) -> None:
    rows(monkeypatch, Reader("podman", threading.Barrier(1), "mia"))
    monkeypatch.setattr(registry.procfs, "users_commands", lambda: commands)
    (reading,) = registry.start(None, 5, lambda _: True)()
    assert (reading.engine, reading.error) == ("podman", None)
    # Only where one of theirs runs is it looked for.
    assert reading.source == ("/run/podman" if commands else model.PROCESSES)
    assert reading.found == bool(commands)
    assert registry.start(["docker"], 5, lambda _: True)() == []


def test_only_the_engines_that_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    barrier = threading.Barrier(1)
    rows(monkeypatch, Reader("docker", barrier), Reader("podman", barrier))
    readings = registry.start(["podman"], 5, lambda _: True)()
    assert {one.engine for one in readings} == {"podman"}
    assert registry.start(["lxc"], 5, lambda _: True)() == []


@pytest.mark.parametrize(
    ("markers", "here"),
    [
        (("/proc/self",), True),
        (("/no/such/path", "/proc/self"), True),
        (("/no/such/path",), False),
        (("/proc/self/",), True),
        (("/empty/",), False),
        (("/proc/self/cmdline/",), False),
        (("/no/such/path/",), False),
        (("$NETNS_TEST_SIGN",), True),
        (("$NETNS_TEST_NO_SIGN",), False),
    ],
)
def test_an_engine_without_a_sign_of_it_is_not_loaded(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path, markers: tuple[str, ...], here: bool
) -> None:
    monkeypatch.setenv("NETNS_TEST_SIGN", "unix:///x")
    markers = tuple(marker.replace("/empty", str(tmp_path)) for marker in markers)
    rows(monkeypatch, Reader("docker", threading.Barrier(1)), markers=markers)
    assert bool(registry.start(None, 5, lambda _: True)()) == here


def test_an_engine_whose_signs_are_anothers_is_read_where_it_has_links(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rows(monkeypatch, Reader("containerd", threading.Barrier(1)))
    (row,) = registry._ENGINE_SPECS
    monkeypatch.setattr(registry, "_ENGINE_SPECS", (row._replace(belongs_to_other=lambda: True),))
    assert registry.start(None, 5, lambda _: True)() == []
    assert registry.start(None, 5, lambda _: True, linked_engines={"docker", None})() == []
    assert len(registry.start(None, 5, lambda _: True, linked_engines={"containerd"})()) == 1
    parts: dict[str, t.AbstractSet[str] | None] = {"containerd": None}
    assert registry.read_part(parts, 5, lambda _: True, {"docker"}, {}) == []
    assert len(registry.read_part(parts, 5, lambda _: True, {"containerd"}, {})) == 1


def test_where_an_engine_was_sought_in_vain_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    row = registry._EngineSpec(
        "nspawn", lambda: None, ("/no/such/path/",), source_if_absent="/run/systemd/machines"
    )
    monkeypatch.setattr(registry, "_ENGINE_SPECS", (row,))
    (reading,) = registry.start(None, 5, lambda _: True)()
    assert (reading.source, reading.error, reading.found) == ("/run/systemd/machines", None, False)


def test_an_error_in_a_reader_is_not_swallowed(monkeypatch: pytest.MonkeyPatch) -> None:
    rows(monkeypatch, Reader("docker", threading.Barrier(1)))
    monkeypatch.setattr(Reader, "read", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        registry.start(None, 5, lambda _: True)()


@pytest.mark.parametrize("user", ["", "mia"])
def test_still_runs_is_asked_of_the_one_that_told_it(
    monkeypatch: pytest.MonkeyPatch, user: str
) -> None:
    barrier = threading.Barrier(1)
    rows(monkeypatch, Reader("podman", barrier), Reader("podman", barrier, "somebody"))
    container = model.Container("podman", "/x", "1" * 64, "web", True, "running", user=user)
    assert registry.still_runs(container, 5)


def test_every_engine_has_a_file_that_loads() -> None:
    assert {row.engine for row in registry._ENGINE_SPECS} == set(registry.NAMES)
    for row in registry._ENGINE_SPECS:
        assert callable(row.load().read)
    (machines,) = (row.source_if_absent for row in registry._ENGINE_SPECS if row.engine == "nspawn")
    assert machines == nspawn._MACHINES
    monitors = {row.monitor: row.load() for row in registry._ENGINE_SPECS if row.monitor}
    assert {name: reader._command for name, reader in monitors.items()} == {
        name: name for name in monitors
    }
