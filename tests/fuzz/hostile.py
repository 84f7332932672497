# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What stands where something else belongs: values in JSON, files, and whole documents made of them."""

from __future__ import annotations

import copy
import json
import os
import pathlib
import typing as t

# No type, no size and no character that a reader could count on.
VALUES: tuple[t.Any, ...] = (
    None,
    True,
    False,
    0,
    1,
    -1,
    7,
    1 << 31,
    1 << 63,
    10**19,
    -1.5,
    1e300,
    "",
    "x",
    "/",
    ".",
    "..",
    "../../etc/passwd",
    "a/b",
    "\0",
    "/\0",
    "/run/netns/x\0y",
    "a\nb",
    "a\x0cb\x85c\u2028d",
    "\x1b[2J\x9b2J",
    "\u202etxt",
    "\ud800",
    "/\ud800",
    "\U0001f40b",
    "ä" * 300,
    "{{ 7 * 7 }}",
    "{name}",
    "=1+1",
    "4711",
    "0x1f",
    "²",
    "NaN",
    "2026-13-45T99:99:99Z",
    [],
    [[]],
    ["\ud800"],
    {},
    {"": {}},
    {"\ud800": "\ud800"},
    [None, 7, "x", {}, []],
)

# One of each kind, for each place of long documents.
FEW: tuple[t.Any, ...] = (None, True, -1.5, 10**19, "x", "/\0", "/\ud800", [], {}, [[]])


def places(value: t.Any, path: tuple[t.Any, ...] = ()) -> t.Iterator[tuple[t.Any, ...]]:
    """The way to each value in a document, that of the document itself first."""
    yield path
    items: t.Iterable[tuple[t.Any, t.Any]] = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    for key, inner in items:
        yield from places(inner, (*path, key))


def replaced(value: t.Any, place: tuple[t.Any, ...], wrong: t.Any) -> t.Any:
    """The document with something else at a place."""
    if not place:
        return wrong
    broken = copy.copy(value)
    broken[place[0]] = replaced(value[place[0]], place[1:], wrong)
    return broken


def everywhere(document: t.Any, wrong: t.Any) -> t.Iterator[t.Any]:
    """The document with this at each of its places in turn."""
    for place in places(document):
        yield replaced(document, place, wrong)


def _fifo(path: pathlib.Path) -> None:
    os.mkfifo(path)


def _link(path: pathlib.Path) -> None:
    path.symlink_to("/proc/self/environ")


def _dangling(path: pathlib.Path) -> None:
    path.symlink_to("nowhere")


def _folder(path: pathlib.Path) -> None:
    path.mkdir()


def _huge(path: pathlib.Path) -> None:
    with path.open("wb") as stream:
        stream.truncate(1 << 40)


def _binary(path: pathlib.Path) -> None:
    path.write_bytes(b"\xff\xfe{")


def _deep(path: pathlib.Path) -> None:
    path.write_text("[" * 100_000)


def _long_number(path: pathlib.Path) -> None:
    path.write_text("9" * 1_000_000)


class File(t.NamedTuple):
    """Something that stands where a file belongs, and what is said of it."""

    make: t.Callable[[pathlib.Path], None]
    words: str

    def put(self, path: pathlib.Path) -> None:
        """Have it at the path."""
        path.unlink(missing_ok=True) if path.is_symlink() or path.exists() else None
        self.make(path)


# What is no file is neither followed nor waited for.
NO_FILES = (
    File(_fifo, "is a FIFO, not a file"),
    File(_link, "symbolic links"),
    File(_dangling, "symbolic links"),
    File(_folder, "is a directory, not a file"),
    File(_huge, "is longer than"),
)
NO_JSON = (
    File(_binary, "is no JSON"),
    File(_deep, "is no JSON"),
    File(_long_number, "is no JSON"),
)
FILES = (*NO_FILES, *NO_JSON)


def shown(case: t.Any) -> str:
    """What a test with this case is called."""
    return case.make.__name__.strip("_") if isinstance(case, File) else ascii(case)[:20]


class Choices:
    """Decisions by bytes: so that whoever changes the bytes decides."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._place = 0

    def number(self, below: int) -> int:
        """A number from 0 on; 0 where there are no bytes left."""
        size = max(1, (below.bit_length() + 7) // 8)
        part = self._data[self._place : self._place + size]
        self._place += size
        return int.from_bytes(part, "little") % below

    def pick(self, items: t.Sequence[t.Any]) -> t.Any:
        """One of them."""
        return items[self.number(len(items))]

    def part(self, max_bytes: int = 64) -> bytes:
        """Some bytes."""
        size = self.number(max_bytes)
        part = self._data[self._place : self._place + size]
        self._place += size
        return part

    def text(self, max_bytes: int = 64) -> str:
        """Some text, as the kernel and Python give what need not be any."""
        return os.fsdecode(self.part(max_bytes))

    def rest(self) -> bytes:
        """All bytes that are left."""
        part = self._data[self._place :]
        self._place = len(self._data)
        return part

    def spoil(self, document: t.Any) -> t.Any:
        """The document with other values at some of its places."""
        for _change in range(1 + self.number(4)):
            place = self.pick(list(places(document)))
            if self.number(8) == 0 and place and isinstance(place[-1], str):
                document = self._renamed(document, place)
            else:
                wrong = self.text() if self.number(4) == 0 else self.pick(VALUES)
                document = replaced(document, place, wrong)
        return document

    def _renamed(self, document: t.Any, place: tuple[t.Any, ...]) -> t.Any:
        inner = document
        for key in place[:-1]:
            inner = inner[key]
        changed = {
            (self.text(16) if key == place[-1] else key): value for key, value in inner.items()
        }
        return replaced(document, place[:-1], changed)

    def dumped(self, document: t.Any) -> bytes:
        """As JSON, seldom in one piece."""
        data = json.dumps(document).encode()
        if self.number(8) == 0:
            data = data[: self.number(len(data) + 1)] + self.part(8)
        return data
