# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Logs the results of runs: each change, and each problem only when it is new."""

from __future__ import annotations

import contextlib
import typing as t

from ..links import ledger, transitions
from ..links.memory import Memory
from ..links.result import Result
from . import systemd

_NAME = "hook-reported"


class Reporter:
    """Writes results to the journal, and remembers the problems in them."""

    def __init__(self, state_dir: str = ledger.DIRECTORY) -> None:
        self._memory = Memory(state_dir, _NAME)
        # By container and link: why it is skipped or in conflict.
        self._refusals: dict[str, str] = {}
        # Texts about whole runs and engines; the values are not used.
        self._problems: dict[str, None] = {}
        self._load()

    def log_result(
        self, result: Result, cause: str, only: t.Mapping[str, frozenset[str] | None] | None
    ) -> bool:
        """Log what is new in a result. Returns whether that includes a conflict.

        `cause` is what started the run. `only` is what the run was narrowed to, as in its request.
        """
        before = (dict(self._refusals), dict(self._problems))
        refusals: dict[str, str] = {}
        for row in result.links:
            if row["action"] in transitions.CHANGES:
                _log_change(row, cause)
            elif row["action"] in (transitions.SKIPPED, transitions.CONFLICT):
                refusals[_key(row)] = f"{row['action']}: {row['reason']}"
        new_conflict = False
        for row in result.links:
            key = _key(row)
            if key in refusals and self._refusals.get(key) != refusals[key]:
                is_conflict = row["action"] == transitions.CONFLICT
                new_conflict = new_conflict or is_conflict
                priority = systemd.WARNING if is_conflict else systemd.INFO
                _log_row(row, priority, f"{row['name']} is not linked: {row['reason']}", cause)
        if only is None:
            self._refusals = refusals
            self._log_problems(_general_problems(result))
        else:
            keys = {_key(row) for row in result.links}
            others = {key: text for key, text in self._refusals.items() if key not in keys}
            self._refusals = {**others, **refusals}
        if (self._refusals, self._problems) != before:
            self._save()
        return new_conflict

    def log_failed_run(self, text: str) -> None:
        """Log why a whole run failed, unless that is logged already."""
        if text not in self._problems:
            systemd.log(systemd.WARNING, text)
            self._problems[text] = None
            self._save()

    def _log_problems(self, texts: t.Iterable[str]) -> None:
        problems = dict.fromkeys(texts)
        for text in problems:
            if text not in self._problems:
                systemd.log(systemd.WARNING, text)
        for text in self._problems:
            if text not in problems:
                systemd.log(systemd.INFO, f"resolved: {text}")
        self._problems = problems

    def _save(self) -> None:
        self._memory.save([self._refusals, list(self._problems)])

    def _load(self) -> None:
        with contextlib.suppress(ValueError, TypeError):
            refusals, problems = self._memory.load()
            self._refusals, self._problems = dict(refusals), dict.fromkeys(problems)


def _general_problems(result: Result) -> list[str]:
    """Warnings and failures, without the conflicts, which are logged link by link."""
    conflicts = {
        f"{row['path']}: {row['reason']}"
        for row in result.links
        if row["action"] == transitions.CONFLICT
    }
    texts = [*result.warnings, *result.failures]
    return [text for text in texts if text not in conflicts]


def _key(row: t.Mapping[str, t.Any]) -> str:
    container = row["container"]
    return f"{row['name']}\n{row['engine']}\n{container['id'] if container else ''}"


def _log_change(row: t.Mapping[str, t.Any], cause: str) -> None:
    owner = ""
    if row["container"]:
        container = row["container"]
        owner = f", {row['engine']} container {container['name']} ({container['id'][:12]})"
    reason = f": {row['reason']}" if row["reason"] else ""
    message = f"{row['name']} {row['action']}, net:[{row['netns']}]{owner}{reason}"
    _log_row(row, systemd.NOTICE, message, cause)


def _log_row(row: t.Mapping[str, t.Any], priority: int, message: str, cause: str) -> None:
    container = row["container"] or {}
    systemd.log(
        priority,
        f"{message} [{cause}]",
        link=row["name"],
        action=row["action"],
        inode=row["netns"],
        engine=row["engine"],
        container=container.get("name"),
        container_id=container.get("id"),
        reason=row["reason"],
        why=cause,
    )
