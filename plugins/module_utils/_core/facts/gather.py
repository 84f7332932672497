# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Facts about the host's namespaces, from the reading to the shape; nothing is changed."""

from __future__ import annotations

import os
import time
import typing as t

from .. import model
from ..engines import registry
from ..kernel import netns_reader, procfs
from ..links import ledger
from . import discovery, shape

if t.TYPE_CHECKING:
    from . import dns, peers

# How long an engine may take from pinning a namespace to its first process, in seconds.
_STARTING = 10.0
_Result = t.TypeVar("_Result")


class FactsRequest(t.NamedTuple):
    """What is asked for; `engines` and `patterns` are None where they do not narrow it."""

    netns_dir: str
    engines: t.Sequence[str] | None
    timeout: float
    subset: frozenset[str]
    patterns: t.Sequence[str] | None = None


def gather(request: FactsRequest, ledger_directory: str = ledger.DIRECTORY) -> shape.Facts:
    """Read the host and say what is known of its namespaces.

    What could not be read is told in the answer; it never raises for that.
    """
    problems: list[tuple[str, str]] = []
    netns_dir = os.path.realpath(request.netns_dir)
    # Reading an engine is mostly waiting for it, and the kernel's side takes as long.
    answers = _ask_engines(request)
    host = discovery.read(netns_dir)
    readings = answers()
    if shape.CONTAINERS in request.subset:
        found = {reading.engine for reading in readings if reading.found}
        missing = (name for name in request.engines or () if name not in found)
        problems += [(name, "not found on this host") for name in missing]
    networks = _networks(request, host.mounted, problems)
    entries = _entries(ledger_directory)
    links = _links(netns_dir, entries or {}, problems)
    sources = shape.Sources(
        netns_dir=netns_dir,
        host=host,
        links=links,
        readings=readings,
        places=_places(readings, host, request.timeout),
        networks=networks,
        entries=entries,
        start_times=_start_times(entries or {}),
        busy=_busy(host.mounted),
        problems=problems,
        root=os.geteuid() == 0,
    )
    chosen = shape.records(sources, request.patterns)
    return shape.build(sources, chosen, request.subset, _look(host, chosen, request.subset))


def _look(
    host: discovery.Host, chosen: t.Sequence[shape.NamespaceRecord], subset: t.Collection[str]
) -> shape.Seen:
    targets = {netns: found.target(netns) for netns, found in host.namespaces.items()}
    views = netns_reader.collect_views(
        [targets[record.netns] for record in chosen],
        host.own,
        targets.get(host.host, netns_reader.NetnsRef(host.host, ())),
        shape.INTERFACES in subset,
        shape.ROUTES in subset,
    )
    leads: peers.Peers = {}
    lost: t.Sequence[str] = ()
    if shape.INTERFACES in subset:
        from . import peers

        leads, lost = peers.resolve(views, targets, host.own, host.host)
    answers = _answers(host, chosen) if shape.DNS in subset else {}
    return shape.Seen(views, _processes(chosen, subset), leads, lost, answers)


def _answers(
    host: discovery.Host, chosen: t.Iterable[shape.NamespaceRecord]
) -> dict[model.NetnsId, dns.Answer]:
    """Whom the owner of each namespace asks for names, where that is a container."""
    from . import dns

    places = [
        dns.ResolvConfSource(record.owner.pid, record.netns)
        for record in chosen
        if record.owner is not None and record.netns != host.host
    ]
    return {place.netns: answer for place, answer in zip(places, dns.read(places))}


def _ask_engines(request: FactsRequest) -> t.Callable[[], list[model.Reading]]:
    if shape.CONTAINERS not in request.subset:
        return list
    return registry.start(request.engines, request.timeout, lambda container: True)


def _networks(
    request: FactsRequest, pins: t.Iterable[str], problems: list[tuple[str, str]]
) -> dict[str, model.Network]:
    if shape.CONTAINERS not in request.subset:
        return {}
    networks, reasons = registry.networks(request.engines, pins, request.timeout)
    problems += reasons
    return networks


def _entries(directory: str) -> t.Mapping[str, ledger.Entry] | None:
    try:
        return ledger.Ledger(directory).entries
    except (model.NetnsError, OSError):
        return None


def _links(
    netns_dir: str, entries: t.Iterable[str], problems: list[tuple[str, str]]
) -> dict[str, dict[str, discovery.Name]]:
    links: dict[str, dict[str, discovery.Name]] = {}
    for folder in {netns_dir, *map(os.path.dirname, entries)}:
        try:
            links[folder] = discovery.names(folder)
        except OSError as error:
            links[folder] = {}
            problems.append((folder, error.strerror or str(error)))
    return links


def _places(
    readings: t.Iterable[model.Reading], host: discovery.Host, timeout: float
) -> dict[model.ContainerKey, model.NetnsId | None]:
    places: dict[model.ContainerKey, model.NetnsId | None] = {}
    for reading in readings:
        for container in reading.containers:
            if not container.pid:
                continue
            try:
                place = discovery.netns_of(
                    container, host, lambda one: registry.still_runs(one, timeout)
                )
            except (OSError, model.EngineError):
                places[container.key] = None
                continue
            if place is not None:
                places[container.key] = place
    return places


def _start_times(entries: t.Mapping[str, ledger.Entry]) -> dict[int, int]:
    return _of_processes({one.pid for one in entries.values() if one.pid}, procfs.start_time)


def _busy(pins: t.Iterable[str]) -> set[str]:
    """The directories of pins that were changed a moment ago."""
    busy = set()
    for folder in set(map(os.path.dirname, pins)):
        try:
            age = time.time() - os.stat(folder).st_mtime
        except OSError:
            continue
        if age < _STARTING:
            busy.add(folder)
    return busy


def _processes(
    chosen: t.Iterable[shape.NamespaceRecord], subset: t.Collection[str]
) -> dict[int, shape.Process]:
    """The processes that are shown, and those that show whose a namespace is."""
    pids: set[int] = set()
    for record in chosen:
        if shape.PROCESSES in subset:
            pids.update(record.found.pids[: shape.PROCESSES_SHOWN])
            pids.update(record.found.holders[: shape.PROCESSES_SHOWN])
        if (
            shape.CONTAINERS in subset
            and not record.containers
            and record.representative_pid is not None
        ):
            pids.add(record.representative_pid)
    return _of_processes(pids, _process)


def _process(process: int) -> shape.Process:
    user = procfs.user(process)
    return shape.Process(
        procfs.command(process), procfs.unit(process), procfs.user_name(user) if user else None
    )


def _of_processes(pids: t.Iterable[int], ask: t.Callable[[int], _Result]) -> dict[int, _Result]:
    """What each process says that is still there and may be looked at."""
    answers = {}
    for pid in pids:
        try:
            process = procfs.open_process(pid)
        except (model.GoneError, OSError):
            continue
        try:
            answers[pid] = ask(process)
        except model.GoneError:
            pass
        finally:
            os.close(process)
    return answers
