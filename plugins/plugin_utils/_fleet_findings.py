# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins!

"""The findings of many hosts as rows, lines and CSV, and the addresses that several hosts have."""

from __future__ import annotations

import typing as t

from ..module_utils._core.texts import printable
from . import _fleet_lines, _fleet_schema, _fleet_text
from ._fleet_schema import Facts, FleetError, is_finding, is_gap

_HEADINGS = ("HOST", "SEVERITY", "CHECK", "REPAIRED", "MESSAGE", "REMEDY")
_DUPLICATE = "duplicate_address"
_NOTHING = "Nothing was found."
_NO_RESULT = "there is no result of this host"
_WRONG_FORMAT = "the result does not have the format that linuxnet.netns.netns_doctor returns"
# Interfaces that are in the network of the interface beneath them.
_ON_NETWORK = ("macvlan", "macvtap", "ipvlan", "ipvtap")
_NOT_UNIQUE = ("127.", "169.254.", "224.", "::1", "fe80:", "ff")
_KEYS = ["check", "severity", "message", "remedy", "evidence", "repairable", "repaired", "subject"]


def rows(data: t.Any, facts: t.Any = None) -> list[dict[str, t.Any]]:
    """A row for each finding of each host, and one for each address that several hosts have."""
    results = _results(data)
    found = [
        {"host": host, **{key: finding[key] for key in _KEYS}}
        for host, result in results.items()
        for finding in (result or {}).get("findings", ())
    ]
    return found + (_duplicates(_fleet_schema.facts_by_host(facts)) if facts else [])


def table(data: t.Any, facts: t.Any = None) -> list[str]:
    """The lines of a table, with a line for each problem of a host after them."""
    found = rows(data, facts)
    lines = [_HEADINGS[:-1], *(_cells(row)[:-1] for row in found)]
    shown = _fleet_lines.columns(lines) if found else [_NOTHING]
    return [*shown, *_fleet_lines.of_problems(_problems(_results(data)))]


def comma_separated(data: t.Any, facts: t.Any = None) -> str:
    """The same as CSV, with the remedies."""
    headings = [heading.lower() for heading in _HEADINGS]
    cells = map(_cells, rows(data, facts))
    return _fleet_lines.comma_separated(headings, cells, _problems(_results(data)))


def _cells(row: t.Mapping[str, t.Any]) -> list[str]:
    repaired = "yes" if row["repaired"] else "can be" if row["repairable"] else ""
    cells = (row["host"], row["severity"], row["check"], repaired, row["message"], row["remedy"])
    return [printable(cell) for cell in cells]


def _results(data: t.Any) -> dict[str, dict[str, t.Any] | None]:
    """The result of each host, None where it has none. Raises FleetError."""
    if not isinstance(data, t.Mapping):
        raise FleetError("the input is not a dictionary of the results of netns_doctor by host")
    if "findings" in data:
        data = {"": data}
    return {str(host): _checked(result) for host, result in data.items()}


def _checked(result: t.Any) -> dict[str, t.Any] | None:
    """A result with findings and gaps that have the right format; what a host returns is not trusted."""
    if not isinstance(result, t.Mapping) or "findings" not in result:
        return None
    findings, gaps = result["findings"], result.get("incomplete") or []
    if not isinstance(findings, (list, tuple)) or not isinstance(gaps, (list, tuple)):
        return {"findings": [], "incomplete": [{"source": "doctor", "reason": _WRONG_FORMAT}]}
    valid = list(filter(is_finding, findings))
    problems = list(filter(is_gap, gaps))
    if len(valid) < len(findings) or len(problems) < len(gaps):
        problems.append({"source": "doctor", "reason": _WRONG_FORMAT})
    return {"findings": valid, "incomplete": problems}


def _problems(results: t.Mapping[str, dict[str, t.Any] | None]) -> t.Iterator[tuple[str, str]]:
    for host, result in results.items():
        if result is None:
            yield host, _NO_RESULT
        for gap in result["incomplete"] if result else ():
            yield host, f"incomplete: {gap['source']}: {gap['reason']}"


class _Holder(t.NamedTuple):
    """An interface on a network outside its host."""

    host: str
    machine: tuple[str, ...]
    text: str


def _duplicates(fleet: t.Mapping[str, Facts | None]) -> list[dict[str, t.Any]]:
    """Addresses and MACs that interfaces on networks outside of their hosts have on several hosts.

    Networks within a host, such as Docker's bridges, have the same addresses on each host.
    """
    holders: dict[str, list[_Holder]] = {}
    for host, facts in fleet.items():
        namespaces = facts["namespaces"] if facts else []
        hosts = [each for each in namespaces if each.get("is_host")]
        machine = tuple(
            sorted(
                f"{each.get('mac')} {' '.join(each.get('addresses') or ())}"
                for namespace in hosts
                for each in namespace.get("interfaces") or ()
                if each.get("physical")
            )
        )
        uplinked = {
            each.get("master")
            for namespace in hosts
            for each in namespace.get("interfaces") or ()
            if each.get("physical") and isinstance(each.get("master"), str)
        }
        for namespace in namespaces:
            for interface in namespace.get("interfaces") or ():
                if _is_outside(interface, namespace, uplinked):
                    is_host = namespace.get("is_host")
                    owner = "the host" if is_host else _fleet_text.owner_phrase(namespace)
                    holder = _Holder(host, machine, f"{interface['name']} of {owner} on {host}")
                    for item in {*_addresses(interface), interface.get("mac") or ""} - {""}:
                        holders.setdefault(item, []).append(holder)
    return [_duplicate(item, each) for item, each in sorted(holders.items()) if _on_several(each)]


def _is_outside(interface: Facts, namespace: Facts, uplinked: t.Container[t.Any]) -> bool:
    peer = interface.get("peer") or {}
    return bool(
        interface.get("physical")
        or interface.get("kind") in _ON_NETWORK
        or (namespace.get("is_host") and interface["name"] in uplinked)
        or (not namespace.get("is_host") and peer.get("master") in uplinked and peer.get("master"))
    )


def _addresses(interface: Facts) -> t.Iterator[str]:
    for address in interface.get("addresses") or ():
        if not address.startswith(_NOT_UNIQUE):
            yield address.partition("/")[0]


def _on_several(holders: t.Sequence[_Holder]) -> bool:
    """Whether hosts that are not the same machine under two names have it."""
    return len({holder.machine or holder.host for holder in holders}) > 1


def _duplicate(item: str, holders: t.Sequence[_Holder]) -> dict[str, t.Any]:
    texts = [holder.text for holder in holders]
    return {
        "host": ", ".join(dict.fromkeys(holder.host for holder in holders)),
        "check": _DUPLICATE,
        "severity": "error",
        "message": f"{item} is used on several hosts: by {' and '.join(texts)}",
        "remedy": "give one of them another address, if they are in the same network",
        "evidence": texts,
        "repairable": False,
        "repaired": False,
        "subject": {"inode": None, "names": [], "path": None, "interface": None, "containers": []},
    }
