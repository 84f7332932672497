# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""CRI-O's run directory, written from its documented layout, not captured (tests/unit/data/crio)."""

from __future__ import annotations

import errno
import json
import os
import pathlib
import shutil
import typing as t

import hostile_inputs
import pytest
import stand_ins
from invariants import check_container, check_isolation, check_odd_file, refuse_to_open

from ansible_collections.linuxnet.netns.plugins.module_utils._core import model
from ansible_collections.linuxnet.netns.plugins.module_utils._core.engines import crio

DATA = pathlib.Path(__file__).parents[4] / "data" / "crio" / "state.json"
WEB, NGINX, DNS, COREDNS, PROXY, PODMANS = (letter * 64 for letter in "abcde0")


class Host(stand_ins.Kernel):
    """A run directory on disk, and the kernel's answers about its processes."""

    def __init__(self, directory: pathlib.Path) -> None:
        state = json.loads(DATA.read_text())
        super().__init__(state["processes"], state["pins"])
        self.directory = directory
        for identity, bundle in state["bundles"].items():
            path = self.bundle(identity)
            path.mkdir(parents=True)
            (path / "config.json").write_text(json.dumps(bundle["config.json"]))
            if bundle["pidfile"]:
                (path / "pidfile").write_text(bundle["pidfile"])

    def bundle(self, identity: str) -> pathlib.Path:
        return self.directory / "overlay-containers" / identity / "userdata"

    def read(self, wanted: t.Callable[[model.Container], bool] = lambda _: True) -> model.Reading:
        return crio.read(str(self.directory), 5, wanted)

    def rows(self) -> dict[str, model.Container]:
        reading = self.read()
        assert reading.error is None
        return {one.id: one for one in reading.containers}


