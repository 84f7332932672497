# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Published ports, as Docker 20.10, Podman 3 and 4, and the library of CNI record them."""

from __future__ import annotations

import base64
import json
import os
import pathlib
import typing as t

import pytest

from ansible_collections.linuxnet.netns.plugins.module_utils._core import model
from ansible_collections.linuxnet.netns.plugins.module_utils._core.engines import (
    cni,
    daemons,
    docker_proxy,
    ports,
    state_files,
)

DATA = pathlib.Path(__file__).parents[4] / "data"
ID = "3" * 64
# As `docker inspect` shows it for `-p 8080:80 -p 127.0.0.1:8081:81/udp`.
ONE_NETWORK: dict[str, t.Any] = {
    "Ports": {
        "80/tcp": [
            {"HostIp": "0.0.0.0", "HostPort": "8080"},
            {"HostIp": "::", "HostPort": "8080"},
        ],
        "81/udp": [{"HostIp": "127.0.0.1", "HostPort": "8081"}],
        "443/tcp": None,
    },
    "IPAddress": "172.17.0.2",
    "Networks": {"bridge": {"IPAddress": "172.17.0.2", "GlobalIPv6Address": ""}},
}
SECOND = {"IPAddress": "172.18.0.2", "GlobalIPv6Address": "fd00::2"}


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (
            ONE_NETWORK,
            [
                ("tcp", "0.0.0.0", 8080, "172.17.0.2", 80),
                # The proxy leads to IPv4.
                ("tcp", "::", 8080, "172.17.0.2", 80),
                ("udp", "127.0.0.1", 8081, "172.17.0.2", 81),
            ],
        ),
        # Which network the ports lead to is not in these settings.
        (
            {**ONE_NETWORK, "Networks": {**ONE_NETWORK["Networks"], "other": SECOND}},
            [
                ("tcp", "0.0.0.0", 8080, None, 80),
                ("tcp", "::", 8080, "fd00::2", 80),
                ("udp", "127.0.0.1", 8081, None, 81),
            ],
        ),
        # Podman with its default network, and a port of any address.
        (
            {
                "Ports": {"80/tcp": [{"HostIp": "", "HostPort": "8080"}]},
                "IPAddress": "10.88.0.5",
                "Networks": {"podman": {"IPAddress": "10.88.0.5"}},
            },
            [("tcp", "0.0.0.0", 8080, "10.88.0.5", 80)],
        ),
        # Podman 3.
        (
            {"Ports": {"80/tcp": [{"HostIp": "", "HostPort": "8080"}]}, "IPAddress": "10.88.0.5"},
            [("tcp", "0.0.0.0", 8080, "10.88.0.5", 80)],
        ),
        ({"Ports": {}}, []),
        ({"Ports": None}, []),
        (None, []),
    ],
)
def test_from_settings(settings: t.Any, expected: list[tuple[t.Any, ...]]) -> None:
    found = ports.from_settings({"NetworkSettings": settings})
    assert list(found) == [model.Port(*each) for each in expected]


def test_from_list() -> None:
    """It has the ports that the details have."""
    captured = json.loads((DATA / "docker-20.10" / "published.json").read_text())
    details = {each["Id"]: each for each in captured["details"]}
    found = {
        item["Names"][0]: (ports.from_list(item), ports.from_settings(details[item["Id"]]))
        for item in captured["listed"]
    }
    assert {name: len(listed) for name, (listed, _details) in found.items() if listed} == {
        "/web": 3,
        "/both": 3,
        "/shop": 4,
    }
    assert [name for name, (listed, known) in found.items() if set(listed) != set(known)] == []


