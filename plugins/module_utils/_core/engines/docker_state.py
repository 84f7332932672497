# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Docker's files about containers, as its daemon wrote them when it last ran.

With live-restore, containers go on running while the daemon is down; without it they are dead; after a
crash the files may be wrong about either. So the kernel is compared: a container that the files list as
running has to have its process, and a running container that is in no file is an error, as the files
are then not those of the daemon that ran here.
"""

from __future__ import annotations

import functools
import os
import re
import time
import typing as t

from .. import model
from ..kernel import procfs
from ..named_tuple import NamedTuple
from . import bundles, daemons, docker_daemons, kubernetes, ports, shims, state_files, values

_DATA_ROOT = "/var/lib/docker"
_MAX_FILE = 1 << 22
_MAX_READS = 2
_RETRY_DELAY = 0.1
_MAX_LISTED_IDS = 3
# With userns-remap the data root has a subdirectory UID.GID as the data root of each user (daemon_unix.go).
_REMAPPED_ROOT = re.compile(r"[0-9]+\.[0-9]+")
_RESOLV_CONF = re.compile(r"(/.+)/containers/[0-9a-f]{64}/resolv\.conf")
_ID_IN_CGROUP = re.compile(r"[/-]([0-9a-f]{64})(?=\.scope|/|$)")
# Of the cgroupfs and of the systemd driver. Deeper ones belong to engines that run in containers
# themselves, or without root.
_CONTAINER_CGROUP = re.compile(
    r"(?:/docker/([0-9a-f]{64})|(?:/[^/]+\.slice)*/docker-([0-9a-f]{64})\.scope)(?:/|$)"
)
_NO_FIRST_PROCESS = (
    "it has processes, but its files do not show which is the first: Docker ended while it started or "
    "stopped the container; start Docker again"
)
_ZERO_TIME = "0001-01-01T00:00:00Z"


def may_exist() -> bool:
    """Whether there is a directory of containers, or its existence cannot be checked."""
    try:
        return any(state_files.may_exist(f"{root}/containers") for root in _configured_roots())
    except model.EngineError:
        return True


def _configured_roots() -> list[str]:
    """The data root in daemon.json, and those of userns-remap in it. Raises EngineError."""
    root = _root_in(docker_daemons.CONFIG)
    try:
        remapped = sorted(filter(_REMAPPED_ROOT.fullmatch, os.listdir(root)))
    except OSError:  # where that matters, `read` raises it
        remapped = []
    return [root, *(f"{root}/{name}" for name in remapped)]


def _root_in(config_file: str) -> str:
    """The data root in a configuration file of dockerd, else the default one. Raises EngineError."""
    path, name = os.path.split(os.path.realpath(config_file))
    config = None
    with state_files.open_directory(path, path) as fd:
        content = state_files.read_file(fd, name, path, _MAX_FILE) if fd is not None else None
        if content is not None and content[0].strip():
            config = values.parse_json(content[0], config_file)
    try:
        # "graph" was the name until Docker 23.
        data_root = values.absolute_path(config, "data-root") or values.absolute_path(
            config, "graph"
        )
    except model.EngineError as error:
        raise model.EngineError(f"{config_file}: {error}") from None
    return (data_root or _DATA_ROOT).rstrip("/")


def _running_roots() -> t.Iterator[str]:
    """The data roots of the daemons that run."""
    for _process, words, config_file in docker_daemons.running():
        root = daemons.option_among(words, "data-root", "graph", "g")
        yield root.rstrip("/") if root.startswith("/") else _root_in(config_file)


def _is_below(path: str | None, roots: t.Iterable[str]) -> bool:
    return path is not None and any(f"{path}/".startswith(f"{root}/") for root in roots)


def read(
    engine: str, source: str, timeout: float, wanted: t.Callable[[model.Container], bool]
) -> model.Reading:
    """All containers, as the daemon's API would return them. Raises EngineError.

    `read_from` is None where there is no data root.
    """
    deadline = state_files.Deadline(timeout)
    attempt = 1
    while True:
        # The daemon and the processes come after the files, which a daemon that starts meanwhile changes.
        roots_by_id = _shims()
        other_roots = {*_running_roots()} - {_root_in(docker_daemons.CONFIG)}
        others = {each for each, root in roots_by_id.items() if _is_below(root, other_roots)}
        roots_by_id = {each: root for each, root in roots_by_id.items() if each not in others}
        state = _State(model.Container(engine, source, "", "", False, ""), roots_by_id, deadline)
        _check_no_daemon(source)
        alive = _ids_with_processes(roots_by_id) - others
        running = {
            identity
            for identity, record in state.records.items()
            if record.pid and _is_in_container(record.pid, identity)
        }
        if alive.difference(state.unread) <= running or attempt == _MAX_READS:
            break
        # A container that just started or ended is consistent a moment later.
        attempt += 1
        time.sleep(_RETRY_DELAY)
    unread = dict(state.unread)
    unknown = alive.difference(state.records, unread)
    unread.update((each, state.without_files[each]) for each in unknown & {*state.without_files})
    unknown.difference_update(unread)
    if unknown:
        raise _unknown_error(unknown, state.roots)
    containers = [
        model.Container.known_by_id(engine, source, identity, reason)
        for identity, reason in unread.items()
    ]
    for identity, record in state.records.items():
        container = record.container
        if identity in alive or identity in running:
            container = container._replace(
                running=True,
                status="paused" if record.paused else "running",
                problem=None if identity in running else _NO_FIRST_PROCESS,
                ports=record.ports if identity in running else (),
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
    """Whether the container's first process still runs. Raises EngineError."""
    return _is_in_container(container.pid, container.id)


