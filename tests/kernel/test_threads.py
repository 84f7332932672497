# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Containers whose first thread has ended while others run: the kernel shows them as zombies."""

from __future__ import annotations

import os
import pathlib
import platform
import sys
import time

import pytest
from support import Daemon, ScratchHost, inode

from ansible_collections.linuxnet.netns.plugins.module_utils._core import model
from ansible_collections.linuxnet.netns.plugins.module_utils._core.engines import bundles, nspawn
from ansible_collections.linuxnet.netns.plugins.module_utils._core.facts import discovery, gather
from ansible_collections.linuxnet.netns.plugins.module_utils._core.facts.request import (
    FactsRequest,
)
from ansible_collections.linuxnet.netns.plugins.module_utils._core.kernel import procfs

WEB = "a" * 64
_EXIT = {"x86_64": 60, "aarch64": 93}[platform.machine()]
# Ends the first thread alone, after a moment: pthread_exit(3) would wait for the interpreter. With an
# argument, the other two threads are in two network namespaces.
_SCRIPT = f"""
import ctypes, socket, sys, threading, time
libc = ctypes.CDLL(None)
kept = [open(path) for path in sys.argv[2:]]
kept.append(socket.socket())
def run(moves):
    moves and libc.unshare(0x40000000)
    time.sleep(999)
for moves in (False, len(sys.argv) > 1):
    threading.Thread(target=run, args=(moves,), daemon=True).start()
time.sleep(0.3)
libc.syscall({_EXIT}, 0)
"""


def without_first_thread(scratch: ScratchHost, *arguments: str) -> tuple[int, int]:
    """A process without its first thread, and the inode of its network namespace."""
    pid = scratch.process(sys.executable, "-c", _SCRIPT, *arguments)
    netns = inode(f"/proc/{pid}/ns/net")
    stat = pathlib.Path(f"/proc/{pid}/stat")
    while procfs.stat_fields(stat.read_text())[0] != "Z":
        time.sleep(0.02)
    with pytest.raises(FileNotFoundError):
        inode(f"/proc/{pid}/ns/net")
    return pid, netns


@pytest.mark.parametrize("pinned", [False, True])
def test_all_links_it(scratch: ScratchHost, daemon: Daemon, pinned: bool) -> None:
    if pinned:
        # What the kernel shows of several namespaces decides nothing, the pin does.
        other = scratch.process()
        scratch.pin("pin", other)
        pid, _own = without_first_thread(scratch, "apart")
        netns = inode(f"/proc/{other}/ns/net")
    else:
        pid, netns = without_first_thread(scratch)
    daemon.add("web", pid, WEB)
    if pinned:
        daemon.containers[WEB]["pin"] = str(scratch.link("pin"))
    assert scratch.act(all=True) == {"web": "created"}
    assert inode(scratch.link("web")) == netns
    assert scratch.act(all=True, prune=True) == {"web": "unchanged"}
    request = FactsRequest(str(scratch.dir), None, 5.0, frozenset(("containers", "dns")))
    facts = gather.gather(request, str(scratch.state))
    (namespace,) = (each for each in facts["namespaces"] if each["inode"] == netns)
    assert [container["name"] for container in namespace["containers"]] == ["web"]


def test_threads_in_several_namespaces(scratch: ScratchHost, daemon: Daemon) -> None:
    pid, _netns = without_first_thread(scratch, "apart")
    daemon.add("web", pid, WEB)
    (row,) = scratch.run(all=True, prune=True).links
    assert row["action"] == "skipped"
    assert (
        "its first thread ended, and the others are in several network namespaces" in row["reason"]
    )


def test_what_it_holds_open_is_found(scratch: ScratchHost) -> None:
    other = scratch.process()
    held = inode(f"/proc/{other}/ns/net")
    pid, netns = without_first_thread(scratch, "apart", f"/proc/{other}/ns/net")
    scratch.end(other)
    found = discovery.Search(str(scratch.dir)).wait()
    by_inode = {each.inode: references for each, references in found.namespaces.items()}
    assert by_inode[netns].pids == [pid]
    (path,) = by_inode[held].proc_files
    assert path.startswith(f"/proc/{pid}/task/")
    assert inode(path) == held
    assert by_inode[held].holders == [pid]
    assert found.sockets_problem == (
        f"the first thread of process {pid} ended, and so its sockets could not be looked at"
    )


def test_by_pid(scratch: ScratchHost) -> None:
    pid, netns = without_first_thread(scratch)
    assert scratch.act(pid=pid, names=("web",)) == {"web": "created"}
    assert inode(scratch.link("web")) == netns


def test_cgroups(scratch: ScratchHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """With cgroup v1 the first thread is in no cgroup any more: another one shows the container."""
    pid, netns = without_first_thread(scratch)
    real = procfs.read_text

    def read_text(process: int, name: str) -> str:
        if name.endswith("cgroup"):
            thread = real(process, name) and name.startswith("task/")
            return (
                f"1:name=systemd:/machine-web.scope/docker-{WEB}.scope\n" if thread else "1:a:/\n"
            )
        return real(process, name)

    monkeypatch.setattr(procfs, "read_text", read_text)
    bundle = bundles.Bundle({}, "", "", None, 1.0, pid)
    assert bundles.is_running(bundle, WEB)
    assert bundles.netns_of(bundle, WEB).inode == netns
    assert nspawn._status(nspawn._Machine("web", pid, "machine-web.scope")) == "running"
    with procfs.opened(pid) as process:
        assert procfs.in_cgroup_of(process, WEB)


@pytest.mark.parametrize("refused", [False, True])
def test_a_process_of_which_all_threads_have_ended(
    scratch: ScratchHost, monkeypatch: pytest.MonkeyPatch, refused: bool
) -> None:
    """The kernel refuses to show one that ends while it looks, and once it has ended there is nothing."""
    pid = scratch.process()
    with procfs.opened(pid) as process:
        scratch.end(pid)
        refusals = [PermissionError()] if refused else []
        real = os.stat

        def stat(path: str, *, dir_fd: int | None = None) -> os.stat_result:
            if refusals:
                raise refusals.pop()
            return real(path, dir_fd=dir_fd)

        monkeypatch.setattr(os, "stat", stat)
        assert procfs.living_thread(process) == ""
        with pytest.raises(model.GoneError):
            procfs.netns(process)
