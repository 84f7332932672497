# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan of state=present: the link of each target."""

from __future__ import annotations

import typing as t

from .. import model
from ..names import distinguishing_template
from ..texts import describe
from . import etc_netns, ledger, transitions
from .netns_dir import NETNS, SYMLINK, PathState
from .origins import Origin
from .request import HOOK, LinkRequest
from .snapshot import Snapshot
from .step import Step
from .targets import LinkTarget


def make(request: LinkRequest, snapshot: Snapshot, targets: t.Sequence[LinkTarget]) -> list[Step]:
    """The steps that link the targets, or report why a target is not linked."""
    skipped = []
    # Two containers that share a namespace, both named exactly, may have one link name: one link is enough.
    links: dict[tuple[str, model.NetnsId], Step] = {}
    planned_names = {
        target.container.key: target.name
        for target in targets
        if target.container and not target.skip
    }
    for target in targets:
        if target.skip or target.origin is None:
            skipped.append(
                Step(
                    target.name,
                    transitions.SKIPPED,
                    target.skip,
                    origin=target.origin,
                    container=target.container,
                )
            )
        else:
            step = _link(request, snapshot, planned_names, target, target.origin)
            links.setdefault((step.name, target.origin.netns), step)
    return [*skipped, *_with_name_conflicts(request, list(links.values()))]


def _with_name_conflicts(request: LinkRequest, steps: t.Sequence[Step]) -> list[Step]:
    """The steps. All of those that share a name become conflicts."""
    by_name: dict[str, list[Step]] = {}
    for step in steps:
        by_name.setdefault(step.name, []).append(step)
    return [
        step
        if len(by_name[step.name]) == 1
        else step.conflict(_name_conflict(request, by_name[step.name]))
        for step in steps
    ]


def _name_conflict(request: LinkRequest, steps: t.Sequence[Step]) -> str:
    containers = [step.container for step in steps if step.container]
    owners = " and ".join(sorted(map(describe, containers)))
    template = distinguishing_template(request.name_template, containers)
    return (
        f"{owners} would all be called {steps[0].name!r}: set `name_template` to {template!r}, or select "
        "fewer with `engines`, `labels` or `containers`"
    )


def _link(
    request: LinkRequest,
    snapshot: Snapshot,
    planned_names: t.Mapping[model.ContainerKey, str],
    target: LinkTarget,
    origin: Origin,
) -> Step:
    path_state = snapshot.path_state(target.name)
    path = request.link_path(target.name)
    ledger_entry = snapshot.entries.get(path)
    managed = transitions.is_managed(path_state, ledger_entry)
    old_entry = ledger_entry if managed else None
    action, reason = transitions.present(path_state, ledger_entry, origin.netns, request.force)
    if request.maker == HOOK and old_entry is not None and action in transitions.CHANGES:
        from . import hook_policy  # noqa: PLC0415 - netns_link does without

        refusal = hook_policy.keep_reason(
            request, snapshot, planned_names, old_entry, target.container
        )
        action, reason = (transitions.CONFLICT, refusal) if refusal else (action, reason)
    if action == transitions.RELINKED and old_entry is not None and not request.force:
        refusal = _owner_unread(snapshot, old_entry, target.container)
        action, reason = (transitions.CONFLICT, refusal) if refusal else (action, reason)
    step = Step(
        target.name,
        action,
        reason,
        exact=target.exact,
        path_state=path_state,
        origin=origin,
        container=target.container,
        old_entry=old_entry,
    )
    if action == transitions.CONFLICT:
        return step
    if step.changes:
        entry = _entry(request, path, target.container, origin, path_state.file)
        if old_entry is not None and old_entry.maker == HOOK:
            entry = _with_maker_of(old_entry, entry)
        # The entry of a managed link is removed, unless a covered pin keeps its file. Of the others, an empty
        # file on which no program has a pin is used as it is.
        clear = not path_state.covered if managed else _is_in_use(path_state)
        step = step._replace(
            clear=clear,
            entry=entry._replace(
                file=path_state.file if managed or not clear else None,
                previous=path_state.netns if managed and action == transitions.RELINKED else None,
            ),
        )
    elif old_entry is not None and _is_outdated(old_entry, target.container, origin):
        entry = _entry(request, path, target.container, origin, path_state.file)
        step = step._replace(entry=_with_maker_of(old_entry, entry))
    if request.resolv_conf and target.container is not None:
        step = _with_resolv_conf(request, snapshot, step, target.container)
    return step


def _is_outdated(entry: ledger.Entry, container: model.Container | None, origin: Origin) -> bool:
    """Whether the ledger changes, although the link stays.

    Another container of the namespace owns the link now, the first process was not recorded, or a run crashed after
    a move, before the ledger recorded its end.
    """
    key = container.key if container else None
    process = (origin.pid or None, origin.start_time or None)
    return (entry.key, (entry.pid, entry.start_time), entry.previous) != (key, process, None)


def _with_maker_of(old_entry: ledger.Entry, entry: ledger.Entry) -> ledger.Entry:
    return entry._replace(maker=old_entry.maker, from_template=old_entry.from_template)


def _owner_unread(
    snapshot: Snapshot, entry: ledger.Entry, container: model.Container | None
) -> str | None:
    """Why a managed link is not moved: its container could not be read, and may need it. None: it may be moved."""
    owner = snapshot.unread().get(entry.key) if entry.key else None
    if owner is None or (container is not None and container.key == owner.key):
        return None
    return (
        f"this link is of {owner.engine} container {owner.name}, which could not be read ({owner.unread}): "
        "use another name, or replace it with `force: true`"
    )


def _is_in_use(path_state: PathState) -> bool:
    """Whether a mount, a symbolic link, or a pin in another mount namespace is at the path."""
    return path_state.kind in (NETNS, SYMLINK) or path_state.holder is not None


def _entry(
    request: LinkRequest,
    path: str,
    container: model.Container | None,
    origin: Origin,
    file: int | None,
) -> ledger.Entry:
    pid, start_time = origin.pid or None, origin.start_time or None
    if container is None:
        return ledger.Entry(path, origin.netns, file, request.maker, pid=pid, start_time=start_time)
    return ledger.Entry(
        path,
        origin.netns,
        file,
        request.maker,
        engine=container.engine,
        source=container.source,
        container_id=container.id,
        container_name=container.name,
        pod=container.pod,
        labels=container.labels,
        pid=pid,
        start_time=start_time,
        # All links of the hook have names from its template, and need no mark.
        from_template=request.maker != HOOK and request.names is None,
    )


def _with_resolv_conf(
    request: LinkRequest, snapshot: Snapshot, step: Step, container: model.Container
) -> Step:
    lines = snapshot.dns_lines.get(container.key, ())
    if not lines:
        problem = snapshot.dns_problems.get(container.key)
        reason = "the container has no DNS servers, so no resolv.conf was written"
        if problem is not None:
            reason = f"the container's DNS servers could not be read, so no resolv.conf was written: {problem}"
        return step._replace(reason=reason)
    path = etc_netns.path_of(step.name)
    text = etc_netns.compose(lines, request.link_path(step.name), container)
    file = snapshot.resolv_conf_files.get(step.name)
    if file is not None and file.mark is None and not request.force:
        return step.conflict(
            f"{path} was not written by this collection: move it away, or replace it with `force: true`"
        )
    if file is not None and file.text == text:
        return step
    step = step._replace(resolv_conf=text, found_resolv_conf=file)
    if step.action == transitions.UNCHANGED:
        reason = f"the link is unchanged; {path} is written"
        step = step._replace(action=transitions.REPAIRED, reason=reason)
    return step
