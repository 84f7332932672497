# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Watches directories in which engines keep the state of running containers.

A name that appears or disappears there is a hint to read that engine. Each watched path is followed from
its top directory as far down as it exists, so an engine may come later, go, and come again.
"""

from __future__ import annotations

import errno
import os
import typing as t

from ..engines import registry
from ..kernel import inotify
from ..named_tuple import NamedTuple

_ANY = "*"
# These exist on every host, so nothing above them has to be watched.
_TOPS = ("/run", "/sys/fs/cgroup", "/var")


class WatchSpec(NamedTuple):
    """A path to watch, in which "*" stands for any name, and the engines that it gives hints of.

    Names that disappear are hints at the first "*" and below it. Names that appear are hints only at the
    end of the path. With `socket`, the path is a socket of the engine, or a file that appears with it.
    Names in `exclude` do not match "*".
    """

    path: str
    engines: tuple[str, ...]
    socket: bool = False
    exclude: frozenset[str] = frozenset()


# The state directories of containerd: its own, that of K3s and RKE2, and those of k0s and MicroK8s.
_CONTAINERD = (
    "/run/containerd",
    "/run/k3s/containerd",
    "/run/k0s/containerd",
    "/var/snap/microk8s/common/run/containerd",
)


def _containerd(state: str) -> WatchSpec:
    # Docker reports the containers of these namespaces itself.
    return WatchSpec(
        f"{state}/io.containerd.runtime.v2.task/*/*/init.pid",
        ("containerd",),
        exclude=frozenset(("moby", "plugins.moby")),
    )


WATCH_SPECS = (
    WatchSpec("/run/docker.sock", ("docker",), socket=True),
    WatchSpec("/run/docker.pid", ("docker",), socket=True),
    WatchSpec("/run/podman/podman.sock", ("podman",), socket=True),
    *map(_containerd, _CONTAINERD),
    WatchSpec("/run/containers/storage/overlay-containers/*/userdata/pidfile", ("podman", "crio")),
    WatchSpec("/run/libpod/exits/*", ("podman",)),
    WatchSpec("/run/crio/exits/*", ("crio",)),
    WatchSpec("/run/systemd/machines/*", ("nspawn",)),
    # LXC makes a cgroup for each container, by default at these paths; Incus and LXD always do.
    WatchSpec("/sys/fs/cgroup/lxc.payload.*", ("lxc", "incus", "lxd")),
    WatchSpec("/sys/fs/cgroup/systemd/lxc.payload.*", ("lxc", "incus", "lxd")),
)


def further_specs(sources: registry.Sources) -> list[WatchSpec]:
    """The paths of further sources, where a directory above them can be watched."""
    specs = [WatchSpec(path, ("docker",), socket=True) for path in sources.get("docker", ())]
    specs += map(_containerd, sources.get("containerd", ()))
    return [spec for spec in specs if spec.path.startswith(tuple(f"{top}/" for top in _TOPS))]


# What is used up. All programs of root share the first two.
_INSTANCES = (
    "all inotify instances of this user are in use: raise the sysctl fs.inotify.max_user_instances"
)
_WATCHES = (
    "all inotify watches of this user are in use: raise the sysctl fs.inotify.max_user_watches"
)
_FILES = "the service has as many open files as its unit allows: raise LimitNOFILE="


class _Node(NamedTuple):
    """A watched directory on the path of a spec; the names in it are compared with `parts[depth]`."""

    spec: WatchSpec
    parts: tuple[str, ...]
    depth: int
    path: str


class Hints(NamedTuple):
    """Engines to read, engines whose socket may exist now, and whether the kernel dropped events."""

    engines: set[str]
    sockets: set[str]
    missed: bool


class Watches:
    """The watches on all directories of the specs that exist. `error` is why some are missing."""

    def __init__(self, specs: t.Iterable[WatchSpec]) -> None:
        self._specs = tuple(specs)
        self._inotify: inotify.Inotify | None = None
        self._nodes: dict[int, dict[_Node, None]] = {}
        self.error: str | None = None
        self.complete()

    def complete(self) -> None:
        """Add what is missing, where the limits of the kernel now allow it."""
        self.error = None
        try:
            self._inotify = self._inotify or inotify.Inotify()
        except OSError as error:
            self.error = _limit(error, _INSTANCES)
            return
        for spec in self._specs:
            parts = tuple(spec.path.strip("/").split("/"))
            (top,) = (top for top in _TOPS if spec.path.startswith(f"{top}/"))
            node = _Node(spec, parts, top.count("/"), top)
            self._add(node, Hints(set(), set(), False))

    def fileno(self) -> int:
        """The descriptor to wait for, -1 while there is none."""
        return self._inotify.fileno() if self._inotify else -1

    def close(self) -> None:
        """Remove all watches."""
        if self._inotify:
            self._inotify.close()

    def read(self) -> Hints:
        """The hints in all events since the last call."""
        hints = Hints(set(), set(), False)
        missed = False
        for event in self._inotify.read() if self._inotify else ():
            if event.overflow:
                missed = True
            elif not event.added and not event.removed:
                self._nodes.pop(event.watch, None)
            else:
                for node in list(self._nodes.get(event.watch, ())):
                    if _matches(node, event.name):
                        self._handle_event(node, event, hints)
        return hints._replace(missed=missed)

    def _handle_event(self, node: _Node, event: inotify.Event, hints: Hints) -> None:
        if event.removed:
            below_any = any(_ANY in part for part in node.parts[: node.depth + 1])
            if below_any and not node.spec.socket:
                hints.engines.update(node.spec.engines)
        else:
            self._handle_name(node, event.name, hints)

    def _handle_name(self, node: _Node, name: str, hints: Hints) -> None:
        """At the end of the path, add its hints; above it, watch the directory with this name."""
        if node.depth == len(node.parts) - 1:
            kind = hints.sockets if node.spec.socket else hints.engines
            kind.update(node.spec.engines)
        else:
            below = node._replace(depth=node.depth + 1, path=f"{node.path}/{name}")
            self._add(below, hints)

    def _add(self, node: _Node, hints: Hints) -> None:
        """Watch a directory, and handle the names that appeared in it before the watch."""
        if self._inotify is None:
            return
        try:
            watch = self._inotify.add_watch(node.path)
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as error:
            self.error = _limit(error, _WATCHES)
            return
        self._nodes.setdefault(watch, {})[node] = None
        try:
            names = os.listdir(node.path)
        except OSError:
            return
        for name in names:
            if _matches(node, name):
                self._handle_name(node, name, hints)


def _limit(error: OSError, used_up: str) -> str:
    """Which limit an error is about, and how to raise it."""
    if error.errno == errno.EMFILE and not _can_open_files():
        return _FILES
    return used_up if error.errno in (errno.EMFILE, errno.ENOSPC) else str(error)


def _can_open_files() -> bool:
    try:
        os.close(os.open("/", os.O_RDONLY | os.O_CLOEXEC))
    except OSError:
        return False
    return True


def _matches(node: _Node, name: str) -> bool:
    head, any_name, _tail = node.parts[node.depth].partition(_ANY)
    if any_name:
        return name.startswith(head) and name not in node.spec.exclude
    return name == head
