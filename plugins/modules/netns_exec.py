#!/usr/bin/python

# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: netns_exec
short_description: Run a command of the host in the network namespaces of many containers
version_added: 1.1.0
author:
  - The linuxnet.netns developers (@linuxnet)
description:
  - Runs one command in each selected network namespace, several at a time, and returns all results. The command is a
    program of the host, such as C(ss), C(ip) or C(tcpdump), so that nothing has to be in the image of the container,
    and no link has to exist.
  - To run a module in one namespace, use the become plugin P(linuxnet.netns.netns#become).
  - The command enters the network namespace of the container, and nothing else of it. It sees the files and processes
    of the host. C(/sys) shows the namespace.
  - The module opens each namespace once, verifies its owner, and enters it by the open file. So the command never runs
    in the namespace of another process that reuses the PID.
  - When the command ends, or its time is over, the module kills every process that it has left. None outlives the
    module, even if the module is killed.
options:
  containers:
    description:
      - The names, ids, unambiguous id prefixes, or shell patterns of containers, such as V(web-*), as in
        M(linuxnet.netns.netns_link). You select a pod by C(namespace/pod) or by its name.
      - If you name a container exactly and its namespace cannot be entered, the task fails and runs nothing.
      - If several of the containers share a namespace, the command runs there once.
      - An empty list selects nothing.
    type: list
    elements: str
    aliases: [container]
  all:
    description:
      - Selects every running container or pod that has a namespace of its own.
    type: bool
    default: false
  labels:
    description:
      - The labels that a container must have, all of them, with these values. The module compares values as strings.
      - Limits patterns in O(containers), and O(all).
    type: dict
    default: {}
  links:
    description:
      - The names or shell patterns of links in O(netns_dir), as C(ip netns) lists them. It does not matter who made
        them.
      - An empty list selects nothing.
    type: list
    elements: str
    aliases: [link]
  pid:
    description:
      - The PID of a process, whose namespace is entered.
    type: int
  path:
    description:
      - The path of a network namespace, such as an engine's pin or C(/proc/PID/ns/net).
      - C(/PATH@INODE), as the filter P(linuxnet.netns.netns_target#filter) returns it, is refused if another namespace
        is at the path.
    type: path
  command:
    description:
      - The program and its arguments as one string, with quotation as in a shell. No shell evaluates it.
    type: str
  argv:
    description:
      - The program and its arguments as a list.
    type: list
    elements: str
  chdir:
    description:
      - The directory to run the command in.
    type: str
  env:
    description:
      - Environment variables for the command, in addition to those of the module.
    type: dict
  stdin:
    description:
      - The input of the command, the same in each namespace. Without it, there is nothing to read.
    type: str
  stdin_add_newline:
    description:
      - Whether to append a newline to O(stdin).
    type: bool
    default: true
  strip_empty_ends:
    description:
      - Whether to remove empty lines from the end of the output.
    type: bool
    default: true
  user:
    description:
      - The user of the host to run the command as, a name or a number. By default it runs as root.
    type: str
  timeout:
    description:
      - The time that each command may take, in seconds. After that, the module kills it.
      - Also the time to wait for each engine.
    type: float
    default: 30
  forks:
    description:
      - How many commands run at a time, from 1 to 256. Fewer run if the limit of open files does not allow that many.
    type: int
    default: 8
  max_output:
    description:
      - How many bytes of the output and of the error output of each command are returned, from 1 to 67108864. The
        module reads and drops the rest.
    type: int
    default: 65536
  etc:
    description:
      - With V(auto), the command has the files of C(/etc/netns/NAME), as in C(ip netns exec NAME), if the namespace has
        a link called C(NAME) and there are such files.
      - With V(host), it has the files of the host.
    type: str
    choices: [auto, host]
    default: auto
  dns_guard:
    description:
      - Whether to keep C(systemd-resolved), C(nscd) and Avahi from resolving names for the command, as they answer for
        the host. The command then asks the servers in C(/etc/resolv.conf).
    type: bool
    default: true
notes:
  - Give exactly one of O(containers), O(all), O(links), O(pid) and O(path).
  - The command runs in a session of its own, without terminal.
seealso:
  - plugin: linuxnet.netns.netns
    plugin_type: become
  - module: linuxnet.netns.netns_link
  - module: linuxnet.netns.netns_facts
  - module: ansible.builtin.command
extends_documentation_fragment:
  - linuxnet.netns._attributes
  - linuxnet.netns._attributes.actiongroup
  - linuxnet.netns._host
attributes:
  check_mode:
    support: full
    details: Returns the namespaces that the command would run in.
  diff_mode:
    support: none
    details: What a command changes is not known.
  idempotent:
    support: none
    details: The command runs each time.
"""

EXAMPLES = r"""
# ansible all -b -m linuxnet.netns.netns_exec -a 'containers=web-* command="ss -tln"'

- name: Show the sockets that listen in the containers of one compose project
  linuxnet.netns.netns_exec:
    all: true
    labels:
      com.docker.compose.project: shop
    command: ss --tcp --listening --numeric

- name: Check that each pod of a Kubernetes namespace reaches the database
  linuxnet.netns.netns_exec:
    containers: "shop/*"
    argv: [nc, -z, -w, "3", db.example.org, "5432"]
    timeout: 10

- name: Load firewall rules into each namespace that ip netns lists
  linuxnet.netns.netns_exec:
    links: "*"
    command: nft -f -
    stdin: "{{ lookup('ansible.builtin.file', 'container.nft') }}"

- name: Capture ten packets in two containers
  linuxnet.netns.netns_exec:
    containers: [web, db]
    command: tcpdump -n -c 10 -i eth0
    timeout: 60
"""

RETURN = r"""
results:
  description:
    - The selected namespaces, each once, sorted by the name of the link or container that selected it.
    - Also returned when the task fails because the command failed in one of them. The message names these.
  returned: when the options are valid and everything that is named exactly can be entered
  type: list
  elements: dict
  contains:
    inode:
      description:
        - The inode number of the namespace, as in C(net:[4026532184]). V(null) if it is not known.
      type: int
      sample: 4026532184
    names:
      description: The names of the namespace in O(netns_dir).
      type: list
      elements: str
      sample: [web]
    engine:
      description: The engine of the container. V(null) if no container was selected.
      type: str
      sample: docker
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
    containers:
      description:
        - The running containers in the namespace, sorted by name. Empty if no container was selected.
      type: list
      elements: dict
      contains:
        id:
          description: The full id of the container.
          type: str
          sample: 32d072c6343a18caacf52ca395b58f08da2f62e487440fe630f9a2c28ab37503
        name:
          description: The name of the container.
          type: str
          sample: web
    rc:
      description:
        - The exit code of the command, or the negative number of the signal that ended it.
        - V(null) if the command did not run, and in check mode.
      type: int
      sample: 0
    stdout:
      description: The output of the command. V(null) if it did not run. Bytes that are not UTF-8 are escaped.
      type: str
      sample: "LISTEN 0 4096 0.0.0.0:80 0.0.0.0:*"
    stderr:
      description: The error output of the command. V(null) if it did not run.
      type: str
      sample: ""
    delta:
      description: How long the command ran. V(null) if it did not run.
      type: str
      sample: "0:00:00.004711"
    timed_out:
      description: Whether the command was killed after O(timeout).
      type: bool
      sample: false
    truncated:
      description: Whether there was more output than O(max_output).
      type: bool
      sample: false
    problem:
      description:
        - Why the command did not run or was killed. Otherwise V(null).
        - A container that a pattern, or O(all), selects and that has no namespace to enter has a problem, but does not
          make the task fail.
      type: str
      sample: it is on the host's network and has no namespace of its own
rc:
  description: RV(results[].rc) of the only result.
  returned: when there is exactly one result, and the command ran
  type: int
  sample: 0
stdout:
  description: RV(results[].stdout) of the only result.
  returned: when there is exactly one result, and the command ran
  type: str
  sample: "LISTEN 0 4096 0.0.0.0:80 0.0.0.0:*"
stderr:
  description: RV(results[].stderr) of the only result.
  returned: when there is exactly one result, and the command ran
  type: str
  sample: ""
"""

# The first import, for those that follow.
from ansible_collections.linuxnet.netns.plugins.module_utils import _zip_importer  # noqa: F401  # pylint: disable=unused-import
from ansible_collections.linuxnet.netns.plugins.module_utils._exec_module import run_exec


def main() -> None:
    """Run the module."""
    run_exec()


if __name__ == "__main__":
    main()
