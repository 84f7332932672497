# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The code of the filters: search, sentences, rows, table and CSV over captured facts."""

from __future__ import annotations

import copy
import csv
import json
import pathlib
import sys
import typing as t

import hostile_inputs
import pytest

from ansible_collections.linuxnet.netns.plugins.plugin_utils import (
    _fleet_question,
    _fleet_scan,
    _fleet_schema,
    _fleet_search,
    _fleet_table,
    _fleet_text,
)

if sys.version_info < (3, 10):
    pytest.skip("controllers need a later Python", allow_module_level=True)

# A host with two containers that share a namespace, a container in another Docker network, a pod, and a stale
# namespace, which the link of a removed container keeps.
DATA = pathlib.Path(__file__).resolve().parents[2] / "data" / "facts" / "web1.json"
WEB1: dict[str, t.Any] = json.loads(DATA.read_text(encoding="utf-8"))
FLEET = {"web1": WEB1, "web2": None}
HOST, WEB, DB, GONE, MAIL = (namespace["inode"] for namespace in WEB1["namespaces"])
CNI = "netns-f27bbf81-9a7f-5313-0ac2-1069a4099f49"
BRIDGE = "br-3801874c5732"
SANDBOX = "/run/docker/netns/ca2fdc56097f"
LINK_LOCAL = "fe80::c479:55ff:fe95:1bd6/64"
POD_ID = "d19ca5d5c6772cad8413f1ee4116e1e36c6fd6bfe20aeeeb08e76a533c01d868"
IMAGE = "linuxnet-netns-test:1"
IN_MAIL = ("image", f"localhost/{IMAGE}", MAIL, None)
METRICS = "81ab9de3bac8a7ecd2cc69208d04cc6655f7fd3413f68b9aecfe20950436311b"


def changed(change: t.Callable[[dict[int, t.Any]], t.Any]) -> dict[str, t.Any]:
    """The facts after `change`, which gets their namespaces by inode."""
    facts = copy.deepcopy(WEB1)
    change({namespace["inode"]: namespace for namespace in facts["namespaces"]})
    return facts


