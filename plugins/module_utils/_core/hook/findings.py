# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Logs the findings of the doctor, and why it has none: each once, and its end."""

from __future__ import annotations

import contextlib
import typing as t

from ..links import ledger
from ..links.memory import Memory
from . import systemd
from .examination import Report

_NAME = "hook-findings"


class FindingsReporter:
    """Writes findings to the journal, and remembers them by their check and message.

    What it remembers of a run that failed is a text without a check.
    """

    def __init__(self, state_dir: str = ledger.DIRECTORY) -> None:
        self._memory = Memory(state_dir, _NAME)
        self._logged: dict[str, str] = {}
        with contextlib.suppress(ValueError, TypeError):
            self._logged = dict(self._memory.load())

    def log(self, report: Report) -> None:
        """Log what is new, and what has ended. What could not be looked for has not ended."""
        found = {f"{each['check']}: {each['message']}": each for each in report.findings}
        before = dict(self._logged)
        for text, finding in found.items():
            if text not in self._logged:
                self._logged[text] = finding["check"]
                _log_finding(text, finding)
        for text, check in before.items():
            was_looked_for = not check or (check in report.checked and report.complete)
            if text not in found and was_looked_for:
                del self._logged[text]
                systemd.log(systemd.INFO, f"resolved: {text}", check=check or None)
        if self._logged != before:
            self._memory.save(self._logged)

    def log_failure(self, reason: str) -> None:
        """Log why a run has no report, unless that is logged already. All findings stay as they are."""
        text = (
            f"no new findings: the doctor {reason}. It runs again at the next resync, and "
            "`netns-hook doctor` runs it now"
        )
        if text not in self._logged:
            systemd.log(systemd.WARNING, text)
            self._logged = {known: check for known, check in self._logged.items() if check}
            self._logged[text] = ""
            self._memory.save(self._logged)


def _log_finding(text: str, finding: t.Mapping[str, t.Any]) -> None:
    subject = finding["subject"]
    systemd.log(
        systemd.INFO if finding["severity"] == "note" else systemd.WARNING,
        f"{text}. {finding['remedy']}",
        check=finding["check"],
        severity=finding["severity"],
        inode=subject["inode"],
        link=subject["path"],
        interface=subject["interface"],
        container=", ".join(subject["containers"]) or None,
    )
