# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Docker Engine, asked over its unix socket (Docker Engine API, v1.12 and later).

While its daemon is down its files are read: see docker_state.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
import typing as t

from .. import model, untrusted
from ..kernel import procfs
from . import unix_http, values

NAME = "docker"
_SOCKET = "/run/docker.sock"
_PID_FILE = "/run/docker.pid"
_MAX_PID = 32
_DAEMON = "dockerd"
_ID = re.compile(r"[0-9a-f]{64}")
_PODMANS_SOCKET = "/run/podman/podman.sock"
# The sandboxes that Docker makes for networks, with no process in them: the ingress network's, those
# of load balancers (libnetwork/controller.go), and those that overlay networks are bridged in, by how
# often it was made anew (drivers/overlay/ov_network.go). After 12 characters they are cut off
# (osl/namespace_linux.go).
_OF_NETWORK = re.compile(
    r"(/.+)/docker/netns/(?:ingress_sbox|(?=.{12}$)(?:lb_|[0-9]+-)([0-9a-z]+))"
)


class _PodmanError(unix_http.DownError):
    """It is Podman that has the socket."""


def sources(environment: t.Mapping[str, str]) -> list[str]:
    """The socket to ask: DOCKER_HOST's where it is set, else the default, if Docker is here.

    The socket tells one daemon from others also while it is down, and its files are read instead.
    """
    address = environment.get("DOCKER_HOST", "")
    if address.startswith("unix://"):
        socket = os.path.realpath(address[len("unix://") :])
        if not _is_podmans(socket):
            return [socket]
    elif address:
        # Kept as it is: reading it fails with the reason, and Docker counts as not read.
        return [address]
    socket = os.path.realpath(_SOCKET)
    if os.path.lexists(_SOCKET) and not _is_podmans(socket):
        return [socket]
    from . import docker_state  # noqa: PLC0415 - only where the daemon is down

    return [_SOCKET] if docker_state.is_there() else []


def _is_podmans(socket: str) -> bool:
    """Whether it is the one that the package podman-docker gives out for Docker's, or a bind of it."""
    if socket.endswith("/podman/podman.sock"):
        return True
    try:
        return os.path.samefile(socket, _PODMANS_SOCKET)
    except OSError:
        return False


def read(source: str, timeout: float, wanted: t.Callable[[model.Container], bool]) -> model.Reading:
    """All containers, and the PID and pin of the running ones that `wanted` says yes to."""
    deadline = time.monotonic() + timeout
    try:
        try:
            return _ask(source, timeout, wanted)
        except unix_http.DownError as down:
            if source != _SOCKET:  # which files are that daemon's, nothing says
                raise model.EngineError(f"{down}: its daemon is not running") from None
            return _from_files(source, deadline, wanted, down)
    except model.EngineError as error:
        return model.Reading(NAME, source, error=str(error))


def _ask(source: str, timeout: float, wanted: t.Callable[[model.Container], bool]) -> model.Reading:
    with _connect(source, timeout) as client:
        (listing,) = client.get(["/containers/json?all=1"])
        _refuse_podman(source, listing)
        containers = [_summary(source, item) for item in values.array(values.body(listing))]
        chosen = [container for container in containers if container.running and wanted(container)]
        details = {}
        answers = client.get([f"/containers/{container.id}/json" for container in chosen])
        for container, answer in zip(chosen, answers):
            # A container that was removed in between is no container any more.
            details[container.id] = (
                None if answer.status == 404 else _inspected(container, values.body(answer))
            )
    merged = (details.get(container.id, container) for container in containers)
    return model.Reading(
        NAME, source, _version(listing.headers), tuple(found for found in merged if found)
    )


def read_some(
    source: str, timeout: float, ids: t.AbstractSet[str], connections: dict[str, unix_http.Client]
) -> model.Reading:
    """These containers alone, with PID and pin; the daemon itself has to answer.

    `kept` has the connection by source from one call to the next.
    """
    asked = sorted(filter(_ID.fullmatch, ids))
    containers: tuple[model.Container, ...] = ()
    error = None
    try:
        client = connections.pop(source, None)
        if client is not None:
            with contextlib.suppress(unix_http.EndedError):  # at any time since the last call
                containers = _told(client, source, timeout, asked)
                connections[source] = client
        if source not in connections:
            client = _connect(source, timeout)
            containers = _told(client, source, timeout, asked)
            connections[source] = client
    except model.EngineError as problem:
        error = str(problem)
    return model.Reading(NAME, source, containers=containers, error=error, only=frozenset(ids))


def _told(
    client: unix_http.Client, source: str, timeout: float, asked: t.Iterable[str]
) -> tuple[model.Container, ...]:
    """What one connection tells of containers; it is closed where that is an error."""
    try:
        client.renew(timeout)
        containers = []
        for answer in client.get([f"/containers/{identity}/json" for identity in asked]):
            _refuse_podman(source, answer)
            if answer.status != 404:
                item = values.body(answer)
                containers.append(_inspected(_summary_of_inspect(source, item), item))
    except model.EngineError:
        client.close()
        raise
    return tuple(containers)


def _summary_of_inspect(source: str, item: t.Any) -> model.Container:
    identity = values.field(item, "Id", str)
    if not _ID.fullmatch(identity):
        raise model.EngineError(f"a container id {identity[:80]!r}")
    return model.Container(
        engine=NAME,
        source=source,
        id=identity,
        name=values.field(item, "Name", str)[1:] or identity[:12],
        running=False,
        status="",
        image=values.field(item, "Config.Image", str),
        created=values.seconds(item, "Created"),
        labels=values.labels(item, "Config.Labels"),
    )