@pytest.mark.parametrize(
    ("question", "expected"),
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
        # Addresses as programs print them.
        ("172.18.0.2:80", [("address", "172.18.0.2/16", WEB, "eth0")]),
        ("::ffff:172.18.0.2", [("address", "172.18.0.2/16", WEB, "eth0")]),
        ("[::ffff:172.18.0.2]:80", [("address", "172.18.0.2/16", WEB, "eth0")]),
        ("[fe80::c479:55ff:fe95:1bd6]", [("address", LINK_LOCAL, MAIL, "eth0")]),
        ("FE80::C479:55FF:FE95:1BD6%eth0", [("address", LINK_LOCAL, MAIL, "eth0")]),
        ("[::1", []),
        ("172.18.0.2:http", []),
        # Hardware addresses.
        ("02:42:ac:12:00:02", [("mac", "02:42:ac:12:00:02", WEB, "eth0")]),
        ("02-42-AC-12-00-02", [("mac", "02:42:ac:12:00:02", WEB, "eth0")]),
        ("0242.ac12.0002", [("mac", "02:42:ac:12:00:02", WEB, "eth0")]),
        ("66:3c:34:93:14:e6", [("mac", "66:3c:34:93:14:e6", HOST, "veth62f2f52")]),
        ("0242ac120002", []),
        ("02:42-ac:12:00:02", []),
        # Paths.
        ("/var/run/netns/web", [("pin", "/run/netns/web", WEB, None)]),
        ("/var/run/docker/netns/ca2fdc56097f", [("pin", SANDBOX, WEB, None)]),
        ("ca2fdc56097f", [("pin", SANDBOX, WEB, None)]),
        # Ids.
        (METRICS.upper(), [("container", "metrics", WEB, None)]),
        (METRICS[:4].upper(), [("container", "metrics", WEB, None)]),
        (METRICS[:3], []),
        (f"docker://{METRICS}", [("container", "metrics", WEB, None)]),
        (POD_ID[:12], [("pod", "mail", MAIL, None)]),
        # Names of an engine.
        ("docker/web", [("container", "web", WEB, None)]),
        ("docker/metrics", [("container", "metrics", WEB, None)]),
        ("podman/mail", [("pod", "mail", MAIL, None)]),
        ("podman/web", []),
        # Patterns.
        ("we*", [("name", "web", WEB, None)]),
        ("m*", [("container", "metrics", WEB, None), ("name", "mail", MAIL, None)]),
        ("docker/*", [("container", "metrics", WEB, None), ("container", "db", DB, None)]),
        ("x*", []),
        # Images, where nothing else matches.
        (
            "linuxnet-netns-test:1",
            [("image", IMAGE, WEB, None), ("image", IMAGE, DB, None), IN_MAIL],
        ),
        ("localhost/linuxnet-netns-test", [IN_MAIL]),
        ("localhost/*", [IN_MAIL]),
        ("linuxnet-netns-test:2", []),
    ],
)
def test_find(question: t.Any, expected: list[tuple[str, str, int, str | None]]) -> None:
    matches = _fleet_search.find(FLEET, question)
    assert {match["host"] for match in matches} <= {"web1"}
    results = [
        (
            match["by"],
            match["value"],
            match["namespace"]["inode"],
            match["interface"] and match["interface"]["name"],
        )
        for match in matches
    ]
    assert results == expected


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        (
            "172.18.0.2",
            (
                "172.18.0.2/16 is an address of eth0 of containers metrics, web (docker) on web1: "
                "behind veth62f2f52 (docker0), ip netns lists it as web."
            ),
        ),
        (
            "veth62f2f52",
            (
                "veth62f2f52 on web1, in docker0, leads to eth0 of containers metrics, web (docker): "
                "172.18.0.2/16, ip netns lists it as web."
            ),
        ),
        (
            CNI,
            (
                f"{CNI} is the namespace of pod mail with imap, smtp (podman) on web1: "
                "10.88.0.2/16, behind veth0 (podman0), ip netns lists it as mail."
            ),
        ),
        ("gone", "gone is a namespace on web1: it is stale."),
        (
            "02:42:ac:12:00:02",
            (
                "02:42:ac:12:00:02 is the hardware address of eth0 of containers metrics, web (docker) "
                "on web1: 172.18.0.2/16, behind veth62f2f52 (docker0), ip netns lists it as web."
            ),
        ),
        (
            "localhost/linuxnet-netns-test",
            (
                "localhost/linuxnet-netns-test:1 is the image of pod mail with imap, smtp (podman) on web1: "
                f"10.88.0.2/16, behind veth0 (podman0), ip netns lists it as mail, {CNI}."
            ),
        ),
        ("docker0", "docker0 is an interface of the host itself on web1: 172.18.0.1/16."),
        (
            METRICS[:5],
            (
                "metrics is one of containers metrics, web (docker) on web1: "
                "172.18.0.2/16, behind veth62f2f52 (docker0), ip netns lists it as web."
            ),
        ),
    ],
)
def test_answers(question: str, answer: str) -> None:
    assert [match["answer"] for match in _fleet_search.find(FLEET, question)] == [answer]


def test_an_interface_leads_to_its_peer_if_the_facts_do_not_contain_the_host() -> None:
    narrowed = {
        **WEB1,
        "namespaces": [namespace for namespace in WEB1["namespaces"] if namespace["inode"] == WEB],
    }
    (match,) = _fleet_search.find(narrowed, "veth62f2f52")
    assert match["answer"].startswith(
        "veth62f2f52, in docker0, leads to eth0 of containers metrics, web"
    )


def test_each_peer_is_named_once() -> None:
    """A host in a container has interfaces to containers, whose interfaces have the same names."""

    def change(by_inode: dict[int, t.Any]) -> None:
        interfaces = by_inode[WEB]["interfaces"]
        (connected,) = (interface for interface in interfaces if interface.get("peer"))
        inner_peer = {"interface": "eth0", "inode": DB, "index": 2, "master": None}
        interfaces += [{**connected, "peer": inner_peer}] * 2

    (match,) = _fleet_search.find(changed(change), METRICS)
    assert ", behind veth62f2f52 (docker0) and eth0, ip netns " in match["answer"]


