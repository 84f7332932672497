# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""LXC's processes, captured from real hosts (tests/unit/data/lxc-*)."""

from __future__ import annotations

import errno
import json
import os
import pathlib
import typing as t

import hostile_inputs
import pytest
import stand_ins
from invariants import check_isolation

from ansible_collections.linuxnet.netns.plugins.module_utils._core import model
from ansible_collections.linuxnet.netns.plugins.module_utils._core.engines import lxc
from ansible_collections.linuxnet.netns.plugins.module_utils._core.kernel import procfs

DATA = pathlib.Path(__file__).parents[4] / "data"
VERSIONS = ("4.0.6", "5.0.2", "6.0.4", "7.0.0")
# One in which a hook runs before it starts has a monitor, and no process yet.
STARTING, STOPPED = "hooked", "stopped"


class Host(stand_ins.Proc):
    """The captured processes as a /proc on disk, and the lxcpath."""

    def __init__(self, version: str, directory: pathlib.Path) -> None:
        captured = json.loads((DATA / f"lxc-{version}" / "state.json").read_text())
        super().__init__(directory / "proc")
        self.lxcpath = directory / "lxc"
        self.lxc_info: dict[str, int] = captured["lxc-info"]
        for pid, known in captured["processes"].items():
            # The captured lxcpath is the default one.
            known["cmdline"] = known["cmdline"].replace("/var/lib/lxc", str(self.lxcpath))
            self.add(int(pid), **known)
        for name in captured["configs"]:
            (self.lxcpath / name).mkdir(parents=True)
            (self.lxcpath / name / "config").touch()

    def monitor(self, pid: int, cmdline: str, **changed: t.Any) -> None:
        """Add a monitor, and a first process of its container."""
        known: dict[str, t.Any] = {
            "exe": "/usr/bin/lxc-start",
            "comm": "lxc-start\n",
            "cmdline": cmdline,
            "stat": f"{pid} (lxc-start) S 1 ",
            "status": f"Uid:\t0\t0\t0\t0\nNSpid:\t{pid}\n",
            "cgroup": "0::/\n",
        }
        self.add(pid, **{**known, **changed})
        child = {"exe": "/sbin/init", "cgroup": "0::/lxc.payload\n", "root": "/none"}
        fields = " ".join(["0"] * 17)
        self.add(
            pid + 1,
            stat=f"{pid + 1} (a) b) S {pid} {fields} 100 0",
            status=f"NSpid:\t{pid + 1}\t1\n",
            **child,
        )

    def monitor_of(self, name: str) -> pathlib.Path:
        return self.parent(self.lxc_info[name])

    def read(self) -> model.Reading:
        return lxc.read(str(self.lxcpath), 5, bool)

    def rows(
        self, wanted: t.Callable[[model.Container], bool] = bool
    ) -> dict[str, model.Container]:
        reading = lxc.read(str(self.lxcpath), 5, wanted)
        assert reading.error is None
        rows = {one.id: one for one in reading.containers}
        assert len(rows) == len(reading.containers)
        return rows


def start(monkeypatch: pytest.MonkeyPatch, host: Host) -> Host:
    host.patch(monkeypatch)
    monkeypatch.setattr(lxc, "_CONFIG", str(host.proc / "lxc.conf"))
    monkeypatch.setattr(lxc, "_LXCPATH", str(host.lxcpath))
    return host


