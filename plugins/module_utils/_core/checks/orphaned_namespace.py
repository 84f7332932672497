# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Namespaces that an engine's own pin keeps, and that no container or pod of it is in.

The engine was killed or crashed while it removed the container. The namespace stays, with its interfaces and addresses,
and with the address that CNI has reserved for it: a network can run out of addresses by that.

Repair: unmount and remove the pins. It is not CNI's DEL, so the address stays reserved: the finding names the file.
"""

from __future__ import annotations

import os
import typing as t

from .. import model
from ..facts.records import NamespaceRecord, as_utf_8
from ..links import netns_dir
from .finding import WARNING, Check, Finding, Repair, Subject
from .repair import Context

if t.TYPE_CHECKING:
    from .evidence import Evidence

NAME = "orphaned_namespace"


def find(evidence: Evidence) -> t.Iterator[Finding]:
    """Each namespace whose pins by engines are known to be left over."""
    for record in evidence.records.values():
        if evidence.classifier.stale(record) is not False:
            pins = [
                pin
                for pin in sorted(record.references.pins)
                if evidence.classifier.pin_is_left_over(pin)
            ]
            if pins and all(map(evidence.is_old, pins)):
                # The namespace may have processes, for all that is known otherwise.
                evidence.require_all_processes()
                yield _finding(evidence, record, pins)


def _finding(evidence: Evidence, record: NamespaceRecord, pins: list[str]) -> Finding:
    paths = ", ".join(map(as_utf_8, pins))
    owner = evidence.sources.pins.owner(pins[0])
    engine = owner[0] if owner else "an engine"
    addresses = [
        address.partition("/")[0]
        for interface in evidence.interfaces(record)
        if interface.name != "lo"
        for address in evidence.addresses(record, interface.ifindex)
    ]
    reserved = evidence.probes.cni_reservations(addresses)
    return Finding(
        NAME,
        WARNING,
        Subject(record.netns.inode, evidence.names(record), as_utf_8(pins[0])),
        message=f"net:[{record.netns.inode}] is pinned at {paths} by {engine}, and belongs to none of its containers",
        evidence=(
            "/proc: no process is in the namespace",
            *(
                f"{reading.engine} on {reading.source}: read in full, and no container is in the namespace"
                for reading in evidence.sources.readings
                if reading.found and (owner is None or reading.engine == owner[0])
            ),
            *(f"{path}: the address is reserved for it" for path in reserved),
        ),
        remedy=f"`repair: [{NAME}]` unmounts and removes the pin"
        + (
            f"; the reserved address stays, until you remove {', '.join(reserved)}"
            if reserved
            else ""
        ),
        repair=Repair(
            os.path.dirname(pins[0]),
            "".join(f"{as_utf_8(pin)} net:[{record.netns.inode}]\n" for pin in pins),
            target=(record.netns, tuple(pins)),
        ),
    )


def _repair(repair: Repair, context: Context) -> None:
    netns, pins = repair.target
    for pin in pins:
        directory, name = os.path.split(pin)
        states, _directory = netns_dir.read(directory, {}, {name})
        state = states.get(name, netns_dir.VACANT)
        if state.netns != netns or len(state.layers) != 1 or state.covered:
            raise model.NetnsError(
                "another program replaced the entry at this path meanwhile: run again"
            )
        context.clear(directory, name, state)


CHECK = Check(NAME, find, repair=_repair)
