# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The time of a task after a play has read many namespaces. Writes seconds as JSON to a file.

    unshare --mount --net --pid --fork --mount-proc python tests/bench/later_tasks.py COUNT ROUNDS FILE

The namespaces are made as in gather_facts.py. The time of a later task is the difference between a
play with such tasks and the same play without them.
"""

from __future__ import annotations

import json
import os
import pathlib
import sys
import tempfile

from gather_facts import DIR, make
from timing import play, say, task_medians

from ansible_collections.linuxnet.netns.plugins.module_utils._core.facts import gather, request

TASKS = 30
# The default of netns_info.
SUBSET = (request.CONTAINERS, request.INTERFACES)
PING: dict[str, object] = {"ansible.builtin.ping": {}}
READINGS: dict[str, list[dict[str, object]]] = {
    "none": [],
    "info": [{"linuxnet.netns.netns_info": {}, "register": "host"}],
    "facts": [{"linuxnet.netns.netns_facts": {}}],
}


def main() -> None:
    count, rounds, file = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    make([f"n{number}" for number in range(count)])
    say(f"plays with {TASKS} tasks after the namespaces were read, and without")
    with tempfile.TemporaryDirectory() as name:
        directory = pathlib.Path(name)
        # The same result, from a module that does nothing for it.
        result = directory / "result.json"
        facts = gather.gather(
            request.FactsRequest(str(DIR), None, 5.0, request.parse_subset(SUBSET))
        )
        result.write_text(json.dumps({"netns": facts}))
        os.environ["ANSIBLE_LIBRARY"] = str(pathlib.Path(__file__).parent / "library")
        least = {"least_work": {"result": str(result)}, "register": "host"}
        readings = {**READINGS, "least": [least]}
        plays = [
            play(directory, reading, [*tasks, *[{"name": reading, **PING}] * TASKS])
            for reading, tasks in readings.items()
        ]
        seconds = task_medians(2 * rounds, *plays)
    pathlib.Path(file).write_text(json.dumps(seconds))


if __name__ == "__main__":
    main()
