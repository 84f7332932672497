# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins!

"""The ports of a fleet: those that are published to namespaces, and the sockets that listen."""

from __future__ import annotations

import ipaddress
import typing as t

from ..module_utils._core.texts import printable
from ._fleet_question import PortQuestion, Question
from ._fleet_schema import (
    WRONG_TYPE,
    Facts,
    FactsByHost,
    Namespaces,
    facts_by_host,
    is_forward,
    is_listener,
    is_namespace,
)
from ._fleet_text import owner, owner_phrase

_ANY = ("0.0.0.0", "::")
# The programs that listen at a published port, so that no other takes it. The port leads elsewhere.
_PROXIES = (
    *("docker-proxy", "dockerd", "conmon", "rootlessport", "rootlesskit", "exe", "slirp4netns"),
    *("pasta", "passt", "incusd", "lxd"),
)
_MAX_PROCESSES = 3


class Port(t.NamedTuple):
    """A port of a host that is published, or one at which a socket listens.

    `forward` is None for a socket that is only there. `listener` is the socket, or the one behind a published
    port, None where none is known. `namespace` is that of the socket or container, None where it is not known.
    `namespaces` are all of the host.
    """

    host: str
    namespace: Facts | None
    forward: Facts | None
    listener: Facts | None
    namespaces: Namespaces

    @property
    def name(self) -> str:
        """The port and its protocol."""
        item = self.forward or self.listener or {}
        return f"{item['port']}/{item['protocol']}"


_Wanted = t.Callable[[Facts], bool]


def rows(data: t.Any) -> list[dict[str, t.Any]]:
    """One row for each published port and each other socket that listens, of each host."""
    return [_row(port) for port in _ports(facts_by_host(data), lambda _item: True)]


def _row(port: Port) -> dict[str, t.Any]:
    namespace, forward, listener = port.namespace, port.forward, port.listener
    item = forward or listener or {}
    processes = (listener or {}).get("processes")
    return {
        "host": port.host,
        "protocol": item["protocol"],
        "address": item["address"],
        "port": item["port"],
        "inode": namespace["inode"] if namespace else None,
        "owner": owner(namespace) if namespace else "",
        "container": forward.get("container") if forward else _container(processes),
        "by": forward["by"] if forward else None,
        "to_address": forward.get("to_address") if forward else None,
        "to_port": forward["to_port"] if forward else None,
        "listening": forward.get("listening") if forward else True,
        "processes": None if processes is None else list(processes),
        "answer": sentence(port),
    }


def _container(processes: t.Sequence[Facts] | None) -> str | None:
    names = {process.get("container") for process in processes or ()}
    return names.pop() if len(names) == 1 else None


def answers(fleet: FactsByHost, questions: t.Sequence[Question]) -> dict[int, list[Port]]:
    """The ports that questions for a port mean, by the number of the question."""
    asked = {number: each.port for number, each in enumerate(questions) if each.port}
    found: dict[int, list[Port]] = {number: [] for number in asked}
    if not asked:
        return found
    numbers = {question.number for question in asked.values()}
    for port in _ports(fleet, lambda item: item["port"] in numbers):
        for number, question in asked.items():
            if _matches(port, question):
                found[number].append(port)
    return found


def _ports(fleet: FactsByHost, wanted: _Wanted) -> t.Iterator[Port]:
    for host, facts in fleet.items():
        if facts:
            yield from _ports_of(host, facts, wanted)


def _ports_of(host: str, facts: Facts, wanted: _Wanted) -> t.Iterator[Port]:
    """The ports of one host, whose facts may have any format."""
    namespaces = Namespaces(facts)
    published = set()
    seen = set()
    for forward in _chosen(facts.get("forwards"), wanted, is_forward):
        address = forward["address"]
        published.add((forward["protocol"], address, forward["port"]))
        # Docker lists a port for IPv4 and for IPv6.
        key = (
            *(forward["protocol"], forward["port"], "" if address in _ANY else address),
            *(forward.get("inode"), forward["to_port"]),
        )
        if key not in seen:
            seen.add(key)
            inode = forward.get("inode")
            # Of a proxy that was left behind, only the host is known.
            namespace = namespaces.of_host if inode is None else namespaces.with_inode(inode)
            yield Port(host, namespace, forward, _behind(forward, namespace), namespaces)
    for namespace in namespaces.listed:
        listeners = namespace.get("listeners") if isinstance(namespace, t.Mapping) else None
        chosen = list(_chosen(listeners, wanted, is_listener))
        if not chosen or not is_namespace(namespace):
            continue
        for listener in chosen:
            side = (listener["protocol"], listener["address"], listener["port"])
            if not (namespace.get("is_host") and side in published and _is_proxy(listener)):
                yield Port(host, namespace, None, listener, namespaces)


def _chosen(items: t.Any, wanted: _Wanted, check: t.Callable[[t.Any], bool]) -> t.Iterator[Facts]:
    for item in items if isinstance(items, (list, tuple)) else ():
        try:
            if wanted(item) and check(item):
                yield item
        except WRONG_TYPE:
            continue


