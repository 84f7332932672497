# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which processes have the sockets that listen, and which container each of them belongs to."""

from __future__ import annotations

import contextlib
import os
import typing as t

from .. import model
from ..kernel import netns_reader, procfs
from ..named_tuple import NamedTuple
from .discovery import SocketHolders
from .records import NamespaceRecord

# How many processes of a socket are returned: servers share their sockets with each of their workers.
MAX_PROCESSES = 32


class Holder(NamedTuple):
    """A process that has a socket: its command, and the key of its container, None where it has none."""

    pid: int
    command: str
    container: model.ContainerKey | None


# By the inode number of the socket.
Holders = t.Mapping[int, t.Tuple[Holder, ...]]


def holders(
    selected: t.Iterable[NamespaceRecord],
    views: t.Mapping[model.NetnsId, netns_reader.View],
    descriptors: SocketHolders,
) -> Holders:
    """The processes of each socket that listens. Those that have ended are left out."""
    found: dict[int, tuple[Holder, ...]] = {}
    for record in selected:
        sockets = views[record.netns].sockets
        if sockets is None or not sockets.listeners:
            continue
        finder = _ContainerFinder(record.containers)
        by_pid: dict[int, Holder | None] = {}
        for listener in sockets.listeners:
            # A socket without a file has number 0: the kernel's own, or one that is about to be accepted.
            pids = descriptors.pids(listener.inode)[:MAX_PROCESSES] if listener.inode else []
            for pid in pids:
                if pid not in by_pid:
                    by_pid[pid] = _holder(pid, finder)
            each = [by_pid[pid] for pid in pids]
            found[listener.inode] = tuple(holder for holder in each if holder is not None)
    return found


def _holder(pid: int, finder: _ContainerFinder) -> Holder | None:
    try:
        with procfs.opened(pid) as process:
            return Holder(pid, procfs.command(process), finder.find(pid, process))
    except (model.GoneError, OSError):
        return None


class _ContainerFinder:
    """Finds the container that a process belongs to, among those of a namespace."""

    def __init__(self, containers: t.Sequence[model.Container]) -> None:
        self._containers = containers
        self._by_pid = {container.pid: container for container in containers if container.pid}
        self._pid_namespaces: dict[str, list[model.Container]] | None = None

    def find(self, pid: int, process: int) -> model.ContainerKey | None:
        if not self._containers:
            return None
        container = self._by_pid.get(pid) or self._by_cgroup(process) or self._by_pidns(process)
        return container.key if container else None

    def _by_cgroup(self, process: int) -> model.Container | None:
        cgroups = list(procfs.cgroup_lines(process))
        for container in self._containers:
            if procfs.names_container(cgroups, container.id):
                return container
        return None

    def _by_pidns(self, process: int) -> model.Container | None:
        """By the PID namespace, where engines run containers without a cgroup that has their ID."""
        if self._pid_namespaces is None:
            self._pid_namespaces = self._read_pid_namespaces()
        candidates = self._pid_namespaces.get(_pid_namespace(process), [])
        # Containers may share one: that of the host, or of their pod.
        return candidates[0] if len(candidates) == 1 else None

    def _read_pid_namespaces(self) -> dict[str, list[model.Container]]:
        by_namespace: dict[str, list[model.Container]] = {}
        own = os.readlink("/proc/self/ns/pid")
        for pid, container in self._by_pid.items():
            with contextlib.suppress(model.GoneError, OSError), procfs.opened(pid) as process:
                namespace = _pid_namespace(process)
                if namespace != own:
                    by_namespace.setdefault(namespace, []).append(container)
        return by_namespace


def _pid_namespace(process: int) -> str:
    return os.readlink("ns/pid", dir_fd=process)
