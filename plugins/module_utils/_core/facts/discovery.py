# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Find every network namespace of the host in one pass over /proc and the mount tables.

Namespaces are found by process, thread, open descriptor, pin and socket, in every mount namespace that has
a process, is mounted or is open. The kernel writes the same text for a namespace in all of these places, such as
"net:[4026531840]". So hardly anything has to be opened, and no path of a container is followed.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import os
import re
import typing as t

from .. import model
from ..kernel import fork, libc, mount_namespaces, mounts, nsfs, procfs, sockets
from ..named_tuple import NamedTuple

_NETNS_PREFIX = "net:["
_SOCKET_PREFIX = "socket:["
_MOUNT_NAMESPACE_PREFIX = "mnt:["
# How many sockets of a process are looked at. Each takes five system calls.
_MAX_SOCKETS = 1000
# How many descriptors of sockets are kept beside the first of each socket.
_MAX_SHARED_SOCKETS = 1 << 17
_NETNS_TEXT = re.compile(r"net:\[[0-9]{1,20}\]")
# How many paths of each kind are tried to open a namespace.
_MAX_PATHS = 3


class References:
    """What refers to a namespace.

    `pids` are the processes with a thread in it. `pins` are paths in our own mount namespace.
    `proc_files` (threads and open descriptors) and `pins_elsewhere` (pins in other mount namespaces)
    are paths below /proc. `pins_without_process` are those in mount namespaces that no process is in, as
    "NAMESPACE:PATH", which nothing can be opened at. `sockets` are sockets of processes elsewhere, each
    a PID and the number of a descriptor, where nothing else refers to the namespace.
    """

    def __init__(self) -> None:
        self.pids: list[int] = []
        self.proc_files: list[str] = []
        self.pins: list[str] = []
        self.pins_elsewhere: list[str] = []
        self.pins_without_process: list[str] = []
        self.sockets: list[tuple[int, int]] = []

    @property
    def is_pinned(self) -> bool:
        """Whether it is mounted in any mount namespace."""
        return bool(self.pins or self.pins_elsewhere or self.pins_without_process)

    @property
    def holders(self) -> list[int]:
        """The processes that hold it open and have no thread in it."""
        holding = {int(path.split("/")[2]) for path in self.proc_files}
        holding.update(pid for pid, _fd in self.sockets)
        return sorted(holding.difference(self.pids))

    def netns_ref(self, netns: model.NetnsId) -> nsfs.NetnsRef:
        """The paths at which the namespace can be opened."""
        pins = self.pins[:_MAX_PATHS]
        return nsfs.NetnsRef(
            netns,
            (
                # The kernel finds these in half of the time.
                *filter(_is_local, pins),
                *(f"/proc/{pid}/ns/net" for pid in self.pids[:_MAX_PATHS]),
                *(pin for pin in pins if not _is_local(pin)),
            ),
            (*self.proc_files[:_MAX_PATHS], *self.pins_elsewhere[:_MAX_PATHS]),
            tuple(self.sockets[:_MAX_PATHS]),
        )


class SocketHolders:
    """The processes that have each socket open, as far as processes may be read.

    `truncated` is whether more sockets are shared than it keeps.
    """

    def __init__(self) -> None:
        # A process and descriptor for each socket. Few sockets are shared by processes.
        self.first: dict[str, tuple[int, int]] = {}
        self._others: dict[str, list[int]] = {}
        self._left = _MAX_SHARED_SOCKETS
        self.truncated = False

    def add(self, text: str, pid: int, fd: int) -> None:
        """Add a descriptor, by the kernel's text for the socket. Those of one process come in a row."""
        first = self.first.setdefault(text, (pid, fd))
        if first[0] == pid:
            return
        others = self._others.setdefault(text, [])
        if others and others[-1] == pid:
            return
        if self._left:
            self._left -= 1
            others.append(pid)
        else:
            self.truncated = True

    def pids(self, inode: int) -> list[int]:
        """The processes that have a socket, by its inode number."""
        text = f"{_SOCKET_PREFIX}{inode}]"
        first = self.first.get(text)
        return [] if first is None else [first[0], *self._others.get(text, ())]


