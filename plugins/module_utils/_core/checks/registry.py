# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The table of checks. Each has a file of its name in this package."""

from __future__ import annotations

from . import (
    busy_pin,
    conntrack_full,
    covered_pin,
    dangling_entry,
    deaf_port,
    double_pin,
    duplicate_address,
    forward_drop,
    ghost_port,
    held_open,
    leftover_etc,
    lost_device,
    mtu,
    no_default_route,
    no_forwarding,
    orphaned_namespace,
    ownerless_veth,
    private_directory,
    stale_link,
    stranded_sharer,
)
from .finding import Check

CHECKS: tuple[Check, ...] = (
    dangling_entry.CHECK,
    covered_pin.CHECK,
    double_pin.CHECK,
    busy_pin.CHECK,
    private_directory.CHECK,
    stale_link.CHECK,
    orphaned_namespace.CHECK,
    held_open.CHECK,
    lost_device.CHECK,
    stranded_sharer.CHECK,
    ownerless_veth.CHECK,
    duplicate_address.CHECK,
    mtu.CHECK,
    forward_drop.CHECK,
    no_forwarding.CHECK,
    no_default_route.CHECK,
    deaf_port.CHECK,
    ghost_port.CHECK,
    conntrack_full.CHECK,
    leftover_etc.CHECK,
)
NAMES = tuple(check.name for check in CHECKS)
REPAIRS = tuple(check.name for check in CHECKS if check.repairs)
