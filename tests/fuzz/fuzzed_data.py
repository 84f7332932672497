# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Decisions of a fuzzer: numbers, texts, and changes of captured documents, made from its bytes."""

from __future__ import annotations

import json
import os
import typing as t

import hostile_inputs


class FuzzedData:
    """Values and changes that the bytes of a fuzzer decide, as atheris.FuzzedDataProvider has them."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0

    def number(self, below: int) -> int:
        """A number from 0 to `below` - 1; 0 where no bytes are left."""
        size = max(1, (below.bit_length() + 7) // 8)
        return int.from_bytes(self._take(size), "little") % below

    def _take(self, size: int) -> bytes:
        part = self._data[self._position : self._position + size]
        self._position += size
        return part

    def pick(self, items: t.Sequence[t.Any]) -> t.Any:
        """One of the items."""
        return items[self.number(len(items))]

    def part(self, max_bytes: int = 64) -> bytes:
        """Some bytes."""
        return self._take(self.number(max_bytes))

    def text(self, max_bytes: int = 64) -> str:
        """Some text, decoded as Python decodes paths, with surrogates for invalid bytes."""
        return os.fsdecode(self.part(max_bytes))

    def rest(self) -> bytes:
        """All bytes that are left."""
        return self._take(len(self._data))

    def mutate(self, document: t.Any) -> t.Any:
        """A copy of a document with hostile values or other keys in some places."""
        for _change in range(1 + self.number(4)):
            path = self.pick(list(hostile_inputs.key_paths(document)))
            if self.number(8) == 0 and path and isinstance(path[-1], str):
                document = self._with_other_key(document, path)
            else:
                value = self.text() if self.number(4) == 0 else self.pick(hostile_inputs.VALUES)
                document = hostile_inputs.with_value(document, path, value)
        return document

    def _with_other_key(self, document: t.Any, path: tuple[t.Any, ...]) -> t.Any:
        parent = document
        for key in path[:-1]:
            parent = parent[key]
        changed = {
            (self.text(16) if key == path[-1] else key): value for key, value in parent.items()
        }
        return hostile_inputs.with_value(document, path[:-1], changed)

    def to_json(self, document: t.Any) -> bytes:
        """A document as JSON, sometimes truncated and followed by other bytes."""
        data = json.dumps(document).encode()
        if self.number(8) == 0:
            data = data[: self.number(len(data) + 1)] + self.part(8)
        return data
