# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The notifications to systemd, and the entries in its journal."""

from __future__ import annotations

import os
import pathlib
import socket
import time
import typing as t

import pytest

from ansible_collections.linuxnet.netns.plugins.module_utils._core.hook import systemd


@pytest.fixture
def receiver(tmp_path: pathlib.Path) -> t.Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(str(tmp_path / "notify"))
        receiver.settimeout(5)
        yield receiver


@pytest.fixture(autouse=True)
def sender(monkeypatch: pytest.MonkeyPatch) -> t.Iterator[None]:
    monkeypatch.setattr(systemd, "_sender", None)
    yield
    if systemd._sender is not None:
        systemd._sender.close()


def test_notify(
    receiver: socket.socket, monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    systemd.notify(READY="1", STATUS="3 links")
    assert receiver.recv(1000) == b"READY=1\nSTATUS=3 links"
    # A missing or unsupported socket is not an error.
    for address in (str(tmp_path / "gone"), "", "vsock:1"):
        monkeypatch.setenv("NOTIFY_SOCKET", address)
        systemd.notify(READY="1")


def test_a_reload_has_the_time_at_which_it_begins(
    receiver: socket.socket, monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    before = time.monotonic()
    systemd.notify_reloading()
    reloading, monotonic = receiver.recv(1000).decode().splitlines()
    assert reloading == "RELOADING=1"
    name, _equals, microseconds = monotonic.partition("=")
    assert name == "MONOTONIC_USEC"
    assert before - 1e-5 <= int(microseconds) / 1e6 <= time.monotonic()


@pytest.mark.parametrize(
    ("usec", "pid", "seconds"),
    [
        ("300000000", None, 300.0),
        ("300000000", "own", 300.0),
        ("300000000", "1", None),
        ("", None, None),
        ("0", None, None),
        ("x", None, None),
    ],
)
def test_watchdog(
    monkeypatch: pytest.MonkeyPatch, usec: str, pid: str | None, seconds: float | None
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", usec)
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    if pid:
        monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()) if pid == "own" else pid)
    assert systemd.watchdog() == seconds


def test_journal(
    receiver: socket.socket, monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    monkeypatch.setenv("JOURNAL_STREAM", "8:1")
    monkeypatch.setattr(systemd, "_JOURNAL", str(tmp_path / "notify"))
    systemd.log(systemd.NOTICE, "web created", link="web", container=None, inode=7)
    assert receiver.recv(1000) == (
        b"MESSAGE=web created\nPRIORITY=5\nSYSLOG_IDENTIFIER=linuxnet-netns-hook\n"
        b"NETNS_LINK=web\nNETNS_INODE=7\n"
    )


def test_lines_without_a_journal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("JOURNAL_STREAM", raising=False)
    systemd.log(systemd.NOTICE, "web created", link="web")
    assert capsys.readouterr().err == "web created\n"


def test_a_value_cannot_add_fields() -> None:
    assert systemd.encode("NETNS_LINK", "a\nPRIORITY=0") == (
        b"NETNS_LINK\n\x0c\0\0\0\0\0\0\0a\nPRIORITY=0\n"
    )
