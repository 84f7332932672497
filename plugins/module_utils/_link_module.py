# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module C(netns_link): parameters to a wish, results to the module's exit."""

from __future__ import annotations

import os
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ._argspec import HOST_SPEC
from ._core import model
from ._core.links import run
from ._core.links.request import LinkRequest
from ._core.names import printable

_LINK_SPEC: dict[str, t.Any] = {
    "containers": {"type": "list", "elements": "str", "aliases": ["container"]},
    "all": {"type": "bool", "default": False},
    "labels": {"type": "dict", "default": {}},
    "pid": {"type": "int"},
    "path": {"type": "path"},
    "name": {"type": "list", "elements": "str"},
    "name_template": {"type": "str", "default": "{name}"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "prune": {"type": "bool", "default": False},
    "force": {"type": "bool", "default": False},
    "resolv_conf": {"type": "bool", "default": False},
}


def run_link() -> t.NoReturn:
    """The module `netns_link`."""
    module = AnsibleModule(argument_spec={**HOST_SPEC, **_LINK_SPEC}, supports_check_mode=True)
    try:
        result = run.run(_request(module.params), check=module.check_mode)
    except model.NetnsError as error:
        module.fail_json(msg=printable(str(error)))
    for warning in result.warnings:
        module.warn(printable(warning))
    answer: dict[str, t.Any] = {"changed": result.changed, "links": _text(result.links)}
    if module._diff:
        answer["diff"] = _text(result.diff)
    if result.failures:
        module.fail_json(msg=printable("; ".join(result.failures)), **answer)
    module.exit_json(**answer)


def _request(params: t.Mapping[str, t.Any]) -> LinkRequest:
    return LinkRequest(
        state=params["state"],
        containers=_items(params["containers"]),
        all=params["all"],
        pid=params["pid"],
        path=params["path"],
        names=_items(params["name"]),
        name_template=params["name_template"],
        labels={str(name): _label(value) for name, value in params["labels"].items()},
        engines=_items(params["engines"]),
        prune=params["prune"],
        force=params["force"],
        resolv_conf=params["resolv_conf"],
        # So that one directory has one name.
        netns_dir=_resolved(params["netns_dir"]),
        timeout=params["timeout"],
    )


def _text(value: t.Any) -> t.Any:
    """The same with bytes that are no text escaped: ansible-core refuses a result that holds them."""
    if isinstance(value, dict):
        return {name: _text(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_text(inner) for inner in value]
    if isinstance(value, str) and not value.isascii():
        return value.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return value


def _resolved(path: str) -> str:
    return path if not path or "\0" in path else os.path.realpath(path)


def _items(value: list[str] | None) -> tuple[str, ...] | None:
    return None if value is None else tuple(item.strip() for item in value)


def _label(value: t.Any) -> str:
    # An unquoted `true` in YAML is what `docker run --label x=true` calls "true".
    return str(value).lower() if isinstance(value, bool) else str(value)
