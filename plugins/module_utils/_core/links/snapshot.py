# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads the host once for a run: the engines, netns_dir, and where the namespace of each container is."""

from __future__ import annotations

import contextlib
import functools
import os
import typing as t

from .. import model, selection
from ..engines import registry
from ..kernel import nsfs, procfs
from ..named_tuple import NamedTuple
from ..names import Template, unusable
from . import etc_netns, ledger, netns_dir
from .origins import Origin, locate, open_request_origin
from .recorded import RecordedProcesses, ended
from .request import LinkRequest
from .session import SessionCache

# A container can join one that has joined another; a pod's member joins the pod's sandbox.
_MAX_JOINS = 3


class Snapshot(NamedTuple):
    """The host, as far as a request needs it.

    `origins`, `problems` and `dns_lines` are by container: where its namespace is, or why that could
    not be read, and its resolv.conf, with `dns_problems` where that could not be read. `request_origin`
    is the namespace of `pid` or `path`.
    """

    host: model.NetnsId
    directory: netns_dir.Directory
    path_states: t.Mapping[str, netns_dir.PathState]
    entries: t.Mapping[str, ledger.Entry]
    readings: tuple[model.Reading, ...] = ()
    origins: t.Mapping[model.ContainerKey, Origin] = {}
    problems: t.Mapping[model.ContainerKey, str] = {}
    request_origin: Origin | None = None
    dns_lines: t.Mapping[model.ContainerKey, tuple[str, ...]] = {}
    dns_problems: t.Mapping[model.ContainerKey, str] = {}
    resolv_conf_files: t.Mapping[str, etc_netns.File] = {}
    warnings: tuple[str, ...] = ()

    def path_state(self, name: str) -> netns_dir.PathState:
        """What is at a name in netns_dir."""
        return self.path_states.get(name, netns_dir.VACANT)

    def containers(self) -> t.Iterator[model.Container]:
        """The containers of all engines."""
        for reading in self.readings:
            yield from reading.containers

    def running(self) -> set[model.ContainerKey]:
        """The containers that run."""
        return {container.key for container in self.containers() if container.running}

    def unread(self) -> dict[model.ContainerKey, model.Container]:
        """The containers that their engines list and could not be read."""
        return {
            container.key: container for reading in self.readings for container in reading.unread
        }

    def was_read(self, key: model.ContainerKey) -> bool:
        """Whether the container's own daemon was read in full: unknown is not gone."""
        return any(reading.contains(key) for reading in self.readings)

    def has_left(self, entry: ledger.Entry) -> bool:
        """Whether a link's container is known to have left the namespace that the link leads to."""
        if entry.key is None or not self.was_read(entry.key):
            return False
        origin = self.origins.get(entry.key)
        if origin is not None:
            return not entry.claims(origin.netns)
        return entry.key not in self.running()


class EngineQuery(NamedTuple):
    """Engines that are being asked.

    `started` is when they began to be asked, on the clock of start times; `readings` waits for the answers.
    After that, `recorded` knows which containers still have the process that the ledger has.
    """

    started: int
    readings: t.Callable[[], list[model.Reading]]
    recorded: RecordedProcesses | None = None


