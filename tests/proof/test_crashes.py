# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A run is killed before each of its system calls; the next run completes it."""

from __future__ import annotations

import itertools
import os
import typing as t
from dataclasses import dataclass, field, replace

import pytest
from isolated_host import FOREIGN, IsolatedHost, Pin, Progress, check
from syscall_tracer import Call, Traced

from ansible_collections.linuxnet.netns.plugins.module_utils._core.kernel import mounts
from ansible_collections.linuxnet.netns.plugins.module_utils._core.links.request import HOOK

# Calls that change something, besides openat(2); a sample has points before them.
CHANGING = frozenset(
    (
        *("mkdir", "mkdirat", "rmdir", "unlink", "unlinkat", "rename", "renameat", "renameat2"),
        *("write", "mount", "open_tree", "move_mount", "umount2"),
    )
)
SAMPLE = 12
NAMES = ("web", "db", "api")
UNDO: dict[str, t.Any] = {"state": "absent", "all": True, "engines": None}


@dataclass
class Scenario:
    """A run, its result, and what it must not change.

    `managed` are the links afterwards, by PID; `untouched` the pins that stay as they are, foreign and
    managed; `replaceable` the foreign entries at names that the run may take; `files` the foreign entries
    that are not pins; `resolv` the links that have a file in /etc/netns afterwards, `foreign_resolv` those
    that always have one. `layers` is how often each pin may be mounted. `is_copied` is whether a process has
    a private copy of all mounts, from before the run.
    """

    request: dict[str, t.Any]
    managed: dict[str, int]
    untouched: dict[str, Pin] = field(default_factory=dict)
    replaceable: dict[str, Pin | None] = field(default_factory=dict)
    files: tuple[str, ...] = ()
    resolv: tuple[str, ...] = ()
    foreign_resolv: tuple[str, ...] = ()
    layers: tuple[int, ...] = (1,)
    is_copied: bool = False


class Processes:
    """The host, and processes that are started once, as each takes longer than a run.

    `copy` is the process that has a private copy of all mounts, 0 for none.
    """

    def __init__(self, host: IsolatedHost) -> None:
        self.host = host
        self.pids = [host.process() for _each in range(8)]
        self.copy = 0

    def reset(self, shared: bool = False) -> None:
        if self.copy:
            self.host.end(self.copy)
            self.copy = 0
        self.host.reset(shared)
        self.host.containers.clear()
        self.host.update_engine()

    def add_containers(self, *names: str, first: int = 0, **more: t.Any) -> dict[str, int]:
        """Add containers of these names, whose first processes follow one another from `first`."""
        for offset, name in enumerate(names):
            self.host.container(name, self.pids[first + offset], identity(name), **more)
        return dict(zip(names, self.pids[first:]))

    def add_foreign(self) -> dict[str, Pin]:
        """Add a foreign pin and a foreign empty file."""
        self.host.pin_at(self.host.link("cni-1"), self.pids[7])
        self.host.link("pending").touch()
        return {"cni-1": self.host.pins()["cni-1"]}


def identity(name: str) -> str:
    return name.encode().hex().ljust(64, "0")


def dns(processes: Processes) -> dict[str, t.Any]:
    path = processes.host.socket.with_name("resolv.conf")
    path.write_text("nameserver 192.0.2.1\n")
    return {"resolv_conf": str(path)}


def first(processes: Processes) -> Scenario:
    """The first run on a host: directories, mount and ledger are made."""
    processes.reset()
    return Scenario({"all": True}, processes.add_containers(*NAMES))


def first_shared(processes: Processes) -> Scenario:
    """The same where /run is a shared mount, as under systemd.

    A run that is killed between the bind and its own propagation leaves the mount that `ip netns` makes.
    """
    processes.reset(shared=True)
    return Scenario({"all": True}, processes.add_containers(*NAMES), layers=(1, 2))


