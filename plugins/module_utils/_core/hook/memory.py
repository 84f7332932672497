# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the hook has logged, stored beside the ledger, so that a restart does not log it again."""

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
            with open(new, "w", encoding="utf-8") as stream:
                json.dump(value, stream)
            os.replace(new, self._path)
