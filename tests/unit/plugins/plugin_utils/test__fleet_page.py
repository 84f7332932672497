# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import copy
import gzip
import json
import pathlib
import typing as t

import pytest

pytest.importorskip("jinja2")

from template import facts_in

from ansible_collections.linuxnet.netns.plugins.plugin_utils import _fleet_columns, _fleet_page

TESTS = pathlib.Path(__file__).parents[3]
SMALL = TESTS / "unit" / "data" / "facts" / "web1.json"
LARGE = TESTS / "page" / "node7.json.gz"
WRONG_FORMAT = "the facts do not have the format that linuxnet.netns.netns_facts returns"
# What the page does not show.
LEFT_OUT = {"dev", "index", "family", "table", "scope", "src", "protocol"}


def small() -> dict[str, t.Any]:
    return t.cast("dict[str, t.Any]", json.loads(SMALL.read_text(encoding="utf-8")))


def large() -> dict[str, t.Any]:
    return t.cast("dict[str, t.Any]", json.loads(gzip.decompress(LARGE.read_bytes())))


def written(fleet: t.Any, findings: t.Sequence[t.Any] = ()) -> dict[str, t.Any]:
    return facts_in(json.loads(_fleet_page.data(fleet, findings)))


def only(value: t.Any, keys: t.Any) -> t.Any:
    """The value, with the keys of another one. A null there is not compared."""
    if isinstance(keys, dict):
        return {key: only(value.get(key), item) for key, item in keys.items()}
    if isinstance(keys, list) and value is not None:
        return [only(item, each) for item, each in zip(value, keys)]
    return value


def resolve_peers(namespaces: list[dict[str, t.Any]]) -> None:
    """Give each peer the inode and the names of its namespace, as the facts contain them."""
    for namespace in namespaces:
        for interface in namespace["interfaces"] or ():
            peer = interface["peer"]
            if peer and peer["inode"] < 0:
                peer["inode"] = -1 - peer["inode"]
            elif peer:
                other = namespaces[peer["inode"]]
                peer["inode"] = other["inode"]
                peer["names"] = other["names"] if peer["names"] is None else peer["names"]


@pytest.mark.parametrize("facts", [small(), large()], ids=["small", "large"])
def test_everything_that_is_shown_is_as_in_the_facts(facts: dict[str, t.Any]) -> None:
    read = written({"web1": facts})["web1"]
    resolve_peers(read["namespaces"])
    for namespace in facts["namespaces"]:
        for container in namespace["containers"]:
            labels = container["labels"].items()
            container["labels"] = [{"key": key, "value": value} for key, value in labels]
    assert len(read["namespaces"]) == len(facts["namespaces"])
    assert read == only(facts, read)
    kept = {key for namespace in read["namespaces"] for key in namespace}
    assert {key for each in facts["namespaces"] for key in each} - kept <= LEFT_OUT


def test_equal_values_are_stored_once() -> None:
    one, ten = (
        _fleet_page.data({f"web{number}": large() for number in range(count)}) for count in (1, 10)
    )
    assert len(ten) - len(one) < 200
    assert written({f"web{number}": small() for number in range(3)})["web2"] == written(small())[""]


def test_a_peer_can_be_elsewhere_and_have_other_names() -> None:
    peer = {"inode": 99, "interface": "veth1", "master": "br0", "names": ["gone"]}
    interfaces = [
        {"name": "eth0", "peer": peer},
        {"name": "eth1", "peer": {**peer, "inode": 2, "names": ["b"]}},
        {"name": "eth2", "peer": {**peer, "inode": 2, "interface": "veth7", "master": None}},
    ]
    namespaces = [
        {"inode": 1, "names": ["a"], "interfaces": interfaces},
        {"inode": 2, "names": ["b"]},
    ]
    first = written({"web1": {"namespaces": namespaces}})["web1"]["namespaces"][0]["interfaces"]
    assert [each["peer"] for each in first] == [
        {**peer, "inode": -100},
        {**peer, "inode": 1, "names": None},
        {**peer, "inode": 1, "interface": "veth7", "master": None},
    ]


def change(path: tuple[t.Any, ...], value: t.Any) -> dict[str, t.Any]:
    facts: t.Any = small()
    where = facts
    for key in path[:-1]:
        where = where[key]
    where[path[-1]] = value
    return t.cast("dict[str, t.Any]", facts)


