# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The event streams of Docker and Podman: HTTP answers without an end, a line of JSON per event."""

from __future__ import annotations

import errno
import re
import socket
import time
import typing as t

from .. import model, untrusted
from ..engines import docker, podman

_ID = re.compile(r"[0-9a-f]{64}")
# As Docker calls them, and Podman.
_ACTIONS = ("start", "die", "rename", "destroy", "died", "remove")
_CHUNK = 1 << 16
# So much is read before others have their turn.
_CHUNKS_AT_ONCE = 16
_MAX_HEAD = 1 << 14
_MAX_LINE = 1 << 20
# One that ends sooner each time has longer pauses, as one that does not answer: each costs a look at
# everything.
_STEADY = 10.0
_RETRY_DELAYS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)


class Event(t.NamedTuple):
    """What an engine tells of a container."""

    action: str
    id: str


class Parser:
    """What has come of the answer so far, cut anywhere. `open` once its head has said "200"."""

    def __init__(self) -> None:
        self.open = False
        self._buffer = bytearray()
        self._line = bytearray()
        self._chunked = False
        self._left = 0

    def feed(self, data: bytes) -> list[Event]:
        """The events that are complete with this. Raises EngineError for what is no such stream."""
        self._buffer += data
        if not self.open and not self._read_head():
            return []
        if not self._chunked:
            self._line += self._buffer
            self._buffer.clear()
        else:
            self._unpack()
        return self._events()

    def _read_head(self) -> bool:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(self._buffer) > _MAX_HEAD:
                raise model.EngineError(f"an answer that is no HTTP: {bytes(self._buffer[:60])!r}")
            return False
        status, *fields = self._buffer[:end].decode("latin-1").lower().split("\r\n")
        del self._buffer[: end + 4]
        if not status.startswith("http/1.") or status.split(" ")[1:2] != ["200"]:
            raise model.EngineError(f"no stream of events, but {status[:60]!r}")
        self._chunked = any(
            field.replace(" ", "") == "transfer-encoding:chunked" for field in fields
        )
        self.open = True
        return True

    def _unpack(self) -> None:
        while self._buffer:
            if self._left > 2:
                part = self._buffer[: self._left - 2]
                self._line += part
                del self._buffer[: len(part)]
                self._left -= len(part)
            elif self._left:
                # The line end after a chunk.
                gone = min(self._left, len(self._buffer))
                del self._buffer[:gone]
                self._left -= gone
            else:
                end = self._buffer.find(b"\r\n")
                if end < 0 and len(self._buffer) <= _MAX_HEAD:
                    return
                size = bytes(self._buffer[: max(0, end)]).split(b";")[0]
                try:
                    self._left = int(size, 16) + 2
                except ValueError:
                    raise model.EngineError(f"a chunk of length {size[:60]!r}") from None
                if not 2 < self._left <= _MAX_LINE:
                    raise model.EngineError("the stream has ended")
                del self._buffer[: end + 2]

    def _events(self) -> list[Event]:
        *lines, rest = self._line.split(b"\n")
        if len(rest) > _MAX_LINE:
            raise model.EngineError(f"an event of more than {_MAX_LINE} bytes")
        self._line = bytearray(rest)
        return [event for line in lines if line.strip() for event in [_event(bytes(line))] if event]


def _event(line: bytes) -> Event | None:
    try:
        told = untrusted.parse_json(line)
    except ValueError:
        raise model.EngineError(f"an event that is no JSON: {line[:60]!r}") from None
    if not isinstance(told, dict) or told.get("Type", "container") != "container":
        return None
    actor = told.get("Actor")
    identity = actor.get("ID") if isinstance(actor, dict) else told.get("id")
    action = told.get("Action") or told.get("status")
    if action not in _ACTIONS or not isinstance(identity, str) or not _ID.fullmatch(identity):
        return None
    return Event(action, identity)


class Source(t.NamedTuple):
    """An engine that tells events: where, what to ask for, and whether it may be asked now."""

    engine: str
    socket: str
    target: str
    may_ask: t.Callable[[str], bool]


_QUERY = "/events?since={since}&filters=%7B%22type%22%3A%5B%22container%22%5D%2C%22event%22%3A%5B{events}%5D%7D"


def _target(prefix: str, *events: str) -> str:
    names = "%2C".join(f"%22{event}%22" for event in events)
    return prefix + _QUERY.replace("{events}", names)


def _docker_is_awake(path: str) -> bool:
    return not docker.is_asleep(path)


SOURCES = (
    Source(
        docker.NAME,
        "/run/docker.sock",
        _target("", "start", "die", "rename"),
        _docker_is_awake,
    ),
    Source(
        podman.NAME,
        "/run/podman/podman.sock",
        _target("/v4.0.0/libpod", "start", "died", "rename").replace("?", "?stream=true&"),
        lambda _path: True,
    ),
)


class Stream:
    """A connection to one engine, made anew with pauses that grow; `retry_at` is when, if ever.

    An engine that is not there is not tried again by the clock: it is for `wake` to say that it came.
    """

    def __init__(self, source: Source) -> None:
        self.engine = source.engine
        self.path = source.socket
        self.retry_at: float | None = 0.0
        self._source = source
        self._tries = 0
        self._connected_at = 0.0
        self._socket: socket.socket | None = None
        self._parser = Parser()

    @property
    def open(self) -> bool:
        """Whether the engine has begun to tell events."""
        return self._socket is not None and self._parser.open

    def fileno(self) -> int:
        """The descriptor to wait for, -1 while there is none."""
        return self._socket.fileno() if self._socket else -1

    def wake(self) -> None:
        """Something was seen of the engine: try now, and patiently."""
        self._tries = 0
        self.try_again()

    def try_again(self) -> None:
        """Try now, where there is no connection."""
        if self._socket is None:
            self.retry_at = 0.0

    def connect(self) -> bool:
        """Try to connect. Returns whether there is a connection."""
        self.retry_at = None
        self._parser = Parser()
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.setblocking(False)
        try:
            if not self._source.may_ask(self.path):
                raise FileNotFoundError(errno.ENOENT, "it is not running")
            connection.connect(self.path)
            # What happens between the answer's head and the subscription is told again.
            since = f"{time.time() - 1:.3f}"
            request = f"GET {self._source.target} HTTP/1.1\r\nHost: localhost\r\n\r\n"
            connection.send(request.replace("{since}", since).encode())
        except (OSError, model.EngineError) as error:
            connection.close()
            if not isinstance(error, FileNotFoundError):
                self._plan_retry()
            return False
        self._socket = connection
        self._connected_at = time.monotonic()
        return True

    def _plan_retry(self) -> None:
        if self._tries < len(_RETRY_DELAYS):
            self.retry_at = time.monotonic() + _RETRY_DELAYS[self._tries]
            self._tries += 1

    def receive(self) -> list[Event]:
        """What has come. Raises EngineError when the stream is over, and closes it."""
        events: list[Event] = []
        if self._socket is None:
            return events
        try:
            for _chunk in range(_CHUNKS_AT_ONCE):
                data = self._socket.recv(_CHUNK)
                if not data:
                    raise model.EngineError("the stream has ended")
                events += self._parser.feed(data)
                if len(data) < _CHUNK:
                    break
        except BlockingIOError:
            pass
        except (OSError, model.EngineError) as error:
            self.close()
            if self._parser.open and time.monotonic() - self._connected_at >= _STEADY:
                self._tries = 0
            self._plan_retry()
            raise model.EngineError(f"{self.engine} on {self.path}: {error}") from None
        return events

    def close(self) -> None:
        """End the connection."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
