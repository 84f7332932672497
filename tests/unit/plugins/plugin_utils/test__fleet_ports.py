# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Published ports and sockets that listen: questions, rows, and the column of the table."""

from __future__ import annotations

import copy
import typing as t

import hostile_inputs
import pytest

from ansible_collections.linuxnet.netns.plugins.module_utils._core.engines import (
    docker_proxy,
    rootless_ports,
)
from ansible_collections.linuxnet.netns.plugins.plugin_utils import (
    _fleet_ports,
    _fleet_question,
    _fleet_search,
    _fleet_table,
)

HOST, WEB, POD = 1, 2, 3


def listener(
    port: int, name: str, pid: int, address: str = "0.0.0.0", protocol: str = "tcp", **more: t.Any
) -> dict[str, t.Any]:
    processes = [{"pid": pid, "name": name, "container": None}] if name else []
    return {
        "protocol": protocol,
        "address": address,
        "port": port,
        "interface": None,
        "v6only": None,
        "backlog": 128,
        "queued": 0,
        "processes": processes,
        **more,
    }


def forward(
    port: int, inode: int | None, to_port: int, listening: bool | None, **more: t.Any
) -> dict[str, t.Any]:
    return {
        "protocol": "tcp",
        "address": "0.0.0.0",
        "port": port,
        "to_address": "172.18.0.2",
        "to_port": to_port,
        "inode": inode,
        "container": "web",
        "by": "docker",
        "listening": listening,
        **more,
    }


def interface(name: str, *addresses: str) -> dict[str, t.Any]:
    return {"name": name, "index": 1, "addresses": list(addresses), "altnames": [f"{name}-alt"]}


LO = interface("lo", "127.0.0.1/8", "::1/128")
FACTS: dict[str, t.Any] = {
    "complete": True,
    "forwards": [
        forward(8080, WEB, 80, True),
        forward(8080, WEB, 80, True, address="::"),
        forward(8081, WEB, 81, False, to_address=None),
        forward(8082, WEB, 82, None, address="127.0.0.1"),
        forward(8083, POD, 83, True, container=None, by="cni", to_address="fd00::3"),
        forward(8084, None, 84, None, container=None, by="proxy"),
        forward(53, WEB, 53, False, protocol="udp"),
    ],
    "namespaces": [
        {
            "inode": HOST,
            "is_host": True,
            "kind": "host",
            "engine": None,
            "names": [],
            "interfaces": [LO, interface("eth0", "10.0.0.5/24", "fd00::5/64")],
            "listeners": [
                listener(22, "sshd", 812),
                listener(22, "sshd", 812, "::"),
                # Docker's, and a program that took the port before.
                listener(8080, "docker-proxy", 90),
                listener(8080, "old", 91, "10.0.0.5"),
                listener(8084, "docker-proxy", 92),
                listener(4789, "", 0, protocol="udp"),
            ],
        },
        {
            "inode": WEB,
            "is_host": False,
            "kind": "container",
            "engine": "docker",
            "names": ["web"],
            "containers": [{"name": "web", "id": "3" * 64}],
            "interfaces": [LO, interface("eth0", "172.18.0.2/16")],
            "listeners": [
                listener(80, "nginx", 1234),
                listener(9000, "php", 1300, "127.0.0.1"),
                listener(53, "dns", 7, "::", "udp"),
            ],
        },
        {
            "inode": POD,
            "is_host": False,
            "kind": "pod",
            "engine": "containerd",
            "pod": {"namespace": "shop", "name": "cart-0", "uid": "u"},
            "containers": [{"name": "cart", "id": "4" * 64}],
            "interfaces": [LO, interface("eth0", "fd00::3/64")],
            "listeners": [
                {
                    **listener(83, "", 0, "::"),
                    "processes": [{"pid": pid, "name": "gunicorn"} for pid in (5, 6, 7, 8, 9)],
                }
            ],
        },
    ],
}
FLEET = {"web1": FACTS, "web2": None}

