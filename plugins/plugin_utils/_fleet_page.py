# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins!

"""The data of the HTML page: what it shows of the facts, as columns. `playbooks/files/page/fleet.js` reads them."""

from __future__ import annotations

import json
import typing as t

from ._fleet_columns import List, Record, Records, Scalar, Scalars, Table
from ._fleet_schema import INVALID_FACTS, WRONG_TYPE, Facts, FactsByHost, unchecked_facts_by_host

# Characters that begin markup. They only occur in the texts of JSON, which can contain any character as a number.
_MARKUP = {character: f"\\u{ord(character):04x}" for character in "<>&"}


def data(fleet: t.Any, findings: t.Iterable[t.Any] = ()) -> str:
    """The facts of each host, and the rows of C(netns_findings) about it, as JSON that contains no markup.

    A host with findings and without facts has the findings alone: its C(namespaces) are null.
    """
    found: dict[str, list[t.Any]] = {}
    for finding in findings:
        # A row can be about several hosts.
        for host in finding["host"].split(", "):
            found.setdefault(host, []).append(finding)
    by_host = unchecked_facts_by_host(fleet)
    for host, facts in by_host.items():
        if host in found:
            by_host[host] = {**(facts or {}), "findings": found[host]}
    try:
        shown = _columns(by_host)
    except WRONG_TYPE:
        shown = _columns({host: _checked(facts) for host, facts in by_host.items()})
    text = json.dumps(shown, separators=(",", ":"))
    for character, escaped in _MARKUP.items():
        text = text.replace(character, escaped)
    return text


def _checked(facts: Facts | None) -> Facts | None:
    """The facts of a host, replaced where they have another format than the page shows; its findings stay."""
    findings = {"findings": facts.get("findings")} if facts else {}
    for shown in (facts, {**INVALID_FACTS, **findings}):
        try:
            _columns({"": shown})
        except WRONG_TYPE:
            continue
        return shown
    return INVALID_FACTS


def _columns(fleet: FactsByHost) -> dict[str, t.Any]:
    peer = _Peer()
    shape = Table(
        engines=Records(name=_text(), version=_text()),
        incomplete=Records(source=_text(), reason=_text()),
        namespaces=List(_namespace(peer)),
        forwards=_forwards(),
        findings=List(_finding()),
    )
    keys = []
    for facts in fleet.values():
        if facts and "namespaces" in facts:
            peer.use(facts["namespaces"])
        keys.append(shape.key(facts) if facts else None)
    return {"hosts": list(fleet), "facts": shape.column(keys)}


class _Peer(Table):
    """The peer of an interface, as `inode` the position of its namespace in the facts of the host.

    A namespace that is not there is -1 - INODE. The names of the others are those of that namespace.
    """

    def __init__(self) -> None:
        super().__init__(inode=_number(), interface=_text(), master=_text(), names=_texts())
        self._positions: dict[int, int] = {}
        self._names: list[t.Any] = []
        self._names_key = self._fields["names"].key

    def use(self, namespaces: t.Any) -> None:
        """Refer to these namespaces from now on."""
        self._positions = {each["inode"]: place for place, each in enumerate(namespaces)}
        self._names = [each.get("names") for each in namespaces]

    def key(self, value: t.Any) -> int:
        inode, names = value["inode"], value.get("names")
        position = self._positions.get(inode)
        if position is not None and self._names[position] == names:
            names = None
        return self.number(
            (
                -1 - inode if position is None else position,
                value["interface"],
                value.get("master"),
                None if names is None else self._names_key(names),
            )
        )


class _Labels(Records):
    """A dict with any keys, as a list of its items."""

    def __init__(self) -> None:
        super().__init__(key=_text(), value=_text())

    def key(self, value: t.Any) -> t.Any:
        return tuple([(str(key), str(item)) for key, item in value.items()])


def _text() -> Scalar:
    return Scalar(str)


def _texts() -> Scalars:
    return Scalars(Scalar(str))


def _number() -> Scalar:
    return Scalar(int)


def _flag() -> Scalar:
    return Scalar(bool)


def _namespace(peer: _Peer) -> Table:
    return Table(
        inode=_number(),
        is_host=_flag(),
        kind=_text(),
        stale=_flag(),
        engine=_text(),
        machine=_text(),
        unit=_text(),
        user=_text(),
        nsid=_number(),
        names=_texts(),
        pins=_texts(),
        pod=Record(namespace=_text(), name=_text(), uid=_text()),
        network=Record(id=_text(), name=_text()),
        containers=List(
            Table(name=_text(), id=_text(), image=_text(), pid=_number(), labels=_Labels())
        ),
        interfaces=List(
            Table(
                name=_text(),
                kind=_text(),
                state=_text(),
                mtu=_number(),
                master=_text(),
                mac=_text(),
                physical=_flag(),
                altnames=_texts(),
                addresses=_texts(),
                peer=peer,
            )
        ),
        routes=Records(
            dst=_text(), type=_text(), gateway=_text(), interface=_text(), metric=_number()
        ),
        dns=Table(nameservers=_texts(), search=_texts(), options=_texts()),
        listeners=List(
            Table(
                protocol=_text(),
                address=_text(),
                port=_number(),
                processes=Records(pid=_number(), name=_text(), container=_text()),
            )
        ),
        processes=Table(count=_number(), first=_processes(), holders=_processes()),
    )


def _processes() -> List:
    return Records(pid=_number(), command=_text())


def _forwards() -> Records:
    return Records(
        protocol=_text(),
        address=_text(),
        port=_number(),
        to_address=_text(),
        to_port=_number(),
        inode=_number(),
        container=_text(),
        by=_text(),
        listening=_flag(),
    )


def _finding() -> Table:
    return Table(
        check=_text(),
        severity=_text(),
        message=_text(),
        remedy=_text(),
        subject=Table(inode=_number(), interface=_text(), names=_texts()),
    )
