# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins!

"""The hosts of the inventory plugin: one for each container or pod of the facts, with a name of its own."""

from __future__ import annotations

import collections
import os
import re
import string
import typing as t

from ._fleet_schema import Facts, FactsByHost, FleetError
from ._fleet_target import Targets
from ._fleet_text import pod_name

CONTAINER, POD, NAMED = "container", "pod", "named"
PLACEHOLDERS = ("name", "host", "engine", "short_id", "pod", "pod_namespace", "inode")
# For names that two would have: containers of two engines can have one name, and those of two users.
_DISTINCT = ("{name}.{engine}.{host}", "{name}.{inode}.{host}", "{name}.{short_id}.{host}")
# Patterns of hosts give a meaning to the other characters, and names are also those of files in caches.
_UNSUITABLE = re.compile(r"[^A-Za-z0-9_.-]")
_MAX_LENGTH = 200


class ContainerHost(t.NamedTuple):
    """A host of the inventory: the namespace of a container, a pod or something else on `host`.

    `containers` are those in the namespace, the one that the host stands for first.
    """

    name: str
    host: str
    target: str
    engine: str | None
    pod: Facts | None
    containers: list[Facts]


class Hosts(t.NamedTuple):
    """The hosts; those among them that have another name than the templates give them; and problems."""

    hosts: list[ContainerHost]
    renamed: list[str]
    problems: list[str]


class _Item(t.NamedTuple):
    """What becomes a host, and the values of the placeholders in its name."""

    host: ContainerHost
    values: dict[str, str]


def build(
    fleet: FactsByHost,
    templates: t.Sequence[str],
    kinds: t.Collection[str],
    taken: t.Collection[str],
) -> Hosts:
    """The hosts for the facts of a fleet, without the names that are `taken`. Raises FleetError."""
    for template in templates:
        _check(template)
    problems: list[str] = []
    items = [
        item for host, facts in fleet.items() for item in _items(host, facts or {}, kinds, problems)
    ]
    named, renamed, without_name = _with_names(items, templates, set(taken))
    problems += [
        f"no name is left for {item.values['name']} on {item.host.host}: give another in `hostnames`"
        for item in without_name
    ]
    return Hosts(named, renamed, problems)


def _check(template: str) -> None:
    try:
        fields = [
            (name, spec or conversion)
            for _text, name, spec, conversion in string.Formatter().parse(template)
        ]
    except ValueError as error:
        raise FleetError(f"hostnames has {template!r}: {error}") from None
    for name, more in fields:
        if name is not None and (name not in PLACEHOLDERS or more):
            placeholders = " ".join(f"{{{each}}}" for each in PLACEHOLDERS)
            raise FleetError(
                f"hostnames has {template!r}: unknown placeholder {{{name}}}. The placeholders are {placeholders}"
            )


def _items(
    host: str, facts: Facts, kinds: t.Collection[str], problems: list[str]
) -> t.Iterator[_Item]:
    problems += [
        f"{host}: {problem['reason']}"
        for problem in facts.get("incomplete") or ()
        if problem["source"] == "facts"
    ]
    targets = Targets(facts)
    for namespace in facts.get("namespaces") or ():
        if namespace.get("is_host") or namespace.get("kind") not in kinds:
            continue
        target = targets.of(namespace)
        if target is None:
            problems.append(
                f"{host}: the facts contain no path at which net:[{namespace['inode']}] can be entered"
            )
            continue
        for name, containers in _members(namespace):
            pod = namespace.get("pod")
            engine = namespace.get("engine")
            identity = containers[0].get("id") if containers else None
            values = {
                "name": name,
                "host": host,
                "engine": engine or "",
                "short_id": (identity or "")[:12],
                "pod": pod["name"] if pod else "",
                "pod_namespace": (pod.get("namespace") or "") if pod else "",
                "inode": str(namespace["inode"]),
            }
            yield _Item(ContainerHost("", host, target, engine, pod, containers), values)


def _members(namespace: Facts) -> t.Iterator[tuple[str, list[Facts]]]:
    """What is a host of its own in a namespace: its name, and the containers, its own first."""
    kind, containers = namespace["kind"], list(namespace.get("containers") or ())
    if kind == POD:
        pod = namespace.get("pod")
        if pod:
            yield pod_name(pod).replace("/", "_"), containers
    elif kind == CONTAINER:
        for container in containers:
            others = [other for other in containers if other is not container]
            yield container["name"], [container, *others]
    elif kind == NAMED:
        names = namespace.get("names") or map(os.path.basename, namespace.get("pins") or ())
        yield next(iter(names), f"net-{namespace['inode']}"), []
    else:
        name = namespace.get("machine") or namespace.get("unit") or f"net-{namespace['inode']}"
        yield name, []


def _with_names(
    items: list[_Item], templates: t.Sequence[str], taken: set[str]
) -> tuple[list[ContainerHost], list[str], list[_Item]]:
    """The hosts, those with a fall-back name, and those for which there is none.

    A name that two would have goes to neither: which one a play runs on must not depend on the order of
    the facts, and a host must not get the name of another's container by the name of its own.
    """
    names: dict[int, str] = {}
    renamed = []
    left = list(range(len(items)))
    for number, template in enumerate((*templates, *_DISTINCT)):
        wanted = {index: _fill(template, items[index].values) for index in left}
        uses = collections.Counter(wanted.values())
        for index, name in wanted.items():
            if name and uses[name] == 1 and name not in taken:
                names[index] = name
                renamed += [name] if number >= len(templates) else []
        taken.update(wanted.values())
        left = [index for index in left if index not in names]
    hosts = [
        item.host._replace(name=names[index]) for index, item in enumerate(items) if index in names
    ]
    return hosts, renamed, [items[index] for index in left]


def _fill(template: str, values: t.Mapping[str, str]) -> str:
    """The name of a host; empty if it lacks a value."""
    for _text, placeholder, _spec, _conversion in string.Formatter().parse(template):
        if placeholder is not None and not values[placeholder]:
            return ""
    name = _UNSUITABLE.sub("_", template.format(**values))
    return name.lstrip(".-")[:_MAX_LENGTH]
