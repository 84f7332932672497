# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Timing: what the programs in this directory share."""

from __future__ import annotations

import functools
import gc
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time
import typing as t
from unittest import mock

Run = t.Callable[[], object]
CALLBACKS = pathlib.Path(__file__).parent / "callbacks"


def say(text: str) -> None:
    print(f"-- {text}", flush=True)


def command(*words: str | os.PathLike[str], **more: t.Any) -> str:
    return subprocess.run(words, check=True, text=True, stdout=subprocess.PIPE, **more).stdout


def play(
    directory: pathlib.Path,
    name: str,
    tasks: t.Sequence[t.Mapping[str, object]],
    python: str = sys.executable,
) -> Run:
    """A run of a playbook with these tasks on this host."""
    playbook = directory / f"{name}.yml"
    playbook.write_text(json.dumps([{"hosts": "all", "gather_facts": False, "tasks": tasks}]))
    words = ["ansible-playbook", "-i", "localhost,", "-c", "local"]
    words += ["-e", json.dumps({"ansible_python_interpreter": python})]
    return functools.partial(command, *words, playbook)


def task_seconds(work: Run) -> t.Iterator[tuple[str, float]]:
    """The name and the seconds of each task of a playbook."""
    with tempfile.NamedTemporaryFile("r", encoding="utf-8") as file:
        with mock.patch.dict(
            os.environ, ANSIBLE_CALLBACK_PLUGINS=str(CALLBACKS), BENCH_TASK_SECONDS=file.name
        ):
            work()
        for line in file:
            name, seconds = json.loads(line)
            yield name, seconds


def task_medians(rounds: int, *works: Run) -> dict[str, float]:
    """The median seconds of the tasks of playbooks, by the names of the tasks. The playbooks run in turns."""
    seconds: dict[str, list[float]] = {}
    for number in range(rounds):
        for work in works:
            for name, taken in task_seconds(work):
                seconds.setdefault(name, []).append(taken)
        say(f"round {number + 1} of {rounds}")
    return {name: statistics.median(taken) for name, taken in seconds.items()}


def warm(work: Run) -> tuple[Run, Run]:
    """The work, and before it the same untimed: it takes milliseconds, after seconds of others that left it cold."""
    return work, work


def as_in_module(work: Run) -> Run:
    """The work without the garbage collector, as in a module's process."""

    @functools.wraps(work)
    def run() -> None:
        gc.disable()
        try:
            work()
        finally:
            gc.enable()

    return run


def in_own_process(work: Run) -> Run:
    """The work in a forked process, which this one does not get the imports of."""
    requests, request = os.pipe()
    answers, answer = os.pipe()
    if os.fork() == 0:
        try:
            os.close(request)
            while os.read(requests, 1):
                work()
                os.write(answer, b".")
        finally:
            os._exit(1)
    os.close(requests)
    os.close(answer)

    def run() -> None:
        os.write(request, b".")
        if not os.read(answers, 1):
            raise RuntimeError("the process ended")

    return run


def medians(rounds: int, **runs: Run | tuple[Run, Run]) -> dict[str, float]:
    """The median seconds of each run, measured in turns. The first of a pair prepares, untimed."""
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for number in range(rounds):
        for name, work in runs.items():
            prepare, timed = work if isinstance(work, tuple) else (None, work)
            if prepare:
                prepare()
            start = time.perf_counter()
            timed()
            seconds[name].append(time.perf_counter() - start)
        say(f"round {number + 1} of {rounds}")
    return {name: statistics.median(taken) for name, taken in seconds.items()}
