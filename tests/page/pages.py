# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the tests of the page share: captured facts, and what draws and opens a page."""

from __future__ import annotations

import gzip
import json
import pathlib
import typing as t

from playwright import sync_api

HERE = pathlib.Path(__file__).resolve().parent
SMALL = HERE.parent / "unit" / "data" / "facts" / "web1.json"
LARGE = HERE / "node7.json.gz"
# What it would start by itself is of no use here.
QUIET = (
    "disable-background-networking",
    "disable-component-update",
    "disable-gpu",
    "disable-quic",
    "disable-sync",
)


def small() -> dict[str, t.Any]:
    """A host with 5 namespaces, its own among them."""
    return t.cast("dict[str, t.Any]", json.loads(SMALL.read_text(encoding="utf-8")))


def large() -> dict[str, t.Any]:
    """A host with 302."""
    return t.cast("dict[str, t.Any]", json.loads(gzip.decompress(LARGE.read_bytes())))


class Draw(t.Protocol):
    """Draws the page of some hosts; None are the facts of one that could not be reached."""

    def __call__(self, fleet: t.Mapping[str, object]) -> pathlib.Path:
        """Where the page is."""


class Open(t.Protocol):
    """Opens a page, which must neither ask for anything nor complain about anything."""

    def __call__(self, path: pathlib.Path, **options: t.Any) -> sync_api.Page:
        """The page in the browser."""
