# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Shared by the tests of the page: captured facts, and the types of the fixtures."""

from __future__ import annotations

import gzip
import json
import pathlib
import typing as t

from playwright import sync_api

HERE = pathlib.Path(__file__).resolve().parent
SMALL = HERE.parent / "unit" / "data" / "facts" / "web1.json"
LARGE = HERE / "node7.json.gz"
# In milliseconds, for machines that are busy with other tests.
PATIENCE = 60_000
# Features of Chromium that the tests do not need.
QUIET = (
    "disable-background-networking",
    "disable-component-update",
    "disable-gpu",
    "disable-quic",
    "disable-sync",
)


def small() -> dict[str, t.Any]:
    """The facts of a host with 5 namespaces."""
    return t.cast("dict[str, t.Any]", json.loads(SMALL.read_text(encoding="utf-8")))


def large() -> dict[str, t.Any]:
    """The facts of a host with 302 namespaces."""
    return t.cast("dict[str, t.Any]", json.loads(gzip.decompress(LARGE.read_bytes())))


def wait_for_picture(page: sync_api.Page) -> None:
    """The page draws its picture in several steps, after the list."""
    sync_api.expect(page.locator("#drawing")).to_have_attribute(
        "aria-busy", "false", timeout=PATIENCE
    )


class Draw(t.Protocol):
    """Writes the page of some hosts; the facts of an unreachable host are None."""

    def __call__(self, fleet: t.Mapping[str, object]) -> pathlib.Path:
        """The path of the page."""


class Open(t.Protocol):
    """Opens a page. It must load nothing else, and log no errors or messages."""

    def __call__(self, path: pathlib.Path, **options: t.Any) -> sync_api.Page:
        """The page in the browser."""
