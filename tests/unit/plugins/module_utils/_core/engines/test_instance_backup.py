# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.linuxnet.netns.plugins.module_utils._core.engines import instance_backup

START = "container:\n  config:\n    user.a: other\n  expanded_config:\n"
END = "  name: web\npool:\n  expanded_config:\n    user.b: other\n"


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("    user.a: front", "front"),
        ("    user.a: a-b c,d", "a-b c,d"),
        ('    user.a: "1"', "1"),
        ('    user.a: ""', ""),
        (r'    user.a: "a\tb\u00e9"', "a\tb\u00e9"),
        ("    user.a: 'it''s: \"x\"'", 'it\'s: "x"'),
        ("    user.a: ''", ""),
        ("        user.a: front", "front"),
    ],
)
def test_a_setting(line: str, value: str) -> None:
    assert instance_backup.parse(f"{START}{line}\n{END}") == {"user.a": value}


@pytest.mark.parametrize(
    "lines",
    [
        "    user.a: |-\n      x\n      y",
        "    user.a: a\n      b",
        "    user.a:",
        "    user.a: &x y",
        "    user.a: 'x",
        "    user.a: 'a'b'",
        '    user.a: "x',
        r'    user.a: "\e"',
        r'    user.a: "\ud800"',
        "    user.a: [x]",
        "    user.a: a: b",
        "    user.a: a # b",
        "    'user a': x",
        "    - x",
    ],
)
def test_what_is_not_understood_is_not_guessed_at(lines: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - untrusted.parse_json has messages of its own
        instance_backup.parse(f"{START}{lines}\n{END}")


@pytest.mark.parametrize(
    "text",
    ["", "{}", "pool:\n  expanded_config:\n    user.a: x\n", "container:\n  config:\n    a: b\n"],
)
def test_a_file_without_an_instance(text: str) -> None:
    with pytest.raises(ValueError, match="no settings"):
        instance_backup.parse(text)


@pytest.mark.parametrize("section", ["  expanded_config: {}\n", "  expanded_config:\n"])
def test_an_instance_without_settings(section: str) -> None:
    assert instance_backup.parse(f"instance:\n{section}{END}") == {}
