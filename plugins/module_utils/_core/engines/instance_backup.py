# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The settings in backup.yaml of an instance of Incus or LXD, without a parser of YAML.

The daemon writes the file by go-yaml, always in the same form: below "container" or "instance" there is
"expanded_config", a mapping of strings with a line each. What has another form is not guessed at.
"""

from __future__ import annotations

import re
import typing as t

from .. import model, untrusted
from . import state_files

_NAME = "backup.yaml"
_MAX_FILE = 1 << 22
_TOP = re.compile(r"(?:container|instance):")
_SECTION = re.compile(r"( +)expanded_config:( \{\})?")
_SETTING = re.compile(r"""( +)([^\s'":#][^\s'":]*):(?: (.*))?""")
# What a plain scalar does not start with (YAML 1.2, 7.3.3).
_INDICATORS = tuple("-?:,[]{}#&*!|>'\"%@`")


def read(directory: str) -> dict[str, str]:
    """The settings in the file in an instance's directory, those of its profiles included. Raises EngineError."""
    # The directory is a symbolic link to the one in the storage pool.
    with state_files.open_directory(directory, directory) as fd:
        content = None if fd is None else state_files.read_file(fd, _NAME, directory, _MAX_FILE)
    if content is None:
        raise model.EngineError(f"there is no {directory}/{_NAME}")
    try:
        return parse(content[0].decode())
    except ValueError as error:
        raise model.EngineError(f"{directory}/{_NAME}: {error}") from None


def parse(text: str) -> dict[str, str]:
    """The settings in the text of the file. Raises ValueError."""
    settings: dict[str, str] = {}
    indentation = ""
    for line in _section(text.split("\n")):
        match = _SETTING.fullmatch(line)
        if match is None:
            raise ValueError(
                f"a setting is in a form that is not understood: {line.strip()[:60]!r}"
            )
        spaces, key, value = match.groups()
        indentation = indentation or spaces
        if spaces != indentation:
            raise ValueError(f"a setting has several lines: {line.strip()[:60]!r}")
        settings[key] = _scalar(value or "")
    return settings


def _section(lines: t.Sequence[str]) -> t.Iterator[str]:
    """The lines of the section. Raises ValueError where there is none."""
    is_instance = False
    section = ""
    for line in lines:
        if section:
            if not line.startswith(f"{section} "):
                return
            yield line
        elif not line.startswith((" ", "-")):
            is_instance = bool(_TOP.fullmatch(line))
        elif is_instance:
            match = _SECTION.fullmatch(line)
            if match:
                section = match.group(1)
                if match.group(2):
                    return
    if not section:
        raise ValueError("it has no settings of an instance")


def _scalar(text: str) -> str:
    if text.startswith('"'):
        # Escapes that JSON does not have are not understood.
        value = untrusted.parse_json(text)
        if not isinstance(value, str):
            raise ValueError(f"not a string: {text[:60]!r}")
        value.encode()
        return value
    if len(text) > 1 and text.startswith("'") and text.endswith("'"):
        inner = text[1:-1]
        if "'" in inner.replace("''", ""):
            raise ValueError(f"not a string: {text[:60]!r}")
        return inner.replace("''", "'")
    if not text or text.startswith(_INDICATORS) or ": " in text or " #" in text:
        raise ValueError(f"not a string: {text[:60]!r}")
    return text
