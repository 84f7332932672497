# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A callback plugin that writes the name of each task, and the seconds until the next one starts, as lines of JSON.

BENCH_TASK_SECONDS is the path of the file.
"""

from __future__ import annotations

import json
import os
import time
import typing as t

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: task_seconds
type: aggregate
short_description: Measures tasks
description: Writes the seconds that each task takes.
"""


class CallbackModule(CallbackBase):  # type: ignore[misc]
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "task_seconds"

    def __init__(self) -> None:
        super().__init__()
        self._running: tuple[str, float] | None = None

    def v2_playbook_on_task_start(self, task: t.Any, is_conditional: bool) -> None:
        del is_conditional
        self._write()
        self._running = task.get_name(), time.perf_counter()

    def v2_playbook_on_stats(self, stats: t.Any) -> None:
        del stats
        self._write()

    def _write(self) -> None:
        if self._running is None:
            return
        name, start = self._running
        line = json.dumps([name, time.perf_counter() - start])
        with open(os.environ["BENCH_TASK_SECONDS"], "a", encoding="utf-8") as stream:
            stream.write(f"{line}\n")
