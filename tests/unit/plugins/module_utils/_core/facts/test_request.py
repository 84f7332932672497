# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

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
