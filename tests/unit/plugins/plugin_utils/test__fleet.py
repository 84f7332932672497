# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import copy
import csv
import json
import pathlib
import typing as t

import hostile_inputs
import pytest

from ansible_collections.linuxnet.netns.plugins.plugin_utils import _fleet

# A host with two containers that share a namespace, one in a network of its own, a pod, and what a link keeps of a
# container that was removed.
DATA = pathlib.Path(__file__).resolve().parents[2] / "data" / "facts" / "web1.json"
WEB1: dict[str, t.Any] = json.loads(DATA.read_text(encoding="utf-8"))
FLEET = {"web1": WEB1, "web2": None}
HOST, WEB, DB, GONE, MAIL = (one["inode"] for one in WEB1["namespaces"])
CNI = "netns-f27bbf81-9a7f-5313-0ac2-1069a4099f49"
BRIDGE = "br-3801874c5732"
METRICS = "81ab9de3bac8a7ecd2cc69208d04cc6655f7fd3413f68b9aecfe20950436311b"


def changed(change: t.Callable[[dict[int, t.Any]], t.Any]) -> dict[str, t.Any]:
    """The facts, after something was done to their namespaces by inode."""
    facts = copy.deepcopy(WEB1)
    change({one["inode"]: one for one in facts["namespaces"]})
    return facts


@pytest.mark.parametrize(
    ("question", "found"),
    [
        ("172.18.0.2", [("address", "172.18.0.2/16", WEB, "eth0")]),
        ("172.18.0.2/16", [("address", "172.18.0.2/16", WEB, "eth0")]),
        (" 172.18.0.2/32 ", [("address", "172.18.0.2/16", WEB, "eth0")]),
        ("172.18.0.20", []),
        (
            "172.19.0.0/16",
            [("address", "172.19.0.1/16", HOST, BRIDGE), ("address", "172.19.0.2/16", DB, "eth0")],
        ),
        ("fe80::/10", [("address", "fe80::c479:55ff:fe95:1bd6/64", MAIL, "eth0")]),
        (
            "0:0:0:0:0:0:0:1",
            [("address", "::1/128", inode, "lo") for inode in (WEB, DB, GONE, MAIL)],
        ),
        ("web", [("name", "web", WEB, None)]),
        (CNI, [("name", CNI, MAIL, None)]),
        (f"/run/netns/{CNI}", [("pin", f"/run/netns/{CNI}", MAIL, None)]),
        ("gone", [("name", "gone", GONE, None)]),
        ("metrics", [("container", "metrics", WEB, None)]),
        (METRICS, [("container", "metrics", WEB, None)]),
        (METRICS[:5], [("container", "metrics", WEB, None)]),
        ("imap", [("container", "imap", MAIL, None)]),
        ("mail", [("name", "mail", MAIL, None)]),
        ("veth62f2f52", [("interface", "veth62f2f52", WEB, "eth0")]),
        ("veth62f2f52@if3", [("interface", "veth62f2f52", WEB, "eth0")]),
        ("docker0", [("interface", "docker0", HOST, "docker0")]),
        ("eth0", [("interface", "eth0", inode, "eth0") for inode in (HOST, WEB, DB, MAIL)]),
        (WEB, [("inode", str(WEB), WEB, None)]),
        (f"net:[{WEB}]", [("inode", f"net:[{WEB}]", WEB, None)]),
        ("nobody", []),
    ],
)
def test_find(question: t.Any, found: list[tuple[str, str, int, str | None]]) -> None:
    matches = _fleet.find(FLEET, question)
    assert {match["host"] for match in matches} <= {"web1"}
    seen = [
        (
            match["by"],
            match["value"],
            match["namespace"]["inode"],
            match["interface"] and match["interface"]["name"],
        )
        for match in matches
    ]
    assert seen == found


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        (
            "172.18.0.2",
            (
                "172.18.0.2/16 is an address of eth0 of containers metrics, web (docker) on web1: "
                "behind veth62f2f52 (docker0), ip netns knows it as web."
            ),
        ),
        (
            "veth62f2f52",
            (
                "veth62f2f52 on web1, in docker0, leads to eth0 of containers metrics, web (docker): "
                "172.18.0.2/16, ip netns knows it as web."
            ),
        ),
        (
            CNI,
            (
                f"{CNI} is the namespace of pod mail with imap, smtp (podman) on web1: "
                "10.88.0.2/16, behind veth0 (podman0), ip netns knows it as mail."
            ),
        ),
        ("gone", "gone is a namespace on web1: it is stale."),
        ("docker0", "docker0 is an interface of the host itself on web1: 172.18.0.1/16."),
        (
            METRICS[:5],
            (
                "metrics is one of containers metrics, web (docker) on web1: "
                "172.18.0.2/16, behind veth62f2f52 (docker0), ip netns knows it as web."
            ),
        ),
    ],
)
def test_answers(question: str, answer: str) -> None:
    assert [match["answer"] for match in _fleet.find(FLEET, question)] == [answer]