class HostNamespaces(NamedTuple):
    """The namespaces of the host, by what refers to them.

    `netns_dir_shared` is whether mounts in netns_dir propagate to other mount namespaces, None where
    there is no such directory. `netns_by_pin` is the topmost namespace at each of the
    `pins`. `unreadable_pids` are the processes that could not be read in full; `problems` are what else
    could not be read, as (source, reason). `socket_holders` are the processes by the sockets that they have.
    `sockets_problem` is why root may not have found all namespaces that only sockets keep.
    `processes_hidden` is whether /proc does not list the processes of other users (hidepid, proc(5)).
    """

    host_netns: model.NetnsId
    own_netns: model.NetnsId
    netns_dir_shared: bool | None
    namespaces: t.Mapping[model.NetnsId, References]
    netns_by_pin: t.Mapping[str, model.NetnsId]
    unreadable_pids: tuple[int, ...]
    problems: tuple[tuple[str, str], ...] = ()
    socket_holders: SocketHolders = SocketHolders()
    sockets_problem: str | None = None
    processes_hidden: bool = False

    @property
    def processes_read(self) -> bool:
        """Whether all processes were read.

        PID 1 does not count: where it cannot be read, its namespace is known to be the host's.
        """
        return not self.processes_hidden and not any(pid != 1 for pid in self.unreadable_pids)


class Listing(NamedTuple):
    """What a search sees first: the processes, and the namespaces that can be opened by a pin at once."""

    pids: t.Sequence[int] = ()
    pinned: t.Sequence[nsfs.NetnsRef] = ()


class Search:
    """Finds every namespace that the caller may see, in a forked child, which starts at once.

    A thread would hold up the threads that ask the engines. Processes that end meanwhile are left out.
    """

    def __init__(self, netns_dir: str) -> None:
        self._netns_dir = netns_dir
        self._results: t.Iterator[tuple[t.Any, ...]] = iter(())
        # Otherwise the child may not be allowed to read the caller.
        if os.geteuid() == 0:
            with contextlib.suppress(fork.ChildError):
                child = fork.start(lambda: _scan(netns_dir, os.getpid()))
                self._results = child.results(float("inf"))

    def wait_for_listing(self) -> Listing:
        """Wait until the child has listed the processes. It does not look at those that start after that.

        The listing is empty where no child searches. To be called once at most, before wait().
        """
        with contextlib.suppress(fork.ChildError):
            pids, pinned = next(self._results, ((), {}))
            return Listing(
                pids,
                [nsfs.NetnsRef(_netns_id(text), tuple(pins)) for text, pins in pinned.items()],
            )
        return Listing()

    def wait(self, leave_out: int | None = None) -> HostNamespaces:
        """What was found. To be called once. Where this process has to search, `leave_out` is not looked at."""
        try:
            scans = list(self._results)
        except fork.ChildError:  # it was killed
            scans = []
        return _host_namespaces(*scans[-1]) if scans else self._discover(leave_out)

    def _discover(self, leave_out: int | None) -> HostNamespaces:
        _listing, scan = _scan(self._netns_dir, leave_out)
        return _host_namespaces(*scan)


def _scan(netns_dir: str, leave_out: int | None) -> t.Iterator[tuple[t.Any, ...]]:
    """Yields what a Listing is made from, and then the arguments of _host_namespaces.

    The process `leave_out` is not looked at.
    """
    # Before the processes: engines pin namespaces that have some, so that one that is pinned and has none has lost
    # them, and is not about to get its first.
    table = mounts.read()
    scanner = _Scanner()
    scanner.add_pins(table)
    pids = sorted(procfs.pids())
    yield tuple(pids), scanner.pinned()
    scanner.scan_processes(pids, leave_out)
    scanner.add_pins_elsewhere()
    scanner.add_sockets()
    yield _is_shared(netns_dir, table), *scanner.found()


def _is_local(pin: str) -> bool:
    """Whether no path above a pin leads to a file server, which may not answer."""
    return pin.startswith("/run/")


def _netns_id(text: str) -> model.NetnsId:
    # The kernel has one nsfs, which all namespace files are on.
    return model.NetnsId(nsfs.device(), int(text[len(_NETNS_PREFIX) : -1]))


