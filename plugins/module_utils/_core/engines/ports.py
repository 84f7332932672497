# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The ports that engines publish, as Docker, Podman, the CNI plugin portmap, Incus and LXD record them.

An odd record of a port hides no container: what is not valid is left out.
"""

from __future__ import annotations

import socket
import typing as t

from .. import model
from ..untrusted import is_number

# Containers that publish ranges may have thousands.
_MAX_PORTS = 1 << 14
_PORTS_END = 1 << 16
_PROTOCOLS = ("tcp", "udp", "sctp")
_ANY: dict[int, str] = {socket.AF_INET: "0.0.0.0", socket.AF_INET6: "::"}


def from_settings(details: t.Any) -> tuple[model.Port, ...]:
    """From the NetworkSettings of a container, as the APIs of Docker and Podman return them.

    Docker's files contain the same.
    """
    settings = _dict(_dict(details).get("NetworkSettings"))
    published = _dict(settings.get("Ports"))
    if not published:
        return ()
    found = _Ports(_network_addresses(settings))
    for key, bindings in published.items():
        to_port, _slash, protocol = str(key).partition("/")
        for binding in bindings if isinstance(bindings, list) else ():
            host = _dict(binding)
            found.add(
                protocol,
                host.get("HostIp"),
                parse_number(host.get("HostPort")),
                parse_number(to_port),
            )
    return found.ports()


def from_list(item: t.Any) -> tuple[model.Port, ...]:
    """From a container in the list that Docker's API returns, which has the same ports in another form."""
    published = _dict(item).get("Ports")
    if not published or not isinstance(published, list):
        return ()
    found = _Ports(_network_addresses(_dict(_dict(item).get("NetworkSettings"))))
    for port in map(_dict, published):
        number, to_port = port.get("PublicPort"), port.get("PrivatePort")
        # Those that are exposed and not published are in the list too.
        if is_number(number) and is_number(to_port):
            found.add(port.get("Type"), port.get("IP"), number, to_port)
    return found.ports()


def _network_addresses(settings: dict[t.Any, t.Any]) -> t.Iterator[t.Any]:
    """The addresses of a container in its NetworkSettings."""
    networks = [_dict(network) for network in _dict(settings.get("Networks")).values()]
    # Podman 3 has the address of its default network here alone.
    for network in networks or [settings]:
        yield network.get("IPAddress")
        yield network.get("GlobalIPv6Address")


def from_podman_database(config: t.Any, state: t.Any) -> tuple[model.Port, ...]:
    """From a container's configuration and state in Podman's database."""
    mappings = _dict(config).get("newPortMappings") or _dict(config).get("portMappings")
    if not isinstance(mappings, list):
        return ()
    addresses: list[t.Any] = []
    status = _dict(state).get("networkStatus")
    for network in status.values() if isinstance(status, dict) else ():
        for interface in _dict(_dict(network).get("interfaces")).values():
            subnets = _dict(interface).get("subnets")
            addresses += [
                _without_prefix(_dict(subnet).get("ipnet"))
                for subnet in (subnets if isinstance(subnets, list) else ())
            ]
    # Podman 3 has the results of CNI.
    for result in status if isinstance(status, list) else ():
        addresses += _result_addresses(result)
    return from_mappings(mappings, addresses)


def from_cni(cached: t.Any) -> tuple[model.Port, ...]:
    """From a result that the library of CNI has cached (libcni/api.go)."""
    arguments = _dict(_dict(cached).get("capabilityArgs"))
    mappings = arguments.get("portMappings")
    if not isinstance(mappings, list):
        return ()
    return from_mappings(mappings, _result_addresses(_dict(cached).get("result")))


def from_devices(devices: t.Any) -> tuple[model.Port, ...]:
    """From the devices of an instance of Incus or LXD: those of the type proxy that listen on the host."""
    ports: list[model.Port] = []
    for device in _dict(devices).values():
        proxy = _dict(device)
        if proxy.get("type") != "proxy" or proxy.get("bind") not in (None, "", "host"):
            continue
        protocol, host, published = _endpoint(proxy.get("listen"))
        _protocol, address, to_ports = _endpoint(proxy.get("connect"))
        # Several ports lead to as many, or all to one.
        targets = to_ports * len(published) if len(to_ports) == 1 else to_ports
        # Of the instance itself, whichever address it has.
        found = _Ports([] if address in _ANY.values() else [address])
        for port, to_port in zip(published, targets):
            found.add(protocol, host, port, to_port)
        ports += found.ports()
        if len(ports) > _MAX_PORTS:
            break
    return tuple(ports[:_MAX_PORTS])


