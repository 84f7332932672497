# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Findings of many hosts: rows, table, CSV, and the addresses that several hosts have."""

from __future__ import annotations

import copy
import csv
import typing as t

import hostile_inputs
import pytest

from ansible_collections.linuxnet.netns.plugins.plugin_utils import _fleet_findings, _fleet_schema

FINDING: dict[str, t.Any] = {
    "check": "dangling_entry",
    "severity": "warning",
    "subject": {
        "inode": None,
        "names": ["old"],
        "path": "/run/netns/old",
        "interface": None,
        "containers": [],
    },
    "message": "/run/netns/old is an empty file: it leads to no network namespace",
    "evidence": ["/run/netns/old: size 0"],
    "remedy": "remove it: `rm /run/netns/old`",
    "repairable": True,
    "repaired": False,
}
GAP = {"source": "docker", "reason": "it does not answer"}
RESULT: dict[str, t.Any] = {
    "findings": [FINDING],
    "incomplete": [GAP],
    "checked": [],
    "changed": False,
}
FLEET = {"web1": RESULT, "web2": None, "web3": {"findings": [], "incomplete": []}}


def test_the_table() -> None:
    assert _fleet_findings.table(FLEET) == [
        "HOST  SEVERITY  CHECK           REPAIRED  MESSAGE",
        f"web1  warning   dangling_entry  can be    {FINDING['message']}",
        "web1: incomplete: docker: it does not answer",
        "web2: there is no result of this host",
    ]
    assert _fleet_findings.table({"web3": FLEET["web3"]}) == ["Nothing was found."]
    assert _fleet_findings.rows(RESULT) == [{"host": "", **FINDING}]
    # One host has no name.
    assert _fleet_findings.table(RESULT)[-1] == "incomplete: docker: it does not answer"


def test_the_csv() -> None:
    hostile = {**FINDING, "message": "=cmd|' /C calc'!A0", "repaired": True}
    lines = list(
        csv.reader(_fleet_findings.comma_separated({"h": {"findings": [hostile]}}).splitlines())
    )
    assert lines[0] == ["host", "severity", "check", "repaired", "message", "remedy", "problem"]
    assert lines[1][3:5] == ["yes", "'=cmd|' /C calc'!A0"]
    assert len(list(csv.reader(_fleet_findings.comma_separated(FLEET).splitlines()))) == 4


@pytest.mark.parametrize("wrong", hostile_inputs.SAMPLE, ids=hostile_inputs.case_id)
def test_a_host_that_returns_nonsense_hides_no_other(wrong: object) -> None:
    for result in hostile_inputs.with_value_anywhere(copy.deepcopy(RESULT), wrong):
        rows = _fleet_findings.rows({"bad": result, "good": RESULT})
        assert [row for row in rows if row["host"] == "good"] == [{"host": "good", **FINDING}]
        assert _fleet_findings.table({"bad": result, "good": RESULT})
        assert _fleet_findings.comma_separated({"bad": result, "good": RESULT})


def test_input_that_is_not_a_dictionary() -> None:
    with pytest.raises(_fleet_schema.FleetError, match="is not a dictionary of the results"):
        _fleet_findings.rows(["web1"])


def host(
    mac: str, address: str, *containers: dict[str, t.Any], bridge: str | None = None
) -> dict[str, t.Any]:
    """The facts of a host with a network card, and a container with each of these interfaces."""
    nic = {
        "name": "eth0",
        "index": 2,
        "physical": True,
        "mac": mac,
        "addresses": [address],
        "master": bridge,
    }
    docker0 = {
        "name": "docker0",
        "index": 3,
        "mac": "02:42:00:00:00:01",
        "addresses": ["172.17.0.1/16"],
    }
    namespaces = [{"inode": 1, "is_host": True, "interfaces": [nic, docker0]}]
    namespaces += [
        {
            "inode": number,
            "is_host": False,
            "containers": [{"name": f"c{number}"}],
            "interfaces": [interface],
        }
        for number, interface in enumerate(containers, 2)
    ]
    return {"namespaces": namespaces}


def interface(address: str, **more: t.Any) -> dict[str, t.Any]:
    return {"name": "eth0", "index": 2, "addresses": [address, "fe80::1/64"], "mac": None, **more}


DOCKER = interface("172.17.0.2/16", kind="veth", mac="02:42:ac:11:00:02")
MACVLAN = interface("192.0.2.50/24", kind="macvlan", mac="02:00:00:00:00:50")
ON_BRIDGE = {
    "inode": 1,
    "interface": "veth1",
    "index": 9,
    "master": "br0",
}


def duplicates(fleet: dict[str, t.Any]) -> list[tuple[str, str]]:
    return [
        (row["host"], row["message"].partition(" ")[0])
        for row in _fleet_findings.rows(dict.fromkeys(fleet), fleet)
    ]


def test_addresses_that_several_hosts_have() -> None:
    a, b = "52:54:00:00:00:0a", "52:54:00:00:00:0b"
    # Networks within a host have the same addresses everywhere.
    healthy = {"a": host(a, "192.0.2.1/24", DOCKER), "b": host(b, "192.0.2.2/24", DOCKER)}
    assert duplicates(healthy) == []
    # Two names of one machine.
    assert duplicates({"a": healthy["a"], "alias": copy.deepcopy(healthy["a"])}) == []
    both = {"a": host(a, "192.0.2.1/24", MACVLAN), "b": host(b, "192.0.2.2/24", MACVLAN)}
    assert duplicates(both) == [("a, b", "02:00:00:00:00:50"), ("a, b", "192.0.2.50")]
    # The address of a host, by a container on a bridge with a network card.
    bridged = interface("192.0.2.1/24", kind="veth", peer=ON_BRIDGE)
    fleet = {"a": host(a, "192.0.2.1/24"), "b": host(b, "192.0.2.2/24", bridged, bridge="br0")}
    assert duplicates(fleet) == [("a, b", "192.0.2.1")]
    # The same, on a bridge within the host.
    fleet["b"] = host(b, "192.0.2.2/24", bridged)
    assert duplicates(fleet) == []
    (row,) = _fleet_findings.rows({}, {"a": host(a, "192.0.2.9/24"), "b": host(b, "192.0.2.9/24")})
    assert row["message"] == (
        "192.0.2.9 is used on several hosts: by eth0 of the host on a and eth0 of the host on b"
    )
