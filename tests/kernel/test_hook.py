# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The resident service with real namespaces, and an engine that tells what the test lets it tell."""

from __future__ import annotations

import os
import pathlib
import signal
import threading
import time
import typing as t

import pytest
from support import Engine, Place, inode

from ansible_collections.linuxnet.netns.plugins.module_utils._core.hook import oneshot, service
from ansible_collections.linuxnet.netns.plugins.module_utils._core.hook.config import Config
from ansible_collections.linuxnet.netns.plugins.module_utils._core.hook.stream import Source

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
        time.sleep(0.1)
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
        count = len(engine.asked)
        del engine.containers[WEB]
        engine.tell("destroy", WEB)
        time.sleep(0.3)
        assert len(engine.asked) == count, "all was done when it died"

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


def test_a_request_during_the_oneshot_stays(
    place: Place, engine: Engine, tmp_path: pathlib.Path
) -> None:
    engine.add("web", place.process(), WEB)
    request = tmp_path / "request"
    request.touch()
    config = Config(engines=("docker",), netns_dir=str(place.dir))
    place.state.mkdir()
    oneshot.settle(config, str(place.state), str(request))
    assert not request.exists()
    assert place.link("web").exists()