def _connect(source: str, timeout: float) -> unix_http.Client:
    if not source.startswith("/"):
        raise model.EngineError(
            f"DOCKER_HOST is {source!r}: only a unix:// socket leads to containers of this very host"
        )
    if _is_podmans(os.path.realpath(source)):
        raise _PodmanError(f"{source} is Podman's")
    if is_asleep(source):
        raise unix_http.DownError(f"systemd listens on {source}, and would start Docker")
    return unix_http.Client(source, timeout)


def is_asleep(source: str) -> bool:
    """Whether to connect would start a daemon that was stopped (docker.socket): looking must not."""
    if source != _SOCKET or _is_dockerd(_PID_FILE):
        return False
    from . import docker_state  # noqa: PLC0415 - only where the daemon may be down

    return docker_state.is_asleep(source)


def _is_dockerd(pid_file: str) -> bool:
    try:
        data, _status = untrusted.read_file(pid_file, _MAX_PID)
        with procfs.opened(int(data)) as process:
            return procfs.command(process) == _DAEMON
    except (OSError, ValueError, model.GoneError, untrusted.UnusableFileError):
        return False


def _refuse_podman(source: str, answer: unix_http.Response) -> None:
    # Docker does not listen there, whatever else is.
    if answer.headers.get("server", "").startswith("Libpod/"):
        raise _PodmanError(f"it is Podman that answers on {source}")


def _from_files(
    source: str,
    deadline: float,
    wanted: t.Callable[[model.Container], bool],
    down: unix_http.DownError,
) -> model.Reading:
    from . import docker_state  # noqa: PLC0415 - only where the daemon is down

    try:
        left = max(0.0, deadline - time.monotonic())
        reading = docker_state.read(NAME, source, left, wanted)
    except model.EngineError as error:
        raise model.EngineError(f"{down}, and of its files: {error}") from None
    # Where Podman took the socket over, it is no wonder that there is no Docker.
    if reading.read_from is None and not isinstance(down, _PodmanError):
        raise model.EngineError(
            f"{down}, and there is no data root with containers: its daemon is not running"
        )
    return reading


def still_runs(container: model.Container, timeout: float) -> bool:
    """Look again whether the container's first process is still the one that was told before."""
    try:
        with _connect(container.source, timeout) as client:
            (answer,) = client.get([f"/containers/{container.id}/json"])
            _refuse_podman(container.source, answer)
            return (
                answer.status == 200
                and _inspected(container, values.body(answer)).pid == container.pid
            )
    except unix_http.DownError:
        if container.source != _SOCKET:
            raise
        from . import docker_state  # noqa: PLC0415 - only where the daemon is down

        return docker_state.still_runs(container)


def networks(pins: t.Iterable[str], timeout: float) -> tuple[dict[str, model.Network], list[str]]:
    """The network of each pin that is one's sandbox, and what kept Docker from telling more.

    Docker is only asked if there are any, with one request for all of them.
    """
    found: dict[str, model.Network] = {}
    problems = []
    sockets: dict[str, list[str]] = {}
    for pin in pins:
        match = _OF_NETWORK.fullmatch(pin)
        if match:
            found[pin] = model.Network(match.group(2), None)
            sockets.setdefault(f"{match.group(1)}/docker.sock", []).append(pin)
    for socket, here in sockets.items():
        try:
            with _connect(socket, timeout) as client:
                (answer,) = client.get(["/networks"])
                _refuse_podman(socket, answer)
                told = values.array(values.body(answer))
            found.update({pin: _network(found[pin].id, told) for pin in here})
        except model.EngineError as error:
            problems.append(f"what its networks are called: {error}")
    return found, problems


def _network(beginning: str | None, told: t.Sequence[t.Any]) -> model.Network:
    candidates = []
    for item in told:
        identity = values.field(item, "Id", str)
        is_ingress = values.field(item, "Ingress", bool)
        if identity.startswith(beginning) if beginning else is_ingress:
            candidates.append(model.Network(identity, values.field(item, "Name", str) or None))
    # It is of none where it was left behind, when Docker was ended.
    return candidates[0] if len(candidates) == 1 else model.Network(beginning, None)


def _version(headers: t.Mapping[str, str]) -> str | None:
    # "Docker/20.10.24+dfsg1 (linux)": in every answer, so that no request is spent on it.
    product, _slash, version = headers.get("server", "").split(" ")[0].partition("/")
    return version if product == "Docker" and version else None


def _summary(source: str, item: t.Any) -> model.Container:
    identity = values.field(item, "Id", str)
    if not _ID.fullmatch(identity):
        raise model.EngineError(f"a container id {identity[:80]!r}")
    # "/web" is the name; "/other/alias" are legacy links of other containers to this one.
    names = [name for name in values.texts(item, "Names") if name.count("/") == 1]
    status = values.field(item, "State", str)
    return model.Container(
        engine=NAME,
        source=source,
        id=identity,
        name=names[0][1:] if names else identity[:12],
        running=status in ("running", "paused", "restarting"),
        status=status,
        image=values.field(item, "Image", str),
        created=float(values.field(item, "Created", int)),
        labels=values.labels(item, "Labels"),
        network_mode=values.field(item, "HostConfig.NetworkMode", str),
    )


def _inspected(container: model.Container, item: t.Any) -> model.Container:
    # A container between two lives of a restart policy is "running" with PID 0.
    pid = values.field(item, "State.Pid", int)
    running = values.field(item, "State.Running", bool) and pid > 0
    return container._replace(
        running=running,
        status=values.field(item, "State.Status", str) or container.status,
        pid=pid if running else 0,
        pin=values.path(item, "NetworkSettings.SandboxKey") if running else None,
        resolv_conf=values.path(item, "ResolvConfPath"),
        network_mode=values.field(item, "HostConfig.NetworkMode", str) or container.network_mode,
    )
