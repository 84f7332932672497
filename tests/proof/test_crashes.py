# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs that are killed before each of their system calls; the next one makes all right."""

from __future__ import annotations

import itertools
import os
import typing as t
from dataclasses import dataclass, field

import pytest
from tracer import Call, Traced
from world import OTHERS, Pin, Progress, World, check

from ansible_collections.linuxnet.netns.plugins.module_utils._core.links.request import HOOK

# Calls that change something, besides openat(2); a sample has points before them.
CHANGING = frozenset(
    (
        *("mkdir", "mkdirat", "rmdir", "unlink", "unlinkat", "rename", "renameat", "renameat2"),
        *("write", "mount", "umount2"),
    )
)
SAMPLE = 12
NAMES = ("web", "db", "api")
UNDO: dict[str, t.Any] = {"state": "absent", "all": True, "engines": None}


@dataclass
class Story:
    """A run, what it leaves, and what it may not touch.

    `ours` are the links afterwards, by PID; `still` the pins that stay as they are, of others and of
    ours; `given` what others made at names that it may take; `files` what they made that is no pin;
    `resolv` who has a file in /etc/netns then, `resolv_of_others` who has one whatever happens.
    Each pin is mounted as often as `layers` says.
    """

    request: dict[str, t.Any]
    ours: dict[str, int]
    still: dict[str, Pin] = field(default_factory=dict)
    given: dict[str, Pin | None] = field(default_factory=dict)
    files: tuple[str, ...] = ()
    resolv: tuple[str, ...] = ()
    resolv_of_others: tuple[str, ...] = ()
    layers: tuple[int, ...] = (1,)


class Scene:
    """The world with processes that are made once, as each takes longer than a run."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.pids = [world.process() for _each in range(8)]

    def reset(self, shared: bool = False) -> None:
        self.world.fresh(shared)
        self.world.containers.clear()
        self.world.tell()

    def contain(self, *names: str, first: int = 0, **more: t.Any) -> dict[str, int]:
        """Containers of these names, by turns with these processes."""
        for offset, name in enumerate(names):
            self.world.container(name, self.pids[first + offset], identity(name), **more)
        return dict(zip(names, self.pids[first:]))

    def others(self) -> dict[str, Pin]:
        """Pins by others, beside ours."""
        self.world.pin_at(self.world.link("cni-1"), self.pids[7])
        self.world.link("pending").touch()
        return {"cni-1": self.world.pins()["cni-1"]}


def identity(name: str) -> str:
    return name.encode().hex().ljust(64, "0")


def dns(scene: Scene) -> dict[str, t.Any]:
    path = scene.world.socket.with_name("resolv.conf")
    path.write_text("nameserver 192.0.2.1\n")
    return {"resolv_conf": str(path)}


def first(scene: Scene) -> Story:
    """Nothing of ours was ever here: folders, mount and ledger are made."""
    scene.reset()
    return Story({"all": True}, scene.contain(*NAMES))


def first_shared(scene: Scene) -> Story:
    """The same where /run is a shared mount, as under systemd.

    A run that is killed between the bind and its own propagation leaves what `ip netns` makes there.
    """
    scene.reset(shared=True)
    return Story({"all": True}, scene.contain(*NAMES), layers=(1, 2))


def link(scene: Scene) -> Story:
    """One link stands, one name has an empty file, one has nothing; others have theirs."""
    scene.reset()
    scene.world.as_ip_does()
    theirs = scene.others()
    scene.contain("web")
    scene.world.act(all=True)
    scene.world.link("db").touch()
    return Story(
        {"all": True},
        scene.contain(*NAMES),
        {**theirs, "web": scene.world.pins()["web"]},
        given={"db": None},
        files=("pending",),
    )


def relink(scene: Scene) -> Story:
    """Two containers have restarted."""
    scene.reset()
    scene.world.as_ip_does()
    theirs = scene.others()
    scene.contain(*NAMES)
    scene.world.act(all=True)
    stays = {"api": scene.world.pins()["api"]}
    ours = {**scene.contain(*NAMES), **scene.contain("web", "db", first=4)}
    return Story({"all": True}, ours, {**theirs, **stays}, files=("pending",))


def relink_shared(scene: Scene) -> Story:
    """The same where each pin is mounted twice: /run is shared, and `ip netns add` came first."""
    scene.reset(shared=True)
    scene.world.as_ip_does()
    scene.contain(*NAMES)
    scene.world.act(all=True)
    ours = {**scene.contain(*NAMES), **scene.contain("web", "db", first=4)}
    return Story({"all": True}, ours, layers=(2,))


def force(scene: Scene) -> Story:
    """Others have the names: a pin, and a symbolic link to another manager's."""
    scene.reset()
    scene.world.as_ip_does()
    theirs = scene.others()
    scene.world.pin_at(scene.world.link("web"), scene.pids[6])
    scene.world.pin_at(OTHERS / "pod", scene.pids[7])
    scene.world.link("db").symlink_to(OTHERS / "pod")
    return Story(
        {"all": True, "force": True},
        scene.contain(*NAMES),
        theirs,
        given={"web": scene.world.pins()["web"], "db": None},
        files=("pending",),
    )


