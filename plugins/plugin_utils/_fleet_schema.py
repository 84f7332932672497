# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins!

"""The facts of one host or of many hosts: finds them in the input of the filters, and checks their format.

Also checks the format of findings.
"""

from __future__ import annotations

import functools
import typing as t

from ..module_utils._core.checks import finding

Facts = t.Mapping[str, t.Any]
FactsByHost = t.Dict[str, t.Optional[Facts]]

_Check = t.Callable[[t.Any], bool]
# What a value of another type than the format has leads to.
WRONG_TYPE = (TypeError, KeyError, AttributeError, ValueError)


def _type(expected: type) -> _Check:
    def check_type(value: t.Any) -> bool:
        # isinstance(True, int) is true: a bool is only accepted where bool is expected.
        return isinstance(value, expected) and (not isinstance(value, bool) or expected is bool)

    return check_type


def _list(check: _Check) -> _Check:
    def check_list(value: t.Any) -> bool:
        return isinstance(value, (list, tuple)) and all(map(check, value))

    return check_list


def _texts(value: t.Any) -> bool:
    if not isinstance(value, (list, tuple)):
        return False
    for item in value:  # noqa: SIM110 - a call for each item would take most of the time
        if item.__class__ is not str and not _TEXT(item):
            return False
    return True


def _dict(checks: t.Mapping[str, _Check]) -> _Check:
    """A dict whose values may be null or missing, except for keys that end with "!"."""
    # Most values are of exactly these types. Then no call is needed, which takes most of the time.
    usual = {_TEXT: str, _NUMBER: int, _FLAG: bool}
    items = [
        (key.rstrip("!"), key.endswith("!"), usual.get(check), check)
        for key, check in checks.items()
    ]

    def check_dict(value: t.Any) -> bool:
        if not isinstance(value, dict) and not isinstance(value, t.Mapping):
            return False
        get = value.get
        for key, required, usual_type, check in items:
            item = get(key)
            if item.__class__ is usual_type:
                continue
            if required if item is None else not check(item):
                return False
        return True

    return check_dict


_TEXT, _NUMBER, _FLAG = _type(str), _type(int), _type(bool)
_PEER = _dict({"inode!": _NUMBER, "interface!": _TEXT, "index": _NUMBER, "master": _TEXT})
# The types that the filters rely on. Managed hosts and caches of facts are not trusted. What a row for each
# namespace shows comes first: it is checked alone where a fleet is listed, as checking takes half of that time.
_SHOWN_CONTAINER: dict[str, _Check] = {"name!": _TEXT}
_SHOWN_INTERFACE: dict[str, _Check] = {
    "name!": _TEXT,
    "addresses": _texts,
    "physical": _FLAG,
    "peer": _PEER,
}
_SHOWN: dict[str, _Check] = {
    "inode!": _NUMBER,
    "is_host": _FLAG,
    "kind": _TEXT,
    "engine": _TEXT,
    "stale": _FLAG,
    "names": _texts,
    "containers": _list(_dict(_SHOWN_CONTAINER)),
    "pod": _dict({"namespace": _TEXT, "name!": _TEXT, "uid": _TEXT}),
    "network": _dict({"id": _TEXT, "name": _TEXT}),
    "machine": _TEXT,
    "unit": _TEXT,
    "user": _TEXT,
    "interfaces": _list(_dict(_SHOWN_INTERFACE)),
}
_CONTAINER: dict[str, _Check] = {
    **_SHOWN_CONTAINER,
    "id": _TEXT,
    "image": _TEXT,
    "pid": _NUMBER,
    "labels": _type(dict),
}
_INTERFACE: dict[str, _Check] = {
    **_SHOWN_INTERFACE,
    "altnames": _texts,
    "index!": _NUMBER,
    "mac": _TEXT,
}
is_listener = _dict(
    {
        "protocol!": _TEXT,
        "address!": _TEXT,
        "port!": _NUMBER,
        "processes": _list(_dict({"pid!": _NUMBER, "name!": _TEXT, "container": _TEXT})),
    }
)
is_forward = _dict(
    {
        "protocol!": _TEXT,
        "address!": _TEXT,
        "port!": _NUMBER,
        "to_address": _TEXT,
        "to_port!": _NUMBER,
        "inode": _NUMBER,
        "container": _TEXT,
        "by!": _TEXT,
        "listening": _FLAG,
    }
)
is_namespace = _dict(
    {
        **_SHOWN,
        "pins": _texts,
        "containers": _list(_dict(_CONTAINER)),
        "netstack": _TEXT,
        "processes": _dict({"first": _list(_dict({"pid!": _NUMBER, "command!": _TEXT}))}),
        "interfaces": _list(_dict(_INTERFACE)),
        "listeners": _list(is_listener),
    }
)
is_gap = _dict({"source!": _TEXT, "reason!": _TEXT})
_has_format = _dict(
    {
        "namespaces!": _list(is_namespace),
        "incomplete": _list(is_gap),
        "netns_dir": _TEXT,
        "forwards": _list(is_forward),
    }
)
has_format_of_rows = _dict({"namespaces!": _list(_dict(_SHOWN)), "incomplete": _list(is_gap)})
"""Checks what a row for each namespace shows, and nothing else in the facts of a host."""
is_finding = _dict(
    {
        "check!": _TEXT,
        "severity!": finding.SEVERITIES.__contains__,
        "message!": _TEXT,
        "remedy!": _TEXT,
        "evidence!": _texts,
        "repairable!": _FLAG,
        "repaired!": _FLAG,
        "subject!": _type(dict),
    }
)
_WRONG_FORMAT = "the facts do not have the format that linuxnet.netns.netns_facts returns"
INVALID_FACTS: Facts = {
    "namespaces": [],
    "incomplete": [{"source": "facts", "reason": _WRONG_FORMAT}],
}


