# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the checks look at: what the facts are made from, netns_dir, and little more. Nothing is changed."""

from __future__ import annotations

import functools
import os
import typing as t

from .. import model
from ..engines import registry
from ..facts import gather
from ..facts import request as facts_request
from ..facts.classify import Classifier
from ..facts.records import NamespaceRecord, Sources, as_utf_8
from ..kernel import mounts, netns_reader, rtnetlink
from ..links import etc_netns, ledger, netns_dir
from ..named_tuple import NamedTuple
from ..texts import describe
from .finding import Unknown
from .probes import Probes
from .request import DoctorRequest

if t.TYPE_CHECKING:
    from ..facts.peers import Peer
    from ..facts.records import Details

# What is of use to a check: the rest costs time for each namespace.
_SUBSET = frozenset(
    (
        facts_request.CONTAINERS,
        facts_request.INTERFACES,
        facts_request.ROUTES,
        facts_request.SOCKETS,
    )
)


class Stack(NamedTuple):
    """The pins at one path: those stacked where the path leads, and those that no path leads to any more."""

    layers: tuple[int, ...]
    covered: tuple[mounts.Mount, ...]


class Evidence:
    """A host as it was read once.

    `records` are all namespaces, by namespace. `path_states` are the entries of netns_dir, and `directory` is
    netns_dir itself. `stacks` are the pins in our own mount namespace by path. `host_problem` is why netns_dir is
    not that of the host. `problems` are what could not be read for the checks alone. `pins_propagate` is whether
    what the host mounts in netns_dir is mounted here as well.
    """

    def __init__(
        self,
        request: DoctorRequest,
        gathered: gather.Gathered,
        path_states: t.Mapping[str, netns_dir.PathState],
        directory: netns_dir.Directory,
        stacks: t.Mapping[str, Stack],
        resolv_conf_files: t.Mapping[str, etc_netns.File],
        probes: Probes,
        host_problem: str | None = None,
        problems: t.Sequence[tuple[str, str]] = (),
        pins_propagate: bool = True,
    ) -> None:
        self.request = request
        self.sources: Sources = gathered.sources
        self.details: Details = gathered.details
        self.records = {record.netns: record for record in gathered.selected}
        self.classifier = Classifier(self.sources, True, self.details.processes)
        self.path_states = path_states
        self.directory = directory
        self.stacks = stacks
        self.resolv_conf_files = resolv_conf_files
        self.probes = probes
        self.host_problem = host_problem
        self.problems = problems
        self.pins_propagate = pins_propagate

    @property
    def netns_dir(self) -> str:
        """The directory of the links, without symbolic links in its path."""
        return self.sources.netns_dir

    @property
    def all_processes_read(self) -> bool:
        """Whether all that refers to a namespace was found: without that, nothing is known to be unused."""
        discovered = self.sources.discovered
        return self.sources.is_root and discovered.processes_read and not discovered.problems

    @property
    def engines_read(self) -> bool:
        """Whether every engine on the host was read in full, with all of its containers."""
        return self.sources.engines is None and all(
            reading.error is None and not reading.unread for reading in self.sources.readings
        )

    def require_host(self) -> NamespaceRecord:
        """The host's own namespace. Raises Unknown where its interfaces could not be read."""
        host = self.host
        if host is None or not self.is_complete(host):
            raise Unknown("interfaces", "those of the host could not be read")
        return host

    def require_all_processes(self) -> None:
        """Raise Unknown where something that refers to a namespace may not have been found."""
        if not self.sources.is_root:
            raise Unknown("processes", "only root can read all of them: set `become: true`")
        if not self.all_processes_read:
            raise Unknown("processes", "some of them, or some mount namespaces, could not be read")

    def require_all_engines(self) -> None:
        """Raise Unknown where an engine may have containers that are not known."""
        if self.sources.engines is not None:
            raise Unknown("engines", "only some of them were read: run without `engines`")
        if not self.engines_read:
            raise Unknown("engines", "some of them, or some containers, could not be read")

    def require_host_settings(self, source: str) -> None:
        """Raise Unknown where what this process reads may be about another network namespace than the host's."""
        if not self.sources.is_root:
            raise Unknown(
                source, "only root can read which namespace is the host's: set `become: true`"
            )
        if not self.in_host:
            raise Unknown(source, "this run is not in the host's network namespace")

    def require_read(self, *sources: str) -> None:
        """Raise Unknown where one of these, such as a directory, could not be read."""
        for source, reason in self.problems:
            if source in sources:
                raise Unknown(as_utf_8(source), reason)

    @functools.cached_property
    def by_inode(self) -> dict[int, NamespaceRecord]:
        """The namespaces by inode number."""
        return {record.netns.inode: record for record in self.records.values()}

    @functools.cached_property
    def host(self) -> NamespaceRecord | None:
        """The host's own namespace."""
        return self.records.get(self.sources.discovered.host_netns)

    @property
    def in_host(self) -> bool:
        """Whether this process is in the host's own network namespace, so that /proc/sys/net is the host's."""
        discovered = self.sources.discovered
        return self.sources.is_root and discovered.own_netns == discovered.host_netns

    def containers(self) -> t.Iterator[model.Container]:
        """The containers of all engines."""
        for reading in self.sources.readings:
            yield from reading.containers

    def was_read(self, key: model.ContainerKey) -> bool:
        """Whether the container's daemon was read in full, so that one that it does not list does not exist."""
        return any(
            reading.contains(key) and not reading.unread for reading in self.sources.readings
        )

    def names(self, record: NamespaceRecord) -> tuple[str, ...]:
        """The names of a namespace in netns_dir."""
        return tuple(sorted(map(as_utf_8, record.names)))

    def container_names(self, record: NamespaceRecord) -> tuple[str, ...]:
        """The names of the containers in a namespace."""
        return tuple(sorted(as_utf_8(each.name) for each in record.containers if not each.sandbox))

    def title(self, record: NamespaceRecord) -> str:
        """A namespace for messages: its owner, else its name, else its number."""
        if self.classifier.is_host(record):
            return "the host"
        owner = record.owner
        if owner is not None:
            return describe(owner)
        names = self.names(record)
        return f"namespace {names[0]}" if names else f"namespace net:[{record.netns.inode}]"

    def is_old(self, path: str) -> bool:
        """Whether a file has been there for `min_age`."""
        return self._lasted(self.probes.age(path))

    def is_old_target(self, path: str) -> bool:
        """Whether the namespace that an open descriptor leads to has been there for `min_age`."""
        return self._lasted(self.probes.age_of_target(path))

    def is_old_process(self, pid: int) -> bool:
        """Whether a process has run for `min_age`."""
        return self._lasted(self.probes.process_age(pid))

    def is_old_proxy(self, port: model.Port) -> bool:
        """Whether a docker-proxy has passed a port on for `min_age`."""
        return self._lasted(self.probes.proxy_age(port))

    def _lasted(self, age: float | None) -> bool:
        return age is not None and age >= self.request.min_age

    def interfaces(self, record: NamespaceRecord) -> tuple[rtnetlink.Interface, ...]:
        """The interfaces in a namespace; none where they could not be read."""
        return self.view(record).interfaces or ()

    def addresses(self, record: NamespaceRecord, ifindex: int) -> list[str]:
        """The addresses of an interface, each with its prefix length."""
        return [
            address.text
            for address in self.view(record).addresses or ()
            if address.ifindex == ifindex
        ]

    def routes(self, record: NamespaceRecord) -> tuple[rtnetlink.Route, ...]:
        """The routes of the main table of a namespace; none where they could not be read."""
        return self.view(record).routes or ()

    def is_complete(self, record: NamespaceRecord) -> bool:
        """Whether interfaces, addresses and routes of a namespace were read in full."""
        view = self.view(record)
        return view.problem is None and None not in (view.interfaces, view.addresses, view.routes)

    def peer(self, record: NamespaceRecord, ifindex: int) -> Peer | None:
        """The other end of an interface, or what is beneath it."""
        return self.details.peers.get(record.netns, {}).get(ifindex)

    def view(self, record: NamespaceRecord) -> netns_reader.View:
        """What the kernel reported about a namespace."""
        return self.details.views.get(record.netns) or netns_reader.View()


