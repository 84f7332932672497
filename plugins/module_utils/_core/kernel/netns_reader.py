# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What only shows from inside a namespace, fetched by one forked child that enters each in turn.

setns(2) moves the caller, so the process that asks stays where it is. The child hands the kernel's
answers back as they came, and they are parsed while it is fetching the next ones.
"""

from __future__ import annotations

import errno
import os
import typing as t

from .. import model
from . import forked, libc, netlink

_BATCH = 1 << 15
# Longer than any of the kernel's answers takes; a path that leads to a dead file server hangs.
_SILENCE_SECONDS = 30.0
# Half a second of asking, where hundreds of namespaces could be any of each other's neighbours.
_MAX_ASKED = 1 << 16
_NETNS = "the process that reads namespaces"


class NetnsRef(t.NamedTuple):
    """A namespace, and the paths at which it can be opened, the best first.

    What stands at `doubtful` ones is up to the processes in it.
    """

    netns: model.NetnsId
    paths: tuple[str, ...]
    untrusted_paths: tuple[str, ...] = ()


class View(t.NamedTuple):
    """What was seen of a namespace.

    `nsid` is its id as the host sees it, or None. `links`, `addresses` and `routes` are None where
    they were not asked for or could not be read; `problem` says why, or what is wrong with them.
    """

    nsid: int | None = None
    interfaces: tuple[netlink.Interface, ...] | None = None
    addresses: tuple[netlink.Address, ...] | None = None
    problem: str | None = None
    routes: tuple[netlink.Route, ...] | None = None


class NsidQuery(t.NamedTuple):
    """Which of these namespaces has one of these ids, as `viewer` sees them?"""

    viewer: NetnsRef
    nsids: frozenset[int]
    candidates: tuple[NetnsRef, ...]


def collect_views(
    targets: t.Sequence[NetnsRef],
    own: model.NetnsId,
    host: NetnsRef,
    interfaces: bool,
    routes: bool = False,
) -> dict[model.NetnsId, View]:
    """A view of each target, in one fork. `own` is the caller's namespace.

    With `interfaces` there are links and addresses, with `routes` links and routes. Never raises for
    a namespace, nor for a child that dies: the views say it.
    """
    views: dict[model.NetnsId, View] = {}
    lost = None
    try:
        for number, *seen in forked.results(
            lambda: _ViewCollector(own, host, interfaces, routes).run(targets),
            _SILENCE_SECONDS,
            _BATCH,
        ):
            views[targets[number].netns] = _view(*seen)
    except forked.LostError as error:
        lost = f"{_NETNS} {error}"
    for target in targets:
        if target.netns not in views:
            views[target.netns] = View(problem=lost)
    return views


def _view(
    nsid: int | None,
    interfaces: bytes | None,
    addresses: bytes | None,
    routes: bytes | None,
    problem: str | None,
) -> View:
    try:
        return View(
            nsid,
            None if interfaces is None else tuple(netlink.parse_interfaces(interfaces)),
            None if addresses is None else tuple(netlink.parse_addresses(addresses)),
            problem,
            None if routes is None else tuple(netlink.parse_routes(routes)),
        )
    except OSError as error:
        return View(nsid, problem=error.strerror)


def identify(
    queries: t.Sequence[NsidQuery], own: model.NetnsId
) -> tuple[dict[model.NetnsId, dict[int, model.NetnsId]], str | None]:
    """The namespaces that have the ids that are asked about, by viewer and id, in one fork.

    What cannot be found is left out; beside them, why not all were asked, or None.
    """
    found: dict[model.NetnsId, dict[int, model.NetnsId]] = {}
    problem = None
    try:
        for answer in forked.results(
            lambda: _NamespaceWorker(own).identify(queries), _SILENCE_SECONDS, _BATCH
        ):
            if answer is None:
                problem = f"it would take more than {_MAX_ASKED} questions to the kernel"
            else:
                number, nsid, place = answer
                query = queries[number]
                found.setdefault(query.viewer.netns, {})[nsid] = query.candidates[place].netns
    except forked.LostError as error:
        problem = f"{_NETNS} {error}"
    return found, problem


def interfaces_of(
    wanted: t.Sequence[tuple[NetnsRef, t.Collection[int]]], own: model.NetnsId
) -> tuple[dict[model.NetnsId, tuple[netlink.Interface, ...]], str | None]:
    """The interfaces of these numbers in each namespace and their masters, in one fork.

    What cannot be read is left out; beside them, why not all were asked for, or None.
    """
    found: dict[model.NetnsId, tuple[netlink.Interface, ...]] = {}
    problem = None
    try:
        for number, data in forked.results(
            lambda: _NamespaceWorker(own).interfaces_of(wanted), _SILENCE_SECONDS, _BATCH
        ):
            found[wanted[number][0].netns] = tuple(netlink.parse_interfaces(data))
    except forked.LostError as error:
        problem = f"{_NETNS} {error}"
    except OSError as error:
        problem = error.strerror
    return found, problem


class _NamespaceWorker:
    """The child: enters namespaces."""

    def __init__(self, own: model.NetnsId) -> None:
        self._own = self._place = own
        # No path may lead there for those who are not root.
        self._way_home = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)

    def _open(self, target: NetnsRef) -> int:
        return os.dup(self._way_home) if target.netns == self._own else _open(target)

    def _enter(self, netns: model.NetnsId, fd: int) -> None:
        if netns != self._place:
            libc.setns(fd, libc.CLONE_NEWNET)
            self._place = netns

    def _socket(self, target: NetnsRef) -> netlink.Socket:
        fd = self._open(target)
        try:
            self._enter(target.netns, fd)
        finally:
            os.close(fd)
        return netlink.Socket()

    def identify(self, queries: t.Sequence[NsidQuery]) -> t.Iterator[tuple[int, int, int] | None]:
        """The number of a quest, an id, and the number of the candidate that has it.

        None at the end where that was not all.
        """
        left = _MAX_ASKED
        for number, query in enumerate(queries):
            missing = set(query.nsids)
            try:
                asked = self._socket(query.viewer)
            except OSError:
                continue
            with asked:
                for place, candidate in enumerate(query.candidates):
                    if not left:
                        yield None
                        return
                    left -= 1
                    nsid = self._nsid(asked, candidate)
                    if nsid in missing:
                        missing.remove(nsid)
                        yield number, nsid, place
                    if not missing:
                        break

    def _nsid(self, asked: netlink.Socket, target: NetnsRef) -> int | None:
        try:
            fd = self._open(target)
            try:
                return asked.nsid(fd)
            finally:
                os.close(fd)
        except OSError:
            return None

    def interfaces_of(
        self, wanted: t.Sequence[tuple[NetnsRef, t.Collection[int]]]
    ) -> t.Iterator[tuple[int, bytes]]:
        """The number of a namespace, and messages about its interfaces."""
        for number, (target, numbers) in enumerate(wanted):
            try:
                asked = self._socket(target)
            except OSError:
                continue
            with asked:
                yield number, b"".join(self._with_masters(asked, numbers))

    @staticmethod
    def _with_masters(asked: netlink.Socket, numbers: t.Collection[int]) -> t.Iterator[bytes]:
        todo = set(numbers)
        done: set[int] = set()
        while todo:
            ifindex = todo.pop()
            done.add(ifindex)
            try:
                data = asked.link(ifindex)
            except OSError:  # it is gone
                continue
            todo.update(
                link.master
                for link in netlink.parse_interfaces(data)
                if link.master is not None and link.master not in done
            )
            yield data


_Seen = t.Tuple[
    t.Optional[int],
    t.Optional[bytes],
    t.Optional[bytes],
    t.Optional[bytes],
    t.Optional[str],
]


class _ViewCollector(_NamespaceWorker):
    def __init__(self, own: model.NetnsId, host: NetnsRef, interfaces: bool, routes: bool) -> None:
        super().__init__(own)
        self._interfaces = interfaces
        self._routes = routes
        try:
            self._asker: netlink.Socket | None = self._socket(host)
        except OSError:
            self._asker = None

    def run(self, targets: t.Sequence[NetnsRef]) -> t.Iterator[t.Any]:
        """The number of each target, and what goes into its view."""
        for number, target in enumerate(targets):
            yield (number, *self._see(target))

    def _see(self, target: NetnsRef) -> _Seen:
        nsid = interfaces = addresses = routes = problem = None
        complete = True
        try:
            fd = self._open(target)
            try:
                if self._asker is not None:
                    nsid = self._asker.nsid(fd)
                if not (self._interfaces or self._routes):
                    return nsid, None, None, None, None
                self._enter(target.netns, fd)
            finally:
                os.close(fd)
            with netlink.Socket() as asked:
                interfaces, complete = asked.dump(netlink.link_request)
                if self._interfaces:
                    addresses, whole = asked.dump(netlink.address_request)
                    complete = complete and whole
                if self._routes:
                    routes, whole = asked.routes()
                    complete = complete and whole
        except OSError as error:
            problem = error.strerror or str(error)
        else:
            if not complete:
                problem = "its interfaces changed each time that they were read"
        return nsid, interfaces, addresses, routes, problem


def _open(target: NetnsRef) -> int:
    """Open a namespace where it is still to be found. Raises OSError."""
    problem = OSError(errno.ENOENT, "no path leads to it")
    for way in target.paths:
        try:
            return _opened(way, target.netns)
        except OSError as error:
            problem = error
    for way in target.untrusted_paths:
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
