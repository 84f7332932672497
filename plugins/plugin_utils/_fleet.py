# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the facts of many hosts say, in the words of those who ask. Pure, and runs on the controller."""

from __future__ import annotations

import csv
import io
import ipaddress
import os
import re
import typing as t

from ..module_utils._core.names import printable

Facts = t.Mapping[str, t.Any]
Fleet = t.Dict[str, t.Optional[Facts]]

# What every namespace has, and nobody looks for.
_EVERYWHERE = ("127.", "::1/", "fe80:")
# A cell that is longer pushes only its own line apart.
_WIDEST = 40
_FORMULA = re.compile(r"(^|;)(?=\s*[=+\-@\uff1d\uff0b\uff0d\uff20])")
_HEADINGS = {
    "host": "HOST",
    "inode": "INODE",
    "kind": "KIND",
    "engine": "ENGINE",
    "stale": "STALE",
    "names": "NAMES",
    "owner": "OWNER",
    "addresses": "ADDRESSES",
    "host_side": "HOST SIDE",
}
_LOST = "holds {}, which the host has lost"


_Shape = t.Union[t.Tuple[type, ...], t.List[t.Any], t.Dict[str, t.Any]]
_TEXT: _Shape = (str,)
_NUMBER: _Shape = (int,)
_PEER: _Shape = {"inode!": _NUMBER, "interface!": (str, int), "index": _NUMBER, "master": _TEXT}
_PROCESSES: _Shape = [{"pid!": _NUMBER, "command!": _TEXT}]
# What the code below takes for granted: types, lists of one shape, and dicts, of which every value but
# one with a "!" may be null or missing. The hosts are others', and so is a cache of facts.
_SHAPE: _Shape = {
    "namespaces!": [
        {
            "inode!": _NUMBER,
            "is_host": (bool,),
            "kind": _TEXT,
            "engine": _TEXT,
            "stale": (bool,),
            "names": [_TEXT],
            "pins": [_TEXT],
            "containers": [{"name!": _TEXT, "id": _TEXT}],
            "pod": {"namespace": _TEXT, "name!": _TEXT, "uid": _TEXT},
            "network": {"id": _TEXT, "name": _TEXT},
            "unit": _TEXT,
            "user": _TEXT,
            "processes": {"first": _PROCESSES},
            "interfaces": [
                {
                    "name!": _TEXT,
                    "index!": _NUMBER,
                    "addresses": [_TEXT],
                    "physical": (bool,),
                    "peer": _PEER,
                }
            ],
        }
    ],
    "incomplete": [{"source!": _TEXT, "reason!": _TEXT}],
}
_NOT_FACTS = "not the facts that linuxnet.netns.netns_facts gives"
_UNFIT: Facts = {
    "namespaces": [],
    "incomplete": [{"source": "facts", "reason": f"the host gave what is {_NOT_FACTS}"}],
}


class FleetError(ValueError):
    """What was given are no facts."""


def hosts(data: t.Any) -> Fleet:
    """The facts by host, None for a host without; what is none says so as facts that are incomplete.

    `data` is what C(netns_facts) gives for one host, which then is called "", or hosts with that, or
    with their variables, as in hostvars.
    """
    if not isinstance(data, t.Mapping):
        raise FleetError("these are no facts of network namespaces, nor hosts with such")
    if "namespaces" in data:
        found = _facts(data)
        if found is _UNFIT:
            raise FleetError(f"these are {_NOT_FACTS}")
        return {"": found}
    return {str(host): _facts(found) for host, found in data.items()}


def _facts(data: t.Any) -> Facts | None:
    for key in ("ansible_facts", "netns"):
        if isinstance(data, t.Mapping) and key in data:
            data = data[key]
    if not isinstance(data, t.Mapping) or "namespaces" not in data:
        return None
    return data if _fits(data, _SHAPE) else _UNFIT


