# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bundles in a real directory, with given answers of the kernel about their processes."""

from __future__ import annotations

import json
import os
import pathlib
import re
import subprocess
import sys

import hostile_inputs
import pytest

from ansible_collections.linuxnet.netns.plugins.module_utils._core import model
from ansible_collections.linuxnet.netns.plugins.module_utils._core.engines import (
    bundles,
    state_files,
)
from ansible_collections.linuxnet.netns.plugins.module_utils._core.kernel import procfs

ID = "0b2413a1ef2eeb7af9f19d21b7f8a2a2e5a2d2f6b1d0a6a9e8f8f8f8f8f8f8f8"
CONFIG = '{"linux": {"cgroupsPath": "/k8s.io/x", "namespaces": [{"type": "network"}]}}'


@pytest.fixture(autouse=True)
def no_sleep(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundles.time, "sleep", lambda _: None)


def read(directory: pathlib.Path) -> bundles.Bundle | None:
    with state_files.open_directory(str(directory), str(directory)) as fd:
        assert fd is not None
        return bundles.read(fd, str(directory), "init.pid")


def unread(directory: pathlib.Path) -> str:
    bundle = read(directory)
    assert bundle is not None
    assert bundle.unread is not None
    return bundle.unread


def test_read(tmp_path: pathlib.Path) -> None:
    (tmp_path / "config.json").write_text(CONFIG)
    (tmp_path / "init.pid").write_text("4711\n")
    bundle = read(tmp_path)
    assert bundle is not None
    assert (bundle.pid, bundle.netns_path, bundle.cgroups_path, bundle.pin) == (
        4711,
        "",
        "/k8s.io/x",
        None,
    )
    assert bundle.mtime == (tmp_path / "config.json").stat().st_mtime


def test_not_complete_yet(tmp_path: pathlib.Path) -> None:
    assert read(tmp_path) is None
    (tmp_path / "config.json").write_text(CONFIG)
    bundle = read(tmp_path)
    assert bundle is not None
    assert bundle.pid == 0


@pytest.mark.parametrize("name", ["config.json", "init.pid"])
@pytest.mark.parametrize("file", hostile_inputs.UNUSABLE_FILES, ids=hostile_inputs.case_id)
def test_other_types_of_files_are_neither_followed_nor_waited_for(
    tmp_path: pathlib.Path, name: str, file: hostile_inputs.File
) -> None:
    (tmp_path / "config.json").write_text(CONFIG)
    file.put(tmp_path / name)
    assert re.search(f"{name}.*{file.error}", unread(tmp_path))
    assert state_files.toml_string(str(tmp_path / name), "state", "") == ""


def test_a_truncated_config_is_an_error(tmp_path: pathlib.Path) -> None:
    for end in range(len(CONFIG)):
        (tmp_path / "config.json").write_text(CONFIG[:end])
        assert f"{tmp_path}/config.json is not valid JSON" in unread(tmp_path)


def test_a_half_written_file_is_read_again(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config.json").write_text(CONFIG[:20])
    (tmp_path / "init.pid").write_text("")
    waited = []

    def written_meanwhile(_seconds: float) -> None:
        waited.append(len(waited))
        (tmp_path / ("init.pid" if len(waited) > 1 else "config.json")).write_text(
            "12" if len(waited) > 1 else CONFIG
        )

    monkeypatch.setattr(bundles.time, "sleep", written_meanwhile)
    bundle = read(tmp_path)
    assert bundle is not None
    assert (bundle.pid, len(waited)) == (12, 2)


def test_a_file_that_was_cut_long_ago_is_not_waited_for(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundles.time, "sleep", lambda _: pytest.fail("it waits"))
    for name in ("config.json", "init.pid"):
        (tmp_path / "config.json").write_text(CONFIG)
        (tmp_path / name).write_text("")
        os.utime(tmp_path / name, (1, 1))
        assert name in unread(tmp_path)


@pytest.mark.parametrize("text", ["", "x", "-1", "0", "1.5", "4194305", "1 2", "9" * 65, "\u0661"])
def test_invalid_pid(tmp_path: pathlib.Path, text: str) -> None:
    (tmp_path / "config.json").write_text(CONFIG)
    (tmp_path / "init.pid").write_text(text, encoding="utf-8")
    assert f"{tmp_path}/init.pid " in unread(tmp_path)
    # What config.json contains is known.
    assert read(tmp_path) == bundles.Bundle(
        {}, "", "/k8s.io/x", None, (tmp_path / "config.json").stat().st_mtime, 0, unread(tmp_path)
    )


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "7",
        '{"linux": []}',
        '{"linux": {"namespaces": {}}}',
        '{"linux": {"namespaces": ["network"]}}',
        '{"linux": {"namespaces": [{"type": "network", "path": 7}]}}',
        '{"linux": {"cgroupsPath": ["/x"]}}',
        '{"mounts": [[]]}',
        '{"mounts": [{"destination": "/etc/resolv.conf", "source": {}}]}',
        '{"annotations": {"a": null, "b": 1}}',
        '{"annotations": "a"}',
        '{"annotations": {"a": "\\ud800"}}',
        "[" * 100000,
    ],
)
def test_wrong_types(tmp_path: pathlib.Path, text: str) -> None:
    (tmp_path / "config.json").write_text(text)
    assert f"{tmp_path}/config.json" in unread(tmp_path)


