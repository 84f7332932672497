# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tables of an SQLite file (https://www.sqlite.org/fileformat.html), read from its bytes.

For files of users: root does not run SQLite's library on a file that anybody may have written.
"""

from __future__ import annotations

import re
import struct
import typing as t

from .. import model
from . import state_files

_MAGIC = b"SQLite format 3\0"
_HEADER_SIZE = 100
_LEAF, _INTERIOR = 13, 5
_MAX_DEPTH = 32
_UTF_8 = 1
# What a damaged file raises where an offset is beyond the end.
_TRUNCATED = (struct.error, IndexError)
# By the serial type of a value.
_INTEGER_SIZES = {0: 0, 1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8, 7: 8, 8: 0, 9: 0}
_FLOAT = 7
_COLUMN = re.compile(rb"[(,]\s*[\"`\[]?(\w+)")

Value = t.Union[bytes, int, None]


class Database:
    """One state of a file that is not in WAL mode. Raises EngineError."""

    def __init__(self, path: str, content: bytes, deadline: state_files.Deadline) -> None:
        self._path = path
        self._content = content
        self._deadline = deadline
        header = content[:_HEADER_SIZE]
        if len(header) < _HEADER_SIZE or not header.startswith(_MAGIC):
            raise model.EngineError(f"{path} is not an SQLite file")
        (size,) = struct.unpack_from(">H", header, 16)
        self._page_size = 65536 if size == 1 else size
        self._usable = self._page_size - header[20]
        (encoding,) = struct.unpack_from(">I", header, 56)
        # A file in WAL mode is not complete without another one.
        if header[19] != 1 or encoding != _UTF_8 or self._usable < 480 or size & (size - 1):
            raise model.EngineError(f"{path} is an SQLite file of a kind that is not read")
        # Each page belongs to one tree or one value: more visits than there are pages mean a loop.
        self._pages_left = len(content) // self._page_size
        # Overlapping rows exceed this.
        self._bytes_left = len(content)
        self._tables = {
            row[1]: (row[3], _COLUMN.findall(row[4]))
            for row in self._rows(1)
            if len(row) == 5 and row[0] == b"table" and isinstance(row[4], bytes)
        }

    def rows(self, table: bytes) -> t.Iterator[dict[bytes, Value]]:
        """The rows of a table, each by its columns."""
        root, columns = self._tables.get(table, (None, []))
        if not isinstance(root, int):
            raise model.EngineError(f"{self._path} has no table {table.decode()}")
        for row in self._rows(root):
            yield dict(zip(columns, row))

    def _rows(self, root: int) -> t.Iterator[list[Value]]:
        try:
            for payload in self._walk(root, 0):
                yield _record(payload)
        except _TRUNCATED:
            raise self._damaged(root) from None

    def _damaged(self, page: int) -> model.EngineError:
        return model.EngineError(f"{self._path} is damaged at page {page}")

    def _page(self, number: int) -> bytes:
        self._deadline.check(self._path)
        self._pages_left -= 1
        page = self._content[(number - 1) * self._page_size : number * self._page_size]
        if number < 1 or len(page) < self._page_size or self._pages_left < 0:
            raise self._damaged(number)
        return page

    def _walk(self, number: int, depth: int) -> t.Iterator[bytes]:
        """The payload of each row in the tree below a page."""
        page = self._page(number)
        start = _HEADER_SIZE if number == 1 else 0
        kind, _free, count = struct.unpack_from(">BHH", page, start)
        if kind not in (_LEAF, _INTERIOR) or depth > _MAX_DEPTH:
            raise self._damaged(number)
        cells = start + (8 if kind == _LEAF else 12)
        for index in range(count):
            (cell,) = struct.unpack_from(">H", page, cells + 2 * index)
            if kind == _LEAF:
                yield self._payload(page, cell)
            else:
                yield from self._walk(struct.unpack_from(">I", page, cell)[0], depth + 1)
        if kind == _INTERIOR:
            yield from self._walk(struct.unpack_from(">I", page, start + 8)[0], depth + 1)

    def _payload(self, page: bytes, cell: int) -> bytes:
        size, at = _varint(page, cell)
        _rowid, at = _varint(page, at)
        most = self._usable - 35
        self._bytes_left -= size
        if self._bytes_left < 0:
            raise IndexError
        if size <= most:
            return page[at : at + size]
        least = (self._usable - 12) * 32 // 255 - 23
        local = least + (size - least) % (self._usable - 4)
        local = least if local > most else local
        parts = [page[at : at + local]]
        (overflow,) = struct.unpack_from(">I", page, at + local)
        left = size - local
        while left > 0:
            page = self._page(overflow)
            parts.append(page[4 : 4 + min(left, self._usable - 4)])
            left -= self._usable - 4
            (overflow,) = struct.unpack_from(">I", page, 0)
        return b"".join(parts)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """A number of one to nine bytes, and where the next value begins."""
    number = 0
    for index in range(8):
        byte = data[at + index]
        number = number << 7 | byte & 0x7F
        if byte < 0x80:
            return number, at + index + 1
    return number << 8 | data[at + 8], at + 9


def _record(payload: bytes) -> list[Value]:
    header_size, at = _varint(payload, 0)
    body = header_size
    row: list[Value] = []
    while at < header_size:
        kind, at = _varint(payload, at)
        size = _INTEGER_SIZES[kind] if kind < 10 else (kind - 12) // 2
        if size < 0 or body + size > len(payload):
            raise IndexError
        value = payload[body : body + size]
        body += size
        if kind >= 12:
            row.append(value)
        elif kind in (0, _FLOAT):
            row.append(None)
        else:
            row.append(kind - 8 if kind in (8, 9) else int.from_bytes(value, "big", signed=True))
    return row
