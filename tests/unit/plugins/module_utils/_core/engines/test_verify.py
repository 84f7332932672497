# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the kernel shows of a PID that a daemon reports."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import typing as t

import pytest

from ansible_collections.linuxnet.netns.plugins.module_utils._core.engines import verify
from ansible_collections.linuxnet.netns.plugins.module_utils._core.kernel import procfs

WEB, OTHER = "c0ffee" * 10 + "beef", "d" * 64


@pytest.fixture
def process() -> t.Iterator[int]:
    """A process whose parent has the ID of a container among its arguments."""
    shim = "import subprocess, sys; subprocess.run([sys.executable, '-c', sys.argv[3]])"
    first = "import os, sys; print(os.getpid(), flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", shim, "-id", WEB, first],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as running:
        assert running.stdin is not None
        assert running.stdout is not None
        yield int(running.stdout.readline())
        running.stdin.close()


def time_after_start(pid: int, seconds: float) -> str:
    with procfs.opened(pid) as process:
        moment = procfs.since_epoch(procfs.start_time(process)) + seconds
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moment)) + f"{moment % 1:.6f}Z"[1:]


@pytest.mark.parametrize(
    ("container", "seconds", "result"),
    [
        # Its parent names it, whatever the clock shows.
        (WEB, 0, verify.CONFIRMED),
        (WEB, -9999, verify.CONFIRMED),
        # Nothing names it: it started when the container did, a moment before it, or at another time.
        (OTHER, 0, verify.POSSIBLE),
        (OTHER, 30, verify.POSSIBLE),
        (OTHER, -1, verify.POSSIBLE),
        (OTHER, -3, verify.REFUTED),
        (OTHER, 61, verify.REFUTED),
        (OTHER, 9999, verify.REFUTED),
    ],
)
def test_check(process: int, container: str, seconds: float, result: int) -> None:
    claim = verify.Claim(container, process, time_after_start(process, seconds))
    assert verify.check(claim) == result


@pytest.mark.parametrize("started", ["", "x", "0001-01-01T00:00:00Z", "2026-13-45T99:99:99Z"])
def test_a_time_that_cannot_be_compared(started: str) -> None:
    assert verify.check(verify.Claim(OTHER, os.getpid(), started)) == verify.REFUTED


def test_a_pid_that_no_process_has() -> None:
    assert verify.check(verify.Claim(WEB, 1 << 22, "")) == verify.GONE


def test_the_process_that_listens() -> None:
    """It counts where the kernel names no process of a container."""
    own = os.getpid()
    assert not verify.is_elsewhere(own, "dockerd", [])
    assert verify.is_elsewhere(own, "dockerd", [verify.REFUTED])
    with procfs.opened(own) as process:
        assert not verify.is_elsewhere(own, procfs.command(process), [verify.REFUTED])
    # The kernel has no PID for it here. One that ended shows nothing.
    assert verify.is_elsewhere(0, "dockerd", [])
    assert not verify.is_elsewhere(1 << 22, "dockerd", [])
