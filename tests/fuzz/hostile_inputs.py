# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hostile inputs that the tests of all readers share: JSON values, documents with them, and files."""

from __future__ import annotations

import copy
import os
import pathlib
import typing as t

# Any type, size and character that a reader must not rely on.
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

# One of each kind, for each place in long documents.
SAMPLE: tuple[t.Any, ...] = (None, True, -1.5, 10**19, "x", "/\0", "/\ud800", [], {}, [[]])


def key_paths(value: t.Any, path: tuple[t.Any, ...] = ()) -> t.Iterator[tuple[t.Any, ...]]:
    """The keys that lead to each value in a document, those of the document itself first."""
    yield path
    items: t.Iterable[tuple[t.Any, t.Any]] = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    for key, inner in items:
        yield from key_paths(inner, (*path, key))


def with_value(document: t.Any, path: tuple[t.Any, ...], value: t.Any) -> t.Any:
    """A copy of a document with another value at a path of keys."""
    if not path:
        return value
    changed = copy.copy(document)
    changed[path[0]] = with_value(document[path[0]], path[1:], value)
    return changed


def with_value_anywhere(document: t.Any, value: t.Any) -> t.Iterator[t.Any]:
    """Copies of a document, each with this value in another place."""
    for path in key_paths(document):
        yield with_value(document, path, value)


def _fifo(path: pathlib.Path) -> None:
    os.mkfifo(path)


def _symlink(path: pathlib.Path) -> None:
    path.symlink_to("/proc/self/environ")


def _dangling(path: pathlib.Path) -> None:
    path.symlink_to("nowhere")


def _directory(path: pathlib.Path) -> None:
    path.mkdir()


def _huge(path: pathlib.Path) -> None:
    with path.open("wb") as stream:
        stream.truncate(1 << 40)


def _empty(path: pathlib.Path) -> None:
    path.touch()


def _cut(path: pathlib.Path) -> None:
    path.write_text('{"ID": "a1')


def _binary(path: pathlib.Path) -> None:
    path.write_bytes(b"\xff\xfe{")


def _deep(path: pathlib.Path) -> None:
    path.write_text("[" * 100_000)


def _long_number(path: pathlib.Path) -> None:
    path.write_text("9" * 1_000_000)


def _wrong_type(path: pathlib.Path) -> None:
    path.write_text("[]")


def _another_version(path: pathlib.Path) -> None:
    path.write_text('{"ociVersion": "9", "linux": {"namespaces": {"network": {}}}}')


class File(t.NamedTuple):
    """Something in the place of a file, and the error that it causes."""

    make: t.Callable[[pathlib.Path], None]
    error: str

    def put(self, path: pathlib.Path) -> None:
        """Put it at the path."""
        path.unlink(missing_ok=True) if path.is_symlink() or path.exists() else None
        self.make(path)


# Must be neither followed nor waited for.
UNUSABLE_FILES = (
    File(_fifo, "is a FIFO, not a file"),
    File(_symlink, "symbolic links"),
    File(_dangling, "symbolic links"),
    File(_directory, "is a directory, not a file"),
    File(_huge, "is longer than"),
)
INVALID_JSON_FILES = (
    File(_binary, "is not valid JSON"),
    File(_deep, "is not valid JSON"),
    File(_long_number, "is not valid JSON"),
)
FILES = (*UNUSABLE_FILES, *INVALID_JSON_FILES)
# With every reader, one odd file must not hide what the others contain. What is wrong with the content
# is said in the words of the reader.
ODD_FILES = (
    *UNUSABLE_FILES,
    *(File(file.make, "") for file in INVALID_JSON_FILES),
    File(_empty, ""),
    File(_cut, ""),
    File(_wrong_type, ""),
    File(_another_version, ""),
)


class Answer(t.NamedTuple):
    """A response in the place of the one about a container, and the error that it causes.

    `parts` are what is sent, and pauses in seconds. The connection is closed behind it where `closes`, and
    otherwise stays open. `is_slow` answers take as long as they are waited for.
    """

    parts: t.Callable[[], t.Iterable[bytes | float]]
    error: str
    closes: bool = False
    is_slow: bool = False


def http(body: bytes, status: str = "200 OK", size: int | None = None) -> bytes:
    """An HTTP response."""
    length = len(body) if size is None else size
    return b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s" % (status.encode(), length, body)


def _drip() -> t.Iterator[bytes | float]:
    for byte in http(b"{}" + b" " * 10_000):
        yield bytes((byte,))
        yield 0.02


_CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
# A daemon may give any of them about one container: it is named with the reason, and the others are right.
ODD_ANSWERS: dict[str, Answer] = {
    "400": Answer(lambda: [http(b'{"message": "bad"}', "400 Bad Request")], "status 400: .*bad"),
    "409": Answer(lambda: [http(b'{"message": "busy"}', "409 Conflict")], "status 409: .*busy"),
    "500": Answer(lambda: [http(b"\xff\0", "500 Internal Server Error")], "status 500"),
    "empty": Answer(lambda: [http(b"")], "not valid JSON"),
    "not JSON": Answer(lambda: [http(b"<html>")], "not valid JSON"),
    "too deep": Answer(lambda: [http(b"[" * 100_000)], "not valid JSON"),
    "a list": Answer(lambda: [http(b"[]")], "a value of type list"),
    "null": Answer(lambda: [http(b"null")], "about container ''"),
    "another container": Answer(
        lambda: [http(b'{"Id": "%s"}' % (b"f" * 64))], "about container 'f{64}'"
    ),
    "cut": Answer(lambda: [http(b'{"Id": "', size=99)], "closed in the middle", closes=True),
    "cut chunk": Answer(lambda: [_CHUNKED, b"9\r\n{}"], "closed in the middle", closes=True),
    "closed": Answer(list, "closed in the middle", closes=True),
    "not HTTP": Answer(lambda: [b"220 mail ESMTP\r\n\r\n"], "not a valid HTTP response"),
    "no length": Answer(lambda: [b"HTTP/1.1 200 OK\r\n\r\n{}"], "not a valid HTTP response"),
    "too large": Answer(lambda: [http(b"", size=10**12)], "more than"),
    "a byte at a time": Answer(_drip, "no answer on .* in", is_slow=True),
    "hangs": Answer(list, "no answer on .* in", is_slow=True),
}


def case_id(case: t.Any) -> str:
    """The ID of a test with this input."""
    return case.make.__name__.strip("_") if isinstance(case, File) else ascii(case)[:20]
