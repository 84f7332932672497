# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""containerd's database, captured while containerd 1.7 had it open, with pods, a container of ctr, and Docker's."""

from __future__ import annotations

import gzip
import pathlib
import struct
import time

import hostile_inputs
import pytest

from ansible_collections.linuxnet.netns.plugins.module_utils._core import model
from ansible_collections.linuxnet.netns.plugins.module_utils._core.engines import (
    boltdb,
    containerd_metadata,
)

DATA = pathlib.Path(__file__).parents[4] / "data" / "containerd-1.7.24" / "meta.db.gz"
WEB = ("k8s.io", "f0396edd2838c533788e755f4b0030b20fce4190225595ee20be1ff604906fca")
PLAIN = ("default", "plain")
SANDBOX = {"app": "web-0", "io.cri-containerd.kind": "sandbox"}


@pytest.fixture
def path(tmp_path: pathlib.Path) -> pathlib.Path:
    path = tmp_path / "meta.db"
    path.write_bytes(gzip.decompress(DATA.read_bytes()))
    return path


def read(path: pathlib.Path) -> object:
    return containerd_metadata.read(
        str(path), {WEB, PLAIN, ("k8s.io", "none")}, time.monotonic() + 5
    )


def test_read(path: pathlib.Path) -> None:
    assert read(path) == {
        WEB: SANDBOX,
        PLAIN: {"io.containerd.image.config.stop-signal": "SIGTERM"},
    }


@pytest.mark.parametrize("file", hostile_inputs.ODD_FILES, ids=hostile_inputs.case_id)
def test_an_odd_file(path: pathlib.Path, file: hostile_inputs.File) -> None:
    file.put(path)
    # A symbolic link to a file is followed, as containerd follows it.
    with pytest.raises(model.EngineError):
        read(path)


def test_every_damaged_byte(path: pathlib.Path) -> None:
    content = path.read_bytes()
    errors = 0
    for position in range(0, len(content), 997):
        path.write_bytes(content[:position] + b"\xff" * 8 + content[position + 8 :])
        try:
            read(path)
        except model.EngineError:
            errors += 1
    assert errors


def test_damaged_labels_of_one_container(
    path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = containerd_metadata._labels
    count = iter(range(99))

    def labels(database: boltdb.Database, container: boltdb.Item) -> dict[str, str]:
        if next(count) == 0:
            raise struct.error("too short")
        return real(database, container)

    monkeypatch.setattr(containerd_metadata, "_labels", labels)
    found = containerd_metadata.read(str(path), {WEB, PLAIN}, time.monotonic() + 5)
    assert found[WEB] == SANDBOX
    assert "too short" in str(found[PLAIN])


def test_reading_ends_with_the_timeout(path: pathlib.Path) -> None:
    with pytest.raises(model.EngineError, match="could not be read in full in time"):
        containerd_metadata.read(str(path), {WEB}, time.monotonic() - 1)


class Writer:
    """Commits a transaction whenever the database is read: the newer meta page gets a higher number."""

    def __init__(self, path: pathlib.Path, commits: int) -> None:
        self._path = path
        self._left = commits

    def __call__(self, database: boltdb.Database) -> int:
        if self._left:
            self._left -= 1
            content = bytearray(self._path.read_bytes())
            number = database.transaction + 1
            offset = 4096 * (number % 2) + 16
            source = 4096 * (1 - number % 2) + 16
            meta = content[source : source + 48] + struct.pack("=Q", number)
            checksum = 0xCBF29CE484222325
            for byte in meta:
                checksum = (checksum ^ byte) * 0x100000001B3 % (1 << 64)
            content[offset : offset + 64] = meta + struct.pack("=Q", checksum)
            self._path.write_bytes(content)
        if self._left:
            raise struct.error("half of it is of the next transaction")
        return database.transaction


def test_a_database_that_changes_is_read_again(path: pathlib.Path) -> None:
    before = boltdb.of_bytes("", path.read_bytes(), time.monotonic() + 5).transaction
    assert boltdb.read_live(str(path), Writer(path, 3), time.monotonic() + 5) == before + 3


def test_a_database_that_changes_all_the_time(path: pathlib.Path) -> None:
    with pytest.raises(model.EngineError, match="changes too often"):
        boltdb.read_live(str(path), Writer(path, 99), time.monotonic() + 5)
