# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The table of what stands at /run/netns/NAME: what present and absent make of it."""

from __future__ import annotations

import typing as t

from . import ledger, model
from .snapshot import EMPTY, NETNS, NOTHING, OTHER, SYMLINK, Directory, Stand

CREATED, REPAIRED, RELINKED, UNCHANGED = "created", "repaired", "relinked", "unchanged"
REMOVED, SKIPPED, CONFLICT = "removed", "skipped", "conflict"
CHANGES = (CREATED, REPAIRED, RELINKED, REMOVED)


class Verdict(t.NamedTuple):
    """What to do at a name; a conflict comes with its reason, which says the way out."""

    action: str
    reason: str | None = None


def is_ours(stand: Stand, entry: ledger.Entry | None) -> bool:
    """Whether the ledger claims what stands there: path, namespace and the file beneath."""
    if entry is None:
        return False
    if stand.kind == EMPTY:
        return entry.file in (None, stand.file)
    return (
        stand.kind == NETNS
        and stand.netns is not None
        and entry.claims(stand.netns)
        and entry.file == stand.file
    )


def present(stand: Stand, entry: ledger.Entry | None, netns: model.NetnsId, force: bool) -> Verdict:
    """What makes a link to `netns` of what stands at its name."""
    if stand.kind == NOTHING:
        return Verdict(CREATED)
    if stand.kind == OTHER:
        return Verdict(
            CONFLICT,
            f"{stand.words} stands there, which is never replaced: move it away or take another name",
        )
    if stand.netns == netns:
        return Verdict(UNCHANGED)
    if stand.kind == EMPTY:
        if stand.holder and not force:
            return Verdict(CONFLICT, _held(stand))
        return Verdict(REPAIRED)
    if force:
        return Verdict(RELINKED)
    if not is_ours(stand, entry):
        words = (
            "a link to another namespace, which this collection did not make,"
            if stand.kind == NETNS
            else stand.words
        )
        return Verdict(
            CONFLICT, f"{words} stands there: take another name, or replace it by `force: true`"
        )
    return _stacked(stand, entry) or Verdict(RELINKED, _covered(stand) if stand.covered else None)


def absent(stand: Stand, entry: ledger.Entry | None, force: bool) -> Verdict:
    """What takes away the link that stands at a name."""
    if stand.kind == NOTHING:
        return Verdict(UNCHANGED)
    if stand.kind == OTHER:
        return Verdict(
            CONFLICT, f"{stand.words} stands there, which is never removed: it is no link"
        )
    if stand.covered:
        return Verdict(CONFLICT, _covered(stand))
    if force:
        return Verdict(REMOVED)
    if stand.kind == SYMLINK:
        return Verdict(
            CONFLICT,
            f"{stand.words} stands there: `force: true` removes it, and not what it leads to",
        )
    if stand.kind == EMPTY:
        return Verdict(CONFLICT, _held(stand)) if stand.holder else Verdict(REMOVED)
    if not is_ours(stand, entry):
        return Verdict(
            CONFLICT, "this collection did not make the link: `force: true` removes it all the same"
        )
    return _stacked(stand, entry) or Verdict(REMOVED)


def _held(stand: Stand) -> str:
    return (
        f"the empty file there is a pin in {stand.holder} (a rootless engine's): "
        "take another name, or tear it off by `force: true`"
    )


def _stacked(stand: Stand, entry: ledger.Entry | None) -> Verdict | None:
    claimed = [netns.inode for netns in (entry.netns, entry.previous) if netns] if entry else []
    strange = [inode for inode in stand.layers if inode not in claimed]
    if not strange:
        return None
    return Verdict(
        CONFLICT,
        f"others have mounted namespace {strange[0]} at the same place: `umount` theirs first, or use `force: true`",
    )


def _covered(stand: Stand) -> str:
    pin = stand.covered[0]
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
