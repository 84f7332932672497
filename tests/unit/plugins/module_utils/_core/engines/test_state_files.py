# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pathlib

import pytest

from ansible_collections.linuxnet.netns.plugins.module_utils._core import model
from ansible_collections.linuxnet.netns.plugins.module_utils._core.engines import state_files


def test_deadline() -> None:
    state_files.Deadline(5).check("/run/x")
    with pytest.raises(model.EngineError, match="/run/x could not be read in full in -1 s"):
        state_files.Deadline(-1).check("/run/x")


@pytest.mark.parametrize(
    ("text", "table", "expected"),
    [
        ('state = "/run/x"', "", "/run/x"),
        ("  state='/run/x' # comment", "", "/run/x"),
        ('#state = "/run/x"', "", ""),
        ('version = 2\nstate = ""\n', "", ""),
        ('[plugins]\nstate = "/run/x"', "", ""),
        ('[plugins]\nstate = "/run/x"', "plugins", "/run/x"),
        ('state = "/a"\n[plugins] # x\n  state = "/b"\n[other]\nstate = "/c"', "plugins", "/b"),
        ("state = 7", "", ""),
        ("\0\xff[", "", ""),
    ],
)
def test_toml_string(tmp_path: pathlib.Path, text: str, table: str, expected: str) -> None:
    (tmp_path / "config.toml").write_bytes(text.encode("latin-1"))
    assert state_files.toml_string(str(tmp_path / "config.toml"), "state", table) == expected
    assert state_files.toml_string(str(tmp_path / "none"), "state", table) == ""
