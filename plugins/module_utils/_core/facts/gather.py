# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Gather the facts: read the host, select namespaces, read their details. Nothing is changed."""

from __future__ import annotations

import contextlib
import itertools
import os
import time
import typing as t

from .. import model
from ..engines import pin_paths, registry
from ..kernel import mounts, netns_reader, nsfs, procfs, users
from ..links import ledger, recorded
from . import discovery, shape
from .records import (
    Details,
    NamespaceRecord,
    Process,
    Sources,
    firejail_sandbox,
    gvisor_netstack,
    mininet_node,
    records,
)
from .request import CONTAINERS, DNS, INTERFACES, PROCESSES, ROUTES, SOCKETS, FactsRequest

if t.TYPE_CHECKING:
    from .. import dns
    from . import forwards, listeners, peers

# The seconds that an engine may need between pinning a namespace and starting its first process.
_CONTAINER_START_TIME = 10.0
_MIN_NAMES_TIMEOUT = 0.5
_OF_VIEWS = frozenset((INTERFACES, ROUTES, SOCKETS))
_Result = t.TypeVar("_Result")
# Processes by PID, each without the name of its user, and the user's id.
_Processes = t.Mapping[int, t.Tuple[Process, int]]


class Gathered(t.NamedTuple):
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
    return shape.build(gathered.sources, gathered.selected, request.subset, gathered.details)


def read(request: FactsRequest, ledger_directory: str = ledger.DIRECTORY) -> Gathered:
    """What the facts are made from. Raises NetnsError without /proc."""
    nsfs.check_proc()
    problems: list[tuple[str, str]] = []
    deadline = time.monotonic() + request.timeout
    netns_dir = os.path.realpath(request.netns_dir)
    table = mounts.read()
    # The kernel is searched while the engines answer, which takes about as long. No thread runs yet: this forks.
    search = discovery.Search(netns_dir, table) if CONTAINERS in request.subset else None
    budget = registry.Budget(request.timeout)
    # What this process can read while the kernel is searched.
    linked = _ledger(ledger_directory)
    readings, recognized = _read_engines(request, budget, linked)
    listed = search.wait_for_pids() if search else ()
    # Not beside the engines, from which this would take time.
    pinned = _start_pinned(request, table)
    if CONTAINERS in request.subset:
        engines = {reading.engine for reading in readings if reading.found}
        missing = (name for name in request.engines or () if name not in engines)
        problems += [(name, "not found on this host") for name in missing]
    pins = pin_paths.Pins(readings)
    published = _forwards(request, readings, deadline, problems)
    # What this process can read while the children work.
    first_processes = _first_processes(request, listed)
    if pinned:
        pinned.receive()
    leave_out = pinned.pid if pinned else None
    discovered = (
        search.wait(leave_out) if search else discovery.discover(netns_dir, table, leave_out)
    )
    if pinned:
        pinned.release()
    networks_by_pin = _networks_by_pin(request, budget, pins, discovered.netns_by_pin, problems)
    # After the mounts: the ledger has each link before it is mounted.
    linked = _ledger(ledger_directory, linked)
    ledger_entries = linked.entries if linked else None
    names_by_dir = _names_by_dir(netns_dir, ledger_entries or {}, problems)
    sources = Sources(
        netns_dir=netns_dir,
        engines=request.engines,
        discovered=discovered,
        names_by_dir=names_by_dir,
        readings=readings,
        container_netns=_container_netns(readings, recognized, discovered, budget),
        pins=pins,
        networks_by_pin=networks_by_pin,
        ledger_entries=ledger_entries,
        start_times=_start_times(ledger_entries or {}),
        changing_dirs=_changing_dirs(discovered.netns_by_pin),
        problems=problems,
        is_root=os.geteuid() == 0,
        forwards=published,
    )
    selected = records(sources, request.patterns)
    details = _details(discovered, selected, request.subset, deadline, pinned, first_processes)
    return Gathered(sources, selected, details)


