# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t
from types import MappingProxyType

import pytest

from ansible_collections.linuxnet.netns.plugins.module_utils._core import model
from ansible_collections.linuxnet.netns.plugins.module_utils._core.engines import (
    cni,
    docker_proxy,
    pasta,
)
from ansible_collections.linuxnet.netns.plugins.module_utils._core.facts import (
    discovery,
    forwards,
    listeners,
    records,
)
from ansible_collections.linuxnet.netns.plugins.module_utils._core.kernel import (
    inet_sockets,
    netns_reader,
    sock_diag,
)

PORT = model.Port("tcp", "0.0.0.0", 8080, "172.18.0.2", 80)


def container(name: str, engine: str = "docker", **more: t.Any) -> model.Container:
    return model.Container(engine, "/run/x", name * 64, name, True, "running", **more)


def read(
    monkeypatch: pytest.MonkeyPatch,
    *containers: model.Container,
    proxies: t.Sequence[model.Port] = (),
    cached: t.Mapping[str, t.Sequence[model.Port]] = MappingProxyType({}),
) -> list[tuple[t.Any, ...]]:
    monkeypatch.setattr(docker_proxy, "published", lambda: list(proxies))
    monkeypatch.setattr(cni, "published", lambda _deadline: (cached, ["some"] if cached else []))
    reading = model.Reading("docker", "/run/x", containers=containers)
    found, problems = forwards.read([reading], 5)
    assert problems == (["some"] if cached else [])
    return [(each.port, each.by, each.container and each.container.name) for each in found]


def test_each_port_once(monkeypatch: pytest.MonkeyPatch) -> None:
    web = container("a", ports=(PORT,))
    assert read(monkeypatch, web) == [(PORT, "docker", "a")]
    assert read(monkeypatch, web, proxies=[PORT]) == [(PORT, "docker", "a")]
    # Podman reports the ports of a pod for each of its containers.
    inside = container("b", network_mode=f"container:{'a' * 64}", ports=(PORT,))
    assert read(monkeypatch, inside, web) == [(PORT, "docker", "a")]
    # Another one's, and one that was not read.
    assert read(monkeypatch, web, inside._replace(network_mode="container:" + "c" * 64)) == [
        (PORT, "docker", "a"),
        (PORT, "docker", "b"),
    ]


def test_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    unknown = PORT._replace(to_address=None)
    web = container("a", ports=(unknown, unknown._replace(port=8081, to_port=81)))
    assert read(monkeypatch, web, proxies=[PORT, PORT._replace(port=8081)]) == [
        (PORT, "docker", "a"),
        (unknown._replace(port=8081, to_port=81), "docker", "a"),
    ]
    # One that Docker left behind.
    assert read(monkeypatch, proxies=[PORT]) == [(PORT, "proxy", None)]


def test_cni(monkeypatch: pytest.MonkeyPatch) -> None:
    pod = container("a", "containerd", sandbox=True)
    cached = {pod.id: [PORT], "b" * 64: [PORT], "moby-x": [PORT]}
    assert read(monkeypatch, pod, cached=cached) == [(PORT, "cni", "a")]
    # The results of a container that ended are left behind.
    assert read(monkeypatch, pod._replace(running=False), cached=cached) == []
    # An ID that a user chose.
    named = pod._replace(id="moby/x")
    assert read(monkeypatch, named, cached=cached) == [(PORT, "cni", "a")]
    # What Podman reports itself.
    assert read(monkeypatch, pod._replace(ports=(PORT,)), cached=cached) == [
        (PORT, "containerd", "a")
    ]


LISTENER = sock_diag.Listener("tcp", "0.0.0.0", 80, 0, None, 128, 0, 1)
V6 = LISTENER._replace(address="::", v6only=False)


