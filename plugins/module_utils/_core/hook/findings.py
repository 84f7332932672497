# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Logs the findings of the doctor: each once, and its end.

Those that were logged are stored beside the ledger, so that a restart does not log them again.
"""

from __future__ import annotations

import contextlib
import json
import os
import typing as t

from .. import untrusted
from ..links import ledger
from . import systemd
from .examination import Report

_NAME = "hook-findings"
_MAX_SIZE = 1 << 24


class FindingsReporter:
    """Writes findings to the journal, and remembers them by their check and message."""

    def __init__(self, state_dir: str = ledger.DIRECTORY) -> None:
        self._path = os.path.join(state_dir, _NAME)
        self._logged: dict[str, str] = {}
        with contextlib.suppress(untrusted.UnusableFileError, OSError, ValueError, TypeError):
            data, _status = untrusted.read_file(self._path, _MAX_SIZE)
            self._logged = dict(untrusted.parse_json(data))

    def log(self, report: Report) -> None:
        """Log what is new, and what has ended. What could not be looked for has not ended."""
        found = {f"{each['check']}: {each['message']}": each for each in report.findings}
        before = dict(self._logged)
        for text, finding in found.items():
            if text not in self._logged:
                self._logged[text] = finding["check"]
                _log_finding(text, finding)
        for text, check in before.items():
            if text not in found and check in report.checked and report.complete:
                del self._logged[text]
                systemd.log(systemd.INFO, f"resolved: {text}", check=check)
        if self._logged != before:
            self._save()

    def _save(self) -> None:
        new = f"{self._path}.new"
        with contextlib.suppress(OSError):
            with open(new, "w", encoding="utf-8") as stream:
                json.dump(self._logged, stream)
            os.replace(new, self._path)


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
