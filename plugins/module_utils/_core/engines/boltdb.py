# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""BoltDB files, version 2 (bbolt's internal/common), in the byte order of the machine.

A file has two meta pages, of which the newer valid one counts, and a tree of pages for each bucket. A bucket's
value is the number of its root page, or 0 and the page itself (an inline bucket).
"""

from __future__ import annotations

import os
import struct
import time
import typing as t

from .. import model
from ..named_tuple import NamedTuple
from . import state_files

# More than a hundred thousand containers take.
MAX_SIZE = 1 << 28
# What a damaged file raises where an offset is beyond the end.
TRUNCATED = (struct.error, OverflowError)
_MAX_READS = 5
_RETRY_DELAY = 0.01
_PAGE = struct.Struct("=QHHI")
_BRANCH = struct.Struct("=IIQ")
_LEAF = struct.Struct("=IIII")
_META = struct.Struct("=IIIIQQQQQQ")
_BUCKET = struct.Struct("=QQ")
_MAGIC = 0xED0CDAED
_IS_BRANCH, _IS_LEAF = 1, 2
_MAX_DEPTH = 32
_MAX_NESTED = 4
_PAGE_SIZES = tuple(1 << bits for bits in range(10, 17))
_Result = t.TypeVar("_Result")
# Size and offset of a part of the file.
_ReadAt = t.Callable[[int, int], bytes]


class Item(NamedTuple):
    """A value in a bucket, or a bucket."""

    value: bytes
    is_bucket: bool


class Database:
    """One state of a file. `transaction` is the ID of the newest transaction in it. Raises EngineError."""

    def __init__(self, path: str, read_at: _ReadAt, size: int, deadline: float) -> None:
        self._path = path
        self._read_at = read_at
        self._size = size
        self._deadline = deadline
        # Buckets are nested, so that a byte counts more than once; overlapping elements exceed this.
        self._bytes_left = size * _MAX_NESTED
        metas = []
        for offset in (0, *_PAGE_SIZES):
            meta = self._meta(offset + _PAGE.size)
            if meta is not None and (offset == 0 or meta[1] == offset):
                metas.append(meta)
        if not metas:
            raise model.EngineError(f"{path} is not a BoltDB file")
        self.transaction, self._page_size, self._root = max(metas)
        # Each page belongs to one tree: more visits than there are pages mean a loop.
        self._pages_left = size // self._page_size

    def check_deadline(self) -> None:
        """Raise EngineError when the time is over."""
        if time.monotonic() > self._deadline:
            raise model.EngineError(f"{self._path} could not be read in full in time")

    def _meta(self, offset: int) -> tuple[int, int, int] | None:
        """Transaction ID, page size and root page of the meta page at an offset; None if invalid."""
        content = self._read_at(_META.size, offset)
        if len(content) < _META.size:
            return None
        magic, version, page_size, _flags, root, _sequence, _free, _high, transaction, checksum = (
            _META.unpack(content)
        )
        if magic != _MAGIC or version != 2 or page_size not in _PAGE_SIZES:
            return None
        # FNV-1a of the fields before it.
        expected = 0xCBF29CE484222325
        for byte in content[: _META.size - 8]:
            expected = (expected ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
        return (transaction, page_size, root) if checksum == expected else None

    def root(self) -> dict[bytes, Item]:
        """The keys and items in the file's root bucket."""
        return dict(self._walk_page(self._root))

    def items(self, bucket: Item) -> t.Iterator[tuple[bytes, Item]]:
        """The keys and items in a bucket."""
        root, _sequence = _BUCKET.unpack_from(bucket.value)
        if root:
            return self._walk_page(root)
        return self._walk(bucket.value, _BUCKET.size, 0)

    def values(self, bucket: Item) -> dict[bytes, bytes]:
        """The keys and values in a bucket."""
        return {key: item.value for key, item in self.items(bucket) if not item.is_bucket}

    def _walk_page(self, number: int, depth: int = 0) -> t.Iterator[tuple[bytes, Item]]:
        self._pages_left -= 1
        offset = number * self._page_size
        _number, _kind, _count, overflow = _PAGE.unpack(self._read_at(_PAGE.size, offset))
        size = max(0, min((1 + overflow) * self._page_size, self._size - offset))
        return self._walk(self._read_at(size, offset), 0, depth, offset)

    def _walk(
        self, page: bytes, start: int, depth: int, position: int = 0
    ) -> t.Iterator[tuple[bytes, Item]]:
        _number, kind, count, _overflow = _PAGE.unpack_from(page, start)
        self.check_deadline()
        is_loop = self._pages_left < 0 or depth > _MAX_DEPTH
        if is_loop or kind not in (_IS_BRANCH, _IS_LEAF):
            raise model.EngineError(f"{self._path} is damaged at byte {position}")
        offset = start + _PAGE.size
        for _element in range(count):
            if kind == _IS_BRANCH:
                _at, _size, number = _BRANCH.unpack_from(page, offset)
                yield from self._walk_page(number, depth + 1)
            else:
                flags, at, key_size, size = _LEAF.unpack_from(page, offset)
                value = offset + at + key_size
                self._bytes_left -= _LEAF.size + key_size + size
                if value + size > len(page) or self._bytes_left < 0:
                    raise model.EngineError(f"{self._path} is damaged at byte {position + offset}")
                yield (
                    page[offset + at : value],
                    Item(page[value : value + size], flags == 1),
                )
            offset += _LEAF.size


def of_bytes(path: str, content: bytes, deadline: float) -> Database:
    """The database in a file that was read in full."""
    return Database(path, lambda size, at: content[at : at + size], len(content), deadline)


def read_live(path: str, read: t.Callable[[Database], _Result], deadline: float) -> _Result:
    """What `read` returns of a file that a running program has locked for itself.

    bbolt writes to pages that the newest meta page does not lead to, and then that page; what a transaction
    frees is used again by the one after it. So what was read is of one state, if there is no newer
    transaction afterwards. Raises EngineError.
    """
    with state_files.open_regular(path) as fd:

        def newest() -> Database:
            size = os.fstat(fd).st_size
            if size > MAX_SIZE:
                raise model.EngineError(f"{path} is longer than {MAX_SIZE} bytes")
            return Database(path, lambda size, at: os.pread(fd, size, at), size, deadline)

        for _attempt in range(_MAX_READS):
            database = newest()
            result: _Result | model.EngineError
            try:
                result = read(database)
            except TRUNCATED:
                result = model.EngineError(f"{path} is truncated")
            except model.EngineError as error:
                result = error
            if newest().transaction == database.transaction:
                if isinstance(result, model.EngineError):
                    raise result
                return result
            time.sleep(_RETRY_DELAY)
    raise model.EngineError(f"{path} changes too often to be read")
