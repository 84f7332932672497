# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The inventory plugin, run by the Ansible that is installed, over captured facts."""

from __future__ import annotations

import copy
import json
import os
import pathlib
import subprocess
import sys
import typing as t

import pytest

pytest.importorskip("jinja2")
pytest.importorskip("ansible.inventory")

DATA = pathlib.Path(__file__).resolve().parents[2] / "data" / "facts" / "web1.json"
WEB1: dict[str, t.Any] = json.loads(DATA.read_text(encoding="utf-8"))
_HOST, WEB, DB, GONE, MAIL = (namespace["inode"] for namespace in WEB1["namespaces"])
HOSTS = """
[edge]
node1 ansible_host=10.1.2.3 ansible_user="{{ 'de' ~ 'ploy' }}"
node2
[edge:vars]
ansible_connection=local
color=blue
[all:vars]
ansible_become_method=sudo
ansible_become_user=root
"""
# Values of a plugin that ansible-core 2.18 and older would evaluate.
TEMPLATE = "{{ lookup('ansible.builtin.pipe', 'touch pwned') }}"
SHOW = """
- hosts: netns_docker
  gather_facts: false
  vars:
    ansible_become: false
    ansible_python_interpreter: "{{ ansible_playbook_python }}"
  tasks:
    - ansible.builtin.copy:
        content: "{{ dict(names | zip(lookup('ansible.builtin.vars', *names, default='', wantlist=true))) | to_json }}"
        dest: "{{ playbook_dir }}/{{ inventory_hostname }}.json"
        mode: "0600"
      vars:
        names: [ansible_host, ansible_user, ansible_port, tier, netns_host, netns_engine, netns_containers, netns_pod]
"""


