# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import pathlib
import socket
import threading
import time
import tracemalloc
import typing as t

import pytest

from ansible_collections.linuxnet.netns.plugins.module_utils._core import model
from ansible_collections.linuxnet.netns.plugins.module_utils._core.engines import unix_http

PLAIN = b"HTTP/1.1 200 OK\r\nServer: Docker/20.10.24+dfsg1 (linux)\r\nContent-Length: 4\r\n\r\n[{}]"
CHUNKED = (
    b"HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"5\r\nhello\r\n6;x=y\r\n world\r\n0\r\nTrailer: x\r\n\r\n"
)


@pytest.fixture
def path(tmp_path: pathlib.Path) -> str:
    return str(tmp_path / "socket")


def serve(path: str, answer: t.Callable[[socket.socket], None]) -> threading.Thread:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen()

    def once() -> None:
        with listener:
            connection, _address = listener.accept()
            with connection:
                try:
                    connection.recv(1 << 16)
                    answer(connection)
                except OSError:
                    pass

    thread = threading.Thread(target=once)
    thread.start()
    return thread


def ask(
    path: str, answer: t.Callable[[socket.socket], None], count: int = 1, timeout: float = 5
) -> list[unix_http.Response]:
    thread = serve(path, answer)
    try:
        with unix_http.Client(path, timeout) as client:
            # On a busy machine, connecting may have taken some of it.
            client.reset_deadline(timeout)
            return [
                _raise(each) for each in client.get_each([f"/{index}" for index in range(count)])
            ]
    finally:
        thread.join()


def _raise(answer: unix_http.Answer) -> unix_http.Response:
    if isinstance(answer, model.EngineError):
        raise answer
    return answer


def test_responses_in_order(path: str) -> None:
    first, second = ask(path, lambda peer: peer.sendall(PLAIN + CHUNKED), 2)
    assert first == (
        200,
        {"server": "Docker/20.10.24+dfsg1 (linux)", "content-length": "4"},
        b"[{}]",
    )
    assert (second.status, second.body) == (404, b"hello world")


def test_responses_byte_by_byte(path: str) -> None:
    def drip(peer: socket.socket) -> None:
        for index in range(len(PLAIN + CHUNKED)):
            peer.sendall((PLAIN + CHUNKED)[index : index + 1])

    assert [answer.body for answer in ask(path, drip, 2)] == [b"[{}]", b"hello world"]


@pytest.mark.parametrize("whole", [PLAIN, CHUNKED])
def test_a_truncated_response_is_an_error(tmp_path: pathlib.Path, whole: bytes) -> None:
    for length in range(len(whole)):
        cut = whole[:length]
        with pytest.raises(model.EngineError, match="closed in the middle") as caught:
            ask(str(tmp_path / str(length)), lambda peer, cut=cut: peer.sendall(cut))  # type: ignore[misc]
        # A connection that was kept open may have been closed before the request.
        assert isinstance(caught.value, unix_http.ClosedError) == (length == 0)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"220 mail ESMTP\r\n\r\n", "not a valid HTTP response"),
        (b"HTTP/1.1 abc\r\n\r\n", "not a valid HTTP response"),
        # Digits that int() refuses.
        (b"HTTP/1.1 \xb2\xb2\xb2\r\nContent-Length: 0\r\n\r\n", "not a valid HTTP response"),
        (b"x" * (1 << 17), "not a valid HTTP response"),
        (b"HTTP/1.1 200 OK\r\n\r\n", "not a valid HTTP response: length ''"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "bytes"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 999999999999\r\n\r\n", "more than"),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            "not a valid HTTP response: length 'zz'",
        ),
        # More digits than Python converts.
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%s\r\n" % (b"f" * 9000),
            "more than",
        ),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: %s\r\n\r\n" % (b"9" * 9000),
            "not a valid HTTP response|more than",
        ),
    ],
)
def test_invalid_responses(path: str, answer: bytes, words: str) -> None:
    with pytest.raises(model.EngineError, match=words):
        ask(path, lambda peer: peer.sendall(answer))