def prune(scene: Scene) -> Story:
    """Two containers are gone, with their resolv.conf."""
    scene.reset()
    scene.world.as_ip_does()
    theirs = scene.others()
    scene.contain(*NAMES, **dns(scene))
    scene.world.act(all=True, resolv_conf=True)
    for name in ("db", "api"):
        del scene.world.containers[identity(name)]
    scene.world.tell()
    return Story(
        {"prune": True},
        {"web": scene.pids[0]},
        {**theirs, "web": scene.world.pins()["web"]},
        files=("pending",),
        resolv=("web",),
    )


def follow(scene: Scene, **more: t.Any) -> Story:
    """One has restarted, one is gone, one is new, one stays; each with its resolv.conf.

    Beside them a file in /etc/netns that a reboot left, and one by others.
    """
    scene.reset()
    scene.world.as_ip_does()
    theirs = scene.others()
    request = {"all": True, "prune": True, "resolv_conf": True, **more}
    scene.contain("web", "db", "stays", **dns(scene))
    scene.world.act(**request)
    theirs["stays"] = scene.world.pins()["stays"]
    (scene.world.etc / "rebooted").mkdir()
    text = (scene.world.etc / "web" / "resolv.conf").read_text()
    lost = text.replace(str(scene.world.link("web")), str(scene.world.link("rebooted")))
    (scene.world.etc / "rebooted" / "resolv.conf").write_text(lost)
    (scene.world.etc / "vpn").mkdir()
    (scene.world.etc / "vpn" / "resolv.conf").write_text("nameserver 192.0.2.9\n")
    del scene.world.containers[identity("db")]
    ours = {"stays": scene.pids[2], **scene.contain("web", "api", first=4, **dns(scene))}
    return Story(
        request,
        ours,
        theirs,
        files=("pending",),
        resolv=("stays", "web", "api"),
        resolv_of_others=("vpn",),
    )


def hook(scene: Scene) -> Story:
    """The same as the hook does it, and one was renamed."""
    story = follow(scene, maker=HOOK)
    scene.contain("old", first=6, **dns(scene))
    scene.world.act(**story.request, only={"docker": frozenset((identity("old"),))})
    scene.world.containers[identity("old")]["name"] = "new"
    scene.world.tell()
    story.ours["new"] = scene.pids[6]
    story.resolv += ("new",)
    return story


def _linked(scene: Scene) -> dict[str, Pin]:
    scene.reset()
    scene.world.as_ip_does()
    theirs = scene.others()
    scene.contain(*NAMES, **dns(scene))
    scene.world.act(all=True, resolv_conf=True)
    return theirs


def _all_but_api(scene: Scene, **selected: t.Any) -> Story:
    theirs = _linked(scene)
    theirs["api"] = scene.world.pins()["api"]
    request = {"state": "absent", **selected}
    ours = {"api": scene.pids[2]}
    return Story(request, ours, theirs, files=("pending",), resolv=("api",))


def unlink_names(scene: Scene) -> Story:
    return _all_but_api(scene, names=("web", "db"))


def unlink_containers(scene: Scene) -> Story:
    return _all_but_api(scene, containers=("web", "d*"))


def unlink_all(scene: Scene) -> Story:
    theirs = _linked(scene)
    return Story({"state": "absent", "all": True}, {}, theirs, files=("pending",))


def unlink_force(scene: Scene) -> Story:
    """A link of others goes by force, and a symbolic link of others without what it leads to."""
    scene.reset()
    scene.world.as_ip_does()
    theirs = scene.others()
    scene.world.pin_at(scene.world.link("web"), scene.pids[6])
    scene.world.pin_at(OTHERS / "pod", scene.pids[7])
    scene.world.link("db").symlink_to(OTHERS / "pod")
    request = {"state": "absent", "names": ("web", "db"), "force": True}
    given = {"web": scene.world.pins()["web"], "db": None}
    return Story(request, {}, theirs, given=given, files=("pending",))


def compact(scene: Scene) -> Story:
    """The ledger has grown so long that the run writes it anew."""
    story = relink(scene)
    with open(scene.world.state / "ledger", "r+b") as stream:
        last = stream.read().splitlines(keepends=True)[-1]
        stream.write(last * 300)
    return story