@pytest.fixture
def host(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    host = Host(tmp_path)
    host.patch(monkeypatch)
    return host


def test_read(host: Host) -> None:
    (host.directory / "overlay-layers" / "x").mkdir(parents=True)
    shutil.copytree(host.bundle(WEB).parent, host.bundle(WEB).parents[1] / "\udcff")
    rows = host.rows()
    assert sorted(rows) == sorted(letter * 64 for letter in "abcdef")
    assert {one.name: (one.running, one.pid, one.sandbox) for one in rows.values()} == {
        # It has no process of its own, and is reported with one of nginx.
        "shop_web": (True, 1201, True),
        "nginx": (True, 1201, False),
        "kube-system_dns": (True, 1300, True),
        "coredns": (True, 1301, False),
        "kube-system_proxy": (True, 1401, True),
        "kube-proxy": (True, 1401, False),
    }
    web, nginx = rows[WEB], rows[NGINX]
    assert web.pod == nginx.pod
    assert web.pod == model.Pod("shop", "web", "7f0f6a26-8434-4388-91f5-88ba0a9a3071")
    assert web.pin in host.pins
    assert (nginx.network_mode, nginx.pin) == (f"container:{WEB}", None)
    assert (rows[PROXY].network_mode, rows[PROXY].pin) == ("host", None)
    assert nginx.image == "docker.io/library/busybox:latest"
    assert web.labels["app"] == "web"
    assert nginx.resolv_conf == web.resolv_conf
    assert PODMANS not in rows


def test_only_wanted_containers_have_details(host: Host) -> None:
    reading = host.read(lambda one: one.id == WEB)
    assert [one.id for one in reading.containers if one.pid or one.pin] == [WEB]


def _end_member(host: Host) -> None:
    del host.processes[1201]


def _unpin(host: Host) -> None:
    host.pins.clear()


def _repin(host: Host) -> None:
    host.pins.update(dict.fromkeys(host.pins, 1))


@pytest.mark.parametrize(
    ("spoil", "web", "dns"),
    [
        # A pod stays while its containers restart.
        (_end_member, (True, "running", 0), (True, "running", 1300)),
        (_unpin, (False, "its pin '/var/run/netns/", 0), (True, "its pin '/var/run/netns/", 0)),
        (_repin, (True, "running", 0), (True, "its first process is in the network names", 0)),
    ],
)
def test_a_pod_runs_as_long_as_its_pin_exists(
    host: Host,
    spoil: t.Callable[[Host], None],
    web: tuple[bool, str, int],
    dns: tuple[bool, str, int],
) -> None:
    spoil(host)
    rows = host.rows()
    for identity, (running, status, pid) in ((WEB, web), (DNS, dns)):
        row = rows[identity]
        assert (row.problem or row.status).startswith(status)
        assert (row.running, row.pid) == (running, pid)


@pytest.mark.parametrize(
    ("here", "in_conmon", "member_runs", "web", "dns"),
    [
        # CRI-O in a mount namespace of its own, with the files of pins in ours, or not.
        ("an empty file", True, True, ("running", 1201), ("running", 1300)),
        (None, True, True, ("running", 1201), ("running", 1300)),
        ("an empty file", False, True, ("running", 1201), ("running", 1300)),
        # CRI-O removes the file when it stops the pod.
        ("an empty file", True, False, ("running", 0), ("running", 1300)),
        (None, False, True, ("its pin '/var/run/netns/", 0), ("its pin '/var/run/netns/", 0)),
    ],
)
def test_a_pin_in_another_mount_namespace(
    host: Host,
    here: str | None,
    in_conmon: bool,
    member_runs: bool,
    web: tuple[str, int],
    dns: tuple[str, int],
) -> None:
    if here:
        host.hidden_pins += host.pins
    if in_conmon:
        host.pins_elsewhere = dict(host.pins)
    host.pins.clear()
    if not member_runs:
        _end_member(host)
    rows = host.rows()
    for identity, (status, pid) in ((WEB, web), (DNS, dns)):
        row = rows[identity]
        assert (row.problem or row.status).startswith(status)
        assert row.pid == pid
        assert crio.still_runs(row, 5) == bool(pid)


def test_pods_without_the_kubelets_labels(host: Host) -> None:
    for identity in (WEB, NGINX):
        path = host.bundle(identity) / "config.json"
        config = json.loads(path.read_text())
        config["annotations"] = {
            key: value
            for key, value in config["annotations"].items()
            if not key.startswith(("io.kubernetes.pod.", "io.kubernetes.cri-o.Labels"))
        }
        path.write_text(json.dumps(config))
    rows = host.rows()
    assert rows[WEB].pod == model.Pod("shop", "web", "7f0f6a26-8434-4388-91f5-88ba0a9a3071")
    assert (rows[NGINX].pod, rows[NGINX].name) == (rows[WEB].pod, "nginx")
    path = host.bundle(WEB) / "config.json"
    config = json.loads(path.read_text())
    config["annotations"]["io.kubernetes.cri-o.Metadata"] = '{"uid": 7}'
    path.write_text(json.dumps(config))
    assert host.rows()[WEB].pod == model.Pod("shop", "web", "")


def test_still_runs(host: Host) -> None:
    rows = host.rows()
    assert all(crio.still_runs(rows[one], 5) for one in (WEB, NGINX, DNS, COREDNS, PROXY))
    host.processes[1201]["cgroup"] = "0::/\n"
    assert [one for one in (WEB, NGINX, DNS) if crio.still_runs(rows[one], 5)] == [DNS]


@pytest.mark.parametrize("text", ["{", '{"app":', "[" * 10000, "9" * 10000])
@pytest.mark.parametrize("key", ["Labels", "Metadata"])
@pytest.mark.parametrize("identity", [WEB, COREDNS])
def test_invalid_json_in_annotations(host: Host, identity: str, key: str, text: str) -> None:
    path = host.bundle(identity) / "config.json"
    config = json.loads(path.read_text())
    config["annotations"][f"io.kubernetes.cri-o.{key}"] = text
    unread = check_isolation(host.read, path, lambda: _write_json(path, config))
    assert f"{key} in {path} is not valid JSON" in str(unread.unread)
    assert (unread.id, unread.name) == (identity, {WEB: "shop_web", COREDNS: "coredns"}[identity])


def _write_json(path: pathlib.Path, value: t.Any) -> None:
    path.write_text(json.dumps(value))


@pytest.mark.parametrize("runs", [False, True])
def test_crio_is_there_if_it_runs_or_has_containers(
    host: Host, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, runs: bool
) -> None:
    """/run/crio may be there for a socket that something mounts, or from a package that was removed."""
    daemons = [(1, "crio")] if runs else [(1, "crio-status")]
    monkeypatch.setattr(crio.daemons, "running", lambda *_: iter(daemons))
    missing = crio.read(f"{tmp_path}/none", 5, lambda _: True)
    assert missing.error == (f"there is no directory {tmp_path}/none" if runs else None)
    (tmp_path / "file").touch()
    file = crio.read(f"{tmp_path}/file", 5, lambda _: True)
    assert file.error == (f"there is no directory {tmp_path}/file" if runs else None)
    assert host.read().found
    # The rest of the run directory is Podman's.
    for path in host.directory.glob("*/*/userdata/config.json"):
        if PODMANS not in str(path):
            path.unlink()
    empty = host.read()
    assert (empty.error, empty.containers) == (None, ())
    assert {reading.found for reading in (missing, file, empty)} == {runs}


@pytest.mark.parametrize(
    "wrong",
    # The annotations contain JSON.
    [*hostile_inputs.SAMPLE, "[]", "7", '{"name": 7}', '{"uid": 7, "a": {}}', '{"a": "\\ud800"}'],
    ids=hostile_inputs.case_id,
)
@pytest.mark.parametrize("identity", [WEB, NGINX])
def test_wrong_types_anywhere_are_an_error_or_ignored(
    host: Host, identity: str, wrong: t.Any
) -> None:
    path = host.bundle(identity) / "config.json"
    config = json.loads(path.read_text())
    for broken in hostile_inputs.with_value_anywhere(config, wrong):
        path.write_text(json.dumps(broken))
        for one in host.read().containers:
            check_container(one)


@pytest.mark.parametrize("file", hostile_inputs.ODD_FILES, ids=hostile_inputs.case_id)
@pytest.mark.parametrize("name", ["config.json", "pidfile"])
@pytest.mark.parametrize("identity", [COREDNS, WEB, PROXY])
def test_odd_files(host: Host, identity: str, name: str, file: hostile_inputs.File) -> None:
    unread = check_odd_file(host.read, host.bundle(identity) / name, file)
    names = {WEB: "shop_web", PROXY: "kube-system_proxy", COREDNS: "coredns"}
    if name == "config.json":
        names[COREDNS] = COREDNS
    assert (unread.id, unread.name) == (identity, names[identity])
    # Its containers are not taken for a pod of their own.
    assert unread.sandbox == (identity != COREDNS)
    assert unread.status == ("" if name == "config.json" else "running")
    with pytest.raises(model.EngineError, match=name):
        crio.still_runs(unread, 5)


@pytest.mark.parametrize("code", [errno.EACCES, errno.EIO])
@pytest.mark.parametrize("name", ["config.json", "pidfile", "."])
def test_files_that_cannot_be_read(
    host: Host, monkeypatch: pytest.MonkeyPatch, name: str, code: int
) -> None:
    path = host.bundle(COREDNS) / name
    error = OSError(code, os.strerror(code))
    check_isolation(host.read, path, lambda: refuse_to_open(monkeypatch, path, error))


@pytest.mark.parametrize("spoil", [shutil.rmtree, lambda path: (path / "config.json").unlink()])
def test_a_bundle_that_is_being_made_or_deleted_is_not_there(
    host: Host, spoil: t.Callable[[pathlib.Path], None]
) -> None:
    spoil(host.bundle(COREDNS))
    assert host.read().unread == ()
    assert COREDNS not in host.rows()


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, "/run/containers/storage"),
        ({"storage.conf": '[storage]\nrunroot = "/run/a"'}, "/run/a"),
        (
            {"storage.conf": '[storage]\nrunroot = "/run/a"', "crio.conf": "[crio]\nrunroot='/b'"},
            "/b",
        ),
        (
            {
                "crio.conf": '[crio]\nrunroot = "/b"',
                "crio.conf.d/10": '[crio]\nrunroot = "/c"',
                "crio.conf.d/20": '[crio]\nrunroot = "/d"',
            },
            "/d",
        ),
        (
            {"crio.conf": '[crio]\n# runroot = "/b"\n[crio.api]\nrunroot = "/e"'},
            "/run/containers/storage",
        ),
    ],
)
def test_sources(
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    files: dict[str, str],
    expected: str,
) -> None:
    (tmp_path / "crio.conf.d").mkdir()
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(
        crio,
        "_CONFIGS",
        tuple((f"{tmp_path}/{path.split('/', 3)[3]}", table) for path, table in crio._CONFIGS),
    )
    monkeypatch.setattr(crio, "_RUN_DIRECTORY", str(tmp_path / "none"))
    assert crio.sources({}) == []
    monkeypatch.setattr(crio, "_RUN_DIRECTORY", str(tmp_path))
    assert crio.sources({}) == [os.path.realpath(expected)]
