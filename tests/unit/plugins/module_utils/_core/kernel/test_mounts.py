# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import builtins
import errno
import os
import pathlib
import typing as t

import pytest

from ansible_collections.linuxnet.netns.plugins.module_utils._core.kernel import mounts

# Lines of a Debian 12 host's /proc/self/mountinfo: Docker's pins, `ip netns add red` (which binds
# /run/netns onto itself first), and a directory with a space, a tab and a backslash in its name.
CAPTURED = r"""22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard
35 27 0:31 / /run rw,nosuid,nodev shared:12 - tmpfs tmpfs rw,size=4k
60 35 0:4 net:[4026531833] /run/docker/netns/default rw shared:13 - nsfs nsfs rw
96 35 0:31 /netns /run/netns rw,nosuid shared:12 - tmpfs tmpfs rw,size=4k
140 96 0:4 net:[4026532261] /run/netns/red rw shared:7 master:3 propagate_from:2 - nsfs nsfs rw
150 27 254:0 /srv/a\040b\011c\134d /mnt/a\040b rw - ext4 /dev/vda rw
151 96 0:4 net:[4026532300] /run/netns/gone//deleted rw - nsfs nsfs rw
"""


@pytest.fixture
def table() -> dict[int, mounts.Mount]:
    return {mount.id: mount for mount in mounts.parse(CAPTURED)}


def test_parse(table: dict[int, mounts.Mount]) -> None:
    assert len(table) == 8
    assert table[140] == mounts.Mount(
        140, 96, os.makedev(0, 4), "net:[4026532261]", "/run/netns/red", 7, "nsfs", slave=True
    )
    assert not table[60].slave
    assert table[27].peer_group == 0
    assert table[150].root == "/srv/a b\tc\\d"
    assert table[150].point == "/mnt/a b"


PINS = ["/run/netns/red", "/run/netns/gone//deleted"]


@pytest.mark.parametrize(
    ("directory", "points"),
    [
        ("/run/netns", ["/", "/run", "/run/netns", *PINS]),
        ("/run/docker", ["/", "/run", "/run/docker/netns/default"]),
        ("/run/netns/re", ["/", "/run", "/run/netns"]),
        ("/mnt", ["/", "/mnt/a b"]),
        ("/mnt/a b", ["/", "/mnt/a b"]),
        ("/", [mount.point for mount in mounts.parse(CAPTURED)]),
    ],
)
def test_what_is_in_on_and_above_a_directory(directory: str, points: list[str]) -> None:
    assert [mount.point for mount in mounts.parse(CAPTURED, directory)] == points


@pytest.mark.parametrize("length", range(len(CAPTURED)))
def test_a_table_that_is_cut_short(length: int) -> None:
    whole = CAPTURED[:length].count("\n")
    assert whole <= len(mounts.parse(CAPTURED[:length])) <= whole + 1


@pytest.mark.parametrize(
    "line",
    [
        "x 96 0:4 / /a rw - nsfs nsfs rw",
        "140 x 0:4 / /a rw - nsfs nsfs rw",
        "140 96 04 / /a rw - nsfs nsfs rw",
        "140 96 0:4 / /a rw shared:x - nsfs nsfs rw",
        "140 96 99999999999999999999:4 / /a rw - nsfs nsfs rw",
        "140 96 0:4 / /a - nsfs nsfs rw",
        # The mount point is not a path.
        "140 96 0:4 /  rw - nsfs nsfs rw",
        "140 96 0:4 / a rw - nsfs nsfs rw",
        " - ",
    ],
)
def test_lines_that_are_not_valid_are_left_out(line: str) -> None:
    assert mounts.parse(f"{line}\n{CAPTURED}") == mounts.parse(CAPTURED)


def test_a_mount_point_with_other_line_ends() -> None:
    line = "140 96 0:4 net:[4026532261] /run/netns/a\x85b\x0cc rw - nsfs nsfs rw\n"
    assert mounts.parse(line)[0].point == "/run/netns/a\x85b\x0cc"


def test_location_is_the_path_on_the_file_system_below(table: dict[int, mounts.Mount]) -> None:
    # The same file, whether the directory was mounted onto itself before or not.
    tmpfs = os.makedev(0, 31)
    assert mounts.location(table[140], table) == (tmpfs, "/netns/red")
    assert mounts.location(table[140]._replace(parent=35), table) == (tmpfs, "/netns/red")
    assert mounts.location(table[150], table) == (os.makedev(254, 0), "/mnt/a b")
    assert mounts.location(table[27], table) is None


@pytest.mark.parametrize(("identity", "expected"), [(96, True), (35, False), (140, False)])
def test_self_bind(table: dict[int, mounts.Mount], identity: int, expected: bool) -> None:
    assert mounts.is_self_bind(table[identity], table) is expected


MOUNTSTATS = "device overlay mounted on / with fstype overlay\ndevice proc mounted on /proc with fstype proc\n"
PIN = "device nsfs mounted on /run/netns/web with fstype nsfs\n"


@pytest.mark.parametrize(("text", "expected"), [(MOUNTSTATS, False), (MOUNTSTATS + PIN, True)])
def test_tables_that_may_have_pins(tmp_path: pathlib.Path, text: str, expected: bool) -> None:
    (tmp_path / "mountstats").write_text(text)
    assert mounts.may_have_pins(str(tmp_path)) is expected


def test_a_table_of_which_only_the_longer_form_may_be_read(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_arguments: object, **_options: object) -> t.NoReturn:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(builtins, "open", refuse)
    assert mounts.may_have_pins(str(tmp_path))
