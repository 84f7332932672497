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
import yaml

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


def run_play(
    directory: pathlib.Path, variables: t.Mapping[str, t.Any]
) -> subprocess.CompletedProcess[str]:
    """Run play.yml in this directory."""
    (directory / "ansible.cfg").write_text("[defaults]\n")
    (directory / "inventory").write_text(
        f"web1 ansible_connection=local ansible_python_interpreter={sys.executable}\n"
    )
    command = [str(pathlib.Path(sys.executable).with_name("ansible-playbook")), "-i", "inventory"]
    return subprocess.run(
        [*command, "play.yml", "-e", json.dumps(variables)],
        cwd=directory,
        env={
            **os.environ,
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".cache" / "collections"),
            "ANSIBLE_HOME": str(directory / "home"),
            "ANSIBLE_NOCOLOR": "1",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


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
    done = run_play(tmp_path, {"netns_gather": False, **options})
    assert done.returncode == 0, done.stdout + done.stderr
    assert not (tmp_path / "evaluated").exists()
    written = [tmp_path / name for name in options.values() if name.startswith("fleet.")]
    output = "".join([done.stdout, *(path.read_text() for path in written)])
    assert "lookup('pipe'" in output
    assert "<script>alert" not in "".join(
        path.read_text() for path in written if path.suffix == ".html"
    )
    assert "\x1b" not in output


DOCTOR = """#!/usr/bin/python
import json, os
from ansible.module_utils.basic import AnsibleModule
module = AnsibleModule({"src": {"type": "path"}}, supports_check_mode=True)
with open(module.params["src"]) as stream:
    module.exit_json(**json.load(stream))
"""


@pytest.mark.parametrize(
    "options", [{}, {"netns_format": "csv"}, {"netns_dest": "findings.json"}], ids=str
)
def test_templates_in_findings_are_not_evaluated(
    tmp_path: pathlib.Path, options: dict[str, str]
) -> None:
    text = f"{{{{ lookup('pipe', 'touch {tmp_path}/evaluated') }}}}"
    subject = {"inode": 1, "names": [text], "path": text, "interface": None, "containers": [text]}
    finding = {
        "check": text,
        "severity": "warning",
        "subject": subject,
        "message": text,
        "evidence": [text],
        "remedy": text,
        "repairable": False,
        "repaired": False,
    }
    result = {"findings": [finding], "incomplete": [{"source": text, "reason": text}]}
    (tmp_path / "library").mkdir()
    (tmp_path / "library" / "fake_doctor.py").write_text(DOCTOR)
    (tmp_path / "result.json").write_text(json.dumps(result))
    (tmp_path / "templates").symlink_to(ROOT / "playbooks" / "templates")
    (play,) = yaml.safe_load((ROOT / "playbooks" / "doctor.yml").read_text(encoding="utf-8"))
    # The tasks of the playbook, with a module that returns these findings.
    (task,) = (task for task in play["tasks"] if "linuxnet.netns.netns_doctor" in task)
    del task["linuxnet.netns.netns_doctor"]
    task["fake_doctor"] = {"src": str(tmp_path / "result.json")}
    play["become"] = False
    (tmp_path / "play.yml").write_text(yaml.safe_dump([play]))
    done = run_play(tmp_path, {**options, "netns_fail_on": "warning"})
    assert done.returncode == 2, done.stdout + done.stderr
    assert not (tmp_path / "evaluated").exists()
    output = done.stdout + "".join(path.read_text() for path in tmp_path.glob("findings.*"))
    assert "1 findings: {{ lookup('pipe'" in output
    assert output.count("lookup('pipe'") > 3
