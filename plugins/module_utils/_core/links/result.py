# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The result of a run, as `netns_link` returns it."""

from __future__ import annotations

import typing as t

from .. import model
from ..named_tuple import NamedTuple
from . import etc_netns, netns_dir, transitions
from .request import LinkRequest
from .snapshot import Snapshot
from .step import Plan, Step, StepResult


class Result(NamedTuple):
    """`links` are those of the module's result; `failures` are why the run failed after them.

    `joined` are the ids of containers that share their namespace with running containers that joined it.
    """

    changed: bool
    links: list[dict[str, t.Any]]
    diff: list[dict[str, str]]
    warnings: tuple[str, ...]
    failures: tuple[str, ...]
    joined: frozenset[str] = frozenset()


def of(
    request: LinkRequest, snapshot: Snapshot, plan: Plan, results: t.Sequence[StepResult]
) -> Result:
    """The result of a plan whose steps had these results, or would have them in check mode."""
    conflicts = [
        f"{request.link_path(step.name)}: {result.reason}"
        for step, result in zip(plan.steps, results)
        if result.action == transitions.CONFLICT or result.failed
    ]
    return Result(
        changed=any(result.action in transitions.CHANGES for result in results),
        links=[_row(request, step, result) for step, result in zip(plan.steps, results)],
        diff=_diff(
            request,
            snapshot,
            [
                step
                for step, result in zip(plan.steps, results)
                if result.action in transitions.CHANGES
            ],
        ),
        warnings=plan.warnings,
        failures=(*conflicts, *plan.failures),
        joined=frozenset(
            container.joined
            for container in snapshot.containers()
            if container.running and container.joined
        ),
    )


def _row(request: LinkRequest, step: Step, result: StepResult) -> dict[str, t.Any]:
    container = step.container
    netns = step.origin.netns if step.origin else step.path_state.netns
    inode = netns.inode if netns else None
    pid = (container.pid if container else step.origin.pid if step.origin else 0) or None
    return {
        "name": step.name,
        "path": request.link_path(step.name),
        "inode": inode,
        # As `inode` was called at first.
        "netns": inode,
        "engine": container.engine if container else None,
        "container": {"id": container.id, "name": container.name} if container else None,
        "pod": container.pod._asdict() if container and container.pod else None,
        "pid": pid,
        "action": result.action,
        "reason": result.reason,
    }


def _diff(
    request: LinkRequest, snapshot: Snapshot, changed: t.Iterable[Step]
) -> list[dict[str, str]]:
    """Before and after: a line for each link that changes, and each resolv.conf as its text."""
    before, after, files = [], [], []
    for step in changed:
        if step.entry or step.path_state.kind != netns_dir.NOTHING:
            before += _line(step.name, step.path_state.netns, step.path_state)
            if step.action != transitions.REMOVED:
                after += _line(step.name, step.origin.netns if step.origin else None)
        if step.resolv_conf is not None or step.remove_resolv_conf:
            path = etc_netns.path_of(step.name)
            file = snapshot.resolv_conf_files.get(step.name)
            files.append(
                {
                    "before_header": path,
                    "after_header": path,
                    "before": file.text if file else "",
                    "after": step.resolv_conf or "",
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
    name: str, netns: model.NetnsId | None, path_state: netns_dir.PathState = netns_dir.VACANT
) -> list[str]:
    if netns is not None:
        return [f"{name} net:[{netns.inode}]\n"]
    if path_state.kind == netns_dir.NOTHING:
        return []
    return [f"{name} ({path_state.description})\n"]
