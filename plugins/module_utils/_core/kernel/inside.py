# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What only shows from inside a namespace, fetched by one forked child that enters each in turn.

setns(2) moves the caller, so the process that asks stays where it is. The child hands the kernel's
answers back as they came, through a pipe, and they are parsed while it is fetching the next ones.
"""

from __future__ import annotations

import errno
import marshal
import os
import select
import signal
import struct
import time
import typing as t

from .. import model
from . import libc, netlink

_SIZE = struct.Struct("=I")
_CHUNK = 1 << 16
# Longer than any of the kernel's answers takes; a path that leads to a dead file server hangs.
_SILENCE_SECONDS = 30.0


class Target(t.NamedTuple):
    """A namespace, and the paths at which it can be opened, the best first.

    What stands at `doubtful` ones is up to the processes in it.
    """

    netns: model.NetnsId
    ways: tuple[str, ...]
    doubtful: tuple[str, ...] = ()


class View(t.NamedTuple):
    """What was seen of a namespace.

    `nsid` is its id as the host sees it, or None. `links` and `addresses` are None where they were
    not asked for or could not be read; `problem` says why, or what is wrong with them.
    """

    nsid: int | None = None
    links: tuple[netlink.Link, ...] | None = None
    addresses: tuple[netlink.Address, ...] | None = None
    problem: str | None = None


def look(
    targets: t.Sequence[Target], own: model.NetnsId, host: Target, interfaces: bool
) -> dict[model.NetnsId, View]:
    """A view of each target, in one fork. `own` is the caller's namespace.

    Never raises for a namespace, nor for a child that dies: the views say it.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reader)
            _Child(writer, own, host, interfaces).run(targets)
        finally:
            # Neither an exception nor an exit handler of the parent's may get past this.
            os._exit(0)
    os.close(writer)
    try:
        views = {targets[number].netns: view for number, view in _views(reader)}
    finally:
        os.close(reader)
        end = _end(child)
    for target in targets:
        if target.netns not in views:
            views[target.netns] = View(problem=f"the process that reads namespaces {end}")
    return views


def _views(reader: int) -> t.Iterator[tuple[int, View]]:
    for record in _records(reader):
        number, nsid, links, addresses, problem = marshal.loads(record)
        yield (
            number,
            View(
                nsid,
                None if links is None else tuple(netlink.parse_links(links)),
                None if addresses is None else tuple(netlink.parse_addresses(addresses)),
                problem,
            ),
        )


def _records(reader: int) -> t.Iterator[bytes]:
    """The records of a pipe until its end; one that is cut short is left out."""
    poll = select.poll()
    poll.register(reader, select.POLLIN)
    buffer = b""
    while poll.poll(_SILENCE_SECONDS * 1000):
        part = os.read(reader, _CHUNK)
        if not part:
            return
        buffer += part
        offset = 0
        while len(buffer) - offset >= _SIZE.size:
            (size,) = _SIZE.unpack_from(buffer, offset)
            start = offset + _SIZE.size
            if len(buffer) - start < size:
                break
            yield buffer[start : start + size]
            offset = start + size
        buffer = buffer[offset:]


def _end(child: int) -> str:
    """Wait for the child, which has closed its pipe or hangs, and say how it ended."""
    deadline = time.monotonic() + 1
    while time.monotonic() < deadline:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            if os.WIFSIGNALED(status):
                return f"was killed by signal {os.WTERMSIG(status)}"
            return "ended before its time"
        time.sleep(0.0005)
    os.kill(child, signal.SIGKILL)
    # Not waited for: in a hanging system call it cannot even be killed.
    return f"did not answer for {_SILENCE_SECONDS:.0f} s"


class _Child:
    def __init__(self, writer: int, own: model.NetnsId, host: Target, interfaces: bool) -> None:
        self._writer = writer
        self._own = self._place = own
        # No path may lead there for those who are not root.
        self._way_home = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        self._interfaces = interfaces
        self._buffer = bytearray()
        self._asker = self._enter_host(host)

    def _enter_host(self, host: Target) -> netlink.Socket | None:
        try:
            if host.netns != self._place:
                self._enter(host.netns, self._open(host))
            return netlink.Socket()
        except OSError:
            return None

    def _open(self, target: Target) -> int:
        return os.dup(self._way_home) if target.netns == self._own else _open(target)

    def _enter(self, netns: model.NetnsId, fd: int) -> None:
        if netns != self._place:
            libc.setns(fd, libc.CLONE_NEWNET)
            self._place = netns

    def run(self, targets: t.Sequence[Target]) -> None:
        for number, target in enumerate(targets):
            record = marshal.dumps((number, *self._see(target)))
            self._buffer += _SIZE.pack(len(record)) + record
            if len(self._buffer) >= _CHUNK // 2:
                self._flush()
        self._flush()

    def _flush(self) -> None:
        while self._buffer:
            del self._buffer[: os.write(self._writer, self._buffer)]

    def _see(self, target: Target) -> tuple[int | None, bytes | None, bytes | None, str | None]:
        nsid = None
        try:
            fd = self._open(target)
            try:
                if self._asker is not None:
                    nsid = self._asker.nsid(fd)
                if not self._interfaces:
                    return nsid, None, None, None
                self._enter(target.netns, fd)
            finally:
                os.close(fd)
            with netlink.Socket() as asked:
                links = asked.dump(netlink.link_request)
                addresses = asked.dump(netlink.address_request)
        except OSError as error:
            return nsid, None, None, error.strerror or str(error)
        problem = None
        if not (links.complete and addresses.complete):
            problem = "its interfaces changed each time that they were read"
        return nsid, links.data, addresses.data, problem


def _open(target: Target) -> int:
    """Open a namespace where it is still to be found. Raises OSError."""
    problem = OSError(errno.ENOENT, "no path leads to it")
    for way in target.ways:
        try:
            return _opened(way, target.netns)
        except OSError as error:
            problem = error
    for way in target.doubtful:
        try:
            # Looked at before it is opened: a device that is put there must not be touched.
            probe = os.open(way, os.O_PATH | os.O_CLOEXEC)
            try:
                _check(probe, target.netns)
                return _opened(f"/proc/self/fd/{probe}", target.netns)
            finally:
                os.close(probe)
        except OSError as error:
            problem = error
    raise problem


def _opened(path: str, netns: model.NetnsId) -> int:
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        _check(fd, netns)
    except OSError:
        os.close(fd)
        raise
    return fd


def _check(fd: int, netns: model.NetnsId) -> None:
    status = os.fstat(fd)
    if (status.st_dev, status.st_ino) != netns:
        raise OSError(errno.ENOENT, "what leads to it is another one by now")
