# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The table of container engines, and reading all or some of them.

Each engine has a module in this package, which is only imported where the engine may be installed:
most hosts have one engine, and each file that is imported costs time in every run.
"""

from __future__ import annotations

import contextlib
import functools
import os
import time
import types
import typing as t

from .. import background, model
from ..kernel import procfs
from ..named_tuple import NamedTuple
from . import shims

if t.TYPE_CHECKING:
    from . import unix_http

# Too short for an answer.
_MIN_SECONDS = 0.05
NAMES = ("docker", "podman", "containerd", "crio", "lxc", "nspawn", "incus", "lxd")


if t.TYPE_CHECKING:

    class Reader(t.Protocol):
        """The functions of an engine's module."""

        def sources(self, environment: t.Mapping[str, str]) -> t.Sequence[str]:
            """Where to read this engine on this host; empty where it is not installed."""

        def read(
            self, source: str, timeout: float, wanted: t.Callable[[model.Container], bool]
        ) -> model.Reading:
            """All containers, with PID and pin of the `wanted` ones. May raise EngineError."""

        def still_runs(self, container: model.Container, timeout: float) -> bool:
            """Whether a container's PID is still that of its first process. Raises EngineError."""


# By import statements, as Ansible sends to the managed host the files that these name.
def _docker() -> Reader:
    from . import docker

    return docker


def _podman() -> Reader:
    from . import podman

    return podman


def _containerd() -> Reader:
    from . import containerd

    return containerd


def _crio() -> Reader:
    from . import crio

    return crio


def _lxc() -> Reader:
    from . import lxc

    return lxc


def _nspawn() -> Reader:
    from . import nspawn

    return nspawn


def _incus() -> Reader:
    from . import incus

    return incus.INCUS


def _lxd() -> Reader:
    from . import incus

    return incus.LXD


def _rootless_docker() -> Reader:
    from . import rootless

    return rootless.DOCKER


def _rootless_containerd() -> Reader:
    from . import rootless

    return rootless.CONTAINERD


def _rootless_podman() -> Reader:
    from . import rootless

    return rootless.PODMAN


# Open connections that the hook keeps from one run to the next, by engine and source.
Connections = t.Dict[str, t.Dict[str, "unix_http.Client"]]


def _read_some_of_docker(
    source: str, timeout: float, ids: t.AbstractSet[str], connections: dict[str, unix_http.Client]
) -> model.Reading:
    from . import docker

    return docker.read_some(source, timeout, ids, connections)


class _ReadSome(t.Protocol):
    def __call__(
        self,
        source: str,
        timeout: float,
        ids: t.AbstractSet[str],
        connections: dict[str, unix_http.Client],
    ) -> model.Reading:
        """Some containers by their IDs."""


class _EngineSpec(NamedTuple):
    """An engine, or its rootless containers.

    `markers` are paths and environment variables ("$NAME"): at least one is there wherever the engine
    may be installed. A path with a slash at the end is a directory that is not empty.
    `belongs_to_other` is whether the markers are those of another engine. `monitor` is the command of
    the monitors of rootless containers. `source_if_absent` is the source of an empty reading where
    nothing of the engine is found, if that shows that none of its containers runs. `read_some` reads
    some containers only, where that is cheaper.
    """

    engine: str
    load: t.Callable[[], Reader]
    markers: tuple[str, ...] = ()
    belongs_to_other: t.Callable[[], bool] = bool
    monitor: str = ""
    source_if_absent: str = ""
    read_some: _ReadSome | None = None

    def may_be_installed(
        self,
        linked_engines: t.Container[str | None],
        user_commands: t.Callable[[], t.Container[str]],
    ) -> bool:
        if self.monitor:
            return self.monitor in user_commands()
        return any(map(_marker_exists, self.markers)) and (
            self.engine in linked_engines or not self.belongs_to_other()
        )


def _marker_exists(marker: str) -> bool:
    if marker.startswith("$"):
        return bool(os.environ.get(marker[1:]))
    if not marker.endswith("/"):
        return os.path.lexists(marker)
    try:
        return bool(os.listdir(marker))
    except OSError as error:  # a directory that may not be listed may have something in it
        return not isinstance(error, (FileNotFoundError, NotADirectoryError))


