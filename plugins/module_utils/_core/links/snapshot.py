# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads the host once: what stands in netns_dir, and which namespace each container has."""

from __future__ import annotations

import contextlib
import functools
import os
import stat
import typing as t

from .. import model, selection
from ..engines import registry
from ..kernel import mounts, nsfs, procfs
from ..names import Template
from . import etc_netns, ledger
from .request import LinkRequest

# A container can join one that has joined another; a pod's member joins the pod's sandbox.
_MAX_JOINED = 3

NOTHING, NETNS, EMPTY, SYMLINK, OTHER = "nothing", "netns", "empty", "symlink", "other"


class PathState(t.NamedTuple):
    """What stands at a path in netns_dir.

    `file` is the inode number that the directory lists, which is that of the placeholder also
    where a mount covers it. `netns` is what is mounted there, or what a symbolic link leads to.
    `layers` are the namespaces of the mounts stacked there, the lowest first; `covered` the ids of
    mounts at this path that no path leads to any more; `holder` who pins a namespace on an empty
    file in another mount namespace.
    """

    kind: str = NOTHING
    words: str = "nothing"
    file: int | None = None
    netns: model.NetnsId | None = None
    layers: tuple[int, ...] = ()
    covered: tuple[mounts.Mount, ...] = ()
    holder: str | None = None


VACANT = PathState()


class Origin(t.NamedTuple):
    """Where a namespace was seen and can be opened again: a file, or a process.

    A container's process is checked against what it was seen as: its start time, and its container.
    `young` is whether it started after its engine was asked, whose answer may then be of the process
    that had its PID before. `held` is an open file for what was given by the user: /proc/PID, or else
    the namespace itself.
    """

    netns: model.NetnsId
    path: str | None = None
    pid: int = 0
    start_time: int = 0
    young: bool = False
    held: int = -1
    container: model.Container | None = None


class Directory(t.NamedTuple):
    """netns_dir itself: how mounts in it would propagate."""

    exists: bool = False
    mount_point: bool = False
    self_bind: bool = False
    shared: bool = False
    has_mounts: bool = False
    mount: int = 0


class Snapshot(t.NamedTuple):
    """The host, as far as a wish needs it."""

    host: model.NetnsId
    directory: Directory
    path_states: t.Mapping[str, PathState]
    entries: t.Mapping[str, ledger.Entry]
    readings: tuple[model.Reading, ...] = ()
    origins: t.Mapping[model.ContainerKey, Origin] = {}
    problems: t.Mapping[model.ContainerKey, str] = {}
    given: Origin | None = None
    dns: t.Mapping[model.ContainerKey, tuple[str, ...]] = {}
    resolv_files: t.Mapping[str, etc_netns.File] = {}
    warnings: tuple[str, ...] = ()

    def path_state(self, name: str) -> PathState:
        """What stands at a name."""
        return self.path_states.get(name, VACANT)


class SessionCache:
    """What a process that stays keeps from run to run: the ledger, as far as nobody else writes it,
    which mount of netns_dir is known to be as it should be, and connections to engines."""

    def __init__(self, book: ledger.Ledger) -> None:
        self.book = book
        self.ready: int | None = None
        self.connections: registry.Connections = {}

    def close(self) -> None:
        """End the connections."""
        for here in self.connections.values():
            for client in here.values():
                client.close()
        self.connections.clear()


class Asked(t.NamedTuple):
    """`since` is when the engines began to be asked, as start times are counted; `answers` waits for them."""

    since: int
    answers: t.Callable[[], list[model.Reading]]


def ask(request: LinkRequest, session: SessionCache) -> Asked:
    """Ask the engines.

    The ledger was read first: a container that it names, the engines knew before they are asked.
    """
    since = procfs.now()
    if not (request.prune or request.containers or (request.all and not request.absent)):
        return Asked(since, list)
    entries = session.book.entries.values() if request.prune else ()
    if request.only is not None:
        whole = None in request.only.values()
        engines = {entry.engine for entry in entries} if whole else set()
        part = functools.partial(_read_part, request, request.only, engines, session.connections)
        return Asked(since, part)
    items = request.containers or ()
    everything = request.all or any(map(selection.is_pattern, items))
    linked = {entry.container_id for entry in entries}

    def wanted(container: model.Container) -> bool:
        if container.id in linked or container.sandbox:
            return True
        if request.absent and container.pod is None:
            return False
        return everything or any(selection.could_mean(item, container) for item in items)

    engines = {entry.engine for entry in entries}
    answers = registry.start(request.engines, request.timeout, wanted, linked_engines=engines)
    return Asked(since, answers)


