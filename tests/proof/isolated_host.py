# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An isolated host: a /run, namespaces and containers of the test's own, in its own mount and PID namespaces."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time
import typing as t

import pytest
from support import ScratchHost, environment, inode

from ansible_collections.linuxnet.netns.plugins.module_utils._core.kernel import (
    libc,
    mounts,
    procfs,
)
from ansible_collections.linuxnet.netns.plugins.module_utils._core.links import (
    etc_netns,
    ledger,
    recognitions,
    run,
)
from ansible_collections.linuxnet.netns.plugins.module_utils._core.links.request import LinkRequest

RUN = pathlib.Path("/run")
# ip(8) has this path compiled in.
NETNS = RUN / "netns"
# In place of /etc/netns.
ETC = RUN / "etc-netns"
# Pins of another program.
FOREIGN = RUN / "foreign"
MS_REC = 1 << 14

_libc = ctypes.PyDLL(None, use_errno=True)
_CLONE3 = 435


def _mount(source: str, target: os.PathLike[str] | str, fstype: str | None, flags: int) -> None:
    arguments = (os.fsencode(source), os.fsencode(target), fstype.encode() if fstype else None)
    if _libc.mount(*arguments, ctypes.c_ulong(flags), None) != 0:
        raise OSError(ctypes.get_errno(), f"mount {target}")


def fork(pid: int | None = None, listens_at: int = 0) -> int:
    """Start a process in a network namespace of its own, with this PID if one is given (clone3(2))."""
    # flags, pidfd, child_tid, parent_tid, exit_signal, stack, its size, tls, set_tid, its size, cgroup
    arguments = (ctypes.c_uint64 * 11)(libc.CLONE_NEWNET, 0, 0, 0, signal.SIGCHLD)
    requested_pid = ctypes.c_int(pid or 0)
    if pid is not None:
        arguments[8], arguments[9] = ctypes.addressof(requested_pid), 1
    child: int = _libc.syscall(_CLONE3, arguments, ctypes.sizeof(arguments))
    if child < 0:
        raise OSError(ctypes.get_errno(), f"clone3 as {pid}")
    if child == 0:
        try:
            if listens_at:
                os.set_inheritable(socket.create_server(("", listens_at)).detach(), True)
            os.execvp("sleep", ["sleep", "infinity"])
        finally:
            os._exit(1)
    return child


class Progress:
    """Prints every few seconds how far a long test is, and at its end what it counted."""

    def __init__(self, capture: pytest.CaptureFixture[str]) -> None:
        self._capture = capture
        self._next = time.monotonic() + 5

    def __call__(self, text: str, always: bool = False) -> None:
        if always or time.monotonic() >= self._next:
            self._next = time.monotonic() + 5
            with self._capture.disabled():
                print(f"-- {text}", file=sys.stderr, flush=True)


class Pin(t.NamedTuple):
    """A pin at a name: its namespace, the file beneath the mount, and the ids of its mounts."""

    netns: int
    file: int
    mounts: tuple[int, ...]


