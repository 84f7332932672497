# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What `netns-hook list` shows, with real namespaces and links."""

from __future__ import annotations

import functools
import json
import types
import typing as t

import pytest
from support import Daemon, ScratchHost

from ansible_collections.linuxnet.netns.plugins.module_utils._core.engines import verify
from ansible_collections.linuxnet.netns.plugins.module_utils._core.hook import command, config
from ansible_collections.linuxnet.netns.plugins.module_utils._core.links import ledger, run

WEB, DB = "ab" * 32, "cd" * 32


@pytest.fixture
def settings(
    scratch: ScratchHost, monkeypatch: pytest.MonkeyPatch
) -> t.Callable[..., config.Config]:
    """The settings of the hook on this host, which the test can change."""
    state = str(scratch.state)
    initial = config.Config(engines=("docker",), netns_dir=str(scratch.dir))
    host = types.SimpleNamespace(settings=initial)
    monkeypatch.setattr(config, "load", lambda _path: host.settings)
    run_here = functools.partial(run.run, state_dir=state)
    ledger_here = functools.partial(ledger.Ledger, state)
    monkeypatch.setattr(command, "run", types.SimpleNamespace(run=run_here))
    monkeypatch.setattr(command, "ledger", types.SimpleNamespace(Ledger=ledger_here))

    def change(**changes: t.Any) -> config.Config:
        changed = host.settings._replace(**changes)
        host.settings = changed
        return changed

    return change


def listed(capsys: pytest.CaptureFixture[str]) -> dict[str, tuple[str | None, str, str | None]]:
    capsys.readouterr()
    command.main(["--json", "list"], "test")
    rows = json.loads(capsys.readouterr().out)
    return {row["name"]: (row["maker"], row["action"], row["reason"]) for row in rows}


def test_the_hooks_own_links_while_their_engine_is_not_read(
    scratch: ScratchHost,
    daemon: Daemon,
    settings: t.Callable[..., config.Config],
    capsys: pytest.CaptureFixture[str],
) -> None:
    daemon.add("web", scratch.process(), WEB)
    daemon.add("db", scratch.process(), DB)
    scratch.act(pid=scratch.process(), names=("vpn",))
    scratch.act(containers=("db",), names=("database",))
    command.main(["sync"], "test")
    expected: dict[str, tuple[str | None, str, str | None]] = {
        "web": ("hook", "unchanged", None),
        "db": ("hook", "unchanged", None),
        "database": ("module", "ignored", None),
        "vpn": ("module", "ignored", None),
    }
    assert listed(capsys) == expected
    daemon.garbage = b"HTTP/1.1 500 Error\r\nContent-Length: 0\r\n\r\n"
    silent = ("hook", "skipped", "docker was not read")
    assert listed(capsys) == {**expected, "web": silent, "db": silent}


def test_a_link_of_another_name_whose_container_cannot_be_read(
    scratch: ScratchHost,
    daemon: Daemon,
    settings: t.Callable[..., config.Config],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    daemon.add("web", scratch.process(), WEB)
    # A process that is gone makes no daemon of another machine of this one.
    monkeypatch.setattr(verify, "is_elsewhere", lambda *_: False)
    settings(name_template="docker-{name}")
    command.main(["sync"], "test")
    daemon.containers[WEB]["pid"] = (1 << 22) - 1
    maker, action, reason = listed(capsys)["docker-web"]
    assert (maker, action) == ("hook", "skipped")
    assert "its namespace could not be read" in str(reason)
