# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins!

"""A row for each namespace of each host, as data, as lines of a table, and as CSV."""

from __future__ import annotations

import typing as t

from ..module_utils._core.texts import printable
from . import _fleet_lines, _fleet_ports
from ._fleet_schema import Facts, FactsByHost, facts_by_host, has_format_of_rows
from ._fleet_text import addresses, link_or_inode, lost_devices, outside_peers, owner, peer_name

# Wider cells do not widen their column: they only shift the rest of their own line.
_MAX_WIDTH = 40
_HEADINGS = {
    "host": "HOST",
    "inode": "INODE",
    "kind": "KIND",
    "engine": "ENGINE",
    "stale": "STALE",
    "names": "NAMES",
    "owner": "OWNER",
    "addresses": "ADDRESSES",
    "host_side": "HOST SIDE",
}
_WITH_PORTS = {**_HEADINGS, "ports": "PORTS"}


def rows(data: t.Any, ports: bool = False) -> list[dict[str, t.Any]]:
    """One row for each namespace of each host; with `ports`, with its ports."""
    return list(_rows(_checked(data, ports), ports))


def _checked(data: t.Any, ports: bool) -> FactsByHost:
    return facts_by_host(data) if ports else facts_by_host(data, has_format_of_rows)


def _rows(fleet: FactsByHost, ports: bool) -> t.Iterator[dict[str, t.Any]]:
    for host, facts in fleet.items():
        forwards = _by_inode(facts) if facts and ports else {}
        for namespace in facts["namespaces"] if facts else ():
            get = namespace.get
            row = {
                "host": host,
                "inode": namespace["inode"],
                "kind": get("kind"),
                "engine": get("engine"),
                "stale": get("stale"),
                "names": list(get("names") or ()),
                "owner": owner(namespace),
                "addresses": addresses(namespace),
                "host_side": [peer_name(peer) for peer in outside_peers(namespace)],
            }
            if ports:
                published = forwards.get(namespace["inode"], ())
                row["ports"] = _fleet_ports.cells(namespace, published)
            yield row


def _by_inode(facts: Facts) -> dict[int | None, list[Facts]]:
    """The published ports by the namespace that they lead to."""
    forwards: dict[int | None, list[Facts]] = {}
    for forward in facts.get("forwards") or ():
        forwards.setdefault(forward.get("inode"), []).append(forward)
    return forwards


def _problems(fleet: FactsByHost) -> t.Iterator[tuple[str, str]]:
    """Host and problem: missing or incomplete facts, and devices that the host has lost."""
    for host, facts in fleet.items():
        if facts is None:
            yield host, "no facts"
            continue
        for gap in facts.get("incomplete") or []:
            yield host, f"incomplete: {gap['source']}: {gap['reason']}"
        for namespace in facts["namespaces"]:
            lost = lost_devices(namespace)
            if lost:
                yield host, f"{link_or_inode(namespace)} is stale and {lost}"


def table(data: t.Any, ports: bool = False) -> list[str]:
    """The lines of a table of all hosts, followed by a line for each problem."""
    fleet = _checked(data, ports)
    # The facts of one host need no column for the host.
    first = 1 if set(fleet) == {""} else 0
    lines = [list((_WITH_PORTS if ports else _HEADINGS).values())[first:]]
    lines += [_cells(row, ", ")[first:] for row in _rows(fleet, ports)]
    return [*_fleet_lines.columns(lines, _MAX_WIDTH), *_fleet_lines.of_problems(_problems(fleet))]


def comma_separated(data: t.Any, ports: bool = False) -> str:
    """The same as CSV, with a line of its own for each problem."""
    fleet = _checked(data, ports)
    cells = (_cells(row, " ") for row in _rows(fleet, ports))
    return _fleet_lines.comma_separated(
        _WITH_PORTS if ports else _HEADINGS, cells, _problems(fleet)
    )


def _cells(row: t.Mapping[str, t.Any], separator: str) -> list[str]:
    """The cells of a row, in the order of the headings."""
    stale, join = row["stale"], separator.join
    cells = [
        row["host"],
        str(row["inode"]),
        row["kind"] or "?",
        row["engine"] or "",
        "?" if stale is None else "yes" if stale else "",
        join(row["names"]),
        row["owner"],
        join(row["addresses"]),
        join(row["host_side"]),
        *([join(row["ports"])] if "ports" in row else ()),
    ]
    return cells if "".join(cells).isprintable() else list(map(printable, cells))