def read(request: DoctorRequest, ledger_directory: str = ledger.DIRECTORY) -> Evidence:
    """Read the host. What could not be read is in the evidence; nothing raises for that."""
    gathered = gather.read(
        facts_request.FactsRequest(
            request.netns_dir,
            request.engines,
            request.timeout,
            _SUBSET,
            sources=registry.parse_sources(request.sources, request.engines),
        ),
        ledger_directory,
    )
    directory_path = gathered.sources.netns_dir
    problems = []
    table = {mount.id: mount for mount in mounts.read()}
    path_states: dict[str, netns_dir.PathState] = {}
    directory = netns_dir.Directory()
    host_problem = None
    try:
        # Without entries of the ledger: who else pins a namespace on an empty file is of interest for all of them.
        path_states, directory = netns_dir.read(directory_path, {})
        if directory.mount and gathered.sources.is_root:
            netns_dir.is_on_host_mount(directory_path, directory.mount)
    except model.SelectionError as error:
        if directory.mount:
            host_problem = str(error)
        else:
            problems.append((directory_path, str(error)))
    except OSError as error:
        problems.append((directory_path, error.strerror or str(error)))
    resolv_conf_files: dict[str, etc_netns.File] = {}
    try:
        resolv_conf_files = etc_netns.present()
    except OSError as error:
        problems.append((etc_netns.DIRECTORY, error.strerror or str(error)))
    probes = Probes()
    return Evidence(
        request,
        gathered,
        path_states,
        directory,
        _stacks(table),
        resolv_conf_files,
        probes,
        host_problem,
        problems,
        _pins_propagate(directory, table, probes),
    )


def _pins_propagate(
    directory: netns_dir.Directory, table: t.Mapping[int, mounts.Mount], probes: Probes
) -> bool:
    """Whether pins that the host makes in netns_dir are here as well.

    A container with the host's directory, as by `-v /run:/run`, has only those that were there when it started: the
    others are empty files for it, and it sees none of the host's processes.
    """
    mount = directory.mount
    if mount is None or not directory.shared or (directory.mount_point and not directory.self_bind):
        return False
    below = table.get(mount.parent) if directory.self_bind else mount
    return probes.sees_all_processes() or (below is not None and below.peer_group != 0)


def _stacks(table: t.Mapping[int, mounts.Mount]) -> dict[str, Stack]:
    """The pins in our own mount namespace, by path, where there are several or one is covered."""
    directories = {
        os.path.dirname(mount.point)
        for mount in table.values()
        if mount.fstype == "nsfs" and mount.root.startswith("net:[")
    }
    stacks = {}
    for directory in directories:
        try:
            fd = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError:
            continue
        try:
            top = mounts.mount_id(fd)
        finally:
            os.close(fd)
        if top not in table:  # it was mounted over just now
            continue
        layers, covered = netns_dir.pins_in(directory, top, table)
        for name in {*layers, *covered}:
            stack = Stack(tuple(layers.get(name, ())), tuple(covered.get(name, ())))
            if len(stack.layers) > 1 or stack.covered:
                stacks[os.path.join(directory, name)] = stack
    return stacks
