# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins!

"""Finds the namespaces that an address, name, id, interface or inode belongs to, and describes them in sentences."""

from __future__ import annotations

import ipaddress
import os
import typing as t

from ..module_utils._core import selection
from ..module_utils._core.texts import printable
from . import _fleet_ports, _fleet_question, _fleet_scan
from ._fleet_schema import Facts, FactsByHost, FleetError, unchecked_facts_by_host
from ._fleet_text import (
    addresses,
    link_or_inode,
    lost_devices,
    outside_peers,
    owner_phrase,
    peer_name,
    pod_name,
)


class _Match(t.NamedTuple):
    """A namespace that matches the question, and how.

    `by` is what matched, as RETURN of the filter lists it, and `value` its text. `interface` is the
    interface of the namespace that has the address or name. With `leads`, `value` is the interface at
    its other end. `port` is a port of the namespace or one that is published to it, `note` one more detail.
    """

    host: str
    by: str
    value: str
    namespace: Facts
    interface: Facts | None = None
    leads: bool = False
    port: _fleet_ports.Port | None = None
    note: str = ""


_Candidate = t.Tuple[_Match, selection.Identity]


def find(data: t.Any, question: t.Any) -> list[dict[str, t.Any]]:
    """The namespaces that an address, a name, an id, an interface or an inode belongs or leads to.

    `question` can be a list of questions; together they take little longer than one. Exact matches exclude
    those of the beginning of an id, of a pattern and of an image. An interface of the host leads to the
    namespace of its peer.
    """
    return find_in(unchecked_facts_by_host(data), question)


def find_in(fleet: FactsByHost, question: t.Any) -> list[dict[str, t.Any]]:
    """The same for the facts of each host, which may have any format."""
    asked = list(question) if isinstance(question, (list, tuple)) else [question]
    texts = [str(one).strip() for one in asked]
    if not all(texts):
        raise FleetError(
            "the question is empty: give an address, a name, an id, an interface or an inode"
        )
    questions = [_fleet_question.parse(text) for text in texts]
    found = [
        _matches(hosts, parsed)
        for hosts, parsed in zip(_fleet_scan.candidates(fleet, questions), questions)
    ]
    # Images count for the questions that nothing else matches.
    unanswered = [number for number, matches in enumerate(found) if not matches]
    by_image = _fleet_scan.image_candidates(fleet, [questions[number] for number in unanswered])
    for number, hosts in zip(unanswered, by_image):
        found[number] = _match_images(hosts, questions[number].item)
    for number, ports in _fleet_ports.answers(fleet, questions).items():
        found[number] = _with_ports(found[number], questions[number], ports)
    return [
        {
            "question": one,
            "host": match.host,
            "by": match.by,
            "value": match.value,
            "namespace": match.namespace,
            "interface": match.interface,
            "forward": match.port and match.port.forward,
            "listener": match.port and match.port.listener,
            "answer": _sentence(match),
        }
        for one, matches in zip(asked, found)
        for match in matches
    ]


def _matches(
    hosts: t.Sequence[_fleet_scan.HostCandidates], question: _fleet_question.Question
) -> list[_Match]:
    identities = [
        candidate
        for candidates in hosts
        for namespace in candidates.namespaces
        for candidate in _identities(candidates.host, namespace)
    ]
    how, named = _resolve(question.item, identities)
    is_exact = how in (selection.ID, selection.NAME)
    # By host and namespace: the first kind of name or id that matches.
    by_namespace: dict[tuple[str, int], _Match] = {}
    for match in named:
        by_namespace.setdefault((match.host, match.namespace["inode"]), match)
    found: list[_Match] = []
    for candidates in hosts:
        host = candidates.host
        for namespace in candidates.namespaces:
            found += _match_addresses(host, namespace, question)
            key = (host, namespace["inode"])
            if is_exact and key in by_namespace:
                found.append(by_namespace[key])
        found += _match_interfaces(candidates, question.interface)
    return found or list(by_namespace.values())


