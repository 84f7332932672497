# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Signals to the process of the service, at each moment and in any number."""

from __future__ import annotations

import pathlib
import signal
import socket
import subprocess
import sys
import time
import typing as t

import hook_process
import pytest
from support import ScratchHost


class ServiceProcess:
    """The process of the service, and what it sends to systemd."""

    def __init__(self, scratch: ScratchHost, tmp_path: pathlib.Path, *number: str) -> None:
        address = str(tmp_path / "notify")
        self._receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._receiver.bind(address)
        scratch.dir.mkdir(exist_ok=True)
        directories = map(str, (scratch.dir, scratch.state, scratch.etc))
        self._process = subprocess.Popen(
            (sys.executable, hook_process.__file__, *directories, *number),
            env={"NOTIFY_SOCKET": address, **PATHS},
        )

    def message(self, timeout: float = 30.0) -> dict[str, str]:
        """The next message, empty if there is none in time."""
        self._receiver.settimeout(timeout)
        try:
            text = self._receiver.recv(4096).decode()
        except socket.timeout:  # TimeoutError since Python 3.10
            return {}
        return dict(line.split("=", 1) for line in text.splitlines())

    def wait_until_ready(self) -> None:
        while "READY" not in self._expected_message():
            pass

    def messages(self) -> list[dict[str, str]]:
        """The messages until there is none for a second after the end of a reload."""
        messages = [self._expected_message()]
        while True:
            message = self.message(1.0) if "READY" in messages[-1] else self._expected_message()
            if not message:
                return messages
            messages.append(message)

    def _expected_message(self) -> dict[str, str]:
        message = self.message()
        assert message, "the process sends no message"
        return message

    def send(self, number: signal.Signals) -> None:
        assert self._process.poll() is None, "the process has ended"
        self._process.send_signal(number)

    def wait(self) -> int:
        # Otherwise a full queue of messages holds the process up.
        self._receiver.close()
        return self._process.wait(30)

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        self._receiver.close()


PATHS = {"PYTHONPATH": ":".join(filter(None, sys.path))}


@pytest.fixture
def start(
    scratch: ScratchHost, tmp_path: pathlib.Path
) -> t.Iterator[t.Callable[..., ServiceProcess]]:
    started: list[ServiceProcess] = []

    def start(*number: str) -> ServiceProcess:
        started.append(ServiceProcess(scratch, tmp_path, *number))
        return started[-1]

    yield start
    for process in started:
        process.close()


@pytest.mark.parametrize("microseconds", [0, 500, 1000, 2000, 4000, 8000, 16000])
def test_two_reloads_in_quick_succession(
    start: t.Callable[..., ServiceProcess], microseconds: int
) -> None:
    service = start()
    service.wait_until_ready()
    for _pair in range(10):
        service.send(signal.SIGHUP)
        time.sleep(microseconds / 1e6)
        service.send(signal.SIGHUP)
        service.wait_until_ready()
    service.send(signal.SIGTERM)
    assert service.wait() == 0


def test_a_burst_of_reloads_hides_no_stop(start: t.Callable[..., ServiceProcess]) -> None:
    service = start()
    service.wait_until_ready()
    for _signal in range(5000):
        service.send(signal.SIGHUP)
    assert service.messages()[-1]["READY"] == "1"
    for _signal in range(5000):
        service.send(signal.SIGHUP)
    service.send(signal.SIGTERM)
    assert service.wait() == 0


def test_a_reload_at_each_moment(start: t.Callable[..., ServiceProcess]) -> None:
    service = start("SIGHUP")
    before, reloads = 0, 0
    messages = service.messages()
    for message in messages:
        if message.get("RELOADING"):
            # systemd takes the message for its own reload if it is not older.
            assert int(message["MONOTONIC_USEC"]) > before
            before = int(message["MONOTONIC_USEC"])
            reloads += 1
    assert reloads > 20
    assert messages[-1]["READY"] == "1"
    service.send(signal.SIGTERM)
    assert service.wait() == 0


def test_a_stop_at_the_first_moment(start: t.Callable[..., ServiceProcess]) -> None:
    assert start("SIGTERM").wait() == 0
