# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whole modules against hostile daemons, names and files: each run ends in time, in little memory, with a reason.

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
import typing as t

import hostile_inputs
import pytest
from support import Daemon, ScratchHost, accepted, environment, inode, pins

from ansible_collections.linuxnet.netns.plugins.module_utils._core import model
from ansible_collections.linuxnet.netns.plugins.module_utils._core.engines import rootless
from ansible_collections.linuxnet.netns.plugins.module_utils._core.kernel import users

pytest.importorskip("ansible.module_utils.basic")

WEB, EVIL = "a1" * 32, "e7" * 32
TIMEOUT = 1.0
# What a module takes to start on a busy machine.
START_SECONDS = 15.0
MAX_MEGABYTES = 400
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


def sized(body: bytes, size: int | None = None) -> bytes:
    return HEAD + b"Content-Length: %d\r\n\r\n%s" % (len(body) if size is None else size, body)


Parts = t.Iterable[t.Union[bytes, float]]


def endless(*parts: bytes | float) -> Parts:
    return itertools.cycle(parts)


def drip(data: bytes) -> Parts:
    """A byte at a time, for much longer than the timeout."""
    for index in range(len(data)):
        yield data[index : index + 1]
        yield 0.05
    yield from endless(b" ", 0.05)


class HostileDaemon:
    """Listens on a socket and sends parts, with pauses between them, whatever the request."""

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
    """A module process: its answer, its run time, its peak memory, and its mounts."""

    answer: dict[str, t.Any]
    seconds: float
    megabytes: float
    mounts: list[str]


class Modules:
    """Modules as processes, with a socket of Docker's, and a netns_dir."""

    def __init__(self, directory: pathlib.Path) -> None:
        self.directory = directory
        self.socket = directory / "docker.sock"
        self.dir = directory / "netns"
        self.dir.mkdir()

    def run(self, module: str, **options: t.Any) -> Result:
        options = {"netns_dir": str(self.dir), "timeout": TIMEOUT, "engines": ["docker"], **options}
        (self.directory / "arguments.json").write_text(json.dumps({"ANSIBLE_MODULE_ARGS": options}))
        table = self.directory / "mounts"
        script = (
            "mount -t tmpfs tmpfs /run && cut -d' ' -f5 /proc/self/mountinfo >$1.before && "
            'table=$1 && shift && "$@"; cut -d" " -f5 /proc/self/mountinfo >$table'
        )
        command = ["unshare", "--mount", "sh", "-c", script, "sh", str(table)]
        command += [sys.executable, "-c", _MEASURED]
        command += [f"ansible_collections.linuxnet.netns.plugins.modules.{module}"]
        command += [str(self.directory / "arguments.json")]
        started = time.monotonic()
        process = subprocess.run(
            command,
            env={**environment(), "DOCKER_HOST": f"unix://{self.socket}"},
            capture_output=True,
            check=False,
            timeout=120,
        )
        seconds = time.monotonic() - started
        assert b"Traceback" not in process.stdout + process.stderr, process.stderr.decode()
        lines = [line for line in process.stdout.decode().splitlines() if line]
        before = table.with_suffix(".before").read_text().splitlines()
        new = [point for point in table.read_text().splitlines() if point not in before]
        return Result(json.loads(lines[0]), seconds, int(lines[-1]) / 1024, new)


# Runs the module as Ansible does, and prints its peak memory.
_MEASURED = """
import atexit, os, resource, runpy, sys
own = os.getpid()
atexit.register(
    lambda: os.getpid() == own
    and print("\\n%d" % resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, flush=True)
)
module = sys.argv.pop(1)
from ansible_collections.linuxnet.netns.plugins.module_utils._core.links import netns_dir
# The mounts of a test are in a mount namespace of its own, where the module would refuse to run.
netns_dir.is_on_host_mount = lambda *_: True
runpy.run_module(module, run_name="__main__")
"""


@pytest.fixture
def modules(tmp_path: pathlib.Path) -> Modules:
    return Modules(tmp_path)


