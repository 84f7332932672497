# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""run [TARGET...]: fuzz each target of fuzz_targets.py in its own process, for a fixed number of runs.

The seed is fixed as well, so that a run can be repeated. libFuzzer prints its progress.
"""

from __future__ import annotations

import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

from fuzz_targets import TARGETS

HERE = pathlib.Path(__file__).parent
ARTIFACTS = HERE.parents[1] / ".cache" / "fuzz"
# The limits of a single run: one that takes longer hangs, one that takes more memory leaks.
MAX_SECONDS = 10
MAX_MEGABYTES = 1024
# libFuzzer's lines about each input that covers new code, and its dictionaries.
_DETAILS = re.compile(r"#\d+\t(NEW|REDUCE|RELOAD)|###|\"|INFO: ")


def fuzz(name: str) -> bool:
    """Fuzz one target. Returns whether no defect was found."""
    target = TARGETS[name]
    # libFuzzer exits without cleaning up: temporary files of the target are removed with this directory.
    with tempfile.TemporaryDirectory(prefix="linuxnet-netns-fuzz-") as directory:
        corpus = pathlib.Path(directory) / "corpus"
        corpus.mkdir()
        for number, seed in enumerate(target.seeds):
            (corpus / str(number)).write_bytes(seed)
        options = {
            "runs": target.runs,
            "seed": 1,
            "max_len": target.max_bytes,
            # Long inputs from the start: the bytes of a short one decide only few values.
            "len_control": 0,
            "timeout": MAX_SECONDS,
            "rss_limit_mb": MAX_MEGABYTES,
            "artifact_prefix": f"{ARTIFACTS / name}-",
        }
        command = [sys.executable, str(HERE / "atheris_worker.py"), name]
        command += [f"-{option}={value}" for option, value in options.items()]
        with subprocess.Popen(
            [*command, str(corpus)],
            stderr=subprocess.STDOUT,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "TMPDIR": directory},
        ) as process:
            assert process.stdout is not None
            for line in process.stdout:
                if not _DETAILS.match(line):
                    print(line, end="", flush=True)
    return process.returncode == 0


def main() -> int:
    """Fuzz the named targets, or all."""
    chosen = sys.argv[1:] or list(TARGETS)
    ARTIFACTS.mkdir(parents=True, exist_ok=True)
    failed = []
    for number, name in enumerate(chosen, 1):
        start = time.monotonic()
        print(f"-- {name} ({number} of {len(chosen)}), {TARGETS[name].runs} runs", flush=True)
        passed = fuzz(name)
        outcome = "passed" if passed else f"FAILED, see above and {ARTIFACTS}"
        print(f"-- {name}: {outcome}, {time.monotonic() - start:.0f} s", flush=True)
        if not passed:
            failed.append(name)
    if failed:
        print(f"failed: {' '.join(failed)}")
    return 1 if failed else 0


sys.exit(main())
