# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins!

"""A row for each namespace of each host, as data, as lines of a table, and as CSV."""

from __future__ import annotations

import csv
import io
import re
import typing as t

from ..module_utils._core.names import printable
from ._fleet_schema import facts_by_host
from ._fleet_text import addresses, link_or_inode, lost_devices, outside_peers, owner, peer_name

# Wider cells do not widen their column: they only shift the rest of their own line.
_MAX_WIDTH = 40
_FORMULA = re.compile(r"(^|;)(?=\s*[=+\-@\uff1d\uff0b\uff0d\uff20])")
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


def rows(data: t.Any) -> list[dict[str, t.Any]]:
    """One row for each namespace of each host."""
    return [
        {
            "host": host,
            "inode": namespace["inode"],
            "kind": namespace.get("kind"),
            "engine": namespace.get("engine"),
            "stale": namespace.get("stale"),
            "names": list(namespace.get("names") or []),
            "owner": owner(namespace),
            "addresses": addresses(namespace),
            "host_side": [peer_name(peer) for peer in outside_peers(namespace)],
        }
        for host, facts in facts_by_host(data).items()
        if facts
        for namespace in facts["namespaces"]
    ]


def problems(data: t.Any) -> list[tuple[str, str]]:
    """Host and problem: missing or incomplete facts, and devices that the host has lost."""
    by_host = []
    for host, facts in facts_by_host(data).items():
        if facts is None:
            by_host.append((host, "no facts"))
            continue
        for gap in facts.get("incomplete") or []:
            by_host.append((host, f"incomplete: {gap['source']}: {gap['reason']}"))
        for namespace in facts["namespaces"]:
            lost = lost_devices(namespace)
            if lost:
                by_host.append((host, f"{link_or_inode(namespace)} is stale and {lost}"))
    return by_host


def table(data: t.Any) -> list[str]:
    """The lines of a table of all hosts, followed by a line for each problem."""
    columns = list(_HEADINGS)
    if set(facts_by_host(data)) == {""}:
        columns.remove("host")
    cells = [[_HEADINGS[column] for column in columns]]
    cells += [[_cell(row[column], ", ") for column in columns] for row in _display_rows(data)]
    widths = [
        max(len(cell) for cell in column if len(cell) <= _MAX_WIDTH) for column in zip(*cells)
    ]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in cells
    ]
    return lines + [
        printable(": ".join(filter(None, [host, problem]))) for host, problem in problems(data)
    ]


def comma_separated(data: t.Any) -> str:
    """The same as CSV, with a line of its own for each problem."""
    columns = [*_HEADINGS, "problem"]
    lines: list[dict[str, t.Any]] = list(_display_rows(data))
    lines += [{"host": host, "problem": problem} for host, problem in problems(data)]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for line in lines:
        writer.writerow([_without_formulas(_cell(line.get(column, ""), " ")) for column in columns])
    return text.getvalue()


def _display_rows(data: t.Any) -> t.Iterator[dict[str, t.Any]]:
    for row in rows(data):
        stale = row["stale"]
        yield {
            **row,
            "kind": row["kind"] or "?",
            "stale": "?" if stale is None else "yes" if stale else "",
        }


def _cell(value: t.Any, separator: str) -> str:
    if value is None:
        return ""
    return printable(separator.join(value) if isinstance(value, list) else str(value))


def _without_formulas(text: str) -> str:
    # Spreadsheets evaluate formulas, which can send data elsewhere. Some begin a cell at a semicolon.
    return _FORMULA.sub(r"\1'", text)
