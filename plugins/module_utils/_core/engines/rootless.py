# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Podman and Docker of users, known by the process that watches over each container.

That is conmon, or containerd's shim: its arguments tell the container's id, and its child is the
container's first process. Any process can call itself so, and none of a user's files or sockets is
for root to trust. So the kernel is asked about each: the process runs as a user, and the namespaces
of its child are of a user namespace that this user made. With that a user can give any name to a
namespace of their own, and none to another's.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pwd
import re
import stat
import struct
import typing as t

from .. import model
from ..kernel import mounts, nsfs, procfs
from . import oci, values

_ID = re.compile(r"[0-9a-f]{64}")
# As both engines want names to be.
_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,254}")
_POD = re.compile(r"/[^/]*libpod_pod_([0-9a-f]{64})\.slice/")
_NS_GET_USERNS = 0xB701
_NS_GET_OWNER_UID = 0xB704
_DOCKERS_FOLDER = (".local", "share", "docker", "containers")
_DOCKERS_FILE = "config.v2.json"
_MAX_DOCKERS_FILE = 1 << 20


class _Claim(t.NamedTuple):
    """What a process says that it watches over; `name` is "" where it does not say."""

    id: str
    name: str = ""


class _Monitor(t.NamedTuple):
    """A process that may watch over a container; `uid` is whose it is, never root."""

    pid: int
    uid: int
    claim: _Claim


class _Init(t.NamedTuple):
    """The first process of a container; `netns` is None where only root may see it."""

    pid: int
    started: float
    netns: model.NetnsId | None
    owned: bool
    pod: str


class Rootless:
    """What users run of one engine.

    `command` is what the monitor is called in /proc, `claim` reads its arguments, `look_up` adds
    what the user's own files say.
    """

    def __init__(
        self,
        engine: str,
        command: str,
        claim: t.Callable[[t.Sequence[str]], _Claim | None],
        look_up: t.Callable[[model.Container, int], model.Container] | None = None,
    ) -> None:
        self._engine = engine
        self._command = command
        self._claim = claim
        self._look_up = look_up

    def sources(self, environment: t.Mapping[str, str]) -> list[str]:
        """All users' containers are found among all processes."""
        return [model.PROCESSES]

    def read(
        self, source: str, timeout: float, wanted: t.Callable[[model.Container], bool]
    ) -> model.Reading:
        """The containers that run, of all users; there is no word of others."""
        try:
            containers = self._containers(source, oci.Clock(timeout))
        except model.EngineError as error:
            return model.Reading(self._engine, source, error=str(error), presence_uncertain=True)
        return model.Reading(
            self._engine,
            source,
            containers=tuple(one if wanted(one) else one._replace(pid=0) for one in containers),
            presence_uncertain=True,
        )

    def still_runs(self, container: model.Container, timeout: float) -> bool:
        """Whether the process is still the first one of this container of this user."""
        try:
            with procfs.opened(container.pid) as process:
                parent = procfs.parent(process)
                monitor = self._monitor(parent, _uid(parent))
                if monitor is None or monitor.claim.id != container.id:
                    return False
                with procfs.opened(parent) as watcher:
                    init = _init(monitor, watcher, container.pid)
        except model.GoneError:
            return False
        except OSError as error:
            raise oci.explain(f"/proc/{container.pid}", error) from None
        return init is not None and init.owned and container.source == _source(monitor.uid)

    def _containers(self, source: str, clock: oci.Clock) -> list[model.Container]:
        with oci.folder(source, source) as proc:
            if proc is None:
                raise model.EngineError(f"there is no folder {source}")
            users = _users_processes(proc, source)
            commands = _texts(proc, users, "comm", clock)
            monitors = [
                monitor
                for pid, command in commands
                if command.rstrip("\n") == self._command
                for monitor in [self._monitor_or_none(pid, users[pid])]
                if monitor is not None
            ]
            if not monitors:
                return []
            children = _children(_texts(proc, users, "stat", clock))
        sees_ours = _Roots()
        found: dict[tuple[int, str], tuple[_Monitor, _Init]] = {}
        for monitor in monitors:
            clock.check(source)
            init = _first_process(monitor, children.get(monitor.pid, ()), sees_ours)
            # An id that a second one claims was read off the first.
            key = (monitor.uid, monitor.claim.id)
            if init is not None and (key not in found or init.started < found[key][1].started):
                found[key] = (monitor, init)
        names = {uid: procfs.user_name(uid) for uid, _identity in found}
        rows = []
        for monitor, init in found.values():
            clock.check(source)
            container = self._container(monitor, init, names[monitor.uid])
            if self._look_up:
                container = self._look_up(container, monitor.uid)
            rows.append((container, init.netns))
        return _in_pods(rows)

    def _monitor_or_none(self, pid: int, uid: int) -> _Monitor | None:
        try:
            return self._monitor(pid, uid)
        except (model.GoneError, OSError):  # it ended
            return None

    def _monitor(self, pid: int, uid: int) -> _Monitor | None:
        with procfs.opened(pid) as process:
            if procfs.command(process) != self._command:
                return None
            claim = self._claim(procfs.read_text(process, "cmdline").split("\0"))
        if claim is None or not _ID.fullmatch(claim.id):
            return None
        return _Monitor(pid, uid, claim)

    def _container(self, monitor: _Monitor, init: _Init, user: str) -> model.Container:
        identity, name = monitor.claim
        problem = None
        if init.netns is not None and not init.owned:
            problem = f"its network namespace {init.netns.inode} is none that {user} made"
        pod = model.Pod(namespace="", name=init.pod[:12], uid=init.pod) if init.pod else None
        return model.Container(
            engine=self._engine,
            source=_source(monitor.uid),
            id=identity,
            name=name if _NAME.fullmatch(name) else identity[:12],
            running=True,
            status="running",
            created=init.started,
            network_mode="host" if init.netns == nsfs.host() else "",
            pid=0 if problem else init.pid,
            pod=pod,
            # Its name is what Podman gives it, and says of which pod it is.
            sandbox=bool(init.pod) and name == f"{init.pod[:12]}-infra",
            user=user,
            problem=problem,
        )


