# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Engines that are odd about one container, hang, or are not this host's, over real processes."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
import time
import typing as t

import hostile_inputs
import odd_server
import pytest
from support import (
    Daemon,
    ScratchHost,
    children,
    environment,
    inode,
    inspected,
    listed,
    wait_a_clock_tick,
)

from ansible_collections.linuxnet.netns.plugins.module_utils._core import model
from ansible_collections.linuxnet.netns.plugins.module_utils._core.engines import registry
from ansible_collections.linuxnet.netns.plugins.module_utils._core.facts import gather
from ansible_collections.linuxnet.netns.plugins.module_utils._core.facts.request import (
    CONTAINERS,
    FactsRequest,
)

NAMES = ("web", "db", "third")
IDS = {name: character * 64 for name, character in zip(NAMES, "abc")}
TIMEOUT = 1.0
# What a run takes besides on a busy machine.
RUN_SECONDS = 2.0
HANGS = hostile_inputs.ODD_ANSWERS["hangs"]


class Docker(odd_server.OddServer):
    """Docker's API with the three containers."""

    def run_containers(self, scratch: ScratchHost, **more: t.Any) -> dict[str, int]:
        """Start their processes. Returns their namespaces."""
        containers: dict[str, dict[str, t.Any]] = {
            IDS[name]: {"name": name, "pid": scratch.process(), "labels": {}, **more}
            for name in NAMES
        }
        self.documents = {
            "/containers/json?all=1": [listed(*item) for item in containers.items()],
            **{
                self.target(identity): inspected(identity, each)
                for identity, each in containers.items()
            },
        }
        return {each["name"]: inode(f"/proc/{each['pid']}/ns/net") for each in containers.values()}

    @staticmethod
    def target(identity: str) -> str:
        return f"/containers/{identity}/json"


