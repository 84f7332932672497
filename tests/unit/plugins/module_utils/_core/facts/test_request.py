# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.linuxnet.netns.plugins.module_utils._core import model
from ansible_collections.linuxnet.netns.plugins.module_utils._core.facts import request


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        (["containers", "interfaces"], "containers interfaces"),
        ([], ""),
        (["min"], ""),
        (["all"], "containers interfaces routes processes dns sockets"),
        (["all", "!interfaces"], "containers routes processes dns sockets"),
        (["!interfaces", "all"], "containers routes processes dns sockets"),
        (["!interfaces", "!routes"], "containers processes dns sockets"),
        (["!all"], ""),
        (["!all", "!min"], ""),
        (["!all", "interfaces"], "interfaces"),
        (["min", "!containers"], ""),
        (["!min"], "containers interfaces routes processes dns sockets"),
        (["containers", "!containers"], ""),
        (["dns"], "containers dns"),
        (["!all", "dns"], "containers dns"),
        (["dns", "!containers"], ""),
        (["!containers"], "interfaces routes processes sockets"),
        (["!sockets", "!dns"], "containers interfaces routes processes"),
        (["sockets"], "containers sockets"),
        (["sockets", "!containers"], "sockets"),
        (["!dns"], "containers interfaces routes processes sockets"),
    ],
)
def test_parse_subset(items: list[str], expected: str) -> None:
    assert request.parse_subset(items) == set(expected.split())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"patterns": ("web", "")}, "`containers` contains an empty item: remove it"),
        ({"netns_dir": ""}, "netns_dir is empty"),
        ({"netns_dir": "/run\0"}, "a path cannot contain a NUL"),
        ({"timeout": 0.0}, "timeout is 0"),
        ({"timeout": float("nan")}, "timeout is nan"),
    ],
)
def test_invalid_values_are_refused(options: dict[str, t.Any], message: str) -> None:
    valid = request.FactsRequest("/run/netns", None, 5.0, frozenset(), ())
    valid.check()
    with pytest.raises(model.SelectionError, match=message):
        valid._replace(**options).check()
