# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which mount namespaces see new links, as docs/limits.md describes it."""

from __future__ import annotations

import pathlib
import subprocess
import time
import typing as t

import pytest
from support import ScratchHost, inode


@pytest.fixture
def scratch(tmp_path: pathlib.Path) -> t.Iterator[ScratchHost]:
    """A host whose netns_dir is in a shared tmpfs, as /run is under systemd."""
    run = tmp_path / "run"
    run.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "run", run], check=True)
    subprocess.run(["mount", "--make-shared", run], check=True)
    scratch = ScratchHost(run)
    scratch.dir.mkdir()
    try:
        yield scratch
    finally:
        scratch.take_down()


class Sandbox:
    """A service with a mount namespace of its own, which receives the host's mounts."""

    def __init__(self) -> None:
        command = ("unshare", "--mount", "--propagation", "slave", "sleep", "infinity")
        self._process = subprocess.Popen(command)
        own = inode("/proc/self/ns/mnt")
        while inode(f"/proc/{self._process.pid}/ns/mnt") == own:
            time.sleep(0.01)
        # unshare(1) changes the propagation after it has made the mount namespace.
        while pathlib.Path(f"/proc/{self._process.pid}/comm").read_text() != "sleep\n":
            time.sleep(0.01)

    def sees(self, scratch: ScratchHost, name: str) -> bool:
        path = f"/proc/{self._process.pid}/root{scratch.link(name)}"
        return inode(path) == inode(scratch.link(name))

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._process.kill()
        self._process.wait()


@pytest.mark.parametrize("is_set_up_by_ip", [False, True])
def test_which_sandboxes_see_new_links(scratch: ScratchHost, is_set_up_by_ip: bool) -> None:
    pid = scratch.process()
    with Sandbox() as earlier:
        if is_set_up_by_ip:
            # As `ip netns add` does it.
            subprocess.run(["mount", "--rbind", scratch.dir, scratch.dir], check=True)
            subprocess.run(["mount", "--make-shared", scratch.dir], check=True)
        scratch.act(pid=pid, names=("first",))
        assert earlier.sees(scratch, "first") == is_set_up_by_ip
        with Sandbox() as later:
            scratch.act(pid=pid, names=("second",))
            assert later.sees(scratch, "first")
            assert later.sees(scratch, "second")
