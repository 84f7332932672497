# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A host in small: /run, its namespaces and containers, all in namespaces of the tests' own."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import json
import os
import pathlib
import signal
import subprocess
import sys
import time
import typing as t

import pytest
from support import Place, inode

from ansible_collections.linuxnet.netns.plugins.module_utils._core.kernel import (
    libc,
    mounts,
    procfs,
)
from ansible_collections.linuxnet.netns.plugins.module_utils._core.links import (
    etc_netns,
    ledger,
    run,
)
from ansible_collections.linuxnet.netns.plugins.module_utils._core.links.request import LinkRequest

RUN = pathlib.Path("/run")
# ip(8) has its name compiled in.
NETNS = RUN / "netns"
# In place of /etc/netns.
ETC = RUN / "etc-netns"
# Another manager's pins.
OTHERS = RUN / "others"
MS_REC = 1 << 14

_libc = ctypes.PyDLL(None, use_errno=True)
_CLONE3 = 435


def _mount(source: str, target: os.PathLike[str] | str, fstype: str | None, flags: int) -> None:
    words = (os.fsencode(source), os.fsencode(target), fstype.encode() if fstype else None)
    if _libc.mount(*words, ctypes.c_ulong(flags), None) != 0:
        raise OSError(ctypes.get_errno(), f"mount {target}")


def fork(pid: int | None = None) -> int:
    """A process in a network namespace of its own; with this very PID, if one is given (clone3(2))."""
    # flags, pidfd, child_tid, parent_tid, exit_signal, stack, its size, tls, set_tid, its size, cgroup
    arguments = (ctypes.c_uint64 * 11)(libc.CLONE_NEWNET, 0, 0, 0, signal.SIGCHLD)
    wanted = ctypes.c_int(pid or 0)
    if pid is not None:
        arguments[8], arguments[9] = ctypes.addressof(wanted), 1
    child: int = _libc.syscall(_CLONE3, arguments, ctypes.sizeof(arguments))
    if child < 0:
        raise OSError(ctypes.get_errno(), f"clone3 as {pid}")
    if child == 0:
        try:
            os.execvp("sleep", ["sleep", "infinity"])
        finally:
            os._exit(1)
    return child


def patience_of_a_tick() -> None:
    """Start times are counted in clock ticks: let one pass."""
    time.sleep(1.1 / os.sysconf("SC_CLK_TCK"))


class Progress:
    """Says now and then how far a long test is, and at its end what it counted."""

    def __init__(self, capture: pytest.CaptureFixture[str]) -> None:
        self._capture = capture
        self._next = time.monotonic() + 5

    def __call__(self, text: str, always: bool = False) -> None:
        if always or time.monotonic() >= self._next:
            self._next = time.monotonic() + 5
            with self._capture.disabled():
                print(f"-- {text}", file=sys.stderr, flush=True)


class Pin(t.NamedTuple):
    """What stands at a name: where it leads, the file beneath, and its mounts."""

    netns: int
    file: int
    mounts: tuple[int, ...]


