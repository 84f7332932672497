# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.linuxnet.netns.plugins.module_utils._core import model
from ansible_collections.linuxnet.netns.plugins.module_utils._core.engines import values


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-01T00:00:01Z", 1),
        ("1970-01-01T00:00:01.5Z", 1.5),
        ("2026-11-24T01:34:51.359513504Z", 1795484091.3595135),
        ("2026-11-24T02:34:51+01:00", 1795484091),
        ("2026-11-23T22:04:51.25-03:30", 1795484091.25),
        ("0001-01-01T00:00:00Z", -62135596800),
        ("", 0),
        (None, 0),
    ],
)
def test_timestamp(text: str | None, seconds: float) -> None:
    assert values.timestamp({"Created": text}, "Created") == pytest.approx(seconds, abs=1e-6)


@pytest.mark.parametrize("text", [7, "now", "2026-13-01T00:00:00Z", "2026-11-24T01:34:51"])
def test_invalid_timestamp(text: object) -> None:
    with pytest.raises(model.EngineError):
        values.timestamp({"Created": text}, "Created")


@pytest.mark.parametrize("text", ["", "{", b"", b"{", b"\xff", b"[" * 100_000])
def test_invalid_json(text: str | bytes) -> None:
    with pytest.raises(model.EngineError, match="the response is not valid JSON: "):
        values.parse_json(text, "the response")
