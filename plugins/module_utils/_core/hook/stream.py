# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The event streams of Docker and Podman: endless HTTP responses with a line of JSON for each event."""

from __future__ import annotations

import os
import re
import socket
import time
import typing as t

from .. import model, untrusted
from ..engines import docker, podman, registry
from ..named_tuple import NamedTuple

_ID = re.compile(r"[0-9a-f]{64}")
# The names of the actions in the events of Docker and Podman.
_ACTIONS = ("start", "die", "rename", "destroy", "died", "remove")
_READ_SIZE = 1 << 16
# After this number of reads from one stream, the service continues with the other streams.
_MAX_READS = 16
_MAX_HEAD = 1 << 14
_MAX_LINE = 1 << 20
# Each reconnection costs a run over all containers. So a stream that ends sooner than this is retried
# with longer and longer delays, as an engine that refuses connections is.
_STABLE_SECONDS = 10.0
_RETRY_DELAYS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)


class Event(NamedTuple):
    """What happened to a container."""

    action: str
    id: str


class Parser:
    """Parses the response, in pieces of any size. `open` is whether its head had the status 200."""

    def __init__(self) -> None:
        self.open = False
        self._buffer = bytearray()
        self._line = bytearray()
        self._chunked = False
        # The rest of the current chunk, with the line end after it.
        self._chunk_left = 0

    def feed(self, data: bytes) -> list[Event]:
        """The events that this data completes. Raises EngineError if it is not an event stream."""
        self._buffer += data
        if not self.open and not self._parse_head():
            return []
        if not self._chunked:
            self._line += self._buffer
            self._buffer.clear()
        else:
            self._parse_chunks()
        return self._events()

    def _parse_head(self) -> bool:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(self._buffer) > _MAX_HEAD:
                raise model.EngineError(f"not a valid HTTP response: {bytes(self._buffer[:60])!r}")
            return False
        status, *fields = self._buffer[:end].decode("latin-1").lower().split("\r\n")
        del self._buffer[: end + 4]
        if not status.startswith("http/1.") or status.split(" ")[1:2] != ["200"]:
            raise model.EngineError(f"the response is not an event stream: {status[:60]!r}")
        self._chunked = any(
            field.replace(" ", "") == "transfer-encoding:chunked" for field in fields
        )
        self.open = True
        return True

    def _parse_chunks(self) -> None:
        while self._buffer:
            if self._chunk_left > 2:
                data = self._buffer[: self._chunk_left - 2]
                self._line += data
                del self._buffer[: len(data)]
                self._chunk_left -= len(data)
            elif self._chunk_left:
                # The line end after a chunk.
                size = min(self._chunk_left, len(self._buffer))
                del self._buffer[:size]
                self._chunk_left -= size
            else:
                end = self._buffer.find(b"\r\n")
                if end < 0 and len(self._buffer) <= _MAX_HEAD:
                    return
                text = bytes(self._buffer[: max(0, end)]).split(b";")[0]
                try:
                    self._chunk_left = int(text, 16) + 2
                except ValueError:
                    raise model.EngineError(
                        f"the length of a chunk is not a number: {text[:60]!r}"
                    ) from None
                if not 2 < self._chunk_left <= _MAX_LINE:
                    raise model.EngineError("the stream has ended")
                del self._buffer[: end + 2]

    def _events(self) -> list[Event]:
        *lines, rest = self._line.split(b"\n")
        if len(rest) > _MAX_LINE:
            raise model.EngineError(f"an event has more than {_MAX_LINE} bytes")
        self._line = bytearray(rest)
        events = (_event(bytes(line)) for line in lines if line.strip())
        return [event for event in events if event]


def _event(line: bytes) -> Event | None:
    try:
        values = untrusted.parse_json(line)
    except ValueError:
        raise model.EngineError(f"an event is not valid JSON: {line[:60]!r}") from None
    if not isinstance(values, dict) or values.get("Type", "container") != "container":
        return None
    actor = values.get("Actor")
    identity = actor.get("ID") if isinstance(actor, dict) else values.get("id")
    action = values.get("Action") or values.get("status")
    if action not in _ACTIONS or not isinstance(identity, str) or not _ID.fullmatch(identity):
        return None
    return Event(action, identity)


