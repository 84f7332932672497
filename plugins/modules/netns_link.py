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
  - C(docker run) makes a network namespace for each container. C(ip netns) lists none of them, because Docker makes no
    entry in C(/run/netns). This module makes that entry, as C(touch) and C(mount --bind) do, so that
    C(ip netns exec NAME ip addr) works. It also removes the entry. Such an entry is called a link.
  - Other engines make entries under generated names, such as C(cni-028380d7-7dcf-44f5-35a4-607654492671).
    The module leaves these as they are, and makes a link with a readable name in addition.
  - The module opens the namespace once, verifies its owner, and mounts it from the open file. So it never links
    the namespace of another process that reuses the PID.
  - The module lists the links that it makes in a ledger in C(/run/linuxnet-netns). These links are managed; all other
    entries are foreign. The module never replaces or removes foreign links unless O(force=true).
options:
  containers:
    description:
      - The names, ids, unambiguous id prefixes, or shell patterns of containers, such as V(web-*). The C(*) in a
        pattern does not match a C(/). An exact name or id takes precedence over a prefix, and a prefix over a pattern.
      - A prefix has at least 4 characters, and with O(state=absent) at least 12. Only hexadecimal ids have prefixes,
        not those of C(lxc), C(nspawn), C(incus), C(lxd) and C(ctr), which are names. Hexadecimal ids can be in
        capitals.
      - You select an instance of Incus or LXD by C(project/name) or by its name.
      - You select a pod by C(namespace/pod) or by its name. A container in a pod selects the pod.
      - If you name a container exactly and it cannot be linked, the task fails and changes nothing. If a pattern
        selects a container that cannot be linked, the result has RV(links[].action=skipped).
      - A container that shares the namespace of another container gets a link of its own only if you name it exactly.
      - With O(state=absent), removes the links that were made for these containers, even if the containers are gone.
      - An empty list selects nothing.
    type: list
    elements: str
    aliases: [container]
  all:
    description:
      - Selects every running container or pod that has a namespace of its own.
      - With O(state=absent), selects every managed link in O(netns_dir).
    type: bool
    default: false
  labels:
    description:
      - The labels that a container must have, all of them, with these values. The module compares values as strings.
      - Limits patterns in O(containers), O(all), O(prune) and O(state=absent).
      - C(lxc) and C(nspawn) have no labels. With this option, the module does not select their containers.
      - The labels of C(incus) and C(lxd) are the settings C(user.*), such as C(user.tier).
    type: dict
    default: {}
  pid:
    description:
      - The PID of a process. The module links its namespace as O(name), and never prunes such a link.
    type: int
  path:
    description:
      - The path of a network namespace, such as an engine's pin or C(/proc/PID/ns/net). The module links the namespace
        as O(name), and never prunes such a link.
    type: path
  name:
    description:
      - The exact name of the link. With O(state=present), give one name, for one container, O(pid) or O(path).
      - With O(state=absent), the names of the links to remove.
    type: list
    elements: str
  name_template:
    description:
      - The template for the names of links. The C({name}) of a pod is C(NAMESPACE_POD), or C(POD) where pods have no
        namespace. With the default template, a name that is a number has the engine before it, as C(lxc-100), because
        C(ip) reads a number as a PID.
      - The placeholders are C({name}), C({id}), C({short_id}), C({engine}), C({user}), C({pod}), C({pod_namespace}),
        C({pod_uid}), C({compose_project}), C({compose_service}), C({compose_number}), C({swarm_service}) and
        C({swarm_slot}).
      - C({user}) is the user of a rootless engine, otherwise C(root). C({swarm_slot}) is the number of the container
        in its Swarm service, or the id of the node for a global service.
      - Quote the template in YAML, because an unquoted C({id}) is a dictionary.
    type: str
    default: "{name}"
  state:
    description:
      - Whether the links should exist.
    type: str
    choices: [present, absent]
    default: present
  prune:
    description:
      - Also removes managed links for containers that are gone.
      - With O(all), it also removes the former link of a container that was renamed, or that has another name by a new
        O(name_template). A link whose name was given as O(name) stays.
      - Keeps the links of an engine that could not be read in full, because its containers may still exist.
      - You can use this option without selecting containers.
    type: bool
    default: false
  force:
    description:
      - Replaces or removes foreign links.
      - The module never replaces a directory, a file that is not empty, or a device.
    type: bool
    default: false
  resolv_conf:
    description:
      - Also writes C(/etc/netns/NAME/resolv.conf) with the container's DNS servers, so that programs in
        C(ip netns exec NAME) use them.
      - The first line of the file marks it as managed. The module removes the file together with the link. It never
        overwrites or removes a file without that line unless O(force=true).
      - If the host resolves names with C(nss-resolve), programs ask C(systemd-resolved) on the host, whatever this file
        contains.
    type: bool
    default: false
