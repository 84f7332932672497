# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What one run leaves for the next, in files beside the ledger that runs can do without."""

from __future__ import annotations

import contextlib
import json
import os
import typing as t

from .. import untrusted

_MAX_SIZE = 1 << 24


class Memory:
    """A file with JSON."""

    def __init__(self, state_dir: str, name: str) -> None:
        self._path = os.path.join(state_dir, name)

    def load(self) -> t.Any:
        """What was saved; None where there is nothing, or nothing valid."""
        with contextlib.suppress(untrusted.UnusableFileError, OSError, ValueError):
            data, _status = untrusted.read_file(self._path, _MAX_SIZE)
            return untrusted.parse_json(data)
        return None

    def save(self, value: t.Any) -> None:
        """Replace what was saved, if that is possible."""
        new = f"{self._path}.new"
        with contextlib.suppress(OSError):
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
            with open(os.open(new, flags, 0o600), "w", encoding="utf-8") as stream:
                json.dump(value, stream)
            os.replace(new, self._path)
