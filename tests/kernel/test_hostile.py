# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whole modules against a daemon that means no good: each run ends in time, in little memory, with words.

A module is a process here, in a mount namespace with a /run of its own.
"""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import threading
import time
import types
import typing as t

import hostile_inputs
import pytest
from support import Daemon, Place, accepted, inode, pins

from ansible_collections.linuxnet.netns.plugins.module_utils._core import model
from ansible_collections.linuxnet.netns.plugins.module_utils._core.engines import rootless
from ansible_collections.linuxnet.netns.plugins.module_utils._core.links import etc_netns

pytest.importorskip("ansible.module_utils.basic")

WEB, EVIL = "a1" * 32, "e7" * 32
TIMEOUT = 1.0
# What a module takes to start where everybody else is at work as well.
START = 15.0
MEGABYTES = 400
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


def sized(body: bytes, size: int | None = None) -> bytes:
    return HEAD + b"Content-Length: %d\r\n\r\n%s" % (len(body) if size is None else size, body)


Parts = t.Iterable[t.Union[bytes, float]]


def endless(*parts: bytes | float) -> Parts:
    return itertools.cycle(parts)


def drip(data: bytes) -> Parts:
    """A byte at a time, for much longer than there is time."""
    for place in range(len(data)):
        yield data[place : place + 1]
        yield 0.05
    yield from endless(b" ", 0.05)


class Villain:
    """Listens on a socket and sends parts, with pauses between them, whatever it is asked."""

    def __init__(self, path: pathlib.Path, parts: t.Callable[[], Parts]) -> None:
        self._parts = parts
        self._end = threading.Event()
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(str(path))
        self._socket.listen()
        self._threads = [threading.Thread(target=self._serve, daemon=True)]
        self._threads[0].start()

    def close(self) -> None:
        self._end.set()
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        for thread in self._threads:
            thread.join()

    def _serve(self) -> None:
        for connection in accepted(self._socket):
            thread = threading.Thread(target=self._answer, args=(connection,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _answer(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.recv(1 << 16)
            for part in self._parts():
                if self._end.is_set():
                    return
                if isinstance(part, float):
                    self._end.wait(part)
                else:
                    connection.sendall(part)


class Result(t.NamedTuple):
    """What a module process did: its answer, how long it took, its memory at most, and its mounts."""

    answer: dict[str, t.Any]
    seconds: float
    megabytes: float
    mounts: list[str]


class Modules:
    """Modules as processes, with a socket of Docker's, and a netns_dir."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        self.socket = folder / "docker.sock"
        self.dir = folder / "netns"
        self.dir.mkdir()

    def run(self, module: str, **options: t.Any) -> Result:
        options = {"netns_dir": str(self.dir), "timeout": TIMEOUT, "engines": ["docker"], **options}
        (self.folder / "arguments.json").write_text(json.dumps({"ANSIBLE_MODULE_ARGS": options}))
        table = self.folder / "mounts"
        script = (
            "mount -t tmpfs tmpfs /run && cut -d' ' -f5 /proc/self/mountinfo >$1.before && "
            'table=$1 && shift && "$@"; cut -d" " -f5 /proc/self/mountinfo >$table'
        )
        command = ["unshare", "--mount", "sh", "-c", script, "sh", str(table)]
        command += [sys.executable, "-c", _MEASURED]
        command += [f"ansible_collections.linuxnet.netns.plugins.modules.{module}"]
        command += [str(self.folder / "arguments.json")]
        started = time.monotonic()
        done = subprocess.run(
            command,
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
                "DOCKER_HOST": f"unix://{self.socket}",
            },
            capture_output=True,
            check=False,
            timeout=120,
        )
        seconds = time.monotonic() - started
        assert b"Traceback" not in done.stdout + done.stderr, done.stderr.decode()
        lines = [line for line in done.stdout.decode().splitlines() if line]
        before = table.with_suffix(".before").read_text().splitlines()
        new = [point for point in table.read_text().splitlines() if point not in before]
        return Result(json.loads(lines[0]), seconds, int(lines[-1]) / 1024, new)


# Runs the module as Ansible does, and says what its memory was at most.
_MEASURED = """
import atexit, os, resource, runpy, sys
own = os.getpid()
atexit.register(
    lambda: os.getpid() == own
    and print("\\n%d" % resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, flush=True)
)
module = sys.argv.pop(1)
runpy.run_module(module, run_name="__main__")
"""