_MACHINES = "/run/systemd/machines"
_ENGINE_SPECS = (
    _EngineSpec(
        "docker",
        _docker,
        ("$DOCKER_HOST", "/run/docker.sock", "/var/lib/docker", "/etc/docker/daemon.json"),
        read_some=_read_some_of_docker,
    ),
    _EngineSpec("podman", _podman, ("/var/lib/containers", "/etc/containers/storage.conf")),
    _EngineSpec(
        "docker", _rootless_docker, monitor="containerd-shim", source_if_absent=model.PROCESSES
    ),
    _EngineSpec("podman", _rootless_podman, monitor="conmon", source_if_absent=model.PROCESSES),
    _EngineSpec("containerd", _containerd, (shims.STATE,), belongs_to_other=shims.belong_to_docker),
    _EngineSpec(
        "containerd",
        _rootless_containerd,
        monitor="containerd-shim",
        source_if_absent=model.PROCESSES,
    ),
    _EngineSpec("crio", _crio, ("/run/crio",)),
    _EngineSpec("lxc", _lxc, ("/var/lib/lxc", "/etc/lxc")),
    _EngineSpec(
        "nspawn", _nspawn, (f"{_MACHINES}/", "/var/lib/machines/"), source_if_absent=_MACHINES
    ),
    _EngineSpec("incus", _incus, ("$INCUS_DIR", "/var/lib/incus")),
    _EngineSpec("lxd", _lxd, ("$LXD_DIR", "/var/lib/lxd", "/var/snap/lxd/common/lxd")),
)


# The engines whose other sockets and directories can be named; those of containerd that run are found as well.
_WITH_SOURCES = ("docker", "podman", "containerd", "incus", "lxd")
# The paths of further sources of each engine.
Sources = t.Mapping[str, t.Sequence[str]]


def parse_sources(items: t.Iterable[str], engines: t.Collection[str] | None) -> Sources:
    """The paths in items of the form ENGINE:PATH. Raises SelectionError."""
    sources: dict[str, list[str]] = {}
    for item in items:
        engine, _colon, path = item.partition(":")
        if engine not in _WITH_SOURCES or not path.startswith("/") or "\0" in path:
            raise model.SelectionError(
                f"sources has {item!r}: give ENGINE:/PATH, the engine being one of {', '.join(_WITH_SOURCES)}"
            )
        if engines is not None and engine not in engines:
            raise model.SelectionError(
                f"sources has {item!r}, but `engines` does not have {engine}"
            )
        path = os.path.realpath(path)
        if path not in sources.setdefault(engine, []):
            sources[engine].append(path)
    return sources


class Budget:
    """The seconds that each source of an engine may take for all its answers in a run.

    Only the time that an engine is waited for counts.
    """

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self._left: dict[tuple[str, str], float] = {}

    @contextlib.contextmanager
    def use(self, engine: str, source: str) -> t.Iterator[float]:
        """The seconds that are left. Raises EngineError where none are."""
        # Rootless containers of all users are read together.
        key = engine, source.partition("#")[0]
        left = self._left.get(key, self._timeout)
        if left < _MIN_SECONDS:
            raise model.EngineError(
                f"{engine} took the {self._timeout:g} s of `timeout` for its answers before"
            )
        started = time.monotonic()
        try:
            yield left if left == self._timeout else round(left, 2)
        finally:
            self._left[key] = left - (time.monotonic() - started)