def _fits(value: t.Any, shape: _Shape) -> bool:
    if isinstance(shape, dict):
        return isinstance(value, t.Mapping) and all(
            not name.endswith("!")
            if value.get(name.rstrip("!")) is None
            else _fits(value[name.rstrip("!")], inner)
            for name, inner in shape.items()
        )
    if isinstance(shape, list):
        return isinstance(value, (list, tuple)) and all(_fits(one, shape[0]) for one in value)
    # A bool is an int to Python alone.
    return isinstance(value, shape) and (not isinstance(value, bool) or bool in shape)


def rows(data: t.Any) -> list[dict[str, t.Any]]:
    """One row for each namespace of each host."""
    return [
        {
            "host": host,
            "inode": namespace["inode"],
            "kind": namespace.get("kind"),
            "engine": namespace.get("engine"),
            "stale": namespace.get("stale"),
            "names": list(namespace.get("names") or []),
            "owner": owner(namespace),
            "addresses": addresses(namespace),
            "host_side": [_end(peer) for peer in _peers(namespace)],
        }
        for host, facts in hosts(data).items()
        if facts
        for namespace in facts["namespaces"]
    ]


def problems(data: t.Any) -> list[tuple[str, str]]:
    """What is not known, or is lost, by host."""
    found = []
    for host, facts in hosts(data).items():
        if facts is None:
            found.append((host, "no facts"))
            continue
        for one in facts.get("incomplete") or []:
            found.append((host, f"incomplete: {one['source']}: {one['reason']}"))
        for namespace in facts["namespaces"]:
            lost = _lost(namespace)
            if lost:
                found.append((host, f"{_called(namespace)} is stale and {lost}"))
    return found


def table(data: t.Any) -> list[str]:
    """The lines of a table of all hosts, and below it what is not known."""
    columns = list(_HEADINGS)
    if set(hosts(data)) == {""}:
        columns.remove("host")
    cells = [[_HEADINGS[column] for column in columns]]
    cells += [[_cell(row[column], ", ") for column in columns] for row in _plain_rows(data)]
    widths = [max(len(cell) for cell in column if len(cell) <= _WIDEST) for column in zip(*cells)]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in cells
    ]
    return lines + [
        printable(": ".join(filter(None, [host, problem]))) for host, problem in problems(data)
    ]


def comma_separated(data: t.Any) -> str:
    """The same as CSV, with a line of its own for each problem."""
    columns = [*_HEADINGS, "problem"]
    lines: list[dict[str, t.Any]] = list(_plain_rows(data))
    lines += [{"host": host, "problem": problem} for host, problem in problems(data)]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for line in lines:
        writer.writerow([_harmless(_cell(line.get(column, ""), " ")) for column in columns])
    return text.getvalue()


def _plain_rows(data: t.Any) -> t.Iterator[dict[str, t.Any]]:
    for row in rows(data):
        unknown = row["stale"] is None
        yield {
            **row,
            "kind": row["kind"] or "?",
            "stale": "?" if unknown else "yes" if row["stale"] else "",
        }


def _cell(value: t.Any, separator: str) -> str:
    if value is None:
        return ""
    return printable(separator.join(value) if isinstance(value, list) else str(value))


def _harmless(text: str) -> str:
    # A spreadsheet takes it for a formula, which can reach out from it. To some a semicolon begins
    # another cell.
    return _FORMULA.sub(r"\1'", text)


def owner(namespace: Facts) -> str:
    """Whose it is, in a few words; empty where nobody is known."""
    containers = ", ".join(one["name"] for one in namespace.get("containers") or [])
    pod, network = namespace.get("pod"), namespace.get("network")
    found = containers or namespace.get("unit") or ""
    if pod:
        found = ": ".join(filter(None, [_pod(pod), containers]))
    elif not found and network:
        found = f"network {network['name'] or network['id']}"
    user = namespace.get("user")
    return " ".join(filter(None, [found, f"of {user}" if user else ""]))


def addresses(namespace: Facts) -> list[str]:
    """The addresses by which it is reached from elsewhere."""
    return [
        address
        for interface in namespace.get("interfaces") or []
        for address in interface.get("addresses") or []
        if not address.startswith(_EVERYWHERE)
    ]