def _details(
    discovered: discovery.HostNamespaces,
    selected: t.Sequence[NamespaceRecord],
    subset: frozenset[str],
    deadline: float,
    pinned: netns_reader.Views | None,
    first_processes: _Processes,
) -> Details:
    refs = {
        netns: references.netns_ref(netns) for netns, references in discovered.namespaces.items()
    }
    host = discovered.host_netns
    read = list(selected)
    if SOCKETS in subset and _are_published_on_host(selected, host):
        read.append(NamespaceRecord(host, discovered.namespaces[host]))
    own = discovered.own_netns
    host_ref = refs.get(host, netns_reader.NetnsRef(host, ()))
    read_already = {ref.netns for ref in pinned.refs} if pinned else set()
    others = [refs[record.netns] for record in read if record.netns not in read_already]
    reading = _start_views(others, own, host_ref, subset)
    wait_for_dns = _start_dns(host, selected) if DNS in subset else dict
    processes, user_problem = _processes(selected, subset, deadline, first_processes)
    netstacks = _netstacks(selected, host, processes) if CONTAINERS in subset else {}
    views = reading.wait()
    if pinned:
        views.update(pinned.wait())
        # A pin that is covered by another mount, or that was removed: processes lead to its namespace.
        unread = [
            refs[netns] for netns in read_already & set(refs) if views[netns].interfaces is None
        ]
        views.update(_start_views(unread, own, host_ref, subset).wait())
    dns_results = wait_for_dns()
    resolved: peers.Peers = {}
    peer_problems: t.Sequence[str] = ()
    if INTERFACES in subset:
        from . import peers

        resolved, peer_problems = peers.resolve(views, refs, own, host)
    socket_holders: listeners.Holders = {}
    if SOCKETS in subset:
        from . import listeners

        socket_holders = listeners.holders(read, views, discovered.socket_holders)
    rootless_forwards: t.Sequence[forwards.Forward] = ()
    if {SOCKETS, CONTAINERS} <= subset:
        from . import forwards

        rootless_forwards = forwards.of_rootless(
            selected, views.get(host), socket_holders, deadline - time.monotonic()
        )
    return Details(
        views,
        processes,
        resolved,
        peer_problems,
        dns_results,
        socket_holders,
        user_problem,
        netstacks,
        rootless_forwards,
    )


def _start_pinned(
    request: FactsRequest, table: t.Iterable[mounts.Mount]
) -> netns_reader.Views | None:
    """Start to read what is surely selected, while the other namespaces are searched. Only root can enter one."""
    if request.patterns is not None or not request.subset & _OF_VIEWS or os.geteuid() != 0:
        return None
    host = netns_reader.NetnsRef(nsfs.host_netns(), ("/proc/1/ns/net",))
    own = nsfs.netns_id(os.stat("/proc/self/ns/net"))
    refs = {ref.netns: ref for ref in (host, *discovery.pinned(table))}
    return _start_views(list(refs.values()), own, host, request.subset, keep_open=True)


def _start_views(
    refs: t.Sequence[netns_reader.NetnsRef],
    own: model.NetnsId,
    host: netns_reader.NetnsRef,
    subset: frozenset[str],
    keep_open: bool = False,
) -> netns_reader.Views:
    return netns_reader.Views(
        refs, own, host, INTERFACES in subset, ROUTES in subset, SOCKETS in subset, keep_open
    )


def _are_published_on_host(selected: t.Iterable[NamespaceRecord], host: model.NetnsId) -> bool:
    """Whether the ports of selected containers are sockets of the host, which is not selected itself."""
    return host not in {record.netns for record in selected} and any(
        container.user for record in selected for container in record.containers
    )


def _start_dns(
    host: model.NetnsId, selected: t.Iterable[NamespaceRecord]
) -> t.Callable[[], dict[model.NetnsId, dns.Result]]:
    """Start to read the resolver settings of the containers that own a namespace. The function waits for them."""
    from .. import dns

    sources = [
        dns.ResolvConfSource(record.owner.pid, record.netns)
        for record in selected
        if record.owner is not None and record.netns != host
    ]
    wait = dns.start(sources)
    return lambda: {source.netns: result for source, result in zip(sources, wait())}


