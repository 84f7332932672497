# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A stand-in for the API of an engine, some of whose answers are odd (hostile_inputs.ODD_ANSWERS)."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
import typing as t

import hostile_inputs


class OddServer:
    """Serves documents by target on a unix socket; a context manager.

    `odd` are the answers at other targets. `requests` are the targets that were requested, and
    `connections` the number of connections.
    """

    def __init__(self, path: str | os.PathLike[str], server: str = "") -> None:
        self.documents: dict[str, t.Any] = {}
        self.odd: dict[str, hostile_inputs.Answer] = {}
        self.requests: list[str] = []
        self.connections = 0
        self._server = server
        self._end = threading.Event()
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(os.fspath(path))
        self._socket.listen()

    def __enter__(self) -> OddServer:
        self._start(self._accept)
        return self

    def __exit__(self, *_exception: object) -> None:
        self._end.set()
        for each in (self._socket, *self._open):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        self._socket.close()

    def _start(self, work: t.Callable[..., None], *arguments: t.Any) -> None:
        self._threads.append(threading.Thread(target=work, args=arguments, daemon=True))
        self._threads[-1].start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _address = self._socket.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(connection)
            self._start(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection, connection.makefile("rb") as lines:
            for line in lines:
                if line.startswith(b"GET "):
                    target = line.split()[1].decode()
                    self.requests.append(target)
                    if target in self.odd:
                        if not self._send_odd(connection, self.odd[target]):
                            return
                    elif target in self.documents:
                        body = json.dumps(self.documents[target]).encode()
                        head = f"HTTP/1.1 200 OK\r\nServer: {self._server}\r\n"
                        head += f"Content-Length: {len(body)}\r\n\r\n"
                        connection.sendall(head.encode() + body)
                    else:
                        connection.sendall(hostile_inputs.http(b"{}", "404 Not Found"))

    def _send_odd(self, connection: socket.socket, answer: hostile_inputs.Answer) -> bool:
        """Send it. Returns whether the connection goes on."""
        for part in answer.parts():
            if isinstance(part, float):
                self._end.wait(part)
            else:
                connection.sendall(part)
        if answer.is_slow:
            self._end.wait()
        return not answer.closes
