# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Captured event streams of Docker and Podman in pieces of any size, and other data."""

from __future__ import annotations

import contextlib
import gzip
import pathlib
import socket
import threading
import time
import typing as t

import pytest

from ansible_collections.linuxnet.netns.plugins.module_utils._core import model
from ansible_collections.linuxnet.netns.plugins.module_utils._core.hook import stream

DATA = pathlib.Path(__file__).parents[4] / "data"
CAPTURED = [DATA / name / "events.gz" for name in ("docker-26.1.5", "podman-5.4.2")]
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
ID = "ab" * 32
LINE = b'{"Type":"container","Action":"start","Actor":{"ID":"%s"}}\n' % ID.encode()


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def parse(*parts: bytes) -> list[stream.Event]:
    parser = stream.Parser()
    return [event for part in parts for event in parser.feed(part)]


@pytest.mark.parametrize("path", CAPTURED, ids=lambda path: path.parent.name)
def test_captured_streams_cut_at_every_byte(path: pathlib.Path) -> None:
    data = gzip.decompress(path.read_bytes())
    events = parse(data)
    actions = [event.action for event in events]
    end = "died" if "podman" in path.parent.name else "die"
    assert actions[:2] == ["start", "rename"]
    assert end in actions
    assert len({event.id for event in events}) == 1
    for position in range(len(data) + 1):
        assert parse(data[:position], data[position:]) == events
    assert parse(*(data[position : position + 1] for position in range(len(data)))) == events


def test_there_are_captured_streams() -> None:
    assert len(CAPTURED) >= 2


@pytest.mark.parametrize(
    ("parts", "actions"),
    [
        ((HEAD, chunk(LINE)), ["start"]),
        ((HEAD, chunk(LINE + LINE)), ["start", "start"]),
        ((HEAD, chunk(LINE[:30]), chunk(LINE[30:])), ["start"]),
        ((HEAD, b"%x;x=y\r\n%s\r\n" % (len(LINE), LINE)), ["start"]),
        ((HEAD, chunk(b"\n \n" + LINE)), ["start"]),
        ((b"HTTP/1.0 200 OK\r\n\r\n", LINE), ["start"]),
        # The former format, other objects than containers, and invalid ids.
        ((HEAD, chunk(b'{"status":"die","id":"%s"}\n' % ID.encode())), ["die"]),
        ((HEAD, chunk(LINE.replace(b"container", b"network"))), []),
        ((HEAD, chunk(LINE.replace(b"abab", b"../a"))), []),
        ((HEAD, chunk(b'{"Type":"container","Actor":[]}\n')), []),
        ((HEAD, chunk(b"[]\n")), []),
        # Events that the request excludes.
        ((HEAD, chunk(LINE.replace(b"start", b"x" * 1000))), []),
        ((HEAD, chunk(LINE.replace(b'"start"', b'["start"]'))), []),
    ],
)
def test_events(parts: t.Sequence[bytes], actions: list[str]) -> None:
    assert parse(*parts) == [stream.Event(action, ID) for action in actions]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"x" * 20000, "not a valid HTTP"),
        (b"SSH-2.0\r\n\r\n", "not an event stream"),
        (b"HTTP/1.1 500 Internal Server Error\r\n\r\n", "http/1.1 500"),
        (HEAD + b"zz\r\n", "length of a chunk"),
        (HEAD + b"x" * 20000, "length of a chunk"),
        (HEAD + b"-5\r\n", "ended"),
        (HEAD + b"0\r\n\r\n", "ended"),
        (HEAD + b"ffffffff\r\n", "ended"),
        (HEAD + chunk(b"{nonsense}\n"), "not valid JSON"),
        (HEAD + chunk(b"[" * 100_000 + b"\n"), "not valid JSON"),
        (HEAD + chunk(b"9" * 100_000 + b"\n"), "not valid JSON"),
        (b"HTTP/1.0 200 OK\r\n\r\n" + b"x" * (1 << 21), "more than"),
    ],
)
def test_other_data_is_refused(data: bytes, words: str) -> None:
    with pytest.raises(model.EngineError, match=words):
        parse(data)