@pytest.mark.parametrize(
    ("changes", "to_address", "expected"),
    [
        ({}, "172.18.0.2", True),
        ({}, None, True),
        ({}, "fd00::2", False),
        ({"port": 81}, "172.18.0.2", False),
        ({"port": 81}, None, False),
        ({"protocol": "udp"}, "172.18.0.2", False),
        ({"address": "127.0.0.1"}, "172.18.0.2", False),
        ({"address": "127.0.0.1"}, None, False),
        ({"address": "172.18.0.2"}, "172.18.0.2", True),
        ({"address": "::ffff:172.18.0.2"}, "172.18.0.2", True),
        ({"address": "172.19.0.2"}, "172.18.0.2", False),
        ({"address": "172.19.0.2"}, None, None),
        # Bound to an interface, which may be another.
        ({"ifindex": 3}, "172.18.0.2", None),
        ({"ifindex": 3}, None, None),
        ({"address": "172.18.0.2", "ifindex": 3}, "172.18.0.2", None),
        (V6._asdict(), "172.18.0.2", True),
        (V6._asdict(), "fd00::2", True),
        (V6._asdict(), None, True),
        ({**V6._asdict(), "v6only": True}, "172.18.0.2", False),
        ({**V6._asdict(), "v6only": True}, "fd00::2", True),
        ({**V6._asdict(), "v6only": True}, None, None),
        # Without sock_diag.
        ({**V6._asdict(), "v6only": None}, "172.18.0.2", None),
        ({**V6._asdict(), "v6only": None}, "fd00::2", True),
        ({**V6._asdict(), "v6only": None}, None, None),
        ({"address": "::1"}, "fd00::2", False),
        # A proxy of Incus.
        ({"address": "127.0.0.1"}, "127.0.0.1", True),
        ({}, "127.0.0.1", True),
        ({"address": "172.18.0.2"}, "127.0.0.1", False),
    ],
)
def test_is_listening(
    changes: dict[str, t.Any], to_address: str | None, expected: bool | None
) -> None:
    port = PORT._replace(to_address=to_address)
    view = view_of(LISTENER._replace(**changes))
    assert forwards.is_listening(port, view) is expected
    assert forwards.is_listening(port._replace(protocol="sctp"), view) is None


# As Podman 5 starts it.
PASTA = [
    "/usr/bin/pasta",
    "--config-net",
    "-t",
    "8080-8081:80-81",
    "-t",
    "127.0.0.1/9000-9000:9000-9000",
    "-u",
    "53:5353,54",
    "-T",
    "none",
    "-U",
    "none",
    "--no-map-gw",
    "--quiet",
    "--netns",
    "/run/user/1000/netns/netns-8d69",
]


@pytest.mark.parametrize(
    ("protocol", "port", "expected"),
    [
        *(("tcp", 8080, 80), ("tcp", 8081, 81), ("tcp", 9000, 9000), ("tcp", 8082, None)),
        *(("udp", 53, 5353), ("udp", 54, 54), ("udp", 8080, None), ("sctp", 53, None)),
    ],
)
def test_arguments_of_pasta(protocol: str, port: int, expected: int | None) -> None:
    assert pasta.to_port(PASTA, protocol, port) == expected
    assert pasta.to_port(["pasta", "--tcp-ports=~80,all,auto,x:y,8080:"], protocol, port) is None


@pytest.mark.parametrize(
    ("command", "holder", "user", "is_found"),
    [
        ("passt.avx2", 7, "mia", True),
        ("pasta", 7, "mia", True),
        # Another program, the pasta of another namespace, and a container of root.
        ("nginx", 7, "mia", False),
        ("pasta", 8, "mia", False),
        ("pasta", 7, "", False),
    ],
)
def test_ports_of_rootless_containers(
    monkeypatch: pytest.MonkeyPatch, command: str, holder: int, user: str, is_found: bool
) -> None:
    monkeypatch.setattr(forwards, "_arguments", lambda _pid: PASTA)
    references = discovery.References()
    references.proc_files.append("/proc/7/fd/9")
    record = records.NamespaceRecord(model.NetnsId(4, 9), references)
    record.containers.append(container("a", "podman", user=user))
    sockets = [
        V6._replace(port=8080, inode=1),
        LISTENER._replace(port=7000, inode=1),
        LISTENER._replace(port=8081, inode=2),
    ]
    holders = {1: (listeners.Holder(holder, command, None),)}
    found = forwards.of_rootless([record], view_of(*sockets), holders, 5)
    port = model.Port("tcp", "::", 8080, None, 80)
    assert [each.port for each in found] == ([port] if is_found else [])
    # Nothing is known of the host.
    assert forwards.of_rootless([record], None, holders, 5) == []
    local = view_of(LISTENER._replace(address="127.0.0.1"))
    assert forwards.is_listening(port, local, is_rootless=True) is None
    assert forwards.is_listening(port, local) is False


