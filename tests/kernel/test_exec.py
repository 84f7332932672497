# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Commands in real namespaces: selection, what they see, output and time limits, and that nothing is left."""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import pathlib
import resource
import signal
import subprocess
import sys
import time
import typing as t

import pytest
from support import Daemon, ScratchHost, children, environment, inode, wait_for

from ansible_collections.linuxnet.netns.plugins.module_utils._core import model
from ansible_collections.linuxnet.netns.plugins.module_utils._core.enter import (
    namespace,
    pool,
    request,
    run,
    targets,
)
from ansible_collections.linuxnet.netns.plugins.module_utils._core.enter.command import (
    Command,
    Starter,
)
from ansible_collections.linuxnet.netns.plugins.module_utils._core.kernel import mounts

WEB = "a1" * 32
DB = "a2" * 32
API = "b3" * 32
NETNS = ("readlink", "/proc/self/ns/net")
# Sleeps longer than any test, with a mark in its arguments that no other process has.
MARK = f"7{os.getpid()}"
SLEEP = f"sleep {MARK}"


class Runner:
    """Runs commands on the scratch host."""

    def __init__(self, scratch: ScratchHost) -> None:
        self.dir = str(scratch.dir)

    def run(
        self,
        *argv: str,
        check: bool = False,
        limits: tuple[float, int, int] = (20, 8, 65536),
        command: t.Mapping[str, t.Any] | None = None,
        **selection: t.Any,
    ) -> run.Result:
        asked = request.ExecRequest(
            Command(argv, **(command or {})),
            pool.Limits(*limits),
            netns_dir=self.dir,
            **selection,
        )
        return run.run(asked, check)

    def one(self, *argv: str, **options: t.Any) -> dict[str, t.Any]:
        """The result of a run in one namespace that must succeed."""
        result = self.run(*argv, **options)
        assert result.failures == result.warnings == []
        (row,) = result.rows
        return row


@pytest.fixture
def runner(scratch: ScratchHost) -> Runner:
    """Runs commands on the scratch host."""
    return Runner(scratch)


@pytest.fixture(autouse=True)
def nothing_is_left() -> t.Iterator[None]:
    """After each test the same mounts and children are there, and no process of a command."""
    before = covered()
    yield
    assert marked() == []
    assert covered() == before


def covered() -> list[tuple[int, str]]:
    """The mounts where commands have others."""
    return [
        (mount.id, mount.point)
        for mount in mounts.read()
        if mount.point.startswith(("/sys", "/etc", "/run/nscd", "/run/systemd", "/run/avahi"))
    ]


def marked() -> list[int]:
    """The processes that a command of this test left."""
    found = subprocess.run(
        ["pgrep", "-f", f"sleep {MARK}"], check=False, stdout=subprocess.PIPE
    ).stdout
    return [int(pid) for pid in found.split()]


def text(inode_number: int) -> str:
    return f"net:[{inode_number}]\n"


def test_a_command_runs_in_the_namespace_of_a_process(scratch: ScratchHost, runner: Runner) -> None:
    pid = scratch.process()
    row = runner.one(*NETNS, pid=pid)
    netns = inode(f"/proc/{pid}/ns/net")
    assert row["stdout"] == text(netns)
    assert {name: row[name] for name in row if name not in ("stdout", "delta")} == {
        "inode": netns,
        "names": [],
        "engine": None,
        "pod": None,
        "containers": [],
        "rc": 0,
        "stderr": "",
        "timed_out": False,
        "truncated": False,
        "problem": None,
    }
    assert row["delta"].startswith("0:00:0")