class FleetError(ValueError):
    """The input of a filter cannot be used."""


class Namespaces:
    """The namespaces in the facts of a host: `listed` in any format, the others only in the right one."""

    def __init__(self, facts: Facts | None) -> None:
        namespaces = facts["namespaces"] if facts else None
        listed = namespaces if isinstance(namespaces, (list, tuple)) else ()
        self.listed: t.Sequence[t.Any] = listed
        self._unchecked = iter(listed)
        self._by_inode: dict[int, Facts] = {}

    @functools.cached_property
    def of_host(self) -> Facts | None:
        """The host's own namespace."""
        for each in self.listed:
            if isinstance(each, t.Mapping) and each.get("is_host") and is_namespace(each):
                return each
        return None

    def with_inode(self, inode: int) -> Facts | None:
        """The namespace with an inode. The format of each is checked once at most."""
        if inode not in self._by_inode:
            for each in self._unchecked:
                if is_namespace(each):
                    self._by_inode.setdefault(each["inode"], each)
                    if each["inode"] == inode:
                        break
        return self._by_inode.get(inode)


def facts_by_host(data: t.Any, has_format: _Check = _has_format) -> FactsByHost:
    """The facts of each host, None for a host without facts. Raises FleetError.

    Where one of several hosts has facts in another format, they are replaced by facts without namespaces
    whose `incomplete` reports that.
    """
    by_host = unchecked_facts_by_host(data)
    return {host: checked(facts, has_format) for host, facts in by_host.items()}


def checked(facts: Facts | None, has_format: _Check = _has_format) -> Facts | None:
    """The facts of a host, replaced where they have another format."""
    return facts if facts is None or has_format(facts) else INVALID_FACTS


def unchecked_facts_by_host(data: t.Any) -> FactsByHost:
    """The facts of each host, in any format where there are several hosts. Raises FleetError.

    `data` is what C(netns_facts) returns for one host, whose name then is "", or a dict of hosts with
    these facts or with their variables, as hostvars is.
    """
    if not isinstance(data, t.Mapping):
        raise FleetError(
            "the input contains no facts of network namespaces: give the facts of one host, or a "
            "dictionary of the facts by host"
        )
    if "namespaces" in data:
        facts = _facts_in(data)
        if not _has_format(facts):
            raise FleetError(_WRONG_FORMAT)
        return {"": facts}
    return {str(host): _facts_in(variables) for host, variables in data.items()}


def _facts_in(variables: t.Any) -> Facts | None:
    for key in ("ansible_facts", "netns"):
        if isinstance(variables, t.Mapping) and key in variables:
            variables = variables[key]
    return variables if isinstance(variables, t.Mapping) and "namespaces" in variables else None
