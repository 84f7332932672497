# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this doc fragment is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""The options of every module that select what it reads on the host."""

from __future__ import annotations


class ModuleDocFragment:
    """Documents C(host_options) in C(plugins/module_utils/_argspec.py)."""

    DOCUMENTATION = r"""
options:
  engines:
    description:
      - The container engines to read. V(docker) and V(podman) include rootless ones.
      - By default, the module reads every engine that it finds on the host.
      - V(crio) is experimental, because the developers never ran it.
    type: list
    elements: str
    choices:
      - docker
      - podman
      - containerd
      - crio
      - lxc
      - nspawn
      - incus
      - lxd
  sources:
    description:
      - Further sockets and directories to read engines from, each as C(ENGINE:/PATH).
      - This is the socket of a V(docker) daemon, the storage directory (C(--root)) of V(podman), or the state
        directory of V(containerd), V(incus) or V(lxd).
      - The module reads these in addition to those that it finds. An engine that cannot be read there is an error.
    type: list
    elements: str
    default: []
    version_added: 1.1.0
  netns_dir:
    description:
      - The directory of the links. C(ip netns) reads V(/run/netns).
      - The module resolves symbolic links in this path first, so V(/var/run/netns) is the same.
    type: path
    default: /run/netns
  timeout:
    description:
      - The time to wait for each engine, in seconds.
    type: float
    default: 5
requirements:
  - Linux and Python 3.8 or later on the managed host, and no Python package.
"""
