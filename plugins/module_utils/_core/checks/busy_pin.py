# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Namespaces that only a copy of their pin keeps, in the mount namespace of another process.

A container that was started with `-v /:/rootfs`, such as cadvisor or a node exporter, and a service with a sandbox
have copies of the host's mounts. Where the host has unmounted a pin and the copy is private, the namespace stays.
Removing its file fails with "Device or resource busy" on kernels before 3.18.
"""

from __future__ import annotations

import os
import typing as t

from ..facts.records import as_utf_8
from ..links.netns_dir import EMPTY
from .finding import WARNING, Check, Finding, Subject

if t.TYPE_CHECKING:
    from .evidence import Evidence

NAME = "busy_pin"


def find(evidence: Evidence) -> t.Iterator[Finding]:
    """Each empty file whose pin is elsewhere, of a namespace that no process and no container is in."""
    evidence.require_read(evidence.netns_dir)
    for name, path_state in sorted(evidence.path_states.items()):
        record = evidence.by_inode.get(path_state.held_inode)
        pid = path_state.holder
        # Engines of users make such pins, for namespaces with processes.
        if record and (record.references.pids or record.containers or record.references.pins):
            continue
        if path_state.kind == EMPTY:
            # A process that cannot be read may be in the namespace, or have the pin.
            evidence.require_all_processes()
        if pid is None or record is None:
            continue
        path = os.path.join(evidence.netns_dir, name)
        if not evidence.is_old(path) or not evidence.is_old_process(pid):
            continue
        command = as_utf_8(evidence.probes.command(pid) or "?")
        yield Finding(
            NAME,
            WARNING,
            Subject(record.netns.inode, (as_utf_8(name),), as_utf_8(path)),
            message=f"the pin of {as_utf_8(path)} is only left in the mount namespace of process {pid} ({command}), "
            f"which keeps net:[{record.netns.inode}] alive",
            evidence=(
                f"/proc/{pid}/mountinfo: the file {as_utf_8(path)} has the namespace mounted on it there, and not here",
            ),
            remedy=f"restart what process {pid} belongs to, which then copies the mounts as they are now; a container "
            "that mounts the root directory of the host needs `-v /:/rootfs:rslave`",
            identity=(path_state.file,),
        )


CHECK = Check(NAME, find)
