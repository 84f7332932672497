# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from ansible_collections.linuxnet.netns.plugins.module_utils._core.engines import daemons
from ansible_collections.linuxnet.netns.plugins.module_utils._core.kernel import procfs


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--state", "/a"], "/a"),
        (["--state=/a"], "/a"),
        (["-state=/a"], "/a"),
        (["-l", "debug", "--state", "/a", "--root", "/b"], "/a"),
        (["--stateful", "/a"], ""),
        (["state", "/a"], ""),
        (["--state"], ""),
        ([], ""),
    ],
)
def test_option(arguments: list[str], expected: str) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", "print(flush=True); input()", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert child.stdout is not None
    child.stdout.readline()
    process = procfs.open_process(child.pid)
    try:
        assert daemons.option(process, "state", "s") == expected
    finally:
        os.close(process)
        child.communicate(b"\n")
