# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Incus and LXD: answers, processes and backup.yaml, captured from a host with both (tests/unit/data)."""

from __future__ import annotations

import json
import os
import pathlib
import typing as t

import hostile_inputs
import odd_server
import pytest
import stand_ins
from invariants import check_odd_file, check_reading

from ansible_collections.linuxnet.netns.plugins.module_utils._core import model, names, selection
from ansible_collections.linuxnet.netns.plugins.module_utils._core.engines import (
    daemons,
    incus,
    lxc,
    verify,
)

DATA = pathlib.Path(__file__).parents[4] / "data"
CAPTURES = (("incus", "6.0.4"), ("lxd", "5.0.2"))
LIST = incus._INSTANCES
NOTE = {"user.note": "a: b 'c' \"d\"", "user.tier": "front", "user.from": "profile"}


class Host(stand_ins.Proc):
    """The captured processes and files on disk, and a server with the captured answers."""

    def __init__(self, engine: str, version: str, directory: pathlib.Path) -> None:
        super().__init__(directory / "proc")
        captured = json.loads((DATA / f"{engine}-{version}" / "state.json").read_text())
        self.engine, self.version = engine, version
        self.daemon = {"incus": "incusd", "lxd": "lxd"}[engine]
        self.reader = {"incus": incus.INCUS, "lxd": incus.LXD}[engine]
        self.directory = directory / engine
        self.source = str(self.directory)
        self.api = captured["api"]
        self.first: dict[str, int] = captured["pids"]
        for name, text in captured["backups"].items():
            path = self.directory / "containers" / name
            path.mkdir(parents=True)
            path.joinpath("backup.yaml").write_text(text)
        (self.directory / "virtual-machines").mkdir()
        for pid, known in captured["processes"].items():
            for name in ("incus", "lxd"):
                known["cmdline"] = known["cmdline"].replace(
                    f"/var/lib/{name}", str(directory / name)
                )
            self.add(int(pid), **known)
        self.server = odd_server.OddServer(self.directory / "unix.socket")
        self.server.documents = self.api

    def patch(self, monkeypatch: t.Any) -> None:
        super().patch(monkeypatch)
        monkeypatch.setattr(daemons, "would_be_started", lambda *_: False)
        monkeypatch.setattr(verify, "_peer", lambda _pid: (self.daemon, True))

    def listed(self, name: str) -> dict[str, t.Any]:
        project, _slash, name = name.rpartition("/")
        (item,) = (
            each
            for each in self.api[LIST]["metadata"]
            if (each["name"], each["project"]) == (name, project or "default")
        )
        return t.cast("dict[str, t.Any]", item)

    def read(
        self, wanted: t.Callable[[model.Container], bool] = lambda _: True, timeout: float = 5
    ) -> model.Reading:
        reading = self.reader.read(self.source, timeout, wanted)
        check_reading(reading)
        return reading

    def rows(self) -> dict[str, model.Container]:
        reading = self.read()
        assert reading.error is None
        rows = {one.id: one for one in reading.containers}
        assert len(rows) == len(reading.containers)
        return rows

    def stop_daemon(self) -> None:
        (self.directory / "unix.socket").unlink()


def start(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path, engine: str, version: str
) -> t.Iterator[Host]:
    host = Host(engine, version, tmp_path)
    host.patch(monkeypatch)
    with host.server:
        yield host


