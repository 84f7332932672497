# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: netns
short_description: Run tasks in a network namespace, such as that of a container
version_added: 1.1.0
author:
  - The linuxnet.netns developers (@linuxnet)
description:
  - Runs any module of Ansible on the host, but in the network namespace that O(target) names. The task has the files,
    processes and users of the host, and the interfaces, addresses, routes, firewall rules and sockets of the namespace.
  - The container needs no Python and no tools, and nothing is installed on the host, which needs Python 3.8 or later.
  - Works over every connection to Linux hosts, because it is a become plugin. It first becomes root with C(sudo) if
    needed, enters the namespace, and then becomes O(become_user), if that is set.
  - Shows the namespace in C(/sys), mounts the files of C(/etc/netns/NAME) over those of C(/etc), as C(ip netns exec)
    does, and keeps programs of the host from resolving names for the namespace. All this is in a mount namespace that
    ends with the task. The host's mounts do not change.
  - If the namespace cannot be entered, the task fails. It never runs on the host instead.
notes:
  - A task that gathers facts in a namespace, such as one with M(ansible.builtin.setup), overwrites the facts of the
    inventory host that it runs on. Give the namespace an inventory host of its own.
  - Only network and mounts are those of a namespace. A module for services or packages works on the host.
  - Mounts that a task makes in a namespace end with the task.
  - A variable takes precedence over a keyword. Where the inventory sets C(ansible_become), C(become=false) has no
    effect on a task. Set the variable C(ansible_become) to V(false) for a task that runs on the host.
