# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Mount tables (proc(5), /proc/PID/mountinfo), and the bind mounts that links are."""

from __future__ import annotations

import os
import re
import typing as t

from ..named_tuple import NamedTuple
from . import libc, nsfs

# mnt_id is on one of the first lines of fdinfo.
_FDINFO_READ_SIZE = 1 << 12
# Not compiled here, as hardly any run needs it.
_OCTAL = r"\\([0-7]{3})"


class Mount(NamedTuple):
    """A line of mountinfo.

    `dev` is an `st_dev`; `peer_group` is 0 where the mount is not shared; `slave` is whether mounts
    propagate to it from a peer group, its master.
    """

    id: int
    parent: int
    dev: int
    root: str
    point: str
    peer_group: int
    fstype: str
    slave: bool = False


def _unescape(text: str) -> str:
    if "\\" not in text:
        return text
    return re.sub(_OCTAL, lambda match: chr(int(match.group(1), 8)), text)


def parse(text: str, directory: str | None = None) -> list[Mount]:
    """Parse the text of a mountinfo file, and skip lines that are cut short or not valid.

    With a directory, return only the mounts in it, on it and above it.
    """
    mounts = []
    below = directory.rstrip("/") + "/" if directory is not None else ""
    # Not splitlines(): a mount point may contain other characters that it splits at.
    for line in text.split("\n"):
        start = line.split(" ", 5)
        if len(start) < 6 or start[4][:1] != "/":
            continue
        point = _unescape(start[4])
        # First of all, as most lines of a host with many containers are about other places. "/" is the only
        # mount point that ends in a slash.
        if (
            below
            and not point.startswith(below)
            and not below.startswith(point if point == "/" else f"{point}/")
        ):
            continue
        left, separator, right = line.partition(" - ")
        fields = left.split(" ")
        if not separator or len(fields) < 6:
            continue
        major, _colon, minor = fields[2].partition(":")
        peer_group, slave = 0, False
        try:
            for option in fields[6:]:
                if option.startswith("shared:"):
                    peer_group = int(option[7:])
                slave = slave or option.startswith("master:")
            mounts.append(
                Mount(
                    int(fields[0]),
                    int(fields[1]),
                    os.makedev(int(major), int(minor)),
                    _unescape(fields[3]),
                    point,
                    peer_group,
                    right.split(" ", 1)[0],
                    slave,
                )
            )
        except (ValueError, OverflowError):
            continue
    return mounts


def read(path: str = "/proc/self/mountinfo", directory: str | None = None) -> list[Mount]:
    """Read a mount table. Raises OSError where the process has ended or may not be read."""
    with open(path, "rb") as stream:
        return parse(os.fsdecode(stream.read()), directory)


def may_have_pins(process: str) -> bool:
    """Whether the mount table of a process, given by its directory below /proc, may have a pin.

    mountstats lists the mounts of mountinfo in a third of the time, as it has not all of their options. Raises OSError
    where the process has ended.
    """
    try:
        with open(f"{process}/mountstats", "rb", buffering=0) as stream:
            return b" with fstype nsfs" in stream.read()
    except PermissionError:  # not everyone who may read mountinfo may read it
        return True


def mount_id(fd: int) -> int:
    """The id of the mount that a file was opened through."""
    info = os.open(f"/proc/self/fdinfo/{fd}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        text = os.read(info, _FDINFO_READ_SIZE)
    finally:
        os.close(info)
    values = text.partition(b"mnt_id:")[2].split(maxsplit=1)
    if not values:
        raise OSError(f"/proc/self/fdinfo/{fd} does not contain a mount id")
    return int(values[0])


def location(mount: Mount, table: t.Mapping[int, Mount]) -> tuple[int, str] | None:
    """Where a mount is mounted, as (device, path within that file system).

    It is the same in every mount namespace, whatever the mount point is called there. None where the
    parent mount is not in the table (the root, or a chroot).
    """
    parent = table.get(mount.parent)
    if parent is None:
        return None
    return (parent.dev, _path_in_file_system(parent, mount.point))


def _path_in_file_system(mount: Mount, path: str) -> str:
    relative = os.path.relpath(path, mount.point)
    return os.path.normpath(os.path.join(mount.root, relative))


def directory_location(fd: int, path: str, table: t.Mapping[int, Mount]) -> tuple[int, str]:
    """The location of a directory that is open as `fd` and was opened at `path`."""
    mount = table[mount_id(fd)]
    return (mount.dev, _path_in_file_system(mount, path))


def is_self_bind(mount: Mount, table: t.Mapping[int, Mount]) -> bool:
    """Whether a directory is mounted on itself, as `ip netns` does with /run/netns."""
    return location(mount, table) == (mount.dev, mount.root)


def bind(source_fd: int, target_fd: int) -> None:
    """Bind one open file on another: what was checked is what is mounted."""
    try:
        copy = libc.open_tree(source_fd)
    except OSError:  # before Linux 5.2, or where a filter allows mount(2) alone
        _bind_by_path(source_fd, target_fd)
        return
    try:
        bind_copy(copy, target_fd)
    finally:
        os.close(copy)


def bind_copy(copy_fd: int, target_fd: int) -> None:
    """Mount a copy that libc.open_tree() made on an open file."""
    try:
        # A third faster than by paths, which the kernel follows through /proc.
        libc.move_mount(copy_fd, target_fd)
    except OSError:  # the filter of a systemd service allows mount(2) and open_tree(2)
        _bind_by_path(copy_fd, target_fd)


def _bind_by_path(source_fd: int, target_fd: int) -> None:
    libc.mount(f"{nsfs.OWN_FILES}/{source_fd}", f"{nsfs.OWN_FILES}/{target_fd}", libc.MS_BIND)


def detach(fd: int) -> None:
    """Detach the mount whose root is open as `fd`. Raises EINVAL if it was replaced meanwhile."""
    libc.umount(f"/proc/self/fd/{fd}", libc.MNT_DETACH)


def make_shared_self_bind(path: str, bound: bool) -> None:
    """Mount a directory on itself, unless it is `bound` already, and make that mount shared.

    It is made private first: otherwise it stays in the peer group of the mount that it is bound
    from, and each pin is mounted twice.
    """
    if not bound:
        libc.mount(path, path, libc.MS_BIND)
    libc.mount("none", path, libc.MS_PRIVATE)
    libc.mount("none", path, libc.MS_SHARED)
