# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""containerd's shims in the file system: a task's directory, and the shim's socket.

The directory is STATE/io.containerd.runtime.v2.task/NAMESPACE/ID (core/runtime/v2/bundle.go). The
sockets of all shims are in one directory, whatever the state directory is (pkg/shim/util_unix.go).
"""

from __future__ import annotations

import os
import re
import typing as t

from .. import untrusted

STATE = "/run/containerd"
TASKS = "io.containerd.runtime.v2.task"
# Docker's containers and plugins, which the engine docker reports. With userns-remap the UID and GID are
# behind (daemon/daemon.go); options of dockerd can name them otherwise.
_DOCKER_NAMESPACE = re.compile(r"(?:plugins\.)?moby(?:-[0-9]+\.[0-9]+)?")
# Of the CRI plugin, which Docker never has.
_CRI_NAMESPACE = "k8s.io"
# The end of the state directory of a containerd that dockerd starts, in dockerd's own.
DOCKER_STATE_SUFFIX = "/docker/containerd/daemon"
_STATES = (STATE, f"/run{DOCKER_STATE_SUFFIX}")
_SOCKETS = f"{STATE}/s"
_MAX_CONFIG = 1 << 22
_MAX_OTHERS = 3
# In the data root of Docker each container has a directory with its files of network settings, whatever its network.
# Not compiled here, as most runs do not need it.
_DOCKER_MOUNT = r"/.+/containers/[0-9a-f]{64}/(?:hostname|hosts|resolv\.conf)"


def is_dockers(namespace: str, path: str) -> bool:
    """Whether the tasks of a containerd namespace are Docker's. `path` is the directory with its bundles."""
    if _DOCKER_NAMESPACE.fullmatch(namespace):
        return True
    if namespace == _CRI_NAMESPACE:
        return False
    try:
        identities = sorted(os.listdir(path))
    except OSError:
        return False
    others = 0
    for identity in identities:
        try:
            data, _status = untrusted.read_file(f"{path}/{identity}/config.json", _MAX_CONFIG)
            if _is_dockers(untrusted.parse_json(data)):
                return True
        except (OSError, ValueError, untrusted.UnusableFileError):
            # It is being made or removed, or is damaged: others of the namespace are of the same engine.
            continue
        others += 1
        if others == _MAX_OTHERS:
            break
    return False


def _is_dockers(config: t.Any) -> bool:
    """Whether a bundle's config.json has the mounts that Docker gives each container."""
    mounts = config.get("mounts") if isinstance(config, dict) else None
    return any(
        isinstance(mount, dict)
        and isinstance(mount.get("source"), str)
        and re.fullmatch(_DOCKER_MOUNT, mount["source"])
        for mount in (mounts if isinstance(mounts, list) else ())
    )


def belong_to_docker() -> bool:
    """Whether there are shims and all are Docker's; False also where they cannot be listed."""
    tasks = 0
    try:
        for path in (f"{state}/{TASKS}" for state in _STATES):
            for namespace in os.listdir(path) if os.path.lexists(path) else ():
                if not is_dockers(namespace, f"{path}/{namespace}"):
                    return False
                tasks += len(os.listdir(f"{path}/{namespace}"))
        return 0 < len(os.listdir(_SOCKETS)) <= tasks
    except OSError:
        return False