def _source(uid: int) -> str:
    # Everybody can read the ids of others' containers, so that an id alone says nothing.
    return f"{model.PROCESSES}#{uid}"


def _option(arguments: t.Sequence[str], name: str) -> str:
    for argument, following in zip(arguments, arguments[1:]):
        if argument == name:
            return following
    return ""


def _conmons(arguments: t.Sequence[str]) -> _Claim | None:
    """As Podman starts it; one that watches over an exec session has the session's id as -u."""
    identity = _option(arguments, "-c")
    if _option(arguments, "-u") != identity:
        return None
    return _Claim(identity, _option(arguments, "-n"))


def _shims(arguments: t.Sequence[str]) -> _Claim | None:
    if _option(arguments, "-namespace") != "moby":
        return None
    return _Claim(_option(arguments, "-id"))


def _uid(pid: int) -> int:
    """Whose process it is. Raises GoneError."""
    try:
        return os.stat(f"/proc/{pid}").st_uid
    except FileNotFoundError:
        raise model.GoneError(f"there is no process {pid}") from None


def _users_processes(proc: int, source: str) -> dict[int, int]:
    """The processes that are not root's, with whose they are."""
    users = {}
    for name in oci.names(proc, source):
        if name.isdigit():
            with contextlib.suppress(model.GoneError):
                uid = _uid(int(name))
                if uid != 0:
                    users[int(name)] = uid
    return users


def _texts(
    proc: int, pids: t.Iterable[int], name: str, clock: oci.Clock
) -> t.Iterator[tuple[int, str]]:
    """A file of each process that is still there."""
    for pid in pids:
        clock.check(model.PROCESSES)
        # To open the folder of each first would double the time.
        try:
            text = procfs.read_text(proc, f"{pid}/{name}")
        except (model.GoneError, OSError):
            continue
        yield pid, text


def _children(stats: t.Iterable[tuple[int, str]]) -> dict[int, list[int]]:
    """The children of each process, the oldest first."""
    # Not every kernel has /proc/PID/task/TID/children.
    found: dict[int, list[tuple[int, int]]] = {}
    for pid, text in stats:
        fields = procfs.stat_fields(text)
        found.setdefault(int(fields[1]), []).append((int(fields[19]), pid))
    return {parent: [pid for _start, pid in sorted(pids)] for parent, pids in found.items()}


class _Roots:
    """Whether paths mean the same to a process as to us: a whole node can be in a container.

    The kernel's own tables say so. To look at the folder itself could mean to wait for a file
    system that the user serves.
    """

    def __init__(self) -> None:
        with procfs.opened(os.getpid()) as process:
            self._ours = _root(process)
        self._known: dict[str, bool] = {}

    def __call__(self, process: int) -> bool:
        try:
            namespace = os.readlink("ns/mnt", dir_fd=process)
            if namespace not in self._known:
                self._known[namespace] = _root(process) == self._ours
        except PermissionError:  # others' processes, not for an ordinary user
            return True
        return self._known[namespace]


def _root(process: int) -> list[str]:
    """The device, and the folder on it, that a process has as its root."""
    root: list[str] = []
    for line in procfs.read_text(process, "mountinfo").split("\n"):
        fields = line.split(" ", 5)
        if len(fields) > 5 and fields[4] == "/":
            root = fields[2:4]
    return root


def _first_process(
    monitor: _Monitor, children: t.Iterable[int], sees_ours: t.Callable[[int], bool]
) -> _Init | None:
    """The container's first process; processes of `exec` are younger children of a shim."""
    try:
        with procfs.opened(monitor.pid) as watcher:
            if sees_ours(watcher):
                for child in children:
                    with contextlib.suppress(model.GoneError, FileNotFoundError):
                        init = _init(monitor, watcher, child)
                        if init is not None:
                            return init
    except (model.GoneError, OSError):  # it ended
        pass
    return None


