# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""run [TARGET...]: each target of targets.py in a process of its own, for a fixed number of runs.

The seed is fixed as well, so that a run can be repeated. How far it is, libFuzzer says as it comes.
"""

from __future__ import annotations

import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

from targets import TARGETS

HERE = pathlib.Path(__file__).parent
FOUND = HERE.parents[1] / ".cache" / "fuzz"
# A single run that takes longer hangs, one that takes more holds on to what it is given.
SECONDS = 10
MEGABYTES = 1024
# Each input that reached something new, and words that were found.
_NEWS = re.compile(r"#\d+\t(NEW|REDUCE|RELOAD)|###|\"|INFO: ")


def fuzz(name: str) -> bool:
    """Run one target. Returns whether nothing was found."""
    target = TARGETS[name]
    # libFuzzer ends its process at once: what a target leaves in the folder for temporary files goes with it.
    with tempfile.TemporaryDirectory(prefix="linuxnet-netns-fuzz-") as folder:
        corpus = pathlib.Path(folder) / "corpus"
        corpus.mkdir()
        for number, seed in enumerate(target.seeds):
            (corpus / str(number)).write_bytes(seed)
        options = {
            "runs": target.runs,
            "seed": 1,
            "max_len": target.max_bytes,
            # Long inputs from the start on: a short one decides nothing after its end.
            "len_control": 0,
            "timeout": SECONDS,
            "rss_limit_mb": MEGABYTES,
            "artifact_prefix": f"{FOUND / name}-",
        }
        command = [sys.executable, str(HERE / "one.py"), name]
        command += [f"-{option}={value}" for option, value in options.items()]
        with subprocess.Popen(
            [*command, str(corpus)],
            stderr=subprocess.STDOUT,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "TMPDIR": folder},
        ) as process:
            assert process.stdout is not None
            for line in process.stdout:
                if not _NEWS.match(line):
                    print(line, end="", flush=True)
    return process.returncode == 0


def main() -> int:
    """Run the targets that are named, or all."""
    chosen = sys.argv[1:] or list(TARGETS)
    FOUND.mkdir(parents=True, exist_ok=True)
    bad = []
    for number, name in enumerate(chosen, 1):
        start = time.monotonic()
        print(f"-- {name} ({number} of {len(chosen)}), {TARGETS[name].runs} runs", flush=True)
        good = fuzz(name)
        decision = "nothing found" if good else f"FOUND something: see above, and {FOUND}"
        print(f"-- {name}: {decision}, {time.monotonic() - start:.0f} s", flush=True)
        if not good:
            bad.append(name)
    if bad:
        print(f"found something: {' '.join(bad)}")
    return 1 if bad else 0


sys.exit(main())
