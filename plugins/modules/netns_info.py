#!/usr/bin/python

# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: netns_info
short_description: Get information about all network namespaces of a host
version_added: 1.0.0
description:
  - Finds every network namespace on the host, whether C(ip netns) lists it or not, and the container, pod, unit or
    process that owns it.
  - Returns what M(linuxnet.netns.netns_facts) gathers, as a plain result for C(register). Changes nothing.
  - Use this module if one playbook reads and uses the result, and wherever there are many namespaces. A plain result
    does not make later tasks slower, but facts make each of them slower. If the facts have to stay with the host, use
    M(linuxnet.netns.netns_facts) instead.
  - Does not fail if there is no engine or if something cannot be read. RV(netns.incomplete) lists what could not be
    read.
  - Works without root, as far as the kernel permits it.
author:
  - The linuxnet.netns developers (@linuxnet)
extends_documentation_fragment:
  - linuxnet.netns._attributes
  - linuxnet.netns._attributes.actiongroup
  - linuxnet.netns._attributes.read_only
  - linuxnet.netns._facts
  - linuxnet.netns._host
seealso:
  - module: linuxnet.netns.netns_link
  - module: linuxnet.netns.netns_facts
"""

EXAMPLES = r"""
- name: Read everything
  linuxnet.netns.netns_info:
    gather_subset: all
  become: true
  register: result

- name: Show the containers that share each network namespace
  ansible.builtin.debug:
    msg: "{{ item.containers | map(attribute='name') | join(', ') }}"
  loop: "{{ result.netns.namespaces | selectattr('containers') }}"
  loop_control:
    label: "{{ item.inode }}"

- name: Read the addresses of one container
  linuxnet.netns.netns_info:
    containers: web
    gather_subset: interfaces
  become: true
  register: web

- name: Read the interfaces with their peers, the routes and the name servers
  linuxnet.netns.netns_info:
    gather_subset: [containers, interfaces, routes, dns]
  become: true
  register: network

- name: Show the name servers of each container
  ansible.builtin.debug:
    msg: "{{ item.dns.nameservers | join(', ') }}"
  loop: "{{ network.netns.namespaces | selectattr('dns') }}"
  loop_control:
    label: "{{ item.containers | map(attribute='name') | join(', ') }}"

- name: Make sure that everything could be read
  ansible.builtin.assert:
    that: result.netns.complete
    fail_msg: "{{ result.netns.incomplete }}"