def test_paths_and_links_select(scratch: ScratchHost, runner: Runner) -> None:
    first, second = scratch.process(), scratch.process()
    for name, pid in (("web-1", first), ("web-2", second), ("alias", first)):
        scratch.pin(name, pid)
    one, two = (text(inode(f"/proc/{pid}/ns/net")) for pid in (first, second))
    assert runner.one(*NETNS, path=str(scratch.link("web-1")))["stdout"] == one
    assert runner.one(*NETNS, path=f"/proc/{second}/ns/net")["stdout"] == two
    target = f"{scratch.link('web-2')}@{inode(scratch.link('web-2'))}"
    assert runner.one(*NETNS, path=target)["stdout"] == two
    row = runner.one(*NETNS, links=("web-1",))
    assert (row["stdout"], row["names"]) == (one, ["alias", "web-1"])
    # Two names of one namespace are one target.
    rows = runner.run(*NETNS, links=("web-*", "alias")).rows
    assert [row["stdout"] for row in rows] == [one, two]
    # They are sorted by name, whatever the order of the request, or of the engine.
    rows = runner.run(*NETNS, links=("web-2", "web-1")).rows
    assert [row["stdout"] for row in rows] == [one, two]
    result = runner.run(*NETNS, links=("x-*",))
    assert (result.rows, result.warnings) == ([], ["no link matches 'x-*'"])
    with pytest.raises(model.SelectionError, match="no link 'wbe' in "):
        runner.run(*NETNS, links=("wbe",))
    with pytest.raises(model.SelectionError, match=r"is net:\[\d+\] now, not net:\[7\]"):
        runner.run(*NETNS, path=f"{scratch.link('web-2')}@7")


def test_the_namespace_of_the_host_is_refused(scratch: ScratchHost, runner: Runner) -> None:
    scratch.dir.mkdir()
    path = f"/proc/{os.getpid()}/ns/net"
    scratch.link("host").symlink_to(path)
    for selection in ({"pid": os.getpid()}, {"path": path}, {"links": ("ho*",)}):
        with pytest.raises(model.SelectionError, match="this is the host's own network namespace"):
            runner.run(*NETNS, **selection)


@pytest.fixture
def containers(scratch: ScratchHost, daemon: Daemon) -> dict[str, int]:
    """Docker's containers: two with namespaces of their own, one that shares, one on the host, one stopped."""
    web, database = scratch.process(), scratch.process()
    daemon.add("web-1", web, WEB, tier="front")
    daemon.add("db", database, DB)
    daemon.add("web-2", web, API, tier="front")
    daemon.containers[API]["mode"] = f"container:{WEB}"
    daemon.add("web-host", os.getpid(), "c4" * 32)
    daemon.add("web-old", 0, "d5" * 32)
    return {"web-1": web, "db": database}


def test_containers_select(runner: Runner, containers: dict[str, int]) -> None:
    web, database = (inode(f"/proc/{pid}/ns/net") for pid in containers.values())
    row = runner.one(*NETNS, containers=("db",))
    assert (row["stdout"], row["engine"]) == (text(database), "docker")
    assert row["containers"] == [{"id": DB, "name": "db"}]
    # One that shares a namespace is entered if it is named.
    row = runner.one(*NETNS, containers=("web-2",))
    assert row["stdout"] == text(web)
    assert [each["name"] for each in row["containers"]] == ["web-1", "web-2"]
    result = runner.run(*NETNS, all=True)
    assert result.failures == []
    assert [(row["stdout"], row["problem"]) for row in result.rows] == [
        (text(database), None),
        (text(web), None),
        (None, "it is on the host's network and has no namespace of its own"),
    ]
    result = runner.run(*NETNS, containers=("web-*",))
    assert [row["problem"] for row in result.rows] == [
        None,
        "it is on the host's network and has no namespace of its own",
        "the container is not running (exited): start it first",
    ]
    rows = runner.run(*NETNS, all=True, labels={"tier": "front"}).rows
    assert [row["stdout"] for row in rows] == [text(web)]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("web-host", "^web-host: it is on the host's network"),
        ("web-old", r"^web-old: the container is not running \(exited\)"),
        ("wbe-1", r"^there is no container 'wbe-1' \(near: web-1"),
    ],
)
def test_what_is_named_has_to_be_there(
    runner: Runner, containers: dict[str, int], tmp_path: pathlib.Path, name: str, message: str
) -> None:
    assert containers
    with pytest.raises(model.SelectionError, match=message):
        runner.run("touch", str(tmp_path / "ran"), containers=("db", name))
    assert not (tmp_path / "ran").exists()


