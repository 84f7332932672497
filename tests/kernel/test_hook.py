# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The hook with real namespaces, and an engine whose containers and events the test controls."""

from __future__ import annotations

import errno
import os
import pathlib
import signal
import subprocess
import threading
import time
import types
import typing as t

import inotify_instances
import pytest
from support import Engine, ScratchHost, inode, wait_for

from ansible_collections.linuxnet.netns.plugins.module_utils._core.checks.request import (
    DoctorRequest,
)
from ansible_collections.linuxnet.netns.plugins.module_utils._core.hook import (
    config,
    examination,
    oneshot,
    service,
    systemd,
)
from ansible_collections.linuxnet.netns.plugins.module_utils._core.hook.config import Config
from ansible_collections.linuxnet.netns.plugins.module_utils._core.hook.signals import Signals
from ansible_collections.linuxnet.netns.plugins.module_utils._core.hook.stream import Source
from ansible_collections.linuxnet.netns.plugins.module_utils._core.kernel import fork, libc
from ansible_collections.linuxnet.netns.plugins.module_utils._core.links import (
    ledger,
    netns_dir,
    run,
    session,
)

WEB, SIDE = "ab" * 32, "cd" * 32


@pytest.fixture(autouse=True)
def own_inotify_instances(monkeypatch: pytest.MonkeyPatch) -> None:
    inotify_instances.take_own(monkeypatch)


