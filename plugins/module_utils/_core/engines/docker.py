# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Docker Engine, asked over its unix socket (Docker Engine API, v1.12 and later)."""

from __future__ import annotations

import os
import re
import typing as t
from dataclasses import replace

from .. import model
from . import unix_http, values

NAME = "docker"
_SOCKET = "/run/docker.sock"
_ID = re.compile(r"[0-9a-f]{64}")
# Those of networks, as "ingress_sbox" or "1-s0d2k8q1m3", have no process and are not a container's.
_SANDBOX = re.compile(r"(/.+)/docker/netns/[0-9a-f]{12}")


def locate(environment: t.Mapping[str, str]) -> str | None:
    """The socket to ask: DOCKER_HOST's where it is set, else the default where it stands."""
    address = environment.get("DOCKER_HOST", "")
    if address.startswith("unix://"):
        return os.path.realpath(address[len("unix://") :])
    if address:
        # Kept as it is: reading it fails with the reason, and Docker counts as not read.
        return address
    return os.path.realpath(_SOCKET) if os.path.lexists(_SOCKET) else None


def read(source: str, timeout: float, wanted: t.Callable[[model.Container], bool]) -> model.Reading:
    """All containers, and the PID and pin of the running ones that `wanted` says yes to."""
    version = None
    try:
        if not source.startswith("/"):
            raise model.EngineError(
                f"DOCKER_HOST is {source!r}: only a unix:// socket leads to containers of this very host"
            )
        with unix_http.Client(source, timeout) as client:
            (listing,) = client.get(["/containers/json?all=1"])
            version = _version(listing.headers)
            containers = [_summary(source, item) for item in values.array(values.body(listing))]
            chosen = [
                container for container in containers if container.running and wanted(container)
            ]
            details = {}
            answers = client.get([f"/containers/{container.id}/json" for container in chosen])
            for container, answer in zip(chosen, answers):
                # A container that was removed in between is no container any more.
                details[container.id] = (
                    None if answer.status == 404 else _inspected(container, values.body(answer))
                )
    except model.EngineError as error:
        return model.Reading(NAME, source, version, error=str(error))
    merged = (details.get(container.id, container) for container in containers)
    return model.Reading(NAME, source, version, tuple(found for found in merged if found))


def sandbox_source(path: str) -> str | None:
    """The socket of the daemon that pins a container's namespace at such a path, or None."""
    match = _SANDBOX.fullmatch(path)
    return f"{match.group(1)}/docker.sock" if match else None


def still_runs(container: model.Container, timeout: float) -> bool:
    """Ask again whether the container's first process is still the one that was told before."""
    with unix_http.Client(container.source, timeout) as client:
        (answer,) = client.get([f"/containers/{container.id}/json"])
        return (
            answer.status == 200 and _inspected(container, values.body(answer)).pid == container.pid
        )


def _version(headers: t.Mapping[str, str]) -> str | None:
    # "Docker/20.10.24+dfsg1 (linux)": in every answer, so that no request is spent on it.
    product, _slash, version = headers.get("server", "").split(" ")[0].partition("/")
    return version if product == "Docker" and version else None


def _summary(source: str, item: t.Any) -> model.Container:
    identity = values.field(item, "Id", str)
    if not _ID.fullmatch(identity):
        raise model.EngineError(f"a container id {identity[:80]!r}")
    # "/web" is the name; "/other/alias" are legacy links of other containers to this one.
    names = [
        name
        for name in values.array(item.get("Names") or [])
        if isinstance(name, str) and name.count("/") == 1
    ]
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
    return replace(
        container,
        running=running,
        status=values.field(item, "State.Status", str) or container.status,
        pid=pid if running else 0,
        pin=values.field(item, "NetworkSettings.SandboxKey", str) or None if running else None,
        resolv_conf=values.field(item, "ResolvConfPath", str) or None,
        network_mode=values.field(item, "HostConfig.NetworkMode", str) or container.network_mode,
    )
