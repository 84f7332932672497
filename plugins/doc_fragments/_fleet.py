# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this doc fragment is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""The options of the filters for facts."""

from __future__ import annotations


class ModuleDocFragment:
    """Documents what C(plugins/plugin_utils/_fleet_schema.py) accepts, and an option of C(_fleet_table.py)."""

    DOCUMENTATION = r"""
options:
  _input:
    description:
      - The facts of one host, as M(linuxnet.netns.netns_facts) puts them into C(ansible_facts.netns) and
        M(linuxnet.netns.netns_info) returns them.
      - Or a dictionary of hosts. The value of each host is its facts, or its variables with the facts among them, as in
        C(hostvars), or V(none) for a host without facts.
    type: dict
    required: true
"""

    PORTS = r"""
options:
  ports:
    description:
      - Whether the ports of each namespace are included. They are the published ports, as C(8080->80/tcp), and the
        sockets that listen, as C(80/tcp), each after its address if that is not all addresses.
      - The facts need the subset C(sockets).
    type: bool
    default: false
    version_added: 1.1.0
"""
