# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Podman as root: asked by its API socket where that answers, else read from its database.

There is no daemon whose word is the last: Podman writes down what it did, and an exit when the
container's monitor (conmon) reports it. After a crash or a reboot what it says runs may be gone and
its PID another's, so that each process is compared with the kernel. Rootless Podman is not read.
"""

from __future__ import annotations

import os
import re
import time
import typing as t

from .. import model
from ..kernel import procfs
from . import oci, podman_state, unix_http, values

NAME = "podman"
_SOCKET = "/run/podman/podman.sock"
# 3.0 and all later ones take it; without a version there is no answer.
_API = "/v4.0.0/libpod/containers"
_ID = re.compile(r"[0-9a-f]{64}")
# libpod/define/containerstate.go, with the words of Podman 5 also for 3.
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
_WITH_PROCESS = ("running", "paused", "stopping")
_GONE = "exited"


def sources(environment: t.Mapping[str, str]) -> list[str]:
    """Where the containers are kept (graphroot), where Podman has a database for them."""
    source = os.path.realpath(podman_state.configured("graphroot"))
    return [source] if podman_state.databases(source) else []


def read(source: str, timeout: float, wanted: t.Callable[[model.Container], bool]) -> model.Reading:
    """All containers, and the PID and pin of the running ones that `wanted` says yes to."""
    deadline = time.monotonic() + timeout
    silent = ""
    if os.path.exists(_SOCKET):
        try:
            # A hung service leaves time enough for the files.
            return _ask(source, timeout / 2, wanted)
        except model.EngineError as error:
            silent = f"; and by its API: {error}"
    try:
        containers = _from_files(source, max(0.0, deadline - time.monotonic()), wanted)
    except model.EngineError as error:
        return model.Reading(NAME, source, error=f"{error}{silent}")
    database = next(iter(podman_state.databases(source)), None)
    return model.Reading(NAME, source, containers=containers, read_from=database)


def still_runs(container: model.Container, timeout: float) -> bool:
    """Whether the container's first process is still the one that was told before.

    The kernel says so without Podman: its cgroup is named after the container, or its parent is
    the container's own monitor, which has its id among its arguments.
    """
    try:
        with procfs.opened(container.pid) as process:
            return procfs.in_cgroup_of(process, container.id) or _is_monitored(
                process, container.id
            )
    except model.GoneError:
        return False
    except OSError as error:
        raise oci.explain(f"/proc/{container.pid}", error) from None


def _is_monitored(process: int, identity: str) -> bool:
    # With --cgroups=disabled this is all that tells.
    with procfs.opened(procfs.parent(process)) as monitor:
        return identity in procfs.read_text(monitor, "cmdline").split("\0")


def _checked(container: model.Container) -> model.Container:
    """The container as it is: not running where its process is gone, whatever Podman wrote down."""
    # Others' processes may be hidden from ordinary users.
    if os.geteuid() != 0 or still_runs(container, 0):
        return container
    return container._replace(running=False, status=_GONE, pid=0, pin=None, resolv_conf=None)


def _ask(source: str, timeout: float, wanted: t.Callable[[model.Container], bool]) -> model.Reading:
    with unix_http.Client(_SOCKET, timeout) as client:
        (listing,) = client.get([f"{_API}/json?all=true"])
        containers = [_summary(source, item) for item in values.array(values.body(listing))]
        chosen = [one for one in containers if one.running and wanted(one)]
        details: dict[str, model.Container | None] = {}
        answers = client.get([f"{_API}/{container.id}/json" for container in chosen])
        for container, answer in zip(chosen, answers):
            # A container that was removed in between is no container any more.
            details[container.id] = (
                None if answer.status == 404 else _inspected(container, values.body(answer))
            )
    merged = (details.get(container.id, container) for container in containers)
    # "Libpod/4.3.1 (linux)"
    product, _slash, version = listing.headers.get("server", "").split(" ")[0].partition("/")
    return model.Reading(
        NAME,
        source,
        version if product == "Libpod" and version else None,
        tuple(found for found in merged if found),
        read_from=_SOCKET,
    )


def _summary(source: str, item: t.Any) -> model.Container:
    identity = _identity(item, "Id")
    names = values.texts(item, "Names")
    status = values.field(item, "State", str)
    if status == "configured":  # Podman 3
        status = "created"
    return model.Container(
        engine=NAME,
        source=source,
        id=identity,
        name=names[0] if names else identity[:12],
        running=status in _WITH_PROCESS,
        status=status,
        image=values.field(item, "Image", str),
        created=values.seconds(item, "Created"),
        labels=values.labels(item, "Labels"),
        pod=_pod(values.field(item, "Pod", str), values.field(item, "PodName", str)),
        sandbox=values.field(item, "IsInfra", bool),
    )


def _inspected(container: model.Container, item: t.Any) -> model.Container:
    status = values.field(item, "State.Status", str) or container.status
    return _with_process(
        container._replace(
            status=status,
            network_mode=values.field(item, "HostConfig.NetworkMode", str),
            resolv_conf=values.path(item, "ResolvConfPath"),
        ),
        values.field(item, "State.Pid", int),
        values.path(item, "NetworkSettings.SandboxKey"),
    )


def _from_files(
    source: str, timeout: float, wanted: t.Callable[[model.Container], bool]
) -> tuple[model.Container, ...]:
    found: dict[str, model.Container] = {}
    for record in podman_state.read(source, timeout):
        container = _recorded(source, record)
        # Of two databases the old one may still have it, from before the upgrade.
        if container.id not in found or container.running:
            found[container.id] = (
                container
                if container.running and wanted(container)
                else container._replace(pid=0, pin=None, resolv_conf=None)
            )
    return tuple(found.values())


def _recorded(source: str, record: podman_state.Record) -> model.Container:
    config, state = record.config, record.state
    identity = _identity(config, "id")
    number = values.field(state, "state", int)
    status = _STATES[number] if 0 <= number < len(_STATES) else _STATES[0]
    container = model.Container(
        engine=NAME,
        source=source,
        id=identity,
        name=values.field(config, "name", str) or identity[:12],
        running=status in _WITH_PROCESS,
        status=status,
        image=values.field(config, "rootfsImageName", str),
        created=values.seconds(config, "createdTime"),
        labels=values.labels(config, "labels"),
        network_mode=_network_mode(config),
        resolv_conf=_mounted_at(state, "/etc/resolv.conf"),
        pod=_pod(values.field(config, "pod", str), record.pod_name),
        sandbox=values.field(config, "pause", bool),
    )
    return _with_process(
        container,
        values.field(state, "pid", int),
        values.path({"netns": record.pin or values.field(state, "netns", str)}, "netns"),
    )


def _with_process(container: model.Container, pid: int, pin: str | None) -> model.Container:
    if container.status not in _WITH_PROCESS or pid <= 0:
        return container._replace(running=False, resolv_conf=None)
    # For a sharer the API gives the pin that the other container has now, and after a restart of
    # that one it is another than the sharer is in. A path below /proc is no pin.
    own = not container.network_mode.startswith(("container:", "ns:"))
    is_pin = own and pin is not None and not pin.startswith("/proc/")
    return _checked(container._replace(running=True, pid=pid, pin=pin if is_pin else None))


def _network_mode(config: t.Any) -> str:
    """What Podman's inspect says (libpod/container_inspect_linux.go)."""
    if values.field(config, "createNetNS", bool):
        return values.field(config, "networkMode", str) or "bridge"
    other = values.field(config, "netNsCtr", str)
    if other:
        return f"container:{other}"
    for namespace in values.field(config, "spec.linux.namespaces", list):
        if values.field(namespace, "type", str) == "network":
            path = values.field(namespace, "path", str)
            return f"ns:{path}" if path else "none"
    return "host"


def _mounted_at(state: t.Any, target: str) -> str | None:
    found = values.field(state, "bindMounts", dict).get(target)
    return values.path({"source": found}, "source")


def _identity(item: t.Any, key: str) -> str:
    identity = values.field(item, key, str)
    if not _ID.fullmatch(identity):
        raise model.EngineError(f"a container id {identity[:80]!r}")
    return identity


def _pod(identity: str, name: str) -> model.Pod | None:
    return model.Pod(namespace="", name=name or identity[:12], uid=identity) if identity else None
