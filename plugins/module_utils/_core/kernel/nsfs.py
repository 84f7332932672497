# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Namespace files: open one, and check that it is a network namespace (nsfs, ioctl_nsfs(2))."""

from __future__ import annotations

import fcntl
import functools
import os
import stat

from .. import model
from ..named_tuple import NamedTuple
from . import libc

# Paths of what a process has open.
OWN_FILES = "/proc/self/fd"
_NS_GET_NSTYPE = 0xB703
_NAMESPACE_TYPES = {
    0x00000080: "a time namespace",
    0x00020000: "a mount namespace",
    0x02000000: "a cgroup namespace",
    0x04000000: "a UTS namespace",
    0x08000000: "an IPC namespace",
    0x10000000: "a user namespace",
    0x20000000: "a PID namespace",
}
_FILE_TYPES = (
    (stat.S_ISDIR, "a directory"),
    (stat.S_ISLNK, "a symbolic link"),
    (stat.S_ISFIFO, "a FIFO"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISBLK, "a block device"),
    (stat.S_ISCHR, "a character device"),
)


class DirectoryEntry(NamedTuple):
    """An entry of a directory of links. `file` is the inode number that the directory lists."""

    netns: model.NetnsId
    file: int


class NetnsRef(NamedTuple):
    """A namespace, and the paths at which it can be opened, the best first.

    Processes inside the namespace decide what is at its `untrusted_paths`. `sockets` belong to it: each is
    a process and the number of its descriptor.
    """

    netns: model.NetnsId
    paths: tuple[str, ...]
    untrusted_paths: tuple[str, ...] = ()
    sockets: tuple[tuple[int, int], ...] = ()


def check_proc() -> None:
    """Raise NetnsError where namespaces cannot be found, because /proc is missing."""
    if not os.path.exists("/proc/self/ns/net"):
        raise model.NetnsError(
            "/proc is not mounted here, as in a chroot: run on the host itself, outside the chroot"
        )


@functools.lru_cache(maxsize=None)
def device() -> int:
    """The `st_dev` of nsfs, which is the same for all namespace files of the running kernel."""
    return os.stat("/proc/self/ns/net").st_dev


def netns_id(status: os.stat_result) -> model.NetnsId:
    """The identity of a namespace, from the stat result of its file."""
    return model.NetnsId(status.st_dev, status.st_ino)


def host_netns() -> model.NetnsId:
    """The namespace of PID 1; without root, which may not read that or not see PID 1 (hidepid), the caller's own."""
    try:
        return netns_id(os.stat("/proc/1/ns/net"))
    except (PermissionError, FileNotFoundError):
        return netns_id(os.stat("/proc/self/ns/net"))


def describe(status: os.stat_result) -> str:
    """Describe, for error messages, a file that is not a network namespace."""
    for has_type, description in _FILE_TYPES:
        if has_type(status.st_mode):
            return description
    return "an empty file" if status.st_size == 0 else "a regular file"


def open_own_files() -> int:
    """Open the directory OWN_FILES for many calls of copy_identified(); the caller closes the descriptor."""
    return os.open(OWN_FILES, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)


def open_identified(path: str, dir_fd: int | None = None) -> tuple[int, model.NetnsId]:
    """Open a network namespace file; the caller closes the descriptor.

    The file is checked before it is opened, so a FIFO cannot block, and opening a device has no
    effect. Raises NotANetnsError for any other file, and OSError if it cannot be opened.
    """
    probe = os.open(path, os.O_PATH | os.O_CLOEXEC, dir_fd=dir_fd)
    try:
        return _open_probed(probe, path)
    finally:
        os.close(probe)


def copy_identified(path: str, own_files: int) -> tuple[int, model.NetnsId]:
    """Make a copy of the mount of a network namespace file, for mounts.bind_copy(); the caller closes the descriptor.

    It takes two system calls less than to open the file and to mount that. The checks and the errors are those of
    open_identified(); OSError also where the kernel or a filter refuses to make it. `own_files` is what
    open_own_files() returned to this process.
    """
    copy = libc.open_tree(path)
    try:
        fd, netns = _open_probed(copy, path, own_files)
    except (model.NotANetnsError, OSError):
        os.close(copy)
        raise
    os.close(fd)
    return copy, netns


def _open_probed(probe: int, path: str, own_files: int | None = None) -> tuple[int, model.NetnsId]:
    """Open a file that was opened with O_PATH, if it is a network namespace."""
    status = os.fstat(probe)
    if status.st_dev != device():
        raise model.NotANetnsError(f"{path} is {describe(status)}, not a network namespace")
    probe_path = f"{OWN_FILES}/{probe}" if own_files is None else str(probe)
    fd = os.open(probe_path, os.O_RDONLY | os.O_CLOEXEC, dir_fd=own_files)
    kind = fcntl.ioctl(fd, _NS_GET_NSTYPE)
    if kind != libc.CLONE_NEWNET:
        os.close(fd)
        description = _NAMESPACE_TYPES.get(kind, f"a namespace of type {kind:#x}")
        raise model.NotANetnsError(f"{path} is {description}, not a network namespace")
    # The probe leads to this very file.
    return fd, netns_id(status)


def list_names(directory: str) -> dict[str, DirectoryEntry]:
    """The names in a directory that lead to a namespace, also by a symbolic link. Raises OSError."""
    entries = {}
    try:
        listing = os.scandir(directory)
    except FileNotFoundError:
        return {}
    with listing:
        for item in listing:
            try:
                status = os.stat(item.path)
            except OSError:  # it is dangling, or may not be followed
                continue
            if status.st_dev == device():
                entries[item.name] = DirectoryEntry(netns_id(status), item.inode())
    return entries
