# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Modules, the hook and `ip netns` run at the same time, while containers start and stop.

/run is empty at the start, so that the first of them prepares netns_dir.
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

import actor
from isolated_host import IsolatedHost, Progress, check
from support import environment

MODULES, IPS = 8, 2
SECONDS, SAMPLE = 60, 5
# Why a run may fail, as another one was quicker.
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
    """Containers start, stop and restart, and the engine reports it."""

    def __init__(self, host: IsolatedHost) -> None:
        self._host = host
        self._dice = random.Random(1)
        path = host.socket.with_name("resolv.conf")
        path.write_text("nameserver 192.0.2.1\n")
        self._more = {"resolv_conf": str(path)}
        self.running: dict[str, int] = {}

    def step(self) -> None:
        name = self._dice.choice(actor.NAMES)
        identity = name.encode().hex().ljust(64, "0")
        pid = self.running.pop(name, 0)
        if pid:
            self._host.container(name, 0, identity, **self._more)
            self._host.end(pid)
            self._host.event("die", identity)
        if not pid or self._dice.random() < 0.5:
            self.running[name] = self._host.process_soon()
            self._host.container(name, self.running[name], identity, **self._more)
            self._host.event("start", identity)


def test_all_at_once_end_well(host: IsolatedHost, full: bool, progress: Progress) -> None:
    script = str(pathlib.Path(__file__).with_name("actor.py"))
    errors = host.socket.with_name("errors")
    roles = ["module"] * MODULES + ["ip"] * IPS + ["hook"]
    with open(errors, "wb") as stream:
        actors = [
            subprocess.Popen(
                [sys.executable, script, role, str(seed)],
                stdout=subprocess.PIPE,
                stderr=stream if role == "hook" else None,
                env=environment(),
            )
            for seed, role in enumerate(roles)
        ]
    churn = Churn(host)
    actions: collections.Counter[str] = collections.Counter()
    refusals: collections.Counter[str] = collections.Counter()
    try:
        for process in actors:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
        end = time.monotonic() + (SECONDS if full else SAMPLE)
        while time.monotonic() < end:
            churn.step()
            time.sleep(0.05)
            progress(f"{end - time.monotonic():.0f} s to go")
        for process in actors:
            process.send_signal(signal.SIGTERM)
        for process, role in zip(actors, roles):
            output, _errors = process.communicate(timeout=90)
            assert process.returncode == 0
            if role != "hook":
                for total, counts in zip((actions, refusals), json.loads(output)):
                    total.update(counts)
    finally:
        for process in actors:
            if process.poll() is None:
                process.kill()
                process.communicate()
    journal = errors.read_text()
    assert "Traceback" not in journal, journal
    assert [text for text in refusals if not REFUSALS.search(text)] == []
    progress(
        f"{dict(actions)}; {sum(refusals.values())} refusals; the hook: {journal.count(chr(10))} lines",
        True,
    )
    # One last run brings everything to the desired state.
    kept = {name: pin for name, pin in host.pins().items() if name.startswith("kept-")}
    assert len(kept) == IPS
    time.sleep(0.02)
    request = {"all": True, "prune": True, "resolv_conf": True}
    assert host.run(**request).failures == ()
    (host.state / "hook-reported").unlink(missing_ok=True)
    check(host, churn.running, kept, resolv=churn.running)
    assert not host.run(**request).changed
    assert host.act(state="absent", all=True).keys() == churn.running.keys()
    check(host, {}, kept)
