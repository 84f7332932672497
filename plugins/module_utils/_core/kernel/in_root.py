# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read files below the root directory of another process: a path is never followed out of it.

Each part of the path is opened from the one before it, without following symbolic links. Links are
resolved here, as processes with that root see them. openat2(2) does the same with RESOLVE_IN_ROOT,
but kernels before 5.6 lack it.
"""

from __future__ import annotations

import errno
import os
import stat

from . import libc, nsfs

_MAX_STEPS = 256
# Reading from these can change something, or block.
_PSEUDO_FILE_SYSTEMS = frozenset((libc.PROC, libc.SYSFS, libc.CONFIGFS, libc.DEBUGFS, libc.TRACEFS))


def read(root: int, path: str, max_bytes: int) -> bytes:
    """Read the beginning of a regular file below the directory that is open as `root`.

    Nothing but a regular file is opened for reading. Raises OSError. Blocks if the file system does.
    """
    probe = _open_path_only(root, path)
    try:
        status = os.fstat(probe)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, f"{path} is {nsfs.describe(status)}, not a regular file")
        if libc.is_file_system(probe, _PSEUDO_FILE_SYSTEMS):
            raise OSError(errno.EINVAL, f"{path} is on a pseudo file system of the kernel")
        # Files of other pseudo file systems have this size.
        if status.st_size == 0:
            return b""
        fd = os.open(f"/proc/self/fd/{probe}", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    finally:
        os.close(probe)
    try:
        return os.read(fd, max_bytes)
    finally:
        os.close(fd)


def _open_path_only(root: int, path: str) -> int:
    """Resolve a path and return an O_PATH descriptor, which does not open the file itself."""
    # The directories on the path, so that ".." leads back to where the walk came from.
    opened = [os.dup(root)]
    remaining = path.split("/")[::-1]
    steps = 0
    try:
        while remaining:
            name = remaining.pop()
            steps += 1
            if steps > _MAX_STEPS:
                raise OSError(errno.ELOOP, f"{path}: too many symbolic links or directories")
            if name == "..":
                if len(opened) > 1:
                    os.close(opened.pop())
            elif name not in ("", "."):
                fd = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=opened[-1])
                opened.append(fd)
                if stat.S_ISLNK(os.fstat(fd).st_mode):
                    target = os.readlink("", dir_fd=fd)
                    remaining += target.split("/")[::-1]
                    # Continue at the root, or in the directory of the link.
                    keep = 1 if target.startswith("/") else len(opened) - 1
                    while len(opened) > keep:
                        os.close(opened.pop())
        return opened.pop()
    finally:
        for fd in opened:
            os.close(fd)
