# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filters as Ansible loads them."""

from __future__ import annotations

import pathlib

import pytest

pytest.importorskip("jinja2")
errors = pytest.importorskip("ansible.errors")
yaml = pytest.importorskip("yaml")

from ansible_collections.linuxnet.netns.plugins.filter import netns  # noqa: E402

FILTERS = netns.FilterModule().filters()
DIRECTORY = pathlib.Path(netns.__file__).parent


def test_every_filter_is_documented() -> None:
    documented = {
        file.stem: yaml.safe_load(file.read_text(encoding="utf-8"))["DOCUMENTATION"]["name"]
        for file in DIRECTORY.glob("*.yml")
    }
    assert documented == {name: name for name in FILTERS}


OF_FINDINGS = sorted(name for name in FILTERS if name.startswith("netns_findings"))


@pytest.mark.parametrize("name", OF_FINDINGS)
def test_findings_that_are_none_are_a_filter_error(name: str) -> None:
    with pytest.raises(errors.AnsibleFilterError, match="is not a dictionary of the results"):
        FILTERS[name]("web1")


@pytest.mark.parametrize("name", sorted(set(FILTERS) - set(OF_FINDINGS)))
@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("web1", "the input contains no facts of network namespaces"),
        (
            {"namespaces": [{"interfaces": 3}]},
            "the facts do not have the format that linuxnet.netns.netns_facts returns",
        ),
        (
            {"namespaces": ["web"]},
            "the facts do not have the format that linuxnet.netns.netns_facts returns",
        ),
    ],
)
def test_unusable_input_is_a_filter_error(name: str, data: object, message: str) -> None:
    arguments = ["172.17.0.5"] if name in ("find_netns", "netns_target") else []
    with pytest.raises(errors.AnsibleFilterError, match=message):
        FILTERS[name](data, *arguments)


def test_the_question_can_be_a_keyword() -> None:
    facts = {"namespaces": [{"inode": 4026534684, "names": ["web"]}]}
    (match,) = FILTERS["find_netns"](facts, question="web")
    assert match["by"] == "name"
