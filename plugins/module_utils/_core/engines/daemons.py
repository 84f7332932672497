# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Daemons and shims that run on this host, and the options that they were started with."""

from __future__ import annotations

import os
import typing as t

from .. import model
from ..kernel import procfs, sockets
from . import state_files

_MAX_COMM = 64


def running(
    prefix: str, is_candidate: t.Callable[[int, str], bool] = lambda _pid, _command: True
) -> t.Iterator[tuple[int, str]]:
    """Root's processes whose command starts with a prefix: a descriptor of each, and its command.

    Only root's, as any user can give a process this name, and only those with our root directory, as
    a whole node can run in a container. `is_candidate` chooses by PID and command which processes
    to open, which costs much more.
    """
    for pid in sorted(procfs.pids()):
        # Opening the directory of every process would double the time.
        command = _command(pid)
        if not command.startswith(prefix) or not is_candidate(pid, command):
            continue
        try:
            process = procfs.open_process(pid)
        except (OSError, model.GoneError):
            continue
        try:
            command = procfs.command(process)
            if (
                command.startswith(prefix)
                and procfs.user(process) == 0
                and procfs.shares_root(process)
            ):
                yield process, command
        except (OSError, model.GoneError):  # it ended, or may not be read
            continue
        finally:
            os.close(process)


def _command(pid: int) -> str:
    try:
        fd = os.open(f"/proc/{pid}/comm", os.O_RDONLY | os.O_CLOEXEC)
        try:
            return os.fsdecode(os.read(fd, _MAX_COMM)).rstrip("\n")
        finally:
            os.close(fd)
    except OSError:
        return ""


def option(process: int, *names: str) -> str:
    """The value of a command-line option of a process, "" where it is not given."""
    return option_among(arguments(process), *names)


def arguments(process: int) -> list[str]:
    """The command line of a process, empty where it may not be read."""
    try:
        return procfs.command_line(process)
    except (OSError, model.GoneError):
        return []


def option_among(words: t.Sequence[str], *names: str) -> str:
    """The value of an option in a command line, "" where it is not given."""
    for argument, following in zip(words, [*words[1:], ""]):
        name, equals, value = argument.partition("=")
        if name.startswith("-") and name.lstrip("-") in names:
            return value if equals else following
    return ""


def would_be_started(socket: str, daemon: str) -> bool:
    """Whether systemd listens on a daemon's socket in its place, and a connection would start the daemon.

    A daemon that runs has the socket from systemd, also where it has another root directory, as one from
    a snap has. Raises EngineError.
    """
    try:
        inodes = sockets.listening(socket)
        return sockets.holds(1, inodes) and not any(
            _command(pid) == daemon and sockets.holds(pid, inodes) for pid in procfs.pids()
        )
    except OSError as error:
        raise state_files.read_error("/proc", error) from None
