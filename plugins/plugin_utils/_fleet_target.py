# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins!

"""Where a namespace of the facts can be entered on its host: /PATH@INODE, which is refused for another one."""

from __future__ import annotations

import os
import typing as t

from ..module_utils._core.texts import printable
from . import _fleet_search
from ._fleet_schema import Facts, FleetError, checked, unchecked_facts_by_host

_NETNS_DIR = "/run/netns"
_PROC = "/proc/"
# How many of the matches an error lists.
_MAX_LISTED = 10


def target(data: t.Any, question: t.Any) -> str:
    """The target of the one namespace that a question of `find_netns` finds. Raises FleetError."""
    fleet = unchecked_facts_by_host(data)
    found: dict[tuple[str, int], dict[str, t.Any]] = {}
    for match in _fleet_search.find_in(fleet, question):
        found.setdefault((match["host"], match["namespace"]["inode"]), match)
    matches = list(found.values())
    if not matches:
        raise FleetError(
            f"no network namespace in the facts matches {_quoted(question)}: gather the facts again, or ask "
            "for another name or address"
        )
    if len(matches) > 1:
        answers = [match["answer"] for match in matches[:_MAX_LISTED]]
        if len(matches) > _MAX_LISTED:
            answers.append("…")
        raise FleetError(
            f"{_quoted(question)} matches {len(matches)} network namespaces, and a task enters one: "
            f"{' '.join(answers)}"
        )
    (match,) = matches
    namespace = match["namespace"]
    if namespace.get("is_host"):
        raise FleetError(
            f"{_quoted(question)} matches the host's own network namespace: a task runs there without this "
            "become method"
        )
    facts = checked(fleet[match["host"]])
    path = Targets(facts or {}).of(namespace)
    if path is None:
        raise FleetError(
            f"{_quoted(question)} matches net:[{namespace['inode']}], and the facts contain no path at which it "
            "can be entered: link it with netns_link, and gather the facts again"
        )
    return path


def _quoted(question: t.Any) -> str:
    return f"'{printable(str(question))}'"


class Targets:
    """The targets of the namespaces of one host."""

    def __init__(self, facts: Facts) -> None:
        self._netns_dir = facts.get("netns_dir") or _NETNS_DIR
        # Of several mounts at one path, only the topmost can be entered there, and the facts list all.
        self._namespaces_by_pin: dict[str, int] = {}
        for namespace in facts.get("namespaces") or ():
            for pin in namespace.get("pins") or ():
                self._namespaces_by_pin[pin] = self._namespaces_by_pin.get(pin, 0) + 1

    def of(self, namespace: Facts) -> str | None:
        """/PATH@INODE; None if the facts contain no path that leads to the namespace."""
        paths = (path for path in self._paths(namespace) if _is_usable(path))
        path = next(paths, None)
        return None if path is None else f"{path}@{namespace['inode']}"

    def _paths(self, namespace: Facts) -> t.Iterator[str]:
        """Its paths on the host: those that last, then those of processes, then those that others may change."""
        for name in namespace.get("names") or ():
            yield os.path.join(self._netns_dir, name)
        pins = [
            pin for pin in namespace.get("pins") or () if self._namespaces_by_pin.get(pin, 0) == 1
        ]
        yield from (pin for pin in pins if not pin.startswith(_PROC))
        first = (namespace.get("processes") or {}).get("first") or ()
        for process in (*(namespace.get("containers") or ()), *first):
            if process.get("pid"):
                yield f"{_PROC}{process['pid']}/ns/net"
        # Pins in other mount namespaces, through a process there.
        yield from (pin for pin in pins if pin.startswith(_PROC))


def _is_usable(path: str) -> bool:
    """Whether the text is a path: pins that no process can reach, and escaped bytes, are not."""
    return path.startswith("/") and path.isprintable() and "\\" not in path
