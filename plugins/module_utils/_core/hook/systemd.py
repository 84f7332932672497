# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Notifications to systemd (sd_notify(3)), and entries in its journal (the native journal protocol)."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import time
import typing as t

from .. import texts

_JOURNAL = "/run/systemd/journal/socket"
IDENTIFIER = "linuxnet-netns-hook"
WARNING, NOTICE, INFO = 4, 5, 6


_sender: socket.socket | None = None


def _send(address: str, data: bytes) -> None:
    global _sender  # noqa: PLW0603 - one socket for the life of the process
    if _sender is None:
        _sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    _sender.sendto(data, address)


def notify(**states: str) -> None:
    """Send states to systemd, if the unit that runs this process has a notification socket."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    text = "\n".join(f"{name}={value}" for name, value in states.items())
    # The service works without a single notification. If all of them fail, systemd's watchdog acts.
    with contextlib.suppress(OSError):
        _send(address, text.encode("utf-8", "replace"))


def notify_reloading() -> None:
    """Report that a reload has begun. It has ended when the next message has `READY=1`."""
    # systemd ignores a report that is older than its request (Type=notify-reload).
    microseconds = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    notify(RELOADING="1", MONOTONIC_USEC=str(microseconds))


def watchdog() -> float | None:
    """The seconds within which systemd expects a sign of life; None without a watchdog."""
    text = os.environ.get("WATCHDOG_USEC", "")
    is_for_us = os.environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
    return int(text) / 1e6 if is_for_us and text.isdigit() and int(text) else None


def log(priority: int, message: str, **fields: t.Any) -> None:
    """Write one journal entry with fields of its own, or a line to standard error without a journal."""
    message = texts.printable(message)
    entry = {
        "MESSAGE": message,
        "PRIORITY": priority,
        "SYSLOG_IDENTIFIER": IDENTIFIER,
        **{f"NETNS_{name.upper()}": value for name, value in fields.items() if value is not None},
    }
    if "JOURNAL_STREAM" in os.environ:
        with contextlib.suppress(OSError):
            _send(_JOURNAL, b"".join(encode(name, str(value)) for name, value in entry.items()))
            return
    sys.stderr.write(f"{message}\n")
    sys.stderr.flush()


def encode(name: str, value: str) -> bytes:
    """A journal field; its length precedes a value that contains newlines."""
    data = value.encode("utf-8", "replace")
    if b"\n" in data:
        return b"%s\n%s%s\n" % (name.encode(), len(data).to_bytes(8, "little"), data)
    return b"%s=%s\n" % (name.encode(), data)
