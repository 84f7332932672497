# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The reader of SQLite files, compared with SQLite itself."""

from __future__ import annotations

import contextlib
import gzip
import pathlib
import random
import sqlite3
import typing as t

import pytest

from ansible_collections.linuxnet.netns.plugins.module_utils._core import model
from ansible_collections.linuxnet.netns.plugins.module_utils._core.engines import (
    sqlite_file,
    state_files,
)

DATA = pathlib.Path(__file__).parents[4] / "data"
TABLE = "CREATE TABLE Things (ID TEXT PRIMARY KEY NOT NULL, Number INTEGER, JSON TEXT NOT NULL)"


def database(content: bytes, timeout: float = 5) -> sqlite_file.Database:
    return sqlite_file.Database("db.sql", content, state_files.Deadline(timeout))


def written(path: pathlib.Path, *pragmas: str, sizes: t.Iterable[int] = (10,)) -> bytes:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        for pragma in pragmas:
            connection.execute(f"PRAGMA {pragma}")
        connection.execute(TABLE)
        connection.executemany(
            "INSERT INTO Things VALUES (?, ?, ?)",
            [(f"{number:x}", number - 3, "x" * size) for number, size in enumerate(sizes)],
        )
        connection.commit()
        return path.read_bytes()


@pytest.mark.parametrize("version", ["5.4.2", "5.8.6"])
def test_a_database_of_podman(tmp_path: pathlib.Path, version: str) -> None:
    path = tmp_path / "db.sql"
    path.write_bytes(gzip.decompress((DATA / f"podman-{version}" / "db.sql.gz").read_bytes()))
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.text_factory = bytes
        for table in ("ContainerConfig", "ContainerState", "PodConfig"):
            cursor = connection.execute(f"SELECT * FROM {table}")
            names = [column[0].encode() for column in cursor.description]
            expected = [dict(zip(names, row)) for row in cursor]
            found = list(database(path.read_bytes()).rows(table.encode()))
            assert [{name: row[name] for name in names} for row in found] == expected
            assert found or table == "PodConfig"


@pytest.mark.parametrize("page_size", [512, 4096, 65536])
def test_sizes_of_pages_and_rows(tmp_path: pathlib.Path, page_size: int) -> None:
    sizes = [*range(page_size - 120, page_size + 40, 3), *(10,) * 3000, 200000, 0]
    content = written(tmp_path / "db.sql", f"page_size = {page_size}", sizes=sizes)
    rows = list(database(content).rows(b"Things"))
    assert [row[b"ID"] for row in rows] == [b"%x" % number for number in range(len(sizes))]
    assert [row[b"Number"] for row in rows] == [number - 3 for number in range(len(sizes))]
    assert [len(t.cast("bytes", row[b"JSON"])) for row in rows] == sizes


@pytest.mark.parametrize(
    ("pragma", "reason"),
    [
        ("journal_mode = WAL", "an SQLite file of a kind that is not read"),
        ("encoding = 'UTF-16'", "an SQLite file of a kind that is not read"),
    ],
)
def test_a_kind_that_is_not_read(tmp_path: pathlib.Path, pragma: str, reason: str) -> None:
    with pytest.raises(model.EngineError, match=reason):
        database(written(tmp_path / "db.sql", pragma))


def test_no_such_table(tmp_path: pathlib.Path) -> None:
    with pytest.raises(model.EngineError, match="has no table Others"):
        list(database(written(tmp_path / "db.sql")).rows(b"Others"))


def test_not_a_database() -> None:
    for content in (b"", b"x" * 4096, b"SQLite format 3\0", b"SQLite format 3\0" + bytes(4096)):
        with pytest.raises(model.EngineError):
            database(content)


def test_the_time_is_over(tmp_path: pathlib.Path) -> None:
    with pytest.raises(model.EngineError, match="could not be read in full"):
        database(written(tmp_path / "db.sql"), timeout=-1)


def test_damage(tmp_path: pathlib.Path) -> None:
    """It ends with rows or an error, in as many steps as the file is long."""
    whole = written(tmp_path / "db.sql", "page_size = 512", sizes=[10, 700, 4000, *(30,) * 60])
    choose = random.Random(1)
    read = errors = 0
    for _turn in range(3000):
        content = bytearray(whole)
        for _change in range(choose.randrange(1, 4)):
            at = choose.randrange(len(content))
            content[at] = choose.choice((0, 1, 2, 255, choose.randrange(256)))
        try:
            rows = list(
                database(bytes(content[: choose.choice((len(content), 5000))])).rows(b"Things")
            )
            assert len(rows) < 2 * len(whole) // 3
            read += 1
        except model.EngineError:
            errors += 1
    assert read > 100
    assert errors > 100


def test_a_loop_of_pages(tmp_path: pathlib.Path) -> None:
    content = bytearray(written(tmp_path / "db.sql", "page_size = 512", sizes=(30,) * 60))
    root = 512
    assert content[root] == 5
    content[root + 8 : root + 12] = (2).to_bytes(4, "big")
    with pytest.raises(model.EngineError, match="is damaged at page"):
        list(database(bytes(content)).rows(b"Things"))
