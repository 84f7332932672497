# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs work that mostly waits, in a thread."""

from __future__ import annotations

import threading
import typing as t

_Result = t.TypeVar("_Result")
_Result_co = t.TypeVar("_Result_co", covariant=True)


class Late(Exception):
    """The work has not ended in time. Its thread goes on."""


class Wait(t.Protocol[_Result_co]):
    """Waits for the end of the work."""

    def __call__(self, timeout: float | None = None) -> _Result_co:
        """Wait at most `timeout` seconds if given. Returns the result, or raises the work's error, or Late."""


def start(work: t.Callable[[], _Result]) -> Wait[_Result]:
    """Start the work. Returns the function that waits for it."""
    results: list[_Result] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(work())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()

    def wait(timeout: float | None = None) -> _Result:
        thread.join(timeout)
        if thread.is_alive():
            raise Late
        if errors:
            raise errors[0]
        return results[0]

    return wait
