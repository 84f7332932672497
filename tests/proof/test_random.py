# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Random histories of a host, by the program and by the reference model: after each step both agree."""

from __future__ import annotations

import itertools
import json
import os
import pathlib
import subprocess
import sys
import time
import typing as t

import hypothesis
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)
from isolated_host import FOREIGN, IsolatedHost, Progress, inode, netns
from reference_model import (
    FILE,
    OTHER,
    PIN,
    SYMLINK,
    Claim,
    Finding,
    ModelContainer,
    ModelHost,
    PathState,
    RefusedError,
    Result,
)
from support import environment
from syscall_tracer import Traced

from ansible_collections.linuxnet.netns.plugins.module_utils._core import model
from ansible_collections.linuxnet.netns.plugins.module_utils._core.checks import doctor, registry
from ansible_collections.linuxnet.netns.plugins.module_utils._core.checks.request import (
    DoctorRequest,
)
from ansible_collections.linuxnet.netns.plugins.module_utils._core.enter import pool
from ansible_collections.linuxnet.netns.plugins.module_utils._core.enter import run as exec_run
from ansible_collections.linuxnet.netns.plugins.module_utils._core.enter.command import Command
from ansible_collections.linuxnet.netns.plugins.module_utils._core.enter.request import ExecRequest
from ansible_collections.linuxnet.netns.plugins.module_utils._core.kernel import (
    libc,
    mounts,
    procfs,
)
from ansible_collections.linuxnet.netns.plugins.module_utils._core.links import (
    ledger,
    recognitions,
)

STEPS, SAMPLE = 10_000, 500
# Names of links and of containers; none can be a prefix of an id.
NAMES = ("web", "sql", "log", "vpn")
EVERYTHING: dict[str, t.Any] = {"state": "absent", "all": True, "engines": None}
CHANGES = ("created", "repaired", "relinked", "removed", "conflict")

names = st.sampled_from(NAMES)
picks = st.integers(0, 7)
flags = st.booleans()
seldom = st.sampled_from((False, False, False, True))


def _targets() -> st.SearchStrategy[dict[str, t.Any]]:
    items = st.lists(st.one_of(names, st.sampled_from(("*", "w*"))), max_size=3)
    return st.one_of(
        st.just({"all": True}),
        items.map(lambda chosen: {"containers": tuple(chosen)}),
        picks.map(lambda pick: {"identity": pick}),
    )


def _present() -> st.SearchStrategy[dict[str, t.Any]]:
    by_process = st.builds(
        lambda name, pick, option: {"names": (name,), option: pick},
        names,
        picks,
        st.sampled_from(("pid", "path")),
    )
    return st.one_of(_targets(), by_process)


def _absent() -> st.SearchStrategy[dict[str, t.Any]]:
    listed = st.lists(names, min_size=1, max_size=3).map(lambda chosen: {"names": tuple(chosen)})
    return st.one_of(listed, _targets()).map(lambda request: {**request, "state": "absent"})


requests = st.one_of(
    st.builds(
        lambda request, prune, force: {**request, "prune": prune, "force": force},
        st.one_of(_present(), _present(), _absent()),
        flags,
        seldom,
    ),
    st.sampled_from(({"prune": True}, EVERYTHING)),
)


repairs = st.one_of(st.just({*registry.REPAIRS}), st.sets(st.sampled_from(registry.REPAIRS)))
# What a command of netns_exec runs in: "target" is a link and the namespace that facts once had for it.
selections = st.one_of(
    _targets(),
    st.lists(st.one_of(names, st.sampled_from(("*", "w*"))), max_size=3).map(
        lambda chosen: {"links": tuple(chosen)}
    ),
    st.builds(lambda name, pick: {"target": (name, pick)}, names, picks),
    picks.map(lambda pick: {"pid": pick}),
)


def _differences(real: ModelHost, expected: ModelHost) -> str:
    return "; ".join(
        f"{name}: it is {actual.get(name)}, and not {wanted.get(name)}"
        for actual, wanted in (
            (real.path_states, expected.path_states),
            (real.claims, expected.claims),
        )
        for name in sorted({*actual, *wanted})
        if actual.get(name) != wanted.get(name)
    )


