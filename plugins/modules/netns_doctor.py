#!/usr/bin/python

# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: netns_doctor
short_description: Find out what is wrong with the network namespaces of a host, and repair it
version_added: 1.1.0
author:
  - The linuxnet.netns developers (@linuxnet)
description:
  - Looks for namespaces, names and interfaces that are left over, hidden or stuck, and for containers that have lost
    their network. Each finding contains what was read, where it was read, and what helps.
  - The module looks twice, a second apart, and returns only what it finds both times. It returns nothing that it
    could not read, for example nothing about the containers of an engine that does not answer.
  - Changes nothing unless O(repair) names a check. A repair reads everything again right before it acts. It changes no
    namespace that a process is in, except that C(ownerless_veth) deletes a veth of the host, and C(lost_device) moves
    a device to the host.
options:
  checks:
    description:
      - The checks to run. By default, the module runs all of them.
      - A name after C(!) excludes a check. Exclusions alone start from all checks.
    type: list
    elements: str
    choices:
      - dangling_entry
      - covered_pin
      - double_pin
      - busy_pin
      - private_directory
      - stale_link
      - orphaned_namespace
      - held_open
      - lost_device
      - stranded_sharer
      - ownerless_veth
      - duplicate_address
      - mtu
      - forward_drop
      - no_forwarding
      - no_default_route
      - deaf_port
      - ghost_port
      - conntrack_full
      - leftover_etc
      - "!dangling_entry"
      - "!covered_pin"
      - "!double_pin"
      - "!busy_pin"
      - "!private_directory"
      - "!stale_link"
      - "!orphaned_namespace"
      - "!held_open"
      - "!lost_device"
      - "!stranded_sharer"
      - "!ownerless_veth"
      - "!duplicate_address"
      - "!mtu"
      - "!forward_drop"
      - "!no_forwarding"
      - "!no_default_route"
      - "!deaf_port"
      - "!ghost_port"
      - "!conntrack_full"
      - "!leftover_etc"
  repair:
    description:
      - The checks whose findings the module repairs, if they are repairable. By default, it repairs nothing.
    type: list
    elements: str
    choices:
      - dangling_entry
      - private_directory
      - stale_link
      - orphaned_namespace
      - lost_device
      - ownerless_veth
      - leftover_etc
    default: []
  min_age:
    description:
      - How long something has to last, in seconds, before it is a finding. What engines are making or removing is
        younger.
    type: float
    default: 60
  containers:
    description:
      - Returns only findings about the namespaces of these containers, and about these names in O(netns_dir).
      - The names, ids, id prefixes, or shell patterns of containers, or names of links, as in
        M(linuxnet.netns.netns_info).
    type: list
    elements: str
    aliases: [container]
seealso:
  - module: linuxnet.netns.netns_info
  - module: linuxnet.netns.netns_link
extends_documentation_fragment:
  - linuxnet.netns._attributes
  - linuxnet.netns._attributes.actiongroup
  - linuxnet.netns._host
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
"""

EXAMPLES = r"""
- name: See what is wrong
  linuxnet.netns.netns_doctor:
  register: doctor

- name: Fail if something does not work
  ansible.builtin.assert:
    that: doctor.findings | selectattr('severity', 'eq', 'error') | length == 0

- name: Remove dead names, and links of containers that are gone
  linuxnet.netns.netns_doctor:
    repair:
      - dangling_entry
      - stale_link

- name: Run all checks but one
  linuxnet.netns.netns_doctor:
    checks: "!mtu"
"""

RETURN = r"""
findings:
  description: What is wrong, in the order of the checks.
  returned: always
  type: list
  elements: dict
  contains:
    check:
      description: The name of the check.
      type: str
      sample: dangling_entry
    severity:
      description:
        - V(error) if something does not work now, V(warning) if something keeps resources, or does not work for some
          connections or later, and V(note) for what is merely left over or may be intended.
      type: str
      choices: [error, warning, note]
      sample: warning
    subject:
      description: What the finding is about. Values that do not apply are V(null) or empty.
      type: dict
      contains:
        inode:
          description: The inode number of the namespace, as in C(net:[4026532184]).
          type: int
          sample: 4026532184
        names:
          description: The names of the namespace, or of the entry, in O(netns_dir).
          type: list
          elements: str
          sample: [web]
        path:
          description: The path of the entry, pin or file.
          type: str
          sample: /run/netns/web
        interface:
          description: The name of the interface.
          type: str
          sample: eth1
        containers:
          description: The names of the containers.
          type: list
          elements: str
          sample: [web]
    message:
      description: What is wrong, in a sentence.
      type: str
      sample: "/run/netns/web is an empty file: it leads to no network namespace"
    evidence:
      description: What was read, and where.
      type: list
      elements: str
      sample: ["/run/netns/web: size 0, and in no mount table of the host"]
    remedy:
      description: What helps.
      type: str
      sample: "remove it: `rm /run/netns/web`, or `repair: [dangling_entry]`"
    repairable:
      description: Whether O(repair) can repair it.
      type: bool
      sample: true
    repaired:
      description: Whether the module repaired it. In check mode, whether a run would.
      type: bool
      sample: false
checked:
  description:
    - The checks that ran. A check is missing if it was not selected, or if what it needs could not be read;
      RV(incomplete) then contains the reason.
  returned: always
  type: list
  elements: str
  sample: [dangling_entry, stale_link]
incomplete:
  description: What could not be read, so that there may be more to find. It is like C(incomplete) of
    M(linuxnet.netns.netns_info).
  returned: always
  type: list
  elements: dict
  contains:
    source:
      description: What could not be read, such as an engine.
      type: str
      sample: docker
    reason:
      description: The reason, and how to resolve it.
      type: str
      sample: "processes of other users could not be read: run as root (`become: true`)"
"""

# The first import, for those that follow.
from ansible_collections.linuxnet.netns.plugins.module_utils import _zip_importer  # noqa: F401  # pylint: disable=unused-import
from ansible_collections.linuxnet.netns.plugins.module_utils._doctor_module import run_doctor


def main() -> None:
    """Run the module."""
    run_doctor()


if __name__ == "__main__":
    main()
