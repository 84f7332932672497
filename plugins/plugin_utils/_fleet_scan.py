# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins!

"""Narrows a fleet to the namespaces that questions may mean, in one pass that costs each namespace little.

Most namespaces of a fleet have nothing to do with a question. The pass compares names and numbers without
their meaning, so it selects more than the search does, and never less: whatever the search compares with a
question has to be a key here. It only checks the format of what it selects, and leaves out what has another.
"""

from __future__ import annotations

import fnmatch
import re
import socket
import typing as t

from ..module_utils._core import selection
from ._fleet_question import Question, canonical_mac, image_names
from ._fleet_schema import WRONG_TYPE, Facts, FactsByHost, Namespaces, is_namespace
from ._fleet_text import pod_name

_INODE = re.compile(r"(?:net:\[)?(\d{1,20})\]?")

_Key = t.Union[str, int]
_Numbers = t.AbstractSet[int]
_NONE: _Numbers = frozenset()


class HostCandidates:
    """The namespaces of a host that a question may mean, in their order."""

    def __init__(self, host: str, everything: Namespaces) -> None:
        self.host = host
        self.namespaces: list[Facts] = []
        self._everything = everything

    def with_inode(self, inode: int) -> Facts | None:
        """A namespace of the host, also one that the question does not mean."""
        return self._everything.with_inode(inode)


def candidates(fleet: FactsByHost, questions: t.Sequence[Question]) -> list[list[HostCandidates]]:
    """For each question, the namespaces that it may mean by anything but an image."""
    return _narrow(fleet, len(questions), _Keys(questions).numbers_of)


def image_candidates(
    fleet: FactsByHost, questions: t.Sequence[Question]
) -> list[list[HostCandidates]]:
    """For each question, the namespaces of containers with an image that it may mean."""

    def numbers_of_image(image: str) -> _Numbers:
        identities = [selection.Identity(image_names(image))]
        return {
            number
            for number, question in enumerate(questions)
            if selection.resolve(question.item, identities, lambda identity: identity)[1]
        }

    by_image = _Memo(numbers_of_image)

    def numbers_of(namespace: Facts) -> _Numbers:
        found: set[int] = set()
        for container in namespace.get("containers") or ():
            found |= by_image[container.get("image") or ""]
        return found

    return _narrow(fleet, len(questions), numbers_of)


class _Memo(t.Dict[_Key, _Numbers]):
    """The questions of each name or address; a fleet has few different ones."""

    def __init__(self, numbers_of: t.Callable[[t.Any], _Numbers]) -> None:
        super().__init__()
        self._numbers_of = numbers_of

    def __missing__(self, key: _Key) -> _Numbers:
        numbers = self[key] = self._numbers_of(key)
        return numbers


def _narrow(
    fleet: FactsByHost, count: int, numbers_of: t.Callable[[Facts], _Numbers]
) -> list[list[HostCandidates]]:
    narrowed: list[list[HostCandidates]] = [[] for _number in range(count)]
    for host, facts in fleet.items():
        namespaces = Namespaces(facts)
        for namespace in namespaces.listed:
            try:
                numbers = numbers_of(namespace)
            except WRONG_TYPE:
                continue
            if numbers and is_namespace(namespace):
                for number in numbers:
                    hosts = narrowed[number]
                    if not hosts or hosts[-1].host != host:
                        hosts.append(HostCandidates(host, namespaces))
                    hosts[-1].namespaces.append(namespace)
    return narrowed


