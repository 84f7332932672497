# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The monitor processes of liblxc, with which LXC, Incus and LXD run containers.

A monitor has the title "[lxc monitor] LXCPATH NAME" (do_lxcapi_start in src/lxc/lxccontainer.c). The
container's first process is its child. liblxc writes neither to a file, and its cgroups can have any name.
"""

from __future__ import annotations

import contextlib
import os
import typing as t

from .. import model
from ..kernel import procfs
from ..named_tuple import NamedTuple
from . import state_files

TITLE = "[lxc monitor] "
ENDED = (model.GoneError, FileNotFoundError, ProcessLookupError)
_MAX_STAT = 1 << 12
_Identity = t.TypeVar("_Identity")


class FirstProcess(NamedTuple):
    """The first process; `unread` is why the children of the monitor do not show which it is."""

    pid: int
    started: float
    unread: str | None = None


def find(
    prefix: str, identify: t.Callable[[int], _Identity | None], deadline: state_files.Deadline
) -> list[tuple[_Identity, FirstProcess | None]]:
    """The containers that have a monitor, each with its first process; those without one come last.

    The command of a monitor starts with the prefix, and `identify` returns its container, or None where
    it is no monitor. Raises EngineError.
    """
    candidates: list[int] = []
    children: dict[int, list[int]] = {}
    try:
        for pid in procfs.pids():
            deadline.check(model.PROCESSES)
            stat = _stat(pid)
            if stat:
                children.setdefault(int(procfs.stat_fields(stat)[1]), []).append(pid)
                if stat.partition("(")[2].startswith(prefix):
                    candidates.append(pid)
    except OSError as error:
        raise state_files.read_error(model.PROCESSES, error) from None
    found: list[tuple[_Identity, FirstProcess | None]] = []
    for pid in candidates:
        deadline.check(model.PROCESSES)
        try:
            with procfs.opened(pid) as monitor:
                identity = identify(monitor)
                if identity is None:
                    continue
                try:
                    process = _first_process(monitor, sorted(children.get(pid, ())))
                except OSError as error:
                    unread = f"the children of its monitor: {state_files.read_error(f'/proc/{pid}', error)}"
                    process = FirstProcess(0, 0.0, unread)
                found.append((identity, process))
        except ENDED:
            continue
        except OSError as error:
            raise state_files.read_error(f"/proc/{pid}", error) from None
    return sorted(found, key=lambda pair: (pair[1] is None, pair[0]))


def _stat(pid: int) -> str:
    """The stat file of a process, "" where it has ended. No other file is read of every process."""
    try:
        fd = os.open(f"/proc/{pid}/stat", os.O_RDONLY | os.O_CLOEXEC)
        try:
            return os.fsdecode(os.read(fd, _MAX_STAT))
        finally:
            os.close(fd)
    # Processes of other users may be hidden from an ordinary user.
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return ""


def is_program_of_root(process: int, prefix: str) -> bool:
    """Whether root runs a process, with our root directory, from an executable whose name has this prefix.

    A user can give any name, title and arguments to a setuid program and to a program in a container,
    in which a whole node can run.
    """
    uids = procfs.status_field(process, "Uid")
    if any(uid != "0" for uid in uids):
        return False
    try:
        executable = os.path.basename(os.readlink("exe", dir_fd=process))
    except PermissionError:  # an ordinary user may not see this of processes of others
        return True
    return executable.startswith(prefix) and procfs.shares_root(process)


def _first_process(monitor: int, children: t.Iterable[int]) -> FirstProcess | None:
    for pid in children:
        with contextlib.suppress(*ENDED), procfs.opened(pid) as process:
            if is_first_process(process, monitor):
                return FirstProcess(pid, procfs.since_epoch(procfs.start_time(process)))
    return None


def is_first_process(process: int, monitor: int) -> bool:
    """Whether a child of the monitor is the container's first process, and not one of its hooks."""
    if len(procfs.status_field(process, "NSpid")) > len(procfs.status_field(monitor, "NSpid")):
        return True
    return procfs.read_text(process, "cgroup") != procfs.read_text(monitor, "cgroup")
