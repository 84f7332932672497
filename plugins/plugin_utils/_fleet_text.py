# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins!

"""Short texts about one namespace, for table cells and sentences: its owner, addresses and host side."""

from __future__ import annotations

from ._fleet_schema import Facts

# Every namespace has these addresses, so they identify none.
_IN_EVERY_NAMESPACE = ("127.", "::1/", "fe80:")


def owner(namespace: Facts) -> str:
    """The pod and containers, the machine, unit or network, and the user; empty if no owner is known."""
    return _with_user(_name(namespace), namespace)


def _name(namespace: Facts) -> str:
    get = namespace.get
    containers = ", ".join([container["name"] for container in get("containers") or ()])
    pod = get("pod")
    if pod:
        return ": ".join(filter(None, [pod_name(pod), containers]))
    name = containers or get("machine") or get("unit")
    if name:
        return name
    network = get("network") or {}
    network_name = network.get("name") or network.get("id")
    return f"network {network_name}" if network_name else ""


def _with_user(name: str, namespace: Facts) -> str:
    user = namespace.get("user")
    return " ".join(filter(None, [name, f"of {user}"])) if user else name


def pod_name(pod: Facts) -> str:
    """NAMESPACE/POD, or the name alone where the engine has no namespaces for pods."""
    return "/".join(filter(None, [pod.get("namespace"), pod["name"]]))


def link_or_inode(namespace: Facts) -> str:
    """The first link of the namespace, or its inode where it has none."""
    names = namespace.get("names")
    return f"namespace {names[0]}" if names else f"net:[{namespace['inode']}]"


def addresses(namespace: Facts) -> list[str]:
    """The addresses at which other namespaces can reach this one."""
    return [
        address
        for interface in namespace.get("interfaces") or []
        for address in interface.get("addresses") or []
        if not address.startswith(_IN_EVERY_NAMESPACE)
    ]


def outside_peers(namespace: Facts) -> list[Facts]:
    """The peers of its interfaces that are in other namespaces; none for the host's namespace."""
    if namespace.get("is_host"):
        return []
    return [
        interface["peer"]
        for interface in namespace.get("interfaces") or []
        if interface.get("peer") and interface["peer"]["inode"] != namespace["inode"]
    ]


def peer_name(peer: Facts) -> str:
    """The peer's interface and, in parentheses, the bridge that it is in."""
    if peer.get("master"):
        return f"{peer['interface']} ({peer['master']})"
    return str(peer["interface"])


def lost_devices(namespace: Facts) -> str | None:
    """A phrase that names the physical interfaces of a stale namespace; None if it has none."""
    if not namespace.get("stale"):
        return None
    devices = [
        interface["name"]
        for interface in namespace.get("interfaces") or []
        if interface.get("physical")
    ]
    return f"holds {', '.join(devices)}, which the host has lost" if devices else None


def owner_phrase(namespace: Facts) -> str:
    """The owner and engine as part of a sentence; a process or the name of the namespace where it has no owner."""
    engine = namespace.get("engine")
    of_engine = f" ({engine})" if engine else ""
    if namespace.get("is_host"):
        return "the host itself"
    name = owner(namespace)
    containers = namespace.get("containers")
    if namespace.get("pod"):
        return f"pod {name.replace(': ', ' with ', 1)}{of_engine}"
    if containers:
        return f"container{'s' if len(containers) > 1 else ''} {name}{of_engine}"
    if _name(namespace):
        return f"{name}{of_engine}"
    processes = (namespace.get("processes") or {}).get("first")
    if processes:
        name = f"process {processes[0]['pid']} ({processes[0]['command']})"
    else:
        name = f"{link_or_inode(namespace)}{of_engine}"
    return _with_user(name, namespace)