def link(processes: Processes) -> Scenario:
    """One link exists, one name has an empty file, one a dead symbolic link; there are foreign entries."""
    processes.reset()
    processes.host.prepare_as_ip()
    foreign = processes.add_foreign()
    processes.add_containers("web")
    processes.host.act(all=True)
    processes.host.link("db").touch()
    processes.host.link("api").symlink_to("/proc/1/ns/nowhere")
    return Scenario(
        {"all": True},
        processes.add_containers(*NAMES),
        {**foreign, "web": processes.host.pins()["web"]},
        replaceable={"db": None, "api": None},
        files=("pending",),
    )


def relink(processes: Processes) -> Scenario:
    """Two containers have restarted."""
    processes.reset()
    processes.host.prepare_as_ip()
    foreign = processes.add_foreign()
    processes.add_containers(*NAMES)
    processes.host.act(all=True)
    stays = {"api": processes.host.pins()["api"]}
    managed = {**processes.add_containers(*NAMES), **processes.add_containers("web", "db", first=4)}
    return Scenario({"all": True}, managed, {**foreign, **stays}, files=("pending",))


def relink_copied(processes: Processes) -> Scenario:
    """The same while a process has a private copy of all mounts."""
    scenario = relink(processes)
    processes.copy = processes.host.copy_mounts()
    return replace(scenario, is_copied=True)


def relink_shared(processes: Processes) -> Scenario:
    """The same where each pin is mounted twice: /run is shared, and `ip netns add` came first."""
    processes.reset(shared=True)
    processes.host.prepare_as_ip()
    processes.add_containers(*NAMES)
    processes.host.act(all=True)
    managed = {**processes.add_containers(*NAMES), **processes.add_containers("web", "db", first=4)}
    return Scenario({"all": True}, managed, layers=(2,))


def force(processes: Processes) -> Scenario:
    """Foreign entries have the names: a pin, and a symbolic link to a pin elsewhere."""
    processes.reset()
    processes.host.prepare_as_ip()
    foreign = processes.add_foreign()
    processes.host.pin_at(processes.host.link("web"), processes.pids[6])
    processes.host.pin_at(FOREIGN / "pod", processes.pids[7])
    processes.host.link("db").symlink_to(FOREIGN / "pod")
    return Scenario(
        {"all": True, "force": True},
        processes.add_containers(*NAMES),
        foreign,
        replaceable={"web": processes.host.pins()["web"], "db": None},
        files=("pending",),
    )


def prune(processes: Processes) -> Scenario:
    """Two containers are gone; their links have a resolv.conf."""
    processes.reset()
    processes.host.prepare_as_ip()
    foreign = processes.add_foreign()
    processes.add_containers(*NAMES, **dns(processes))
    processes.host.act(all=True, resolv_conf=True)
    for name in ("db", "api"):
        del processes.host.containers[identity(name)]
    processes.host.update_engine()
    return Scenario(
        {"prune": True},
        {"web": processes.pids[0]},
        {**foreign, "web": processes.host.pins()["web"]},
        files=("pending",),
        resolv=("web",),
    )


def follow(processes: Processes, **more: t.Any) -> Scenario:
    """One container has restarted, one is gone, one is new, one stays; each has a resolv.conf.

    A reboot has left a managed file in /etc/netns, and there is a foreign one.
    """
    processes.reset()
    processes.host.prepare_as_ip()
    foreign = processes.add_foreign()
    request = {"all": True, "prune": True, "resolv_conf": True, **more}
    processes.add_containers("web", "db", "stays", **dns(processes))
    processes.host.act(**request)
    foreign["stays"] = processes.host.pins()["stays"]
    (processes.host.etc / "rebooted").mkdir()
    text = (processes.host.etc / "web" / "resolv.conf").read_text()
    lost = text.replace(str(processes.host.link("web")), str(processes.host.link("rebooted")))
    (processes.host.etc / "rebooted" / "resolv.conf").write_text(lost)
    (processes.host.etc / "vpn").mkdir()
    (processes.host.etc / "vpn" / "resolv.conf").write_text("nameserver 192.0.2.9\n")
    del processes.host.containers[identity("db")]
    managed = {
        "stays": processes.pids[2],
        **processes.add_containers("web", "api", first=4, **dns(processes)),
    }
    return Scenario(
        request,
        managed,
        foreign,
        files=("pending",),
        resolv=("stays", "web", "api"),
        foreign_resolv=("vpn",),
    )


