# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.linuxnet.netns.plugins.module_utils._core import model, texts

WEB = model.Container("docker", "/run/docker.sock", "32d072c6343a18ca", "web", True, "running")
POD = model.Container(
    "containerd",
    "/run/containerd",
    "b" * 64,
    "pause",
    True,
    "running",
    pod=model.Pod("kube-system", "dns", "u-1"),
    sandbox=True,
)


@pytest.mark.parametrize(
    ("container", "text"),
    [
        (WEB, "docker container web (32d072c6343a)"),
        (
            WEB._replace(engine="podman", user="mia", id="mia" * 20),
            "podman container web (miamiamiamia) of user mia",
        ),
        (WEB._replace(engine="lxc", id="web"), "lxc container web"),
        (POD, "containerd pod kube-system_dns (bbbbbbbbbbbb)"),
    ],
)
def test_a_container_is_described_by_its_name_and_user(
    container: model.Container, text: str
) -> None:
    assert texts.describe(container) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("wäb 🐋", "wäb 🐋"),
        ("a\nb", "a\\nb"),
        ("\x1b[2J", "\\x1b[2J"),
        ("a\x9b2Jb", "a\\x9b2Jb"),
        ("\u202eb", "\\u202eb"),
        ("\udcff", "\\udcff"),
    ],
)
def test_what_a_terminal_would_act_on_is_escaped(text: str, shown: str) -> None:
    assert texts.printable(text) == shown
