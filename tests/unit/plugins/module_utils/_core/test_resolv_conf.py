# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What takes effect of a resolv.conf."""

from __future__ import annotations

import pytest

from ansible_collections.linuxnet.netns.plugins.module_utils._core import resolv_conf


@pytest.mark.parametrize(
    ("text", "nameservers", "search", "options"),
    [
        ("", "", "", ""),
        ("# none\n\n;nameserver 192.0.2.1\n#nameserver 192.0.2.2\n", "", "", ""),
        # As Docker 20.10 writes it for a container on a network of its own.
        (
            "search example.org\nnameserver 127.0.0.11\noptions edns0 ndots:0\n",
            "127.0.0.11",
            "example.org",
            "edns0 ndots:0",
        ),
        # Addresses.
        ("nameserver 192.0.2.1\nnameserver 192.0.2.2", "192.0.2.1 192.0.2.2", "", ""),
        ("nameserver fe80::1%eth0\nnameserver 2001:db8::1", "fe80::1%eth0 2001:db8::1", "", ""),
        ("nameserver 192.0.2.1 192.0.2.2 # both\n", "192.0.2.1", "", ""),
        ("nameserver 192.0.2.1;x\nnameserver db\nnameserver\nnameserver \udcff\n", "", "", ""),
        # Separators.
        ("nameserver\t192.0.2.1\r\nsearch\ta \t b\r\n", "192.0.2.1", "a b", ""),
        ("nameserver 192.0.2.1\x0cnameserver x", "192.0.2.1", "", ""),
        # A keyword counts in the first column, in lower case and whole.
        (" nameserver 192.0.2.1\n\tsearch a\n options b\n domain c\n", "", "", ""),
        ("NAMESERVER 192.0.2.1\nnameservers 192.0.2.1\nsortlist 192.0.2.0\n", "", "", ""),
        # The last search list replaces the others.
        ("search a b\nsearch c\n", "", "c", ""),
        ("search a b\ndomain c d\n", "", "c", ""),
        ("domain c d\nsearch a b\n", "", "a b", ""),
        ("domain a\ndomain b\n", "", "b", ""),
        ("search a\nsearch\ndomain\nsearch \n", "", "a", ""),
        ("search a\n search b\n", "", "a", ""),
        ("search a # b\n", "", "a # b", ""),
        # Options add up.
        ("options rotate\noptions edns0 ndots:2\n", "", "", "rotate edns0 ndots:2"),
    ],
)
def test_parse(text: str, nameservers: str, search: str, options: str) -> None:
    parsed = resolv_conf.parse(text)
    assert " ".join(parsed.nameservers) == nameservers
    assert " ".join(parsed.search) == search
    assert " ".join(parsed.options) == options


def test_lines_keep_their_order() -> None:
    text = (
        "options a\nsearch x\nnameserver 192.0.2.1 # b\nsortlist 192.0.2.0\ndomain y z\noptions c"
    )
    assert resolv_conf.parse(text).lines == (
        ("options", "a"),
        ("nameserver", "192.0.2.1"),
        ("domain", "y"),
        ("options", "c"),
    )
