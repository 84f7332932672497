# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What many namespaces that a play has read cost its later tasks; seconds as JSON into a file.

    unshare --mount --net --pid --fork --mount-proc python tests/bench/later.py COUNT ROUNDS FILE

In the same world as that of gather.py. A later task's time is that of a play with some, less that
of the same play without.
"""

from __future__ import annotations

import functools
import json
import pathlib
import sys
import tempfile

from gather import make
from measure import Run, command, medians, say

TASKS = 10
PING = {"ansible.builtin.ping": {}}
READINGS = {
    "none": [],
    "info": [{"linuxnet.netns.netns_info": {}, "register": "host"}],
    "facts": [{"linuxnet.netns.netns_facts": {}}],
}


def play(folder: pathlib.Path, reading: str, later: int) -> Run:
    book = folder / f"{reading}-{later}.yml"
    tasks = [*READINGS[reading], *[PING] * later]
    book.write_text(json.dumps([{"hosts": "all", "gather_facts": False, "tasks": tasks}]))
    words = ["ansible-playbook", "-i", "localhost,", "-c", "local"]
    words += ["-e", json.dumps({"ansible_python_interpreter": sys.executable})]
    return functools.partial(command, *words, book)


def main() -> None:
    count, rounds, file = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    make([f"n{number}" for number in range(count)])
    say(f"plays with {TASKS} tasks after the reading, and without")
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        seen = medians(
            rounds,
            **{f"{one}-{n}": play(folder, one, n) for one in READINGS for n in (0, TASKS)},
        )
    seconds = {one: (seen[f"{one}-{TASKS}"] - seen[f"{one}-0"]) / TASKS for one in READINGS}
    pathlib.Path(file).write_text(json.dumps(seconds))


if __name__ == "__main__":
    main()
