# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Incus and LXD, read from the API on their unix socket, and from the processes of the containers.

The API lists instances of all projects, with their settings. The first process of each container is found
by its monitor (see lxc_monitors): to ask the API for a PID makes the daemon enter the container. In LXC and
in cgroups, an instance is called NAME, or PROJECT_NAME outside the project "default"; neither part can
contain "_" (internal/server/project).

While the daemon is down, containers run on. Monitors and directories then show which there are, and
backup.yaml, which the daemon writes when it changes an instance, has the settings. Virtual machines have no
network namespace of their own.
"""

from __future__ import annotations

import os
import re
import typing as t

from .. import model
from ..kernel import procfs
from . import (
    daemons,
    instance_backup,
    lxc_monitors,
    ports,
    rest_api,
    state_files,
    unix_http,
    values,
    verify,
)

_INSTANCES = "/1.0/instances?recursion=1&all-projects=true"
_SERVER = "/1.0"
_DEFAULT_PROJECT = "default"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,62}")
_PROJECT = re.compile(r"[^\s/_*]{1,63}")
_VIRTUAL_MACHINE = "virtual-machine"
_NO_NETNS = "it is a virtual machine, which has no network namespace on this host"
_STOPPED = ("stopped", "error")


class Instances:
    """The reader of one of the two. `directories` are where its state can be, the usual one first."""

    def __init__(self, engine: str, daemon: str, variable: str, *directories: str) -> None:
        self._engine = engine
        self._daemon = daemon
        self._variable = variable
        self._directories = directories

    def sources(self, environment: t.Mapping[str, str]) -> list[str]:
        """The state directories that exist: the one in the environment variable, or the usual ones."""
        directory = environment.get(self._variable, "")
        candidates = (directory,) if directory.startswith("/") else self._directories
        return list(dict.fromkeys(map(os.path.realpath, filter(os.path.isdir, candidates))))

    def read(
        self, source: str, timeout: float, wanted: t.Callable[[model.Container], bool]
    ) -> model.Reading:
        """All instances of all projects, with the PID of the containers that run and are `wanted`."""
        deadline = state_files.Deadline(timeout)
        try:
            try:
                return self._read_api(source, deadline, wanted)
            except model.DownError:
                return self._read_files(source, deadline, wanted)
        except model.EngineError as error:
            return model.Reading.failed(self._engine, source, error)

    def still_runs(self, container: model.Container, timeout: float) -> bool:
        """Whether the container's first process is still the one that was read before."""
        name = _lxc_name(container.id)
        try:
            with procfs.opened(container.pid) as process:
                with procfs.opened(procfs.parent(process)) as monitor:
                    if procfs.shares_root(monitor):
                        return self._monitored(
                            monitor, container.source
                        ) == name and lxc_monitors.is_first_process(process, monitor)
                return _is_in_payload(process, name)
        except lxc_monitors.ENDED:
            return False
        except OSError as error:
            raise state_files.read_error(f"/proc/{container.pid}", error) from None

    def _monitored(self, process: int, source: str) -> str | None:
        """The name in LXC of the container that a process is the monitor of."""
        if not procfs.command(process).startswith(
            self._daemon
        ) or not lxc_monitors.is_program_of_root(process, self._daemon):
            return None
        title = procfs.read_text(process, "cmdline").split("\0")[0]
        if not title.startswith(lxc_monitors.TITLE):
            return None
        path, _space, name = title[len(lxc_monitors.TITLE) :].rpartition(" ")
        is_here = path.startswith("/") and os.path.realpath(path) == f"{source}/containers"
        return name if is_here and _parsed(name) else None

    def _monitors(
        self, source: str, deadline: state_files.Deadline
    ) -> dict[str, lxc_monitors.FirstProcess | None]:
        """The first process of each container that has a monitor, by its name in LXC."""
        found = lxc_monitors.find(
            self._daemon, lambda process: self._monitored(process, source), deadline
        )
        # While a container restarts, its last monitor may still run. Those without a process come last.
        return dict(reversed(found))

    # The API.

    def _read_api(
        self,
        source: str,
        deadline: state_files.Deadline,
        wanted: t.Callable[[model.Container], bool],
    ) -> model.Reading:
        socket = f"{source}/unix.socket"
        with unix_http.Client(socket, deadline.left, lambda: self._check_daemon(socket)) as client:
            version = _version(client)
            containers, problem = self._listed(source, client.get(_INSTANCES))
            # After the list: what runs by now is true of what the list has.
            monitors = self._monitors(source, deadline)
            containers = [_with_monitor(container, monitors, wanted) for container in containers]
            containers = self._with_reported_pids(client, containers, monitors, wanted)
        return model.Reading(
            self._engine, source, version, tuple(containers), problem, read_from=socket
        )

    def _check_daemon(self, socket: str) -> None:
        if daemons.would_be_started(socket, self._daemon):
            raise model.DownError(f"systemd listens on {socket}, and would start {self._engine}")

    def _listed(
        self, source: str, response: unix_http.Response
    ) -> tuple[list[model.Container], str | None]:
        """The instances of a list, and why it may lack some. Raises EngineError where it is not a list."""
        return rest_api.summaries(
            values.field(rest_api.body(response), "metadata", list),
            _identity,
            lambda item: _with_settings(self._container(source, _identity(item)), item),
            lambda identity, reason: self._container(source, identity)._replace(
                running=True, unread=reason
            ),
        )

    def _container(self, source: str, identity: str) -> model.Container:
        project, _slash, name = identity.rpartition("/")
        return model.Container(
            self._engine, source, identity, name, running=False, status="", project=project
        )

    def _with_reported_pids(
        self,
        client: unix_http.Client,
        containers: t.Sequence[model.Container],
        monitors: t.Container[str],
        wanted: t.Callable[[model.Container], bool],
    ) -> list[model.Container]:
        """The containers. The API is asked for the PIDs of those that run without a monitor that we see.

        A daemon from a snap and its monitors have another root directory; one on another machine has its
        monitors there. Raises ElsewhereError.
        """
        chosen = [
            each
            for each in containers
            if each.running
            and not each.unread
            and not each.without_netns
            and _lxc_name(each.id) not in monitors
            and wanted(each)
        ]
        answers = client.get_each([_state_target(container) for container in chosen])
        results: list[int] = []
        details = {}
        for container, answer in zip(chosen, answers):
            details[container.id], result = _with_reported_pid(container, answer)
            results += [] if result is None else [result]
        results += [verify.CONFIRMED for each in containers if each.pid]
        if verify.is_possible() and verify.is_elsewhere(client.peer_pid, self._daemon, results):
            raise verify.refused(
                f"{containers[0].source}/unix.socket" if containers else "the socket"
            )
        return [details.get(container.id, container) for container in containers]

    # The files.

    def _read_files(
        self,
        source: str,
        deadline: state_files.Deadline,
        wanted: t.Callable[[model.Container], bool],
    ) -> model.Reading:
        path = f"{source}/containers"
        monitors = self._monitors(source, deadline)
        with state_files.open_directory(path, path) as directory:
            names = set(filter(_parsed, state_files.list_directory(directory, path)))
        containers = []
        for lxc_name in sorted(names.union(monitors)):
            deadline.check(path)
            container = self._container(source, _parsed(lxc_name) or lxc_name)
            container = container._replace(status="stopped")
            if lxc_name in monitors:
                container = _with_monitor(container, monitors, wanted)
                container = _with_backup(container, f"{path}/{lxc_name}")
            containers.append(container)
        path = f"{source}/virtual-machines"
        with state_files.open_directory(path, path) as directory:
            containers += [
                self._container(source, _parsed(name) or name)._replace(without_netns=_NO_NETNS)
                for name in filter(_parsed, state_files.list_directory(directory, path))
            ]
        return model.Reading(
            self._engine,
            source,
            containers=tuple(containers),
            read_from=f"{source}/containers",
            # A removed package leaves its directories.
            presence_uncertain=not containers,
        )


