# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run nox, and end with the seconds of each session and the plain line that CI reads.

In the process of nox, which cleans up when it gets a signal.
"""

from __future__ import annotations

import json
import pathlib
import sys

from nox.__main__ import main

CACHE = pathlib.Path(".cache")


def summarize(report: pathlib.Path) -> None:
    sessions = json.loads(report.read_text(encoding="utf-8"))["sessions"]
    results = []
    print()
    for session in sessions:
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


report = CACHE / "nox-report.json"
report.unlink(missing_ok=True)
sys.argv[1:1] = ["--report", str(report)]
try:
    main()
finally:
    if report.exists():
        summarize(report)