def _pod(pod: Facts) -> str:
    return "/".join(filter(None, [pod.get("namespace"), pod["name"]]))


def _peers(namespace: Facts) -> list[Facts]:
    """Where its interfaces lead out of it."""
    if namespace.get("is_host"):
        return []
    return [
        interface["peer"]
        for interface in namespace.get("interfaces") or []
        if interface.get("peer") and interface["peer"]["inode"] != namespace["inode"]
    ]


def _end(peer: Facts) -> str:
    return (
        f"{peer['interface']} ({peer['master']})" if peer.get("master") else str(peer["interface"])
    )


def _lost(namespace: Facts) -> str | None:
    """The physical interfaces that only a leftover namespace has."""
    if not namespace.get("stale"):
        return None
    found = [one["name"] for one in namespace.get("interfaces") or [] if one.get("physical")]
    return _LOST.format(", ".join(found)) if found else None


def _called(namespace: Facts) -> str:
    names = namespace.get("names")
    return f"namespace {names[0]}" if names else f"net:[{namespace['inode']}]"


class _Match(t.NamedTuple):
    """`interface` is the one of the namespace that carries what was asked for, or that it leads to."""

    host: str
    by: str
    value: str
    namespace: Facts
    interface: Facts | None = None
    leads: bool = False
    exact: bool = True


def find(data: t.Any, question: t.Any) -> list[dict[str, t.Any]]:
    """The namespaces that an address, a name, an id, an interface or an inode belongs or leads to.

    What is meant exactly comes before what an id begins with. An interface of the host leads to the
    namespace of its peer.
    """
    asked = str(question).strip()
    if not asked:
        raise FleetError(
            "nothing is asked for: give an address, a name, an id, an interface or an inode"
        )
    found = [
        match
        for host, facts in hosts(data).items()
        if facts
        for match in _matches(host, facts["namespaces"], asked)
    ]
    chosen = [match for match in found if match.exact] or found
    return [
        {
            "host": match.host,
            "by": match.by,
            "value": match.value,
            "namespace": match.namespace,
            "interface": match.interface,
            "answer": _answer(match),
        }
        for match in chosen
    ]


def _matches(host: str, namespaces: t.Sequence[Facts], asked: str) -> t.Iterator[_Match]:
    network = _network(asked)
    for namespace in namespaces:
        for interface in namespace.get("interfaces") or []:
            for address in interface.get("addresses") or []:
                if network and _is_in(address, network):
                    yield _Match(host, "address", address, namespace, interface)
        match = _by_identity(host, namespace, asked)
        if match:
            yield match
    yield from _by_interface(host, namespaces, asked.partition("@")[0])


