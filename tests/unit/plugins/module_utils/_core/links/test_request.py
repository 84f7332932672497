# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.linuxnet.netns.plugins.module_utils._core import model
from ansible_collections.linuxnet.netns.plugins.module_utils._core.links.request import LinkRequest

GOOD: list[dict[str, t.Any]] = [
    {"all": True},
    {"containers": ()},
    {"containers": ("web",), "names": ("x",)},
    {"pid": 7, "names": ("x",)},
    {"path": "/x", "names": ("x",)},
    {"prune": True},
    {"all": True, "prune": True, "engines": ("docker",)},
    {"state": "absent", "names": ("777001",)},
    {"state": "absent", "names": ()},
    {"state": "absent", "all": True},
    {"state": "absent", "prune": True},
]
BAD: list[tuple[dict[str, t.Any], str]] = [
    ({}, "nothing is selected"),
    ({"names": ("x",)}, "name alone"),
    ({"labels": {"a": "b"}}, "nothing is selected"),
    ({"state": "absent"}, "nothing is selected"),
    ({"all": True, "containers": ("x",)}, "containers and all exclude"),
    ({"pid": 1, "path": "/x", "names": ("x",)}, "pid and path exclude"),
    ({"pid": 7}, "pid needs `name`"),
    ({"path": "/x"}, "path needs `name`"),
    ({"pid": 0, "names": ("x",)}, "pid is 0"),
    ({"pid": -1, "names": ("x",)}, "pid is -1"),
    ({"containers": ("web", "")}, "empty item"),
    ({"containers": ("web",), "names": ("x", "y")}, "exactly one"),
    ({"containers": ("web",), "names": ()}, "exactly one"),
    ({"all": True, "names": ("x",)}, "name_template"),
    ({"containers": ("web",), "names": ("a/b",)}, "'/'"),
    ({"containers": ("web",), "names": ("777001",)}, "PID"),
    ({"all": True, "name_template": "{nmae}"}, "quote the template"),
    ({"all": True, "timeout": 0}, "timeout"),
    ({"all": True, "netns_dir": ""}, "netns_dir is empty"),
    ({"all": True, "netns_dir": "/a\0b"}, "cannot contain a NUL"),
    ({"path": "/a\0b", "names": ("x",)}, "cannot contain a NUL"),
    ({"all": True, "timeout": float("nan")}, "timeout is nan"),
    ({"all": True, "timeout": float("inf")}, "timeout is inf"),
    ({"all": True, "timeout": 1e300}, "timeout is 1e"),
    ({"pid": -1, "names": ("x",)}, "pid is -1"),
    ({"pid": 0, "names": ("x",)}, "pid is 0"),
    ({"pid": 7, "names": ("\ud800",)}, "not valid text"),
    ({"pid": 7, "names": ("../x",)}, "a '/'"),
    ({"pid": 7, "names": ("x",), "resolv_conf": True}, "resolv_conf"),
    ({"state": "absent", "pid": 7}, "give `name`"),
    ({"state": "absent", "path": "/x"}, "give `name`"),
    ({"state": "absent", "all": True, "names": ("x",)}, "all and name exclude"),
    ({"state": "absent", "names": ("..",)}, "directory"),
]


@pytest.mark.parametrize("options", GOOD)
def test_good(options: dict[str, t.Any]) -> None:
    LinkRequest(**options).check()


@pytest.mark.parametrize(("options", "message"), BAD)
def test_bad(options: dict[str, t.Any], message: str) -> None:
    with pytest.raises(model.SelectionError, match=message):
        LinkRequest(**options).check()
