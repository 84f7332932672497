# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run is to make of a host, said once more and in the plainest way: the model of the tests.

Namespaces are their inode numbers here. A file that a run makes has no number until it is looked up.
"""

from __future__ import annotations

import copy
import fnmatch
import typing as t
from dataclasses import dataclass, field

PIN, FILE, SYMLINK, OTHER = "pin", "file", "symlink", "other"


@dataclass
class PathState:
    """What stands at a name: `layers` are the namespaces mounted there, `leads` where a symlink does."""

    kind: str
    file: int | None = None
    layers: list[int] = field(default_factory=list)
    leads: int | None = None

    @property
    def netns(self) -> int | None:
        return self.layers[-1] if self.layers else self.leads


@dataclass
class Claim:
    """What the ledger says of a name; `key` is the id of the container, None for a process or a path."""

    netns: int
    file: int | None
    key: str | None
    called: str = ""


@dataclass
class Box:
    """A container: stopped where `pid` is 0. `joined` is whose namespace it was started in."""

    name: str
    pid: int = 0
    netns: int = 0
    joined: str = ""


class RefusedError(Exception):
    """Nothing is done."""


@dataclass
class Result:
    """What a run says: what it did at each name, as far as that is a change or a conflict."""

    refused: bool = False
    actions: dict[str, str] = field(default_factory=dict)
    failed: bool = False


@dataclass
class Host:
    boxes: dict[str, Box] = field(default_factory=dict)
    path_states: dict[str, PathState] = field(default_factory=dict)
    claims: dict[str, Claim] = field(default_factory=dict)
    silent: bool = False
    # Names at which a pin is covered by a later mount of the directory.
    covered: frozenset[str] = frozenset()

    def copy(self) -> Host:
        return copy.deepcopy(self)

    def run(self, request: t.Mapping[str, t.Any]) -> Result:
        """Make of it what the run is to make of the real one."""
        before = self.copy()
        try:
            return self._run(request)
        except RefusedError:
            self.__dict__.update(before.__dict__)
            return Result(refused=True)

    def _run(self, request: t.Mapping[str, t.Any]) -> Result:
        result = Result()
        over = {name for name, claim in self.claims.items() if self._is_over(claim)}
        linked: set[str] = set()
        if request.get("state") == "absent":
            for name in request.get("names") or ():
                self._remove(result, name, request.get("force", False), exact=True)
            for name in self._claimed(request):
                self._release(result, name)
        else:
            targets = self._targets(request)
            decisions = [
                self._link(result, name, netns, key, request.get("force", False), request)
                for name, netns, key in targets
            ]
            linked = {name for (name, _netns, _key), done in zip(targets, decisions) if done}
        if request.get("prune"):
            for name in sorted(over - linked):
                if name in self.claims:
                    self._release(result, name)
        lists = bool(request.get("all")) and request.get("state") != "absent"
        if self.silent and (lists or request.get("prune") or request.get("containers")):
            result.failed = True
        return result

    def _is_over(self, claim: Claim) -> bool:
        if claim.key is None or self.silent:
            return False
        box = self.boxes.get(claim.key)
        return box is None or not box.pid or box.netns != claim.netns

    def _is_ours(self, name: str) -> bool:
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
        chosen: dict[str, bool] = {}
        for identity, box in self.boxes.items():
            if self.silent:
                break
            if request.get("all"):
                chosen[identity] = False
            for item in request.get("containers") or ():
                if item in (box.name, identity):
                    chosen[identity] = True
                elif fnmatch.fnmatchcase(box.name, item):
                    chosen.setdefault(identity, False)
        for item in request.get("containers") or ():
            known = [] if self.silent else self.boxes.items()
            if "*" not in item and not any(item in (one.name, key) for key, one in known):
                raise RefusedError
        targets: list[tuple[str, int, str | None]] = []
        for identity, exact in chosen.items():
            box = self.boxes[identity]
            if not box.pid:
                if exact:
                    raise RefusedError
            elif exact or self._owner(box.netns) == identity:
                targets.append((box.name, box.netns, identity))
        return targets

    def _owner(self, netns: int) -> str:
        sharers = [
            (bool(box.joined), identity)
            for identity, box in self.boxes.items()
            if box.pid and box.netns == netns
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
        ours = self._is_ours(name)
        called = self.boxes[key].name if key else ""
        if path_state is not None and path_state.kind != OTHER and path_state.netns == netns:
            if ours:
                self.claims[name] = Claim(netns, path_state.file, key, called)
            return True
        file = path_state.file if path_state else None
        if path_state is None:
            action = "created"
        elif path_state.kind == FILE:
            action = "repaired"
        elif path_state.kind == OTHER:
            action = "conflict"
        elif ours and (force or not self._stacked(name)):
            action = "relinked"
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
        self.claims[name] = Claim(netns, file, key, called)
        return True

    def _is_exact(self, name: str, key: str | None, request: t.Mapping[str, t.Any]) -> bool:
        return any(item in (name, key) for item in request.get("containers") or ())

    def _stacked(self, name: str) -> bool:
        return any(layer != self.claims[name].netns for layer in self.path_states[name].layers)

    def _claimed(self, request: t.Mapping[str, t.Any]) -> list[str]:
        """The names whose links are to go because they are ours."""
        if request.get("all"):
            # Those of a process or a path belong to no engine.
            every = "engines" in request
            return sorted(name for name, claim in self.claims.items() if every or claim.key)
        if self.silent:
            return []
        keys: set[str | None] = set()
        for item in request.get("containers") or ():
            called = {key: box.name for key, box in self.boxes.items()}
            for claim in self.claims.values():
                if claim.key:
                    called.setdefault(claim.key, claim.called)
            if item in called:
                keys.add(item)
            else:
                keys |= {key for key, name in called.items() if fnmatch.fnmatchcase(name, item)}
        return sorted(
            name for name, claim in self.claims.items() if claim.key and claim.key in keys
        )

    def _release(self, result: Result, name: str) -> None:
        """A link of ours goes, if it still is one."""
        if self._is_ours(name):
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
                    and (not self._is_ours(name) or self._stacked(name))
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
