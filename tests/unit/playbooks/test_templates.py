# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What hosts give are no templates to the controller: played by the ansible-core that is here."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
import typing as t

import pytest

pytest.importorskip("jinja2")

ROOT = pathlib.Path(__file__).parents[3]
FACTS = ROOT / "tests" / "unit" / "data" / "facts" / "web1.json"
MODULE = """#!/usr/bin/python
import json, os
from ansible.module_utils.basic import AnsibleModule
module = AnsibleModule({"src": {"type": "path"}}, supports_check_mode=True)
with open(module.params["src"]) as stream:
    module.exit_json(ansible_facts=json.load(stream))
"""
PLAYBOOK = """
- hosts: all
  gather_facts: false
  tasks:
    - told_facts: {src: "{{ playbook_dir }}/facts.json"}
- import_playbook: linuxnet.netns.facts
"""


@pytest.fixture
def facts(tmp_path: pathlib.Path) -> dict[str, t.Any]:
    """Facts in which everything that can be text is a template, which would leave a file behind."""
    call = f"{{{{ lookup('pipe', 'touch {tmp_path}/evaluated') }}}}"
    texts = [
        call,
        f"{{% for one in [1] %}}{call}{{% endfor %}}",
        f"{{'a': {call}}}",
        f"[1, {call}]",
        f"{{# #}}{call}",
        f"!unsafe {call}",
        "</script><script>alert(1)</script>",
        "\x1b[2J\n",
    ]
    told = json.loads(FACTS.read_text())
    (like,) = (one for one in told["namespaces"] if one["names"] == ["web"])
    told["namespaces"] = []
    for number, text in enumerate(texts, 1000):
        one = json.loads(json.dumps(like))
        one.update(inode=number, names=[text], unit=text, user=text, kind=text, engine=text)
        one["containers"][0].update(name=text, image=text, labels={text: text})
        told["namespaces"].append(one)
    told["incomplete"] = [{"source": texts[0], "reason": texts[1]}]
    return {"netns": told}


@pytest.mark.parametrize(
    "options",
    [
        {"netns_ask": "1000"},
        {"netns_format": "csv"},
        {"netns_dest": "fleet.csv", "netns_html": "fleet.html"},
        {"netns_dest": "fleet.json"},
    ],
    ids=" ".join,
)
def test_labels_and_names_are_no_templates(
    tmp_path: pathlib.Path, facts: dict[str, t.Any], options: dict[str, str]
) -> None:
    (tmp_path / "library").mkdir()
    (tmp_path / "library" / "told_facts.py").write_text(MODULE)
    (tmp_path / "facts.json").write_text(json.dumps(facts))
    (tmp_path / "play.yml").write_text(PLAYBOOK)
    (tmp_path / "ansible.cfg").write_text("[defaults]\n")
    (tmp_path / "inventory").write_text(
        f"web1 ansible_connection=local ansible_python_interpreter={sys.executable}\n"
    )
    command = [str(pathlib.Path(sys.executable).with_name("ansible-playbook")), "-i", "inventory"]
    command += ["play.yml", "-e", json.dumps({"netns_gather": False, **options})]
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env={
            **os.environ,
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".cache" / "collections"),
            "ANSIBLE_HOME": str(tmp_path / "home"),
            "ANSIBLE_NOCOLOR": "1",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert not (tmp_path / "evaluated").exists()
    written = [tmp_path / name for name in options.values() if name.startswith("fleet.")]
    told = "".join([done.stdout, *(path.read_text() for path in written)])
    assert "lookup('pipe'" in told
    assert "<script>alert" not in "".join(
        path.read_text() for path in written if path.suffix == ".html"
    )
    assert "\x1b" not in told
