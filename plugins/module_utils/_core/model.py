# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the program talks about: namespaces, containers, links, and typed errors."""

from __future__ import annotations

import typing as t

# The source of what users run, which is read from the processes that watch over their containers. The
# containers of each have one of their own, "/proc#UID".
PROCESSES = "/proc"


class NetnsError(Exception):
    """Anything that ends a run; the message names the thing and the way out."""


class EngineError(NetnsError):
    """An engine that could not be read in full: what it did instead of answering."""


class SelectionError(NetnsError):
    """Something named exactly cannot be linked; nothing was changed."""


class NotANetnsError(NetnsError):
    """A file that should be a network namespace is something else."""


class GoneError(NetnsError):
    """What was planned for is not there any more: the process or container ended."""


class ContradictionError(NetnsError):
    """What an engine and the kernel say of a container that runs cannot both be true."""


class NetnsId(t.NamedTuple):
    """A network namespace, for as long as it lives: `st_dev` and `st_ino` of its nsfs file.

    The kernel reuses inode numbers at once, so this is no identity over time.
    """

    dev: int
    inode: int


class ContainerKey(t.NamedTuple):
    """Which container of which daemon: `source` is the engine's socket or state folder."""

    engine: str
    source: str
    id: str


class Pod(t.NamedTuple):
    """A pod as its orchestrator names it; `namespace` is empty where pods have none (Podman)."""

    namespace: str
    name: str
    uid: str


class Network(t.NamedTuple):
    """A network of an engine; where that did not tell, `id` is its beginning or None, `name` None."""

    id: str | None
    name: str | None


class Container(t.NamedTuple):
    """A container as its engine tells it.

    `pid` (0: unknown), `pin` (the engine's own nsfs mount) and `resolv_conf` are only filled in
    for containers that the reader was asked to look into. `network_mode` is "host", "none",
    "container:ID" for one that joins the namespace of another (as all of a pod join that of its
    sandbox), or the engine's own word. `sandbox` is whether it is its pod's own container (pause,
    infra), which the pod's namespace belongs to. `user` is whose rootless engine runs it, "" for
    root's. `problem` is why its namespace is not known although it runs: the engine's word and the
    kernel's do not agree.
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

    @property
    def key(self) -> ContainerKey:
        """Which container of which daemon this is."""
        return ContainerKey(self.engine, self.source, self.id)

    @property
    def joined(self) -> str:
        """The id of the container whose namespace it was started in, "" for none."""
        mode, joins, identity = self.network_mode.partition(":")
        return identity if joins and mode == "container" else ""


class Reading(t.NamedTuple):
    """One engine's answer; `error` is None exactly when it was read in full.

    `source` tells this daemon from others, over time; `read_from` is the socket or file that the
    answer came from, where that is another. `sought` is whether the place is there on hosts without
    the engine too, as /proc is. Where it was only asked for some containers, `only` has their ids, and
    of others it says nothing.
    """

    engine: str
    source: str
    version: str | None = None
    containers: tuple[Container, ...] = ()
    error: str | None = None
    read_from: str | None = None
    presence_uncertain: bool = False
    only: frozenset[str] | None = None

    def contains(self, key: ContainerKey) -> bool:
        """Whether a container that it does not tell of is none."""
        asked = self.only is None or key.id in self.only
        return asked and self.error is None and self.covers(key.engine, key.source)

    def covers(self, engine: str, source: str) -> bool:
        """Whether it was to tell of all containers of this source."""
        own = source == self.source or (
            self.source == PROCESSES and source.startswith(f"{PROCESSES}#")
        )
        return own and engine == self.engine

    @property
    def found(self) -> bool:
        """Whether the engine is on the host: where it was only sought, if anything of it was found."""
        return not self.presence_uncertain or bool(self.containers)
