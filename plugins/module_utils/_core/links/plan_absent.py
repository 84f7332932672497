# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan of state=absent: which links are removed."""

from __future__ import annotations

import typing as t

from .. import model, selection
from ..texts import describe_unread
from . import etc_netns, ledger, transitions
from .netns_dir import NOTHING
from .request import LinkRequest
from .snapshot import Snapshot
from .step import Step


def make(request: LinkRequest, snapshot: Snapshot) -> list[Step]:
    """The steps that remove links by name, by container, or all."""
    if request.names is not None:
        return [_unlink_name(request, snapshot, name) for name in dict.fromkeys(request.names)]
    if request.all:
        return [unlink(request, snapshot, entry) for entry in selected_entries(request, snapshot)]
    return _unlink_containers(request, snapshot)


def selected_entries(request: LinkRequest, snapshot: Snapshot) -> list[ledger.Entry]:
    """The managed links of the engines, and with the labels, that the request names."""
    return [
        entry
        for entry in snapshot.entries.values()
        if (request.engines is None or entry.engine in request.engines)
        and selection.has_labels(entry.labels, request.labels)
    ]


def unlink(request: LinkRequest, snapshot: Snapshot, entry: ledger.Entry) -> Step:
    """Remove a managed link, if the ledger's entry still matches what is at the path."""
    path_state = snapshot.path_state(entry.name)
    step = Step(
        entry.name,
        transitions.UNCHANGED,
        path_state=path_state,
        container=entry.container(),
        old_entry=entry,
        forget=True,
    )
    if transitions.is_managed(path_state, entry):
        action, reason = transitions.absent(path_state, entry, request.force)
        if action == transitions.CONFLICT:
            return step.conflict(reason)
        step = step._replace(action=action, reason=reason)
    elif path_state.kind != NOTHING:
        return step._replace(reason="the current entry was created by another program")
    else:
        step = step._replace(reason="the link was already removed")
    return without_resolv_conf(request, snapshot, step)


def without_resolv_conf(request: LinkRequest, snapshot: Snapshot, step: Step) -> Step:
    """The step that removes the link's resolv.conf too; a foreign one only by force, and if requested."""
    file = snapshot.resolv_conf_files.get(step.name)
    if file is None:
        return step
    managed = file.mark is not None and file.mark["link"] == request.link_path(step.name)
    if not managed and not (request.force and request.resolv_conf):
        return step
    step = step._replace(remove_resolv_conf=True, found_resolv_conf=file)
    if step.action == transitions.UNCHANGED:
        reason = f"only {etc_netns.path_of(step.name)} was left of the link"
        step = step._replace(action=transitions.REMOVED, reason=reason)
    return step


def _unlink_containers(request: LinkRequest, snapshot: Snapshot) -> list[Step]:
    """By container: those that run, and those that only the ledger still lists."""
    containers = {container.key: container for container in snapshot.containers()}
    entries: dict[model.ContainerKey, list[ledger.Entry]] = {}
    recorded = []
    for entry in selected_entries(request, snapshot):
        container = entry.container()
        if container is not None:
            recorded.append(container)
            containers.setdefault(container.key, container)
            entries.setdefault(container.key, []).append(entry)
    # An engine that does not answer may have several daemons: links of each are left alone.
    silent = {reading.engine for reading in snapshot.readings if reading.error}
    unread = snapshot.unread()
    candidates = list(containers.values())
    length = selection.MIN_PREFIX_ABSENT
    steps: dict[str, Step] = {}
    for item in request.containers or ():
        choice = selection.choose(item, candidates, request.labels, length)
        if choice.exact:
            _refuse_unread(item, unread, choice.containers)
        if choice.exact and not choice.containers:
            # The name that a container had when it was linked.
            formerly = {
                container.key: container for container in recorded if container.name == item
            }
            chosen = selection.choose(item, list(formerly.values()), request.labels, length)
            present = [containers[container.key] for container in chosen.containers]
            choice = chosen._replace(containers=tuple(present))
        if choice.exact and not choice.containers:
            reason = "no link was made for such a container"
            reason += selection.short_prefix(item, candidates, length)
            steps.setdefault(item, Step(item, transitions.UNCHANGED, reason))
        for container in choice.containers:
            for entry in entries.get(container.key, ()):
                if container.unread is not None:
                    steps[entry.name] = Step(
                        entry.name,
                        transitions.SKIPPED,
                        f"it could not be read: {container.unread}",
                        container=container,
                    )
                elif container.engine not in silent or snapshot.was_read(container.key):
                    steps[entry.name] = unlink(request, snapshot, entry)
                else:
                    steps[entry.name] = Step(
                        entry.name,
                        transitions.SKIPPED,
                        f"{container.engine} was not read",
                        container=container,
                    )
            if container.key not in entries:
                reason = "this collection made no link for it"
                steps.setdefault(
                    container.name,
                    Step(container.name, transitions.UNCHANGED, reason, container=container),
                )
    return list(steps.values())


def _refuse_unread(
    item: str,
    unread: t.Mapping[model.ContainerKey, model.Container],
    chosen: t.Sequence[model.Container],
) -> None:
    """Raise SelectionError where an exact name selects what could not be read, or nothing that was."""
    unknown = [container for container in chosen if container.key in unread]
    if not chosen:
        unknown = [container for container in unread.values() if not container.status]
    if unknown:
        reasons = "; ".join(map(describe_unread, unknown))
        raise model.SelectionError(
            reasons if chosen else f"there is no link of a container {item!r}; {reasons}"
        )


def _unlink_name(request: LinkRequest, snapshot: Snapshot, name: str) -> Step:
    path_state = snapshot.path_state(name)
    entry = snapshot.entries.get(request.link_path(name))
    old_entry = entry if transitions.is_managed(path_state, entry) else None
    labels = old_entry.labels if old_entry else {}
    if path_state.kind != NOTHING and not selection.has_labels(labels, request.labels):
        reason = "its container does not have these labels"
        return Step(name, transitions.SKIPPED, reason, path_state=path_state)
    action, reason_or_none = transitions.absent(path_state, entry, request.force)
    step = Step(
        name,
        action,
        reason_or_none,
        exact=True,
        path_state=path_state,
        container=old_entry.container() if old_entry else None,
        old_entry=old_entry,
        forget=entry is not None,
    )
    if action == transitions.CONFLICT:
        return step
    return without_resolv_conf(request, snapshot, step)
