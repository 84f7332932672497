# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs a function in a child that stops before each of its system calls (ptrace(2)).

strace can inject a signal too, but counts each kind of call separately and starts an interpreter for
each point. A child that is forked with everything loaded starts with the calls of the run itself.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
import pickle
import signal
import struct
import traceback
import typing as t

TRACEME = 0
SYSCALL = 24
SETOPTIONS = 0x4200
GET_SYSCALL_INFO = 0x420E
# TRACESYSGOOD, TRACEFORK, TRACEVFORK, TRACECLONE, EXITKILL.
OPTIONS = 0x1 | 0x2 | 0x4 | 0x8 | 0x100000
ENTRY = 1
WALL = 0x40000000

_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.argtypes = (ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p)
_libc.ptrace.restype = ctypes.c_long
# op, arch, instruction and stack pointer; the number of the call and its six arguments.
_INFO = struct.Struct("=B3xIQQ7Q")
_buffer = ctypes.create_string_buffer(128)


def _ptrace(request: int, pid: int, address: t.Any, data: t.Any) -> int:
    result: int = _libc.ptrace(request, pid, address, data)
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"ptrace({request:#x}): {os.strerror(number)}")
    return result


@functools.lru_cache(maxsize=None)
def name_of(number: int) -> str:
    """The name of a system call of this machine, its number where libseccomp is missing."""
    try:
        resolve = ctypes.CDLL("libseccomp.so.2").seccomp_syscall_resolve_num_arch
    except OSError:
        return str(number)
    resolve.restype = ctypes.c_char_p
    # Leaks a few bytes for each name.
    name = resolve(ctypes.c_uint32(0), ctypes.c_int(number))
    return name.decode() if name else str(number)


class Call(t.NamedTuple):
    """A system call that is about to be made: its position in the run, from 1, and its thread."""

    index: int
    name: str
    thread: int
    arguments: tuple[int, ...]

    def text(self, argument: int) -> str:
        """The string that an argument points to."""
        with open(f"/proc/{self.thread}/mem", "rb", buffering=0) as memory:
            memory.seek(self.arguments[argument])
            return os.fsdecode(memory.read(256).partition(b"\0")[0])


class Traced:
    """Runs `function` in a child. Iterating stops it before each call; `kill` ends it there.

    Afterwards `result` is what it returned, or `error` the text of the exception.
    """

    def __init__(self, function: t.Callable[[], t.Any]) -> None:
        self.calls = 0
        self.result: t.Any = None
        self.error: str | None = None
        self._answer = os.memfd_create("answer")
        self._child = os.fork()
        if self._child == 0:
            self._be_traced(function)
        with contextlib.suppress(PermissionError):  # the child did so itself and went on
            os.setpgid(self._child, self._child)
        os.waitpid(self._child, WALL)
        _ptrace(SETOPTIONS, self._child, None, OPTIONS)

    def _be_traced(self, function: t.Callable[[], t.Any]) -> t.NoReturn:
        try:
            os.setpgid(0, 0)
            _ptrace(TRACEME, 0, None, None)
            os.kill(os.getpid(), signal.SIGSTOP)
            try:
                answer = (function(), None)
            except Exception as error:
                answer = (None, f"{error!r}\n{traceback.format_exc()}")
            with open(self._answer, "wb") as stream:
                pickle.dump(answer, stream)
        finally:
            os._exit(0)

    def __enter__(self) -> Traced:
        return self

    def __exit__(self, *_: object) -> None:
        if self._child:
            self.kill()
        os.close(self._answer)

    def __iter__(self) -> t.Iterator[Call]:
        thread, signal_to_deliver = self._child, 0
        while True:
            # A thread that exit_group() of another thread ended is gone.
            with contextlib.suppress(ProcessLookupError):
                _ptrace(SYSCALL, thread, None, signal_to_deliver)
            thread, status = os.waitpid(-self._child, WALL)
            signal_to_deliver = 0
            if not os.WIFSTOPPED(status):
                if thread == self._child:
                    self._child = 0
                    self._read()
                    return
                # This thread has ended: wait for another one.
                thread = 0
                continue
            stop = os.WSTOPSIG(status)
            if stop == signal.SIGTRAP | 0x80:
                call = self._call(thread)
                if call is not None:
                    yield call
                    if not self._child:
                        return
            elif status >> 16 == 0 and stop not in (signal.SIGSTOP, signal.SIGTRAP):
                signal_to_deliver = stop

    def _call(self, thread: int) -> Call | None:
        try:
            _ptrace(GET_SYSCALL_INFO, thread, len(_buffer), _buffer)
        except ProcessLookupError:
            return None
        op, _arch, _ip, _sp, number, *arguments = _INFO.unpack_from(_buffer)
        if op != ENTRY:
            return None
        self.calls += 1
        return Call(self.calls, name_of(number), thread, tuple(arguments))

    def _read(self) -> None:
        os.lseek(self._answer, 0, os.SEEK_SET)
        with open(self._answer, "rb", closefd=False) as stream:
            self.result, self.error = pickle.load(stream)

    def kill(self) -> None:
        """Kill the child now, with all that it started."""
        os.killpg(self._child, signal.SIGKILL)
        while os.waitpid(-self._child, WALL)[0] != self._child:
            pass
        self._child = 0

    def run(self) -> dict[str, int]:
        """Let the child run to its end, and count its calls by name."""
        counts: dict[str, int] = {}
        for call in self:
            counts[call.name] = counts.get(call.name, 0) + 1
        return counts