@pytest.fixture
def modules(tmp_path: pathlib.Path) -> Modules:
    return Modules(tmp_path)


# Lists of nothing: as much as possible made of each byte.
BOMB = b"[" + b"[]," * 11_000_000 + b"[]]"

VILLAINS: dict[str, tuple[t.Callable[[], Parts], str]] = {
    "says nothing": (lambda: endless(0.1), "no answer on"),
    "a byte at a time": (lambda: drip(sized(b"[]")), "no answer on"),
    "a body a byte at a time": (lambda: [sized(b"", 10**6), *[b" ", 0.05] * 200], "no answer on"),
    "a head without an end": (lambda: endless(HEAD), "not a valid HTTP response"),
    "a line without an end": (lambda: [HEAD, *[b"x" * 65536] * 9999], "not a valid HTTP response"),
    "chunks without an end": (
        lambda: itertools.chain([CHUNKED], endless(b"100000\r\n%s\r\n" % (b" " * 0x100000))),
        "more than|no answer on",
    ),
    "small chunks without an end": (
        lambda: itertools.chain([CHUNKED], endless(b"2\r\nxy\r\n" * 5000)),
        "more than|no answer on",
    ),
    "trailers without an end": (
        lambda: itertools.chain([CHUNKED, b"0\r\n"], endless(b"x: y\r\n" * 5000)),
        "no answer on",
    ),
    "100 MB": (lambda: [sized(b"", 100_000_000), *[b" " * 1_000_000] * 100], "more than"),
    "100 MB in chunks": (
        lambda: [CHUNKED, *[b"f4240\r\n%s\r\n" % (b" " * 1_000_000)] * 100, b"0\r\n\r\n"],
        "more than|no answer on",
    ),
    "33 MB of lists": (lambda: [sized(BOMB)], "not valid JSON|no answer on"),
    # The most that is read: each character takes four bytes, beside a million of values.
    "33 MB of whales": (
        lambda: [sized(b"[" + b"{}," * 1_000_000 + b'"' + "🐋".encode() * 7_000_000 + b'"]')],
        "'Id' is not a container ID: ''|no answer on",
    ),
    "too deep": (lambda: [sized(b"[" * 1_000_000)], "not valid JSON"),
    "a number": (lambda: [sized(b"9" * 1_000_000)], "not valid JSON"),
    "a page": (lambda: [sized(b"<html>")], "not valid JSON"),
    "an error": (
        lambda: [b"HTTP/1.1 500 Oh\r\nContent-Length: 9\r\n\r\n\x1b[2J\xff\x00\r\n!"],
        "status 500",
    ),
    "superscript": (
        lambda: [b"HTTP/1.1 \xb2\xb2\xb2 OK\r\nContent-Length: 2\r\n\r\n[]"],
        "not a valid HTTP response",
    ),
    "a huge chunk": (lambda: [CHUNKED, b"f" * 9000 + b"\r\n"], "more than"),
    "hangs up": (list, "closed in the middle"),
}


@pytest.mark.parametrize("name", VILLAINS)
def test_a_daemon_that_means_no_good(modules: Modules, name: str) -> None:
    parts, words = VILLAINS[name]
    villain = Villain(modules.socket, parts)
    try:
        result = modules.run("netns_link", all=True, prune=True)
    finally:
        villain.close()
    assert result.answer["failed"]
    assert any(word in result.answer["msg"] for word in words.split("|")), result.answer["msg"]
    assert result.answer["msg"].isprintable()
    assert result.seconds < TIMEOUT + START
    assert result.megabytes < MEGABYTES
    assert result.mounts == []
    assert os.listdir(modules.dir) == []


@pytest.mark.parametrize(
    "name", ["says nothing", "33 MB of whales", "a byte at a time", "an error"]
)
def test_facts_of_a_daemon_that_means_no_good(modules: Modules, name: str) -> None:
    parts, words = VILLAINS[name]
    villain = Villain(modules.socket, parts)
    try:
        result = modules.run("netns_facts")
    finally:
        villain.close()
    facts = result.answer["ansible_facts"]["netns"]
    (reason,) = (one["reason"] for one in facts["incomplete"] if one["source"] == "docker")
    assert any(word in reason for word in words.split("|")), reason
    assert not facts["complete"]
    assert result.seconds < TIMEOUT + START
    assert result.megabytes < MEGABYTES


def _dead_socket(path: pathlib.Path) -> None:
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(path))


