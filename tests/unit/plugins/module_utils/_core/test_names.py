# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.linuxnet.netns.plugins.module_utils._core import model, names

WEB = model.Container(
    engine="docker",
    source="/run/docker.sock",
    id="32d072c6343a18caacf52ca395b58f08da2f62e487440fe630f9a2c28ab37503",
    name="web",
    running=True,
    status="running",
    labels={"com.docker.compose.project": "shop", "com.docker.compose.service": "www"},
)
POD = model.Container(
    engine="containerd",
    source="/run/containerd",
    id="b" * 64,
    name="pause",
    running=True,
    status="running",
    pod=model.Pod("kube-system", "dns", "u-1"),
    sandbox=True,
)


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("web", None),
        ("a" * 255, None),
        ("ä" * 127, None),
        ("1a", None),
        ("089", None),
        ("-web", None),
        ("", "empty"),
        (".", "directory"),
        ("..", "directory"),
        ("a/b", "'/'"),
        ("a\nb", "control"),
        ("a\x00b", "control"),
        # The start of a control sequence to many terminals.
        ("a\x9b2Jb", "control"),
        ("\ud800", "not valid text"),
        ("\udcff", None),
        ("..\x00", "control"),
        ("\U0001f40b" * 63, None),
        ("\U0001f40b" * 64, "longer"),
        ("a" * 256, "longer"),
        ("ä" * 128, "longer"),
        ("777001", "PID"),
        ("0x1f", "PID"),
        ("0X1F", "PID"),
        ("017", "PID"),
        ("0", "PID"),
        ("+7", "PID"),
        (" 7", "PID"),
        ("0b1", "PID"),
        ("1_000", "PID"),
    ],
)
def test_refusal(name: str, rule: str | None) -> None:
    refusal = names.refusal(name)
    assert refusal is None if rule is None else refusal is not None and rule in refusal


@pytest.mark.parametrize(
    ("template", "container", "name"),
    [
        ("{name}", WEB, "web"),
        ("{id}", WEB, WEB.id),
        ("{engine}-{short_id}", WEB, "docker-32d072c6343a"),
        ("{compose_project}.{compose_service}", WEB, "shop.www"),
        ("{{{name}}}", WEB, "{web}"),
        ("fixed", WEB, "fixed"),
        # As Proxmox names its LXC containers: `ip` would read it as a PID.
        ("{name}", WEB._replace(engine="lxc", name="100"), "lxc-100"),
        ("{name}", WEB._replace(name="0x1f"), "docker-0x1f"),
        ("{name}", WEB._replace(name="100a"), "100a"),
        ("c{name}", WEB._replace(name="100"), "c100"),
        ("{name}{name}", WEB._replace(name="1"), "11"),
        ("{name}", POD, "kube-system_dns"),
        ("{name}", POD._replace(pod=model.Pod("", "dns", "u-1")), "dns"),
        ("{name}", POD._replace(sandbox=False), "pause"),
        ("{pod}@{pod_namespace}:{pod_uid}", POD, "dns@kube-system:u-1"),
    ],
)
def test_template(template: str, container: model.Container, name: str) -> None:
    assert names.Template(template).fill(container) == name


@pytest.mark.parametrize(
    "template",
    [
        "{nmae}",
        "{'id': None}",
        "{}",
        "{0}",
        "{name.pod}",
        "{name[0]}",
        "{name!r}",
        "{name:>9}",
        "{name",
        "}",
    ],
)
def test_an_invalid_template_is_refused_with_advice(template: str) -> None:
    with pytest.raises(model.SelectionError, match="quote the template"):
        names.Template(template)


def test_a_placeholder_that_a_container_lacks() -> None:
    with pytest.raises(model.SelectionError, match="no compose_service"):
        names.Template("{compose_service}").fill(POD)
