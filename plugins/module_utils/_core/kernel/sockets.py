# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sockets: which process listens at a path (proc(5), /proc/net/unix), and which namespace one belongs to."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import stat
import typing as t

from . import libc

_SO_ACCEPTCON = 0x10000
_SIOCGSKNS = 0x894C
_CGROUP_CONTROLLERS = "/proc/cgroups"
# Num RefCount Protocol Flags Type St Inode Path. A path may contain line ends, and anything after.
_LINE = re.compile(rb"\S+: [0-9A-F]+ [0-9A-F]+ ([0-9A-F]{8}) [0-9A-F]+ [0-9A-F]+ +([0-9]+) (.+)\n?")


def listening(path: str) -> set[str]:
    """The inode numbers, as text, of the sockets that listen at a path."""
    inodes = set()
    wanted = os.fsencode(path)
    with open("/proc/net/unix", "rb") as stream:
        for line in stream:
            # Most lines of a host with many containers are about other paths.
            match = _LINE.fullmatch(line) if wanted in line else None
            if match and int(match[1], 16) & _SO_ACCEPTCON and match[3] == wanted:
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


def listed() -> t.Iterator[str]:
    """The inode numbers, as text, of the unix and netlink sockets of the caller's own namespace."""
    for name, field in (("unix", 6), ("netlink", 9)):
        with contextlib.suppress(OSError), open(f"/proc/self/net/{name}", "rb") as stream:
            for line in stream:
                fields = line.split(None, field + 1)
                if len(fields) > field and fields[field].isdigit():
                    yield fields[field].decode("ascii")


def may_duplicate() -> bool:
    """Whether a socket of another process can be duplicated without effect on it.

    The duplicate passes the sender's class and priority of net_cls and net_prio on to the socket, where
    one of these controllers of cgroups v1 is mounted.
    """
    try:
        with open(_CGROUP_CONTROLLERS, encoding="ascii") as stream:
            controllers = [line.split() for line in stream]
    except FileNotFoundError:  # a kernel without cgroups v1
        return True
    return not any(
        name in ("net_cls", "net_prio") and hierarchy != "0"
        for name, hierarchy, *_counts in controllers
    )


def open_netns(pidfd: int, fd: int) -> int:
    """Open the network namespace of a socket that another process has open as `fd` (SIOCGSKNS, since 4.10).

    The socket is duplicated for as long as that takes. Raises OSError.
    """
    duplicate = libc.pidfd_getfd(pidfd, fd)
    try:
        # The process may have closed the socket, and opened anything.
        if not stat.S_ISSOCK(os.fstat(duplicate).st_mode):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        return fcntl.ioctl(duplicate, _SIOCGSKNS)
    finally:
        os.close(duplicate)
