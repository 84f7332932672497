# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Gather the facts: read the host, select namespaces, read their details. Nothing is changed."""

from __future__ import annotations

import os
import time
import typing as t

from .. import model
from ..engines import registry
from ..kernel import nsfs
from ..links import ledger, recorded
from ..named_tuple import NamedTuple
from . import discovery
from .request import CONTAINERS, FactsRequest

if t.TYPE_CHECKING:
    # The other half of the program: see read().
    from . import shape
    from .records import Details, NamespaceRecord, Sources

# The engines' answers, and the ledger entries of containers that still have the first process in their entry.
_Engines = t.Tuple[t.List[model.Reading], t.Mapping[model.ContainerKey, ledger.Entry]]


class Gathered(NamedTuple):
    """What was read on the host: the sources, the selected namespaces, and the details of these."""

    sources: Sources
    selected: t.Sequence[NamespaceRecord]
    details: Details


def gather(request: FactsRequest, ledger_directory: str = ledger.DIRECTORY) -> shape.Facts:
    """The facts about the namespaces of this host.

    Raises NetnsError for an invalid request and without /proc. Never raises for what else could not be read: the
    facts contain the reasons.
    """
    request.check()
    gathered = read(request, ledger_directory)
    # Loaded already: see read().
    from . import shape

    return shape.build(gathered.sources, gathered.selected, request.subset, gathered.details)


def read(request: FactsRequest, ledger_directory: str = ledger.DIRECTORY) -> Gathered:
    """What the facts are made from. Raises NetnsError without /proc."""
    nsfs.check_proc()
    problems: list[tuple[str, str]] = []
    deadline = time.monotonic() + request.timeout
    netns_dir = os.path.realpath(request.netns_dir)
    # The kernel is searched while the engines answer, which takes about as long. No thread runs yet: this forks.
    search = discovery.Search(netns_dir)
    budget = registry.Budget(request.timeout)
    linked = _ledger(ledger_directory)
    wait_for_engines = _start_engines(request, budget, linked)
    # The other half of the program, which is loaded while the engines answer.
    from ..engines import pin_paths
    from . import details, owners, records

    readings, recognized = wait_for_engines()
    listing = search.wait_for_listing()
    # Not beside the engines, from which this would take time.
    pinned = details.start_pinned(request, listing.pinned)
    if CONTAINERS in request.subset:
        engines = {reading.engine for reading in readings if reading.found}
        missing = (name for name in request.engines or () if name not in engines)
        problems += [(name, "not found on this host") for name in missing]
    pins = pin_paths.Pins(readings)
    published = owners.published(request, readings, deadline, problems)
    # What this process can read while the children work.
    first_processes = details.first_processes(request, listing.pids)
    dns_reader = details.start_dns(request, readings)
    if pinned:
        pinned.receive()
    discovered = search.wait(pinned.pid if pinned else None)
    if pinned:
        pinned.release()
    networks_by_pin = owners.networks_by_pin(
        request, budget, pins, discovered.netns_by_pin, problems
    )
    # After the mounts: the ledger has each link before it is mounted.
    linked = _ledger(ledger_directory, linked)
    ledger_entries = linked.entries if linked else None
    names_by_dir = owners.names_by_dir(netns_dir, ledger_entries or {}, problems)
    sources = records.Sources(
        netns_dir=netns_dir,
        engines=request.engines,
        discovered=discovered,
        names_by_dir=names_by_dir,
        readings=readings,
        container_netns=owners.container_netns(readings, recognized, discovered, budget),
        pins=pins,
        networks_by_pin=networks_by_pin,
        ledger_entries=ledger_entries,
        start_times=owners.start_times(ledger_entries or {}),
        changing_dirs=owners.changing_dirs(discovered.netns_by_pin),
        problems=problems,
        is_root=os.geteuid() == 0,
        forwards=published,
    )
    selected = records.records(sources, request.patterns)
    return Gathered(
        sources,
        selected,
        details.read(
            discovered, selected, request.subset, deadline, pinned, first_processes, dns_reader
        ),
    )


def _start_engines(
    request: FactsRequest, budget: registry.Budget, linked: ledger.Ledger | None
) -> t.Callable[[], _Engines]:
    """Start to ask the engines. The function waits for their answers.

    Where the recorded process of a container still runs, its engine is not asked about it. It is asked about one of
    them for each source.
    """
    if CONTAINERS not in request.subset:
        return lambda: ([], {})
    known = recorded.RecordedProcesses(
        linked.entries.values() if linked else (),
        linked.directory if linked else ledger.DIRECTORY,
    )
    with_pin: set[str] = set()

    def wanted(container: model.Container) -> bool:
        if not known.runs(container):
            return True
        # The pin of one container shows where its daemon has those of all others.
        is_first = container.source not in with_pin and not container.joined
        if is_first:
            with_pin.add(container.source)
        return is_first

    wait = registry.start(request.engines, budget, wanted, sources=request.sources)
    return lambda: (known.add_to(wait()), known.running)


def _ledger(directory: str, before: ledger.Ledger | None = None) -> ledger.Ledger | None:
    """The ledger, None where it cannot be read. What was read before is read again only if it has changed."""
    try:
        if before is None:
            return ledger.Ledger(directory)
        before.refresh()
    except (model.NetnsError, OSError):
        return None
    return before