@pytest.fixture
def docker(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> t.Iterator[Docker]:
    path = tmp_path / "docker.sock"
    monkeypatch.setenv("DOCKER_HOST", f"unix://{path}")
    with Docker(path) as server:
        yield server


def facts(scratch: ScratchHost, timeout: float = 5) -> dict[str, t.Any]:
    request = FactsRequest(
        netns_dir=str(scratch.dir),
        engines=None,
        patterns=None,
        subset=frozenset([CONTAINERS]),
        timeout=timeout,
    )
    return gather.gather(request, str(scratch.state))


@pytest.mark.parametrize("name", hostile_inputs.ODD_ANSWERS)
def test_an_odd_answer_about_one_container(scratch: ScratchHost, docker: Docker, name: str) -> None:
    """The others are linked, this one is named, and its link stays."""
    odd = hostile_inputs.ODD_ANSWERS[name]
    netns = docker.run_containers(scratch)
    assert scratch.act(containers=("db",)) == {"db": "created"}
    docker.odd = {docker.target(IDS["db"]): odd}
    started = time.monotonic()
    result = scratch.run(all=True, prune=True, timeout=TIMEOUT)
    assert time.monotonic() - started < TIMEOUT + RUN_SECONDS
    assert {row["name"]: row["action"] for row in result.links} == {
        "web": "created",
        "third": "created",
        "db": "skipped",
    }
    (failure,) = result.failures
    assert failure.startswith(
        "docker container db could not be read, so its link was left as it is: "
    )
    assert {each: inode(scratch.link(each)) for each in NAMES} == netns
    with pytest.raises(model.SelectionError, match="db: it could not be read: "):
        scratch.run(containers=("db",), timeout=TIMEOUT)
    gathered = facts(scratch, TIMEOUT)
    (item,) = (each for each in gathered["incomplete"] if each["source"] == "docker")
    assert item["reason"].startswith("container db could not be read: ")
    kinds = {each["inode"]: each["kind"] for each in gathered["namespaces"]}
    assert [kinds[netns[each]] for each in NAMES] == ["container", None, "container"]
    docker.odd.clear()
    assert scratch.act(all=True, prune=True) == dict.fromkeys(NAMES, "unchanged")


def test_a_container_that_is_gone_is_no_failure(scratch: ScratchHost, docker: Docker) -> None:
    docker.run_containers(scratch)
    assert scratch.act(containers=("db",)) == {"db": "created"}
    del docker.documents[docker.target(IDS["db"])]
    assert scratch.act(all=True, prune=True) == {
        "web": "created",
        "third": "created",
        "db": "removed",
    }


def test_an_engine_that_hangs_later_has_one_timeout(
    scratch: ScratchHost, docker: Docker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is asked about each container without a cgroup again, while both locks are held."""
    docker.run_containers(scratch)
    real = registry.still_runs

    def hangs(container: model.Container, budget: registry.Budget) -> bool:
        docker.odd = dict.fromkeys(docker.documents, HANGS)
        return real(container, budget)

    monkeypatch.setattr(registry, "still_runs", hangs)
    for run in (
        lambda: scratch.run(all=True, timeout=TIMEOUT),
        lambda: facts(scratch, TIMEOUT),
    ):
        docker.odd.clear()
        started = time.monotonic()
        run()
        assert TIMEOUT / 2 < time.monotonic() - started < TIMEOUT + RUN_SECONDS
    docker.odd.clear()
    docker.requests.clear()
    result = scratch.run(all=True, timeout=TIMEOUT)
    assert [row["action"] for row in result.links] == ["conflict"] * len(NAMES)
    assert {"no answer on" in each or "s of `timeout`" in each for each in result.failures} == {
        True
    }
    # One of them was asked.
    assert len(docker.requests) == len(docker.documents) + 1


LONG_AGO, LATER = "2020-01-01T00:00:00Z", "2120-01-01T00:00:00Z"


@pytest.mark.parametrize("started", [LONG_AGO, LATER, "", "x", None])
def test_pids_of_another_host_are_refused(
    scratch: ScratchHost, docker: Docker, started: t.Any
) -> None:
    """A forwarded socket: each PID is also one of this host, of a process that started at another time."""
    docker.run_containers(scratch, started=started)
    for request in ({"all": True, "prune": True}, {"containers": ("*",)}):
        result = scratch.run(**request)
        assert result.links == []
        (failure,) = result.failures
        assert "its PIDs are not this host's" in failure
    gathered = facts(scratch)
    assert all(not each["containers"] for each in gathered["namespaces"])
    assert not gathered["complete"]


def test_pids_that_no_process_has_are_refused(scratch: ScratchHost, docker: Docker) -> None:
    docker.run_containers(scratch)
    for identity in IDS.values():
        docker.documents[docker.target(identity)]["State"]["Pid"] = 1 << 22
    (failure,) = scratch.run(all=True).failures
    assert "its PIDs are not this host's" in failure


@pytest.mark.parametrize("named", [False, True])
def test_one_process_that_is_not_the_containers(
    scratch: ScratchHost, docker: Docker, named: bool
) -> None:
    """Where the kernel names the others, the daemon is this host's, and the one is left out."""
    netns = docker.run_containers(scratch)
    if named:
        # As by a shim, which has the ID among its arguments.
        shim = "import subprocess, sys; subprocess.run(['unshare', '--net', 'sleep', 'infinity'])"
        pid = scratch.process(sys.executable, "-c", shim, "-id", IDS["web"])
        web = _child_in_another_netns(pid)
        docker.documents[docker.target(IDS["web"])]["State"].update(Pid=web, StartedAt=LONG_AGO)
        netns["web"] = inode(f"/proc/{web}/ns/net")
    docker.documents[docker.target(IDS["db"])]["State"]["StartedAt"] = LONG_AGO
    result = scratch.run(all=True)
    actions = {row["name"]: row["action"] for row in result.links}
    if named:
        assert actions == {"web": "created", "third": "created", "db": "skipped"}
        assert result.failures == ()
        assert inode(scratch.link("web")) == netns["web"]
        os.kill(web, 9)
    else:
        assert actions == {}
        assert "its PIDs are not this host's" in result.failures[0]


def _child_in_another_netns(pid: int) -> int:
    own = inode(f"/proc/{pid}/ns/net")
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        started = children(pid)
        if started and inode(f"/proc/{started[0]}/ns/net") != own:
            wait_a_clock_tick()
            return started[0]
        time.sleep(0.01)
    raise AssertionError("it started no process")


_DAEMON_ELSEWHERE = """
import sys, time
from support import Daemon
daemon = Daemon(sys.argv[1])
for name, pid, identity in zip(*[iter(sys.argv[2:])] * 3):
    daemon.add(name, int(pid), identity)
print(flush=True)
time.sleep(99)
"""


def test_a_daemon_in_another_pid_namespace_is_refused(
    scratch: ScratchHost, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it reports even fits a process of this host: the socket's listener shows where it is."""
    path = tmp_path / "docker.sock"
    pid = scratch.process()
    command = [
        "unshare",
        "--pid",
        "--fork",
        "--kill-child",
        sys.executable,
        "-c",
        _DAEMON_ELSEWHERE,
    ]
    with subprocess.Popen(
        [*command, str(path), "web", str(pid), IDS["web"]],
        env=environment(),
        stdout=subprocess.PIPE,
    ) as daemon:
        assert daemon.stdout is not None
        daemon.stdout.readline()
        monkeypatch.setenv("DOCKER_HOST", f"unix://{path}")
        result = scratch.run(all=True)
        daemon.kill()
    assert result.links == []
    assert "its PIDs are not this host's" in result.failures[0]


def test_a_daemon_that_is_elsewhere_leaves_links_as_they_are(
    scratch: ScratchHost, daemon: Daemon
) -> None:
    daemon.add("web", scratch.process(), IDS["web"])
    assert scratch.act(all=True) == {"web": "created"}
    linked = inode(scratch.link("web"))
    daemon.containers[IDS["web"]]["started"] = LONG_AGO
    result = scratch.run(all=True, prune=True)
    assert (result.changed, result.links) == (False, [])
    assert inode(scratch.link("web")) == linked
