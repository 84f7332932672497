# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The facts in the shape that users see, made from records and details. No I/O."""

from __future__ import annotations

import typing as t

from .. import model
from ..kernel import netns_reader, rtnetlink
from . import incomplete
from .classify import Classifier
from .records import Details, NamespaceRecord, Process, Sources, as_utf_8
from .request import CONTAINERS, DNS, INTERFACES, PROCESSES, ROUTES, SOCKETS

if t.TYPE_CHECKING:
    # A run loads these only where it needs them.
    from .. import dns
    from . import listeners, peers

MAX_PROCESSES = 5

Facts = t.Dict[str, t.Any]
_Names = t.Mapping[model.NetnsId, t.List[str]]


def build(
    sources: Sources,
    selected: t.Sequence[NamespaceRecord],
    subset: t.Collection[str],
    details: Details,
) -> Facts:
    """The facts about the selected namespaces, as plain data."""
    classifier = Classifier(sources, CONTAINERS in subset, details.processes)
    names = _names_by_netns(sources)
    discovered = sources.discovered
    holders_known = not (
        discovered.unreadable_pids
        or discovered.processes_hidden
        or discovered.socket_holders.truncated
    )
    problems = incomplete.problems(sources, details)
    facts: Facts = {
        "netns_dir": sources.netns_dir,
        "shared": sources.discovered.netns_dir_shared,
        "engines": [
            {
                "name": reading.engine,
                "version": reading.version,
                "source": reading.source,
                "state": reading.state,
                "read_from": reading.read_from or reading.source,
            }
            for reading in sources.readings
            if reading.found
        ],
        "complete": not problems,
        "incomplete": problems,
        "namespaces": [
            {
                **_namespace(record, classifier, subset, details, names),
                **(_sockets(record, details, holders_known) if SOCKETS in subset else {}),
            }
            for record in selected
        ],
    }
    if INTERFACES in subset:
        facts["lost_devices"] = _lost_devices(facts["namespaces"])
    if SOCKETS in subset:
        facts["forwards"] = _forwards(sources, selected, details)
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
    """A warning about devices that the host has lost: users may not look for them in the facts."""
    devices = [
        f"{device['interface']} in {', '.join(device['names'] or device['pins'])}"
        for device in facts.get("lost_devices", ())
    ]
    if not devices:
        return None
    return (
        f"devices of this host are in namespaces whose owners are gone: {incomplete.shorten(devices)}. "
        "They return to the host when nothing pins these namespaces any more; `netns_link` with "
        "`prune: true` removes the links of this collection"
    )


def _names_by_netns(sources: Sources) -> _Names:
    """The names in netns_dir; peers are in namespaces that may not be selected."""
    names: dict[model.NetnsId, list[str]] = {}
    for name, entry in sorted(sources.names_by_dir[sources.netns_dir].items()):
        names.setdefault(entry.netns, []).append(as_utf_8(name))
    return names


def _namespace(
    record: NamespaceRecord,
    classifier: Classifier,
    subset: t.Collection[str],
    details: Details,
    names: _Names,
) -> Facts:
    references, view = record.references, details.views[record.netns]
    pins = [
        *sorted(references.pins),
        *sorted(references.pins_elsewhere),
        *sorted(references.pins_without_process),
    ]
    facts: Facts = {
        "inode": record.netns.inode,
        "dev": record.netns.dev,
        "is_host": classifier.is_host(record),
        "names": names.get(record.netns, []),
        "pins": [as_utf_8(pin) for pin in pins],
        "nsid": view.nsid,
        "kind": classifier.kind(record),
        "stale": classifier.stale(record),
        "engine": classifier.engine(record),
    }
    if CONTAINERS in subset:
        facts["containers"] = _containers(record)
        pod = classifier.pod(record)
        facts["pod"] = pod._asdict() if pod else None
        facts["unit"] = classifier.unit(record)
        facts["machine"] = classifier.machine(record)
        facts["user"] = classifier.user(record)
        network = classifier.network(record)
        facts["network"] = network._asdict() if network else None
        facts["netstack"] = details.netstacks.get(record.netns)
    if PROCESSES in subset:
        facts["processes"] = {
            "count": len(references.pids),
            "first": _processes(references.pids, details.processes),
            "holders": _processes(references.holders, details.processes),
        }
    if INTERFACES in subset:
        facts["interfaces"] = _interfaces(view, details.peers.get(record.netns, {}), names)
    if ROUTES in subset:
        facts["routes"] = _routes(view)
    if DNS in subset:
        result = details.dns.get(record.netns)
        facts["dns"] = _dns(result.dns) if result and result.dns else None
    return facts


def _containers(record: NamespaceRecord) -> list[Facts]:
    return [
        {
            "id": container.id,
            "name": container.name,
            "image": container.image,
            "pid": container.pid,
            "labels": dict(container.labels),
        }
        for container in sorted(record.containers, key=lambda each: (each.name, each.id))
        # A sandbox only keeps the namespace; it is shown as the pod.
        if not container.sandbox
    ]