def _parsed(lxc_name: str) -> str | None:
    """The ID of the instance with this name in LXC: NAME, or PROJECT/NAME."""
    project, underscore, name = lxc_name.rpartition("_")
    if not _NAME.fullmatch(name) or (underscore and not _PROJECT.fullmatch(project)):
        return None
    return f"{project}/{name}" if underscore else name


def _lxc_name(identity: str) -> str:
    return identity.replace("/", "_")


def _identity(item: t.Any) -> str:
    """The ID of an instance of the list."""
    name = values.field(item, "name", str)
    project = values.field(item, "project", str) or _DEFAULT_PROJECT
    if not _NAME.fullmatch(name) or not _PROJECT.fullmatch(project):
        raise model.EngineError(f"not the name of an instance: {name[:80]!r} in {project[:80]!r}")
    return name if project == _DEFAULT_PROJECT else f"{project}/{name}"


def _with_settings(container: model.Container, item: t.Any) -> model.Container:
    status = values.field(item, "status", str).lower()
    is_machine = values.field(item, "type", str) == _VIRTUAL_MACHINE
    container = container._replace(
        running=status not in _STOPPED,
        status=status,
        created=values.timestamp(item, "created_at"),
        without_netns=_NO_NETNS if is_machine else "",
        ports=ports.from_devices(item.get("expanded_devices")),
    )
    return _with_config(container, values.labels(item, "expanded_config"))