@pytest.fixture(params=CAPTURES, ids=lambda capture: capture[0])
def host(
    request: pytest.FixtureRequest, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> t.Iterator[Host]:
    yield from start(monkeypatch, tmp_path, *request.param)


@pytest.fixture
def one(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> t.Iterator[Host]:
    yield from start(monkeypatch, tmp_path, *CAPTURES[0])


def check_running(host: Host, rows: t.Mapping[str, model.Container]) -> None:
    assert {name: row.pid for name, row in rows.items() if row.running} == {
        "db": host.first["db"],
        "web": host.first["web"],
        "shop/web": host.first["shop_web"],
    }
    assert (rows["idle"].status, rows["idle"].running) == ("stopped", False)
    assert rows["web"].labels == NOTE
    assert rows["shop/web"].labels == {"user.from": "profile"}
    assert all(host.reader.still_runs(row, 5) for row in rows.values() if row.running)


def test_read(host: Host) -> None:
    reading = host.read()
    assert (reading.engine, reading.version) == (host.engine, host.version)
    assert (reading.source, reading.read_from) == (host.source, f"{host.source}/unix.socket")
    rows = host.rows()
    check_running(host, rows)
    assert {row.image for row in rows.values()} == {"tiny"}
    assert rows["web"].created > 1.79e9
    # The daemon is not asked for PIDs: for each it would enter the container.
    assert not [target for target in host.server.requests if "/state" in target]


def test_read_while_the_daemon_is_down(host: Host) -> None:
    host.stop_daemon()
    reading = host.read()
    assert (reading.error, reading.read_from) == (None, f"{host.source}/containers")
    check_running(host, host.rows())


def test_a_daemon_that_systemd_would_start_is_not_connected_to(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(daemons, "would_be_started", lambda *_: True)
    check_running(host, host.rows())
    assert host.server.connections == 0


def test_names(one: Host) -> None:
    rows = one.rows()
    assert selection.names_of(rows["web"]) == ("web",)
    assert selection.names_of(rows["shop/web"]) == ("shop/web", "web", "shop_web")
    fill = names.Template("{name}").fill
    assert [fill(rows[name]) for name in ("web", "shop/web")] == ["web", "shop_web"]
    containers = tuple(rows.values())
    for item, identity in (("web", "web"), ("shop/web", "shop/web"), ("shop_web", "shop/web")):
        assert [each.id for each in selection.choose(item, containers, {}).containers] == [identity]
    chosen = selection.choose("shop/*", containers, {}).containers
    assert [each.id for each in chosen] == ["shop/web"]


def test_only_wanted_containers_have_a_pid(one: Host) -> None:
    containers = one.read(lambda container: container.name == "db").containers
    assert [each.id for each in containers if each.pid] == ["db"]
    assert len([each for each in containers if each.running]) == 3


def test_the_containers_of_the_other_and_of_lxc(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both run on the captured host, with the same names, and LXC is installed."""
    lxcpath = host.directory / "containers"
    monkeypatch.setattr(lxc, "_LXCPATH", str(lxcpath))
    titles = [path.read_text() for path in host.proc.glob("*/cmdline")]
    assert len([title for title in titles if title.startswith("[lxc monitor] ")]) == 6
    assert not [each for each in lxc.read(str(lxcpath), 5, bool).containers if each.running]
    other = {"incus": incus.LXD, "lxd": incus.INCUS}[host.engine]
    container = host.rows()["web"]
    assert not other.still_runs(container, 5)


def test_a_virtual_machine(one: Host) -> None:
    one.listed("web")["type"] = "virtual-machine"
    (one.directory / "virtual-machines" / "shop_vm").mkdir()
    web = one.rows()["web"]
    assert (web.running, web.pid) == (True, 0)
    assert "it is a virtual machine" in web.without_netns
    one.stop_daemon()
    assert "it is a virtual machine" in one.rows()["shop/vm"].without_netns


@pytest.mark.parametrize(
    ("status", "running"),
    [("Frozen", True), ("Ready", True), ("Stopped", True), ("Error", True)],
)
def test_a_container_with_a_first_process_runs_whatever_was_listed(
    one: Host, status: str, running: bool
) -> None:
    one.listed("web")["status"] = status
    web = one.rows()["web"]
    assert (web.running, web.pid) == (running, one.first["web"])
    assert web.status == ("running" if status in ("Stopped", "Error") else status.lower())


def test_a_container_that_starts_or_stops(one: Host) -> None:
    one.end(one.first["web"])
    web = one.rows()["web"]
    assert (web.running, web.status, web.pid) == (False, "starting or stopping", 0)


def test_a_restarting_container_has_the_new_process(one: Host) -> None:
    monitor = one.parent(one.first["web"])
    files = {name: (monitor / name).read_text() for name in ("comm", "cmdline", "cgroup", "status")}
    stat = (monitor / "stat").read_text().partition(")")[2]
    one.add(9, os.readlink(monitor / "exe"), stat=f"9 (incusd){stat}", **files)
    assert one.rows()["web"].pid == one.first["web"]


def _state(pid: int, status: str = "Running") -> dict[str, t.Any]:
    return {"metadata": {"status": status, "pid": pid}}


def hide_monitors(host: Host) -> None:
    """As the daemon from a snap has another root directory."""
    for path in list(host.proc.iterdir()):
        if (path / "cmdline").read_text().startswith("[lxc monitor] "):
            (path / "root").unlink()
            (path / "root").symlink_to("/usr")


def test_a_daemon_from_a_snap_is_asked_for_pids(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    hide_monitors(host)
    if host.engine == "incus":
        check_running(host, host.rows())
        return
    # On the captured host, Incus runs containers of these names, so that cgroups of LXD's have others.
    rows = host.rows()
    assert (
        rows["web"].problem == f"process {host.first['web']} of this host is not its first process"
    )
    assert host.rows()["shop/web"].pid == 0


@pytest.mark.parametrize(
    ("pid", "status", "expected"),
    [
        (0, "Running", "running"),
        (-1, "Stopped", "stopped"),
        # It ended meanwhile.
        (99999, "Running", "stopped"),
    ],
)
def test_the_answer_about_a_container_that_ended(
    one: Host, monkeypatch: pytest.MonkeyPatch, pid: int, status: str, expected: str
) -> None:
    hide_monitors(one)
    one.api["/1.0/instances/web/state?project=default"] = _state(pid, status)
    web = one.rows()["web"]
    assert (web.running, web.status, web.pid) == (False, expected, 0)


def test_a_daemon_on_another_machine_is_refused(one: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    hide_monitors(one)
    monkeypatch.setattr(verify, "_peer", lambda _pid: ("socat", True))
    for target in one.api:
        if "/state" in target:
            one.api[target] = _state(1)
    reading = one.read()
    assert (reading.state, reading.containers) == ("elsewhere", ())


@pytest.mark.parametrize("name", hostile_inputs.ODD_ANSWERS)
def test_an_odd_answer_about_one_container(
    one: Host, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    hide_monitors(one)
    expected = one.rows()
    one.server.odd["/1.0/instances/web/state?project=default"] = hostile_inputs.ODD_ANSWERS[name]
    reading = one.read(timeout=1)
    rows = {each.id: each for each in reading.containers}
    web = rows.pop("web")
    assert reading.error is None
    assert web.running
    assert web.unread
    assert rows == {key: row for key, row in expected.items() if key != "web"}


@pytest.mark.parametrize("answer", ["400", "500", "empty", "not JSON", "too deep", "cut", "a list"])
def test_an_odd_list(one: Host, answer: str) -> None:
    one.server.odd[LIST] = hostile_inputs.ODD_ANSWERS[answer]
    reading = one.read(timeout=1)
    assert (reading.state, reading.containers) == ("unreadable", ())


@pytest.mark.parametrize("wrong", hostile_inputs.SAMPLE, ids=hostile_inputs.case_id)
@pytest.mark.parametrize(
    "key", ["name", "project", "status", "type", "created_at", "expanded_config"]
)
def test_an_item_of_the_list_that_is_odd(one: Host, key: str, wrong: t.Any) -> None:
    expected = one.rows()
    one.listed("db")[key] = wrong
    reading = one.read()
    rows = {each.id: each for each in reading.containers}
    assert rows["web"] == expected["web"]
    # Where it may be any instance, the list counts as incomplete.
    assert reading.error or "db" in rows or wrong == "x"


@pytest.mark.parametrize("name", ["../x", "a/b", "", "a_b", "-a", "a" * 64])
def test_names_that_no_instance_has(one: Host, name: str) -> None:
    one.listed("db")["name"] = name
    reading = one.read()
    assert "not the name of an instance" in str(reading.error)
    assert "web" in {each.id for each in reading.containers}


@pytest.mark.parametrize("file", hostile_inputs.ODD_FILES, ids=hostile_inputs.case_id)
def test_an_odd_backup(one: Host, file: hostile_inputs.File) -> None:
    one.stop_daemon()
    path = one.directory / "containers" / "web" / "backup.yaml"
    # What is no JSON is no YAML of this form either.
    is_json = file in hostile_inputs.INVALID_JSON_FILES
    check_odd_file(one.read, path, file._replace(error="") if is_json else file)


def test_a_backup_that_is_missing(one: Host) -> None:
    one.stop_daemon()
    (one.directory / "containers" / "web" / "backup.yaml").unlink()
    rows = one.rows()
    assert "backup.yaml" in str(rows["web"].unread)
    assert rows["db"].pid


def _be_of_a_user(host: Host, monitor: pathlib.Path) -> None:
    (monitor / "status").write_text("Uid:\t1000\t1000\t1000\t1000\nNSpid:\t7\n")


def _be_another_program(host: Host, monitor: pathlib.Path) -> None:
    (monitor / "exe").unlink()
    (monitor / "exe").symlink_to("/usr/bin/python3")


def _be_of_another_directory(host: Host, monitor: pathlib.Path) -> None:
    (monitor / "cmdline").write_text("[lxc monitor] /srv/containers web\0")


def _have_an_impossible_name(host: Host, monitor: pathlib.Path) -> None:
    (monitor / "cmdline").write_text(f"[lxc monitor] {host.source}/containers a_b_web!\0")


@pytest.mark.parametrize(
    "spoil",
    [_be_of_a_user, _be_another_program, _be_of_another_directory, _have_an_impossible_name],
)
def test_processes_that_are_no_monitors(
    one: Host, spoil: t.Callable[[Host, pathlib.Path], None]
) -> None:
    before = one.rows()["web"]
    spoil(one, one.parent(one.first["web"]))
    assert not one.reader.still_runs(before, 5)
    one.stop_daemon()
    assert one.rows()["web"].running is False


def test_sources(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reader = incus.Instances(
        "incus", "incusd", "INCUS_DIR", str(tmp_path / "a"), str(tmp_path / "b")
    )
    assert reader.sources({}) == []
    (tmp_path / "b").mkdir()
    (tmp_path / "c").symlink_to("b")
    assert reader.sources({}) == [str(tmp_path / "b")]
    assert reader.sources({"INCUS_DIR": str(tmp_path / "c")}) == [str(tmp_path / "b")]
    assert reader.sources({"INCUS_DIR": "c"}) == [str(tmp_path / "b")]


def test_directories_of_a_removed_package_are_no_engine(tmp_path: pathlib.Path) -> None:
    reading = incus.INCUS.read(str(tmp_path), 5, bool)
    assert (reading.error, reading.found) == (None, False)
