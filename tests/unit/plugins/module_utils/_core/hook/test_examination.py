# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The doctor's child: its report, and how it can fail."""

from __future__ import annotations

import errno
import json
import os
import signal
import time
import typing as t

import pytest

from ansible_collections.linuxnet.netns.plugins.module_utils._core import model
from ansible_collections.linuxnet.netns.plugins.module_utils._core.checks import doctor
from ansible_collections.linuxnet.netns.plugins.module_utils._core.hook import examination

REPORT = examination.Report([], ["mtu"], True)


@pytest.fixture
def run(tmp_path: t.Any) -> t.Iterator[examination.Examination]:
    run = examination.Examination(str(tmp_path), str(tmp_path))
    try:
        yield run
    finally:
        run.close()


def report_of(run: examination.Examination) -> examination.Report:
    while True:
        report = run.read()
        if report is not None:
            return report


def open_files() -> set[str]:
    return set(os.listdir("/proc/self/fd"))


def has_children() -> bool:
    try:
        os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return False
    return True


def test_the_report_of_a_run(run: examination.Examination, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(examination, "examine", lambda *_: REPORT)
    for _run in range(2):
        assert run.start()
        assert not run.start()
        assert report_of(run) == REPORT
        assert (run.fileno(), has_children()) == (-1, False)


def kill_itself(*_: object, **__: object) -> t.NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(60)
    raise AssertionError


def fail_with(error: BaseException) -> t.Callable[..., t.NoReturn]:
    def fail(*_: object, **__: object) -> t.NoReturn:
        raise error

    return fail


@pytest.mark.parametrize(
    ("work", "reason"),
    [
        (kill_itself, "was killed by signal 9"),
        (fail_with(SystemExit()), "exited before it was finished"),
        (fail_with(KeyError("web")), "failed: KeyError('web')"),
        (fail_with(model.NetnsError("no /proc")), "failed: no /proc"),
        (
            fail_with(OSError(errno.ENOSPC, "No space left on device")),
            "failed: [Errno 28] No space left on device",
        ),
    ],
)
def test_a_run_that_fails_has_a_reason(
    run: examination.Examination,
    monkeypatch: pytest.MonkeyPatch,
    work: t.Callable[..., t.NoReturn],
    reason: str,
) -> None:
    monkeypatch.setattr(doctor, "run", work)
    run.start()
    with pytest.raises(examination.FailedError) as failed:
        report_of(run)
    assert str(failed.value) == reason
    assert (run.fileno(), has_children()) == (-1, False)


def test_a_report_without_end_is_refused(
    run: examination.Examination, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(examination, "_MAX_SIZE", 1 << 12)
    monkeypatch.setattr(json, "dumps", lambda _value: "[" * (1 << 20))
    run.start()
    with pytest.raises(examination.FailedError, match="reported more than 4096 bytes"):
        report_of(run)
    assert not has_children()


def test_a_fork_that_fails_leaves_and_kills_nothing(
    run: examination.Examination, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed: list[int] = []
    monkeypatch.setattr(os, "kill", lambda pid, _signal: killed.append(pid))
    monkeypatch.setattr(examination, "examine", lambda *_: REPORT)
    before = open_files()
    error = OSError(errno.EAGAIN, "Resource temporarily unavailable")
    # Before any run, and after one.
    for _run in range(2):
        with monkeypatch.context() as patch:
            patch.setattr(os, "fork", fail_with(error))
            with pytest.raises(examination.FailedError, match="could not be started: Resource"):
                run.start()
        assert (run.fileno(), run.overdue) == (-1, False)
        run.close()
        assert (killed, open_files()) == ([], before)
        run.start()
        assert report_of(run) == REPORT
        killed.clear()