class _Record(NamedTuple):
    """A container by its files; `container` is as the API returns one that does not run.

    `pid` is its first process where the files list it as running, else 0.
    """

    container: model.Container
    pid: int
    paused: bool
    pin: str | None
    resolv_conf: str | None
    ports: tuple[model.Port, ...]


class _State:
    """All records by ID, from the configured data root, and from those that shims show.

    `template` has what all containers have in common.
    """

    def __init__(
        self,
        template: model.Container,
        roots_by_id: t.Mapping[str, str | None],
        deadline: state_files.Deadline,
    ) -> None:
        self.records: dict[str, _Record] = {}
        self.unread: dict[str, str] = {}
        # A directory without files is that of a container which Docker creates or removes, or is damaged.
        self.without_files: dict[str, str] = {}
        self.roots: list[str] = []
        self._template = template
        self._deadline = deadline
        for root in _configured_roots():
            self._read(root)
        # The data root may have been an option of the daemon, which no longer runs.
        for identity, shim_root in roots_by_id.items():
            if shim_root and identity not in self.records and shim_root not in self.roots:
                self._read(shim_root)

    def _read(self, root: str) -> None:
        path = f"{root}/containers"
        with state_files.open_directory(path, path) as parent:
            if parent is None:
                return
            self.roots.append(root)
            for name in state_files.list_directory(parent, path):
                self._deadline.check(path)
                if values.CONTAINER_ID.fullmatch(name) and name not in self.records:
                    try:
                        record = self._read_container(name, f"{path}/{name}", parent)
                    except model.EngineError as error:
                        self.unread[name] = str(error)
                        continue
                    if record is None:
                        self.without_files[name] = f"there is no {path}/{name}/config.v2.json"
                    else:
                        self.records[name] = record
                        self.unread.pop(name, None)

    def _read_container(self, identity: str, path: str, parent: int) -> _Record | None:
        template = self._template._replace(id=identity)
        with state_files.open_directory(identity, path, parent) as fd:
            return _read_record(fd, path, template) if fd is not None else None


def _read_record(fd: int, path: str, template: model.Container) -> _Record | None:
    config = state_files.read_file(fd, "config.v2.json", path, _MAX_FILE)
    # It is missing while Docker creates or removes the container.
    if config is None:
        return None
    host = state_files.read_file(fd, "hostconfig.json", path, _MAX_FILE)
    config_json = values.parse_json(config[0], f"{path}/config.v2.json")
    host_json = values.parse_json(host[0], f"{path}/hostconfig.json") if host else None
    try:
        return _record(config_json, host_json, template)
    except model.EngineError as error:
        raise model.EngineError(f"{path}: {error}") from None


def _record(config: t.Any, host: t.Any, template: model.Container) -> _Record:
    """From the fields of container/container.go and container/state.go."""
    identity = values.field(config, "ID", str)
    if identity != template.id:
        raise model.EngineError(f"config.v2.json belongs to container {identity[:80]!r}")
    running = values.field(config, "State.Running", bool)
    container = template._replace(
        # "/web"
        name=values.field(config, "Name", str)[1:] or template.id[:12],
        status=_status_of_ended(config),
        image=values.field(config, "Config.Image", str),
        created=values.timestamp(config, "Created"),
        labels=values.labels(config, "Config.Labels"),
        network_mode=values.field(host, "NetworkMode", str),
    )
    return _Record(
        kubernetes.with_pod(container),
        pid=max(0, values.field(config, "State.Pid", int)) if running else 0,
        paused=values.field(config, "State.Paused", bool),
        pin=values.absolute_path(config, "NetworkSettings.SandboxKey"),
        resolv_conf=values.absolute_path(config, "ResolvConfPath"),
        ports=ports.from_settings(config) if running else (),
    )


