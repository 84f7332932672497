# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The table of what stands at /run/netns/NAME: what present and absent make of it."""

from __future__ import annotations

import typing as t

from .. import model
from . import ledger
from .snapshot import EMPTY, NETNS, NOTHING, OTHER, SYMLINK, Directory, PathState

CREATED, REPAIRED, RELINKED, UNCHANGED = "created", "repaired", "relinked", "unchanged"
REMOVED, SKIPPED, CONFLICT = "removed", "skipped", "conflict"
CHANGES = (CREATED, REPAIRED, RELINKED, REMOVED)


class Decision(t.NamedTuple):
    """What to do at a name; a conflict comes with its reason, which says the way out."""

    action: str
    reason: str | None = None


def is_ours(path_state: PathState, entry: ledger.Entry | None) -> bool:
    """Whether the ledger claims what stands there: path, namespace and the file beneath."""
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
    """What makes a link to `netns` of what stands at its name."""
    if path_state.kind == NOTHING:
        return Decision(CREATED)
    if path_state.kind == OTHER:
        return Decision(
            CONFLICT,
            f"{path_state.words} stands there, which is never replaced: move it away or take another name",
        )
    if path_state.netns == netns:
        return Decision(UNCHANGED)
    if path_state.kind == EMPTY:
        if path_state.holder and not force:
            return Decision(CONFLICT, _held(path_state))
        return Decision(REPAIRED)
    if force:
        return Decision(RELINKED)
    if not is_ours(path_state, entry):
        words = (
            "a link to another namespace, which this collection did not make,"
            if path_state.kind == NETNS
            else path_state.words
        )
        return Decision(
            CONFLICT, f"{words} stands there: take another name, or replace it by `force: true`"
        )
    return _stacked(path_state, entry) or Decision(
        RELINKED, _covered(path_state) if path_state.covered else None
    )


def absent(path_state: PathState, entry: ledger.Entry | None, force: bool) -> Decision:
    """What takes away the link that stands at a name."""
    if path_state.kind == NOTHING:
        return Decision(UNCHANGED)
    if path_state.kind == OTHER:
        return Decision(
            CONFLICT, f"{path_state.words} stands there, which is never removed: it is no link"
        )
    if path_state.covered:
        return Decision(CONFLICT, _covered(path_state))
    if force:
        return Decision(REMOVED)
    if path_state.kind == SYMLINK:
        return Decision(
            CONFLICT,
            f"{path_state.words} stands there: `force: true` removes it, and not what it leads to",
        )
    if path_state.kind == EMPTY:
        return Decision(CONFLICT, _held(path_state)) if path_state.holder else Decision(REMOVED)
    if not is_ours(path_state, entry):
        return Decision(
            CONFLICT, "this collection did not make the link: `force: true` removes it all the same"
        )
    return _stacked(path_state, entry) or Decision(REMOVED)


def _held(path_state: PathState) -> str:
    return (
        f"the empty file there is a pin in {path_state.holder} (a rootless engine's): "
        "take another name, or tear it off by `force: true`"
    )


def _stacked(path_state: PathState, entry: ledger.Entry | None) -> Decision | None:
    claimed = [netns.inode for netns in (entry.netns, entry.previous) if netns] if entry else []
    strange = [inode for inode in path_state.layers if inode not in claimed]
    if not strange:
        return None
    return Decision(
        CONFLICT,
        f"others have mounted namespace {strange[0]} at the same place: `umount` theirs first, or use `force: true`",
    )


def _covered(path_state: PathState) -> str:
    pin = path_state.covered[0]
    return (
        f"mount {pin.id} on {pin.point} pins {pin.root} out of reach, as the directory was mounted over "
        "later (by `ip netns`, or a second time): its namespace lives on until that later mount is "
        "unmounted, and then this one"
    )


# What netns_dir needs before links are mounted in it, for them to propagate.
READY, MAKE_SHARED, BIND_SHARED, LEAVE = "ready", "make shared", "bind and make shared", "leave"


def propagation(directory: Directory) -> str:
    """What to do about the directory's own mount.

    `ip netns` makes it a shared mount of itself, recursively, when it first adds a name. Done by
    us before there are pins in it, that finds nothing to do; done later, it covers them.
    """
    if directory.mount_point and directory.shared:
        return READY
    if directory.has_mounts:
        return LEAVE
    return MAKE_SHARED if directory.mount_point else BIND_SHARED