"""

RETURN = r"""
netns:
  description: The network namespaces of the host, and what could not be read.
  returned: always
  type: dict
  contains:
    netns_dir:
      description: The directory of links that was read, with symbolic links resolved.
      returned: always
      type: str
      sample: /run/netns
    shared:
      description:
        - Whether other mount namespaces see a new mount in RV(netns.netns_dir), as C(ip netns) sets
          it up.
        - A sandboxed service that has been running since before M(linuxnet.netns.netns_link) set it up does not
          see it.
        - V(null) if the directory does not exist.
      returned: always
      type: bool
      sample: true
    engines:
      description: The container engines that were read. Empty without V(containers) in O(gather_subset).
      returned: always
      type: list
      elements: dict
      contains:
        name:
          description: The name of the engine, as in O(engines).
          returned: always
          type: str
          sample: docker
        version:
          description: The version of the engine. V(null) if the engine did not report it.
          returned: always
          type: str
          sample: 28.5.2
        source:
          description:
            - The socket or state directory that distinguishes this engine from others of its kind.
            - C(/proc) for rootless engines, whose containers the module finds by the processes that supervise them.
          returned: always
          type: str
          sample: /run/docker.sock
        state:
          description:
            - V(read) if the engine was read. The reason of any other state is in C(incomplete).
            - V(down) if it does not run and its files cannot be used instead.
            - V(unreadable) if it hangs, returns invalid answers or refuses access.
            - V(elsewhere) if its processes are not those of this host.
          returned: always
          type: str
          sample: read
        read_from:
          description:
            - The socket, file or directory that was read. Differs from the source if the engine's daemon is down
              and its state files were read instead.
          returned: always
          type: str
          sample: /var/lib/docker
    complete:
      description: Whether everything that the options ask for could be read.
      returned: always
      type: bool
      sample: true
    incomplete:
      description: What could not be read. Empty if RV(netns.complete) is true.
      returned: always
      type: list
      elements: dict
      contains:
        source:
          description:
            - An engine, V(processes), V(ledger) (the list of managed links), V(namespaces), V(peers), V(dns),
              V(users), V(mount namespaces), V(sockets), V(cni), or a directory.
          returned: always
          type: str
          sample: processes
        reason:
          description: What is missing, why, and how to solve the problem.
          returned: always
          type: str
          sample: "212 processes of other users could not be read: run as root (`become: true`)"
    lost_devices:
      description:
        - The devices of the machine that the host has lost, because they are in a namespace that is
          RV(netns.namespaces[].stale). The module warns about them.
        - The host gets a device back when nothing pins the namespace anymore.
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
          description: The hardware address. V(null) if the device has none.
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
          description: Every path on which the namespace is mounted.
          returned: always
          type: list
          elements: str
          sample: [/run/netns/router]
    forwards:
      description:
        - The ports of the host that are published to containers and pods, by protocol and port. They are what Docker,
          Podman, Incus, LXD and the cache of CNI report, the arguments of Docker's proxies, and of rootless engines
          the files of the user and the sockets on the host. Ports that only a firewall forwards are not listed.
        - V(null) without V(containers) in O(gather_subset).
      returned: when O(gather_subset) has V(sockets)
      type: list
      elements: dict
      version_added: 1.1.0
      contains:
        protocol:
          description: V(tcp), V(udp) or V(sctp).
          returned: always
          type: str
          sample: tcp
        address:
          description: The address of the host. V(0.0.0.0) and V(::) are all addresses.
          returned: always
          type: str
          sample: 0.0.0.0
        port:
          description: The port of the host.
          returned: always
          type: int
          sample: 8080
        to_address:
          description:
            - The address of the container. V(null) if the container has several, and the engine does not report which
              it is.
          returned: always
          type: str
          sample: 172.18.0.2
        to_port:
          description: The port of the container.
          returned: always
          type: int
          sample: 80
        inode:
          description: The inode number of the container's namespace. V(null) if it is not known.
          returned: always
          type: int
          sample: 4026532184
        container:
          description:
            - The name of the container. V(null) for a pod, and if no engine lists a container of this port, as of a
              proxy that Docker left behind.
          returned: always
          type: str
          sample: web
        by:
          description:
            - What reports the port - V(docker), V(podman), V(incus), V(lxd), V(cni) for the cache of CNI, or V(proxy)
              for a process of Docker's whose port no engine reports.
          returned: always
          type: str
          sample: docker
        listening:
          description:
            - Whether a socket in the container's namespace receives what arrives at the port. A socket at V(127.0.0.1)
              does not.
            - V(null) if that is not known.
          returned: always
          type: bool
          sample: true
    namespaces:
      description:
        - The network namespaces that a process or thread is in, that are mounted in any mount namespace, that a process
          holds open, or that a socket of a process keeps. They are sorted by inode.
        - O(containers) limits the list.
      returned: always
      type: list
      elements: dict
      contains:
        inode:
          description:
            - The namespace's inode number, as in C(ls -L -i /proc/PID/ns/net).
            - Identifies the namespace while it exists. The kernel reuses the number later.
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
            - Whether this is the namespace of process 1.
            - If the module cannot read process 1, it uses its own namespace instead.
          returned: always
          type: bool
          sample: false
        names:
          description:
            - The names of the namespace in O(netns_dir), as C(ip netns) lists them, including those of symbolic
              links.
          returned: always
          type: list
          elements: str
          sample: [web]
        pins:
          description:
            - Every path on which the namespace is mounted.
            - Mounts that exist only in other mount namespaces come last. Their paths lead through a process there.
              In a mount namespace without processes, they have the form NAMESPACE:PATH.
          returned: always
          type: list
          elements: str
          sample: [/run/docker/netns/8d6964defe15, /run/netns/web, /proc/812/root/run/user/1000/netns/a]
        nsid:
          description: The id of the namespace (nsid) in the host's namespace. V(null) if it has none.
          returned: always
          type: int
          sample: 0
        kind:
          description:
            - V(host) for the namespace of the host, V(pod) for that of a pod, V(container) if a running container
              is in it, V(named) if it has a name or a pin but no container, and V(process) for all others.
            - V(null) if the engines were not read, or one of them could not be read.
          returned: always
          type: str
          sample: container
        stale:
          description:
            - V(true) if no process is in the namespace, and only a managed link or an engine's pin keeps it, which
              was made for a container or process that is gone.
            - V(false) for other namespaces with a name in RV(netns.netns_dir) or C(/run/netns), and for
              those that engines keep for their networks.
            - V(null) if that is not known, as the engine or processes of other users could not be read, or as the
              namespace is mounted on another path or only in another mount namespace. Also V(null) for some seconds
              when an engine may be starting a container in the namespace.
          returned: always
          type: bool
          sample: false
        engine:
          description:
            - The engine whose container or network the namespace belongs to, or for whose container it was linked
              or pinned. Otherwise V(null).
          returned: always
          type: str
          sample: docker
        containers:
          description:
            - The running containers that share the namespace, as the kernel reports it, sorted by name.
            - The host's namespace lists the containers on the host's network.
            - The containers of a pod have their names in the pod. The sandbox, which only keeps the pod's
              namespace, is left out.
          returned: when O(gather_subset) has V(containers)
          type: list
          elements: dict
          contains:
            id:
              description: The full id of the container.
              returned: always
              type: str
              sample: 32d072c6343a18caacf52ca395b58f08da2f62e487440fe630f9a2c28ab37503
            name:
              description: The name of the container.
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
              description: The labels, as far as the engine's state contains them.
              returned: always
              type: dict
              sample: {tier: front}
        pod:
          description: The pod that the namespace belongs to. V(null) if it belongs to none.
          returned: when O(gather_subset) has V(containers)
          type: dict
          contains:
            namespace:
              description: The namespace of the pod, in terms of Kubernetes. Empty if the engine's pods have none.
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
            - The systemd unit of the processes that are in the namespace or hold it open, if they belong to no
              container. Otherwise V(null).
            - The unit is one of the host, also for processes in a container that runs systemd itself.
          returned: when O(gather_subset) has V(containers)
          type: str
          sample: unbound.service
        machine:
          description:
            - The container or node that the processes belong to, if no supported engine reports it. For example,
              the name of a container of LXC that a user runs, from its cgroup, of a Mininet node, from the
              arguments of its shell, or of a sandbox of firejail, from its file in C(/run/firejail/name).
            - The user of a process can choose this name.
          returned: when O(gather_subset) has V(containers)
          type: str
          sample: c1
        netstack:
          description:
            - The network stack of its container, if that is not the kernel's.
            - V(gvisor) is the netstack of gVisor (C(runsc)). It has addresses, routes and sockets of its own, so
              that those in these facts are not what the container uses.
            - Null with C(--network=host) of C(runsc), which uses the kernel's.
            - A container can choose to look like one of gVisor.
          returned: when O(gather_subset) has V(containers)
          type: str
          sample: gvisor
          version_added: 1.1.0
        user:
          description:
            - The user whose rootless engine made the containers in the namespace, or, without containers, the user
              whose process is in it.
            - V(null) for root.
          returned: when O(gather_subset) has V(containers)
          type: str
          sample: mia
        network:
          description:
            - The engine's network that the namespace belongs to, or V(null). Docker keeps such namespaces for the
              overlay networks of a swarm, without processes.
          returned: when O(gather_subset) has V(containers)
          type: dict
          contains:
            id:
              description: The network's id.
              returned: always
              type: str
              sample: s0d2k8q1m3v5x7z9b1d3f5h7j
            name:
              description: The network's name. V(null) if the engine did not report it.
              returned: always
              type: str
              sample: shop
        processes:
          description: The processes that have a thread in the namespace, as far as they could be read.
          returned: when O(gather_subset) has V(processes)
          type: dict
          contains:
            count:
              description: The number of processes.
              returned: always
              type: int
              sample: 2
            first:
              description: The first few processes, by PID.
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
              description: The first few processes that hold the namespace open and are not in it, by PID.
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
          description: The interfaces, by index. V(null) if they could not be read.
          returned: when O(gather_subset) has V(interfaces)
          type: list
          elements: dict
          contains:
            name:
              description: The name of the interface.
              returned: always
              type: str
              sample: eth0
            altnames:
              description: The other names of the interface, as C(ip link) shows them as C(altname).
              returned: always
              type: list
              elements: str
              version_added: 1.1.0
              sample: []
            index:
              description: The index, which is unique only within the namespace.
              returned: always
              type: int
              sample: 8
            kind:
              description: The kind of the driver, as in C(ip -d link). V(null) if it has none.
              returned: always
              type: str
              sample: veth
            mac:
              description: The hardware address. V(null) if the interface has none.
              returned: always
              type: str
              sample: 02:42:ac:11:00:02
            mtu:
              description: The maximum size of a packet, in bytes.
              returned: always
              type: int
              sample: 1500
            state:
              description: The operational state, as in C(ip link).
              returned: always
              type: str
              sample: UP
            addresses:
              description: The addresses of the interface, of both families, each with its prefix length.
              returned: always
              type: list
              elements: str
              sample: [172.17.0.2/16]
            master:
              description: The interface that this one belongs to, such as a bridge. V(null) if there is none.
              returned: always
              type: str
              sample: null
            physical:
              description:
                - Whether the interface is a device of the machine, such as a network card, and not virtual.
                - The host gets such a device back when the namespace is gone.
              returned: always
              type: bool
              sample: false
            peer:
              description:
                - The interface that this one leads to. That is the other end of a veth or another pair, or the
                  interface below a macvlan, ipvlan, VLAN or similar interface.
                - The kernel reports both ends of a pair, and they refer to each other. The module does not guess.
                - V(null) if the interface has no peer, or if the peer's namespace was not found on this host.
              returned: always
              type: dict
              contains:
                inode:
                  description: The inode number of the peer's namespace, which can be the same namespace.
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
                  description: The name of the peer.
                  returned: always
                  type: str
                  sample: veth35b0a78
                index:
                  description: The index of the peer in its own namespace.
                  returned: always
                  type: int
                  sample: 9
                master:
                  description: The interface that the peer belongs to, such as a bridge. V(null) if there is none.
                  returned: always
                  type: str
                  sample: docker0
        routes:
          description:
            - The routes of the main table in the kernel's order, IPv4 first.
            - A route with several next hops has one entry for each of them.
            - V(null) if the routes could not be read.
          returned: when O(gather_subset) has V(routes)
          type: list
          elements: dict
          contains:
            dst:
              description: The destination with its prefix length, or V(default).
              returned: always
              type: str
              sample: default
            type:
              description:
                - What the kernel does with packets, as C(ip route) names it. V(unicast) sends them on.
                - V(blackhole), V(unreachable) and V(prohibit) drop them; V(throw) continues with
                  the next routing rule.
              returned: always
              type: str
              sample: unicast
            gateway:
              description: The next router, which can be of the other family. V(null) if the route needs none.
              returned: always
              type: str
              sample: 172.17.0.1
            interface:
              description: The name of the outgoing interface. V(null) if the route has none, see C(type).
              returned: always
              type: str
              sample: eth0
            scope:
              description:
                - How far the destination is, as C(ip route) names it - V(global), V(link) for a network that is
                  directly attached, or V(host). It is always V(global) for IPv6.
              returned: always
              type: str
              version_added: 1.1.0
              sample: global
            src:
              description: The address that the host sends from by this route. V(null) if the route has none.
              returned: always
              type: str
              version_added: 1.1.0
              sample: null
            protocol:
              description:
                - Who made the route, as C(ip route) names it, such as V(kernel), V(boot), V(static), V(dhcp) or V(ra).
                  A number if it has no name there.
              returned: always
              type: str
              version_added: 1.1.0
              sample: boot
            metric:
              description: The metric of the route. The kernel prefers the route with the lowest metric.
              returned: always
              type: int
              sample: 0
            table:
              description: The routing table.
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
            - The settings in C(/etc/resolv.conf) of a container in the namespace.
            - The file is that of the container that owns the namespace, which is the sandbox in a pod, and the
              oldest of several containers. Other containers in the namespace can have different settings.
            - V(null) for the host's namespace, if no container is in the namespace, or if the container has no such
              file.
          returned: when O(gather_subset) has V(dns)
          type: dict
          contains:
            nameservers:
              description: The addresses of the name servers, in order.
              returned: always
              type: list
              elements: str
              sample: [10.96.0.10]
            search:
              description: The domains that the resolver appends to short names.
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
        listeners:
          description:
            - The TCP and UDP sockets that listen in the namespace, as C(ss -tlnp) and C(ss -ulnp) list them, by
              protocol and port. Of UDP, the sockets that are bound and have no peer.
            - V(null) if they could not be read.
          returned: when O(gather_subset) has V(sockets)
          type: list
          elements: dict
          version_added: 1.1.0
          contains:
            protocol:
              description: V(tcp) or V(udp), for both families.
              returned: always
              type: str
              sample: tcp
            address:
              description: The address that the socket is bound to. V(0.0.0.0) and V(::) are all addresses.
              returned: always
              type: str
              sample: 0.0.0.0
            port:
              description: The number of the port.
              returned: always
              type: int
              sample: 80
            interface:
              description:
                - The interface that the socket is bound to. V(null) if it is bound to none, or if the kernel did not
                  report it.
              returned: always
              type: str
              sample: null
            v6only:
              description:
                - Whether an IPv6 socket does not accept IPv4. If V(false), a socket at V(::) also listens at
                  V(0.0.0.0).
                - V(null) for an IPv4 socket, or if the kernel did not report it.
              returned: always
              type: bool
              sample: null
            backlog:
              description:
                - How many connections may wait until the program accepts them. V(null) for UDP, or if the kernel did
                  not report it.
              returned: always
              type: int
              sample: 511
            queued:
              description: How many connections wait. For UDP, how many bytes wait to be read.
              returned: always
              type: int
              sample: 0
            processes:
              description:
                - The processes that have the socket open, by PID, at most 32. They can be in other namespaces, as
                  Docker's daemon is, which has a socket for the name server of each container.
                - Empty if no process has it, as for sockets of the kernel. V(null) if processes that may have it could
                  not be read.
              returned: always
              type: list
              elements: dict
              contains:
                pid:
                  description: The process id.
                  returned: always
                  type: int
                  sample: 1723
                name:
                  description: The command name.
                  returned: always
                  type: str
                  sample: nginx
                container:
                  description:
                    - The name of the container in this namespace that the process belongs to. V(null) if it belongs to
                      none, or without V(containers) in O(gather_subset).
                  returned: always
                  type: str
                  sample: web
        sockets:
          description:
            - How many TCP and UDP sockets the namespace has, by protocol and state. States without sockets are left
              out.
            - V(null) if they could not be read.
          returned: when O(gather_subset) has V(sockets)
          type: dict
          version_added: 1.1.0
          sample: {tcp: {established: 12, listen: 2, time_wait: 3}, udp: {unconnected: 1}}
"""

# The first import, for those that follow.
from ansible_collections.linuxnet.netns.plugins.module_utils import _zip_importer  # noqa: F401  # pylint: disable=unused-import
from ansible_collections.linuxnet.netns.plugins.module_utils._facts_module import run_facts


def main() -> None:
    """Run the module."""
    run_facts(lambda netns: {"netns": netns})


if __name__ == "__main__":
    main()