notes:
  - Give one of O(containers), O(all), O(pid), O(path), O(prune), or with O(state=absent) O(name). The selectors
    O(containers), O(all), O(pid) and O(path) exclude each other.
  - C(systemd) keeps one C(.mount) unit for each link. Thousands of links make PID 1 slow. So link only the containers
    that you need, for example with O(labels).
seealso:
  - module: linuxnet.netns.netns_facts
  - module: linuxnet.netns.netns_info
  - name: ip-netns(8)
    description: The manual page of C(ip netns).
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
- name: Link every running container, so that ip netns lists it by name
  linuxnet.netns.netns_link:
    all: true

- name: Update the links of restarted containers, and remove those of containers that are gone
  linuxnet.netns.netns_link:
    all: true
    prune: true

- name: Link only the containers of one compose project
  linuxnet.netns.netns_link:
    all: true
    labels:
      com.docker.compose.project: shop
    name_template: "{compose_project}_{name}"

- name: Link one container under its full id
  linuxnet.netns.netns_link:
    container: web
    name_template: "{id}"

- name: Link the pods of one Kubernetes namespace, for example shop/cart as shop_cart
  linuxnet.netns.netns_link:
    containers: "shop/*"

- name: Link the namespace that Docker Swarm keeps for its ingress network
  linuxnet.netns.netns_link:
    path: /run/docker/netns/ingress_sbox
    name: ingress

- name: Link the namespace of a process
  linuxnet.netns.netns_link:
    pid: 4711
    name: vpn

- name: Remove two links
  linuxnet.netns.netns_link:
    name:
      - web
      - vpn
    state: absent

- name: Remove every managed link, and no other
  linuxnet.netns.netns_link:
    all: true
    state: absent
"""

RETURN = r"""
links:
  description:
    - The selected links with the action for each, sorted by name.
    - Also returned when the task fails after it made some links.
  returned: when the options are valid and all containers that are named exactly can be linked
  type: list
  elements: dict
  contains:
    name:
      description: The name of the link.
      type: str
      sample: web
    path:
      description: The path of the link.
      type: str
      sample: /run/netns/web
    inode:
      description:
        - The inode number of the network namespace that the link leads to, as in C(net:[4026532184]).
        - V(null) if there is no namespace.
        - It is C(inode) in the results of M(linuxnet.netns.netns_facts) and M(linuxnet.netns.netns_info) too.
      type: int
      sample: 4026532184
    netns:
      description: The same number as RV(links[].inode).
      type: int
      sample: 4026532184
    engine:
      description: The engine of the container. V(null) for a process or a path.
      type: str
      sample: docker
    container:
      description:
        - The container. For a pod, the container that represents it, which is usually the sandbox.
        - V(null) for a process or a path.
      type: dict
      contains:
        id:
          description: The full id of the container.
          type: str
          sample: 32d072c6343a18caacf52ca395b58f08da2f62e487440fe630f9a2c28ab37503
        name:
          description: The name of the container.
          type: str
          sample: web
    pod:
      description: The pod. V(null) if there is none.
      type: dict
      contains:
        namespace:
          description: The namespace of the pod, in terms of Kubernetes.
          type: str
        name:
          description: The name of the pod.
          type: str
        uid:
          description: The uid of the pod.
          type: str
    pid:
      description: The PID of the container's first process, or of the given process. V(null) if it is not known.
      type: int
      sample: 2664
    action:
      description:
        - The action of the module. In check mode, the action that a run would take.
        - V(created), V(repaired) (for example after an interrupted run), V(relinked) (to another namespace),
          V(unchanged) or V(removed).
        - V(skipped) means that there is nothing to link, or that the kernel refused the change. V(conflict) means that
          the link cannot have its name. RV(links[].reason) contains the reason.
        - The task fails after it processed the other links if there is a conflict, or if the kernel refused a change.
      type: str
      choices: [created, repaired, relinked, unchanged, removed, skipped, conflict]
      sample: created
    reason:
      description: The reason for the action, if it needs one. Otherwise V(null).
      type: str
      sample: it is on the host's network and has no namespace of its own
"""

# The first import, for those that follow.
from ansible_collections.linuxnet.netns.plugins.module_utils import _zip_importer  # noqa: F401  # pylint: disable=unused-import
from ansible_collections.linuxnet.netns.plugins.module_utils._link_module import run_link


def main() -> None:
    """Run the module."""
    run_link()


if __name__ == "__main__":
    main()
