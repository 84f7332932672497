# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Interfaces, addresses, routes, sockets and nsids, read inside network namespaces.

setns(2) moves its caller, so one forked child enters the namespaces in turn. The child returns the
kernel's replies unparsed, and the parent parses them while the child fetches the next ones.
"""

from __future__ import annotations

import errno
import functools
import itertools
import os
import typing as t

from .. import model
from ..named_tuple import NamedTuple
from . import fork, libc, netlink, nsfs, rtnetlink, sockets

if t.TYPE_CHECKING:
    # A run loads it only where it needs it.
    from . import inet_sockets

_BATCH_SIZE = 1 << 15
# The kernel answers faster than this; a path that leads to a dead file server hangs.
_IDLE_TIMEOUT = 30.0
# These requests take about half a second. With hundreds of namespaces, each of which may have peers in each
# other, there could be more.
_MAX_NSID_REQUESTS = 1 << 16
_CHILD = "the process that reads namespaces"
_Item = t.TypeVar("_Item")


class View(NamedTuple):
    """What the kernel reports about a namespace.

    `nsid` is its id as the host numbers it, or None. `interfaces`, `addresses`, `routes` and `sockets` are
    None where they were not requested or could not be read. `problem` is the reason, or why they may be
    incomplete; `socket_problem` is that of the sockets alone.
    """

    nsid: int | None = None
    interfaces: tuple[rtnetlink.Interface, ...] | None = None
    addresses: tuple[rtnetlink.Address, ...] | None = None
    problem: str | None = None
    routes: tuple[rtnetlink.Route, ...] | None = None
    sockets: inet_sockets.Sockets | None = None
    socket_problem: str | None = None


class NsidQuery(NamedTuple):
    """Which of the candidates have one of these nsids in the namespace `viewer`?"""

    viewer: nsfs.NetnsRef
    nsids: frozenset[int]
    candidates: tuple[nsfs.NetnsRef, ...]


class Views:
    """A view of each namespace, collected in one fork, which starts at once. `own` is the caller's namespace.

    With `interfaces` the views have interfaces and addresses, with `routes` interfaces and routes, with
    `sockets` interfaces and sockets. With `keep_open` each namespace stays open until release() or wait(): no other one
    gets its inode number meanwhile. `pid` is the process that collects them, None if it could not be started.
    Never raises for a namespace or for a child that dies: the views contain the problem.
    """

    def __init__(
        self,
        refs: t.Sequence[nsfs.NetnsRef],
        own: model.NetnsId,
        host: nsfs.NetnsRef,
        interfaces: bool,
        routes: bool = False,
        sockets: bool = False,
        keep_open: bool = False,
    ) -> None:
        self.refs = refs
        self._child: fork.Child | None = None
        self._replies: t.Iterator[t.Any] = iter(())
        self._views: dict[model.NetnsId, View] = {}
        self._problem: str | None = None
        if not refs:
            return
        collector: inet_sockets.Collector | None = None
        if sockets:
            # Not in the child alone: this process parses what it collects.
            from . import inet_sockets  # noqa: PLC0415 - only where sockets are requested

            collector = inet_sockets.Collector()
        try:
            self._child = fork.start(
                lambda: _ViewCollector(own, host, interfaces, routes, collector, keep_open).run(
                    refs
                ),
                _BATCH_SIZE,
                stays=keep_open,
            )
        except fork.ChildError as error:
            self._problem = f"{_CHILD} {error}"
        else:
            self._replies = self._child.results(_IDLE_TIMEOUT)

    @property
    def pid(self) -> int | None:
        """The process that collects the views."""
        return self._child.pid if self._child else None

    def receive(self) -> None:
        """Receive the views, so that wait() has nothing to wait for."""
        self._receive(len(self.refs))

    def release(self) -> None:
        """Let go of the namespaces, after receive()."""
        if self._child:
            self._child.end()

    def wait(self) -> dict[model.NetnsId, View]:
        """All views. To be called once."""
        self._receive(None)
        for ref in self.refs:
            if ref.netns not in self._views:
                self._views[ref.netns] = View(problem=self._problem)
        return self._views

    def _receive(self, count: int | None) -> None:
        """Receive as many of the replies that are left, or all and their end."""
        try:
            for number, *reply in itertools.islice(self._replies, count):
                self._views[self.refs[number].netns] = _parse_view(*reply)
        except fork.ChildError as error:
            self._problem = f"{_CHILD} {error}"


def _parse_view(
    nsid: bytes | None,
    interfaces: bytes | None,
    addresses: bytes | None,
    routes: bytes | None,
    nexthops: bytes | None,
    socket_replies: t.Sequence[inet_sockets.Reply] | None,
    problem: str | None,
) -> View:
    problems = [] if problem is None else [problem]
    sockets: inet_sockets.Sockets | None = None
    socket_problems: t.Sequence[str] = ()
    if socket_replies is not None:
        from . import inet_sockets  # noqa: PLC0415 - only where sockets were requested

        sockets, socket_problems = inet_sockets.parse(socket_replies)
    ids = _parse(_parse_nsid, nsid, problems)
    return View(
        ids[0] if ids else None,
        _parse(rtnetlink.parse_interfaces, interfaces, problems),
        _parse(rtnetlink.parse_addresses, addresses, problems),
        routes=_parse(
            functools.partial(rtnetlink.parse_routes, nexthops=nexthops), routes, problems
        ),
        # After all that may add one.
        problem=_joined(problems),
        sockets=sockets,
        socket_problem=_joined(socket_problems),
    )


def _parse_nsid(data: bytes, _problems: list[str]) -> list[int | None]:
    """The nsid, as a list of one for _parse()."""
    return [rtnetlink.parse_nsid(data)]


def _joined(problems: t.Iterable[str]) -> str | None:
    return "; ".join(dict.fromkeys(problems)) or None


def _parse(
    parse: t.Callable[[bytes, list[str]], list[_Item]], data: bytes | None, problems: list[str]
) -> tuple[_Item, ...] | None:
    """What a reply contains, None without one; why some of it is missing is added to the problems."""
    if data is None:
        return None
    try:
        return tuple(parse(data, problems))
    except OSError as error:
        problems.append(error.strerror or str(error))
        return None


def resolve_nsids(
    queries: t.Sequence[NsidQuery], own: model.NetnsId
) -> tuple[dict[model.NetnsId, dict[int, model.NetnsId]], str | None]:
    """The namespaces that have the ids in the queries, by viewer and id, in one fork.

    Ids that no candidate has are left out. The second value is why the search is incomplete, or None.
    """
    netns_by_nsid: dict[model.NetnsId, dict[int, model.NetnsId]] = {}
    problem = None
    try:
        for answer in fork.results(
            lambda: _NamespaceWorker(own).resolve_nsids(queries), _IDLE_TIMEOUT, _BATCH_SIZE
        ):
            if answer is None:
                problem = f"more than {_MAX_NSID_REQUESTS} requests to the kernel would be needed"
            else:
                number, nsid, candidate = answer
                query = queries[number]
                netns = query.candidates[candidate].netns
                netns_by_nsid.setdefault(query.viewer.netns, {})[nsid] = netns
    except fork.ChildError as error:
        problem = f"{_CHILD} {error}"
    return netns_by_nsid, problem


def read_interfaces(
    wanted: t.Sequence[tuple[nsfs.NetnsRef, t.Collection[int]]], own: model.NetnsId
) -> tuple[dict[model.NetnsId, tuple[rtnetlink.Interface, ...]], str | None]:
    """The interfaces with these ifindexes in each namespace, and their masters, in one fork.

    What cannot be read is left out. The second value is why the rest is missing, or None.
    """
    interfaces: dict[model.NetnsId, tuple[rtnetlink.Interface, ...]] = {}
    problem = None
    try:
        for number, data in fork.results(
            lambda: _NamespaceWorker(own).read_interfaces(wanted), _IDLE_TIMEOUT, _BATCH_SIZE
        ):
            interfaces[wanted[number][0].netns] = tuple(rtnetlink.parse_interfaces(data))
    except fork.ChildError as error:
        problem = f"{_CHILD} {error}"
    except OSError as error:
        problem = error.strerror
    return interfaces, problem


def socket_in(ref: nsfs.NetnsRef, own: model.NetnsId) -> netlink.Socket:
    """A socket of the namespace, which the caller is then in. Only a forked child may call it. Raises OSError."""
    return _NamespaceWorker(own)._socket_in(ref)


class _NamespaceWorker:
    """The child, which enters namespaces."""

    def __init__(self, own: model.NetnsId) -> None:
        self._own = self._current = own
        # Without root there may be no path that leads back.
        self._own_fd = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)

    def _open(self, ref: nsfs.NetnsRef) -> int:
        return os.dup(self._own_fd) if ref.netns == self._own else _open(ref)

    def _enter(self, netns: model.NetnsId, fd: int) -> None:
        if netns != self._current:
            libc.setns(fd, libc.CLONE_NEWNET)
            self._current = netns

    def _socket_in(self, ref: nsfs.NetnsRef) -> netlink.Socket:
        fd = self._open(ref)
        try:
            self._enter(ref.netns, fd)
        finally:
            os.close(fd)
        return netlink.Socket()

    def resolve_nsids(
        self, queries: t.Sequence[NsidQuery]
    ) -> t.Iterator[tuple[int, int, int] | None]:
        """The number of a query, an id, and the number of the candidate that has it.

        The last item is None where the search stopped at the limit.
        """
        requests_left = _MAX_NSID_REQUESTS
        for number, query in enumerate(queries):
            missing = set(query.nsids)
            try:
                rtnl = self._socket_in(query.viewer)
            except OSError:
                continue
            with rtnl:
                for position, candidate in enumerate(query.candidates):
                    if not requests_left:
                        yield None
                        return
                    requests_left -= 1
                    nsid = self._nsid(rtnl, candidate)
                    if nsid in missing:
                        missing.remove(nsid)
                        yield number, nsid, position
                    if not missing:
                        break

    def _nsid(self, rtnl: netlink.Socket, ref: nsfs.NetnsRef) -> int | None:
        try:
            fd = self._open(ref)
            try:
                return rtnetlink.parse_nsid(rtnetlink.get_nsid(rtnl, fd))
            finally:
                os.close(fd)
        except OSError:
            return None

    def read_interfaces(
        self, wanted: t.Sequence[tuple[nsfs.NetnsRef, t.Collection[int]]]
    ) -> t.Iterator[tuple[int, bytes]]:
        """The number of a namespace, and the messages about its interfaces."""
        for number, (ref, ifindexes) in enumerate(wanted):
            try:
                rtnl = self._socket_in(ref)
            except OSError:
                continue
            with rtnl:
                yield number, b"".join(self._with_masters(rtnl, ifindexes))

    @staticmethod
    def _with_masters(rtnl: netlink.Socket, ifindexes: t.Collection[int]) -> t.Iterator[bytes]:
        remaining = set(ifindexes)
        done: set[int] = set()
        while remaining:
            ifindex = remaining.pop()
            done.add(ifindex)
            try:
                data = rtnetlink.get_interface(rtnl, ifindex)
            except OSError:  # it was removed
                continue
            remaining.update(
                interface.master
                for interface in rtnetlink.parse_interfaces(data)
                if interface.master is not None and interface.master not in done
            )
            yield data


_Replies = t.Tuple[
    t.Optional[bytes],
    t.Optional[bytes],
    t.Optional[bytes],
    t.Optional[bytes],
    t.Optional[bytes],
    t.Optional[t.Sequence["inet_sockets.Reply"]],
    t.Optional[str],
]


class _ViewCollector(_NamespaceWorker):
    def __init__(
        self,
        own: model.NetnsId,
        host: nsfs.NetnsRef,
        interfaces: bool,
        routes: bool,
        sockets: inet_sockets.Collector | None,
        keep_open: bool,
    ) -> None:
        super().__init__(own)
        self._keep_open = keep_open
        self._interfaces = interfaces
        self._routes = routes
        self._sockets = sockets
        try:
            self._host_rtnl: netlink.Socket | None = self._socket_in(host)
        except OSError:
            self._host_rtnl = None

    def run(self, refs: t.Sequence[nsfs.NetnsRef]) -> t.Iterator[t.Any]:
        """For each namespace: its number, and the kernel's replies for its view."""
        for number, ref in enumerate(refs):
            yield (number, *self._collect(ref))
        # While it waits for the parent, others would find it as a process of the last namespace.
        self._enter(self._own, self._own_fd)

    def _collect(self, ref: nsfs.NetnsRef) -> _Replies:
        nsid = interfaces = addresses = routes = nexthops = socket_replies = problem = None
        complete = True
        try:
            fd = self._open(ref)
            try:
                if self._host_rtnl is not None:
                    nsid = rtnetlink.get_nsid(self._host_rtnl, fd)
                if not (self._interfaces or self._routes or self._sockets):
                    return nsid, None, None, None, None, None, None
                self._enter(ref.netns, fd)
            finally:
                if not self._keep_open:
                    os.close(fd)
            if self._sockets:
                socket_replies = self._sockets.collect()
            with netlink.Socket() as rtnl:
                interfaces, complete = rtnetlink.dump_interfaces(rtnl)
                if self._interfaces:
                    addresses, addresses_complete = rtnetlink.dump_addresses(rtnl)
                    complete = complete and addresses_complete
                if self._routes:
                    routes, routes_complete = rtnetlink.dump_routes(rtnl)
                    complete = complete and routes_complete
                    if rtnetlink.has_nexthop_ids(routes):
                        nexthops, nexthops_complete = rtnetlink.dump_nexthops(rtnl)
                        complete = complete and nexthops_complete
        except OSError as error:
            problem = error.strerror or str(error)
        else:
            if not complete:
                problem = "its interfaces changed during every attempt to read them"
        return nsid, interfaces, addresses, routes, nexthops, socket_replies, problem


