# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Podman's own database, which knows every container, pod, PID and pin.

SQLite since 4.8 (libpod/sqlite_state.go), else BoltDB (libpod/boltdb_state.go); both hold the same
JSON: a container's configuration (libpod/container_config.go) and state (libpod/container.go).
The storage library's containers.json is no substitute: it knows neither pods nor containers made
with --rootfs, and holds those of Buildah and CRI-O too.
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
from . import oci, values

# With transient_store they are in the run directories.
_SQLITE = ("{graph}/db.sql", "{run}/db.sql")
_BOLT = ("{graph}/libpod/bolt_state.db", "/run/libpod/bolt_state.db")
# The first that is there counts (containers-storage.conf(5)).
_STORAGE_CONFS = ("/etc/containers/storage.conf", "/usr/share/containers/storage.conf")
_DEFAULTS = {"graphroot": "/var/lib/containers/storage", "runroot": "/run/containers/storage"}
# More than a hundred thousand containers have.
_MAX_DATABASE = 1 << 28
# Of SQLite's machine, between two looks at the clock.
_STEPS = 100_000
_RETRY_DELAY = 0.01

_QUERY = """
    SELECT c.JSON, s.JSON, p.Name FROM ContainerConfig AS c
    LEFT JOIN ContainerState AS s ON s.ID = c.ID LEFT JOIN PodConfig AS p ON p.ID = c.PodID
"""


class Record(t.NamedTuple):
    """What is kept about a container; `pin` is empty where it is in the state."""

    config: t.Any
    state: t.Any
    pin: str
    pod_name: str


def configured(key: str) -> str:
    """The storage folder that is configured as `graphroot` or `runroot`."""
    path = next(filter(os.path.exists, _STORAGE_CONFS), None)
    told = oci.setting(path, key, "storage") if path else ""
    return told if told.startswith("/") else _DEFAULTS[key]


def databases(graph: str) -> list[str]:
    """The databases of the Podman whose containers are below `graph`.

    Both kinds can be there, after an upgrade; Podman's choice is in its configuration.
    """
    run = configured("runroot")
    paths = [path.format(graph=graph, run=run) for path in (*_SQLITE, *_BOLT)]
    return [path for path in paths if oci.may_be_there(path)]


def read(graph: str, timeout: float) -> list[Record]:
    """Everything about every container. Raises EngineError."""
    deadline = time.monotonic() + timeout
    paths = databases(graph)
    if not paths:
        raise model.EngineError(f"there is no database of Podman's in {graph} any more")
    records: list[Record] = []
    for path in paths:
        if path.endswith(".sql"):
            records += _read_sqlite(path, deadline)
        else:
            records += _read_bolt(path, deadline)
    return records


def _read_sqlite(path: str, deadline: float) -> list[Record]:
    # Only here: it may be missing, as with Debian's python3-minimal, where nothing needs it.
    try:
        import sqlite3  # noqa: PLC0415
    except ImportError:
        raise model.EngineError(
            f"this Python cannot read {path}, its module sqlite3 is missing: start podman.socket"
        ) from None
    # Not "immutable", which reads past a writer's lock and can show half of a change.
    address = f"file:{urllib.parse.quote(path)}?mode=ro"
    left = max(0.0, deadline - time.monotonic())
    _refuse_what_is_no_file(path)
    rows = []
    budget = _MAX_DATABASE
    try:
        with contextlib.closing(sqlite3.connect(address, timeout=left, uri=True)) as connection:
            # What the file calls a table may be a view, which need not end.
            connection.set_progress_handler(lambda: time.monotonic() > deadline, _STEPS)
            for row in connection.execute(_QUERY):
                budget -= sum(len(one) for one in row if isinstance(one, (str, bytes)))
                if budget < 0:
                    raise model.EngineError(f"{path} holds more than {_MAX_DATABASE} bytes")
                rows.append(row)
    # What SQLite says of a file can be as little text as the file.
    except (sqlite3.Error, UnicodeDecodeError) as error:
        if not os.access(path, os.R_OK):
            raise oci.explain(path, PermissionError(13, "")) from None
        raise model.EngineError(f"{path}: {error}") from None
    return [
        Record(_decode(config, path), _decode(state, path), "", str(pod_name or ""))
        for config, state, pod_name in rows
    ]


def _refuse_what_is_no_file(path: str) -> None:
    try:
        status = os.stat(path)
    except OSError as error:
        raise oci.explain(path, error) from None
    if not stat.S_ISREG(status.st_mode):
        raise model.EngineError(f"{path} is {nsfs.describe(status)}, not a file")


def _decode(text: t.Any, path: str) -> t.Any:
    if text is None:
        return None
    if not isinstance(text, (str, bytes)):
        raise model.EngineError(f"{path}: a {type(text).__name__} where JSON belongs")
    return oci.parse_json(text, path)


