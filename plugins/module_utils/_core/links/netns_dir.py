# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The directory of links, netns_dir: what is at each path in it, and how mounts in it propagate."""

from __future__ import annotations

import contextlib
import os
import stat
import typing as t

from .. import model
from ..kernel import mounts, nsfs, procfs
from ..named_tuple import NamedTuple
from . import ledger

# What is at a path.
NOTHING, NETNS, EMPTY, SYMLINK, OTHER = "nothing", "netns", "empty", "symlink", "other"


class PathState(NamedTuple):
    """What is at a path in netns_dir.

    `file` is the inode number that the directory lists, which is that of the placeholder file even
    where a mount covers it. `netns` is the namespace that is mounted there, or that a symbolic link
    leads to. `layers` are the namespaces of the mounts stacked there, the lowest first. `covered` are
    the mounts at this path that no path leads to any more. `holder` is a process in whose mount
    namespace an empty file is the pin of a namespace, and `held_inode` is that namespace. `dead` is
    whether a symbolic link leads nowhere.
    """

    kind: str = NOTHING
    description: str = "nothing"
    file: int | None = None
    netns: model.NetnsId | None = None
    layers: tuple[int, ...] = ()
    covered: tuple[mounts.Mount, ...] = ()
    holder: int | None = None
    dead: bool = False
    held_inode: int = 0


VACANT = PathState()


class Directory(NamedTuple):
    """netns_dir itself: how mounts in it would propagate. `mount` is the one that it is on, if it exists."""

    mount_point: bool = False
    self_bind: bool = False
    shared: bool = False
    has_mounts: bool = False
    mount: mounts.Mount | None = None


