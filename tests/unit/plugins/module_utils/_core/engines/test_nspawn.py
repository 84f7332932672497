# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""systemd-machined's state files, captured from real hosts (tests/unit/data/nspawn-*)."""

from __future__ import annotations

import errno
import json
import os
import pathlib
import typing as t

import hostile_inputs
import pytest
import stand_ins
from invariants import check_isolation, check_odd_file, refuse_to_open

from ansible_collections.linuxnet.netns.plugins.module_utils._core import model
from ansible_collections.linuxnet.netns.plugins.module_utils._core.engines import (
    nspawn,
    state_files,
)
from ansible_collections.linuxnet.netns.plugins.module_utils._core.kernel import procfs

DATA = pathlib.Path(__file__).parents[4] / "data"
VERSIONS = ("247", "252", "257", "262")
RUNNING = ["bare", "boot-me", "cpu", "hosted", "keep", "my-box.x", "net"]
# The image of "keep" has another name.
STOPPED = ["odd", "stopped"]


class Host(stand_ins.Kernel):
    """Captured state files and images on disk, and the kernel's answers about the processes."""

    def __init__(self, version: str, directory: pathlib.Path) -> None:
        captured = json.loads((DATA / f"nspawn-{version}" / "state.json").read_text())
        super().__init__(captured["processes"], {})
        self.machines = directory / "machines"
        self.images = directory / "images"
        self.source = str(self.machines)
        self.leaders = captured["machinectl"]
        self.machines.mkdir()
        for name, text in captured["machines"].items():
            (self.machines / name).write_text(text)
        for name, target in captured["links"].items():
            (self.machines / name).symlink_to(target)
        self.images.mkdir()
        for name in captured["images"]:
            (self.images / name).touch() if name.startswith(".") else (self.images / name).mkdir()

    def change(self, name: str, old: str, new: str) -> None:
        path = self.machines / name
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    def read(self) -> model.Reading:
        return nspawn.read(self.source, 5, bool)

    def rows(
        self, wanted: t.Callable[[model.Container], bool] = bool
    ) -> dict[str, model.Container]:
        reading = nspawn.read(self.source, 5, wanted)
        assert reading.error is None
        rows = {one.id: one for one in reading.containers}
        assert len(rows) == len(reading.containers)
        return rows


def start(monkeypatch: pytest.MonkeyPatch, host: Host) -> Host:
    host.patch(monkeypatch)
    monkeypatch.setattr(nspawn, "_MACHINES", host.source)
    monkeypatch.setattr(nspawn, "_IMAGES", str(host.images))
    return host


@pytest.fixture
def host(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    return start(monkeypatch, Host("257", tmp_path))


@pytest.mark.parametrize("version", VERSIONS)
def test_read(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    host = start(monkeypatch, Host(version, tmp_path))
    rows = host.rows()
    assert {name: row.pid for name, row in rows.items() if row.running} == host.leaders
    assert sorted(host.leaders) == RUNNING
    assert sorted(name for name, row in rows.items() if not row.running) == STOPPED
    assert {row.status for row in rows.values()} == {"running", "stopped"}
    for name, row in rows.items():
        assert (row.engine, row.source, row.name) == ("nspawn", host.source, name)
        assert (row.image, row.labels, row.pin, row.pod, row.problem) == ("", {}, None, None, None)
    assert rows["bare"].created < rows["my-box.x"].created < rows["boot-me"].created < 2**31
    assert nspawn.sources({}) == [host.source]
    assert all(nspawn.still_runs(rows[name], 5) for name in RUNNING)
    assert not nspawn.still_runs(rows["odd"], 5)


def test_only_wanted_containers_have_details(host: Host) -> None:
    rows = host.rows(lambda one: one.name == "net")
    assert [name for name, row in rows.items() if row.pid] == ["net"]
    assert len([row for row in rows.values() if row.running]) == len(RUNNING)


def _end(host: Host) -> None:
    del host.processes[host.leaders["net"]]


def _reuse(host: Host) -> None:
    host.processes[host.leaders["net"]]["cgroup"] = "0::/system.slice/cron.service\n"


def _be_anothers(host: Host) -> None:
    cgroup = host.processes[host.leaders["net"]]["cgroup"]
    host.processes[host.leaders["net"]]["cgroup"] = cgroup.replace("machine-net", "machine-net-2")


def _have_no_leader(host: Host) -> None:
    host.change("net", "LEADER=", "LEADER_WAS=")


def _have_an_impossible_leader(host: Host) -> None:
    host.change("net", "LEADER=", "LEADER=-")


def _have_no_unit(host: Host) -> None:
    host.change("net", "SCOPE=", "SCOPE_WAS=")


def _have_an_empty_unit(host: Host) -> None:
    host.change("net", "SCOPE=machine-net.scope", "SCOPE=")


@pytest.mark.parametrize(
    ("spoil", "status"),
    [
        (_end, "its process is gone: there is no process {}"),
        (_reuse, "process {} is not in machine-net.scope"),
        (_be_anothers, "process {} is not in machine-net.scope"),
        (_have_no_leader, "it has no known process"),
        (_have_an_impossible_leader, "it has no known process"),
        (_have_no_unit, "process {} is not in a unit"),
        (_have_an_empty_unit, "process {} is not in a unit"),
    ],
)
def test_state_file_and_kernel_disagree(
    host: Host, spoil: t.Callable[[Host], None], status: str
) -> None:
    before = host.rows()["net"]
    spoil(host)
    rows = host.rows()
    assert rows["net"].status == status.format(host.leaders["net"])
    assert (rows["net"].running, rows["net"].pid) == (False, 0)
    assert len([row for row in rows.values() if row.running]) == len(RUNNING) - 1
    assert not nspawn.still_runs(before, 5)


def test_a_machine_that_was_restarted(host: Host) -> None:
    before = host.rows()["net"]
    host.processes[77] = host.processes[host.leaders["net"]]
    host.change("net", f"LEADER={before.pid}", "LEADER=77")
    assert not nspawn.still_runs(before, 5)
    assert host.rows()["net"].pid == 77
    (host.machines / "net").unlink()
    assert not nspawn.still_runs(before, 5)
    assert host.rows()["net"].status == "stopped"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("CLASS=container", "CLASS=vm"),
        ("SERVICE=systemd-nspawn", "SERVICE=libvirt-lxc"),
    ],
)
def test_machines_of_other_managers_are_left_out(host: Host, old: str, new: str) -> None:
    before = host.rows()["net"]
    host.change("net", old, new)
    # Its image is not reported as a stopped machine.
    assert "net" not in host.rows()
    assert not nspawn.still_runs(before, 5)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A=x", "x"),
        ("A=", ""),
        ("A=b=c", "b=c"),
        ('A=" 5"', " 5"),
        ('A="', '"'),
        ("A=machine-my\\\\x2dbox.scope", "machine-my\\x2dbox.scope"),
        ('A="a \\"b\\" \\\\ \\$"', 'a "b" \\ $'),
        ("#A=y\nA=x\nB=z", "x"),
        ("A=\\", "\\"),
    ],
)
def test_assignments(text: str, expected: str) -> None:
    assert nspawn._assignments(text)["A"] == expected


