# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Selects containers by the items of `containers`: an exact name beats a prefix, which beats a pattern."""

from __future__ import annotations

import fnmatch
import typing as t

from . import model

_ID_CHARACTERS = frozenset("0123456789abcdef")
_MAX_TIMEOUT = 3600


def check_options(netns_dir: str, timeout: float) -> None:
    """Raise SelectionError for an impossible value of an option that all modules have."""
    if not netns_dir:
        raise model.SelectionError("netns_dir is empty: give a directory, or leave it out")
    check_path("netns_dir", netns_dir)
    # Comparisons with NaN are false.
    if not 0 < timeout <= _MAX_TIMEOUT:
        raise model.SelectionError(
            f"timeout is {timeout:g}: give the seconds to wait for each engine, {_MAX_TIMEOUT} at most"
        )


def check_path(option: str, path: str) -> None:
    """Raise SelectionError for a path that cannot be passed to the kernel."""
    if "\0" in path:
        raise model.SelectionError(f"{option} is {path!r}: a path cannot contain a NUL character")


def is_pattern(item: str) -> bool:
    """Whether an item contains characters of shell patterns."""
    return any(character in item for character in "*?[")


def matches(pattern: str, name: str) -> bool:
    """Whether a name matches a shell pattern, whose `*` does not cross a '/'."""
    globs, parts = pattern.split("/"), name.split("/")
    return len(globs) == len(parts) and all(map(fnmatch.fnmatchcase, parts, globs))


def has_labels(labels: t.Mapping[str, str], required: t.Mapping[str, str]) -> bool:
    """Whether all required labels are there, with the required values."""
    return all(labels.get(name) == value for name, value in required.items())


def names_of(container: model.Container) -> tuple[str, ...]:
    """The names that select a container. A pod has its own name, with and without its namespace."""
    pod = container.pod
    if pod is None or not container.sandbox:
        return (container.name,)
    if not pod.namespace:
        return (pod.name, container.name)
    return (f"{pod.namespace}/{pod.name}", pod.name, container.name)


def could_mean(item: str, container: model.Container) -> bool:
    """Whether an item may select a container; `choose` decides with all containers in view."""
    return (
        item in names_of(container)
        or container.id.startswith(item)
        or any(matches(item, name) for name in names_of(container))
    )


class Choice(t.NamedTuple):
    """The containers that an item selects; `exact` where it names one container, which must exist."""

    containers: tuple[model.Container, ...]
    exact: bool


def choose(
    item: str, containers: t.Sequence[model.Container], labels: t.Mapping[str, str]
) -> Choice:
    """Select the containers of one item. Raises SelectionError where a name or prefix is ambiguous."""
    named = [container for container in containers if container.id == item] or [
        container for container in containers if item in names_of(container)
    ]
    if not named and set(item) <= _ID_CHARACTERS:
        named = [container for container in containers if container.id.startswith(item)]
    chosen = in_pods(named, containers)
    # A container and its predecessor of the same name, which the ledger still lists, are one; where
    # names are no more than half an id (LXC's), two of a name can run.
    names = {(container.engine, container.source, names_of(container)) for container in chosen}
    if len(names) > 1 or sum(container.running for container in chosen) > 1:
        raise _ambiguous(item, chosen)
    if chosen or not is_pattern(item):
        return Choice(tuple(chosen), True)
    matching = [
        container
        for container in containers
        if has_labels(container.labels, labels)
        and any(matches(item, name) for name in names_of(container))
    ]
    return Choice(tuple(in_pods(matching, containers)), False)


def in_pods(
    chosen: t.Iterable[model.Container], containers: t.Iterable[model.Container]
) -> list[model.Container]:
    """The chosen containers, with the pod in place of its members that are in its namespace."""
    sandboxes = {container.key: container for container in containers if container.sandbox}
    result = {}
    for container in chosen:
        sandbox = sandboxes.get(container.key._replace(id=container.joined))
        # A container outside the pod can join the pod's namespace too.
        owner = sandbox if sandbox is not None and sandbox.pod == container.pod else container
        result[owner.key] = owner
    return list(result.values())


def _ambiguous(item: str, candidates: t.Sequence[model.Container]) -> model.SelectionError:
    descriptions = ", ".join(
        f"{names_of(container)[0]} ({container.engine} {container.id[:12]})"
        for container in candidates
    )
    if len({container.engine for container in candidates}) > 1:
        advice = "Choose one with `engines`"
    else:
        advice = "Give more of the id, or the whole name"
    return model.SelectionError(f"{item!r} is ambiguous: {descriptions}. {advice}")


def near(item: str, containers: t.Iterable[model.Container]) -> list[str]:
    """Names that resemble an item which selects nothing."""
    import difflib  # noqa: PLC0415 - only a run that fails pays for it

    names = sorted({name for container in containers for name in names_of(container)})
    return difflib.get_close_matches(item, names)
