# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan of `prune`: links and files of containers that are gone."""

from __future__ import annotations

import typing as t

from .. import model, selection
from ..names import Template
from . import ledger, transitions
from .netns_dir import NOTHING
from .plan_absent import selected_entries, unlink, without_resolv_conf
from .request import HOOK, LinkRequest
from .snapshot import Snapshot
from .step import Step


def make(request: LinkRequest, snapshot: Snapshot, steps: t.Sequence[Step]) -> list[Step]:
    """Remove the managed links of containers that are gone, by engines that were read in full.

    `steps` is the rest of the plan, whose names are left to it.
    """
    running = snapshot.running()
    taken = {step.name for step in steps if (step.origin or step.old_entry) and _is_done(step)}
    disputed = {step.name for step in steps if step.action == transitions.CONFLICT}
    pruned = []
    for entry in selected_entries(request, snapshot):
        if entry.name in taken or entry.key is None or not snapshot.has_left(entry):
            continue
        step = unlink(request, snapshot, entry)
        if step.action == transitions.CONFLICT and entry.name in disputed:
            continue
        if step.action == transitions.REMOVED and entry.key in running:
            step = step._replace(reason="its container now runs in another namespace")
        pruned.append(step)
    if request.all:
        planned = taken | {step.name for step in pruned}
        pruned += _renamed(request, snapshot, steps, planned, disputed)
    if request.maker == HOOK:
        from . import hook_policy  # noqa: PLC0415 - netns_link does without

        planned = taken | {step.name for step in pruned}
        pruned += hook_policy.unlink_unwanted(request, snapshot, planned)
        pruned += hook_policy.unlink_left_behind(request, snapshot, pruned)
    if request.only is None:
        planned = taken | disputed | {step.name for step in pruned}
        pruned += _orphaned_files(request, snapshot, planned)
    if request.prune_only is not None:
        return [step for step in pruned if step.name in request.prune_only]
    return pruned


def _is_done(step: Step) -> bool:
    return step.action not in (transitions.SKIPPED, transitions.CONFLICT)


def _renamed(
    request: LinkRequest,
    snapshot: Snapshot,
    steps: t.Sequence[Step],
    planned: t.Container[str],
    disputed: t.Container[str],
) -> t.Iterator[Step]:
    """Remove the former link of each container that is linked under another name now.

    The container was renamed, or the template is another. The hook and the module each remove what they
    made; a link whose name was given stays.
    """
    linked = {step.container.key: step.name for step in steps if step.container and _is_done(step)}
    for entry in snapshot.entries.values():
        if entry.name in planned or entry.key is None or entry.key not in linked:
            continue
        if entry.maker == request.maker and (
            entry.maker == HOOK or entry.from_template or _is_name_of(request, entry)
        ):
            step = unlink(request, snapshot, entry)
            if step.action == transitions.CONFLICT and entry.name in disputed:
                continue
            if step.action == transitions.REMOVED:
                step = step._replace(reason=f"its container's link is now {linked[entry.key]}")
            yield step


def _is_name_of(request: LinkRequest, entry: ledger.Entry) -> bool:
    """Whether the template made the name when the link was made, as 1.0.0 does not record it."""
    container = entry.container()
    try:
        return (
            container is not None and Template(request.name_template).fill(container) == entry.name
        )
    except model.SelectionError:
        return False


def _orphaned_files(
    request: LinkRequest, snapshot: Snapshot, planned: t.Container[str]
) -> list[Step]:
    """Remove each managed resolv.conf whose link is gone: after a reboot, or by `ip netns del`."""
    return [
        without_resolv_conf(request, snapshot, Step(name, transitions.UNCHANGED))
        for name, file in snapshot.resolv_conf_files.items()
        if name not in planned
        and file.mark is not None
        and file.mark["link"] == request.link_path(name)
        and snapshot.path_state(name).kind == NOTHING
        and (request.engines is None or file.mark.get("engine") in request.engines)
        and selection.has_labels(file.mark.get("labels") or {}, request.labels)
    ]
