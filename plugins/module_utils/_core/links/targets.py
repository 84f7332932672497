# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The targets of state=present: what is selected, the name of each link, or why there is none."""

from __future__ import annotations

import typing as t

from .. import model, selection
from ..named_tuple import NamedTuple
from ..names import Template, refusal
from ..texts import describe_unread
from .origins import Origin
from .request import HOOK, LinkRequest
from .snapshot import Snapshot


class LinkTarget(NamedTuple):
    """A namespace to link under a name.

    `skip` is why it cannot be linked, which is an error for an `exact` target, one that was requested by
    name.
    """

    name: str
    origin: Origin | None
    container: model.Container | None
    exact: bool
    skip: str | None = None


class Selected(NamedTuple):
    """The selected targets, and what to warn of."""

    targets: list[LinkTarget]
    warnings: list[str]


def find(request: LinkRequest, snapshot: Snapshot) -> Selected:
    """Find the targets. Raises SelectionError for what is named exactly and cannot be linked."""
    origin = snapshot.request_origin
    if origin is not None:
        skip = None
        if origin.netns == snapshot.host:
            skip = "this is the host's own network namespace, which is never linked"
        selected = Selected([LinkTarget((request.names or ("",))[0], origin, None, True, skip)], [])
    else:
        selected = _select(request, snapshot)
    problems = [
        f"{target.name}: {target.skip}"
        for target in selected.targets
        if target.exact and target.skip
    ]
    if problems:
        raise model.SelectionError("; ".join(problems))
    return selected


def _select(request: LinkRequest, snapshot: Snapshot) -> Selected:
    chosen, warnings = choose(request, snapshot)
    if request.names is not None and len(chosen) > 1:
        names = ", ".join(sorted(container.name for container, _exact in chosen))
        raise model.SelectionError(
            f"name is for one container, but these are selected: {names}. Use `name_template`"
        )
    owners, unread = owners_of(snapshot), snapshot.unread()
    targets = [_target(request, snapshot, owners, unread, *pair) for pair in chosen]
    for target in targets:
        device = _needed_device(owners, target.origin)
        if device and not target.skip:
            warnings.append(
                f"{target.name}: while this link exists, the container cannot start again after it has "
                f"stopped: {device}"
            )
    return Selected(targets, warnings)


def _needed_device(owners: t.Mapping[model.NetnsId, model.Container], origin: Origin | None) -> str:
    """Why a link would be in the way when the owner of the namespace starts again, or ""."""
    owner = owners.get(origin.netns) if origin else None
    return owner.needs_device if owner else ""


def choose(
    request: LinkRequest, snapshot: Snapshot
) -> tuple[list[tuple[model.Container, bool]], list[str]]:
    """The selected containers, each with whether it was named exactly."""
    containers = list(snapshot.containers())
    if request.all:
        running = [
            container
            for container in containers
            if container.running and _has_labels(container, request) and request.is_for(container)
        ]
        return [(container, False) for container in selection.in_pods(running, containers)], []
    exact: dict[model.ContainerKey, bool] = {}
    missing, warnings = [], []
    for item in request.containers or ():
        choice = selection.choose(item, containers, request.labels)
        for container in choice.containers:
            exact[container.key] = choice.exact or exact.get(container.key, False)
        if choice.containers:
            continue
        if choice.exact:
            missing.append(selection.no_such(item, containers))
        else:
            warnings.append(f"no container matches {item!r}")
    if missing:
        if not any(reading.found for reading in snapshot.readings):
            missing.append("no container engine was found on this host")
        missing += [
            f"{reading.engine} was not read: {reading.error}"
            for reading in snapshot.readings
            if reading.error
        ]
        missing += [
            describe_unread(container)
            for container in snapshot.unread().values()
            if not container.status
        ]
        raise model.SelectionError("; ".join(missing))
    return [
        (container, exact[container.key]) for container in containers if container.key in exact
    ], warnings