def test_an_interface_leads_to_its_peer_where_the_host_itself_is_not_among_the_facts() -> None:
    narrowed = {**WEB1, "namespaces": [one for one in WEB1["namespaces"] if one["inode"] == WEB]}
    (match,) = _fleet.find(narrowed, "veth62f2f52")
    assert match["answer"].startswith(
        "veth62f2f52, in docker0, leads to eth0 of containers metrics, web"
    )


def test_an_exact_name_comes_before_what_an_id_begins_with() -> None:
    facts = changed(lambda by: by[DB]["names"].append(METRICS[:5]))
    assert [match["namespace"]["inode"] for match in _fleet.find(facts, METRICS[:5])] == [DB]


def test_nothing_asked_is_refused() -> None:
    with pytest.raises(_fleet.FleetError, match="nothing is asked for"):
        _fleet.find(FLEET, " ")


@pytest.mark.parametrize(
    "data",
    [
        WEB1,
        {"": WEB1},
        {"": {"ansible_facts": {"netns": WEB1}, "netns": "a variable of the inventory"}},
        {"": {"netns": WEB1}},
    ],
    ids=["one host", "hosts", "variables of hosts", "results of hosts"],
)
def test_the_facts_are_found(data: t.Any) -> None:
    assert _fleet.hosts(data) == {"": WEB1}


@pytest.mark.parametrize("data", [None, {}, {"ansible_facts": {}}, "", 7])
def test_a_host_without_facts_is_told(data: t.Any) -> None:
    assert _fleet.problems({"web1": WEB1, "web2": data}) == [("web2", "no facts")]
    assert _fleet.table({"web1": WEB1, "web2": data})[-1] == "web2: no facts"


@pytest.mark.parametrize("wrong", hostile_inputs.SAMPLE, ids=hostile_inputs.case_id)
def test_a_host_that_gives_anything_hides_no_other(wrong: t.Any) -> None:
    """A value at each place in turn: of the host that gives it, something is shown or it is told."""
    told = 0
    small = {**WEB1, "namespaces": [one for one in WEB1["namespaces"] if one["inode"] == WEB]}
    for facts in hostile_inputs.with_value_anywhere(small, wrong):
        fleet_facts = {"web1": facts, "web2": small}
        assert _fleet.rows(fleet_facts)[-1]["inode"] == WEB
        assert all(line.isprintable() for line in _fleet.table(fleet_facts))
        _fleet.comma_separated(fleet_facts)
        assert _fleet.find(fleet_facts, "172.18.0.2")[-1]["host"] == "web2"
        told += _fleet.problems(fleet_facts) != []
    assert told > 10 or wrong is None


@pytest.mark.parametrize("data", [None, "web1", 3, [WEB1]])
def test_what_is_no_fleet_is_refused(data: t.Any) -> None:
    with pytest.raises(_fleet.FleetError, match="no facts of network namespaces"):
        _fleet.hosts(data)


def test_rows() -> None:
    rows = {row["inode"]: row for row in _fleet.rows(FLEET)}
    assert list(rows) == [HOST, WEB, DB, GONE, MAIL]
    assert rows[WEB] == {
        "host": "web1",
        "inode": WEB,
        "kind": "container",
        "engine": "docker",
        "stale": False,
        "names": ["web"],
        "owner": "metrics, web",
        "addresses": ["172.18.0.2/16"],
        "host_side": ["veth62f2f52 (docker0)"],
    }
    assert (rows[HOST]["owner"], rows[HOST]["host_side"]) == ("", [])
    assert (rows[GONE]["owner"], rows[GONE]["stale"], rows[GONE]["addresses"]) == ("", True, [])
    assert rows[MAIL]["owner"] == "mail: imap, smtp"


