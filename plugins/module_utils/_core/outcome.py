# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run did, as `netns_link` returns it."""

from __future__ import annotations

import typing as t

from . import decide, model, plan, resolvconf, snapshot
from .wish import Wish


class Outcome(t.NamedTuple):
    """`links` are those of its result; `failures` say why the run failed after them.

    `joined` are the ids of running containers that others were seen to share the namespace of.
    """

    changed: bool
    links: list[dict[str, t.Any]]
    diff: list[dict[str, str]]
    warnings: tuple[str, ...]
    failures: tuple[str, ...]
    joined: frozenset[str] = frozenset()


def of(wish: Wish, view: snapshot.Snapshot, todo: plan.Plan) -> Outcome:
    """What was made of the wish: the plan's steps, after they were carried out, if they were."""
    conflicts = [
        f"{wish.link_path(step.name)}: {step.reason}"
        for step in todo.steps
        if step.action == decide.CONFLICT
    ]
    return Outcome(
        changed=any(step.action in decide.CHANGES for step in todo.steps),
        links=[_row(wish, step) for step in todo.steps],
        diff=_diff(wish, view, todo),
        warnings=todo.warnings,
        failures=(*conflicts, *todo.failures),
        joined=frozenset(
            container.joined
            for reading in view.readings
            for container in reading.containers
            if container.running and container.joined
        ),
    )


def _row(wish: Wish, step: plan.Step) -> dict[str, t.Any]:
    container = step.container
    netns = step.origin.netns if step.origin else step.stand.netns
    pid = (container.pid if container else step.origin.pid if step.origin else 0) or None
    return {
        "name": step.name,
        "path": wish.link_path(step.name),
        "netns": netns.inode if netns else None,
        "engine": container.engine if container else None,
        "container": {"id": container.id, "name": container.name} if container else None,
        "pod": container.pod._asdict() if container and container.pod else None,
        "pid": pid,
        "action": step.action,
        "reason": step.reason,
    }


def _diff(wish: Wish, view: snapshot.Snapshot, todo: plan.Plan) -> list[dict[str, str]]:
    """Before and after: a line for each link that changes, and each resolv.conf as its text."""
    before, after, files = [], [], []
    for step in todo.steps:
        if step.action not in decide.CHANGES:
            continue
        if step.entry or step.stand.kind != snapshot.NOTHING:
            before += _line(step.name, step.stand.netns, step.stand)
            if step.action != decide.REMOVED:
                after += _line(step.name, step.origin.netns if step.origin else None)
        if step.resolv is not None or step.drop_resolv:
            path = resolvconf.path_of(step.name)
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
                "before_header": wish.netns_dir,
                "after_header": wish.netns_dir,
                "before": "".join(before),
                "after": "".join(after),
            },
        )
    return files


def _line(name: str, netns: model.NetnsId | None, stand: snapshot.Stand | None = None) -> list[str]:
    if netns is not None:
        return [f"{name} net:[{netns.inode}]\n"]
    return [f"{name} ({stand.words})\n"] if stand and stand.kind != snapshot.NOTHING else []
