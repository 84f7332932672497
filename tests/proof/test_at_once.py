# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Modules, the hook and `ip netns` at once, while containers come and go.

They begin with an empty /run, so that the first of them sets netns_dir up.
"""

from __future__ import annotations

import collections
import json
import pathlib
import random
import re
import signal
import subprocess
import sys
import time

import player
from world import Progress, World, check, environment

MODULES, IPS = 8, 2
SECONDS, SAMPLE = 60, 5
# All that a run may have to say, as others were quicker.
REFUSALS = re.compile(
    "|".join(
        (
            "there is no container '",
            "the container is not running",
            "its namespace could not be read: (there is no process|the process ended)",
            "run again",
            "this collection did not make",
        )
    )
)


class Churn:
    """Containers start, stop and restart, and the engine tells."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._dice = random.Random(1)
        path = world.socket.with_name("resolv.conf")
        path.write_text("nameserver 192.0.2.1\n")
        self._more = {"resolv_conf": str(path)}
        self.running: dict[str, int] = {}

    def step(self) -> None:
        name = self._dice.choice(player.NAMES)
        identity = name.encode().hex().ljust(64, "0")
        pid = self.running.pop(name, 0)
        if pid:
            self._world.container(name, 0, identity, **self._more)
            self._world.end(pid)
            self._world.event("die", identity)
        if not pid or self._dice.random() < 0.5:
            self.running[name] = self._world.process_soon()
            self._world.container(name, self.running[name], identity, **self._more)
            self._world.event("start", identity)


def test_all_at_once_end_well(world: World, full: bool, progress: Progress) -> None:
    script = str(pathlib.Path(__file__).with_name("player.py"))
    errors = world.socket.with_name("errors")
    parts = ["module"] * MODULES + ["ip"] * IPS + ["hook"]
    with open(errors, "wb") as stream:
        players = [
            subprocess.Popen(
                [sys.executable, script, part, str(seed)],
                stdout=subprocess.PIPE,
                stderr=stream if part == "hook" else None,
                env=environment(),
            )
            for seed, part in enumerate(parts)
        ]
    churn = Churn(world)
    done: collections.Counter[str] = collections.Counter()
    refusals: collections.Counter[str] = collections.Counter()
    try:
        for one in players:
            assert one.stdout is not None
            assert one.stdout.readline() == b"ready\n"
        end = time.monotonic() + (SECONDS if full else SAMPLE)
        while time.monotonic() < end:
            churn.step()
            time.sleep(0.05)
            progress(f"{end - time.monotonic():.0f} s to go")
        for one in players:
            one.send_signal(signal.SIGTERM)
        for one, part in zip(players, parts):
            output, _errors = one.communicate(timeout=90)
            assert one.returncode == 0
            if part != "hook":
                for total, counts in zip((done, refusals), json.loads(output)):
                    total.update(counts)
    finally:
        for one in players:
            if one.poll() is None:
                one.kill()
                one.communicate()
    told = errors.read_text()
    assert "Traceback" not in told, told
    assert [text for text in refusals if not REFUSALS.search(text)] == []
    progress(
        f"{dict(done)}; {sum(refusals.values())} refusals; the hook: {told.count(chr(10))} lines",
        True,
    )
    # One last run, after which all is as it is to be.
    still = {name: pin for name, pin in world.pins().items() if name.startswith("kept-")}
    assert len(still) == IPS
    time.sleep(0.02)
    request = {"all": True, "prune": True, "resolv_conf": True}
    assert world.run(**request).failures == ()
    (world.state / "hook-reported").unlink(missing_ok=True)
    check(world, churn.running, still, resolv=churn.running)
    assert not world.run(**request).changed
    assert world.act(state="absent", all=True).keys() == churn.running.keys()
    check(world, {}, still)
