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
import errno
import fcntl
import os
import time
import types
import typing as t
import urllib.parse

from .. import model
from ..named_tuple import NamedTuple
from . import boltdb, state_files, values

_IN_GRAPH = ("{graph}/db.sql", "{graph}/libpod/bolt_state.db")
# With transient_store the database is in the run directory.
_IN_RUN = ("{run}/db.sql", "/run/libpod/bolt_state.db")
# The first that exists counts (containers-storage.conf(5)).
_STORAGE_CONFS = ("/etc/containers/storage.conf", "/usr/share/containers/storage.conf")
_DEFAULTS = {"graphroot": "/var/lib/containers/storage", "runroot": "/run/containers/storage"}
# Instructions of SQLite's virtual machine between two checks of the deadline.
_CHECK_INTERVAL = 100_000
_RETRY_DELAY = 0.01
# Podman holds a lock for milliseconds.
_MAX_WAIT_FOR_USER = 0.1
_SQLITE_PENDING = 0x40000000

_QUERY = """
    SELECT c.ID, c.JSON, s.JSON, p.Name FROM ContainerConfig AS c
    LEFT JOIN ContainerState AS s ON s.ID = c.ID LEFT JOIN PodConfig AS p ON p.ID = c.PodID
"""


class Record(NamedTuple):
    """A container's record; `pin` is empty where `state` contains it, `error` where the rest is valid."""

    id: str
    config: t.Any = None
    state: t.Any = None
    pin: str = ""
    pod_name: str = ""
    error: str = ""


def configured(key: str, environment: t.Mapping[str, str] = types.MappingProxyType({})) -> str:
    """The storage directory that is configured as `graphroot` or `runroot`."""
    files = (environment.get("CONTAINERS_STORAGE_CONF", ""), *_STORAGE_CONFS)
    path = next(filter(os.path.exists, files), None)
    directory = state_files.toml_string(path, key, "storage") if path else ""
    return directory if directory.startswith("/") else _DEFAULTS[key]


def databases(graph: str, environment: t.Mapping[str, str] | None = None) -> list[str]:
    """The databases of the Podman that has `graph` as its graphroot.

    After an upgrade both kinds can exist; which one Podman uses depends on its configuration.
    """
    paths = [path.format(graph=graph) for path in _IN_GRAPH]
    # The run directory of a Podman with an option `--root` is not known.
    for each in (os.environ if environment is None else environment, {}):
        if graph == os.path.realpath(configured("graphroot", each)):
            paths += [path.format(run=configured("runroot", each)) for path in _IN_RUN]
            break
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
    with state_files.open_regular(path):
        pass
    rows = []
    bytes_left = boltdb.MAX_SIZE
    try:
        with contextlib.closing(sqlite3.connect(address, timeout=left, uri=True)) as connection:
            # A hostile file may define a table as a view that never ends.
            connection.set_progress_handler(lambda: time.monotonic() > deadline, _CHECK_INTERVAL)
            # One row that is not valid UTF-8 would end the query.
            connection.text_factory = bytes
            for row in connection.execute(_QUERY):
                bytes_left -= sum(len(cell) for cell in row if isinstance(cell, (str, bytes)))
                if bytes_left < 0:
                    raise model.EngineError(f"{path} contains more than {boltdb.MAX_SIZE} bytes")
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


def _decode(text: t.Any, path: str) -> t.Any:
    if text is None:
        return None
    if not isinstance(text, (str, bytes)):
        raise model.EngineError(f"{path}: a column is of type {type(text).__name__}, not str")
    return values.parse_json(text, path)


def _read_bolt(path: str, deadline: float) -> list[Record]:
    with state_files.open_regular(path) as fd:
        content = _read_locked(path, fd, _lock_bolt, boltdb.MAX_SIZE, deadline)
    return _bolt_records(path, content, deadline)


