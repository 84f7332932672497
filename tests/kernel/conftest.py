# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Real namespaces and mounts, each test in directories of its own, taken down whatever happens."""

from __future__ import annotations

import os
import pathlib
import typing as t

import pytest
from support import Daemon, ScratchHost


@pytest.fixture
def scratch(tmp_path: pathlib.Path) -> t.Iterator[ScratchHost]:
    scratch = ScratchHost(tmp_path)
    before = len(os.listdir("/proc/self/fd"))
    try:
        yield scratch
        assert len(os.listdir("/proc/self/fd")) == before, "a descriptor leaked"
    finally:
        scratch.take_down()


@pytest.fixture
def daemon(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> t.Iterator[Daemon]:
    path = str(tmp_path / "docker.sock")
    monkeypatch.setenv("DOCKER_HOST", f"unix://{path}")
    daemon = Daemon(path)
    try:
        yield daemon
    finally:
        daemon.close()
