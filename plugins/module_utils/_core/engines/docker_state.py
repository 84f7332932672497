# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Docker's own files, which say what there was when its daemon last ran.

With live-restore containers run on while the daemon is down, without it they are dead, and after a
crash the files may be wrong about either. So the kernel says what runs: a container that runs by the
files has to have its process, and a process of a container that the files do not know is an error,
as then they are not the files of the daemon that ran here.
"""

from __future__ import annotations

import os
import re
import time
import typing as t

from .. import model
from ..kernel import procfs, sockets
from . import oci, values

_SETTINGS = "/etc/docker/daemon.json"
_DATA_ROOT = "/var/lib/docker"
_MAX_SIZE = 1 << 22
_MAX_READS = 2
_RETRY_DELAY = 0.1
_MAX_NAMED = 3
_ID = re.compile(r"[0-9a-f]{64}")
# With userns-remap each user's containers have a data root in the data root (daemon_unix.go).
_REMAPPED = re.compile(r"[0-9]+\.[0-9]+")
_IN_DATA_ROOT = re.compile(r"(/.+)/containers/[0-9a-f]{64}/resolv\.conf")
_IN_CGROUP = re.compile(r"[/-]([0-9a-f]{64})(?=\.scope|/|$)")
# By the cgroupfs and the systemd driver. Those that are further down are of engines that run in
# containers themselves, or without root.
_DOCKERS_CGROUP = re.compile(
    r"(?:/docker/([0-9a-f]{64})|(?:/[^/]+\.slice)*/docker-([0-9a-f]{64})\.scope)(?:/|$)"
)
_UNCLEAR = (
    "it has processes, and its files do not say which is the first: Docker ended while it started or "
    "stopped the container; start Docker again"
)
_NEVER = "0001-01-01T00:00:00Z"


def is_asleep(source: str) -> bool:
    """Whether systemd listens on the daemon's socket in its place, and would start it."""
    try:
        return sockets.holds(1, sockets.listening(source)) and not _daemon_runs()
    except OSError as error:
        raise oci.explain("/proc", error) from None


def is_there() -> bool:
    """Whether there is a folder for containers, or something that only reading it can tell of."""
    try:
        return any(oci.may_be_there(f"{root}/containers") for root in _configured_roots())
    except model.EngineError:
        return True


def _configured_roots() -> list[str]:
    """The data root by the daemon's settings, and those in it. Raises EngineError."""
    path, name = os.path.split(os.path.realpath(_SETTINGS))
    settings = None
    with oci.folder(path, path) as fd:
        found = oci.read_file(fd, name, path, _MAX_SIZE) if fd is not None else None
        if found is not None and found[0].strip():
            settings = oci.parse_json(found[0], _SETTINGS)
    try:
        # "graph" was the older name, until Docker 23.
        told = values.path(settings, "data-root") or values.path(settings, "graph")
    except model.EngineError as error:
        raise model.EngineError(f"{_SETTINGS}: {error}") from None
    root = (told or _DATA_ROOT).rstrip("/")
    try:
        inner = sorted(filter(_REMAPPED.fullmatch, os.listdir(root)))
    except OSError:  # what matters in it is for `read` to find out
        inner = []
    return [root, *(f"{root}/{name}" for name in inner)]


