# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files in the home directory of a user who runs a rootless engine.

The user controls all of it. So no symbolic link is followed, no mount below the home is entered, and no home
that is a FUSE mount: a process of the user serves that, and need never answer.
"""

from __future__ import annotations

import contextlib
import os
import stat
import typing as t

from .. import model
from ..kernel import mounts, users

_HOME_TIMEOUT = 1.0


def home(uid: int) -> str:
    """The home directory of a user. Raises EngineError where it is not known."""
    found = users.accounts([uid], _HOME_TIMEOUT)[uid].home
    if found is None:
        raise model.EngineError(f"the home directory of user {uid} is not known")
    return found


@contextlib.contextmanager
def opened(uid: int, parts: t.Sequence[str]) -> t.Iterator[int]:
    """A descriptor of a regular file at a path below a user's home. Raises OSError or EngineError."""
    fd = os.open(home(uid), os.O_PATH | os.O_CLOEXEC)
    try:
        home_mount = mounts.mount_id(fd)
        if any(
            mount.id == home_mount and mount.fstype.startswith("fuse") for mount in mounts.read()
        ):
            raise model.EngineError("the home directory is on FUSE")
        for part in parts:
            inner = os.open(part, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=fd)
            os.close(fd)
            fd = inner
            if mounts.mount_id(fd) != home_mount:
                raise model.EngineError(f"a mount at {part}")
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise model.EngineError(f"{parts[-1]} is not a regular file")
        # Without O_NONBLOCK, open() would wait for a lease (fcntl(2)) of the user.
        file = os.open(f"/proc/self/fd/{fd}", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    finally:
        os.close(fd)
    try:
        yield file
    finally:
        os.close(file)