PUBLISHED = "8080/tcp of web1 is published by container web (docker) to 172.18.0.2:80, where nginx (1234) listens."
OLD = "old (91) listens at 10.0.0.5:8080/tcp of the host itself on web1."
NGINX = "nginx (1234) listens at 0.0.0.0:80/tcp of container web (docker) on web1."
SSH = [
    f"sshd (812) listens at {at}:22/tcp of the host itself on web1." for at in ("0.0.0.0", "[::]")
]
DNS = (
    "53/udp of web1 is published by container web (docker) to 172.18.0.2:53, where nothing listens."
)
DNS_SOCKET = "dns (7) listens at [::]:53/udp of container web (docker) on web1."


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        (":8080", [PUBLISHED, OLD]),
        ("8080/tcp", [PUBLISHED, OLD]),
        ("8080/TCP", [PUBLISHED, OLD]),
        (":8080/tcp", [PUBLISHED, OLD]),
        ("*:8080", [PUBLISHED, OLD]),
        ("0.0.0.0:8080", [PUBLISHED, OLD]),
        ("[::]:8080", [PUBLISHED, OLD]),
        ("8080/udp", []),
        (":99999", []),
        # An address of the host, by which the published port is reached.
        ("10.0.0.5:8080", [PUBLISHED, OLD]),
        ("[::ffff:10.0.0.5]:8080", [PUBLISHED, OLD]),
        ("127.0.0.1:8080", [PUBLISHED]),
        ("172.18.0.2:80", [NGINX]),
        ("172.18.0.2:80/tcp", [NGINX]),
        (":80", [NGINX]),
        ("[fd00::5]:22", SSH[1:]),
        ("10.0.0.5:22", SSH),
        (
            "127.0.0.1:9000",
            ["php (1300) listens at 127.0.0.1:9000/tcp of container web (docker) on web1."],
        ),
        # The address alone matches.
        (
            "172.18.0.2:81",
            [
                (
                    "172.18.0.2/16 is an address of eth0 of container web (docker) on web1: ip netns lists it as web, "
                    "nothing listens there at port 81."
                )
            ],
        ),
        (
            ":8081",
            [
                "8081/tcp of web1 is published by container web (docker) to its port 81, where nothing listens."
            ],
        ),
        (
            ":8082",
            [
                (
                    "127.0.0.1:8082/tcp of web1 is published by container web (docker) to 172.18.0.2:82, and it is not "
                    "known whether anything listens there."
                )
            ],
        ),
        (
            ":8083",
            [
                (
                    "8083/tcp of web1 is published by pod shop/cart-0 with cart (containerd) to [fd00::3]:83, where "
                    "gunicorn (5), gunicorn (6), gunicorn (7) and 2 more listen."
                )
            ],
        ),
        (
            ":8084",
            ["8084/tcp of web1 leads to 172.18.0.2:84, and no engine reports a container of it."],
        ),
        (":53", [DNS, DNS_SOCKET]),
        ("53/UDP", [DNS, DNS_SOCKET]),
        (
            "4789/udp",
            ["a process that is not known listens at 0.0.0.0:4789/udp of the host itself on web1."],
        ),
        ("eth0-alt", 3),
        ("3" * 64, 1),
    ],
)
def test_answers(question: str, expected: list[str] | int) -> None:
    found = _fleet_search.find(FLEET, question)
    if isinstance(expected, int):
        assert len(found) == expected
    else:
        assert [each["answer"] for each in found] == expected


def test_a_match() -> None:
    published, old = _fleet_search.find(FLEET, ":8080")
    assert published == {
        "question": ":8080",
        "host": "web1",
        "by": "port",
        "value": "8080/tcp",
        "namespace": FACTS["namespaces"][1],
        "interface": None,
        "forward": FACTS["forwards"][0],
        "listener": FACTS["namespaces"][1]["listeners"][0],
        "answer": PUBLISHED,
    }
    assert (old["namespace"]["inode"], old["forward"]) == (HOST, None)
    (of_one_host,) = _fleet_search.find(FACTS, ":8082")
    assert of_one_host["answer"].startswith("127.0.0.1:8082/tcp is published by container web")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (":80", (80, None, None)),
        ("80/udp", (80, "udp", None)),
        ("[fe80::1%eth0]:80", (80, None, "fe80::1/128")),
        ("10.0.0.5:80", (80, None, "10.0.0.5/32")),
        *(
            (text, None)
            for text in ("80", "::80", "a:80", "1.2.3:80", "80/http", "02:42:ac:11:00:02")
        ),
    ],
)
def test_questions(text: str, expected: tuple[t.Any, ...] | None) -> None:
    port = _fleet_question.parse(text).port
    assert (port and (port.number, port.protocol, port.address and str(port.address))) == expected