def _init(monitor: _Monitor, watcher: int, pid: int) -> _Init | None:
    """What a process of the monitor is to the kernel, None where it is no container's."""
    with procfs.opened(pid) as process:
        fields = procfs.stat_fields(procfs.read_text(process, "stat"))
        if int(fields[1]) != monitor.pid:
            return None
        netns, owned = None, True
        try:
            # The runtime that just makes the container is the monitor's child for a while too.
            if os.readlink("ns/mnt", dir_fd=process) == os.readlink("ns/mnt", dir_fd=watcher):
                return None
            if not _is_users("user", process, monitor.uid):
                return None
            netns = procfs.netns(process)
            owned = netns == nsfs.host() or _is_users("net", process, monitor.uid)
        except PermissionError:  # others' processes, not for an ordinary user
            pass
        match = _POD.search(procfs.read_text(process, "cgroup"))
        return _Init(
            pid,
            procfs.since_epoch(int(fields[19])),
            netns,
            owned,
            match.group(1) if match else "",
        )


def _is_users(kind: str, process: int, uid: int) -> bool:
    """Whether a namespace of a process is, or is owned by, a user namespace that the user made.

    One that was made inside of such a one counts as well. Raises PermissionError.
    """
    ours = os.stat("/proc/self/ns/user").st_ino
    for inode, maker in _user_namespaces(kind, process):
        # Whoever made ours may be unknown in it, and would then look like the user "nobody".
        if inode == ours:
            return False
        if maker == uid:
            return True
    return False


def _user_namespaces(kind: str, process: int) -> t.Iterator[tuple[int, int]]:
    """Inode and maker of the user namespace of a process, or that owns its namespace of a kind.

    After it come those that it is in, as far as they are not beyond ours. Raises PermissionError.
    """
    namespace = os.open(f"ns/{kind}", os.O_RDONLY | os.O_CLOEXEC, dir_fd=process)
    try:
        if kind != "user":
            namespace = _owner(namespace)
        while namespace >= 0:
            yield os.fstat(namespace).st_ino, _maker(namespace)
            namespace = _owner(namespace)
    finally:
        if namespace >= 0:
            os.close(namespace)


def _owner(namespace: int) -> int:
    """The user namespace that owns one, in place of it; -1 where that is beyond ours."""
    try:
        return fcntl.ioctl(namespace, _NS_GET_USERNS)
    except OSError:
        return -1
    finally:
        os.close(namespace)


def _maker(namespace: int) -> int:
    (uid,) = struct.unpack("=I", fcntl.ioctl(namespace, _NS_GET_OWNER_UID, bytes(4)))
    return int(uid)


def _in_pods(
    rows: t.Sequence[tuple[model.Container, model.NetnsId | None]],
) -> list[model.Container]:
    """The containers, of which those join their pod's sandbox that the kernel sees in one with it."""
    sandboxes = {(one.source, one.pod, netns): one.id for one, netns in rows if one.sandbox}
    joined = []
    for one, netns in rows:
        sandbox = sandboxes.get((one.source, one.pod, netns)) if netns else None
        if sandbox and sandbox != one.id:
            joined.append(one._replace(network_mode=f"container:{sandbox}"))
        else:
            joined.append(one)
    return joined


def _dockers(container: model.Container, uid: int) -> model.Container:
    """With name, image and labels as Docker wrote them down in the user's home, where it did."""
    try:
        config = oci.parse_json(_read_at_home(uid, container.id), _DOCKERS_FILE)
        name = values.field(config, "Name", str).lstrip("/")
        if values.field(config, "ID", str) != container.id or not _NAME.fullmatch(name):
            return container
        image = oci.strings({"image": values.field(config, "Config.Image", str)}, "Config")
        labels = oci.strings(values.field(config, "Config.Labels", dict), "Config.Labels")
        return container._replace(name=name, image=image["image"], labels=labels)
    except (KeyError, OSError, model.EngineError):
        return container


def _read_at_home(uid: int, identity: str) -> bytes:
    """Read Docker's file about a container. Raises KeyError, OSError or EngineError.

    The user may have made anything of it: no link is followed, and no mount below the home entered,
    nor a home that is one (a mount can be served by a process of the user, which need never answer).
    """
    fd = os.open(pwd.getpwuid(uid).pw_dir, os.O_PATH | os.O_CLOEXEC)
    try:
        mount = mounts.mount_id(fd)
        if any(one.id == mount and one.fstype.startswith("fuse") for one in mounts.read()):
            raise model.EngineError("a home that a process serves")
        for part in (*_DOCKERS_FOLDER, identity, _DOCKERS_FILE):
            inner = os.open(part, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=fd)
            os.close(fd)
            fd = inner
            if mounts.mount_id(fd) != mount:
                raise model.EngineError(f"a mount at {part}")
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise model.EngineError(f"{_DOCKERS_FILE} is no file")
        # Without O_NONBLOCK a lease (fcntl(2)) of the user's would hold us up.
        flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
        with open(os.open(f"/proc/self/fd/{fd}", flags), "rb") as stream:
            return stream.read(_MAX_DOCKERS_FILE)
    finally:
        os.close(fd)


PODMAN = Rootless("podman", "conmon", _conmons)
# /proc cuts names off after 15 characters.
DOCKER = Rootless("docker", "containerd-shim", _shims, _dockers)
