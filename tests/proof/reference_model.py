# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The reference model of a host: what a run must do, written a second time and as plainly as possible.

A namespace is its inode number here. A file that a run makes has no number until it is looked up.
"""

from __future__ import annotations

import copy
import fnmatch
import typing as t
from dataclasses import dataclass, field

PIN, FILE, SYMLINK, OTHER = "pin", "file", "symlink", "other"


@dataclass
class PathState:
    """What is at a name: `layers` are the namespaces mounted there, `leads` the one a symlink leads to."""

    kind: str
    file: int | None = None
    layers: list[int] = field(default_factory=list)
    leads: int | None = None

    @property
    def netns(self) -> int | None:
        return self.layers[-1] if self.layers else self.leads

    @property
    def dead(self) -> bool:
        """Whether it is a symbolic link that leads nowhere."""
        return self.kind == SYMLINK and self.leads is None


@dataclass
class Claim:
    """The ledger's entry of a name; `key` is the id of the container, None for a process or a path.

    `container_name` is the container's name when the link was made. `pid` is the process that it was made for, 0 for
    a container or a path.
    """

    netns: int
    file: int | None
    key: str | None
    container_name: str = ""
    pid: int = 0


@dataclass
class ModelContainer:
    """A container, stopped where `pid` is 0. `joined` is the container whose namespace it has joined."""

    name: str
    pid: int = 0
    netns: int = 0
    joined: str = ""


class RefusedError(Exception):
    """The run is refused: nothing is done."""


@dataclass
class Result:
    """The result of a run: its action at each name, as far as that is a change or a conflict."""

    refused: bool = False
    actions: dict[str, str] = field(default_factory=dict)
    failed: bool = False


# What the doctor finds: the check, and the name in netns_dir or of the container, "" for netns_dir itself.
Finding = t.Tuple[str, str]


@dataclass
class ModelHost:
    """Containers, entries of netns_dir and the ledger, with the rules of a run."""

    containers: dict[str, ModelContainer] = field(default_factory=dict)
    path_states: dict[str, PathState] = field(default_factory=dict)
    claims: dict[str, Claim] = field(default_factory=dict)
    silent: bool = False
    # Names at which a pin is covered by a later mount of the directory.
    covered: frozenset[str] = frozenset()

    def copy(self) -> ModelHost:
        return copy.deepcopy(self)

    def run(self, request: t.Mapping[str, t.Any]) -> Result:
        """Do to this host what a run must do to the real one."""
        before = self.copy()
        try:
            return self._run(request)
        except RefusedError:
            self.__dict__.update(before.__dict__)
            return Result(refused=True)

    def _run(self, request: t.Mapping[str, t.Any]) -> Result:
        result = Result()
        left = {name for name, claim in self.claims.items() if self._has_left(claim)}
        linked: dict[str, str | None] = {}
        if request.get("state") == "absent":
            for name in request.get("names") or ():
                self._remove(result, name, request.get("force", False), exact=True)
            for name in self._selected_claims(request):
                self._release(result, name)
        else:
            targets = self._targets(request)
            decisions = [
                self._link(result, name, netns, key, request.get("force", False), request)
                for name, netns, key in targets
            ]
            linked = {
                name: key for (name, _netns, key), is_linked in zip(targets, decisions) if is_linked
            }
        if request.get("prune"):
            if request.get("all"):
                # Containers that were renamed have two links now.
                left |= {
                    name
                    for name, claim in self.claims.items()
                    if claim.key and claim.key in linked.values()
                }
            for name in sorted(left - linked.keys()):
                if name in self.claims:
                    self._release(result, name)
        reads_engine = bool(request.get("all")) and request.get("state") != "absent"
        if self.silent and (reads_engine or request.get("prune") or request.get("containers")):
            result.failed = True
        return result

    def _has_left(self, claim: Claim) -> bool:
        if claim.key is None or self.silent:
            return False
        container = self.containers.get(claim.key)
        return container is None or not container.pid or container.netns != claim.netns

    def _is_managed(self, name: str) -> bool:
        path_state, claim = self.path_states.get(name), self.claims.get(name)
        if path_state is None or claim is None or claim.file != path_state.file:
            return False
        return path_state.kind == FILE or (
            path_state.kind == PIN and path_state.netns == claim.netns
        )

    def _targets(self, request: t.Mapping[str, t.Any]) -> list[tuple[str, int, str | None]]:
        if "netns" in request:
            (name,) = request["names"]
            return [(name, request["netns"], None)]
        targets: list[tuple[str, int, str | None]] = []
        for identity, exact in self._chosen(request).items():
            container = self.containers[identity]
            if not container.pid:
                if exact:
                    raise RefusedError
            elif exact or self._owner(container.netns) == identity:
                targets.append((container.name, container.netns, identity))
        return targets

    def _chosen(self, request: t.Mapping[str, t.Any]) -> dict[str, bool]:
        """The containers that are selected, each with whether it was named exactly."""
        chosen: dict[str, bool] = {}
        for identity, container in self.containers.items():
            if self.silent:
                break
            if request.get("all"):
                chosen[identity] = False
            for item in request.get("containers") or ():
                if item in (container.name, identity):
                    chosen[identity] = True
                elif fnmatch.fnmatchcase(container.name, item):
                    chosen.setdefault(identity, False)
        for item in request.get("containers") or ():
            answer = [] if self.silent else self.containers.items()
            if "*" not in item and not any(item in (other.name, key) for key, other in answer):
                raise RefusedError
        return chosen

    def _owner(self, netns: int) -> str:
        sharers = [
            (bool(container.joined), identity)
            for identity, container in self.containers.items()
            if container.pid and container.netns == netns
        ]
        return min(sharers)[1]

    def _link(
        self,
        result: Result,
        name: str,
        netns: int,
        key: str | None,
        force: bool,
        request: t.Mapping[str, t.Any],
    ) -> bool:
        exact = "netns" in request or self._is_exact(name, key, request)
        path_state = self.path_states.get(name)
        managed = self._is_managed(name)
        container_name = self.containers[key].name if key else ""
        pid = request.get("pid", 0)
        if path_state is not None and path_state.kind != OTHER and path_state.netns == netns:
            if managed:
                self.claims[name] = Claim(netns, path_state.file, key, container_name, pid)
            return True
        file = path_state.file if path_state else None
        if path_state is None:
            action = "created"
        elif path_state.kind == FILE:
            action, file = "repaired", None if managed else file
        elif path_state.dead:
            action, file = "repaired", None
        elif path_state.kind == OTHER:
            action = "conflict"
        elif managed and (force or not self._stacked(name)):
            action, file = "relinked", file if name in self.covered else None
        elif force:
            action, file = "relinked", None
        else:
            action = "conflict"
        result.actions[name] = action
        if action == "conflict":
            if exact:
                raise RefusedError
            result.failed = True
            return False
        self.path_states[name] = PathState(PIN, file, [netns])
        self.claims[name] = Claim(netns, file, key, container_name, pid)
        return True

    def _is_exact(self, name: str, key: str | None, request: t.Mapping[str, t.Any]) -> bool:
        return any(item in (name, key) for item in request.get("containers") or ())

    def _stacked(self, name: str) -> bool:
        return any(layer != self.claims[name].netns for layer in self.path_states[name].layers)

    def _selected_claims(self, request: t.Mapping[str, t.Any]) -> list[str]:
        """The names whose links are removed because they are managed."""
        if request.get("all"):
            # Those of a process or a path belong to no engine.
            of_every_maker = "engines" in request
            return sorted(
                name for name, claim in self.claims.items() if of_every_maker or claim.key
            )
        if self.silent:
            return []
        keys: set[str | None] = set()
        for item in request.get("containers") or ():
            names = {key: container.name for key, container in self.containers.items()}
            for claim in self.claims.values():
                if claim.key:
                    names.setdefault(claim.key, claim.container_name)
            chosen = {key for key, name in names.items() if fnmatch.fnmatchcase(name, item)}
            if item in names:
                chosen = {item}
            if not chosen:
                # The name that a container had when it was linked.
                chosen = {
                    claim.key for claim in self.claims.values() if claim.container_name == item
                }
            keys |= chosen
        return sorted(
            name for name, claim in self.claims.items() if claim.key and claim.key in keys
        )

    def _release(self, result: Result, name: str) -> None:
        """Remove a managed link, if it still is one; else drop its entry."""
        if self._is_managed(name):
            self._remove(result, name, False, exact=False)
        else:
            del self.claims[name]

    def _remove(self, result: Result, name: str, force: bool, exact: bool) -> None:
        path_state = self.path_states.get(name)
        if path_state is not None:
            stays = (
                path_state.kind == OTHER
                or name in self.covered
                or (
                    not force
                    and path_state.kind != FILE
                    and not path_state.dead
                    and (not self._is_managed(name) or self._stacked(name))
                )
            )
            result.actions[name] = "conflict" if stays else "removed"
            if stays:
                if exact:
                    raise RefusedError
                result.failed = True
                return
            del self.path_states[name]
        self.claims.pop(name, None)

    # The doctor.

    def findings(self, occupied: t.Container[int], shared: bool = True) -> set[Finding]:
        """What the doctor must find. `occupied` are the namespaces with a process, `shared` is netns_dir."""
        found = {("covered_pin", name) for name in self.covered}
        if not shared:
            found.add(("private_directory", ""))
        # Whether an empty file is a pin elsewhere is only known where the directory is shared.
        if shared or all(path_state.kind != FILE for path_state in self.path_states.values()):
            found |= {
                ("dangling_entry", name)
                for name, path_state in self.path_states.items()
                if path_state.kind == FILE or path_state.dead
            }
        found |= {
            ("double_pin", name)
            for name, path_state in self.path_states.items()
            if len(path_state.layers) > 1
        }
        found |= {
            ("stale_link", name)
            for name, claim in self.claims.items()
            if self._is_managed(name)
            and self.path_states[name].kind == PIN
            and claim.netns not in occupied
            and (not self.silent if claim.key else claim.pid)
        }
        return found | {("stranded_sharer", name) for name in self._stranded()}

    def has_hidden(self, occupied: t.Iterable[int]) -> bool:
        """Whether some namespace has no process and is beneath another one at each of its names."""
        reachable = {*occupied, *(path_state.netns for path_state in self.path_states.values())}
        return any(
            not reachable.issuperset(path_state.layers) for path_state in self.path_states.values()
        )

    def _stranded(self) -> t.Iterator[str]:
        """The containers that are not in the namespace that the one they joined has now."""
        for container in self.containers.values():
            if self.silent or not container.joined or not container.pid:
                continue
            owner = self.containers.get(container.joined)
            if owner is None or (owner.pid and owner.netns != container.netns):
                yield container.name

    def repair(
        self, checks: t.Container[str], occupied: t.Container[int]
    ) -> tuple[set[Finding], bool]:
        """Do what the doctor must repair. Returns what that was, and whether some of it cannot be repaired."""
        repaired = set()
        result = Result()
        for check, name in self.findings(occupied):
            if check not in checks:
                continue
            if check == "dangling_entry":
                self._remove(result, name, force=False, exact=False)
            elif check == "stale_link" and self.claims[name].key:
                self._release(result, name)
            if result.actions.get(name) == "removed":
                repaired.add((check, name))
        return repaired, result.failed

    # Commands in namespaces.

    def selected(self, request: t.Mapping[str, t.Any]) -> set[int]:
        """The namespaces that a command must run in. Raises RefusedError where it must not run at all."""
        if "netns" in request:
            if not request["netns"]:
                raise RefusedError
            return {request["netns"]}
        if "links" in request:
            return {netns for item in request["links"] for netns in self._linked(item)}
        inodes = set()
        for identity, exact in self._chosen(request).items():
            container = self.containers[identity]
            if container.pid:
                inodes.add(container.netns)
            elif exact:
                raise RefusedError
        return inodes

    def _linked(self, item: str) -> set[int]:
        """The namespaces of the names that an item of `links` selects."""
        found = {
            path_state.netns
            for name, path_state in self.path_states.items()
            if path_state.netns and fnmatch.fnmatchcase(name, item)
        }
        if not found and "*" not in item:
            raise RefusedError
        return found
