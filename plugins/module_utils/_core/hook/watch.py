# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Folders in which engines keep what runs: a name that comes or goes there is a hint to look.

Each place is watched from the top down, as far as its folders are there, so that an engine may come
later, go and come again.
"""

from __future__ import annotations

import os
import typing as t

from ..kernel import inotify

_ANY = "*"
# What is there on every host, so that nothing above it has to be watched.
_TOPS = ("/run", "/sys/fs/cgroup")


class WatchSpec(t.NamedTuple):
    """A path with a "*" for any name, and the engines that what happens there is a hint of.

    What goes is a hint from the first "*" on, what comes only at the end of the path. With `socket`
    it is where an engine's socket comes, or a sign that somebody listens on it.
    """

    path: str
    engines: tuple[str, ...]
    socket: bool = False
    without: frozenset[str] = frozenset()


_TASKS = "/run/containerd/io.containerd.runtime.v2.task"
WATCH_SPECS = (
    WatchSpec("/run/docker.sock", ("docker",), socket=True),
    WatchSpec("/run/docker.pid", ("docker",), socket=True),
    WatchSpec("/run/podman/podman.sock", ("podman",), socket=True),
    # Docker's own are told by Docker.
    WatchSpec(
        f"{_TASKS}/*/*/init.pid", ("containerd",), without=frozenset(("moby", "plugins.moby"))
    ),
    WatchSpec("/run/containers/storage/overlay-containers/*/userdata/pidfile", ("podman", "crio")),
    WatchSpec("/run/libpod/exits/*", ("podman",)),
    WatchSpec("/run/crio/exits/*", ("crio",)),
    WatchSpec("/run/systemd/machines/*", ("nspawn",)),
    # The cgroup of each, where LXC runs as its packages set it up.
    WatchSpec("/sys/fs/cgroup/lxc.payload.*", ("lxc",)),
    WatchSpec("/sys/fs/cgroup/systemd/lxc.payload.*", ("lxc",)),
)


class _Node(t.NamedTuple):
    """A watched folder as a part of a place: `depth` is the index of the part that its names match."""

    place: WatchSpec
    parts: tuple[str, ...]
    depth: int
    path: str


class Hints(t.NamedTuple):
    """Engines to look at, engines whose socket may be there now, and whether anything was missed."""

    engines: set[str]
    sockets: set[str]
    missed: bool


class Watches:
    """The watches of all places whose folders are there."""

    def __init__(self, places: t.Iterable[WatchSpec]) -> None:
        self._inotify = inotify.Inotify()
        self._nodes: dict[int, dict[_Node, None]] = {}
        self.problem: str | None = None
        for place in places:
            parts = tuple(place.path.strip("/").split("/"))
            (top,) = (top for top in _TOPS if place.path.startswith(f"{top}/"))
            node = _Node(place, parts, top.count("/"), top)
            self._add(node, Hints(set(), set(), False))

    def fileno(self) -> int:
        """The descriptor to wait for."""
        return self._inotify.fileno()

    def close(self) -> None:
        """End all watches."""
        self._inotify.close()

    def read(self) -> Hints:
        """What has happened since the last time."""
        hints = Hints(set(), set(), False)
        missed = False
        for event in self._inotify.read():
            if event.overflow:
                missed = True
            elif not event.came and not event.went:
                self._nodes.pop(event.watch, None)
            else:
                for node in list(self._nodes.get(event.watch, ())):
                    if _matches(node, event.name):
                        self._happened(node, event, hints)
        return hints._replace(missed=missed)

    def _happened(self, node: _Node, event: inotify.Event, hints: Hints) -> None:
        is_last = node.depth == len(node.parts) - 1
        if event.went:
            if not node.place.socket and any(_ANY in part for part in node.parts[: node.depth + 1]):
                hints.engines.update(node.place.engines)
        elif is_last:
            _found(node, hints)
        else:
            self._add(_below(node, event.name), hints)

    def _add(self, node: _Node, hints: Hints) -> None:
        """Watch a folder, and those that came into it before it was watched."""
        try:
            watch = self._inotify.add(node.path)
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as error:  # too many watches: what they would have told, the clock has to
            self.problem = str(error)
            return
        self._nodes.setdefault(watch, {})[node] = None
        try:
            names = os.listdir(node.path)
        except OSError:
            return
        for name in names:
            if not _matches(node, name):
                continue
            if node.depth == len(node.parts) - 1:
                _found(node, hints)
            else:
                self._add(_below(node, name), hints)


def _below(node: _Node, name: str) -> _Node:
    return node._replace(depth=node.depth + 1, path=f"{node.path}/{name}")


def _matches(node: _Node, name: str) -> bool:
    head, any_name, _tail = node.parts[node.depth].partition(_ANY)
    if any_name:
        return name.startswith(head) and name not in node.place.without
    return name == head


def _found(node: _Node, hints: Hints) -> None:
    (hints.sockets if node.place.socket else hints.engines).update(node.place.engines)
