# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the capabilities in the hook's units suffice for."""

from __future__ import annotations

import os
import pathlib
import re
import subprocess
import sys
import typing as t

import pytest
from support import Daemon

UNIT = pathlib.Path(__file__).parents[2] / "roles/netns_hook/templates/hardening.j2"
CONNECT = """
import sys
from ansible_collections.linuxnet.netns.plugins.module_utils._core import model
from ansible_collections.linuxnet.netns.plugins.module_utils._core.engines import unix_http
try:
    with unix_http.Client(sys.argv[1], 5.0) as client:
        print(*(response.status for response in client.get(["/containers/json?all=1"])))
except model.EngineError as error:
    print(error)
"""


def capabilities() -> list[str]:
    (names,) = re.findall(r"^CapabilityBoundingSet=(.*)$", UNIT.read_text(), re.MULTILINE)
    return [name[len("CAP_") :].lower() for name in names.split()]


def connect(path: str, names: t.Iterable[str]) -> str:
    bounding_set = ",".join(("-all", *(f"+{name}" for name in names)))
    command = ("setpriv", "--bounding-set", bounding_set, sys.executable, "-c", CONNECT, path)
    environment = {"PYTHONPATH": ":".join(filter(None, sys.path))}
    return subprocess.run(
        command, env=environment, check=True, stdout=subprocess.PIPE, text=True
    ).stdout.strip()


@pytest.fixture
def socket_of_a_user(daemon: Daemon) -> str:
    path = os.environ["DOCKER_HOST"][len("unix://") :]
    os.chown(path, 65534, 65534)
    os.chmod(path, 0o600)
    for parent in pathlib.Path(path).parents[:2]:
        parent.chmod(0o755)
    return path


def test_a_socket_that_belongs_to_a_user(socket_of_a_user: str) -> None:
    assert connect(socket_of_a_user, capabilities()) == "200"


def test_root_without_the_capability_gets_no_advice_to_become_root(socket_of_a_user: str) -> None:
    names = [name for name in capabilities() if name != "dac_override"]
    assert connect(socket_of_a_user, names) == (
        f"no permission to connect to {socket_of_a_user} (root lacks CAP_DAC_OVERRIDE here)"
    )
