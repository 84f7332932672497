# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every network namespace on the host, whoever made it, in one pass over /proc and the mounts.

Found by process and thread, by open descriptor, and by pin in every mount namespace that a process
shows. The kernel writes one and the same text about a namespace in all of these places, for
example "net:[4026531840]", so nothing has to be opened, and no path of a container is walked.
"""

from __future__ import annotations

import os
import re
import typing as t

from .. import model
from ..kernel import mounts, netns_reader, nsfs, procfs

_NET = "net:["
_NET_ROOT = re.compile(r"net:\[[0-9]{1,20}\]")
_WAYS = 3


class Name(t.NamedTuple):
    """An entry of a directory of links; `file` is the inode number that the directory lists."""

    netns: model.NetnsId
    file: int


class Namespace:
    """Where a namespace was seen.

    `pids` are the processes that have a thread in it. `pins` are paths in our mount namespace,
    `foreign_pins` and `files` (threads, open descriptors) paths below /proc.
    """

    def __init__(self) -> None:
        self.pids: list[int] = []
        self.files: list[str] = []
        self.pins: list[str] = []
        self.foreign_pins: list[str] = []

    @property
    def holders(self) -> list[int]:
        """The processes that hold it open and have no thread in it."""
        holding = {int(path.split("/")[2]) for path in self.files}
        return sorted(holding.difference(self.pids))

    def target(self, netns: model.NetnsId) -> netns_reader.NetnsRef:
        """Where to open it."""
        return netns_reader.NetnsRef(
            netns,
            (*(f"/proc/{pid}/ns/net" for pid in self.pids[:_WAYS]), *self.pins[:_WAYS]),
            (*self.files[:_WAYS], *self.foreign_pins[:_WAYS]),
        )


class Host(t.NamedTuple):
    """What was found. `shared` is whether mounts made in netns_dir reach other mount namespaces.

    `mounted` is what stands at each path of ours that is a pin. `unreadable` are the processes that
    did not show all that is theirs.
    """

    host: model.NetnsId
    own: model.NetnsId
    shared: bool | None
    namespaces: t.Mapping[model.NetnsId, Namespace]
    mounted: t.Mapping[str, model.NetnsId]
    unreadable: tuple[int, ...]


def read(netns_dir: str) -> Host:
    """Find every namespace, as far as we may look. Processes that vanish meanwhile are left out."""
    scan = _Scan()
    # The mounts come first: engines pin the namespaces of processes, so that one which is seen here
    # without a process after that has none, and is not just about to get its first.
    table = mounts.read()
    scan.own_pins(table)
    scan.processes()
    scan.foreign_pins()
    return Host(
        nsfs.host_netns(),
        nsfs.netns_id(os.stat("/proc/self/ns/net")),
        _is_shared(netns_dir, table),
        scan.namespaces(),
        {path: scan.identity(text) for path, text in scan.mounted.items()},
        tuple(scan.unreadable),
    )


class _Scan:
    def __init__(self) -> None:
        self._device = nsfs.device()
        self._found: dict[str, Namespace] = {}
        self._tables: dict[str, tuple[int, bytes]] = {os.readlink("/proc/self/ns/mnt"): (0, b"")}
        self.mounted: dict[str, str] = {}
        self.unreadable: list[int] = []

    def identity(self, text: str) -> model.NetnsId:
        """The identity of "net:[INODE]": every namespace file is on the kernel's one nsfs."""
        return model.NetnsId(self._device, int(text[len(_NET) : -1]))

    def namespaces(self) -> dict[model.NetnsId, Namespace]:
        return {self.identity(text): found for text, found in self._found.items()}

    def _at(self, text: str) -> Namespace:
        found = self._found.get(text)
        if found is None:
            found = self._found[text] = Namespace()
        return found

    def processes(self) -> None:
        for pid in sorted(procfs.pids()):
            folder = f"/proc/{pid}"
            try:
                self._process(pid, folder)
            except PermissionError:
                self.unreadable.append(pid)
            except OSError:  # it ended
                continue

    def _process(self, pid: int, folder: str) -> None:
        try:
            own = os.readlink(f"{folder}/ns/net")
            self._at(own).pids.append(pid)
        except FileNotFoundError:  # its first thread ended; others may run on
            own = ""
        # Counting the threads is cheaper than listing them, and most processes have just one.
        if os.stat(f"{folder}/task").st_nlink - 2 > 1:
            for tid, target in _links(f"{folder}/task", "/ns/net"):
                if target != own:
                    found = self._at(target)
                    found.files.append(f"{folder}/task/{tid}/ns/net")
                    if not found.pids or found.pids[-1] != pid:
                        found.pids.append(pid)
        for fd, target in _links(f"{folder}/fd", ""):
            if target.startswith(_NET):
                self._at(target).files.append(f"{folder}/fd/{fd}")
        if own:
            self._mount_table(pid, folder)

    def _mount_table(self, pid: int, folder: str) -> None:
        name = os.readlink(f"{folder}/ns/mnt")
        if name not in self._tables:
            with open(f"{folder}/mountinfo", "rb") as stream:
                self._tables[name] = (pid, stream.read())

    def own_pins(self, table: t.Iterable[mounts.Mount]) -> None:
        for mount in table:
            if _is_pin(mount):
                found = self._at(mount.root)
                if mount.point not in found.pins:
                    found.pins.append(mount.point)
                # Of several mounts at one path the table lists the topmost last.
                self.mounted[mount.point] = mount.root

    def foreign_pins(self) -> None:
        """The pins of other mount namespaces, but for those that stand at the same path in ours."""
        seen = set(self.mounted.items())
        for pid, data in self._tables.values():
            # Containers have a mount table each, and hardly any of them a pin.
            if b" - nsfs " not in data:
                continue
            lines = [line for line in data.split(b"\n") if b" - nsfs " in line]
            for mount in mounts.parse(os.fsdecode(b"\n".join(lines))):
                if _is_pin(mount) and (mount.point, mount.root) not in seen:
                    seen.add((mount.point, mount.root))
                    self._at(mount.root).foreign_pins.append(f"/proc/{pid}/root{mount.point}")


