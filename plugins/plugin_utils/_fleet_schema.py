# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins!

"""The facts of one host or of many hosts: finds them in the input of the filters, and checks their format."""

from __future__ import annotations

import typing as t

Facts = t.Mapping[str, t.Any]
FactsByHost = t.Dict[str, t.Optional[Facts]]

_Format = t.Union[t.Tuple[type, ...], t.List[t.Any], t.Dict[str, t.Any]]
_TEXT: _Format = (str,)
_NUMBER: _Format = (int,)
_PEER: _Format = {"inode!": _NUMBER, "interface!": (str, int), "index": _NUMBER, "master": _TEXT}
_PROCESSES: _Format = [{"pid!": _NUMBER, "command!": _TEXT}]
# The types that the filters rely on. A list has items of one format. The values of a dict may be null
# or missing, except for keys that end with "!". Managed hosts and caches of facts are not trusted.
_FORMAT: _Format = {
    "namespaces!": [
        {
            "inode!": _NUMBER,
            "is_host": (bool,),
            "kind": _TEXT,
            "engine": _TEXT,
            "stale": (bool,),
            "names": [_TEXT],
            "pins": [_TEXT],
            "containers": [
                {
                    "name!": _TEXT,
                    "id": _TEXT,
                    "image": _TEXT,
                    "pid": _NUMBER,
                    "labels": (dict,),
                }
            ],
            "pod": {"namespace": _TEXT, "name!": _TEXT, "uid": _TEXT},
            "network": {"id": _TEXT, "name": _TEXT},
            "machine": _TEXT,
            "unit": _TEXT,
            "user": _TEXT,
            "processes": {"first": _PROCESSES},
            "interfaces": [
                {
                    "name!": _TEXT,
                    "index!": _NUMBER,
                    "addresses": [_TEXT],
                    "mac": _TEXT,
                    "physical": (bool,),
                    "peer": _PEER,
                }
            ],
        }
    ],
    "incomplete": [{"source!": _TEXT, "reason!": _TEXT}],
    "netns_dir": _TEXT,
}
_WRONG_FORMAT = "the facts do not have the format that linuxnet.netns.netns_facts returns"
_INVALID_FACTS: Facts = {
    "namespaces": [],
    "incomplete": [{"source": "facts", "reason": _WRONG_FORMAT}],
}


class FleetError(ValueError):
    """The input of a filter cannot be used."""


def facts_by_host(data: t.Any) -> FactsByHost:
    """The facts of each host, None for a host without facts. Raises FleetError.

    `data` is what C(netns_facts) returns for one host, whose name then is "", or a dict of hosts with
    these facts or with their variables, as hostvars is. Where one of several hosts has facts in
    another format, they are replaced by facts without namespaces whose `incomplete` reports that.
    """
    if not isinstance(data, t.Mapping):
        raise FleetError(
            "the input contains no facts of network namespaces: give the facts of one host, or a "
            "dictionary of the facts by host"
        )
    if "namespaces" in data:
        facts = _facts_in(data)
        if facts is _INVALID_FACTS:
            raise FleetError(_WRONG_FORMAT)
        return {"": facts}
    return {str(host): _facts_in(variables) for host, variables in data.items()}


def _facts_in(variables: t.Any) -> Facts | None:
    for key in ("ansible_facts", "netns"):
        if isinstance(variables, t.Mapping) and key in variables:
            variables = variables[key]
    if not isinstance(variables, t.Mapping) or "namespaces" not in variables:
        return None
    return variables if _has_format(variables, _FORMAT) else _INVALID_FACTS


def _has_format(value: t.Any, expected: _Format) -> bool:
    if isinstance(expected, dict):
        return isinstance(value, t.Mapping) and all(
            not key.endswith("!")
            if value.get(key.rstrip("!")) is None
            else _has_format(value[key.rstrip("!")], inner)
            for key, inner in expected.items()
        )
    if isinstance(expected, list):
        return isinstance(value, (list, tuple)) and all(
            _has_format(item, expected[0]) for item in value
        )
    # isinstance(True, int) is true: a bool is only accepted where bool is expected.
    return isinstance(value, expected) and (not isinstance(value, bool) or bool in expected)
