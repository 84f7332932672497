# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run nox, and end with the seconds of each session and the plain line that CI reads.

A + between the arguments of nox starts another lane: the sessions of a lane run one after the other, and the lanes run
side by side. A single lane runs in this process, as nox cleans up when it gets a signal.
"""

from __future__ import annotations

import json
import pathlib
import signal
import subprocess
import sys
import threading
import types
import typing as t

from nox.__main__ import main

CACHE = pathlib.Path(".cache")


def summarize(reports: list[pathlib.Path]) -> None:
    """Print the result of each session and the counts, and keep the counts for CI."""
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
    print(line)


def report_of(lane: int) -> pathlib.Path:
    """The file in which nox reports the sessions of a lane."""
    return CACHE / f"nox-report-{lane}.json"


def relay(lane: int, output: t.IO[str]) -> None:
    """Print the lines of a lane, marked with its number."""
    for line in output:
        print(f"{lane}| {line}", end="", flush=True)


def side_by_side(lanes: list[list[str]]) -> int:
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
        thread = threading.Thread(target=relay, args=(lane, process.stdout))
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
reports = [report_of(lane) for lane in range(1, len(lanes) + 1)]
for report in reports:
    report.unlink(missing_ok=True)
try:
    if len(lanes) > 1:
        # A negative status is the number of a signal.
        sys.exit(abs(side_by_side(lanes)))
    sys.argv[1:1] = ["--report", str(reports[0])]
    main()
finally:
    if len(lanes) > 1 or reports[0].exists():
        summarize(reports)
