# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs a command in many namespaces, some at a time, with bounded output, and leaves no process behind.

A supervisor, a forked child of the caller, starts the commands. It is a subreaper (prctl(2)): whatever a
command starts becomes its child when the command ends, also a daemon that forked twice, and is killed. It
notices the caller's death, also by SIGKILL, by the end of a pipe. When the supervisor itself is killed,
the kernel kills the commands, and the caller kills what they started.
"""

from __future__ import annotations

import contextlib
import errno
import gc
import os
import select
import signal
import time
import typing as t

from .. import model
from ..kernel import fork, libc, procfs
from ..named_tuple import NamedTuple
from . import command as commands
from . import namespace

_READ_SIZE = 1 << 16
# What is left in a pipe after all its writers were killed: the largest pipe has a MiB.
_MAX_LEFT = 1 << 20
_MAX_PROBLEM = 1 << 12
# How long processes that were killed may take to end; in an uninterruptible system call they do not.
_KILL_TIMEOUT = 5.0
_KILL_PAUSE = 0.002
# What the supervisor may need beside the commands: engines may have to confirm processes.
_SPARE_TIME = 120.0
# The open files of a command: three pipes, its input, and the input of one that has just ended.
_FILES_PER_COMMAND = 5
# What else is open at times: what verifies a namespace, and the other ends of the pipes while a command starts.
_SPARE_FILES = 64
_IGNORED = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)
_SUPERVISOR = "the process that runs the commands"


class Job(NamedTuple):
    """A namespace to run the command in.

    `open` returns its descriptor, verified right before it is entered. It raises GoneError if the namespace
    is not there any more. `link` is the name in /etc/netns, or None.
    """

    open: t.Callable[[], int]
    link: str | None


class Outcome(NamedTuple):
    """What became of a job. `rc` is None if the command did not run; `problem` is the reason.

    `rc` is the exit code, or the negative number of the signal that ended the command.
    """

    rc: int | None = None
    stdout: bytes = b""
    stderr: bytes = b""
    seconds: float = 0.0
    timed_out: bool = False
    truncated: bool = False
    problem: str | None = None


class Limits(NamedTuple):
    """Seconds for each command, commands at a time, and bytes of each output stream."""

    timeout: float
    forks: int
    max_output: int


def run(command: commands.Command, jobs: t.Sequence[Job], limits: Limits) -> list[Outcome]:
    """Run the command in each namespace. Raises NetnsError if the supervisor fails."""
    others = set(_children())
    limits = limits._replace(forks=min(limits.forks, _affordable_forks()))
    life, held = os.pipe()
    libc.prctl(libc.SET_CHILD_SUBREAPER, 1)
    try:
        rounds = -(-len(jobs) // limits.forks)
        patience = rounds * (limits.timeout + _KILL_TIMEOUT) + _SPARE_TIME
        outcomes = fork.results(lambda: _supervise(command, jobs, limits, life, held), patience)
        return [Outcome(*values) for values in outcomes]
    except fork.ChildError as error:
        raise model.NetnsError(f"{_SUPERVISOR} {error}") from None
    finally:
        os.close(life)
        os.close(held)
        kill_children(others.__contains__)
        libc.prctl(libc.SET_CHILD_SUBREAPER, 0)


def _affordable_forks() -> int:
    """How many commands can run at a time within the limit of open files (RLIMIT_NOFILE)."""
    free = os.sysconf("SC_OPEN_MAX") - len(os.listdir("/proc/self/fd")) - _SPARE_FILES
    return max(1, free // _FILES_PER_COMMAND)


def _supervise(
    command: commands.Command, jobs: t.Sequence[Job], limits: Limits, life: int, held: int
) -> t.Iterator[tuple[t.Any, ...]]:
    """The supervisor. It reports when all is over: before, it must not wait for who reads the report."""
    os.close(held)
    for number in _IGNORED:
        signal.signal(number, signal.SIG_IGN)
    libc.prctl(libc.SET_CHILD_SUBREAPER, 1)
    # Children of a process that collects garbage get copies of its memory.
    gc.disable()
    gc.freeze()
    try:
        prepared = namespace.prepare(command.dns_guard)
        outcomes = _Supervisor(command, jobs, limits, life, prepared).run()
    except namespace.EnterError as error:
        outcomes = [Outcome(problem=str(error)) for _job in jobs]
    finally:
        kill_children()
    return map(tuple, outcomes)


class _CallerGoneError(Exception):
    """The caller has ended."""


class _Stream:
    """What a command writes, of which the first `limit` bytes are kept."""

    def __init__(self, fd: int, limit: int) -> None:
        self.fd = fd
        self.data = bytearray()
        self.truncated = False
        self._limit = limit
        os.set_blocking(fd, False)

    def read(self) -> int | None:
        """Read what is there: the number of bytes, 0 at the end, None where nothing is there yet."""
        try:
            part = os.read(self.fd, _READ_SIZE)
        except BlockingIOError:
            return None
        space = self._limit - len(self.data)
        self.data += part[:space]
        self.truncated = self.truncated or len(part) > space
        return len(part)

    def drain(self) -> None:
        """Read what is left after the writers were killed."""
        left = _MAX_LEFT
        while left > 0:
            left -= self.read() or _MAX_LEFT


class _Running:
    """A command that runs."""

    def __init__(self, job: int, pid: int, streams: list[_Stream], timeout: float) -> None:
        self.job = job
        self.pid = pid
        self.stdout, self.stderr, self.problem = self.streams = streams
        self.started = time.monotonic()
        # When it is killed, and after that, when it is given up.
        self.deadline = self.started + timeout
        self.timed_out = False

    def outcome(self, status: int | None) -> Outcome:
        """The outcome, from the wait status; None where the command does not end."""
        problem = self.problem.data.decode("utf-8", "replace") or None
        if status is None:
            problem = f"process {self.pid} could not be killed"
        return Outcome(
            rc=None if problem or status is None else _exit_code(status),
            stdout=bytes(self.stdout.data),
            stderr=bytes(self.stderr.data),
            seconds=time.monotonic() - self.started,
            timed_out=self.timed_out,
            truncated=self.stdout.truncated or self.stderr.truncated,
            problem=problem,
        )


class _Supervisor:
    """The loop: starts commands, reads what they write, and waits for them."""

    def __init__(
        self,
        command: commands.Command,
        jobs: t.Sequence[Job],
        limits: Limits,
        life: int,
        prepared: list[bytes],
    ) -> None:
        self._stdin = command.stdin
        self._starter = commands.Starter(command, prepared)
        self._jobs = jobs
        self._limits = limits
        self._life = life
        self._poll = select.poll()
        self._streams: dict[int, _Stream] = {}
        # What is still to be written, by the descriptor of the pipe.
        self._inputs: dict[int, memoryview] = {}
        self._running: dict[int, _Running] = {}
        self._outcomes = [Outcome() for _job in jobs]
        self._nothing = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        self._wake, wake = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        for fd in (life, self._wake):
            self._poll.register(fd, select.POLLIN)

    def run(self) -> list[Outcome]:
        """Run all jobs; none if the caller ends meanwhile."""
        try:
            following = iter(range(len(self._jobs)))
            more = True
            while more or self._running:
                while more and len(self._running) < self._limits.forks:
                    job = next(following, None)
                    more = job is not None
                    if job is not None:
                        self._start(job)
                if self._running:
                    self._wait()
                    self._reap()
        except _CallerGoneError:
            return []
        return self._outcomes

    def _start(self, number: int) -> None:
        job = self._jobs[number]
        try:
            netns = job.open()
        except (model.NetnsError, OSError) as error:
            self._outcomes[number] = Outcome(problem=str(error))
            return
        ours: list[int] = []
        childs: list[int] = []
        try:
            for _name in ("stdout", "stderr", "problem"):
                _add_pipe(ours, childs)
            stdin = self._nothing
            if self._stdin is not None:
                _add_pipe(childs, ours)
                stdin = childs[-1]
            files = commands.Files(stdin, *childs[:3])
            pid = self._starter.start(netns, job.link, files)
        except OSError as error:
            for fd in ours:
                os.close(fd)
            problem = f"the command could not be started: {error.strerror}: lower `forks`"
            self._outcomes[number] = Outcome(problem=problem)
            return
        finally:
            for fd in (netns, *childs):
                os.close(fd)
        limits = (self._limits.max_output, self._limits.max_output, _MAX_PROBLEM)
        streams = [_Stream(fd, limit) for fd, limit in zip(ours, limits)]
        self._running[pid] = _Running(number, pid, streams, self._limits.timeout)
        for stream in streams:
            self._streams[stream.fd] = stream
            self._poll.register(stream.fd, select.POLLIN)
        if self._stdin is not None:
            to_stdin = ours[-1]
            os.set_blocking(to_stdin, False)
            self._inputs[to_stdin] = memoryview(self._stdin)
            self._poll.register(to_stdin, select.POLLOUT)

    def _wait(self) -> None:
        """Wait until something happens, and read and write what can be."""
        deadline = min(running.deadline for running in self._running.values())
        seconds = max(0.0, deadline - time.monotonic())
        for fd, _event in self._poll.poll(seconds * 1000 + 1):
            if fd == self._life:
                raise _CallerGoneError
            if fd == self._wake:
                os.read(fd, _READ_SIZE)
            elif fd in self._streams:
                if self._streams[fd].read() == 0:
                    self._close(fd)
            elif fd in self._inputs:
                self._write(fd)

    def _write(self, fd: int) -> None:
        data = self._inputs[fd]
        try:
            written = os.write(fd, data[:_READ_SIZE])
        except BlockingIOError:
            return
        except BrokenPipeError:  # the command has closed it
            written = len(data)
        self._inputs[fd] = data[written:]
        if not self._inputs[fd]:
            self._close(fd)

    def _close(self, fd: int) -> None:
        self._poll.unregister(fd)
        self._streams.pop(fd, None)
        self._inputs.pop(fd, None)
        os.close(fd)

    def _reap(self) -> None:
        """Take in the commands that ended, and kill those whose time is over."""
        now = time.monotonic()
        ended: list[tuple[_Running, int | None]] = []
        for running in list(self._running.values()):
            if now < running.deadline:
                continue
            if running.timed_out:
                ended.append((self._running.pop(running.pid), None))
            else:
                running.timed_out = True
                running.deadline = now + _KILL_TIMEOUT
                os.kill(running.pid, signal.SIGKILL)
        ended += [
            (self._running.pop(pid), status)
            for pid, status in _wait_for_any()
            if pid in self._running
        ]
        if not ended:
            return
        # What the commands left has become a child of this process.
        kill_children(self._is_running)
        for running, status in ended:
            for stream in running.streams:
                if stream.fd in self._streams:
                    stream.drain()
                    self._close(stream.fd)
            self._outcomes[running.job] = running.outcome(status)
        if not self._running:
            for fd in list(self._inputs):
                self._close(fd)

    def _is_running(self, pid: int) -> bool:
        """Whether a child is a command that still runs, or was left by a part of one.

        Each command has a mount namespace of its own.
        """
        if pid in self._running:
            return True
        own = _mount_namespace(pid)
        return own is not None and own in map(_mount_namespace, self._running)


def _add_pipe(readers: list[int], writers: list[int]) -> None:
    reader, writer = os.pipe()
    readers.append(reader)
    writers.append(writer)


def _exit_code(status: int) -> int:
    return -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def _mount_namespace(pid: int) -> tuple[int, int] | None:
    try:
        status = os.stat(f"/proc/{pid}/ns/mnt")
    except OSError:  # it has ended
        return None
    return status.st_dev, status.st_ino


def _wait_for_any() -> t.Iterator[tuple[int, int]]:
    """The children that have ended."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        yield pid, status


def kill_children(spare: t.Callable[[int], bool] = lambda _pid: False) -> None:
    """Kill each child, and the children that it leaves, until there are none but those to spare."""
    deadline = time.monotonic() + _KILL_TIMEOUT
    while True:
        doomed = [pid for pid in _children() if not spare(pid)]
        if not doomed or time.monotonic() > deadline:
            return
        for pid in doomed:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        left = False
        for pid in doomed:
            with contextlib.suppress(ChildProcessError):
                left = os.waitpid(pid, os.WNOHANG)[0] == 0 or left
        if left:
            time.sleep(_KILL_PAUSE)


def _children() -> list[int]:
    """The PIDs of the children of this process, with those that have ended and were not waited for."""
    own = os.getpid()
    try:
        with open(f"/proc/{own}/task/{own}/children", "rb") as stream:
            return [int(pid) for pid in stream.read().split()]
    except OSError as error:
        if error.errno != errno.ENOENT:
            raise
    # A kernel without this file.
    children = []
    for pid in procfs.pids():
        with contextlib.suppress(model.GoneError, OSError), procfs.opened(pid) as process:
            if procfs.parent(process) == own:
                children.append(pid)
    return children
