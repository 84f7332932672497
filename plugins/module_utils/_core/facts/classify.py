# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Determines who owns a namespace, and whether the owner is gone, from what was read."""

from __future__ import annotations

import os
import typing as t

from .. import model
from ..engines import pin_paths
from ..links import ledger
from . import discovery
from .records import NamespaceRecord, Process, Sources, as_utf_8

_NETNS_DIRS = ("/run/netns", "/var/run/netns")


class Classifier:
    """Determines the kind and the owner of namespaces, and whether they are stale, from what was read."""

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
        self._keys_with_unknown_netns = {
            key for key, netns in sources.container_netns.items() if netns is None
        }
        # The running containers whose namespace is not known, for any reason.
        self._containers_with_unknown_netns = [
            container
            for reading in sources.readings
            for container in reading.containers
            if container.unread is not None
            or container.problem is not None
            or container.key in self._keys_with_unknown_netns
        ]
        self._processes_read = sources.discovered.processes_read

    def is_host(self, record: NamespaceRecord) -> bool:
        """Whether this is the host's own namespace."""
        return record.netns == self._sources.discovered.host_netns

    def kind(self, record: NamespaceRecord) -> str | None:
        """The kind of the namespace's owner.

        None where the owner may be a container of an engine that was not read.
        """
        if self.is_host(record):
            return "host"
        if self.pod(record):
            return "pod"
        if record.containers:
            return "container"
        references = record.references
        if not self._engines_read or (self._unread and self._may_have_container(references)):
            return None
        return "named" if record.names or references.is_pinned else "process"

    def _may_have_container(self, references: discovery.References) -> bool:
        """Whether the namespace may be that of an unread container: it has processes, or a pin of an engine."""
        return bool(references.pids) or any(map(self._sources.pins.owner, references.pins))

    def pod(self, record: NamespaceRecord) -> model.Pod | None:
        """The pod that the namespace belongs to."""
        if self.is_host(record):
            return None
        for container in record.containers:
            if container.sandbox:
                return container.pod
        # The sandbox may have died while other containers of the pod run on.
        pods = {container.pod for container in record.containers if container.joined}
        return pods.pop() if len(pods) == 1 else None

    def unit(self, record: NamespaceRecord) -> str | None:
        """The systemd unit of the processes in a namespace without containers."""
        process = self._process(record)
        return as_utf_8(process.unit) if process and process.unit else None

    def machine(self, record: NamespaceRecord) -> str | None:
        """The container or node that the processes in a namespace are part of, where no engine reports one."""
        process = self._process(record)
        return as_utf_8(process.machine) if process and process.machine else None

    def user(self, record: NamespaceRecord) -> str | None:
        """The user of the rootless engine that runs the containers in a namespace. None for root.

        Without containers, the user of its processes.
        """
        for container in record.containers:
            if container.user:
                return as_utf_8(container.user)
        process = self._process(record)
        return as_utf_8(process.user) if process and process.user else None

    def network(self, record: NamespaceRecord) -> model.Network | None:
        """The Docker network that the namespace was made for, if it was made for a network."""
        networks = map(self._sources.networks_by_pin.get, record.references.pins)
        return next(filter(None, networks), None)

    def _process(self, record: NamespaceRecord) -> Process | None:
        if self.is_host(record) or record.containers or record.representative_pid is None:
            return None
        return self._processes.get(record.representative_pid)

    def engine(self, record: NamespaceRecord) -> str | None:
        """The engine of the containers in a namespace.

        Without containers, the engine that a link or a pin of it was made for.
        """
        if self.is_host(record):
            return None
        for container in record.containers:
            return container.engine
        for entry in record.ledger_entries:
            if entry.engine:
                return entry.engine
        for pin in record.references.pins:
            owner = self._sources.pins.owner(pin)
            if owner:
                return owner[0]
        return "docker" if self.network(record) else None

    def stale(self, record: NamespaceRecord) -> bool | None:
        """Whether only pins keep the namespace, and the owner of one of them is known to be gone.

        None where that is not known.
        """
        if record.references.pids or record.containers:
            return False
        owners_gone = {self.owner_is_gone(entry) for entry in record.ledger_entries}
        owners_gone.update(map(self.pin_is_left_over, record.references.pins))
        if not record.references.pins and record.references.is_pinned:
            # Only other mount namespaces have pins of it, and their owners are not known. Where there are pins here
            # too, the others are copies: containers that see the host's root have one of each.
            owners_gone.add(None)
        if self._sources.ledger_entries is None and record.names:
            owners_gone.add(None)
        if True in owners_gone:
            return True if self._processes_read else None
        return None if None in owners_gone else False

    def pin_is_left_over(self, pin: str) -> bool | None:
        """Whether a pin of a namespace without processes and containers is left over; None: not known."""
        directory, name = os.path.split(pin)
        owner = self._sources.pins.owner(pin)
        engines = {owner[0]} if owner else pin_paths.engines_that_pin_as(name)
        if engines:
            # Some engines pin a namespace before its first process starts.
            if directory in self._sources.changing_dirs:
                return None
            return self._is_unclaimed(*owner) if owner else self._is_unclaimed_by_all(engines)
        network = self._sources.networks_by_pin.get(pin)
        if network is not None and network.name is None and network.id is not None:
            # Docker does not list the network, or was not read.
            return None
        if self._sources.pins.is_network(pin):
            return False
        # A name in /run/netns is given on purpose. Who made a mount elsewhere is not known.
        return False if directory in (self._sources.netns_dir, *_NETNS_DIRS) else None

    def owner_is_gone(self, entry: ledger.Entry) -> bool | None:
        """Whether the owner of a link to a namespace without containers is gone; None: not known."""
        if entry.key is None:
            # A link by PID has the process's start time. A link by path has no owner.
            start_times = self._sources.start_times
            start_time = start_times.get(entry.pid or 0)
            if start_time is None and entry.pid in start_times:
                return None
            return entry.pid is not None and start_time != entry.start_time
        if entry.key in self._keys_with_unknown_netns or entry.key in self._unread:
            return None
        # No container of the entry is in the namespace. If the engine was read, the container is gone.
        return self._was_read(entry.key.engine, entry.key.source)

    def _was_read(self, engine: str, source: str | None) -> bool | None:
        readings = [
            reading
            for reading in self._sources.readings
            if reading.covers(engine, reading.source if source is None else source)
        ]
        return True if readings and all(reading.error is None for reading in readings) else None

    def _is_unclaimed(self, engine: str, source: str | None) -> bool | None:
        """True where the engine was read in full, and each of its containers is in a known namespace; else None."""
        return None if self._has_unknown_netns(engine, source) else self._was_read(engine, source)

    def _is_unclaimed_by_all(self, engines: t.AbstractSet[str]) -> bool | None:
        """The same for a pin that any of these engines may have made: one is on the host, and all were read."""
        requested = self._sources.engines
        if requested is not None and not engines <= set(requested):
            return None
        readings = [each for each in self._sources.readings if each.engine in engines]
        if not any(reading.found for reading in readings):
            return None
        certain = all(self._is_unclaimed(reading.engine, None) for reading in readings)
        return True if certain else None

    def _has_unknown_netns(self, engine: str, source: str | None) -> bool:
        """Whether the namespace of a running container of the engine is not known: it may be any of the engine's."""
        return any(
            container.engine == engine and source in (None, container.source)
            for container in self._containers_with_unknown_netns
        )
