# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pathlib
import threading
import typing as t

import pytest

from ansible_collections.linuxnet.netns.plugins.module_utils._core import model
from ansible_collections.linuxnet.netns.plugins.module_utils._core.engines import (
    nspawn,
    registry,
)


class Reader:
    """A reader that waits until all others read as well."""

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


def set_engines(
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
    set_engines(monkeypatch, Reader("docker", barrier), Reader("podman", barrier))
    readings = registry.start(None, registry.Budget(5), lambda _: True)()
    assert [one.source for one in readings] == ["/run/docker", "/run/podman"]


def test_all_sources_of_an_engine_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    set_engines(monkeypatch, Reader("containerd", threading.Barrier(1)))
    monkeypatch.setattr(Reader, "sources", lambda *_: ["/run/a", "/run/b"])
    readings = registry.start(None, registry.Budget(5), lambda _: True)()
    assert [one.source for one in readings] == ["/run/a", "/run/b"]


def test_read_some_is_used_where_it_is_cheaper(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    barrier = threading.Barrier(1)
    set_engines(
        monkeypatch, Reader("docker", barrier), Reader("podman", barrier), Reader("lxc", barrier)
    )
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
    readings = registry.read_part(parts, registry.Budget(5), lambda _: True, (), connections)
    assert [(one.engine, one.only) for one in readings] == [("docker", {"a"}), ("podman", {"b"})]
    assert calls == [("/run/docker", {"a"})]
    # The source of an open connection is not searched again.
    registry.read_part({"docker": {"a"}}, registry.Budget(5), lambda _: True, (), connections)
    assert calls[1:] == [("/run/docker#kept", {"a"})]
    # All of an engine is all of root's, as no events report rootless containers.
    readings = registry.read_part(
        {"docker": None}, registry.Budget(5), lambda _: True, (), connections
    )
    assert [(one.engine, one.only) for one in readings] == [("docker", None)]
    assert len(calls) == 2


def test_further_sources_are_read_beside_those_that_are_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    set_engines(monkeypatch, Reader("docker", threading.Barrier(1)))
    sources = {"docker": ["/run/ci", "/run/docker"], "podman": ["/srv"]}
    readings = registry.start(None, registry.Budget(5), lambda _: True, sources=sources)()
    assert [each.source for each in readings] == ["/run/ci", "/run/docker"]
    parts: dict[str, t.AbstractSet[str] | None] = {"docker": None}
    readings = registry.read_part(parts, registry.Budget(5), lambda _: True, (), {}, sources)
    assert [each.source for each in readings] == ["/run/ci", "/run/docker"]
    # Also where nothing else shows that the engine is there.
    set_engines(monkeypatch, Reader("docker", threading.Barrier(1)), markers=("/no/such/path",))
    readings = registry.start(None, registry.Budget(5), lambda _: True, sources=sources)()
    assert [each.source for each in readings] == ["/run/ci", "/run/docker"]


def test_some_containers_are_read_from_all_sources(monkeypatch: pytest.MonkeyPatch) -> None:
    set_engines(monkeypatch, Reader("docker", threading.Barrier(1)))
    (spec,) = registry._ENGINE_SPECS

    def read_some(
        source: str, _timeout: float, ids: t.AbstractSet[str], connections: dict[str, t.Any]
    ) -> model.Reading:
        # Only the further one stays connected.
        if source == "/run/ci":
            connections[source] = None
        return model.Reading("docker", source)

    monkeypatch.setattr(registry, "_ENGINE_SPECS", (spec._replace(read_some=read_some),))
    connections: registry.Connections = {}
    for _time in range(2):
        readings = registry.read_part(
            {"docker": {"a"}},
            registry.Budget(5),
            lambda _: True,
            (),
            connections,
            {"docker": ["/run/ci"]},
        )
        assert [each.source for each in readings] == ["/run/docker", "/run/ci"]


@pytest.mark.parametrize(
    ("item", "engines"),
    [
        ("/run/ci.sock", None),
        ("docker", None),
        ("docker:ci.sock", None),
        ("docker:/run/ci\0.sock", None),
        ("lxc:/srv/lxc", None),
        ("rkt:/run", None),
        ("", None),
        ("docker:/run/ci.sock", ("podman",)),
    ],
)
def test_impossible_sources(item: str, engines: tuple[str, ...] | None) -> None:
    with pytest.raises(model.SelectionError, match="sources has"):
        registry.parse_sources([item], engines)


def test_sources(tmp_path: pathlib.Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "ci.sock")
    items = [f"docker:{tmp_path}/link", f"docker:{tmp_path}/ci.sock", "podman:/srv/ci"]
    expected = {"docker": [f"{tmp_path}/ci.sock"], "podman": ["/srv/ci"]}
    assert registry.parse_sources(items, None) == expected


@pytest.mark.parametrize("commands", [set(), {"monitor", "sh"}])
def test_rootless_engines_are_reported_without_containers(
    monkeypatch: pytest.MonkeyPatch, commands: set[str]
) -> None:
    set_engines(monkeypatch, Reader("podman", threading.Barrier(1), "mia"))
    monkeypatch.setattr(registry.procfs, "nonroot_commands", lambda: commands)
    (reading,) = registry.start(None, registry.Budget(5), lambda _: True)()
    assert (reading.engine, reading.error) == ("podman", None)
    # They are only read where a monitor runs.
    assert reading.source == ("/run/podman" if commands else model.PROCESSES)
    assert reading.found == bool(commands)
    assert registry.start(["docker"], registry.Budget(5), lambda _: True)() == []


def test_only_the_named_engines_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    barrier = threading.Barrier(1)
    set_engines(monkeypatch, Reader("docker", barrier), Reader("podman", barrier))
    readings = registry.start(["podman"], registry.Budget(5), lambda _: True)()
    assert {one.engine for one in readings} == {"podman"}
    assert registry.start(["lxc"], registry.Budget(5), lambda _: True)() == []


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
        (("$NETNS_TEST_MARKER",), True),
        (("$NETNS_TEST_NO_MARKER",), False),
    ],
)
def test_an_engine_without_a_marker_is_not_loaded(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path, markers: tuple[str, ...], here: bool
) -> None:
    monkeypatch.setenv("NETNS_TEST_MARKER", "unix:///x")
    markers = tuple(marker.replace("/empty", str(tmp_path)) for marker in markers)
    set_engines(monkeypatch, Reader("docker", threading.Barrier(1)), markers=markers)
    assert bool(registry.start(None, registry.Budget(5), lambda _: True)()) == here