def start(
    names: t.Sequence[str] | None,
    budget: Budget,
    wanted: t.Callable[[model.Container], bool],
    linked_engines: t.Container[str | None] = (),
    sources: Sources = types.MappingProxyType({}),
) -> t.Callable[[], list[model.Reading]]:
    """Start reading the named engines, or all, where they may be installed on this host.

    The function that is returned waits for all of them. Each is read in a thread of its own, so that
    an engine that hangs takes no time of the others. `sources` are read in addition to those that are found.

    `linked_engines` have links. They are read also where their markers belong to another engine, as
    their last container may be gone.
    """
    specs = [spec for spec in _ENGINE_SPECS if names is None or spec.engine in names]
    # Not before the first engine is asked, which answers meanwhile.
    user_commands = functools.lru_cache(maxsize=None)(procfs.nonroot_commands)
    waits = []
    readings = []
    for spec in specs:
        given = sources.get(spec.engine, ()) if not spec.monitor else ()
        is_installed = spec.may_be_installed(linked_engines, user_commands)
        waits += _start(spec, given, is_installed, budget, wanted)
        if spec.source_if_absent and not is_installed:
            readings.append(
                model.Reading(spec.engine, spec.source_if_absent, presence_uncertain=True)
            )
    return lambda: [*(reading for wait in waits for reading in wait()), *readings]


def read_part(
    parts: t.Mapping[str, t.AbstractSet[str] | None],
    budget: Budget,
    wanted: t.Callable[[model.Container], bool],
    linked_engines: t.Container[str | None],
    connections: Connections,
    sources: Sources = types.MappingProxyType({}),
) -> list[model.Reading]:
    """Read some containers of root's engines by their IDs, or all containers of an engine (None)."""
    readings = []
    waits = []
    for spec in _ENGINE_SPECS:
        if spec.engine not in parts or spec.monitor:
            continue
        given = sources.get(spec.engine, ())
        ids = parts[spec.engine]
        if spec.read_some is None or ids is None:
            is_installed = spec.may_be_installed(linked_engines, set)
            waits += [(ids, wait) for wait in _start(spec, given, is_installed, budget, wanted)]
        else:
            engine_connections = connections.setdefault(spec.engine, {})
            # The source of an open connection is known.
            found = [source for source in engine_connections if source not in given]
            if not found and spec.may_be_installed(linked_engines, set):
                found = list(spec.load().sources(os.environ))
            for source in dict.fromkeys((*found, *given)):
                read = functools.partial(spec.read_some, ids=ids, connections=engine_connections)
                reading = _read(spec, source, budget, read)
                readings.append(reading._replace(only=frozenset(ids)))
    for ids, wait in waits:
        only = None if ids is None else frozenset(ids)
        readings += [reading._replace(only=only) for reading in wait()]
    return readings


def _start(
    spec: _EngineSpec,
    given: t.Collection[str],
    is_installed: bool,
    budget: Budget,
    wanted: t.Callable[[model.Container], bool],
) -> list[t.Callable[[], list[model.Reading]]]:
    """Start to read each source that is given, and all others that are found where the engine may be installed."""
    if not (given or is_installed):
        return []
    # Not imported in the thread: threads that import wait for each other, and before Python 3.10 an
    # import from Ansible's zip can see a module that another thread has imported only half.
    reader = spec.load()

    def read(source: str, timeout: float) -> model.Reading:
        return reader.read(source, timeout, wanted)

    def read_all(sources: t.Iterable[str]) -> list[model.Reading]:
        return [_read(spec, source, budget, read) for source in sources]

    waits: list[t.Callable[[], list[model.Reading]]] = [
        background.start(functools.partial(read_all, (source,))) for source in given
    ]
    if is_installed:
        waits.append(
            background.start(
                lambda: read_all(each for each in reader.sources(os.environ) if each not in given)
            )
        )
    return waits


def _read(
    spec: _EngineSpec, source: str, budget: Budget, read: t.Callable[[str, float], model.Reading]
) -> model.Reading:
    try:
        with budget.use(spec.engine, source) as timeout:
            return read(source, timeout)
    except model.EngineError as error:
        return model.Reading.failed(spec.engine, source, error)


def still_runs(container: model.Container, budget: Budget) -> bool:
    """Whether a container's PID is still that of its first process. Raises EngineError."""
    (spec,) = (
        spec
        for spec in _ENGINE_SPECS
        if spec.engine == container.engine and bool(spec.monitor) == bool(container.user)
    )
    reader = spec.load()
    with budget.use(spec.engine, container.source) as timeout:
        return reader.still_runs(container, timeout)
