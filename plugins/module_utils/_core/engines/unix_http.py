# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""GET requests over a unix socket, pipelined on one connection (RFC 9112).

http.client costs three times as much per request and cannot pipeline. Each response is limited in
size, and all of them together in time, so that a hung or hostile daemon cannot block a run.
"""

from __future__ import annotations

import errno
import os
import socket
import time
import typing as t

from .. import model

_RETRY_DELAY = 0.01
_PIPELINED_REQUESTS = 64
_RECEIVE_SIZE = 1 << 16
_MAX_HEAD = 1 << 16
# The list of thousands of containers fits.
_MAX_BODY = 1 << 25


class DownError(model.EngineError):
    """No process listens on the socket, or the socket does not exist."""


class ClosedError(model.EngineError):
    """The daemon closed the connection before it answered, as it may with one that was kept open."""


class Response(t.NamedTuple):
    """Status code, header fields (names in lower case) and body of a response."""

    status: int
    headers: dict[str, str]
    body: bytes


class Client:
    """One connection; a context manager. `timeout` (seconds) is for all its responses together."""

    def __init__(self, path: str, timeout: float) -> None:
        self._path = path
        self._timeout = timeout
        self._deadline = time.monotonic() + timeout
        self._buffer = bytearray()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._socket.settimeout(timeout)
            self._connect()
        except OSError as error:
            self._socket.close()
            raise self._engine_error(error) from None

    def _connect(self) -> None:
        while True:
            try:
                self._socket.connect(self._path)
                return
            except BlockingIOError:  # its backlog is full, and connect() does not wait
                if time.monotonic() > self._deadline:
                    raise socket.timeout from None
                time.sleep(_RETRY_DELAY)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()

    def reset_deadline(self, timeout: float) -> None:
        """Start the timeout again, before the next requests on a connection that was kept open."""
        self._timeout = timeout
        self._deadline = time.monotonic() + timeout

    def get(self, targets: t.Sequence[str]) -> t.Iterator[Response]:
        """Request each target and yield the responses in the same order."""
        try:
            for start in range(0, len(targets), _PIPELINED_REQUESTS):
                window = targets[start : start + _PIPELINED_REQUESTS]
                self._set_socket_timeout()
                self._socket.sendall(
                    "".join(
                        f"GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n" for target in window
                    ).encode()
                )
                for _target in window:
                    yield self._response()
        except OSError as error:
            raise self._engine_error(error) from None

    def _engine_error(self, error: OSError) -> model.EngineError:
        if isinstance(error, socket.timeout):
            return model.EngineError(f"no answer on {self._path} in {self._timeout:g} s")
        if error.errno in (errno.EACCES, errno.EPERM):
            # Even root needs the capability for a socket of another user, and a service may lack it.
            advice = "`become: true`" if os.geteuid() else "root lacks CAP_DAC_OVERRIDE here"
            return model.EngineError(f"no permission to connect to {self._path} ({advice})")
        # These two can only come from connect().
        if error.errno == errno.ECONNREFUSED:
            return DownError(f"nothing listens on {self._path}")
        if error.errno == errno.ENOENT:
            return DownError(f"there is no socket {self._path}")
        if error.errno in (errno.EPIPE, errno.ECONNRESET):
            return ClosedError(f"the connection to {self._path} was closed before a request")
        return model.EngineError(f"{self._path}: {error.strerror or error}")

    def _set_socket_timeout(self) -> None:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise socket.timeout
        self._socket.settimeout(left)

    def _receive(self, error: type[model.EngineError] = model.EngineError) -> None:
        self._set_socket_timeout()
        data = self._socket.recv(_RECEIVE_SIZE)
        if not data:
            raise error(f"the connection to {self._path} was closed in the middle of a response")
        self._buffer += data

    def _read_until(self, delimiter: bytes) -> bytes:
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
            self._receive()

    def _read_exactly(self, size: int) -> bytearray:
        while len(self._buffer) < size:
            self._receive()
        data = self._buffer[:size]
        del self._buffer[:size]
        return data

    def _response(self) -> Response:
        if not self._buffer:
            self._receive(ClosedError)
        head = self._read_until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        version, _space, rest = head[0].partition(" ")
        # isdecimal(), as int() refuses some characters that are digits, such as "²".
        if not version.startswith("HTTP/1.") or not rest[:3].isdecimal():
            raise model.EngineError(f"not a valid HTTP response: {head[0][:60]!r}")
        headers = {}
        for line in head[1:]:
            name, _colon, value = line.partition(":")
            headers[name.lower()] = value.strip()
        if headers.get("transfer-encoding", "").lower() == "chunked":
            body = self._read_chunks()
        else:
            body = bytes(
                self._read_exactly(self._parse_size(headers.get("content-length", ""), 10, 0))
            )
        return Response(int(rest[:3]), headers, body)

    def _read_chunks(self) -> bytes:
        # Not a list of chunks, which would take many times the memory where each has one byte.
        body = bytearray()
        while True:
            size = self._parse_size(
                self._read_until(b"\r\n").split(b";")[0].decode("latin-1"), 16, len(body)
            )
            if size == 0:
                while self._read_until(b"\r\n"):
                    pass
                return bytes(body)
            body += self._read_exactly(size)
            self._read_exactly(2)

    @staticmethod
    def _parse_size(text: str, base: int, so_far: int) -> int:
        try:
            size = int(text, base)
        except ValueError:
            raise model.EngineError(f"not a valid HTTP response: length {text[:60]!r}") from None
        if not 0 <= size <= _MAX_BODY - so_far:
            raise model.EngineError(f"the response has more than {_MAX_BODY} bytes: {text[:60]!r}")
        return size
