# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Ansible itself checks of the options, before the program does."""

from __future__ import annotations

import ast
import json
import pathlib
import typing as t

import pytest
from ansible.module_utils import basic
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.linuxnet.netns.plugins.module_utils import (
    _argspec,
    _facts_module,
    _link_module,
)


def test_ansible_sends_no_module_what_only_others_need() -> None:
    source = pathlib.Path(_argspec.__file__).read_text(encoding="utf-8")
    imports = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ImportFrom)]
    # All need the importer and the tuples.
    assert [node.module for node in imports if node.level] == [
        None,
        "_core.engines",
        "_core.named_tuple",
    ]


def validate(spec: _argspec.Spec, params: dict[str, t.Any]) -> t.Any:
    return ArgumentSpecValidator(**spec._asdict()).validate(_argspec.given(params))


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"all": True, "prune": True},
        # Options exclude each other by value: false and null are not given.
        {"container": "web", "all": False},
        {"container": "web", "all": "no", "pid": None, "path": None},
        {"pid": 7, "name": "vpn", "all": False, "containers": None},
        {"path": "/x", "name": ["x"], "pid": None, "timeout": None},
        {"state": "absent", "name": "x"},
    ],
)
def test_options_of_netns_link_that_ansible_accepts(params: dict[str, t.Any]) -> None:
    result = validate(_link_module.spec(), params)
    assert result.error_messages == []
    assert result.validated_parameters["timeout"] == 5


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"container": "web", "pid": 7, "name": "x"}, "exclusive: containers|pid|path"),
        ({"pid": 7, "path": "/x", "name": "x"}, "exclusive: containers|pid|path"),
        ({"pid": 7}, "required by 'pid': name"),
        ({"path": "/x", "name": None}, "required by 'path': name"),
        ({"all": True, "state": "here"}, "must be one of: present, absent"),
        ({"engines": ["dokcer"]}, "must be one or more of: docker"),
    ],
)
def test_options_of_netns_link_that_ansible_refuses(params: dict[str, t.Any], message: str) -> None:
    (error,) = validate(_link_module.spec(), params).error_messages
    assert message in error


@pytest.mark.parametrize("option", ["containers", "container", "name"])
def test_every_name_of_the_containers_of_the_facts(option: str) -> None:
    result = validate(_facts_module.spec(), {option: "web"})
    assert result.error_messages == []
    assert result.validated_parameters["containers"] == ["web"]


OPTIONS = {"name": {"type": "str"}, "key": {"type": "str", "no_log": True}}


def printed(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    make: t.Callable[[_argspec.Spec], t.Any],
    params: dict[str, t.Any],
    result: dict[str, t.Any],
    end: str = "exit_json",
) -> t.Any:
    """What a module with these options prints when it ends by this method."""
    monkeypatch.setattr(
        _argspec.AnsibleModule, "_load_params", lambda self: setattr(self, "params", dict(params))
    )
    # Ansible sets it in the program that it sends to a host.
    monkeypatch.setattr(basic, "_ANSIBLE_PROFILE", "legacy", raising=False)
    module = make(_argspec.Spec(OPTIONS))
    with pytest.raises(SystemExit) as ended:
        getattr(module, end)(**result)
    assert ended.value.code == (end == "fail_json")
    text = capsys.readouterr().out
    assert text.startswith("\n{")
    return json.loads(text)


@pytest.mark.parametrize("params", [{"name": "web"}, {"name": "web", "key": "s3cret"}])
def test_a_module_ends_as_those_of_ansible_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], params: dict[str, t.Any]
) -> None:
    result = {"changed": True, "links": [{"name": "é", "pid": 7, "pod": None}], "text": "s3cret"}
    ours = printed(monkeypatch, capsys, _argspec.Module, params, result)
    expected = printed(
        monkeypatch,
        capsys,
        lambda spec: _argspec.AnsibleModule(spec.argument_spec, supports_check_mode=True),
        params,
        result,
    )
    assert ours == expected
    assert ours["links"] == result["links"]
    assert ours["invocation"]["module_args"]["name"] == "web"
    assert (ours["text"] == "s3cret") == ("key" not in params)


@pytest.mark.parametrize("end", ["exit_json", "fail_json"])
@pytest.mark.parametrize("params", [{"name": "web"}, {"name": "web", "key": "s3cret"}])
def test_bytes_that_are_not_text_are_escaped(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    params: dict[str, t.Any],
    end: str,
) -> None:
    result = {"msg": "done", "links": [{"name": "a\udcff", "pod": {"name": "\U0001f433 \\ud"}}]}
    ended = printed(monkeypatch, capsys, _argspec.Module, params, result, end)
    assert ended["links"] == [{"name": "a\\xff", "pod": {"name": "\U0001f433 \\ud"}}]


def test_a_module_takes_null_as_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    params = {"pid": 7, "name": ["x"], "containers": None}
    monkeypatch.setattr(
        _argspec.AnsibleModule, "_load_params", lambda self: setattr(self, "params", params)
    )
    module = object.__new__(_argspec.Module)
    module._load_params()
    assert module.params == {"pid": 7, "name": ["x"]}
