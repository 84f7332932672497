# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins!

"""Parses a question: the forms in which programs print addresses, paths, ids and images."""

from __future__ import annotations

import ipaddress
import re
import typing as t

Network = t.Union[ipaddress.IPv4Network, ipaddress.IPv6Network]
_HEX = "[0-9A-Fa-f]"
# As Linux, Windows and Cisco print it.
_MAC = re.compile(
    rf"{_HEX}{{2}}(?:([:-]){_HEX}{{2}})(?:\1{_HEX}{{2}}){{4}}|{_HEX}{{4}}(?:\.{_HEX}{{4}}){{2}}"
)
_WITH_PORT = re.compile(
    r"(?P<v4>[0-9.]+):\d+(?:/[a-z]+)?|\[(?P<v6>[^\]]+)\](?::\d+(?:/[a-z]+)?)?", re.IGNORECASE
)
# `:8080`, `8080/tcp`, `*:8080` and `10.0.0.5:8080`, with or without a protocol, as `docker ps` and `ss` print them.
_PORT = re.compile(
    r"(?:(?P<address>\*|[0-9.]+|\[[0-9A-Fa-f:.]+(?:%[^\]]*)?\])?:(?P<number>\d{1,5})(?:/(?P<protocol>tcp|udp|sctp))?"
    r"|(?P<alone>\d{1,5})/(?P<required>tcp|udp|sctp))",
    re.IGNORECASE,
)
_ANY_ADDRESS = ("*", "0.0.0.0", "[::]")
_ZONE = re.compile(r"%[^/]*")
# `kubectl get pod -o yaml` prints containerd://ID.
_SCHEME = re.compile(r"[a-z-]+://(?=[0-9A-Fa-f]+$)")


class PortQuestion(t.NamedTuple):
    """A port, of the protocol and at the address if they are not None."""

    number: int
    protocol: str | None
    address: Network | None


class Question(t.NamedTuple):
    """What a text may mean. `item` is a name, a pattern, a path, or an id or the beginning of one."""

    text: str
    item: str
    interface: str
    network: Network | None
    mac: str | None
    port: PortQuestion | None = None


def parse(text: str) -> Question:
    """What a text may mean."""
    return Question(
        text=text,
        item=canonical_path(_SCHEME.sub("", text)),
        # `ip link` prints the peer's index after an "@".
        interface=text.partition("@")[0],
        network=_network(text),
        mac=canonical_mac(text) if _MAC.fullmatch(text) else None,
        port=_port(text),
    )


def canonical_path(path: str) -> str:
    """The path in /run: `docker inspect` prints /var/run, which is a symbolic link."""
    return path[len("/var") :] if path.startswith("/var/run/") else path


def canonical_mac(mac: str) -> str:
    """The digits of a hardware address."""
    return mac.replace(":", "").replace("-", "").replace(".", "").lower()


def _port(text: str) -> PortQuestion | None:
    match = _PORT.fullmatch(text)
    if match is None:
        return None
    protocol = match["protocol"] or match["required"]
    address = match["address"]
    network = None
    if address and address not in _ANY_ADDRESS:
        network = _network(address)
        if network is None:
            return None
    return PortQuestion(
        int(match["number"] or match["alone"]), protocol.lower() if protocol else None, network
    )


def _network(text: str) -> Network | None:
    with_port = _WITH_PORT.fullmatch(text)
    if with_port:
        text = with_port["v4"] or with_port["v6"]
    text = _ZONE.sub("", text)
    # 10.0.0.0/8 is the network; 10.0.0.5/8 has host bits, so it is the one address.
    try:
        return _unmapped(ipaddress.ip_network(text))
    except ValueError:
        pass
    try:
        return _unmapped(ipaddress.ip_network(ipaddress.ip_interface(text).ip))
    except ValueError:
        return None


def _unmapped(network: Network) -> Network:
    """The IPv4 address that programs with an IPv6 socket print as ::ffff:10.0.0.1."""
    mapped = network.version == 6 and network.network_address.ipv4_mapped
    return ipaddress.ip_network(mapped) if mapped and network.prefixlen == 128 else network


def image_names(image: str) -> tuple[str, ...]:
    """The names of an image: with and without its registry, its directories, and its tag or digest."""
    repository = image.partition("@")[0]
    if ":" in repository.rpartition("/")[2]:
        repository = repository.rpartition(":")[0]
    names = []
    for name in (image, repository):
        parts = name.split("/")
        names += ["/".join(parts[start:]) for start in range(len(parts))]
    return tuple(names)
