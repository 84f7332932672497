# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Host ends of veth pairs whose other end is in a namespace that nothing leads to.

No process, pin, descriptor or socket of the host refers to the namespace, and still it exists: something in the kernel
keeps it. The veth stays on its bridge, and its name and address cannot be used again.

Repair: delete the pair.
"""

from __future__ import annotations

import typing as t

from .finding import NOTE, Check, Finding, Repair, Subject, Unknown
from .repair import Context

if t.TYPE_CHECKING:
    from .evidence import Evidence

NAME = "ownerless_veth"


def find(evidence: Evidence) -> t.Iterator[Finding]:
    """Each veth of the host whose peer's namespace is none that was found."""
    host = evidence.require_host()
    candidates = [
        interface
        for interface in evidence.interfaces(host)
        if interface.kind == "veth"
        and interface.link_netnsid is not None
        and evidence.peer(host, interface.ifindex) is None
    ]
    if not candidates:
        return
    evidence.require_all_processes()
    if evidence.details.peer_problems or any(
        not evidence.is_complete(record) for record in evidence.records.values()
    ):
        raise Unknown("peers", "some namespaces could not be read")
    if not evidence.probes.sees_all_processes():
        # Their owners may be processes that /proc does not show here.
        raise Unknown(
            "processes", "this is not the PID namespace of the machine: run on the host itself"
        )
    sockets_problem = evidence.sources.discovered.sockets_problem
    if sockets_problem is not None:
        raise Unknown(
            "sockets",
            f"one of them may keep the namespace of {candidates[0].name}: {sockets_problem}",
        )
    for interface in candidates:
        name = interface.name
        yield Finding(
            NAME,
            NOTE,
            Subject(interface=name),
            message=f"the other end of {name} is in a namespace that nothing on this host leads to",
            evidence=(
                f"rtnetlink: {name} has its peer in the namespace with nsid {interface.link_netnsid}",
                "/proc and the mount tables: no process, descriptor, socket or mount leads to that namespace",
            ),
            remedy=f"if the container is gone, delete it: `ip link delete {name}`, or `repair: [{NAME}]`",
            repair=Repair(
                "interfaces", f"{name}\n", "", (host.references.netns_ref(host.netns), interface)
            ),
            identity=(interface.ifindex, interface.mac),
        )


def _repair(repair: Repair, context: Context) -> None:
    context.delete_interface(*repair.target)


CHECK = Check(NAME, find, repair=_repair)
