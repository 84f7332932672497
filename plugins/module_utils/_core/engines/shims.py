# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""containerd's shims in the file system: a task's directory, and the shim's socket.

The directory is STATE/io.containerd.runtime.v2.task/NAMESPACE/ID (core/runtime/v2/bundle.go). The
sockets of all shims are in one directory, whatever the state directory is (pkg/shim/util_unix.go).
"""

from __future__ import annotations

import os

STATE = "/run/containerd"
TASKS = "io.containerd.runtime.v2.task"
# Docker's containers and plugins, which the engine docker reports.
DOCKER_NAMESPACES = frozenset(("moby", "plugins.moby"))
# The end of the state directory of a containerd that dockerd starts, in dockerd's own.
DOCKER_STATE_SUFFIX = "/docker/containerd/daemon"
_STATES = (STATE, f"/run{DOCKER_STATE_SUFFIX}")
_SOCKETS = f"{STATE}/s"


def belong_to_docker() -> bool:
    """Whether there are shims and all are Docker's; False also where they cannot be listed."""
    tasks = 0
    try:
        for path in (f"{state}/{TASKS}" for state in _STATES):
            for namespace in os.listdir(path) if os.path.lexists(path) else ():
                if namespace not in DOCKER_NAMESPACES:
                    return False
                tasks += len(os.listdir(f"{path}/{namespace}"))
        return 0 < len(os.listdir(_SOCKETS)) <= tasks
    except OSError:
        return False