def query_engines(request: LinkRequest, session: SessionCache) -> EngineQuery:
    """Start to ask the engines.

    The ledger was read before: a container that it lists was known to its engine before the question.
    """
    started = procfs.now()
    session.budget = budget = registry.Budget(request.timeout)
    if not (request.prune or request.containers or (request.all and not request.absent)):
        return EngineQuery(started, list)
    entries = session.ledger.entries.values() if request.prune else ()
    if request.only is not None:
        reads_whole_engine = None in request.only.values()
        engines = {entry.engine for entry in entries} if reads_whole_engine else set()
        gone = ended(session.ledger, request.ended) if request.prune else []
        read_some = functools.partial(
            _read_some, request, request.only, gone, engines, budget, session.connections
        )
        return EngineQuery(started, read_some)
    items = request.containers or ()
    everything = request.all or any(map(selection.is_pattern, items))
    linked = {entry.container_id for entry in entries}

    # Where the DNS settings of a container are, only its engine has.
    known = () if request.absent or request.resolv_conf else session.ledger.entries.values()
    recorded = RecordedProcesses(
        (entry for entry in known if request.engines is None or entry.engine in request.engines),
        session.ledger.directory,
    )

    def wanted(container: model.Container) -> bool:
        if container.sandbox:
            return True
        is_selected = everything or any(selection.could_mean(item, container) for item in items)
        if request.absent and container.pod is None:
            is_selected = False
        return (is_selected or container.id in linked) and not recorded.runs(container)

    engines = {entry.engine for entry in entries}
    sources = registry.parse_sources(request.sources, request.engines)
    readings = registry.start(request.engines, budget, wanted, engines, sources)
    if everything:
        # While the engines answer, this process has not enough to do.
        recorded.look()
    return EngineQuery(started, lambda: recorded.add_to(readings()), recorded)


def take(
    request: LinkRequest,
    session: SessionCache,
    open_files: contextlib.ExitStack,
    query: EngineQuery,
) -> Snapshot:
    """Read what the request needs; `open_files` closes what the snapshot keeps open."""
    host = nsfs.host_netns()
    all_entries = session.ledger.entries
    names = None
    if request.only is None:
        path_states, directory = _read_directory(request, session)
        readings = query.readings()
        entries = {
            path: entry
            for path, entry in all_entries.items()
            if os.path.dirname(path) == request.netns_dir
        }
    else:
        readings = query.readings()
        names = _link_names(request, session.ledger, readings)
        path_states, directory = _read_directory(request, session, names)
        paths = map(request.link_path, names)
        entries = {path: all_entries[path] for path in paths if path in all_entries}
    readings = _with_names(readings, all_entries.values())
    recorded = query.recorded.running if query.recorded else {}
    origins, problems, warnings = locate(readings, query.started, recorded)
    dns_lines: dict[model.ContainerKey, tuple[str, ...]] = {}
    dns_problems: dict[model.ContainerKey, str] = {}
    if request.resolv_conf:
        for reading in readings:
            for container in reading.containers:
                if container.resolv_conf:
                    dns_lines[container.key] = etc_netns.dns_lines(container.resolv_conf)
        without_path = {
            key: origin
            for key, origin in origins.items()
            if key not in dns_lines and origin.netns != host
        }
        dns_problems = _read_own_dns(without_path, dns_lines)
    return Snapshot(
        host=host,
        directory=directory,
        path_states=path_states,
        entries=entries,
        readings=tuple(readings),
        origins=origins,
        problems=problems,
        request_origin=open_request_origin(request, open_files),
        dns_lines=dns_lines,
        dns_problems=dns_problems,
        resolv_conf_files=etc_netns.present(names)
        if request.resolv_conf or request.absent or request.prune
        else {},
        warnings=tuple(warnings),
    )


def _read_directory(
    request: LinkRequest, session: SessionCache, names: set[str] | None = None
) -> tuple[dict[str, netns_dir.PathState], netns_dir.Directory]:
    """What is in netns_dir, or at these names in it. Raises SelectionError where the host would not see links in it."""
    path_states, directory = netns_dir.read(
        request.netns_dir, session.ledger.entries, names, session.ready_mount
    )
    if session.ready_mount is None:
        netns_dir.is_on_host_mount(request.netns_dir, directory.mount)
    return path_states, directory