@pytest.fixture
def host(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    return start(monkeypatch, Host("6.0.4", tmp_path))


@pytest.mark.parametrize("version", VERSIONS)
def test_read(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    host = start(monkeypatch, Host(version, tmp_path))
    rows = host.rows()
    running = {name: pid for name, pid in host.lxc_info.items() if pid}
    assert {name: row.pid for name, row in rows.items() if row.running} == running
    assert {"web", "service", "mapped", "once", "/srv/lxc/bare"} <= set(running)
    assert {name: row.status for name, row in rows.items() if not row.running} == {
        STARTING: "starting or stopping",
        STOPPED: "stopped",
    }
    for name, row in rows.items():
        assert (row.engine, row.source, row.name) == (
            "lxc",
            str(host.lxcpath),
            name.rpartition("/")[2],
        )
        assert (row.image, row.labels, row.pin, row.pod, row.user) == ("", {}, None, None, "")
        assert lxc.still_runs(row, 5) == row.running
    # It shares the namespace of the other, older container.
    assert rows["web"].created < rows["sharer"].created
    assert lxc.sources({}) == [str(host.lxcpath)]


def test_only_wanted_containers_have_details(host: Host) -> None:
    rows = host.rows(lambda one: one.name == "web")
    assert [name for name, row in rows.items() if row.pid] == ["web"]
    assert len([row for row in rows.values() if row.running]) == len(host.lxc_info) - 2


def stop_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(procfs.time, "time", lambda: 1000.0)
    monkeypatch.setattr(procfs.time, "clock_gettime", lambda _clock: 10.0)


def test_created_is_the_start_time_of_the_first_process(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(procfs, "_TICKS_PER_SECOND", 100)
    stop_clock(monkeypatch)
    host.monitor(77, "[lxc monitor] /x new")
    assert host.rows()["/x/new"].created == 991.0


def _end(host: Host) -> None:
    host.end(host.lxc_info["web"])


def _kill_the_monitor(host: Host) -> None:
    host.end(int(host.monitor_of("web").name))


def _orphan(host: Host) -> None:
    path = host.proc / str(host.lxc_info["web"]) / "stat"
    path.write_text(path.read_text().replace(f" S {host.monitor_of('web').name} ", " S 1 "))


def _be_a_hook(host: Host) -> None:
    child = host.proc / str(host.lxc_info["web"])
    (child / "cgroup").write_text((host.monitor_of("web") / "cgroup").read_text())
    (child / "status").write_text((host.monitor_of("web") / "status").read_text())


def _be_another_container(host: Host) -> None:
    (host.monitor_of("web") / "cmdline").write_text(f"[lxc monitor] {host.lxcpath} web2\0")


@pytest.mark.parametrize(
    ("spoil", "status"),
    [
        (_end, "starting or stopping"),
        (_kill_the_monitor, "stopped"),
        (_orphan, "starting or stopping"),
        (_be_a_hook, "starting or stopping"),
        (_be_another_container, "stopped"),
    ],
)
def test_the_first_process_has_ended(
    host: Host, spoil: t.Callable[[Host], None], status: str
) -> None:
    before = host.rows()["web"]
    spoil(host)
    web = host.rows()["web"]
    assert (web.running, web.pid, web.status) == (False, 0, status)
    assert not lxc.still_runs(before, 5)


@pytest.mark.parametrize("difference", ["NSpid", "cgroup"])
def test_the_first_process_differs_from_a_hook_by_namespace_or_cgroup(
    host: Host, difference: str
) -> None:
    child, monitor = host.proc / str(host.lxc_info["web"]), host.monitor_of("web")
    for name, file in (("NSpid", "status"), ("cgroup", "cgroup")):
        if name != difference:
            (child / file).write_text((monitor / file).read_text())
    assert host.rows()["web"].pid == host.lxc_info["web"]


FAKE = "[lxc monitor] {} fake"


@pytest.mark.parametrize(
    "changed",
    [
        {"status": "Uid:\t1000\t1000\t1000\t1000\nNSpid:\t77\n"},
        # A setuid program.
        {"status": "Uid:\t1000\t0\t0\t0\nNSpid:\t77\n"},
        {"exe": "/usr/bin/python3"},
        {"root": "/usr"},
        {"comm": "python3\n"},
        {"cmdline": "lxc-start\0-n\0fake\0"},
        {"cmdline": "lxc-start\0-F\0-n\0fa/ke\0"},
        {"cmdline": "lxc-start\0-F\0"},
        {"cmdline": ""},
        {"cmdline": "[lxc monitor] "},
        {"cmdline": "[lxc monitor] fake"},
        {"cmdline": "[lxc monitor] /srv fa\nke"},
        {"cmdline": "[lxc monitor] /srv fa\udcffke"},
        {"cmdline": "[lxc monitor] /\udcff fake"},
        {"status": "Name:\tx\n"},
    ],
)
def test_processes_that_are_not_monitors_of_root(host: Host, changed: dict[str, str]) -> None:
    before = host.rows()
    known = {"cmdline": FAKE.format(host.lxcpath), **changed}
    host.monitor(77, **known)
    assert host.rows().keys() == before.keys()


@pytest.mark.parametrize(
    ("cmdline", "identity"),
    [
        ("[lxc monitor] {path} new\0", "new"),
        ("[lxc monitor] {path} a b\0", "a b"),
        ("[lxc monitor] {path}/ new\0", "new"),
        ("[lxc monitor] {link} new\0", "new"),
        ("[lxc monitor] /a b new\0", "/a b/new"),
        ("[lxc monitor] /srv//lxc/ new\0", "/srv/lxc/new"),
        ("lxc-start\0-F\0-n\0new\0", "new"),
        ("lxc-start\0-Fn\0new\0", "new"),
        ("lxc-start\0-nnew\0-F\0", "new"),
        ("lxc-start\0new\0-F\0", "new"),
        ("lxc-start\0-F\0-f\0/etc/x\0new\0", "new"),
        ("lxc-start\0--foreground\0--name\0new\0--lxcpath\0/srv\0", "/srv/new"),
        ("lxc-start\0--foreground\0--name=new\0--lxcpath=/srv\0", "/srv/new"),
        ("lxc-start\0-P\0/srv\0-q\0-F\0--share-net\0other\0new-1\0", "/srv/new-1"),
        ("lxc-start\0-F\0--logpriority=DEBUG\0new\0", "new"),
    ],
)
def test_names(host: Host, tmp_path: pathlib.Path, cmdline: str, identity: str) -> None:
    (tmp_path / "link").symlink_to(host.lxcpath)
    host.monitor(77, cmdline.format(path=host.lxcpath, link=tmp_path / "link"))
    rows = host.rows()
    assert rows[identity].pid == 78
    assert lxc.still_runs(rows[identity], 5)


@pytest.mark.parametrize(
    ("cmdline", "identity"),
    [
        ("lxc-execute\0-n\0new\0--\0sleep\0-P\0/srv\0", "new"),
        ("lxc-execute\0-P\0/srv\0new\0sleep\0" + "9\0", "/srv/new"),
    ],
)
def test_execute(host: Host, cmdline: str, identity: str) -> None:
    host.monitor(77, cmdline, comm="lxc-execute\n", stat="77 (lxc-execute) S 1 ")
    assert host.rows()[identity].pid == 78


def test_a_restarting_container_is_reported_once(host: Host) -> None:
    title = f"[lxc monitor] {host.lxcpath} web\0"
    host.monitor(77, title)
    host.end(78)
    assert host.rows()["web"].pid == host.lxc_info["web"]
    host.end(host.lxc_info["web"])
    host.monitor(87, title)
    assert host.rows()["web"].pid == 88


def test_a_name_that_is_not_printable_is_left_out(host: Host) -> None:
    for name in ("\udcff", "a\nb"):
        (host.lxcpath / name).mkdir()
        (host.lxcpath / name / "config").touch()
    (host.lxcpath / "no-container").mkdir()
    (host.lxcpath / "fifo").mkdir()
    os.mkfifo(host.lxcpath / "fifo" / "config")
    assert set(host.rows()) == set(host.lxc_info)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, "/var/lib/lxc"),
        ("", "/var/lib/lxc"),
        ("lxc.lxcpath = /srv/lxc\n", "/srv/lxc"),
        ("#lxc.lxcpath = /no\n\tlxc.lxcpath=/srv/my lxc \n", "/srv/my lxc"),
        ("lxc.lxcpath = srv\n", "/var/lib/lxc"),
        ("lxc.lxcpath.x = /no\nlxc.bdev.lvm.vg = /no\n\xff", "/var/lib/lxc"),
    ],
)
def test_the_configured_lxcpath(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, text: str | None, expected: str
) -> None:
    if text is not None:
        (tmp_path / "lxc.conf").write_bytes(text.encode("latin-1"))
    monkeypatch.setattr(lxc, "_CONFIG", str(tmp_path / "lxc.conf"))
    assert lxc._configured() == expected


