# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What containerd's shims leave in the file system: a task's folder, and a socket.

The folder is STATE/io.containerd.runtime.v2.task/NAMESPACE/ID (core/runtime/v2/bundle.go). The
sockets of all shims are in one place, whatever their state folder is (pkg/shim/util_unix.go).
"""

from __future__ import annotations

import os

STATE = "/run/containerd"
TASKS = "io.containerd.runtime.v2.task"
# Docker's containers and plugins, which are the Docker engine's to tell.
DOCKERS = frozenset(("moby", "plugins.moby"))
# The state folder of a containerd that dockerd itself starts, below dockerd's own.
DOCKERS_OWN = "/docker/containerd/daemon"
_STATES = (STATE, f"/run{DOCKERS_OWN}")
_SOCKETS = f"{STATE}/s"


def are_dockers() -> bool:
    """Whether all shims are Docker's, and there are some; False also where that cannot be seen."""
    tasks = 0
    try:
        for path in (f"{state}/{TASKS}" for state in _STATES):
            for namespace in os.listdir(path) if os.path.lexists(path) else ():
                if namespace not in DOCKERS:
                    return False
                tasks += len(os.listdir(f"{path}/{namespace}"))
        return 0 < len(os.listdir(_SOCKETS)) <= tasks
    except OSError:
        return False
