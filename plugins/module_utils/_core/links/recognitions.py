# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which processes were recognized as the first ones of containers, kept beside the ledger for later runs.

The inode number of its pidfd identifies a process until the next boot. It takes a sixth of the time of start time and
cgroup.
"""

from __future__ import annotations

import typing as t

from . import ledger
from .memory import Memory

NAME = "processes"

# Of a process: the inode number of its pidfd, its start time, and the ID of its container.
Recognition = t.Tuple[int, int, str]


def read(directory: str) -> dict[int, Recognition]:
    """The processes that were recognized since the boot, by PID; none where the file is missing or not valid."""
    try:
        boot, items = Memory(directory, NAME).load()
        if boot != ledger.boot_id():
            return {}
        return {pid: (inode, start_time, identity) for pid, inode, start_time, identity in items}
    except (ValueError, TypeError):
        return {}


def write(directory: str, processes: t.Mapping[int, Recognition]) -> None:
    """Replace the file, for a caller that holds the lock of the ledger."""
    items = [(pid, *recognition) for pid, recognition in processes.items()]
    Memory(directory, NAME).save([ledger.boot_id(), items])
