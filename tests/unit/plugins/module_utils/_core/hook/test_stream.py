# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Event streams as Docker and Podman sent them, cut anywhere, and what is no such stream."""

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


def fed(*parts: bytes) -> list[stream.Event]:
    parser = stream.Parser()
    return [event for part in parts for event in parser.feed(part)]


@pytest.mark.parametrize("path", CAPTURED, ids=lambda path: path.parent.name)
def test_captured_streams_cut_at_every_byte(path: pathlib.Path) -> None:
    data = gzip.decompress(path.read_bytes())
    events = fed(data)
    actions = [event.action for event in events]
    end = "died" if "podman" in path.parent.name else "die"
    assert actions[:2] == ["start", "rename"]
    assert end in actions
    assert len({event.id for event in events}) == 1
    for place in range(len(data) + 1):
        assert fed(data[:place], data[place:]) == events
    assert fed(*(data[place : place + 1] for place in range(len(data)))) == events


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
        # The older form, other things than containers, and what is no id.
        ((HEAD, chunk(b'{"status":"die","id":"%s"}\n' % ID.encode())), ["die"]),
        ((HEAD, chunk(LINE.replace(b"container", b"network"))), []),
        ((HEAD, chunk(LINE.replace(b"abab", b"../a"))), []),
        ((HEAD, chunk(b'{"Type":"container","Actor":[]}\n')), []),
        ((HEAD, chunk(b"[]\n")), []),
        # What was not asked for.
        ((HEAD, chunk(LINE.replace(b"start", b"x" * 1000))), []),
        ((HEAD, chunk(LINE.replace(b'"start"', b'["start"]'))), []),
    ],
)
def test_events(parts: t.Sequence[bytes], actions: list[str]) -> None:
    assert fed(*parts) == [stream.Event(action, ID) for action in actions]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"x" * 20000, "no HTTP"),
        (b"SSH-2.0\r\n\r\n", "no stream of events"),
        (b"HTTP/1.1 500 Internal Server Error\r\n\r\n", "http/1.1 500"),
        (HEAD + b"zz\r\n", "chunk of length"),
        (HEAD + b"x" * 20000, "chunk of length"),
        (HEAD + b"-5\r\n", "ended"),
        (HEAD + b"0\r\n\r\n", "ended"),
        (HEAD + b"ffffffff\r\n", "ended"),
        (HEAD + chunk(b"{nonsense}\n"), "no JSON"),
        (HEAD + chunk(b"[" * 100_000 + b"\n"), "no JSON"),
        (HEAD + chunk(b"9" * 100_000 + b"\n"), "no JSON"),
        (b"HTTP/1.0 200 OK\r\n\r\n" + b"x" * (1 << 21), "more than"),
    ],
)
def test_what_is_no_stream(data: bytes, words: str) -> None:
    with pytest.raises(model.EngineError, match=words):
        fed(data)


@pytest.fixture
def place(tmp_path: pathlib.Path) -> stream.Source:
    return stream.Source("docker", str(tmp_path / "sock"), "/events?since={since}", lambda _: True)


def test_an_engine_that_comes_goes_and_comes_again(place: stream.Source) -> None:
    ours = stream.Stream(place)
    assert not ours.connect()
    assert ours.retry_at is None, "nothing is there: it is not tried by the clock"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(place.socket)
        assert not ours.connect()
        assert ours.retry_at is not None, "nobody answers yet"
        server.listen()
        assert ours.connect()
        assert not ours.open
        peer, _address = server.accept()
        with peer:
            assert peer.recv(1 << 16).startswith(b"GET /events?since=1")
            peer.sendall(HEAD + chunk(LINE) + chunk(LINE)[:20])
            assert ours.receive() == [stream.Event("start", ID)]
            assert ours.open
            assert ours.receive() == []
        with pytest.raises(model.EngineError, match="has ended"):
            ours.receive()
        assert (ours.open, ours.fileno()) == (False, -1)
        assert ours.retry_at is not None
        assert ours.connect()
        ours.close()


@pytest.mark.parametrize(
    ("steady", "pauses"), [(10.0, [0.25, 0.5, 1.0]), (0.0, [0.25, 0.25, 0.25])]
)
def test_one_that_hangs_up_each_time_has_longer_pauses(
    place: stream.Source, monkeypatch: pytest.MonkeyPatch, steady: float, pauses: list[float]
) -> None:
    monkeypatch.setattr(stream, "_STEADY", steady)
    seen = []
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(place.socket)
        server.listen()
        ours = stream.Stream(place)
        for _time in pauses:
            assert ours.connect()
            peer, _address = server.accept()
            with peer:
                peer.sendall(HEAD + chunk(LINE))
                assert ours.receive()
            now = time.monotonic()
            with pytest.raises(model.EngineError, match=r"has ended|reset"):
                ours.receive()
            assert ours.retry_at is not None
            seen.append(ours.retry_at - now)
    assert seen == pytest.approx(pauses, abs=0.2)


def test_a_flood_leaves_others_their_turn(
    place: stream.Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "_CHUNK", 1 << 12)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(place.socket)
        server.listen()
        ours = stream.Stream(place)
        assert ours.connect()
        peer, _address = server.accept()
        whole = HEAD + chunk(LINE) * 2000
        end = threading.Event()

        def flood() -> None:
            with peer, contextlib.suppress(OSError):
                while not end.is_set():
                    peer.sendall(whole[len(HEAD) :] if ours.open else whole)

        thread = threading.Thread(target=flood)
        thread.start()
        try:
            while not ours.open:
                ours.receive()
            for _turn in range(5):
                assert len(ours.receive()) <= 16 * (1 << 12) // len(LINE) + 1
        finally:
            end.set()
            ours.close()
            thread.join()


def test_a_daemon_that_sleeps_is_left_asleep(place: stream.Source) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(place.socket)
        server.listen()
        server.setblocking(False)
        ours = stream.Stream(place._replace(may_ask=lambda _path: False))
        assert not ours.connect()
        assert ours.retry_at is None
        with pytest.raises(BlockingIOError):
            server.accept()