@pytest.fixture
def source(tmp_path: pathlib.Path) -> stream.Source:
    return stream.Source("docker", str(tmp_path / "sock"), "/events?since={since}", lambda _: True)


def test_an_engine_that_starts_stops_and_starts_again(source: stream.Source) -> None:
    client = stream.Stream(source)
    assert not client.connect()
    assert client.retry_at is None, "there is no socket, so there is no retry"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(source.socket)
        assert not client.connect()
        assert client.retry_at is not None, "the socket does not accept connections yet"
        server.listen()
        assert client.connect()
        assert not client.open
        peer, _address = server.accept()
        with peer:
            assert peer.recv(1 << 16).startswith(b"GET /events?since=1")
            peer.sendall(HEAD + chunk(LINE) + chunk(LINE)[:20])
            assert client.receive() == [stream.Event("start", ID)]
            assert client.open
            assert client.receive() == []
        with pytest.raises(model.EngineError, match="has ended"):
            client.receive()
        assert (client.open, client.fileno()) == (False, -1)
        assert client.retry_at is not None
        assert client.connect()
        client.close()


@pytest.mark.parametrize(
    ("stable_seconds", "delays"), [(10.0, [0.25, 0.5, 1.0]), (0.0, [0.25, 0.25, 0.25])]
)
def test_short_streams_are_retried_with_longer_delays(
    source: stream.Source,
    monkeypatch: pytest.MonkeyPatch,
    stable_seconds: float,
    delays: list[float],
) -> None:
    monkeypatch.setattr(stream, "_STABLE_SECONDS", stable_seconds)
    actual = []
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(source.socket)
        server.listen()
        client = stream.Stream(source)
        for _time in delays:
            assert client.connect()
            peer, _address = server.accept()
            with peer:
                peer.sendall(HEAD + chunk(LINE))
                assert client.receive()
            now = time.monotonic()
            with pytest.raises(model.EngineError, match=r"has ended|reset"):
                client.receive()
            assert client.retry_at is not None
            actual.append(client.retry_at - now)
    assert actual == pytest.approx(delays, abs=0.2)


def test_a_flood_of_events_is_read_in_parts(
    source: stream.Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "_READ_SIZE", 1 << 12)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(source.socket)
        server.listen()
        client = stream.Stream(source)
        assert client.connect()
        peer, _address = server.accept()
        whole = HEAD + chunk(LINE) * 2000
        end = threading.Event()

        def flood() -> None:
            with peer, contextlib.suppress(OSError):
                while not end.is_set():
                    peer.sendall(whole[len(HEAD) :] if client.open else whole)

        thread = threading.Thread(target=flood)
        thread.start()
        try:
            while not client.open:
                client.receive()
            for _turn in range(5):
                assert len(client.receive()) <= 16 * (1 << 12) // len(LINE) + 1
        finally:
            end.set()
            client.close()
            thread.join()


def test_an_inactive_daemon_is_not_started(source: stream.Source) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(source.socket)
        server.listen()
        server.setblocking(False)
        client = stream.Stream(source._replace(may_connect=lambda _path: False))
        assert not client.connect()
        assert client.retry_at is None
        with pytest.raises(BlockingIOError):
            server.accept()


def test_further_daemons() -> None:
    sources = {"docker": ["/run/docker.sock", "/run/ci.sock"], "podman": ["/srv/ci"]}
    (further,) = stream.further_streams(sources)
    assert (further.engine, further.socket) == ("docker", "/run/ci.sock")
    assert stream.Stream(further).label == "docker on /run/ci.sock"
    assert [stream.Stream(one).label for one in stream.SOURCES] == ["docker", "podman"]