def test_an_exact_match_excludes_beginnings_of_ids() -> None:
    facts = changed(lambda by: by[DB]["names"].append(METRICS[:5]))
    assert [match["namespace"]["inode"] for match in _fleet_search.find(facts, METRICS[:5])] == [DB]


def test_the_network_of_a_namespace() -> None:
    network = {"id": "s0d2" * 16, "name": "shop"}
    facts = changed(lambda by: by[GONE].update(network=network, names=[], stale=False))
    for question in ("shop", network["id"], "sho*"):
        (match,) = _fleet_search.find({"web1": facts}, question)
        assert (match["by"], match["namespace"]["inode"]) == ("network", GONE)
        assert match["answer"] == "shop is a network of docker on web1."


def test_an_image_counts_only_where_no_name_matches() -> None:
    facts = changed(lambda by: by[DB]["names"].append("linuxnet-netns-test"))
    (match,) = _fleet_search.find(facts, "linuxnet-netns-test")
    assert (match["by"], match["namespace"]["inode"]) == ("name", DB)


def test_an_id_that_is_a_name_has_no_beginning() -> None:
    def change(by: dict[int, t.Any]) -> None:
        by[DB]["containers"][0].update(name="ab" * 32, id="ab" * 32)
        by[DB]["names"].clear()

    facts = changed(change)
    assert _fleet_search.find(facts, "ab" * 6) == []
    assert len(_fleet_search.find(facts, "ab" * 32)) == 1


def test_several_questions_are_answered_one_after_the_other() -> None:
    questions = ["172.18.0.2", WEB, "nobody", "web", f"localhost/{IMAGE}", "m*", "172.18.0.2"]
    matches = _fleet_search.find(FLEET, questions)
    one_by_one = [match for one in questions for match in _fleet_search.find(FLEET, one)]
    assert matches == one_by_one
    answered = [one for one in questions if one != "nobody"]
    assert list(dict.fromkeys(match["question"] for match in matches)) == answered[:-1]
    with pytest.raises(_fleet_schema.FleetError, match="the question is empty"):
        _fleet_search.find(FLEET, ["web", ""])


def _texts(value: t.Any) -> t.Iterator[str]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, (str, int)) and str(value).strip():
        yield str(value)


