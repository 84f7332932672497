# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bounded reading of files and JSON that anybody may have written, of any kind, depth and length."""

from __future__ import annotations

import json
import os
import stat
import typing as t

from . import model
from .kernel import nsfs

# Enough for 64 bits. Pythons without a limit of their own take hours for a long number.
_MAX_DIGITS = 20
# The number of values is bounded in a long text: each takes up to a hundred bytes of memory.
_LONG_TEXT = 1 << 20
_MAX_VALUES = 1 << 21


class UnusableFileError(model.NetnsError):
    """A file that cannot be used: "is a FIFO, not a file", "is longer than 64 bytes"."""


def read_file(
    name: str, max_bytes: int, dir_fd: int | None = None, follow: bool = False
) -> tuple[bytes, os.stat_result]:
    """Read a regular file without blocking. Returns its content and its status.

    A symbolic link as the last part of the path is followed only with `follow`. Raises UnusableFileError
    or OSError.
    """
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | (0 if follow else os.O_NOFOLLOW)
    file = os.open(name, flags, dir_fd=dir_fd)
    try:
        status = os.fstat(file)
        if not stat.S_ISREG(status.st_mode):
            raise UnusableFileError(f"is {nsfs.describe(status)}, not a file")
        data = b""
        while len(data) <= max_bytes:
            part = os.read(file, max_bytes + 1 - len(data))
            if not part:
                return data, status
            data += part
    finally:
        os.close(file)
    raise UnusableFileError(f"is longer than {max_bytes} bytes")


def parse_json(text: str | bytes) -> t.Any:
    """Decode JSON. Raises ValueError for what is not valid, is nested too deeply, or has too many values."""
    # Bytes are decoded here: json.loads would guess at UTF-16, and let halves of it pass.
    text = text.decode() if isinstance(text, bytes) else text
    if len(text) > _LONG_TEXT and sum(map(text.count, ",[{")) > _MAX_VALUES:
        raise ValueError(f"more than {_MAX_VALUES} values")
    try:
        return _decode(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def is_number(value: t.Any) -> bool:
    """Whether a value of JSON is a whole number; to Python, true and false are numbers too."""
    return isinstance(value, int) and not isinstance(value, bool)


def _integer(text: str) -> int:
    if len(text) > _MAX_DIGITS:
        raise ValueError(f"a number of {len(text)} digits")
    return int(text)


_decode = json.JSONDecoder(parse_int=_integer).decode
