# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The container engines, one file of this folder each; all give `model.Container`.

A file is only loaded where its engine may be: on most hosts there is one engine, and each file
that is loaded costs every run.
"""

from __future__ import annotations

import os
import re
import typing as t

from .. import background, model
from ..kernel import procfs
from . import shims

if t.TYPE_CHECKING:
    from . import unix_http

_UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
NAMES = ("docker", "podman", "containerd", "crio", "lxc", "nspawn")


if t.TYPE_CHECKING:

    class Reader(t.Protocol):
        """What a file of this folder offers."""

        def sources(self, environment: t.Mapping[str, str]) -> t.Sequence[str]:
            """Where to read this engine on this host; nothing where it is not there."""

        def read(
            self, source: str, timeout: float, wanted: t.Callable[[model.Container], bool]
        ) -> model.Reading:
            """All containers, with PID and pin of those wanted; never raises EngineError."""

        def still_runs(self, container: model.Container, timeout: float) -> bool:
            """Whether the PID that was told is still the container's. Raises EngineError."""


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


def _rootless_docker() -> Reader:
    from . import rootless

    return rootless.DOCKER


def _rootless_podman() -> Reader:
    from . import rootless

    return rootless.PODMAN


# Connections that a process that stays keeps, by engine and source.
Connections = t.Dict[str, t.Dict[str, "unix_http.Client"]]


def _some_of_docker(
    source: str, timeout: float, ids: t.AbstractSet[str], connections: dict[str, unix_http.Client]
) -> model.Reading:
    from . import docker

    return docker.read_some(source, timeout, ids, connections)


_ReadSome = t.Callable[
    [str, float, t.AbstractSet[str], t.Dict[str, "unix_http.Client"]], model.Reading
]


class _EngineSpec(t.NamedTuple):
    """An engine, or what users run of it without root.

    `signs` are paths of which one is there wherever the engine may be (of one with a slash at the
    end, something in it), or environment variables ("$NAME") that then say where. `unless` tells
    that they are another engine's. `monitor` is what a process of users' is called that watches over
    one of their containers. `sought` is where it was looked for in vain, if that means that none of
    its containers runs. `some` reads some containers alone, where that is cheaper.
    """

    engine: str
    load: t.Callable[[], Reader]
    markers: tuple[str, ...] = ()
    belongs_to_other: t.Callable[[], bool] = bool
    monitor: str = ""
    presence_uncertain: str = ""
    read_some: _ReadSome | None = None

    def may_be_here(self, monitors: t.Container[str], linked: t.Container[str | None]) -> bool:
        if self.monitor:
            return self.monitor in monitors
        return any(map(_is_there, self.markers)) and (
            self.engine in linked or not self.belongs_to_other()
        )


def _is_there(marker: str) -> bool:
    if marker.startswith("$"):
        return bool(os.environ.get(marker[1:]))
    if not marker.endswith("/"):
        return os.path.lexists(marker)
    try:
        return bool(os.listdir(marker))
    except OSError as error:  # what may not be looked at may be there
        return not isinstance(error, (FileNotFoundError, NotADirectoryError))


_MACHINES = "/run/systemd/machines"
_ENGINE_SPECS = (
    _EngineSpec(
        "docker",
        _docker,
        ("$DOCKER_HOST", "/run/docker.sock", "/var/lib/docker", "/etc/docker/daemon.json"),
        read_some=_some_of_docker,
    ),
    _EngineSpec("podman", _podman, ("/var/lib/containers", "/etc/containers/storage.conf")),
    _EngineSpec(
        "docker", _rootless_docker, monitor="containerd-shim", presence_uncertain=model.PROCESSES
    ),
    _EngineSpec("podman", _rootless_podman, monitor="conmon", presence_uncertain=model.PROCESSES),
    _EngineSpec("containerd", _containerd, (shims.STATE,), belongs_to_other=shims.are_dockers),
    _EngineSpec("crio", _crio, ("/run/crio",)),
    _EngineSpec("lxc", _lxc, ("/var/lib/lxc", "/etc/lxc")),
    _EngineSpec(
        "nspawn", _nspawn, (f"{_MACHINES}/", "/var/lib/machines/"), presence_uncertain=_MACHINES
    ),
)


