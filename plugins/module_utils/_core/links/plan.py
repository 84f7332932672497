# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Works out the plan from request and snapshot, without touching the host.

Check mode and real runs have the same plan.
"""

from __future__ import annotations

import typing as t

from .. import model, selection
from . import plan_absent, plan_present, plan_prune, targets, transitions
from .plan_absent import selected_entries
from .request import HOOK, LinkRequest
from .snapshot import Snapshot
from .step import Plan, Step


def make(request: LinkRequest, snapshot: Snapshot) -> Plan:
    """Work out the steps. Raises SelectionError for what is named exactly and cannot be linked."""
    warnings = list(snapshot.warnings)
    vanished: list[str] = []
    if request.absent:
        steps = plan_absent.make(request, snapshot)
    else:
        warnings += _check_directory(request, snapshot)
        selected = targets.find(request, snapshot)
        warnings += selected.warnings
        steps = plan_present.make(request, snapshot, selected.targets)
    if request.prune:
        for step in plan_prune.make(request, snapshot, steps):
            if step.action == transitions.UNCHANGED:
                vanished.append(step.name)
            else:
                steps.append(step)
    warnings += _check_engines(request, snapshot)
    refused = [step for step in steps if step.exact and step.action == transitions.CONFLICT]
    if refused:
        raise model.SelectionError(
            "; ".join(f"{request.link_path(step.name)}: {step.reason}" for step in refused)
        )
    failures = [
        f"{reading.engine} was not read, so its links were left as they are: {reading.error}"
        for reading in snapshot.readings
        if reading.error is not None
    ]
    failures += _unread_failures(request, snapshot, steps)
    return Plan(
        tuple(sorted(steps, key=lambda step: step.name)),
        tuple(vanished),
        tuple(warnings),
        tuple(failures),
    )


def _unread_failures(
    request: LinkRequest, snapshot: Snapshot, steps: t.Iterable[Step]
) -> t.Iterator[str]:
    """The containers that could not be read and are selected, have links to prune, or may be either."""
    concerned = {step.container.key for step in steps if step.container}
    if request.prune:
        concerned.update(entry.key for entry in selected_entries(request, snapshot) if entry.key)
    selects_several = request.all or any(map(selection.is_pattern, request.containers or ()))
    for container in snapshot.unread().values():
        may_be_selected = selects_several and not container.status and request.is_for(container)
        if container.key in concerned or may_be_selected:
            yield (
                f"{container.engine} container {container.name} could not be read, so its link was left as "
                f"it is: {container.unread}"
            )


def _check_directory(request: LinkRequest, snapshot: Snapshot) -> list[str]:
    directory = snapshot.directory
    if directory.mount_point and not directory.self_bind:
        raise model.SelectionError(
            f"netns_dir {request.netns_dir} is a mount point of something else, and links in it would be "
            "lost with that mount: `umount` it, or give another netns_dir"
        )
    if transitions.propagation(directory) == transitions.LEAVE and not directory.shared:
        warning = (
            f"{request.netns_dir} contains mounts and is not shared, so other mount namespaces (services "
            "with a sandbox) do not see new links. This was left unchanged: unmount what is in it when "
            "nothing uses it, and the next run shares it"
        )
        return [warning]
    return []


def _check_engines(request: LinkRequest, snapshot: Snapshot) -> list[str]:
    reads_engines = request.prune or bool(request.containers) or request.all
    if not reads_engines or (request.absent and not request.prune) or request.only is not None:
        return []
    return targets.check_engines(request.engines, snapshot.readings, request.maker == HOOK)
