# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: it can change at any time. Do not use it from other collections or plugins.

"""The module netns_link: from parameters to a request, and from the result to the module's exit."""

from __future__ import annotations

import os
import typing as t

from . import _zip_importer  # noqa: F401 - the first import, for those that follow
from ._argspec import Module, link_spec
from ._core import model
from ._core.links import run
from ._core.links.request import LinkRequest
from ._core.names import printable


def run_link() -> t.NoReturn:
    """Run the module."""
    module = Module(link_spec())
    try:
        result = run.run(_request(module.params), check=module.check_mode)
    except model.NetnsError as error:
        module.fail_json(msg=printable(str(error)))
    for warning in result.warnings:
        module.warn(printable(warning))
    answer: dict[str, t.Any] = {"changed": result.changed, "links": _escaped(result.links)}
    if module._diff:
        answer["diff"] = _escaped(result.diff)
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


def _escaped(value: t.Any) -> t.Any:
    """The value with bytes that are not valid text escaped: ansible-core refuses a result with such bytes."""
    if isinstance(value, dict):
        return {name: _escaped(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_escaped(inner) for inner in value]
    if isinstance(value, str) and not value.isascii():
        return value.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return value


def _resolved(path: str) -> str:
    return path if not path or "\0" in path else os.path.realpath(path)


def _items(value: list[str] | None) -> tuple[str, ...] | None:
    return None if value is None else tuple(item.strip() for item in value)


def _label(value: t.Any) -> str:
    # An unquoted `true` in YAML is the label value "true" that `docker run --label x=true` sets.
    return str(value).lower() if isinstance(value, bool) else str(value)
