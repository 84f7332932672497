# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the capabilities in the hook's units suffice for."""

from __future__ import annotations

import errno
import json
import os
import pathlib
import re
import subprocess
import sys
import typing as t

import pytest
from support import Daemon, ScratchHost

UNIT = pathlib.Path(__file__).parents[2] / "roles/netns_hook/templates/hardening.j2"
CONNECT = """
import sys
from ansible_collections.linuxnet.netns.plugins.module_utils._core import model
from ansible_collections.linuxnet.netns.plugins.module_utils._core.engines import unix_http
try:
    with unix_http.Client(sys.argv[1], 5.0) as client:
        print(client.get("/containers/json?all=1").status)
except model.EngineError as error:
    print(error)
"""


DOCTOR = """
import json, sys
from ansible_collections.linuxnet.netns.plugins.module_utils._core.checks import doctor, probes, request
result = doctor.run(request.DoctorRequest(netns_dir=sys.argv[1]), state_dir=sys.argv[2])
try:
    probes.Probes().forward_rules()
    rules = None
except OSError as error:
    rules = error.errno
print(json.dumps([result.incomplete, rules]))
"""


def capabilities(doctor: bool = False) -> list[str]:
    always, for_doctor = re.findall(r"^CapabilityBoundingSet=(.*)$", UNIT.read_text(), re.MULTILINE)
    names = f"{always} {for_doctor}" if doctor else always
    return [name[len("CAP_") :].lower() for name in names.split()]


def limited_to(names: t.Iterable[str]) -> tuple[str, ...]:
    """The start of a command that has only these capabilities."""
    return ("setpriv", "--bounding-set", ",".join(("-all", *(f"+{name}" for name in names))))


def connect(path: str, names: t.Iterable[str]) -> str:
    return run(*limited_to(names), sys.executable, "-c", CONNECT, path)


def run(*command: str) -> str:
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": ":".join(filter(None, sys.path))}
    return subprocess.run(
        command, env=environment, check=True, stdout=subprocess.PIPE, text=True
    ).stdout.strip()


@pytest.fixture
def socket_of_a_user(daemon: Daemon) -> str:
    path = os.environ["DOCKER_HOST"][len("unix://") :]
    os.chown(path, 65534, 65534)
    os.chmod(path, 0o600)
    for parent in list(pathlib.Path(path).parents)[:2]:
        parent.chmod(0o755)
    return path


def test_a_socket_that_belongs_to_a_user(socket_of_a_user: str) -> None:
    assert connect(socket_of_a_user, capabilities()) == "200"


def test_root_without_the_capability_gets_no_advice_to_become_root(socket_of_a_user: str) -> None:
    names = [name for name in capabilities() if name != "dac_override"]
    assert connect(socket_of_a_user, names) == (
        f"no permission to connect to {socket_of_a_user} (root lacks CAP_DAC_OVERRIDE here)"
    )


def test_the_doctor_reads_as_much_as_root(scratch: ScratchHost) -> None:
    """Also firewall rules, and a mount namespace that no process is in."""
    pinned = scratch.process("unshare", "--mount", "sleep", "infinity")
    mount_namespace = os.open(f"/proc/{pinned}/ns/mnt", os.O_RDONLY)
    scratch.end(pinned)
    scratch.dir.mkdir()
    examine = (sys.executable, "-c", DOCTOR, str(scratch.dir), str(scratch.state))
    refusals, rules = [], []
    try:
        for limit in ((), limited_to(capabilities(doctor=True)), limited_to(capabilities())):
            incomplete, error = json.loads(run(*limit, *examine))
            # Other programs of this machine come and go.
            refusals.append([each for each in incomplete if "permi" in each["reason"].lower()])
            rules.append(error)
    finally:
        os.close(mount_namespace)
    assert rules == [None, None, errno.EPERM]
    assert refusals[1] == refusals[0]
    assert refusals[2] != refusals[0]
