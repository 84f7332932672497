# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What was done goes to the journal, and what cannot be linked only when it is news.

What was told is kept beside the ledger, for the next oneshot or service.
"""

from __future__ import annotations

import contextlib
import json
import os
import typing as t

from .. import untrusted
from ..links import ledger, transitions
from ..links.result import Result
from . import systemd

_NAME = "hook-told"
_MAX_SIZE = 1 << 24


class Reporter:
    """Knows what it has said."""

    def __init__(self, state_dir: str = ledger.DIRECTORY) -> None:
        self._path = os.path.join(state_dir, _NAME)
        self._told: dict[str, str] = {}
        self._general: dict[str, str] = {}
        self._load()

    def tell(
        self, result: Result, why: str, only: t.Mapping[str, frozenset[str] | None] | None
    ) -> bool:
        """Tell the journal. Returns whether there is a conflict that was not known."""
        before = (dict(self._told), dict(self._general))
        refused: dict[str, str] = {}
        for row in result.links:
            if row["action"] in transitions.CHANGES:
                _tell_change(row, why)
            elif row["action"] in (transitions.SKIPPED, transitions.CONFLICT):
                refused[_key(row)] = f"{row['action']}: {row['reason']}"
        news = False
        for row in result.links:
            key = _key(row)
            if key in refused and self._told.get(key) != refused[key]:
                conflict = row["action"] == transitions.CONFLICT
                news = news or conflict
                priority = systemd.WARNING if conflict else systemd.INFO
                _tell(row, priority, f"{row['name']} is not linked: {row['reason']}", why)
        if only is None:
            self._told = refused
            # Conflicts were told, link by link.
            self._tell_general(dict.fromkeys(_others(result), "failure"))
        else:
            seen = {_key(row) for row in result.links}
            self._told = {
                **{key: text for key, text in self._told.items() if key not in seen},
                **refused,
            }
        if (self._told, self._general) != before:
            self._save()
        return news

    def trouble(self, text: str) -> None:
        """Tell what kept a whole run from being done, once."""
        if text not in self._general:
            systemd.log(systemd.WARNING, text)
            self._general[text] = "trouble"

    def _tell_general(self, now: dict[str, str]) -> None:
        for text in now:
            if text not in self._general:
                systemd.log(systemd.WARNING, text)
        for text in self._general:
            if text not in now:
                systemd.log(systemd.INFO, f"over: {text}")
        self._general = now

    def _load(self) -> None:
        with contextlib.suppress(untrusted.UnusableFileError, OSError, ValueError, TypeError):
            told, general = untrusted.parse_json(untrusted.read_file(self._path, _MAX_SIZE)[0])
            self._told, self._general = dict(told), dict(general)

    def _save(self) -> None:
        new = f"{self._path}.new"
        with contextlib.suppress(OSError):
            with open(new, "w", encoding="utf-8") as stream:
                json.dump([self._told, self._general], stream)
            os.replace(new, self._path)


def _others(result: Result) -> list[str]:
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


def _tell_change(row: t.Mapping[str, t.Any], why: str) -> None:
    whose = ""
    if row["container"]:
        container = row["container"]
        whose = f", {row['engine']} container {container['name']} ({container['id'][:12]})"
    reason = f": {row['reason']}" if row["reason"] else ""
    message = f"{row['name']} {row['action']}, net:[{row['netns']}]{whose}{reason}"
    _tell(row, systemd.NOTICE, message, why)


def _tell(row: t.Mapping[str, t.Any], priority: int, message: str, why: str) -> None:
    container = row["container"] or {}
    systemd.log(
        priority,
        f"{message} [{why}]",
        link=row["name"],
        action=row["action"],
        inode=row["netns"],
        engine=row["engine"],
        container=container.get("name"),
        container_id=container.get("id"),
        reason=row["reason"],
        why=why,
    )
