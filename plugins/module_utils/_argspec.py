# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: it can change at any time. Do not use it from other collections or plugins.

"""The options that all modules have, the AnsibleModule for them, and the values of options and results."""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
import typing as t

from ansible.module_utils.basic import AnsibleModule

from . import _zip_importer
from ._core.engines import registry
from ._core.named_tuple import NamedTuple

# What json.dumps() makes of a byte that is not valid text, or of a character above U+FFFF, begins with this.
_SURROGATE = "\\ud"


def given(params: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """The parameters that are not null."""
    return {name: value for name, value in params.items() if value is not None}


class Spec(NamedTuple):
    """What AnsibleModule takes of the same names."""

    argument_spec: dict[str, t.Any]
    mutually_exclusive: t.Sequence[t.Sequence[str]] = ()
    required_one_of: t.Sequence[t.Sequence[str]] = ()
    required_by: t.Mapping[str, t.Sequence[str]] = {}


class Module(AnsibleModule):
    """An AnsibleModule for which an option that is null is an option that was not given."""

    def __init__(self, spec: Spec) -> None:
        super().__init__(  # type: ignore[no-untyped-call]
            **spec._asdict(), supports_check_mode=True
        )

    def _load_params(self) -> None:
        # Ansible's check of mutually_exclusive counts null as given.
        super()._load_params()  # type: ignore[no-untyped-call]
        self.params = given(self.params)

    def fail_json(self, msg: str, **result: t.Any) -> t.NoReturn:
        """End with an error, and with the result of what was done, as exit_json() has it."""
        super().fail_json(msg=msg, **_escaped(result))

    def exit_json(self, **result: t.Any) -> t.NoReturn:
        """End with the result, which is plain data for json.dumps(). Bytes in it that are not valid text are escaped.

        AnsibleModule copies the result to replace secrets in it. For the facts of 300 namespaces, that takes a fifth of
        the time of `ping`. Where no option is a secret, there is nothing to replace.
        """
        if self.no_log_values:
            super().exit_json(**_escaped(result))
        # What Ansible adds, in the format of its release, such as warnings.
        added = io.StringIO()
        try:
            with contextlib.redirect_stdout(added):
                super().exit_json()
        except SystemExit:
            answer = {**json.loads(added.getvalue()), **result}
            text = json.dumps(answer)
            if _SURROGATE in text:
                text = json.dumps(_escaped(answer))
            sys.stdout.write(f"\n{text}\n")
            _zip_importer.end_early()
            raise


def host_options() -> dict[str, t.Any]:
    """The options of the documentation fragment "_host"."""
    return {
        "engines": {"type": "list", "elements": "str", "choices": list(registry.NAMES)},
        "sources": {"type": "list", "elements": "str", "default": []},
        "netns_dir": {"type": "path", "default": "/run/netns"},
        "timeout": {"type": "float", "default": 5},
    }


def selectors() -> dict[str, t.Any]:
    """The options of netns_link and netns_exec that select containers, or one namespace."""
    return {
        "containers": {"type": "list", "elements": "str", "aliases": ["container"]},
        "all": {"type": "bool", "default": False},
        "labels": {"type": "dict", "default": {}},
        "pid": {"type": "int"},
        "path": {"type": "path"},
    }


def _escaped(value: t.Any) -> t.Any:
    """The value with bytes that are not valid text escaped: ansible-core refuses a result with such bytes."""
    if isinstance(value, dict):
        return {name: _escaped(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_escaped(inner) for inner in value]
    if isinstance(value, str) and not value.isascii():
        return value.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return value


def resolved(path: str) -> str:
    """A directory without symbolic links, so that one directory has one name."""
    return path if not path or "\0" in path else os.path.realpath(path)


def items(value: list[str] | None) -> tuple[str, ...] | None:
    """The items of a list without space around them, None where it was not given."""
    return None if value is None else tuple(item.strip() for item in value)


def label(value: t.Any) -> str:
    """The text of a value that YAML may have made a number or a bool of."""
    # An unquoted `true` in YAML is the label value "true" that `docker run --label x=true` sets.
    return str(value).lower() if isinstance(value, bool) else str(value)
