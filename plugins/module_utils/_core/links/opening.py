# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Opens the namespace that a snapshot found, and verifies its owner: what is opened here is what is used."""

from __future__ import annotations

import os

from .. import model
from ..engines import registry
from ..kernel import nsfs, procfs
from .origins import Origin


def open_origin(origin: Origin, budget: registry.Budget) -> int:
    """Open the namespace, once; the caller closes the descriptor.

    Raises GoneError where its process or container has ended, or is in another namespace.
    """
    try:
        if origin.path is not None:
            fd, netns = nsfs.open_identified(origin.path)
        else:
            fd, netns = _open(origin, budget)
    except (FileNotFoundError, ProcessLookupError, model.NotANetnsError):
        raise model.GoneError("it ended meanwhile") from None
    return _checked(fd, netns, origin)


def copy_pin(origin: Origin, own_files: int) -> int | None:
    """Make a copy of the engine's pin, to be mounted; the caller closes the descriptor.

    Returns None if there is no pin, or if no copy can be made. The caller then calls open_origin(), which opens the
    namespace or raises the error. `own_files` is what nsfs.open_own_files() returned. Raises GoneError where the pin
    is of another namespace.
    """
    if origin.path is None:
        return None
    try:
        copy, netns = nsfs.copy_identified(origin.path, own_files)
    except (OSError, model.NotANetnsError):
        return None
    return _checked(copy, netns, origin)


def _checked(fd: int, netns: model.NetnsId, origin: Origin) -> int:
    """The descriptor, if it is of the namespace that was found. Closes it otherwise."""
    if netns != origin.netns:
        os.close(fd)
        raise model.GoneError("it moved to another namespace meanwhile")
    return fd


def _open(origin: Origin, budget: registry.Budget) -> tuple[int, model.NetnsId]:
    if origin.container is not None:
        return _open_of_container(origin, origin.container, budget)
    if origin.pid:
        return _open_of_process(origin.fd)
    fd = os.dup(origin.fd)
    return fd, nsfs.netns_id(os.fstat(fd))


def _open_of_container(
    origin: Origin, container: model.Container, budget: registry.Budget
) -> tuple[int, model.NetnsId]:
    """Open the namespace of a container without a pin, by a process that is verified to be its own."""
    process = procfs.open_process(origin.pid)
    try:
        if procfs.start_time(process) != origin.start_time:
            raise model.GoneError(f"PID {origin.pid} belongs to another process now")
        # A user's cgroups have the names that the user gives them.
        if container.user or not procfs.in_cgroup_of(process, container.id):
            # Engines notice an end late, so that asking again does not reveal a PID that was reused.
            if origin.is_young:
                raise model.GoneError(f"process {origin.pid} started while its engine was asked")
            if not registry.still_runs(container, budget):
                raise model.GoneError(f"process {origin.pid} no longer belongs to the container")
        return _open_of_process(process)
    finally:
        os.close(process)


def _open_of_process(process: int) -> tuple[int, model.NetnsId]:
    return nsfs.open_identified(f"{procfs.living_thread(process)}ns/net", dir_fd=process)