class Source(NamedTuple):
    """An engine with an event stream: its socket, the target of the request, and a check before it.

    `may_connect` is whether a connection to the socket would not start the engine.
    """

    engine: str
    socket: str
    target: str
    may_connect: t.Callable[[str], bool]


_QUERY = "/events?since={since}&filters=%7B%22type%22%3A%5B%22container%22%5D%2C%22event%22%3A%5B{events}%5D%7D"


def _target(prefix: str, *events: str) -> str:
    quoted = "%2C".join(f"%22{event}%22" for event in events)
    return prefix + _QUERY.replace("{events}", quoted)


def _docker_is_running(path: str) -> bool:
    return not docker.is_asleep(path)


_DOCKER = Source(
    docker.NAME,
    "/run/docker.sock",
    _target("", "start", "die", "rename"),
    _docker_is_running,
)
SOURCES = (
    _DOCKER,
    Source(
        podman.NAME,
        "/run/podman/podman.sock",
        _target("/v4.0.0/libpod", "start", "died", "rename").replace("?", "?stream=true&"),
        lambda _path: True,
    ),
)


def further_streams(sources: registry.Sources) -> list[Source]:
    """The event streams of further daemons."""
    return [
        _DOCKER._replace(socket=path)
        for path in sources.get(docker.NAME, ())
        if path not in {os.path.realpath(source.socket) for source in SOURCES}
    ]


class Stream:
    """The connection to one engine. `retry_at` is when to connect next, None while nothing is due.

    Each failure lengthens the delay before the next attempt. An engine that does not run is not retried
    by time: `restart` is called when its socket appears.
    """

    def __init__(self, source: Source) -> None:
        self.engine = source.engine
        self.label = source.engine if source in SOURCES else f"{source.engine} on {source.socket}"
        self.path = source.socket
        self.retry_at: float | None = 0.0
        self._source = source
        self._failures = 0
        self._connected_at = 0.0
        self._socket: socket.socket | None = None
        self._parser = Parser()

    @property
    def open(self) -> bool:
        """Whether the engine has accepted the request, so that its events arrive."""
        return self._socket is not None and self._parser.open

    def fileno(self) -> int:
        """The descriptor to wait for, -1 while there is none."""
        return self._socket.fileno() if self._socket else -1

    def restart(self) -> None:
        """Connect as soon as possible, and begin again with the shortest delays."""
        self._failures = 0
        self.retry_now()

    def retry_now(self) -> None:
        """Connect as soon as possible, if there is no connection."""
        if self._socket is None:
            self.retry_at = 0.0

    def connect(self) -> bool:
        """Try to connect. Returns whether there is a connection."""
        self.retry_at = None
        self._parser = Parser()
        try:
            if not self._source.may_connect(self.path):
                return False
            self._socket = self._request_events()
        except FileNotFoundError:
            return False
        except (OSError, model.EngineError):
            self._schedule_retry()
            return False
        self._connected_at = time.monotonic()
        return True

    def _request_events(self) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.setblocking(False)
            connection.connect(self.path)
            # An engine may respond before it follows its events. With `since` it repeats what it missed.
            since = f"{time.time() - 1:.3f}"
            request = f"GET {self._source.target} HTTP/1.1\r\nHost: localhost\r\n\r\n"
            connection.send(request.replace("{since}", since).encode())
        except OSError:
            connection.close()
            raise
        return connection

    def _schedule_retry(self) -> None:
        if self._failures < len(_RETRY_DELAYS):
            self.retry_at = time.monotonic() + _RETRY_DELAYS[self._failures]
            self._failures += 1

    def receive(self) -> list[Event]:
        """The events that have arrived. Closes the stream and raises EngineError when it is over."""
        events: list[Event] = []
        if self._socket is None:
            return events
        try:
            for _read in range(_MAX_READS):
                data = self._socket.recv(_READ_SIZE)
                if not data:
                    raise model.EngineError("the stream has ended")
                events += self._parser.feed(data)
                if len(data) < _READ_SIZE:
                    break
        except BlockingIOError:
            pass
        except (OSError, model.EngineError) as error:
            self.close()
            if self._parser.open and time.monotonic() - self._connected_at >= _STABLE_SECONDS:
                self._failures = 0
            self._schedule_retry()
            raise model.EngineError(f"{self.engine} on {self.path}: {error}") from None
        return events

    def close(self) -> None:
        """End the connection."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