def take(
    request: LinkRequest, session: SessionCache, held: contextlib.ExitStack, asked: Asked
) -> Snapshot:
    """Read what the wish needs; `held` closes what the snapshot keeps open."""
    host = nsfs.host_netns()
    book = session.book
    names = None
    if request.only is None:
        path_states, directory = _read_directory(request.netns_dir, book)
        readings = asked.answers()
        entries = {
            path: entry
            for path, entry in book.entries.items()
            if os.path.dirname(path) == request.netns_dir
        }
    else:
        readings = asked.answers()
        names = _names(request, book, readings)
        path_states, directory = _read_directory(request.netns_dir, book, names, session.ready)
        paths = map(request.link_path, names)
        entries = {path: book.entries[path] for path in paths if path in book.entries}
    origins, problems, dns, warnings = {}, {}, {}, []
    for reading in readings:
        for container in reading.containers:
            if container.problem is not None:
                problems[container.key] = container.problem
            elif container.pid:
                try:
                    origins[container.key], warning = _locate(container, asked.since)
                    warnings += [warning] if warning else []
                except (model.NetnsError, OSError) as error:
                    problems[container.key] = str(error)
            if request.resolv_conf and container.resolv_conf:
                dns[container.key] = etc_netns.servers(container.resolv_conf)
    return Snapshot(
        host=host,
        directory=directory,
        path_states=path_states,
        entries=entries,
        readings=tuple(readings),
        origins=origins,
        problems=problems,
        given=_given(request, held),
        dns=dns,
        resolv_files=etc_netns.present(names)
        if request.resolv_conf or request.absent or request.prune
        else {},
        warnings=tuple(warnings),
    )


def _read_part(
    request: LinkRequest,
    only: t.Mapping[str, frozenset[str] | None],
    linked: t.Container[str | None],
    connections: registry.Connections,
) -> list[model.Reading]:
    """Some containers, and those whose namespace they have joined, which tell whose it is."""
    parts = {
        engine: ids
        for engine, ids in only.items()
        if request.engines is None or engine in request.engines
    }

    def wanted(container: model.Container) -> bool:
        ids = parts[container.engine]
        return ids is None or container.id in ids

    readings: list[model.Reading] = []
    for _round in range(_MAX_JOINED):
        readings = registry.read_part(parts, request.timeout, wanted, linked, connections)
        more = {
            engine: ids | joined
            for engine, ids in parts.items()
            if ids is not None
            for joined in [_joined(engine, ids, readings)]
            if joined - ids
        }
        if not more:
            break
        parts.update(more)
    return readings


def _joined(
    engine: str, ids: frozenset[str], readings: t.Iterable[model.Reading]
) -> frozenset[str]:
    """Whose namespaces these containers run in, besides their own."""
    return frozenset(
        container.joined
        for reading in readings
        for container in reading.containers
        if container.engine == engine and container.id in ids and container.running
        if container.joined
    )


def _names(
    request: LinkRequest, book: ledger.Ledger, readings: t.Iterable[model.Reading]
) -> set[str]:
    """Where links of these containers are and would be, and what else of ours leads to the same."""
    template = Template(request.name_template)
    found = set()
    # What was linked by PID or path may be of any container.
    ids: set[str | None] = {None}
    engines: set[str | None] = set()
    for reading in readings:
        if reading.only is None:
            engines.add(reading.engine)
        else:
            ids |= reading.only
        for container in reading.containers:
            if reading.only is None or container.id in ids:
                with contextlib.suppress(model.SelectionError):
                    found.add(template.fill(container))
    entries = book.entries.values()
    concerned = [one for one in entries if one.container_id in ids or one.engine in engines]
    if concerned:
        found.update(entry.name for entry in concerned)
        netns = {entry.netns for entry in concerned}
        found.update(entry.name for entry in entries if entry.netns in netns)
    return found