UID = 1000
ROOTLESSPORT = V6._replace(port=8080, inode=1, v6only=False)


@pytest.mark.parametrize(
    ("socket", "command", "uid", "found"),
    [
        (ROOTLESSPORT, "rootlessport", UID, ["::"]),
        (ROOTLESSPORT, "rootlesskit", UID, ["::"]),
        (ROOTLESSPORT, "exe", UID, ["::"]),
        (LISTENER._replace(port=8080, inode=1), "slirp4netns", UID, ["0.0.0.0"]),
        # Another program, another user, another port, another protocol, an address that does not take it.
        (ROOTLESSPORT, "nginx", UID, []),
        (ROOTLESSPORT, "rootlessport", 1001, []),
        (ROOTLESSPORT, "rootlessport", None, []),
        (ROOTLESSPORT._replace(port=8081), "rootlessport", UID, []),
        (ROOTLESSPORT._replace(protocol="udp"), "rootlessport", UID, []),
        (ROOTLESSPORT._replace(v6only=True), "rootlessport", UID, []),
        (ROOTLESSPORT._replace(address="127.0.0.1"), "rootlessport", UID, []),
    ],
)
def test_ports_by_the_files_of_a_user(
    monkeypatch: pytest.MonkeyPatch,
    socket: sock_diag.Listener,
    command: str,
    uid: int | None,
    found: list[str],
) -> None:
    port = model.Port("tcp", "0.0.0.0", 8080, "10.88.0.2", 80)
    monkeypatch.setattr(forwards, "_user", lambda _pid: uid)
    monkeypatch.setattr(
        forwards.rootless_ports,
        "published",
        lambda _uid, containers, _deadline: {each.key: (port,) for each in containers},
    )
    record = records.NamespaceRecord(model.NetnsId(4, 9), discovery.References())
    mine = container("a", "podman", user="mia")._replace(source=f"/proc#{UID}")
    record.containers += [mine, container("b", "podman")]
    holders = {1: (listeners.Holder(7, command, None),)}
    result = forwards.of_rootless([record], view_of(socket), holders, 5)
    assert result == [
        forwards.Forward(port._replace(address=address), "podman", mine) for address in found
    ]


def test_an_engine_lists_no_ports_of_users() -> None:
    """They count only with a socket."""
    one = container("a", "docker", user="mia")._replace(ports=(PORT,))
    assert forwards.read([model.Reading("docker", "/proc", containers=(one,))], 5)[0] == []


def view_of(*found: sock_diag.Listener) -> netns_reader.View:
    return netns_reader.View(sockets=inet_sockets.Sockets(found, {}))


def test_is_listening_among_several() -> None:
    local = LISTENER._replace(address="127.0.0.1")
    bound = LISTENER._replace(ifindex=3)
    assert forwards.is_listening(PORT, view_of(local, LISTENER)) is True
    assert forwards.is_listening(PORT, view_of(local, bound)) is None
    assert forwards.is_listening(PORT, view_of()) is False
    assert forwards.is_listening(PORT, None) is None
    assert forwards.is_listening(PORT, netns_reader.View()) is None
    # Not all sockets are known.
    assert forwards.is_listening(PORT, view_of()._replace(socket_problem="more")) is None