@pytest.mark.parametrize(
    ("namespace", "owner"),
    [
        ({"containers": [], "unit": "vpn.service", "user": None}, "vpn.service"),
        ({"containers": [], "unit": None, "user": "mia"}, "of mia"),
        ({"containers": [{"name": "web"}], "unit": None, "user": "mia"}, "web of mia"),
        ({"containers": [], "network": {"id": "s0d2", "name": None}}, "network s0d2"),
        ({"containers": [], "network": {"id": "s0d2", "name": "shop"}}, "network shop"),
        (
            {"containers": [], "pod": {"namespace": "shop", "name": "cart-0", "uid": "u"}},
            "shop/cart-0",
        ),
        ({}, ""),
    ],
)
def test_owner(namespace: dict[str, t.Any], owner: str) -> None:
    assert _fleet.owner(namespace) == owner


def test_facts_of_the_smallest_subset_will_do() -> None:
    always = ("inode", "dev", "is_host", "names", "pins", "nsid", "kind", "stale", "engine")
    smallest = {
        **WEB1,
        "namespaces": [{key: one[key] for key in always} for one in WEB1["namespaces"]],
    }
    assert len(_fleet.table(smallest)) == 6
    assert [match["answer"] for match in _fleet.find(smallest, "web")] == ["web is a namespace."]


def test_table() -> None:
    lines = _fleet.table(FLEET)
    assert lines[0].split() == [
        "HOST",
        "INODE",
        "KIND",
        "ENGINE",
        "STALE",
        "NAMES",
        "OWNER",
        "ADDRESSES",
        "HOST",
        "SIDE",
    ]
    assert lines[4].split() == ["web1", str(GONE), "named", "docker", "yes", "gone"]
    # A single host needs no column.
    assert _fleet.table(WEB1)[0].startswith("INODE")
    assert lines[0].index("KIND") == lines[1].index("host")


def test_what_is_not_known_is_below_the_table() -> None:
    facts = {
        **changed(lambda by: by[GONE]["interfaces"][0].update(name="ens4", physical=True)),
        "incomplete": [{"source": "docker", "reason": "no answer in 5 s"}],
    }
    assert _fleet.table({"web1": facts})[-2:] == [
        "web1: incomplete: docker: no answer in 5 s",
        "web1: namespace gone is stale and holds ens4, which the host has lost",
    ]
    assert _fleet.find(facts, "gone")[0]["answer"] == (
        "gone is a namespace: it is stale, it holds ens4, which the host has lost."
    )


def test_csv() -> None:
    lines = list(csv.DictReader(_fleet.comma_separated(FLEET).splitlines()))
    assert [line["host"] for line in lines] == ["web1"] * 5 + ["web2"]
    assert (lines[1]["owner"], lines[1]["host_side"]) == ("metrics, web", "veth62f2f52 (docker0)")
    assert lines[4]["names"] == f"mail {CNI}"
    assert (lines[5]["inode"], lines[5]["problem"]) == ("", "no facts")


@pytest.mark.parametrize(
    ("name", "in_table", "in_csv"),
    [
        ("\x1b[2Jx", "\\x1b[2Jx", "\\x1b[2Jx"),
        ("a\nb", "a\\nb", "a\\nb"),
        ("\u202eevil", "\\u202eevil", "\\u202eevil"),
        ("=cmd|'/c calc'!A0", "=cmd|'/c calc'!A0", "'=cmd|'/c calc'!A0"),
        ("@SUM(1)", "@SUM(1)", "'@SUM(1)"),
        (" =1+1", " =1+1", "' =1+1"),
        ("\uff1d1", "\uff1d1", "'\uff1d1"),
        # Where commas are in numbers, a semicolon begins the next cell.
        ("a;=1+1;b", "a;=1+1;b", "a;'=1+1;b"),
        ("a-1=2;b", "a-1=2;b", "a-1=2;b"),
        ("käse", "käse", "käse"),
    ],
)
def test_names_are_harmless(name: str, in_table: str, in_csv: str) -> None:
    def rename(by: dict[int, t.Any]) -> None:
        by[GONE]["names"] = [name]

    facts = changed(rename)
    assert _fleet.table(facts)[4].endswith(in_table)
    assert list(csv.DictReader(_fleet.comma_separated(facts).splitlines()))[3]["names"] == in_csv
    (match,) = _fleet.find(facts, GONE)
    assert match["answer"].isprintable()
