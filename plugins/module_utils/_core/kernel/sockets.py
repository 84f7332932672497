# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Unix sockets (proc(5), /proc/net/unix): whether a process holds one that others connect to."""

from __future__ import annotations

import contextlib
import os

_LISTENS = 0x10000


def listening(path: str) -> set[str]:
    """The inode numbers of the sockets that listen at a path, as text."""
    found = set()
    with open("/proc/net/unix", "rb") as stream:
        # Num RefCount Protocol Flags Type St Inode Path
        for line in stream:
            fields = line.split(None, 7)
            if len(fields) == 8 and os.fsdecode(fields[7].rstrip(b"\n")) == path:
                flags = int(fields[3], 16)
                if flags & _LISTENS:
                    found.add(fields[6].decode("ascii"))
    return found


def holds(pid: int, inodes: set[str]) -> bool:
    """Whether a process has one of these sockets open; not, where that is hidden from us."""
    targets = {f"socket:[{inode}]" for inode in inodes}
    with contextlib.suppress(OSError), os.scandir(f"/proc/{pid}/fd") as descriptors:
        for descriptor in descriptors:
            with contextlib.suppress(OSError):
                if os.readlink(descriptor.path) in targets:
                    return True
    return False
