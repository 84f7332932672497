# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options of every module that say what on the host is looked at."""

from __future__ import annotations


class ModuleDocFragment:
    """Goes with C(HOST_SPEC) in C(plugins/module_utils/_ansible.py)."""

    DOCUMENTATION = r"""
options:
  engines:
    description:
      - The container engines to ask. V(docker) and V(podman) include those that users run without root.
      - When not given, every engine that is found on the host is asked.
      - V(crio) is experimental, as it was never run by the developers.
    type: list
    elements: str
    choices:
      - docker
      - podman
      - containerd
      - crio
      - lxc
      - nspawn
  netns_dir:
    description:
      - The directory that holds the links, as C(ip netns) looks into it.
      - Symbolic links in it are resolved first, so V(/var/run/netns) is the same.
    type: path
    default: /run/netns
  timeout:
    description:
      - How long to wait for each engine, in seconds.
    type: float
    default: 5
requirements:
  - Linux and Python 3.8 or later on the managed host, and no Python package.
"""
