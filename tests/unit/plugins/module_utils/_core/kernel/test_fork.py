# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A child that cannot be started, one that may take long, and when it ends."""

from __future__ import annotations

import errno
import os
import time
import typing as t

import pytest

from ansible_collections.linuxnet.netns.plugins.module_utils._core.kernel import fork


@pytest.mark.parametrize("call", ["pipe", "fork"])
def test_a_child_that_cannot_be_started(monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    def fail() -> t.NoReturn:
        raise OSError(errno.EAGAIN, "Resource temporarily unavailable")

    before = os.listdir("/proc/self/fd")
    monkeypatch.setattr(os, call, fail)
    with pytest.raises(
        fork.ChildError, match=r"^could not be started: Resource temporarily unavailable$"
    ):
        list(fork.results(lambda: [1], 1.0))
    assert os.listdir("/proc/self/fd") == before


def test_a_child_may_take_longer_than_poll_can_wait() -> None:
    # 596 commands, one after the other, of an hour each.
    assert list(fork.results(lambda: [1, 2], 596 * 3605.0)) == [1, 2]


def is_running(pid: int) -> bool:
    with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stream:
        return stream.read().rpartition(")")[2].split()[0] not in "ZX"


def ends(pid: int) -> bool:
    """Whether a child that is not waited for ends by itself."""
    for _attempt in range(200):
        if not is_running(pid):
            return True
        time.sleep(0.01)
    return False


@pytest.mark.parametrize("stays", [False, True])
def test_a_child_stays_only_where_it_has_to(stays: bool) -> None:
    child = fork.start(lambda: [1], stays=stays)
    results = child.results(5.0)
    assert next(results) == 1
    if stays:
        time.sleep(0.1)
        assert is_running(child.pid)
        child.end()
    assert ends(child.pid)
    assert list(results) == []
    assert not os.path.exists(f"/proc/{child.pid}")
    # Its PID may be that of another process now.
    child.end()
