# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Processes that pass a port of the host on to an address that no container has.

Docker starts a docker-proxy for each published port, and ends it with the container. One that stays keeps the port: the
next container that publishes it does not start, "port is already allocated".
"""

from __future__ import annotations

import typing as t

from ..facts import forwards
from .finding import WARNING, Check, Finding, Subject, Unknown

if t.TYPE_CHECKING:
    from .evidence import Evidence

NAME = "ghost_port"


def find(evidence: Evidence) -> t.Iterator[Finding]:
    """Each docker-proxy for an address that no namespace has, and for a container that no engine lists."""
    ghosts = [
        port
        for port, by, container in evidence.sources.forwards or ()
        if container is None and by == forwards.PROXY and port.to_address is not None
    ]
    if not ghosts:
        return
    evidence.require_all_engines()
    evidence.require_all_processes()
    records = evidence.records.values()
    if not all(map(evidence.is_complete, records)):
        raise Unknown("addresses", "some namespaces could not be read")
    addresses = {
        address.partition("/")[0]
        for record in records
        for interface in evidence.interfaces(record)
        for address in evidence.addresses(record, interface.ifindex)
    }
    for port in ghosts:
        if port.to_address in addresses or not evidence.is_old_proxy(port):
            continue
        if evidence.details.netstacks:
            # Such a container has its addresses in the program, and not in its namespace.
            raise Unknown("addresses", "some containers have a network stack of their own")
        yield Finding(
            NAME,
            WARNING,
            Subject(),
            message=f"{port.port}/{port.protocol} of the host leads to {port.to_address}, which no container has",
            evidence=(
                f"/proc: a docker-proxy has -host-port {port.port} and -container-ip {port.to_address}",
                f"rtnetlink: no interface in any namespace has {port.to_address}",
            ),
            remedy="end that docker-proxy, or restart Docker",
            identity=(port,),
        )


CHECK = Check(NAME, find)
