# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What all modules share between Ansible and the program, and no more: each import costs a run."""

from __future__ import annotations

import typing as t

from ._core.engines import registry

# Goes with the documentation fragment "host".
HOST_SPEC: dict[str, t.Any] = {
    "engines": {"type": "list", "elements": "str", "choices": list(registry.NAMES)},
    "netns_dir": {"type": "path", "default": "/run/netns"},
    "timeout": {"type": "float", "default": 5},
}
