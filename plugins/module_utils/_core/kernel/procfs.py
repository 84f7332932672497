# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Processes (proc(5)), read through a descriptor of /proc/PID so that a reused PID is not mistaken."""

from __future__ import annotations

import contextlib
import errno
import functools
import os
import re
import sys
import time
import typing as t

from .. import model
from . import libc, mounts, nsfs

_READ_SIZE = 1 << 16
_USER_MANAGER = re.compile(r"user@[0-9]+\.service")
# Since LXC 4; and before.
_LXC_PAYLOAD = re.compile(r"(?:/lxc\.payload[./]|\A/lxc/)([^/]+)")
_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
_Answer = t.TypeVar("_Answer")


def open_process(pid: int) -> int:
    """Open /proc/PID. What is read through the descriptor is about this one process, or fails."""
    try:
        return os.open(f"/proc/{pid}", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise model.GoneError(f"there is no process {pid}") from None


@contextlib.contextmanager
def opened(pid: int) -> t.Iterator[int]:
    """Open /proc/PID for a `with` block."""
    process = open_process(pid)
    try:
        yield process
    finally:
        os.close(process)


def read_text(process: int, name: str) -> str:
    """Read a small file of an opened process. Raises GoneError if the process has ended."""
    try:
        fd = os.open(name, os.O_RDONLY | os.O_CLOEXEC, dir_fd=process)
        try:
            return os.fsdecode(os.read(fd, _READ_SIZE))
        finally:
            os.close(fd)
    except (FileNotFoundError, ProcessLookupError):
        raise model.GoneError("the process ended") from None


def lines(text: str) -> list[str]:
    """The lines of a file in /proc.

    The kernel escapes only the line ends that it writes itself. splitlines() also splits at others,
    which anybody can put into the names of processes and cgroups.
    """
    return text[: -1 if text.endswith("\n") else None].split("\n")


def stat_fields(text: str) -> list[str]:
    """The fields of a stat file from the third on. The second, the command, may contain anything."""
    return text.rpartition(")")[2].split()


def start_time(process: int) -> int:
    """The start time of the process, in clock ticks since boot (field 22 of stat)."""
    return int(stat_fields(read_text(process, "stat"))[19])


def pidfd_inode(pid: int) -> int | None:
    """The inode number of a pidfd of the process, which no other process has until the next boot.

    None where the process is gone, and on kernels before Linux 6.9 or with 32 bits.
    """
    if not _has_pidfs():
        return None
    try:
        pidfd = libc.pidfd_open(pid)
    except OSError:
        return None
    try:
        return os.fstat(pidfd).st_ino
    finally:
        os.close(pidfd)


@functools.lru_cache(maxsize=None)
def _has_pidfs() -> bool:
    """Whether pidfds are files of pidfs, as since Linux 6.9. Before, they all have the same inode number."""
    if sys.maxsize <= 1 << 32:  # there, the numbers have 32 bits, and are used again
        return False
    try:
        pidfd = libc.pidfd_open(os.getpid())
    except OSError:
        return False
    try:
        return libc.is_file_system(pidfd, frozenset([libc.PIDFS]))
    finally:
        os.close(pidfd)


def age(process: int) -> float:
    """For how many seconds the process has run."""
    return (now() - start_time(process)) / _TICKS_PER_SECOND


def now() -> int:
    """The current time in clock ticks since boot, comparable with start times."""
    return int(time.clock_gettime(time.CLOCK_BOOTTIME) * _TICKS_PER_SECOND)


def since_epoch(ticks: int) -> float:
    """Convert a start time to seconds since the epoch, by the clock as it is set now."""
    boot = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
    return boot + ticks / _TICKS_PER_SECOND


def parent(process: int) -> int:
    """The PID of the parent process."""
    return int(stat_fields(read_text(process, "stat"))[1])


def status_field(process: int, name: str) -> list[str]:
    """The values of one field in the status file of the process."""
    text = read_text(process, "status")
    _before, found, after = f"\n{text}".partition(f"\n{name}:")
    if not found:
        raise model.GoneError("the process ended")
    return after.partition("\n")[0].split()


def command(process: int) -> str:
    """The command name of the process (comm)."""
    return read_text(process, "comm").rstrip("\n")


def user(process: int) -> int:
    """The effective user id of the process, which always owns its directory. status takes ten times as long to read."""
    uid = os.fstat(process).st_uid
    if uid == 0:
        # The directory of a process that has ended is root's as well.
        try:
            os.stat("stat", dir_fd=process)
        except (FileNotFoundError, ProcessLookupError):
            raise model.GoneError("the process ended") from None
    return uid


def command_line(process: int) -> list[str]:
    """The arguments of the process, which it can change."""
    return read_text(process, "cmdline").rstrip("\0").split("\0")


def systemd_cgroups(process: int) -> list[str]:
    """The paths of the process in the cgroup of v2, and in the one that systemd adds to those of v1."""
    paths = []
    for line in lines(read_text(process, "cgroup")):
        number, _colon, rest = line.partition(":")
        controllers, _colon, path = rest.partition(":")
        if number == "0" or controllers == "name=systemd":
            paths.append(path)
    return paths


def unit(cgroups: t.Iterable[str]) -> str | None:
    """The systemd unit of the host that such paths are in. For a user's service it is that service.

    systemd has a unit in slices, and nothing above these. What is below a unit, or in another place, can
    be of a systemd in a container.
    """
    for path in cgroups:
        found = None
        for part in path.split("/"):
            if part in ("", "..") or part.endswith(".slice"):
                continue
            if not part.endswith((".service", ".scope")) or (found and part == "init.scope"):
                break
            found = part
            if not _USER_MANAGER.fullmatch(part):
                break
        if found:
            return found
    return None


def lxc_payload(cgroups: t.Iterable[str]) -> str | None:
    """The name of the LXC container that such paths are in, as liblxc, LXD and Incus name cgroups."""
    for path in cgroups:
        match = _LXC_PAYLOAD.search(path)
        if match:
            return match.group(1)
    return None


def living_thread(process: int) -> str:
    """Where the files of a thread that runs are below /proc/PID: "" for the first, "task/TID/" for another.

    A first thread that ended before the others has no namespaces and no root directory any more, and
    with cgroup v1 no cgroups. "" as well where all have ended.
    """
    try:
        os.readlink("ns/net", dir_fd=process)
    except PermissionError:  # so that it runs
        return ""
    except (FileNotFoundError, ProcessLookupError):
        return next(iter(_other_threads(process).values()), "")
    return ""


def _other_threads(process: int) -> dict[str, str]:
    """The oldest thread in each network namespace, by the kernel's text for that."""
    threads: dict[str, str] = {}
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        fd = os.open("task", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=process)
        try:
            for thread in sorted(os.listdir(fd), key=int):
                with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                    path = f"task/{thread}/"
                    threads.setdefault(_ask(os.readlink, f"{path}ns/net", process), path)
        finally:
            os.close(fd)
    return threads


def cgroup_lines(process: int) -> t.Iterator[str]:
    """The lines of the cgroup file. Of a process whose first thread ended, also those of another one."""
    yield from lines(read_text(process, "cgroup"))
    thread = living_thread(process)
    if thread:
        yield from lines(read_text(process, f"{thread}cgroup"))


def in_cgroup_of(process: int, container_id: str) -> bool:
    """Whether a cgroup of the process is named after the container, as all engines do."""
    return names_container(cgroup_lines(process), container_id)


def names_container(cgroups: t.Iterable[str], container_id: str) -> bool:
    """Whether one of these lines of a cgroup file names the container."""
    for line in cgroups:
        for part in line.split(":", 2)[-1].split("/"):
            name = part[: -len(".scope")] if part.endswith(".scope") else part
            prefix, _id, _rest = name.rpartition(container_id)
            # docker-ID, cri-containerd-ID, libpod-ID …; libpod-conmon-ID is only the monitor's.
            if name.endswith(container_id) and not prefix.endswith("conmon-"):
                return not prefix or prefix.endswith("-")
    return False


def shares_root(process: int) -> bool:
    """Whether the process has our root directory, so that a path leads both to the same file."""
    try:
        return os.path.samestat(os.stat("root", dir_fd=process), os.stat("/"))
    except PermissionError:  # an ordinary user may not see this of processes of others
        return True


def netns(process: int) -> model.NetnsId:
    """The network namespace of an opened process. Raises OSError where its threads are in several."""
    try:
        return nsfs.netns_id(_ask(os.stat, "ns/net", process))
    except (FileNotFoundError, ProcessLookupError):
        pass
    threads = list(_other_threads(process).values())
    if len(threads) > 1:
        reason = "its first thread ended, and the others are in several network namespaces"
        raise OSError(errno.EBUSY, reason, "task")
    try:
        return nsfs.netns_id(_ask(os.stat, f"{''.join(threads)}ns/net", process))
    except (FileNotFoundError, ProcessLookupError):
        raise model.GoneError("the process ended") from None


def _ask(call: t.Callable[..., _Answer], name: str, process: int) -> _Answer:
    """Call readlink or stat for a link below /proc/PID.

    The kernel also refuses (EACCES) what ends at this moment. Asked again, it answers that it is gone.
    """
    try:
        return call(name, dir_fd=process)
    except PermissionError:
        return call(name, dir_fd=process)


def pids() -> t.Iterator[int]:
    """The PIDs in /proc."""
    for name in os.listdir("/proc"):
        if name.isdigit():
            yield int(name)


def nonroot_commands() -> set[str]:
    """The command names of all processes that do not run as root."""
    commands = set()
    for pid in pids():
        try:
            if os.stat(f"/proc/{pid}").st_uid != 0:
                with open(f"/proc/{pid}/comm", "rb") as stream:
                    commands.add(os.fsdecode(stream.read()).rstrip("\n"))
        except OSError:  # the process ended
            continue
    return commands


def other_mount_tables() -> t.Iterator[tuple[int, list[mounts.Mount]]]:
    """A PID in each mount namespace but the caller's own that may have pins, and the mount table of that namespace."""
    read = {os.stat("/proc/self/ns/mnt").st_ino}
    for pid in pids():
        try:
            inode = os.stat(f"/proc/{pid}/ns/mnt").st_ino
            if inode not in read:
                read.add(inode)
                if mounts.may_have_pins(f"/proc/{pid}"):
                    yield pid, mounts.read(f"/proc/{pid}/mountinfo")
        except OSError:  # the process ended, or is a kernel thread
            continue
