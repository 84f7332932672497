# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bounded reading of files and JSON that anybody may have written."""

from __future__ import annotations

import os
import pathlib
import sys
import time
import typing as t

import hostile_inputs
import pytest

from ansible_collections.linuxnet.netns.plugins.module_utils._core import untrusted


def test_a_file_is_read_up_to_its_limit(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * 64)
    data, status = untrusted.read_file(str(path), 64)
    assert (data, status.st_ino) == (b"x" * 64, path.stat().st_ino)
    with pytest.raises(untrusted.UnusableFileError, match="is longer than 63 bytes"):
        untrusted.read_file(str(path), 63)
    (tmp_path / "link").symlink_to("file")
    assert untrusted.read_file(str(tmp_path / "link"), 64, follow=True)[0] == data
    fd = os.open(tmp_path, os.O_RDONLY)
    try:
        assert untrusted.read_file("file", 64, fd)[0] == data
    finally:
        os.close(fd)


@pytest.mark.parametrize("file", hostile_inputs.UNUSABLE_FILES, ids=hostile_inputs.case_id)
def test_a_path_that_is_not_a_file_is_neither_followed_nor_waited_for(
    tmp_path: pathlib.Path, file: hostile_inputs.File
) -> None:
    before = len(os.listdir("/proc/self/fd"))
    file.put(tmp_path / "x")
    with pytest.raises((untrusted.UnusableFileError, OSError), match=file.error):
        untrusted.read_file(str(tmp_path / "x"), 1 << 20)
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize(
    "make", [os.mkfifo, os.mkdir, lambda path: os.mknod(path, 0o20600, os.makedev(1, 5))]
)
def test_a_symbolic_link_to_what_is_not_a_file(
    tmp_path: pathlib.Path, make: t.Callable[[pathlib.Path], None]
) -> None:
    try:
        make(tmp_path / "x")
    except PermissionError:
        pytest.skip("not for an ordinary user")
    (tmp_path / "link").symlink_to("x")
    with pytest.raises((untrusted.UnusableFileError, OSError)):
        untrusted.read_file(str(tmp_path / "link"), 64, follow=True)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"\xff",
        b"\xff\xfe[\x00]\x00",
        "[" * 100_000,
        '{"a":' * 100_000,
        "1" * 21,
        "-" + "9" * 21,
        "[" + "7" * 30_000_000 + "]",
        b"[" + b"[]," * 4_000_000 + b"[]]",
    ],
    ids=hostile_inputs.case_id,
)
def test_invalid_json(monkeypatch: pytest.MonkeyPatch, text: str | bytes) -> None:
    # Older Pythons have no limit of their own, and take hours for a long number.
    if hasattr(sys, "set_int_max_str_digits"):
        limit = sys.get_int_max_str_digits()
        sys.set_int_max_str_digits(0)
    started = time.monotonic()
    try:
        with pytest.raises(ValueError, match=r"\w"):
            untrusted.parse_json(text)
    finally:
        if hasattr(sys, "set_int_max_str_digits"):
            sys.set_int_max_str_digits(limit)
    assert time.monotonic() - started < 10


@pytest.mark.parametrize(
    ("text", "value"), [("18446744073709551615", 2**64 - 1), (b"[-1.5]", [-1.5])]
)
def test_json(text: str | bytes, value: t.Any) -> None:
    assert untrusted.parse_json(text) == value