@pytest.mark.parametrize(
    ("netns_path", "pin"),
    [
        (None, None),
        ("", None),
        ("/proc/12/ns/net", None),
        ("/var/run/netns/cni-1", "/var/run/netns/cni-1"),
        ("relative", None),
    ],
)
def test_pin(netns_path: str | None, pin: str | None) -> None:
    assert bundles.Bundle({}, netns_path, "", None, 0.0, 1).pin == pin


@pytest.mark.parametrize(
    ("cgroup", "line", "expected"),
    [
        ("/k8s.io/" + ID, "0::/k8s.io/" + ID, True),
        ("/k8s.io/" + ID, "4:memory:/k8s.io/" + ID, True),
        ("/k8s.io/" + ID, f"0::/k8s.io/{ID}/init.scope", True),
        ("/k8s.io/" + ID, f"0::/docker/node/k8s.io/{ID}", True),
        ("/k8s.io/" + ID, f"0::/k8s.io/{ID}0", False),
        ("/k8s.io/" + ID, "0::/", False),
        ("/default/1", "0::/system.slice/session-1.scope", False),
        ("/default/1", "0::/default/1", True),
        ("/", "0::/", False),
        ("a.slice:cri-containerd:" + ID, f"0::/a.slice/cri-containerd-{ID}.scope", True),
        ("a.slice:cri-containerd:" + ID, "0::/a.slice/b.scope", False),
        ("", f"0::/anything/{ID}", True),
        ("", "0::/", False),
    ],
)
def test_process_of_the_container(
    monkeypatch: pytest.MonkeyPatch, cgroup: str, line: str, expected: bool
) -> None:
    monkeypatch.setattr(procfs, "read_text", lambda *_: f"9:name=systemd:/\n{line}\n")
    identity = "1" if cgroup == "/default/1" else ID
    bundle = bundles.Bundle({}, "", cgroup, None, 0.0, os.getpid())
    assert bundles.is_running(bundle, identity) is expected


@pytest.mark.parametrize("source", ["", "relative", "/a\0b"])
def test_resolv_conf_that_is_not_a_path(tmp_path: pathlib.Path, source: str) -> None:
    mount = {"destination": "/etc/resolv.conf", "source": source}
    (tmp_path / "config.json").write_text(json.dumps({"mounts": [mount]}))
    bundle = read(tmp_path)
    assert bundle is not None
    assert bundle.resolv_conf is None


def test_pinned_netns(tmp_path: pathlib.Path) -> None:
    (tmp_path / "ns").symlink_to("/proc/self/ns/net")
    (tmp_path / "file").touch()
    assert bundles.pinned_netns(str(tmp_path / "ns")).inode == os.stat("/proc/self/ns/net").st_ino
    for path, words in ((tmp_path / "file", "an empty file"), (tmp_path / "no", "is gone")):
        with pytest.raises(model.GoneError, match=words):
            bundles.pinned_netns(str(path))
    with pytest.raises(model.GoneError, match="is gone"):
        bundles.pinned_netns("/a\0b")


def test_a_process_that_ended(tmp_path: pathlib.Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    bundle = bundles.Bundle({}, "", "", None, 0.0, child.pid)
    assert not bundles.is_running(bundle, ID)
    with pytest.raises(model.GoneError, match="its process is gone"):
        bundles.netns_of(bundle, ID)