class Inventory:
    """A directory with an inventory."""

    def __init__(self, directory: pathlib.Path) -> None:
        self.directory = directory
        self.write("hosts.ini", HOSTS)
        self.write("group_vars/edge.yml", "ansible_port: 2222\nansible_become_password: secret\n")

    def write(self, name: str, text: str) -> None:
        """Write a file."""
        path = self.directory / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def configure(self, **options: t.Any) -> None:
        """Write the file of the plugin."""
        config = {"plugin": "linuxnet.netns.containers", "strict": True, **options}
        self.write("netns.yml", json.dumps(config))

    def run(self, program: str, *arguments: str, **environment: str) -> tuple[str, str]:
        """Run a command of Ansible; returns its output and its warnings."""
        done = subprocess.run(
            [sys.executable, "-m", "ansible", program, *arguments],
            cwd=self.directory,
            env={
                **os.environ,
                "ANSIBLE_COLLECTIONS_PATH": ":".join(sys.path),
                "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "true",
                "ANSIBLE_NOCOLOR": "true",
                "ANSIBLE_LOCALHOST_WARNING": "false",
                "COLUMNS": "1000",
                **environment,
            },
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout, " ".join(done.stderr.split())

    def list(self, *sources: str, **environment: str) -> tuple[dict[str, t.Any], str]:
        """What `ansible-inventory --list` shows, and the warnings."""
        output, warnings = self.run(
            "inventory", *(f"-i{source}" for source in sources), "--list", **environment
        )
        return unmarked(json.loads(output)), warnings


def unmarked(value: t.Any) -> t.Any:
    """What is listed without the marks of text that is not a template."""
    if isinstance(value, dict):
        if set(value) == {"__ansible_unsafe"}:
            return value["__ansible_unsafe"]
        return {name: unmarked(inner) for name, inner in value.items()}
    return [unmarked(inner) for inner in value] if isinstance(value, list) else value


@pytest.fixture
def inventory(tmp_path: pathlib.Path) -> Inventory:
    """An inventory with two hosts, and no file of the plugin yet."""
    return Inventory(tmp_path)


def test_hosts_of_a_file_refer_to_the_connections_of_their_hosts(inventory: Inventory) -> None:
    inventory.write("fleet.json", json.dumps({"node1": WEB1, "node2": None, "other": WEB1}))
    inventory.configure(
        source="fleet.json",
        compose={"tier": "netns_containers[0].labels.tier | default('none')"},
        groups={"shared": "netns_containers | length > 1"},
        keyed_groups=[{"key": "tier", "prefix": "tier"}],
    )
    listed, warnings = inventory.list("hosts.ini", "netns.yml")
    assert "netns" not in warnings
    assert set(listed["netns_docker"]["hosts"]) == {"web.node1", "metrics.node1", "db.node1"}
    assert listed["netns_podman"]["hosts"] == ["mail.node1"]
    assert set(listed["shared"]["hosts"]) == {"web.node1", "metrics.node1", "mail.node1"}
    assert listed["tier_front"]["hosts"] == ["web.node1"]
    variables = listed["_meta"]["hostvars"]["db.node1"]
    containers = variables.pop("netns_containers")
    assert [container["name"] for container in containers] == ["db"]
    reference = "{{ hostvars[netns_host].%s }}"
    assert variables == {
        "ansible_become": True,
        "ansible_become_method": "linuxnet.netns.netns",
        "ansible_become_password": reference % "ansible_become_password",
        "ansible_become_user": "root",
        "ansible_connection": reference % "ansible_connection",
        "ansible_host": "{{ hostvars[netns_host].ansible_host | default(netns_host) }}",
        "ansible_netns": f"/run/netns/db@{DB}",
        "ansible_port": reference % "ansible_port",
        "ansible_user": reference % "ansible_user",
        "netns_engine": "docker",
        "netns_host": "node1",
        "netns_pod": None,
        "tier": "none",
    }


def test_data_is_never_a_template(inventory: Inventory) -> None:
    facts = copy.deepcopy(WEB1)
    web = facts["namespaces"][1]
    web["containers"][1]["labels"] = {"tier": TEMPLATE, TEMPLATE: "x"}
    web["containers"][1]["image"] = TEMPLATE
    web["names"] = [TEMPLATE.replace("/", "")]
    facts["namespaces"][2]["containers"][0]["name"] = TEMPLATE
    facts["namespaces"][4].update(engine=f"docker{TEMPLATE}")
    inventory.write("fleet.json", json.dumps({"node1": facts, "node2": facts, TEMPLATE: facts}))
    inventory.write("show.yml", SHOW)
    inventory.configure(
        source="fleet.json",
        hostnames=["{short_id}.{host}", "{pod}.{host}"],
        compose={"tier": "netns_containers[0].labels.tier | default('none')"},
        keyed_groups=[
            {"key": "netns_containers[0].labels", "prefix": "label"},
            {"key": "netns_engine", "prefix": "engine"},
        ],
    )
    inventory.run("playbook", "-ihosts.ini", "-inetns.yml", "show.yml")
    # Without other hosts, each name in the file is one.
    inventory.run("playbook", "-inetns.yml", "show.yml", "--list-hosts")
    shown = json.loads((inventory.directory / "02e4ee958327.node1.json").read_text("utf-8"))
    assert shown["ansible_host"] == "10.1.2.3"
    assert shown["ansible_user"] == "deploy"
    assert str(shown["ansible_port"]) == "2222"
    assert shown["tier"] == TEMPLATE
    assert shown["netns_containers"][0] == web["containers"][1]
    assert not (inventory.directory / "pwned").exists()


def test_hosts_of_the_fact_cache(inventory: Inventory) -> None:
    inventory.configure()
    environment = {"ANSIBLE_CACHE_PLUGIN": "jsonfile", "ANSIBLE_CACHE_PLUGIN_CONNECTION": "cache"}
    listed, warnings = inventory.list("hosts.ini", "netns.yml", **environment)
    assert "netns_docker" not in listed
    assert "there are no facts of network namespaces in the fact cache" in warnings
    inventory.write("facts.json", json.dumps(WEB1))
    inventory.write(
        "gather.yml",
        """
- hosts: [node2, localhost]
  connection: local
  gather_facts: false
  tasks:
    - ansible.builtin.set_fact:
        cacheable: true
        netns: "{{ lookup('ansible.builtin.file', playbook_dir ~ '/facts.json') | from_json }}"
""",
    )
    inventory.run("playbook", "-ihosts.ini", "gather.yml", **environment)
    listed, _warnings = inventory.list("hosts.ini", "netns.yml", **environment)
    assert set(listed["netns_docker"]["hosts"]) == {"web.node2", "metrics.node2", "db.node2"}
    # With no inventory, there is Ansible's localhost.
    listed, _warnings = inventory.list("netns.yml", **environment)
    assert set(listed["netns_docker"]["hosts"]) == {
        "web.localhost",
        "metrics.localhost",
        "db.localhost",
    }
    variables = listed["_meta"]["hostvars"]["web.localhost"]
    assert variables["ansible_connection"] == "local"
    assert "ansible_host" not in variables


def test_hosts_of_the_inventory_keep_their_names(inventory: Inventory) -> None:
    inventory.write("fleet.json", json.dumps({"node1": WEB1}))
    inventory.write("hosts.ini", f"{HOSTS}\n[db]\nlocal\nweb\n[edge:vars]\nx=1\n")
    inventory.configure(source="fleet.json", hostnames=["{name}"])
    listed, warnings = inventory.list("hosts.ini", "netns.yml")
    assert set(listed["netns_docker"]["hosts"]) == {
        "metrics",
        "web.docker.node1",
        "db.docker.node1",
    }
    assert listed["db"]["hosts"] == ["local", "web"]
    assert "ansible_netns" not in listed["_meta"]["hostvars"].get("web", {})
    assert "have longer names: web.docker.node1, db.docker.node1" in warnings


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "fleet.json could not be read: "),
        (json.dumps(WEB1), "fleet.json does not contain the facts of hosts by name"),
    ],
)
def test_a_file_without_facts_is_an_error(
    inventory: Inventory, text: str | None, message: str
) -> None:
    if text is not None:
        inventory.write("fleet.json", text)
    inventory.configure(source="fleet.json")
    with pytest.raises(AssertionError) as error:
        inventory.list("netns.yml")
    assert message in " ".join(str(error.value).split())
