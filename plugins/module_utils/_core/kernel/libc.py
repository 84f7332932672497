# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Calls that Python 3.8 lacks: mount(2), umount2(2), open_tree(2), move_mount(2), setns(2), fstatfs(2), inotify(7),
pidfd_open(2), pidfd_getfd(2), prctl(2)."""

from __future__ import annotations

import ctypes
import errno
import os
import struct
import typing as t

CLONE_NEWNET = 0x40000000
CLONE_NEWNS = 0x00020000
MNT_DETACH = 2
MS_BIND = 1 << 12
MS_PRIVATE = 1 << 18
MS_SHARED = 1 << 20
# Pseudo file systems of the kernel (linux/magic.h).
PROC = 0x9FA0
SYSFS = 0x62656572
CONFIGFS = 0x62656570
DEBUGFS = 0x64626720
TRACEFS = 0x74726163
PIDFS = 0x50494446

# For prctl(2).
SET_PDEATHSIG = 1
SET_CHILD_SUBREAPER = 36

_AT_FDCWD = -100
# OPEN_TREE_CLONE, AT_NO_AUTOMOUNT, AT_EMPTY_PATH; MOVE_MOUNT_F_EMPTY_PATH, MOVE_MOUNT_T_EMPTY_PATH
_COPY = 0x1 | 0x800 | 0x1000 | os.O_CLOEXEC
_BETWEEN_DESCRIPTORS = 0x4 | 0x40

_SYS_OPEN_TREE = ctypes.c_long(428)
_SYS_MOVE_MOUNT = ctypes.c_long(429)
_SYS_PIDFD_OPEN = ctypes.c_long(434)
_SYS_PIDFD_GETFD = ctypes.c_long(438)

# More than any architecture's struct statfs.
_STATFS_SIZE = 256

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mount.argtypes = (
    ctypes.c_char_p,
    ctypes.c_char_p,
    ctypes.c_char_p,
    ctypes.c_ulong,
    ctypes.c_char_p,
)
_libc.mount.restype = ctypes.c_int
_libc.umount2.argtypes = (ctypes.c_char_p, ctypes.c_int)
_libc.umount2.restype = ctypes.c_int
_libc.setns.argtypes = (ctypes.c_int, ctypes.c_int)
_libc.setns.restype = ctypes.c_int
_libc.fstatfs.argtypes = (ctypes.c_int, ctypes.c_char_p)
_libc.fstatfs.restype = ctypes.c_int
_libc.inotify_init1.argtypes = (ctypes.c_int,)
_libc.inotify_init1.restype = ctypes.c_int
_libc.inotify_add_watch.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_uint32)
_libc.inotify_add_watch.restype = ctypes.c_int
_libc.prctl.argtypes = (ctypes.c_int, *(ctypes.c_ulong,) * 4)
_libc.prctl.restype = ctypes.c_int
_libc.syscall.restype = ctypes.c_long


def _missing(*_arguments: t.Any) -> int:
    ctypes.set_errno(errno.ENOSYS)
    return -1


# System calls that the C libraries of many hosts lack. Their numbers are the same on all machines but these, which
# count from an offset of their own.
_syscall: t.Callable[..., int] = (
    _missing if os.uname().machine.startswith(("alpha", "mips")) else _libc.syscall
)


def _raise(call: str, target: str) -> None:
    number = ctypes.get_errno()
    raise OSError(number, f"{call}: {os.strerror(number)}", target)


def mount(source: str | bytes, target: str | bytes, flags: int) -> None:
    """mount(2) without a file-system type: bind mounts and propagation changes only."""
    if _libc.mount(os.fsencode(source), os.fsencode(target), b"none", flags, None) != 0:
        _raise("mount", os.fsdecode(target))


def open_tree(file: int | str) -> int:
    """open_tree(2), since 5.2: copy the mount of a file, given by path or descriptor. The file is the root of the copy.

    Returns a descriptor of the copy, which is not mounted yet. If it is closed before that, the copy is gone.
    """
    fd, path = (file, b"") if isinstance(file, int) else (_AT_FDCWD, os.fsencode(file))
    copy = _syscall(_SYS_OPEN_TREE, fd, path, _COPY)
    if copy < 0:
        _raise("open_tree", str(file))
    return copy


def move_mount(mount_fd: int, fd: int) -> None:
    """move_mount(2), since 5.2: mount what open_tree() returned on an open file.

    Never what was opened in another way: its mount would be taken from where it is.
    """
    if _syscall(_SYS_MOVE_MOUNT, mount_fd, b"", fd, b"", _BETWEEN_DESCRIPTORS) != 0:
        _raise("move_mount", f"fd {fd}")


def umount(target: str, flags: int) -> None:
    """umount2(2)."""
    if _libc.umount2(os.fsencode(target), flags) != 0:
        _raise("umount2", target)


def setns(fd: int, nstype: int) -> None:
    """setns(2). It moves the calling thread, so only a forked child may call it."""
    if _libc.setns(fd, nstype) != 0:
        _raise("setns", f"fd {fd}")


def is_file_system(fd: int, types: frozenset[int]) -> bool:
    """Whether an open file is on a file system of one of these types (fstatfs(2))."""
    status = ctypes.create_string_buffer(_STATFS_SIZE)
    if _libc.fstatfs(fd, status) != 0:
        _raise("fstatfs", f"fd {fd}")
    # f_type is the first field: a word of 4 or 8 bytes in the machine's byte order.
    return not types.isdisjoint(struct.unpack_from("=II", status.raw))


def inotify_init(flags: int) -> int:
    """inotify_init1(2)."""
    fd: int = _libc.inotify_init1(flags)
    if fd < 0:
        _raise("inotify_init1", "inotify")
    return fd


def inotify_add_watch(fd: int, path: str, mask: int) -> int:
    """inotify_add_watch(2)."""
    watch: int = _libc.inotify_add_watch(fd, os.fsencode(path), mask)
    if watch < 0:
        _raise("inotify_add_watch", path)
    return watch


def prctl(option: int, value: int) -> None:
    """prctl(2), for options with one argument."""
    if _libc.prctl(option, value, 0, 0, 0) != 0:
        _raise("prctl", f"option {option}")


def pidfd_open(pid: int) -> int:
    """pidfd_open(2), since 5.3."""
    pidfd = _syscall(_SYS_PIDFD_OPEN, pid, 0)
    if pidfd < 0:
        _raise("pidfd_open", f"process {pid}")
    return pidfd


def pidfd_getfd(pidfd: int, fd: int) -> int:
    """pidfd_getfd(2), since 5.6: duplicate a descriptor of another process."""
    copy = _syscall(_SYS_PIDFD_GETFD, pidfd, fd, 0)
    if copy < 0:
        _raise("pidfd_getfd", f"fd {fd}")
    return copy