def test_facts_without_sockets() -> None:
    facts = copy.deepcopy(FACTS)
    del facts["forwards"]
    for namespace in facts["namespaces"]:
        del namespace["listeners"]
    assert _fleet_search.find(facts, ":8080") == []
    (address,) = _fleet_search.find(facts, "172.18.0.2:80")
    assert address["answer"].endswith("ip netns lists it as web.")
    assert _fleet_ports.rows(facts) == []


def test_rows() -> None:
    rows = _fleet_ports.rows(FLEET)
    assert rows[0] == {
        "host": "web1",
        "protocol": "tcp",
        "address": "0.0.0.0",
        "port": 8080,
        "inode": WEB,
        "owner": "web",
        "container": "web",
        "by": "docker",
        "to_address": "172.18.0.2",
        "to_port": 80,
        "listening": True,
        "processes": [{"pid": 1234, "name": "nginx", "container": None}],
        "answer": PUBLISHED,
    }
    assert [(row["port"], row["by"]) for row in rows] == [
        *((port, "docker") for port in (8080, 8081, 8082)),
        *((8083, "cni"), (8084, "proxy"), (53, "docker")),
        *((port, None) for port in (22, 22, 8080, 4789, 80, 9000, 53, 83)),
    ]


def test_the_column_of_the_table() -> None:
    assert [row["ports"] for row in _fleet_table.rows(FLEET, ports=True)] == [
        ["22/tcp", "8080/tcp", "10.0.0.5:8080/tcp", "8084/tcp", "4789/udp"],
        [
            *("8080->80/tcp", "8081->81/tcp", "127.0.0.1:8082->82/tcp", "53->53/udp"),
            *("80/tcp", "127.0.0.1:9000/tcp", "53/udp"),
        ],
        ["8083->83/tcp", "83/tcp"],
    ]
    lines = _fleet_table.table(FLEET, ports=True)
    assert lines[0].endswith("HOST SIDE  PORTS")
    assert lines[3].endswith("8083->83/tcp, 83/tcp")
    assert "PORTS" not in _fleet_table.table(FLEET)[0]
    text = _fleet_table.comma_separated(FLEET, ports=True).splitlines()
    assert text[0].endswith(",host_side,ports,problem")
    assert text[3].endswith(",8083->83/tcp 83/tcp,")
    assert text[4] == "web2,,,,,,,,,,no facts"


def test_names_are_escaped() -> None:
    facts = copy.deepcopy(FACTS)
    facts["namespaces"][1]["listeners"][0]["processes"][0]["name"] = "\x1b[31mred\n"
    (published, *_others) = _fleet_search.find(facts, ":8080")
    assert "where \\x1b[31mred\\n (1234) listens" in published["answer"]


@pytest.mark.parametrize("value", hostile_inputs.VALUES)
def test_facts_that_are_not_valid_hide_no_other_host(value: t.Any) -> None:
    for key in ("forwards", "namespaces"):
        broken = {**FACTS, key: value}
        for facts in (broken, {**FACTS, "forwards": [value, *FACTS["forwards"]]}):
            found = _fleet_search.find({"a": facts, "web1": FACTS}, ":8080")
            assert [each["answer"] for each in found if each["host"] == "web1"] == [PUBLISHED, OLD]
            _fleet_ports.rows({"a": facts, "web1": FACTS})
    for key in (
        "protocol",
        "address",
        "port",
        "to_address",
        "to_port",
        "inode",
        "container",
        "by",
        "listening",
    ):
        broken = {**FACTS, "forwards": [{**FACTS["forwards"][0], key: value}]}
        _fleet_search.find({"a": broken}, [":8080", "10.0.0.5:8080"])
    for key in ("protocol", "address", "port", "processes"):
        namespaces = copy.deepcopy(FACTS["namespaces"])
        namespaces[1]["listeners"][0][key] = value
        _fleet_search.find({"a": {**FACTS, "namespaces": namespaces}}, [":80", "172.18.0.2:80"])


def test_the_programs_that_pass_ports_on_are_known_on_the_controller() -> None:
    """The controller cannot import them: what knows them on a managed host needs Linux."""
    assert {docker_proxy.COMMAND, *rootless_ports.COMMANDS} <= {*_fleet_ports._PROXIES}
