# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rootless Podman, Docker and containerd, read from the monitor process of each container.

The monitor is conmon, or containerd's shim: its arguments contain the container's ID, and its child is
the container's first process. Any process can have such a name and arguments, and root cannot trust a
user's files and sockets. So each is compared with the kernel: the monitor runs as a user, and its
child's namespaces are owned by a user namespace that this user created. Thus a user can give any name
to a namespace of their own, but none to a namespace of another user.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import struct
import typing as t

from .. import model
from ..kernel import nsfs, procfs, users
from ..named_tuple import NamedTuple
from . import ports, state_files, user_files, values

# The engines accept only such names.
_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,254}")
_ENDED = (model.GoneError, FileNotFoundError, ProcessLookupError)
_POD = re.compile(r"/[^/]*libpod_pod_([0-9a-f]{64})\.slice/")
_NS_GET_USERNS = 0xB701
_NS_GET_OWNER_UID = 0xB704
_DOCKER_DIRECTORY = (".local", "share", "docker", "containers")
_DOCKER_FILE = "config.v2.json"
_MAX_DOCKER_FILE = 1 << 20
_DOCKER_NAMESPACE = "moby"


class _MonitorArguments(NamedTuple):
    """ID and name of a container in its monitor's arguments; `name` is "" where they have none."""

    id: str
    name: str = ""


class _Monitor(NamedTuple):
    """A process that may be a container's monitor; `uid` is its user, never root."""

    pid: int
    uid: int
    arguments: _MonitorArguments


class _ContainerProcess(NamedTuple):
    """The first process of a container; `netns` is None where only root may see it.

    `owned` is whether the monitor's user owns the namespace. `pod` is the pod's ID, "" without one.
    `problem` is why root cannot see the namespace either.
    """

    pid: int
    started: float
    netns: model.NetnsId | None
    owned: bool
    pod: str
    problem: str | None


