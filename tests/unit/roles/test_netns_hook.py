# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role's files against the program and against each other."""

from __future__ import annotations

import ast
import json
import os
import pathlib
import re
import subprocess
import sys
import typing as t

import pytest
import yaml

from ansible_collections.linuxnet.netns.plugins.module_utils._core.hook import config

# What renders templates on a controller; the Pythons of managed hosts do without.
jinja2 = pytest.importorskip("jinja2")

ROOT = pathlib.Path(__file__).parents[3]
CORE = ROOT / "plugins/module_utils/_core"
ROLE = ROOT / "roles/netns_hook"


def load(path: str) -> t.Any:
    return yaml.safe_load((ROLE / path).read_text(encoding="utf-8"))


def imports(file: pathlib.Path) -> t.Iterator[pathlib.Path]:
    """The files of the program that one imports, wherever in it."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            assert not any(name.name.startswith(("ansible", "_core")) for name in node.names)
        if isinstance(node, ast.ImportFrom):
            if not node.level:
                assert not str(node.module).startswith("ansible"), file
                continue
            folder = file.parents[node.level - 1].joinpath(*(node.module or "").split("."))
            found = [folder.with_suffix(".py")] if node.module else []
            found += [folder / f"{name.name}.py" for name in node.names]
            found += [folder / name.name / "__init__.py" for name in node.names]
            yield from (path for path in found if path.is_file())


def closure(*files: pathlib.Path) -> set[pathlib.Path]:
    known: set[pathlib.Path] = set()
    new = set(files)
    while new:
        known |= new
        new = {path for file in new for path in imports(file)} - known
    packages = {folder / "__init__.py" for file in known for folder in [file.parent]}
    return known | packages


def test_the_role_installs_what_the_program_imports() -> None:
    needed = closure(CORE / "hook/main.py")
    listed = load("vars/main.yml")["__netns_hook_files"]
    assert listed == sorted(str(path.relative_to(CORE)) for path in needed)


def test_the_entry_is_the_only_program_in_the_role() -> None:
    assert [path.name for path in (ROLE / "files").iterdir()] == ["netns-hook"]
    # Isolated, whichever interpreter it gets.
    assert "__netns_hook_python ~ ' -I'" in (ROLE / "tasks/present.yml").read_text(encoding="utf-8")


def test_argument_specs_and_defaults_agree() -> None:
    options = load("meta/argument_specs.yml")["argument_specs"]["main"]["options"]
    defaults = load("defaults/main.yml")
    assert {name: one["default"] for name, one in options.items() if "default" in one} == defaults
    assert sorted(set(options) - set(defaults)) == ["netns_hook_engines"]
    assert all(name.startswith("netns_hook_") for name in options)


def units(systemd: int = 257) -> dict[str, str]:
    variables = load("vars/main.yml")
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(ROLE / "templates"), trim_blocks=True
    )
    return {
        name: environment.get_template(f"{name}.j2").render(
            __netns_hook_systemd=systemd,
            **load("defaults/main.yml"),
            **{key: value for key, value in variables.items() if key.startswith("__netns_hook")},
        )
        for kind in ("started", "called")
        for names in variables[f"__netns_hook_{kind}"].values()
        for name in names
    }


def settings(text: str) -> set[str]:
    return {line.partition("=")[0] for line in text.splitlines() if line[:1] not in "#["}


def test_no_unit_that_mounts_has_a_mount_namespace() -> None:
    # systemd.exec(5): what makes one of the service's own, and what deletes the ledger.
    makes = (
        *("Private", "Protect", "ReadOnly", "ReadWrite", "Inaccessible", "ExecPaths", "NoExec"),
        *("Temporary", "Bind", "Root", "Mount", "Dynamic", "Extension", "Image", "ProcSubset"),
        *("Runtime", "State", "Cache", "Logs", "Configuration", "LoadCredential"),
    )
    for name in ("linuxnet-netns-hook.service", "linuxnet-netns-hook-sync.service"):
        found = settings(units()[name])
        assert "CapabilityBoundingSet" in found
        assert [one for one in found if one.startswith(makes)] == []


def test_systemd_is_told_only_what_it_knows() -> None:
    # systemd.service(5): both were added in version 254.
    both = {"RestartSteps", "RestartMaxDelaySec"}
    assert both <= settings(units(254)["linuxnet-netns-hook.service"])
    assert not both & settings(units(252)["linuxnet-netns-hook.service"])


def test_what_it_cannot_work_with_is_refused(tmp_path: pathlib.Path) -> None:
    pytest.importorskip("ansible.cli")
    hosts = {
        "good": ("Linux", "systemd", "3.8"),
        "openrc": ("Linux", "openrc", "3.8"),
        "bsd": ("FreeBSD", "bsdinit", "3.11"),
        "old": ("Linux", "systemd", "3.7"),
        "going": ("Linux", "systemd", "3.7"),
    }
    names = ("__netns_hook_system", "__netns_hook_manager", "__netns_hook_python_version")
    inventory = {name: dict(zip(names, values)) for name, values in hosts.items()}
    inventory["going"]["netns_hook_state"] = "absent"
    (tmp_path / "hosts.yml").write_text(yaml.safe_dump({"all": {"hosts": inventory}}))
    play = {
        "hosts": "all",
        "gather_facts": False,
        "connection": "local",
        "vars": {"__netns_hook_python": "/usr/bin/python3"},
        "tasks": [
            {
                "ansible.builtin.include_role": {
                    "name": str(ROLE),
                    "tasks_from": "refuse.yml",
                    "rolespec_validate": False,
                }
            }
        ],
    }
    (tmp_path / "play.yml").write_text(yaml.safe_dump([play]))
    command = [sys.executable, "-m", "ansible", "playbook", "-i", "hosts.yml", "play.yml"]
    environment = {**os.environ, "ANSIBLE_NOCOLOR": "true"}
    done = subprocess.run(
        command, check=False, stdout=subprocess.PIPE, text=True, cwd=tmp_path, env=environment
    )
    failed = dict(re.findall(r"^(\w+) +: .* failed=(\d)", done.stdout, re.MULTILINE))
    assert failed == {"good": "0", "openrc": "1", "bsd": "1", "old": "1", "going": "0"}
    assert "this host has Linux with openrc: use the module" in done.stdout
    assert "/usr/bin/python3 is Python 3.7: install one" in done.stdout


def test_the_settings_are_those_of_the_program() -> None:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(ROLE / "templates"), trim_blocks=True
    )
    environment.filters["bool"] = bool
    environment.filters["to_nice_json"] = json.dumps
    template = environment.get_template("linuxnet-netns-hook.json.j2")
    variables = {**load("defaults/main.yml"), "netns_hook_labels": {"a": True, "b": 2, "c": "X"}}
    found = config.parse(template.render(variables))
    assert found.labels == {"a": "true", "b": "2", "c": "X"}
    assert found.engines is None
    assert found.resync_interval == 60
