# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The hook's settings: which are accepted, and the messages for the others."""

from __future__ import annotations

import json
import pathlib
import typing as t

import hostile_inputs
import pytest

from ansible_collections.linuxnet.netns.plugins.module_utils._core import model
from ansible_collections.linuxnet.netns.plugins.module_utils._core.hook import config
from ansible_collections.linuxnet.netns.plugins.module_utils._core.links.request import HOOK


def test_the_defaults_link_everything() -> None:
    request = config.parse("{}").link_request()
    assert (request.all, request.prune, request.maker, request.only) == (True, True, HOOK, None)
    assert (request.engines, request.labels, request.name_template) == (None, {}, "{name}")
    assert config.parse("{}").includes("crio")


def test_settings_are_in_the_request() -> None:
    settings = config.parse(
        json.dumps(
            {
                "trigger": "udev",
                "engines": ["docker", "podman"],
                "sources": ["docker:/run/ci.sock"],
                "labels": {"app": "x"},
                "name_template": "{engine}-{name}",
                "resolv_conf": True,
                "resync_interval": 5,
            }
        )
    )
    request = settings.link_request({"docker": frozenset("a")})
    assert (request.engines, request.labels) == (("docker", "podman"), {"app": "x"})
    assert request.sources == ("docker:/run/ci.sock",)
    assert (request.name_template, request.resolv_conf) == ("{engine}-{name}", True)
    assert request.only == {"docker": frozenset("a")}
    assert (settings.trigger, settings.resync_interval) == ("udev", 5)
    assert settings.includes("docker")
    assert not settings.includes("crio")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "not valid JSON"),
        ("[" * 100000, "not valid JSON"),
        ("[]", "not a JSON object"),
        ('{"engine": []}', "there is no setting 'engine'"),
        ('{"netns_dir": "/x"}', "there is no setting 'netns_dir'"),
        ('{"trigger": "cron"}', 'trigger is "cron": give events or udev'),
        ('{"trigger": []}', "give events or udev"),
        ('{"engines": "docker"}', "give a list of docker"),
        ('{"engines": ["rkt"]}', "give a list of docker"),
        ('{"engines": [[]]}', "give a list of docker"),
        ('{"sources": "docker:/x"}', "give a list of ENGINE:/PATH"),
        ('{"sources": [7]}', "give a list of ENGINE:/PATH"),
        ('{"sources": ["lxc:/x"]}', "sources has 'lxc:/x'"),
        ('{"engines": ["podman"], "sources": ["docker:/x"]}', "`engines` does not have docker"),
        ('{"labels": {"app": 1}}', "give an object of strings"),
        ('{"labels": null}', "give an object of strings"),
        ('{"name_template": null}', "give a string"),
        ('{"name_template": "{nmae}"}', "unknown placeholder"),
        ('{"resolv_conf": "yes"}', "give true or false"),
        ('{"resync_interval": 0}', "from 1 to"),
        ('{"resync_interval": true}', "from 1 to"),
        ('{"resync_interval": 1.5}', "from 1 to"),
        ('{"resync_interval": 86401}', "to 86400"),
        ('{"resync_interval": 1%s}' % ("0" * 30), "not valid JSON"),
    ],
)
def test_invalid_settings_are_refused(text: str, words: str) -> None:
    with pytest.raises(model.NetnsError, match=words):
        config.parse(text)


@pytest.mark.parametrize(
    "file", [file for file in hostile_inputs.FILES if file.error != "symbolic links"]
)
def test_unusable_files_are_refused(tmp_path: pathlib.Path, file: hostile_inputs.File) -> None:
    file.put(tmp_path / "settings.json")
    with pytest.raises(
        model.NetnsError, match="not valid JSON" if "JSON" in file.error else file.error
    ):
        config.load(str(tmp_path / "settings.json"))


@pytest.mark.parametrize("text", [None, b"\xff", b"{"])
def test_an_error_names_the_file(text: t.Any, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "settings.json"
    if text is not None:
        path.write_bytes(text)
    with pytest.raises(model.NetnsError, match=str(path)):
        config.load(str(path))
