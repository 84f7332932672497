# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The controller does not evaluate templates in facts. Runs the playbook with the installed ansible-core."""

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
    - fake_facts: {src: "{{ playbook_dir }}/facts.json"}
- import_playbook: linuxnet.netns.facts
"""


@pytest.fixture
def facts(tmp_path: pathlib.Path) -> dict[str, t.Any]:
    """Facts in which every text is a template that would create a file."""
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
    netns = json.loads(FACTS.read_text())
    (template,) = (namespace for namespace in netns["namespaces"] if namespace["names"] == ["web"])
    netns["namespaces"] = []
    for number, text in enumerate(texts, 1000):
        namespace = json.loads(json.dumps(template))
        namespace.update(inode=number, names=[text], unit=text, user=text, kind=text, engine=text)
        namespace["containers"][0].update(name=text, image=text, labels={text: text})
        netns["namespaces"].append(namespace)
    netns["incomplete"] = [{"source": texts[0], "reason": texts[1]}]
    return {"netns": netns}


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
def test_templates_in_labels_and_names_are_not_evaluated(
    tmp_path: pathlib.Path, facts: dict[str, t.Any], options: dict[str, str]
) -> None:
    (tmp_path / "library").mkdir()
    (tmp_path / "library" / "fake_facts.py").write_text(MODULE)
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
    output = "".join([done.stdout, *(path.read_text() for path in written)])
    assert "lookup('pipe'" in output
    assert "<script>alert" not in "".join(
        path.read_text() for path in written if path.suffix == ".html"
    )
    assert "\x1b" not in output
