# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Podman's database, with every container, pod, PID and pin.

It is SQLite since 4.8 (libpod/sqlite_state.go), BoltDB before (libpod/boltdb_state.go). Both contain
the same JSON: a container's configuration (libpod/container_config.go) and state (libpod/container.go).
The storage library's containers.json cannot replace the database. It does not list pods, or containers
made with --rootfs, and it also lists containers of Buildah and CRI-O.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import struct
import time
import typing as t
import urllib.parse

from .. import model
from ..kernel import nsfs
from . import state_files, values

# With transient_store the database is in the run directory.
_SQLITE = ("{graph}/db.sql", "{run}/db.sql")
_BOLT = ("{graph}/libpod/bolt_state.db", "/run/libpod/bolt_state.db")
# The first that exists counts (containers-storage.conf(5)).
_STORAGE_CONFS = ("/etc/containers/storage.conf", "/usr/share/containers/storage.conf")
_DEFAULTS = {"graphroot": "/var/lib/containers/storage", "runroot": "/run/containers/storage"}
# More than a hundred thousand containers take.
_MAX_DATABASE = 1 << 28
# Instructions of SQLite's virtual machine between two checks of the deadline.
_CHECK_INTERVAL = 100_000
_RETRY_DELAY = 0.01

_QUERY = """
    SELECT c.ID, c.JSON, s.JSON, p.Name FROM ContainerConfig AS c
    LEFT JOIN ContainerState AS s ON s.ID = c.ID LEFT JOIN PodConfig AS p ON p.ID = c.PodID
"""


class Record(t.NamedTuple):
    """A container's record; `pin` is empty where `state` contains it, `error` where the rest is valid."""

    id: str
    config: t.Any = None
    state: t.Any = None
    pin: str = ""
    pod_name: str = ""
    error: str = ""


def configured(key: str) -> str:
    """The storage directory that is configured as `graphroot` or `runroot`."""
    path = next(filter(os.path.exists, _STORAGE_CONFS), None)
    directory = state_files.toml_string(path, key, "storage") if path else ""
    return directory if directory.startswith("/") else _DEFAULTS[key]


def databases(graph: str) -> list[str]:
    """The databases of the Podman that has `graph` as its graphroot.

    After an upgrade both kinds can exist; which one Podman uses depends on its configuration.
    """
    run = configured("runroot")
    paths = [path.format(graph=graph, run=run) for path in (*_SQLITE, *_BOLT)]
    return [path for path in paths if state_files.may_exist(path)]


def read(graph: str, timeout: float) -> list[Record]:
    """The records of all containers. Raises EngineError."""
    deadline = time.monotonic() + timeout
    paths = databases(graph)
    if not paths:
        raise model.EngineError(f"there is no Podman database in {graph} any more")
    records: list[Record] = []
    for path in paths:
        if path.endswith(".sql"):
            records += _read_sqlite(path, deadline)
        else:
            records += _read_bolt(path, deadline)
    return records


def _read_sqlite(path: str, deadline: float) -> list[Record]:
    # Imported only here, as it may be missing: Debian's python3-minimal has no sqlite3.
    try:
        import sqlite3  # noqa: PLC0415
    except ImportError:
        raise model.EngineError(
            f"this Python cannot read {path}, its module sqlite3 is missing: start podman.socket"
        ) from None
    # Not "immutable", which ignores a writer's lock and can return half of a change.
    address = f"file:{urllib.parse.quote(path)}?mode=ro"
    left = max(0.0, deadline - time.monotonic())
    _check_regular_file(path)
    rows = []
    bytes_left = _MAX_DATABASE
    try:
        with contextlib.closing(sqlite3.connect(address, timeout=left, uri=True)) as connection:
            # A hostile file may define a table as a view that never ends.
            connection.set_progress_handler(lambda: time.monotonic() > deadline, _CHECK_INTERVAL)
            # One row that is not valid UTF-8 would end the query.
            connection.text_factory = bytes
            for row in connection.execute(_QUERY):
                bytes_left -= sum(len(cell) for cell in row if isinstance(cell, (str, bytes)))
                if bytes_left < 0:
                    raise model.EngineError(f"{path} contains more than {_MAX_DATABASE} bytes")
                rows.append(row)
    # SQLite's message can quote bytes of the file, which need not be UTF-8.
    except (sqlite3.Error, UnicodeDecodeError) as error:
        if not os.access(path, os.R_OK):
            raise state_files.read_error(path, PermissionError(13, "")) from None
        raise model.EngineError(f"{path}: {error}") from None
    return [_record(path, *row) for row in rows]


