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

from .. import model, untrusted
from ..checks.request import DoctorRequest
from ..engines import registry
from ..kernel import fork
from ..links import ledger
from ..named_tuple import NamedTuple

# Engines may take their time, and the doctor looks twice.
_MAX_SECONDS = 300.0
_READ_SIZE = 1 << 16
_MAX_SIZE = 1 << 24
OVERDUE = f"did not answer for {_MAX_SECONDS:.0f} s"


class FailedError(model.NetnsError):
    """A run without a report. The message continues a sentence: "was killed by …"."""


class Report(NamedTuple):
    """The findings of a run, the checks that ran, and whether all engines could be read in full."""

    findings: list[dict[str, t.Any]]
    checked: list[str]
    complete: bool


def examine(
    netns_dir: str, state_dir: str = ledger.DIRECTORY, sources: tuple[str, ...] = ()
) -> Report:
    """One run of the doctor, which repairs nothing. Raises FailedError."""
    request = DoctorRequest(netns_dir=netns_dir, sources=sources)
    try:
        from ..checks import doctor  # noqa: PLC0415 - only where it is asked for

        result = doctor.run(request, state_dir=state_dir)
    except (model.NetnsError, OSError) as error:
        raise FailedError(f"failed: {error}") from None
    except Exception as error:
        # Links do not end with a fault of the doctor.
        raise FailedError(f"failed: {error!r}") from error
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
        """Start a run, unless one is under way. Returns whether there is a new descriptor.

        Raises FailedError where the kernel gives no process or pipe.
        """
        if self._reader >= 0:
            return False
        try:
            child, reader, writer = fork.with_pipe()
        except fork.ChildError as error:
            raise FailedError(str(error)) from None
        if child == 0:
            try:
                os.close(reader)
                self._work(writer)
            finally:
                os._exit(0)
        os.close(writer)
        self._child, self._reader = child, reader
        self._data, self._started = b"", time.monotonic()
        return True

    def _work(self, writer: int) -> None:
        # The signals of the service are its own.
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        message: Report | str
        try:
            message = examine(*self._arguments)
        except FailedError as error:
            message = str(error)
        data = json.dumps(message).encode()
        while data:
            data = data[os.write(writer, data) :]

    @property
    def overdue(self) -> bool:
        """Whether a run takes so long that it hangs."""
        return self._reader >= 0 and time.monotonic() - self._started > _MAX_SECONDS

    def read(self) -> Report | None:
        """Read what has arrived. At the end, forget the child and return its report.

        Raises FailedError where there is none.
        """
        part = os.read(self._reader, _READ_SIZE)
        self._data += part
        if part and len(self._data) <= _MAX_SIZE:
            return None
        data = self._data
        # A child that has closed the pipe has its status already, and cannot get another.
        status = self.close()
        if part:
            raise FailedError(f"reported more than {_MAX_SIZE} bytes")
        try:
            message = untrusted.parse_json(data)
        except ValueError:
            raise FailedError(fork.describe(status)) from None
        if isinstance(message, str):
            raise FailedError(message)
        return Report(*message)

    def close(self) -> int:
        """End the child, if there is one. Returns its wait status."""
        if self._reader < 0:
            return 0
        os.close(self._reader)
        child, self._child, self._reader = self._child, 0, -1
        return fork.kill(child)
