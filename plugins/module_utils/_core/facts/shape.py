# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What was read about the host's namespaces -> the shape that users see. Pure."""

from __future__ import annotations

import os
import typing as t

from .. import model, selection
from ..engines import registry
from ..kernel import netns_reader
from ..links import ledger
from ..names import printable
from . import discovery

if t.TYPE_CHECKING:
    # Loaded only where somebody asks for it.
    from . import dns, peers

CONTAINERS, INTERFACES, ROUTES = "containers", "interfaces", "routes"
PROCESSES, DNS = "processes", "dns"
SUBSETS = (CONTAINERS, INTERFACES, ROUTES, PROCESSES, DNS)
PROCESSES_SHOWN = 5
_ITEMS_SHOWN = 5
_BECOME = "run as root (`become: true`)"

Facts = t.Dict[str, t.Any]


def subset(items: t.Iterable[str]) -> frozenset[str]:
    """What `gather_subset` asks for beyond what is always given.

    What is excluded stays out, wherever it stands in the list; exclusions alone start from all.
    Whose DNS it is has to be known, so that it comes with the containers or not at all.
    """
    asked = set(items)
    excluded = {item[1:] for item in asked if item.startswith("!")}
    included = {item for item in asked if not item.startswith("!")}
    if "all" in included or (excluded and not included):
        included = set(SUBSETS)
    if "all" in excluded:
        # As `setup` reads it: "!all" takes away what is not asked for by its own name.
        included = asked.intersection(SUBSETS)
    if DNS in included:
        included.add(CONTAINERS)
    if CONTAINERS in excluded:
        excluded.add(DNS)
    return frozenset(included.intersection(SUBSETS) - excluded)


class Process(t.NamedTuple):
    """A process: its command, the systemd unit it is in, and whose it is (None: root's)."""

    command: str
    unit: str | None
    user: str | None


class Sources(t.NamedTuple):
    """All that was read.

    `links` are the links by directory and name. `places` is the namespace of each running container
    that is still there, None where it could not be told. `networks` is what network each pin is
    for, of those that are. `entries` is the ledger's, or None where it could not be read;
    `start_times` that of each process which an entry names and that is there. `busy` are the
    directories of pins in which something was just made or removed. `problems` are what could not
    be read otherwise, as (source, reason). `root` is whether more rights would not help.
    """

    netns_dir: str
    host: discovery.Host
    links: t.Mapping[str, t.Mapping[str, discovery.Name]]
    readings: t.Sequence[model.Reading]
    places: t.Mapping[model.ContainerKey, model.NetnsId | None]
    networks: t.Mapping[str, model.Network]
    entries: t.Mapping[str, ledger.Entry] | None
    start_times: t.Mapping[int, int]
    busy: t.Collection[str]
    problems: t.Sequence[tuple[str, str]]
    root: bool


class Seen(t.NamedTuple):
    """What was read of the chosen namespaces.

    `leads` is where the interfaces lead, `lost` why some may be missing there. `answers` say whom
    the owner of each namespace asks for names, where a container is the owner. `processes` are
    those that were looked at.
    """

    views: t.Mapping[model.NetnsId, netns_reader.View]
    processes: t.Mapping[int, Process]
    leads: peers.Peers
    lost: t.Sequence[str]
    answers: t.Mapping[model.NetnsId, dns.Answer]


class NamespaceRecord:
    """A namespace with all that was read about whose it is."""

    def __init__(self, netns: model.NetnsId, found: discovery.Namespace) -> None:
        self.netns = netns
        self.found = found
        self.names: list[str] = []
        self.entries: list[ledger.Entry] = []
        self.containers: list[model.Container] = []

    @property
    def representative_pid(self) -> int | None:
        """A process that shows whose it is where no engine says it."""
        return next(iter([*self.found.pids, *self.found.holders]), None)

    @property
    def owner(self) -> model.Container | None:
        """The container whose namespace it is: not one that joined it, and the oldest of several."""
        owners = sorted(self.containers, key=lambda one: (_joins(one), one.created, one.id))
        return owners[0] if owners else None


def _joins(container: model.Container) -> bool:
    return container.network_mode.startswith("container:")


