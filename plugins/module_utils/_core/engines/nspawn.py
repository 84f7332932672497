# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""systemd-nspawn, read from the state files of systemd-machined about the registered machines.

Each is a file of assignments in /run/systemd/machines (machine_save in src/machine/machine.c), with
the container's first process and the unit of this process. Virtual machines and the containers of
other managers are registered there too. Containers that are not registered, or with a user's own
machined, are not read.

A machine's name is also its ID: it is unique, people type it, and it stays the same over restarts. The
machine ID in its file is new at each start, or that of the image, which copies share. systemd-nspawn
pins no namespaces.
"""

from __future__ import annotations

import os
import re
import typing as t

from .. import model
from ..kernel import procfs
from ..named_tuple import NamedTuple
from . import state_files

NAME = "nspawn"
_MACHINES = "/run/systemd/machines"
# Stopped machines are read from here only; images can be in any other directory.
_IMAGES = "/var/lib/machines"
_SERVICE = "systemd-nspawn"
_MAX_FILE = 1 << 16
_PID = re.compile(r"[1-9][0-9]{0,9}")
_MICROSECONDS = re.compile(r"[0-9]{1,20}")
# A host name, which the symbolic links from units to machines ("unit:machine-web.scope") do not match.
_MACHINE_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,63}")
_ESCAPED = re.compile(r"\\(.)")


def sources(environment: t.Mapping[str, str]) -> list[str]:
    """The directory of state files, where it or that of images exists.

    On some hosts machined creates it only for the first machine.
    """
    return [_MACHINES] if os.path.isdir(_MACHINES) or os.path.isdir(_IMAGES) else []


def read(source: str, timeout: float, wanted: t.Callable[[model.Container], bool]) -> model.Reading:
    """All machines, with their first process where it is in their unit, and stopped ones by image."""
    try:
        containers = tuple(_containers(source, state_files.Deadline(timeout), wanted))
    except model.EngineError as error:
        return model.Reading(NAME, source, error=str(error), presence_uncertain=True)
    return model.Reading(NAME, source, containers=containers, presence_uncertain=True)


def still_runs(container: model.Container, timeout: float) -> bool:
    """Whether the machine's first process is still the one that was read before."""
    with state_files.open_directory(container.source, container.source) as fd:
        machine = None
        if fd is not None:
            machine = _machine(fd, container.id, container.source)
    if machine is not None and machine.unread:
        raise model.EngineError(machine.unread)
    return machine is not None and machine.pid == container.pid and _status(machine) == "running"


class _Machine(NamedTuple):
    """A registered machine; `pid` is 0 and `unit` "" where its file has none. `created` is in seconds.

    `unread` is why its file could not be read; then it may also be another manager's.
    """

    name: str
    pid: int = 0
    unit: str = ""
    created: float = 0.0
    unread: str | None = None


def _containers(
    source: str,
    deadline: state_files.Deadline,
    wanted: t.Callable[[model.Container], bool],
) -> t.Iterator[model.Container]:
    registered = _registered(source, deadline)
    for name, machine in registered.items():
        if machine is not None:
            try:
                if machine.unread:
                    raise model.EngineError(machine.unread)
                container = _container(source, name, _status(machine), machine.created)
            except model.EngineError as error:
                container = _container(source, name, "running")._replace(
                    status="", unread=str(error)
                )
            if container.running and not container.unread and wanted(container):
                container = container._replace(pid=machine.pid)
            yield container
    for name in _images(deadline):
        if name not in registered:
            yield _container(source, name, "stopped")


def _registered(source: str, deadline: state_files.Deadline) -> dict[str, _Machine | None]:
    """All registered machines by name, None for those that are not systemd-nspawn's."""
    machines = {}
    with state_files.open_directory(source, source) as fd:
        for name in state_files.list_directory(fd, source):
            deadline.check(source)
            if fd is not None and _MACHINE_NAME.fullmatch(name):
                machines[name] = _machine(fd, name, source)
    return machines


def _container(source: str, name: str, status: str, created: float = 0.0) -> model.Container:
    return model.Container(
        engine=NAME,
        source=source,
        id=name,
        name=name,
        running=status == "running",
        status=status,
        created=created,
    )


def _images(deadline: state_files.Deadline) -> list[str]:
    try:
        with os.scandir(_IMAGES) as entries:
            names = []
            for entry in entries:
                deadline.check(_IMAGES)
                if _MACHINE_NAME.fullmatch(entry.name) and entry.is_dir():
                    names.append(entry.name)
            return sorted(names)
    except OSError:  # only root may list stopped machines, and nothing depends on them
        return []


def _machine(fd: int, name: str, path: str) -> _Machine | None:
    """A registered container of systemd-nspawn; None for others, and where it is gone."""
    try:
        content = state_files.read_file(fd, name, path, _MAX_FILE)
    except model.EngineError as error:
        return _Machine(name, unread=str(error))
    if content is None:
        return None
    text = content[0].decode("utf-8", "replace")
    values = _assignments(text)
    if "CLASS" not in values or not text.endswith("\n"):
        return _Machine(name, unread=f"{path}/{name} is cut: {text[:60]!r}")
    if values.get("CLASS") != "container" or values.get("SERVICE") != _SERVICE:
        return None
    leader, registered = values.get("LEADER", ""), values.get("REALTIME", "")
    return _Machine(
        name=name,
        pid=int(leader) if _PID.fullmatch(leader) else 0,
        unit=values.get("SCOPE", ""),
        created=int(registered) / 1e6 if _MICROSECONDS.fullmatch(registered) else content[1],
    )


def _assignments(text: str) -> dict[str, str]:
    """The values of KEY=value lines; a value may be in double quotes, with backslash escapes."""
    values = {}
    for line in text.split("\n"):
        key, equals, value = line.partition("=")
        if equals:
            if len(value) > 1 and value[0] == value[-1] == '"':
                value = value[1:-1]
            values[key] = _ESCAPED.sub(r"\1", value)
    return values


def _status(machine: _Machine) -> str:
    """ "running" where its first process runs and is in its unit, else the reason why not."""
    if not machine.pid:
        return "it has no known process"
    try:
        with procfs.opened(machine.pid) as process:
            is_in_unit = _is_in(process, machine.unit)
    except model.GoneError as error:
        return f"its process is gone: {error}"
    except OSError as error:
        raise state_files.read_error(f"/proc/{machine.pid}", error) from None
    return (
        "running" if is_in_unit else f"process {machine.pid} is not in {machine.unit or 'a unit'}"
    )


def _is_in(process: int, unit: str) -> bool:
    # systemd puts an underscore before the name of a cgroup that could be a file of the kernel, such as
    # "cpu.scope".
    names = {unit, f"_{unit}"}
    return bool(unit) and any(
        not names.isdisjoint(line.split(":", 2)[-1].split("/"))
        for line in procfs.cgroup_lines(process)
    )
