# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The hosts that the inventory plugin makes of captured facts, and their names."""

from __future__ import annotations

import copy
import json
import pathlib
import typing as t

import pytest

from ansible_collections.linuxnet.netns.plugins.plugin_utils import (
    _fleet_inventory,
    _fleet_schema,
)

DATA = pathlib.Path(__file__).resolve().parents[2] / "data" / "facts" / "web1.json"
WEB1: dict[str, t.Any] = json.loads(DATA.read_text(encoding="utf-8"))
_HOST, WEB, DB, GONE, MAIL = (namespace["inode"] for namespace in WEB1["namespaces"])
DEFAULT = ("{name}.{host}",)


def build(
    fleet: t.Mapping[str, t.Any],
    templates: t.Sequence[str] = DEFAULT,
    kinds: t.Sequence[str] = ("container", "pod"),
    taken: t.Sequence[str] = (),
) -> _fleet_inventory.Hosts:
    """The hosts of a fleet."""
    return _fleet_inventory.build(_fleet_schema.facts_by_host(fleet), templates, kinds, taken)


def names(fleet: t.Mapping[str, t.Any], *templates: str, **options: t.Any) -> list[str]:
    """Their names."""
    return [host.name for host in build(fleet, templates or DEFAULT, **options).hosts]


def renamed(index: int, container: int, name: str) -> dict[str, t.Any]:
    """The facts with another name of a container."""
    facts = copy.deepcopy(WEB1)
    facts["namespaces"][index]["containers"][container]["name"] = name
    return facts


def test_each_container_and_each_pod_is_a_host() -> None:
    hosts = build({"web1": WEB1, "web2": None})
    assert hosts.problems == hosts.renamed == []
    assert [(host.name, host.target, host.engine) for host in hosts.hosts] == [
        ("metrics.web1", f"/run/netns/web@{WEB}", "docker"),
        ("web.web1", f"/run/netns/web@{WEB}", "docker"),
        ("db.web1", f"/run/netns/db@{DB}", "docker"),
        ("mail.web1", f"/run/netns/mail@{MAIL}", "podman"),
    ]
    assert {host.host for host in hosts.hosts} == {"web1"}
    # The host's own container is the first of those that share its namespace.
    assert [[container["name"] for container in host.containers] for host in hosts.hosts] == [
        ["metrics", "web"],
        ["web", "metrics"],
        ["db"],
        ["imap", "smtp"],
    ]
    assert [host.pod and host.pod["name"] for host in hosts.hosts] == [None, None, None, "mail"]


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        (["pod"], ["mail.web1"]),
        (["named"], ["gone.web1"]),
        (["process"], []),
        ([], []),
    ],
)
def test_kinds_select(kinds: list[str], expected: list[str]) -> None:
    assert names({"web1": WEB1}, kinds=kinds) == expected


def test_namespaces_of_processes_have_the_name_of_their_unit() -> None:
    facts = copy.deepcopy(WEB1)
    for namespace, owner in zip(
        facts["namespaces"][1:4], [{"machine": "r1"}, {"unit": "vpn.service"}, {}]
    ):
        namespace.update({"kind": "process", "containers": [], **owner})
    assert names({"web1": facts}, kinds=["process"]) == [
        "r1.web1",
        "vpn.service.web1",
        f"net-{GONE}.web1",
    ]


def test_namespaces_of_the_host_and_of_unknown_kind_are_no_hosts() -> None:
    facts = copy.deepcopy(WEB1)
    facts["namespaces"][1]["kind"] = None
    facts["namespaces"][2]["is_host"] = True
    assert names({"web1": facts}) == ["mail.web1"]


@pytest.mark.parametrize(
    ("templates", "expected"),
    [
        (["{engine}-{name}"], ["docker-metrics", "docker-web", "docker-db", "podman-mail"]),
        # The first template whose placeholders all have values.
        (["{pod}", "{short_id}"], ["81ab9de3bac8", "02e4ee958327", "2e9fb8c73026", "mail"]),
        (["{{{inode}}}.{name}"], None),
    ],
)
def test_templates_of_names(templates: list[str], expected: list[str] | None) -> None:
    if expected is None:
        expected = [f"_{WEB}_.metrics", f"_{WEB}_.web", f"_{DB}_.db", f"_{MAIL}_.mail"]
    assert names({"web1": WEB1}, *templates) == expected


@pytest.mark.parametrize(
    ("template", "message"),
    [
        (
            "{nam}",
            r"hostnames has '\{nam\}': unknown placeholder \{nam\}\. The placeholders are \{name\} ",
        ),
        ("{name", r"hostnames has '\{name': "),
        ("{name!r}", "unknown placeholder"),
        ("{name.__class__}", "unknown placeholder"),
        ("{}", "unknown placeholder"),
    ],
)
def test_an_invalid_template_is_an_error(template: str, message: str) -> None:
    with pytest.raises(_fleet_schema.FleetError, match=message):
        names({"web1": WEB1}, template)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("shop/web", "shop_web.web1"),
        ("a:b,c&d!e f", "a_b_c_d_e_f.web1"),
        ("-l", "l.web1"),
        ("../x", "_x.web1"),
        ("{{ 1 }}\n", "___1____.web1"),
        ("büro", "b_ro.web1"),
        ("...", "web1"),
    ],
)
def test_names_have_no_characters_of_patterns(name: str, expected: str) -> None:
    assert names({"web1": renamed(2, 0, name)})[2] == expected


def test_names_are_limited() -> None:
    assert len(names({"web1": renamed(2, 0, "x" * 5000)})[2]) == 200


def test_a_name_that_two_would_have_goes_to_neither() -> None:
    hosts = build({"web1": renamed(1, 1, "db")})
    expected = [f"db.{WEB}.web1", f"db.{DB}.web1"]
    assert [host.name for host in hosts.hosts] == ["metrics.web1", *expected, "mail.web1"]
    assert hosts.renamed == expected
    # Containers of two engines.
    assert names({"web1": renamed(2, 0, "mail")})[2:] == ["mail.docker.web1", "mail.podman.web1"]


def test_no_host_gets_the_name_of_a_container_of_another_host() -> None:
    fleet = {"node1": renamed(2, 0, "web.x"), "x.node1": WEB1}
    assert [host.name for host in build(fleet).hosts if host.name.startswith("web.")] == [
        "web.node1",
        "web.x.docker.node1",
        "web.docker.x.node1",
    ]


def test_taken_names_are_not_given() -> None:
    assert names({"web1": WEB1}, taken=["db.web1"])[2] == "db.docker.web1"
    taken = ["db.web1", "db.docker.web1", f"db.{DB}.web1", "db.2e9fb8c73026.web1"]
    hosts = build({"web1": WEB1}, taken=taken)
    assert [host.name for host in hosts.hosts] == ["metrics.web1", "web.web1", "mail.web1"]
    assert hosts.problems == ["no name is left for db on web1: give another in `hostnames`"]


def test_problems_name_the_host() -> None:
    facts = copy.deepcopy(WEB1)
    facts["namespaces"][2].update(names=[], pins=[], processes=None)
    facts["namespaces"][2]["containers"][0]["pid"] = None
    hosts = build({"web1": facts, "web2": {"namespaces": [7]}})
    assert hosts.problems == [
        f"web1: the facts contain no path at which net:[{DB}] can be entered",
        "web2: the facts do not have the format that linuxnet.netns.netns_facts returns",
    ]
    assert [host.name for host in hosts.hosts] == ["metrics.web1", "web.web1", "mail.web1"]