@pytest.mark.parametrize(
    "ask",
    [
        lambda text: text,
        lambda text: text.upper(),
        lambda text: text[:4],
        lambda text: text[:12],
        lambda text: f"{text[:3]}*",
        lambda text: f"{text[:3].upper()}*",
        lambda text: f"*{text[-2:]}",
        lambda text: f"docker/{text}",
        lambda text: f"podman/{text}",
        lambda text: f"podman/shop/{text}",
        lambda text: f"*/{text[:2]}*",
        lambda text: f"shop_{text}",
        lambda text: f"/var{text}",
        lambda text: f"docker://{text}",
        lambda text: f"net:[{text}]",
        lambda text: f"{text}@if3",
        lambda text: f"[{text.partition('/')[0]}]:80",
        lambda text: f"::ffff:{text.partition('/')[0]}",
        lambda text: text.replace(":", "-"),
        lambda text: f"{text.partition('/')[0]}/9" if "/" in text else "::/0",
    ],
)
def test_the_scan_loses_no_match(
    ask: t.Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the search finds does not depend on which namespaces the scan leaves out."""

    def change(by: dict[int, t.Any]) -> None:
        by[MAIL]["pod"]["namespace"] = "shop"
        by[DB]["containers"][0].update(name="a/b", id="Ab" * 20)
        by[GONE]["network"] = {"id": "s0d2" * 16, "name": "shop"}

    fleet = {"web1": WEB1, "web2": changed(change)}
    questions = sorted({ask(text) for text in _texts(fleet)})
    narrowed = _fleet_search.find(fleet, questions)
    every = set(range(len(questions)))
    monkeypatch.setattr(_fleet_scan._Keys, "numbers_of", lambda _keys, _namespace: every)
    assert narrowed == _fleet_search.find(fleet, questions)
    assert narrowed


def test_a_malformed_namespace_hides_no_other_one_from_questions() -> None:
    def change(by: dict[int, t.Any]) -> None:
        by[DB]["interfaces"][0]["addresses"] = 7
        by[GONE]["containers"] = [{"name": "imap", "image": 3}]

    facts = {"web1": changed(change)}
    for question, inode in (("172.18.0.2", WEB), ("imap", MAIL), ("gone", None)):
        found = [match["namespace"]["inode"] for match in _fleet_search.find(facts, question)]
        assert found == ([inode] if inode else [])


@pytest.mark.parametrize(
    ("image", "names"),
    [
        ("nginx", {"nginx"}),
        (
            "docker.io/library/nginx:1.29",
            {
                *("docker.io/library/nginx:1.29", "library/nginx:1.29", "nginx:1.29"),
                *("docker.io/library/nginx", "library/nginx", "nginx"),
            },
        ),
        ("localhost:5000/web", {"localhost:5000/web", "web"}),
        ("web@sha256:ab", {"web@sha256:ab", "web"}),
    ],
)
def test_image_names(image: str, names: set[str]) -> None:
    assert set(_fleet_question.image_names(image)) == names


def test_an_empty_question_is_refused() -> None:
    with pytest.raises(_fleet_schema.FleetError, match="the question is empty"):
        _fleet_search.find(FLEET, " ")


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
def test_facts_in_variables_are_found(data: t.Any) -> None:
    assert _fleet_schema.facts_by_host(data) == {"": WEB1}


@pytest.mark.parametrize("data", [None, {}, {"ansible_facts": {}}, "", 7])
def test_a_host_without_facts_is_reported(data: t.Any) -> None:
    assert _fleet_table.table({"web1": WEB1, "web2": data})[-1] == "web2: no facts"
    assert _fleet_table.table({"web1": WEB1, "web2": data})[-1] == "web2: no facts"


@pytest.mark.parametrize("wrong", hostile_inputs.SAMPLE, ids=hostile_inputs.case_id)
def test_malformed_facts_of_one_host_hide_no_other_host(wrong: t.Any) -> None:
    """`wrong` replaces each value in turn: the namespace is in the table, or a problem is reported."""
    reported = 0
    small = {
        **WEB1,
        "namespaces": [namespace for namespace in WEB1["namespaces"] if namespace["inode"] == WEB],
    }
    for facts in hostile_inputs.with_value_anywhere(small, wrong):
        fleet_facts = {"web1": facts, "web2": small}
        assert _fleet_table.rows(fleet_facts)[-1]["inode"] == WEB
        lines = _fleet_table.table(fleet_facts)
        assert all(line.isprintable() for line in lines)
        _fleet_table.comma_separated(fleet_facts)
        assert _fleet_search.find(fleet_facts, "172.18.0.2")[-1]["host"] == "web2"
        reported += any(line.startswith("web1: incomplete: ") for line in lines)
    assert reported > 10 or wrong is None


def test_rows_do_not_depend_on_what_they_do_not_show() -> None:
    facts = changed(lambda by: by[WEB].update(processes=7, listeners=[{"port": "80"}]))
    fleet_facts = {"web1": facts, "web2": WEB1}
    assert {row["host"] for row in _fleet_table.rows(fleet_facts)} == {"web1", "web2"}
    assert {row["host"] for row in _fleet_table.rows(fleet_facts, ports=True)} == {"web2"}


@pytest.mark.parametrize("data", [None, "web1", 3, [WEB1]])
def test_other_input_is_refused(data: t.Any) -> None:
    with pytest.raises(
        _fleet_schema.FleetError, match="the input contains no facts of network namespaces"
    ):
        _fleet_schema.facts_by_host(data)


def test_rows() -> None:
    rows = {row["inode"]: row for row in _fleet_table.rows(FLEET)}
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
        ({"containers": [], "machine": "h1", "unit": "mn.service"}, "h1"),
        ({"containers": [], "unit": None, "user": "mia"}, "of mia"),
        ({"containers": [{"name": "web"}], "unit": None, "user": "mia"}, "web of mia"),
        ({"containers": [], "network": {"id": "s0d2", "name": None}}, "network s0d2"),
        ({"containers": [], "network": {"id": "s0d2", "name": "shop"}}, "network shop"),
        ({"containers": [], "network": {"name": "shop"}}, "network shop"),
        ({"containers": [], "network": {"id": None}}, ""),
        (
            {"containers": [], "pod": {"namespace": "shop", "name": "cart-0", "uid": "u"}},
            "shop/cart-0",
        ),
        ({}, ""),
    ],
)
def test_owner(namespace: dict[str, t.Any], owner: str) -> None:
    assert _fleet_text.owner(namespace) == owner


@pytest.mark.parametrize(
    ("namespace", "phrase"),
    [
        ({"is_host": True}, "the host itself"),
        ({"containers": [{"name": "web"}], "engine": "docker"}, "container web (docker)"),
        (
            {"containers": [{"name": "web"}], "engine": "podman", "user": "mia"},
            "container web of mia (podman)",
        ),
        (
            {"pod": {"namespace": "shop", "name": "cart-0"}, "engine": "containerd"},
            "pod shop/cart-0 (containerd)",
        ),
        ({"unit": "vpn.service", "user": "mia"}, "vpn.service of mia"),
        ({"processes": {"first": [{"pid": 7, "command": "sleep"}]}}, "process 7 (sleep)"),
        (
            {"processes": {"first": [{"pid": 7, "command": "sleep"}]}, "user": "mia"},
            "process 7 (sleep) of mia",
        ),
        ({"names": ["old"], "user": "mia"}, "namespace old of mia"),
        ({"names": [], "inode": 5, "engine": "podman", "user": "mia"}, "net:[5] (podman) of mia"),
    ],
)
def test_the_owner_in_a_sentence(namespace: dict[str, t.Any], phrase: str) -> None:
    assert _fleet_text.owner_phrase(namespace) == phrase


def test_facts_of_the_subset_min_are_enough() -> None:
    always = ("inode", "dev", "is_host", "names", "pins", "nsid", "kind", "stale", "engine")
    smallest = {
        **WEB1,
        "namespaces": [{key: namespace[key] for key in always} for namespace in WEB1["namespaces"]],
    }
    assert len(_fleet_table.table(smallest)) == 6
    assert [match["answer"] for match in _fleet_search.find(smallest, "web")] == [
        "web is a namespace."
    ]


def test_table() -> None:
    lines = _fleet_table.table(FLEET)
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
    # The facts of one host need no HOST column.
    assert _fleet_table.table(WEB1)[0].startswith("INODE")
    assert lines[0].index("KIND") == lines[1].index("host")


def test_problems_are_below_the_table() -> None:
    facts = {
        **changed(lambda by: by[GONE]["interfaces"][0].update(name="ens4", physical=True)),
        "incomplete": [{"source": "docker", "reason": "no answer in 5 s"}],
    }
    assert _fleet_table.table({"web1": facts})[-2:] == [
        "web1: incomplete: docker: no answer in 5 s",
        "web1: namespace gone is stale and holds ens4, which the host has lost",
    ]
    assert _fleet_search.find(facts, "gone")[0]["answer"] == (
        "gone is a namespace: it is stale, it holds ens4, which the host has lost."
    )


def test_csv() -> None:
    lines = list(csv.DictReader(_fleet_table.comma_separated(FLEET).splitlines()))
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
        # In locales with decimal commas, a semicolon begins the next cell.
        ("a;=1+1;b", "a;=1+1;b", "a;'=1+1;b"),
        ("a-1=2;b", "a-1=2;b", "a-1=2;b"),
        ("käse", "käse", "käse"),
    ],
)
def test_names_are_escaped(name: str, in_table: str, in_csv: str) -> None:
    def rename(by: dict[int, t.Any]) -> None:
        by[GONE]["names"] = [name]

    facts = changed(rename)
    assert _fleet_table.table(facts)[4].endswith(in_table)
    assert (
        list(csv.DictReader(_fleet_table.comma_separated(facts).splitlines()))[3]["names"] == in_csv
    )
    (match,) = _fleet_search.find(facts, GONE)
    assert match["answer"].isprintable()
