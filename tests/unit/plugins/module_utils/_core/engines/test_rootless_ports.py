# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The ports of rootless containers, by Podman's databases in a home directory."""

from __future__ import annotations

import contextlib
import fcntl
import gzip
import json
import os
import pathlib
import shutil
import sqlite3
import subprocess
import sys
import typing as t

import pytest

from ansible_collections.linuxnet.netns.plugins.module_utils._core import model
from ansible_collections.linuxnet.netns.plugins.module_utils._core.engines import (
    podman_state,
    ports,
    rootless_ports,
    state_files,
    user_files,
)

DATA = pathlib.Path(__file__).parents[4] / "data"
STORAGE = pathlib.Path(".local", "share", "containers", "storage")
MAPPING = {"host_ip": "", "container_port": 80, "host_port": 8080, "range": 1, "protocol": "tcp"}
PORT = model.Port("tcp", "0.0.0.0", 8080, None, 80)


@pytest.fixture
def home(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    monkeypatch.setattr(user_files, "home", lambda _uid: str(tmp_path))
    return tmp_path


def container(identity: str, engine: str = "podman") -> model.Container:
    return model.Container(
        *(engine, f"/proc#{os.getuid()}", identity, "web"),
        running=True,
        status="running",
        pid=os.getpid(),
        user="ann",
    )


def published(*containers: model.Container, timeout: float = 5) -> list[tuple[model.Port, ...]]:
    found = rootless_ports.published(os.getuid(), containers, state_files.Deadline(timeout))
    assert found.keys() == {each.key for each in containers}
    return list(found.values())


def sqlite(path: pathlib.Path, **changes: t.Any) -> str:
    """Podman's database with a container that publishes a port. Returns the ID of the container."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.decompress((DATA / "podman-5.4.2" / "db.sql.gz").read_bytes()))
    with contextlib.closing(sqlite3.connect(path)) as connection:
        query = "SELECT ID, JSON FROM ContainerConfig WHERE Name = 'web'"
        ((identity, text),) = connection.execute(query).fetchall()
        config = {**json.loads(text), "newPortMappings": [MAPPING], **changes}
        connection.execute(
            "UPDATE ContainerConfig SET JSON = ? WHERE ID = ?", (json.dumps(config), identity)
        )
        connection.commit()
    return str(identity)


@pytest.mark.parametrize("storage", [STORAGE, pathlib.Path("data", "of", "podman")])
def test_a_database(
    home: pathlib.Path, monkeypatch: pytest.MonkeyPatch, storage: pathlib.Path
) -> None:
    identity = sqlite(home / storage / "db.sql")
    bundle = home / storage / "vfs-containers" / identity / "userdata"
    monkeypatch.setattr(rootless_ports.daemons, "option", lambda _process, _name: str(bundle))
    found, other, docker = published(
        container(identity),
        container("e" * 64),
        container("d" * 64, "docker")._replace(ports=(PORT,)),
    )
    assert [(each.port, each.to_port) for each in found] == [(8080, 80)]
    assert (other, docker) == ((), (PORT,))


def test_ports_of_a_real_host(home: pathlib.Path) -> None:
    """With rootlessport, with a network of the user's own, and with the ports of slirp4netns."""
    path = home / STORAGE / "db.sql"
    path.parent.mkdir(parents=True)
    path.write_bytes(gzip.decompress((DATA / "rootless-5.4.2" / "db.sql.gz").read_bytes()))
    with contextlib.closing(sqlite3.connect(path)) as connection:
        ids = dict(connection.execute("SELECT Name, ID FROM ContainerConfig"))
    names = ("alice-web", "alice-db", "alice-mail")
    assert published(*(container(ids[name]) for name in names)) == [
        (model.Port("tcp", "0.0.0.0", 18083, None, 80),),
        (model.Port("tcp", "127.0.0.1", 18084, "10.89.0.2", 80),),
        (model.Port("tcp", "0.0.0.0", 18085, None, 80),),
    ]


@pytest.mark.parametrize(
    "bundle", ["/elsewhere/vfs-containers/x/userdata", "{home}/../../x/y/z", "{home}/userdata", ""]
)
def test_the_default_storage(
    home: pathlib.Path, monkeypatch: pytest.MonkeyPatch, bundle: str
) -> None:
    identity = sqlite(home / STORAGE / "db.sql")
    argument = bundle.format(home=home)
    monkeypatch.setattr(rootless_ports.daemons, "option", lambda _process, _name: argument)
    assert [len(each) for each in published(container(identity))] == [1]


@pytest.mark.parametrize("version", ["3.0.1", "4.3.1"])
def test_an_older_database(home: pathlib.Path, version: str) -> None:
    path = home / STORAGE / "libpod" / "bolt_state.db"
    path.parent.mkdir(parents=True)
    path.write_bytes(
        gzip.decompress((DATA / f"podman-{version}" / "bolt_state.db.gz").read_bytes())
    )
    with path.open("rb") as stream:
        deadline = state_files.Deadline(5)
        records = podman_state.records_of_user(path.name, stream.fileno(), 1 << 25, deadline)
    expected = [ports.from_podman_database(each.config, each.state) for each in records]
    assert published(*(container(each.id) for each in records)) == expected
    assert records


def _is_missing(path: pathlib.Path) -> None:
    path.unlink()


def _is_damaged(path: pathlib.Path) -> None:
    path.write_bytes(path.read_bytes()[:5000])


def _is_a_link(path: pathlib.Path) -> None:
    shutil.move(path, path.with_name("other"))
    path.symlink_to("other")


def _is_a_fifo(path: pathlib.Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _is_long(path: pathlib.Path) -> None:
    os.truncate(path, (1 << 25) + 1)


@pytest.mark.parametrize("spoil", [_is_missing, _is_damaged, _is_a_link, _is_a_fifo, _is_long])
def test_a_file_that_cannot_be_read(
    home: pathlib.Path, spoil: t.Callable[[pathlib.Path], None]
) -> None:
    path = home / STORAGE / "db.sql"
    identity = sqlite(path)
    assert [len(each) for each in published(container(identity))] == [1]
    spoil(path)
    assert published(container(identity)) == [()]


@pytest.mark.parametrize("mappings", [None, 7, {"a": 1}, [7], [{"host_port": "x"}]])
def test_odd_mappings(home: pathlib.Path, mappings: t.Any) -> None:
    identity = sqlite(home / STORAGE / "db.sql", newPortMappings=mappings)
    assert published(container(identity)) == [()]


def test_a_database_that_is_locked(home: pathlib.Path) -> None:
    """A writer that has begun to change the file holds the range that readers share."""
    path = home / STORAGE / "db.sql"
    identity = sqlite(path)
    script = f"""import fcntl, sys
file = open({str(path)!r}, "r+")
fcntl.lockf(file, fcntl.LOCK_EX, 510, {0x40000002})
print("locked", flush=True)
sys.stdin.read()"""
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        assert published(container(identity), timeout=0.1) == [()]
        writer.communicate()
    assert [len(each) for each in published(container(identity))] == [1]
    # A program of the user may hold the lock of an older database forever.
    old = path.with_name("libpod") / "bolt_state.db"
    old.parent.mkdir()
    old.write_bytes(b"")
    path.unlink()
    with old.open("rb") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        assert published(container(identity), timeout=0.1) == [()]
