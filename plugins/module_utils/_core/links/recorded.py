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
from . import ledger

# The engines that are asked about each container. The others have it in files, or list it.
_ENGINES = frozenset(["docker"])


class RecordedProcesses:
    """The first processes of containers, as the ledger has them.

    `running` has the entries of the containers that were recognized.
    """

    def __init__(self, entries: t.Iterable[ledger.Entry]) -> None:
        self._entries = {
            entry.key: entry
            for entry in entries
            if entry.engine in _ENGINES and entry.pid and entry.start_time and entry.pod is None
        }
        self.running: dict[model.ContainerKey, ledger.Entry] = {}
        self._seen: set[str] = set()

    def look(self) -> None:
        """Look at all recorded processes, which leaves little for runs() to do: for while the engines answer."""
        for entry in self._entries.values():
            if _is_first_process(entry):
                self._seen.add(entry.path)

    def runs(self, container: model.Container) -> bool:
        """Whether a running container has the recorded process, in the recorded namespace.

        A container that was started anew, or that joined another, has another first process.
        """
        entry = self._entries.get(container.key)
        if entry is None or not container.running or container.user:
            return False
        # The engine may have taken long to answer. The kernel gives a PID to another process only after all others.
        is_known = entry.path in self._seen or _is_first_process(entry)
        if not (is_known and _is_in_namespace(entry)):
            return False
        self.running[container.key] = entry
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


def _is_first_process(entry: ledger.Entry) -> bool:
    """Whether the process is the recorded one.

    The start time identifies the process since the boot, and the cgroup its container.
    """
    try:
        with procfs.opened(entry.pid or 0) as process:
            return procfs.start_time(process) == entry.start_time and procfs.in_cgroup_of(
                process, entry.container_id or ""
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
