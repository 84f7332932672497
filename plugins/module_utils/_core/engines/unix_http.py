# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""GET requests over a unix socket, pipelined on one connection (RFC 9112).

http.client costs three times as much per request and cannot pipeline. Every answer is bounded in
size, and all of them together in time: a hung or hostile daemon cannot hold a run.
"""

from __future__ import annotations

import errno
import socket
import time
import typing as t

from .. import model, untrusted

_RETRY_DELAY = 0.01
_WINDOW = 64
_CHUNK = 1 << 16
_MAX_HEAD = 1 << 16
# Thousands of containers.
_MAX_BODY = 1 << 25


class DownError(model.EngineError):
    """Nobody listens on the socket, or there is none."""


class EndedError(model.EngineError):
    """The other end closed a connection before it answered, as it may with one that was kept."""


class Response(t.NamedTuple):
    """Status code, header fields (names in lower case), body."""

    status: int
    headers: dict[str, str]
    body: bytes


def parse_json(body: bytes) -> t.Any:
    """Decode a JSON body. Raises EngineError that shows the beginning of what came instead."""
    try:
        return untrusted.parse_json(body)
    except ValueError:
        raise model.EngineError(f"an answer that is no JSON: {body[:60]!r}") from None


class Client:
    """One connection; a context manager. `timeout` (seconds) bounds all its answers together."""

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
            raise self._explain(error) from None

    def _connect(self) -> None:
        while True:
            try:
                self._socket.connect(self._path)
                return
            except BlockingIOError:  # its queue is full, and that is not waited for
                if time.monotonic() > self._deadline:
                    raise socket.timeout from None
                time.sleep(_RETRY_DELAY)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """End the connection."""
        self._socket.close()

    def renew(self, timeout: float) -> None:
        """All the time again, for what is asked next on a connection that was kept."""
        self._timeout = timeout
        self._deadline = time.monotonic() + timeout

    def get(self, targets: t.Sequence[str]) -> t.Iterator[Response]:
        """Ask for each target and yield the answers in the same order."""
        try:
            for start in range(0, len(targets), _WINDOW):
                window = targets[start : start + _WINDOW]
                self._arm()
                self._socket.sendall(
                    "".join(
                        f"GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n" for target in window
                    ).encode()
                )
                for _target in window:
                    yield self._response()
        except OSError as error:
            raise self._explain(error) from None

    def _explain(self, error: OSError) -> model.EngineError:
        if isinstance(error, socket.timeout):
            return model.EngineError(f"no answer on {self._path} in {self._timeout:g} s")
        if error.errno in (errno.EACCES, errno.EPERM):
            return model.EngineError(f"no permission to ask on {self._path} (`become: true`)")
        # Both can only come from connecting.
        if error.errno == errno.ECONNREFUSED:
            return DownError(f"nobody answers on {self._path}")
        if error.errno == errno.ENOENT:
            return DownError(f"there is no socket {self._path}")
        if error.errno in (errno.EPIPE, errno.ECONNRESET):
            return EndedError(f"the connection on {self._path} ended before it was asked")
        return model.EngineError(f"{self._path}: {error.strerror or error}")

    def _arm(self) -> None:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise socket.timeout
        self._socket.settimeout(left)

    def _fill(self, error: type[model.EngineError] = model.EngineError) -> None:
        self._arm()
        data = self._socket.recv(_CHUNK)
        if not data:
            raise error(f"the connection on {self._path} ended in the middle of an answer")
        self._buffer += data

    def _until(self, mark: bytes) -> bytes:
        searched = 0
        while True:
            end = self._buffer.find(mark, searched)
            if end >= 0:
                head = bytes(self._buffer[:end])
                del self._buffer[: end + len(mark)]
                return head
            if len(self._buffer) > _MAX_HEAD:
                raise model.EngineError(f"an answer that is no HTTP: {bytes(self._buffer[:60])!r}")
            searched = max(0, len(self._buffer) - len(mark) + 1)
            self._fill()

    def _take(self, size: int) -> bytearray:
        while len(self._buffer) < size:
            self._fill()
        data = self._buffer[:size]
        del self._buffer[:size]
        return data

    def _response(self) -> Response:
        if not self._buffer:
            self._fill(EndedError)
        head = self._until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        version, _space, rest = head[0].partition(" ")
        # Of what is a digit elsewhere, as "²", int() makes no number.
        if not version.startswith("HTTP/1.") or not rest[:3].isdecimal():
            raise model.EngineError(f"an answer that is no HTTP: {head[0][:60]!r}")
        headers = {}
        for line in head[1:]:
            name, _colon, value = line.partition(":")
            headers[name.lower()] = value.strip()
        if headers.get("transfer-encoding", "").lower() == "chunked":
            body = self._chunks()
        else:
            body = bytes(self._take(self._size(headers.get("content-length", ""), 10, 0)))
        return Response(int(rest[:3]), headers, body)

    def _chunks(self) -> bytes:
        # In one piece: a list of them would cost many times as much where each has a byte.
        body = bytearray()
        while True:
            size = self._size(self._until(b"\r\n").split(b";")[0].decode("latin-1"), 16, len(body))
            if size == 0:
                while self._until(b"\r\n"):
                    pass
                return bytes(body)
            body += self._take(size)
            self._take(2)

    @staticmethod
    def _size(text: str, base: int, so_far: int) -> int:
        try:
            size = int(text, base)
        except ValueError:
            raise model.EngineError(f"an answer that is no HTTP: length {text[:60]!r}") from None
        if not 0 <= size <= _MAX_BODY - so_far:
            raise model.EngineError(f"an answer of more than {_MAX_BODY} bytes: {text[:60]!r}")
        return size
