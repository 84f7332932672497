# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Links of pods by containerd's bundles, with real pins in real mount namespaces."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import typing as t

import pytest
from support import ScratchHost, inode, wait_a_clock_tick

from ansible_collections.linuxnet.netns.plugins.module_utils._core.engines import (
    bundles,
    containerd,
    registry,
    shims,
)

# Starts a process in a network namespace of its own, pins that at $1, prints the PID, and waits, as a
# shim does.
_SHIM = """
unshare --net sleep infinity &
while [ "$(readlink /proc/$!/ns/net)" = "$(readlink /proc/$$/ns/net)" ]; do :; done
touch "$1" && mount --bind /proc/$!/ns/net "$1" && echo $! && wait
"""


class Containerd:
    """containerd's state directory, and a shim for each pod."""

    def __init__(self, state: pathlib.Path, pins: pathlib.Path) -> None:
        self.state = state
        self.pins = pins
        self.pins.mkdir()
        self._shims: list[subprocess.Popen[bytes]] = []

    def pod(self, name: str, *enter: str) -> int:
        """Start a pod, with its shim in the mount namespace that the command `enter` enters. Returns its PID."""
        shim = subprocess.Popen(
            [*enter, "sh", "-c", _SHIM, "sh", self.pin(name)],
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        self._shims.append(shim)
        assert shim.stdout is not None
        pid = int(shim.stdout.readline())
        bundle = self.bundle(name)
        bundle.mkdir(parents=True)
        namespaces = [{"type": "network", "path": str(self.pin(name))}]
        notes = {"container-type": "sandbox", "sandbox-name": name, "sandbox-namespace": "shop"}
        config = {
            "annotations": {f"io.kubernetes.cri.{key}": value for key, value in notes.items()},
            "linux": {"namespaces": namespaces},
        }
        (bundle / "config.json").write_text(json.dumps(config))
        (bundle / "init.pid").write_text(str(pid))
        wait_a_clock_tick()
        return pid

    def pin(self, name: str) -> pathlib.Path:
        return self.pins / f"cni-{name}"

    def bundle(self, name: str) -> pathlib.Path:
        return self.state / shims.TASKS / "k8s.io" / name.encode().hex().ljust(64, "0")

    def close(self) -> None:
        for shim in self._shims:
            os.killpg(shim.pid, 9)
            shim.communicate()
        for name in (*os.listdir(self.pins), "."):
            while not subprocess.run(
                ["umount", "--lazy", self.pins / name], check=False, stderr=subprocess.DEVNULL
            ).returncode:
                pass


@pytest.fixture
def pods(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> t.Iterator[Containerd]:
    monkeypatch.setenv("NETNS_TEST_CONTAINERD", "1")
    spec = registry._EngineSpec("containerd", lambda: containerd, ("$NETNS_TEST_CONTAINERD",))
    monkeypatch.setattr(registry, "_ENGINE_SPECS", (spec,))
    monkeypatch.setattr(containerd, "sources", lambda _environment: [str(tmp_path / "state")])
    # The processes are in the cgroup of this test.
    monkeypatch.setattr(bundles, "_is_in_cgroup", lambda *_: True)
    pods = Containerd(tmp_path / "state", tmp_path / "pins")
    try:
        yield pods
    finally:
        pods.close()


def netns(pid: int) -> int:
    return inode(f"/proc/{pid}/ns/net")


PRIVATE = ("unshare", "--mount", "--propagation", "private")


def test_pins_in_the_mount_namespace_of_containerd(scratch: ScratchHost, pods: Containerd) -> None:
    """With PrivateMounts=yes, a pin is an empty file from here."""
    web, db = pods.pod("web", *PRIVATE), pods.pod("db")
    assert os.stat(pods.pin("web")).st_size == 0
    assert inode(pods.pin("web")) != netns(web)
    assert inode(pods.pin("db")) == netns(db)
    assert scratch.act(all=True) == {"shop_web": "created", "shop_db": "created"}
    assert [inode(scratch.link(f"shop_{name}")) for name in ("web", "db")] == [
        netns(web),
        netns(db),
    ]
    assert scratch.act(all=True, prune=True) == {"shop_web": "unchanged", "shop_db": "unchanged"}
    # Where the files are in a file system that is not here.
    subprocess.run(["mount", "-t", "tmpfs", "none", pods.pins], check=True)
    assert not pods.pin("web").exists()
    assert scratch.act(all=True, prune=True) == {"shop_web": "unchanged", "shop_db": "unchanged"}


def test_pins_that_another_mount_covers(scratch: ScratchHost, pods: Containerd) -> None:
    web = pods.pod("web")
    subprocess.run(["mount", "--bind", pods.pins, pods.pins], check=True)
    assert inode(pods.pin("web")) != netns(web)
    assert scratch.act(all=True) == {"shop_web": "created"}
    assert inode(scratch.link("shop_web")) == netns(web)
    assert scratch.act(all=True, prune=True) == {"shop_web": "unchanged"}


def test_a_pin_elsewhere_of_another_namespace(scratch: ScratchHost, pods: Containerd) -> None:
    """The first process has moved: only where the pin can be seen, this shows."""
    pods.pod("web", *PRIVATE)
    other = scratch.process()
    (pods.bundle("web") / "init.pid").write_text(str(other))
    # Its parent, this test, has no such pin.
    assert scratch.act(all=True) == {"shop_web": "created"}
    scratch.act(state="absent", all=True)
    subprocess.run(["mount", "--bind", "/proc/self/ns/net", pods.pin("web")], check=True)
    result = scratch.run(all=True)
    assert [(row["action"], row["netns"]) for row in result.links] == [("skipped", None)]
    assert "its first process is in the network namespace" in result.links[0]["reason"]


def test_one_bundle_that_is_cut(scratch: ScratchHost, pods: Containerd) -> None:
    web = pods.pod("web")
    pods.pod("db")
    assert scratch.act(all=True) == {"shop_web": "created", "shop_db": "created"}
    (pods.bundle("db") / "config.json").write_text("")
    pods.pod("new")
    result = scratch.run(all=True, prune=True)
    actions = {row["name"]: row["action"] for row in result.links}
    assert actions == {"shop_web": "unchanged", "shop_new": "created", "shop_db": "skipped"}
    assert inode(scratch.link("shop_web")) == netns(web)
    assert scratch.link("shop_db").exists()
    (failure,) = result.failures
    assert f"{pods.bundle('db')}/config.json is not valid JSON" in failure
