# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run work in a forked child process, where it cannot move, block or kill this one (fork(2)).

The child sends its results through a pipe, so the parent uses them while the child makes more.
"""

from __future__ import annotations

import contextlib
import gc
import marshal
import os
import select
import signal
import struct
import time
import typing as t

from .. import model

_SIZE = struct.Struct("=I")
_READ_SIZE = 1 << 16
_KILL_TIMEOUT = 1.0
# poll(2) takes milliseconds as an int.
_MAX_IDLE_TIMEOUT = (1 << 31) // 1000

Work = t.Callable[[], t.Iterable[t.Any]]


class ChildError(model.NetnsError):
    """The child did not finish its work. The message continues a sentence: "was killed by …"."""


def results(work: Work, idle_timeout: float, batch_size: int = 1) -> t.Iterator[t.Any]:
    """Run `work` in a forked child and yield what it yields: see start()."""
    yield from start(work, batch_size).results(idle_timeout)


def start(work: Work, batch_size: int = 1, stays: bool = False) -> Child:
    """Run `work` in a forked child, which does all of it, also before anybody waits for its results.

    The work has to yield plain data. The child sends it in batches of `batch_size` bytes or more. If it `stays`, what
    it has opened is open until its results are read, or end(). Raises ChildError if the child cannot be started.
    """
    child, reader, writer = with_pipe()
    if child == 0:
        try:
            # The collector would write to all objects of the parent, and the kernel copy each page for that.
            gc.disable()
            os.close(reader)
            _send(work(), writer, batch_size)
            if stays:
                _wait_for_kill(writer)
        finally:
            # Neither an exception nor an exit handler of the parent may get past this.
            os._exit(0)
    os.close(writer)
    return Child(child, reader)


def _wait_for_kill(writer: int) -> None:
    """Wait until the parent kills this child, or ends."""
    poll = select.poll()
    poll.register(writer, 0)
    poll.poll()


class Child:
    """A child that start() has started; `pid` is its process."""

    def __init__(self, pid: int, reader: int) -> None:
        self.pid = pid
        self._reader = reader
        self._waited_for = False

    def end(self) -> None:
        """Kill the child, once all of its results were read. It ends meanwhile, and results() waits for that later."""
        if not self._waited_for:
            os.kill(self.pid, signal.SIGKILL)

    def results(self, idle_timeout: float) -> t.Iterator[t.Any]:
        """Yield what the work yields, once, and end the child.

        Raises ChildError, after the results that arrived, if the child dies, or sends nothing for as many seconds.
        """
        complete = closed = False
        try:
            for record in _records(self._reader, min(idle_timeout, _MAX_IDLE_TIMEOUT)):
                if not record:
                    complete = True
                    break
                yield marshal.loads(record)
            closed = not complete
        finally:
            os.close(self._reader)
            if complete:
                self.end()
            self._waited_for = True
            status = os.waitpid(self.pid, 0)[1] if complete or closed else kill(self.pid)
        if not complete:
            raise ChildError(describe(status))


def with_pipe() -> tuple[int, int, int]:
    """Fork. Returns the child's PID, 0 in the child, and the reader and the writer of a new pipe.

    Raises ChildError, and then leaves nothing open.
    """
    ends: tuple[int, ...] = ()
    try:
        reader, writer = ends = os.pipe()
        return os.fork(), reader, writer
    except OSError as error:
        for end in ends:
            os.close(end)
        raise ChildError(f"could not be started: {error.strerror}") from None


def _send(items: t.Iterable[t.Any], writer: int, batch_size: int) -> None:
    """Send the items, and make more where the pipe is full."""
    os.set_blocking(writer, False)
    buffer = bytearray()
    for item in items:
        record = marshal.dumps(item)
        buffer += _SIZE.pack(len(record)) + record
        if len(buffer) >= batch_size:
            with contextlib.suppress(BlockingIOError):
                _flush(buffer, writer)
    # An empty record marks the end.
    buffer += _SIZE.pack(0)
    os.set_blocking(writer, True)
    _flush(buffer, writer)


def _flush(buffer: bytearray, writer: int) -> None:
    while buffer:
        del buffer[: os.write(writer, buffer)]


def _records(reader: int, idle_timeout: float) -> t.Iterator[bytes]:
    """The records in a pipe until its end, without one that is cut short."""
    poll = select.poll()
    poll.register(reader, select.POLLIN)
    buffer = bytearray()
    while True:
        if not poll.poll(idle_timeout * 1000):
            raise ChildError(f"did not answer for {idle_timeout:.0f} s")
        part = os.read(reader, _READ_SIZE)
        if not part:
            return
        buffer += part
        offset = 0
        while len(buffer) - offset >= _SIZE.size:
            (size,) = _SIZE.unpack_from(buffer, offset)
            end = offset + _SIZE.size + size
            if len(buffer) < end:
                break
            yield bytes(buffer[end - size : end])
            offset = end
        del buffer[:offset]


def kill(child: int) -> int:
    """Kill a child that hangs or whose results are no longer wanted, and return its wait status."""
    os.kill(child, signal.SIGKILL)
    deadline = time.monotonic() + _KILL_TIMEOUT
    while time.monotonic() < deadline:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return status
        time.sleep(0.0005)
    # A process in an uninterruptible system call cannot be killed.
    return 0


def describe(status: int) -> str:
    """How a child ended, as the end of a sentence."""
    if os.WIFSIGNALED(status):
        return f"was killed by signal {os.WTERMSIG(status)}"
    return "exited before it was finished"
