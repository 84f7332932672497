# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Devices of the machine in a namespace that only pins keep, because its container or process has ended.

A network card that was moved into a container comes back to the host when the namespace ends. A pin keeps the
namespace, and the card with it: the host has lost it, and restarting the engine does not bring it back.

Repair: move the interface to the host's namespace. It is down there, and has no addresses.
"""

from __future__ import annotations

import typing as t

from ..facts.records import as_utf_8
from .finding import ERROR, Check, Finding, Repair, Subject
from .repair import Context

if t.TYPE_CHECKING:
    from .evidence import Evidence

NAME = "lost_device"


def find(evidence: Evidence) -> t.Iterator[Finding]:
    """Each device in a stale namespace."""
    for record in evidence.records.values():
        stale = evidence.classifier.stale(record)
        if stale is False:
            continue
        for interface in evidence.interfaces(record):
            if not interface.physical:
                continue
            if stale is None:  # it may have processes
                evidence.require_all_processes()
                continue
            pins = ", ".join(as_utf_8(pin) for pin in sorted(record.references.pins))
            yield Finding(
                NAME,
                ERROR,
                Subject(record.netns.inode, evidence.names(record), interface=interface.name),
                message=f"the device {interface.name} of this host is in net:[{record.netns.inode}], whose owner "
                "is gone",
                evidence=(
                    f"net:[{record.netns.inode}]: {interface.name} ({interface.mac}) is a device of the machine",
                    "/proc: no process is in the namespace",
                    f"/proc/self/mountinfo: it is mounted at {pins}",
                ),
                remedy=f"remove the pin, see stale_link and orphaned_namespace, or `repair: [{NAME}]`, which moves it "
                "to the host; then configure it there",
                repair=Repair(
                    "interfaces",
                    f"{interface.name} net:[{record.netns.inode}]\n",
                    f"{interface.name} host\n",
                    (record.references.netns_ref(record.netns), interface),
                ),
                identity=(interface.ifindex, interface.mac),
            )


def _repair(repair: Repair, context: Context) -> None:
    context.move_to_host(*repair.target)


CHECK = Check(NAME, find, repair=_repair)
