# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Recognizes containers by the first process that the ledger has: that it still runs, or that it ended.

What their engine would be asked about each of them, the kernel shows in a tenth of the time.
"""

from __future__ import annotations

import typing as t

from .. import model
from ..kernel import procfs
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

    def runs(self, container: model.Container) -> bool:
        """Whether a running container has the recorded process, in the recorded namespace.

        The start time identifies the process since the boot, and the cgroup its container. A container that
        was started anew, or that joined another, has another first process.
        """
        entry = self._entries.get(container.key)
        if entry is None or not entry.pid or not container.running or container.user:
            return False
        try:
            with procfs.opened(entry.pid) as process:
                if (
                    procfs.start_time(process) != entry.start_time
                    or procfs.netns(process) != entry.netns
                    or not procfs.in_cgroup_of(process, container.id)
                ):
                    return False
        except (model.GoneError, OSError):
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
