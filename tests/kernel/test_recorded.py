# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Docker is not asked about a container whose first process is the one that the ledger has."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import threading
import typing as t

import pytest
from support import Engine, ScratchHost, inode

from ansible_collections.linuxnet.netns.plugins.module_utils._core import model
from ansible_collections.linuxnet.netns.plugins.module_utils._core.engines import verify
from ansible_collections.linuxnet.netns.plugins.module_utils._core.facts import discovery, gather
from ansible_collections.linuxnet.netns.plugins.module_utils._core.facts.request import (
    SUBSETS,
    FactsRequest,
)
from ansible_collections.linuxnet.netns.plugins.module_utils._core.kernel import procfs
from ansible_collections.linuxnet.netns.plugins.module_utils._core.links import (
    ledger,
    recognitions,
    recorded,
)

WEB, DB = "a" * 64, "b" * 64
LIST = "/containers/json?all=1"
UNCHANGED = {"web": "unchanged", "db": "unchanged"}


class Cgroups:
    """Stands in for the cgroups of the processes: those here are in the cgroup of their container."""

    def __init__(self) -> None:
        self.container_by_pid: dict[int, str] = {}

    def includes(self, process: int, container_id: str) -> bool:
        pid = int(os.path.basename(os.readlink(f"/proc/self/fd/{process}")))
        return self.container_by_pid.get(pid) == container_id


@pytest.fixture
def cgroups(monkeypatch: pytest.MonkeyPatch) -> Cgroups:
    cgroups = Cgroups()
    monkeypatch.setattr(procfs, "in_cgroup_of", cgroups.includes)
    return cgroups


@pytest.fixture
def engine(
    scratch: ScratchHost,
    cgroups: Cgroups,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
) -> t.Iterator[Engine]:
    """An engine whose two containers are linked."""
    path = str(tmp_path / "docker.sock")
    monkeypatch.setenv("DOCKER_HOST", f"unix://{path}")
    engine = Engine(path)
    try:
        for name, identity in (("web", WEB), ("db", DB)):
            start(engine, cgroups, scratch, name, identity)
        assert scratch.act(all=True) == {"web": "created", "db": "created"}
        engine.requests.clear()
        yield engine
    finally:
        engine.close()


def start(engine: Engine, cgroups: Cgroups, scratch: ScratchHost, name: str, identity: str) -> None:
    pid = scratch.process()
    engine.add(name, pid, identity)
    cgroups.container_by_pid[pid] = identity


def restart_web(engine: Engine, cgroups: Cgroups, scratch: ScratchHost) -> None:
    old = engine.containers[WEB]["pid"]
    start(engine, cgroups, scratch, "web", WEB)
    scratch.end(old)


def about(identity: str) -> str:
    return f"/containers/{identity}/json"


@pytest.mark.parametrize(
    "request_", [{"all": True}, {"all": True, "prune": True}, {"containers": ("web", "d*")}]
)
def test_one_request_where_nothing_is_to_do(
    scratch: ScratchHost, engine: Engine, request_: dict[str, t.Any]
) -> None:
    result = scratch.run(**request_)
    assert {row["name"]: row["action"] for row in result.links} == UNCHANGED
    assert engine.requests == [LIST]
    assert {row["name"]: row["pid"] for row in result.links} == {
        each["name"]: each["pid"] for each in engine.containers.values()
    }


def test_a_restarted_container_is_asked_about(
    scratch: ScratchHost, engine: Engine, cgroups: Cgroups
) -> None:
    restart_web(engine, cgroups, scratch)
    assert scratch.act(all=True, prune=True) == {"web": "relinked", "db": "unchanged"}
    assert engine.requests[:2] == [LIST, about(WEB)]
    assert about(DB) not in engine.requests
    assert inode(scratch.link("web")) == inode(f"/proc/{engine.containers[WEB]['pid']}/ns/net")


