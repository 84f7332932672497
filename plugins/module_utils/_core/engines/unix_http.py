# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""GET requests over unix sockets, pipelined (RFC 9112), so that one that hangs does not hold up others.

http.client costs three times as much per request and cannot pipeline. Each response is limited in
size, and all of them together in time, so that a hung or hostile daemon cannot block a run.
"""

from __future__ import annotations

import collections
import errno
import os
import select
import socket
import struct
import time
import typing as t

from .. import model
from ..named_tuple import NamedTuple

_RETRY_DELAY = 0.01
_PIPELINED_REQUESTS = 64
_RECEIVE_SIZE = 1 << 16
_MAX_HEAD = 1 << 16
# The list of thousands of containers fits.
_MAX_BODY = 1 << 25
# A response that takes so long, or a tenth of the timeout, is left alone on its connection.
_MAX_STALL = 0.5
# The part of the timeout that responses that hang leave for what is asked later.
_RESERVE = 0.25
# Connections that make progress at a time, and those that wait for a response that hangs.
_MAX_BUSY = 16
_MAX_STALLED = 200
_PEER = struct.Struct("3i")


class ClosedError(model.EngineError):
    """The daemon closed the connection before it answered, as it may with one that was kept open."""


class Response(NamedTuple):
    """Status code, header fields (names in lower case) and body of a response."""

    status: int
    headers: dict[str, str]
    body: bytes


Answer = t.Union[Response, model.EngineError]
_Made = t.TypeVar("_Made")


def _as_it_is(_target: str, answer: Answer) -> Answer:
    return answer


class Client:
    """Requests to one daemon; a context manager. `timeout` (seconds) is for all responses together.

    It has one connection; others are opened where a response hangs, and closed with the requests that
    needed them. `check` is called before each connection and raises EngineError where none is to be
    made.
    """

    def __init__(
        self, path: str, timeout: float, check: t.Callable[[], object] = lambda: None
    ) -> None:
        self._path = path
        self._check = check
        self.reset_deadline(timeout)
        self._connection: _Connection | None = self._connect()
        # Of the process that listens, as this PID namespace has it: 0 where it has not.
        self.peer_pid = self._connection.peer_pid

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    def reset_deadline(self, timeout: float) -> None:
        """Start the timeout again, before the next requests on a connection that was kept open."""
        self._timeout = timeout
        self._deadline = time.monotonic() + timeout

    def get(self, target: str) -> Response:
        """Request one target. Raises EngineError."""
        (answer,) = self._get_each([target], float("inf"), 0.0, _as_it_is)
        if isinstance(answer, model.EngineError):
            raise answer
        return answer

    def get_each(self, targets: t.Sequence[str]) -> list[Answer]:
        """Request each target. Returns the responses, or what failed, in the same order: see make_each()."""
        return self.make_each(targets, _as_it_is)

    def make_each(
        self, targets: t.Sequence[str], make: t.Callable[[str, Answer], _Made]
    ) -> list[_Made]:
        """Request each target. Returns what `make` makes of each target and its response, or of what failed, in order.

        It is called while the daemon prepares the next responses.
        A response that hangs is waited for on its connection, while the requests behind it are made on
        others. Where it is all that is left, some time remains for what is asked later. Raises
        EngineError where a connection cannot be made.
        """
        return self._get_each(
            targets, min(_MAX_STALL, self._timeout / 10), self._timeout * _RESERVE, make
        )

    def _get_each(
        self,
        targets: t.Sequence[str],
        stall: float,
        reserve: float,
        make: t.Callable[[str, Answer], _Made],
    ) -> list[_Made]:
        started = time.monotonic()
        requests = _Requests(targets, self._connect, self._deadline, stall, reserve, make)
        connection, self._connection = self._connection, None
        try:
            self._connection = requests.run(connection)
        finally:
            requests.close()
        waited = self._timeout
        if reserve:
            waited = min(waited, round(time.monotonic() - started, 1))
        late = model.EngineError(f"no answer on {self._path} in {waited:g} s")
        made = requests.made
        return [made[target] if target in made else make(target, late) for target in targets]

    def _connect(self) -> _Connection:
        self._check()
        try:
            return _Connection(self._path, self._deadline)
        except OSError as error:
            raise self._connect_error(error) from None

    def _connect_error(self, error: OSError) -> model.EngineError:
        if isinstance(error, socket.timeout):
            return model.EngineError(f"no answer on {self._path} in {self._timeout:g} s")
        if error.errno in (errno.EACCES, errno.EPERM):
            # Even root needs the capability for a socket of another user, and a service may lack it.
            advice = "`become: true`" if os.geteuid() else "root lacks CAP_DAC_OVERRIDE here"
            return model.EngineError(f"no permission to connect to {self._path} ({advice})")
        if error.errno == errno.ECONNREFUSED:
            return model.DownError(f"nothing listens on {self._path}")
        if error.errno == errno.ENOENT:
            return model.DownError(f"there is no socket {self._path}")
        return model.EngineError(f"{self._path}: {error.strerror or error}")


class _Requests(t.Generic[_Made]):
    """Requests that are made, and those that wait to be, on several connections at a time.

    `made` is what `make` has made of the answers.
    """

    def __init__(
        self,
        targets: t.Iterable[str],
        connect: t.Callable[[], _Connection],
        deadline: float,
        stall: float,
        reserve: float,
        make: t.Callable[[str, Answer], _Made],
    ) -> None:
        self.made: dict[str, _Made] = {}
        self._make = make
        self._queue = collections.deque(dict.fromkeys(targets))
        self._connect = connect
        self._deadline = deadline
        self._stall = stall
        self._reserve = reserve
        # By when the first response of each busy connection is due.
        self._busy: dict[_Connection, float] = {}
        self._stalled: list[_Connection] = []
        self._max_busy = 1

    def run(self, connection: _Connection | None) -> _Connection | None:
        """Make all requests until the deadline. Returns a connection that is fit for others, if one is left."""
        idle = [connection] if connection is not None else []
        while time.monotonic() < self._end():
            while self._queue and len(self._busy) < self._max_busy:
                self._start(idle.pop() if idle else self._connect())
            if not self._busy and not self._stalled:
                break
            for ready in self._wait():
                self._receive(ready)
                if ready in self._busy and not ready.requested:
                    del self._busy[ready]
                    if ready.is_clean:
                        idle.append(ready)
                    else:
                        ready.close()
            self._leave_stalled()
        for spare in idle[1:]:
            spare.close()
        return idle[0] if idle else None

    def _end(self) -> float:
        """By when to end: earlier where only responses that hang are waited for."""
        return self._deadline - (0.0 if self._busy or self._queue else self._reserve)

    def close(self) -> None:
        """Close the connections that still wait."""
        for connection in (*self._busy, *self._stalled):
            connection.close()

    def _start(self, connection: _Connection) -> None:
        share = -(-len(self._queue) // (self._max_busy - len(self._busy)))
        count = min(_PIPELINED_REQUESTS, share)
        targets = [self._queue.popleft() for _request in range(count)]
        self._busy[connection] = time.monotonic() + self._stall
        try:
            connection.send(targets, self._deadline)
        except socket.timeout:  # which ends them all
            return
        except OSError as error:
            self._drop(connection, connection.error(error))

    def _wait(self) -> list[_Connection]:
        poll = select.poll()
        waiting = {connection.fileno(): connection for connection in (*self._busy, *self._stalled)}
        for fd in waiting:
            poll.register(fd, select.POLLIN)
        due = min([self._end(), *self._busy.values()])
        milliseconds = max(0.0, due - time.monotonic()) * 1000
        return [waiting[fd] for fd, _events in poll.poll(int(milliseconds) + 1)]

    def _receive(self, connection: _Connection) -> None:
        try:
            for target, response in connection.receive():
                self.made[target] = self._make(target, response)
                if connection in self._stalled:
                    # What is behind it was requested elsewhere.
                    self._stalled.remove(connection)
                    connection.close()
                    return
                self._busy[connection] = time.monotonic() + self._stall
        except OSError as error:
            self._drop(connection, connection.error(error))
        except model.EngineError as error:
            self._drop(connection, error)

    def _drop(self, connection: _Connection, error: model.EngineError) -> None:
        """Close a connection that failed, which the first of its requests is to blame for."""
        connection.close()
        if connection in self._stalled:
            self._stalled.remove(connection)
            self._fail(connection.requested[0], error)
            return
        del self._busy[connection]
        # Between two responses, the daemon may close a connection that it served.
        if not (isinstance(error, ClosedError) and connection.has_served):
            self._fail(connection.requested.popleft(), error)
        self._queue.extendleft(reversed(connection.requested))

    def _fail(self, target: str, error: model.EngineError) -> None:
        self.made[target] = self._make(target, error)

    def _leave_stalled(self) -> None:
        now = time.monotonic()
        for connection in [each for each, due in self._busy.items() if due < now]:
            del self._busy[connection]
            self._stalled.append(connection)
            self._queue.extendleft(reversed(list(connection.requested)[1:]))
            # Where one hangs, others may: with few at a time, the time would be over before all had a turn.
            self._max_busy = min(_MAX_BUSY, 2 * self._max_busy)
        while len(self._stalled) > _MAX_STALLED:
            self._stalled.pop(0).close()


class _Connection:
    """One connection, the requests on it that have no response yet, and what was received."""

    def __init__(self, path: str, deadline: float) -> None:
        self._path = path
        self.requested: collections.deque[str] = collections.deque()
        self.has_served = False
        self._buffer = bytearray()
        self._parser: t.Generator[None, None, Response] | None = None
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            _limit_time(self._socket, deadline)
            self._make(deadline)
            peer = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size)
            self.peer_pid: int = _PEER.unpack(peer)[0]
        except OSError:
            self._socket.close()
            raise

    def _make(self, deadline: float) -> None:
        while True:
            try:
                self._socket.connect(self._path)
                return
            except BlockingIOError:  # its backlog is full, and connect() does not wait
                if time.monotonic() > deadline:
                    raise socket.timeout from None
                time.sleep(_RETRY_DELAY)

    def fileno(self) -> int:
        return self._socket.fileno()

    def close(self) -> None:
        self._socket.close()

    def send(self, targets: t.Iterable[str], deadline: float) -> None:
        self.requested.extend(targets)
        _limit_time(self._socket, deadline)
        self._socket.sendall(
            "".join(
                f"GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n" for target in self.requested
            ).encode()
        )

    def receive(self) -> t.Iterator[tuple[str, Response]]:
        """Receive once, and yield each response that is complete, with its target."""
        data = self._socket.recv(_RECEIVE_SIZE)
        if not data:
            error = ClosedError if self.is_clean else model.EngineError
            raise error(f"the connection to {self._path} was closed in the middle of a response")
        self._buffer += data
        while self.requested and (self._buffer or self._parser):
            self._parser = self._parser or self._response()
            try:
                next(self._parser)
                return
            except StopIteration as end:
                self._parser = None
                self.has_served = True
                yield self.requested.popleft(), end.value

    @property
    def is_clean(self) -> bool:
        """Whether nothing was received of a response that is not complete, or that nobody requested."""
        return not self._buffer and self._parser is None

    def error(self, error: OSError) -> model.EngineError:
        """The EngineError for an OSError on the open connection."""
        if error.errno in (errno.EPIPE, errno.ECONNRESET) and self.is_clean:
            return ClosedError(f"the connection to {self._path} was closed before a request")
        return model.EngineError(f"{self._path}: {error.strerror or error}")

    # What follows are coroutines: each yields where more has to be received.

    def _read_until(self, delimiter: bytes) -> t.Generator[None, None, bytes]:
        searched = 0
        while True:
            end = self._buffer.find(delimiter, searched)
            if end >= 0:
                data = bytes(self._buffer[:end])
                del self._buffer[: end + len(delimiter)]
                return data
            if len(self._buffer) > _MAX_HEAD:
                raise model.EngineError(f"not a valid HTTP response: {bytes(self._buffer[:60])!r}")
            searched = max(0, len(self._buffer) - len(delimiter) + 1)
            yield

    def _read_exactly(self, size: int) -> t.Generator[None, None, bytearray]:
        while len(self._buffer) < size:
            yield
        data = self._buffer[:size]
        del self._buffer[:size]
        return data

    def _response(self) -> t.Generator[None, None, Response]:
        head = (yield from self._read_until(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        version, _space, rest = head[0].partition(" ")
        # isdecimal(), as int() refuses some characters that are digits, such as "²".
        if not version.startswith("HTTP/1.") or not rest[:3].isdecimal():
            raise model.EngineError(f"not a valid HTTP response: {head[0][:60]!r}")
        headers = {}
        for line in head[1:]:
            name, _colon, value = line.partition(":")
            headers[name.lower()] = value.strip()
        if headers.get("transfer-encoding", "").lower() == "chunked":
            body = yield from self._read_chunks()
        else:
            size = _parse_size(headers.get("content-length", ""), 10, 0)
            body = bytes((yield from self._read_exactly(size)))
        return Response(int(rest[:3]), headers, body)

    def _read_chunks(self) -> t.Generator[None, None, bytes]:
        # Not a list of chunks, which would take many times the memory where each has one byte.
        body = bytearray()
        while True:
            line = yield from self._read_until(b"\r\n")
            size = _parse_size(line.split(b";")[0].decode("latin-1"), 16, len(body))
            if size == 0:
                while (yield from self._read_until(b"\r\n")):
                    pass
                return bytes(body)
            body += yield from self._read_exactly(size)
            yield from self._read_exactly(2)


def _limit_time(connection: socket.socket, deadline: float) -> None:
    left = deadline - time.monotonic()
    if left <= 0:
        raise socket.timeout
    connection.settimeout(left)


def _parse_size(text: str, base: int, so_far: int) -> int:
    try:
        size = int(text, base)
    except ValueError:
        raise model.EngineError(f"not a valid HTTP response: length {text[:60]!r}") from None
    if not 0 <= size <= _MAX_BODY - so_far:
        raise model.EngineError(f"the response has more than {_MAX_BODY} bytes: {text[:60]!r}")
    return size