@pytest.mark.parametrize(
    "odd", [None, [], "x", 7, -1, "99999", "0", {}, "²", "\ud800", 1e400, True]
)
def test_odd_settings(odd: t.Any) -> None:
    """They hide no container: what is not valid is left out."""
    binding = {"HostIp": odd, "HostPort": odd}
    for published in (
        odd,
        {"80/tcp": odd},
        {"80/tcp": [odd]},
        {"80/tcp": [binding]},
    ):
        settings = {"Ports": published, "Networks": {"x": odd}, "IPAddress": odd}
        assert ports.from_settings({"NetworkSettings": settings}) == ()
    assert ports.from_settings(odd) == ()
    port = {"IP": odd, "PublicPort": odd, "PrivatePort": odd, "Type": odd}
    for listed in (odd, [odd], [port], [{**port, "PublicPort": 80, "PrivatePort": 80}]):
        settings = {"Networks": {"x": odd}}
        assert ports.from_list({"Ports": listed, "NetworkSettings": settings}) == ()
        assert ports.from_list({"Ports": listed, "NetworkSettings": odd}) == ()
    assert ports.from_list(odd) == ()
    assert ports.from_podman_database({"newPortMappings": odd}, odd) == ()
    mapping = {"host_port": odd, "container_port": odd, "protocol": odd}
    if odd != 7:
        assert ports.from_podman_database({"newPortMappings": [odd, mapping]}, odd) == ()
    for status in (odd, {"x": odd}, {"x": {"interfaces": {"eth0": odd}}}, [odd], [{"ips": odd}]):
        mappings = [{"host_port": 80, "container_port": 80, "range": odd}]
        (port,) = ports.from_podman_database(
            {"newPortMappings": mappings if odd != 7 else mappings[:1]}, {"networkStatus": status}
        )[:1]
        assert port.to_address is None


@pytest.mark.parametrize(
    ("config", "state", "expected"),
    [
        # Podman 5.
        (
            {
                "newPortMappings": [
                    {
                        "host_ip": "",
                        "container_port": 80,
                        "host_port": 8080,
                        "range": 2,
                        "protocol": "tcp,udp",
                    }
                ]
            },
            {
                "networkStatus": {
                    "podman": {"interfaces": {"eth0": {"subnets": [{"ipnet": "10.88.0.5/16"}]}}}
                }
            },
            [
                ("tcp", "0.0.0.0", 8080, "10.88.0.5", 80),
                ("tcp", "0.0.0.0", 8081, "10.88.0.5", 81),
                ("udp", "0.0.0.0", 8080, "10.88.0.5", 80),
                ("udp", "0.0.0.0", 8081, "10.88.0.5", 81),
            ],
        ),
        # Podman 3.
        (
            {
                "portMappings": [
                    {"hostPort": 8080, "containerPort": 80, "protocol": "tcp", "hostIP": "10.0.0.1"}
                ]
            },
            {"networkStatus": [{"ips": [{"address": "10.88.0.5/16"}]}]},
            [("tcp", "10.0.0.1", 8080, "10.88.0.5", 80)],
        ),
        (
            {"newPortMappings": [{"host_port": 53, "container_port": 53, "protocol": "udp"}]},
            {
                "networkStatus": {
                    "x": {
                        "interfaces": {
                            "eth0": {
                                "subnets": [{"ipnet": "10.88.0.5/16"}, {"ipnet": "fd00::5/64"}]
                            }
                        }
                    }
                }
            },
            [("udp", "0.0.0.0", 53, "10.88.0.5", 53), ("udp", "::", 53, "fd00::5", 53)],
        ),
    ],
)
def test_from_podman_database(config: t.Any, state: t.Any, expected: list[t.Any]) -> None:
    found = ports.from_podman_database(config, state)
    assert list(found) == [model.Port(*each) for each in expected]


def test_from_the_cache_that_containerd_writes() -> None:
    # containerd 1.7: the names of its structures are those of Go.
    cached = {
        "kind": "cniCacheV1",
        "capabilityArgs": {
            "portMappings": [
                {"HostPort": 18082, "ContainerPort": 80, "Protocol": "tcp", "HostIP": ""}
            ]
        },
        "result": {"cniVersion": "0.4.0", "ips": [{"address": "10.88.77.2/24", "interface": 2}]},
    }
    (port,) = ports.from_cni(cached)
    assert port == model.Port("tcp", "0.0.0.0", 18082, "10.88.77.2", 80)


def proxy(listen: t.Any, connect: t.Any = "tcp:127.0.0.1:80", **more: t.Any) -> dict[str, t.Any]:
    return {"type": "proxy", "listen": listen, "connect": connect, **more}


