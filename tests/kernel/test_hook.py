# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The resident service with real namespaces, and an engine that tells what the test lets it tell."""

from __future__ import annotations

import os
import pathlib
import signal
import subprocess
import threading
import time
import typing as t

import pytest
from support import Engine, Place, inode

from ansible_collections.linuxnet.netns.plugins.module_utils._core.hook import oneshot, service
from ansible_collections.linuxnet.netns.plugins.module_utils._core.hook.config import Config
from ansible_collections.linuxnet.netns.plugins.module_utils._core.hook.stream import Source
from ansible_collections.linuxnet.netns.plugins.module_utils._core.links import (
    ledger,
    run,
    snapshot,
)

pytestmark = pytest.mark.usefixtures("own_inotify_instances")

WEB, SIDE = "ab" * 32, "cd" * 32


@pytest.fixture
def engine(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> t.Iterator[Engine]:
    path = str(tmp_path / "docker.sock")
    monkeypatch.setenv("DOCKER_HOST", f"unix://{path}")
    engine = Engine(path)
    try:
        yield engine
    finally:
        engine.close()


def settle(engine: Engine) -> None:
    """Wait until nothing more is asked."""
    asked = -1
    while asked != len(engine.asked):
        asked = len(engine.asked)
        time.sleep(0.5)


def until(truth: t.Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not truth():
        assert time.monotonic() < end, "it did not come true"
        time.sleep(0.005)


def leads(place: Place, name: str, pid: int) -> bool:
    try:
        return inode(place.link(name)) == inode(f"/proc/{pid}/ns/net")
    except FileNotFoundError:
        return False


def mount(*words: str | os.PathLike[str]) -> None:
    subprocess.run(("mount", *words), check=True)


def unmount(path: pathlib.Path) -> None:
    subprocess.run(("umount", path), check=True)


def play(place: Place, engine: Engine, story: t.Callable[[], None]) -> str:
    """Run the service in this thread, as signals need it, and the story in another."""
    source = Source("docker", engine.path, "/events", lambda _path: True)
    config = Config(engines=("docker",), resync_interval=3600, netns_dir=str(place.dir))
    errors: list[BaseException] = []

    def tell() -> None:
        try:
            story()
        except BaseException as error:
            errors.append(error)
        finally:
            os.kill(os.getpid(), signal.SIGTERM)

    thread = threading.Thread(target=tell)
    ours = service.Service(config, (source,), (), str(place.state))
    thread.start()
    try:
        return ours.loop()
    finally:
        thread.join()
        if errors:
            raise errors[0]


def test_the_life_of_a_container(place: Place, engine: Engine) -> None:
    first, second = place.process(), place.process()

    def story() -> None:
        until(lambda: bool(engine._streams))
        until(lambda: "/containers/json?all=1" in engine.asked)
        settle(engine)
        engine.asked.clear()
        engine.add("web", first, WEB)
        engine.tell("start", WEB)
        until(lambda: leads(place, "web", first))
        engine.containers[WEB]["name"] = "www"
        engine.tell("rename", WEB)
        until(lambda: leads(place, "www", first) and not place.link("web").exists())
        engine.containers[WEB]["pid"] = second
        engine.tell("die", WEB)
        engine.tell("start", WEB)
        until(lambda: leads(place, "www", second))
        engine.containers[WEB]["pid"] = 0
        engine.tell("die", WEB)
        until(lambda: not place.link("www").exists())
        # Just the container that it was told of was asked for.
        assert set(engine.asked) == {f"/containers/{WEB}/json"}

    assert play(place, engine, story) == service.STOP
    assert place.entries() == {}


def test_what_happened_while_the_engine_was_away(place: Place, engine: Engine) -> None:
    first, second = place.process(), place.process()
    engine.add("web", first, WEB)

    def story() -> None:
        until(lambda: leads(place, "web", first))
        until(lambda: bool(engine._streams))
        time.sleep(0.1)
        engine.containers.clear()
        engine.add("db", second, SIDE)
        engine.hang_up()
        until(lambda: leads(place, "db", second) and not place.link("web").exists())

    play(place, engine, story)


def test_who_has_joined_keeps_the_namespace(place: Place, engine: Engine) -> None:
    first, second = place.process(), place.process()
    engine.add("web", first, WEB)
    engine.add("side", first, SIDE)
    engine.containers[SIDE]["mode"] = f"container:{WEB}"

    def story() -> None:
        until(lambda: leads(place, "web", first))
        until(lambda: bool(engine._streams))
        time.sleep(0.2)
        engine.containers[WEB]["pid"] = second
        engine.tell("start", WEB)
        until(lambda: leads(place, "web", second) and leads(place, "side", first))

    play(place, engine, story)


class Looks:
    """Looks at one container, as the service does, and at everything."""

    def __init__(self, place: Place) -> None:
        self._config = Config(engines=("docker",), netns_dir=str(place.dir))
        self._state = str(place.state)
        self._session = snapshot.SessionCache(ledger.Ledger(self._state))

    def __enter__(self) -> Looks:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._session.close()

    def everything(self) -> dict[str, str]:
        return self._actions(None)

    def web(self) -> dict[str, str]:
        return self._actions({"docker": frozenset((WEB,))})

    def _actions(self, only: dict[str, frozenset[str] | None] | None) -> dict[str, str]:
        result = run.run(self._config.request(only), state_dir=self._state, session=self._session)
        return {row["name"]: row["action"] for row in result.links}


def test_a_look_at_one_container_reads_no_mounts(
    place: Place, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Looks(place) as looks:
        looks.everything()
        # The first link has netns_dir made ready.
        engine.add("first", place.process(), SIDE)
        looks.everything()

        def refuse(*_: object, **__: object) -> t.NoReturn:
            raise AssertionError("all mounts were listed")

        monkeypatch.setattr(snapshot.mounts, "read", refuse)
        engine.add("web", place.process(), WEB)
        assert looks.web() == {"web": "created"}
        engine.containers[WEB]["pid"] = place.process()
        assert looks.web() == {"web": "relinked"}
        engine.containers[WEB]["pid"] = 0
        assert looks.web() == {"web": "removed"}
        monkeypatch.undo()
    assert sorted(place.entries()) == [str(place.link("first"))]


def test_what_others_mounted_over_a_link_stays(place: Place, engine: Engine) -> None:
    pid, strange = place.process(), place.process()
    with Looks(place) as looks:
        engine.add("web", pid, WEB)
        looks.everything()
        mount("--bind", f"/proc/{strange}/ns/net", place.link("web"))
        engine.containers[WEB]["pid"] = 0
        looks.web()
        assert leads(place, "web", strange)
        unmount(place.link("web"))
        assert leads(place, "web", pid)


def test_a_link_that_was_mounted_twice_is_found_by_the_look_at_everything(
    place: Place, engine: Engine
) -> None:
    pid = place.process()
    with Looks(place) as looks:
        engine.add("web", pid, WEB)
        looks.everything()
        mount("--bind", f"/proc/{pid}/ns/net", place.link("web"))
        engine.containers[WEB]["pid"] = 0
        assert looks.web() == {"web": "conflict"}
        assert looks.everything() == {"web": "removed"}
    assert not place.link("web").exists()
    assert place.entries() == {}


def test_another_file_of_the_same_name_is_not_ours(place: Place, engine: Engine) -> None:
    pid = place.process()
    with Looks(place) as looks:
        engine.add("web", pid, WEB)
        looks.everything()
        unmount(place.link("web"))
        # Made while the other is there: not every file system counts on, as tmpfs does.
        place.link("new").touch()
        place.link("new").replace(place.link("web"))
        mount("--bind", f"/proc/{pid}/ns/net", place.link("web"))
        engine.containers[WEB]["pid"] = 0
        looks.web()
        assert leads(place, "web", pid)


class Oneshot:
    """What the udev trigger starts. `after` is called at the end of each look, with its number."""

    def __init__(self, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
        self.request = place.dir.parent / "request"
        self.looks = 0
        self.after: t.Callable[[int], None] = lambda _look: None
        self.config = Config(engines=("docker",), netns_dir=str(place.dir))
        self._state = str(place.state)
        self._look = run.run
        place.state.mkdir()
        monkeypatch.setattr(oneshot.run, "run", self._counted)
        monkeypatch.setattr(oneshot, "_RETRY_DELAYS", (0.01, 0.01))

    def _counted(self, *words: t.Any, **options: t.Any) -> t.Any:
        result = self._look(*words, **options)
        self.looks += 1
        self.after(self.looks)
        return result

    def start(self) -> int:
        """Start it, as systemd does while the request is there. Returns how often it looked."""
        self.looks = 0
        oneshot.settle(lambda: self.config, self._state, str(self.request))
        return self.looks


@pytest.fixture
def shot(place: Place, monkeypatch: pytest.MonkeyPatch) -> Oneshot:
    return Oneshot(place, monkeypatch)


def test_the_oneshot_looks_again_after_a_request(shot: Oneshot, engine: Engine) -> None:
    assert shot.start() == 1
    shot.request.touch()
    assert shot.start() == 3
    assert not shot.request.exists()


@pytest.mark.parametrize("look", [1, 2, 3])
def test_no_request_is_lost_whenever_it_comes(
    place: Place, engine: Engine, shot: Oneshot, look: int
) -> None:
    shot.request.touch()

    def ask(number: int) -> None:
        if number == look:
            # The host was read: this look cannot have seen it.
            engine.add("web", place.process(), WEB)
            shot.request.touch()

    shot.after = ask
    looks = shot.start()
    if look < 3:
        # It is looked at as often as any other.
        assert (looks, shot.request.exists()) == (look + 3, False)
    else:
        # The last look: it is for systemd to start the next, as long as the request is there.
        assert (looks, shot.request.exists()) == (3, True)
        assert not place.link("web").exists()
        shot.start()
    assert place.link("web").exists()


def test_settings_that_change_during_the_oneshot_count(
    place: Place, engine: Engine, shot: Oneshot
) -> None:
    engine.add("web", place.process(), WEB)
    wanted, shot.config = shot.config, shot.config._replace(labels={"app": "shop"})
    shot.request.touch()

    def change(number: int) -> None:
        if number == 1:
            shot.config = wanted
            shot.request.touch()

    shot.after = change
    shot.start()
    assert not shot.request.exists()
    assert place.link("web").exists()


@pytest.mark.parametrize("look", [1, 2, 3])
def test_what_comes_later_than_its_request_is_found(
    place: Place, engine: Engine, shot: Oneshot, look: int
) -> None:
    """A folder or a veth comes before its container runs."""
    shot.request.touch()

    def come(number: int) -> None:
        if number == look:
            shot.request.touch()
        if number == look + 1:
            engine.add("web", place.process(), WEB)

    shot.after = come
    while shot.request.exists():
        shot.start()
        shot.after = lambda number: come(number + look)
    assert place.link("web").exists()
