# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The parser of resolv.conf(5)."""

from __future__ import annotations

import socket

from .named_tuple import NamedTuple


class ResolvConf(NamedTuple):
    """The lines of a resolv.conf that take effect, in their order, each as its keyword and values."""

    lines: tuple[tuple[str, ...], ...]

    @property
    def nameservers(self) -> tuple[str, ...]:
        """The addresses of the DNS servers."""
        return self._values("nameserver")

    @property
    def search(self) -> tuple[str, ...]:
        """The search list."""
        return self._values("search", "domain")

    @property
    def options(self) -> tuple[str, ...]:
        """The options of all lines."""
        return self._values("options")

    def _values(self, *keywords: str) -> tuple[str, ...]:
        return tuple(
            value for keyword, *values in self.lines if keyword in keywords for value in values
        )


def parse(text: str) -> ResolvConf:
    """Parse a resolv.conf as resolvers do (res_vconf_init of glibc's resolv/res_init.c).

    A keyword counts in the first column only. The last of all `search` and `domain` lines replaces the
    others. A `nameserver` line has one address, which is not looked up.
    """
    lines: list[tuple[str, ...]] = []
    for line in text.split("\n"):
        keyword, *values = line.split() or [""]
        if not values or not line.startswith(keyword):
            continue
        if keyword == "options":
            lines.append((keyword, *values))
        elif keyword == "nameserver" and _is_address(values[0]):
            lines.append((keyword, values[0]))
        elif keyword in ("search", "domain"):
            lines = [other for other in lines if other[0] not in ("search", "domain")]
            lines.append((keyword, *(values[:1] if keyword == "domain" else values)))
    return ResolvConf(tuple(lines))


def _is_address(text: str) -> bool:
    for family, address in ((socket.AF_INET, text), (socket.AF_INET6, text.partition("%")[0])):
        try:
            socket.inet_pton(family, address)
        except (OSError, ValueError):
            continue
        return True
    return False
