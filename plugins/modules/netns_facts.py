#!/usr/bin/python

# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: netns_facts
short_description: Gather facts about all network namespaces of a host
version_added: 1.0.0
description:
  - Finds every network namespace on the host, whether C(ip netns) knows it or not, and says whose it is.
  - Returns them as C(ansible_facts.netns) and changes nothing.
  - Can be listed in C(ANSIBLE_FACTS_MODULES) beside C(ansible.builtin.setup). Its options then come from
    C(module_defaults), as C(gather_subset) of C(ansible.builtin.gather_facts) goes to C(ansible.builtin.setup) only.
  - Does not fail where there is no engine or something cannot be read,
    but says so in RV(ansible_facts.netns.incomplete).
  - Works without root as far as the kernel lets it.
  - Take this one where the answer is to stay with the host - for fact caching, for C(ANSIBLE_FACTS_MODULES), or to be
    read by way of C(hostvars). Facts of many namespaces make each later task of a play slower. Where one playbook asks
    and answers, M(linuxnet.netns.netns_info) is the better one.

author:
  - The linuxnet.netns developers (@linuxnet)
extends_documentation_fragment:
  - linuxnet.netns._attributes
  - linuxnet.netns._attributes.actiongroup
  - linuxnet.netns._attributes.read_only
  - linuxnet.netns._facts
  - linuxnet.netns._host
attributes:
  facts:
    description: Action returns an C(ansible_facts) dictionary that will update existing host facts.
    support: full
seealso:
  - module: linuxnet.netns.netns_link
  - module: linuxnet.netns.netns_info
"""

EXAMPLES = r"""
- name: Gather whose the network namespaces are, and their interfaces
  linuxnet.netns.netns_facts:
  become: true

- name: Show the addresses of each container
  ansible.builtin.debug:
    msg: "{{ item.interfaces | map(attribute='addresses') | flatten }}"
  loop: "{{ ansible_facts.netns.namespaces | selectattr('kind', '==', 'container') }}"
  loop_control:
    label: "{{ item.containers | map(attribute='name') | join(', ') }}"

- name: Warn about links that keep the namespaces of stopped containers alive
  ansible.builtin.debug:
    msg: "{{ item.names | join(', ') }} on {{ inventory_hostname }} is stale"
  loop: "{{ ansible_facts.netns.namespaces | selectattr('stale', 'true') }}"
  loop_control:
    label: "{{ item.inode }}"

- name: Say which interface and bridge of the host each container is connected to
  ansible.builtin.debug:
    msg: "{{ item.1.name }} leads to {{ item.1.peer.interface }} on {{ item.1.peer.master }}"
  loop: "{{ ansible_facts.netns.namespaces | selectattr('containers') | subelements('interfaces') }}"
  loop_control:
    label: "{{ item.0.containers | map(attribute='name') | join(', ') }}"
  when: item.1.peer

- name: Gather as little as possible
  linuxnet.netns.netns_facts:
    gather_subset: min