def _processes(pids: t.Sequence[int], processes: t.Mapping[int, Process]) -> list[Facts]:
    return [
        {"pid": pid, "command": as_utf_8(processes[pid].command)}
        for pid in pids[:MAX_PROCESSES]
        if pid in processes
    ]


def _interfaces(
    view: netns_reader.View, peers_by_ifindex: t.Mapping[int, peers.Peer], names: _Names
) -> list[Facts] | None:
    if view.interfaces is None or view.addresses is None:
        return None
    addresses: dict[int, list[str]] = {}
    for address in view.addresses:
        addresses.setdefault(address.ifindex, []).append(address.text)
    interface_names = _interface_names(view.interfaces)
    return [
        {
            "name": interface.name,
            "altnames": list(interface.altnames),
            "index": interface.ifindex,
            "kind": interface.kind,
            "mac": interface.mac,
            "mtu": interface.mtu,
            "state": interface.state,
            "addresses": addresses.get(interface.ifindex, []),
            "master": None if interface.master is None else interface_names.get(interface.master),
            "physical": interface.physical,
            "peer": _peer(peers_by_ifindex.get(interface.ifindex), names),
        }
        for interface in view.interfaces
    ]


def _interface_names(interfaces: t.Iterable[rtnetlink.Interface]) -> dict[int, str]:
    return {interface.ifindex: interface.name for interface in interfaces}


def _peer(peer: peers.Peer | None, names: _Names) -> Facts | None:
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
    interface_names = _interface_names(view.interfaces)
    return [
        {
            "dst": route.dst,
            "type": route.type,
            "gateway": route.gateway,
            "interface": None if route.ifindex is None else interface_names.get(route.ifindex),
            "scope": route.scope,
            "src": route.src,
            "protocol": route.protocol,
            "metric": route.metric,
            "table": route.table,
            "family": route.family,
        }
        for route in view.routes
    ]


def _sockets(record: NamespaceRecord, details: Details, holders_known: bool) -> Facts:
    """`holders_known` is whether all descriptors of the host could be read."""
    view = details.views[record.netns]
    if view.sockets is None:
        return {"listeners": None, "sockets": None}
    interface_names = _interface_names(view.interfaces or ())
    container_names = {
        container.key: container.name for container in record.containers if not container.sandbox
    }
    listeners = [
        {
            "protocol": listener.protocol,
            "address": listener.address,
            "port": listener.port,
            "interface": interface_names.get(listener.ifindex) if listener.ifindex else None,
            "v6only": listener.v6only,
            "backlog": listener.backlog,
            "queued": listener.queued,
            "processes": _holders(
                details.socket_holders.get(listener.inode, ()), container_names, holders_known
            ),
        }
        for listener in view.sockets.listeners
    ]
    counts = {protocol: dict(numbers) for protocol, numbers in view.sockets.counts.items()}
    return {"listeners": listeners, "sockets": counts}


def _forwards(
    sources: Sources, selected: t.Iterable[NamespaceRecord], details: Details
) -> list[Facts] | None:
    """The ports that are published to the selected namespaces, or to one that is not known."""
    if sources.forwards is None:
        return None
    from . import forwards  # noqa: PLC0415 - only where sockets were requested

    selected_netns = {record.netns for record in selected}
    facts = []
    every = (*sources.forwards, *details.rootless_forwards)
    for port, by, container in sorted(every, key=forwards.sort_key):
        netns = sources.container_netns.get(container.key) if container else None
        if netns is not None and netns not in selected_netns:
            continue
        # The sockets of a network stack of its own are not among those of the kernel.
        is_known = netns is not None and netns not in details.netstacks
        facts.append(
            {
                "protocol": port.protocol,
                "address": port.address,
                "port": port.port,
                "to_address": port.to_address,
                "to_port": port.to_port,
                "inode": netns.inode if netns else None,
                # A sandbox is shown as the pod.
                "container": container.name if container and not container.sandbox else None,
                "by": by,
                "listening": forwards.is_listening(
                    port,
                    details.views.get(netns) if netns and is_known else None,
                    is_rootless=bool(container and container.user),
                ),
            }
        )
    return facts


def _holders(
    found: t.Sequence[listeners.Holder],
    container_names: t.Mapping[model.ContainerKey, str],
    holders_known: bool,
) -> list[Facts] | None:
    """The processes of a socket, None where it may have some that could not be read."""
    if not found and not holders_known:
        return None
    return [
        {
            "pid": holder.pid,
            "name": as_utf_8(holder.command),
            "container": container_names.get(holder.container) if holder.container else None,
        }
        for holder in found
    ]


def _dns(settings: dns.Dns) -> Facts:
    return {
        "nameservers": list(settings.nameservers),
        "search": list(settings.search),
        "options": list(settings.options),
    }
