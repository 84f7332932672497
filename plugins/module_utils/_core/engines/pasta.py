# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The arguments of pasta, which connects rootless Podman's containers with the host since Podman 5 (passt(1))."""

from __future__ import annotations

import re
import typing as t

# Its program has a name for each kind of processor: "passt.avx2".
COMMANDS = ("pasta", "passt")
_OPTIONS = {"-t": "tcp", "--tcp-ports": "tcp", "-u": "udp", "--udp-ports": "udp"}
# [ADDRESS[%INTERFACE]/]FIRST[-LAST][:FIRST[-LAST]]
_PORTS = re.compile(r"(?:[^/]*/)?(\d{1,5})(?:-(\d{1,5}))?(?::(\d{1,5})(?:-\d{1,5})?)?")


def to_port(arguments: t.Sequence[str], protocol: str, port: int) -> int | None:
    """The port of the namespace that a port of the host leads to; None where the arguments do not name it."""
    for argument, following in zip(arguments, [*arguments[1:], ""]):
        option, equals, value = argument.partition("=")
        if _OPTIONS.get(option) != protocol:
            continue
        for part in (value if equals else following).split(","):
            match = _PORTS.fullmatch(part)
            if match is None:
                continue
            first, last, to_first = (int(group) if group else None for group in match.groups())
            if first is not None and first <= port <= (last or first):
                return (to_first or first) + port - first
    return None
