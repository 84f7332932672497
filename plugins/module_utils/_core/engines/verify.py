# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether the PIDs that a daemon reports are this host's, by what the kernel shows.

A daemon behind a forwarded socket, in a VM, or in a container counts the PIDs of another PID namespace,
and on this host such a PID is any process. So the word of the daemon alone never identifies a process.
"""

from __future__ import annotations

import os
import typing as t

from .. import model
from ..kernel import procfs
from ..named_tuple import NamedTuple
from . import values

# What the kernel shows of a container's PID: that it is the container's, that it may be (it started when
# the container did), that it is not, that there is no such process.
CONFIRMED, POSSIBLE, REFUTED, GONE = range(4)
# The container counts as started once its first process runs, which hooks can delay.
_MAX_START_TIME = 60.0
# Start times have ticks of a hundredth of a second, and clocks are adjusted.
_MAX_DEVIATION = 2.0


class Claim(NamedTuple):
    """What a daemon reports of a container's first process; `started` is an RFC 3339 time."""

    container_id: str
    pid: int
    started: str


def is_possible() -> bool:
    """Whether the caller may see the processes of all users."""
    return os.geteuid() == 0


def is_named(process: int, container_id: str) -> bool:
    """Whether a process is the container's by its cgroup, or by the arguments of its parent.

    The parent of a container's first process is its shim or monitor, which has the ID among its arguments.
    It counts where a container has no cgroup of its own.
    """
    if procfs.in_cgroup_of(process, container_id):
        return True
    try:
        with procfs.opened(procfs.parent(process)) as parent:
            return container_id in procfs.read_text(parent, "cmdline").split("\0")
    except model.GoneError:
        return False


def check(claim: Claim) -> int:
    """CONFIRMED, POSSIBLE, REFUTED or GONE. Raises OSError where the process may not be read."""
    try:
        with procfs.opened(claim.pid) as process:
            if is_named(process, claim.container_id):
                return CONFIRMED
            started = values.timestamp(claim._asdict(), "started")
            age = started - procfs.since_epoch(procfs.start_time(process))
    except model.GoneError:
        return GONE
    except model.EngineError:
        return REFUTED
    return POSSIBLE if -_MAX_DEVIATION <= age <= _MAX_START_TIME else REFUTED


def is_elsewhere(peer_pid: int, daemon: str, results: t.Collection[int]) -> bool:
    """Whether a daemon's PIDs are not this host's: by its containers, and by the process that listens.

    `daemon` is the command of the daemon where it listens itself: systemd may listen in its place, and
    other programs forward sockets.
    """
    if CONFIRMED in results:
        return False
    command, same_namespace = _peer(peer_pid)
    if not same_namespace:
        return True
    if command == daemon:
        return False
    # A container that ended a moment ago is gone as well; by systemd's socket the daemon is likely here.
    return REFUTED in results or (GONE in results and peer_pid != 1)


def is_local(peer_pid: int) -> bool:
    """Whether the process that listens is in our PID namespace."""
    return _peer(peer_pid)[1]


def _peer(pid: int) -> tuple[str, bool]:
    """The command of the process that listens, and whether it is in our PID namespace."""
    if pid <= 0:  # the kernel has no PID for it in our PID namespace
        return "", False
    try:
        with procfs.opened(pid) as process:
            own = os.stat("/proc/self/ns/pid")
            return procfs.command(process), os.path.samestat(os.stat("ns/pid", dir_fd=process), own)
    except (model.GoneError, OSError):  # it ended and left the socket to others
        return "", True


def refused(source: str) -> model.ElsewhereError:
    """The error about a daemon whose PIDs are not this host's."""
    return model.ElsewhereError(
        f"its PIDs are not this host's: the daemon on {source} is on another machine or in another PID "
        "namespace, so its containers are not linked; run this on the host of that daemon"
    )
