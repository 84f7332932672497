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


COMPOSE = {
    "com.docker.compose.project": "shop",
    "com.docker.compose.service": "www",
    "com.docker.compose.container-number": "2",
}
SWARM = {
    "com.docker.swarm.service.name": "shop.web",
    "com.docker.swarm.task.name": "shop.web.3.x2ul0hyn5ryd9o",
}


@pytest.mark.parametrize(
    ("template", "labels", "user", "name"),
    [
        ("{compose_service}-{compose_number}", COMPOSE, "", "www-2"),
        ("{swarm_service}/{swarm_slot}", SWARM, "", "shop.web/3"),
        # A global service has one task on each node.
        (
            "{swarm_slot}",
            {**SWARM, "com.docker.swarm.task.name": "shop.web.n8kq5.x2ul0"},
            "",
            "n8kq5",
        ),
        ("{user}-{name}", {}, "", "root-web"),
        ("{user}-{name}", {}, "mia", "mia-web"),
        ("{swarm_slot}", {**SWARM, "com.docker.swarm.task.name": "other"}, "", None),
        ("{swarm_slot}", {}, "", None),
        ("{compose_number}", {}, "", None),
    ],
)
def test_placeholders_of_users_compose_and_swarm(
    template: str, labels: dict[str, str], user: str, name: str | None
) -> None:
    container = WEB._replace(labels=labels, user=user)
    if name is None:
        with pytest.raises(model.SelectionError, match="it has no"):
            names.Template(template).fill(container)
    else:
        assert names.Template(template).fill(container) == name


MIA, NOA = (WEB._replace(engine="podman", user=user, id=user * 20) for user in ("mia", "noa"))
SCALED = [
    WEB._replace(id=number * 64, labels={**COMPOSE, "com.docker.compose.container-number": number})
    for number in "12"
]
PROJECTS = [
    WEB._replace(id=project * 64, labels={**COMPOSE, "com.docker.compose.project": project})
    for project in "ab"
]
TASKS = [
    WEB._replace(id=slot * 64, labels={**SWARM, "com.docker.swarm.task.name": f"shop.web.{slot}.x"})
    for slot in "12"
]


@pytest.mark.parametrize(
    ("template", "containers", "advice"),
    [
        ("{name}", [WEB, WEB._replace(engine="podman")], "{engine}-{name}"),
        ("{name}", [MIA, NOA], "{user}-{name}"),
        ("{name}", [WEB, MIA, NOA], "{user}-{name}"),
        ("{name}", [WEB, MIA, NOA._replace(engine="docker")], "{user}-{name}"),
        ("{name}", [WEB, WEB._replace(engine="podman"), MIA], "{engine}-{user}-{name}"),
        ("{name}", [WEB, WEB._replace(source="/other", id="b" * 64)], "{name}-{short_id}"),
        ("{compose_service}", SCALED, "{compose_service}-{compose_number}"),
        ("{compose_service}", PROJECTS, "{compose_project}-{compose_service}"),
        ("{swarm_service}", TASKS, "{swarm_service}.{swarm_slot}"),
        # Not every container has the number that two of them differ by.
        ("{name}", SCALED, "{name}-{short_id}"),
    ],
)
def test_the_template_that_is_advised_gives_each_another_name(
    template: str, containers: list[model.Container], advice: str
) -> None:
    assert names.distinguishing_template(template, containers) == advice
    filled = {names.Template(advice).fill(container) for container in containers}
    assert len(filled) == len(containers)


def test_a_placeholder_that_a_container_lacks() -> None:
    with pytest.raises(model.SelectionError, match="no compose_service"):
        names.Template("{compose_service}").fill(POD)
