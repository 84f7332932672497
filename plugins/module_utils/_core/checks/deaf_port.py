# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Published ports of running containers behind which nothing listens.

The connection is accepted and reset, or refused: the program in the container has not started, listens on 127.0.0.1 of
the container, or listens on another port than the one that is published.
"""

from __future__ import annotations

import typing as t

from ..facts import forwards
from ..facts.records import as_utf_8
from ..texts import describe
from .finding import NOTE, Check, Finding, Subject

if t.TYPE_CHECKING:
    from .evidence import Evidence

NAME = "deaf_port"


def find(evidence: Evidence) -> t.Iterator[Finding]:
    """Each published port of a container that has run for `min_age`, if all sockets in its namespace are known."""
    for port, by, container in evidence.sources.forwards or ():
        netns = evidence.sources.container_netns.get(container.key) if container else None
        record = evidence.records.get(netns) if netns else None
        if container is None or record is None or evidence.classifier.is_host(record):
            continue
        # The sockets of a network stack of its own are not among those of the kernel.
        if record.netns in evidence.details.netstacks:
            continue
        if forwards.is_listening(port, evidence.view(record)) is not False:
            continue
        if not evidence.is_old_process(container.pid):
            continue
        yield Finding(
            NAME,
            NOTE,
            Subject(
                record.netns.inode,
                evidence.names(record),
                containers=(as_utf_8(container.name),),
            ),
            message=f"{port.port}/{port.protocol} of the host is published to {describe(container)}, where nothing "
            f"listens on port {port.to_port}",
            evidence=(
                f"{by}: {port.address} {port.port}/{port.protocol} leads to port {port.to_port} of it",
                f"net:[{record.netns.inode}]: no {port.protocol} socket listens there",
            ),
            remedy="see in the container's log whether its program runs, and let it listen on 0.0.0.0; or publish the "
            "port that it uses, or none",
            identity=(port,),
        )


CHECK = Check(NAME, find)
