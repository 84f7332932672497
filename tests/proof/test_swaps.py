# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Another program replaces a managed link with its own, before each system call of a run."""

from __future__ import annotations

import contextlib
import itertools
import typing as t

import pytest
from isolated_host import IsolatedHost, Progress, inode
from syscall_tracer import Traced

from ansible_collections.linuxnet.netns.plugins.module_utils._core import model
from ansible_collections.linuxnet.netns.plugins.module_utils._core.kernel import libc

WEB = "a1" * 32
# A sample has one of so many calls.
STRIDE = 7


def replace_link(host: IsolatedHost, pid: int) -> None:
    """Do what `ip netns del` and `attach` do, without a lock."""
    path = host.link("web")
    with contextlib.suppress(OSError):
        libc.umount(str(path), libc.MNT_DETACH)
    path.unlink(missing_ok=True)
    host.pin_at(path, pid)


def run(host: IsolatedHost, request: dict[str, t.Any]) -> bool:
    """Do a run, which may be refused."""
    with contextlib.suppress(model.NetnsError):
        host.run(**request)
    return True


@pytest.mark.parametrize("kind", ["link", "relink", "unlink", "prune"])
def test_what_others_put_there_meanwhile_stays(
    host: IsolatedHost, full: bool, progress: Progress, kind: str
) -> None:
    request: dict[str, t.Any] = {
        "link": {"all": True},
        "relink": {"all": True},
        "unlink": {"state": "absent", "names": ("web",)},
        "prune": {"prune": True},
    }[kind]
    old, new, foreign = (host.process() for _each in range(3))
    points = 0
    for point in itertools.count(1, 1 if full else STRIDE):
        host.reset()
        host.prepare_as_ip()
        host.container("web", old, WEB)
        if kind != "link":
            host.run(all=True)
        host.container("web", 0 if kind == "prune" else new, WEB)
        call_name, mount = None, ()
        with Traced(lambda: run(host, request)) as traced:
            for call in traced:
                if call.index == point:
                    replace_link(host, foreign)
                    call_name, mount = call.name, host.pins()["web"].mounts
            assert traced.error is None, traced.error
        if call_name is None:
            break
        assert inode(host.link("web")) == inode(f"/proc/{foreign}/ns/net"), f"{point}, {call_name}"
        assert host.pins()["web"].mounts == mount, f"{point}, {call_name}"
        # The next run does not take it for a managed link.
        assert host.run(state="absent", all=True).changed is False
        assert host.pins()["web"].mounts == mount
        host.container("web", 0, WEB)
        host.run(prune=True)
        assert set(host.pins()) == {"web"}
        points += 1
        progress(f"{kind}: replaced before call {point}, {call_name}")
    progress(f"{kind}: {points} of {points} points", always=True)