def _open(ref: nsfs.NetnsRef) -> int:
    """Open a namespace at the first path that still leads to it. Raises OSError."""
    problem: OSError | None = None
    for path in ref.paths:
        try:
            return _open_path(path, ref.netns)
        except OSError as error:
            problem = error
    for path in ref.untrusted_paths:
        try:
            # O_PATH first: opening a device that somebody put there could have effects.
            probe = os.open(path, os.O_PATH | os.O_CLOEXEC)
            try:
                _check_identity(probe, ref.netns)
                return _open_path(f"/proc/self/fd/{probe}", ref.netns)
            finally:
                os.close(probe)
        except OSError as error:
            problem = error
    for pid, number in ref.sockets:
        try:
            return _open_by_socket(pid, number, ref.netns)
        except OSError as error:
            problem = error
    raise problem or OSError(errno.ENOENT, "no path to the namespace is known")


def _open_by_socket(pid: int, number: int, netns: model.NetnsId) -> int:
    pidfd = libc.pidfd_open(pid)
    try:
        return _checked(sockets.open_netns(pidfd, number), netns)
    finally:
        os.close(pidfd)


def _open_path(path: str, netns: model.NetnsId) -> int:
    return _checked(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), netns)


def _checked(fd: int, netns: model.NetnsId) -> int:
    try:
        _check_identity(fd, netns)
    except OSError:
        os.close(fd)
        raise
    return fd


def _check_identity(fd: int, netns: model.NetnsId) -> None:
    status = os.fstat(fd)
    if (status.st_dev, status.st_ino) != netns:
        raise OSError(errno.ENOENT, "its path leads to something else now")
