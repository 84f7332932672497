# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Mount tables of mount namespaces that no process is in: kept by a mount or an open descriptor.

Such a table is only shown to a process in the namespace, so that a forked child enters each (setns(2)).
"""

from __future__ import annotations

import os
import typing as t

from . import fork, libc, nsfs

_CHILD = "the process that reads mount namespaces"
_IDLE_TIMEOUT = 5.0
# Each takes a descriptor.
_MAX_NAMESPACES = 256
_READ_SIZE = 1 << 16
_MAX_BYTES = 1 << 26


def read(inodes_by_path: t.Mapping[str, int]) -> tuple[dict[str, bytes], str | None]:
    """The text of mountinfo in each mount namespace, by the path at which it can be opened.

    One that is gone is left out. The second value is why others are missing, or None.
    """
    tables: dict[str, bytes] = {}
    problem = None
    wanted = sorted(inodes_by_path.items())
    if len(wanted) > _MAX_NAMESPACES:
        problem = f"only {_MAX_NAMESPACES} of {len(wanted)} without processes were read"
    try:
        for path, table, reason in fork.results(
            lambda: _read_in_child(wanted[:_MAX_NAMESPACES]), _IDLE_TIMEOUT
        ):
            if reason is None:
                tables[path] = table
            else:
                problem = f"{path}: {reason}"
    except fork.ChildError as error:
        problem = f"{_CHILD} {error}"
    return tables, problem


def _read_in_child(
    wanted: t.Iterable[tuple[str, int]],
) -> t.Iterator[tuple[str, bytes, str | None]]:
    # No path of ours leads anywhere once the first has been entered.
    proc = os.open("/proc", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    opened = []
    for path, inode in wanted:
        try:
            opened.append((path, _open(path, inode)))
        except FileNotFoundError:
            continue
        except OSError as error:
            yield path, b"", error.strerror or str(error)
    for path, fd in opened:
        try:
            libc.setns(fd, libc.CLONE_NEWNS)
            yield path, _read_table(proc), None
        except OSError as error:
            yield path, b"", error.strerror or str(error)


def _open(path: str, inode: int) -> int:
    probe = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        status = os.fstat(probe)
        if (status.st_dev, status.st_ino) != (nsfs.device(), inode):
            raise FileNotFoundError(path)
        return os.open(f"/proc/self/fd/{probe}", os.O_RDONLY | os.O_CLOEXEC)
    finally:
        os.close(probe)


def _read_table(proc: int) -> bytes:
    fd = os.open("self/mountinfo", os.O_RDONLY | os.O_CLOEXEC, dir_fd=proc)
    try:
        parts = []
        size = 0
        part = os.read(fd, _READ_SIZE)
        while part and size < _MAX_BYTES:
            parts.append(part)
            size += len(part)
            part = os.read(fd, _READ_SIZE)
        return b"".join(parts)
    finally:
        os.close(fd)
