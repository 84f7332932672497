# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs work that mostly waits, in a thread."""

from __future__ import annotations

import threading
import typing as t

_Result = t.TypeVar("_Result")


def start(work: t.Callable[[], _Result]) -> t.Callable[[], _Result]:
    """Start the work. Returns a function that waits for its end and returns its result, or raises its error."""
    results: list[_Result] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(work())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()

    def wait() -> _Result:
        thread.join()
        if errors:
            raise errors[0]
        return results[0]

    return wait