def _link_to_a_fifo(path: pathlib.Path) -> None:
    os.mkfifo(path.with_name("fifo"))
    path.symlink_to("fifo")


def _link_to_itself(path: pathlib.Path) -> None:
    path.symlink_to(path)


@pytest.mark.parametrize(
    "make",
    [
        os.mkfifo,
        os.mkdir,
        pathlib.Path.touch,
        _dead_socket,
        _link_to_a_fifo,
        _link_to_itself,
        lambda path: path.symlink_to("/dev/zero"),
    ],
)
def test_a_socket_that_is_none(modules: Modules, make: t.Callable[[pathlib.Path], None]) -> None:
    make(modules.socket)
    result = modules.run("netns_link", all=True)
    assert result.answer["failed"]
    where = os.path.realpath(modules.socket)
    assert where in result.answer["msg"]
    assert result.seconds < START


def test_nobody_takes_the_call(modules: Modules) -> None:
    """It listens, and its queue is full."""
    with socket.socket(socket.AF_UNIX) as server, contextlib.ExitStack() as callers:
        server.bind(str(modules.socket))
        server.listen(0)
        for _caller in range(3):
            caller = callers.enter_context(socket.socket(socket.AF_UNIX))
            caller.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                caller.connect(str(modules.socket))
        result = modules.run("netns_link", all=True)
    assert "no answer on" in result.answer["msg"]
    assert result.seconds < TIMEOUT + START


@pytest.mark.parametrize(
    "options",
    [
        {"name": "x", "path": "/a\0b"},
        {"name": "../x", "pid": 1},
        {"name": "a\0b", "pid": 1},
        {"name": "\x1b[2J", "pid": 1},
        {"name": "ä" * 200, "pid": 1},
        {"name": "x", "pid": 0},
        {"name": "x", "pid": -1},
        {"name": "x", "pid": 10**30},
        {"all": True, "netns_dir": "/a\0b"},
        {"all": True, "timeout": "nan"},
        {"all": True, "timeout": "inf"},
        {"all": True, "timeout": "1e300"},
        {"containers": ["\ud800"]},
        {"name": "\ud800", "pid": 1},
        {"state": "absent", "name": "\ud800"},
        {"all": True, "name_template": "{" * 1000},
    ],
    ids=hostile_inputs.case_id,
)
def test_options_that_cannot_be_meant(modules: Modules, options: dict[str, t.Any]) -> None:
    result = modules.run("netns_link", **options)
    assert result.answer["failed"]
    assert result.mounts == []
    if "timeout" in options or "netns_dir" in options:
        del options["all"]
        result = modules.run("netns_facts", **options)
        assert result.answer["failed"]


@pytest.mark.parametrize("wrong", hostile_inputs.VALUES, ids=hostile_inputs.case_id)
def test_what_a_container_is_called(place: Place, daemon: Daemon, wrong: t.Any) -> None:
    """Links are made under names that can be one, in netns_dir, and of its own namespace alone."""
    good, evil = place.process(), place.process()
    daemon.add("web", good, WEB)
    daemon.add("evil", evil, EVIL, app="x")
    daemon.containers[EVIL].update(name=wrong, labels={"com.docker.compose.project": wrong})
    try:
        result = place.run(all=True, name_template="{name}")
    except model.NetnsError:
        assert not place.dir.exists()
        return
    rows = {row["name"]: row for row in result.links}
    assert result.failures or rows["web"]["netns"] == inode(f"/proc/{good}/ns/net")
    for name in os.listdir(place.dir) if place.dir.exists() else ():
        assert inode(place.link(name)) == rows[name]["netns"]
    assert pins(inode(f"/proc/{evil}/ns/net")) <= 1
    place.run(state="absent", all=True)
    assert not place.dir.exists() or os.listdir(place.dir) == []


@pytest.mark.parametrize("pid", [-1, 0, 1, True, 1.0, "7", 1 << 31, 10**19, 10**40, None, [7]])
def test_what_is_no_pid(place: Place, daemon: Daemon, pid: t.Any) -> None:
    daemon.add("web", place.process(), WEB)
    daemon.containers[WEB].update(pid=pid)
    result = place.run(all=True)
    assert result.failures or all(row["action"] == "skipped" for row in result.links)
    assert not place.dir.exists()


