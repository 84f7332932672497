# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The state table of a path in netns_dir: what state=present and state=absent do in each state."""

from __future__ import annotations

from .. import model
from ..named_tuple import NamedTuple
from . import ledger
from .netns_dir import EMPTY, NETNS, NOTHING, OTHER, SYMLINK, Directory, PathState

CREATED, REPAIRED, RELINKED, UNCHANGED = "created", "repaired", "relinked", "unchanged"
REMOVED, SKIPPED, CONFLICT = "removed", "skipped", "conflict"
CHANGES = (CREATED, REPAIRED, RELINKED, REMOVED)


class Decision(NamedTuple):
    """What to do at a path; the reason of a conflict names the way out."""

    action: str
    reason: str | None = None


def is_managed(path_state: PathState, entry: ledger.Entry | None) -> bool:
    """Whether the ledger claims what is at the path: path, namespace and placeholder file match."""
    if entry is None:
        return False
    if path_state.kind == EMPTY:
        return entry.file in (None, path_state.file)
    return (
        path_state.kind == NETNS
        and path_state.netns is not None
        and entry.claims(path_state.netns)
        and entry.file == path_state.file
    )


def present(
    path_state: PathState, entry: ledger.Entry | None, netns: model.NetnsId, force: bool
) -> Decision:
    """How the path becomes a link to `netns`."""
    description = path_state.description
    if path_state.kind == NOTHING:
        return Decision(CREATED)
    if path_state.kind == OTHER:
        return Decision(
            CONFLICT,
            f"{description} is at this path and is never replaced: move it away, or use another name",
        )
    if path_state.netns == netns:
        return Decision(UNCHANGED)
    if path_state.kind == EMPTY:
        if path_state.holder and not force:
            return Decision(CONFLICT, _pinned_elsewhere(path_state))
        return Decision(REPAIRED)
    if path_state.dead:
        return Decision(REPAIRED)
    if force:
        return Decision(RELINKED)
    if not is_managed(path_state, entry):
        if path_state.kind == NETNS:
            description = "a link to another namespace that this collection did not make"
        return Decision(
            CONFLICT,
            f"{description} is at this path: use another name, or replace it with `force: true`",
        )
    return _foreign_layer(path_state, entry) or Decision(
        RELINKED, _covered(path_state) if path_state.covered else None
    )


def absent(path_state: PathState, entry: ledger.Entry | None, force: bool) -> Decision:
    """How the path becomes vacant."""
    description = path_state.description
    if path_state.kind == NOTHING:
        return Decision(UNCHANGED)
    if path_state.kind == OTHER:
        return Decision(
            CONFLICT, f"{description} is at this path and is never removed: it is not a link"
        )
    if path_state.covered:
        return Decision(CONFLICT, _covered(path_state))
    if force or path_state.dead:
        return Decision(REMOVED)
    if path_state.kind == SYMLINK:
        return Decision(
            CONFLICT,
            f"{description} is at this path: `force: true` removes it, but not what it leads to",
        )
    if path_state.kind == EMPTY:
        if path_state.holder:
            return Decision(CONFLICT, _pinned_elsewhere(path_state))
        return Decision(REMOVED)
    if not is_managed(path_state, entry):
        return Decision(
            CONFLICT, "this collection did not make the link: `force: true` removes it anyway"
        )
    return _foreign_layer(path_state, entry) or Decision(REMOVED)


def _pinned_elsewhere(path_state: PathState) -> str:
    return (
        f"the empty file at this path is a pin in the mount namespace of process {path_state.holder}, as rootless "
        "engines make them: use another name, or detach it with `force: true`"
    )


def _foreign_layer(path_state: PathState, entry: ledger.Entry | None) -> Decision | None:
    claimed = [netns.inode for netns in (entry.netns, entry.previous) if netns] if entry else []
    foreign = [inode for inode in path_state.layers if inode not in claimed]
    if not foreign:
        return None
    return Decision(
        CONFLICT,
        f"another program has mounted namespace {foreign[0]} at the same path: `umount` it first, or use "
        "`force: true`",
    )


def _covered(path_state: PathState) -> str:
    pin = path_state.covered[0]
    return (
        f"mount {pin.id} on {pin.point} pins {pin.root} and cannot be reached, as the directory was mounted "
        "over later (by `ip netns`, or a second time): the namespace stays until that later mount is "
        "unmounted, and then this one"
    )


# What netns_dir needs before links are mounted in it, so that they propagate.
READY, MAKE_SHARED, BIND_SHARED, LEAVE = "ready", "make shared", "bind and make shared", "leave"


def propagation(directory: Directory) -> str:
    """What to do about the directory's own mount.

    `ip netns` makes the directory a shared mount of itself, recursively, when it first adds a name. If
    that is done here before there are pins in it, `ip netns` finds nothing to do; done later, it covers
    them.
    """
    if directory.mount_point and directory.shared:
        return READY
    if directory.has_mounts:
        return LEAVE
    return MAKE_SHARED if directory.mount_point else BIND_SHARED
