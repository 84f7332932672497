# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Finds the namespaces of containers, and that of `pid` or `path`, with what opens them again."""

from __future__ import annotations

import contextlib
import os
import types
import typing as t

from .. import model
from ..kernel import nsfs, procfs
from ..named_tuple import NamedTuple
from . import ledger
from .request import LinkRequest


class Origin(NamedTuple):
    """Where a namespace was found and can be opened again: a file, or else a process.

    A container's process is verified before it is used: its start time and its container must be the
    same. `is_young` is whether the process started after its engine was asked, whose answer may then
    be about the process that had the PID before. `fd` is an open file of what the user gave, -1
    otherwise: /proc/PID for `pid`, the namespace itself for `path`.
    """

    netns: model.NetnsId
    path: str | None = None
    pid: int = 0
    start_time: int = 0
    is_young: bool = False
    fd: int = -1
    container: model.Container | None = None


class Located(NamedTuple):
    """Where the namespaces of containers are, why some could not be read, and what to warn of."""

    origins: dict[model.ContainerKey, Origin]
    problems: dict[model.ContainerKey, str]
    warnings: list[str]


def locate(
    readings: t.Iterable[model.Reading],
    query_started: int,
    recorded: t.Mapping[model.ContainerKey, ledger.Entry] = types.MappingProxyType({}),
) -> Located:
    """Find the namespaces of the containers that engines have read since `query_started`.

    Those of `recorded` were found by the ledger.
    """
    origins, problems, warnings = {}, {}, []
    for reading in readings:
        for container in reading.containers:
            if container.problem is not None:
                problems[container.key] = container.problem
            elif container.pid:
                entry = recorded.get(container.key)
                if entry is not None and entry.pid == container.pid and entry.start_time:
                    origins[container.key] = Origin(
                        entry.netns,
                        pid=container.pid,
                        start_time=entry.start_time,
                        container=container,
                    )
                    continue
                try:
                    origins[container.key], warning = _locate(container, query_started)
                    warnings += [warning] if warning else []
                except (model.NetnsError, OSError) as error:
                    problems[container.key] = str(error)
    return Located(origins, problems, warnings)


def _locate(container: model.Container, query_started: int) -> tuple[Origin, str | None]:
    """Where a running container's namespace is, and a warning where engine and kernel disagree.

    The engine's own pin beats the PID: a privileged container's first process can move elsewhere.
    """
    process = procfs.open_process(container.pid)
    try:
        start_time = procfs.start_time(process)
        pinned_netns = _pinned_netns(container.pin)
        try:
            process_netns = procfs.netns(process)
        except OSError:  # its threads are in several
            if pinned_netns is None:
                raise
            process_netns = pinned_netns
        if pinned_netns is None:
            return Origin(
                process_netns,
                pid=container.pid,
                start_time=start_time,
                is_young=start_time >= query_started,
                container=container,
            ), None
        warning = None
        if pinned_netns != process_netns:
            warning = (
                f"{container.engine} container {container.name}: its first process has moved to "
                f"another network namespace ({process_netns.inode}); this run uses the one that "
                f"{container.engine} gave it ({pinned_netns.inode})"
            )
        origin = Origin(
            pinned_netns,
            path=container.pin,
            pid=container.pid,
            start_time=start_time,
            container=container,
        )
        return origin, warning
    finally:
        os.close(process)


def _pinned_netns(path: str | None) -> model.NetnsId | None:
    # A rootless engine's pin is an empty file from outside its mount namespace.
    try:
        status = os.stat(path) if path else None
    except OSError:
        return None
    return nsfs.netns_id(status) if status and status.st_dev == nsfs.device() else None


def open_request_origin(request: LinkRequest, open_files: contextlib.ExitStack) -> Origin | None:
    """The namespace of `pid` or `path`, kept open so that it cannot become another's meanwhile."""
    if request.absent:
        return None
    try:
        if request.pid is not None:
            fd = procfs.open_process(request.pid)
            open_files.callback(os.close, fd)
            start_time = procfs.start_time(fd)
            return Origin(procfs.netns(fd), pid=request.pid, start_time=start_time, fd=fd)
        if request.path is not None:
            fd, netns = nsfs.open_identified(request.path)
            open_files.callback(os.close, fd)
            return Origin(netns, fd=fd)
    except model.NetnsError as error:
        raise model.SelectionError(str(error)) from None
    except OSError as error:
        hint = (
            ": give a pin, or another process of it" if isinstance(error, PermissionError) else ""
        )
        subject = request.path or f"process {request.pid}"
        raise model.SelectionError(f"{subject}: {error.strerror}{hint}") from None
    return None