def _host_namespaces(
    netns_dir_shared: bool | None,
    references: t.Mapping[str, t.Mapping[str, t.Any]],
    text_by_pin: t.Mapping[str, str],
    unreadable_pids: t.Iterable[int],
    problems: t.Iterable[tuple[str, str]],
    socket_holders: t.Mapping[str, t.Any],
    sockets_problem: str | None,
    processes_hidden: bool,
) -> HostNamespaces:
    return HostNamespaces(
        nsfs.host_netns(),
        nsfs.netns_id(os.stat("/proc/self/ns/net")),
        netns_dir_shared,
        {_netns_id(text): _with(References(), each) for text, each in references.items()},
        {path: _netns_id(text) for path, text in text_by_pin.items()},
        tuple(unreadable_pids),
        tuple(problems),
        _with(SocketHolders(), socket_holders),
        sockets_problem,
        processes_hidden,
    )


_Made = t.TypeVar("_Made")


def _with(instance: _Made, attributes: t.Mapping[str, t.Any]) -> _Made:
    vars(instance).update(attributes)
    return instance


class _Scanner:
    """Collects references by the kernel's text for a namespace."""

    def __init__(self) -> None:
        self._references: dict[str, References] = {}
        self._text_by_pin: dict[str, str] = {}
        # A directory of a process or thread in each mount namespace, and its mount table if that may have pins, by the
        # text for the mount namespace.
        self._mount_tables: dict[str, tuple[str, bytes]] = {
            os.readlink("/proc/self/ns/mnt"): ("", b"")
        }
        # The processes whose first thread ended, while others run.
        self._without_first_thread: set[int] = set()
        # A path at which each mount namespace can be opened that is pinned or held open.
        self._mount_namespaces: dict[str, str] = {}
        self._socket_holders = SocketHolders()
        self._unreadable_pids: list[int] = []
        self._processes_hidden = False
        self._problems: list[tuple[str, str]] = []
        self._sockets_problem: str | None = None

    def found(self) -> tuple[t.Any, ...]:
        """The arguments of _host_namespaces, after the first: plain data, which a child can send."""
        return (
            {text: vars(references) for text, references in self._references.items()},
            self._text_by_pin,
            self._unreadable_pids,
            self._problems,
            vars(self._socket_holders),
            self._sockets_problem,
            self._processes_hidden,
        )

    def pinned(self) -> dict[str, list[str]]:
        """The pins that can be opened without waiting for a file server, by the text for their namespace."""
        local = {
            text: list(filter(_is_local, references.pins))[:_MAX_PATHS]
            for text, references in self._references.items()
        }
        return {text: pins for text, pins in local.items() if pins}

    def _references_to(self, text: str) -> References:
        references = self._references.get(text)
        if references is None:
            references = self._references[text] = References()
        return references

    def scan_processes(self, pids: t.Sequence[int], leave_out: int | None = None) -> None:
        """Add what these processes of all that /proc lists refer to, except one."""
        self._processes_hidden = 1 not in pids
        for pid in pids:
            if pid == leave_out:
                continue
            directory = f"/proc/{pid}"
            try:
                self._scan_process(pid, directory)
            except PermissionError:
                # The kernel also refuses a process that ends at this moment.
                if os.path.exists(directory):
                    self._unreadable_pids.append(pid)
            except OSError:  # the process ended
                continue

    def _scan_process(self, pid: int, directory: str) -> None:
        try:
            own = os.readlink(f"{directory}/ns/net")
            self._references_to(own).pids.append(pid)
        except FileNotFoundError:  # the first thread ended; others may run on
            own = ""
        # Where the first thread has ended, it has no descriptors and mounts. Those of another one are read.
        thread = directory if own else ""
        # Counting threads is cheaper than listing them, and most processes have one.
        if os.stat(f"{directory}/task").st_nlink - 2 > 1:
            for tid, text in _readlinks(f"{directory}/task", "/ns/net"):
                if not thread:
                    thread = f"{directory}/task/{tid}"
                    self._without_first_thread.add(pid)
                if text != own:
                    references = self._references_to(text)
                    references.proc_files.append(f"{directory}/task/{tid}/ns/net")
                    if not references.pids or references.pids[-1] != pid:
                        references.pids.append(pid)
        if not thread:
            return
        for fd, text in _readlinks(f"{thread}/fd", ""):
            if text.startswith(_NETNS_PREFIX):
                self._references_to(text).proc_files.append(f"{thread}/fd/{fd}")
            elif text.startswith(_MOUNT_NAMESPACE_PREFIX):
                self._mount_namespaces.setdefault(text, f"{thread}/fd/{fd}")
            elif text.startswith(_SOCKET_PREFIX):
                self._socket_holders.add(text, pid, int(fd))
        self._read_mount_table(thread)

    def _read_mount_table(self, directory: str) -> None:
        mount_namespace = os.readlink(f"{directory}/ns/mnt")
        if mount_namespace in self._mount_tables:
            return
        table = b""
        # Containers have a mount table each, and hardly any of them has a pin.
        if mounts.may_have_pins(directory):
            with open(f"{directory}/mountinfo", "rb", buffering=0) as stream:
                table = stream.read()
        self._mount_tables[mount_namespace] = (directory, table)

    def add_pins(self, table: t.Iterable[mounts.Mount]) -> None:
        """Add the pins in our own mount table."""
        for mount in table:
            if _is_pin(mount):
                references = self._references_to(mount.root)
                if mount.point not in references.pins:
                    references.pins.append(mount.point)
                # Of several mounts at one path, the table lists the topmost last.
                self._text_by_pin[mount.point] = mount.root
            elif mount.fstype == "nsfs" and mount.root.startswith(_MOUNT_NAMESPACE_PREFIX):
                self._mount_namespaces.setdefault(mount.root, mount.point)

    def add_pins_elsewhere(self) -> None:
        """Add the pins of other mount namespaces, except those that ours has at the same path."""
        added = set(self._text_by_pin.items())
        for directory, data in self._mount_tables.values():
            for pin, text in _other_pins(data, added):
                self._references_to(text).pins_elsewhere.append(f"{directory}/root{pin}")
        without_process = {
            path: int(text[len(_MOUNT_NAMESPACE_PREFIX) : -1])
            for text, path in self._mount_namespaces.items()
            if text not in self._mount_tables
        }
        # Only root can enter one.
        if without_process and os.geteuid() == 0:
            tables, problem = mount_namespaces.read(without_process)
            for where, data in tables.items():
                for pin, text in _other_pins(data, added):
                    self._references_to(text).pins_without_process.append(f"{where}:{pin}")
            if problem is not None:
                self._problems.append(("mount namespaces", problem))

    def add_sockets(self) -> None:
        """Add the namespaces that nothing but a socket refers to.

        The kernel shows which namespace a socket belongs to only to who has the socket.
        """
        if os.geteuid() != 0:
            return
        if not sockets.may_duplicate():
            self._sockets_problem = (
                "net_cls or net_prio of cgroups v1 is mounted, "
                "and looking at a socket would change its class there"
            )
            return
        known = set(self._references)
        fds_by_pid: dict[int, list[int]] = {}
        # Most sockets of a host's processes are its own unix sockets, which one file lists.
        own = {f"{_SOCKET_PREFIX}{inode}]" for inode in sockets.listed()}
        for text, (pid, fd) in self._socket_holders.first.items():
            if text not in own:
                fds_by_pid.setdefault(pid, []).append(fd)
        for pid, fds in fds_by_pid.items():
            if pid in self._without_first_thread:
                # The kernel duplicates descriptors of the first thread alone.
                self._sockets_problem = (
                    f"the first thread of process {pid} ended, "
                    "and so its sockets could not be looked at"
                )
                continue
            if len(fds) > _MAX_SOCKETS:
                self._sockets_problem = f"process {pid} has more than {_MAX_SOCKETS} sockets"
            try:
                pidfd = libc.pidfd_open(pid)
                try:
                    self._add_sockets_of(pid, pidfd, fds[:_MAX_SOCKETS], known)
                finally:
                    os.close(pidfd)
            except OSError as error:
                # Where it ended, its sockets ended with it.
                if error.errno != errno.ESRCH:
                    self._sockets_problem = _why_not(pid, error)

    def _add_sockets_of(
        self, pid: int, pidfd: int, fds: t.Iterable[int], known: t.Container[str]
    ) -> None:
        for fd in fds:
            try:
                netns = sockets.open_netns(pidfd, fd)
            except FileNotFoundError:
                continue
            except OSError as error:
                # It was closed, or is of a kind that has no namespace. Other errors are those of the process.
                if error.errno in (errno.EBADF, errno.ENOTTY, errno.EOPNOTSUPP):
                    continue
                raise
            try:
                text = f"{_NETNS_PREFIX}{os.fstat(netns).st_ino}]"
            finally:
                os.close(netns)
            if text not in known:
                self._references_to(text).sockets.append((pid, fd))