# Empty lists: as much memory as possible for each byte.
BOMB = b"[" + b"[]," * 11_000_000 + b"[]]"

RESPONSES: dict[str, tuple[t.Callable[[], Parts], str]] = {
    "no response": (lambda: endless(0.1), "no answer on"),
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
    # The most that is read: each character takes four bytes, beside a million values.
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


@pytest.mark.parametrize("name", RESPONSES)
def test_a_hostile_daemon(modules: Modules, name: str) -> None:
    parts, messages = RESPONSES[name]
    daemon = HostileDaemon(modules.socket, parts)
    try:
        result = modules.run("netns_link", all=True, prune=True)
    finally:
        daemon.close()
    assert result.answer["failed"]
    assert any(text in result.answer["msg"] for text in messages.split("|")), result.answer["msg"]
    assert result.answer["msg"].isprintable()
    assert result.seconds < TIMEOUT + START_SECONDS
    assert result.megabytes < MAX_MEGABYTES
    assert result.mounts == []
    assert os.listdir(modules.dir) == []


@pytest.mark.parametrize("name", ["no response", "33 MB of whales", "a byte at a time", "an error"])
def test_facts_of_a_hostile_daemon(modules: Modules, name: str) -> None:
    parts, messages = RESPONSES[name]
    daemon = HostileDaemon(modules.socket, parts)
    try:
        result = modules.run("netns_facts")
    finally:
        daemon.close()
    facts = result.answer["ansible_facts"]["netns"]
    (reason,) = (item["reason"] for item in facts["incomplete"] if item["source"] == "docker")
    assert any(text in reason for text in messages.split("|")), reason
    assert not facts["complete"]
    assert result.seconds < TIMEOUT + START_SECONDS
    assert result.megabytes < MAX_MEGABYTES


def _dead_socket(path: pathlib.Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))


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
def test_a_socket_path_that_is_not_a_socket(
    modules: Modules, make: t.Callable[[pathlib.Path], None]
) -> None:
    make(modules.socket)
    result = modules.run("netns_link", all=True)
    assert result.answer["failed"]
    assert os.path.realpath(modules.socket) in result.answer["msg"]
    assert result.seconds < START_SECONDS


def test_a_daemon_whose_queue_is_full(modules: Modules) -> None:
    """It listens, and accepts no connection."""
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
    assert result.seconds < TIMEOUT + START_SECONDS


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
def test_impossible_options(modules: Modules, options: dict[str, t.Any]) -> None:
    result = modules.run("netns_link", **options)
    assert result.answer["failed"]
    assert result.mounts == []
    if "timeout" in options or "netns_dir" in options:
        del options["all"]
        result = modules.run("netns_facts", **options)
        assert result.answer["failed"]


@pytest.mark.parametrize("wrong", hostile_inputs.VALUES, ids=hostile_inputs.case_id)
def test_hostile_container_names(scratch: ScratchHost, daemon: Daemon, wrong: t.Any) -> None:
    """Links are made under valid names, in netns_dir, and to the container's own namespace alone."""
    good, evil = scratch.process(), scratch.process()
    daemon.add("web", good, WEB)
    daemon.add("evil", evil, EVIL, app="x")
    daemon.containers[EVIL].update(name=wrong, labels={"com.docker.compose.project": wrong})
    try:
        result = scratch.run(all=True, name_template="{name}")
    except model.NetnsError:
        assert not scratch.dir.exists()
        return
    rows = {row["name"]: row for row in result.links}
    assert result.failures or rows["web"]["netns"] == inode(f"/proc/{good}/ns/net")
    for name in os.listdir(scratch.dir) if scratch.dir.exists() else ():
        assert inode(scratch.link(name)) == rows[name]["netns"]
    assert pins(inode(f"/proc/{evil}/ns/net")) <= 1
    scratch.run(state="absent", all=True)
    assert not scratch.dir.exists() or os.listdir(scratch.dir) == []


