# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which processes were recognized as the first ones of containers, kept beside the ledger for later runs.

The inode number of its pidfd identifies a process until the next boot. It takes a sixth of the time of start time and
cgroup. The file is a cache: without it, runs are only slower.
"""

from __future__ import annotations

import contextlib
import json
import os
import typing as t

from .. import untrusted
from . import ledger

NAME = "processes"
_MAX_SIZE = 1 << 24

# Of a process: the inode number of its pidfd, its start time, and the ID of its container.
Recognition = t.Tuple[int, int, str]


def read(directory: str) -> dict[int, Recognition]:
    """The processes that were recognized since the boot, by PID; none where the file is missing or not valid."""
    try:
        data, _status = untrusted.read_file(os.path.join(directory, NAME), _MAX_SIZE)
        boot, items = untrusted.parse_json(data)
        if boot != ledger.boot_id():
            return {}
        return {pid: (inode, start_time, identity) for pid, inode, start_time, identity in items}
    except (OSError, ValueError, TypeError, untrusted.UnusableFileError):
        return {}


def write(directory: str, processes: t.Mapping[int, Recognition]) -> None:
    """Replace the file, for a caller that holds the lock of the ledger.

    A run that is killed meanwhile leaves a part of it, which is not valid JSON.
    """
    text = json.dumps([ledger.boot_id(), [(pid, *each) for pid, each in processes.items()]])
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    with contextlib.suppress(OSError):
        descriptor = os.open(os.path.join(directory, NAME), flags, 0o600)
        with open(descriptor, "wb", buffering=0) as stream:
            stream.write(text.encode())
