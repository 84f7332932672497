# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Processes that may not be read, as under a security module: they are left out, and are not gone."""

from __future__ import annotations

import errno
import os
import typing as t

import pytest

from ansible_collections.linuxnet.netns.plugins.module_utils._core import model
from ansible_collections.linuxnet.netns.plugins.module_utils._core.facts import details, owners
from ansible_collections.linuxnet.netns.plugins.module_utils._core.kernel import procfs
from ansible_collections.linuxnet.netns.plugins.module_utils._core.links import ledger

OWN = os.getpid()
REFUSED = PermissionError(errno.EACCES, os.strerror(errno.EACCES))
GONE = model.GoneError("the process ended")


@pytest.mark.parametrize(
    ("error", "start_times"), [(None, {OWN: 7}), (REFUSED, {OWN: None}), (GONE, {})]
)
def test_processes_that_cannot_be_read(
    monkeypatch: pytest.MonkeyPatch, error: Exception | None, start_times: dict[int, int | None]
) -> None:
    def read(_process: int) -> t.Any:
        if error:
            raise error
        return 7

    before = os.listdir("/proc/self/fd")
    assert details._read_processes([OWN], read) == ({} if error else {OWN: 7})
    monkeypatch.setattr(procfs, "start_time", read)
    entry = ledger.Entry("/run/netns/web", model.NetnsId(4, 9), 12, "module", pid=OWN, start_time=7)
    assert owners.start_times({entry.path: entry}) == start_times
    assert os.listdir("/proc/self/fd") == before