def test_markers_of_another_engine_count_where_there_are_links(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    set_engines(monkeypatch, Reader("containerd", threading.Barrier(1)))
    (spec,) = registry._ENGINE_SPECS
    monkeypatch.setattr(registry, "_ENGINE_SPECS", (spec._replace(belongs_to_other=lambda: True),))
    assert registry.start(None, registry.Budget(5), lambda _: True)() == []
    assert (
        registry.start(None, registry.Budget(5), lambda _: True, linked_engines={"docker", None})()
        == []
    )
    assert (
        len(
            registry.start(
                None, registry.Budget(5), lambda _: True, linked_engines={"containerd"}
            )()
        )
        == 1
    )
    parts: dict[str, t.AbstractSet[str] | None] = {"containerd": None}
    assert registry.read_part(parts, registry.Budget(5), lambda _: True, {"docker"}, {}) == []
    assert (
        len(registry.read_part(parts, registry.Budget(5), lambda _: True, {"containerd"}, {})) == 1
    )


def test_an_absent_engine_has_an_empty_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = registry._EngineSpec(
        "nspawn", lambda: None, ("/no/such/path/",), source_if_absent="/run/systemd/machines"
    )
    monkeypatch.setattr(registry, "_ENGINE_SPECS", (spec,))
    (reading,) = registry.start(None, registry.Budget(5), lambda _: True)()
    assert (reading.source, reading.error, reading.found) == ("/run/systemd/machines", None, False)


def test_one_timeout_is_for_all_answers_of_a_source(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(registry.time, "monotonic", lambda: now[0])
    budget = registry.Budget(0.2)
    with budget.use("docker", "/run/docker.sock") as left:
        assert left == 0.2
        now[0] += 0.1
    # What passes while it is not asked does not count.
    now[0] += 0.2
    with budget.use("docker", "/run/docker.sock") as left:
        assert left == 0.1
        now[0] += 0.1
    with pytest.raises(model.EngineError, match=r"docker took the 0\.2 s of `timeout`"), budget.use(
        "docker", "/run/docker.sock"
    ):
        raise AssertionError("no time was left")
    # Nor is it that of others, and that of rootless containers is one.
    with budget.use("podman", "/run/docker.sock") as left, budget.use(
        "docker", "/proc"
    ) as rootless:
        assert (left, rootless) == (0.2, 0.2)
        now[0] += 0.1
    with budget.use("docker", "/proc#1000") as left:
        assert left == 0.1


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (model.EngineError("no answer"), "unreadable"),
        (model.DownError("nothing listens"), "down"),
        (model.ElsewhereError("not here"), "elsewhere"),
    ],
)
def test_the_state_of_an_engine_that_raises(
    monkeypatch: pytest.MonkeyPatch, error: model.EngineError, state: str
) -> None:
    def fail(*_: t.Any) -> t.NoReturn:
        raise error

    set_engines(monkeypatch, Reader("docker", threading.Barrier(1)))
    monkeypatch.setattr(Reader, "read", fail)
    (reading,) = registry.start(None, registry.Budget(5), lambda _: True)()
    assert (reading.source, reading.state, reading.error) == ("/run/docker", state, str(error))


def test_an_exception_in_a_reader_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    set_engines(monkeypatch, Reader("docker", threading.Barrier(1)))
    monkeypatch.setattr(Reader, "read", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        registry.start(None, registry.Budget(5), lambda _: True)()


@pytest.mark.parametrize("user", ["", "mia"])
def test_still_runs_is_asked_of_the_engine_of_the_container(
    monkeypatch: pytest.MonkeyPatch, user: str
) -> None:
    barrier = threading.Barrier(1)
    set_engines(monkeypatch, Reader("podman", barrier), Reader("podman", barrier, "somebody"))
    container = model.Container("podman", "/x", "1" * 64, "web", True, "running", user=user)
    assert registry.still_runs(container, registry.Budget(5))


def test_every_engine_has_a_module_that_loads() -> None:
    assert {spec.engine for spec in registry._ENGINE_SPECS} == set(registry.NAMES)
    for spec in registry._ENGINE_SPECS:
        assert callable(spec.load().read)
    (machines,) = (
        spec.source_if_absent for spec in registry._ENGINE_SPECS if spec.engine == "nspawn"
    )
    assert machines == nspawn._MACHINES
    monitors = {spec.monitor: spec.load() for spec in registry._ENGINE_SPECS if spec.monitor}
    assert {name: reader._command for name, reader in monitors.items()} == {
        name: name for name in monitors
    }
