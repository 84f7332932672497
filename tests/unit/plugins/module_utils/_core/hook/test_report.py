# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is told of a run, and what not again."""

from __future__ import annotations

import pathlib
import typing as t

import pytest

from ansible_collections.linuxnet.netns.plugins.module_utils._core.hook import report, systemd
from ansible_collections.linuxnet.netns.plugins.module_utils._core.links.result import Result


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, str]]:
    lines: list[tuple[int, str]] = []
    monkeypatch.setattr(
        systemd, "log", lambda priority, message, **_fields: lines.append((priority, message))
    )
    return lines


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


def test_changes_are_told_and_the_rest_once(
    tmp_path: pathlib.Path, told: list[tuple[int, str]]
) -> None:
    reporter = report.Reporter(str(tmp_path))
    first = result(
        row("web", "created"),
        row("net", "skipped", "it is on the host's network"),
        row("db", "conflict", "a directory stands there"),
        row("old", "unchanged"),
        failures=("/run/netns/db: a directory stands there", "podman was not read"),
    )
    assert reporter.tell(first, "start", None)
    assert [priority for priority, _message in told] == [5, 6, 4, 4]
    assert told[0][1] == "web created, net:[7], docker container web (webwebwebweb) [start]"
    assert told[3][1] == "podman was not read"
    told.clear()
    # Again, and by the next process.
    for again in (reporter, report.Reporter(str(tmp_path))):
        assert not again.tell(result(*first.links[1:], failures=first.failures), "x", None)
        assert told == []
    # It is over, then it is news again.
    reporter.tell(result(first.links[1]), "x", None)
    assert told == [(6, "over: podman was not read")]
    told.clear()
    assert reporter.tell(first, "x", None)
    assert len(told) == 3


def test_a_run_for_some_says_nothing_of_others(
    tmp_path: pathlib.Path, told: list[tuple[int, str]]
) -> None:
    reporter = report.Reporter(str(tmp_path))
    skipped = [row("a", "skipped", "why"), row("b", "skipped", "why")]
    reporter.tell(result(*skipped), "x", None)
    told.clear()
    only = {"docker": frozenset("a")}
    reporter.tell(result(row("a", "created")), "x", only)
    reporter.tell(result(*skipped), "x", None)
    assert [message for _priority, message in told[1:]] == ["a is not linked: why [x]"]


def test_trouble_is_told_once(tmp_path: pathlib.Path, told: list[tuple[int, str]]) -> None:
    reporter = report.Reporter(str(tmp_path))
    reporter.trouble("no lock")
    reporter.trouble("no lock")
    reporter.tell(result(), "x", None)
    reporter.trouble("no lock")
    assert [message for _priority, message in told] == ["no lock", "over: no lock", "no lock"]


@pytest.mark.parametrize("text", ["", "{}", "[1, 2]", "[[], []", "null"])
def test_notes_that_cannot_be_read_are_none(text: str, tmp_path: pathlib.Path) -> None:
    (tmp_path / "hook-told").write_text(text, encoding="utf-8")
    report.Reporter(str(tmp_path))
