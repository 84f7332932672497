# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A container ends and its PID is reused by another process, before each system call of a run."""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import os
import signal
import time
import typing as t

import pytest
from isolated_host import IsolatedHost, Progress, check, fork, inode, netns
from support import wait_a_clock_tick
from syscall_tracer import Call, Traced

from ansible_collections.linuxnet.netns.plugins.module_utils._core import model
from ansible_collections.linuxnet.netns.plugins.module_utils._core.kernel import libc
from ansible_collections.linuxnet.netns.plugins.module_utils._core.links import run

WEB = "a1" * 32
# A sample has one of so many calls.
STRIDE = 9
# Whether the engine has noticed, when it is asked again, that its container has ended; and where it has
# not, whether the inode number of the container's namespace is reused too.
NOTICED, UNNOTICED, SAME_INODE = "noticed", "unnoticed", "unnoticed, same inode"
# To have the inode number reused, ten milliseconds apart.
MAX_TRIES = 20
# Each takes a descriptor.
MAX_LOWER_NUMBERS = 500
CLONE_NEWUTS = 0x04000000
_libc = ctypes.CDLL(None, use_errno=True)


def run_or_refusal(host: IsolatedHost, request: dict[str, t.Any]) -> run.Result | str:
    """The result of a run, or why it was refused."""
    try:
        return host.run(**request)
    except model.NetnsError as error:
        return str(error)


class Race:
    """A run whose container's PID is reused while the run is stopped before a call."""

    def __init__(self, host: IsolatedHost, request: dict[str, t.Any], engine: str) -> None:
        self.same_inode = False
        self._host = host
        self._request = request
        self._engine = engine
        self._pid = host.process()
        host.container("web", self._pid, WEB)
        wait_a_clock_tick()

    def run(self, point: int) -> str | None:
        """Do the run. Returns the call before which the PID was reused, None if the run ended earlier.

        `has_read` is whether the run had asked the engine by then, or read the PID that it was given.
        """
        self.has_read = False
        call_name = None
        request = {**self._request}
        if "pid" in request:
            request["pid"] = self._pid
        with Traced(lambda: run_or_refusal(self._host, request)) as traced:
            for call in traced:
                if call.index == point:
                    self._reuse_pid()
                    call_name = call.name
                elif call_name is None and not self.has_read:
                    self.has_read = self._reads(call)
            assert traced.error is None, traced.error
        return call_name

    def _reads(self, call: Call) -> bool:
        if "pid" in self._request:
            return call.name == "openat" and call.text(1) == f"/proc/{self._pid}"
        return call.name == "connect"

    def _reuse_pid(self) -> None:
        before = netns(self._pid)
        self._host.end(self._pid)
        if self._engine == NOTICED:
            self._host.container("web", 0, WEB)
        fork(self._pid)
        if self._engine == SAME_INODE:
            self._have_inode(before)
        self.same_inode = netns(self._pid) == before

    def _have_inode(self, number: int) -> None:
        """Start the process again until its namespace has this inode number, if the number gets free."""
        # The kernel frees the number after some time, and not while the run has the namespace open. Then it has to be
        # the lowest that is free. So namespaces of another kind, which take one number each, take what is lower.
        left = MAX_LOWER_NUMBERS
        with contextlib.ExitStack() as kept:
            own = kept.enter_context(open("/proc/self/ns/uts", "rb"))
            kept.callback(libc.setns, own.fileno(), CLONE_NEWUTS)
            for _try in range(MAX_TRIES):
                if netns(self._pid) == number:
                    return
                self.end()
                lowest = 0
                while lowest < number and left:
                    assert _libc.unshare(CLONE_NEWUTS) == 0
                    lowest = inode("/proc/self/ns/uts")
                    if lowest < number:
                        left -= 1
                        kept.enter_context(open("/proc/self/ns/uts", "rb"))
                libc.setns(own.fileno(), CLONE_NEWUTS)
                if lowest != number:
                    time.sleep(0.01)
                fork(self._pid)

    @property
    def wrong(self) -> bool:
        """Whether a link leads to the namespace of the other process."""
        link = self._host.link("web")
        return link.exists() and inode(link) == netns(self._pid)

    def end(self) -> None:
        """End the other process."""
        os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)


@pytest.mark.parametrize(
    ("kind", "engine"),
    [
        *itertools.product(("all", "exact", "relink"), (NOTICED, UNNOTICED)),
        ("all", SAME_INODE),
        ("pid", UNNOTICED),
        ("pid", SAME_INODE),
    ],
)
def test_a_pid_that_another_process_has_taken_is_never_linked(
    host: IsolatedHost, full: bool, progress: Progress, kind: str, engine: str
) -> None:
    request = {
        "all": {"all": True},
        "exact": {"containers": ("web",)},
        "relink": {"all": True},
        "pid": {"pid": True, "names": ("web",)},
    }[kind]
    points = same_inode = 0
    for point in itertools.count(1, 1 if full else STRIDE):
        host.reset()
        if kind == "relink":
            host.container("web", host.process(), WEB)
            host.run(all=True)
        race = Race(host, request, engine)
        call = race.run(point)
        # Before the run has read it, the PID is that of the other process. An engine that has not noticed
        # the end is asked after it.
        allowed = not race.has_read and (kind == "pid" or engine != NOTICED)
        assert call is None or allowed or not race.wrong, f"before call {point}, {call}"
        if call is None:
            host.end_all()
            break
        race.end()
        host.end_all()
        host.containers.clear()
        host.update_engine()
        for again in ({"prune": True}, {"state": "absent", "all": True, "engines": None}):
            assert host.run(**again).failures == ()
        check(host, {}, {})
        points += 1
        same_inode += race.same_inode
        progress(f"{kind}, {engine}: reused before call {point}, {call}")
    progress(
        f"{kind}, {engine}: {points} of {points} points, {same_inode} with the same inode",
        always=True,
    )
    assert same_inode or engine != SAME_INODE