class Rootless:
    """The reader of one engine's rootless containers.

    `command` is the monitor's command in /proc, `parse_arguments` reads its arguments, `add_details`
    adds what is in the user's own files.
    """

    def __init__(
        self,
        engine: str,
        command: str,
        parse_arguments: t.Callable[[t.Sequence[str]], _MonitorArguments | None],
        add_details: t.Callable[[model.Container, int], model.Container] | None = None,
    ) -> None:
        self._engine = engine
        self._command = command
        self._parse_arguments = parse_arguments
        self._add_details = add_details

    def sources(self, environment: t.Mapping[str, str]) -> list[str]:
        """The directory of all processes, for the containers of all users."""
        return [model.PROCESSES]

    def read(
        self, source: str, timeout: float, wanted: t.Callable[[model.Container], bool]
    ) -> model.Reading:
        """The running containers of all users; stopped ones have no process and are not reported."""
        try:
            containers = self._containers(source, state_files.Deadline(timeout))
        except model.EngineError as error:
            return model.Reading(self._engine, source, error=str(error), presence_uncertain=True)
        return model.Reading(
            self._engine,
            source,
            containers=tuple(
                container if wanted(container) else container._replace(pid=0)
                for container in containers
            ),
            presence_uncertain=True,
        )

    def still_runs(self, container: model.Container, timeout: float) -> bool:
        """Whether the container's first process is still the one that was read before."""
        try:
            with procfs.opened(container.pid) as process:
                parent = procfs.parent(process)
                monitor = self._monitor(parent, _uid(parent))
                if monitor is None or monitor.arguments.id != container.id:
                    return False
                with procfs.opened(parent) as monitor_fd:
                    child = _container_process(monitor, monitor_fd, container.pid)
        except model.GoneError:
            return False
        except OSError as error:
            raise state_files.read_error(f"/proc/{container.pid}", error) from None
        if child is None or not child.owned or child.problem:
            return False
        return container.source == _source(monitor.uid)

    def _containers(self, source: str, deadline: state_files.Deadline) -> list[model.Container]:
        with state_files.open_directory(source, source) as proc:
            if proc is None:
                raise model.EngineError(f"there is no directory {source}")
            uids = _uids_of_processes(proc, source)
            commands = _read_each(proc, uids, "comm", deadline)
            monitors = [
                monitor
                for pid, command in commands
                if command.rstrip("\n") == self._command
                for monitor in [self._monitor_or_none(pid, uids[pid])]
                if monitor is not None
            ]
            if not monitors:
                return []
            children = _children(_read_each(proc, uids, "stat", deadline))
        shares_root = _RootComparison()
        found: dict[tuple[int, str], tuple[_Monitor, _ContainerProcess]] = {}
        for monitor in monitors:
            deadline.check(source)
            process = _first_process(monitor, children.get(monitor.pid, ()), shares_root)
            # Of two monitors with one ID, the later one copied it from the first.
            key = (monitor.uid, monitor.arguments.id)
            if process is not None and (
                key not in found or process.started < found[key][1].started
            ):
                found[key] = (monitor, process)
        # What a user is called must not take the time of the containers.
        accounts = users.accounts((uid for uid, _identity in found), deadline.left / 2)
        containers = []
        for monitor, process in found.values():
            deadline.check(source)
            container = self._container(monitor, process, accounts[monitor.uid].name)
            if self._add_details:
                container = self._add_details(container, monitor.uid)
            containers.append((container, process.netns))
        return _with_joined_sandboxes(containers)

    def _monitor_or_none(self, pid: int, uid: int) -> _Monitor | None:
        try:
            return self._monitor(pid, uid)
        except (model.GoneError, OSError):  # it ended
            return None

    def _monitor(self, pid: int, uid: int) -> _Monitor | None:
        with procfs.opened(pid) as process:
            if procfs.command(process) != self._command:
                return None
            arguments = self._parse_arguments(procfs.read_text(process, "cmdline").split("\0"))
        if arguments is None:
            return None
        return _Monitor(pid, uid, arguments)

    def _container(
        self, monitor: _Monitor, process: _ContainerProcess, user: str
    ) -> model.Container:
        identity, name = monitor.arguments
        problem = process.problem
        if process.netns is not None and not process.owned:
            problem = f"its network namespace {process.netns.inode} was not created by {user}"
        pod_id = process.pod
        pod = model.Pod(namespace="", name=pod_id[:12], uid=pod_id) if pod_id else None
        return model.Container(
            engine=self._engine,
            source=_source(monitor.uid),
            id=identity,
            name=name if _NAME.fullmatch(name) else identity[:12],
            running=True,
            status="running",
            created=process.started,
            network_mode="host" if process.netns == nsfs.host_netns() else "",
            pid=0 if problem else process.pid,
            pod=pod,
            # Podman names an infra container after its pod.
            sandbox=bool(pod_id) and name == f"{pod_id[:12]}-infra",
            user=user,
            problem=problem,
        )


def _source(uid: int) -> str:
    # Any user can read the IDs of others' containers, so that an ID alone identifies none.
    return f"{model.PROCESSES}#{uid}"


def _option(arguments: t.Sequence[str], name: str) -> str:
    for argument, following in zip(arguments, arguments[1:]):
        if argument == name:
            return following
    return ""


def _parse_conmon(arguments: t.Sequence[str]) -> _MonitorArguments | None:
    """None for the conmon of an exec session, which has the session's ID as -u."""
    identity = _option(arguments, "-c")
    if _option(arguments, "-u") != identity or not values.CONTAINER_ID.fullmatch(identity):
        return None
    return _MonitorArguments(identity, _option(arguments, "-n"))


def _parse_shim(arguments: t.Sequence[str]) -> _MonitorArguments | None:
    """None for a shim that is not Docker's."""
    identity = _option(arguments, "-id")
    if _option(arguments, "-namespace") != _DOCKER_NAMESPACE or not values.CONTAINER_ID.fullmatch(
        identity
    ):
        return None
    return _MonitorArguments(identity)


def _parse_containerd_shim(arguments: t.Sequence[str]) -> _MonitorArguments | None:
    """None for a shim of Docker's. As for root's, an ID that a user chose is unique within its namespace."""
    namespace, identity = _option(arguments, "-namespace"), _option(arguments, "-id")
    if not _NAME.fullmatch(namespace) or not _NAME.fullmatch(identity):
        return None
    if namespace == _DOCKER_NAMESPACE:
        return None
    if values.CONTAINER_ID.fullmatch(identity):
        return _MonitorArguments(identity)
    is_unique = namespace == "default"
    return _MonitorArguments(identity if is_unique else f"{namespace}/{identity}", identity)