def _locate(container: model.Container, asked: int) -> tuple[Origin, str | None]:
    """Where a running container's namespace is, and a warning where engine and kernel disagree.

    `asked` is when the first engine was asked. The engine's own pin beats the PID: a privileged
    container's first process can move elsewhere.
    """
    process = procfs.open_process(container.pid)
    try:
        seen = procfs.netns(process)
        pin = _pin(container.pin)
        if pin is None:
            started = procfs.start_time(process)
            return Origin(
                seen,
                pid=container.pid,
                start_time=started,
                young=started >= asked,
                container=container,
            ), None
        warning = None
        if pin != seen:
            warning = (
                f"{container.engine} container {container.name}: its first process has moved to "
                f"another network namespace ({seen.inode}); what counts is the one that "
                f"{container.engine} gave it ({pin.inode})"
            )
        return Origin(pin, path=container.pin, container=container), warning
    finally:
        os.close(process)


def _pin(path: str | None) -> model.NetnsId | None:
    # A rootless engine's pin is an empty file from outside its mount namespace.
    try:
        status = os.stat(path) if path else None
    except OSError:
        return None
    return nsfs.netns_id(status) if status and status.st_dev == nsfs.device() else None


def _given(request: LinkRequest, held: contextlib.ExitStack) -> Origin | None:
    """The namespace of `pid` or `path`, kept open so that it cannot become another's meanwhile."""
    if request.absent:
        return None
    try:
        if request.pid is not None:
            fd = procfs.open_process(request.pid)
            held.callback(os.close, fd)
            start_time = procfs.start_time(fd)
            return Origin(procfs.netns(fd), pid=request.pid, start_time=start_time, held=fd)
        if request.path is not None:
            fd = nsfs.open_netns(request.path)
            held.callback(os.close, fd)
            return Origin(nsfs.netns_id(os.fstat(fd)), held=fd)
    except model.NetnsError as error:
        raise model.SelectionError(str(error)) from None
    except OSError as error:
        hint = (
            ": give a pin, or another process of it" if isinstance(error, PermissionError) else ""
        )
        what = request.path or f"process {request.pid}"
        raise model.SelectionError(f"{what}: {error.strerror}{hint}") from None
    return None


def read_directory_state(fd: int, path: str, table: t.Mapping[int, mounts.Mount]) -> Directory:
    """How mounts in an open folder propagate, by a mount table read after it was opened."""
    top = table[mounts.mount_id(fd)]
    below = path.rstrip("/") + "/"
    return Directory(
        exists=True,
        mount_point=top.point == path,
        self_bind=top.point == path and mounts.is_self_bind(top, table),
        shared=top.peer_group != 0,
        has_mounts=any(mount.point.startswith(below) for mount in table.values()),
        mount=top.id,
    )