@pytest.mark.parametrize(
    ("device", "expected"),
    [
        (proxy("tcp:0.0.0.0:8080"), [("tcp", "0.0.0.0", 8080, "127.0.0.1", 80)]),
        (proxy("udp:[::]:53", "udp:[::1]:53"), [("udp", "::", 53, "::1", 53)]),
        (
            proxy("tcp:10.0.0.5:8080,8082-8083", "tcp:10.1.0.7:80,82-83", nat="true", bind="host"),
            [
                ("tcp", "10.0.0.5", 8080, "10.1.0.7", 80),
                ("tcp", "10.0.0.5", 8082, "10.1.0.7", 82),
                ("tcp", "10.0.0.5", 8083, "10.1.0.7", 83),
            ],
        ),
        (
            proxy("tcp:0.0.0.0:1-2", "tcp:0.0.0.0:80"),
            [("tcp", "0.0.0.0", 1, None, 80), ("tcp", "0.0.0.0", 2, None, 80)],
        ),
        (proxy("tcp:0.0.0.0:8080", bind="instance"), []),
        (proxy("unix:/run/x.sock"), []),
        (proxy("tcp:0.0.0.0:80", "unix:/run/x.sock"), []),
        (proxy("tcp:0.0.0.0:80-x"), []),
        (proxy("tcp:0.0.0.0:"), []),
        (proxy(7), []),
        ({"type": "nic"}, []),
        (None, []),
    ],
)
def test_from_devices(device: t.Any, expected: list[t.Any]) -> None:
    assert list(ports.from_devices({"web": device})) == [model.Port(*each) for each in expected]
    assert ports.from_devices(device and [device]) == ()


def cached(**more: t.Any) -> dict[str, t.Any]:
    """A result as libcni caches it, with the configuration of containerd's documentation."""
    network = {
        "name": "containerd-net",
        "plugins": [
            {"type": "bridge"},
            {"type": "portmap", "capabilities": {"portMappings": True}},
        ],
    }
    return {
        "kind": "cniCacheV1",
        "containerId": ID,
        "config": base64.b64encode(json.dumps(network).encode()).decode(),
        "ifName": "eth0",
        "networkName": "containerd-net",
        "capabilityArgs": {
            "portMappings": [
                {
                    "HostPort": 1,
                    "hostPort": 8080,
                    "containerPort": 80,
                    "protocol": "TCP",
                    "hostIP": "",
                }
            ]
        },
        "result": {"cniVersion": "1.0.0", "ips": [{"address": "10.88.0.7/16"}]},
        **more,
    }


PORT = model.Port("tcp", "0.0.0.0", 8080, "10.88.0.7", 80)


@pytest.fixture
def results(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    monkeypatch.setattr(cni, "_RESULTS", str(tmp_path / "results"))
    return tmp_path / "results"


def read() -> tuple[dict[str, list[model.Port]], list[str]]:
    return cni.published(state_files.Deadline(5))


def test_cni(results: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert read() == ({}, [])
    results.mkdir()
    files = {
        "containerd-net-3-eth0": json.dumps(cached()),
        # nerdctl.
        "bridge-4-eth0": json.dumps(cached(containerId=f"default-{'4' * 64}")),
        "own-5-eth0": json.dumps(cached(containerId="mine")),
        # Nothing in this network publishes what the engine asks for.
        "cilium-6-eth0": json.dumps(cached(containerId="6" * 64, config="e30=")),
        "no-ports-eth0": json.dumps(cached(containerId="7" * 64, capabilityArgs={})),
        "odd-eth0": '"portMappings" {',
        "other-eth0": '["portMappings"]',
        "odd-config-eth0": json.dumps(cached(config=7)),
        "odd-id-eth0": json.dumps(cached(containerId=7)),
    }
    for name, text in files.items():
        (results / name).write_text(text)
    expected = {ID: [PORT], "4" * 64: [PORT], "mine": [PORT]}
    assert read() == (expected, [f"{results}/odd-eth0 is not valid JSON"])
    (results / "odd-eth0").unlink()
    os.mkfifo(results / "fifo")
    by_id, problems = read()
    assert (by_id, problems) == (expected, [f"{results}/fifo is a FIFO, not a file"])
    monkeypatch.setattr(cni, "_MAX_RESULTS", 2)
    assert read()[1] == [f"{results} contains more than 2 files"]
    (problem,) = cni.published(state_files.Deadline(-1))[1][1:]
    assert "could not be read in full" in problem


def test_docker_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    command = "-proto {} -host-ip {} -host-port {} -container-ip 172.17.0.2 -container-port 80"
    lines = [
        command.format("tcp", "0.0.0.0", 8080),
        command.format("tcp", "::", 8080) + " -use-listen-fd",
        command.format("tcp", "x", 8080),
        command.format("tcp", "0.0.0.0", "99999999"),
        "",
    ]
    monkeypatch.setattr(daemons, "running", lambda _prefix: ((n, "") for n in range(len(lines))))
    monkeypatch.setattr(daemons, "arguments", lambda process: lines[process].split())
    assert docker_proxy.published() == [
        model.Port("tcp", "0.0.0.0", 8080, "172.17.0.2", 80),
        model.Port("tcp", "::", 8080, "172.17.0.2", 80),
    ]