def test_an_engine_that_does_not_answer_fails_the_task(
    daemon: Daemon, runner: Runner, scratch: ScratchHost
) -> None:
    daemon.hangs.set()
    limits = (0.5, 8, 100)
    result = runner.run(*NETNS, all=True, limits=limits)
    assert result.rows == []
    assert "docker was not read: " in result.failures[0]
    with pytest.raises(model.SelectionError, match="docker was not read: "):
        runner.run(*NETNS, containers=("web",), limits=limits)
    # Nothing is asked for what needs no engine.
    assert runner.one(*NETNS, pid=scratch.process())["rc"] == 0


def test_check_mode_runs_nothing(
    runner: Runner, containers: dict[str, int], tmp_path: pathlib.Path
) -> None:
    result = runner.run("touch", str(tmp_path / "ran"), check=True, all=True)
    inodes = [row["inode"] for row in result.rows if row["problem"] is None]
    web, database = (inode(f"/proc/{pid}/ns/net") for pid in containers.values())
    assert inodes == [database, web]
    assert {row["rc"] for row in result.rows} == {None}
    assert not (tmp_path / "ran").exists()


def test_the_command_gets_what_it_was_given(
    scratch: ScratchHost, runner: Runner, tmp_path: pathlib.Path
) -> None:
    options: dict[str, t.Any] = {"pid": scratch.process()}
    command = {"chdir": str(tmp_path), "environment": {"A": "b c"}, "stdin": b"in\xff\n"}
    script = 'pwd; echo "$A$1"; cat; echo bad >&2; exit 3'
    result = runner.run("sh", "-c", script, "sh", "$(x) '\n", command=command, **options)
    (row,) = result.rows
    assert row["stdout"] == f"{tmp_path}\nb c$(x) '\n\nin\\xff\n"
    assert (row["stderr"], row["rc"]) == ("bad\n", 3)
    assert result.failures == [f"process {options['pid']}: the command ended with exit code 3"]
    # Nothing to read, no terminal, and no signal that the module ignores.
    ignored = runner.one("sh", "-c", "cat; grep SigIgn /proc/self/status", **options)
    mask = int(ignored["stdout"].split()[1], 16)
    for number in ("HUP", "INT", "TERM", "PIPE", "XFSZ"):
        assert not mask & 1 << signal.Signals[f"SIG{number}"] - 1
    row = runner.one("sh", "-c", "ps -o sid= -o pid= -p $$", **options)
    sid, pid = row["stdout"].split()
    assert sid == pid


def test_a_large_stdin_and_a_command_that_does_not_read_it(
    scratch: ScratchHost, runner: Runner
) -> None:
    pid = scratch.process()
    data = b"x" * 3_000_000
    for argv, expected in ((("wc", "-c"), "3000000\n"), (("true",), "")):
        assert runner.one(*argv, command={"stdin": data}, pid=pid)["stdout"] == expected


def test_the_command_runs_as_a_user(scratch: ScratchHost, runner: Runner) -> None:
    command = {"account": namespace.find_account("nobody")}
    row = runner.one(
        "sh", "-c", 'id -u; id -G; echo "$USER $HOME"', command=command, pid=scratch.process()
    )
    entry, groups = command["account"]
    assert row["stdout"].splitlines() == [
        str(entry.pw_uid),
        " ".join(map(str, groups)),
        f"nobody {entry.pw_dir}",
    ]