def _endpoint(text: t.Any) -> tuple[str, str, list[int]]:
    """Protocol, address and ports of "tcp:[::1]:80,8000-8010"; no ports where it is not valid."""
    protocol, _colon, rest = text.partition(":") if isinstance(text, str) else ("", "", "")
    address, _colon, numbers = rest.rpartition(":")
    found: list[int] = []
    for part in numbers.split(","):
        first, dash, last = part.partition("-")
        start, end = parse_number(first), parse_number(last if dash else first)
        if start is None or end is None or len(found) > _PORTS_END:
            return protocol, "", []
        found += range(start, min(end + 1, _PORTS_END))
    return protocol, address.strip("[]"), found


def from_mappings(
    mappings: t.Iterable[t.Any], addresses: t.Iterable[t.Any]
) -> tuple[model.Port, ...]:
    """From a list of mappings: `hostPort` in CNI, `HostPort` in containerd, `host_port` in Podman 4 and later."""
    found = _Ports(addresses)
    for item in mappings:
        mapping = {str(key).lower().replace("_", ""): value for key, value in _dict(item).items()}
        port: t.Any = mapping.get("hostport")
        to_port: t.Any = mapping.get("containerport")
        host = mapping.get("hostip")
        length: t.Any = mapping.get("range")
        if not is_number(port) or not is_number(to_port):
            continue
        count = length if is_number(length) and length > 0 else 1
        protocols = str(mapping.get("protocol") or "tcp").lower().split(",")
        for protocol in dict.fromkeys(filter(_PROTOCOLS.__contains__, protocols)):
            for offset in range(min(count, _PORTS_END)):
                if found.is_full:
                    break
                found.add(protocol, host, port + offset, to_port + offset)
    return found.ports()


def _result_addresses(result: t.Any) -> list[t.Any]:
    ips = _dict(result).get("ips")
    return [
        _without_prefix(_dict(ip).get("address")) for ip in (ips if isinstance(ips, list) else ())
    ]


def _without_prefix(address: t.Any) -> t.Any:
    return address.partition("/")[0] if isinstance(address, str) else None


class _Ports:
    """Collects the ports of a container that has some addresses."""

    def __init__(self, addresses: t.Iterable[t.Any]) -> None:
        self._ports: list[model.Port] = []
        self._left = _MAX_PORTS
        self._addresses: dict[int, set[str]] = {}
        for address in addresses:
            family = _family(address)
            if family is not None:
                self._addresses.setdefault(family, set()).add(address)

    @property
    def is_full(self) -> bool:
        """Whether no more ports are taken, also after many that are not valid."""
        return not self._left

    def ports(self) -> tuple[model.Port, ...]:
        """The ports."""
        return tuple(self._ports)

    def add(self, protocol: t.Any, host: t.Any, port: int | None, to_port: int | None) -> None:
        """Add a port, if it is valid."""
        if self.is_full:
            return
        self._left -= 1
        if protocol not in _PROTOCOLS or not _is_port(port) or not _is_port(to_port):
            return
        hosts = [host]
        if not host:
            # All addresses, of each family that the container has.
            hosts = [_ANY[each] for each in sorted(self._addresses)] or [_ANY[socket.AF_INET]]
        for address in hosts:
            family = _family(address)
            if family is not None:
                # A proxy leads from IPv6 to a container that has IPv4 alone.
                by_family = self._addresses
                candidates = by_family.get(family) or by_family.get(socket.AF_INET) or set()
                to_address = next(iter(candidates)) if len(candidates) == 1 else None
                self._ports.append(
                    model.Port(
                        protocol, address, t.cast("int", port), to_address, t.cast("int", to_port)
                    )
                )


def _is_port(number: int | None) -> bool:
    return number is not None and 0 < number < _PORTS_END


def _family(address: t.Any) -> int | None:
    if isinstance(address, str) and len(address) < 64:
        for family in (socket.AF_INET, socket.AF_INET6):
            try:
                socket.inet_pton(family, address)
                return family
            except (OSError, ValueError):
                continue
    return None


def parse_number(text: t.Any) -> int | None:
    """The number of a port in decimal digits; None for anything else."""
    is_decimal = isinstance(text, str) and len(text) < 6 and text.isascii() and text.isdigit()
    return int(text) if is_decimal else None


def _dict(value: t.Any) -> dict[t.Any, t.Any]:
    return value if isinstance(value, dict) else {}