def records(sources: Sources, patterns: t.Sequence[str] | None) -> list[NamespaceRecord]:
    """The namespaces that are asked for, by inode, with their names, links and containers."""
    every = {
        netns: NamespaceRecord(netns, found) for netns, found in sources.host.namespaces.items()
    }
    for name, link in sources.links[sources.netns_dir].items():
        if link.netns in every:
            every[link.netns].names.append(name)
    for entry in (sources.entries or {}).values():
        seen = sources.links.get(os.path.dirname(entry.path), {}).get(entry.name)
        # An entry claims only what matches in full; the path alone may be another's by now.
        if seen and seen.netns in every and entry.claims(seen.netns) and entry.file == seen.file:
            every[seen.netns].entries.append(entry)
    for reading in sources.readings:
        for container in reading.containers:
            place = sources.places.get(container.key)
            if place in every:
                every[place].containers.append(container)
    chosen = [one for one in every.values() if patterns is None or _is_meant(one, patterns)]
    return sorted(chosen, key=lambda one: one.netns.inode)


def _is_meant(record: NamespaceRecord, patterns: t.Sequence[str]) -> bool:
    return any(
        any(selection.could_mean(pattern, container) for container in record.containers)
        or any(selection.matches(pattern, name) for name in record.names)
        for pattern in patterns
    )


def build(
    sources: Sources, chosen: t.Sequence[NamespaceRecord], asked: t.Collection[str], seen: Seen
) -> Facts:
    """The facts about the chosen namespaces, as plain data."""
    classifier = _Classifier(sources, CONTAINERS in asked, seen.processes)
    names = _names(sources)
    incomplete = _incomplete(sources, seen)
    facts: Facts = {
        "netns_dir": sources.netns_dir,
        "shared": sources.host.shared,
        "engines": [
            {
                "name": reading.engine,
                "version": reading.version,
                "source": reading.source,
                "read_from": reading.read_from or reading.source,
            }
            for reading in sources.readings
            if reading.found
        ],
        "complete": not incomplete,
        "incomplete": incomplete,
        "namespaces": [_namespace(record, classifier, asked, seen, names) for record in chosen],
    }
    if INTERFACES in asked:
        facts["lost_devices"] = _lost_devices(facts["namespaces"])
    return facts


def _lost_devices(namespaces: t.Iterable[Facts]) -> list[Facts]:
    return [
        {
            "interface": interface["name"],
            "mac": interface["mac"],
            "inode": namespace["inode"],
            "names": namespace["names"],
            "pins": namespace["pins"],
        }
        for namespace in namespaces
        if namespace["stale"]
        for interface in namespace["interfaces"] or ()
        if interface["physical"]
    ]


def warning(facts: Facts) -> str | None:
    """What should not only be found by those who look for it: the devices that the host has lost."""
    devices = [
        f"{device['interface']} in {', '.join(device['names'] or device['pins'])}"
        for device in facts.get("lost_devices", ())
    ]
    if not devices:
        return None
    return (
        f"devices of this host are in namespaces whose owners are gone: {_listed(devices)}. The host "
        "has them back when nothing pins these any more; `netns_link` with `prune: true` removes the "
        "links of this collection"
    )


def _names(sources: Sources) -> dict[model.NetnsId, list[str]]:
    """What `ip netns` calls the namespaces, of those that have names."""
    names: dict[model.NetnsId, list[str]] = {}
    for name, link in sorted(sources.links[sources.netns_dir].items()):
        names.setdefault(link.netns, []).append(_printable(name))
    return names


def _namespace(
    record: NamespaceRecord,
    classifier: _Classifier,
    asked: t.Collection[str],
    seen: Seen,
    names: t.Mapping[model.NetnsId, list[str]],
) -> Facts:
    found, view = record.found, seen.views[record.netns]
    facts: Facts = {
        "inode": record.netns.inode,
        "dev": record.netns.dev,
        "is_host": classifier.is_host(record),
        "names": names.get(record.netns, []),
        "pins": [_printable(pin) for pin in sorted(found.pins) + sorted(found.foreign_pins)],
        "nsid": view.nsid,
        "kind": classifier.kind(record),
        "stale": classifier.stale(record),
        "engine": classifier.engine(record),
    }
    if CONTAINERS in asked:
        facts["containers"] = [
            {
                "id": container.id,
                "name": container.name,
                "image": container.image,
                "pid": container.pid,
                "labels": dict(container.labels),
            }
            for container in sorted(record.containers, key=lambda one: (one.name, one.id))
            # A pod's own container only keeps the namespace; it is told as the pod.
            if not container.sandbox
        ]
        pod = classifier.pod(record)
        facts["pod"] = pod._asdict() if pod else None
        facts["unit"] = classifier.unit(record)
        facts["user"] = classifier.user(record)
        network = classifier.network(record)
        facts["network"] = network._asdict() if network else None
    if PROCESSES in asked:
        facts["processes"] = {
            "count": len(found.pids),
            "first": _commands(found.pids, seen.processes),
            "holders": _commands(found.holders, seen.processes),
        }
    if INTERFACES in asked:
        facts["interfaces"] = _interfaces(view, seen.leads.get(record.netns, {}), names)
    if ROUTES in asked:
        facts["routes"] = _routes(view)
    if DNS in asked:
        answer = seen.answers.get(record.netns)
        facts["dns"] = _dns(answer.dns) if answer and answer.dns else None
    return facts


