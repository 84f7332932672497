# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From captured facts and a question to the path at which a task enters."""

from __future__ import annotations

import copy
import json
import pathlib
import typing as t

import pytest

from ansible_collections.linuxnet.netns.plugins.plugin_utils import _fleet_schema, _fleet_target

DATA = pathlib.Path(__file__).resolve().parents[2] / "data" / "facts" / "web1.json"
WEB1: dict[str, t.Any] = json.loads(DATA.read_text(encoding="utf-8"))
HOST, WEB, DB, GONE, MAIL = (namespace["inode"] for namespace in WEB1["namespaces"])


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("web", f"/run/netns/web@{WEB}"),
        ("metrics", f"/run/netns/web@{WEB}"),
        ("docker/metrics", f"/run/netns/web@{WEB}"),
        ("172.18.0.2", f"/run/netns/web@{WEB}"),
        ("veth62f2f52", f"/run/netns/web@{WEB}"),
        (WEB, f"/run/netns/web@{WEB}"),
        # Two names match, of one namespace.
        ("imap", f"/run/netns/mail@{MAIL}"),
        ("m*l", f"/run/netns/mail@{MAIL}"),
        ("gone", f"/run/netns/gone@{GONE}"),
    ],
)
@pytest.mark.parametrize("data", [WEB1, {"web1": WEB1, "web2": None}], ids=["host", "fleet"])
def test_one_namespace_is_a_target(data: dict[str, t.Any], question: object, expected: str) -> None:
    assert _fleet_target.target(data, question) == expected


@pytest.mark.parametrize(
    ("data", "question", "message"),
    [
        (WEB1, "wbe", r"^no network namespace in the facts matches 'wbe': gather the facts again"),
        (WEB1, "", r"^the question is empty"),
        (WEB1, "172.18.0.1", r"^'172\.18\.0\.1' matches the host's own network namespace"),
        (
            WEB1,
            "m*",
            r"^'m\*' matches 2 .*: metrics is one of containers .*\. mail is the namespace of pod mail with .*\.$",
        ),
        (
            {"web1": WEB1, "web2": WEB1},
            "db",
            r"^'db' matches 2 network namespaces.*: db is .* on web1.*\. db is .* on web2.*\.$",
        ),
        (WEB1, "a\x1b[2J", r"matches 'a\\x1b\[2J'"),
    ],
)
def test_none_and_several_are_errors(data: dict[str, t.Any], question: str, message: str) -> None:
    with pytest.raises(_fleet_schema.FleetError, match=message):
        _fleet_target.target(data, question)


def test_an_error_lists_no_more_than_ten_matches() -> None:
    fleet = {f"web{number}": WEB1 for number in range(30)}
    with pytest.raises(_fleet_schema.FleetError, match=r"matches 30 .* …$") as error:
        _fleet_target.target(fleet, "db")
    assert " on web9" in str(error.value)
    assert " on web10" not in str(error.value)


def target_with(change: t.Mapping[str, t.Any], netns_dir: t.Any = "/run/netns") -> str:
    """The target of the namespace of `web` with other values."""
    facts = copy.deepcopy(WEB1)
    facts["netns_dir"] = netns_dir
    facts["namespaces"][1].update(change)
    return _fleet_target.target(facts, WEB)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"names": []}, "/run/docker/netns/ca2fdc56097f"),
        # A path that several namespaces are mounted at leads to the topmost.
        (
            {"names": [], "pins": ["/run/netns/db", "/run/docker/netns/ca2fdc56097f"]},
            "/run/docker/netns/ca2fdc56097f",
        ),
        ({"names": [], "pins": ["/run/netns/db"]}, "/proc/503/ns/net"),
        # Pins in other mount namespaces, in one without processes, and names that are not text.
        (
            {"names": [], "pins": ["/proc/812/root/run/user/1000/netns/a"]},
            "/proc/503/ns/net",
        ),
        ({"names": [], "pins": ["mnt:[4026532200]:/run/netns/web"]}, "/proc/503/ns/net"),
        ({"names": ["a\\xff"], "pins": ["/run/netns/a\\xff"]}, "/proc/503/ns/net"),
        ({"names": ["a\nb"], "pins": []}, "/proc/503/ns/net"),
        ({"names": [], "pins": [], "containers": []}, "/proc/334/ns/net"),
        ({"names": [], "pins": [], "containers": [{"name": "web"}]}, "/proc/334/ns/net"),
        (
            {
                "names": [],
                "pins": ["/proc/812/root/run/user/1000/netns/a"],
                "containers": [],
                "processes": None,
            },
            "/proc/812/root/run/user/1000/netns/a",
        ),
    ],
)
def test_the_path_that_lasts_is_preferred(change: dict[str, t.Any], expected: str) -> None:
    assert target_with(change) == f"{expected}@{WEB}"


def test_names_are_in_the_directory_of_the_facts() -> None:
    assert target_with({}, "/srv/netns") == f"/srv/netns/web@{WEB}"
    assert target_with({}, None) == f"/run/netns/web@{WEB}"


def test_a_namespace_without_a_path_is_an_error() -> None:
    with pytest.raises(
        _fleet_schema.FleetError, match=r"net:\[\d+\], and the facts contain no path at which"
    ):
        target_with({"names": [], "pins": [], "containers": [], "processes": {"first": []}})
