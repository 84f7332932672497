# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Advisory locks on open files and directories, with a timeout (flock(2))."""

from __future__ import annotations

import fcntl
import os
import time

from .. import model

_LOCK_TIMEOUT = 60.0
_DIRECTORY_TIMEOUT = 10.0
_RETRY_DELAY = 0.02


def lock(fd: int, path: str) -> None:
    """Take the lock of a file that only root can open, until it is closed. Raises NetnsError after a minute."""
    deadline = time.monotonic() + _LOCK_TIMEOUT
    while not _try(fd):
        if time.monotonic() >= deadline:
            raise model.NetnsError(
                f"another program has held the lock on {path} for {_LOCK_TIMEOUT:.0f} s: see which "
                f"with `fuser -v {path}`, and run again when it has ended"
            )
        time.sleep(_RETRY_DELAY)


def lock_directory(fd: int) -> bool:
    """Take the lock of a directory, until it is closed. Returns whether it was taken.

    Any user can open the directory, and hold its lock for ever. So this waits only while a process of
    root holds it, and for some seconds at most.
    """
    deadline = time.monotonic() + _DIRECTORY_TIMEOUT
    while not _try(fd):
        if time.monotonic() >= deadline or not _is_locked_by_root(fd):
            return _try(fd)
        time.sleep(_RETRY_DELAY)
    return True


def _try(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_locked_by_root(fd: int) -> bool:
    """Whether a running process of root took the lock of an open file (proc(5), /proc/locks)."""
    inode = str(os.fstat(fd).st_ino)
    with open("/proc/locks", encoding="ascii", errors="replace") as stream:
        for line in stream:
            fields = line.split()
            # "1: FLOCK ADVISORY WRITE PID MAJOR:MINOR:INODE 0 EOF"; a process that waits has "->" before FLOCK.
            if fields[1] == "FLOCK" and fields[5].rpartition(":")[2] == inode:
                try:
                    return os.stat(f"/proc/{fields[4]}").st_uid == 0
                except OSError:
                    return False
    return False
