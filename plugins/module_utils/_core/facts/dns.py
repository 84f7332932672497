# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whom containers ask for names: their own /etc/resolv.conf (resolv.conf(5)).

Their file systems are theirs to make, and can be served by a program of theirs that never answers.
So a forked child reads them; one that hangs costs its own container a moment, and no other.
"""

from __future__ import annotations

import functools
import os
import socket
import time
import typing as t

from .. import model
from ..kernel import fork, in_root, procfs

_PATH = "etc/resolv.conf"
_MAX_READ = 1 << 16
_SILENCE_SECONDS = 1.0
_SECONDS = 5.0


class ResolvConfSource(t.NamedTuple):
    """A process whose /etc/resolv.conf is meant, as long as it is in this namespace."""

    pid: int
    netns: model.NetnsId


class Dns(t.NamedTuple):
    """What a resolv.conf says."""

    nameservers: tuple[str, ...]
    search: tuple[str, ...]
    options: tuple[str, ...]


class Answer(t.NamedTuple):
    """`dns` is None where there is no such file, or for the reason in `problem`."""

    dns: Dns | None = None
    problem: str | None = None


def parse(text: str) -> Dns:
    """What a resolver takes from a resolv.conf: the last search list, and all of the rest."""
    nameservers: list[str] = []
    search: list[str] = []
    options: list[str] = []
    for line in text.split("\n"):
        keyword, *values = line.split() or [""]
        # To resolvers a line that is indented says nothing.
        if not values or not line.startswith(keyword):
            continue
        if keyword == "nameserver":
            nameservers += filter(_is_address, values[:1])
        elif keyword == "search":
            search = values
        elif keyword == "domain":
            search = values[:1]
        elif keyword == "options":
            options += values
    return Dns(tuple(nameservers), tuple(search), tuple(options))


def _is_address(text: str) -> bool:
    for family, address in ((socket.AF_INET, text), (socket.AF_INET6, text.partition("%")[0])):
        try:
            socket.inet_pton(family, address)
        except (OSError, ValueError):
            continue
        return True
    return False


def read(places: t.Sequence[ResolvConfSource]) -> list[Answer]:
    """The answer of each place. Never raises for one, and ends in a bounded time."""
    answers: list[Answer] = []
    deadline = time.monotonic() + _SECONDS
    while len(answers) < len(places) and time.monotonic() < deadline:
        work = functools.partial(map, _ask, places[len(answers) :])
        try:
            for data, problem in fork.results(work, _SILENCE_SECONDS):
                dns = None if data is None else parse(_text(data))
                answers.append(Answer(dns, problem))
                if time.monotonic() >= deadline:
                    break
        except fork.ChildError as error:
            answers.append(Answer(None, f"what reads its /{_PATH} {error}"))
    slow = Answer(None, f"its /{_PATH} was not read: those of others took {_SECONDS:.0f} s")
    return answers + [slow] * (len(places) - len(answers))


def _text(data: bytes) -> str:
    if len(data) >= _MAX_READ:
        # The last line may have been cut.
        data = data.rpartition(b"\n")[0]
    return data.decode("utf-8", "backslashreplace")


def _ask(place: ResolvConfSource) -> tuple[bytes | None, str | None]:
    """In the child: what the file holds, or why it could not be read."""
    try:
        process = procfs.open_process(place.pid)
        try:
            if procfs.netns(process) != place.netns:
                return None, None
            root = os.open("root", os.O_PATH | os.O_CLOEXEC, dir_fd=process)
        finally:
            os.close(process)
        try:
            return in_root.read(root, _PATH, _MAX_READ), None
        finally:
            os.close(root)
    except (model.GoneError, FileNotFoundError, ProcessLookupError):
        return None, None
    except OSError as error:
        return None, error.strerror or str(error)
