# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pathlib
import typing as t

import pytest

from ansible_collections.linuxnet.netns.plugins.module_utils._core.engines import shims

OWN = "own"


@pytest.mark.parametrize(
    ("tasks", "sockets", "expected"),
    [
        # Docker with Debian's containerd, and with one that dockerd starts.
        ({"state": {"moby": 3}}, 3, True),
        ({OWN: {"moby": 3}}, 3, True),
        ({"state": {"moby": 2, "plugins.moby": 1}, OWN: {"moby": 1}}, 4, True),
        # A container that was just started, or that ended and left its directory.
        ({"state": {"moby": 3}}, 2, True),
        # No container runs, so that nothing shows whose containerd it is.
        ({}, 0, False),
        ({"state": {"moby": 0}}, 0, False),
        # Pods as well, in this or another state directory.
        ({"state": {"moby": 3, "k8s.io": 1}}, 4, False),
        ({"state": {"moby": 3, "k8s.io": 0}}, 3, False),
        ({"state": {"moby": 3}}, 4, False),
        # No directory of sockets, as before containerd 1.4.
        ({"state": {"moby": 3}}, None, False),
    ],
)
def test_belong_to_docker(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: pathlib.Path,
    tasks: t.Mapping[str, t.Mapping[str, int]],
    sockets: int | None,
    expected: bool,
) -> None:
    monkeypatch.setattr(shims, "_SOCKETS", str(tmp_path / "s"))
    monkeypatch.setattr(shims, "_STATES", (str(tmp_path / "state"), str(tmp_path / OWN)))
    for state, namespaces in tasks.items():
        for namespace, count in namespaces.items():
            (tmp_path / state / shims.TASKS / namespace).mkdir(parents=True)
            for number in range(count):
                (tmp_path / state / shims.TASKS / namespace / str(number)).mkdir()
    if sockets is not None:
        (tmp_path / "s").mkdir()
        for number in range(sockets):
            (tmp_path / "s" / str(number)).touch()
    assert shims.belong_to_docker() == expected
