# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pods of cri-dockerd: Docker's containers with the names and labels that it gives them."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.linuxnet.netns.plugins.module_utils._core import model, names, selection
from ansible_collections.linuxnet.netns.plugins.module_utils._core.engines import kubernetes

UID = "0b6c9c5c-3f0e-4c39-9a6e-0d1f4b1f0a54"
POD = model.Pod("shop", "web-0", UID)
LABELS = {
    "io.kubernetes.pod.name": "web-0",
    "io.kubernetes.pod.namespace": "shop",
    "io.kubernetes.pod.uid": UID,
}
SANDBOX_LABELS = {
    **LABELS,
    "io.kubernetes.container.name": "POD",
    "io.kubernetes.docker.type": "podsandbox",
    "app": "web",
}
CONTAINER_LABELS = {
    **LABELS,
    "io.kubernetes.container.name": "nginx",
    "io.kubernetes.docker.type": "container",
    "io.kubernetes.sandbox.id": "1" * 64,
}


def container(name: str, labels: t.Mapping[str, str], **other: t.Any) -> model.Container:
    return model.Container(
        "docker", "/run/docker.sock", "1" * 64, name, True, "running", labels=labels, **other
    )


@pytest.mark.parametrize(
    "name",
    # cri-dockerd adds a random suffix where the name is taken.
    [f"k8s_POD_web-0_shop_{UID}_0", f"k8s_POD_web-0_shop_{UID}_2_1f0a54c3"],
)
def test_the_sandbox_is_the_pod(name: str) -> None:
    sandbox = kubernetes.with_pod(container(name, SANDBOX_LABELS))
    assert (sandbox.name, sandbox.pod, sandbox.sandbox) == ("shop_web-0", POD, True)
    assert selection.names_of(sandbox) == ("shop/web-0", "web-0", "shop_web-0")
    assert names.Template("{name}").fill(sandbox) == "shop_web-0"
    assert selection.has_labels(sandbox.labels, {"app": "web"})


def test_a_container_of_a_pod() -> None:
    member = kubernetes.with_pod(container(f"k8s_nginx_web-0_shop_{UID}_3", CONTAINER_LABELS))
    assert (member.name, member.pod, member.sandbox) == ("nginx", POD, False)


@pytest.mark.parametrize("missing", [*LABELS, "io.kubernetes.container.name"])
def test_a_container_without_one_of_the_labels_is_in_no_pod(missing: str) -> None:
    labels = {name: value for name, value in SANDBOX_LABELS.items() if name != missing}
    plain = container(f"k8s_POD_web-0_shop_{UID}_0", labels)
    assert kubernetes.with_pod(plain) is plain


@pytest.mark.parametrize(
    "name",
    ["web", "k8s_POD_web-0_shop", f"k8s_POD_web-1_shop_{UID}_0", f"k8s_POD_web-0_shop_{UID}"],
)
def test_labels_of_an_image_make_no_pod(name: str) -> None:
    plain = container(name, SANDBOX_LABELS)
    assert kubernetes.with_pod(plain) is plain
