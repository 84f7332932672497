# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Root's Podman, read from its API on a unix socket where that answers, else from its database.

Podman has no daemon: its database contains what Podman did last, and an exit when the container's
monitor (conmon) reported it. After a crash or a reboot a container in it may no longer run and its PID
may belong to another process, so that each process is compared with the kernel. Rootless Podman is
read by rootless.
"""

from __future__ import annotations

import os
import time
import typing as t

from .. import model
from ..kernel import procfs
from . import podman_state, ports, rest_api, state_files, unix_http, values, verify

NAME = "podman"
_SOCKET = "/run/podman/podman.sock"
# Podman 3.0 and later accept this version; a version is required.
_CONTAINERS = "/v4.0.0/libpod/containers"
# libpod/define/containerstate.go, with the names of Podman 5 also for 3.
_STATES = (
    "unknown",
    "created",
    "initialized",
    "running",
    "stopped",
    "paused",
    "exited",
    "removing",
    "stopping",
)
_RUNNING_STATES = ("running", "paused", "stopping")


def sources(environment: t.Mapping[str, str]) -> list[str]:
    """The storage directory (graphroot) where Podman has a database for it."""
    source = os.path.realpath(podman_state.configured("graphroot", environment))
    return [source] if podman_state.databases(source, environment) else []


def read(source: str, timeout: float, wanted: t.Callable[[model.Container], bool]) -> model.Reading:
    """All containers, with PID and pin of the running ones that are `wanted`."""
    deadline = time.monotonic() + timeout
    api_error = ""
    # The service has the storage of the host's configuration.
    if source == os.path.realpath(podman_state.configured("graphroot")) and os.path.exists(_SOCKET):
        try:
            # A hung service leaves enough time for the database.
            reading = _read_api(source, timeout / 2, wanted)
            return _completed(reading, max(0.0, deadline - time.monotonic()), wanted)
        except model.EngineError as error:
            api_error = f"; its API cannot be read either: {error}"
    try:
        containers = _read_database(source, max(0.0, deadline - time.monotonic()), wanted)
    except model.EngineError as error:
        return model.Reading.failed(NAME, source, type(error)(f"{error}{api_error}"))
    database = next(iter(podman_state.databases(source)), None)
    return model.Reading(NAME, source, containers=containers, read_from=database)


def _completed(
    reading: model.Reading, timeout: float, wanted: t.Callable[[model.Container], bool]
) -> model.Reading:
    """The reading, with what the database has of containers that the API did not describe."""
    if not reading.unread:
        return reading
    try:
        recorded = {each.id: each for each in _read_database(reading.source, timeout, wanted)}
    except model.EngineError:
        return reading
    return reading._replace(
        containers=tuple(
            container if container.unread is None else recorded.get(container.id, container)
            for container in reading.containers
        )
    )


def still_runs(container: model.Container, timeout: float) -> bool:
    """Whether the container's first process is still the one that was read before.

    The kernel shows this without Podman: the process's cgroup is named after the container, or its
    parent is the container's monitor, which has the container's ID among its arguments.
    """
    try:
        with procfs.opened(container.pid) as process:
            return verify.is_named(process, container.id)
    except model.GoneError:
        return False
    except OSError as error:
        raise state_files.read_error(f"/proc/{container.pid}", error) from None


def _checked(container: model.Container) -> model.Container:
    """The container, as exited where its process is gone, whatever Podman recorded."""
    # Processes of other users may be hidden from an ordinary user.
    if not verify.is_possible() or still_runs(container, 0):
        return container
    return container._replace(
        running=False, status="exited", pid=0, pin=None, resolv_conf=None, ports=()
    )


def _read_api(
    source: str, timeout: float, wanted: t.Callable[[model.Container], bool]
) -> model.Reading:
    with unix_http.Client(_SOCKET, timeout) as client:
        response = client.get(f"{_CONTAINERS}/json?all=true")
        listed, problem = rest_api.listed_by_id(NAME, source, response, _summary)
        containers = rest_api.inspect(client, _CONTAINERS, listed, wanted, _with_details)
        # `_checked` has compared each process with the kernel.
        results = [verify.CONFIRMED for container in containers if container.pid]
        if verify.is_possible() and verify.is_elsewhere(client.peer_pid, NAME, results):
            raise verify.refused(_SOCKET)
    version = rest_api.version(response, "Libpod")
    return model.Reading(NAME, source, version, tuple(containers), problem, read_from=_SOCKET)


def _summary(source: str, item: t.Any) -> model.Container:
    identity = values.container_id(item, "Id")
    names = values.string_list(item, "Names")
    status = values.field(item, "State", str)
    if status == "configured":  # Podman 3
        status = "created"
    return model.Container(
        engine=NAME,
        source=source,
        id=identity,
        name=names[0] if names else identity[:12],
        running=status in _RUNNING_STATES,
        status=status,
        image=values.field(item, "Image", str),
        created=values.timestamp(item, "Created"),
        labels=values.labels(item, "Labels"),
        pod=_pod(values.field(item, "Pod", str), values.field(item, "PodName", str)),
        sandbox=values.field(item, "IsInfra", bool),
    )


def _with_details(container: model.Container, details: t.Any) -> model.Container:
    status = values.field(details, "State.Status", str) or container.status
    return _with_process(
        container._replace(
            status=status,
            network_mode=values.field(details, "HostConfig.NetworkMode", str),
            resolv_conf=values.absolute_path(details, "ResolvConfPath"),
            ports=ports.from_settings(details),
        ),
        values.field(details, "State.Pid", int),
        values.absolute_path(details, "NetworkSettings.SandboxKey"),
    )


def _read_database(
    source: str, timeout: float, wanted: t.Callable[[model.Container], bool]
) -> tuple[model.Container, ...]:
    containers: dict[str, model.Container] = {}
    for record in podman_state.read(source, timeout):
        try:
            container = _recorded(source, record)
        except model.EngineError as error:
            container = model.Container.known_by_id(NAME, source, record.id, str(error))
        # After an upgrade the old database may still contain it.
        if container.id not in containers or container.running:
            containers[container.id] = (
                container
                if container.running and wanted(container)
                else container._replace(pid=0, pin=None, resolv_conf=None)
            )
    return tuple(containers.values())


def _recorded(source: str, record: podman_state.Record) -> model.Container:
    if record.error:
        raise model.EngineError(record.error)
    config, state = record.config, record.state
    identity = values.container_id(config, "id")
    if identity != record.id:
        raise model.EngineError(f"its record is that of container {identity}")
    number = values.field(state, "state", int)
    status = _STATES[number] if 0 <= number < len(_STATES) else _STATES[0]
    container = model.Container(
        engine=NAME,
        source=source,
        id=identity,
        name=values.field(config, "name", str) or identity[:12],
        running=status in _RUNNING_STATES,
        status=status,
        image=values.field(config, "rootfsImageName", str),
        created=values.timestamp(config, "createdTime"),
        labels=values.labels(config, "labels"),
        network_mode=_network_mode(config),
        resolv_conf=_mounted_at(state, "/etc/resolv.conf"),
        pod=_pod(values.field(config, "pod", str), record.pod_name),
        sandbox=values.field(config, "pause", bool),
        ports=ports.from_podman_database(config, state),
    )
    return _with_process(
        container,
        values.field(state, "pid", int),
        values.absolute_path({"netns": record.pin or values.field(state, "netns", str)}, "netns"),
    )


def _with_process(container: model.Container, pid: int, pin: str | None) -> model.Container:
    if container.status not in _RUNNING_STATES or pid <= 0:
        return container._replace(running=False, resolv_conf=None, ports=())
    # For a container that joined another's namespace, the API returns the pin that the other has now:
    # after the other was restarted, that pins a new namespace. A path below /proc is not a pin.
    has_own_netns = not container.network_mode.startswith(("container:", "ns:"))
    is_pin = has_own_netns and pin is not None and not pin.startswith("/proc/")
    return _checked(container._replace(running=True, pid=pid, pin=pin if is_pin else None))


def _network_mode(config: t.Any) -> str:
    """HostConfig.NetworkMode as `podman inspect` shows it (libpod/container_inspect_linux.go)."""
    if values.field(config, "createNetNS", bool):
        return values.field(config, "networkMode", str) or "bridge"
    joined = values.field(config, "netNsCtr", str)
    if joined:
        return f"container:{joined}"
    for namespace in values.field(config, "spec.linux.namespaces", list):
        if values.field(namespace, "type", str) == "network":
            path = values.field(namespace, "path", str)
            return f"ns:{path}" if path else "none"
    return "host"


def _mounted_at(state: t.Any, target: str) -> str | None:
    source = values.field(state, "bindMounts", dict).get(target)
    return values.absolute_path({"source": source}, "source")


def _pod(identity: str, name: str) -> model.Pod | None:
    return model.Pod(namespace="", name=name or identity[:12], uid=identity) if identity else None
