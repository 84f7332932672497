# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A child that cannot be started, and one that may take long."""

from __future__ import annotations

import errno
import os
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
