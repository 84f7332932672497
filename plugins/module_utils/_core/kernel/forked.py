# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Work that a forked child does for us: what must not move, hang or end this process.

The child hands its results back through a pipe, and they are used while it makes the next ones.
"""

from __future__ import annotations

import marshal
import os
import select
import signal
import struct
import time
import typing as t

from .. import model

_SIZE = struct.Struct("=I")
_CHUNK = 1 << 16
_KILL_SECONDS = 1.0

Work = t.Callable[[], t.Iterable[t.Any]]


class LostError(model.NetnsError):
    """The child did not get to the end of its work: what it did instead."""


def results(work: Work, silence: float, batch: int = 1) -> t.Iterator[t.Any]:
    """What `work` yields in one forked child; plain data only.

    Results come when `batch` bytes of them are together; `silence` is how many seconds may pass
    without any. Raises LostError, after those that came, if the child dies or falls silent.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reader)
            _send(work(), writer, batch)
        finally:
            # Neither an exception nor an exit handler of the parent's may get past this.
            os._exit(0)
    os.close(writer)
    complete = closed = False
    try:
        for record in _records(reader, silence):
            if record:
                yield marshal.loads(record)
            else:
                complete = True
        closed = True
    finally:
        os.close(reader)
        status = os.waitpid(child, 0)[1] if closed else _kill(child)
    if not complete:
        raise LostError(_described(status))


def _send(items: t.Iterable[t.Any], writer: int, batch: int) -> None:
    buffer = bytearray()
    for item in items:
        record = marshal.dumps(item)
        buffer += _SIZE.pack(len(record)) + record
        if len(buffer) >= batch:
            _flush(buffer, writer)
    # An empty record: this is all.
    buffer += _SIZE.pack(0)
    _flush(buffer, writer)


def _flush(buffer: bytearray, writer: int) -> None:
    while buffer:
        del buffer[: os.write(writer, buffer)]


def _records(reader: int, silence: float) -> t.Iterator[bytes]:
    """The records of a pipe until its end; one that is cut short is left out."""
    poll = select.poll()
    poll.register(reader, select.POLLIN)
    buffer = b""
    while True:
        if not poll.poll(silence * 1000):
            raise LostError(f"did not answer for {silence:.0f} s")
        part = os.read(reader, _CHUNK)
        if not part:
            return
        buffer += part
        offset = 0
        while len(buffer) - offset >= _SIZE.size:
            (size,) = _SIZE.unpack_from(buffer, offset)
            start = offset + _SIZE.size
            if len(buffer) - start < size:
                break
            yield buffer[start : start + size]
            offset = start + size
        buffer = buffer[offset:]


def _kill(child: int) -> int:
    """End a child that hangs or whose work nobody wants any more, and give its status."""
    os.kill(child, signal.SIGKILL)
    deadline = time.monotonic() + _KILL_SECONDS
    while time.monotonic() < deadline:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return status
        time.sleep(0.0005)
    # In a hanging system call it cannot even be killed.
    return 0


def _described(status: int) -> str:
    if os.WIFSIGNALED(status):
        return f"was killed by signal {os.WTERMSIG(status)}"
    return "ended before its time"