def read(
    path: str,
    entries: t.Mapping[str, ledger.Entry],
    names: set[str] | None = None,
    ready_mount: int | None = None,
) -> tuple[dict[str, PathState], Directory]:
    """Read what is at each name, or at these names alone, and the state of the directory itself.

    `entries` are those of the ledger. `ready_mount` is the id of a mount of the directory that needs
    no preparation. With `names`, the mount table is not read where the directory is on that mount and
    each path is vacant or a namespace. Each namespace then counts as one layer; a second layer is
    noticed when the first is detached.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        return {}, Directory()
    except NotADirectoryError:
        raise model.SelectionError(f"netns_dir {path} is not a directory") from None
    try:
        if names is not None:
            names = {name for name in names if _exists(name, fd)}
            if not names:
                return {}, Directory()
        path_states = _list(path, os.fstat(fd).st_dev, names)
        is_ready = (
            names is not None and ready_mount is not None and ready_mount == mounts.mount_id(fd)
        )
        if is_ready and all(path_state.kind == NETNS for path_state in path_states.values()):
            return path_states, Directory()
        table = {mount.id: mount for mount in mounts.read(directory=path)}
        directory = directory_state(fd, path, table)
        layers, covered = pins_in(path, mounts.mount_id(fd), table, names)
        for name, path_state in path_states.items():
            path_states[name] = path_state._replace(
                layers=tuple(layers.get(name, ())), covered=tuple(covered.get(name, ()))
            )
        _find_holders(fd, path, table, entries, path_states)
        return path_states, directory
    finally:
        os.close(fd)


def directory_state(fd: int, path: str, table: t.Mapping[int, mounts.Mount]) -> Directory:
    """How mounts in an open directory propagate, by a mount table that was read after it was opened.

    Raises SelectionError where the table does not have the mount of the directory.
    """
    top = table.get(mounts.mount_id(fd))
    if top is None:
        raise _in_chroot(path)
    below = path.rstrip("/") + "/"
    return Directory(
        mount_point=top.point == path,
        self_bind=top.point == path and mounts.is_self_bind(top, table),
        shared=top.peer_group != 0,
        has_mounts=any(mount.point.startswith(below) for mount in table.values()),
        mount=top,
    )


def is_on_host_mount(path: str, known: mounts.Mount | None = None) -> bool:
    """Whether the directory, or the lowest one above it that exists, is on the mount that the host has there.

    The host's mount namespace is that of PID 1. False is for a mount elsewhere that is a peer of the
    host's. Raises SelectionError where neither is true, as mounts in the directory would not propagate to
    the host, and nobody there would see them. `known` is the mount that read() has found the directory on.
    """
    directory = os.path.realpath(path)
    while not os.path.isdir(directory):
        directory = os.path.dirname(directory)
    flags = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
    with contextlib.ExitStack() as open_files:
        fd = os.open(directory, flags)
        open_files.callback(os.close, fd)
        mount_id = mounts.mount_id(fd)
        try:
            host_fd = os.open(f"/proc/1/root{directory}", flags)
            open_files.callback(os.close, host_fd)
            is_same = os.path.samestat(os.fstat(fd), os.fstat(host_fd))
            host_mount_id = mounts.mount_id(host_fd)
        except PermissionError:
            # A security module, or another user namespace. A mount has a master where it was copied.
            mount = _mount_of(mount_id, directory, path, known)
            if mount.slave and not mount.peer_group:
                raise _invisible(path) from None
            return True
        except OSError:
            is_same, host_mount_id = False, 0
        if is_same and mount_id == host_mount_id:
            return True
        mount = _mount_of(mount_id, directory, path, known)
        host_mounts = mounts.read("/proc/1/mountinfo") if is_same and mount.peer_group else []
        peer_groups = {host.id: host.peer_group for host in host_mounts}
        if not mount.peer_group or peer_groups.get(host_mount_id) != mount.peer_group:
            raise _invisible(path)
        return False


def _mount_of(mount_id: int, directory: str, path: str, known: mounts.Mount | None) -> mounts.Mount:
    if known is not None and known.id == mount_id:
        return known
    for mount in mounts.read(directory=directory):
        if mount.id == mount_id:
            return mount
    raise _in_chroot(path)


def _in_chroot(path: str) -> model.SelectionError:
    # The mount table has only what is beneath the own root directory.
    return model.SelectionError(
        f"this run is in a chroot, and the host would not see links in {path}: run it outside the chroot"
    )


def _invisible(path: str) -> model.SelectionError:
    return model.SelectionError(
        f"this run is in a mount namespace of its own, and the host would not see links in {path}. Run it "
        "outside the service that has PrivateTmp= or another sandbox, or outside `ip netns exec`; or in the "
        "host's mount namespace, with `nsenter --target 1 --mount`"
    )


def _exists(name: str, directory_fd: int) -> bool:
    try:
        os.stat(name, dir_fd=directory_fd, follow_symlinks=False)
    except OSError:
        return False
    return True


def _list(path: str, own_device: int, names: set[str] | None) -> dict[str, PathState]:
    """What is at each name, or at these names, without the fields that the mount table gives."""
    nsfs_device = nsfs.device()
    path_states: dict[str, PathState] = {}
    with os.scandir(path) as listing:
        for item in listing:
            if names is not None and item.name not in names:
                continue
            with contextlib.suppress(FileNotFoundError):  # `ip netns del` was quicker
                path_state = _path_state(item, own_device, nsfs_device)
                path_states[item.name] = path_state._replace(file=item.inode())
            if names is not None and len(path_states) == len(names):
                break
    return path_states


def _path_state(item: os.DirEntry[str], own_device: int, nsfs_device: int) -> PathState:
    if item.is_symlink():
        try:
            status = os.stat(item.path)
        except FileNotFoundError:
            return PathState(SYMLINK, "a symbolic link that leads nowhere", dead=True)
        except OSError as error:
            return PathState(SYMLINK, f"a symbolic link that cannot be followed: {error.strerror}")
        if status.st_dev == nsfs_device:
            return PathState(
                SYMLINK, "a symbolic link to another namespace", netns=nsfs.netns_id(status)
            )
        return PathState(SYMLINK, f"a symbolic link to {nsfs.describe(status)}")
    status = os.stat(item.path)
    if status.st_dev == nsfs_device:
        return PathState(NETNS, "a link", netns=nsfs.netns_id(status))
    if status.st_dev != own_device:
        return PathState(OTHER, f"{nsfs.describe(status)} of a mounted file system")
    if stat.S_ISREG(status.st_mode) and status.st_size == 0:
        return PathState(EMPTY, "an empty file")
    if stat.S_ISREG(status.st_mode):
        return PathState(OTHER, "a file that is not empty")
    return PathState(OTHER, nsfs.describe(status))


def pins_in(
    path: str, top: int, table: t.Mapping[int, mounts.Mount], names: set[str] | None = None
) -> tuple[dict[str, list[int]], dict[str, list[mounts.Mount]]]:
    """The pins at each name: those stacked where the path leads, and those that are covered.

    `top` is the id of the mount that the path of the directory leads to.
    """
    layers: dict[str, list[int]] = {}
    covered: dict[str, list[mounts.Mount]] = {}
    tips: dict[str, int] = {}
    waiting = [
        mount
        for mount in table.values()
        if mount.fstype == "nsfs"
        for parent, _slash, name in [mount.point.rpartition("/")]
        if parent == path and (names is None or name in names)
    ]
    # Mount ids are reused, so a stack is followed from its lowest mount and not by their order.
    while waiting:
        later = []
        for mount in waiting:
            name = os.path.basename(mount.point)
            if mount.parent == tips.get(name, top):
                tips[name] = mount.id
                layers.setdefault(name, []).append(_inode(mount))
            else:
                later.append(mount)
        if len(later) == len(waiting):
            break
        waiting = later
    for mount in waiting:
        below = table.get(mount.parent)
        # A duplicate that propagation made, and takes away again: where /run is shared, the mount that
        # `ip netns` makes of /run/netns is a peer of the one it covers.
        if below is not None and below.peer_group and below.peer_group == table[top].peer_group:
            continue
        covered.setdefault(os.path.basename(mount.point), []).append(mount)
    return layers, covered


def _inode(mount: mounts.Mount) -> int:
    # The root of an nsfs mount reads "net:[4026532184]".
    number = mount.root.rpartition("[")[2].rstrip("]")
    return int(number) if number.isdecimal() else 0


def _find_holders(
    fd: int,
    path: str,
    table: t.Mapping[int, mounts.Mount],
    entries: t.Mapping[str, ledger.Entry],
    path_states: dict[str, PathState],
) -> None:
    """Search the other mount namespaces for pins on the empty files that the ledger does not claim."""
    unclaimed = [
        name
        for name, path_state in path_states.items()
        for entry in [entries.get(os.path.join(path, name))]
        if path_state.kind == EMPTY and not (entry and entry.file == path_state.file)
    ]
    if not unclaimed:
        return
    device, directory = mounts.directory_location(fd, path, table)
    names = {(device, os.path.join(directory, name)): name for name in unclaimed}
    for pid, foreign in procfs.other_mount_tables():
        by_id = {mount.id: mount for mount in foreign}
        for mount in foreign:
            pin_position = mounts.location(mount, by_id) if mount.fstype == "nsfs" else None
            pinned = names.get(pin_position) if pin_position else None
            if pinned is not None:
                path_states[pinned] = path_states[pinned]._replace(
                    holder=pid, held_inode=_inode(mount)
                )