def _uid(pid: int) -> int:
    """The user of a process. Raises GoneError."""
    try:
        return os.stat(f"/proc/{pid}").st_uid
    except FileNotFoundError:
        raise model.GoneError(f"there is no process {pid}") from None


def _uids_of_processes(proc: int, source: str) -> dict[int, int]:
    """The processes that are not root's, each with its user."""
    uids = {}
    for name in state_files.list_directory(proc, source):
        if name.isdigit():
            with contextlib.suppress(model.GoneError):
                uid = _uid(int(name))
                if uid != 0:
                    uids[int(name)] = uid
    return uids


def _read_each(
    proc: int, pids: t.Iterable[int], name: str, deadline: state_files.Deadline
) -> t.Iterator[tuple[int, str]]:
    """A file of each of these processes that still runs."""
    for pid in pids:
        deadline.check(model.PROCESSES)
        # Opening the directory of each first would double the time.
        try:
            text = procfs.read_text(proc, f"{pid}/{name}")
        except (model.GoneError, OSError):
            continue
        yield pid, text


def _children(stats: t.Iterable[tuple[int, str]]) -> dict[int, list[int]]:
    """The children of each process, the oldest first."""
    # Not every kernel has /proc/PID/task/TID/children.
    children: dict[int, list[tuple[int, int]]] = {}
    for pid, text in stats:
        fields = procfs.stat_fields(text)
        children.setdefault(int(fields[1]), []).append((int(fields[19]), pid))
    return {parent: [pid for _start, pid in sorted(pids)] for parent, pids in children.items()}


class _RootComparison:
    """Whether a process of a user has our root directory, as a whole node can run in a container.

    By mountinfo: procfs.shares_root could hang on a FUSE file system that a user serves.
    """

    def __init__(self) -> None:
        with procfs.opened(os.getpid()) as process:
            self._own_root = _root(process)
        self._results: dict[str, bool] = {}

    def __call__(self, process: int) -> bool:
        try:
            namespace = os.readlink("ns/mnt", dir_fd=process)
            if namespace not in self._results:
                self._results[namespace] = _root(process) == self._own_root
        except PermissionError:  # an ordinary user may not see this of processes of others
            return True
        return self._results[namespace]


def _root(process: int) -> list[str]:
    """The device of a process's root directory, and the directory on this device."""
    root: list[str] = []
    for line in procfs.read_text(process, "mountinfo").split("\n"):
        fields = line.split(" ", 5)
        if len(fields) > 5 and fields[4] == "/":
            root = fields[2:4]
    return root


def _first_process(
    monitor: _Monitor, children: t.Iterable[int], shares_root: t.Callable[[int], bool]
) -> _ContainerProcess | None:
    """The container's first process; those of `exec` are younger children of a shim."""
    try:
        with procfs.opened(monitor.pid) as monitor_fd:
            if shares_root(monitor_fd):
                for child in children:
                    with contextlib.suppress(*_ENDED):
                        process = _container_process(monitor, monitor_fd, child)
                        if process is not None:
                            return process
    except (model.GoneError, OSError):  # it ended
        pass
    return None


def _container_process(monitor: _Monitor, monitor_fd: int, pid: int) -> _ContainerProcess | None:
    """A child of the monitor as the kernel shows it, None where it is not in a container of the user."""
    with procfs.opened(pid) as process:
        fields = procfs.stat_fields(procfs.read_text(process, "stat"))
        if int(fields[1]) != monitor.pid:
            return None
        netns, owned, problem = None, True, None
        try:
            # The runtime that creates the container is a child of the monitor as well, for a moment.
            thread = procfs.living_thread(process)
            mount_namespace = os.readlink(f"{thread}ns/mnt", dir_fd=process)
            if mount_namespace == os.readlink("ns/mnt", dir_fd=monitor_fd):
                return None
            if not _is_owned(f"{thread}ns/user", process, monitor.uid):
                return None
            netns = procfs.netns(process)
            owned = netns == nsfs.host_netns() or _is_owned(f"{thread}ns/net", process, monitor.uid)
        except PermissionError:  # an ordinary user may not see this of processes of others
            pass
        except (FileNotFoundError, ProcessLookupError):
            raise
        except OSError as error:
            problem = f"process {pid}: {error.strerror}"
        match = _POD.search("\n".join(procfs.cgroup_lines(process)))
        return _ContainerProcess(
            pid,
            procfs.since_epoch(int(fields[19])),
            netns,
            owned,
            match.group(1) if match else "",
            problem,
        )


