# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbook doctor compares addresses where the module looks for them, and shows what hosts returned that failed."""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys
import typing as t

import pytest
import yaml

from ansible_collections.linuxnet.netns.plugins.module_utils._core.checks import request

pytest.importorskip("jinja2")

ROOT = pathlib.Path(__file__).parents[3]
CASES: list[str | list[str]] = [
    [],
    "mtu",
    "mtu,duplicate_address",
    "!mtu",
    "!mtu, !duplicate_address",
    ["!duplicate_address"],
    ["duplicate_address"],
    ["mtu", "!deaf_port"],
    ["duplicate_address", "!duplicate_address"],
]
PLAY = """
- hosts: all
  gather_facts: false
  vars: {}
  tasks:
    - name: Evaluate the condition for each value of netns_checks
      set_fact:
        compared: "{{ compared | default([]) + [netns_compares_hosts] }}"
      loop: "{{ cases }}"
      loop_control: {loop_var: netns_checks}
    - copy: {content: "{{ compared | to_json }}", dest: "{{ playbook_dir }}/compared.json"}
      run_once: true
"""


def selects(checks: str | list[str]) -> bool:
    names = checks.split(",") if isinstance(checks, str) else checks
    doctor = request.DoctorRequest(checks=tuple(name.strip() for name in names))
    return doctor.selects("duplicate_address")


RESULTS = """
- hosts: all
  gather_facts: false
  vars: {}
  tasks:
    - fail: {msg: before the doctor}
      when: inventory_hostname == 'web3'
    - set_fact:
        netns_doctor_result: {findings: ["of {{ inventory_hostname }}"]}
        netns_info_result: {netns: {namespaces: []}}
      when: inventory_hostname != 'web4'
    - fail: {msg: after the doctor}
      when: inventory_hostname == 'web2'
    - copy: {content: "{{ [netns_results, netns_facts_of_hosts] | to_json }}", dest: "{{ playbook_dir }}/results.json"}
      run_once: true
"""


def run_play(
    text: str, names: t.Iterable[str], hosts: int, directory: pathlib.Path, **extra: t.Any
) -> int:
    """Run a play with these variables of the playbook. Returns the exit code."""
    (doctor,) = yaml.safe_load((ROOT / "playbooks" / "doctor.yml").read_text())
    (play,) = yaml.safe_load(text)
    play["vars"] = {name: doctor["vars"][name] for name in names}
    (directory / "play.yml").write_text(json.dumps([play]))
    (directory / "ansible.cfg").write_text("[defaults]\n")
    (directory / "hosts.ini").write_text(
        "".join(
            f"web{number} ansible_connection=local ansible_python_interpreter={sys.executable}\n"
            for number in range(1, hosts + 1)
        )
    )
    ansible = pathlib.Path(sys.executable).with_name("ansible-playbook")
    options = ["-i", "hosts.ini", "-e", json.dumps(extra)]
    command = [ansible, "play.yml", *options]
    return subprocess.run(command, cwd=directory, check=False, timeout=120).returncode


def test_hosts_are_compared_if_the_module_runs_the_check(tmp_path: pathlib.Path) -> None:
    names = ("netns_check_names", "netns_included_checks", "netns_compares_hosts")
    assert run_play(PLAY, names, 2, tmp_path, cases=CASES) == 0
    compared = json.loads((tmp_path / "compared.json").read_text())
    assert dict(zip(map(str, CASES), compared)) == {str(case): selects(case) for case in CASES}


def test_findings_of_hosts_that_fail_afterwards_are_shown(tmp_path: pathlib.Path) -> None:
    names = ("netns_results", "netns_no_facts", "netns_facts_of_hosts")
    assert run_play(RESULTS, names, 4, tmp_path) == 2
    facts = {"namespaces": []}
    assert json.loads((tmp_path / "results.json").read_text()) == [
        {
            "web1": {"findings": ["of web1"]},
            "web2": {"findings": ["of web2"]},
            "web3": None,
            "web4": None,
        },
        {"web1": facts, "web2": None, "web3": None, "web4": None},
    ]
