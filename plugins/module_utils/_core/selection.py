# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which containers the items of `containers` mean: exact beats prefix beats pattern."""

from __future__ import annotations

import fnmatch
import typing as t

from . import model

_ID_CHARACTERS = frozenset("0123456789abcdef")


_HOUR = 3600


def check_options(netns_dir: str, timeout: float) -> None:
    """Raise SelectionError where an option that all modules have cannot be meant."""
    if not netns_dir:
        raise model.SelectionError("netns_dir is empty: give a directory, or leave it out")
    check_path("netns_dir", netns_dir)
    # What is no number compares as false.
    if not 0 < timeout <= _HOUR:
        raise model.SelectionError(
            f"timeout is {timeout:g}: give the seconds to wait for each engine, {_HOUR} at most"
        )


def check_path(option: str, path: str) -> None:
    """Raise SelectionError for a path that the kernel has no words for."""
    if "\0" in path:
        raise model.SelectionError(f"{option} is {path!r}: no path has a NUL in it")


def is_pattern(item: str) -> bool:
    """Whether an item has a shell pattern's characters."""
    return any(character in item for character in "*?[")


def matches(pattern: str, name: str) -> bool:
    """Compare with a shell pattern whose `*` does not cross a '/'."""
    globs, parts = pattern.split("/"), name.split("/")
    return len(globs) == len(parts) and all(map(fnmatch.fnmatchcase, parts, globs))


def has_labels(labels: t.Mapping[str, str], asked: t.Mapping[str, str]) -> bool:
    """Whether all the labels that are asked for are there, with those values."""
    return all(labels.get(name) == value for name, value in asked.items())


def names_of(container: model.Container) -> tuple[str, ...]:
    """What a container is called. A pod goes by its own name, with its namespace and without."""
    pod = container.pod
    if pod is None or not container.sandbox:
        return (container.name,)
    if not pod.namespace:
        return (pod.name, container.name)
    return (f"{pod.namespace}/{pod.name}", pod.name, container.name)


def could_mean(item: str, container: model.Container) -> bool:
    """Whether an item may select a container, before it is known what else it may select."""
    return (
        item in names_of(container)
        or container.id.startswith(item)
        or any(matches(item, name) for name in names_of(container))
    )


class Choice(t.NamedTuple):
    """What an item selects; `exact` where it names one thing, which then has to be there."""

    containers: tuple[model.Container, ...]
    exact: bool


def choose(item: str, known: t.Sequence[model.Container], labels: t.Mapping[str, str]) -> Choice:
    """Resolve one item. Raises SelectionError where a name or prefix is ambiguous."""
    named = [one for one in known if one.id == item] or [
        one for one in known if item in names_of(one)
    ]
    if not named and set(item) <= _ID_CHARACTERS:
        named = [one for one in known if one.id.startswith(item)]
    found = in_pods(named, known)
    # A container and its predecessor of the same name, which the ledger still knows, are one; where
    # names are no more than half an id (LXC's), two of a name can run.
    names = {(one.engine, one.source, names_of(one)) for one in found}
    if len(names) > 1 or sum(one.running for one in found) > 1:
        raise _ambiguous(item, found)
    if found or not is_pattern(item):
        return Choice(tuple(found), True)
    matching = [
        one
        for one in known
        if has_labels(one.labels, labels) and any(matches(item, name) for name in names_of(one))
    ]
    return Choice(tuple(in_pods(matching, known)), False)


def in_pods(
    containers: t.Iterable[model.Container], known: t.Iterable[model.Container]
) -> list[model.Container]:
    """The containers, with the pod in place of its members that are in its namespace."""
    sandboxes = {one.key: one for one in known if one.sandbox}
    chosen = {}
    for container in containers:
        sandbox = sandboxes.get(container.key._replace(id=container.joined))
        # Who joins a pod's namespace from outside is no member of it.
        one = sandbox if sandbox is not None and sandbox.pod == container.pod else container
        chosen[one.key] = one
    return list(chosen.values())


def _ambiguous(item: str, found: t.Sequence[model.Container]) -> model.SelectionError:
    candidates = ", ".join(f"{names_of(one)[0]} ({one.engine} {one.id[:12]})" for one in found)
    if len({one.engine for one in found}) > 1:
        advice = "Say which by `engines`"
    else:
        advice = "Give more of the id, or the whole name"
    return model.SelectionError(f"{item!r} is ambiguous: {candidates}. {advice}")


def near(item: str, known: t.Iterable[model.Container]) -> list[str]:
    """Names that an item was perhaps meant to be."""
    import difflib  # noqa: PLC0415 - only a run that fails pays for it

    names = sorted({name for container in known for name in names_of(container)})
    return difflib.get_close_matches(item, names)
