# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files in somebody else's file system: a path is walked from its root, and never out of it.

Each part is opened from the one before it and without following it, so that symbolic links are
resolved here: as those see them who have that root. It is what openat2(2) does with
RESOLVE_IN_ROOT, which kernels before 5.6 lack.
"""

from __future__ import annotations

import errno
import os
import stat

from . import libc, nsfs

_MAX_STEPS = 256
# Reading from these can change something, or wait.
_KERNELS_OWN = frozenset((libc.PROC, libc.SYSFS, libc.CONFIGFS, libc.DEBUGFS, libc.TRACEFS))


def read(root: int, path: str, max_bytes: int) -> bytes:
    """Read the beginning of a regular file beneath the directory that is open as `root`.

    Looks before it opens: nothing but a regular file is opened for reading. Raises OSError. It can
    hang where the file system does.
    """
    probe = _walk(root, path)
    try:
        status = os.fstat(probe)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, f"{path} is {nsfs.describe(status)}, not a regular file")
        if libc.is_file_system(probe, _KERNELS_OWN):
            raise OSError(errno.EINVAL, f"{path} is a file of the kernel's own")
        # So do the kernel's other files say.
        if status.st_size == 0:
            return b""
        fd = os.open(f"/proc/self/fd/{probe}", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    finally:
        os.close(probe)
    try:
        return os.read(fd, max_bytes)
    finally:
        os.close(fd)


def _walk(root: int, path: str) -> int:
    """Find what stands at a path, without opening it any more than that (O_PATH)."""
    # The directories on the way, so that ".." is the one that we came from.
    way = [os.dup(root)]
    todo = path.split("/")[::-1]
    steps = 0
    try:
        while todo:
            name = todo.pop()
            steps += 1
            if steps > _MAX_STEPS:
                raise OSError(errno.ELOOP, f"{path}: too many symbolic links or directories")
            if name == "..":
                if len(way) > 1:
                    os.close(way.pop())
            elif name not in ("", "."):
                fd = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=way[-1])
                way.append(fd)
                if stat.S_ISLNK(os.fstat(fd).st_mode):
                    target = os.readlink("", dir_fd=fd)
                    todo += target.split("/")[::-1]
                    # Go on from where the link is, or from the root.
                    keep = 1 if target.startswith("/") else len(way) - 1
                    while len(way) > keep:
                        os.close(way.pop())
        return way.pop()
    finally:
        for fd in way:
            os.close(fd)