def _read_bolt(path: str, deadline: float) -> list[Record]:
    tree = _Bolt(path, _locked_content(path, deadline), deadline)
    try:
        root = tree.root()
        pods = {
            identity: values.field(_decode(tree.bucket(pod).get(b"config"), path), "name", str)
            for identity, pod in tree.buckets(root, b"pod")
        }
        records = []
        for _identity, bucket in tree.buckets(root, b"ctr"):
            found = tree.bucket(bucket)
            config = _decode(found.get(b"config"), path)
            records.append(
                Record(
                    config,
                    _decode(found.get(b"state"), path),
                    found.get(b"netns", b"").decode(errors="replace"),
                    pods.get(values.field(config, "pod", str).encode(), ""),
                )
            )
        return records
    except (struct.error, OverflowError):  # it leads beyond the end
        raise model.EngineError(f"{path} is cut short") from None


def _locked_content(path: str, deadline: float) -> bytes:
    """The whole file, while no one is writing: Podman locks it for each access, and only for that."""
    _refuse_what_is_no_file(path)
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise oci.explain(path, error) from None
    with open(fd, "rb") as stream:
        while True:
            try:
                fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise model.EngineError(f"{path} is locked, by another Podman?") from None
                time.sleep(_RETRY_DELAY)
        try:
            content = stream.read(_MAX_DATABASE + 1)
        except OSError as error:
            raise oci.explain(path, error) from None
    if len(content) > _MAX_DATABASE:
        raise model.EngineError(f"{path} is longer than {_MAX_DATABASE} bytes")
    return content


class _Item(t.NamedTuple):
    value: bytes
    is_bucket: bool


class _Bolt:
    """A bbolt file, version 2 (bbolt's internal/common), in the byte order of the machine.

    Two meta pages, the newer valid one counts; below it a tree of pages for each bucket. A bucket's
    value is the number of its root page, or 0 and the page itself.
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
        # Each byte is in a bucket, and that in others: elements that overlap come to much more.
        self._bytes_left = len(content) * self._MAX_NESTED
        metas = []
        for place in (0, *self._PAGE_SIZES):
            meta = self._meta(place + self._PAGE.size)
            if meta is not None and (place == 0 or meta[1] == place):
                metas.append(meta)
        if not metas:
            raise model.EngineError(f"{path} is no BoltDB file")
        _newest, self._page_size, self._root = max(metas)
        # Each page belongs to one tree: more of them than there are is a loop.
        self._pages_left = len(content) // self._page_size

    def _meta(self, place: int) -> tuple[int, int, int] | None:
        if len(self._content) < place + self._META.size:
            return None
        found = self._META.unpack_from(self._content, place)
        magic, version, page_size, _flags, root, _sequence, _free, _high, number, checksum = found
        if magic != self._MAGIC or version != 2 or page_size not in self._PAGE_SIZES:
            return None
        # FNV-1a of all that comes before it.
        expected = 0xCBF29CE484222325
        for byte in self._content[place : place + self._META.size - 8]:
            expected = (expected ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
        return (number, page_size, root) if checksum == expected else None

    def root(self) -> dict[bytes, _Item]:
        """The content of the file's root bucket."""
        return dict(self._walk(self._content, self._root * self._page_size))

    def buckets(
        self, parent: t.Mapping[bytes, _Item], name: bytes
    ) -> t.Iterator[tuple[bytes, _Item]]:
        """The buckets in a bucket that has to be there."""
        item = parent.get(name)
        if item is None or not item.is_bucket:
            raise model.EngineError(f"{self._path} is no database of Podman's")
        for key, found in self._items(item.value):
            if found.is_bucket:
                yield key, found

    def bucket(self, item: _Item) -> dict[bytes, bytes]:
        """The values in a bucket."""
        return {key: found.value for key, found in self._items(item.value) if not found.is_bucket}

    def _items(self, value: bytes) -> t.Iterator[tuple[bytes, _Item]]:
        root, _sequence = self._BUCKET.unpack_from(value)
        if root:
            return self._walk(self._content, root * self._page_size)
        return self._walk(value, self._BUCKET.size)

    def _walk(self, buffer: bytes, page: int, depth: int = 0) -> t.Iterator[tuple[bytes, _Item]]:
        if buffer is self._content:
            self._pages_left -= 1
        _number, kind, count, _overflow = self._PAGE.unpack_from(buffer, page)
        if time.monotonic() > self._deadline:
            raise model.EngineError(f"{self._path} could not be read in full in time")
        lost = self._pages_left < 0 or depth > self._MAX_DEPTH
        if lost or kind not in (self._IS_BRANCH, self._IS_LEAF):
            raise model.EngineError(f"{self._path} is damaged at byte {page}")
        place = page + self._PAGE.size
        for _element in range(count):
            if kind == self._IS_BRANCH:
                _position, _size, number = self._BRANCH.unpack_from(buffer, place)
                yield from self._walk(self._content, number * self._page_size, depth + 1)
            else:
                flags, position, key_size, size = self._LEAF.unpack_from(buffer, place)
                start = place + position + key_size
                self._bytes_left -= self._LEAF.size + key_size + size
                if start + size > len(buffer) or self._bytes_left < 0:
                    raise model.EngineError(f"{self._path} is damaged at byte {place}")
                yield (
                    buffer[place + position : start],
                    _Item(buffer[start : start + size], flags == 1),
                )
            place += self._LEAF.size
