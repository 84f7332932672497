# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pathlib
import sys

import pytest

if sys.version_info < (3, 10):
    pytest.skip("no controller runs on it", allow_module_level=True)
errors = pytest.importorskip("ansible.errors", exc_type=ImportError)
yaml = pytest.importorskip("yaml")

from ansible_collections.linuxnet.netns.plugins.filter import netns  # noqa: E402

FILTERS = netns.FilterModule().filters()
FOLDER = pathlib.Path(netns.__file__).parent


def test_each_is_documented_under_its_name() -> None:
    documented = {
        file.stem: yaml.safe_load(file.read_text(encoding="utf-8"))["DOCUMENTATION"]["name"]
        for file in FOLDER.glob("*.yml")
    }
    assert documented == {name: name for name in FILTERS}


@pytest.mark.parametrize("name", FILTERS)
@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("web1", "these are no facts of network namespaces"),
        (
            {"namespaces": [{"interfaces": 3}]},
            "not the facts that linuxnet.netns.netns_facts gives",
        ),
        ({"namespaces": ["web"]}, "not the facts that linuxnet.netns.netns_facts gives"),
    ],
)
def test_what_are_no_facts_is_said_as_ansible_expects_it(
    name: str, data: object, message: str
) -> None:
    arguments = ["172.17.0.5"] if name == "find_netns" else []
    with pytest.raises(errors.AnsibleFilterError, match=message):
        FILTERS[name](data, *arguments)
