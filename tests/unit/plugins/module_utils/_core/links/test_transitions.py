# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The state table of a path in netns_dir, row by row."""

from __future__ import annotations

import pytest

from ansible_collections.linuxnet.netns.plugins.module_utils._core import model
from ansible_collections.linuxnet.netns.plugins.module_utils._core.kernel import mounts
from ansible_collections.linuxnet.netns.plugins.module_utils._core.links import ledger, transitions
from ansible_collections.linuxnet.netns.plugins.module_utils._core.links.netns_dir import (
    EMPTY,
    NETNS,
    OTHER,
    SYMLINK,
    Directory,
    PathState,
)

THIS, OLD, FOREIGN = (model.NetnsId(4, inode) for inode in (11, 12, 13))
FILE = 7
ENTRY_THIS = ledger.Entry("/run/netns/web", THIS, FILE, "module")
ENTRY_OLD = ledger.Entry("/run/netns/web", OLD, FILE, "hook")
MOVING = ledger.Entry("/run/netns/web", THIS, FILE, "module", previous=OLD)
RUN = mounts.Mount(22, 21, 26, "/", "/run", 0, "tmpfs")


def link(netns: model.NetnsId, *layers: int, file: int = FILE) -> PathState:
    return PathState(NETNS, "a link", file, netns, layers or (netns.inode,))


ROWS = [
    # state of the path, ledger entry; actions of present, with force, of absent, with force
    (PathState(), None, "created", "created", "unchanged", "unchanged"),
    (PathState(), ENTRY_THIS, "created", "created", "unchanged", "unchanged"),
    (link(THIS), ENTRY_THIS, "unchanged", "unchanged", "removed", "removed"),
    (link(THIS), None, "unchanged", "unchanged", "conflict", "removed"),
    (link(THIS, file=8), ENTRY_THIS, "unchanged", "unchanged", "conflict", "removed"),
    (link(OLD), ENTRY_OLD, "relinked", "relinked", "removed", "removed"),
    (link(OLD), MOVING, "relinked", "relinked", "removed", "removed"),
    (link(OLD), ENTRY_THIS, "conflict", "relinked", "conflict", "removed"),
    (link(OLD, file=8), ENTRY_OLD, "conflict", "relinked", "conflict", "removed"),
    (link(FOREIGN), None, "conflict", "relinked", "conflict", "removed"),
    (link(OLD, FOREIGN.inode, OLD.inode), ENTRY_OLD, "conflict", "relinked", "conflict", "removed"),
    (link(OLD, OLD.inode, OLD.inode), ENTRY_OLD, "relinked", "relinked", "removed", "removed"),
    (PathState(EMPTY, file=FILE), None, "repaired", "repaired", "removed", "removed"),
    (PathState(EMPTY, file=FILE), ENTRY_OLD, "repaired", "repaired", "removed", "removed"),
    (PathState(EMPTY, file=FILE, holder=7), None, "conflict", "repaired", "conflict", "removed"),
    (PathState(SYMLINK, netns=THIS), None, "unchanged", "unchanged", "conflict", "removed"),
    (PathState(SYMLINK, netns=FOREIGN), None, "conflict", "relinked", "conflict", "removed"),
    (PathState(SYMLINK), ENTRY_THIS, "conflict", "relinked", "conflict", "removed"),
    (PathState(SYMLINK, dead=True), None, "repaired", "repaired", "removed", "removed"),
    (PathState(SYMLINK, dead=True), ENTRY_THIS, "repaired", "repaired", "removed", "removed"),
    (PathState(OTHER, "a directory"), None, "conflict", "conflict", "conflict", "conflict"),
    (PathState(OTHER, "a device"), ENTRY_THIS, "conflict", "conflict", "conflict", "conflict"),
]


@pytest.mark.parametrize(
    ("path_state", "entry", "present", "present_force", "absent", "absent_force"), ROWS
)
def test_table(
    path_state: PathState,
    entry: ledger.Entry | None,
    present: str,
    present_force: str,
    absent: str,
    absent_force: str,
) -> None:
    decisions = [
        transitions.present(path_state, entry, THIS, False),
        transitions.present(path_state, entry, THIS, True),
        transitions.absent(path_state, entry, False),
        transitions.absent(path_state, entry, True),
    ]
    assert [decision.action for decision in decisions] == [
        present,
        present_force,
        absent,
        absent_force,
    ]
    for decision in decisions:
        assert (decision.action == "conflict") == (decision.reason is not None)


@pytest.mark.parametrize(
    ("path_state", "entry", "managed"),
    [
        (link(THIS), ENTRY_THIS, True),
        (link(OLD), MOVING, True),
        (link(THIS), None, False),
        (link(OLD), ENTRY_THIS, False),
        (link(THIS, file=8), ENTRY_THIS, False),
        (PathState(EMPTY, file=FILE), ENTRY_THIS, True),
        (PathState(EMPTY, file=8), ENTRY_THIS, False),
        (PathState(EMPTY, file=8), ledger.Entry("/run/netns/web", THIS, None, "module"), True),
        (link(THIS), ledger.Entry("/run/netns/web", THIS, None, "module"), False),
        (PathState(SYMLINK, file=FILE, netns=THIS), ENTRY_THIS, False),
    ],
)
def test_is_managed(path_state: PathState, entry: ledger.Entry | None, managed: bool) -> None:
    assert transitions.is_managed(path_state, entry) is managed


def test_a_covered_pin_is_named() -> None:
    pin = mounts.Mount(51, 1, 4, "net:[12]", "/run/netns/web", 0, "nsfs")
    path_state = PathState(NETNS, "a link", FILE, OLD, (12,), (pin,))
    for force in (False, True):
        decision = transitions.absent(path_state, ENTRY_OLD, force)
        assert decision.action == "conflict"
        assert "mount 51 on /run/netns/web" in str(decision.reason)
    assert transitions.present(path_state, ENTRY_OLD, THIS, False).action == "relinked"


@pytest.mark.parametrize(
    ("directory", "preparation"),
    [
        (Directory(), transitions.BIND_SHARED),
        (Directory(mount=RUN), transitions.BIND_SHARED),
        (Directory(mount=RUN, shared=True), transitions.BIND_SHARED),
        (Directory(mount=RUN, has_mounts=True), transitions.LEAVE),
        (Directory(True, True, shared=True), transitions.READY),
        (Directory(True, True, shared=True, has_mounts=True), transitions.READY),
        (Directory(True, True), transitions.MAKE_SHARED),
        (Directory(True, True, has_mounts=True), transitions.LEAVE),
    ],
)
def test_propagation(directory: Directory, preparation: str) -> None:
    assert transitions.propagation(directory) == preparation
