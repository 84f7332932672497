# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the hook logs of the findings of the doctor."""

from __future__ import annotations

import pathlib
import typing as t

import pytest

from ansible_collections.linuxnet.netns.plugins.module_utils._core.hook import findings
from ansible_collections.linuxnet.netns.plugins.module_utils._core.hook.examination import Report


def report(*names: str, checked: t.Sequence[str] = ("mtu",), complete: bool = True) -> Report:
    subject = {"inode": 7, "names": [], "path": None, "interface": "eth0", "containers": ["web"]}
    found = [
        {
            "check": "mtu",
            "severity": "note" if name == "minor" else "warning",
            "subject": subject,
            "message": name,
            "remedy": "set it",
        }
        for name in names
    ]
    return Report(found, list(checked), complete)


def test_a_finding_is_logged_once_and_its_end(
    tmp_path: pathlib.Path, logged: list[tuple[int, str]]
) -> None:
    reporter = findings.FindingsReporter(str(tmp_path))
    reporter.log(report("large", "minor"))
    assert logged == [(4, "mtu: large. set it"), (6, "mtu: minor. set it")]
    reporter.log(report("large", "minor"))
    # After a restart as well.
    reporter = findings.FindingsReporter(str(tmp_path))
    reporter.log(report("large"))
    assert logged[2:] == [(6, "resolved: mtu: minor")]


@pytest.mark.parametrize("unknown", [{"checked": ()}, {"complete": False}])
def test_what_could_not_be_looked_for_has_not_ended(
    tmp_path: pathlib.Path, logged: list[tuple[int, str]], unknown: dict[str, t.Any]
) -> None:
    reporter = findings.FindingsReporter(str(tmp_path))
    reporter.log(report("large"))
    reporter.log(report(**unknown))
    assert len(logged) == 1
    reporter.log(report())
    assert logged[1:] == [(6, "resolved: mtu: large")]


def test_a_run_that_failed_is_logged_once_and_its_end(
    tmp_path: pathlib.Path, logged: list[tuple[int, str]]
) -> None:
    reporter = findings.FindingsReporter(str(tmp_path))
    reporter.log(report("large"))
    reporter.log_failure("was killed by signal 9")
    # After a restart as well.
    reporter = findings.FindingsReporter(str(tmp_path))
    reporter.log_failure("was killed by signal 9")
    text = "no new findings: the doctor was killed by signal 9. It runs again at the next resync"
    assert [(priority, line[: len(text)]) for priority, line in logged[1:]] == [(4, text)]
    reporter.log_failure("did not answer for 300 s")
    assert len(logged) == 3
    # The finding is not new, and has not ended.
    reporter.log(report("large", checked=(), complete=False))
    (last,) = logged[3:]
    assert last == (6, f"resolved: {logged[2][1]}")


def test_a_file_that_is_not_valid_is_replaced(
    tmp_path: pathlib.Path, logged: list[tuple[int, str]]
) -> None:
    (tmp_path / "hook-findings").write_text("[1")
    findings.FindingsReporter(str(tmp_path)).log(report("large"))
    assert len(logged) == 1
    findings.FindingsReporter(str(tmp_path)).log(report("large"))
    assert len(logged) == 1
