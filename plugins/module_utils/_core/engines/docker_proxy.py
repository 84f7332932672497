# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Docker's processes that pass connections to a port of the host on to a container (userland-proxy)."""

from __future__ import annotations

from .. import model
from . import daemons, ports

COMMAND = "docker-proxy"


def published() -> list[model.Port]:
    """The ports, by the arguments of root's processes."""
    found: list[model.Port] = []
    for process, _command in daemons.running(COMMAND):
        mapping = {
            "protocol": daemons.option(process, "proto"),
            "host_ip": daemons.option(process, "host-ip"),
            "host_port": _number(daemons.option(process, "host-port")),
            "container_port": _number(daemons.option(process, "container-port")),
        }
        found += ports.from_mappings([mapping], [daemons.option(process, "container-ip")])
    return found


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else None