def _read_engines(
    request: FactsRequest, budget: registry.Budget, linked: ledger.Ledger | None
) -> tuple[list[model.Reading], t.Mapping[model.ContainerKey, ledger.Entry]]:
    """The engines, and the entries of containers by which their first process was recognized.

    Of those, an engine is asked about one alone.
    """
    if CONTAINERS not in request.subset:
        return [], {}
    known = recorded.RecordedProcesses(linked.entries.values() if linked else ())
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
    return known.add_to(wait()), known.running


def _networks_by_pin(
    request: FactsRequest,
    budget: registry.Budget,
    pins: pin_paths.Pins,
    paths: t.Iterable[str],
    problems: list[tuple[str, str]],
) -> dict[str, model.Network]:
    if CONTAINERS not in request.subset:
        return {}
    networks, reasons = pins.networks(request.engines, paths, budget)
    problems += reasons
    return networks


def _forwards(
    request: FactsRequest,
    readings: t.Sequence[model.Reading],
    deadline: float,
    problems: list[tuple[str, str]],
) -> t.Sequence[forwards.Forward] | None:
    """The published ports; None where they are not requested, or the engines are not read."""
    if not {SOCKETS, CONTAINERS} <= request.subset:
        return None
    from . import forwards

    found, reasons = forwards.read(readings, deadline - time.monotonic())
    problems += [(forwards.CNI, reason) for reason in reasons]
    return found


def _ledger(directory: str, before: ledger.Ledger | None = None) -> ledger.Ledger | None:
    """The ledger, None where it cannot be read. What was read before is read again only if it has changed."""
    try:
        if before is None:
            return ledger.Ledger(directory)
        before.refresh()
    except (model.NetnsError, OSError):
        return None
    return before


def _names_by_dir(
    netns_dir: str, link_paths: t.Iterable[str], problems: list[tuple[str, str]]
) -> dict[str, dict[str, nsfs.DirectoryEntry]]:
    """The names in netns_dir, and in the other directories that the ledger has links in."""
    names_by_dir: dict[str, dict[str, nsfs.DirectoryEntry]] = {}
    for directory in {netns_dir, *map(os.path.dirname, link_paths)}:
        try:
            names_by_dir[directory] = nsfs.list_names(directory)
        except OSError as error:
            names_by_dir[directory] = {}
            problems.append((directory, error.strerror or str(error)))
    return names_by_dir


def _container_netns(
    readings: t.Iterable[model.Reading],
    recognized: t.Mapping[model.ContainerKey, ledger.Entry],
    discovered: discovery.HostNamespaces,
    budget: registry.Budget,
) -> dict[model.ContainerKey, model.NetnsId | None]:
    by_container: dict[model.ContainerKey, model.NetnsId | None] = {}
    for reading in readings:
        for container in reading.containers:
            if not container.pid:
                continue
            entry = recognized.get(container.key)
            try:
                netns = discovery.container_netns(
                    container,
                    discovered,
                    lambda each: registry.still_runs(each, budget),
                    entry.netns if entry else None,
                )
            except (OSError, model.EngineError):
                by_container[container.key] = None
                continue
            if netns is not None:
                by_container[container.key] = netns
    return by_container


def _start_times(ledger_entries: t.Mapping[str, ledger.Entry]) -> dict[int, int | None]:
    pids = {entry.pid for entry in ledger_entries.values() if entry.pid and entry.key is None}
    start_times: dict[int, int | None] = {}
    for pid in pids:
        with contextlib.suppress(model.GoneError):
            try:
                with procfs.opened(pid) as process:
                    start_times[pid] = procfs.start_time(process)
            except OSError:  # the owner exists, as far as is known
                start_times[pid] = None
    return start_times


