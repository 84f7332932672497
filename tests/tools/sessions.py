# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run nox, and end with the seconds of each session and the plain line that CI reads.

A + between the arguments of nox starts another lane: the sessions of a lane run one after the other, and the lanes run
side by side. As their lines are mixed, the end also repeats what failed. A single lane runs in this process, as nox
cleans up when it gets a signal.
"""

from __future__ import annotations

import collections
import itertools
import json
import pathlib
import re
import signal
import subprocess
import sys
import threading
import types
import typing as t

from nox.__main__ import main

CACHE = pathlib.Path(".cache")
# How Ansible, pytest, the linters and tests/tools/molecule begin the lines that name a failure. Those of Molecule
# itself, with four spaces, only say that Ansible failed.
FAILURE = re.compile(
    r"fatal: |failed: |FAILED (?!- RETRYING)|ERROR(?!    )|E  |\S+:\d+: |-- .*: FAILED "
)
# How tests/tools/molecule begins the lines of each of the plays that it runs side by side.
PLAY = re.compile(r"(?:\w+\| )?")
# The lines of a session that are kept: one play may go on for long after another has failed. The lines of a failed
# session that are repeated, and the characters of each end of a long one.
LINES = 20_000
REPEATED = 12
LONG = 300


def summarize(reports: list[pathlib.Path], failures: list[str]) -> None:
    """Print the result of each session, what failed, and the counts, and keep the counts for CI."""
    results = []
    print()
    for report in reports:
        if not report.exists():
            # nox did not come to its end.
            results.append("failed")
            continue
        for session in json.loads(report.read_text(encoding="utf-8"))["sessions"]:
            result = {"success": "passed", "skipped": "skipped"}.get(session["result"], "failed")
            results.append(result)
            line = f"{session['signatures'][0]:20} {session['duration']:6.1f} s  {result}"
            print(line, f"({session['reason']})" if session["reason"] else "")
    counts = [f"{results.count('passed')} passed", f"{results.count('failed')} failed"]
    if "skipped" in results:
        counts.append(f"{results.count('skipped')} skipped")
    line = ", ".join(counts)
    (CACHE / "summary").write_text(f"{line}\n", encoding="utf-8")
    print(*failures, line, sep="\n")


def report_of(lane: int) -> pathlib.Path:
    """The file in which nox reports the sessions of a lane."""
    return CACHE / f"nox-report-{lane}.json"


def what_failed(lines: t.Collection[str]) -> list[str]:
    """The last lines of a failed session that name a failure, or just the last ones."""
    plays: dict[str, list[str]] = collections.defaultdict(list)
    # Where the lines of the task that runs begin.
    task: dict[str, int] = collections.defaultdict(int)
    for line in lines:
        play = t.cast("re.Match[str]", PLAY.match(line)).group()
        text, named = line[len(play) :], plays[play]
        if text.startswith("TASK ["):
            task[play] = len(named)
        elif text.startswith("...ignoring"):
            del named[task[play] :]
        elif FAILURE.match(text):
            named.append(line)
    return [
        line.rstrip() if len(line) <= 2 * LONG else f"{line[:LONG]} [...] {line[-LONG:].rstrip()}"
        for line in (list(itertools.chain(*plays.values())) or list(lines))[-REPEATED:]
    ]


def relay(lane: int, output: t.IO[str], failures: list[str]) -> None:
    """Print the lines of a lane, marked with its number, and keep those of its failures."""
    lines: collections.deque[str] = collections.deque(maxlen=LINES)
    for line in output:
        print(f"{lane}| {line}", end="", flush=True)
        if line.startswith("nox > Running session "):
            lines.clear()
        elif re.match(r"nox > Session \S+ failed", line):
            failures.extend([line.rstrip(), *what_failed(lines), ""])
        lines.append(line)


def side_by_side(lanes: list[list[str]], failures: list[str]) -> int:
    """Run each lane in a process of its own. Returns the first exit status that is not 0."""
    running: list[tuple[subprocess.Popen[str], threading.Thread]] = []

    def terminate(_number: int, _frame: types.FrameType | None) -> None:
        for process, _thread in running:
            process.terminate()

    signal.signal(signal.SIGTERM, terminate)
    # A terminal sends SIGINT to the lanes too, which clean up.
    signal.signal(signal.SIGINT, lambda _number, _frame: None)
    for lane, arguments in enumerate(lanes, 1):
        command = [sys.executable, "-m", "nox", "--report", str(report_of(lane)), *arguments]
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            errors="replace",
            text=True,
        )
        assert process.stdout
        thread = threading.Thread(target=relay, args=(lane, process.stdout, failures))
        thread.start()
        running.append((process, thread))
    statuses = [process.wait() for process, _thread in running]
    for _process, thread in running:
        thread.join()
    return next((status for status in statuses if status), 0)


def split(arguments: list[str]) -> list[list[str]]:
    """The arguments of each lane."""
    lanes: list[list[str]] = [[]]
    for argument in arguments:
        if argument == "+":
            lanes.append([])
        else:
            lanes[-1].append(argument)
    return lanes


lanes = split(sys.argv[1:])
failures: list[str] = []
reports = [report_of(lane) for lane in range(1, len(lanes) + 1)]
for report in reports:
    report.unlink(missing_ok=True)
try:
    if len(lanes) > 1:
        # A negative status is the number of a signal.
        sys.exit(abs(side_by_side(lanes, failures)))
    sys.argv[1:1] = ["--report", str(reports[0])]
    main()
finally:
    if len(lanes) > 1 or reports[0].exists():
        summarize(reports, failures)
