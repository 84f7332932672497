# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pods of Kubernetes whose containers Docker runs: by cri-dockerd, or by dockershim before Kubernetes 1.24.

Both name a container k8s_CONTAINER_POD_NAMESPACE_UID_ATTEMPT (core/naming.go) and add labels with the same
values (core/helpers.go). An image can have any labels, but only who creates a container gives it a name. So
labels count only where the name agrees.
"""

from __future__ import annotations

from .. import model

_LABELS = "io.kubernetes."
_SANDBOX = "podsandbox"
_PREFIX = "k8s"


def with_pod(container: model.Container) -> model.Container:
    """The container with its pod, and with its name in the pod; unchanged where it is in no pod."""
    # Of most containers, this is enough.
    if not container.name.startswith(_PREFIX):
        return container
    labels = container.labels
    pod = model.Pod(
        namespace=labels.get(f"{_LABELS}pod.namespace", ""),
        name=labels.get(f"{_LABELS}pod.name", ""),
        uid=labels.get(f"{_LABELS}pod.uid", ""),
    )
    name = labels.get(f"{_LABELS}container.name", "")
    parts = (_PREFIX, name, pod.name, pod.namespace, pod.uid, "")
    if "" in parts[:-1] or not container.name.startswith("_".join(parts)):
        return container
    is_sandbox = labels.get(f"{_LABELS}docker.type") == _SANDBOX
    return container._replace(
        name=pod.full_name if is_sandbox else name, pod=pod, sandbox=is_sandbox
    )