@pytest.mark.parametrize(
    "facts",
    [
        change(("namespaces",), 7),
        change(("namespaces", 0), "text"),
        change(("namespaces", 0, "inode"), "text"),
        change(("namespaces", 0, "inode"), True),
        change(("namespaces", 0, "names"), "text"),
        change(("namespaces", 0, "names"), [["text"]]),
        change(("namespaces", 0, "kind"), {}),
        change(("namespaces", 1, "containers"), {"name": "web"}),
        change(("namespaces", 1, "containers", 0, "labels"), ["text"]),
        change(("namespaces", 1, "interfaces", 0, "mtu"), 1.5),
        change(("namespaces", 1, "interfaces", 1, "peer"), 1),
        change(("namespaces", 1, "interfaces", 1, "peer", "inode"), None),
        change(("forwards",), [1]),
        change(("incomplete",), ["text"]),
        change(("findings",), [{"subject": "text"}]),
    ],
    ids=repr,
)
def test_facts_in_another_format_do_not_hide_those_of_other_hosts(facts: dict[str, t.Any]) -> None:
    read = written({"web1": small(), "evil": facts, "web2": large(), "off": None})
    assert read == {
        **written({"web1": small(), "web2": large(), "off": None}),
        "evil": read["evil"],
    }
    assert read["evil"]["namespaces"] == []
    assert read["evil"]["incomplete"] == [{"source": "facts", "reason": WRONG_FORMAT}]


FINDING = {
    "check": "mtu",
    "severity": "note",
    "message": "<b>",
    "remedy": "",
    "subject": {"inode": None, "interface": "eth0", "names": []},
}


def test_findings_of_one_and_of_several_hosts() -> None:
    findings = [{**FINDING, "host": "web1, web2"}, {**FINDING, "host": "web2", "check": "dns"}]
    read = written({"web1": small(), "web2": small(), "web3": small()}, findings)
    assert read["web1"]["findings"] == [FINDING]
    assert read["web2"]["findings"] == [FINDING, {**FINDING, "check": "dns"}]
    assert read["web3"]["findings"] is None


def test_findings_of_a_host_without_facts() -> None:
    findings = [{**FINDING, "host": host} for host in ("web1", "off", "evil", "worse")]
    findings.append({**FINDING, "host": "worse", "subject": "text"})
    evil = change(("namespaces",), 7)
    read = written(
        {"web1": small(), "off": None, "down": None, "evil": evil, "worse": evil}, findings
    )
    assert read["web1"]["findings"] == [FINDING]
    assert read["off"]["findings"] == [FINDING]
    # So that the page shows that it has none.
    assert read["off"]["namespaces"] is None
    assert read["down"] is None
    assert read["evil"]["findings"] == [FINDING]
    assert read["evil"]["incomplete"] == [{"source": "facts", "reason": WRONG_FORMAT}]
    assert read["worse"]["incomplete"] == [{"source": "facts", "reason": WRONG_FORMAT}]
    assert read["worse"]["findings"] is None


def test_columns() -> None:
    shape = _fleet_columns.Scalars(_fleet_columns.Scalar(str))
    values = [["a", "b"], None, ["b"], ["a", "b"], ["c", None]]
    keys = [None if value is None else shape.key(value) for value in values]
    assert shape.column(keys) == [
        [0, -1, 0, 1, 0],
        {"lengths": [2, 1, 2], "items": [[0, 0, 2, 0, 0], ["a", "b", "c", None]]},
    ]
    assert shape.column(keys[1:2] * 3)[0] == -1


def test_the_time_grows_with_the_hosts() -> None:
    """No host makes another one dearer: each namespace is looked at once."""

    class Counted(dict):  # type: ignore[type-arg]
        reads = 0

        def get(self, *arguments: t.Any) -> t.Any:
            Counted.reads += 1
            return super().get(*arguments)

    def reads_of(count: int) -> int:
        facts = [copy.deepcopy(small()) for _number in range(count)]
        for each in facts:
            each["namespaces"] = list(map(Counted, each["namespaces"]))
        Counted.reads = 0
        findings = [{"host": f"web{number}", "check": "mtu"} for number in range(count)]
        _fleet_page.data({f"web{number}": each for number, each in enumerate(facts)}, findings)
        return Counted.reads

    assert reads_of(40) == 10 * reads_of(4)