def _why_not(pid: int, error: OSError) -> str:
    if error.errno == errno.ENOSYS:
        return "only Linux 5.6 and later can look at sockets of other processes"
    return f"the sockets of process {pid} could not be looked at: {error.strerror or error}"


def _other_pins(table: bytes, added: set[tuple[str, str]]) -> t.Iterator[tuple[str, str]]:
    """The pins in a mount table that are not among the `added`, which they become part of."""
    lines = [line for line in table.split(b"\n") if b" - nsfs " in line]
    for mount in mounts.parse(os.fsdecode(b"\n".join(lines))):
        if _is_pin(mount) and (mount.point, mount.root) not in added:
            added.add((mount.point, mount.root))
            yield mount.point, mount.root


def _readlinks(directory: str, suffix: str) -> t.Iterator[tuple[str, str]]:
    """The names in a directory, and the targets of the symbolic links DIRECTORY/NAME+SUFFIX."""
    # Resolving the whole path for each would cost half as much again.
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for name in os.listdir(fd):
            try:
                yield name, os.readlink(name + suffix, dir_fd=fd)
            except FileNotFoundError:  # the descriptor was closed, or the thread ended
                continue
            except PermissionError:
                # The kernel also refuses a thread that ends at this moment.
                if _exists(name, fd):
                    raise
    finally:
        os.close(fd)