def test_hostile_directories(host: Host) -> None:
    (host.machines / ".#web1234").write_text("LEADER=1")
    (host.machines / "fifo").symlink_to("net")
    os.mkfifo(host.machines / "a:b")
    (host.machines / "\udcff").touch()
    (host.images / "\udcff").mkdir()
    (host.images / "disk.raw").touch()
    (host.machines / "fifo").unlink()
    assert sorted(host.rows()) == sorted(RUNNING + STOPPED)
    os.mkfifo(host.machines / "pipe")
    (unread,) = host.read().unread
    assert (unread.id, unread.unread) == ("pipe", f"{host.source}/pipe is a FIFO, not a file")


def test_a_state_file_that_is_too_long(host: Host) -> None:
    path = host.machines / "net"
    unread = check_isolation(host.read, path, lambda: path.write_text("A=\n" * (1 << 16)))
    assert "/net is longer than" in str(unread.unread)


def test_a_state_file_that_is_cut(host: Host) -> None:
    path = host.machines / "net"
    text = path.read_text()
    end = text.index("CLASS=container\n") + len("CLASS=container")
    for length in range(end + 1):
        path.write_text(text[:length])
        (unread,) = host.read().unread
        assert unread.id == "net"
        assert str(unread.unread).startswith(f"{path} is cut: '")
    path.write_text(text[: end + 1])
    assert host.rows()["net"].running


def test_invalid_content_is_ignored(host: Host) -> None:
    (host.machines / "net").write_bytes(
        b"\xff=\x00\n=\n\\\nCLASS=container\nSERVICE=systemd-nspawn\n"
    )
    assert host.rows()["net"].status == "it has no known process"
    host.change("bare", "REALTIME=", "REALTIME=x")
    assert host.rows()["bare"].created == (host.machines / "bare").stat().st_mtime
    # A number that is too large.
    host.change("bare", "REALTIME=x", "REALTIME=" + "9" * 5000)
    assert host.rows()["bare"].created == (host.machines / "bare").stat().st_mtime


@pytest.mark.parametrize("file", hostile_inputs.ODD_FILES, ids=hostile_inputs.case_id)
def test_odd_files(host: Host, file: hostile_inputs.File) -> None:
    # The symbolic links from units to machines have a colon in their names, and are ignored.
    unread = check_odd_file(host.read, host.machines / "net", file)
    assert (unread.id, unread.name, unread.status) == ("net", "net", "")
    with pytest.raises(model.EngineError, match="/net"):
        nspawn.still_runs(unread, 5)


@pytest.mark.parametrize("code", [errno.EACCES, errno.EIO])
def test_files_that_cannot_be_read(host: Host, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    path = host.machines / "net"
    error = OSError(code, os.strerror(code))
    check_isolation(host.read, path, lambda: refuse_to_open(monkeypatch, path, error))


def test_a_process_that_cannot_be_read(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(pid: int) -> int:
        if pid == host.leaders["net"]:
            raise PermissionError(errno.EACCES, "Permission denied")
        return host.open_process(pid)

    path = pathlib.Path(f"/proc/{host.leaders['net']}")
    check_isolation(host.read, path, lambda: monkeypatch.setattr(procfs, "open_process", refuse))


def test_stopped_machines_may_be_for_root_only(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_path: str) -> t.NoReturn:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(nspawn.os, "scandir", refuse)
    assert sorted(host.rows()) == RUNNING


def test_state_files_that_may_not_be_read_are_an_error(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: t.Any, **__: t.Any) -> t.NoReturn:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(state_files.os, "listdir", refuse)
    reading = nspawn.read(host.source, 5, bool)
    assert reading.error == f"no permission to read {host.source} (`become: true`)"
    assert reading.containers == ()
    assert not reading.found


def test_reading_ends_with_the_timeout(host: Host) -> None:
    error = nspawn.read(host.source, -1, bool).error
    assert error == f"{host.source} could not be read in full in -1 s"


def test_no_machine_was_registered_yet(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in host.machines.iterdir():
        path.unlink()
    host.machines.rmdir()
    assert nspawn.sources({}) == [host.source]
    assert {row.status for row in host.rows().values()} == {"stopped"}
    monkeypatch.setattr(nspawn, "_IMAGES", "/none")
    assert nspawn.sources({}) == []
    assert host.rows() == {}
