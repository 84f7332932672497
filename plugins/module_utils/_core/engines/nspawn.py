# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""systemd-nspawn, read from what systemd-machined keeps about each machine that is registered.

That is a file of assignments in /run/systemd/machines (machine_save in src/machine/machine.c), with
the container's first process and the unit that this is in. Virtual machines and the containers of
other managers are registered there too. What runs without being registered, or is registered with a
user's own machined, is not known here.

A machine's name is its id as well: it is unique, people type it, and it stays over restarts. The
machine ID that machined keeps is a new one at each start, or that of the image, which copies share.
Nothing is pinned.
"""

from __future__ import annotations

import os
import re
import typing as t

from .. import model
from ..kernel import procfs
from . import oci

NAME = "nspawn"
_MACHINES = "/run/systemd/machines"
# Where the machines that do not run are sought; others can be anywhere.
_IMAGES = "/var/lib/machines"
_SERVICE = "systemd-nspawn"
_MAX_FILE = 1 << 16
_PID = re.compile(r"[1-9][0-9]{0,9}")
_MICROSECONDS = re.compile(r"[0-9]{1,20}")
# A host name; the links from units to machines, as "unit:machine-web.scope", are none.
_MACHINE_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,63}")
_ESCAPED = re.compile(r"\\(.)")


def sources(environment: t.Mapping[str, str]) -> list[str]:
    """The folder of registrations, which is only there from the first one on, on some hosts."""
    return [_MACHINES] if os.path.isdir(_MACHINES) or os.path.isdir(_IMAGES) else []


def read(source: str, timeout: float, wanted: t.Callable[[model.Container], bool]) -> model.Reading:
    """All machines, with their first process where it is in their unit, and the images beside."""
    try:
        containers = tuple(_containers(source, oci.Clock(timeout), wanted))
    except model.EngineError as error:
        return model.Reading(NAME, source, error=str(error), presence_uncertain=True)
    return model.Reading(NAME, source, containers=containers, presence_uncertain=True)


def still_runs(container: model.Container, timeout: float) -> bool:
    """Look again whether the machine's first process is still the one that was told before."""
    with oci.folder(container.source, container.source) as folder:
        machine = None
        if folder is not None:
            machine = _machine(folder, container.id, container.source)
    return machine is not None and machine.pid == container.pid and _status(machine) == "running"


class _Machine(t.NamedTuple):
    """A registration; `pid` is 0 and `unit` "" where it has none. `created` is in seconds."""

    name: str
    pid: int
    unit: str
    created: float


def _containers(
    source: str, clock: oci.Clock, wanted: t.Callable[[model.Container], bool]
) -> t.Iterator[model.Container]:
    registered = _registered(source, clock)
    for name, machine in registered.items():
        if machine is not None:
            container = _container(source, name, _status(machine), machine.created)
            if container.running and wanted(container):
                container = container._replace(pid=machine.pid)
            yield container
    for name in _images(clock):
        if name not in registered:
            yield _container(source, name, "stopped")


def _registered(source: str, clock: oci.Clock) -> dict[str, _Machine | None]:
    """All registrations by name, None for what is not systemd-nspawn's."""
    found = {}
    with oci.folder(source, source) as folder:
        for name in oci.names(folder, source):
            clock.check(source)
            if folder is not None and _MACHINE_NAME.fullmatch(name):
                found[name] = _machine(folder, name, source)
    return found


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


def _images(clock: oci.Clock) -> list[str]:
    try:
        with os.scandir(_IMAGES) as listing:
            found = []
            for item in listing:
                clock.check(_IMAGES)
                if _MACHINE_NAME.fullmatch(item.name) and item.is_dir():
                    found.append(item.name)
            return sorted(found)
    except OSError:  # only root may see what does not run, and nothing depends on it
        return []


def _machine(folder: int, name: str, path: str) -> _Machine | None:
    """A registered container of systemd-nspawn; None for others, and where it is gone."""
    found = oci.read_file(folder, name, path, _MAX_FILE)
    if found is None:
        return None
    values = _assignments(found[0].decode("utf-8", "replace"))
    if values.get("CLASS") != "container" or values.get("SERVICE") != _SERVICE:
        return None
    leader, registered = values.get("LEADER", ""), values.get("REALTIME", "")
    return _Machine(
        name=name,
        pid=int(leader) if _PID.fullmatch(leader) else 0,
        unit=values.get("SCOPE", ""),
        created=int(registered) / 1e6 if _MICROSECONDS.fullmatch(registered) else found[1],
    )


def _assignments(text: str) -> dict[str, str]:
    """KEY=value lines, where a value may be in double quotes and has backslashes for escapes."""
    values = {}
    for line in text.split("\n"):
        key, equals, value = line.partition("=")
        if equals:
            if len(value) > 1 and value[0] == value[-1] == '"':
                value = value[1:-1]
            values[key] = _ESCAPED.sub(r"\1", value)
    return values


def _status(machine: _Machine) -> str:
    """Whether its first process is there and in its unit: "running", or what is wrong."""
    if not machine.pid:
        return "no process of it is known"
    try:
        with procfs.opened(machine.pid) as process:
            ours = _is_in(process, machine.unit)
    except model.GoneError as error:
        return f"its process is gone: {error}"
    except OSError as error:
        raise oci.explain(f"/proc/{machine.pid}", error) from None
    return "running" if ours else f"process {machine.pid} is not in {machine.unit or 'a unit'}"


def _is_in(process: int, unit: str) -> bool:
    # The name of a unit is escaped already; that of its cgroup gets an underscore before it where
    # it would look like a file of the kernel's, as that of "cpu.scope".
    folders = {unit, f"_{unit}"}
    return bool(unit) and any(
        not folders.isdisjoint(line.split(":", 2)[-1].split("/"))
        for line in procfs.lines(procfs.read_text(process, "cgroup"))
    )
