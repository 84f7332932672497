# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Values from engines' JSON: each has the documented type, or reading it raises EngineError."""

from __future__ import annotations

import re
import typing as t

from .. import model, untrusted

CONTAINER_ID = re.compile(r"[0-9a-f]{64}")
_Value = t.TypeVar("_Value")
# Not compiled here, as a run with nothing to do does not need it.
_TIME = r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?(?:Z|([+-])(\d\d):(\d\d))"


def parse_json(text: str | bytes, source: str) -> t.Any:
    """Decode JSON. The EngineError names the source and quotes the beginning of the text."""
    try:
        return untrusted.parse_json(text)
    except ValueError:
        raise model.EngineError(f"{source} is not valid JSON: {text[:60]!r}") from None


def typed(value: t.Any, kind: type[_Value], label: str) -> _Value:
    """The value itself, `kind()` where it is null. `label` names it in errors."""
    if value is None:
        return kind()
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise model.EngineError(f"{label} is of type {type(value).__name__}, not {kind.__name__}")
    if isinstance(value, str):
        _check_text(value, label)
    return value


def _check_text(text: str, label: str) -> None:
    # JSON can contain lone surrogates, which cannot be encoded.
    try:
        text.encode()
    except UnicodeEncodeError:
        raise model.EngineError(f"{label} is not valid Unicode: {text[:60]!a}") from None


def field(value: t.Any, key: str, kind: type[_Value]) -> _Value:
    """The value at a dotted key, `kind()` where it is null or missing."""
    for part in key.split("."):
        if value is None:
            break
        if not isinstance(value, dict):
            raise model.EngineError(f"no {key!r} in a value of type {type(value).__name__}")
        value = value.get(part)
    return typed(value, kind, repr(key))


def container_id(value: t.Any, key: str) -> str:
    """The container ID at a dotted key: 64 hexadecimal digits."""
    identity = field(value, key, str)
    if not CONTAINER_ID.fullmatch(identity):
        raise model.EngineError(f"{key!r} is not a container ID: {identity[:80]!r}")
    return identity


def absolute_path(value: t.Any, key: str) -> str | None:
    """The absolute path at a dotted key, None where it is empty or missing."""
    path = field(value, key, str)
    if path and (not path.startswith("/") or "\0" in path):
        raise model.EngineError(f"{key!r} is not an absolute path: {path[:60]!r}")
    return path or None


def timestamp(value: t.Any, key: str) -> float:
    """The RFC 3339 time at a dotted key, in seconds since the epoch; 0 where it is missing.

    Engines write nanoseconds, which datetime does not parse before Python 3.11.
    """
    import datetime  # noqa: PLC0415 - most engines do not need it

    text = field(value, key, str)
    if not text:
        return 0.0
    match = re.fullmatch(_TIME, text)
    try:
        if match is None:
            raise ValueError
        clock, fraction, sign, hours, minutes = match.groups()
        moment = datetime.datetime.fromisoformat(clock)
        seconds = moment.replace(tzinfo=datetime.timezone.utc).timestamp()
    except ValueError:
        raise model.EngineError(f"{key!r} is not an RFC 3339 time: {text[:80]!r}") from None
    if sign:
        seconds -= (int(hours) * 60 + int(minutes)) * (60 if sign == "+" else -60)
    return seconds + float(fraction or 0)


def string_list(value: t.Any, key: str) -> list[str]:
    """The strings in the list at a dotted key; items of other types are left out."""
    strings = [item for item in field(value, key, list) if isinstance(item, str)]
    for text in strings:
        _check_text(text, repr(key))
    return strings


def string_dict(value: t.Any, label: str) -> dict[str, str]:
    """A dict of strings; null values become "". `label` names it in errors."""
    return {
        typed(name, str, label): typed(inner, str, f"{name[:80]!a} in {label}")
        for name, inner in typed(value, dict, label).items()
    }


def labels(value: t.Any, key: str) -> dict[str, str]:
    """The labels at a dotted key, none where it is null or missing; no label may be null."""
    found = field(value, key, dict)
    if None in found.values():
        raise model.EngineError(f"a label in {key!r} is null")
    return string_dict(found, repr(key))