@pytest.fixture
def engine(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> t.Iterator[Engine]:
    path = str(tmp_path / "docker.sock")
    monkeypatch.setenv("DOCKER_HOST", f"unix://{path}")
    engine = Engine(path)
    try:
        yield engine
    finally:
        engine.close()


def no_process() -> t.NoReturn:
    raise fork.ChildError("could not be started: Too many open files")


FORK_WITHOUT_PROCESSES = types.SimpleNamespace(with_pipe=no_process, ChildError=fork.ChildError)


def wait_until_idle(engine: Engine) -> None:
    """Wait until the service sends no more requests."""
    requests = -1
    while requests != len(engine.requests):
        requests = len(engine.requests)
        time.sleep(0.5)


def leads_to(scratch: ScratchHost, name: str, pid: int) -> bool:
    try:
        return inode(scratch.link(name)) == inode(f"/proc/{pid}/ns/net")
    except FileNotFoundError:
        return False


def mount(*words: str | os.PathLike[str]) -> None:
    subprocess.run(("mount", *words), check=True)


def unmount(path: pathlib.Path) -> None:
    subprocess.run(("umount", path), check=True)


def run_service(
    scratch: ScratchHost,
    engine: Engine,
    scenario: t.Callable[[], None],
    resync_interval: int = 3600,
    **settings: t.Any,
) -> str:
    """Run the service in the main thread, which signals go to, and the scenario in another."""
    source = Source("docker", engine.path, "/events", lambda _path: True)
    config = Config(
        engines=("docker",),
        resync_interval=resync_interval,
        netns_dir=str(scratch.dir),
        **settings,
    )
    errors: list[BaseException] = []

    def play() -> None:
        try:
            scenario()
        except BaseException as error:
            errors.append(error)
        finally:
            os.kill(os.getpid(), signal.SIGTERM)

    thread = threading.Thread(target=play)
    resident = service.Service(config, (source,), (), str(scratch.state))
    former = {
        number: signal.getsignal(number)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    }
    thread.start()
    try:
        with Signals() as signals:
            return resident.loop(signals)
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
        thread.join()
        if errors:
            raise errors[0]


def test_the_life_of_a_container(scratch: ScratchHost, engine: Engine) -> None:
    first, second = scratch.process(), scratch.process()

    def scenario() -> None:
        wait_for(lambda: bool(engine._streams))
        wait_for(lambda: "/containers/json?all=1" in engine.requests)
        wait_until_idle(engine)
        engine.requests.clear()
        engine.add("web", first, WEB)
        engine.report_event("start", WEB)
        wait_for(lambda: leads_to(scratch, "web", first))
        engine.containers[WEB]["name"] = "www"
        engine.report_event("rename", WEB)
        wait_for(lambda: leads_to(scratch, "www", first) and not scratch.link("web").exists())
        engine.containers[WEB]["pid"] = second
        engine.report_event("die", WEB)
        engine.report_event("start", WEB)
        wait_for(lambda: leads_to(scratch, "www", second))
        engine.containers[WEB]["pid"] = 0
        engine.report_event("die", WEB)
        wait_for(lambda: not scratch.link("www").exists())
        # The service asked only for the container in the events.
        assert set(engine.requests) == {f"/containers/{WEB}/json"}

    assert run_service(scratch, engine, scenario) == service.STOP
    assert scratch.entries() == {}


def test_the_engine_is_not_asked_about_a_container_that_ended(
    scratch: ScratchHost, engine: Engine
) -> None:
    first, second = scratch.process(), scratch.process()
    engine.add("web", first, WEB)

    def scenario() -> None:
        wait_for(lambda: leads_to(scratch, "web", first) and bool(engine._streams))
        wait_until_idle(engine)
        engine.requests.clear()
        # The event is an old one: the process runs.
        engine.report_event("die", WEB)
        wait_for(lambda: engine.requests == [f"/containers/{WEB}/json"])
        assert leads_to(scratch, "web", first)
        # It was started again before the run.
        scratch.end(first)
        engine.report_event("die", WEB)
        engine.containers[WEB]["pid"] = second
        engine.report_event("start", WEB)
        wait_for(lambda: leads_to(scratch, "web", second))
        wait_until_idle(engine)
        engine.requests.clear()
        scratch.end(second)
        engine.report_event("die", WEB)
        wait_for(lambda: not scratch.link("web").exists())
        assert engine.requests == []

    run_service(scratch, engine, scenario)
    assert scratch.entries() == {}


def test_changes_without_an_event_stream_are_found(scratch: ScratchHost, engine: Engine) -> None:
    first, second = scratch.process(), scratch.process()
    engine.add("web", first, WEB)

    def scenario() -> None:
        wait_for(lambda: leads_to(scratch, "web", first))
        wait_for(lambda: bool(engine._streams))
        time.sleep(0.1)
        engine.containers.clear()
        engine.add("db", second, SIDE)
        engine.hang_up()
        wait_for(lambda: leads_to(scratch, "db", second) and not scratch.link("web").exists())

    run_service(scratch, engine, scenario)


def test_a_container_that_joined_a_namespace_keeps_it(scratch: ScratchHost, engine: Engine) -> None:
    first, second = scratch.process(), scratch.process()
    engine.add("web", first, WEB)
    engine.add("side", first, SIDE)
    engine.containers[SIDE]["mode"] = f"container:{WEB}"

    def scenario() -> None:
        wait_for(lambda: leads_to(scratch, "web", first))
        wait_for(lambda: bool(engine._streams))
        time.sleep(0.2)
        engine.containers[WEB]["pid"] = second
        engine.report_event("start", WEB)
        wait_for(lambda: leads_to(scratch, "web", second) and leads_to(scratch, "side", first))

    run_service(scratch, engine, scenario)


def test_the_resync_links_without_an_inotify_instance(
    scratch: ScratchHost,
    engine: Engine,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.delenv("JOURNAL_STREAM", raising=False)
    pid = scratch.process()

    inotify_init = libc.inotify_init
    is_used_up = True

    def init(flags: int) -> int:
        if is_used_up:
            raise OSError(errno.EMFILE, "Too many open files")
        return inotify_init(flags)

    def scenario() -> None:
        nonlocal is_used_up
        wait_for(lambda: "/containers/json?all=1" in engine.requests)
        engine.add("web", pid, WEB)
        # No event: only the resync finds it.
        wait_for(lambda: leads_to(scratch, "web", pid))
        is_used_up = False
        time.sleep(1.5)

    monkeypatch.setattr(libc, "inotify_init", init)
    run_service(scratch, engine, scenario, resync_interval=1)
    lines = capfd.readouterr().err.splitlines()
    assert sum("raise the sysctl fs.inotify.max_user_instances" in line for line in lines) == 1
    assert lines[-1] == "resolved: all directories are watched"


class Hook:
    """Runs over one container, and over all, as the service makes them."""

    def __init__(self, scratch: ScratchHost, name_template: str = "{name}") -> None:
        self.config = Config(
            engines=("docker",), netns_dir=str(scratch.dir), name_template=name_template
        )
        self._state = str(scratch.state)
        self._session = session.SessionCache(ledger.Ledger(self._state))

    def __enter__(self) -> Hook:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._session.close()

    def run_all(self) -> dict[str, str]:
        return self._actions(None)

    def run_web(self) -> dict[str, str]:
        return self._actions({"docker": frozenset((WEB,))})

    def _actions(self, only: dict[str, frozenset[str] | None] | None) -> dict[str, str]:
        result = run.run(
            self.config.link_request(only), state_dir=self._state, session=self._session
        )
        return {row["name"]: row["action"] for row in result.links}


def test_a_run_over_one_container_reads_no_mounts(
    scratch: ScratchHost, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Hook(scratch) as hook:
        hook.run_all()
        # The first link prepares netns_dir, which reads the mounts.
        engine.add("first", scratch.process(), SIDE)
        hook.run_all()

        def refuse(*_: object, **__: object) -> t.NoReturn:
            raise AssertionError("the run read all mounts")

        monkeypatch.setattr(netns_dir.mounts, "read", refuse)
        engine.add("web", scratch.process(), WEB)
        assert hook.run_web() == {"web": "created"}
        engine.containers[WEB]["pid"] = scratch.process()
        assert hook.run_web() == {"web": "relinked"}
        engine.containers[WEB]["pid"] = 0
        assert hook.run_web() == {"web": "removed"}
        monkeypatch.undo()
    assert sorted(scratch.entries()) == [str(scratch.link("first"))]


@pytest.mark.parametrize("name", ["a\0b", "a\nb", "../etc", "x" * 256, ".."])
def test_a_label_that_cannot_be_the_name_of_a_file(
    scratch: ScratchHost, engine: Engine, name: str
) -> None:
    scratch.dir.mkdir()
    engine.add("web", scratch.process(), WEB)
    engine.containers[WEB]["labels"] = {"com.docker.compose.service": name}
    with Hook(scratch, "{compose_service}") as hook:
        for actions in (hook.run_web(), hook.run_all(), hook.run_web()):
            assert actions == {name: "skipped"}


def test_the_directory_is_a_symbolic_link_to_another_mount(
    scratch: ScratchHost, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = scratch.dir.parent / "elsewhere"
    elsewhere.mkdir()
    mount("-t", "tmpfs", "tmpfs", elsewhere)
    try:
        (elsewhere / "netns").mkdir()
        scratch.dir.symlink_to(elsewhere / "netns")
        monkeypatch.setattr(config, "_NETNS_DIR", str(scratch.dir))
        web = scratch.process()
        engine.add("web", web, WEB)
        with Hook(scratch) as hook:
            hook.config = config.parse('{"engines": ["docker"]}')
            assert hook.run_all() == {"web": "created"}
            assert hook.run_web() == {"web": "unchanged"}
            assert leads_to(scratch, "web", web)
            engine.containers[WEB]["pid"] = 0
            assert hook.run_web() == {"web": "removed"}
    finally:
        subprocess.run(("umount", "--recursive", elsewhere), check=True)


def test_a_foreign_mount_over_a_link_stays(scratch: ScratchHost, engine: Engine) -> None:
    pid, foreign = scratch.process(), scratch.process()
    with Hook(scratch) as hook:
        engine.add("web", pid, WEB)
        hook.run_all()
        mount("--bind", f"/proc/{foreign}/ns/net", scratch.link("web"))
        engine.containers[WEB]["pid"] = 0
        hook.run_web()
        assert leads_to(scratch, "web", foreign)
        unmount(scratch.link("web"))
        assert leads_to(scratch, "web", pid)


def test_the_resync_removes_a_link_that_was_mounted_twice(
    scratch: ScratchHost, engine: Engine
) -> None:
    pid = scratch.process()
    with Hook(scratch) as hook:
        engine.add("web", pid, WEB)
        hook.run_all()
        mount("--bind", f"/proc/{pid}/ns/net", scratch.link("web"))
        engine.containers[WEB]["pid"] = 0
        assert hook.run_web() == {"web": "conflict"}
        assert hook.run_all() == {"web": "removed"}
    assert not scratch.link("web").exists()
    assert scratch.entries() == {}


def test_a_new_file_at_the_path_of_a_link_is_foreign(scratch: ScratchHost, engine: Engine) -> None:
    pid = scratch.process()
    with Hook(scratch) as hook:
        engine.add("web", pid, WEB)
        hook.run_all()
        unmount(scratch.link("web"))
        # Made while the former file exists, because some file systems reuse inode numbers, unlike tmpfs.
        scratch.link("new").touch()
        scratch.link("new").replace(scratch.link("web"))
        mount("--bind", f"/proc/{pid}/ns/net", scratch.link("web"))
        engine.containers[WEB]["pid"] = 0
        hook.run_web()
        assert leads_to(scratch, "web", pid)


class Oneshot:
    """The oneshot of the udev trigger, with a clock of its own.

    `after` is called at the end of each run, with its number, and `later` when that many seconds are over.
    """

    def __init__(self, scratch: ScratchHost, monkeypatch: pytest.MonkeyPatch) -> None:
        self.request = scratch.dir.parent / "request"
        self.runs = 0
        self.after: t.Callable[[int], None] = lambda _number: None
        self.later: dict[float, t.Callable[[], object]] = {}
        self._seconds = 0.0
        self.config = Config(engines=("docker",), netns_dir=str(scratch.dir))
        self._state = str(scratch.state)
        self._run = run.run
        scratch.state.mkdir()
        monkeypatch.setattr(oneshot.run, "run", self._counted)
        clock = types.SimpleNamespace(sleep=self._sleep, monotonic=lambda: self._seconds)
        monkeypatch.setattr(oneshot, "time", clock)

    def _sleep(self, seconds: float) -> None:
        self._seconds += seconds
        for due in [due for due in self.later if due <= self._seconds]:
            self.later.pop(due)()

    def _counted(self, *words: t.Any, **options: t.Any) -> t.Any:
        result = self._run(*words, **options)
        self.runs += 1
        self.after(self.runs)
        return result

    def start(self) -> int:
        """Start it, as systemd does while the request file exists. Returns the number of runs."""
        self.runs = 0
        oneshot.reconcile_until_stable(lambda: self.config, self._state, str(self.request))
        return self.runs


@pytest.fixture
def shot(scratch: ScratchHost, monkeypatch: pytest.MonkeyPatch) -> Oneshot:
    return Oneshot(scratch, monkeypatch)


def test_the_oneshot_runs_again_after_a_request(shot: Oneshot, engine: Engine) -> None:
    assert shot.start() == 1
    shot.request.touch()
    assert shot.start() == 4
    assert not shot.request.exists()


@pytest.mark.parametrize("seconds", [0.1, 0.9, 3.9])
def test_a_container_that_runs_long_after_its_veth_is_there_is_linked(
    scratch: ScratchHost, engine: Engine, shot: Oneshot, seconds: float
) -> None:
    """On a loaded host, Podman needed four seconds from the veth to the start."""
    shot.request.touch()
    shot.later[seconds] = lambda: engine.add("web", scratch.process(), WEB)
    shot.start()
    assert scratch.link("web").exists()


@pytest.mark.parametrize("run_number", [1, 2, 3, 4])
def test_no_request_is_lost_at_any_time(
    scratch: ScratchHost, engine: Engine, shot: Oneshot, run_number: int
) -> None:
    shot.request.touch()

    def request(number: int) -> None:
        if number == run_number:
            # This run has read the host already.
            engine.add("web", scratch.process(), WEB)
            shot.request.touch()

    shot.after = request
    runs = shot.start()
    if run_number < 4:
        # As many runs follow as after any other request.
        assert (runs, shot.request.exists()) == (run_number + 4, False)
    else:
        # After the last run, systemd starts the oneshot again, because the request file exists.
        assert (runs, shot.request.exists()) == (4, True)
        assert not scratch.link("web").exists()
        shot.start()
    assert scratch.link("web").exists()


def test_the_oneshot_applies_settings_that_change_during_it(
    scratch: ScratchHost, engine: Engine, shot: Oneshot
) -> None:
    engine.add("web", scratch.process(), WEB)
    new_config, shot.config = shot.config, shot.config._replace(labels={"app": "shop"})
    shot.request.touch()

    def change(number: int) -> None:
        if number == 1:
            shot.config = new_config
            shot.request.touch()

    shot.after = change
    shot.start()
    assert not shot.request.exists()
    assert scratch.link("web").exists()


@pytest.mark.parametrize("run_number", [1, 2, 3])
def test_a_container_that_starts_after_its_request_is_linked(
    scratch: ScratchHost, engine: Engine, shot: Oneshot, run_number: int
) -> None:
    """A directory or a veth appears before its container runs."""
    shot.request.touch()

    def start(number: int) -> None:
        if number == run_number:
            shot.request.touch()
        if number == run_number + 1:
            engine.add("web", scratch.process(), WEB)

    shot.after = start
    while shot.request.exists():
        shot.start()
        shot.after = lambda number: start(number + run_number)
    assert scratch.link("web").exists()


def kill_itself(*_: object) -> t.NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def hang(*_: object) -> t.NoReturn:
    time.sleep(60)
    raise AssertionError


@pytest.mark.parametrize(
    ("name", "fault", "reason"),
    [
        ("examine", kill_itself, "was killed by signal 9"),
        ("examine", hang, "did not answer for 300 s"),
        ("fork", FORK_WITHOUT_PROCESSES, "could not be started: Too many open files"),
    ],
)
def test_a_doctor_that_fails_is_logged_once_and_its_end(
    scratch: ScratchHost,
    engine: Engine,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    fault: t.Any,
    reason: str,
) -> None:
    logged: list[tuple[int, str]] = []
    monkeypatch.setattr(
        systemd, "log", lambda priority, message, **_fields: logged.append((priority, message))
    )
    monkeypatch.setattr(examination, "_MAX_SECONDS", 0.5)
    monkeypatch.setattr(examination, "examine", lambda *_: examination.Report([], [], True))
    text = f"no new findings: the doctor {reason}"

    def scenario() -> None:
        with monkeypatch.context() as patch:
            patch.setattr(examination, name, fault)
            wait_for(lambda: engine.requests)
            wait_for(lambda: logged)
            web = scratch.process()
            engine.add("web", web, WEB)
            time.sleep(2.5)
            # The service goes on with its work.
            wait_for(lambda: leads_to(scratch, "web", web))
            warnings = [line for priority, line in logged if priority == systemd.WARNING]
            assert [line[: len(text)] for line in warnings] == [text]
        wait_for(lambda: any(line.startswith(f"resolved: {text}") for _priority, line in logged))

    run_service(scratch, engine, scenario, resync_interval=1, doctor=True)


def test_findings_of_the_doctor_are_logged_once_and_their_end(
    scratch: ScratchHost, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    logged: list[str] = []
    monkeypatch.setattr(
        systemd, "log", lambda _priority, message, **_fields: logged.append(message)
    )
    monkeypatch.setattr(
        examination, "DoctorRequest", lambda **values: DoctorRequest(**values, min_age=0.0)
    )
    scratch.dir.mkdir()
    scratch.link("dead").symlink_to("/nowhere")
    text = f"dangling_entry: {scratch.link('dead')} is a symbolic link that leads nowhere"

    def scenario() -> None:
        wait_for(lambda: any(line.startswith(text) for line in logged))
        web = scratch.process()
        engine.add("web", web, WEB)
        time.sleep(2.5)
        # The doctor has run again, and the service has gone on with its work.
        wait_for(lambda: leads_to(scratch, "web", web))
        assert sum(line.startswith(text) for line in logged) == 1
        scratch.link("dead").unlink()
        wait_for(lambda: any(line.startswith(f"resolved: {text}") for line in logged))

    run_service(scratch, engine, scenario, resync_interval=1, doctor=True)