"""

RETURN = r"""
ansible_facts:
  description: The facts that are added to the host's.
  returned: always
  type: dict
  contains:
    netns:
      description: The network namespaces of the host, and how far they could be read.
      returned: always
      type: dict
      contains:
        netns_dir:
          description: The directory of links that was looked into, with symbolic links resolved.
          returned: always
          type: str
          sample: /run/netns
        shared:
          description:
            - Whether a mount made in RV(ansible_facts.netns.netns_dir) reaches other mount namespaces,
              as C(ip netns) arranges it.
            - V(null) where there is no such directory.
          returned: always
          type: bool
          sample: true
        engines:
          description: The container engines that were asked; none without V(containers) in O(gather_subset).
          returned: always
          type: list
          elements: dict
          contains:
            name:
              description: The engine, as in O(engines).
              returned: always
              type: str
              sample: docker
            version:
              description: Its version, or V(null) where it did not say it.
              returned: always
              type: str
              sample: 28.5.2
            source:
              description:
                - The socket or state folder that tells this one from others of its kind.
                - C(/proc) for users' own engines, whose containers are found by the processes that watch over them.
              returned: always
              type: str
              sample: /run/docker.sock
            read_from:
              description:
                - The socket, file or folder that was read. Differs from the source where the engine's daemon is down
                  and its state files were read instead.
              returned: always
              type: str
              sample: /var/lib/docker
        complete:
          description: Whether everything that was asked for could be read.
          returned: always
          type: bool
          sample: true
        incomplete:
          description: What could not be read; empty where RV(ansible_facts.netns.complete) is true.
          returned: always
          type: list
          elements: dict
          contains:
            source:
              description:
                - An engine, V(processes), V(ledger) (this collection's list of its own links), V(namespaces), V(peers),
                  V(dns), or a directory.
              returned: always
              type: str
              sample: processes
            reason:
              description: What is missing, why, and the way out.
              returned: always
              type: str
              sample: "212 processes of other users could not be read: run as root (`become: true`)"
        lost_devices:
          description:
            - The devices of the machine that are in a namespace which is RV(ansible_facts.netns.namespaces[].stale),
              so that the host has lost them. There is a warning if there are any.
            - They come back to the host when nothing pins the namespace any more.
          returned: when O(gather_subset) has V(interfaces)
          type: list
          elements: dict
          contains:
            interface:
              description: The name of the device.
              returned: always
              type: str
              sample: enp3s0f1
            mac:
              description: Its hardware address, or V(null) where it has none.
              returned: always
              type: str
              sample: 52:54:00:6b:3c:58
            inode:
              description: The inode number of the namespace.
              returned: always
              type: int
              sample: 4026532184
            names:
              description: The names of the namespace in O(netns_dir).
              returned: always
              type: list
              elements: str
              sample: [router]
            pins:
              description: Every path that the namespace is mounted on.
              returned: always
              type: list
              elements: str
              sample: [/run/netns/router]
        namespaces:
          description:
            - Every network namespace that a process or thread is in, that is mounted in any mount namespace of a
              process, or that a process holds open; sorted by inode.
            - Narrowed by O(containers).
          returned: always
          type: list
          elements: dict
          contains:
            inode:
              description:
                - The namespace's inode number, as in C(ls -L -i /proc/PID/ns/net).
                - Identifies it while it lives. The kernel gives the number to another one afterwards.
              returned: always
              type: int
              sample: 4026532184
            dev:
              description: The device number of the kernel's file system for namespaces.
              returned: always
              type: int
              sample: 4
            is_host:
              description:
                - Whether it is the namespace of process 1.
                - Where process 1 may not be looked at, the module's own namespace is taken for it.
              returned: always
              type: bool
              sample: false
            names:
              description: Its names in O(netns_dir), as C(ip netns) knows them, also those of symbolic links.
              returned: always
              type: list
              elements: str
              sample: [web]
            pins:
              description:
                - Every path that it is mounted on.
                - Mounts that only other mount namespaces have come last, as they are seen through a process in there.
              returned: always
              type: list
              elements: str
              sample: [/run/docker/netns/8d6964defe15, /run/netns/web, /proc/812/root/run/user/1000/netns/a]
            nsid:
              description: The id by which the host's namespace knows it, or V(null) where it has none.
              returned: always
              type: int
              sample: 0
            kind:
              description:
                - V(host) for the host's own, V(pod) for a pod's, V(container) where a running container is in it,
                  V(named) where it has a name or a pin and no container, V(process) for any other.
                - V(null) where the engines were not asked, or one of them could not be read.
              returned: always
              type: str
              sample: container
            stale:
              description:
                - V(true) where no process is in it and it is kept by a link of this collection or by an engine's pin,
                  made for a container or process that is gone.
                - V(false) for plain named namespaces and those that engines keep for their networks.
                - V(null) where the engine, or processes of other users, could not be read, and for some seconds where
                  an engine may be just starting a container in it.
              returned: always
              type: bool
              sample: false
            engine:
              description:
                - The engine whose container or network it belongs to, or for whose container it was linked or pinned.
                  Else V(null).
              returned: always
              type: str
              sample: docker
            containers:
              description:
                - The running containers that share the namespace, by name. Who does is read from the kernel.
                - Those on the host's network are listed with the host's namespace.
                - A pod's containers go by their names in the pod. The container that only keeps the pod's namespace is
                  left out.
              returned: when O(gather_subset) has V(containers)
              type: list
              elements: dict
              contains:
                id:
                  description: The full id.
                  returned: always
                  type: str
                  sample: 32d072c6343a18caacf52ca395b58f08da2f62e487440fe630f9a2c28ab37503
                name:
                  description: The name.
                  returned: always
                  type: str
                  sample: web
                image:
                  description: The image, as the engine names it.
                  returned: always
                  type: str
                  sample: nginx:1.29
                pid:
                  description: The first process of the container.
                  returned: always
                  type: int
                  sample: 1723
                labels:
                  description: The labels, as far as the engine's state tells them.
                  returned: always
                  type: dict
                  sample: {tier: front}
            pod:
              description: The pod that the namespace belongs to, or V(null).
              returned: when O(gather_subset) has V(containers)
              type: dict
              contains:
                namespace:
                  description: The pod's namespace; empty where pods have none.
                  returned: always
                  type: str
                  sample: shop
                name:
                  description: The pod's name.
                  returned: always
                  type: str
                  sample: cart-0
                uid:
                  description: The pod's uid.
                  returned: always
                  type: str
                  sample: 0b6c9c5c-3f0e-4c39-9a6e-0d1f4b1f0a54
            unit:
              description:
                - The systemd unit of the processes in it, or that hold it open, where these are no container's.
                  Else V(null).
              returned: when O(gather_subset) has V(containers)
              type: str
              sample: unbound.service
            user:
              description:
                - The user whose rootless engine made its containers, or whose process is in it where there is none.
                - V(null) for root.
              returned: when O(gather_subset) has V(containers)
              type: str
              sample: mia
            network:
              description:
                - The network of the engine that it belongs to, or V(null). Docker keeps such namespaces for the overlay
                  networks of a swarm, with no process in them.
              returned: when O(gather_subset) has V(containers)
              type: dict
              contains:
                id:
                  description: The network's id.
                  returned: always
                  type: str
                  sample: s0d2k8q1m3v5x7z9b1d3f5h7j
                name:
                  description: The network's name, V(null) where the engine did not say it.
                  returned: always
                  type: str
                  sample: shop
            processes:
              description: The processes that have a thread in it, as far as they could be read.
              returned: when O(gather_subset) has V(processes)
              type: dict
              contains:
                count:
                  description: How many there are.
                  returned: always
                  type: int
                  sample: 2
                first:
                  description: The first few, by pid.
                  returned: always
                  type: list
                  elements: dict
                  contains:
                    pid:
                      description: The process id.
                      returned: always
                      type: int
                      sample: 1723
                    command:
                      description: The command name.
                      returned: always
                      type: str
                      sample: nginx
                holders:
                  description: The first few processes that hold it open and are not in it, by pid.
                  returned: always
                  type: list
                  elements: dict
                  contains:
                    pid:
                      description: The process id.
                      returned: always
                      type: int
                      sample: 812
                    command:
                      description: The command name.
                      returned: always
                      type: str
                      sample: runner
            interfaces:
              description: The interfaces, by index; V(null) where they could not be read.
              returned: when O(gather_subset) has V(interfaces)
              type: list
              elements: dict
              contains:
                name:
                  description: The name.
                  returned: always
                  type: str
                  sample: eth0
                index:
                  description: The index, unique in its namespace only.
                  returned: always
                  type: int
                  sample: 8
                kind:
                  description: The driver's kind, as in C(ip -d link), or V(null) where it has none.
                  returned: always
                  type: str
                  sample: veth
                mac:
                  description: The hardware address, or V(null) where it has none.
                  returned: always
                  type: str
                  sample: 02:42:ac:11:00:02
                mtu:
                  description: The largest packet, in bytes.
                  returned: always
                  type: int
                  sample: 1500
                state:
                  description: The operational state, as in C(ip link).
                  returned: always
                  type: str
                  sample: UP
                addresses:
                  description: Its own addresses of both families, each with its prefix length.
                  returned: always
                  type: list
                  elements: str
                  sample: [172.17.0.2/16]
                master:
                  description: The name of the interface that it belongs to, such as a bridge, or V(null).
                  returned: always
                  type: str
                  sample: null
                physical:
                  description:
                    - Whether it is a device of the machine, as a network card is, and nothing that was made.
                    - The host gets it back when the namespace is gone.
                  returned: always
                  type: bool
                  sample: false
                peer:
                  description:
                    - "Where it leads: the other end of a veth or another pair, or the interface that a macvlan, ipvlan,
                      VLAN or their like is on top of."
                    - The two ends of a pair name each other, and the kernel says where they are; nothing is guessed.
                    - V(null) where it leads nowhere, or to a namespace that was not found on this host.
                  returned: always
                  type: dict
                  contains:
                    inode:
                      description: The inode number of the namespace that the other one is in; may be the same.
                      returned: always
                      type: int
                      sample: 4026531833
                    names:
                      description: The names of that namespace in O(netns_dir).
                      returned: always
                      type: list
                      elements: str
                      sample: []
                    interface:
                      description: The name of the other one.
                      returned: always
                      type: str
                      sample: veth35b0a78
                    index:
                      description: The index of the other one, in its own namespace.
                      returned: always
                      type: int
                      sample: 9
                    master:
                      description: What the other one belongs to, such as a bridge, or V(null).
                      returned: always
                      type: str
                      sample: docker0
            routes:
              description:
                - The routes of the main table, those of IPv4 first, in the kernel's order.
                - A route with several next hops is one entry for each.
                - V(null) where they could not be read.
              returned: when O(gather_subset) has V(routes)
              type: list
              elements: dict
              contains:
                dst:
                  description: Where packets go, with its prefix length, or V(default).
                  returned: always
                  type: str
                  sample: default
                gateway:
                  description: The router on the way there, V(null) where none is needed. May be of the other family.
                  returned: always
                  type: str
                  sample: 172.17.0.1
                interface:
                  description: The name of the interface that they leave by, V(null) where they are dropped.
                  returned: always
                  type: str
                  sample: eth0
                metric:
                  description: The route's metric; the lowest of several is taken.
                  returned: always
                  type: int
                  sample: 0
                table:
                  description: The table that it is in.
                  returned: always
                  type: str
                  sample: main
                family:
                  description: V(inet) for IPv4, V(inet6) for IPv6.
                  returned: always
                  type: str
                  sample: inet
            dns:
              description:
                - What the C(/etc/resolv.conf) of a container in it says.
                - It is that of the container whose namespace it is, in a pod that of the pod's own container, and of
                  several that of the oldest. Those that share the namespace can have others.
                - V(null) for the host's namespace, where no container is in it, and where that has no such file.
              returned: when O(gather_subset) has V(dns)
              type: dict
              contains:
                nameservers:
                  description: The addresses of the servers, in their order.
                  returned: always
                  type: list
                  elements: str
                  sample: [10.96.0.10]
                search:
                  description: The domains in which short names are looked up.
                  returned: always
                  type: list
                  elements: str
                  sample: [shop.svc.cluster.local, svc.cluster.local, cluster.local]
                options:
                  description: The options for the resolver.
                  returned: always
                  type: list
                  elements: str
                  sample: ["ndots:5"]
"""

from ansible_collections.linuxnet.netns.plugins.module_utils import _facts_module


def main() -> None:
    """Run the module."""
    _facts_module.run(lambda netns: {"ansible_facts": {"netns": netns}})


if __name__ == "__main__":
    main()