def _read_directory(
    path: str, book: ledger.Ledger, names: set[str] | None = None, ready: int | None = None
) -> tuple[dict[str, PathState], Directory]:
    """What stands there, or at some names alone.

    At these, mounts are not asked for where nothing or a namespace stands, in the mount that is known
    to be ready. That takes each for one layer; one too many is found when the first is detached.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        return {}, Directory()
    except NotADirectoryError:
        raise model.SelectionError(f"netns_dir {path} is not a directory") from None
    try:
        if names is not None:
            names = {name for name in names if _is_there(name, fd)}
            if not names:
                return {}, Directory()
        path_states = _list(path, os.fstat(fd).st_dev, names)
        is_ready = names is not None and ready is not None and ready == mounts.mount_id(fd)
        if is_ready and all(path_state.kind == NETNS for path_state in path_states.values()):
            return path_states, Directory()
        table = {mount.id: mount for mount in mounts.read(directory=path)}
        state = read_directory_state(fd, path, table)
        layers, covered = _pins_in(path, mounts.mount_id(fd), table, names)
        for name, path_state in path_states.items():
            path_states[name] = path_state._replace(
                layers=tuple(layers.get(name, ())), covered=tuple(covered.get(name, ()))
            )
        _find_holders(fd, path, table, book, path_states)
        return path_states, state
    finally:
        os.close(fd)


def _is_there(name: str, folder: int) -> bool:
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except OSError:
        return False
    return True


def _list(path: str, own_device: int, names: set[str] | None) -> dict[str, PathState]:
    """What stands at each name, or at these, apart from how it is mounted."""
    nsfs_device = nsfs.device()
    path_states: dict[str, PathState] = {}
    with os.scandir(path) as listing:
        for item in listing:
            if names is not None and item.name not in names:
                continue
            with contextlib.suppress(FileNotFoundError):  # `ip netns del` was quicker
                path_state = _look_at(item, own_device, nsfs_device)
                path_states[item.name] = path_state._replace(file=item.inode())
            if names is not None and len(path_states) == len(names):
                break
    return path_states


def _look_at(item: os.DirEntry[str], own_device: int, nsfs_device: int) -> PathState:
    if item.is_symlink():
        try:
            status = os.stat(item.path)
        except OSError:
            return PathState(SYMLINK, "a symbolic link that leads nowhere")
        if status.st_dev == nsfs_device:
            return PathState(
                SYMLINK, "a symbolic link to another namespace", netns=nsfs.netns_id(status)
            )
        return PathState(SYMLINK, f"a symbolic link to {nsfs.describe(status)}")
    status = os.stat(item.path)
    if status.st_dev == nsfs_device:
        return PathState(NETNS, "a link", netns=nsfs.netns_id(status))
    if status.st_dev != own_device:
        return PathState(OTHER, f"{nsfs.describe(status)} of a mounted file system")
    if stat.S_ISREG(status.st_mode) and status.st_size == 0:
        return PathState(EMPTY, "an empty file")
    if stat.S_ISREG(status.st_mode):
        return PathState(OTHER, "a file that is not empty")
    return PathState(OTHER, nsfs.describe(status))


def _pins_in(
    path: str, top: int, table: t.Mapping[int, mounts.Mount], names: set[str] | None
) -> tuple[dict[str, list[int]], dict[str, list[mounts.Mount]]]:
    """The pins at each name: those stacked where the path leads, and those that are covered."""
    layers: dict[str, list[int]] = {}
    covered: dict[str, list[mounts.Mount]] = {}
    tips: dict[str, int] = {}
    waiting = [
        mount
        for mount in table.values()
        if mount.fstype == "nsfs"
        for folder, _slash, name in [mount.point.rpartition("/")]
        if folder == path and (names is None or name in names)
    ]
    # Mount ids are reused, so a stack is followed from its foot and not by their order.
    while waiting:
        later = []
        for mount in waiting:
            name = os.path.basename(mount.point)
            if mount.parent == tips.get(name, top):
                tips[name] = mount.id
                layers.setdefault(name, []).append(_inode(mount))
            else:
                later.append(mount)
        if len(later) == len(waiting):
            break
        waiting = later
    for mount in waiting:
        below = table.get(mount.parent)
        # A twin that propagation made, and takes away again: where /run is shared, the mount that
        # `ip netns` makes of /run/netns is a peer of the one it covers.
        if below is not None and below.peer_group and below.peer_group == table[top].peer_group:
            continue
        covered.setdefault(os.path.basename(mount.point), []).append(mount)
    return layers, covered


def _inode(mount: mounts.Mount) -> int:
    # The root of an nsfs mount reads "net:[4026532184]".
    number = mount.root.rpartition("[")[2].rstrip("]")
    return int(number) if number.isdecimal() else 0


def _find_holders(
    fd: int,
    path: str,
    table: t.Mapping[int, mounts.Mount],
    book: ledger.Ledger,
    path_states: dict[str, PathState],
) -> None:
    """Look for each empty file that is not ours in the other mount namespaces."""
    entries = book.entries
    place = None
    for name, path_state in path_states.items():
        entry = entries.get(os.path.join(path, name))
        if path_state.kind == EMPTY and not (entry and entry.file == path_state.file):
            place = place or mounts.directory_location(fd, path, table)
    if place is None:
        return
    device, folder = place
    spots = {(device, os.path.join(folder, name)): name for name in path_states}
    for pid, foreign in procfs.other_mount_tables():
        by_id = {mount.id: mount for mount in foreign}
        for mount in foreign:
            spot = mounts.location(mount, by_id) if mount.fstype == "nsfs" else None
            pinned = spots.get(spot) if spot else None
            if pinned is not None and path_states[pinned].kind == EMPTY:
                holder = f"the mount namespace of process {pid}"
                path_states[pinned] = path_states[pinned]._replace(holder=holder)
