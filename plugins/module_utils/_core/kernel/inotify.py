# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What happens to the names in folders (inotify(7))."""

from __future__ import annotations

import os
import struct
import typing as t

from . import libc

_NONBLOCK_CLOEXEC = os.O_NONBLOCK | os.O_CLOEXEC
_MOVED_FROM, _MOVED_TO, _CREATE, _DELETE = 0x40, 0x80, 0x100, 0x200
_OVERFLOW, _IGNORED = 0x4000, 0x8000
_ONLY_FOLDERS, _NO_LINKS = 0x1000000, 0x2000000
_HEAD = struct.Struct("iIII")
_MAX_READ = 1 << 16


class Event(t.NamedTuple):
    """`name` came into the folder of a watch, or went (neither: the watch itself is over).

    With `overflow` the kernel has dropped what happened, in any folder.
    """

    watch: int
    name: str
    came: bool = False
    went: bool = False
    overflow: bool = False


def parse(data: bytes) -> t.Iterator[Event]:
    """The events of one read."""
    place = 0
    while place < len(data):
        watch, mask, _cookie, length = _HEAD.unpack_from(data, place)
        place += _HEAD.size
        name = os.fsdecode(data[place : place + length].rstrip(b"\0"))
        place += length
        if mask & _OVERFLOW:
            yield Event(watch, "", overflow=True)
        elif mask & _IGNORED:
            yield Event(watch, "")
        elif name:
            yield Event(
                watch,
                name,
                came=bool(mask & (_CREATE | _MOVED_TO)),
                went=bool(mask & (_DELETE | _MOVED_FROM)),
            )


class Inotify:
    """An inotify descriptor, not blocking."""

    def __init__(self) -> None:
        self._fd = libc.inotify_init(_NONBLOCK_CLOEXEC)

    def fileno(self) -> int:
        """The descriptor to wait for."""
        return self._fd

    def close(self) -> None:
        """End all watches."""
        os.close(self._fd)

    def add(self, folder: str) -> int:
        """Watch a folder, which may not be a symbolic link; the same number for the same folder."""
        mask = _CREATE | _DELETE | _MOVED_FROM | _MOVED_TO | _ONLY_FOLDERS | _NO_LINKS
        return libc.inotify_add_watch(self._fd, folder, mask)

    def read(self) -> t.Iterator[Event]:
        """What has happened by now."""
        while True:
            try:
                data = os.read(self._fd, _MAX_READ)
            except BlockingIOError:
                return
            yield from parse(data)
