# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests in PID and mount namespaces of their own, with a /run of their own.

`make kernel` runs a sample of each, `make crash` and `make soak` all of it.
"""

from __future__ import annotations

import ctypes
import os
import pathlib
import subprocess
import typing as t

import pytest

pytest.register_assert_rewrite("isolated_host")

from isolated_host import IsolatedHost, Progress, isolated_host  # noqa: E402

from ansible_collections.linuxnet.netns.plugins.module_utils._core.checks import (  # noqa: E402
    doctor,
    probes,
)
from ansible_collections.linuxnet.netns.plugins.module_utils._core.kernel import (  # noqa: E402
    libc,
    mounts,
)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--full", action="store_true", help="every point and step, not a sample")


def pytest_configure() -> None:
    if os.getpid() != 1 or any(mount.peer_group for mount in mounts.read()):
        pytest.exit("these tests mount over /run: start them by `make kernel`", returncode=2)


@pytest.fixture(scope="session")
def full(pytestconfig: pytest.Config) -> bool:
    return bool(pytestconfig.getoption("full"))


@pytest.fixture
def host(tmp_path: pathlib.Path) -> t.Iterator[IsolatedHost]:
    with isolated_host(tmp_path) as host:
        yield host


@pytest.fixture
def progress(capsys: pytest.CaptureFixture[str]) -> Progress:
    return Progress(capsys)


@pytest.fixture
def network() -> t.Iterator[None]:
    """PID 1 of these tests, which is the host, in a network namespace of its own."""
    with subprocess.Popen(["sleep", "infinity"]) as before:
        try:
            assert ctypes.CDLL(None).unshare(libc.CLONE_NEWNET) == 0
            yield
        finally:
            with open(f"/proc/{before.pid}/ns/net", "rb") as namespace:
                libc.setns(namespace.fileno(), libc.CLONE_NEWNET)
            before.kill()


@pytest.fixture
def doctor_of_this_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second look of the doctor follows soon, and /proc is that of a machine."""
    monkeypatch.setattr(doctor, "_SECOND_LOOK_DELAY", 0.05)
    # The PID namespace of these tests is that of the machine to them.
    monkeypatch.setattr(probes.Probes, "sees_all_processes", lambda self: True)