def _is_proxy(listener: Facts) -> bool:
    processes = listener.get("processes") or ()
    return bool(processes) and all(
        # That of pasta has a suffix for the kind of processor.
        process["name"].partition(".")[0] in _PROXIES
        for process in processes
    )


def _behind(forward: Facts, namespace: Facts | None) -> Facts | None:
    """The socket that receives what a published port leads to."""
    if namespace is None or not forward.get("listening"):
        return None
    addresses = (forward.get("to_address"), *_ANY)
    listeners = [
        listener
        for listener in namespace.get("listeners") or ()
        if listener["protocol"] == forward["protocol"]
        and listener["port"] == forward["to_port"]
        and listener["address"] in addresses
    ]
    listeners.sort(key=lambda each: addresses.index(each["address"]))
    return listeners[0] if listeners else None


def _matches(port: Port, question: PortQuestion) -> bool:
    item: Facts = port.forward or port.listener or {}
    if item["port"] != question.number or question.protocol not in (None, item["protocol"]):
        return False
    if question.address is None:
        return True
    address = item["address"]
    if address not in _ANY:
        return _is_in([address], question)
    # A published port is one of the host.
    namespace = port.namespaces.of_host if port.forward else port.namespace
    return namespace is not None and _is_in(_addresses(namespace, address), question)


def _addresses(namespace: Facts, listens_at: str) -> list[str]:
    """The addresses of a namespace at which a socket of all addresses listens."""
    return [
        address
        for interface in namespace.get("interfaces") or ()
        # Every namespace has a loopback. A question for its address means the host.
        if interface["name"] != "lo" or namespace.get("is_host")
        for address in interface.get("addresses") or ()
        if listens_at == "::" or ":" not in address
    ]


def _is_in(addresses: t.Iterable[str], question: PortQuestion) -> bool:
    for address in addresses:
        try:
            each = ipaddress.ip_interface(address).ip
        except ValueError:  # the facts come from a managed host and may contain anything
            continue
        mapped = getattr(each, "ipv4_mapped", None)
        if question.address and (mapped or each) in question.address:
            return True
    return False


def sentence(port: Port) -> str:
    """Who publishes a port, and who listens."""
    forward, listener = port.forward, port.listener
    if forward is None:
        socket = listener or {}
        names, verb = _processes(socket)
        owned_by = owner_phrase(port.namespace) if port.namespace else "a namespace"
        on_host = f" on {port.host}" if port.host else ""
        at = f"{_at(socket['address'], socket['port'])}/{socket['protocol']}"
        return printable(f"{names} {verb} at {at} of {owned_by}{on_host}.")
    name = port.name
    if forward["address"] not in _ANY:
        name = f"{_at(forward['address'], forward['port'])}/{forward['protocol']}"
    of_host = f" of {port.host}" if port.host else ""
    to_address = forward.get("to_address")
    target = _at(to_address, forward["to_port"]) if to_address else f"its port {forward['to_port']}"
    if forward.get("inode") is None:
        return printable(
            f"{name}{of_host} leads to {target}, and no engine reports a container of it."
        )
    state = ", and it is not known whether anything listens there"
    if forward.get("listening"):
        names, verb = _processes(listener or {})
        state = f", where {names} {verb}"
    elif forward.get("listening") is False:
        state = ", where nothing listens"
    return printable(f"{name}{of_host} is published by {_publisher(port)} to {target}{state}.")


def _publisher(port: Port) -> str:
    name = (port.forward or {}).get("container")
    engine = port.namespace.get("engine") if port.namespace else None
    if name and not (port.namespace or {}).get("pod"):
        return f"container {name} ({engine})" if engine else f"container {name}"
    return owner_phrase(port.namespace) if port.namespace else "a container"


def _at(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _processes(listener: Facts) -> tuple[str, str]:
    """The processes of a socket as the subject of a sentence, and the verb."""
    processes = listener.get("processes") or ()
    names = [f"{process['name']} ({process['pid']})" for process in processes[:_MAX_PROCESSES]]
    if not names:
        return "a process that is not known", "listens"
    more = len(processes) - len(names)
    if more:
        names.append(f"{more} more")
    text = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
    return text, "listens" if len(names) == 1 else "listen"


def cells(namespace: Facts, forwards: t.Iterable[Facts]) -> list[str]:
    """The ports that are published to a namespace, and its sockets, in short."""
    published = {
        f"{_short(forward)}->{forward['to_port']}/{forward['protocol']}": None
        for forward in forwards
    }
    listening = {
        f"{_short(listener)}/{listener['protocol']}": None
        for listener in namespace.get("listeners") or ()
    }
    return [*published, *listening]


def _short(item: Facts) -> str:
    address = item["address"]
    return str(item["port"]) if address in _ANY else _at(address, item["port"])
