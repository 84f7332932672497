# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""DESIGN's table of what stands at /run/netns/NAME, row by row."""

from __future__ import annotations

import pytest

from ansible_collections.linuxnet.netns.plugins.module_utils._core import decide, ledger, model
from ansible_collections.linuxnet.netns.plugins.module_utils._core.kernel import mounts
from ansible_collections.linuxnet.netns.plugins.module_utils._core.snapshot import (
    EMPTY,
    NETNS,
    OTHER,
    SYMLINK,
    Directory,
    Stand,
)

THIS, OLD, THEIRS = (model.NetnsId(4, inode) for inode in (11, 12, 13))
FILE = 7
OURS_THIS = ledger.Entry("/run/netns/web", THIS, FILE, "module")
OURS_OLD = ledger.Entry("/run/netns/web", OLD, FILE, "hook")
MOVING = ledger.Entry("/run/netns/web", THIS, FILE, "module", previous=OLD)


def link(netns: model.NetnsId, *layers: int, file: int = FILE) -> Stand:
    return Stand(NETNS, "a link", file, netns, layers or (netns.inode,))


ROWS = [
    # what stands there, our entry; present, by force; absent, by force
    (Stand(), None, "created", "created", "unchanged", "unchanged"),
    (Stand(), OURS_THIS, "created", "created", "unchanged", "unchanged"),
    (link(THIS), OURS_THIS, "unchanged", "unchanged", "removed", "removed"),
    (link(THIS), None, "unchanged", "unchanged", "conflict", "removed"),
    (link(THIS, file=8), OURS_THIS, "unchanged", "unchanged", "conflict", "removed"),
    (link(OLD), OURS_OLD, "relinked", "relinked", "removed", "removed"),
    (link(OLD), MOVING, "relinked", "relinked", "removed", "removed"),
    (link(OLD), OURS_THIS, "conflict", "relinked", "conflict", "removed"),
    (link(OLD, file=8), OURS_OLD, "conflict", "relinked", "conflict", "removed"),
    (link(THEIRS), None, "conflict", "relinked", "conflict", "removed"),
    (link(OLD, THEIRS.inode, OLD.inode), OURS_OLD, "conflict", "relinked", "conflict", "removed"),
    (link(OLD, OLD.inode, OLD.inode), OURS_OLD, "relinked", "relinked", "removed", "removed"),
    (Stand(EMPTY, file=FILE), None, "repaired", "repaired", "removed", "removed"),
    (Stand(EMPTY, file=FILE), OURS_OLD, "repaired", "repaired", "removed", "removed"),
    (Stand(EMPTY, file=FILE, holder="x"), None, "conflict", "repaired", "conflict", "removed"),
    (Stand(SYMLINK, netns=THIS), None, "unchanged", "unchanged", "conflict", "removed"),
    (Stand(SYMLINK, netns=THEIRS), None, "conflict", "relinked", "conflict", "removed"),
    (Stand(SYMLINK), OURS_THIS, "conflict", "relinked", "conflict", "removed"),
    (Stand(OTHER, "a directory"), None, "conflict", "conflict", "conflict", "conflict"),
    (Stand(OTHER, "a device"), OURS_THIS, "conflict", "conflict", "conflict", "conflict"),
]


@pytest.mark.parametrize(
    ("stand", "entry", "present", "present_force", "absent", "absent_force"), ROWS
)
def test_table(
    stand: Stand,
    entry: ledger.Entry | None,
    present: str,
    present_force: str,
    absent: str,
    absent_force: str,
) -> None:
    verdicts = [
        decide.present(stand, entry, THIS, False),
        decide.present(stand, entry, THIS, True),
        decide.absent(stand, entry, False),
        decide.absent(stand, entry, True),
    ]
    assert [verdict.action for verdict in verdicts] == [
        present,
        present_force,
        absent,
        absent_force,
    ]
    for verdict in verdicts:
        assert (verdict.action == "conflict") == (verdict.reason is not None)


@pytest.mark.parametrize(
    ("stand", "entry", "ours"),
    [
        (link(THIS), OURS_THIS, True),
        (link(OLD), MOVING, True),
        (link(THIS), None, False),
        (link(OLD), OURS_THIS, False),
        (link(THIS, file=8), OURS_THIS, False),
        (Stand(EMPTY, file=FILE), OURS_THIS, True),
        (Stand(EMPTY, file=8), OURS_THIS, False),
        (Stand(EMPTY, file=8), ledger.Entry("/run/netns/web", THIS, None, "module"), True),
        (link(THIS), ledger.Entry("/run/netns/web", THIS, None, "module"), False),
        (Stand(SYMLINK, file=FILE, netns=THIS), OURS_THIS, False),
    ],
)
def test_is_ours(stand: Stand, entry: ledger.Entry | None, ours: bool) -> None:
    assert decide.is_ours(stand, entry) is ours


def test_a_covered_pin_is_named() -> None:
    pin = mounts.Mount(51, 1, 4, "net:[12]", "/run/netns/web", 0, "nsfs")
    stand = Stand(NETNS, "a link", FILE, OLD, (12,), (pin,))
    for force in (False, True):
        verdict = decide.absent(stand, OURS_OLD, force)
        assert verdict.action == "conflict"
        assert "mount 51 on /run/netns/web" in str(verdict.reason)
    assert decide.present(stand, OURS_OLD, THIS, False).action == "relinked"


@pytest.mark.parametrize(
    ("directory", "todo"),
    [
        (Directory(), decide.BIND_SHARED),
        (Directory(True), decide.BIND_SHARED),
        (Directory(True, shared=True), decide.BIND_SHARED),
        (Directory(True, has_mounts=True), decide.LEAVE),
        (Directory(True, True, True, shared=True), decide.READY),
        (Directory(True, True, True, shared=True, has_mounts=True), decide.READY),
        (Directory(True, True, True), decide.MAKE_SHARED),
        (Directory(True, True, True, has_mounts=True), decide.LEAVE),
    ],
)
def test_propagation(directory: Directory, todo: str) -> None:
    assert decide.propagation(directory) == todo
