# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Mount tables (proc(5), /proc/PID/mountinfo) and the mounts that make and undo a link."""

from __future__ import annotations

import os
import re
import typing as t

from . import libc

# What says of the mount is at its beginning.
_MAX_INFO = 1 << 12
_OCTAL = re.compile(r"\\([0-7]{3})")


class Mount(t.NamedTuple):
    """A line of mountinfo; `dev` is an `st_dev`, `group` the peer group (0: not shared)."""

    id: int
    parent: int
    dev: int
    root: str
    point: str
    group: int
    fstype: str


def _unescape(text: str) -> str:
    if "\\" not in text:
        return text
    return _OCTAL.sub(lambda match: chr(int(match.group(1), 8)), text)


def parse(text: str, folder: str | None = None) -> list[Mount]:
    """Parse the text of a mountinfo file; a line that is cut short, or is none, is left out.

    With a folder only what is mounted in it, on it and above it.
    """
    mounts = []
    inside = folder.rstrip("/") + "/" if folder is not None else ""
    # Not splitlines(): a mount point may hold other characters that it splits at.
    for line in text.split("\n"):
        left, found, right = line.partition(" - ")
        fields = left.split(" ")
        if not found or len(fields) < 6 or fields[4][:1] != "/":
            continue
        point = _unescape(fields[4])
        # "/" is the only one that ends in a slash.
        above = point if point == "/" else f"{point}/"
        if inside and not point.startswith(inside) and not inside.startswith(above):
            continue
        major, _colon, minor = fields[2].partition(":")
        group = 0
        try:
            for option in fields[6:]:
                if option.startswith("shared:"):
                    group = int(option[7:])
            mounts.append(
                Mount(
                    int(fields[0]),
                    int(fields[1]),
                    os.makedev(int(major), int(minor)),
                    _unescape(fields[3]),
                    point,
                    group,
                    right.split(" ", 1)[0],
                )
            )
        except (ValueError, OverflowError):
            continue
    return mounts


def read(path: str = "/proc/self/mountinfo", folder: str | None = None) -> list[Mount]:
    """Read a mount table. Raises OSError when the process is gone or not ours to read."""
    with open(path, "rb") as stream:
        return parse(os.fsdecode(stream.read()), folder)


def mount_id(fd: int) -> int:
    """The id of the mount that an open file was reached through."""
    info = os.open(f"/proc/self/fdinfo/{fd}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        text = os.read(info, _MAX_INFO)
    finally:
        os.close(info)
    found = text.partition(b"mnt_id:")[2].split(maxsplit=1)
    if not found:
        raise OSError(f"/proc/self/fdinfo/{fd} names no mount")
    return int(found[0])


def spot(mount: Mount, table: t.Mapping[int, Mount]) -> tuple[int, str] | None:
    """Where a mount sits, as (device, path within that file system).

    The same in every mount namespace, whatever the path to it is called there. None where the
    mount below is not in the table (the root, or a chroot).
    """
    below = table.get(mount.parent)
    if below is None:
        return None
    return (below.dev, _within(below, mount.point))


def _within(mount: Mount, path: str) -> str:
    relative = os.path.relpath(path, mount.point)
    return os.path.normpath(os.path.join(mount.root, relative))


def place(fd: int, path: str, table: t.Mapping[int, Mount]) -> tuple[int, str]:
    """The same identity for an open folder, reached at `path`."""
    mount = table[mount_id(fd)]
    return (mount.dev, _within(mount, path))


def is_self_bind(mount: Mount, table: t.Mapping[int, Mount]) -> bool:
    """Whether a mount shows just the folder that it covers (as `ip netns` makes it)."""
    return spot(mount, table) == (mount.dev, mount.root)


def bind(source_fd: int, target_fd: int) -> None:
    """Mount one open file on another: what was checked is what is mounted."""
    libc.mount(f"/proc/self/fd/{source_fd}", f"/proc/self/fd/{target_fd}", libc.MS_BIND)


def detach(fd: int) -> None:
    """Detach the mount whose root is open as `fd`; EINVAL if it was swapped meanwhile."""
    libc.umount(f"/proc/self/fd/{fd}", libc.MNT_DETACH)


def make_shared_self_bind(path: str, bound: bool) -> None:
    """Give a folder a shared mount of its own, which later mounts in it propagate from.

    First private, then shared: else it joins the peer group of the mount that it is bound from,
    and each pin would be mounted twice.
    """
    if not bound:
        libc.mount(path, path, libc.MS_BIND)
    libc.mount("none", path, libc.MS_PRIVATE)
    libc.mount("none", path, libc.MS_SHARED)
