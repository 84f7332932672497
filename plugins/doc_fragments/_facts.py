# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options of the modules that say what namespaces there are."""

from __future__ import annotations


class ModuleDocFragment:
    """Goes with C(FACTS_SPEC) in C(plugins/module_utils/_facts_module.py)."""

    DOCUMENTATION = r"""
options:
  gather_subset:
    description:
      - What to gather beside the identity, names and pins of each namespace, which are always given.
      - V(containers) asks the container engines whose the namespaces are.
        Without it RV(ignore:kind) and RV(ignore:stale) are V(null) where only an engine could tell.
      - V(interfaces) enters each namespace and reads its interfaces, their addresses and where they lead, which takes
        root.
      - V(routes) enters each namespace too and reads its main table of routes.
      - V(processes) counts the processes in each namespace and names the first few.
      - V(dns) reads the C(/etc/resolv.conf) of a container in each namespace. It implies V(containers), and is left out
        where these are excluded.
      - V(min) is none of these, V(all) is all of them.
      - What is excluded with a V(!) stays out. A list with nothing but exclusions starts from V(all).
        V(!all) leaves only what is always given and what is named beside it; V(!min) changes nothing.
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
      - "!all"
      - "!min"
      - "!containers"
      - "!interfaces"
      - "!routes"
      - "!processes"
      - "!dns"
  containers:
    description:
      - Only give the namespaces of these containers, or with these names in O(netns_dir).
      - Each item is the name of a container, its id or the beginning of it, the name of a link,
        or a shell pattern for names, in which V(*) does not cross a V(/).
      - An empty list gives no namespaces.
      - Implies V(containers) in O(gather_subset).
    type: list
    elements: str
    aliases:
      - name
"""