def records_of_user(
    path: str, fd: int, max_size: int, deadline: state_files.Deadline
) -> list[Record]:
    """The records in an open database of a user, who may hold its lock forever. Raises EngineError."""
    is_sqlite = path.endswith(".sql")
    lock_end = time.monotonic() + min(deadline.left, _MAX_WAIT_FOR_USER)
    lock = _lock_sqlite if is_sqlite else _lock_bolt
    content = _read_locked(path, fd, lock, max_size, lock_end)
    if not is_sqlite:
        return _bolt_records(path, content, time.monotonic() + deadline.left)
    from . import sqlite_file  # noqa: PLC0415 - only for rootless containers

    database = sqlite_file.Database(path, content, deadline)
    states = {row.get(b"ID"): row.get(b"JSON") for row in database.rows(b"ContainerState")}
    return [
        _record(path, row.get(b"ID"), row.get(b"JSON"), states.get(row.get(b"ID")), None)
        for row in database.rows(b"ContainerConfig")
    ]


def _bolt_records(path: str, content: bytes, deadline: float) -> list[Record]:
    database = boltdb.of_bytes(path, content, deadline)
    try:
        root = database.root()
        pods = {
            identity: _pod_name(database, pod, path)
            for identity, pod in _buckets(database, root, b"pod", path)
        }
        records = []
        for identity, bucket in _buckets(database, root, b"ctr", path):
            container_id = values.container_id({"ID": _text(identity)}, "ID")
            try:
                entries = database.values(bucket)
                config = _decode(entries.get(b"config"), path)
                record = Record(
                    container_id,
                    config,
                    _decode(entries.get(b"state"), path),
                    _text(entries.get(b"netns")),
                    pods.get(values.field(config, "pod", str).encode(), ""),
                )
            except (model.EngineError, *boltdb.TRUNCATED) as error:
                database.check_deadline()
                record = Record(container_id, error=str(error))
            records.append(record)
        return records
    except boltdb.TRUNCATED:
        raise model.EngineError(f"{path} is truncated") from None


def _buckets(
    database: boltdb.Database, parent: t.Mapping[bytes, boltdb.Item], name: bytes, path: str
) -> t.Iterator[tuple[bytes, boltdb.Item]]:
    """The buckets in the named bucket, which has to exist."""
    bucket = parent.get(name)
    if bucket is None or not bucket.is_bucket:
        raise model.EngineError(f"{path} is not a Podman database")
    for key, item in database.items(bucket):
        if item.is_bucket:
            yield key, item


def _pod_name(database: boltdb.Database, pod: boltdb.Item, path: str) -> str:
    """The name of a pod, "" where its record is damaged: its containers are read all the same."""
    try:
        return values.field(_decode(database.values(pod).get(b"config"), path), "name", str)
    except (model.EngineError, *boltdb.TRUNCATED):
        return ""


def _lock_bolt(fd: int) -> None:
    fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)


def _lock_sqlite(fd: int) -> None:
    """As SQLite locks a file to read it (src/os.h): a writer holds one of the two while it changes the file."""
    fcntl.lockf(fd, fcntl.LOCK_SH | fcntl.LOCK_NB, 1, _SQLITE_PENDING)
    fcntl.lockf(fd, fcntl.LOCK_SH | fcntl.LOCK_NB, 510, _SQLITE_PENDING + 2)


def _read_locked(
    path: str, fd: int, lock: t.Callable[[int], None], max_size: int, deadline: float
) -> bytes:
    """The whole file under a shared lock. Podman locks it only while it reads or writes."""
    with open(fd, "rb", closefd=False) as stream:
        while True:
            try:
                lock(fd)
                break
            except OSError as error:
                if error.errno not in (errno.EAGAIN, errno.EACCES):
                    raise state_files.read_error(path, error) from None
                if time.monotonic() > deadline:
                    raise model.EngineError(f"{path} is locked, perhaps by Podman") from None
                time.sleep(_RETRY_DELAY)
        try:
            content = stream.read(max_size + 1)
        except OSError as error:
            raise state_files.read_error(path, error) from None
    if len(content) > max_size:
        raise model.EngineError(f"{path} is longer than {max_size} bytes")
    return content
