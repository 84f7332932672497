# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Recognizes containers by the first process that the ledger has: that it still runs, or that it ended.

What their engine would be asked about each of them, the kernel shows in a tenth of the time.
"""

from __future__ import annotations

import os
import typing as t

from .. import model
from ..kernel import nsfs, procfs
from . import ledger, recognitions

# The engines that are asked about each container. The others have it in files, or list it.
_ENGINES = frozenset(["docker"])


class RecordedProcesses:
    """The first processes of containers, as the ledger has them.

    `directory` is where the ledger is. `running` has the entries of the containers that were recognized.
    """

    def __init__(self, entries: t.Iterable[ledger.Entry], directory: str) -> None:
        self._directory = directory
        self._entries = {
            entry.key: entry
            for entry in entries
            if entry.engine in _ENGINES and entry.pid and entry.start_time and entry.pod is None
        }
        self.running: dict[model.ContainerKey, ledger.Entry] = {}
        self._seen: set[str] = set()
        self._known = recognitions.read(directory) if self._entries else {}
        self._new: dict[int, recognitions.Recognition] = {}

    def look(self) -> None:
        """Look at all recorded processes, which leaves little for runs() to do: for while the engines answer."""
        for entry in self._entries.values():
            if self._is_first_process(entry):
                self._seen.add(entry.path)

    def runs(self, container: model.Container) -> bool:
        """Whether a running container has the recorded process, in the recorded namespace.

        A container that was started anew, or that joined another, has another first process.
        """
        entry = self._entries.get(container.key)
        if entry is None or not container.running or container.user:
            return False
        # The engine may have taken long to answer. The kernel gives a PID to another process only after all others.
        is_known = entry.path in self._seen or self._is_first_process(entry)
        if not (is_known and _is_in_namespace(entry)):
            return False
        self.running[container.key] = entry
        return True

    def remember(self) -> None:
        """Keep what was recognized for the next runs, for a caller that holds the lock of the ledger."""
        if self._new:
            pids = {entry.pid for entry in self._entries.values()}
            known = {pid: each for pid, each in self._known.items() if pid in pids}
            recognitions.write(self._directory, {**known, **self._new})

    def _is_first_process(self, entry: ledger.Entry) -> bool:
        """Whether the process with this PID is the recorded one."""
        pid, start_time, container_id = (
            entry.pid or 0,
            entry.start_time or 0,
            entry.container_id or "",
        )
        inode = procfs.pidfd_inode(pid)
        # The PID may go to another process from here on. Then this number is of one that is gone.
        recognition = (inode or 0, start_time, container_id)
        if inode and self._known.get(pid) == recognition:
            return True
        if not _is_process(pid, start_time, container_id):
            return False
        if inode:
            self._new[pid] = recognition
        return True

    def add_to(self, readings: t.Iterable[model.Reading]) -> list[model.Reading]:
        """The readings, with the PIDs of the recognized containers."""
        return [
            reading._replace(
                containers=tuple(
                    container._replace(pid=self.running[container.key].pid or 0)
                    if container.running and not container.pid and container.key in self.running
                    else container
                    for container in reading.containers
                )
            )
            if reading.engine in _ENGINES
            else reading
            for reading in readings
        ]


def _is_process(pid: int, start_time: int, container_id: str) -> bool:
    """Whether a process started at this time, and is the container's by its cgroup."""
    try:
        with procfs.opened(pid) as process:
            return procfs.start_time(process) == start_time and procfs.in_cgroup_of(
                process, container_id
            )
    except (model.GoneError, OSError):
        return False


def _is_in_namespace(entry: ledger.Entry) -> bool:
    """Whether the process with this PID is in the recorded namespace."""
    try:
        return nsfs.netns_id(os.stat(f"/proc/{entry.pid}/ns/net")) == entry.netns
    except OSError:  # it ended, or its first thread did
        return False


def ended(linked: ledger.Ledger, reported: t.Mapping[str, frozenset[str]]) -> list[model.Reading]:
    """The containers that ended: their engine has reported it of these IDs, and the kernel shows it.

    As readings of these containers alone, in which none of them runs.
    """
    ids: dict[tuple[str, str], set[str]] = {}
    for engine, identities in reported.items():
        for identity in identities:
            entries = [each for each in linked.of_containers((identity,)) if each.engine == engine]
            sources = {entry.source or "" for entry in entries}
            if len(sources) == 1 and all(map(_has_ended, entries)):
                ids.setdefault((engine, sources.pop()), set()).add(identity)
    return [
        model.Reading(engine, source, only=frozenset(each))
        for (engine, source), each in ids.items()
    ]


def _has_ended(entry: ledger.Entry) -> bool:
    if not entry.pid or not entry.start_time or entry.pod is not None:
        return False
    try:
        with procfs.opened(entry.pid) as process:
            return procfs.start_time(process) != entry.start_time
    except model.GoneError:
        return True
    except OSError:
        return False
