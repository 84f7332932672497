# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Random histories of a host, by the real program and by the model: after each step both agree."""

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
from host import FILE, OTHER, PIN, SYMLINK, Box, Claim, Host, PathState, Result
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)
from tracer import Traced
from world import OTHERS, Progress, World, environment, inode, netns

from ansible_collections.linuxnet.netns.plugins.module_utils._core import model
from ansible_collections.linuxnet.netns.plugins.module_utils._core.kernel import (
    libc,
    mounts,
    procfs,
)
from ansible_collections.linuxnet.netns.plugins.module_utils._core.links import ledger

STEPS, SAMPLE = 10_000, 600
# Of links and of containers; none can be the beginning of an id.
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
        items.map(lambda each: {"containers": tuple(each)}),
        picks.map(lambda pick: {"identity": pick}),
    )


def _present() -> st.SearchStrategy[dict[str, t.Any]]:
    given = st.builds(
        lambda name, pick, way: {"names": (name,), way: pick},
        names,
        picks,
        st.sampled_from(("pid", "path")),
    )
    return st.one_of(_targets(), given)


def _absent() -> st.SearchStrategy[dict[str, t.Any]]:
    listed = st.lists(names, min_size=1, max_size=3).map(lambda each: {"names": tuple(each)})
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


def _differences(seen: Host, said: Host) -> str:
    return "; ".join(
        f"{name}: there is {there.get(name)}, and not {known.get(name)}"
        for there, known in ((seen.path_states, said.path_states), (seen.claims, said.claims))
        for name in sorted({*there, *known})
        if there.get(name) != known.get(name)
    )


