# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Docker Engine, read from its API on a unix socket (Docker Engine API, v1.12 and later).

While its daemon is down, its files are read: see docker_state.
"""

from __future__ import annotations

import os
import re
import time
import typing as t

from .. import model, untrusted
from ..kernel import procfs
from . import kubernetes, ports, rest_api, unix_http, values, verify

NAME = "docker"
_SOCKET = "/run/docker.sock"
_PID_FILE = "/run/docker.pid"
_MAX_PID_FILE = 32
_DAEMON = "dockerd"
_CONTAINERS = "/containers"
_PODMAN_SOCKET = "/run/podman/podman.sock"
# Docker pins three kinds of namespaces that have no process: that of the ingress network, those of load
# balancers (both libnetwork/controller.go), and those that contain the bridge of an overlay network. The
# name of a pin of the third kind starts with a counter (drivers/overlay/ov_network.go). Docker truncates
# the names of pins to 12 characters (osl/namespace_linux.go).
# Not compiled here, as netns_link does not need it.
_NETWORK_PIN = r"ingress_sbox|(?=.{12}$)(?:lb_|[0-9]+-)([0-9a-z]+)"


class _PodmanError(model.DownError):
    """Podman listens on the socket, not Docker."""


def sources(environment: t.Mapping[str, str]) -> list[str]:
    """The socket in DOCKER_HOST, or the default socket where Docker is installed.

    Containers have this socket as their source even where the daemon is down and its files are read.
    """
    address = environment.get("DOCKER_HOST", "")
    if address.startswith("unix://"):
        socket = os.path.realpath(address[len("unix://") :])
        if not _is_podman_socket(socket):
            return [socket]
    elif address:
        # read() fails for this address with the reason, so the results report that Docker was not read.
        return [address]
    socket = os.path.realpath(_SOCKET)
    if os.path.lexists(_SOCKET) and not _is_podman_socket(socket):
        return [socket]
    from . import docker_state  # noqa: PLC0415 - only where the daemon is down

    return [_SOCKET] if docker_state.may_exist() else []


def _is_podman_socket(socket: str) -> bool:
    """Whether this is Podman's socket, or a bind mount of it.

    The package podman-docker makes Docker's socket a symbolic link to it.
    """
    if socket.endswith("/podman/podman.sock"):
        return True
    try:
        return os.path.samefile(socket, _PODMAN_SOCKET)
    except OSError:
        return False


def read(source: str, timeout: float, wanted: t.Callable[[model.Container], bool]) -> model.Reading:
    """All containers, with PID and pin of the running ones that are `wanted`."""
    deadline = time.monotonic() + timeout
    try:
        try:
            return _read_api(source, timeout, wanted)
        except model.DownError as down:
            # Where the files of the daemon on another socket are is not known.
            if source not in (_SOCKET, os.path.realpath(_SOCKET)):
                raise model.DownError(f"{down}: its daemon is not running") from None
            return _from_files(source, deadline, wanted, down)
    except model.EngineError as error:
        return model.Reading.failed(NAME, source, error)


def _read_api(
    source: str, timeout: float, wanted: t.Callable[[model.Container], bool]
) -> model.Reading:
    with _connect(source, timeout) as client:
        response = client.get(f"{_CONTAINERS}/json?all=1")
        _refuse_podman(source, response)
        listed, problem = rest_api.listed_by_id(NAME, source, response, _summary)
        verifier = _Verifier()
        containers = rest_api.inspect(client, _CONTAINERS, listed, wanted, verifier.add_details)
        containers = _verified(client, source, containers, verifier)
    version = rest_api.version(response, "Docker")
    return model.Reading(NAME, source, version, tuple(containers), problem)


def read_some(
    source: str, timeout: float, ids: t.AbstractSet[str], connections: dict[str, unix_http.Client]
) -> model.Reading:
    """Only these containers, with PID and pin, from the API.

    `connections` keeps the open connection of each source from one call to the next.
    """
    only = frozenset(ids)
    try:
        client = connections.pop(source, None)
        if client is None:
            client = _connect(source, timeout)
        try:
            client.reset_deadline(timeout)
            containers = _inspect(
                client, source, sorted(filter(values.CONTAINER_ID.fullmatch, ids))
            )
        except model.EngineError:
            client.close()
            raise
    except model.EngineError as error:
        return model.Reading.failed(NAME, source, error)._replace(only=only)
    connections[source] = client
    return model.Reading(NAME, source, containers=tuple(containers), only=only)


def _inspect(client: unix_http.Client, source: str, ids: t.Sequence[str]) -> list[model.Container]:
    verifier = _Verifier()
    containers = []
    for identity, answer in zip(
        ids, client.get_each([f"{_CONTAINERS}/{identity}/json" for identity in ids])
    ):
        if isinstance(answer, unix_http.Response):
            _refuse_podman(source, answer)
        container = rest_api.with_details(
            model.Container(NAME, source, identity, identity[:12], running=True, status=""),
            answer,
            lambda container, details: verifier.add_details(
                _summary_of_details(container.source, details), details
            ),
        )
        if container is not None:
            containers.append(container)
    return _verified(client, source, containers, verifier)


class _Verifier:
    """Adds details to containers, and checks their first processes while the daemon prepares its next response.

    `results` has those of verify.check() by container ID.
    """

    def __init__(self) -> None:
        self.results: dict[str, int] = {}

    def add_details(self, container: model.Container, details: t.Any) -> model.Container:
        """The container with its details."""
        self.results.pop(container.id, None)
        container = _with_details(container, details)
        if container.pid:
            started = values.field(details, "State.StartedAt", str)
            try:
                result = verify.check(verify.Claim(container.id, container.pid, started))
            except OSError:  # a security module may hide it
                result = verify.POSSIBLE
            self.results[container.id] = result
        return container


def _verified(
    client: unix_http.Client,
    source: str,
    containers: t.Sequence[model.Container],
    verifier: _Verifier,
) -> list[model.Container]:
    """The containers whose PIDs are this host's. Raises ElsewhereError where the daemon is not this host's."""
    if not verify.is_possible():
        return list(containers)
    results = verifier.results
    unconfirmed = {
        identity for identity, result in results.items() if result in (verify.REFUTED, verify.GONE)
    }
    if unconfirmed or not (results or verify.is_local(client.peer_pid)):
        # Containers may have ended meanwhile, so the daemon is asked again. Without results, the caller did not want
        # any, and the containers decide.
        for identity in unconfirmed:
            del results[identity]
        containers = rest_api.inspect(
            client,
            _CONTAINERS,
            containers,
            lambda each: not unconfirmed or each.id in unconfirmed,
            verifier.add_details,
        )
    if verify.is_elsewhere(client.peer_pid, _DAEMON, results.values()):
        raise verify.refused(source)
    return [
        container._replace(
            pid=0,
            pin=None,
            problem=f"process {container.pid} of this host is not its first process",
        )
        if container.pid and results[container.id] == verify.REFUTED
        else container
        for container in containers
    ]


def _summary_of_details(source: str, details: t.Any) -> model.Container:
    identity = values.container_id(details, "Id")
    container = model.Container(
        engine=NAME,
        source=source,
        id=identity,
        name=values.field(details, "Name", str)[1:] or identity[:12],
        running=False,
        status="",
        image=values.field(details, "Config.Image", str),
        created=values.timestamp(details, "Created"),
        labels=values.labels(details, "Config.Labels"),
    )
    return kubernetes.with_pod(container)


def _connect(source: str, timeout: float) -> unix_http.Client:
    if not source.startswith("/"):
        raise model.ElsewhereError(
            f"DOCKER_HOST is {source!r}: only a unix:// socket leads to containers on this host"
        )
    return unix_http.Client(source, timeout, lambda: _check_daemon(source))


def _check_daemon(source: str) -> None:
    """Raise DownError where Docker does not listen on a socket."""
    if _is_podman_socket(os.path.realpath(source)):
        raise _PodmanError(f"{source} is Podman's socket")
    if is_asleep(source):
        raise model.DownError(f"systemd listens on {source}, and would start Docker")


def is_asleep(source: str) -> bool:
    """Whether systemd listens for a stopped daemon (docker.socket), and connecting would start it."""
    if source == _SOCKET and _is_dockerd(_PID_FILE):
        return False
    from . import daemons  # noqa: PLC0415 - only where the daemon may be down

    return daemons.would_be_started(source, _DAEMON)


def _is_dockerd(pid_file: str) -> bool:
    try:
        data, _status = untrusted.read_file(pid_file, _MAX_PID_FILE)
        with procfs.opened(int(data)) as process:
            return procfs.command(process) == _DAEMON
    except (OSError, ValueError, model.GoneError, untrusted.UnusableFileError):
        return False


def _refuse_podman(source: str, response: unix_http.Response) -> None:
    if response.headers.get("server", "").startswith("Libpod/"):
        raise _PodmanError(f"Podman answers on {source}, not Docker")


def _from_files(
    source: str,
    deadline: float,
    wanted: t.Callable[[model.Container], bool],
    down: model.DownError,
) -> model.Reading:
    from . import docker_state  # noqa: PLC0415 - only where the daemon is down

    try:
        left = max(0.0, deadline - time.monotonic())
        reading = docker_state.read(NAME, source, left, wanted)
    except model.EngineError as error:
        raise model.DownError(f"{down}, and its files cannot be read: {error}") from None
    # A name where nothing listens, without a data root, does not show that Docker is here: packages leave
    # sockets behind, and runtimes make directories for sockets that containers ask for. None of its
    # containers runs.
    return reading if reading.read_from else reading._replace(presence_uncertain=True)


def still_runs(container: model.Container, timeout: float) -> bool:
    """Whether the container's first process is still the one that was read before.

    Where the kernel does not show this without Docker, Docker's answer has to fit the process.
    """
    try:
        result = verify.check(verify.Claim(container.id, container.pid, ""))
    except OSError as error:
        raise model.EngineError(f"/proc/{container.pid}: {error.strerror or error}") from None
    if result in (verify.CONFIRMED, verify.GONE):
        return result == verify.CONFIRMED
    try:
        with _connect(container.source, timeout) as client:
            response = client.get(f"{_CONTAINERS}/{container.id}/json")
            _refuse_podman(container.source, response)
            if response.status == 404:
                return False
            verifier = _Verifier()
            answered = verifier.add_details(container, rest_api.body(response))
            return answered.pid == container.pid and verifier.results.get(container.id) in (
                verify.CONFIRMED,
                verify.POSSIBLE,
            )
    except model.DownError:
        if container.source != _SOCKET:
            raise
        from . import docker_state  # noqa: PLC0415 - only where the daemon is down

        return docker_state.still_runs(container)


def networks(
    source: str, pins: t.Iterable[str], timeout: float
) -> tuple[dict[str, model.Network], str]:
    """The network of each pin that a daemon made for a network, and why names are missing, "" for no reason.

    If there are such pins, one request returns the names of all networks.
    """
    found: dict[str, model.Network] = {}
    for pin in pins:
        match = re.fullmatch(_NETWORK_PIN, os.path.basename(pin))
        if match:
            found[pin] = model.Network(match.group(1), None)
    if not found:
        return {}, ""
    try:
        with _connect(source, timeout) as client:
            response = client.get("/networks")
            _refuse_podman(source, response)
            items = rest_api.items(response)
        return {pin: _network(network.id, items) for pin, network in found.items()}, ""
    except model.EngineError as error:
        return found, f"the names of its networks could not be read: {error}"


def _network(id_prefix: str | None, items: t.Sequence[t.Any]) -> model.Network:
    candidates = []
    for item in items:
        identity = values.field(item, "Id", str)
        is_ingress = values.field(item, "Ingress", bool)
        if identity.startswith(id_prefix) if id_prefix else is_ingress:
            candidates.append(model.Network(identity, values.field(item, "Name", str) or None))
    # A pin that was left behind when Docker was killed matches no network.
    return candidates[0] if len(candidates) == 1 else model.Network(id_prefix, None)


def _summary(source: str, item: t.Any) -> model.Container:
    identity = values.container_id(item, "Id")
    # "/web" is the name; "/other/alias" is a legacy link from another container.
    names = [name for name in values.string_list(item, "Names") if name.count("/") == 1]
    status = values.field(item, "State", str)
    running = status in ("running", "paused", "restarting")
    container = model.Container(
        engine=NAME,
        source=source,
        id=identity,
        name=names[0][1:] if names else identity[:12],
        running=running,
        status=status,
        image=values.field(item, "Image", str),
        created=float(values.field(item, "Created", int)),
        labels=values.labels(item, "Labels"),
        network_mode=values.field(item, "HostConfig.NetworkMode", str),
        ports=ports.from_list(item) if running else (),
    )
    return kubernetes.with_pod(container)


def _with_details(container: model.Container, details: t.Any) -> model.Container:
    # A container that its restart policy is about to start is "running" with PID 0.
    pid = values.field(details, "State.Pid", int)
    running = values.field(details, "State.Running", bool) and pid > 0
    return container._replace(
        running=running,
        status=values.field(details, "State.Status", str) or container.status,
        pid=pid if running else 0,
        pin=values.absolute_path(details, "NetworkSettings.SandboxKey") if running else None,
        resolv_conf=values.absolute_path(details, "ResolvConfPath"),
        network_mode=values.field(details, "HostConfig.NetworkMode", str) or container.network_mode,
        ports=ports.from_settings(details) if running else (),
    )
