#!/usr/bin/python

# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: netns_link
short_description: Link network namespaces of containers, pods and processes for C(ip netns)
version_added: 1.0.0
author:
  - The linuxnet.netns developers (@linuxnet)
description:
  - C(docker run) makes a network namespace for each container, and C(ip netns) shows none of them, as Docker leaves no
    reference in C(/run/netns). This module makes the reference, C(touch) and C(mount --bind), so that
    C(ip netns exec NAME ip addr) works, and takes it away again.
  - Other engines make such references under names that say nothing, as C(cni-028380d7-7dcf-44f5-35a4-607654492671).
    Theirs stay as they are, and a link with a readable name is made beside them.
  - What is mounted is what was checked. The namespace is opened once, its owner is verified, and it is mounted from
    the open file, so that a reused PID is never linked.
  - Which links are its own, the module remembers in C(/run/linuxnet-netns). Links of others are never replaced or
    removed unless O(force=true).
options:
  containers:
    description:
      - Names, ids, unambiguous id prefixes, or shell patterns of containers (V(web-*); the C(*) does not cross a C(/)).
        An exact name or id beats a prefix, a prefix beats a pattern.
      - A pod goes by C(namespace/pod) or the pod's name. A container in a pod selects its pod.
      - A container that is named exactly and cannot be linked is an error, and nothing is changed then. What a
        pattern selects and has nothing to link is RV(links[].action=skipped).
      - A container that shares another one's namespace gets a link of its own name when it is named exactly.
      - With O(state=absent), the links that were made for these containers go, also when the containers are long gone.
      - An empty list selects nothing.
    type: list
    elements: str
    aliases: [container]
  all:
    description:
      - Every running container or pod that has a namespace of its own.
      - With O(state=absent), every link that this collection made in O(netns_dir).
    type: bool
    default: false
  labels:
    description:
      - Labels that containers must have, all of them, with these values. Values are compared as strings.
      - Narrows patterns in O(containers), O(all), O(prune) and O(state=absent).
      - The engines C(containerd), C(lxc) and C(nspawn) keep no labels where they can be read (C(nerdctl) does), so
        that with labels their containers are not selected.
    type: dict
    default: {}
  pid:
    description:
      - A process whose namespace is linked as O(name). Such a link is never pruned.
    type: int
  path:
    description:
      - A file of a network namespace, as an engine's pin or C(/proc/PID/ns/net), that is linked as O(name).
        Such a link is never pruned.
    type: path
  name:
    description:
      - The link's name, taken as it is. With O(state=present) exactly one, for one container, O(pid) or O(path).
      - With O(state=absent) the links to remove.
    type: list
    elements: str
  name_template:
    description:
      - How links are called. A pod's C({name}) is C(NAMESPACE_POD), or C(POD) where pods have no namespace.
      - The placeholders are C({name}), C({id}), C({short_id}), C({engine}), C({pod}),
        C({pod_namespace}), C({pod_uid}), C({compose_project}) and C({compose_service}).
      - Quote it in YAML, where an unquoted C({id}) is a dictionary.
    type: str
    default: "{name}"
  state:
    description:
      - Whether the links are to be there.
    type: str
    choices: [present, absent]
    default: present
  prune:
    description:
      - Also remove links that this collection made for containers that are gone.
      - Links of an engine that could not be read in full are kept. Unknown is not gone.
      - May be given alone.
    type: bool
    default: false
  force:
    description:
      - Replace or remove a link that this collection did not make.
      - A directory, a file that is not empty, or a device is never replaced.
    type: bool
    default: false
  resolv_conf:
    description:
      - Also write C(/etc/netns/NAME/resolv.conf) with the container's DNS servers, so that
        C(ip netns exec NAME) asks those.
      - The file says in its first line that it is ours, and goes with the link. A file without that line is never
        overwritten or removed unless O(force=true).
      - A host that resolves names by C(nss-resolve) asks C(systemd-resolved) on the host, whatever this file says.
    type: bool
    default: false