def _commands(pids: t.Sequence[int], processes: t.Mapping[int, Process]) -> list[Facts]:
    return [
        {"pid": pid, "command": _printable(processes[pid].command)}
        for pid in pids[:PROCESSES_SHOWN]
        if pid in processes
    ]


def _printable(text: str) -> str:
    # File names and commands are bytes, which need not be text; JSON has no other way to hold them.
    return os.fsencode(text).decode("utf-8", "backslashreplace")


def _interfaces(
    view: netns_reader.View,
    leads: t.Mapping[int, peers.Peer],
    netns_names: t.Mapping[model.NetnsId, list[str]],
) -> list[Facts] | None:
    if view.interfaces is None or view.addresses is None:
        return None
    addresses: dict[int, list[str]] = {}
    for address in view.addresses:
        addresses.setdefault(address.ifindex, []).append(address.text)
    names = {link.ifindex: link.name for link in view.interfaces}
    return [
        {
            "name": link.name,
            "index": link.ifindex,
            "kind": link.kind,
            "mac": link.mac,
            "mtu": link.mtu,
            "state": link.state,
            "addresses": addresses.get(link.ifindex, []),
            "master": None if link.master is None else names.get(link.master),
            "physical": link.physical,
            "peer": _peer(leads.get(link.ifindex), netns_names),
        }
        for link in view.interfaces
    ]


def _peer(peer: peers.Peer | None, names: t.Mapping[model.NetnsId, list[str]]) -> Facts | None:
    if peer is None:
        return None
    return {
        "inode": peer.netns.inode,
        "names": names.get(peer.netns, []),
        "interface": peer.interface,
        "index": peer.ifindex,
        "master": peer.master,
    }


def _routes(view: netns_reader.View) -> list[Facts] | None:
    if view.interfaces is None or view.routes is None:
        return None
    names = {link.ifindex: link.name for link in view.interfaces}
    return [
        {
            "dst": route.dst,
            "gateway": route.gateway,
            "interface": None if route.ifindex is None else names.get(route.ifindex),
            "metric": route.metric,
            "table": route.table,
            "family": route.family,
        }
        for route in view.routes
    ]


def _dns(said: dns.Dns) -> Facts:
    return {
        "nameservers": list(said.nameservers),
        "search": list(said.search),
        "options": list(said.options),
    }


