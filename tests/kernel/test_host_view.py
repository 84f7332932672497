# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs that are not in the host's mount namespace, or not beneath its root: what they link, others see."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
import typing as t

import pytest
from support import ScratchHost, environment

from ansible_collections.linuxnet.netns.plugins.module_utils._core import model
from ansible_collections.linuxnet.netns.plugins.module_utils._core.checks import doctor
from ansible_collections.linuxnet.netns.plugins.module_utils._core.checks.request import (
    DoctorRequest,
)

_OWN_HOST = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")
# The host: PID 1, with a shared /run as under systemd. It starts the run, and prints what became of it.
_HOST = """
import json, os, pathlib, subprocess, sys
root, prepared, *run = sys.argv[1:]
subprocess.run(["mount", "-t", "tmpfs", "--make-shared", "run", root], check=True)
directory = pathlib.Path(root, "netns")
sleeper = subprocess.Popen(["unshare", "--net", "sleep", "infinity"])
while os.stat(f"/proc/{sleeper.pid}/ns/net").st_ino == os.stat("/proc/self/ns/net").st_ino:
    pass
if prepared == "prepared":
    subprocess.run([*run[-3:], root, str(sleeper.pid), "before"], check=True, stdout=sys.stderr)
action = subprocess.run([*run, root, str(sleeper.pid), "web"], stdout=subprocess.PIPE)
wanted = os.stat(f"/proc/{sleeper.pid}/ns/net").st_ino
link = directory / "web"
seen = link.exists() and link.stat().st_ino == wanted
print(json.dumps([action.stdout.decode().strip(), link.exists(), seen]))
"""
_RUN = """
import os, sys
from ansible_collections.linuxnet.netns.plugins.module_utils._core import model
from ansible_collections.linuxnet.netns.plugins.module_utils._core.links import request, run
root, pid, name = sys.argv[1:]
wanted = request.LinkRequest(pid=int(pid), names=(name,), netns_dir=f"{root}/netns")
try:
    result = run.run(wanted, state_dir=f"{root}/state")
    print(result.links[0]["action"], *result.failures)
except model.NetnsError as error:
    print(error)
"""


def run_in(start: t.Sequence[str], root: pathlib.Path, prepared: bool) -> tuple[str, bool, bool]:
    """A run that is started like this: its answer, whether the host has an entry, and whether it is the link."""
    root.mkdir()
    run = [*start, sys.executable, "-c", _RUN]
    host = [sys.executable, "-c", _HOST, str(root), "prepared" if prepared else "new"]
    answer = subprocess.run(
        [*_OWN_HOST, *host, *run],
        check=True,
        stdout=subprocess.PIPE,
        env=environment(),
    )
    action, exists, seen = json.loads(answer.stdout)
    return action, exists, seen


_UNSHARED = ("unshare", "--mount", "--propagation")


@pytest.mark.parametrize("prepared", [False, True], ids=["new", "prepared"])
@pytest.mark.parametrize(
    "start",
    [
        # As a unit with PrivateTmp=, and as `ip netns exec`.
        (*_UNSHARED, "slave"),
        (*_UNSHARED, "private"),
        # A /run of its own, as with TemporaryFileSystem= or in a container with the host's PIDs.
        (*_UNSHARED, "slave", "sh", "-c", 'mount -t tmpfs own "$3" && mkdir "$3"/netns; exec "$@"'),
    ],
    ids=["slave", "private", "own-run"],
)
def test_a_run_whose_mounts_do_not_reach_the_host_is_refused(
    tmp_path: pathlib.Path, start: tuple[str, ...], prepared: bool
) -> None:
    if "sh" in start:
        script = start[-1].replace('"$3"', str(tmp_path / "run"))
        start = (*start[:-1], script, "sh")
    action, exists, _seen = run_in(start, tmp_path / "run", prepared)
    assert "nsenter --target 1 --mount" in action
    assert not exists


@pytest.mark.parametrize("prepared", [False, True], ids=["new", "prepared"])
@pytest.mark.parametrize(
    "start", [(), (*_UNSHARED, "unchanged"), ("nsenter", "--target", "1", "--mount")]
)
def test_a_run_whose_mounts_reach_the_host_links(
    tmp_path: pathlib.Path, start: tuple[str, ...], prepared: bool
) -> None:
    assert run_in(start, tmp_path / "run", prepared) == ("created", True, True)


def test_the_way_out_of_a_slave_works(tmp_path: pathlib.Path) -> None:
    start = (*_UNSHARED, "slave", "nsenter", "--target", "1", "--mount")
    assert run_in(start, tmp_path / "run", prepared=False) == ("created", True, True)


@pytest.mark.parametrize(
    ("proc", "message"), [(True, "in a chroot"), (False, "/proc is not mounted")]
)
def test_a_run_in_a_chroot_is_refused(
    scratch: ScratchHost, tmp_path: pathlib.Path, proc: bool, message: str
) -> None:
    pid = scratch.process()
    # Load what is loaded on first use.
    scratch.act(pid=pid, names=("web",))
    scratch.act(state="absent", names=("web",))
    root = chroot(tmp_path, proc)
    assert message in result_in(root, lambda: scratch.run(pid=pid, names=("web",)).links)


@pytest.mark.parametrize("proc", [True, False])
def test_a_doctor_in_a_chroot_reports_it(
    scratch: ScratchHost, tmp_path: pathlib.Path, proc: bool
) -> None:
    asked = DoctorRequest(netns_dir=str(scratch.dir), engines=("docker",))

    def examine() -> t.Any:
        return doctor.run(asked, state_dir=str(scratch.state)).incomplete

    # Load what is loaded on first use.
    examine()
    root = chroot(tmp_path, proc)
    (root / str(scratch.dir).lstrip("/")).mkdir()
    message = "'this run is in a chroot, and the host would not see links"
    assert (message if proc else "/proc is not mounted") in result_in(root, examine)


def chroot(tmp_path: pathlib.Path, proc: bool) -> pathlib.Path:
    """A directory to change the root to, which is not a mount point."""
    root = tmp_path / "root"
    (root / "proc").mkdir(parents=True)
    (root / str(tmp_path).lstrip("/")).mkdir(parents=True)
    if proc:
        subprocess.run(["mount", "-t", "proc", "proc", root / "proc"], check=True)
    return root


def result_in(root: pathlib.Path, call: t.Callable[[], t.Any]) -> str:
    """What a call returns in a chroot, or the message of its NetnsError."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.chroot(root)
        os.chdir("/")
        try:
            text = str(call())
        except model.NetnsError as error:
            text = str(error)
        except BaseException as error:
            text = repr(error)
        os.write(writer, text.encode())
        os._exit(0)
    os.waitpid(child, 0)
    text = os.read(reader, 4096).decode()
    os.close(reader)
    os.close(writer)
    return text