# Of those that could also be another's, as the /run/netns/cni-… of containerd and Podman 3, none
# says whose it is. Docker's for its networks, as "ingress_sbox", belong to no container.
_PINS = (
    ("docker", re.compile(r"(/.+)/docker/netns/[0-9a-f]{12}"), r"\1/docker.sock"),
    ("podman", re.compile(rf"(?:/var)?/run/netns/netns-{_UUID}"), None),
    ("containerd", re.compile(rf"(/.+)/io\.containerd\.grpc\.v1\.cri/netns/cni-{_UUID}"), r"\1"),
)


def start(
    names: t.Sequence[str] | None,
    timeout: float,
    wanted: t.Callable[[model.Container], bool],
    linked: t.Container[str | None] = (),
) -> t.Callable[[], list[model.Reading]]:
    """Start reading the named engines, or every one, where they are found on this host.

    What is returned waits for all of them, each in a thread of its own.

    All at once: one that hangs takes its own time, and none of the others'. Those that are `linked`
    are looked for also where the signs are another's: their last container may have gone.
    """
    rows = [row for row in _ENGINE_SPECS if names is None or row.engine in names]
    monitors = procfs.users_commands() if any(row.monitor for row in rows) else set()
    waits = []
    readings = []
    for row in rows:
        if row.may_be_here(monitors, linked):
            waits.append(_started(row, timeout, wanted))
        elif row.presence_uncertain:
            readings.append(
                model.Reading(row.engine, row.presence_uncertain, presence_uncertain=True)
            )
    return lambda: [*(reading for wait in waits for reading in wait()), *readings]


def read_part(
    parts: t.Mapping[str, t.AbstractSet[str] | None],
    timeout: float,
    wanted: t.Callable[[model.Container], bool],
    linked: t.Container[str | None],
    connections: Connections,
) -> list[model.Reading]:
    """Read some containers of root's engines by their ids, or all of an engine (None)."""
    readings = []
    waits = []
    for row in _ENGINE_SPECS:
        if row.engine not in parts or row.monitor or not row.may_be_here((), linked):
            continue
        ids = parts[row.engine]
        if row.read_some is None or ids is None:
            waits.append((ids, _started(row, timeout, wanted)))
        else:
            here = connections.setdefault(row.engine, {})
            # One that is connected need not be looked for.
            for source in list(here) or row.load().sources(os.environ):
                readings.append(row.read_some(source, timeout, ids, here))
    for ids, wait in waits:
        only = None if ids is None else frozenset(ids)
        readings += [reading._replace(only=only) for reading in wait()]
    return readings


def _started(
    row: _EngineSpec, timeout: float, wanted: t.Callable[[model.Container], bool]
) -> t.Callable[[], list[model.Reading]]:
    # Loaded here: threads that load files wait for each other, and before Python 3.10 one that loads
    # from Ansible's zip gets a half of what another still loads.
    reader = row.load()
    return background.start(
        lambda: [reader.read(source, timeout, wanted) for source in reader.sources(os.environ)]
    )


def still_runs(container: model.Container, timeout: float) -> bool:
    """Ask a container's engine again whether the process it told is still the container's."""
    (row,) = (
        one
        for one in _ENGINE_SPECS
        if one.engine == container.engine and bool(one.monitor) == bool(container.user)
    )
    return row.load().still_runs(container, timeout)


def networks(
    names: t.Sequence[str] | None, pins: t.Iterable[str], timeout: float
) -> tuple[dict[str, model.Network], list[tuple[str, str]]]:
    """The network of each pin that an engine made for one, and which engine could not name its own.

    As (engine, reason). Only Docker makes such pins, and is asked only where there are some.
    """
    theirs = [pin for pin in pins if "/docker/netns/" in pin and not sandbox(pin)]
    if not theirs or (names is not None and "docker" not in names):
        return {}, []
    from . import docker

    found, problems = docker.networks(theirs, timeout)
    return found, [(docker.NAME, problem) for problem in problems]


def sandbox(path: str) -> tuple[str, str | None] | None:
    """The engine that pins containers' namespaces at such a path, and its source if that tells it."""
    for engine, pattern, source in _PINS:
        match = pattern.fullmatch(path)
        if match:
            return engine, None if source is None else match.expand(source)
    return None
