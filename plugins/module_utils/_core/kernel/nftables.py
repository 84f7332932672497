# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Chains and rules of nf_tables (linux/netfilter/nf_tables.h), which iptables-nft uses as well.

Of a rule, only what selects packets by interface, address or connection state is interpreted.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
import typing as t

from ..named_tuple import NamedTuple
from . import netlink

_NETLINK_NETFILTER = 12
_SUBSYSTEM = 10 << 8
_NEWCHAIN, _GETCHAIN, _NEWRULE, _GETRULE = (_SUBSYSTEM | number for number in (3, 4, 6, 7))
_NFGENMSG = struct.Struct("=BBH")
_BE32 = struct.Struct(">I")
_HOOK_FORWARD = 2
# Families (linux/netfilter.h): both, and IPv4.
INET, IPV4 = 1, 2

_CHAIN_TABLE, _CHAIN_NAME, _CHAIN_HOOK, _CHAIN_POLICY = 1, 3, 4, 5
_HOOK_NUMBER = 1
_RULE_TABLE, _RULE_EXPRESSIONS = 1, 4
_EXPRESSION_NAME, _EXPRESSION_DATA = 1, 2
_META_KEY, _PAYLOAD_BASE, _PAYLOAD_OFFSET, _CT_KEY = 2, 2, 3, 2
_CMP_OPERATION, _CMP_DATA, _DATA_VALUE, _DATA_VERDICT = 2, 3, 1, 2
_BITWISE_MASK = 4
_IMMEDIATE_DATA, _VERDICT_CODE = 2, 1
_MATCH_NAME, _MATCH_INFO, _TARGET_NAME = 1, 3, 1
_LOOKUP_DREG, _VERDICT_REGISTER = 3, 0
_IIFNAME, _OIFNAME = 6, 7
_NETWORK_HEADER = 1
_ACCEPT, _DROP = 1, 0
_EQUAL = 0
# xt_conntrack (linux/netfilter/xt_conntrack.h): match_flags, invert_flags and state_mask of its information.
_XT_FLAGS = struct.Struct("=HHH")
_XT_FLAGS_OFFSET = 146
_XT_STATE = 1
# The bit of new connections in both.
_STATE_NEW = 8


class Chain(NamedTuple):
    """A base chain at the forward hook that drops what no rule accepts."""

    family: int
    table: str
    name: str


class Rule(NamedTuple):
    """A rule that accepts. None is for what it does not select by, and empty for what it selects by otherwise.

    `incoming` and `outgoing` are names of interfaces, or beginnings of names. `source` and `destination` are the first
    bytes of IPv4 addresses. `only_known` is whether it accepts no new connection.
    """

    family: int
    table: str
    incoming: bytes | None = None
    outgoing: bytes | None = None
    source: bytes | None = None
    destination: bytes | None = None
    only_known: bool = False


def is_loaded() -> bool:
    """Whether the kernel has nf_tables: asking one that has it as a module would load that."""
    try:
        with open("/proc/modules", "rb") as stream:
            modules = stream.read()
    except OSError:
        return True
    return not modules or b"nf_tables " in modules or os.path.exists("/sys/module/nf_tables")


def read() -> tuple[list[Chain], list[Rule]]:
    """The chains and rules of the namespace that the process is in. Raises OSError."""
    try:
        connection = netlink.Socket(_NETLINK_NETFILTER)
    except OSError as error:
        if error.errno == errno.EPROTONOSUPPORT:
            return [], []
        raise
    with connection:
        try:
            chains = connection.dump(lambda sequence: _request(_GETCHAIN, sequence))
        except OSError as error:
            # Without nf_tables.
            if error.errno in (errno.EINVAL, errno.EOPNOTSUPP):
                return [], []
            raise
        rules = connection.dump(lambda sequence: _request(_GETRULE, sequence))
    if not (chains.complete and rules.complete):
        raise OSError(errno.EINTR, "its rules changed during every attempt to read them")
    return parse_chains(chains.data), parse_rules(rules.data)


def _request(kind: int, sequence: int) -> bytes:
    body = _NFGENMSG.pack(socket.AF_UNSPEC, 0, 0)
    return netlink.request(kind, netlink.NLM_F_DUMP, sequence, body)


@netlink.strict
def parse_chains(data: bytes) -> list[Chain]:
    """The chains at the forward hook whose policy is to drop."""
    wanted = frozenset((_CHAIN_TABLE, _CHAIN_NAME, *_either(_CHAIN_HOOK), _CHAIN_POLICY))

    def parse(start: int, attributes: dict[int, bytes]) -> t.Iterator[Chain]:
        hook = _nested_value(attributes, _CHAIN_HOOK)
        number = dict(netlink.nested(hook)).get(_HOOK_NUMBER, b"")
        policy = attributes.get(_CHAIN_POLICY, b"")
        if number == _BE32.pack(_HOOK_FORWARD) and policy == _BE32.pack(_DROP):
            yield Chain(
                data[start], _text(attributes[_CHAIN_TABLE]), _text(attributes[_CHAIN_NAME])
            )

    return netlink.parse_messages(data, _NEWCHAIN, _NFGENMSG.size, wanted, parse, None)


