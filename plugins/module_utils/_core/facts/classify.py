# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who owns a namespace, and whether the owner is gone. Pure."""

from __future__ import annotations

import os
import typing as t

from .. import model
from ..engines import registry
from ..links import ledger
from . import discovery
from .records import NamespaceRecord, Process, Sources, as_utf_8, joins_another


class Classifier:
    """Determines kind, owner and staleness of namespaces from what was read."""

    def __init__(
        self, sources: Sources, engines_requested: bool, processes: t.Mapping[int, Process]
    ) -> None:
        self._sources = sources
        self._processes = processes
        self._engines_read = engines_requested and all(
            reading.error is None for reading in sources.readings
        )
        unread = [each for reading in sources.readings for each in reading.unread]
        self._unread = {container.key for container in unread}
        self._unread_sources = {(container.engine, container.source) for container in unread}
        self._unlocated = {key for key, netns in sources.container_netns.items() if netns is None}
        # PID 1 does not count: where it cannot be read, its namespace is known to be the host's.
        self._processes_read = not any(pid != 1 for pid in sources.discovered.unreadable_pids)

    def is_host(self, record: NamespaceRecord) -> bool:
        """Whether it is the host's own namespace."""
        return record.netns == self._sources.discovered.host_netns

    def kind(self, record: NamespaceRecord) -> str | None:
        """The kind of its owner; None where an engine that was not read may have a container in it."""
        if self.is_host(record):
            return "host"
        if self.pod(record):
            return "pod"
        if record.containers:
            return "container"
        references = record.references
        if not self._engines_read or (self._unread and _may_have_container(references)):
            return None
        return (
            "named" if record.names or references.pins or references.pins_elsewhere else "process"
        )

    def pod(self, record: NamespaceRecord) -> model.Pod | None:
        """The pod that it belongs to."""
        if self.is_host(record):
            return None
        for container in record.containers:
            if container.sandbox:
                return container.pod
        # The sandbox may have died while other containers of the pod run on.
        pods = {container.pod for container in record.containers if joins_another(container)}
        return pods.pop() if len(pods) == 1 else None

    def unit(self, record: NamespaceRecord) -> str | None:
        """The systemd unit of its processes, where no container is in it."""
        process = self._process(record)
        return as_utf_8(process.unit) if process and process.unit else None

    def user(self, record: NamespaceRecord) -> str | None:
        """The user whose rootless engine runs its containers, or of its processes; None for root."""
        for container in record.containers:
            if container.user:
                return container.user
        process = self._process(record)
        return process.user if process else None

    def network(self, record: NamespaceRecord) -> model.Network | None:
        """The network whose own sandbox it is."""
        networks = map(self._sources.networks_by_pin.get, record.references.pins)
        return next(filter(None, networks), None)

    def _process(self, record: NamespaceRecord) -> Process | None:
        if self.is_host(record) or record.containers or record.representative_pid is None:
            return None
        return self._processes.get(record.representative_pid)

    def engine(self, record: NamespaceRecord) -> str | None:
        """The engine whose containers are in it, or whose container it was linked or pinned for."""
        if self.is_host(record):
            return None
        for container in record.containers:
            return container.engine
        for entry in record.ledger_entries:
            if entry.engine:
                return entry.engine
        for pin in record.references.pins:
            owner = registry.pin_owner(pin)
            if owner:
                return owner[0]
        return "docker" if self.network(record) else None

    def stale(self, record: NamespaceRecord) -> bool | None:
        """Whether it is kept only by pins whose owners are gone; None where that is not known."""
        if record.references.pids or record.containers:
            return False
        owners_gone = {self._owner_is_gone(entry) for entry in record.ledger_entries}
        for pin in record.references.pins:
            owner = registry.pin_owner(pin)
            if owner:
                # Some engines pin a namespace before its first process starts.
                changing = os.path.dirname(pin) in self._sources.changing_dirs
                unknown = changing or any(
                    engine == owner[0] and owner[1] in (None, source)
                    for engine, source in self._unread_sources
                )
                owners_gone.add(None if unknown else self._was_read(*owner))
        if self._sources.ledger_entries is None and record.names:
            owners_gone.add(None)
        if True in owners_gone:
            return True if self._processes_read else None
        return None if None in owners_gone else False

    def _owner_is_gone(self, entry: ledger.Entry) -> bool | None:
        if entry.pid is not None:
            return self._sources.start_times.get(entry.pid) != entry.start_time
        if entry.key is None:
            return False
        if entry.key in self._unlocated or entry.key in self._unread:
            return None
        # Its container is not in the namespace: gone, if the engine was read.
        return self._was_read(entry.key.engine, entry.key.source)

    def _was_read(self, engine: str, source: str | None) -> bool | None:
        readings = [
            reading
            for reading in self._sources.readings
            if reading.covers(engine, reading.source if source is None else source)
        ]
        return True if readings and all(reading.error is None for reading in readings) else None


def _may_have_container(references: discovery.References) -> bool:
    """Whether a container that could not be read may be in a namespace: it has processes, or a pin."""
    return bool(references.pids) or any(map(registry.pin_owner, references.pins))