def _record(path: str, identity: t.Any, config: t.Any, state: t.Any, pod_name: t.Any) -> Record:
    """A row. Raises EngineError where it may be that of any container."""
    container_id = values.container_id({"ID": _text(identity)}, "ID")
    try:
        return Record(
            container_id, _decode(config, path), _decode(state, path), pod_name=_text(pod_name)
        )
    except model.EngineError as error:
        return Record(container_id, error=str(error))


def _text(value: t.Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else ""


def _check_regular_file(path: str) -> None:
    try:
        status = os.stat(path)
    except OSError as error:
        raise state_files.read_error(path, error) from None
    if not stat.S_ISREG(status.st_mode):
        raise model.EngineError(f"{path} is {nsfs.describe(status)}, not a file")


def _decode(text: t.Any, path: str) -> t.Any:
    if text is None:
        return None
    if not isinstance(text, (str, bytes)):
        raise model.EngineError(f"{path}: a column is of type {type(text).__name__}, not str")
    return values.parse_json(text, path)


def _read_bolt(path: str, deadline: float) -> list[Record]:
    tree = _Bolt(path, _read_locked(path, deadline), deadline)
    try:
        root = tree.root()
        pods = {
            identity: _pod_name(tree, pod, path) for identity, pod in tree.buckets(root, b"pod")
        }
        records = []
        for identity, bucket in tree.buckets(root, b"ctr"):
            container_id = values.container_id({"ID": _text(identity)}, "ID")
            try:
                entries = tree.bucket(bucket)
                config = _decode(entries.get(b"config"), path)
                record = Record(
                    container_id,
                    config,
                    _decode(entries.get(b"state"), path),
                    _text(entries.get(b"netns")),
                    pods.get(values.field(config, "pod", str).encode(), ""),
                )
            except (model.EngineError, struct.error, OverflowError) as error:
                tree.check_deadline()
                record = Record(container_id, error=str(error))
            records.append(record)
        return records
    except (struct.error, OverflowError):  # an offset is beyond the end
        raise model.EngineError(f"{path} is truncated") from None


def _pod_name(tree: _Bolt, pod: _Item, path: str) -> str:
    """The name of a pod, "" where its record is damaged: its containers are read all the same."""
    try:
        return values.field(_decode(tree.bucket(pod).get(b"config"), path), "name", str)
    except (model.EngineError, struct.error, OverflowError):
        return ""


def _read_locked(path: str, deadline: float) -> bytes:
    """The whole file under a shared lock. Podman locks it only while it reads or writes."""
    _check_regular_file(path)
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise state_files.read_error(path, error) from None
    with open(fd, "rb") as stream:
        while True:
            try:
                fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise model.EngineError(f"{path} is locked, perhaps by Podman") from None
                time.sleep(_RETRY_DELAY)
        try:
            content = stream.read(_MAX_DATABASE + 1)
        except OSError as error:
            raise state_files.read_error(path, error) from None
    if len(content) > _MAX_DATABASE:
        raise model.EngineError(f"{path} is longer than {_MAX_DATABASE} bytes")
    return content


class _Item(t.NamedTuple):
    value: bytes
    is_bucket: bool


class _Bolt:
    """A bbolt file, version 2 (bbolt's internal/common), in the byte order of the machine.

    It has two meta pages, of which the newer valid one counts, and a tree of pages for each bucket. A
    bucket's value is the number of its root page, or 0 and the page itself (an inline bucket).
    """

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

    def __init__(self, path: str, content: bytes, deadline: float) -> None:
        self._path = path
        self._content = content
        self._deadline = deadline
        # Buckets are nested, so that a byte counts more than once; overlapping elements exceed this.
        self._bytes_left = len(content) * self._MAX_NESTED
        metas = []
        for offset in (0, *self._PAGE_SIZES):
            meta = self._meta(offset + self._PAGE.size)
            if meta is not None and (offset == 0 or meta[1] == offset):
                metas.append(meta)
        if not metas:
            raise model.EngineError(f"{path} is not a BoltDB file")
        _newest, self._page_size, self._root = max(metas)
        # Each page belongs to one tree: more visits than there are pages mean a loop.
        self._pages_left = len(content) // self._page_size

    def check_deadline(self) -> None:
        """Raise EngineError when the time is over."""
        if time.monotonic() > self._deadline:
            raise model.EngineError(f"{self._path} could not be read in full in time")

    def _meta(self, offset: int) -> tuple[int, int, int] | None:
        """Transaction ID, page size and root page of the meta page at an offset; None if invalid."""
        if len(self._content) < offset + self._META.size:
            return None
        fields = self._META.unpack_from(self._content, offset)
        magic, version, page_size, _flags, root, _sequence, _free, _high, txid, checksum = fields
        if magic != self._MAGIC or version != 2 or page_size not in self._PAGE_SIZES:
            return None
        # FNV-1a of the fields before it.
        expected = 0xCBF29CE484222325
        for byte in self._content[offset : offset + self._META.size - 8]:
            expected = (expected ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
        return (txid, page_size, root) if checksum == expected else None

    def root(self) -> dict[bytes, _Item]:
        """The keys and items in the file's root bucket."""
        return dict(self._walk(self._content, self._root * self._page_size))

    def buckets(
        self, parent: t.Mapping[bytes, _Item], name: bytes
    ) -> t.Iterator[tuple[bytes, _Item]]:
        """The buckets in the named bucket, which has to exist."""
        bucket = parent.get(name)
        if bucket is None or not bucket.is_bucket:
            raise model.EngineError(f"{self._path} is not a Podman database")
        for key, item in self._items(bucket.value):
            if item.is_bucket:
                yield key, item

    def bucket(self, bucket: _Item) -> dict[bytes, bytes]:
        """The keys and values in a bucket."""
        return {key: item.value for key, item in self._items(bucket.value) if not item.is_bucket}

    def _items(self, value: bytes) -> t.Iterator[tuple[bytes, _Item]]:
        root, _sequence = self._BUCKET.unpack_from(value)
        if root:
            return self._walk(self._content, root * self._page_size)
        return self._walk(value, self._BUCKET.size)

    def _walk(self, buffer: bytes, page: int, depth: int = 0) -> t.Iterator[tuple[bytes, _Item]]:
        if buffer is self._content:
            self._pages_left -= 1
        _number, kind, count, _overflow = self._PAGE.unpack_from(buffer, page)
        self.check_deadline()
        is_loop = self._pages_left < 0 or depth > self._MAX_DEPTH
        if is_loop or kind not in (self._IS_BRANCH, self._IS_LEAF):
            raise model.EngineError(f"{self._path} is damaged at byte {page}")
        offset = page + self._PAGE.size
        for _element in range(count):
            if kind == self._IS_BRANCH:
                _position, _size, number = self._BRANCH.unpack_from(buffer, offset)
                yield from self._walk(self._content, number * self._page_size, depth + 1)
            else:
                flags, position, key_size, size = self._LEAF.unpack_from(buffer, offset)
                start = offset + position + key_size
                self._bytes_left -= self._LEAF.size + key_size + size
                if start + size > len(buffer) or self._bytes_left < 0:
                    raise model.EngineError(f"{self._path} is damaged at byte {offset}")
                yield (
                    buffer[offset + position : start],
                    _Item(buffer[start : start + size], flags == 1),
                )
            offset += self._LEAF.size
