# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names that are added to directories and removed from them (inotify(7))."""

from __future__ import annotations

import os
import struct
import typing as t

from ..named_tuple import NamedTuple
from . import libc

_NONBLOCK_CLOEXEC = os.O_NONBLOCK | os.O_CLOEXEC
_MOVED_FROM, _MOVED_TO, _CREATE, _DELETE = 0x40, 0x80, 0x100, 0x200
_Q_OVERFLOW, _IGNORED = 0x4000, 0x8000
_ONLYDIR, _DONT_FOLLOW = 0x1000000, 0x2000000
_HEADER = struct.Struct("iIII")
_READ_SIZE = 1 << 16


class Event(NamedTuple):
    """`name` was added to the directory of a watch, or removed. Neither: the watch has ended.

    With `overflow` the kernel dropped events, of any directory.
    """

    watch: int
    name: str
    added: bool = False
    removed: bool = False
    overflow: bool = False


def parse(data: bytes) -> t.Iterator[Event]:
    """The events in the result of one read."""
    offset = 0
    while offset < len(data):
        watch, mask, _cookie, length = _HEADER.unpack_from(data, offset)
        offset += _HEADER.size
        name = os.fsdecode(data[offset : offset + length].rstrip(b"\0"))
        offset += length
        if mask & _Q_OVERFLOW:
            yield Event(watch, "", overflow=True)
        elif mask & _IGNORED:
            yield Event(watch, "")
        elif name:
            yield Event(
                watch,
                name,
                added=bool(mask & (_CREATE | _MOVED_TO)),
                removed=bool(mask & (_DELETE | _MOVED_FROM)),
            )


class Inotify:
    """A non-blocking inotify descriptor."""

    def __init__(self) -> None:
        self._fd = libc.inotify_init(_NONBLOCK_CLOEXEC)

    def fileno(self) -> int:
        """The descriptor to wait for."""
        return self._fd

    def close(self) -> None:
        """Close the descriptor, which ends all watches."""
        os.close(self._fd)

    def add_watch(self, directory: str) -> int:
        """Watch a directory and return the watch's number, the same for the same directory.

        Symbolic links are not followed.
        """
        mask = _CREATE | _DELETE | _MOVED_FROM | _MOVED_TO | _ONLYDIR | _DONT_FOLLOW
        return libc.inotify_add_watch(self._fd, directory, mask)

    def read(self) -> t.Iterator[Event]:
        """The events so far."""
        while True:
            try:
                data = os.read(self._fd, _READ_SIZE)
            except BlockingIOError:
                return
            yield from parse(data)
