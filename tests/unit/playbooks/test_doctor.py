# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbook doctor compares addresses between hosts where the module would look for them on one."""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys

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


def test_hosts_are_compared_if_the_module_runs_the_check(tmp_path: pathlib.Path) -> None:
    (doctor,) = yaml.safe_load((ROOT / "playbooks" / "doctor.yml").read_text())
    (play,) = yaml.safe_load(PLAY)
    play["vars"] = {
        name: doctor["vars"][name]
        for name in ("netns_check_names", "netns_included_checks", "netns_compares_hosts")
    }
    (tmp_path / "play.yml").write_text(json.dumps([play]))
    (tmp_path / "ansible.cfg").write_text("[defaults]\n")
    (tmp_path / "hosts.ini").write_text(
        "".join(
            f"web{number} ansible_connection=local ansible_python_interpreter={sys.executable}\n"
            for number in (1, 2)
        )
    )
    ansible = pathlib.Path(sys.executable).with_name("ansible-playbook")
    options = ["-i", "hosts.ini", "-e", json.dumps({"cases": CASES})]
    subprocess.run([ansible, "play.yml", *options], cwd=tmp_path, check=True, timeout=120)
    compared = json.loads((tmp_path / "compared.json").read_text())
    assert dict(zip(map(str, CASES), compared)) == {str(case): selects(case) for case in CASES}
