# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the hook alone decides: it runs unattended, so it removes its own links and spares others."""

from __future__ import annotations

import typing as t

from .. import model, selection
from ..names import distinguishing_template
from ..texts import describe
from . import ledger, transitions
from .plan_absent import unlink
from .request import HOOK, LinkRequest
from .snapshot import Snapshot
from .step import Step

# Labels that containerlab gives its nodes.
_CONTAINERLAB = ("containerlab", "clab-node-name")


def left_to(labels: t.Mapping[str, str]) -> str | None:
    """Why the hook leaves a container to another program, or None.

    containerlab makes a symbolic link of its own for each node, right after the node starts, and fails
    where the name is taken.
    """
    if any(label in labels for label in _CONTAINERLAB):
        return "it is a node of containerlab, which makes its link itself"
    return None


def keep_reason(
    request: LinkRequest,
    snapshot: Snapshot,
    planned_names: t.Mapping[model.ContainerKey, str],
    entry: ledger.Entry,
    container: model.Container | None,
) -> str | None:
    """Why the hook keeps a managed link whose name it needs for `container`, or None.

    `planned_names` are the names that containers have in the plan.
    """
    if container and entry.key == container.key:
        return None
    owner = entry.container()
    if owner is None or entry.key is None:
        return "a link that netns_link made for a process or a path has this name"
    is_renamed = entry.maker == HOOK and planned_names.get(entry.key, entry.name) != entry.name
    if is_renamed or snapshot.has_left(entry):
        return None
    # The ledger does not have the container's user.
    owner = {other.key: other for other in snapshot.containers()}.get(entry.key, owner)
    rivals = [owner, container] if container else [owner]
    template = distinguishing_template(request.name_template, rivals)
    return f"the link of {describe(owner)} has this name: set `name_template` to {template!r}"


def unlink_unwanted(
    request: LinkRequest,
    snapshot: Snapshot,
    planned: t.Container[str],
) -> t.Iterator[Step]:
    """Remove links that the hook made and would not make now; `planned` are the names that have a step."""
    containers = {container.key: container for container in snapshot.containers()}
    for entry in snapshot.entries.values():
        if entry.maker != HOOK or entry.key is None or entry.name in planned:
            continue
        container = containers.get(entry.key)
        labels = container.labels if container else entry.labels
        other = left_to(labels)
        if request.engines is not None and entry.engine not in request.engines:
            reason = f"the hook is not set to link containers of {entry.engine}"
        elif not selection.has_labels(labels, request.labels):
            reason = "its container does not have the labels that the hook requires"
        elif other is not None:
            reason = other
        elif container and container.needs_device:
            reason = "its container could not start again while the link exists"
        else:
            continue
        step = unlink(request, snapshot, entry)
        yield step._replace(reason=reason) if step.action == transitions.REMOVED else step


def unlink_left_behind(
    request: LinkRequest, snapshot: Snapshot, pruned: t.Iterable[Step]
) -> t.Iterator[Step]:
    """Remove links by PID or path to namespaces whose containers have ended."""
    running = snapshot.running()
    ended = {
        step.path_state.netns
        for step in pruned
        if step.action == transitions.REMOVED
        and step.old_entry
        and step.old_entry.key not in running
    }
    used = {origin.netns for origin in snapshot.origins.values()}
    used.update(
        entry.netns
        for entry in snapshot.entries.values()
        if entry.key is not None and not snapshot.has_left(entry)
    )
    for entry in snapshot.entries.values():
        if entry.key is None and entry.netns in ended - used:
            step = unlink(request, snapshot, entry)
            if step.action == transitions.REMOVED:
                reason = "the container that its namespace belonged to is gone"
                step = step._replace(reason=reason)
            yield step
