# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Ansible reads from the modules, and cannot share between them."""

from __future__ import annotations

import yaml

from ansible_collections.linuxnet.netns.plugins.modules import netns_facts, netns_info


def test_both_modules_document_the_same_content() -> None:
    facts = netns_facts.RETURN.replace("RV(ansible_facts.netns.", "RV(netns.")
    content = yaml.safe_load(facts)["ansible_facts"]["contains"]
    assert content == yaml.safe_load(netns_info.RETURN)
