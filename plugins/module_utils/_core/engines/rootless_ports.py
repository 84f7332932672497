# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The ports that rootless engines publish, by the user's own files.

The user controls these, so they count only for sockets that a process of this user has, and for containers of
this user, both of which the kernel shows.
"""

from __future__ import annotations

import typing as t

from .. import model
from ..kernel import procfs
from . import daemons, pasta, ports, state_files, user_files

if t.TYPE_CHECKING:
    from . import podman_state

# The programs that listen on the host for rootless containers; Podman 3 and RootlessKit start themselves again by
# /proc/self/exe.
COMMANDS = ("rootlessport", "rootlesskit", "slirp4netns", "exe", *pasta.COMMANDS)
_PODMAN_DIRECTORY = (".local", "share", "containers", "storage")
_DATABASES = (("db.sql",), ("libpod", "bolt_state.db"))
_MAX_DATABASE = 1 << 25


def published(
    uid: int, containers: t.Sequence[model.Container], deadline: state_files.Deadline
) -> dict[model.ContainerKey, tuple[model.Port, ...]]:
    """The ports of these containers of a user. Those that could not be read have none."""
    found = {container.key: container.ports for container in containers}
    by_graph: dict[tuple[str, ...], list[model.Container]] = {}
    for container in containers:
        if container.engine == "podman" and container.pid:
            by_graph.setdefault(_graph(uid, container), []).append(container)
    for graph, members in by_graph.items():
        records = _records(uid, graph, deadline)
        for container in members:
            if container.id in records:
                record = records[container.id]
                found[container.key] = ports.from_podman_database(record.config, record.state)
    return found


def _graph(uid: int, container: model.Container) -> tuple[str, ...]:
    """Where below the user's home the storage is that a container is in, by the arguments of its monitor."""
    try:
        with procfs.opened(container.pid) as process:
            parent = procfs.parent(process)
        with procfs.opened(parent) as monitor:
            bundle = daemons.option(monitor, "b")
        home = f"{user_files.home(uid)}/"
    except (model.GoneError, model.EngineError, OSError):
        return _PODMAN_DIRECTORY
    # GRAPHROOT/DRIVER-containers/ID/userdata
    parts = bundle[len(home) :].split("/")[:-3] if bundle.startswith(home) else []
    return tuple(parts) if parts and ".." not in parts else _PODMAN_DIRECTORY


def _records(
    uid: int, graph: t.Sequence[str], deadline: state_files.Deadline
) -> dict[str, podman_state.Record]:
    from . import podman_state  # noqa: PLC0415 - few hosts have rootless containers of Podman

    records: dict[str, podman_state.Record] = {}
    for name in _DATABASES:
        try:
            with user_files.opened(uid, (*graph, *name)) as fd:
                read = podman_state.records_of_user(name[-1], fd, _MAX_DATABASE, deadline)
        except (OSError, model.EngineError):
            continue
        for record in read:
            # After an upgrade the old database may still contain it.
            if not record.error:
                records.setdefault(record.id, record)
    return records