@pytest.mark.parametrize(
    ("argv", "command", "message"),
    [
        (("no-such-program",), {}, "cannot run 'no-such-program': No such file or directory"),
        (("/etc/passwd",), {}, "cannot run '/etc/passwd': Permission denied"),
        (
            ("true",),
            {"chdir": "/no/such"},
            "cannot change to the directory '/no/such': No such file",
        ),
        (("true", "x" * 200_000), {}, "cannot run 'true': Argument list too long"),
    ],
)
def test_a_command_that_cannot_run_is_a_failure(
    scratch: ScratchHost,
    runner: Runner,
    argv: tuple[str, ...],
    command: dict[str, t.Any],
    message: str,
) -> None:
    pid = scratch.process()
    result = runner.run(*argv, command=command, pid=pid)
    (row,) = result.rows
    assert (row["rc"], row["stdout"], row["problem"]) == (None, None, row["problem"])
    assert row["problem"].startswith(message)
    assert result.failures == [f"process {pid}: {row['problem']}"]


def test_output_without_end_is_cut_and_ends_with_the_time(
    scratch: ScratchHost, runner: Runner
) -> None:
    result = runner.run("yes", pid=scratch.process(), limits=(1, 8, 1000))
    (row,) = result.rows
    assert (row["stdout"], row["truncated"], row["timed_out"]) == ("y\n" * 500, True, True)
    assert row["rc"] == -signal.SIGKILL
    assert "the command was killed after 1 s: raise `timeout`" in result.failures[0]


def test_more_output_than_a_pipe_holds(scratch: ScratchHost, runner: Runner) -> None:
    script = "head -c 300000 /dev/zero | tr '\\0' o; head -c 300000 /dev/zero | tr '\\0' e >&2"
    row = runner.one("sh", "-c", script, pid=scratch.process(), limits=(20, 8, 1_000_000))
    assert (len(row["stdout"]), len(row["stderr"]), row["truncated"]) == (300_000, 300_000, False)
    # A character that is cut off is left out.
    row = runner.one("printf", "äöü", pid=scratch.process(), limits=(20, 8, 5))
    assert (row["stdout"], row["truncated"]) == ("äö", True)


def test_a_command_that_was_killed_by_a_signal(scratch: ScratchHost, runner: Runner) -> None:
    result = runner.run("sh", "-c", "kill -TERM $$", pid=scratch.process())
    assert result.rows[0]["rc"] == -signal.SIGTERM
    assert result.failures[0].endswith("the command was killed by signal 15")


# What starts a process that outlives the shell that started it.
LEAVERS = {
    "background": f"{SLEEP} &",
    "without output": f"{SLEEP} >/dev/null 2>&1 </dev/null &",
    "session": f"setsid {SLEEP} &",
    "forked twice": f"(setsid sh -c '{SLEEP} & {SLEEP} &' >/dev/null 2>&1 &)",
    "other mount namespace": f"unshare --mount setsid sh -c '{SLEEP} & exec {SLEEP}' &",
    "ignores signals": f"trap '' TERM HUP INT; setsid {SLEEP} &",
    "stopped": f"{SLEEP} & sleep 0.3; kill -STOP $!",
}


@pytest.mark.parametrize("script", LEAVERS.values(), ids=LEAVERS.keys())
def test_no_process_outlives_its_command(scratch: ScratchHost, runner: Runner, script: str) -> None:
    pid = scratch.process()
    # `ps` waits until the process runs, and shows that the script works.
    show = f"until pgrep -f '^{SLEEP}' >/dev/null; do :; done"
    started = time.monotonic()
    assert runner.one("sh", "-c", f"{script}\n{show}; echo done", pid=pid)["stdout"] == "done\n"
    assert time.monotonic() - started < 10
    assert marked() == []


@pytest.mark.parametrize("script", LEAVERS.values(), ids=LEAVERS.keys())
def test_no_process_outlives_the_time(scratch: ScratchHost, runner: Runner, script: str) -> None:
    pid = scratch.process()
    (row,) = runner.run("sh", "-c", f"{script}\n{SLEEP}", pid=pid, limits=(0.5, 8, 100)).rows
    assert (row["timed_out"], marked()) == (True, [])


