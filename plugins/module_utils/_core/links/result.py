# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run did, as `netns_link` returns it."""

from __future__ import annotations

import typing as t

from .. import model
from . import etc_netns, plan, snapshot, transitions
from .request import LinkRequest


class Result(t.NamedTuple):
    """`links` are those of its result; `failures` say why the run failed after them.

    `joined` are the ids of running containers that others were seen to share the namespace of.
    """

    changed: bool
    links: list[dict[str, t.Any]]
    diff: list[dict[str, str]]
    warnings: tuple[str, ...]
    failures: tuple[str, ...]
    joined: frozenset[str] = frozenset()


def of(request: LinkRequest, view: snapshot.Snapshot, todo: plan.Plan) -> Result:
    """What was made of the wish: the plan's steps, after they were carried out, if they were."""
    conflicts = [
        f"{request.link_path(step.name)}: {step.reason}"
        for step in todo.steps
        if step.action == transitions.CONFLICT
    ]
    return Result(
        changed=any(step.action in transitions.CHANGES for step in todo.steps),
        links=[_row(request, step) for step in todo.steps],
        diff=_diff(request, view, todo),
        warnings=todo.warnings,
        failures=(*conflicts, *todo.failures),
        joined=frozenset(
            container.joined
            for reading in view.readings
            for container in reading.containers
            if container.running and container.joined
        ),
    )


def _row(request: LinkRequest, step: plan.Step) -> dict[str, t.Any]:
    container = step.container
    netns = step.origin.netns if step.origin else step.path_state.netns
    pid = (container.pid if container else step.origin.pid if step.origin else 0) or None
    return {
        "name": step.name,
        "path": request.link_path(step.name),
        "netns": netns.inode if netns else None,
        "engine": container.engine if container else None,
        "container": {"id": container.id, "name": container.name} if container else None,
        "pod": container.pod._asdict() if container and container.pod else None,
        "pid": pid,
        "action": step.action,
        "reason": step.reason,
    }


def _diff(request: LinkRequest, view: snapshot.Snapshot, todo: plan.Plan) -> list[dict[str, str]]:
    """Before and after: a line for each link that changes, and each resolv.conf as its text."""
    before, after, files = [], [], []
    for step in todo.steps:
        if step.action not in transitions.CHANGES:
            continue
        if step.entry or step.path_state.kind != snapshot.NOTHING:
            before += _line(step.name, step.path_state.netns, step.path_state)
            if step.action != transitions.REMOVED:
                after += _line(step.name, step.origin.netns if step.origin else None)
        if step.resolv is not None or step.drop_resolv:
            path = etc_netns.path_of(step.name)
            file = view.resolv_files.get(step.name)
            files.append(
                {
                    "before_header": path,
                    "after_header": path,
                    "before": file.text if file else "",
                    "after": step.resolv or "",
                }
            )
    if before != after:
        files.insert(
            0,
            {
                "before_header": request.netns_dir,
                "after_header": request.netns_dir,
                "before": "".join(before),
                "after": "".join(after),
            },
        )
    return files


def _line(
    name: str, netns: model.NetnsId | None, path_state: snapshot.PathState | None = None
) -> list[str]:
    if netns is not None:
        return [f"{name} net:[{netns.inode}]\n"]
    return (
        [f"{name} ({path_state.words})\n"]
        if path_state and path_state.kind != snapshot.NOTHING
        else []
    )
