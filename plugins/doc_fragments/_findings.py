# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this doc fragment is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""The input of the filters for findings."""

from __future__ import annotations


class ModuleDocFragment:
    """Documents what C(plugins/plugin_utils/_fleet_findings.py) accepts."""

    DOCUMENTATION = r"""
options:
  _input:
    description:
      - What M(linuxnet.netns.netns_doctor) returned on one host.
      - Or a dictionary of hosts with these results, or V(none) for a host without one.
    type: dict
    required: true
  facts:
    description:
      - The facts of the same hosts, as for P(linuxnet.netns.netns_rows#filter). With these, addresses and MACs that
        several hosts have are findings as well.
      - Only interfaces on networks outside of their host count, which are devices of the machine, those on top of
        one, and those on a bridge with one. Networks within a host, such as Docker's bridges, have the same
        addresses everywhere.
    type: dict
"""
