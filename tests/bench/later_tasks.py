# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The time of a task after a play has read many namespaces. Writes seconds as JSON to a file.

    unshare --mount --net --pid --fork --mount-proc python tests/bench/later_tasks.py COUNT ROUNDS FILE

The namespaces are made as in gather_facts.py. The time of a later task is the difference between a
play with such tasks and the same play without them.
"""

from __future__ import annotations

import functools
import json
import pathlib
import sys
import tempfile
import typing as t

from gather_facts import make
from timing import Run, command, medians, say

TASKS = 10
PING: dict[str, object] = {"ansible.builtin.ping": {}}
READINGS: dict[str, list[dict[str, object]]] = {
    "none": [],
    "info": [{"linuxnet.netns.netns_info": {}, "register": "host"}],
    "facts": [{"linuxnet.netns.netns_facts": {}}],
}


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


def main() -> None:
    count, rounds, file = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    make([f"n{number}" for number in range(count)])
    say(f"plays with {TASKS} tasks after the namespaces were read, and without")
    with tempfile.TemporaryDirectory() as name:
        directory = pathlib.Path(name)
        plays = {
            f"{reading}-{later}": play(directory, f"{reading}-{later}", [*tasks, *[PING] * later])
            for reading, tasks in READINGS.items()
            for later in (0, TASKS)
        }
        measured = medians(rounds, **plays)
    seconds = {
        reading: (measured[f"{reading}-{TASKS}"] - measured[f"{reading}-0"]) / TASKS
        for reading in READINGS
    }
    pathlib.Path(file).write_text(json.dumps(seconds))


if __name__ == "__main__":
    main()