notes:
  - One of O(containers), O(all), O(pid), O(path), O(prune), or with O(state=absent) O(name), is needed. The selectors
    O(containers), O(all), O(pid) and O(path) exclude each other.
  - C(systemd) keeps one C(.mount) unit for each link. Thousands of links make PID 1 slow, so link what is needed, with
    O(labels).
seealso:
  - module: linuxnet.netns.netns_facts
  - module: linuxnet.netns.netns_info
  - name: ip-netns(8)
    description: The manual of C(ip netns).
    link: https://man7.org/linux/man-pages/man8/ip-netns.8.html
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
- name: Link every running container, so that ip netns lists it by its name
  linuxnet.netns.netns_link:
    all: true

- name: Follow restarts, and let go of containers that are gone
  linuxnet.netns.netns_link:
    all: true
    prune: true

- name: Link just the containers of one compose project
  linuxnet.netns.netns_link:
    all: true
    labels:
      com.docker.compose.project: shop
    name_template: "{compose_project}_{name}"

- name: Link one container under the name that the touch-and-mount recipe gives
  linuxnet.netns.netns_link:
    container: web
    name_template: "{id}"

- name: Link the pods of one Kubernetes namespace, such as shop_cart for shop/cart
  linuxnet.netns.netns_link:
    containers: "shop/*"

- name: Link the namespace that Docker Swarm keeps for its ingress network
  linuxnet.netns.netns_link:
    path: /run/docker/netns/ingress_sbox
    name: ingress

- name: Link the namespace of a plain process
  linuxnet.netns.netns_link:
    pid: 4711
    name: vpn

- name: Remove two links
  linuxnet.netns.netns_link:
    name:
      - web
      - vpn
    state: absent

- name: Remove every link that this collection made, and no other
  linuxnet.netns.netns_link:
    all: true
    state: absent
"""

RETURN = r"""
links:
  description:
    - What was selected and what became of it, sorted by name.
    - Also returned when the task fails after some links were made.
  returned: when the options make sense and what is named exactly can be linked
  type: list
  elements: dict
  contains:
    name:
      description: The link's name.
      type: str
      sample: web
    path:
      description: Where the link is.
      type: str
      sample: /run/netns/web
    netns:
      description: The inode number of the network namespace, V(null) where there is none.
      type: int
      sample: 4026532184
    engine:
      description: The container's engine, V(null) for a process or a path.
      type: str
      sample: docker
    container:
      description: The container, or the one that stands for a pod; V(null) for a process or a path.
      type: dict
      contains:
        id:
          description: Its full id.
          type: str
          sample: 32d072c6343a18caacf52ca395b58f08da2f62e487440fe630f9a2c28ab37503
        name:
          description: Its name.
          type: str
          sample: web
    pod:
      description: The pod, V(null) where there is none.
      type: dict
      contains:
        namespace:
          description: Its namespace.
          type: str
        name:
          description: Its name.
          type: str
        uid:
          description: Its uid.
          type: str
    pid:
      description: The first process of the container, or the one that was given, V(null) where it is not known.
      type: int
      sample: 2664
    action:
      description:
        - What was done. In check mode, what would be done.
        - V(created), V(repaired) (the rest of an interrupted run), V(relinked) (to another namespace), V(unchanged)
          or V(removed).
        - V(skipped) has nothing to link, V(conflict) cannot have its name. RV(links[].reason) says why. The task fails
          after the others are done where there is a conflict.
      type: str
      choices: [created, repaired, relinked, unchanged, removed, skipped, conflict]
      sample: created
    reason:
      description: Why, where the action needs one, else V(null).
      type: str
      sample: it is on the host's network and has no namespace of its own
"""

from ansible_collections.linuxnet.netns.plugins.module_utils._link_module import run_link


def main() -> None:
    """Run the module."""
    run_link()


if __name__ == "__main__":
    main()
