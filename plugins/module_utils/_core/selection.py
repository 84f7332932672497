# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Selects containers by the items of `containers`: a whole id or name beats a prefix, which beats a pattern."""

from __future__ import annotations

import fnmatch
import re
import typing as t

from . import model
from .named_tuple import NamedTuple

# The least number of characters of an id that select a container, and with state=absent.
MIN_PREFIX, MIN_PREFIX_ABSENT = 4, 12
_GENERATED_ID = re.compile(r"[0-9a-f]{64}")
_MAX_TIMEOUT = 3600
_Thing = t.TypeVar("_Thing")


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


def only_selector(given: t.Mapping[str, bool]) -> str | None:
    """The one option that was given of those that select, or None. Raises SelectionError for several."""
    selectors = [option for option, is_given in given.items() if is_given]
    if len(selectors) > 1:
        raise model.SelectionError(
            f"{' and '.join(selectors)} exclude each other: give one of them"
        )
    return selectors[0] if selectors else None


def check_pid(pid: int | None) -> None:
    """Raise SelectionError for what cannot be the PID of a process."""
    if pid is not None and pid <= 0:
        raise model.SelectionError(f"pid is {pid}: give the PID of a running process")


def check_items(option: str, items: t.Container[str]) -> None:
    """Raise SelectionError for a list with an empty item."""
    if "" in items:
        raise model.SelectionError(f"{option} has an empty item: an empty string names nothing")


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
    try:
        return len(globs) == len(parts) and all(map(fnmatch.fnmatchcase, parts, globs))
    except re.error:  # Before Python 3.10, for a range that contains nothing, such as "[z-a]"
        return False


def has_labels(labels: t.Mapping[str, str], required: t.Mapping[str, str]) -> bool:
    """Whether all required labels are there, with the required values."""
    return all(labels.get(name) == value for name, value in required.items())


def names_of(container: model.Container) -> tuple[str, ...]:
    """The names that select a container.

    A pod has its own name, with and without its namespace; so has an instance in a project.
    """
    pod = container.pod
    if pod is None or not container.sandbox:
        if container.project:
            name = f"{container.project}/{container.name}"
            return (name, container.name, container.full_name)
        return (container.name,)
    if not pod.namespace:
        return (pod.name, container.name)
    return (f"{pod.namespace}/{pod.name}", pod.name, container.name)


class Identity(NamedTuple):
    """What selects a thing: its names, and the id of a container."""

    names: tuple[str, ...]
    id: str = ""

    def has_id(self, item: str) -> bool:
        """Whether an item is the whole id. The case of hexadecimal digits does not matter."""
        return bool(self.id) and (self.id == item or self.prefix_length(item) == len(self.id))

    def prefix_length(self, item: str) -> int:
        """How many characters of the id an item is the beginning of; 0 where it is not.

        Only an id that the engine has generated has prefixes. LXC, nspawn and `ctr` use the name as
        the id, whatever it looks like.
        """
        is_generated = _GENERATED_ID.fullmatch(self.id) and self.id not in self.names
        return len(item) if is_generated and self.id.startswith(item.lower()) else 0


def identity_of(container: model.Container) -> Identity:
    """What selects a container."""
    return Identity(names_of(container), container.id)


# How an item selects things, in order of precedence.
ID, NAME, PREFIX, PATTERN = "id", "name", "prefix", "pattern"


def resolve(
    item: str,
    things: t.Sequence[_Thing],
    identify: t.Callable[[_Thing], Identity],
    length: int = MIN_PREFIX,
) -> tuple[str, list[_Thing]]:
    """The things that an item selects, and how: a whole id before a name, a prefix, and a pattern.

    `length` is the least number of digits in a prefix.
    """
    identities = [(identify(thing), thing) for thing in things]
    for how, selects in (
        (ID, lambda identity: identity.has_id(item)),
        (NAME, lambda identity: item in identity.names),
        (PREFIX, lambda identity: identity.prefix_length(item) >= length),
    ):
        found = [thing for identity, thing in identities if selects(identity)]
        if found:
            return how, found
    return PATTERN, [
        thing
        for identity, thing in identities
        if is_pattern(item) and any(matches(item, name) for name in identity.names)
    ]


def could_mean(item: str, container: model.Container) -> bool:
    """Whether an item may select a container; `resolve` decides with all containers in view."""
    return bool(resolve(item, (container,), identity_of)[1])


class Choice(NamedTuple):
    """The containers that an item selects; `exact` where it names one container, which must exist."""

    containers: tuple[model.Container, ...]
    exact: bool


def choose(
    item: str,
    containers: t.Sequence[model.Container],
    labels: t.Mapping[str, str],
    length: int = MIN_PREFIX,
) -> Choice:
    """Select the containers of one item. Raises SelectionError where a name or prefix is ambiguous."""
    how, selected = resolve(item, containers, identity_of, length)
    if how == PATTERN:
        selected = [container for container in selected if has_labels(container.labels, labels)]
        return Choice(tuple(in_pods(selected, containers)), not is_pattern(item))
    chosen = in_pods(selected, containers)
    # A container and its predecessor of the same name, which the ledger still lists, are one; where
    # names are no more than half an id (LXC's), two of a name can run.
    names = {(container.engine, container.source, names_of(container)) for container in chosen}
    if len(names) > 1 or sum(container.running for container in chosen) > 1:
        raise _ambiguous(item, chosen)
    return Choice(tuple(chosen), True)


def in_pods(
    chosen: t.Iterable[model.Container], containers: t.Iterable[model.Container]
) -> list[model.Container]:
    """The chosen containers, with the pod in place of its members that are in its namespace."""
    sandboxes = {container.key: container for container in containers if container.sandbox}
    result = {}
    for container in chosen:
        joined = container.joined
        sandbox = sandboxes.get(container.key._replace(id=joined)) if joined else None
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


def no_such(item: str, containers: t.Sequence[model.Container]) -> str:
    """Why an item that names one container selects none, with the names that resemble it."""
    import difflib  # noqa: PLC0415 - only a run that fails pays for it

    names = sorted({name for container in containers for name in names_of(container)})
    near = difflib.get_close_matches(item, names)
    resembling = f" (near: {', '.join(near)})" if near else ""
    return f"there is no container {item!r}{resembling}{short_prefix(item, containers, MIN_PREFIX)}"


def short_prefix(item: str, containers: t.Iterable[model.Container], length: int) -> str:
    """An addition to a message: that an item is the beginning of an id, and shorter than `length`."""
    if not any(identity_of(container).prefix_length(item) for container in containers):
        return ""
    return f"; to select a container by the beginning of its id, give {length} characters or more"
