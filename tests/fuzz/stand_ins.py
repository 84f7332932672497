# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Stand-ins for the kernel of a host on which an engine's state was captured."""

from __future__ import annotations

import os
import pathlib
import typing as t

from ansible_collections.linuxnet.netns.plugins.module_utils._core import model
from ansible_collections.linuxnet.netns.plugins.module_utils._core.engines import bundles, daemons
from ansible_collections.linuxnet.netns.plugins.module_utils._core.kernel import (
    mounts,
    nsfs,
    procfs,
)

HOST = 4026531840
SHIM = 4


class Kernel:
    """The kernel's answers about captured processes and pins.

    `hidden_pins` are files that are empty here, and `pins_elsewhere` are pins in the mount namespace of the
    engine's shims and monitors.
    """

    def __init__(self, processes: dict[str, t.Any], pins: dict[str, int]) -> None:
        self.processes = {int(pid): known for pid, known in processes.items()}
        self.pins = pins
        self.hidden_pins: list[str] = []
        self.pins_elsewhere: dict[str, int] = {}
        self._open: dict[int, int] = {}

    def patch(self, monkeypatch: t.Any) -> None:
        """Let it answer in place of the real kernel."""
        for name in ("open_process", "read_text", "netns"):
            monkeypatch.setattr(procfs, name, getattr(self, name))
        # Engines of this machine run daemons, whose PIDs may be those of captured processes.
        monkeypatch.setattr(daemons, "_command", lambda _pid: "")
        monkeypatch.setattr(bundles, "pinned_netns", self.pinned_netns)
        monkeypatch.setattr(bundles.mounts, "read", self.read_mounts)
        monkeypatch.setattr(nsfs, "device", lambda: 4)
        monkeypatch.setattr(nsfs, "host_netns", lambda: model.NetnsId(4, HOST))
        monkeypatch.setattr(bundles.time, "sleep", lambda _: None)

    def open_process(self, pid: int) -> int:
        """procfs.open_process."""
        if pid not in self.processes:
            raise model.GoneError(f"there is no process {pid}")
        fd = os.open("/", os.O_RDONLY)
        self._open[fd] = pid
        return fd

    def read_text(self, process: int, name: str) -> str:
        """procfs.read_text."""
        known = self.processes[self._open[process]]
        if name == "stat" and name not in known:
            return f"1 (sh) S {SHIM} 1"
        return str(known[name])

    def netns(self, process: int) -> model.NetnsId:
        """procfs.netns."""
        return model.NetnsId(4, self.processes[self._open[process]]["netns"])

    def pinned_netns(self, path: str) -> model.NetnsId:
        """bundles.pinned_netns."""
        if path in self.hidden_pins:
            raise bundles.HiddenPinError(f"its pin {path!r} is an empty file, not a namespace")
        if path not in self.pins:
            raise model.GoneError(f"its pin {path!r} is gone")
        return model.NetnsId(4, self.pins[path])

    def read_mounts(self, path: str) -> list[mounts.Mount]:
        """mounts.read."""
        assert path == f"/proc/{SHIM}/mountinfo"
        return [
            mounts.Mount(1, 1, 4, f"net:[{netns}]", pin, 0, "nsfs")
            for pin, netns in self.pins_elsewhere.items()
        ]


class Proc:
    """Captured processes as a /proc on disk."""

    def __init__(self, directory: pathlib.Path) -> None:
        self.proc = directory

    def patch(self, monkeypatch: t.Any) -> None:
        """Let it be /proc."""
        real = os.open

        def redirect(
            path: t.Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None
        ) -> int:
            text = str(path)
            if text.startswith("/proc/") and text.endswith("/stat"):
                path = str(self.proc) + text[len("/proc") :]
            return real(path, flags, mode, dir_fd=dir_fd)

        monkeypatch.setattr(procfs, "pids", self.pids)
        monkeypatch.setattr(procfs, "open_process", self.open_process)
        monkeypatch.setattr(os, "open", redirect)

    def add(self, pid: int, exe: str, netns: int = 0, root: str = "/", **files: str) -> None:
        """Add a process."""
        path = self.proc / str(pid)
        path.mkdir(parents=True)
        for name, text in files.items():
            (path / name).write_bytes(os.fsencode(text))
        (path / "exe").symlink_to(exe)
        (path / "root").symlink_to(root)

    def end(self, pid: int) -> None:
        """End a process."""
        (self.proc / str(pid)).rename(self.proc / f"was-{pid}")

    def parent(self, pid: int) -> pathlib.Path:
        """The directory of the parent of a process."""
        stat = (self.proc / str(pid) / "stat").read_text()
        return self.proc / stat.rpartition(")")[2].split()[1]

    def pids(self) -> list[int]:
        """procfs.pids."""
        return [int(path.name) for path in self.proc.iterdir() if path.name.isdigit()]

    def open_process(self, pid: int) -> int:
        """procfs.open_process."""
        try:
            return os.open(self.proc / str(pid), os.O_RDONLY | os.O_DIRECTORY)
        except FileNotFoundError:
            raise model.GoneError(f"there is no process {pid}") from None