def hook(processes: Processes) -> Scenario:
    """The same done by the hook, and one container was renamed."""
    scenario = follow(processes, maker=HOOK)
    processes.add_containers("old", first=6, **dns(processes))
    processes.host.act(**scenario.request, only={"docker": frozenset((identity("old"),))})
    processes.host.containers[identity("old")]["name"] = "new"
    processes.host.update_engine()
    scenario.managed["new"] = processes.pids[6]
    scenario.resolv += ("new",)
    return scenario


def _linked(processes: Processes) -> dict[str, Pin]:
    processes.reset()
    processes.host.prepare_as_ip()
    foreign = processes.add_foreign()
    processes.add_containers(*NAMES, **dns(processes))
    processes.host.act(all=True, resolv_conf=True)
    return foreign


def _all_but_api(processes: Processes, **selected: t.Any) -> Scenario:
    foreign = _linked(processes)
    foreign["api"] = processes.host.pins()["api"]
    request = {"state": "absent", **selected}
    managed = {"api": processes.pids[2]}
    return Scenario(request, managed, foreign, files=("pending",), resolv=("api",))


def unlink_names(processes: Processes) -> Scenario:
    return _all_but_api(processes, names=("web", "db"))


def unlink_containers(processes: Processes) -> Scenario:
    return _all_but_api(processes, containers=("web", "d*"))


def unlink_all(processes: Processes) -> Scenario:
    foreign = _linked(processes)
    return Scenario({"state": "absent", "all": True}, {}, foreign, files=("pending",))


def unlink_force(processes: Processes) -> Scenario:
    """A foreign link is removed by force, and a foreign symbolic link without what it leads to."""
    processes.reset()
    processes.host.prepare_as_ip()
    foreign = processes.add_foreign()
    processes.host.pin_at(processes.host.link("web"), processes.pids[6])
    processes.host.pin_at(FOREIGN / "pod", processes.pids[7])
    processes.host.link("db").symlink_to(FOREIGN / "pod")
    request = {"state": "absent", "names": ("web", "db"), "force": True}
    replaceable = {"web": processes.host.pins()["web"], "db": None}
    return Scenario(request, {}, foreign, replaceable=replaceable, files=("pending",))


def compact(processes: Processes) -> Scenario:
    """The ledger has grown so long that the run writes it anew."""
    scenario = relink(processes)
    with open(processes.host.state / "ledger", "r+b") as stream:
        last = stream.read().splitlines(keepends=True)[-1]
        stream.write(last * 300)
    return scenario


def by_pid(processes: Processes) -> Scenario:
    processes.reset()
    return Scenario({"pid": processes.pids[0], "names": ("vpn",)}, {"vpn": processes.pids[0]})


def by_path(processes: Processes) -> Scenario:
    """A link to a pin of another program, where netns_dir is not shared."""
    processes.reset()
    foreign = processes.add_foreign()
    processes.host.pin_at(FOREIGN / "pod", processes.pids[0])
    request = {"path": str(FOREIGN / "pod"), "names": ("pod",)}
    return Scenario(request, {"pod": processes.pids[0]}, foreign, files=("pending",))


KINDS: tuple[t.Callable[[Processes], Scenario], ...] = (
    first,
    first_shared,
    link,
    relink,
    relink_copied,
    relink_shared,
    force,
    prune,
    follow,
    hook,
    unlink_names,
    unlink_containers,
    unlink_all,
    unlink_force,
    compact,
    by_pid,
    by_path,
)


def kill_at(function: t.Callable[[], t.Any], point: int) -> str | None:
    """Kill it before the call at this point. Returns the name of the call, None if the run ended before."""
    with Traced(function) as traced:
        for call in traced:
            if call.index == point:
                traced.kill()
                return call.name
        assert traced.error is None, traced.error
    return None


