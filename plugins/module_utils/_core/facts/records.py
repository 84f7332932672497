# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What was read on a host (Sources, Details), joined into a record for each namespace."""

from __future__ import annotations

import os
import re
import types
import typing as t

from .. import model, selection, untrusted
from ..engines import pin_paths
from ..kernel import netns_reader, nsfs
from ..links import ledger
from ..named_tuple import NamedTuple
from . import discovery

_FIREJAIL = "/run/firejail/name"
_MAX_NAME = 64
_NODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")

if t.TYPE_CHECKING:
    # A run loads these only where it needs them.
    from .. import dns
    from . import forwards, listeners, peers


class Process(NamedTuple):
    """A process: its command, its systemd unit, and its user (None: root).

    `machine` is the container or node that it is part of, where no engine reports that.
    """

    command: str
    unit: str | None
    user: str | None
    machine: str | None = None


def mininet_node(arguments: t.Sequence[str]) -> str | None:
    """The name of the node whose shell has these arguments: Mininet's nodes have nothing else."""
    prefix, _colon, name = arguments[-1].partition(":")
    return name if prefix == "mininet" and _NODE.fullmatch(name) else None


def firejail_sandbox(pid: int) -> str | None:
    """The name of the sandbox that a process of firejail runs, by the file that firejail writes as root."""
    try:
        data, _status = untrusted.read_file(f"{_FIREJAIL}/{pid}", _MAX_NAME)
    except (untrusted.UnusableFileError, OSError):
        return None
    name = data.decode("ascii", "replace").rstrip("\n")
    return name if _NODE.fullmatch(name) else None


def gvisor_netstack(arguments: t.Sequence[str]) -> str | None:
    """The network stack of the sandbox of gVisor with these arguments, None where it uses the kernel's."""
    options = arguments[1:]
    # `runsc --network=host` passes the calls on to the kernel.
    uses_kernel = any(option.lstrip("-") == "network=host" for option in options)
    return "gvisor" if arguments[0] == "runsc-sandbox" and not uses_kernel else None


class Sources(NamedTuple):
    """What was read to find out which namespaces there are and who owns them.

    `engines` are those that were requested, None for all.
    `names_by_dir` are the entries of directories of links, by directory and name. `container_netns`
    is the namespace of each running container, None where it could not be read. `networks_by_pin`
    are the networks whose own sandboxes are pinned. `ledger_entries` is None where the ledger could
    not be read; `start_times` are those of the processes that it names and that exist, None where it may not be read.
    `changing_dirs` are directories of pins that changed a moment ago. `problems` is what else could
    not be read, as (source, reason). `is_root` is False where root could read more. `forwards` are the ports
    that are published to containers, None where they were not requested. `pins` is who makes which pins.
    """

    netns_dir: str
    engines: t.Sequence[str] | None
    discovered: discovery.HostNamespaces
    names_by_dir: t.Mapping[str, t.Mapping[str, nsfs.DirectoryEntry]]
    readings: t.Sequence[model.Reading]
    container_netns: t.Mapping[model.ContainerKey, model.NetnsId | None]
    networks_by_pin: t.Mapping[str, model.Network]
    ledger_entries: t.Mapping[str, ledger.Entry] | None
    start_times: t.Mapping[int, int | None]
    changing_dirs: t.Collection[str]
    problems: t.Sequence[tuple[str, str]]
    is_root: bool
    forwards: t.Sequence[forwards.Forward] | None
    pins: pin_paths.Pins = pin_paths.Pins()


class Details(NamedTuple):
    """What was read about the selected namespaces.

    `peer_problems` are why some of the `peers` may be missing, and `user_problem` is why users have
    numbers for names. `dns` are the resolver settings of
    the containers that own a namespace. `processes` are those that are shown or show the owner.
    `socket_holders` are the processes of each socket that listens, and `rootless_forwards` the ports that these
    show to be published. `netstacks` are the user-space network stacks of containers.
    """

    views: t.Mapping[model.NetnsId, netns_reader.View]
    processes: t.Mapping[int, Process]
    peers: peers.Peers
    peer_problems: t.Sequence[str]
    dns: t.Mapping[model.NetnsId, dns.Result]
    socket_holders: listeners.Holders
    user_problem: str | None = None
    netstacks: t.Mapping[model.NetnsId, str] = types.MappingProxyType({})
    rootless_forwards: t.Sequence[forwards.Forward] = ()


class NamespaceRecord:
    """A namespace with its names, ledger entries and containers."""

    def __init__(self, netns: model.NetnsId, references: discovery.References) -> None:
        self.netns = netns
        self.references = references
        self.names: list[str] = []
        self.ledger_entries: list[ledger.Entry] = []
        self.containers: list[model.Container] = []

    @property
    def representative_pid(self) -> int | None:
        """A process that shows who owns the namespace where no engine does."""
        return next(iter([*self.references.pids, *self.references.holders]), None)

    @property
    def owner(self) -> model.Container | None:
        """The container that owns the namespace: it did not join it, and is the oldest of several."""
        owners = sorted(
            self.containers,
            key=lambda container: (bool(container.joined), container.created, container.id),
        )
        return owners[0] if owners else None


def records(sources: Sources, patterns: t.Sequence[str] | None) -> list[NamespaceRecord]:
    """The records of the selected namespaces, sorted by inode."""
    by_netns = {
        netns: NamespaceRecord(netns, references)
        for netns, references in sources.discovered.namespaces.items()
    }
    for name, listed in sources.names_by_dir[sources.netns_dir].items():
        if listed.netns in by_netns:
            by_netns[listed.netns].names.append(name)
    for entry in (sources.ledger_entries or {}).values():
        link = sources.names_by_dir.get(os.path.dirname(entry.path), {}).get(entry.name)
        # An entry claims only a link that matches in full: its path may have been used again.
        if link and link.netns in by_netns and entry.claims(link.netns) and entry.file == link.file:
            by_netns[link.netns].ledger_entries.append(entry)
    for reading in sources.readings:
        for container in reading.containers:
            netns = sources.container_netns.get(container.key)
            if netns in by_netns:
                by_netns[netns].containers.append(container)
    selected = set(by_netns) if patterns is None else selected_netns(by_netns.values(), patterns)
    return [by_netns[netns] for netns in sorted(selected, key=lambda netns: netns.inode)]


def selected_netns(
    all_records: t.Iterable[NamespaceRecord], patterns: t.Iterable[str]
) -> set[model.NetnsId]:
    """The namespaces whose containers or names in netns_dir the patterns select."""
    identities = []
    for record in all_records:
        identities.append((selection.Identity(tuple(record.names)), record.netns))
        identities += [
            (selection.identity_of(container), record.netns) for container in record.containers
        ]
    return {
        netns
        for pattern in patterns
        for _identity, netns in selection.resolve(pattern, identities, lambda pair: pair[0])[1]
    }


def as_utf_8(text: str) -> str:
    """Escape the bytes of a file name or command that are not UTF-8: JSON cannot contain them."""
    return os.fsencode(text).decode("utf-8", "backslashreplace")
