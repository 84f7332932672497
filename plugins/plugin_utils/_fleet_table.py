# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins!

"""A row for each namespace of each host, as data, as lines of a table, and as CSV."""

from __future__ import annotations

import csv
import io
import itertools
import re
import typing as t

from ..module_utils._core.names import printable
from . import _fleet_ports
from ._fleet_schema import FactsByHost, facts_by_host
from ._fleet_text import addresses, link_or_inode, lost_devices, outside_peers, owner, peer_name

# Wider cells do not widen their column: they only shift the rest of their own line.
_MAX_WIDTH = 40
_FORMULA = re.compile(r";(?=\s*[=+\-@\uff1d\uff0b\uff0d\uff20])")
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
_PORTS = "ports"


def rows(data: t.Any, ports: bool = False) -> list[dict[str, t.Any]]:
    """One row for each namespace of each host; with `ports`, with its ports."""
    fleet = facts_by_host(data)
    found = list(_rows(fleet))
    if ports:
        for row, cells in zip(found, _ports(fleet)):
            row[_PORTS] = cells
    return found


def _ports(fleet: FactsByHost) -> t.Iterator[list[str]]:
    """The ports of each namespace, in the order of the rows."""
    for facts in filter(None, fleet.values()):
        forwards: dict[t.Any, list[t.Any]] = {}
        for forward in facts.get("forwards") or ():
            forwards.setdefault(forward.get("inode"), []).append(forward)
        for namespace in facts["namespaces"]:
            yield _fleet_ports.cells(namespace, forwards.get(namespace["inode"], ()))


def _rows(fleet: FactsByHost) -> t.Iterator[dict[str, t.Any]]:
    for host, facts in fleet.items():
        for namespace in facts["namespaces"] if facts else ():
            get = namespace.get
            yield {
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


def problems(data: t.Any) -> list[tuple[str, str]]:
    """Host and problem: missing or incomplete facts, and devices that the host has lost."""
    return list(_problems(facts_by_host(data)))


def _problems(fleet: FactsByHost) -> t.Iterator[tuple[str, str]]:
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
    fleet = facts_by_host(data)
    # The facts of one host need no column for the host.
    first = 1 if set(fleet) == {""} else 0
    lines = [list(_HEADINGS.values())[first:]]
    lines += [_cells(row, ", ")[first:] for row in _rows(fleet)]
    if ports:
        lines[0].append("PORTS")
        for line, cells in zip(lines[1:], _ports(fleet)):
            line.append(printable(", ".join(cells)))
    widths = [_width(column) for column in zip(*lines)]
    line_format = "  ".join(f"{{:<{width}}}" for width in widths).format
    return [line_format(*cells).rstrip() for cells in lines] + [
        printable(": ".join(filter(None, [host, problem]))) for host, problem in _problems(fleet)
    ]


def _width(column: t.Sequence[str]) -> int:
    # A column of most fleets needs no look at each cell.
    return max(width for width in set(map(len, column)) if width <= _MAX_WIDTH)


def comma_separated(data: t.Any, ports: bool = False) -> str:
    """The same as CSV, with a line of its own for each problem."""
    fleet = facts_by_host(data)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    headings = [*_HEADINGS, _PORTS] if ports else [*_HEADINGS]
    writer.writerow([*headings, "problem"])
    of_namespaces: t.Iterable[list[str]] = _ports(fleet) if ports else itertools.repeat([])
    for row, cells in zip(_rows(fleet), of_namespaces):
        more = [printable(" ".join(cells))] if ports else []
        writer.writerow(without_formulas([*_cells(row, " "), *more, ""]))
    between = [""] * (len(headings) - 1)
    for host, problem in _problems(fleet):
        writer.writerow(without_formulas([printable(host), *between, printable(problem)]))
    return text.getvalue()


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
    ]
    return cells if "".join(cells).isprintable() else list(map(printable, cells))


def without_formulas(cells: list[str]) -> list[str]:
    """The cells, with a quotation mark before what a spreadsheet would evaluate."""
    # Spreadsheets evaluate formulas, which can send data elsewhere. Some begin a cell at a semicolon.
    if not _FORMULA.search(";" + ";".join(cells)):
        return cells
    return [_FORMULA.sub(";'", f";{cell}")[1:] for cell in cells]
