# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Docker's answers, as a real 20.10 daemon gave them (tests/unit/data/docker-20.10)."""

from __future__ import annotations

import copy
import json
import pathlib
import typing as t

import pytest

from ansible_collections.linuxnet.netns.plugins.module_utils._core import model
from ansible_collections.linuxnet.netns.plugins.module_utils._core.engines import docker, unix_http

DATA = pathlib.Path(__file__).parents[3] / "data" / "docker-20.10"
HEADERS = {"server": "Docker/20.10.24+dfsg1 (linux)"}


def load(name: str) -> t.Any:
    return json.loads((DATA / f"{name}.json").read_text())


class Client:
    """What unix_http.Client gives, out of the captured answers."""

    asked: t.ClassVar[list[str]] = []
    answers: t.ClassVar[dict[str, t.Any]] = {}

    def __init__(self, *_: t.Any) -> None:
        pass

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def get(self, targets: list[str]) -> t.Iterator[unix_http.Response]:
        for target in targets:
            self.asked.append(target)
            body = self.answers.get(target)
            yield unix_http.Response(
                404 if body is None else 200, HEADERS, json.dumps(body).encode()
            )


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> dict[str, t.Any]:
    listing = load("list")
    answers = {"/containers/json?all=1": listing}
    for item in listing:
        answers[f"/containers/{item['Id']}/json"] = load(item["Names"][0][1:])
    monkeypatch.setattr(Client, "answers", answers)
    monkeypatch.setattr(Client, "asked", [])
    monkeypatch.setattr(docker.unix_http, "Client", Client)
    return answers


def read(wanted: t.Callable[[model.Container], bool] = lambda _: True) -> model.Reading:
    return docker.read("/run/docker.sock", 5, wanted)


def test_read(answers: dict[str, t.Any]) -> None:
    reading = read()
    assert (reading.error, reading.version) == (None, "20.10.24+dfsg1")
    by_name = {one.name: one for one in reading.containers}
    assert sorted(by_name) == ["cap-created", "cap-stopped", "hosty", "lone", "side", "web"]
    web = by_name["web"]
    assert web.pid > 0
    assert web.pin is not None
    assert web.pin.startswith("/var/run/docker/netns/")
    assert web.resolv_conf == f"/var/lib/docker/containers/{web.id}/resolv.conf"
    assert by_name["hosty"].pin == "/var/run/docker/netns/default"
    assert by_name["side"].pin is None
    assert by_name["side"].network_mode == f"container:{web.id}"
    stopped = by_name["cap-stopped"]
    assert (stopped.running, stopped.status, stopped.pid) == (False, "exited", 0)
    assert stopped.labels == {"app": "shop", "com.docker.compose.project": "shop"}
    assert by_name["cap-created"].status == "created"


def test_only_what_is_wanted_and_runs_is_looked_into(answers: dict[str, t.Any]) -> None:
    reading = read(lambda one: one.name in ("web", "cap-stopped"))
    assert len(Client.asked) == 2
    assert [one.name for one in reading.containers if one.pid] == ["web"]
    assert len(reading.containers) == 6


def test_a_container_removed_in_between_is_none(answers: dict[str, t.Any]) -> None:
    web = next(one for one in read().containers if one.name == "web")
    del answers[f"/containers/{web.id}/json"]
    assert "web" not in [one.name for one in read().containers]


def test_between_two_lives_of_a_restart_policy(answers: dict[str, t.Any]) -> None:
    web = next(one for one in read().containers if one.name == "web")
    answers[f"/containers/{web.id}/json"]["State"].update(Pid=0, Status="restarting")
    (again,) = [one for one in read().containers if one.id == web.id]
    assert (again.running, again.pid, again.status) == (False, 0, "restarting")


def test_a_legacy_link_of_another_container_is_not_its_name(answers: dict[str, t.Any]) -> None:
    answers["/containers/json?all=1"][0]["Names"].insert(0, "/other/alias")
    assert "alias" not in str([one.name for one in read().containers])


def _places(value: t.Any, path: tuple[t.Any, ...] = ()) -> t.Iterator[tuple[t.Any, ...]]:
    yield path
    items = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for key, inner in items:
        yield from _places(inner, (*path, key))


@pytest.mark.parametrize("wrong", [None, "x", 7, [], {}, [[]], True, -1.5])
def test_wrong_types_anywhere_are_an_error_or_harmless(
    answers: dict[str, t.Any], wrong: t.Any
) -> None:
    for target in ("/containers/json?all=1", next(key for key in answers if "all" not in key)):
        body = answers[target]
        for place in _places(body):
            broken = copy.deepcopy(body)
            if place:
                inner = broken
                for key in place[:-1]:
                    inner = inner[key]
                inner[place[-1]] = wrong
            else:
                broken = wrong
            answers[target] = broken
            read()
        answers[target] = body


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("unix:///var/run/../run/x.sock", "/run/x.sock"),
        ("tcp://127.0.0.1:2375", "tcp://127.0.0.1:2375"),
        ("ssh://host", "ssh://host"),
    ],
)
def test_locate_by_docker_host(address: str, expected: str) -> None:
    assert docker.locate({"DOCKER_HOST": address}) == expected


def test_a_remote_daemon_is_refused() -> None:
    error = docker.read("tcp://127.0.0.1:2375", 5, lambda _: True).error
    assert error is not None
    assert "only a unix:// socket" in error


def test_still_runs(answers: dict[str, t.Any]) -> None:
    web = next(one for one in read().containers if one.name == "web")
    assert docker.still_runs(web, 5)
    answers[f"/containers/{web.id}/json"]["State"]["Pid"] += 1
    assert not docker.still_runs(web, 5)
    del answers[f"/containers/{web.id}/json"]
    assert not docker.still_runs(web, 5)