def test_a_process_of_a_command_that_still_runs_is_spared(
    scratch: ScratchHost, runner: Runner, tmp_path: pathlib.Path
) -> None:
    """A command may start a daemon and work with it, while others end."""
    first, second = scratch.process(), scratch.process()
    scratch.pin("a-first", first)
    scratch.pin("b-second", second)
    script = f"""
        if test "$(readlink /proc/self/ns/net)" = 'net:[{inode(f"/proc/{first}/ns/net")}]'; then
            (setsid {SLEEP} >/dev/null 2>&1 &)
            touch {tmp_path}/started
            until test -e {tmp_path}/ended; do sleep 0.01; done
            sleep 0.3
            pgrep -f -c '^{SLEEP}'
        else
            until test -e {tmp_path}/started; do sleep 0.01; done
            touch {tmp_path}/ended
        fi"""
    rows = runner.run("sh", "-c", script, links=("*",)).rows
    assert [row["stdout"] for row in rows] == ["1\n", ""]


# Runs a command that leaves processes, in a process of its own that a test can kill.
MAIN = """
import sys
from ansible_collections.linuxnet.netns.plugins.module_utils._core.enter import pool, request, run
from ansible_collections.linuxnet.netns.plugins.module_utils._core.enter.command import Command
command = Command(("sh", "-c", sys.argv[2]))
run.run(request.ExecRequest(command, pool.Limits(60, 8, 1000), links=("*",), netns_dir=sys.argv[1]))
"""


@pytest.mark.parametrize("victim", ["caller", "supervisor", "caller by SIGTERM"])
@pytest.mark.parametrize("leaver", ["background", "forked twice", "other mount namespace"])
def test_nothing_is_left_when_a_run_is_killed(
    scratch: ScratchHost, victim: str, leaver: str
) -> None:
    scratch.pin("one", scratch.process())
    scratch.pin("two", scratch.process())
    program = [sys.executable, "-c", MAIN, str(scratch.dir), f"{LEAVERS[leaver]}\n{SLEEP}"]
    with subprocess.Popen(program, env=environment(), stderr=subprocess.DEVNULL) as caller:
        try:
            # Two processes or more in each of two namespaces.
            wait_for(lambda: len(marked()) >= 4, 20)
            (supervisor,) = children(caller.pid)
            number = signal.SIGTERM if "SIGTERM" in victim else signal.SIGKILL
            os.kill(supervisor if victim == "supervisor" else caller.pid, number)
            caller.wait(20)
            wait_for(lambda: not marked(), 20)
            wait_for(lambda: not pathlib.Path(f"/proc/{supervisor}").exists(), 20)
        finally:
            caller.kill()


