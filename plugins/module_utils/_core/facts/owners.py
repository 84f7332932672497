# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read what shows who owns namespaces, beside the engines: names, networks, published ports."""

from __future__ import annotations

import contextlib
import os
import time
import typing as t

from .. import model
from ..engines import pin_paths, registry
from ..kernel import nsfs, procfs
from ..links import ledger
from . import discovery
from .request import CONTAINERS, SOCKETS, FactsRequest

if t.TYPE_CHECKING:
    # A run loads it only where it needs it.
    from . import forwards

# The seconds that an engine may need between pinning a namespace and starting its first process.
_CONTAINER_START_TIME = 10.0


def networks_by_pin(
    request: FactsRequest,
    budget: registry.Budget,
    pins: pin_paths.Pins,
    paths: t.Iterable[str],
    problems: list[tuple[str, str]],
) -> dict[str, model.Network]:
    """The networks that have a namespace of their own, by its pin. Adds why some may be missing to `problems`."""
    if CONTAINERS not in request.subset:
        return {}
    networks, reasons = pins.networks(request.engines, paths, budget)
    problems += reasons
    return networks


def published(
    request: FactsRequest,
    readings: t.Sequence[model.Reading],
    deadline: float,
    problems: list[tuple[str, str]],
) -> t.Sequence[forwards.Forward] | None:
    """The published ports; None where they are not requested, or the engines are not read.

    Adds why some may be missing to `problems`.
    """
    if not {SOCKETS, CONTAINERS} <= request.subset:
        return None
    from . import forwards  # noqa: PLC0415 - only where sockets are requested

    found, reasons = forwards.read(readings, deadline - time.monotonic())
    problems += [(forwards.CNI, reason) for reason in reasons]
    return found


def names_by_dir(
    netns_dir: str, link_paths: t.Iterable[str], problems: list[tuple[str, str]]
) -> dict[str, dict[str, nsfs.DirectoryEntry]]:
    """The names in netns_dir, and in the other directories that the ledger has links in.

    Adds the directories that could not be read to `problems`.
    """
    names: dict[str, dict[str, nsfs.DirectoryEntry]] = {}
    for directory in {netns_dir, *map(os.path.dirname, link_paths)}:
        try:
            names[directory] = nsfs.list_names(directory)
        except OSError as error:
            names[directory] = {}
            problems.append((directory, error.strerror or str(error)))
    return names


def container_netns(
    readings: t.Iterable[model.Reading],
    recognized: t.Mapping[model.ContainerKey, ledger.Entry],
    discovered: discovery.HostNamespaces,
    budget: registry.Budget,
) -> dict[model.ContainerKey, model.NetnsId | None]:
    """The namespace of each running container, None where it could not be read.

    `recognized` has the ledger entries of containers that still have the first process in their entry.
    """
    by_container: dict[model.ContainerKey, model.NetnsId | None] = {}
    for reading in readings:
        for container in reading.containers:
            if not container.pid:
                continue
            entry = recognized.get(container.key)
            try:
                netns = discovery.container_netns(
                    container,
                    discovered,
                    lambda each: registry.still_runs(each, budget),
                    entry.netns if entry else None,
                )
            except (OSError, model.EngineError):
                by_container[container.key] = None
                continue
            if netns is not None:
                by_container[container.key] = netns
    return by_container


def start_times(ledger_entries: t.Mapping[str, ledger.Entry]) -> dict[int, int | None]:
    """The start times of the processes that were linked by their PID, None where it may not be read."""
    pids = {entry.pid for entry in ledger_entries.values() if entry.pid and entry.key is None}
    found: dict[int, int | None] = {}
    for pid in pids:
        with contextlib.suppress(model.GoneError):
            try:
                with procfs.opened(pid) as process:
                    found[pid] = procfs.start_time(process)
            except OSError:  # the owner exists, as far as is known
                found[pid] = None
    return found


def changing_dirs(pins: t.Iterable[str]) -> set[str]:
    """The directories of pins that changed a moment ago, where a container may be starting."""
    changing = set()
    for directory in set(map(os.path.dirname, pins)):
        try:
            age = time.time() - os.stat(directory).st_mtime
        except OSError:
            continue
        if age < _CONTAINER_START_TIME:
            changing.add(directory)
    return changing
