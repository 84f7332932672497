# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The signals to the service: SIGHUP reloads the settings, SIGTERM and SIGINT stop it.

The handlers are set once for the life of the process. Without a handler, a SIGHUP would end the process, so
there must be no moment without one, such as between two loops of the service.
"""

from __future__ import annotations

import contextlib
import signal
import socket
import typing as t

_READ_SIZE = 4096


class Signals:
    """The signals that have arrived. Waiting for `fileno` to be readable waits for the next one."""

    def __init__(self) -> None:
        self.stop = False
        # A count, as a handler may run between any two operations.
        self._reloads = self._taken_reloads = 0
        self._receiver, self._sender = socket.socketpair()
        for end in (self._receiver, self._sender):
            end.setblocking(False)
        # The handlers keep the signals. The bytes only wake the loop, so none is needed where the buffer is
        # full of others.
        signal.set_wakeup_fd(self._sender.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGHUP, self._on_reload)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_stop)

    def _on_reload(self, _number: int, _frame: object) -> None:
        self._reloads += 1

    def _on_stop(self, _number: int, _frame: object) -> None:
        self.stop = True

    def fileno(self) -> int:
        """The descriptor to wait for."""
        return self._receiver.fileno()

    def drain(self) -> None:
        """Make `fileno` unreadable until the next signal."""
        with contextlib.suppress(BlockingIOError):
            while self._receiver.recv(_READ_SIZE):
                pass

    def take_reload(self) -> bool:
        """Whether a reload was requested since the last call."""
        reloads = self._reloads
        is_requested = reloads != self._taken_reloads
        self._taken_reloads = reloads
        return is_requested

    def __enter__(self) -> Signals:
        return self

    def __exit__(self, *_exception: t.Any) -> None:
        # The handlers stay: a signal at the end of the process must not kill it.
        signal.set_wakeup_fd(-1)
        self._receiver.close()
        self._sender.close()