def test_a_namespace_that_goes_meanwhile_is_named(
    scratch: ScratchHost, runner: Runner, daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    web, database = scratch.process(), scratch.process()
    daemon.add("web", web, WEB)
    daemon.add("db", database, DB)
    find = targets.find

    def find_and_end(*arguments: t.Any) -> targets.Found:
        found = find(*arguments)
        scratch.end(web)
        return found

    monkeypatch.setattr(targets, "find", find_and_end)
    result = runner.run(*NETNS, all=True)
    assert [row["rc"] for row in result.rows] == [0, None]
    assert result.failures == [f"web: {result.rows[1]['problem']}"]


def test_the_command_has_the_files_of_its_link(
    scratch: ScratchHost, runner: Runner, monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    name = f"linuxnet-netns-test-{os.getpid()}"
    pid = scratch.process()
    scratch.pin("a", pid)
    scratch.pin(name, pid)
    directory = pathlib.Path("/etc/netns", name)
    made = not directory.parent.exists()
    directory.mkdir(parents=True)
    try:
        (directory / "resolv.conf").write_text("nameserver 192.0.2.7\n", encoding="ascii")
        for selection in ({"pid": pid}, {"links": (name,)}):
            row = runner.one("cat", "/etc/resolv.conf", **selection)
            assert row["stdout"] == "nameserver 192.0.2.7\n"
        row = runner.one("cat", "/etc/resolv.conf", command={"etc": False}, pid=pid)
        assert "192.0.2.7" not in row["stdout"]
    finally:
        (directory / "resolv.conf").unlink()
        directory.rmdir()
        if made:
            # Other tests on this machine may have put something there meanwhile.
            with contextlib.suppress(OSError):
                directory.parent.rmdir()


def test_forks_limit_what_runs_at_a_time(
    scratch: ScratchHost, runner: Runner, tmp_path: pathlib.Path
) -> None:
    for number in range(6):
        scratch.pin(f"n{number}", scratch.process())
    script = f"echo 1 >>{tmp_path}/log; sleep 0.2; echo -1 >>{tmp_path}/log"
    rows = runner.run("sh", "-c", script, links=("*",), limits=(20, 2, 100)).rows
    assert [row["rc"] for row in rows] == [0] * 6
    changes = map(int, (tmp_path / "log").read_text("ascii").split())
    assert max(itertools.accumulate(changes)) == 2


def test_fewer_run_at_a_time_than_the_limit_of_open_files_allows(
    scratch: ScratchHost, runner: Runner
) -> None:
    for number in range(12):
        scratch.pin(f"n{number}", scratch.process())
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/proc/self/fd")) + 40, hard))
    try:
        result = runner.run("cat", links=("*",), limits=(20, 256, 100), command={"stdin": b"input"})
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert [(row["stdout"], row["problem"]) for row in result.rows] == [("input", None)] * 12


@pytest.mark.parametrize("stdin", [None, b"input"])
def test_a_command_that_cannot_be_started_ends_no_other(
    scratch: ScratchHost, runner: Runner, monkeypatch: pytest.MonkeyPatch, stdin: bytes | None
) -> None:
    for name in ("a", "b", "c"):
        scratch.pin(name, scratch.process())
    start, calls = Starter.start, itertools.count()

    def fail_once(*arguments: t.Any) -> int:
        if next(calls) == 1:
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        return start(*arguments)

    monkeypatch.setattr(Starter, "start", fail_once)
    result = runner.run(*NETNS, links=("*",), command={"stdin": stdin})
    assert [row["rc"] for row in result.rows] == [0, None, 0]
    assert result.failures == [
        "b: the command could not be started: Resource temporarily unavailable: lower `forks`"
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "no namespace is selected"),
        ({"all": True, "pid": 7}, "all and pid exclude each other"),
        ({"links": ("a", "")}, "links has an empty item"),
        ({"pid": 0}, "pid is 0"),
        ({"pid": 7, "limits": (0, 8, 1)}, "timeout is 0"),
        ({"pid": 7, "limits": (9, 0, 1)}, "forks is 0: give a number from 1 to 256"),
        ({"pid": 7, "limits": (9, 8, 1 << 30)}, "max_output is 1073741824"),
        ({"pid": 7, "command": {"environment": {"a=b": ""}}}, "env has 'a=b'"),
        ({"pid": 7, "command": {"chdir": "a\0b"}}, "has a NUL character"),
        ({"path": "/etc/passwd"}, "'/etc/passwd' is a regular file, not a network namespace"),
        ({"pid": 1 << 22}, "there is no process 4194304"),
    ],
)
def test_invalid_options_are_refused(
    runner: Runner, options: dict[str, t.Any], message: str
) -> None:
    with pytest.raises(model.SelectionError, match=message):
        runner.run("true", **options)
    with pytest.raises(model.SelectionError, match="the command is empty"):
        runner.run(pid=7)