def _changing_dirs(pins: t.Iterable[str]) -> set[str]:
    """The directories of pins that changed a moment ago, where a container may be starting."""
    changing = set()
    for directory in set(map(os.path.dirname, pins)):
        try:
            age = time.time() - os.stat(directory).st_mtime
        except OSError:
            continue
        if age < _CONTAINER_START_TIME:
            changing.add(directory)
    return changing


def _first_processes(request: FactsRequest, listed: t.Iterable[int]) -> _Processes:
    """The processes that facts likely show: the first of those listed in each namespace."""
    if request.patterns is not None or PROCESSES not in request.subset:
        return {}
    shown: dict[str, list[int]] = {}
    for pid in listed:
        with contextlib.suppress(OSError):  # it ended
            pids = shown.setdefault(os.readlink(f"/proc/{pid}/ns/net"), [])
            if len(pids) < shape.MAX_PROCESSES:
                pids.append(pid)
    return _read_processes(itertools.chain.from_iterable(shown.values()), _process)


def _processes(
    selected: t.Iterable[NamespaceRecord],
    subset: t.Collection[str],
    deadline: float,
    known: _Processes,
) -> tuple[dict[int, Process], str | None]:
    """The processes that the facts show, and those that show who owns a namespace. Some are `known` already.

    The second value is why users have numbers for names.
    """
    pids: set[int] = set()
    for record in selected:
        if PROCESSES in subset:
            pids.update(record.references.pids[: shape.MAX_PROCESSES])
            pids.update(record.references.holders[: shape.MAX_PROCESSES])
        if CONTAINERS in subset and not record.containers and record.representative_pid is not None:
            pids.add(record.representative_pid)
    read = {pid: known[pid] for pid in pids & known.keys()}
    read.update(_read_processes(pids - known.keys(), _process))
    # Engines may have taken all of the time. Most name services answer in less than the minimum.
    timeout = max(_MIN_NAMES_TIMEOUT, deadline - time.monotonic())
    accounts = users.accounts({uid for _process, uid in read.values() if uid}, timeout)
    processes = {
        pid: process._replace(user=accounts[uid].name if uid else None)
        for pid, (process, uid) in read.items()
    }
    return processes, users.problem()


def _process(process: int) -> tuple[Process, int]:
    """A process without the name of its user, and the user's id."""
    command = procfs.command(process)
    cgroups = procfs.systemd_cgroups(process)
    machine = procfs.lxc_payload(cgroups)
    if machine is None and command == "bash":
        machine = mininet_node(procfs.command_line(process))
    if machine is None and command == "firejail":
        machine = firejail_sandbox(procfs.parent(process))
    return Process(command, procfs.unit(cgroups), None, machine), procfs.user(process)


def _netstacks(
    selected: t.Iterable[NamespaceRecord], host: model.NetnsId, processes: t.Mapping[int, Process]
) -> dict[model.NetnsId, str]:
    """The user-space network stacks that containers have instead of the kernel's."""
    pids = {
        container.pid: record.netns
        for record in selected
        if record.netns != host
        for container in record.containers
        if container.pid
        if container.pid not in processes or _may_have_netstack(processes[container.pid].command)
    }
    found = _read_processes(pids, _netstack)
    return {pids[pid]: netstack for pid, netstack in found.items() if netstack}


def _netstack(process: int) -> str | None:
    if not _may_have_netstack(procfs.command(process)):
        return None
    return gvisor_netstack(procfs.command_line(process))


def _may_have_netstack(command: str) -> bool:
    # gVisor starts itself again by /proc/self/exe.
    return command in ("exe", "runsc-sandbox")


def _read_processes(pids: t.Iterable[int], read: t.Callable[[int], _Result]) -> dict[int, _Result]:
    """The result of `read` for each process that exists and may be read."""
    results = {}
    for pid in pids:
        try:
            process = procfs.open_process(pid)
        except (model.GoneError, OSError):
            continue
        try:
            results[pid] = read(process)
        except (model.GoneError, OSError):
            pass
        finally:
            os.close(process)
    return results