def test_a_process_of_another(place: Place, daemon: Daemon) -> None:
    """Docker names a process that is none of the container's."""
    daemon.add("web", place.process(), WEB)
    stranger = place.process()
    assert place.act(all=True) == {"web": "created"}
    daemon.containers[WEB]["pid"] = stranger
    assert place.act(all=True) == {"web": "relinked"}
    assert pins(inode(f"/proc/{stranger}/ns/net")) == 1


@pytest.mark.parametrize("file", hostile_inputs.FILES, ids=hostile_inputs.case_id)
def test_a_resolv_conf_by_an_attacker(
    place: Place,
    daemon: Daemon,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    file: hostile_inputs.File,
) -> None:
    monkeypatch.setattr(etc_netns, "DIRECTORY", str(tmp_path / "etc"))
    source = tmp_path / "resolv.conf"
    file.put(source)
    daemon.add("web", place.process(), WEB)
    daemon.containers[WEB].update(resolv_conf=str(source))
    result = place.run(all=True, resolv_conf=True)
    assert [row["action"] for row in result.links] == ["created"]
    assert not (tmp_path / "etc").exists()


def test_a_resolv_conf_that_is_no_text(modules: Modules, place: Place) -> None:
    """ansible-core refuses a result with bytes in it, and the host would be lost with it."""
    source = modules.folder / "resolv.conf"
    source.write_bytes(b"nameserver 127.0.0.11\nsearch \xff\xed\xa0\x80 \x1b[2J\n")
    daemon = Daemon(str(modules.socket))
    try:
        daemon.add("web", place.process(), WEB)
        daemon.containers[WEB].update(resolv_conf=str(source))
        answer = modules.run(
            "netns_link", all=True, resolv_conf=True, _ansible_check_mode=True, _ansible_diff=True
        ).answer
    finally:
        daemon.close()
    assert [row["action"] for row in answer["links"]] == ["created"]
    (text,) = (
        one["after"] for one in answer["diff"] if "after" in one and "search" in one["after"]
    )
    assert "\\xff\\xed\\xa0\\x80" in text
    json.dumps(answer, ensure_ascii=False).encode()


def test_a_home_that_its_user_serves_and_never_answers(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As fusermount makes it, where /etc/fuse.conf has user_allow_other."""
    home = tmp_path / "home"
    home.mkdir()
    try:
        server = os.open("/dev/fuse", os.O_RDWR)
    except OSError:
        pytest.skip("no FUSE here")
    options = f"fd={server},rootmode=40000,user_id={os.getuid()},group_id=0,allow_other"
    libc = ctypes.CDLL(None, use_errno=True)

    monkeypatch.setattr(rootless.pwd, "getpwuid", lambda _: types.SimpleNamespace(pw_dir=str(home)))
    child = 0
    try:
        if libc.mount(b"home", os.fsencode(home), b"fuse", 0, options.encode()) != 0:
            pytest.skip("no FUSE here")
        # Who waits for it, only SIGKILL ends.
        child = os.fork()
        if child == 0:
            try:
                rootless._read_docker_file(1000, WEB)
            except model.EngineError as error:
                os._exit(0 if "the home directory is on FUSE" in str(error) else 1)
            finally:
                os._exit(2)
        deadline = time.monotonic() + 5
        ended, status = 0, 0
        while not ended and time.monotonic() < deadline:
            ended, status = os.waitpid(child, os.WNOHANG)
            time.sleep(0.01)
        assert ended, "it was waited for"
        child = 0
        assert status == 0
    finally:
        if child:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        subprocess.run(["umount", "--lazy", str(home)], check=False, stderr=subprocess.DEVNULL)
        os.close(server)


def test_a_ledger_of_anything(place: Place) -> None:
    pid = place.process()
    place.act(pid=pid, names=("web",))
    path = place.state / "ledger"
    with path.open("ab") as stream:
        stream.write(b"[" * 100_000 + b"\n\xff\n[7, {}]\n" + b"9" * 100_000 + b"\n")
        stream.write(b'["/etc/passwd", {"netns": [4, 5], "file": 1, "maker": "module"}]\n')
        stream.write(
            b'["%s/..", {"netns": [4, 5], "file": 1, "maker": "module"}]\n'
            % str(place.dir).encode()
        )
    assert place.act(state="absent", all=True) == {"web": "removed"}
    assert os.path.exists("/etc/passwd")
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(model.NetnsError, match="is a FIFO, not a file: move it away"):
        place.run(pid=pid, names=("web",))
    assert os.listdir(place.dir) == []
