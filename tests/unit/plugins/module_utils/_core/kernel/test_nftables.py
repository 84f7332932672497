# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Chains and rules that a 6.18 kernel returned, made by iptables 1.8.9: those of Docker 20.10, and some more."""

from __future__ import annotations

import errno
import os
import pathlib
from unittest import mock

import pytest

from ansible_collections.linuxnet.netns.plugins.module_utils._core.kernel import netlink, nftables

DATA = pathlib.Path(__file__).parents[4] / "data" / "netlink-6.18"
CHAINS = (DATA / "nft-chains.bin").read_bytes()
RULES = (DATA / "nft-rules.bin").read_bytes()
IPV6 = 10


def rule(**values: object) -> nftables.Rule:
    return nftables.Rule(nftables.IPV4, "filter")._replace(**values)


def test_chains_that_drop_what_is_forwarded() -> None:
    assert nftables.parse_chains(CHAINS) == [
        nftables.Chain(nftables.IPV4, "filter", "FORWARD"),
        nftables.Chain(IPV6, "filter", "FORWARD"),
    ]


def test_rules_that_accept() -> None:
    assert nftables.parse_rules(RULES) == [
        rule(outgoing=b"docker0\0", only_known=True),
        rule(incoming=b"docker0\0", outgoing=b""),
        rule(incoming=b"docker0\0", outgoing=b"docker0\0"),
        # -s 10.88.0.0/16
        rule(source=b"\x0a\x58"),
        # -i lxc+
        rule(incoming=b"lxc"),
        # -i virbr0 --ctstate NEW
        rule(incoming=b"virbr0\0"),
        # -j NFQUEUE
        rule(),
        rule(incoming=b"", outgoing=b"docker0\0", destination=b"\xac\x11\0\x02"),
    ]


@pytest.mark.parametrize("parse", [nftables.parse_chains, nftables.parse_rules])
@pytest.mark.parametrize("data", [CHAINS, RULES], ids=["chains", "rules"])
def test_messages_that_are_cut_off_or_changed(parse: object, data: bytes) -> None:
    """They give an OSError, or fewer or other items; nothing else."""
    assert callable(parse)
    for end in range(0, len(data), 3):
        for changed in (data[:end], data[:end] + b"\xff" + data[end + 1 :]):
            try:
                items = parse(changed)
            except OSError:
                continue
            assert isinstance(items, list)


@pytest.mark.parametrize(
    ("opens", "number", "is_absent"),
    [
        (False, errno.EPROTONOSUPPORT, True),
        (False, errno.EPERM, False),
        (True, errno.EINVAL, True),
        (True, errno.EOPNOTSUPP, True),
        (True, errno.EPERM, False),
    ],
)
def test_a_kernel_without_nf_tables_has_no_rules(
    monkeypatch: pytest.MonkeyPatch, opens: bool, number: int, is_absent: bool
) -> None:
    """Without netfilter's netlink there is no such socket, and without nf_tables it refuses the request."""

    def refuse(*_arguments: object) -> None:
        raise OSError(number, os.strerror(number))

    connection = mock.MagicMock(**{"dump.side_effect": refuse})
    monkeypatch.setattr(netlink, "Socket", (lambda _protocol: connection) if opens else refuse)
    if is_absent:
        assert nftables.read() == ([], [])
    else:
        with pytest.raises(OSError, match=os.strerror(number)):
            nftables.read()


@pytest.mark.parametrize(
    ("modules", "is_built_in", "expected"),
    [
        ("nf_tables 360448 1 nft_compat, Live 0x0\n", False, True),
        ("nf_tables_set 16384 0 - Live 0x0\nip_tables 1 0 - Live 0x0\n", False, False),
        ("ip_tables 36864 1 iptable_filter, Live 0x0\n", True, True),
        # A kernel without modules, and /proc without the list.
        ("", False, True),
        (None, False, True),
    ],
)
def test_a_module_that_is_not_loaded_stays_so(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: pathlib.Path,
    modules: str | None,
    is_built_in: bool,
    expected: bool,
) -> None:
    if modules is not None:
        (tmp_path / "modules").write_text(modules)
    real = open
    monkeypatch.setattr(
        nftables, "open", lambda _path, mode: real(tmp_path / "modules", mode), raising=False
    )
    monkeypatch.setattr(os.path, "exists", lambda _path: is_built_in)
    assert nftables.is_loaded() == expected
