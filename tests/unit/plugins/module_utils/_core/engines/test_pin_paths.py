# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
import pathlib
import socket
import typing as t

import pytest

from ansible_collections.linuxnet.netns.plugins.module_utils._core import model
from ansible_collections.linuxnet.netns.plugins.module_utils._core.engines import (
    daemons,
    docker,
    pin_paths,
    registry,
)
from ansible_collections.linuxnet.netns.plugins.module_utils._core.kernel import procfs

UUID = "0f80b2fb-9708-236e-b4c3-48f37a1f0836"
CRI = "io.containerd.grpc.v1.cri/netns"


@pytest.mark.parametrize(
    ("path", "owner"),
    [
        ("/run/docker/netns/8d6964defe15", ("docker", "/run/docker.sock")),
        ("/run/user/1000/docker/netns/8d6964defe15", ("docker", "/run/user/1000/docker.sock")),
        ("/run/docker/netns/8d6964defe1", None),
        # Pins for networks.
        ("/run/docker/netns/ingress_sbox", None),
        ("/run/docker/netns/1-s0d2k8q1m3", None),
        (f"/run/netns/netns-{UUID}", ("podman", None)),
        (f"/var/run/netns/netns-{UUID}", ("podman", None)),
        (f"/run/user/1000/netns/netns-{UUID}", None),
        (f"/run/netns/netns-{UUID}0", None),
        ("/run/netns/netns-mine", None),
        # Of containerd or of Podman 3.
        (f"/run/netns/cni-{UUID}", None),
        (f"/run/containerd/{CRI}/cni-{UUID}", ("containerd", "/run/containerd")),
        (f"/run/k3s/containerd/{CRI}/cni-{UUID}", ("containerd", "/run/k3s/containerd")),
        (f"/run/containerd/{CRI}/mine", None),
        # CRI-O's names are only a UUID.
        (f"/run/netns/{UUID}", None),
    ],
)
def test_pin_owner(path: str, owner: tuple[str, str | None] | None) -> None:
    pins = pin_paths.Pins()
    assert pins.owner(path) == owner
    is_network = path.endswith(("ingress_sbox", "1-s0d2k8q1m3", "8d6964defe1"))
    assert pins.is_network(path) == is_network


def test_the_pins_of_containers_show_where_a_daemon_has_its_own(tmp_path: pathlib.Path) -> None:
    (tmp_path / "ci" / "netns").mkdir(parents=True)
    (tmp_path / "link").symlink_to("ci")
    directory, other = f"{tmp_path}/ci/netns", "/run/other/netns"
    container = model.Container("docker", "/run/ci.sock", "1" * 64, "web", True, "running")
    container = container._replace(pin=f"{tmp_path}/link/netns/8d6964defe15")
    pins = pin_paths.Pins([model.Reading("docker", "/run/ci.sock", containers=(container,))])
    assert pins.owner(f"{directory}/8d6964defe16") == ("docker", "/run/ci.sock")
    assert pins.is_network(f"{directory}/ingress_sbox")
    assert pins.owner(f"{directory}/ingress_sbox") is None
    # Others are not Docker's, as anybody can make a directory of this name.
    assert pins.owner(f"{other}/8d6964defe16") is None
    assert not pins.is_network(f"{other}/ingress_sbox")


@pytest.mark.parametrize(
    ("arguments", "config", "exec_root"),
    [
        (["--exec-root", "{0}/ci"], {}, "ci"),
        (["--exec-root={0}/ci"], {"exec-root": "{0}/other"}, "ci"),
        (["--config-file", "{0}/daemon.json"], {"exec-root": "{0}/ci"}, "ci"),
        (["--config-file={0}/daemon.json"], {"exec-root": 7}, None),
        (["--config-file={0}/none.json"], {}, None),
    ],
)
def test_the_options_of_a_daemon_show_where_it_has_its_pins(
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    config: dict[str, t.Any],
    exec_root: str | None,
) -> None:
    text = json.dumps(config).replace("{0}", str(tmp_path))
    (tmp_path / "daemon.json").write_text(text)
    command = ["dockerd", *(each.format(tmp_path) for each in arguments)]
    monkeypatch.setattr(daemons, "arguments", lambda _process: command)
    with procfs.opened(os.getpid()) as process:
        monkeypatch.setattr(daemons, "running", lambda _prefix: [(process, "dockerd")])
        address = f"{tmp_path}/ci.sock"
        readings = [
            model.Reading("docker", each) for each in (address, "/run/docker.sock", model.PROCESSES)
        ]
        path = f"{tmp_path}/ci/netns/ingress_sbox"
        # Nobody listens there, or another program.
        assert not pin_paths.Pins(readings).is_network(path)
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(address)
            listener.listen()
            assert pin_paths.Pins(readings).is_network(path) == (exec_root is not None)
            assert not pin_paths.Pins(readings[1:]).is_network(path)
            assert not pin_paths.Pins(readings).is_network(f"{tmp_path}/other/netns/ingress_sbox")
            assert pin_paths.Pins(readings).is_network("/run/docker/netns/ingress_sbox")


def test_networks_are_asked_of_the_daemon_that_pins_them(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def networks(
        source: str, pins: t.Sequence[str], _timeout: float
    ) -> tuple[dict[str, t.Any], str]:
        asked.append((source, list(pins)))
        return {pins[0]: model.Network("x", source)}, "" if "ci" in source else "no answer"

    monkeypatch.setattr(docker, "networks", networks)
    container = model.Container("docker", "/run/ci.sock", "1" * 64, "web", True, "running")
    container = container._replace(pin="/run/exec-ci/netns/8d6964defe15")
    pins = pin_paths.Pins([model.Reading("docker", "/run/ci.sock", containers=(container,))])
    paths = [
        "/run/docker/netns/ingress_sbox",
        "/run/exec-ci/netns/1-s0d2k8q1m3",
        "/run/exec-ci/netns/8d6964defe15",
        "/run/netns/web",
    ]
    found, problems = pins.networks(None, paths, registry.Budget(5))
    assert asked == [("/run/docker.sock", paths[:1]), ("/run/ci.sock", paths[1:2])]
    assert sorted(found) == sorted(paths[:2])
    assert problems == [("docker", "no answer")]
    assert pins.networks(["podman"], paths, registry.Budget(5)) == ({}, [])