def _read_some(
    request: LinkRequest,
    only: t.Mapping[str, frozenset[str] | None],
    gone: t.Sequence[model.Reading],
    linked: t.Container[str | None],
    budget: registry.Budget,
    connections: registry.Connections,
) -> list[model.Reading]:
    """Read some containers, and those whose namespaces they have joined, which own these.

    Nothing is read of those that are `gone`.
    """
    parts = {
        engine: ids
        for engine, ids in only.items()
        if request.engines is None or engine in request.engines
    }
    gone = [reading for reading in gone if parts.get(reading.engine)]
    for reading in gone:
        parts[reading.engine] = (parts[reading.engine] or frozenset()) - (
            reading.only or frozenset()
        )
    parts = {engine: ids for engine, ids in parts.items() if ids is None or ids}

    def wanted(container: model.Container) -> bool:
        ids = parts[container.engine]
        return ids is None or container.id in ids

    sources = registry.parse_sources(request.sources, request.engines)
    readings: list[model.Reading] = []
    for _round in range(_MAX_JOINS):
        readings = registry.read_part(parts, budget, wanted, linked, connections, sources)
        more = {
            engine: ids | joined
            for engine, ids in parts.items()
            if ids is not None
            for joined in [_joined(engine, ids, readings)]
            if joined - ids
        }
        if not more:
            break
        parts.update(more)
    return [*readings, *gone]


def _joined(
    engine: str, ids: frozenset[str], readings: t.Iterable[model.Reading]
) -> frozenset[str]:
    """The containers whose namespaces these containers have joined."""
    return frozenset(
        container.joined
        for reading in readings
        for container in reading.containers
        if container.engine == engine and container.id in ids and container.running
        if container.joined
    )


def _with_names(
    readings: t.Sequence[model.Reading], entries: t.Iterable[ledger.Entry]
) -> list[model.Reading]:
    """The readings, where containers of which only the ID is known have what the ledger has of them."""
    if not any(reading.unread for reading in readings):
        return list(readings)
    recorded = {entry.key: entry.container() for entry in entries}

    def named(container: model.Container) -> model.Container:
        known = recorded.get(container.key)
        if container.unread is None or container.status or known is None:
            return container
        return container._replace(name=known.name, labels=known.labels, pod=known.pod)

    return [
        reading._replace(containers=tuple(map(named, reading.containers)))
        if reading.unread
        else reading
        for reading in readings
    ]


def _link_names(
    request: LinkRequest,
    linked: ledger.Ledger,
    readings: t.Iterable[model.Reading],
) -> set[str]:
    """The names that links of these containers have or get, and of other links to the same namespaces."""
    template = Template(request.name_template)
    names = set()
    # What was linked by PID or path may belong to any container.
    ids: set[str | None] = {None}
    engines: set[str | None] = set()
    for reading in readings:
        if reading.only is None:
            engines.add(reading.engine)
        else:
            ids |= reading.only
        for container in reading.containers:
            if reading.only is None or container.id in ids:
                with contextlib.suppress(model.SelectionError):
                    name = template.fill(container)
                    # A label can contain anything. The plan refuses such a name, so nothing is read for it.
                    if not unusable(name):
                        names.add(name)
    concerned = linked.of_containers(ids)
    if engines:
        concerned += [entry for entry in linked.entries.values() if entry.engine in engines]
    netns = {entry.netns for entry in concerned}
    names.update(entry.name for entry in (*concerned, *linked.to_namespaces(netns)))
    return names


def _read_own_dns(
    origins: t.Mapping[model.ContainerKey, Origin],
    dns_lines: dict[model.ContainerKey, tuple[str, ...]],
) -> dict[model.ContainerKey, str]:
    """Add the DNS settings of containers whose engine has no resolv.conf for them, from their own file.

    Returns why some could not be read.
    """
    containers = [
        (origin.container, origin.netns) for origin in origins.values() if origin.container
    ]
    if not containers:
        return {}
    from .. import dns  # noqa: PLC0415 - most engines have the path

    problems = {}
    sources = [dns.ResolvConfSource(container.pid, netns) for container, netns in containers]
    for (container, _netns), result in zip(containers, dns.read(sources)):
        if result.dns is not None:
            dns_lines[container.key] = result.dns.lines
        elif result.problem is not None:
            problems[container.key] = result.problem
    return problems
