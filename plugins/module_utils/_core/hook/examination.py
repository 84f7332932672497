# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs the doctor beside the service: in a forked child, which takes its modules and its memory with it.

The service goes on with its work, and waits for the pipe as it does for its streams.
"""

from __future__ import annotations

import json
import os
import signal
import time
import typing as t

from .. import untrusted
from ..checks.request import DoctorRequest
from ..engines import registry
from ..links import ledger

# Engines may take their time, and the doctor looks twice.
_MAX_SECONDS = 300.0
_READ_SIZE = 1 << 16
_MAX_SIZE = 1 << 24


class Report(t.NamedTuple):
    """The findings of a run, the checks that ran, and whether all engines could be read in full."""

    findings: list[dict[str, t.Any]]
    checked: list[str]
    complete: bool


def examine(
    netns_dir: str, state_dir: str = ledger.DIRECTORY, sources: tuple[str, ...] = ()
) -> Report:
    """One run of the doctor, which repairs nothing."""
    from ..checks import doctor  # noqa: PLC0415 - only where it is asked for

    result = doctor.run(DoctorRequest(netns_dir=netns_dir, sources=sources), state_dir=state_dir)
    unread = {each["source"] for each in result.incomplete}
    return Report(result.findings, result.checked, unread.isdisjoint(registry.NAMES))


class Examination:
    """A run in a child; one at a time."""

    def __init__(self, netns_dir: str, state_dir: str, sources: tuple[str, ...] = ()) -> None:
        self._arguments = (netns_dir, state_dir, sources)
        self._child = 0
        self._reader = -1
        self._data = b""
        self._started = 0.0

    def fileno(self) -> int:
        """The descriptor to wait for, -1 while nothing runs."""
        return self._reader

    def start(self) -> bool:
        """Start a run, unless one is under way. Returns whether there is a new descriptor."""
        if self._reader >= 0:
            return False
        self._reader, writer = os.pipe()
        self._data, self._started = b"", time.monotonic()
        self._child = os.fork()
        if self._child == 0:
            try:
                os.close(self._reader)
                self._work(writer)
            finally:
                os._exit(0)
        os.close(writer)
        return True

    def _work(self, writer: int) -> None:
        # The signals of the service are its own.
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        data = json.dumps(examine(*self._arguments)).encode()
        while data:
            data = data[os.write(writer, data) :]

    @property
    def overdue(self) -> bool:
        """Whether a run takes so long that it hangs."""
        return self._reader >= 0 and time.monotonic() - self._started > _MAX_SECONDS

    def read(self) -> Report | None:
        """Read what has arrived. At the end, forget the child and return its report, None where it failed."""
        part = os.read(self._reader, _READ_SIZE)
        self._data += part
        if part and len(self._data) <= _MAX_SIZE:
            return None
        data = self._data
        self.close()
        try:
            return Report(*untrusted.parse_json(data))
        except (ValueError, TypeError):
            return None

    def close(self) -> None:
        """End the child, if there is one."""
        if self._reader >= 0:
            os.close(self._reader)
            self._reader = -1
            os.kill(self._child, signal.SIGKILL)
            os.waitpid(self._child, 0)