class _Classifier:
    """Says whose a namespace is, and whether its owner is gone."""

    def __init__(
        self, sources: Sources, engines_asked: bool, processes: t.Mapping[int, Process]
    ) -> None:
        self._sources = sources
        self._processes = processes
        self._engines_read = engines_asked and all(one.error is None for one in sources.readings)
        self._unplaced = {key for key, place in sources.places.items() if place is None}
        # Where PID 1 may not be looked at, nsfs.host_netns() says which namespace is its own.
        self._sees_processes = not any(pid != 1 for pid in sources.host.unreadable)

    def is_host(self, record: NamespaceRecord) -> bool:
        """Whether it is the host's own."""
        return record.netns == self._sources.host.host

    def kind(self, record: NamespaceRecord) -> str | None:
        """Whose it is; None where it may be a container's and its engine was not read."""
        if self.is_host(record):
            return "host"
        if self.pod(record):
            return "pod"
        if record.containers:
            return "container"
        if not self._engines_read:
            return None
        found = record.found
        return "named" if record.names or found.pins or found.foreign_pins else "process"

    def pod(self, record: NamespaceRecord) -> model.Pod | None:
        """The pod that it belongs to."""
        if self.is_host(record):
            return None
        for container in record.containers:
            if container.sandbox:
                return container.pod
        # Its sandbox has died, and its members live on.
        pods = {one.pod for one in record.containers if _joins(one)}
        return pods.pop() if len(pods) == 1 else None

    def unit(self, record: NamespaceRecord) -> str | None:
        """The systemd unit of its processes, where it is no container's."""
        process = self._process(record)
        return _printable(process.unit) if process and process.unit else None

    def user(self, record: NamespaceRecord) -> str | None:
        """Whose rootless engine made its containers, or whose process is in it; None for root."""
        for container in record.containers:
            if container.user:
                return container.user
        process = self._process(record)
        return process.user if process else None

    def network(self, record: NamespaceRecord) -> model.Network | None:
        """The network whose own sandbox it is."""
        known = map(self._sources.networks.get, record.found.pins)
        return next(filter(None, known), None)

    def _process(self, record: NamespaceRecord) -> Process | None:
        if self.is_host(record) or record.containers or record.representative_pid is None:
            return None
        return self._processes.get(record.representative_pid)

    def engine(self, record: NamespaceRecord) -> str | None:
        """The engine whose containers are in it, or for whose container it was pinned."""
        if self.is_host(record):
            return None
        for container in record.containers:
            return container.engine
        for entry in record.entries:
            if entry.engine:
                return entry.engine
        for pin in record.found.pins:
            owner = registry.pin_owner(pin)
            if owner:
                return owner[0]
        return "docker" if self.network(record) else None

    def stale(self, record: NamespaceRecord) -> bool | None:
        """Whether it is only kept by pins whose owners are gone; None where nobody could say."""
        if record.found.pids or record.containers:
            return False
        decisions = {self._has_lost_its_owner(entry) for entry in record.entries}
        for pin in record.found.pins:
            owner = registry.pin_owner(pin)
            if owner:
                # Some engines pin a namespace before its first process is there.
                busy = os.path.dirname(pin) in self._sources.busy
                decisions.add(None if busy else self._was_read(*owner))
        if self._sources.entries is None and record.names:
            decisions.add(None)
        if True in decisions:
            return True if self._sees_processes else None
        return None if None in decisions else False

    def _has_lost_its_owner(self, entry: ledger.Entry) -> bool | None:
        if entry.pid is not None:
            return self._sources.start_times.get(entry.pid) != entry.start_time
        if entry.key is None:
            return False
        if entry.key in self._unplaced:
            return None
        return self._was_read(entry.key.engine, entry.key.source)

    def _was_read(self, engine: str, source: str | None) -> bool | None:
        readings = [
            one
            for one in self._sources.readings
            if one.covers(engine, one.source if source is None else source)
        ]
        return True if readings and all(one.error is None for one in readings) else None


def _incomplete(sources: Sources, seen: Seen) -> list[Facts]:
    way_out = "" if sources.root else f": {_BECOME}"
    problems = [(one.engine, one.error) for one in sources.readings if one.error is not None]
    problems += sources.problems
    for reading in sources.readings:
        problems += [
            (reading.engine, f"container {one.name}: {one.problem}")
            for one in reading.containers
            if one.problem is not None
        ]
        hidden = [
            one.name
            for one in reading.containers
            if one.key in sources.places and sources.places[one.key] is None
        ]
        if hidden:
            reason = "which namespace these containers are in could not be read: "
            problems.append((reading.engine, f"{reason}{_listed(sorted(hidden))}{way_out}"))
    unreadable = sources.host.unreadable
    if unreadable:
        count = "1 process" if len(unreadable) == 1 else f"{len(unreadable)} processes"
        whose = "" if sources.root else " of other users"
        problems.append(("processes", f"{count}{whose} could not be read{way_out}"))
    if sources.entries is None:
        problems.append(("ledger", f"which links are this collection's could not be read{way_out}"))
    by_reason: dict[tuple[str, str], list[int]] = {}
    for netns, view in seen.views.items():
        if view.problem is not None:
            by_reason.setdefault(("namespaces", view.problem), []).append(netns.inode)
    for netns, answer in seen.answers.items():
        if answer.problem is not None:
            by_reason.setdefault(("dns", answer.problem), []).append(netns.inode)
    for (source, reason), inodes in by_reason.items():
        problems.append((source, f"{_listed(sorted(inodes))}: {reason}{way_out}"))
    problems += [("peers", f"where some interfaces lead is not known: {one}") for one in seen.lost]
    return [
        {"source": printable(source), "reason": printable(reason)} for source, reason in problems
    ]


def _listed(items: t.Sequence[object]) -> str:
    shown = ", ".join(map(str, items[:_ITEMS_SHOWN]))
    more = len(items) - _ITEMS_SHOWN
    return f"{shown} and {more} more" if more > 0 else shown