@pytest.mark.parametrize("pid", [-1, 0, 1, True, 1.0, "7", 1 << 31, 10**19, 10**40, None, [7]])
def test_invalid_pids(scratch: ScratchHost, daemon: Daemon, pid: t.Any) -> None:
    daemon.add("web", scratch.process(), WEB)
    daemon.containers[WEB].update(pid=pid)
    result = scratch.run(all=True)
    assert result.failures or all(row["action"] == "skipped" for row in result.links)
    assert not scratch.dir.exists()


def test_a_foreign_process(scratch: ScratchHost, daemon: Daemon) -> None:
    """Docker reports a process that does not belong to the container."""
    daemon.add("web", scratch.process(), WEB)
    other = scratch.process()
    assert scratch.act(all=True) == {"web": "created"}
    daemon.containers[WEB]["pid"] = other
    assert scratch.act(all=True) == {"web": "relinked"}
    assert pins(inode(f"/proc/{other}/ns/net")) == 1


@pytest.mark.parametrize("file", hostile_inputs.FILES, ids=hostile_inputs.case_id)
def test_a_hostile_resolv_conf(
    scratch: ScratchHost,
    daemon: Daemon,
    tmp_path: pathlib.Path,
    file: hostile_inputs.File,
) -> None:
    source = tmp_path / "resolv.conf"
    file.put(source)
    daemon.add("web", scratch.process(), WEB)
    daemon.containers[WEB].update(resolv_conf=str(source))
    result = scratch.run(all=True, resolv_conf=True)
    assert [row["action"] for row in result.links] == ["created"]
    assert not scratch.etc.exists()


def test_a_resolv_conf_that_is_not_valid_text(modules: Modules, scratch: ScratchHost) -> None:
    """ansible-core refuses a result with invalid bytes, and the task would fail for the host."""
    source = modules.directory / "resolv.conf"
    source.write_bytes(b"nameserver 127.0.0.11\nsearch \xff\xed\xa0\x80 \x1b[2J\n")
    daemon = Daemon(str(modules.socket))
    try:
        daemon.add("web", scratch.process(), WEB)
        daemon.containers[WEB].update(resolv_conf=str(source))
        answer = modules.run(
            "netns_link", all=True, resolv_conf=True, _ansible_check_mode=True, _ansible_diff=True
        ).answer
    finally:
        daemon.close()
    assert [row["action"] for row in answer["links"]] == ["created"]
    (text,) = (
        diff["after"] for diff in answer["diff"] if "after" in diff and "search" in diff["after"]
    )
    assert "\\xff\\xed\\xa0\\x80" in text
    json.dumps(answer, ensure_ascii=False).encode()


def test_a_home_directory_on_a_fuse_server_that_never_answers(
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

    account = users.Account("ann", str(home))
    monkeypatch.setattr(users, "accounts", lambda uids, _timeout: dict.fromkeys(uids, account))
    child = 0
    try:
        if libc.mount(b"home", os.fsencode(home), b"fuse", 0, options.encode()) != 0:
            pytest.skip("no FUSE here")
        # Only SIGKILL ends a process that waits for it.
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
        assert ended, "the program waited for the server"
        child = 0
        assert status == 0
    finally:
        if child:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        subprocess.run(["umount", "--lazy", str(home)], check=False, stderr=subprocess.DEVNULL)
        os.close(server)


def test_a_hostile_ledger(scratch: ScratchHost) -> None:
    pid = scratch.process()
    scratch.act(pid=pid, names=("web",))
    path = scratch.state / "ledger"
    with path.open("ab") as stream:
        stream.write(b"[" * 100_000 + b"\n\xff\n[7, {}]\n" + b"9" * 100_000 + b"\n")
        stream.write(b'["/etc/passwd", {"netns": [4, 5], "file": 1, "maker": "module"}]\n')
        stream.write(
            b'["%s/..", {"netns": [4, 5], "file": 1, "maker": "module"}]\n'
            % str(scratch.dir).encode()
        )
    assert scratch.act(state="absent", all=True) == {"web": "removed"}
    assert os.path.exists("/etc/passwd")
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(model.NetnsError, match="is a FIFO, not a file: move it away"):
        scratch.run(pid=pid, names=("web",))
    assert os.listdir(scratch.dir) == []