def _with_config(container: model.Container, config: t.Mapping[str, str]) -> model.Container:
    """The container with what its settings have; those of users are its labels, "user.tier=front"."""
    return container._replace(
        image=config.get("image.description", ""),
        labels={key: value for key, value in config.items() if key.startswith("user.")},
    )


def _with_monitor(
    container: model.Container,
    monitors: t.Mapping[str, lxc_monitors.FirstProcess | None],
    wanted: t.Callable[[model.Container], bool],
) -> model.Container:
    """The container as its monitor shows it, whatever was listed before; unchanged where it has none."""
    lxc_name = _lxc_name(container.id)
    if lxc_name not in monitors or container.without_netns or container.unread:
        return container
    process = monitors[lxc_name]
    if process is None:
        return container._replace(running=False, status="starting or stopping")
    status = "running" if container.status in _STOPPED else container.status
    container = container._replace(running=True, status=status, unread=process.unread)
    return container._replace(pid=process.pid) if wanted(container) else container


def _with_backup(container: model.Container, directory: str) -> model.Container:
    try:
        return _with_config(container, instance_backup.read(directory))
    except model.EngineError as error:
        return container._replace(running=True, pid=0, unread=str(error))


def _version(client: unix_http.Client) -> str | None:
    body = rest_api.body(client.get(_SERVER))
    return values.field(body, "metadata.environment.server_version", str) or None


def _state_target(container: model.Container) -> str:
    from urllib.parse import quote  # noqa: PLC0415 - few hosts need it

    project = quote(container.project or _DEFAULT_PROJECT, safe="")
    return f"/1.0/instances/{quote(container.name, safe='')}/state?project={project}"


def _with_reported_pid(
    container: model.Container, answer: unix_http.Answer
) -> tuple[model.Container, int | None]:
    """The container with the PID in an answer, and how the kernel confirms that, None where there is none."""
    try:
        if isinstance(answer, model.EngineError):
            raise answer
        if answer.status == 404:  # it was removed
            return container._replace(running=False, status="stopped"), None
        body = rest_api.body(answer)
        status = values.field(body, "metadata.status", str).lower()
        pid = values.field(body, "metadata.pid", int)
        if not status:
            raise model.EngineError("the response has no status")
    except model.EngineError as error:
        return container._replace(running=True, unread=str(error)), None
    if status in _STOPPED or pid <= 0:
        return container._replace(running=False, status=status), None
    try:
        with procfs.opened(pid) as process:
            if _is_in_payload(process, _lxc_name(container.id)):
                return container._replace(pid=pid, status=status), verify.CONFIRMED
    except model.GoneError:
        return container._replace(running=False, status="stopped"), verify.GONE
    except OSError as error:
        reason = str(state_files.read_error(f"/proc/{pid}", error))
        return container._replace(running=True, unread=reason), None
    problem = f"process {pid} of this host is not its first process"
    return container._replace(problem=problem), verify.REFUTED


def _is_in_payload(process: int, lxc_name: str) -> bool:
    """Whether a process is in the cgroup that LXC makes for a container of this name."""
    return any(
        f"lxc.payload.{lxc_name}" in line.split(":", 2)[-1].split("/")
        for line in procfs.cgroup_lines(process)
    )


INCUS = Instances("incus", "incusd", "INCUS_DIR", "/var/lib/incus")
LXD = Instances("lxd", "lxd", "LXD_DIR", "/var/lib/lxd", "/var/snap/lxd/common/lxd")
