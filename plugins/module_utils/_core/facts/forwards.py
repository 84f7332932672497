# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The ports of the host that are published to containers, and whether anything listens behind them.

They are what engines, the cache of CNI and the arguments of proxies report, and for rootless containers sockets of
the host together with files of the user. What only a firewall contains is not among them.
"""

from __future__ import annotations

import ipaddress
import typing as t

from .. import model
from ..engines import cni, docker_proxy, pasta, rootless_ports, state_files
from ..kernel import netns_reader, procfs, sock_diag
from ..named_tuple import NamedTuple
from .records import NamespaceRecord

if t.TYPE_CHECKING:
    from . import listeners

CNI, PROXY = "cni", "proxy"
_MIN_SECONDS = 0.5
# One user's files must not take the time of the others.
_MAX_SECONDS_OF_USER = 1.0


class Forward(NamedTuple):
    """A published port. `by` is the engine, CNI or PROXY; `container` is None where it is not known."""

    port: model.Port
    by: str
    container: model.Container | None


def sort_key(forward: Forward) -> tuple[str, int]:
    """Sorts by protocol and port."""
    return forward.port.protocol, forward.port.port


def read(
    readings: t.Iterable[model.Reading], seconds_left: float
) -> tuple[list[Forward], list[str]]:
    """The published ports, each once, and why some may be missing."""
    containers = sorted(
        (
            each
            for reading in readings
            for each in reading.containers
            # What a user's files have counts only with sockets: see of_rootless.
            if each.running and not each.user
        ),
        key=lambda container: bool(container.joined),
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
    return sorted(found.values(), key=sort_key), problems


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


def of_rootless(
    selected: t.Iterable[NamespaceRecord],
    host_view: netns_reader.View | None,
    holders: listeners.Holders,
    seconds_left: float,
) -> list[Forward]:
    """The ports of rootless containers: sockets of the host that a program of their engine has.

    The kernel shows the socket, and whose process has it. Which container and port of it that leads to, the user's own
    process and files say, so it can only be a container of this user.
    """
    by_pid: dict[int, list[sock_diag.Listener]] = {}
    for listener in host_view.sockets.listeners if host_view and host_view.sockets else ():
        for holder in holders.get(listener.inode, ()):
            if holder.command.startswith(rootless_ports.COMMANDS):
                by_pid.setdefault(holder.pid, []).append(listener)
    if not by_pid:
        return []
    containers = [
        (record, container)
        for record in selected
        for container in record.containers
        if container.user
    ]
    # By the socket and the container, what the kernel shows first.
    found: dict[t.Hashable, Forward] = {}
    for record, container in containers:
        if container == record.owner:
            for pid in by_pid.keys() & set(record.references.holders):
                for port in _of_pasta(pid, by_pid[pid]):
                    found[(*_host_side(port), container.key)] = Forward(
                        port, container.engine, container
                    )
    for forward in _of_files(
        [container for _record, container in containers], by_pid, seconds_left
    ):
        found.setdefault(
            (*_host_side(forward.port), forward.container and forward.container.key), forward
        )
    return list(found.values())


def _of_pasta(pid: int, sockets: t.Iterable[sock_diag.Listener]) -> t.Iterator[model.Port]:
    """The ports that a pasta with the container's namespace open leads there."""
    arguments = _arguments(pid)
    for listener in sockets:
        to_port = pasta.to_port(arguments, listener.protocol, listener.port)
        if to_port is not None and to_port < 1 << 16:
            yield model.Port(listener.protocol, listener.address, listener.port, None, to_port)


def _of_files(
    containers: t.Iterable[model.Container],
    by_pid: t.Mapping[int, t.Sequence[sock_diag.Listener]],
    seconds_left: float,
) -> t.Iterator[Forward]:
    """The ports in the files of users, where a process of the user listens."""
    deadline = state_files.Deadline(max(_MIN_SECONDS, seconds_left))
    by_source: dict[str, list[model.Container]] = {}
    for container in containers:
        by_source.setdefault(container.source, []).append(container)
    sockets: dict[str, list[sock_diag.Listener]] = {}
    for pid, listening in by_pid.items() if by_source else ():
        sockets.setdefault(f"{model.PROCESSES}#{_user(pid)}", []).extend(listening)
    # All engines of a user have one source.
    for source in by_source.keys() & sockets.keys():
        by_port: dict[tuple[str, int], list[sock_diag.Listener]] = {}
        for listener in sockets[source]:
            by_port.setdefault((listener.protocol, listener.port), []).append(listener)
        uid = int(source.partition("#")[2])
        published = rootless_ports.published(
            uid,
            by_source[source],
            state_files.Deadline(min(deadline.left, _MAX_SECONDS_OF_USER)),
        )
        for container in by_source[source]:
            for port in published[container.key]:
                for listener in by_port.get((port.protocol, port.port), ()):
                    if _takes(listener, port.address):
                        yield Forward(
                            port._replace(address=listener.address), container.engine, container
                        )


def _takes(listener: sock_diag.Listener, address: str) -> bool:
    """Whether a socket receives what arrives at an address of the host."""
    own, wanted = _unmapped(listener.address), _unmapped(address)
    if own.is_unspecified and own.version == 6 and not listener.v6only:
        return True
    return own == wanted or (own.is_unspecified and own.version == wanted.version)


def _user(pid: int) -> int | None:
    try:
        with procfs.opened(pid) as process:
            return procfs.user(process)
    except (model.GoneError, OSError):
        return None


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
