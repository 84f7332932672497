# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Unix sockets: which process listens at a path (proc(5), /proc/net/unix)."""

from __future__ import annotations

import contextlib
import os
import re

_SO_ACCEPTCON = 0x10000
# Num RefCount Protocol Flags Type St Inode Path. A path may contain line ends, and anything after.
_LINE = re.compile(rb"\S+: [0-9A-F]+ [0-9A-F]+ ([0-9A-F]{8}) [0-9A-F]+ [0-9A-F]+ +([0-9]+) (.+)\n?")


def listening(path: str) -> set[str]:
    """The inode numbers, as text, of the sockets that listen at a path."""
    inodes = set()
    with open("/proc/net/unix", "rb") as stream:
        for line in stream:
            match = _LINE.fullmatch(line)
            if match and int(match[1], 16) & _SO_ACCEPTCON and os.fsdecode(match[3]) == path:
                inodes.add(match[2].decode("ascii"))
    return inodes


def holds(pid: int, inodes: set[str]) -> bool:
    """Whether a process has one of these sockets open; False where its descriptors are hidden."""
    targets = {f"socket:[{inode}]" for inode in inodes}
    with contextlib.suppress(OSError), os.scandir(f"/proc/{pid}/fd") as descriptors:
        for descriptor in descriptors:
            with contextlib.suppress(OSError):
                if os.readlink(descriptor.path) in targets:
                    return True
    return False