class IsolatedHost(ScratchHost):
    """A new /run with netns_dir and ledger at their usual paths, and an engine.

    `containers` are those of the engine, by id; `update_engine` passes changes of them on. `youngest` is the
    start time of the last process from `process_soon`. An engine that is `silent` answers with nonsense.
    """

    def __init__(self, root: pathlib.Path) -> None:
        super().__init__(RUN)
        self.state = RUN / "linuxnet-netns"
        self.etc = ETC
        self.containers: dict[str, dict[str, t.Any]] = {}
        self.networks: list[dict[str, t.Any]] = []
        self._forked: set[int] = set()
        self.youngest = 0
        self.silent = False
        self._mounts_of_machine: frozenset[mounts.Mount] = frozenset()
        self.socket = root / "engine.sock"
        script = pathlib.Path(__file__).with_name("engine_process.py")
        self._engine = subprocess.Popen(
            [sys.executable, str(script), str(self.socket)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment(),
        )
        self.update_engine()

    def close(self) -> None:
        self._engine.kill()
        self._engine.communicate()
        self.end_all()
        self.unmount()

    def process_soon(self, listens_at: int = 0) -> int:
        """The same as `process`, but faster: the caller waits until the clock is past `youngest`."""
        pid = fork(listens_at=listens_at)
        self._forked.add(pid)
        self.youngest = procfs.now()
        return pid

    def copy_mounts(self) -> int:
        """Start a process with a private copy of all mounts, as containers have that mount the host's /run."""
        pid = self.process("unshare", "--mount", "--propagation", "private", "sleep", "infinity")
        while inode(f"/proc/{pid}/ns/mnt") == inode("/proc/self/ns/mnt"):
            pass
        # unshare(1) makes the mounts private after it has copied them.
        while pathlib.Path(f"/proc/{pid}/comm").read_text() != "sleep\n":
            pass
        return pid

    def end(self, pid: int) -> None:
        if pid in self._forked:
            self._forked.remove(pid)
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        else:
            super().end(pid)

    def end_all(self) -> None:
        """End every process that was started here."""
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

    def unmount_machine(self) -> None:
        """Unmount what the machine has mounted in /run, and its pins, in this mount namespace alone."""
        for mount in reversed(mounts.read()):
            if mount.point.startswith(f"{RUN}/") or mount.fstype == "nsfs":
                libc.umount(mount.point, libc.MNT_DETACH)
        self._mounts_of_machine = frozenset(mounts.read())

    def reset(self, shared: bool = False) -> None:
        """Mount an empty /run, shared as under systemd, or private."""
        self.unmount()
        _mount("proof", RUN, "tmpfs", 0)
        if shared:
            libc.mount("none", str(RUN), libc.MS_SHARED)
        FOREIGN.mkdir()

    def request(self, **request: t.Any) -> LinkRequest:
        defaults = {"netns_dir": str(self.dir), "engines": ("docker",), "timeout": 60.0}
        return LinkRequest(**{**defaults, **request})

    def run(self, check: bool = False, **request: t.Any) -> run.Result:
        return run.run(self.request(**request), check, str(self.state))

    def deferred_run(self, **request: t.Any) -> t.Callable[[], run.Result]:
        """A function that does the run, in a child perhaps."""
        return functools.partial(self.run, **request)

    # The engine.

    def update_engine(self) -> None:
        """Give the engine the present containers and networks."""
        self._send(containers=self.containers, networks=self.networks, silent=self.silent)

    def _send(self, **message: t.Any) -> None:
        assert self._engine.stdin is not None
        assert self._engine.stdout is not None
        self._engine.stdin.write(json.dumps(message).encode() + b"\n")
        self._engine.stdin.flush()
        assert self._engine.stdout.readline() == b"\n"

    def container(self, name: str, pid: int, identity: str, **more: t.Any) -> None:
        """Add or change a container whose first process this is; one with PID 0 is stopped."""
        self.containers[identity] = {"name": name, "pid": pid, "labels": {}, **more}
        self.update_engine()

    def event(self, action: str, identity: str) -> None:
        """Have the engine report an event."""
        self._send(event=(action, identity))

    # Other programs.

    def prepare_as_ip(self) -> None:
        """Prepare netns_dir as `ip netns add` does."""
        self.dir.mkdir(exist_ok=True)
        _mount(str(self.dir), self.dir, None, libc.MS_BIND | MS_REC)
        _mount("", self.dir, None, libc.MS_SHARED | MS_REC)

    def pin_at(self, path: pathlib.Path, pid: int) -> None:
        """Make a foreign pin."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(0o444)
        libc.mount(f"/proc/{pid}/ns/net", str(path), libc.MS_BIND)

    # The state of the host.

    def pins(self) -> dict[str, Pin]:
        """Every name in netns_dir that is a pin."""
        mount_ids: dict[str, list[int]] = {}
        for mount in mounts.read():
            directory, _slash, name = mount.point.rpartition("/")
            if mount.fstype == "nsfs" and directory == str(self.dir):
                mount_ids.setdefault(name, []).append(mount.id)
        files = {}
        with contextlib.suppress(FileNotFoundError), os.scandir(self.dir) as listing:
            files = {item.name: item.inode() for item in listing}
        return {
            name: Pin(inode(self.link(name)), files[name], tuple(ids))
            for name, ids in mount_ids.items()
        }

    def all_mounts(self) -> list[tuple[str, str]]:
        """Every mount but those of the machine, as (path, what is mounted).

        Those come and go: a directory that is removed takes along what is mounted on it in any mount namespace.
        """
        return sorted(
            (mount.point, mount.root)
            for mount in mounts.read()
            if mount not in self._mounts_of_machine
        )

    def all_pins(self) -> list[tuple[str, str]]:
        """Every mount of a network namespace beneath /run, as (path, what is mounted)."""
        return sorted(
            (mount.point, mount.root)
            for mount in mounts.read()
            if mount.fstype == "nsfs" and mount.point.startswith(f"{RUN}/")
        )


def netns(pid: int) -> int:
    return inode(f"/proc/{pid}/ns/net")


def start_time(pid: int) -> int:
    with procfs.opened(pid) as process:
        return procfs.start_time(process)


@contextlib.contextmanager
def isolated_host(root: pathlib.Path) -> t.Iterator[IsolatedHost]:
    """A host that the program uses in place of the machine's."""
    etc_netns_dir = etc_netns.DIRECTORY
    host = IsolatedHost(root)
    etc_netns.DIRECTORY = str(host.etc)
    os.environ["DOCKER_HOST"] = f"unix://{host.socket}"
    try:
        host.unmount_machine()
        host.reset()
        yield host
    finally:
        etc_netns.DIRECTORY = etc_netns_dir
        del os.environ["DOCKER_HOST"]
        host.close()


def check(
    host: IsolatedHost,
    managed: t.Mapping[str, int],
    untouched: t.Mapping[str, Pin],
    files: t.Collection[str] = (),
    resolv: t.Collection[str] = (),
    layers: t.Collection[int] = (1,),
) -> None:
    """Assert that exactly these links are managed, by name and PID, and all else is as it was.

    `untouched` are pins, managed or foreign, that must not have changed; `files` the names of entries that
    are not pins; `resolv` the links that have a resolv.conf; `layers` how often a managed pin may be mounted.
    """
    listing = set(os.listdir(host.dir)) if host.dir.exists() else set()
    assert listing == {*managed, *untouched, *files}
    pins = host.pins()
    assert {name: pins.get(name) for name in untouched} == untouched
    # Everything that is mounted has a name that leads to it.
    assert set(pins) == {*managed, *untouched}
    assert {name: pins[name].netns for name in managed} == {
        name: netns(pid) for name, pid in managed.items()
    }
    assert {len(pins[name].mounts) for name in managed} <= {*layers}
    entries = ledger.Ledger(str(host.state)).entries
    assert set(entries) == {str(host.link(name)) for name in managed}
    for entry in entries.values():
        pin = pins[entry.name]
        assert (entry.netns.inode, entry.file, entry.previous) == (pin.netns, pin.file, None)
    if host.state.exists():
        assert set(os.listdir(host.state)) <= {
            "ledger",
            "lock",
            ledger.CODE_CACHE,
            recognitions.NAME,
        }
    assert {str(path.relative_to(host.etc)) for path in host.etc.rglob("*")} == {
        name + more for name in resolv for more in ("", "/resolv.conf")
    }
    binds = [mount for mount in mounts.read() if mount.point == str(host.dir)]
    assert len(binds) <= 1, binds
