# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Somebody puts a link of their own in the place of ours, before each system call of a run."""

from __future__ import annotations

import contextlib
import itertools
import typing as t

import pytest
from tracer import Traced
from world import Progress, World, inode

from ansible_collections.linuxnet.netns.plugins.module_utils._core import model
from ansible_collections.linuxnet.netns.plugins.module_utils._core.kernel import libc

WEB = "a1" * 32
# In a sample, every how manieth call.
STRIDE = 7


def swap(world: World, pid: int) -> None:
    """What `ip netns del` and `attach` do, without a lock."""
    path = world.link("web")
    with contextlib.suppress(OSError):
        libc.umount(str(path), libc.MNT_DETACH)
    path.unlink(missing_ok=True)
    world.pin_at(path, pid)


def result(world: World, request: dict[str, t.Any]) -> bool:
    """Whether the run ended; a refusal is an end."""
    with contextlib.suppress(model.NetnsError):
        world.run(**request)
    return True


@pytest.mark.parametrize("kind", ["link", "relink", "unlink", "prune"])
def test_what_others_put_there_meanwhile_stays(
    world: World, full: bool, progress: Progress, kind: str
) -> None:
    request: dict[str, t.Any] = {
        "link": {"all": True},
        "relink": {"all": True},
        "unlink": {"state": "absent", "names": ("web",)},
        "prune": {"prune": True},
    }[kind]
    old, new, theirs = (world.process() for _each in range(3))
    right = 0
    for point in itertools.count(1, 1 if full else STRIDE):
        world.fresh()
        world.as_ip_does()
        world.container("web", old, WEB)
        if kind != "link":
            world.run(all=True)
        world.container("web", 0 if kind == "prune" else new, WEB)
        happened, mount = None, ()
        with Traced(lambda: result(world, request)) as traced:
            for call in traced:
                if call.index == point:
                    swap(world, theirs)
                    happened, mount = call.name, world.pins()["web"].mounts
            assert traced.error is None, traced.error
        if happened is None:
            break
        assert inode(world.link("web")) == inode(f"/proc/{theirs}/ns/net"), f"{point}, {happened}"
        assert world.pins()["web"].mounts == mount, f"{point}, {happened}"
        # Nor is it ours by the next run.
        assert world.run(state="absent", all=True).changed is False
        assert world.pins()["web"].mounts == mount
        world.container("web", 0, WEB)
        world.run(prune=True)
        assert set(world.pins()) == {"web"}
        right += 1
        progress(f"{kind}: swapped before call {point}, {happened}: right")
    progress(f"{kind}: {right} of {right} points", always=True)