def _status_of_ended(config: t.Any) -> str:
    if values.field(config, "State.RemovalInProgress", bool):
        return "removing"
    if values.field(config, "State.Dead", bool):
        return "dead"
    return (
        "created" if values.field(config, "State.StartedAt", str) in ("", _ZERO_TIME) else "exited"
    )


def _is_in_container(pid: int, identity: str) -> bool:
    try:
        with procfs.opened(pid) as process:
            return procfs.in_cgroup_of(process, identity)
    except model.GoneError:
        return False
    except OSError as error:
        raise state_files.read_error(f"/proc/{pid}", error) from None


def _shims() -> dict[str, str | None]:
    """The IDs of Docker's containers that have a shim, dead or not, each with its data root."""
    roots: dict[str, str | None] = {}
    is_dockers = functools.lru_cache(maxsize=None)(shims.is_dockers)
    for process, _command in daemons.running("containerd-shim"):
        namespace, identity = daemons.option(process, "namespace"), daemons.option(process, "id")
        if values.CONTAINER_ID.fullmatch(identity) and is_dockers(
            namespace, _parent_of_cwd(process)
        ):
            roots[identity] = _data_root(process)
    return roots


def _parent_of_cwd(shim: int) -> str:
    """The directory of the bundles of a shim's namespace: its working directory is its bundle."""
    try:
        return os.path.dirname(os.readlink("cwd", dir_fd=shim))
    except OSError:  # it ended
        return ""


def _data_root(shim: int) -> str | None:
    """The data root in which the container's resolv.conf is, by the OCI bundle of its shim."""
    try:
        path = os.readlink("cwd", dir_fd=shim)
        with state_files.open_directory(path, path) as fd:
            bundle = bundles.read(fd, path, "init.pid") if fd is not None else None
    except (OSError, model.EngineError):
        return None
    match = _RESOLV_CONF.fullmatch((bundle and bundle.resolv_conf) or "")
    return match.group(1) if match else None


def _check_no_daemon(source: str) -> None:
    if _root_in(docker_daemons.CONFIG) in _running_roots():
        raise model.EngineError(
            f"dockerd is running: if it is starting or stopping, try again; otherwise set DOCKER_HOST to "
            f"the socket that it listens on, instead of {source}"
        )


def _ids_with_processes(shim_ids: t.Collection[str]) -> set[str]:
    """The IDs of Docker's containers that have processes, by the names of their cgroups."""
    alive: set[str] = set()
    host_cgroups = dict(_cgroups(1))
    for pid in procfs.pids():
        for hierarchy, path in _cgroups(pid):
            ids = _ID_IN_CGROUP.findall(path)
            if ids:
                alive.update(set(ids).intersection(shim_ids))
                match = _CONTAINER_CGROUP.match(
                    _relative_cgroup(path, host_cgroups.get(hierarchy, ""))
                )
                if match:
                    alive.add(match.group(1) or match.group(2))
    return alive


def _relative_cgroup(path: str, host_cgroup: str) -> str:
    """A path below the cgroup of PID 1, which is not "/" where this host is itself a container."""
    if host_cgroup.endswith("/init.scope"):
        host_cgroup = host_cgroup[: -len("/init.scope")]
    host_cgroup = host_cgroup.rstrip("/")
    return path[len(host_cgroup) :] if path.startswith(host_cgroup + "/") else path


def _cgroups(pid: int) -> list[tuple[str, str]]:
    """Hierarchy and path of each cgroup of a process; none where it has ended."""
    try:
        with procfs.opened(pid) as process:
            text = procfs.read_text(process, "cgroup")
    except model.GoneError:
        return []
    except OSError as error:
        raise state_files.read_error(f"/proc/{pid}/cgroup", error) from None
    cgroups = []
    for line in procfs.lines(text):
        hierarchy, _colon, path = line.partition(":")[2].partition(":")
        cgroups.append((hierarchy, path))
    return cgroups


def _unknown_error(unknown: t.Iterable[str], roots: t.Sequence[str]) -> model.EngineError:
    ids = [identity[:12] for identity in sorted(unknown)]
    listed = ", ".join(ids[:_MAX_LISTED_IDS])
    more = f" and {len(ids) - _MAX_LISTED_IDS} more" if len(ids) > _MAX_LISTED_IDS else ""
    where = f"not in {', '.join(roots)}" if roots else "not in any known data root"
    return model.EngineError(
        f"containers {listed}{more} run, but their files are {where}: start Docker, mount its data root, or "
        f"set data-root in {docker_daemons.CONFIG}"
    )