def test_a_connection_that_is_kept_open(path: str) -> None:
    def twice(peer: socket.socket) -> None:
        peer.sendall(PLAIN)
        peer.recv(1 << 16)
        peer.sendall(PLAIN)

    thread = serve(path, twice)
    checks: list[str] = []
    with unix_http.Client(path, 0.2, lambda: checks.append("made")) as client:
        assert client.get("/x").status == 200
        time.sleep(0.3)
        client.reset_deadline(5)
        assert client.get("/x").status == 200
        assert checks == ["made"]
        thread.join()
        # It was closed, and is made again, if it may be.
        for _turn in range(2):
            with pytest.raises(model.DownError):
                client.get("/x")
        os.unlink(path)
        thread = serve(path, lambda peer: peer.sendall(PLAIN))
        assert client.get("/x").status == 200
        assert len(checks) == 4
        thread.join()


def test_a_response_that_nobody_requested_is_of_no_request(path: str) -> None:
    def answers(peer: socket.socket) -> None:
        peer.sendall(PLAIN + CHUNKED)

    thread = serve(path, answers)
    with unix_http.Client(path, 5) as client:
        assert client.get("/x").status == 200
        # Until then, the socket accepts connections that nobody serves.
        thread.join()
        with pytest.raises(model.DownError):
            client.get("/y")


def test_the_process_that_listens(path: str) -> None:
    thread = serve(path, lambda peer: peer.sendall(PLAIN))
    with unix_http.Client(path, 5) as client:
        assert client.peer_pid == os.getpid()
        client.get("/x")
    thread.join()


def test_endless_chunks(path: str) -> None:
    def forever(peer: socket.socket) -> None:
        peer.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            peer.sendall(b"100000\r\n" + b"x" * 0x100000 + b"\r\n")

    with pytest.raises(model.EngineError, match="more than"):
        ask(path, forever, timeout=30)


def test_small_chunks_take_little_memory(path: str) -> None:
    count = 300_000

    def many(peer: socket.socket) -> None:
        peer.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _part in range(30):
            peer.sendall(b"2\r\nxy\r\n" * (count // 30))
        peer.sendall(b"0\r\n\r\n")

    tracemalloc.start()
    try:
        (answer,) = ask(path, many, timeout=60)
        _now, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(answer.body) == 2 * count
    assert peak < 8 * count


def test_a_slow_response_ends_with_the_timeout(path: str) -> None:
    def drip(peer: socket.socket) -> None:
        while True:
            peer.sendall(b"x")
            time.sleep(0.01)

    start = time.monotonic()
    with pytest.raises(model.EngineError, match=r"no answer .* in 0\.2 s"):
        ask(path, drip, timeout=0.2)
    assert time.monotonic() - start < 2


def test_a_socket_that_is_down(tmp_path: pathlib.Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    for path, words in ((fifo, "nothing listens on"), (tmp_path / "none", "there is no socket")):
        with pytest.raises(model.DownError, match=words):
            unix_http.Client(str(path), 1)


@pytest.mark.parametrize(
    "error",
    [
        socket.timeout("timed out"),
        PermissionError(13, "Permission denied"),
        BlockingIOError(11, "Resource temporarily unavailable"),
        ConnectionResetError(104, "Connection reset by peer"),
        NotADirectoryError(20, "Not a directory"),
        OSError("AF_UNIX path too long"),
    ],
)
def test_other_errors_do_not_mean_down(
    monkeypatch: pytest.MonkeyPatch, path: str, error: OSError
) -> None:
    class Socket(socket.socket):
        def connect(self, address: t.Any) -> None:
            raise error

    monkeypatch.setattr(unix_http.socket, "socket", Socket)
    with pytest.raises(model.EngineError) as raised:
        unix_http.Client(path, 1)
    assert not isinstance(raised.value, model.DownError)