class _Keys:
    """What questions compare, with the number of each question."""

    def __init__(self, questions: t.Sequence[Question]) -> None:
        self._by_key: dict[_Key, set[int]] = {}
        self._by_mac: dict[str, set[int]] = {}
        self._ids: list[tuple[int, str, str]] = []
        self._patterns: list[tuple[int, re.Pattern[str]]] = []
        self._networks: list[tuple[int, socket.AddressFamily, int, int]] = []
        self._by_name = _Memo(self._with_name)
        self._by_address = _Memo(self._with_address)
        for number, question in enumerate(questions):
            self._add(number, question)
        self._beginnings = tuple(beginning for _number, _item, beginning in self._ids)
        self._capitals = {item for _number, item, _beginning in self._ids if item.isupper()}
        self._is_disjoint = self._by_key.keys().isdisjoint

    def _add(self, number: int, question: Question) -> None:
        item = question.item
        # A name can follow an engine and the namespace of a pod. Of a path, the last part is a key.
        parts = item.split("/")
        keys: set[_Key] = {"/".join(parts[start:]) for start in range(len(parts))}
        inode = _INODE.fullmatch(item)
        if inode:
            keys.add(int(inode[1]))
        for key in (*keys, question.interface):
            self._by_key.setdefault(key, set()).add(number)
        # A whole id is a key as well, unless it is in capitals.
        if item.isupper() or re.fullmatch(rf"[0-9a-fA-F]{{{selection.MIN_PREFIX},}}", item):
            self._ids.append((number, item, item.lower()))
        if selection.is_pattern(item):
            self._patterns.append((number, re.compile(fnmatch.translate(parts[-1]))))
        if question.mac:
            self._by_mac.setdefault(question.mac, set()).add(number)
        network = question.network
        if network:
            family = socket.AF_INET if network.version == 4 else socket.AF_INET6
            first, mask = int(network.network_address), int(network.netmask)
            self._networks.append((number, family, mask, first))

    def numbers_of(self, namespace: Facts) -> _Numbers:
        """The numbers of the questions that may mean a namespace."""
        get = namespace.get
        keys: list[_Key] = [namespace["inode"]]
        ids: list[str] = []
        names = get("names")
        if names:
            keys += names
        for pin in get("pins") or ():
            keys.append(pin[pin.rfind("/") + 1 :])
        for container in get("containers") or ():
            keys.append(container["name"])
            ids.append(container.get("id") or "")
        pod = get("pod")
        if pod:
            name = pod_name(pod)
            keys += (pod["name"], name, name.replace("/", "_"))
            ids.append(pod.get("uid") or "")
        network = get("network")
        if network:
            keys.append(network.get("name") or "")
            ids.append(network.get("id") or "")
        found: set[int] = set()
        if self._beginnings:
            for identity in ids:
                if identity.startswith(self._beginnings) or identity.upper() in self._capitals:
                    found |= self._with_id(identity)
        if self._patterns:
            found.update(*map(self._by_name.__getitem__, [*keys, *ids]))
        keys += ids
        numbers_of_address = self._by_address.__getitem__ if self._networks else None
        macs = self._by_mac
        for interface in get("interfaces") or ():
            keys.append(interface["name"])
            altnames = interface.get("altnames")
            if altnames:
                keys += altnames
            peer = interface.get("peer")
            if peer:
                keys.append(peer["interface"])
            if numbers_of_address:
                found.update(*map(numbers_of_address, interface.get("addresses") or ()))
            if macs:
                found |= macs.get(canonical_mac(interface.get("mac") or ""), _NONE)
        if not self._is_disjoint(keys):
            found.update(*(self._by_key.get(key, _NONE) for key in keys))
        return found

    def _with_id(self, identity: str) -> _Numbers:
        """The questions for the beginning of an id, or for an id in capitals."""
        return {
            number
            for number, item, small in self._ids
            if identity.startswith(small) or identity.upper() == item
        }

    def _with_name(self, name: _Key) -> _Numbers:
        """The questions with a pattern that a name may match, as their last parts match."""
        forms = (name, name.upper()) if isinstance(name, str) else (str(name), f"net:[{name}]")
        return {
            number
            for number, pattern in self._patterns
            for form in forms
            if pattern.match(form.rpartition("/")[2])
        }

    def _with_address(self, address: str) -> _Numbers:
        """The questions for a network that an address may be in."""
        text = address.partition("/")[0].partition("%")[0]
        of_family = socket.AF_INET6 if ":" in text else socket.AF_INET
        try:
            value = int.from_bytes(socket.inet_pton(of_family, text), "big")
        except (OSError, ValueError):
            return {number for number, *_network in self._networks}
        return {
            number
            for number, family, mask, first in self._networks
            if family == of_family and value & mask == first
        }
