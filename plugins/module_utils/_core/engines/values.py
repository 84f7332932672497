# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Values out of an engine's JSON: each has the type that belongs there, or it is an EngineError."""

from __future__ import annotations

import re
import typing as t

from .. import model
from . import unix_http

_Value = t.TypeVar("_Value")
_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?(?:Z|([+-])(\d\d):(\d\d))")


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
    if isinstance(value, str):
        _check_text(value, path)
    return value


def texts(value: t.Any, path: str) -> list[str]:
    """The strings in the list at a dotted path, none where it is null or not there."""
    found = [one for one in field(value, path, list) if isinstance(one, str)]
    for text in found:
        _check_text(text, path)
    return found


def _check_text(text: str, path: str) -> None:
    # JSON can hold halves of characters, which cannot be written anywhere.
    try:
        text.encode()
    except UnicodeEncodeError:
        raise model.EngineError(f"{path!r} is no text: {text[:60]!a}") from None


def path(value: t.Any, place: str) -> str | None:
    """The absolute path at a dotted path, None where there is none."""
    found = field(value, place, str)
    if found and (not found.startswith("/") or "\0" in found):
        raise model.EngineError(f"{place!r} is no path: {found[:60]!r}")
    return found or None


def seconds(value: t.Any, place: str) -> float:
    """The time at a dotted path, in RFC 3339, since the epoch; 0 where there is none.

    With nanoseconds, which datetime does not read before Python 3.11.
    """
    import datetime  # noqa: PLC0415 - most engines do without

    text = field(value, place, str)
    if not text:
        return 0.0
    match = _TIME.fullmatch(text)
    try:
        if match is None:
            raise ValueError
        clock, fraction, sign, hours, minutes = match.groups()
        moment = datetime.datetime.fromisoformat(clock)
        found = moment.replace(tzinfo=datetime.timezone.utc).timestamp()
    except ValueError:
        raise model.EngineError(f"a time {text[:80]!r} in {place!r}") from None
    if sign:
        found -= (int(hours) * 60 + int(minutes)) * (60 if sign == "+" else -60)
    return found + float(fraction or 0)


def labels(value: t.Any, path: str) -> dict[str, str]:
    """The labels at a dotted path, none where there are none."""
    found = field(value, path, dict)
    if not all(isinstance(label, str) for label in found.values()):
        raise model.EngineError(f"a label in {path!r} that is no string")
    for label in (*found, *found.values()):
        _check_text(label, path)
    return found
