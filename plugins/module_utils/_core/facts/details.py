# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read the details of namespaces: interfaces, sockets, processes, resolver settings."""

from __future__ import annotations

import contextlib
import itertools
import os
import time
import typing as t

from .. import model
from ..kernel import netns_reader, nsfs, procfs, users
from . import discovery, shape
from .records import (
    Details,
    NamespaceRecord,
    Process,
    firejail_sandbox,
    gvisor_netstack,
    mininet_node,
)
from .request import CONTAINERS, DNS, INTERFACES, PROCESSES, ROUTES, SOCKETS, FactsRequest

if t.TYPE_CHECKING:
    # A run loads these only where it needs them.
    from .. import dns
    from . import forwards, listeners, peers

_MIN_NAMES_TIMEOUT = 0.5
_OF_VIEWS = frozenset((INTERFACES, ROUTES, SOCKETS))
_Result = t.TypeVar("_Result")
# Processes by PID, each without the name of its user, and the user's id.
Processes = t.Mapping[int, t.Tuple[Process, int]]


def read(
    discovered: discovery.HostNamespaces,
    selected: t.Sequence[NamespaceRecord],
    subset: frozenset[str],
    deadline: float,
    pinned: netns_reader.Views | None,
    first_processes: Processes,
    dns_reader: dns.Reader | None,
) -> Details:
    """The details of the selected namespaces.

    `pinned`, `first_processes` and `dns_reader` have what was read before, while they were searched.
    """
    refs = {
        netns: references.netns_ref(netns) for netns, references in discovered.namespaces.items()
    }
    host = discovered.host_netns
    viewed = list(selected)
    if SOCKETS in subset and _are_published_on_host(selected, host):
        viewed.append(NamespaceRecord(host, discovered.namespaces[host]))
    own = discovered.own_netns
    host_ref = refs.get(host, nsfs.NetnsRef(host, ()))
    read_already = {ref.netns for ref in pinned.refs} if pinned else set()
    others = [refs[record.netns] for record in viewed if record.netns not in read_already]
    reading = _start_views(others, own, host_ref, subset)
    wait_for_dns = _start_dns(dns_reader, host, selected) if dns_reader else dict
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
    resolved: peers.Peers = {}
    peer_problems: t.Sequence[str] = ()
    if INTERFACES in subset:
        from . import peers

        resolved, peer_problems = peers.resolve(views, refs, own, host)
    socket_holders: listeners.Holders = {}
    if SOCKETS in subset:
        from . import listeners

        socket_holders = listeners.holders(viewed, views, discovered.socket_holders)
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
        wait_for_dns(),
        socket_holders,
        user_problem,
        netstacks,
        rootless_forwards,
    )


def start_pinned(
    request: FactsRequest, refs: t.Iterable[nsfs.NetnsRef]
) -> netns_reader.Views | None:
    """Start to read what is surely selected, while the other namespaces are searched. Only root can enter one."""
    if request.patterns is not None or not request.subset & _OF_VIEWS or os.geteuid() != 0:
        return None
    host = nsfs.NetnsRef(nsfs.host_netns(), ("/proc/1/ns/net",))
    own = nsfs.netns_id(os.stat("/proc/self/ns/net"))
    by_netns = {ref.netns: ref for ref in (host, *refs)}
    return _start_views(list(by_netns.values()), own, host, request.subset, keep_open=True)


def _start_views(
    refs: t.Sequence[nsfs.NetnsRef],
    own: model.NetnsId,
    host: nsfs.NetnsRef,
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


def start_dns(request: FactsRequest, readings: t.Iterable[model.Reading]) -> dns.Reader | None:
    """Start to read the resolver settings of the containers that facts likely show; None if there are to be none."""
    if DNS not in request.subset:
        return None
    from .. import dns

    reader = dns.Reader()
    host = nsfs.host_netns()
    sources = []
    for reading in readings if request.patterns is None else ():
        for container in reading.containers:
            if container.pid and not container.joined:
                with contextlib.suppress(OSError):  # it ended
                    netns = nsfs.netns_id(os.stat(f"/proc/{container.pid}/ns/net"))
                    if netns != host:
                        sources.append(dns.ResolvConfSource(container.pid, netns))
    reader.start(sources)
    return reader


def _start_dns(
    reader: dns.Reader, host: model.NetnsId, selected: t.Iterable[NamespaceRecord]
) -> t.Callable[[], dict[model.NetnsId, dns.Result]]:
    """Start to read what was not started before, of the containers that own a namespace. The function waits for all."""
    from .. import dns

    sources = [
        dns.ResolvConfSource(record.owner.pid, record.netns)
        for record in selected
        if record.owner is not None and record.netns != host
    ]
    reader.start(sources)

    def wait() -> dict[model.NetnsId, dns.Result]:
        results = reader.wait()
        return {source.netns: results[source] for source in sources}

    return wait


def first_processes(request: FactsRequest, listed: t.Iterable[int]) -> Processes:
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
    known: Processes,
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
    found = {pid: known[pid] for pid in pids & known.keys()}
    found.update(_read_processes(pids - known.keys(), _process))
    # Engines may have taken all of the time. Most name services answer in less than the minimum.
    timeout = max(_MIN_NAMES_TIMEOUT, deadline - time.monotonic())
    accounts = users.accounts({uid for _process, uid in found.values() if uid}, timeout)
    processes = {
        pid: process._replace(user=accounts[uid].name if uid else None)
        for pid, (process, uid) in found.items()
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
