# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Docker's processes that pass connections to a port of the host on to a container (userland-proxy)."""

from __future__ import annotations

import functools

from .. import model
from . import daemons, ports

COMMAND = "docker-proxy"


def published() -> list[model.Port]:
    """The ports, by the arguments of root's processes."""
    found: list[model.Port] = []
    for process, _command in daemons.running(COMMAND):
        # There can be thousands, so the arguments of each are read once.
        option = functools.partial(daemons.option_among, daemons.arguments(process))
        mapping = {
            "protocol": option("proto"),
            "host_ip": option("host-ip"),
            "host_port": ports.parse_number(option("host-port")),
            "container_port": ports.parse_number(option("container-port")),
        }
        found += ports.from_mappings([mapping], [option("container-ip")])
    return found