class Machine(RuleBasedStateMachine):
    """A real host and its model. `steps` counts the steps of all machines."""

    real: IsolatedHost
    workers: t.ClassVar[list[subprocess.Popen[bytes]]] = []
    progress: Progress
    steps = 0

    def __init__(self) -> None:
        super().__init__()
        self.real.reset()
        self.model = ModelHost()
        self.numbers = itertools.count(1)
        self.pids: dict[int, int] = {}
        self.real.silent = False
        self._update_engine()
        self.pods = [self._process() for _each in range(2)]
        for number, pid in enumerate(self.pods):
            self.real.pin_at(FOREIGN / str(number), pid)
        self.foreign_pins = self.real.all_pins()

    @initialize(linked=flags, silent=seldom)
    def begin(self, linked: bool, silent: bool) -> None:
        """Start with two containers, with links or without; the engine may be silent."""
        for name in NAMES[:2]:
            pid = self._process()
            self.model.containers[f"{next(self.numbers):064x}"] = ModelContainer(
                name, pid, self.pids[pid]
            )
        self._update_engine()
        if linked:
            self.run(request={"all": True}, check=False)
        self.model.silent = silent
        self._update_engine()

    def teardown(self) -> None:
        self.real.end_all()

    # Parts of a step.

    def _process(self) -> int:
        pid = self.real.process_soon()
        self.pids[pid] = netns(pid)
        return pid

    def _end(self, pid: int) -> None:
        if not any(container.pid == pid for container in self.model.containers.values()):
            self.real.end(pid)
            del self.pids[pid]

    def _update_engine(self) -> None:
        self.real.silent = self.model.silent
        self.real.containers = {
            identity: {
                "name": container.name,
                "pid": container.pid,
                "labels": {},
                "mode": f"container:{container.joined}" if container.joined else "bridge",
            }
            for identity, container in self.model.containers.items()
        }
        self.real.update_engine()

    def _container(self, pick: int) -> str | None:
        identities = list(self.model.containers)
        return identities[pick % len(identities)] if identities else None

    def _is_free(self, name: str) -> bool:
        return all(container.name != name for container in self.model.containers.values())

    def _complete(self, request: dict[str, t.Any]) -> tuple[dict[str, t.Any], dict[str, t.Any]]:
        """The request for the program, and the one for the model."""
        real, modeled = dict(request), dict(request)
        if "identity" in request:
            identity = self._container(request["identity"]) or "f" * 64
            for options in (real, modeled):
                del options["identity"]
                options["containers"] = (identity,)
        if "pid" in request:
            real["pid"] = list(self.pids)[request["pid"] % len(self.pids)]
            modeled["pid"], modeled["netns"] = real["pid"], self.pids[real["pid"]]
        if "path" in request:
            # A link to a shared mount would be its peer, and share what is mounted over it later.
            real["path"] = str(FOREIGN / str(request["path"] % len(self.pods)))
            modeled["netns"] = inode(real["path"])
        if "target" in request:
            name, pick = request["target"]
            now = self.model.path_states.get(name, PathState(OTHER)).netns
            known = sorted({now or 0, *self.pids.values()})
            before = known[pick % len(known)]
            del real["target"]
            real["path"] = f"{self.real.link(name)}@{before}"
            modeled["netns"] = now if now == before else None
        return real, modeled

    def _read_host(self) -> ModelHost:
        """Read the real host into a model."""
        real = ModelHost(
            self.model.containers, silent=self.model.silent, covered=self.model.covered
        )
        table = {mount.id: mount for mount in mounts.read(directory=str(self.real.dir))}
        layers: dict[str, list[int]] = {}
        top = self._top(table)
        for mount in sorted(table.values(), key=lambda mount: self._depth(mount, table)):
            directory, _slash, name = mount.point.rpartition("/")
            if (
                mount.fstype == "nsfs"
                and directory == str(self.real.dir)
                and self._is_on(mount, top, table)
            ):
                layers.setdefault(name, []).append(int(mount.root[5:-1]))
        if self.real.dir.exists():
            with os.scandir(self.real.dir) as listing:
                for item in listing:
                    real.path_states[item.name] = self._path_state(item, layers.pop(item.name, []))
        assert not layers
        for path, entry in ledger.Ledger(str(self.real.state)).entries.items():
            real.claims[os.path.basename(path)] = Claim(
                entry.netns.inode,
                entry.file,
                entry.container_id,
                entry.container_name or "",
                0 if entry.container_id else entry.pid or 0,
            )
        return real

    def _top(self, table: t.Mapping[int, mounts.Mount]) -> int:
        if not self.real.dir.exists():
            return -1
        fd = os.open(self.real.dir, os.O_PATH)
        try:
            return mounts.mount_id(fd)
        finally:
            os.close(fd)

    @staticmethod
    def _depth(mount: mounts.Mount, table: t.Mapping[int, mounts.Mount]) -> int:
        depth = 0
        while mount.parent in table:
            depth, mount = depth + 1, table[mount.parent]
        return depth

    @staticmethod
    def _is_on(mount: mounts.Mount, top: int, table: t.Mapping[int, mounts.Mount]) -> bool:
        while mount.fstype == "nsfs" and mount.parent in table:
            mount = table[mount.parent]
        return mount.id == top

    @staticmethod
    def _path_state(item: os.DirEntry[str], layers: list[int]) -> PathState:
        if item.is_symlink():
            leads = os.stat(item.path).st_ino if os.path.exists(item.path) else None
            return PathState(SYMLINK, item.inode(), leads=leads)
        if layers:
            return PathState(PIN, item.inode(), layers)
        status = os.lstat(item.path)
        empty = item.is_file() and status.st_size == 0
        return PathState(FILE if empty else OTHER, item.inode())

    def _compare(self, candidates: t.Sequence[ModelHost] = ()) -> None:
        """Assert that the real host is as the model, or as one of these models."""
        Machine.steps += 1
        self.progress(f"{Machine.steps} steps")
        real = self._read_host()
        candidates = candidates or (self.model,)
        for candidate in candidates:
            self._fill_in_files(candidate, real)
            if (candidate.path_states, candidate.claims) == (real.path_states, real.claims):
                self.model = candidate
                break
        else:
            raise AssertionError(
                "; or ".join(_differences(real, candidate) for candidate in candidates)
            )
        assert [
            pin for pin in self.real.all_pins() if pin[0].startswith(f"{FOREIGN}/")
        ] == self.foreign_pins
        state = os.listdir(self.real.state) if self.real.state.exists() else ()
        assert set(state) <= {"ledger", "lock", ledger.CODE_CACHE, recognitions.NAME}

    @staticmethod
    def _fill_in_files(candidate: ModelHost, real: ModelHost) -> None:
        """Give files that the model made the inode numbers of the real ones, which must be new."""
        old_files = {path_state.file for path_state in candidate.path_states.values()}
        for name, path_state in candidate.path_states.items():
            if path_state.file is None and name in real.path_states:
                assert real.path_states[name].file not in old_files
                path_state.file = real.path_states[name].file
                claim = candidate.claims.get(name)
                if claim is not None and claim.file is None:
                    claim.file = path_state.file

    def _wait_until_older(self) -> None:
        """Wait until all processes are older than the run, by a clock tick."""
        while procfs.now() <= self.real.youngest:
            time.sleep(0.001)

    # Engines and other programs.

    @rule(name=names)
    def start(self, name: str) -> None:
        if self._is_free(name):
            pid = self._process()
            self.model.containers[f"{next(self.numbers):064x}"] = ModelContainer(
                name, pid, self.pids[pid]
            )
            self._update_engine()
            self._compare()

    @rule(name=names, pick=picks)
    def join(self, name: str, pick: int) -> None:
        """A container joins the namespace of another one."""
        identity = self._container(pick)
        if identity is not None and self._is_free(name) and self.model.containers[identity].pid:
            container = self.model.containers[identity]
            new = ModelContainer(name, container.pid, container.netns, container.joined or identity)
            self.model.containers[f"{next(self.numbers):064x}"] = new
            self._update_engine()
            self._compare()

    @rule(pick=picks, again=flags)
    def stop(self, pick: int, again: bool) -> None:
        """A container stops, or restarts in a new namespace."""
        identity = self._container(pick)
        if identity is not None:
            container = self.model.containers[identity]
            pid, container.pid, container.netns = container.pid, 0, 0
            if again and not container.joined:
                container.pid = self._process()
                container.netns = self.pids[container.pid]
            if pid:
                self._end(pid)
            self._update_engine()
            self._compare()

    @rule(pick=picks)
    def remove(self, pick: int) -> None:
        identity = self._container(pick)
        if identity is not None:
            container = self.model.containers.pop(identity)
            if container.pid:
                self._end(container.pid)
            self._update_engine()
            self._compare()

    @rule(pick=picks, name=names)
    def rename(self, pick: int, name: str) -> None:
        identity = self._container(pick)
        if identity is not None and self._is_free(name):
            self.model.containers[identity].name = name
            self._update_engine()
            self._compare()

    @rule(silent=seldom)
    def fall_silent(self, silent: bool) -> None:
        self.model.silent = silent
        self._update_engine()
        self._compare()

    @rule(name=names, pick=picks, new=flags)
    def ip_add(self, name: str, pick: int, new: bool) -> None:
        """`ip netns add` or `attach`."""
        pid = list(self.pids)[pick % len(self.pids)]
        arguments = ["add", name] if new else ["attach", name, str(pid)]
        process = subprocess.run(
            ["ip", "netns", *arguments], check=False, stderr=subprocess.DEVNULL
        )
        assert (process.returncode == 0) == (name not in self.model.path_states)
        if process.returncode == 0:
            self.model.path_states[name] = PathState(PIN, None, [inode(self.real.link(name))])
        self._compare()

    @rule(name=names)
    def ip_del(self, name: str) -> None:
        path_state = self.model.path_states.get(name)
        if path_state and (
            path_state.kind == FILE or (path_state.kind == PIN and len(path_state.layers) == 1)
        ):
            command = ["ip", "netns", "del", name]
            subprocess.run(command, check=path_state.kind == PIN, stderr=subprocess.DEVNULL)
            if not os.path.lexists(self.real.link(name)):
                del self.model.path_states[name]
            self._compare()

    @rule(name=names)
    def ip_again(self, name: str) -> None:
        """`ip netns del`, then `attach` to the same namespace: the link is foreign from then on."""
        path_state = self.model.path_states.get(name)
        if path_state and path_state.kind == PIN and len(path_state.layers) == 1:
            pids = [pid for pid, inode in self.pids.items() if inode == path_state.netns]
            if pids:
                subprocess.run(["ip", "netns", "del", name], check=True)
                subprocess.run(["ip", "netns", "attach", name, str(pids[0])], check=True)
                path_state.file = None
                self._compare()

    @rule(name=names, pick=picks)
    def stack(self, name: str, pick: int) -> None:
        """Another program mounts a namespace over a link, or on an empty file."""
        path_state = self.model.path_states.get(name)
        if path_state and path_state.kind in (PIN, FILE):
            pid = list(self.pids)[pick % len(self.pids)]
            libc.mount(f"/proc/{pid}/ns/net", str(self.real.link(name)), libc.MS_BIND)
            path_state.kind = PIN
            path_state.layers.append(self.pids[pid])
            self._compare()

    @rule(name=names)
    def unmount(self, name: str) -> None:
        path_state = self.model.path_states.get(name)
        if path_state and path_state.kind == PIN:
            libc.umount(str(self.real.link(name)), libc.MNT_DETACH)
            path_state.layers.pop()
            path_state.kind = PIN if path_state.layers else FILE
            self._compare()

    @rule(name=names, kind=st.sampled_from(("empty", "text", "directory", "symlink", "dangling")))
    def put(self, name: str, kind: str) -> None:
        """Another program makes something else at a name."""
        path = self.real.link(name)
        if name in self.model.path_states or not self.real.dir.exists():
            return
        if kind == "empty":
            path.touch()
            self.model.path_states[name] = PathState(FILE)
        elif kind in ("symlink", "dangling"):
            path.symlink_to(FOREIGN / ("0" if kind == "symlink" else "none"))
            leads = self.pids[self.pods[0]] if kind == "symlink" else None
            self.model.path_states[name] = PathState(SYMLINK, leads=leads)
        else:
            path.mkdir() if kind == "directory" else path.write_text("precious")
            self.model.path_states[name] = PathState(OTHER)
        self._compare()

    @rule(name=names)
    def take(self, name: str) -> None:
        """Another program removes an entry that is not a pin."""
        path_state = self.model.path_states.get(name)
        if path_state and path_state.kind != PIN:
            path = self.real.link(name)
            path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
            del self.model.path_states[name]
            self._compare()

    # The program.

    @rule(request=requests, check=seldom)
    def run(self, request: dict[str, t.Any], check: bool) -> None:
        """A run, perhaps after one in check mode."""
        self._wait_until_older()
        real, modeled = self._complete(request)
        predicted = self._do(real, check=True) if check else None
        if check:
            self._compare()
        expected = self.model.run(modeled)
        assert self._do(real) == expected
        assert predicted in (None, expected)
        self._compare()
        if not expected.refused and not self.model.silent:
            again = self._do(real)
            assert set(again.actions.values()) <= {"conflict"}
            self.model.run(modeled)
            self._compare()

    def _do(self, request: dict[str, t.Any], check: bool = False) -> Result:
        try:
            result = self.real.run(check, **request)
        except model.SelectionError:
            return Result(refused=True)
        actions = {row["name"]: row["action"] for row in result.links if row["action"] in CHANGES}
        return Result(False, actions, bool(result.failures))

    @rule(request=requests, point=st.integers(1, 400))
    def die(self, request: dict[str, t.Any], point: int) -> None:
        """A run is killed, and done again."""
        self._wait_until_older()
        real, modeled = self._complete(request)
        with Traced(lambda: self._do(real)) as traced:
            for call in traced:
                if call.index == point:
                    traced.kill()
            assert traced.error is None, traced.error
        self._do(real)
        self.model.run(modeled)
        self._compare()

    @rule(first=requests, second=requests)
    def two(self, first: dict[str, t.Any], second: dict[str, t.Any]) -> None:
        """Two runs at the same time have the result of one after the other, in either order."""
        self._wait_until_older()
        pairs = [self._complete(request) for request in (first, second)]
        for worker, (real, _modeled) in zip(self.workers, pairs):
            assert worker.stdin is not None
            request = {"netns_dir": str(self.real.dir), "engines": ("docker",), **real}
            worker.stdin.write(json.dumps(request).encode() + b"\n")
            worker.stdin.flush()
        for worker in self.workers:
            assert worker.stdout is not None
            assert json.loads(worker.stdout.readline())
        candidates = [self.model.copy(), self.model.copy()]
        for candidate, order in zip(candidates, (pairs, pairs[::-1])):
            for _real, modeled in order:
                candidate.run(modeled)
        self._compare(candidates)

    @rule(pick=picks, name=names, again=flags, repair=repairs)
    def leave(self, pick: int, name: str, again: bool, repair: set[str]) -> None:
        """A container with a link, which another one may have joined, restarts or is removed."""
        self.run(request={"identity": pick}, check=False)
        self.join(name=name, pick=pick)
        if again:
            self.stop(pick=pick, again=True)
        else:
            self.remove(pick=pick)
        self.examine(repair=repair, check=False, name=name, kind="")

    @rule(
        repair=repairs,
        check=flags,
        name=names,
        kind=st.sampled_from(("", "empty", "dangling")),
    )
    def examine(self, repair: set[str], check: bool, name: str, kind: str) -> None:
        """The doctor finds what the model has, and repairs what is named, and nothing else."""
        if kind:
            self.put(name=name, kind=kind)
        expected = self.model.findings(self.pids.values())
        if check:
            assert self._examine(repair, check=True).keys() == expected
            self._compare()
        # The doctor reads before it repairs. Without a link, a namespace can be hidden.
        is_hidden = self.model.has_hidden(self.pids.values())
        repaired, failed = self.model.repair(repair, self.pids.values())
        result = self._examine(repair, failed=failed, is_hidden=is_hidden)
        assert result == {finding: finding in repaired for finding in expected}
        self._compare()
        if repaired:
            assert self._examine().keys() == expected - repaired

    def _examine(
        self,
        repair: t.Collection[str] = (),
        check: bool = False,
        failed: bool = False,
        shared: bool = True,
        is_hidden: bool | None = None,
    ) -> dict[Finding, bool]:
        """Run the doctor. Returns what it found, each with whether it was repaired.

        `is_hidden` is whether some namespace was hidden before the model repaired something.
        """
        self._wait_until_older()
        values = {"netns_dir": str(self.real.dir), "min_age": 0.0, "timeout": 60.0}
        request = DoctorRequest(repair=tuple(sorted(repair)), **values)
        result = doctor.run(request, check, str(self.real.state))
        unread = {"docker"} if self.model.silent else set()
        if not shared and any(each.kind == FILE for each in self.model.path_states.values()):
            unread.add(f"dangling_entry, {self.real.dir}")
        if self.model.has_hidden(self.pids.values()) if is_hidden is None else is_hidden:
            unread.add("namespaces")
        assert {each["source"] for each in result.incomplete} == unread
        assert bool(result.failures) == failed
        found = {}
        for row in result.findings:
            path = row["subject"]["path"]
            name = os.path.basename(path) if path else ",".join(row["subject"]["containers"])
            found[row["check"], "" if path == str(self.real.dir) else name] = row["repaired"]
        assert len(found) == len(result.findings)
        return found

    @rule(request=selections, check=seldom)
    def enter(self, request: dict[str, t.Any], check: bool) -> None:
        """A command runs in the namespaces that the model has, once in each, or nowhere."""
        self._wait_until_older()
        real, modeled = self._complete(request)
        asked = ExecRequest(
            Command(("readlink", "/proc/self/ns/net")),
            pool.Limits(60.0, 4, 4096),
            **{"netns_dir": str(self.real.dir), "engines": ("docker",), **real},
        )
        try:
            expected: set[int] | None = self.model.selected(modeled)
        except RefusedError:
            expected = None
        try:
            result = exec_run.run(asked, check)
        except model.SelectionError:
            assert expected is None
        else:
            entered = [row for row in result.rows if row["inode"]]
            assert expected is not None
            assert sorted(row["inode"] for row in entered) == sorted(expected)
            reads_engine = "containers" in real or "all" in real
            assert bool(result.failures) == (self.model.silent and reads_engine)
            for row in entered:
                assert row["stdout"] == (None if check else f"net:[{row['inode']}]\n")
                assert row["names"] == sorted(
                    name
                    for name, path_state in self.model.path_states.items()
                    if path_state.netns == row["inode"]
                )
        self._compare()

    @precondition(lambda self: self.real.dir.exists())
    @rule(
        request=st.one_of(
            st.sampled_from(({"prune": True}, EVERYTHING)),
            st.lists(names, min_size=1, max_size=2).map(
                lambda chosen: {"state": "absent", "names": tuple(chosen), "force": True}
            ),
        )
    )
    def shadow(self, request: dict[str, t.Any]) -> None:
        """The directory is mounted over, with all pins in it: no covered pin is removed."""
        libc.mount(str(self.real.dir), str(self.real.dir), libc.MS_BIND | 1 << 14)
        libc.mount("none", str(self.real.dir), libc.MS_PRIVATE | 1 << 14)
        before = {name: [*path_state.layers] for name, path_state in self.model.path_states.items()}
        self.model.covered = frozenset(name for name, layers in before.items() if layers)
        try:
            found = self.model.findings(self.pids.values(), shared=False)
            assert self._examine(shared=False).keys() == found
            self._wait_until_older()
            expected = self.model.run(request)
            assert self._do(request) == expected
            self._compare()
        finally:
            libc.umount(str(self.real.dir), libc.MNT_DETACH)
            self.model.covered = frozenset()
        self._compare()