def _links(folder: str, rest: str) -> t.Iterator[tuple[str, str]]:
    """Where the symbolic links FOLDER/NAME+REST lead to, by NAME."""
    # Walking the whole path for each would cost half as much again.
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for name in os.listdir(fd):
            try:
                yield name, os.readlink(name + rest, dir_fd=fd)
            except FileNotFoundError:  # it was closed, or ended
                continue
    finally:
        os.close(fd)


def _is_pin(mount: mounts.Mount) -> bool:
    return mount.fstype == "nsfs" and _NET_ROOT.fullmatch(mount.root) is not None


def _is_shared(netns_dir: str, table: t.Iterable[mounts.Mount]) -> bool | None:
    """Whether the mount that netns_dir is in is shared; None where there is no such directory."""
    try:
        fd = os.open(netns_dir, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        identity = mounts.mount_id(fd)
    finally:
        os.close(fd)
    return any(mount.peer_group != 0 for mount in table if mount.id == identity)


def names(folder: str) -> dict[str, Name]:
    """The links in a directory by name; symbolic links to a namespace too. Raises OSError."""
    device = nsfs.device()
    found = {}
    try:
        listing = os.scandir(folder)
    except FileNotFoundError:
        return {}
    with listing:
        for item in listing:
            try:
                status = os.stat(item.path)
            except OSError:  # it leads nowhere, or not for us
                continue
            if status.st_dev == device:
                found[item.name] = Name(nsfs.netns_id(status), item.inode())
    return found


def netns_of(
    container: model.Container, host: Host, still_runs: t.Callable[[model.Container], bool]
) -> model.NetnsId | None:
    """The namespace of a running container; None where the container is gone.

    The engine's own pin beats the PID: a privileged container's first process can move elsewhere.
    It is looked up in the mount table, which tells it also to those who may not follow the path.
    Raises OSError where it may not be seen, EngineError where the engine does not answer.
    """
    if container.pin:
        pinned = host.mounted.get(_resolved(container.pin))
        if pinned is not None:
            return pinned
    try:
        with procfs.opened(container.pid) as process:
            netns = procfs.netns(process)
            # A user's cgroups have the names that the user gives them.
            certain = not container.user and procfs.in_cgroup_of(process, container.id)
    except model.GoneError:
        return None
    # An engine can run containers without cgroups; then only it can say whose the process is.
    return netns if certain or still_runs(container) else None


def _resolved(path: str) -> str:
    folder, name = os.path.split(path)
    if folder.startswith("/var/run/"):
        folder = os.path.realpath(folder)
    return os.path.join(folder, name)