options:
  target:
    description:
      - The namespace to enter.
      - The name of a link in O(netns_dir), as C(ip netns list) shows it. A container has a link where
        M(linuxnet.netns.netns_link) or the role P(linuxnet.netns.netns_hook#role) made one.
      - Or the path of a network namespace, such as C(/run/docker/netns/d2a1f7c93b60) or C(/proc/4711/ns/net).
      - Or V(net:[4026532185]), the inode of a namespace that a process is in or that a mount keeps alive.
      - Or a path with an inode, such as V(/proc/4711/ns/net@4026532185). The task fails if the path leads to another
        namespace by now, because the container was restarted.
      - The host's own namespace is refused.
    type: string
    required: true
    vars:
      - name: ansible_netns
    env:
      - name: ANSIBLE_NETNS
    ini:
      - section: netns_become_plugin
        key: target
  netns_dir:
    description: The directory of the links.
    type: string
    default: /run/netns
    vars:
      - name: ansible_netns_dir
    env:
      - name: ANSIBLE_NETNS_DIR
    ini:
      - section: netns_become_plugin
        key: netns_dir
  python:
    description:
      - The Python of the host that enters the namespace, 3.8 or later. It is needed before the interpreter for modules
        is known, so that O(ignore:ansible_python_interpreter) has no effect on it.
    type: string
    default: python3
    vars:
      - name: ansible_netns_python
    env:
      - name: ANSIBLE_NETNS_PYTHON
    ini:
      - section: netns_become_plugin
        key: python
  escalate:
    description:
      - How to become root. Only root can enter a namespace.
      - V(auto) uses C(sudo), unless the remote user is root. V(sudo) always uses it.
      - V(none) uses nothing. The task fails if the remote user is not root.
    type: string
    default: auto
    choices: [auto, sudo, none]
    vars:
      - name: ansible_netns_escalate
    env:
      - name: ANSIBLE_NETNS_ESCALATE
    ini:
      - section: netns_become_plugin
        key: escalate
  become_user:
    description:
      - The user of the host that the task runs as in the namespace. Without it, that is root.
    type: string
    keyword:
      - name: become_user
    vars:
      - name: ansible_become_user
      - name: ansible_netns_user
    env:
      - name: ANSIBLE_BECOME_USER
      - name: ANSIBLE_NETNS_USER
    ini:
      - section: privilege_escalation
        key: become_user
      - section: netns_become_plugin
        key: user
  become_exe:
    description: The C(sudo) executable.
    type: string
    default: sudo
    keyword:
      - name: become_exe
    vars:
      - name: ansible_become_exe
      - name: ansible_netns_exe
      - name: ansible_sudo_exe
    env:
      - name: ANSIBLE_BECOME_EXE
      - name: ANSIBLE_NETNS_EXE
    ini:
      - section: privilege_escalation
        key: become_exe
      - section: netns_become_plugin
        key: executable
  become_flags:
    description: Options of C(sudo).
    type: string
    default: -H -S -n
    keyword:
      - name: become_flags
    vars:
      - name: ansible_become_flags
      - name: ansible_netns_flags
      - name: ansible_sudo_flags
    env:
      - name: ANSIBLE_BECOME_FLAGS
      - name: ANSIBLE_NETNS_FLAGS
    ini:
      - section: privilege_escalation
        key: become_flags
      - section: netns_become_plugin
        key: flags
  become_pass:
    description: The password for C(sudo).
    type: string
    vars:
      - name: ansible_become_password
      - name: ansible_become_pass
      - name: ansible_netns_pass
      - name: ansible_sudo_pass
    env:
      - name: ANSIBLE_BECOME_PASS
      - name: ANSIBLE_NETNS_PASS
    ini:
      - section: netns_become_plugin
        key: password
  etc:
    description:
      - The files in C(/etc) that the task reads.
      - With V(auto), it reads those of C(/etc/netns/NAME) over those of the host, if O(target) is the name or the path
        of the link NAME in O(netns_dir), or an inode that this link keeps. So a task uses the DNS servers of a
        container, which O(linuxnet.netns.netns_link#module:resolv_conf) copies there.
      - With V(host), it reads those of the host.
    type: string
    default: auto
    choices: [auto, host]
    vars:
      - name: ansible_netns_etc
    env:
      - name: ANSIBLE_NETNS_ETC
    ini:
      - section: netns_become_plugin
        key: etc
  dns_guard:
    description:
      - Keeps programs of the host from resolving names for the task. The C library asks nscd, systemd-resolved and
        Avahi over sockets in the file system, which lead out of the namespace.
      - The task does not see these sockets, and its C(/etc/nsswitch.conf) does not name these services for hosts.
    type: boolean
    default: true
    vars:
      - name: ansible_netns_dns_guard
    env:
      - name: ANSIBLE_NETNS_DNS_GUARD
    ini:
      - section: netns_become_plugin
        key: dns_guard
  sysfs:
    description:
      - What the task sees in C(/sys).
      - With V(own), C(/sys/class/net) has the interfaces of the namespace. File systems below C(/sys), such as cgroup
        and bpf, stay in place.
      - With V(host), it has the interfaces of the host.
    type: string
    default: own
    choices: [own, host]
    vars:
      - name: ansible_netns_sysfs
    env:
      - name: ANSIBLE_NETNS_SYSFS
    ini:
      - section: netns_become_plugin
        key: sysfs
seealso:
  - module: linuxnet.netns.netns_link
  - module: linuxnet.netns.netns_exec
  - plugin: linuxnet.netns.netns_target
    plugin_type: filter
  - plugin: linuxnet.netns.containers
    plugin_type: inventory
"""

EXAMPLES = r"""
- name: Check that the container web reaches its database
  ansible.builtin.wait_for:
    host: db
    port: 5432
    timeout: 3
  become: true
  become_method: linuxnet.netns.netns
  vars:
    ansible_netns: web

- name: Add a firewall rule in the namespace of a process
  ansible.builtin.iptables:
    chain: INPUT
    protocol: tcp
    destination_port: "9100"
    jump: DROP
  become: true
  become_method: linuxnet.netns.netns
  vars:
    ansible_netns: /proc/4711/ns/net

# ansible HOST -m command -a 'ss -tln' -b --become-method linuxnet.netns.netns -e ansible_netns=web
"""

import re
import shlex
import typing as t

from ansible.errors import AnsibleError
from ansible.plugins.become import BecomeBase

from ..plugin_utils import _enter_command


class _User(str):
    """The name of a user that differs from every other, also from itself.

    Ansible does not call a become plugin where `become_user != remote_user` is false, so that the task
    would run on the host.
    """

    def __ne__(self, _other: object) -> bool:
        return True


class BecomeModule(BecomeBase):  # type: ignore[misc]
    """Becomes root, enters a namespace, and becomes a user."""

    name = "linuxnet.netns.netns"
    # Messages of sudo, as in ansible.builtin.sudo.
    fail = ("Sorry, try again.",)
    missing = ("Sorry, a password is required to run sudo", "sudo: a password is required")

    def get_option(self, option: str, *args: t.Any, **kwargs: t.Any) -> t.Any:
        """An option. The user is root unless it is set: Ansible looks for files in the user's home."""
        value = super().get_option(option, *args, **kwargs)
        if option == "become_user":
            return _User(value or "root")
        return value

    def build_become_command(self, cmd: str, shell: t.Any) -> str:
        """The command that becomes root, enters the namespace and runs `cmd`."""
        super().build_become_command(cmd, shell)
        if not cmd:
            return cmd
        command = f"{self._enter()} {self._build_success_command(cmd, shell)}"
        escalate = self.get_option("escalate")
        if escalate == "none":
            return command
        sudo = self._sudo()
        return f"{sudo} {command}" if escalate == "sudo" else _enter_command.as_root(sudo, command)

    def _enter(self) -> str:
        """The command of the helper, whose arguments end with the command in the namespace."""
        target = self.get_option("target")
        if not target or "\0" in target:
            raise AnsibleError(
                "ansible_netns is empty or has a NUL: set it to the name of a link, a path or an inode"
            )
        user = self.get_option("become_user")
        features = {
            "etc": self.get_option("etc") == "auto",
            "dns_guard": self.get_option("dns_guard"),
            "sysfs": self.get_option("sysfs") == "own",
        }
        return _enter_command.enter(
            self.get_option("python"),
            target,
            self.get_option("netns_dir"),
            "" if user == "root" else user,
            [name for name, wanted in features.items() if wanted],
        )

    def _sudo(self) -> str:
        """The command of sudo, as ansible.builtin.sudo composes it."""
        words = [self.get_option("become_exe")]
        flags = self.get_option("become_flags") or ""
        if self.get_option("become_pass"):
            self.prompt = f"[sudo via ansible, key={self._id}] password:"
            flags = _without_non_interactive(flags)
            words += [flags, f'-p "{self.prompt}"']
        else:
            words.append(flags)
        return " ".join(word for word in words if word)


def _without_non_interactive(flags: str) -> str:
    """The options of sudo without -n, which forbids to ask for a password."""
    words = [word for word in shlex.split(flags) if word not in ("-n", "--non-interactive")]
    return shlex.join(
        word if word.startswith("--") else re.sub(r"^(-\w*)n(\w*.*)", r"\1\2", word)
        for word in words
    )