def _is_owned(name: str, process: int, uid: int) -> bool:
    """Whether a user created the user namespace that owns a process's namespace, "ns/user" or "ns/net".

    A process's user namespace counts as its own owner. One that was created inside a user namespace
    of this user counts as well. Raises PermissionError.
    """
    own_inode = os.stat("/proc/self/ns/user").st_ino
    for inode, creator in _user_namespaces(name, process):
        # The creator of our own may have no UID in it, and would appear as the user "nobody".
        if inode == own_inode:
            return False
        if creator == uid:
            return True
    return False


def _user_namespaces(name: str, process: int) -> t.Iterator[tuple[int, int]]:
    """Inode and creator of the user namespace that owns a process's namespace.

    For "ns/user" this is the process's user namespace itself. Its parents follow, up to our own. Raises
    PermissionError.
    """
    namespace = os.open(name, os.O_RDONLY | os.O_CLOEXEC, dir_fd=process)
    try:
        if not name.endswith("ns/user"):
            namespace = _replace_by_owner(namespace)
        while namespace >= 0:
            yield os.fstat(namespace).st_ino, _creator(namespace)
            namespace = _replace_by_owner(namespace)
    finally:
        if namespace >= 0:
            os.close(namespace)


def _replace_by_owner(namespace: int) -> int:
    """Close a namespace and open the user namespace that owns it; -1 where that is above our own."""
    try:
        return fcntl.ioctl(namespace, _NS_GET_USERNS)
    except OSError:
        return -1
    finally:
        os.close(namespace)


def _creator(namespace: int) -> int:
    """The UID that created a user namespace."""
    (uid,) = struct.unpack("=I", fcntl.ioctl(namespace, _NS_GET_OWNER_UID, bytes(4)))
    return int(uid)


def _with_joined_sandboxes(
    containers: t.Sequence[tuple[model.Container, model.NetnsId | None]],
) -> list[model.Container]:
    """The containers; those in one namespace with their pod's sandbox get its network_mode."""
    sandboxes = {
        (container.source, container.pod, netns): container.id
        for container, netns in containers
        if container.sandbox
    }
    result = []
    for container, netns in containers:
        sandbox = sandboxes.get((container.source, container.pod, netns)) if netns else None
        if sandbox and sandbox != container.id:
            result.append(container._replace(network_mode=f"container:{sandbox}"))
        else:
            result.append(container)
    return result


def _add_docker_details(container: model.Container, uid: int) -> model.Container:
    """The container, with what Docker's file in the user's home has of it, if that is valid."""
    try:
        config = values.parse_json(_read_docker_file(uid, container.id), _DOCKER_FILE)
        name = values.field(config, "Name", str).lstrip("/")
        if values.field(config, "ID", str) != container.id or not _NAME.fullmatch(name):
            return container
        return container._replace(
            name=name,
            image=values.field(config, "Config.Image", str),
            labels=values.string_dict(values.field(config, "Config.Labels", dict), "Config.Labels"),
            ports=ports.from_settings(config),
        )
    except (OSError, model.EngineError):
        return container


def _read_docker_file(uid: int, identity: str) -> bytes:
    """Read Docker's file about a container in a user's home. Raises OSError or EngineError."""
    with user_files.opened(uid, (*_DOCKER_DIRECTORY, identity, _DOCKER_FILE)) as fd, open(
        fd, "rb", closefd=False
    ) as stream:
        return stream.read(_MAX_DOCKER_FILE)


PODMAN = Rootless("podman", "conmon", _parse_conmon)
# /proc truncates names to 15 characters.
DOCKER = Rootless("docker", "containerd-shim", _parse_shim, _add_docker_details)
CONTAINERD = Rootless("containerd", "containerd-shim", _parse_containerd_shim)