class World(Place):
    """A fresh /run with a netns_dir and a ledger at their usual places, and an engine beside it.

    `containers` are what the engine tells, by id; `tell` has it told from then on.
    """

    def __init__(self, root: pathlib.Path) -> None:
        super().__init__(RUN)
        self.state = RUN / "linuxnet-netns"
        self.etc = ETC
        self.containers: dict[str, dict[str, t.Any]] = {}
        self._forked: set[int] = set()
        # When the last process was started that may still be too young for a run.
        self.youngest = 0
        self.silent = False
        self.socket = root / "engine.sock"
        script = pathlib.Path(__file__).with_name("engine.py")
        self._engine = subprocess.Popen(
            [sys.executable, str(script), str(self.socket)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment(),
        )
        self.tell()

    def close(self) -> None:
        self._engine.kill()
        self._engine.communicate()
        self.end_all()
        self.unmount()

    def process_soon(self) -> int:
        """The same as `process`, in less time; the caller waits until it is older than `youngest`."""
        pid = fork()
        self._forked.add(pid)
        self.youngest = procfs.now()
        return pid

    def end(self, pid: int) -> None:
        if pid in self._forked:
            self._forked.remove(pid)
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        else:
            super().end(pid)

    def end_all(self) -> None:
        """End every process that is a container's or a stranger's."""
        for pid in list(self._forked):
            self.end(pid)
        for process in self._processes:
            process.kill()
            process.wait()
        self._processes.clear()

    def unmount(self) -> None:
        while os.path.ismount(RUN) and any(
            mount.point == str(RUN) and mount.fstype == "tmpfs" and mount.root == "/"
            for mount in mounts.read()
        ):
            libc.umount(str(RUN), libc.MNT_DETACH)

    def bare(self) -> None:
        """Take away what the machine has mounted in /run: here alone, it stays where it is."""
        for mount in reversed(mounts.read()):
            if mount.point.startswith(f"{RUN}/"):
                libc.umount(mount.point, libc.MNT_DETACH)

    def fresh(self, shared: bool = False) -> None:
        """An empty /run, a shared mount as under systemd or a private one."""
        self.unmount()
        _mount("proof", RUN, "tmpfs", 0)
        if shared:
            libc.mount("none", str(RUN), libc.MS_SHARED)
        OTHERS.mkdir()

    def request(self, **request: t.Any) -> LinkRequest:
        known = {"netns_dir": str(self.dir), "engines": ("docker",), "timeout": 60.0}
        return LinkRequest(**{**known, **request})

    def run(self, check: bool = False, **request: t.Any) -> run.Result:
        return run.run(self.request(**request), check, str(self.state))

    def work(self, **request: t.Any) -> t.Callable[[], run.Result]:
        """The same run, to be done elsewhere."""
        return functools.partial(self.run, **request)

    # The engine.

    def tell(self) -> None:
        self._say(containers=self.containers, silent=self.silent)

    def _say(self, **words: t.Any) -> None:
        assert self._engine.stdin is not None
        assert self._engine.stdout is not None
        self._engine.stdin.write(json.dumps(words).encode() + b"\n")
        self._engine.stdin.flush()
        assert self._engine.stdout.readline() == b"\n"

    def container(self, name: str, pid: int, identity: str, **more: t.Any) -> None:
        """A container that runs as this process; pid 0 for one that is stopped."""
        self.containers[identity] = {"name": name, "pid": pid, "labels": {}, **more}
        self.tell()

    def event(self, action: str, identity: str) -> None:
        self._say(event=(action, identity))

    # What others do.

    def as_ip_does(self) -> None:
        """What `ip netns add` makes of netns_dir."""
        self.dir.mkdir(exist_ok=True)
        _mount(str(self.dir), self.dir, None, libc.MS_BIND | MS_REC)
        _mount("", self.dir, None, libc.MS_SHARED | MS_REC)

    def pin_at(self, path: pathlib.Path, pid: int) -> None:
        """A pin that no ledger knows of."""
        path.parent.mkdir(exist_ok=True)
        path.touch(0o444)
        libc.mount(f"/proc/{pid}/ns/net", str(path), libc.MS_BIND)

    # What there is.

    def pins(self) -> dict[str, Pin]:
        """Every name in netns_dir that is a pin."""
        found: dict[str, list[int]] = {}
        for mount in mounts.read():
            folder, _slash, name = mount.point.rpartition("/")
            if mount.fstype == "nsfs" and folder == str(self.dir):
                found.setdefault(name, []).append(mount.id)
        files = {}
        with contextlib.suppress(FileNotFoundError), os.scandir(self.dir) as listing:
            files = {item.name: item.inode() for item in listing}
        return {
            name: Pin(inode(self.link(name)), files[name], tuple(ids))
            for name, ids in found.items()
        }

    def all_pins(self) -> list[tuple[str, str]]:
        """Every mount of a network namespace beneath /run, as (path, what is mounted)."""
        return sorted(
            (mount.point, mount.root)
            for mount in mounts.read()
            if mount.fstype == "nsfs" and mount.point.startswith(f"{RUN}/")
        )


def environment() -> dict[str, str]:
    """What a process of ours needs to find the program and these helpers."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}


def netns(pid: int) -> int:
    return inode(f"/proc/{pid}/ns/net")


def start_time(pid: int) -> int:
    with procfs.opened(pid) as process:
        return procfs.start_time(process)


@contextlib.contextmanager
def made(root: pathlib.Path) -> t.Iterator[World]:
    former = etc_netns.DIRECTORY
    world = World(root)
    etc_netns.DIRECTORY = str(world.etc)
    os.environ["DOCKER_HOST"] = f"unix://{world.socket}"
    try:
        world.bare()
        world.fresh()
        yield world
    finally:
        etc_netns.DIRECTORY = former
        del os.environ["DOCKER_HOST"]
        world.close()


def check(
    world: World,
    ours: t.Mapping[str, int],
    still: t.Mapping[str, Pin],
    files: t.Collection[str] = (),
    resolv: t.Collection[str] = (),
    layers: t.Collection[int] = (1,),
) -> None:
    """Just these links are ours, by name and PID, and what stands there else is as it was.

    `still` are pins, of ours too, that nobody may have touched; `files` the names where something
    stands that is no pin; `resolv` who has a resolv.conf; `layers` how often a pin of ours is mounted.
    """
    listing = set(os.listdir(world.dir)) if world.dir.exists() else set()
    assert listing == {*ours, *still, *files}
    pins = world.pins()
    assert {name: pins.get(name) for name in still} == still
    # Everything that is mounted has a name that leads to it.
    assert set(pins) == {*ours, *still}
    assert {name: pins[name].netns for name in ours} == {
        name: netns(pid) for name, pid in ours.items()
    }
    assert {len(pins[name].mounts) for name in ours} <= {*layers}
    entries = ledger.Ledger(str(world.state)).entries
    assert set(entries) == {str(world.link(name)) for name in ours}
    for entry in entries.values():
        pin = pins[entry.name]
        assert (entry.netns.inode, entry.file, entry.previous) == (pin.netns, pin.file, None)
    if world.state.exists():
        assert set(os.listdir(world.state)) <= {"ledger"}
    assert {str(path.relative_to(world.etc)) for path in world.etc.rglob("*")} == {
        name + more for name in resolv for more in ("", "/resolv.conf")
    }
    binds = [mount for mount in mounts.read() if mount.point == str(world.dir)]
    assert len(binds) <= 1, binds