def _network(asked: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    # An address is one whatever its prefix; a network is asked for with no bit below the prefix.
    try:
        return ipaddress.ip_network(asked)
    except ValueError:
        pass
    try:
        return ipaddress.ip_network(ipaddress.ip_interface(asked).ip)
    except ValueError:
        return None


def _is_in(address: str, network: ipaddress.IPv4Network | ipaddress.IPv6Network) -> bool:
    try:
        return ipaddress.ip_interface(address).ip in network
    except ValueError:  # it is for its host to know what that is
        return False


def _by_identity(host: str, namespace: Facts, asked: str) -> _Match | None:
    if asked in (str(namespace["inode"]), f"net:[{namespace['inode']}]"):
        return _Match(host, "inode", asked, namespace)
    if asked in (namespace.get("names") or []):
        return _Match(host, "name", asked, namespace)
    for pin in namespace.get("pins") or []:
        if asked in (pin, os.path.basename(pin)):
            return _Match(host, "pin", pin, namespace)
    pod = namespace.get("pod")
    if pod and asked in (pod["name"], _pod(pod), _pod(pod).replace("/", "_"), pod.get("uid")):
        return _Match(host, "pod", _pod(pod), namespace)
    containers = namespace.get("containers") or []
    for container in containers:
        if asked in (container["name"], container.get("id")):
            return _Match(host, "container", container["name"], namespace)
    for container in containers:
        if (container.get("id") or "").startswith(asked):
            return _Match(host, "container", container["name"], namespace, exact=False)
    return None


def _by_interface(host: str, namespaces: t.Sequence[Facts], asked: str) -> t.Iterator[_Match]:
    by_inode = {namespace["inode"]: namespace for namespace in namespaces}
    told = set()
    for namespace in namespaces:
        for interface in namespace.get("interfaces") or []:
            peer = interface.get("peer") or {}
            match = None
            if interface["name"] == asked and not namespace.get("is_host"):
                match = _Match(host, "interface", asked, namespace, interface)
            elif interface["name"] == asked:
                far = by_inode.get(peer.get("inode"), namespace)
                end = _interface(far, peer.get("index")) if peer else None
                leads = bool(end) and far is not namespace
                match = _Match(
                    host,
                    "interface",
                    asked,
                    far if leads else namespace,
                    end if leads else interface,
                    leads,
                )
            elif peer.get("interface") == asked and not namespace.get("is_host"):
                # The host itself may not be among them.
                near = by_inode.get(peer["inode"])
                if near is None or near.get("is_host"):
                    match = _Match(host, "interface", asked, namespace, interface, True)
            if match and match.interface:
                key = (match.namespace["inode"], match.interface["index"])
                if key not in told:
                    told.add(key)
                    yield match


def _interface(namespace: Facts, index: int | None) -> Facts | None:
    return next((one for one in namespace.get("interfaces") or [] if one["index"] == index), None)


def _answer(match: _Match) -> str:
    namespace, interface = match.namespace, match.interface
    whose = _whose(namespace)
    where = f" on {match.host}" if match.host else ""
    told = []
    if interface:
        shown = [one for one in interface.get("addresses") or [] if not one.startswith("fe80:")]
        peers = (
            [interface["peer"]] if interface.get("peer") and not namespace.get("is_host") else []
        )
    else:
        shown, peers = addresses(namespace), _peers(namespace)
    if match.by == "address":
        start = f"{match.value} is an address of {_name(interface)} of {whose}{where}"
    elif match.leads and interface:
        peer = interface.get("peer") or {}
        port = f", in {peer['master']}," if peer.get("master") else ""
        start = f"{match.value}{where}{port} leads to {_name(interface)} of {whose}"
        peers, told = [], shown
    elif match.by == "interface":
        start = f"{match.value} is an interface of {whose}{where}"
        told = shown
    elif match.by in ("container", "pod"):
        several = len(namespace.get("containers") or []) > 1
        relation = "is in" if namespace.get("pod") else "is one of" if several else "is"
        start = f"{match.value} {'is' if match.by == 'pod' else relation} {whose}{where}"
        told = shown
    else:
        known = whose.startswith(_called(namespace))
        start = f"{match.value} is {'a namespace' if known else f'the namespace of {whose}'}{where}"
        told = shown
    told += [f"behind {_end(peer)}" for peer in peers]
    names = [name for name in namespace.get("names") or [] if name != match.value]
    if names:
        told.append(f"ip netns knows it as {', '.join(names)}")
    lost = _lost(namespace)
    if namespace.get("stale"):
        told.append("it is stale")
    if lost:
        told.append(f"it {lost}")
    return printable(f"{start}: {', '.join(told)}." if told else f"{start}.")


def _name(interface: Facts | None) -> str:
    return str(interface["name"]) if interface else "?"


def _whose(namespace: Facts) -> str:
    """As `owner`, as part of a sentence."""
    engine = namespace.get("engine")
    by = f" ({engine})" if engine else ""
    if namespace.get("is_host"):
        return "the host itself"
    pod, found = namespace.get("pod"), owner(namespace)
    if pod:
        return f"pod {found.replace(': ', ' with ', 1)}{by}"
    if namespace.get("containers"):
        several = "s" if len(namespace["containers"]) > 1 else ""
        return f"container{several} {found}{by}"
    if found:
        return f"{found}{by}"
    processes = (namespace.get("processes") or {}).get("first")
    if processes:
        return f"process {processes[0]['pid']} ({processes[0]['command']})"
    return f"{_called(namespace)}{by}"