def read(
    engine: str, source: str, timeout: float, wanted: t.Callable[[model.Container], bool]
) -> model.Reading:
    """All containers, as the API of the daemon would tell them. Raises EngineError.

    `read_from` is None where there is no data root.
    """
    clock = oci.Clock(timeout)
    attempt = 1
    while True:
        # What runs is looked at last: of a daemon that comes up in the meantime the files tell less.
        shims = _shims()
        state = _State(model.Container(engine, source, "", "", False, ""), shims, clock)
        _refuse_a_daemon(source)
        alive = _with_processes(shims)
        running = {
            identity
            for identity, record in state.records.items()
            if record.pid and _is_of(record.pid, identity)
        }
        if alive <= running or attempt == _MAX_READS:
            break
        # What just started or ended is told right in a moment.
        attempt += 1
        time.sleep(_RETRY_DELAY)
    unknown = alive.difference(state.records)
    if unknown:
        raise _explain_unknown(unknown, state.roots)
    containers = []
    for identity, record in state.records.items():
        container = record.container
        if identity in alive or identity in running:
            container = container._replace(
                running=True,
                status="paused" if record.paused else "running",
                problem=None if identity in running else _UNCLEAR,
            )
        if identity in running and wanted(container):
            container = container._replace(
                pid=record.pid, pin=record.pin, resolv_conf=record.resolv_conf
            )
        containers.append(container)
    return model.Reading(
        engine, source, containers=tuple(containers), read_from=", ".join(state.roots) or None
    )


def still_runs(container: model.Container) -> bool:
    """Whether the container's first process is still there. Raises EngineError."""
    return _is_of(container.pid, container.id)


class _Record(t.NamedTuple):
    """What the files say of a container, which is told as it is when it does not run.

    `pid` is its first process if it runs by the files, else 0.
    """

    container: model.Container
    pid: int
    paused: bool
    pin: str | None
    resolv_conf: str | None


class _State:
    """All records by id, out of the configured data root, and out of those that shims tell."""

    def __init__(
        self, blank: model.Container, shims: t.Mapping[str, str | None], clock: oci.Clock
    ) -> None:
        self.records: dict[str, _Record] = {}
        self.roots: list[str] = []
        self._blank = blank
        self._clock = clock
        for root in _configured_roots():
            self._read(root)
        # The data root may be given on the daemon's command line, which is gone with it.
        for identity, told in shims.items():
            if told and identity not in self.records and told not in self.roots:
                self._read(told)

    def _read(self, root: str) -> None:
        path = f"{root}/containers"
        with oci.folder(path, path) as fd:
            if fd is None:
                return
            self.roots.append(root)
            for name in oci.names(fd, path):
                self._clock.check(path)
                if _ID.fullmatch(name) and name not in self.records:
                    with oci.folder(name, f"{path}/{name}", fd) as one:
                        blank = self._blank._replace(id=name)
                        record = _record(one, f"{path}/{name}", blank) if one is not None else None
                    if record is not None:
                        self.records[name] = record


def _record(fd: int, path: str, blank: model.Container) -> _Record | None:
    config = oci.read_file(fd, "config.v2.json", path, _MAX_SIZE)
    # Without it Docker knows nothing of a container either: it is just being made or removed.
    if config is None:
        return None
    host = oci.read_file(fd, "hostconfig.json", path, _MAX_SIZE)
    told = oci.parse_json(config[0], f"{path}/config.v2.json")
    host_reported = oci.parse_json(host[0], f"{path}/hostconfig.json") if host else None
    try:
        return _told(told, host_reported, blank)
    except model.EngineError as error:
        raise model.EngineError(f"{path}: {error}") from None


def _told(config: t.Any, host: t.Any, blank: model.Container) -> _Record:
    """By container/container.go and container/state.go."""
    identity = values.field(config, "ID", str)
    if identity != blank.id:
        raise model.EngineError(f"it is of container {identity[:80]!r}")
    running = values.field(config, "State.Running", bool)
    container = blank._replace(
        # "/web"
        name=values.field(config, "Name", str)[1:] or blank.id[:12],
        status=_status_of_ended(config),
        image=values.field(config, "Config.Image", str),
        created=values.seconds(config, "Created"),
        labels=values.labels(config, "Config.Labels"),
        network_mode=values.field(host, "NetworkMode", str),
    )
    return _Record(
        container,
        pid=max(0, values.field(config, "State.Pid", int)) if running else 0,
        paused=values.field(config, "State.Paused", bool),
        pin=values.path(config, "NetworkSettings.SandboxKey"),
        resolv_conf=values.path(config, "ResolvConfPath"),
    )


