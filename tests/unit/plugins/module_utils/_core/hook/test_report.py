# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the reporter logs of a run, and what it does not log again."""

from __future__ import annotations

import pathlib
import typing as t

import pytest

from ansible_collections.linuxnet.netns.plugins.module_utils._core.hook import report
from ansible_collections.linuxnet.netns.plugins.module_utils._core.links.result import Result


def row(name: str, action: str, reason: str | None = None) -> dict[str, t.Any]:
    return {
        "name": name,
        "path": f"/run/netns/{name}",
        "netns": 7,
        "engine": "docker",
        "container": {"id": name * 20, "name": name},
        "pod": None,
        "pid": None,
        "action": action,
        "reason": reason,
    }


def result(*rows: dict[str, t.Any], **more: t.Any) -> Result:
    values: dict[str, t.Any] = {"warnings": (), "failures": (), **more}
    return Result(changed=False, links=list(rows), diff=[], **values)


def test_changes_are_logged_and_problems_once(
    tmp_path: pathlib.Path, logged: list[tuple[int, str]]
) -> None:
    reporter = report.Reporter(str(tmp_path))
    first = result(
        row("web", "created"),
        row("net", "skipped", "it is on the host's network"),
        row("db", "conflict", "a directory is at this path"),
        row("old", "unchanged"),
        failures=("/run/netns/db: a directory is at this path", "podman was not read"),
    )
    assert reporter.log_result(first, "start", None)
    assert [priority for priority, _message in logged] == [5, 6, 4, 4]
    assert logged[0][1] == "web created, net:[7], docker container web (webwebwebweb) [start]"
    assert logged[3][1] == "podman was not read"
    logged.clear()
    # The same result again, in this process and in the next.
    for again in (reporter, report.Reporter(str(tmp_path))):
        assert not again.log_result(result(*first.links[1:], failures=first.failures), "x", None)
        assert logged == []
    # Problems that were resolved are new when they come back.
    reporter.log_result(result(first.links[1]), "x", None)
    assert logged == [(6, "resolved: podman was not read")]
    logged.clear()
    assert reporter.log_result(first, "x", None)
    assert len(logged) == 3


def test_a_run_over_some_containers_keeps_the_problems_of_others(
    tmp_path: pathlib.Path, logged: list[tuple[int, str]]
) -> None:
    reporter = report.Reporter(str(tmp_path))
    skipped = [row("a", "skipped", "why"), row("b", "skipped", "why")]
    reporter.log_result(result(*skipped), "x", None)
    logged.clear()
    only = {"docker": frozenset("a")}
    reporter.log_result(result(row("a", "created")), "x", only)
    reporter.log_result(result(*skipped), "x", None)
    assert [message for _priority, message in logged[1:]] == ["a is not linked: why [x]"]


def test_a_failed_run_is_logged_once(tmp_path: pathlib.Path, logged: list[tuple[int, str]]) -> None:
    reporter = report.Reporter(str(tmp_path))
    reporter.log_failed_run("no lock")
    # The same failure again, in this process and in the next, as each oneshot is.
    reporter.log_failed_run("no lock")
    reporter = report.Reporter(str(tmp_path))
    reporter.log_failed_run("no lock")
    reporter.log_result(result(), "x", None)
    reporter.log_failed_run("no lock")
    assert [message for _priority, message in logged] == ["no lock", "resolved: no lock", "no lock"]


@pytest.mark.parametrize("text", ["", "{}", "[1, 2]", "[[], []", "null"])
def test_an_invalid_file_is_ignored(text: str, tmp_path: pathlib.Path) -> None:
    (tmp_path / "hook-reported").write_text(text, encoding="utf-8")
    report.Reporter(str(tmp_path))