class Machine(RuleBasedStateMachine):
    """One host. `steps` counts those of all machines."""

    world: World
    workers: t.ClassVar[list[subprocess.Popen[bytes]]] = []
    progress: Progress
    steps = 0

    def __init__(self) -> None:
        super().__init__()
        self.world.fresh()
        self.host = Host()
        self.numbers = itertools.count(1)
        self.pids: dict[int, int] = {}
        self.world.silent = False
        self._tell()
        self.pods = [self._process() for _each in range(2)]
        for number, pid in enumerate(self.pods):
            self.world.pin_at(OTHERS / str(number), pid)
        self.outside = self.world.all_pins()

    @initialize(linked=flags, silent=seldom)
    def begin(self, linked: bool, silent: bool) -> None:
        """Two containers, with links or without; and the engine may be gone by now."""
        for name in NAMES[:2]:
            pid = self._process()
            self.host.boxes[f"{next(self.numbers):064x}"] = Box(name, pid, self.pids[pid])
        self._tell()
        if linked:
            self.run(request={"all": True}, dry=False)
        self.host.silent = silent
        self._tell()

    def teardown(self) -> None:
        self.world.end_all()

    # What a step is made of.

    def _process(self) -> int:
        pid = self.world.process_soon()
        self.pids[pid] = netns(pid)
        return pid

    def _end(self, pid: int) -> None:
        if not any(box.pid == pid for box in self.host.boxes.values()):
            self.world.end(pid)
            del self.pids[pid]

    def _tell(self) -> None:
        self.world.silent = self.host.silent
        self.world.containers = {
            identity: {
                "name": box.name,
                "pid": box.pid,
                "labels": {},
                "mode": f"container:{box.joined}" if box.joined else "bridge",
            }
            for identity, box in self.host.boxes.items()
        }
        self.world.tell()

    def _box(self, pick: int) -> str | None:
        identities = list(self.host.boxes)
        return identities[pick % len(identities)] if identities else None

    def _free(self, name: str) -> bool:
        return all(box.name != name for box in self.host.boxes.values())

    def _complete(self, request: dict[str, t.Any]) -> tuple[dict[str, t.Any], dict[str, t.Any]]:
        """A wish as the program takes it, and as the model does."""
        real, known = dict(request), dict(request)
        if "identity" in request:
            identity = self._box(request["identity"]) or "f" * 64
            for each in (real, known):
                del each["identity"]
                each["containers"] = (identity,)
        if "pid" in request:
            real["pid"] = list(self.pids)[request["pid"] % len(self.pids)]
            known["netns"] = self.pids[real["pid"]]
        if "path" in request:
            # Of a shared mount the link would be a peer, and share what is mounted over it later.
            real["path"] = str(OTHERS / str(request["path"] % len(self.pods)))
            known["netns"] = inode(real["path"])
        return real, known

    def _look(self) -> Host:
        """The real host, in the terms of the model."""
        seen = Host(self.host.boxes, silent=self.host.silent, covered=self.host.covered)
        table = {mount.id: mount for mount in mounts.read(directory=str(self.world.dir))}
        layers: dict[str, list[int]] = {}
        top = self._top(table)
        for mount in sorted(table.values(), key=lambda one: self._depth(one, table)):
            folder, _slash, name = mount.point.rpartition("/")
            if (
                mount.fstype == "nsfs"
                and folder == str(self.world.dir)
                and self._is_on(mount, top, table)
            ):
                layers.setdefault(name, []).append(int(mount.root[5:-1]))
        if self.world.dir.exists():
            with os.scandir(self.world.dir) as listing:
                for item in listing:
                    seen.path_states[item.name] = self._stand(item, layers.pop(item.name, []))
        assert not layers
        for path, entry in ledger.Ledger(str(self.world.state)).entries.items():
            seen.claims[os.path.basename(path)] = Claim(
                entry.netns.inode, entry.file, entry.container_id, entry.container_name or ""
            )
        return seen

    def _top(self, table: t.Mapping[int, mounts.Mount]) -> int:
        if not self.world.dir.exists():
            return -1
        fd = os.open(self.world.dir, os.O_PATH)
        try:
            return mounts.mount_id(fd)
        finally:
            os.close(fd)

    @staticmethod
    def _depth(mount: mounts.Mount, table: t.Mapping[int, mounts.Mount]) -> int:
        depth, at = 0, mount
        while at.parent in table:
            depth, at = depth + 1, table[at.parent]
        return depth

    @staticmethod
    def _is_on(mount: mounts.Mount, top: int, table: t.Mapping[int, mounts.Mount]) -> bool:
        at = mount
        while at.fstype == "nsfs" and at.parent in table:
            at = table[at.parent]
        return at.id == top

    @staticmethod
    def _stand(item: os.DirEntry[str], layers: list[int]) -> PathState:
        if item.is_symlink():
            leads = os.stat(item.path).st_ino if os.path.exists(item.path) else None
            return PathState(SYMLINK, item.inode(), leads=leads)
        if layers:
            return PathState(PIN, item.inode(), layers)
        status = os.lstat(item.path)
        empty = item.is_file() and status.st_size == 0
        return PathState(FILE if empty else OTHER, item.inode())

    def _agree(self, hosts: t.Sequence[Host] = ()) -> None:
        """What is there is what the model says: this one, or one of several."""
        Machine.steps += 1
        self.progress(f"{Machine.steps} steps")
        seen = self._look()
        hosts = hosts or (self.host,)
        for host in hosts:
            self._number(host, seen)
            if (host.path_states, host.claims) == (seen.path_states, seen.claims):
                self.host = host
                break
        else:
            raise AssertionError("; or ".join(_differences(seen, host) for host in hosts))
        assert [
            pin for pin in self.world.all_pins() if pin[0].startswith(f"{OTHERS}/")
        ] == self.outside
        assert set(os.listdir(self.world.state) if self.world.state.exists() else ()) <= {"ledger"}

    @staticmethod
    def _number(host: Host, seen: Host) -> None:
        """Files that the model made get the numbers of the real ones, which are new."""
        known = {path_state.file for path_state in host.path_states.values()}
        for name, path_state in host.path_states.items():
            if path_state.file is None and name in seen.path_states:
                assert seen.path_states[name].file not in known
                path_state.file = seen.path_states[name].file
                claim = host.claims.get(name)
                if claim is not None and claim.file is None:
                    claim.file = path_state.file

    def _old_enough(self) -> None:
        """Processes are to be older than the run, by the clock tick."""
        while procfs.now() <= self.world.youngest:
            time.sleep(0.001)

    # What engines and people do.

    @rule(name=names)
    def start(self, name: str) -> None:
        if self._free(name):
            pid = self._process()
            self.host.boxes[f"{next(self.numbers):064x}"] = Box(name, pid, self.pids[pid])
            self._tell()
            self._agree()

    @rule(name=names, pick=picks)
    def join(self, name: str, pick: int) -> None:
        """A container in the namespace of another one."""
        identity = self._box(pick)
        if identity is not None and self._free(name) and self.host.boxes[identity].pid:
            box = self.host.boxes[identity]
            new = Box(name, box.pid, box.netns, box.joined or identity)
            self.host.boxes[f"{next(self.numbers):064x}"] = new
            self._tell()
            self._agree()

    @rule(pick=picks, again=flags)
    def stop(self, pick: int, again: bool) -> None:
        """It stops, or restarts in a new namespace."""
        identity = self._box(pick)
        if identity is not None:
            box = self.host.boxes[identity]
            pid, box.pid, box.netns = box.pid, 0, 0
            if again and not box.joined:
                box.pid = self._process()
                box.netns = self.pids[box.pid]
            if pid:
                self._end(pid)
            self._tell()
            self._agree()

    @rule(pick=picks)
    def remove(self, pick: int) -> None:
        identity = self._box(pick)
        if identity is not None:
            box = self.host.boxes.pop(identity)
            if box.pid:
                self._end(box.pid)
            self._tell()
            self._agree()

    @rule(pick=picks, name=names)
    def rename(self, pick: int, name: str) -> None:
        identity = self._box(pick)
        if identity is not None and self._free(name):
            self.host.boxes[identity].name = name
            self._tell()
            self._agree()

    @rule(silent=seldom)
    def fall_silent(self, silent: bool) -> None:
        self.host.silent = silent
        self._tell()
        self._agree()

    @rule(name=names, pick=picks, new=flags)
    def ip_add(self, name: str, pick: int, new: bool) -> None:
        """`ip netns add` or `attach`."""
        pid = list(self.pids)[pick % len(self.pids)]
        words = ["add", name] if new else ["attach", name, str(pid)]
        done = subprocess.run(["ip", "netns", *words], check=False, stderr=subprocess.DEVNULL)
        assert (done.returncode == 0) == (name not in self.host.path_states)
        if done.returncode == 0:
            self.host.path_states[name] = PathState(PIN, None, [inode(self.world.link(name))])
        self._agree()

    @rule(name=names)
    def ip_del(self, name: str) -> None:
        path_state = self.host.path_states.get(name)
        if path_state and (
            path_state.kind == FILE or (path_state.kind == PIN and len(path_state.layers) == 1)
        ):
            command = ["ip", "netns", "del", name]
            subprocess.run(command, check=path_state.kind == PIN, stderr=subprocess.DEVNULL)
            if not os.path.lexists(self.world.link(name)):
                del self.host.path_states[name]
            self._agree()

    @rule(name=names)
    def ip_again(self, name: str) -> None:
        """`ip netns del`, then `attach` to the same namespace: it is theirs from then on."""
        path_state = self.host.path_states.get(name)
        if path_state and path_state.kind == PIN and len(path_state.layers) == 1:
            pids = [pid for pid, inside in self.pids.items() if inside == path_state.netns]
            if pids:
                subprocess.run(["ip", "netns", "del", name], check=True)
                subprocess.run(["ip", "netns", "attach", name, str(pids[0])], check=True)
                path_state.file = None
                self._agree()

    @rule(name=names, pick=picks)
    def stack(self, name: str, pick: int) -> None:
        """Somebody mounts a namespace over a link, or on an empty file."""
        path_state = self.host.path_states.get(name)
        if path_state and path_state.kind in (PIN, FILE):
            pid = list(self.pids)[pick % len(self.pids)]
            libc.mount(f"/proc/{pid}/ns/net", str(self.world.link(name)), libc.MS_BIND)
            path_state.kind = PIN
            path_state.layers.append(self.pids[pid])
            self._agree()

    @rule(name=names)
    def unmount(self, name: str) -> None:
        path_state = self.host.path_states.get(name)
        if path_state and path_state.kind == PIN:
            libc.umount(str(self.world.link(name)), libc.MNT_DETACH)
            path_state.layers.pop()
            path_state.kind = PIN if path_state.layers else FILE
            self._agree()

    @rule(name=names, kind=st.sampled_from(("empty", "text", "folder", "symlink", "astray")))
    def put(self, name: str, kind: str) -> None:
        """Somebody puts something else at a name."""
        path = self.world.link(name)
        if name in self.host.path_states or not self.world.dir.exists():
            return
        if kind == "empty":
            path.touch()
            self.host.path_states[name] = PathState(FILE)
        elif kind in ("symlink", "astray"):
            path.symlink_to(OTHERS / ("0" if kind == "symlink" else "none"))
            leads = self.pids[self.pods[0]] if kind == "symlink" else None
            self.host.path_states[name] = PathState(SYMLINK, leads=leads)
        else:
            path.mkdir() if kind == "folder" else path.write_text("precious")
            self.host.path_states[name] = PathState(OTHER)
        self._agree()

    @rule(name=names)
    def take(self, name: str) -> None:
        """Somebody removes what is no pin."""
        path_state = self.host.path_states.get(name)
        if path_state and path_state.kind != PIN:
            path = self.world.link(name)
            path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
            del self.host.path_states[name]
            self._agree()

    # What the program does.

    @rule(request=requests, dry=seldom)
    def run(self, request: dict[str, t.Any], dry: bool) -> None:
        self._old_enough()
        real, known = self._complete(request)
        foretold = self._do(real, check=True) if dry else None
        if dry:
            self._agree()
        result = self.host.run(known)
        done = self._do(real)
        assert done == result
        assert foretold in (None, result)
        self._agree()
        if not result.refused and not self.host.silent:
            again = self._do(real)
            assert set(again.actions.values()) <= {"conflict"}
            self.host.run(known)
            self._agree()

    def _do(self, request: dict[str, t.Any], check: bool = False) -> Result:
        try:
            result = self.world.run(check, **request)
        except model.SelectionError:
            return Result(refused=True)
        actions = {row["name"]: row["action"] for row in result.links if row["action"] in CHANGES}
        return Result(False, actions, bool(result.failures))

    @rule(request=requests, point=st.integers(1, 400))
    def die(self, request: dict[str, t.Any], point: int) -> None:
        """A run is killed, and done again."""
        self._old_enough()
        real, known = self._complete(request)
        with Traced(lambda: self._do(real)) as traced:
            for call in traced:
                if call.index == point:
                    traced.kill()
            assert traced.error is None, traced.error
        self._do(real)
        self.host.run(known)
        self._agree()

    @rule(first=requests, second=requests)
    def two(self, first: dict[str, t.Any], second: dict[str, t.Any]) -> None:
        """Two runs at once come to what one after the other does, whichever came first."""
        self._old_enough()
        pairs = [self._complete(request) for request in (first, second)]
        for worker, (real, _known) in zip(self.workers, pairs):
            assert worker.stdin is not None
            request = {"netns_dir": str(self.world.dir), "engines": ("docker",), **real}
            worker.stdin.write(json.dumps(request).encode() + b"\n")
            worker.stdin.flush()
        for worker in self.workers:
            assert worker.stdout is not None
            assert json.loads(worker.stdout.readline())
        hosts = [self.host.copy(), self.host.copy()]
        for host, order in zip(hosts, (pairs, pairs[::-1])):
            for _real, known in order:
                host.run(known)
        self._agree(hosts)

    @precondition(lambda self: self.world.dir.exists())
    @rule(
        request=st.one_of(
            st.sampled_from(({"prune": True}, EVERYTHING)),
            st.lists(names, min_size=1, max_size=2).map(
                lambda each: {"state": "absent", "names": tuple(each), "force": True}
            ),
        )
    )
    def shadow(self, request: dict[str, t.Any]) -> None:
        """The directory is mounted over with all that is in it: no covered pin is removed."""
        libc.mount(str(self.world.dir), str(self.world.dir), libc.MS_BIND | 1 << 14)
        libc.mount("none", str(self.world.dir), libc.MS_PRIVATE | 1 << 14)
        before = {name: [*path_state.layers] for name, path_state in self.host.path_states.items()}
        self.host.covered = frozenset(name for name, each in before.items() if each)
        try:
            self._old_enough()
            result = self.host.run(request)
            assert self._do(request) == result
            self._agree()
        finally:
            libc.umount(str(self.world.dir), libc.MNT_DETACH)
            self.host.covered = frozenset()
        self._agree()


@pytest.fixture
def workers(world: World) -> t.Iterator[list[subprocess.Popen[bytes]]]:
    script = pathlib.Path(__file__).with_name("worker.py")
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


def test_every_history_ends_as_the_model_says(
    world: World, workers: list[subprocess.Popen[bytes]], full: bool, progress: Progress
) -> None:
    Machine.world, Machine.workers, Machine.progress = world, workers, progress
    Machine.steps = 0
    settings = hypothesis.settings(
        max_examples=50 if full else 10,
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
