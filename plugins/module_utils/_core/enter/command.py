# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One command in one namespace: what the forked child does until it is the command."""

from __future__ import annotations

import os
import pwd
import signal
import typing as t

from ..kernel import libc
from ..named_tuple import NamedTuple
from . import namespace

# The supervisor ignores these, and Python the last two; the command must not.
_SIGNALS = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGPIPE, signal.SIGXFSZ)
# In the order of the numbers that they get.
_STANDARD_FILES = 3


class Command(NamedTuple):
    """What runs in each namespace. `account` is the user's entry and groups, None for root."""

    argv: tuple[str, ...]
    chdir: str | None = None
    environment: t.Mapping[str, str] = {}
    stdin: bytes | None = None
    account: tuple[pwd.struct_passwd, list[int]] | None = None
    etc: bool = True
    dns_guard: bool = True

    def full_environment(self) -> dict[str, str]:
        """The environment of this process, the user's variables, and those that were given."""
        environment = dict(os.environ)
        if self.account:
            environment.update(namespace.variables_of(self.account[0]))
        environment.update(self.environment)
        return environment


class Files(NamedTuple):
    """The child's ends of pipes. `problem` takes the reason where the command cannot be started."""

    stdin: int
    stdout: int
    stderr: int
    problem: int


class Starter:
    """Starts a command in namespaces. `prepared` is what namespace.prepare() has returned to this process."""

    def __init__(self, command: Command, prepared: list[bytes]) -> None:
        self._command = command
        self._environment = command.full_environment()
        self._prepared = prepared
        self._parent = os.getpid()

    def start(self, netns: int, link: str | None, files: Files) -> int:
        """Fork a child that becomes the command in an open namespace; returns its PID."""
        child = os.fork()
        if child:
            return child
        try:
            problem = self._become_command(netns, link, files)
            os.write(files.problem, problem.encode("utf-8", "backslashreplace"))
        finally:
            # Neither an exception nor an exit handler of the parent may get past this.
            os._exit(127)

    def _become_command(self, netns: int, link: str | None, files: Files) -> str:
        """Only returns where that fails: the reason."""
        command = self._command
        try:
            # A session of its own has no terminal, and gets no signal from one.
            os.setsid()
            _die_with(self._parent)
            for number in range(_STANDARD_FILES):
                os.dup2(files[number], number)
            namespace.enter(
                netns, link, etc=command.etc, dns_guard=command.dns_guard, prepared=self._prepared
            )
            if command.account:
                namespace.become(*command.account)
                # The kernel forgets it where a process changes its user.
                _die_with(self._parent)
            if command.chdir is not None:
                try:
                    os.chdir(command.chdir)
                except OSError as error:
                    return f"cannot change to the directory {command.chdir!r}: {error.strerror}"
            for number in _SIGNALS:
                signal.signal(number, signal.SIG_DFL)
            os.execvpe(command.argv[0], command.argv, self._environment)
        except namespace.EnterError as error:
            return str(error)
        except OSError as error:
            return f"cannot run {command.argv[0]!r}: {error.strerror}"


def _die_with(parent: int) -> None:
    """Have the kernel kill this process when its parent ends."""
    libc.prctl(libc.SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(127)
