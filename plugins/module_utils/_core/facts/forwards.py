# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The ports of the host that are published to containers, and whether anything listens behind them.

They are what engines, the cache of CNI and the arguments of proxies report. What only a firewall contains is not
among them.
"""

from __future__ import annotations

import ipaddress
import typing as t

from .. import model
from ..engines import cni, docker_proxy, pasta, state_files
from ..kernel import netns_reader, procfs, sock_diag
from .records import NamespaceRecord, joins_another

if t.TYPE_CHECKING:
    from . import listeners

CNI, PROXY = "cni", "proxy"
_MIN_SECONDS = 0.5


class Forward(t.NamedTuple):
    """A published port. `by` is the engine, CNI or PROXY; `container` is None where it is not known."""

    port: model.Port
    by: str
    container: model.Container | None


def read(
    readings: t.Iterable[model.Reading], seconds_left: float
) -> tuple[list[Forward], list[str]]:
    """The published ports, each once, and why some may be missing."""
    containers = sorted(
        (each for reading in readings for each in reading.containers if each.running),
        key=joins_another,
    )
    # By protocol, address, port and container, the most certain source first.
    found: dict[t.Hashable, Forward] = {}
    published = set()
    for container in containers:
        for port in container.ports:
            if (container.joined, *_host_side(port)) not in published:
                published.add((container.id, *_host_side(port)))
                found[(*_host_side(port), container.key)] = Forward(
                    port, container.engine, container
                )
    by_id, problems = cni.published(state_files.Deadline(max(_MIN_SECONDS, seconds_left)))
    for container in containers if by_id else ():
        for port in by_id.get(container.id.replace("/", "-"), ()):
            found.setdefault((*_host_side(port), container.key), Forward(port, CNI, container))
    _add_proxies(found)
    return sorted(found.values(), key=lambda each: (each.port.protocol, each.port.port)), problems


def _add_proxies(found: dict[t.Hashable, Forward]) -> None:
    """Add what the engines do not report; where it does, a proxy's arguments have the container's address."""
    by_host_side: dict[t.Hashable, list[t.Hashable]] = {}
    for key, forward in found.items():
        by_host_side.setdefault(_host_side(forward.port), []).append(key)
    for port in docker_proxy.published():
        keys = by_host_side.get(_host_side(port), [])
        for key in keys:
            forward = found[key]
            if forward.port.to_address is None and forward.port.to_port == port.to_port:
                found[key] = forward._replace(port=port)
        if not keys:
            found[(*_host_side(port), None)] = Forward(port, PROXY, None)


def _host_side(port: model.Port) -> tuple[str, str, int]:
    return port.protocol, port.address, port.port


def of_pasta(
    selected: t.Iterable[NamespaceRecord],
    host_view: netns_reader.View | None,
    holders: listeners.Holders,
) -> list[Forward]:
    """The ports of rootless containers: sockets of the host whose process holds the container's namespace open.

    The kernel shows both. Only which port of the namespace it is comes from the arguments of the user's process.
    """
    sockets_by_pid: dict[int, list[sock_diag.Listener]] = {}
    for listener in host_view.sockets.listeners if host_view and host_view.sockets else ():
        for holder in holders.get(listener.inode, ()):
            if holder.command.startswith(pasta.COMMANDS):
                sockets_by_pid.setdefault(holder.pid, []).append(listener)
    found = []
    for record in selected if sockets_by_pid else ():
        container = record.owner
        if container is None or not container.user:
            continue
        for pid in sockets_by_pid.keys() & set(record.references.holders):
            arguments = _arguments(pid)
            for listener in sockets_by_pid[pid]:
                to_port = pasta.to_port(arguments, listener.protocol, listener.port)
                if to_port is not None and to_port < 1 << 16:
                    port = model.Port(
                        listener.protocol, listener.address, listener.port, None, to_port
                    )
                    found.append(Forward(port, container.engine, container))
    return found


def _arguments(pid: int) -> list[str]:
    try:
        with procfs.opened(pid) as process:
            return procfs.command_line(process)
    except (model.GoneError, OSError):
        return []


def is_listening(
    port: model.Port, view: netns_reader.View | None, is_rootless: bool = False
) -> bool | None:
    """Whether a socket in the container's namespace receives what a port leads to. None: not known.

    Rootless engines connect to the loopback of a namespace where the connection comes from that of the host.
    """
    if port.protocol not in sock_diag.PROTOCOLS or view is None or view.sockets is None:
        return None
    answers = {
        None
        if is_rootless and _unmapped(listener.address).is_loopback
        else _receives(listener, port.to_address)
        for listener in view.sockets.listeners
        if listener.protocol == port.protocol and listener.port == port.to_port
    }
    if True in answers:
        return True
    return None if None in answers or view.socket_problem else False


def _receives(listener: sock_diag.Listener, to_address: str | None) -> bool | None:
    # The interface may be another than the one that has the address.
    unless_bound = None if listener.ifindex else True
    address = _unmapped(listener.address)
    if address.is_loopback:
        # Proxies of Incus connect to the loopback of the instance, others do not.
        return to_address is not None and address == _unmapped(to_address) and unless_bound
    if to_address is None:
        takes_all = address.is_unspecified and (address.version == 4 or listener.v6only is False)
        return unless_bound if takes_all else None
    target = _unmapped(to_address)
    if not address.is_unspecified:
        return address == target and unless_bound
    if address.version == target.version:
        return unless_bound
    if address.version == 4:
        return False
    # An IPv6 socket may take IPv4 as well.
    return None if listener.v6only is None else (not listener.v6only and unless_bound)


def _unmapped(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    address = ipaddress.ip_address(text)
    return getattr(address, "ipv4_mapped", None) or address