def _with_ports(
    found: t.Sequence[_Match],
    question: _fleet_question.Question,
    ports: t.Sequence[_fleet_ports.Port],
) -> list[_Match]:
    """The matches of a question that has a port. Where a port matches, its address alone does not count."""
    number = question.port.number if question.port else 0
    if not ports:
        note = f"nothing listens there at port {number}"
        return [
            match._replace(note=note)
            if match.by == "address" and match.namespace.get("listeners") is not None
            else match
            for match in found
        ]
    return [
        *(match for match in found if match.by != "address"),
        *(
            _Match(port.host, "port", port.name, port.namespace, port=port)
            for port in ports
            if port.namespace is not None
        ),
    ]


def _resolve(item: str, candidates: t.Sequence[_Candidate]) -> tuple[str, list[_Match]]:
    how, found = selection.resolve(item, candidates, lambda candidate: candidate[1])
    return how, [match for match, _identity in found]


def _identities(host: str, namespace: Facts) -> t.Iterator[_Candidate]:
    """What names and ids a namespace can be asked for by, the most telling first."""
    inode = str(namespace["inode"])
    for text in (inode, f"net:[{inode}]"):
        yield _Match(host, "inode", text, namespace), selection.Identity((text,))
    for name in namespace.get("names") or []:
        yield _Match(host, "name", name, namespace), selection.Identity((name,))
    for pin in namespace.get("pins") or []:
        paths = (_fleet_question.canonical_path(pin), os.path.basename(pin))
        yield _Match(host, "pin", pin, namespace), selection.Identity(paths)
    engine = namespace.get("engine")
    pod = namespace.get("pod")
    if pod:
        name = pod_name(pod)
        names = (pod["name"], name, name.replace("/", "_"), f"{engine}/{name}")
        yield _Match(host, "pod", name, namespace), _identity(names, pod.get("uid"))
    for container in namespace.get("containers") or []:
        name = container["name"]
        identity = _identity((name, f"{engine}/{name}"), container.get("id"))
        yield _Match(host, "container", name, namespace), identity
    network = namespace.get("network")
    if network:
        name = network.get("name") or network.get("id") or ""
        yield _Match(host, "network", name, namespace), _identity((name,), network.get("id"))


def _identity(names: tuple[str, ...], identity: str | None) -> selection.Identity:
    # A container's id that is a name, such as LXC's, comes before no other name here.
    if not identity or identity in names:
        return selection.Identity(names)
    # The UID of a pod is no id with a beginning, and can be in capitals too.
    capitals = identity.upper()
    return selection.Identity(names if capitals == identity else (*names, capitals), identity)


def _match_addresses(
    host: str, namespace: Facts, question: _fleet_question.Question
) -> t.Iterator[_Match]:
    for interface in namespace.get("interfaces") or []:
        for address in interface.get("addresses") or []:
            if question.network and _is_in(address, question.network):
                yield _Match(host, "address", address, namespace, interface)
        mac = interface.get("mac")
        if question.mac and mac and _fleet_question.canonical_mac(mac) == question.mac:
            yield _Match(host, "mac", mac, namespace, interface)


def _is_in(address: str, network: _fleet_question.Network) -> bool:
    try:
        return ipaddress.ip_interface(address).ip in network
    except ValueError:  # the facts come from a managed host and may contain anything
        return False


def _match_images(hosts: t.Sequence[_fleet_scan.HostCandidates], item: str) -> list[_Match]:
    candidates = [
        (
            _Match(of_host.host, "image", container["image"], namespace),
            selection.Identity(_fleet_question.image_names(container["image"])),
        )
        for of_host in hosts
        for namespace in of_host.namespaces
        for container in namespace.get("containers") or []
        if container.get("image")
    ]
    found = _resolve(item, candidates)[1]
    return list({(match.host, match.namespace["inode"]): match for match in found}.values())


