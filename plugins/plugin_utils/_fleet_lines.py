# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins!

"""Cells as the lines of a table and as CSV, each with a line of its own for each problem of a host."""

from __future__ import annotations

import csv
import io
import re
import typing as t

from ..module_utils._core.texts import printable

_FORMULA = re.compile(r";(?=\s*[=+\-@\uff1d\uff0b\uff0d\uff20])")
_Problems = t.Iterable[t.Tuple[str, str]]


def columns(lines: t.Sequence[t.Sequence[str]], max_width: int | None = None) -> list[str]:
    """Lines whose columns are as wide as their widest cell that is not wider than `max_width`."""
    widths = [_width(column, max_width) for column in zip(*lines)]
    line_format = "  ".join(f"{{:<{width}}}" for width in widths).format
    return [line_format(*cells).rstrip() for cells in lines]


def _width(column: t.Sequence[str], max_width: int | None) -> int:
    # A column of most fleets needs no look at each cell.
    return max(width for width in set(map(len, column)) if max_width is None or width <= max_width)


def of_problems(problems: _Problems) -> list[str]:
    """A line for each problem."""
    return [printable(": ".join(filter(None, [host, problem]))) for host, problem in problems]


def comma_separated(
    headings: t.Collection[str], rows: t.Iterable[list[str]], problems: _Problems
) -> str:
    """CSV with these headings, the first of them for the host, and one for problems."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*headings, "problem"])
    for cells in rows:
        writer.writerow(_without_formulas([*cells, ""]))
    between = [""] * (len(headings) - 1)
    for host, problem in problems:
        writer.writerow(_without_formulas([printable(host), *between, printable(problem)]))
    return text.getvalue()


def _without_formulas(cells: list[str]) -> list[str]:
    """The cells, with a quotation mark before what a spreadsheet would evaluate."""
    # Spreadsheets evaluate formulas, which can send data elsewhere. Some begin a cell at a semicolon.
    if not _FORMULA.search(";" + ";".join(cells)):
        return cells
    return [_FORMULA.sub(";'", f";{cell}")[1:] for cell in cells]
