# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Waiting for work in a thread: its result, its error, and a time limit."""

from __future__ import annotations

import threading

import pytest

from ansible_collections.linuxnet.netns.plugins.module_utils._core import background


def fail() -> None:
    raise PermissionError("refused")


def test_results_and_errors() -> None:
    assert background.start(lambda: 7)() == 7
    with pytest.raises(PermissionError, match="refused"):
        background.start(fail)(5.0)


def test_work_that_does_not_end_in_time() -> None:
    event = threading.Event()
    wait = background.start(lambda: event.wait(20))
    with pytest.raises(background.Late):
        wait(0.05)
    event.set()
    assert wait(5.0)
