# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A container ends and its very PID goes to a stranger, before each system call of a run."""

from __future__ import annotations

import itertools
import os
import signal
import time
import typing as t

import pytest
from tracer import Call, Traced
from world import Progress, World, check, fork, inode, netns, patience_of_a_tick

from ansible_collections.linuxnet.netns.plugins.module_utils._core import model
from ansible_collections.linuxnet.netns.plugins.module_utils._core.links import run

WEB = "a1" * 32
# In a sample, every how manieth call.
STRIDE = 9
# Whether the engine knows, when it is asked again, that its container has ended; and where it does not,
# whether the stranger's namespace is to have the number that the container's had.
NOTICED, UNNOTICED, ALIKE = "noticed", "unnoticed", "unnoticed and alike"
# How often, ten milliseconds apart.
TRIES = 20


def result(world: World, request: dict[str, t.Any]) -> run.Result | str:
    """What a run came to; a refusal is no error."""
    try:
        return world.run(**request)
    except model.NetnsError as error:
        return str(error)


class Race:
    """A run whose container's PID is taken while it is stopped before a call."""

    def __init__(self, world: World, request: dict[str, t.Any], engine: str) -> None:
        self.alike = False
        self._world = world
        self._request = request
        self._engine = engine
        self._pid = world.process()
        world.container("web", self._pid, WEB)
        patience_of_a_tick()

    def run(self, point: int) -> str | None:
        """The call before which it happened, None if the run ended earlier.

        `looked` tells whether the run had asked the engine by then, or looked at the PID it was given.
        """
        self.looked = False
        happened = None
        request = {**self._request}
        if "pid" in request:
            request["pid"] = self._pid
        with Traced(lambda: result(self._world, request)) as traced:
            for call in traced:
                if call.index == point:
                    self._swap()
                    happened = call.name
                elif happened is None and not self.looked:
                    self.looked = self._looks(call)
            assert traced.error is None, traced.error
        return happened

    def _looks(self, call: Call) -> bool:
        if "pid" in self._request:
            return call.name == "openat" and call.text(1) == f"/proc/{self._pid}"
        return call.name == "connect"

    def _swap(self) -> None:
        before = netns(self._pid)
        self._world.end(self._pid)
        if self._engine == NOTICED:
            self._world.container("web", 0, WEB)
        fork(self._pid)
        tries = TRIES if self._engine == ALIKE else 0
        while tries and netns(self._pid) != before:
            # It takes the kernel some time to give the number back, and it cannot while the run has
            # the namespace open.
            self.end()
            time.sleep(0.01)
            fork(self._pid)
            tries -= 1
        self.alike = netns(self._pid) == before

    @property
    def wrong(self) -> bool:
        """Whether a link leads to the stranger's namespace."""
        link = self._world.link("web")
        return link.exists() and inode(link) == netns(self._pid)

    def end(self) -> None:
        """End the stranger."""
        os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)


@pytest.mark.parametrize(
    ("kind", "engine"),
    [
        *itertools.product(("all", "exact", "relink"), (NOTICED, UNNOTICED)),
        ("all", ALIKE),
        ("pid", UNNOTICED),
        ("pid", ALIKE),
    ],
)
def test_a_pid_that_a_stranger_has_taken_is_never_linked(
    world: World, full: bool, progress: Progress, kind: str, engine: str
) -> None:
    request = {
        "all": {"all": True},
        "exact": {"containers": ("web",)},
        "relink": {"all": True},
        "pid": {"pid": True, "names": ("web",)},
    }[kind]
    right = alike = 0
    for point in itertools.count(1, 1 if full else STRIDE):
        world.fresh()
        if kind == "relink":
            world.container("web", world.process(), WEB)
            world.run(all=True)
        race = Race(world, request, engine)
        call = race.run(point)
        # Before it was looked at, a PID means who has it. An engine that learns late of an end is the
        # one that is asked after it.
        allowed = not race.looked and (kind == "pid" or engine != NOTICED)
        assert call is None or allowed or not race.wrong, f"before call {point}, {call}"
        if call is None:
            world.end_all()
            break
        race.end()
        world.end_all()
        world.containers.clear()
        world.tell()
        for again in ({"prune": True}, {"state": "absent", "all": True, "engines": None}):
            assert world.run(**again).failures == ()
        check(world, {}, {})
        right += 1
        alike += race.alike
        progress(f"{kind}, {engine}: taken before call {point}, {call}: right")
    progress(f"{kind}, {engine}: {right} of {right} points, {alike} alike", always=True)
    assert alike or engine != ALIKE
