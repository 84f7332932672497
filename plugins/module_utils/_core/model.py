# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the program talks about: namespaces, containers, links, and typed errors."""

from __future__ import annotations

import typing as t

from .named_tuple import NamedTuple

# The source of rootless containers, which are read from their monitor processes. The containers of each
# user have the source "/proc#UID".
PROCESSES = "/proc"

# The states of an engine that is on the host: `Reading.state`. Of one that is absent there is no Reading.
READ = "read"
# Nothing of it runs that could be asked.
DOWN = "down"
UNREADABLE = "unreadable"
# Its processes are not those of this host: a forwarded socket, a VM, another PID namespace.
ELSEWHERE = "elsewhere"


class NetnsError(Exception):
    """Anything that ends a run; the message names the thing and the way out."""


class EngineError(NetnsError):
    """An engine could not be read in full; the message is the reason."""

    state = UNREADABLE


class DownError(EngineError):
    """No daemon of the engine runs that could be asked."""

    state = DOWN


class ElsewhereError(EngineError):
    """The engine's processes are not those of this host."""

    state = ELSEWHERE


class SelectionError(NetnsError):
    """Something named exactly cannot be linked; nothing was changed."""


class NotANetnsError(NetnsError):
    """A file that should be a network namespace is something else."""


class GoneError(NetnsError):
    """What was planned for is not there any more: the process or container ended."""


class ContradictionError(NetnsError):
    """An engine and the kernel contradict each other about a running container."""


class NetnsId(NamedTuple):
    """A network namespace, for as long as it lives: `st_dev` and `st_ino` of its nsfs file.

    The kernel reuses inode numbers at once, so a later namespace can have the same values.
    """

    dev: int
    inode: int


class ContainerKey(NamedTuple):
    """Which container of which daemon: `source` is the engine's socket or state directory."""

    engine: str
    source: str
    id: str


class Pod(NamedTuple):
    """A pod as its orchestrator names it; `namespace` is empty where pods have none (Podman)."""

    namespace: str
    name: str
    uid: str

    @property
    def full_name(self) -> str:
        """NAMESPACE_NAME, the name of the pod's sandbox."""
        return f"{self.namespace}_{self.name}" if self.namespace else self.name


class Network(NamedTuple):
    """A network of an engine. Where it could not be read, `id` is its prefix or None, `name` None."""

    id: str | None
    name: str | None


class Port(NamedTuple):
    """A port of the host that an engine publishes to a container.

    `to_address` is None where the container has several addresses, and the engine does not report which it is.
    """

    protocol: str
    address: str
    port: int
    to_address: str | None
    to_port: int


# The network mode of a container that joins another's namespace, before the ID of that.
_JOINS = "container:"


class Container(NamedTuple):
    """A container as its engine reports it.

    `pid` (0: unknown), `pin` (the engine's own nsfs mount) and `resolv_conf` are only set for
    containers whose details were read. `network_mode` is "host", "none", "container:ID" for a
    container that joins the namespace of another (as all of a pod join that of its sandbox), or the
    engine's own value. `sandbox` is whether it is its pod's own container (pause, infra), which owns
    the pod's namespace. `user` is the user of a rootless engine, "" for root. `problem` is why the
    namespace of a running container is not known: engine and kernel contradict each other.
    `unread` is why the engine or its files did not describe a container that they list: unknown is not
    gone, so that it counts as running. Its `status` is empty where no more than its ID is known.
    `project` is the project of Incus or LXD that it is in, "" for the default one. `without_netns` is why
    it never has a network namespace on this host, "" where it can have one.
    `needs_device` is why its next start fails while a link keeps the namespace that it has now, "" where
    it does not. `ports` are those that the engine publishes to it, of most engines also only in the details.
    """

    engine: str
    source: str
    id: str
    name: str
    running: bool
    status: str
    image: str = ""
    created: float = 0.0
    labels: t.Mapping[str, str] = {}
    network_mode: str = ""
    pid: int = 0
    pin: str | None = None
    resolv_conf: str | None = None
    pod: Pod | None = None
    sandbox: bool = False
    user: str = ""
    problem: str | None = None
    unread: str | None = None
    needs_device: str = ""
    ports: tuple[Port, ...] = ()
    project: str = ""
    without_netns: str = ""

    @property
    def key(self) -> ContainerKey:
        """Which container of which daemon this is."""
        return ContainerKey(self.engine, self.source, self.id)

    @classmethod
    def known_by_id(cls, engine: str, source: str, identity: str, unread: str) -> Container:
        """A container of which no more than the ID is known, and why."""
        return cls(engine, source, identity, identity[:12], True, "", unread=unread)

    @property
    def full_name(self) -> str:
        """The name with its project or pod, which is unique among the containers of most engines."""
        if self.pod and self.sandbox:
            return self.pod.full_name
        return f"{self.project}_{self.name}" if self.project else self.name

    @property
    def joined(self) -> str:
        """The ID of the container whose namespace it was started in, "" for none."""
        mode = self.network_mode
        return mode[len(_JOINS) :] if mode.startswith(_JOINS) else ""


class Reading(NamedTuple):
    """What was read from one engine; `error` is None exactly where it was read in full.

    Each container that could not be read is listed as `unread`, and is no error of the whole. `failure` is
    what an error means: DOWN, UNREADABLE or ELSEWHERE.

    `source` identifies the daemon, also over time; `read_from` is the socket or file that was read,
    where that is not the source. `presence_uncertain` is whether the source exists on hosts without
    the engine too, as /proc does. `only` has the IDs where only some containers were read; then the
    reading shows nothing about others.
    """

    engine: str
    source: str
    version: str | None = None
    containers: tuple[Container, ...] = ()
    error: str | None = None
    read_from: str | None = None
    presence_uncertain: bool = False
    only: frozenset[str] | None = None
    failure: str = UNREADABLE

    @classmethod
    def failed(cls, engine: str, source: str, error: EngineError) -> Reading:
        """The reading of an engine that could not be read, and why."""
        return cls(engine, source, error=str(error), failure=error.state)

    @property
    def state(self) -> str:
        """READ, DOWN, UNREADABLE or ELSEWHERE; `error` is the reason."""
        return READ if self.error is None else self.failure

    @property
    def unread(self) -> tuple[Container, ...]:
        """The containers that could not be read."""
        return tuple(container for container in self.containers if container.unread is not None)

    def contains(self, key: ContainerKey) -> bool:
        """Whether it would list this container, so that one that is not listed does not exist."""
        is_read = self.only is None or key.id in self.only
        return is_read and self.error is None and self.covers(key.engine, key.source)

    def covers(self, engine: str, source: str) -> bool:
        """Whether all containers of this source were to be read."""
        is_source = source == self.source or (
            self.source == PROCESSES and source.startswith(f"{PROCESSES}#")
        )
        return is_source and engine == self.engine

    @property
    def found(self) -> bool:
        """Whether the engine is on the host; where that is uncertain, whether it has containers."""
        return not self.presence_uncertain or bool(self.containers)