class Trial:
    """A scenario that is set up again for each point."""

    def __init__(self, processes: Processes, kind: t.Callable[[Processes], Scenario]) -> None:
        self.host = processes.host
        self.processes = processes
        self.scenario = kind(processes)
        self.replaceable = {name: self._lstat(name) for name in self.scenario.replaceable}
        self.outside = self._outside()

    def _lstat(self, name: str) -> tuple[int, int]:
        status = os.lstat(self.host.link(name))
        return (status.st_dev, status.st_ino)

    def _outside(self) -> list[tuple[str, str]]:
        return [pin for pin in self.host.all_pins() if pin[0].startswith(f"{FOREIGN}/")]

    def complete(self) -> None:
        """Do the run: the host is as requested, and the next run changes nothing."""
        scenario = self.scenario
        assert self.host.run(**scenario.request).failures == ()
        resolv = (*scenario.resolv, *scenario.foreign_resolv)
        check(
            self.host, scenario.managed, scenario.untouched, scenario.files, resolv, scenario.layers
        )
        assert not self.host.run(**scenario.request).changed
        assert self._outside() == self.outside
        self._check_copy()

    def _check_copy(self) -> None:
        """What is pinned in the private copy is pinned on the host too."""
        if self.scenario.is_copied:
            copied = {
                mount.root
                for mount in mounts.read(f"/proc/{self.processes.copy}/mountinfo")
                if mount.fstype == "nsfs" and mount.point.startswith(f"{self.host.dir}/")
            }
            assert copied <= {root for _point, root in self.host.all_pins()}

    def undo(self) -> None:
        """Remove all managed links: nothing is left of them, and all foreign entries are there."""
        scenario = self.scenario
        for request in (UNDO, {"prune": True}):
            assert self.host.run(**request).failures == ()
        untouched = {
            name: pin for name, pin in scenario.untouched.items() if name not in scenario.managed
        }
        files = set(scenario.files)
        for name, pin in scenario.replaceable.items():
            if not os.path.lexists(self.host.link(name)):
                continue
            if pin is not None and self._lstat(name) == self.replaceable[name]:
                untouched[name] = pin
                continue
            files.add(name)
            if pin is not None:
                # The run was killed while it removed a foreign link by force: an empty file is left.
                assert scenario.request["state"] == "absent"
                assert self._lstat(name)[1] == pin.file
        check(self.host, {}, untouched, files, scenario.foreign_resolv)
        assert self._outside() == self.outside
        self._check_copy()

    def kill(self, point: int) -> str | None:
        return kill_at(self.host.deferred_run(**self.scenario.request), point)

    def kill_undo(self, point: int) -> str | None:
        return kill_at(self.host.deferred_run(**UNDO), point)


def changes(call: Call) -> bool:
    if call.name == "openat":
        return bool(call.arguments[2] & (os.O_CREAT | os.O_TRUNC))
    return call.name in CHANGING


def sample(processes: Processes, kind: t.Callable[[Processes], Scenario]) -> list[int]:
    """Points spread over the calls that may change something."""
    # Load what is loaded on first use.
    Trial(processes, kind).complete()
    with Traced(processes.host.deferred_run(**kind(processes).request)) as traced:
        changing = [call.index for call in traced if changes(call)]
        assert traced.error is None, traced.error
    return changing[:: -(-len(changing) // SAMPLE)]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_run_killed_before_any_call_is_finished_by_the_next(
    host: IsolatedHost, full: bool, progress: Progress, kind: t.Callable[[Processes], Scenario]
) -> None:
    processes = Processes(host)
    completed = 0
    for point in itertools.count(1) if full else sample(processes, kind):
        trial = Trial(processes, kind)
        call = trial.kill(point)
        try:
            trial.complete()
            trial.undo()
            # Remove with a run that is killed too, at an unrelated point.
            trial = Trial(processes, kind)
            trial.kill(point)
            trial.kill_undo(point * 7919 % 400 if full else point)
            trial.undo()
        except BaseException:
            progress(f"{kind.__name__}: killed before call {point}, {call}", always=True)
            raise
        if call is None:
            break
        completed += 1
        progress(f"{kind.__name__}: killed before call {point}, {call}: completed")
    progress(f"{kind.__name__}: {completed} of {completed} points", always=True)
