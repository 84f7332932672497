# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Values out of an engine's JSON: each has the type that belongs there, or it is an EngineError."""

from __future__ import annotations

import typing as t

from .. import model
from . import unix_http

_Value = t.TypeVar("_Value")


def body(answer: unix_http.Response) -> t.Any:
    """The JSON of an answer, which has to be a success."""
    if answer.status != 200:
        raise model.EngineError(
            f"status {answer.status}: {answer.body[:200].decode('utf-8', 'replace').strip()}"
        )
    return unix_http.parse_json(answer.body)


def array(value: t.Any) -> list[t.Any]:
    """The value itself, which has to be a list."""
    if not isinstance(value, list):
        raise model.EngineError(f"a {type(value).__name__} where a list of containers belongs")
    return value


def field(value: t.Any, path: str, kind: type[_Value]) -> _Value:
    """The value at a dotted path, `kind()` where it is null or not there."""
    for key in path.split("."):
        if value is None:
            break
        if not isinstance(value, dict):
            raise model.EngineError(f"a {type(value).__name__} on the way to {path!r}")
        value = value.get(key)
    if value is None:
        return kind()
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise model.EngineError(f"a {type(value).__name__} where {path!r} is a {kind.__name__}")
    return value


def labels(value: t.Any, path: str) -> dict[str, str]:
    """The labels at a dotted path, none where there are none."""
    found = field(value, path, dict)
    if not all(isinstance(label, str) for label in found.values()):
        raise model.EngineError(f"a label in {path!r} that is no string")
    return found