def _status_of_ended(config: t.Any) -> str:
    if values.field(config, "State.RemovalInProgress", bool):
        return "removing"
    if values.field(config, "State.Dead", bool):
        return "dead"
    return "created" if values.field(config, "State.StartedAt", str) in ("", _NEVER) else "exited"


def _is_of(pid: int, identity: str) -> bool:
    try:
        with procfs.opened(pid) as process:
            return procfs.in_cgroup_of(process, identity)
    except model.GoneError:
        return False
    except OSError as error:
        raise oci.explain(f"/proc/{pid}", error) from None


def _shims() -> dict[str, str | None]:
    """The containers that a shim of Docker's watches over, dead or not, and their data roots."""
    found: dict[str, str | None] = {}
    for process, _command in oci.daemons("containerd-shim"):
        if oci.option(process, "namespace") == "moby":
            identity = oci.option(process, "id")
            if _ID.fullmatch(identity):
                found[identity] = _data_root(process)
    return found


def _data_root(shim: int) -> str | None:
    """Where the shim's container has its resolv.conf from, by its OCI bundle."""
    try:
        path = os.readlink("cwd", dir_fd=shim)
        with oci.folder(path, path) as fd:
            bundle = oci.read(fd, path, "init.pid") if fd is not None else None
    except (OSError, model.EngineError):
        return None
    match = _IN_DATA_ROOT.fullmatch((bundle and bundle.resolv_conf) or "")
    return match.group(1) if match else None


def _refuse_a_daemon(source: str) -> None:
    if _daemon_runs():
        raise model.EngineError(
            f"they are not read while dockerd runs: if it is just starting or stopping, try again; "
            f"else set DOCKER_HOST to the socket that it listens on instead of {source}"
        )


def _daemon_runs() -> bool:
    return any(command == "dockerd" for _process, command in oci.daemons("dockerd"))


def _with_processes(shims: t.Collection[str]) -> set[str]:
    """The ids of Docker's containers that processes are in, by the names of their cgroups."""
    found: set[str] = set()
    outer = dict(_cgroups(1))
    for pid in procfs.pids():
        for hierarchy, path in _cgroups(pid):
            named = _IN_CGROUP.findall(path)
            if named:
                found.update(set(named).intersection(shims))
                # Of a host that is a container itself, its own cgroup comes first.
                inner = _below(path, outer.get(hierarchy, ""))
                match = _DOCKERS_CGROUP.match(inner)
                if match:
                    found.add(match.group(1) or match.group(2))
    return found


def _below(path: str, outer: str) -> str:
    if outer.endswith("/init.scope"):
        outer = outer[: -len("/init.scope")]
    outer = outer.rstrip("/")
    return path[len(outer) :] if path.startswith(outer + "/") else path


def _cgroups(pid: int) -> list[tuple[str, str]]:
    """The cgroups of a process, by hierarchy; none where it is not there any more."""
    try:
        with procfs.opened(pid) as process:
            text = procfs.read_text(process, "cgroup")
    except model.GoneError:
        return []
    except OSError as error:
        raise oci.explain(f"/proc/{pid}/cgroup", error) from None
    found = []
    for line in procfs.lines(text):
        hierarchy, _colon, path = line.partition(":")[2].partition(":")
        found.append((hierarchy, path))
    return found


def _explain_unknown(unknown: t.Iterable[str], roots: t.Sequence[str]) -> model.EngineError:
    ids = [identity[:12] for identity in sorted(unknown)]
    more = f" and {len(ids) - _MAX_NAMED} more" if len(ids) > _MAX_NAMED else ""
    where = f"not in {', '.join(roots)}" if roots else "in no data root that is known"
    return model.EngineError(
        f"containers {', '.join(ids[:_MAX_NAMED])}{more} run, and their files are {where}: start Docker, or "
        f"mount its data root, or name that in {_SETTINGS}"
    )
