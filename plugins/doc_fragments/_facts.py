# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this doc fragment is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""The options of netns_facts and netns_info."""

from __future__ import annotations


class ModuleDocFragment:
    """Documents C(spec) in C(plugins/module_utils/_facts_module.py)."""

    DOCUMENTATION = r"""
options:
  gather_subset:
    description:
      - What to gather in addition to the identity, names and pins of each namespace, which the module always returns.
      - V(containers) reads from the container engines which containers own the namespaces. Without it,
        RV(ignore:kind) and RV(ignore:stale) are V(null) if only an engine could determine them.
      - V(interfaces) enters each namespace and reads its interfaces, their addresses and their peers. This needs root.
      - V(routes) enters each namespace and reads its main routing table. This needs root.
      - V(processes) counts the processes in each namespace and lists the first few.
      - V(dns) reads the C(/etc/resolv.conf) of a container in each namespace. It includes V(containers), and has no
        effect if you exclude these.
      - V(sockets) enters each namespace, lists the TCP and UDP sockets that listen there, with their processes, and
        counts the others. This needs root. It also lists the ports that engines publish, and for that includes
        V(containers). The kernel walks the connections of the whole host for each namespace that has TCP sockets, so it
        is not part of the default. Added in version 1.1.0.
      - V(min) selects none of these, and V(all) selects all of them.
      - A V(!) excludes a subset, wherever it is in the list. A list of only exclusions starts from V(all). V(!all)
        leaves only what the module always returns and the subsets that the list names. V(!min) changes nothing.
    type: list
    elements: str
    default:
      - containers
      - interfaces
    choices:
      - all
      - min
      - containers
      - interfaces
      - routes
      - processes
      - dns
      - sockets
      - "!all"
      - "!min"
      - "!containers"
      - "!interfaces"
      - "!routes"
      - "!processes"
      - "!dns"
      - "!sockets"
  containers:
    description:
      - Returns only the namespaces of these containers, and those with these names in O(netns_dir).
      - Each item is the name of a container, its id or the beginning of the id, the name of a link, or a shell pattern
        for names, in which V(*) does not match a V(/). An exact name or id takes precedence over the beginning of an
        id, which has at least 4 characters, and must be hexadecimal.
      - An empty list returns no namespaces.
      - Includes V(containers) in O(gather_subset).
    type: list
    elements: str
    aliases:
      - container
      - name
"""