def _exists(name: str, directory: int) -> bool:
    try:
        os.lstat(name, dir_fd=directory)
    except FileNotFoundError:
        return False
    return True


def _is_pin(mount: mounts.Mount) -> bool:
    return mount.fstype == "nsfs" and _NETNS_TEXT.fullmatch(mount.root) is not None


def _is_shared(netns_dir: str, table: t.Iterable[mounts.Mount]) -> bool | None:
    """Whether the mount that netns_dir is in is shared; None where there is no such directory."""
    try:
        fd = os.open(netns_dir, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        mount_id = mounts.mount_id(fd)
    finally:
        os.close(fd)
    return any(mount.peer_group != 0 for mount in table if mount.id == mount_id)


def container_netns(
    container: model.Container,
    discovered: HostNamespaces,
    still_runs: t.Callable[[model.Container], bool],
    recorded: model.NetnsId | None = None,
) -> model.NetnsId | None:
    """The namespace of a running container; None where the container is gone.

    `recorded` is the namespace in which its first process was just recognized. The engine's own pin takes precedence
    over the PID, because the first process of a privileged container can enter another namespace. The pin is looked up
    in the mount table, which is readable even where the path is not. Raises OSError where the process may not be read
    or seen, and EngineError where the engine does not answer.
    """
    references = discovered.namespaces.get(recorded) if recorded else None
    if references and container.pid in references.pids:
        return recorded
    if container.pin:
        pinned = discovered.netns_by_pin.get(_resolve_directory(container.pin))
        if pinned is not None:
            return pinned
    try:
        with procfs.opened(container.pid) as process:
            netns = procfs.netns(process)
            # Users can name the cgroups of their own processes as they like.
            certain = not container.user and procfs.in_cgroup_of(process, container.id)
    except model.GoneError:
        if discovered.processes_hidden:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES)) from None
        return None
    # Some engines run containers without cgroups. Then only the engine can confirm the process.
    return netns if certain or still_runs(container) else None


def _resolve_directory(path: str) -> str:
    directory, name = os.path.split(path)
    if directory.startswith("/var/run/"):
        directory = _realpath(directory)
    return os.path.join(directory, name)


# The containers of a daemon have their pins in one directory.
_realpath = functools.lru_cache(maxsize=None)(os.path.realpath)