def _match_interfaces(candidates: _fleet_scan.HostCandidates, name: str) -> t.Iterator[_Match]:
    yielded = set()
    for namespace in candidates.namespaces:
        for interface in namespace.get("interfaces") or []:
            match = _match_interface(candidates, namespace, interface, name)
            if match and match.interface:
                key = (match.namespace["inode"], match.interface["index"])
                if key not in yielded:
                    yielded.add(key)
                    yield match


def _match_interface(
    candidates: _fleet_scan.HostCandidates, namespace: Facts, interface: Facts, name: str
) -> _Match | None:
    host = candidates.host
    peer = interface.get("peer") or {}
    if interface["name"] == name or name in (interface.get("altnames") or ()):
        if not namespace.get("is_host") or not peer:
            return _Match(host, "interface", name, namespace, interface)
        other = candidates.with_inode(peer["inode"])
        peer_interface = _interface_at(other, peer.get("index")) if other else None
        if other and peer_interface and other["inode"] != namespace["inode"]:
            return _Match(host, "interface", name, other, peer_interface, leads=True)
        return _Match(host, "interface", name, namespace, interface)
    if peer.get("interface") == name and not namespace.get("is_host"):
        # The facts may lack the host's own namespace, so a missing one counts as the host's.
        peer_namespace = candidates.with_inode(peer["inode"])
        if peer_namespace is None or peer_namespace.get("is_host"):
            return _Match(host, "interface", name, namespace, interface, leads=True)
    return None


def _interface_at(namespace: Facts, index: int | None) -> Facts | None:
    interfaces = namespace.get("interfaces") or []
    return next((interface for interface in interfaces if interface["index"] == index), None)


def _sentence(match: _Match) -> str:
    if match.port:
        return _fleet_ports.sentence(match.port)
    namespace, interface, value = match.namespace, match.interface, match.value
    owned_by = owner_phrase(namespace)
    on_host = f" on {match.host}" if match.host else ""
    if interface:
        details = [
            address
            for address in interface.get("addresses") or []
            if not address.startswith("fe80:")
        ]
        has_peer = interface.get("peer") and not namespace.get("is_host")
        peers = [interface["peer"]] if has_peer else []
    else:
        details, peers = addresses(namespace), outside_peers(namespace)
    if match.by == "address" and interface:
        statement = f"{value} is an address of {interface['name']} of {owned_by}{on_host}"
        details = []
    elif match.by == "mac" and interface:
        statement = f"{value} is the hardware address of {interface['name']} of {owned_by}{on_host}"
    elif match.leads and interface:
        peer = interface.get("peer") or {}
        in_bridge = f", in {peer['master']}," if peer.get("master") else ""
        statement = f"{value}{on_host}{in_bridge} leads to {interface['name']} of {owned_by}"
        peers = []
    elif match.by == "interface":
        statement = f"{value} is an interface of {owned_by}{on_host}"
    elif match.by == "container":
        several = len(namespace.get("containers") or []) > 1
        relation = "is in" if namespace.get("pod") else "is one of" if several else "is"
        statement = f"{value} {relation} {owned_by}{on_host}"
    elif match.by == "pod":
        statement = f"{value} is {owned_by}{on_host}"
    elif match.by == "image":
        statement = f"{value} is the image of {owned_by}{on_host}"
    elif match.by == "network":
        statement = f"{value} is a network of {namespace.get('engine')}{on_host}"
    elif owned_by.startswith(link_or_inode(namespace)):
        statement = f"{value} is a namespace{on_host}"
    else:
        statement = f"{value} is the namespace of {owned_by}{on_host}"
    if peers:
        # Interfaces of nested hosts have the same names again and again.
        details.append(f"behind {' and '.join(dict.fromkeys(map(peer_name, peers)))}")
    names = [name for name in namespace.get("names") or [] if name != value]
    if names:
        details.append(f"ip netns lists it as {', '.join(names)}")
    if namespace.get("stale"):
        details.append("it is stale")
    lost = lost_devices(namespace)
    if lost:
        details.append(f"it {lost}")
    if match.note:
        details.append(match.note)
    return printable(f"{statement}: {', '.join(details)}." if details else f"{statement}.")