@pytest.mark.parametrize("tools", [[], ["lxc-start"]])
def test_an_empty_lxcpath_without_tools_is_no_lxc(
    host: Host, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, tools: list[str]
) -> None:
    for name in tools:
        (tmp_path / name).touch(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert host.read().found
    (tmp_path / "empty").mkdir()
    monkeypatch.setattr(procfs, "pids", list)
    reading = lxc.read(str(tmp_path / "empty"), 5, bool)
    assert (reading.error, reading.containers, reading.found) == (None, (), bool(tools))


def test_no_lxcpath(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lxc, "_LXCPATH", "/none")
    assert lxc.sources({}) == []


def test_the_lxcpath_may_be_for_root_only(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.listdir

    def refuse(path: t.Any) -> list[str]:
        if str(path) == str(host.lxcpath):
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(lxc.os, "listdir", refuse)
    assert set(host.rows()) == set(host.lxc_info) - {STOPPED}


def test_processes_of_others_are_hidden_from_an_ordinary_user(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: t.Any, **__: t.Any) -> t.NoReturn:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(lxc.os, "readlink", refuse)
    assert host.rows()["web"].pid == host.lxc_info["web"]


@pytest.mark.parametrize("name", ["pids", "open_process", "read_text"])
def test_an_error_in_reading_proc(host: Host, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    web = host.rows()["web"]

    def fail(*_: t.Any) -> t.NoReturn:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(procfs, name, fail)
    reading = lxc.read(str(host.lxcpath), 5, bool)
    assert reading.error is not None
    assert reading.error.endswith(": Too many open files")
    assert reading.containers == ()
    if name != "pids":
        with pytest.raises(model.EngineError, match="Too many open files"):
            lxc.still_runs(web, 5)


def test_a_first_process_that_cannot_be_read(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    stop_clock(monkeypatch)
    web, monitor = host.lxc_info["web"], int(host.monitor_of("web").name)

    def refuse(pid: int) -> int:
        if pid == web:
            raise OSError(errno.EIO, "Input/output error")
        return host.open_process(pid)

    unread = check_isolation(
        host.read,
        pathlib.Path(f"/proc/{monitor}"),
        lambda: monkeypatch.setattr(procfs, "open_process", refuse),
    )
    assert (unread.id, unread.name) == ("web", "web")


MACVLAN = """\
lxc.include = {include}
lxc.uts.name = web
lxc.net.0.type = macvlan
lxc.net.0.link = eth0
lxc.net.0.hwaddr = 02:00:00:00:00:03
"""


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", ""),
        (MACVLAN, "lxc.net.0 in {config} is a macvlan interface with the MAC address 02:00:"),
        (MACVLAN.replace(" = ", "="), "lxc.net.0 in {config} is a macvlan interface with the MAC"),
        (MACVLAN.replace("macvlan", '"macvlan"'), "lxc.net.0 in {config} is a macvlan interface"),
        # LXC makes each "x" a random digit, and without an address the kernel chooses one.
        (MACVLAN.replace("00:03", "xx:xx"), ""),
        (MACVLAN.replace("lxc.net.0.hwaddr", "#lxc.net.0.hwaddr"), ""),
        (MACVLAN + "lxc.net.0.hwaddr =\n", ""),
        (MACVLAN + "lxc.net =\n", ""),
        (MACVLAN.replace("macvlan", "veth"), ""),
        # LXC takes it back from the namespace.
        (MACVLAN.replace("macvlan", "phys"), ""),
        ("lxc.net.1.type = veth\n" + MACVLAN, "lxc.net.0 in {config} is a macvlan interface"),
        (
            "lxc.net.0.type = macvlan\nlxc.net.0.macvlan.mode = passthru\n",
            "lxc.net.0 in {config} is a macvlan interface in passthru mode",
        ),
        ("lxc.net.0.type = ipvlan\n", ""),
        (
            "lxc.net.3.type = ipvlan\nlxc.net.3.ipv4.address = 10.0.0.2/24\n",
            "lxc.net.3 in {config} is an ipvlan interface with the address 10.0.0.2/24",
        ),
        (
            "lxc.net.0.type = vlan\nlxc.net.0.vlan.id = 7\nlxc.net.0.link = eth0\n",
            "lxc.net.0 in {config} is the VLAN 7 of eth0",
        ),
    ],
)
@pytest.mark.parametrize("included", [None, "common.conf", "conf.d/"])
def test_a_device_that_the_next_start_needs(
    host: Host, tmp_path: pathlib.Path, text: str, reason: str, included: str | None
) -> None:
    config = host.lxcpath / "web" / "config"
    (tmp_path / "conf.d").mkdir()
    if included:
        config.write_text(f"lxc.include = {tmp_path / included}\n")
        name = "conf.d/a.conf" if included == "conf.d/" else included
        (tmp_path / name).write_text(text.format(include="/none"))
    else:
        config.write_text(text.format(include="/none"))
    rows = host.rows()
    needs = rows["web"].needs_device
    assert (
        needs == reason.format(config=config)
        if not reason
        else needs.startswith(reason.format(config=config))
    )
    assert rows["web"].pid == host.lxc_info["web"]
    assert {row.needs_device for name, row in rows.items() if name != "web"} == {""}


def test_the_configuration_that_a_monitor_names(host: Host, tmp_path: pathlib.Path) -> None:
    (tmp_path / "rc").write_text(MACVLAN)
    host.monitor(77, f"lxc-start\0-F\0-f\0{tmp_path}/rc\0-n\0new\0")
    host.monitor(87, "lxc-start\0-F\0--rcfile\0rc\0-n\0relative\0")
    rows = host.rows()
    assert rows["new"].needs_device.startswith(f"lxc.net.0 in {tmp_path}/rc is a macvlan")
    assert rows["relative"].needs_device == ""


def test_includes_without_an_end(host: Host) -> None:
    config = host.lxcpath / "web" / "config"
    config.write_text(f"lxc.include = {config}\n")
    assert host.rows()["web"].needs_device == (
        "its configuration cannot be read, so that its network interfaces are not known: "
        f"{config} includes more than 32 files"
    )


@pytest.mark.parametrize("file", hostile_inputs.ODD_FILES, ids=hostile_inputs.case_id)
def test_odd_files(host: Host, monkeypatch: pytest.MonkeyPatch, file: hostile_inputs.File) -> None:
    """LXC's configuration shows no more than the interfaces: the processes show the container."""
    stop_clock(monkeypatch)
    before = host.rows()
    path = host.lxcpath / "web" / "config"
    file.put(path)
    rows = host.rows()
    needs = rows["web"].needs_device
    # Symbolic links are followed, as LXC does: the configuration is root's.
    is_unusable = file in hostile_inputs.UNUSABLE_FILES and "symbolic" not in file.error
    assert (str(path) in needs, file.error in needs) == (is_unusable, is_unusable or not file.error)
    assert rows == {**before, "web": before["web"]._replace(needs_device=needs)}


def test_a_process_that_cannot_be_read_is_an_error(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: t.Any, **__: t.Any) -> t.NoReturn:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(lxc.os, "open", fail)
    reading = lxc.read(str(host.lxcpath), 5, bool)
    assert reading.error == "/proc: Too many open files"


def test_reading_ends_with_the_timeout(host: Host) -> None:
    error = lxc.read(str(host.lxcpath), -1, bool).error
    assert error == "/proc could not be read in full in -1 s"
