# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The DNS resolver settings of containers, from their own /etc/resolv.conf (resolv.conf(5)).

A container controls its file system: a program of its own may serve it and never answer. So a forked
child reads the files. One that hangs delays the others by a second, and is reported.
"""

from __future__ import annotations

import contextlib
import functools
import os
import time
import typing as t

from . import model, resolv_conf
from .kernel import fork, in_root, procfs
from .named_tuple import NamedTuple

_PATH = "etc/resolv.conf"
_MAX_BYTES = 1 << 16
_IDLE_TIMEOUT = 1.0
_TOTAL_TIMEOUT = 5.0


class ResolvConfSource(NamedTuple):
    """A process whose /etc/resolv.conf is read, provided that it is still in this namespace."""

    pid: int
    netns: model.NetnsId


class Dns(NamedTuple):
    """The settings in a resolv.conf."""

    nameservers: tuple[str, ...]
    search: tuple[str, ...]
    options: tuple[str, ...]

    @property
    def lines(self) -> tuple[str, ...]:
        """The lines of a resolv.conf with these settings; none where there are no servers."""
        if not self.nameservers:
            return ()
        lists = (("search", self.search), ("options", self.options))
        return (
            *(f"nameserver {address}" for address in self.nameservers),
            *(" ".join((keyword, *values)) for keyword, values in lists if values),
        )


class Result(NamedTuple):
    """The settings of one container, None without such a file. `problem` is why it was not read."""

    dns: Dns | None = None
    problem: str | None = None


def parse(text: str) -> Dns:
    """The servers, the search list and the options of a resolv.conf."""
    parsed = resolv_conf.parse(text)
    return Dns(parsed.nameservers, parsed.search, parsed.options)


def read(sources: t.Sequence[ResolvConfSource]) -> list[Result]:
    """The result for each source, in a bounded time. Never raises for a source."""
    reader = Reader()
    reader.start(sources)
    results = reader.wait()
    return [results[source] for source in sources]


class Reader:
    """Reads each source once, in a child that starts at once."""

    def __init__(self) -> None:
        self._started: dict[tuple[ResolvConfSource, ...], fork.Child | None] = {}

    def start(self, sources: t.Iterable[ResolvConfSource]) -> None:
        """Start to read those that were not started before."""
        known = set().union(*self._started)
        new = tuple(source for source in dict.fromkeys(sources) if source not in known)
        if new:
            self._started[new] = None
            # What cannot be started is tried again by wait().
            with contextlib.suppress(fork.ChildError):
                self._started[new] = _start(new)

    def wait(self) -> dict[ResolvConfSource, Result]:
        """The result of each source, in a bounded time. To be called once. Never raises for a source."""
        deadline = time.monotonic() + _TOTAL_TIMEOUT
        return {
            source: result
            for sources, child in self._started.items()
            for source, result in zip(sources, _results(sources, child, deadline))
        }


def _start(sources: t.Sequence[ResolvConfSource]) -> fork.Child:
    return fork.start(functools.partial(map, _read_in_child, sources))


def _results(
    sources: t.Sequence[ResolvConfSource], child: fork.Child | None, deadline: float
) -> list[Result]:
    results: list[Result] = []
    while len(results) < len(sources) and time.monotonic() < deadline:
        try:
            replies = (child or _start(sources[len(results) :])).results(_IDLE_TIMEOUT)
            child = None
            for data, problem in replies:
                dns = None if data is None else parse(_text(data))
                results.append(Result(dns, problem))
                if time.monotonic() >= deadline:
                    break
        except fork.ChildError as error:
            results.append(Result(None, f"the process that reads its /{_PATH} {error}"))
    late = Result(
        None, f"its /{_PATH} was not read: those of other containers took {_TOTAL_TIMEOUT:.0f} s"
    )
    return results + [late] * (len(sources) - len(results))


def _text(data: bytes) -> str:
    if len(data) >= _MAX_BYTES:
        # The last line may be cut short.
        data = data.rpartition(b"\n")[0]
    return data.decode("utf-8", "backslashreplace")


def _read_in_child(source: ResolvConfSource) -> tuple[bytes | None, str | None]:
    """The content of the file, or why it could not be read."""
    try:
        process = procfs.open_process(source.pid)
        try:
            if procfs.netns(process) != source.netns:
                return None, None
            thread = procfs.living_thread(process)
            root = os.open(f"{thread}root", os.O_PATH | os.O_CLOEXEC, dir_fd=process)
        finally:
            os.close(process)
        try:
            return in_root.read(root, _PATH, _MAX_BYTES), None
        finally:
            os.close(root)
    except (model.GoneError, FileNotFoundError, ProcessLookupError):
        return None, None
    except OSError as error:
        return None, error.strerror or str(error)