@netlink.strict
def parse_rules(data: bytes) -> list[Rule]:
    """The rules that accept."""
    wanted = frozenset((_RULE_TABLE, *_either(_RULE_EXPRESSIONS)))

    def parse(start: int, attributes: dict[int, bytes]) -> t.Iterator[Rule]:
        rule = Rule(data[start], _text(attributes[_RULE_TABLE]))
        interpreted = _interpret(rule, _nested_value(attributes, _RULE_EXPRESSIONS))
        if interpreted is not None:
            yield interpreted

    return netlink.parse_messages(data, _NEWRULE, _NFGENMSG.size, wanted, parse, None)


def _either(kind: int) -> tuple[int, int]:
    """The types of a nested attribute: newer kernels mark it as that."""
    return kind, kind | netlink.NESTED


def _nested_value(attributes: t.Mapping[int, bytes], kind: int) -> bytes:
    return next((attributes[each] for each in _either(kind) if each in attributes), b"")


def _interpret(rule: Rule, expressions: bytes) -> Rule | None:
    """The rule with what it selects by; None where it does not accept."""
    accepts = False
    loaded, mask = "", b""
    for _kind, expression in netlink.nested(expressions):
        parts = dict(netlink.nested(expression))
        name = _text(parts.get(_EXPRESSION_NAME, b""))
        values = dict(netlink.nested(parts.get(_EXPRESSION_DATA, b"")))
        if name == "meta":
            keys = {_IIFNAME: "incoming", _OIFNAME: "outgoing"}
            loaded, mask = keys.get(_be32(values.get(_META_KEY)), ""), b""
        elif name == "payload":
            offsets = {12: "source", 16: "destination"}
            is_network = _be32(values.get(_PAYLOAD_BASE)) == _NETWORK_HEADER
            loaded = offsets.get(_be32(values.get(_PAYLOAD_OFFSET)), "") if is_network else ""
            mask = b""
        elif name == "ct":
            loaded, mask = "state" if _be32(values.get(_CT_KEY)) == 0 else "", b""
        elif name == "bitwise":
            mask = _value(values.get(_BITWISE_MASK, b""))
        elif name == "cmp":
            rule = _compared(rule, loaded, mask, values)
        elif name == "match":
            if _text(values.get(_MATCH_NAME, b"")) == "conntrack":
                rule = rule._replace(only_known=_is_known(values.get(_MATCH_INFO, b"")))
        elif name == "immediate":
            verdict = dict(netlink.nested(values.get(_IMMEDIATE_DATA, b""))).get(_DATA_VERDICT, b"")
            accepts = accepts or _be32(dict(netlink.nested(verdict)).get(_VERDICT_CODE)) == _ACCEPT
        elif name == "queue" or (name == "target" and b"QUEUE" in values.get(_TARGET_NAME, b"")):
            # A program decides.
            accepts = True
        elif name == "lookup" and _LOOKUP_DREG in values:
            # A map of verdicts, which may have that of accepting.
            accepts = accepts or _be32(values[_LOOKUP_DREG]) == _VERDICT_REGISTER
    return rule if accepts else None


def _compared(rule: Rule, loaded: str, mask: bytes, values: t.Mapping[int, bytes]) -> Rule:
    is_equal = _be32(values.get(_CMP_OPERATION)) == _EQUAL
    value = _value(values.get(_CMP_DATA, b""))
    if loaded == "state":
        # "ct state established,related": the masked state is not 0.
        bits = int.from_bytes(mask[:4], "little" if mask[:1] != b"\0" else "big")
        return rule._replace(only_known=not is_equal and not any(value) and not bits & _STATE_NEW)
    if not is_equal:
        value = b""
    elif mask:
        # Only the whole bytes of a prefix are compared; fewer select more.
        value = value[: len(mask) - len(mask.lstrip(b"\xff"))]
    if loaded == "incoming":
        return rule._replace(incoming=value)
    if loaded == "outgoing":
        return rule._replace(outgoing=value)
    if loaded == "source":
        return rule._replace(source=value)
    if loaded == "destination":
        return rule._replace(destination=value)
    return rule


def _is_known(info: bytes) -> bool:
    """Whether the information of xt_conntrack selects by state, and no new connections."""
    if len(info) < _XT_FLAGS_OFFSET + _XT_FLAGS.size:
        return False
    flags, inverted, states = _XT_FLAGS.unpack_from(info, _XT_FLAGS_OFFSET)
    return bool(flags & _XT_STATE and not inverted & _XT_STATE and not states & _STATE_NEW)


def _value(data: bytes) -> bytes:
    return dict(netlink.nested(data)).get(_DATA_VALUE, b"")


def _be32(value: bytes | None) -> int:
    return int(_BE32.unpack(value)[0]) if value is not None and len(value) == _BE32.size else -1


def _text(value: bytes) -> str:
    return value.rstrip(b"\0").decode("utf-8", "backslashreplace")