@pytest.fixture
def workers(host: IsolatedHost) -> t.Iterator[list[subprocess.Popen[bytes]]]:
    script = pathlib.Path(__file__).with_name("run_server.py")
    started = [
        subprocess.Popen(
            [sys.executable, str(script)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment(),
        )
        for _each in range(2)
    ]
    try:
        for worker in started:
            assert worker.stdout is not None
            assert worker.stdout.readline() == b"ready\n"
        yield started
    finally:
        for worker in started:
            worker.kill()
            worker.communicate()


@pytest.mark.usefixtures("network", "doctor_of_this_host")
def test_every_history_ends_as_the_model_says(
    host: IsolatedHost, workers: list[subprocess.Popen[bytes]], full: bool, progress: Progress
) -> None:
    Machine.real, Machine.workers, Machine.progress = host, workers, progress
    Machine.steps = 0
    settings = hypothesis.settings(
        max_examples=50 if full else 12,
        stateful_step_count=50,
        derandomize=not full,
        database=None,
        deadline=None,
        suppress_health_check=list(hypothesis.HealthCheck),
        print_blob=True,
        report_multiple_bugs=False,
        phases=[hypothesis.Phase.generate],
    )
    while Machine.steps < (STEPS if full else SAMPLE):
        run_state_machine_as_test(Machine, settings=settings)
    progress(f"{Machine.steps} steps", always=True)