def test_a_container_that_is_restarted_while_docker_answers(
    scratch: ScratchHost, engine: Engine, cgroups: Cgroups, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process was looked at before, and a daemon that restarts many containers answers late."""
    look, answer = recorded.RecordedProcesses.look, engine._answer
    looked = threading.Event()

    def look_first(known: recorded.RecordedProcesses) -> None:
        look(known)
        looked.set()

    def answer_late(target: str) -> bytes:
        if target == LIST:
            assert looked.wait(30)
            restart_web(engine, cgroups, scratch)
        return answer(target)

    monkeypatch.setattr(recorded.RecordedProcesses, "look", look_first)
    monkeypatch.setattr(engine, "_answer", answer_late)
    assert scratch.act(all=True, prune=True) == {"web": "relinked", "db": "unchanged"}
    assert inode(scratch.link("web")) == inode(f"/proc/{engine.containers[WEB]['pid']}/ns/net")


def test_a_lost_link_is_made_again(scratch: ScratchHost, engine: Engine) -> None:
    subprocess.run(["umount", scratch.link("web")], check=True)
    assert scratch.act(all=True) == {"web": "repaired", "db": "unchanged"}
    assert engine.requests == [LIST]
    assert inode(scratch.link("web")) == inode(f"/proc/{engine.containers[WEB]['pid']}/ns/net")


def another_start_time(entry: ledger.Entry) -> ledger.Entry:
    return entry._replace(start_time=(entry.start_time or 0) + 1)


def another_namespace(entry: ledger.Entry) -> ledger.Entry:
    return entry._replace(netns=entry.netns._replace(inode=entry.netns.inode + 1))


def of_version_1_0(entry: ledger.Entry) -> ledger.Entry:
    return entry._replace(pid=None, start_time=None)


@pytest.mark.parametrize("change", [another_start_time, another_namespace, of_version_1_0])
def test_an_entry_that_does_not_fit_the_process_counts_for_nothing(
    scratch: ScratchHost, engine: Engine, change: t.Callable[[ledger.Entry], ledger.Entry]
) -> None:
    recorded = ledger.Ledger(str(scratch.state))
    path = str(scratch.link("web"))
    right = recorded.entries[path]
    recorded.record([change(right)])
    assert scratch.act(all=True) == UNCHANGED
    assert engine.requests == [LIST, about(WEB)]
    # The entry is corrected, unless the link is no longer that of the entry.
    is_ours = change is not another_namespace
    assert (scratch.entries()[path] == right) == is_ours


def test_a_process_in_another_cgroup_is_asked_about(
    scratch: ScratchHost, engine: Engine, cgroups: Cgroups
) -> None:
    cgroups.container_by_pid[engine.containers[WEB]["pid"]] = DB
    assert scratch.act(all=True) == UNCHANGED
    assert engine.requests[:2] == [LIST, about(WEB)]
    assert about(DB) not in engine.requests


@pytest.fixture
def looked_up(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The PIDs whose start time and cgroup were read."""
    pids: list[int] = []
    is_process = recorded._is_process

    def look_up(pid: int, *claims: t.Any) -> bool:
        pids.append(pid)
        return is_process(pid, *claims)

    monkeypatch.setattr(recorded, "_is_process", look_up)
    if not procfs.pidfd_inode(os.getpid()):
        pytest.skip("this kernel has no pidfs")
    return pids


def pids(engine: Engine) -> dict[str, int]:
    return {each["name"]: each["pid"] for each in engine.containers.values()}


def test_what_was_recognized_is_recognized_by_its_number(
    scratch: ScratchHost, engine: Engine, looked_up: list[int]
) -> None:
    scratch.run(check=True, all=True)
    assert not (scratch.state / recognitions.NAME).exists()
    for looked in (sorted(pids(engine).values()), []):
        looked_up.clear()
        engine.requests.clear()
        assert scratch.act(all=True, prune=True) == UNCHANGED
        assert sorted(set(looked_up)) == looked
        assert engine.requests == [LIST]
    before = (scratch.state / recognitions.NAME).stat()
    assert gathered(scratch)["containers"].keys() == UNCHANGED.keys()
    assert looked_up == []
    assert (scratch.state / recognitions.NAME).stat() == before
    assert before.st_mode & 0o777 == 0o600


def test_a_restarted_container_has_another_number(
    scratch: ScratchHost, engine: Engine, cgroups: Cgroups, looked_up: list[int]
) -> None:
    scratch.act(all=True)
    restart_web(engine, cgroups, scratch)
    assert scratch.act(all=True) == {"web": "relinked", "db": "unchanged"}
    # A run for one container forgets no other, and only those that are gone.
    assert scratch.act(containers=("web",)) == {"web": "unchanged"}
    assert recognitions.read(str(scratch.state)).keys() == set(pids(engine).values())
    looked_up.clear()
    assert scratch.act(all=True) == UNCHANGED
    assert looked_up == []
    assert inode(scratch.link("web")) == inode(f"/proc/{engine.containers[WEB]['pid']}/ns/net")


def test_a_process_that_moved_to_another_namespace_is_asked_about(
    scratch: ScratchHost, engine: Engine, looked_up: list[int]
) -> None:
    scratch.act(all=True)
    entry = scratch.entries()[str(scratch.link("web"))]
    ledger.Ledger(str(scratch.state)).record([another_namespace(entry)])
    engine.requests.clear()
    scratch.act(all=True)
    assert engine.requests == [LIST, about(WEB)]
    assert set(looked_up) == set(pids(engine).values())


@pytest.mark.parametrize(("item", "value"), [(0, 1), (1, 2**62), (2, 1), (3, "c" * 64)], ids=str)
def test_another_process_is_not_recognized_by_its_number(
    scratch: ScratchHost, engine: Engine, looked_up: list[int], item: int, value: object
) -> None:
    """Any item may be that of another process or container: then all is looked up as without the file."""
    scratch.act(all=True)
    path = scratch.state / recognitions.NAME
    boot, processes = json.loads(path.read_text())
    (web,) = (each for each in processes if each[0] == pids(engine)["web"])
    web[item] = value
    path.write_text(json.dumps([boot, processes]))
    looked_up.clear()
    assert scratch.act(all=True) == UNCHANGED
    # Twice, if the engine answers before the look at it has ended.
    assert set(looked_up) == {pids(engine)["web"]}
    looked_up.clear()
    assert scratch.act(all=True) == UNCHANGED
    assert looked_up == []


def of_another_boot(path: pathlib.Path) -> None:
    path.write_text(json.dumps(["another", json.loads(path.read_text())[1]]))


def cut(path: pathlib.Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def of_another_form(path: pathlib.Path) -> None:
    path.write_text(json.dumps({"processes": [1]}))


def a_directory(path: pathlib.Path) -> None:
    path.unlink()
    path.mkdir()


def a_symbolic_link(path: pathlib.Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


@pytest.mark.parametrize(
    "spoil",
    [pathlib.Path.unlink, of_another_boot, cut, of_another_form, a_directory, a_symbolic_link],
)
def test_without_a_valid_file_runs_are_only_slower(
    scratch: ScratchHost,
    engine: Engine,
    looked_up: list[int],
    spoil: t.Callable[[pathlib.Path], object],
) -> None:
    scratch.act(all=True)
    spoil(scratch.state / recognitions.NAME)
    everything = sorted(pids(engine).values())
    is_replaced = spoil is not a_directory
    for looked in (everything, [] if is_replaced else everything):
        looked_up.clear()
        engine.requests.clear()
        assert scratch.act(all=True) == UNCHANGED
        assert sorted(set(looked_up)) == looked
        assert engine.requests == [LIST]


def test_a_kernel_without_pidfs(
    scratch: ScratchHost, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(procfs, "_has_pidfs", lambda: False)
    assert scratch.act(all=True) == UNCHANGED
    assert engine.requests == [LIST]
    assert not (scratch.state / recognitions.NAME).exists()


def test_a_socket_that_a_container_forwards(
    scratch: ScratchHost, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether the daemon is this host's is shown by its containers, so it is asked about them."""
    monkeypatch.setattr(verify, "_peer", lambda _pid: ("socat", False))
    assert scratch.act(all=True) == UNCHANGED
    assert engine.requests == [LIST, about(WEB), about(DB)]


def test_resolv_conf_needs_the_engine(scratch: ScratchHost, engine: Engine) -> None:
    scratch.run(check=True, all=True, resolv_conf=True)
    assert engine.requests == [LIST, about(WEB), about(DB)]


def test_what_counts_as_ended(scratch: ScratchHost, engine: Engine, tmp_path: pathlib.Path) -> None:
    web, db = sorted(scratch.entries().values(), reverse=True)

    def ended(*entries: ledger.Entry, engine: str = "docker") -> list[model.Reading]:
        linked = ledger.Ledger(str(tmp_path))
        paths = (f"/run/netns/{number}" for number in range(len(entries)))
        linked.entries = {path: entry._replace(path=path) for path, entry in zip(paths, entries)}
        return recorded.ended(linked, {engine: frozenset((WEB,))})

    gone = [model.Reading("docker", engine.path, only=frozenset((WEB,)))]
    reused = web._replace(start_time=(web.start_time or 0) - 1)
    assert ended(web, db) == []
    # The PID is that of a later process.
    assert ended(reused, db) == gone
    # Another link of the container, and what the ledger does not tell.
    assert ended(reused, web) == []
    assert ended(reused, reused._replace(source="/run/other.sock")) == []
    assert ended(web._replace(start_time=None), web._replace(pid=None)) == []
    assert ended(reused._replace(pod=model.Pod("shop", "web-0", "1"))) == []
    scratch.end(web.pid or 0)
    assert ended(web, db) == gone
    scratch.end(db.pid or 0)
    assert ended(web, db) == gone
    assert ended(web, db, engine="podman") == []


def gathered(scratch: ScratchHost, state: pathlib.Path | None = None) -> dict[str, t.Any]:
    """All facts, without what another process of this run may change."""
    request = FactsRequest(str(scratch.dir), None, 5.0, frozenset(SUBSETS))
    facts = gather.gather(request, str(state or scratch.state))
    return {
        "engines": facts["engines"],
        "containers": {
            container["name"]: (namespace["inode"], container)
            for namespace in facts["namespaces"]
            for container in namespace["containers"]
        },
    }


def test_facts_are_the_same_with_one_question(
    scratch: ScratchHost, engine: Engine, tmp_path: pathlib.Path
) -> None:
    found = gathered(scratch)
    assert engine.requests in ([LIST, about(WEB)], [LIST, about(DB)])
    engine.requests.clear()
    assert gathered(scratch, tmp_path / "none") == found
    assert engine.requests == [LIST, about(WEB), about(DB)]
    assert {
        name: container["pid"] for name, (_inode, container) in found["containers"].items()
    } == {each["name"]: each["pid"] for each in engine.containers.values()}


def test_facts_of_a_restarted_container(
    scratch: ScratchHost, engine: Engine, cgroups: Cgroups
) -> None:
    restart_web(engine, cgroups, scratch)
    where, container = gathered(scratch)["containers"]["web"]
    pid = engine.containers[WEB]["pid"]
    assert (where, container["pid"]) == (inode(f"/proc/{pid}/ns/net"), pid)
    assert about(WEB) in engine.requests


def test_facts_of_a_container_that_ends_meanwhile(
    scratch: ScratchHost, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_to = recorded.RecordedProcesses.add_to

    def end(*arguments: t.Any) -> t.Any:
        scratch.end(engine.containers[DB]["pid"])
        return add_to(*arguments)

    monkeypatch.setattr(recorded.RecordedProcesses, "add_to", end)
    monkeypatch.setattr(
        discovery.Search, "wait", lambda search, leave_out: search._discover(leave_out)
    )
    assert list(gathered(scratch)["containers"]) == ["web"]


def test_facts_behind_a_forwarded_socket(
    scratch: ScratchHost, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one container that the engine is asked about shows that the daemon is this host's."""
    monkeypatch.setattr(verify, "_peer", lambda _pid: ("socat", False))
    assert sorted(gathered(scratch)["containers"]) == ["db", "web"]
