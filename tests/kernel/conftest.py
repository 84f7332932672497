# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Real namespaces and mounts, each test in directories of its own, taken down whatever happens."""

from __future__ import annotations

import os
import pathlib
import signal
import typing as t

import pytest
from support import Daemon, ScratchHost

from ansible_collections.linuxnet.netns.plugins.module_utils._core.engines import registry
from ansible_collections.linuxnet.netns.plugins.module_utils._core.links import etc_netns


def pytest_configure() -> None:
    """End on SIGTERM as after ^C, so that the fixtures and tests take down what they made."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


@pytest.fixture(autouse=True)
def no_engine_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the engines that a test starts are found, which an environment variable names."""

    def may_be_installed(spec: registry._EngineSpec, *_others: object) -> bool:
        return any(os.environ.get(marker[1:]) for marker in spec.markers if marker[0] == "$")

    monkeypatch.setattr(registry._EngineSpec, "may_be_installed", may_be_installed)


@pytest.fixture
def scratch(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> t.Iterator[ScratchHost]:
    scratch = ScratchHost(tmp_path)
    monkeypatch.setattr(etc_netns, "DIRECTORY", str(scratch.etc))
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