def _has_labels(container: model.Container, request: LinkRequest) -> bool:
    """Whether a container has the labels, or its labels are not known."""
    is_unknown = container.unread is not None and not container.status and not container.labels
    return is_unknown or selection.has_labels(container.labels, request.labels)


def owners_of(snapshot: Snapshot) -> dict[model.NetnsId, model.Container]:
    """The owner of each namespace: the pod, the container its engine pinned it for, else the oldest."""
    ranks: dict[model.NetnsId, tuple[tuple[bool, bool, bool, float, str], model.Container]] = {}
    for origin in snapshot.origins.values():
        container = origin.container
        if container is not None:
            rank = (
                not container.sandbox,
                origin.path is None,
                # Among containers created in the same second, those that joined a namespace come last.
                bool(container.joined),
                container.created,
                container.id,
            )
            if origin.netns not in ranks or rank < ranks[origin.netns][0]:
                ranks[origin.netns] = (rank, container)
    return {netns: container for netns, (_rank, container) in ranks.items()}


def _target(
    request: LinkRequest,
    snapshot: Snapshot,
    owners: t.Mapping[model.NetnsId, model.Container],
    unread: t.Mapping[model.ContainerKey, model.Container],
    container: model.Container,
    exact: bool,
) -> LinkTarget:
    origin = snapshot.origins.get(container.key)
    name, skip = container.full_name, unavailable(snapshot, owners, unread, container, exact)
    if skip is not None:
        return LinkTarget(name, origin, container, exact, skip)
    if request.all and container.needs_device:
        skip = (
            "with a link, it could not start again after it has stopped, as the link keeps its old namespace: "
            f"{container.needs_device}. Name it in `containers` to link it anyway"
        )
    elif request.maker == HOOK:
        from . import hook_policy  # noqa: PLC0415 - netns_link does without

        skip = hook_policy.left_to(container.labels)
    if skip is None and origin is not None:
        try:
            name = (
                request.names[0]
                if request.names
                else Template(request.name_template).fill(container)
            )
            problem = refusal(name)
            if problem:
                skip = f"{name!r} cannot be the name of a link: {problem}. Give another with `name` or `name_template`"
        except model.SelectionError as error:
            skip = str(error)
    return LinkTarget(name, origin, container, exact, skip)


def unavailable(
    snapshot: Snapshot,
    owners: t.Mapping[model.NetnsId, model.Container],
    unread: t.Mapping[model.ContainerKey, model.Container],
    container: model.Container,
    exact: bool,
) -> str | None:
    """Why a container has no namespace that could be used under its name, or None.

    `owners` and `unread` are those of the snapshot, which takes a look at each container to find them.
    """
    origin = snapshot.origins.get(container.key)
    # What owns the namespace has the name, also while it cannot be read.
    joined = unread.get(container.key._replace(id=container.joined)) if container.joined else None
    if container.unread is not None:
        return f"it could not be read: {container.unread}"
    if not exact and joined is not None:
        return f"it shares the namespace of {joined.name}, which could not be read"
    if container.without_netns:
        return container.without_netns
    if not container.running:
        return f"the container is not running ({container.status}): start it first"
    if origin is None:
        return f"its namespace could not be read: {snapshot.problems.get(container.key, 'it has no process')}"
    if origin.netns == snapshot.host:
        return "it is on the host's network and has no namespace of its own"
    if not exact and owners[origin.netns].key != container.key:
        return f"it shares the namespace of {owners[origin.netns].name}"
    return None


def check_engines(
    engines: t.Sequence[str] | None, readings: t.Iterable[model.Reading], may_be_missing: bool
) -> list[str]:
    """Warn where no engine was found. Raises SelectionError for one that was named and must be there."""
    present = {reading.engine for reading in readings if reading.found}
    missing = [engine for engine in engines or () if engine not in present]
    if missing and may_be_missing:
        return [f"no {' and no '.join(missing)} was found on this host yet"]
    if missing:
        raise model.SelectionError(
            f"no {' and no '.join(missing)} was found on this host: start it, or take it out of `engines`"
        )
    return [] if present else ["no container engine was found on this host"]