def by_pid(scene: Scene) -> Story:
    scene.reset()
    return Story({"pid": scene.pids[0], "names": ("vpn",)}, {"vpn": scene.pids[0]})


def by_path(scene: Scene) -> Story:
    """Of another manager's pin, where nobody shares netns_dir."""
    scene.reset()
    theirs = scene.others()
    scene.world.pin_at(OTHERS / "pod", scene.pids[0])
    request = {"path": str(OTHERS / "pod"), "names": ("pod",)}
    return Story(request, {"pod": scene.pids[0]}, theirs, files=("pending",))


KINDS: tuple[t.Callable[[Scene], Story], ...] = (
    first,
    first_shared,
    link,
    relink,
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


def killed(work: t.Callable[[], t.Any], point: int) -> str | None:
    """Run it until it is about to make its how manieth call; the call's name, None if it ended before."""
    with Traced(work) as traced:
        for call in traced:
            if call.index == point:
                traced.kill()
                return call.name
        assert traced.error is None, traced.error
    return None


class Trial:
    """A story that begins anew for each point."""

    def __init__(self, scene: Scene, kind: t.Callable[[Scene], Story]) -> None:
        self.world = scene.world
        self.story = kind(scene)
        self.given = {name: self._lstat(name) for name in self.story.given}
        self.outside = self._outside()

    def _lstat(self, name: str) -> tuple[int, int]:
        status = os.lstat(self.world.link(name))
        return (status.st_dev, status.st_ino)

    def _outside(self) -> list[tuple[str, str]]:
        return [pin for pin in self.world.all_pins() if pin[0].startswith(f"{OTHERS}/")]

    def again(self) -> None:
        """The same run: all is right, and the next one finds nothing to do."""
        story = self.story
        assert self.world.run(**story.request).failures == ()
        resolv = (*story.resolv, *story.resolv_of_others)
        check(self.world, story.ours, story.still, story.files, resolv, story.layers)
        assert not self.world.run(**story.request).changed
        assert self._outside() == self.outside

    def undo(self) -> None:
        """Remove what is ours: nothing is left of it, and all that others made is there."""
        story = self.story
        for request in (UNDO, {"prune": True}):
            assert self.world.run(**request).failures == ()
        still = {name: pin for name, pin in story.still.items() if name not in story.ours}
        files = set(story.files)
        for name, pin in story.given.items():
            if not os.path.lexists(self.world.link(name)):
                continue
            if pin is not None and self._lstat(name) == self.given[name]:
                still[name] = pin
                continue
            files.add(name)
            if pin is not None:
                # A link of others, killed while it was removed by force: an empty file is left.
                assert story.request["state"] == "absent"
                assert self._lstat(name)[1] == pin.file
        check(self.world, {}, still, files, story.resolv_of_others)
        assert self._outside() == self.outside

    def kill(self, point: int) -> str | None:
        return killed(self.world.work(**self.story.request), point)

    def kill_undo(self, point: int) -> str | None:
        return killed(self.world.work(**UNDO), point)


def changes(call: Call) -> bool:
    if call.name == "openat":
        return bool(call.arguments[2] & (os.O_CREAT | os.O_TRUNC))
    return call.name in CHANGING


def sample(scene: Scene, kind: t.Callable[[Scene], Story]) -> list[int]:
    """Some points, spread over the calls that may change something."""
    # Whatever is loaded on first use is loaded by then.
    Trial(scene, kind).again()
    with Traced(scene.world.work(**kind(scene).request)) as traced:
        changing = [call.index for call in traced if changes(call)]
        assert traced.error is None, traced.error
    return changing[:: -(-len(changing) // SAMPLE)]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_run_killed_before_any_call_is_finished_by_the_next(
    world: World, full: bool, progress: Progress, kind: t.Callable[[Scene], Story]
) -> None:
    scene = Scene(world)
    right = 0
    for point in itertools.count(1) if full else sample(scene, kind):
        trial = Trial(scene, kind)
        call = trial.kill(point)
        try:
            trial.again()
            trial.undo()
            # And by one that is killed as well: where, has nothing to do with the first.
            trial = Trial(scene, kind)
            trial.kill(point)
            trial.kill_undo(point * 7919 % 400 if full else point)
            trial.undo()
        except BaseException:
            progress(f"{kind.__name__}: killed before call {point}, {call}", always=True)
            raise
        if call is None:
            break
        right += 1
        progress(f"{kind.__name__}: killed before call {point}, {call}: right")
    progress(f"{kind.__name__}: {right} of {right} points", always=True)
