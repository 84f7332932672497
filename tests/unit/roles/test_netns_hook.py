# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files of the role match the program and each other."""

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

from ansible_collections.linuxnet.netns.plugins.module_utils._core.hook import (
    config,
    findings,
    report,
    watch,
)
from ansible_collections.linuxnet.netns.plugins.module_utils._core.links import ledger

# Only controllers have it; these tests also run on the Pythons of managed hosts.
jinja2 = pytest.importorskip("jinja2")

ROOT = pathlib.Path(__file__).parents[3]
CORE = ROOT / "plugins/module_utils/_core"
ROLE = ROOT / "roles/netns_hook"


def load(path: str) -> t.Any:
    return yaml.safe_load((ROLE / path).read_text(encoding="utf-8"))


def imports(file: pathlib.Path) -> t.Iterator[pathlib.Path]:
    """Yield the files of the program that a file imports, also inside functions."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            assert not any(name.name.startswith(("ansible", "_core")) for name in node.names)
        if isinstance(node, ast.ImportFrom):
            if not node.level:
                assert not str(node.module).startswith("ansible"), file
                continue
            path = file.parents[node.level - 1].joinpath(*(node.module or "").split("."))
            candidates = [path.with_suffix(".py")] if node.module else []
            candidates += [path / f"{name.name}.py" for name in node.names]
            candidates += [path / name.name / "__init__.py" for name in node.names]
            yield from (candidate for candidate in candidates if candidate.is_file())


def closure(*files: pathlib.Path) -> set[pathlib.Path]:
    """Return these files, all files that they import, and the packages of both."""
    reached: set[pathlib.Path] = set()
    new = set(files)
    while new:
        reached |= new
        new = {path for file in new for path in imports(file)} - reached
    packages = {file.parent / "__init__.py" for file in reached}
    return reached | packages


def test_role_installs_all_imported_files() -> None:
    needed = closure(CORE / "hook/main.py")
    listed = load("vars/main.yml")["__netns_hook_files"]
    assert listed == sorted(str(path.relative_to(CORE)) for path in needed)


def test_entry_point_is_the_only_program_and_runs_isolated() -> None:
    assert [path.name for path in (ROLE / "files").iterdir()] == ["netns-hook"]
    assert "__netns_hook_python ~ ' -I'" in (ROLE / "tasks/install.yml").read_text(encoding="utf-8")


def test_argument_specs_and_defaults_agree() -> None:
    options = load("meta/argument_specs.yml")["argument_specs"]["main"]["options"]
    defaults = load("defaults/main.yml")
    assert {
        name: option["default"] for name, option in options.items() if "default" in option
    } == defaults
    assert sorted(set(options) - set(defaults)) == ["netns_hook_engines"]
    assert all(name.startswith("netns_hook_") for name in options)


PARTS = ("install", "configure", "service", "remove")


def test_each_part_of_the_role_has_its_tag() -> None:
    checks, *parts = load("tasks/main.yml")
    assert checks["ansible.builtin.import_tasks"] == "preflight.yml"
    assert checks["tags"] == ["netns_hook", *(f"netns_hook_{part}" for part in PARTS)]
    files = []
    for task in parts:
        include = task["ansible.builtin.include_tasks"]
        files.append(include["file"])
        tags = ["netns_hook", f"netns_hook_{pathlib.Path(include['file']).stem}"]
        # Without "apply" the tags would select only the inclusion itself.
        assert (task["tags"], include["apply"]["tags"]) == (tags, tags)
    assert files == [f"{part}.yml" for part in PARTS]
    options = load("meta/argument_specs.yml")["argument_specs"]["main"]["options"]
    rows = r"^\| `(netns_hook\w*)` \|"
    documented = re.findall(rows, (ROLE / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(documented) == sorted([*options, *checks["tags"]])


def test_what_the_hook_remembers_is_removed() -> None:
    (files,) = (task["loop"] for task in load("tasks/remove.yml") if "loop" in task)
    remembered = {f"{ledger.DIRECTORY}/{module._NAME}" for module in (findings, report)}
    assert remembered <= set(files)


def test_both_triggers_watch_the_same_directories() -> None:
    # systemd cannot watch for the cgroups of LXC, and the service follows Docker by its socket alone.
    by_service = {
        spec.path.partition("/*")[0]
        for spec in watch.WATCH_SPECS
        if not spec.socket and not spec.path.startswith("/sys/fs/cgroup/")
    }
    tasks = {path for path in by_service if path.endswith(".v2.task")}
    docker_names = {name for spec in watch.WATCH_SPECS for name in spec.exclude}
    watched = [
        pathlib.PurePath(path) for path in load("vars/main.yml")["__netns_hook_watched_dirs"]
    ]
    # Path units take no patterns, so each namespace of containerd is listed.
    by_units = {
        str(path.parent if path.parent.name.endswith(".v2.task") else path)
        for path in watched
        if path.name not in docker_names and str(path) != "/run/docker/netns"
    }
    assert by_units == by_service
    assert {f"{path}/k8s.io" for path in tasks} <= set(map(str, watched))


def test_handlers_have_topics_of_the_role_and_each_topic_is_notified() -> None:
    handlers = load("handlers/main.yml")
    topics = {handler["listen"] for handler in handlers}
    assert all("linuxnet.netns.netns_hook" in handler["name"] for handler in handlers)
    assert all(topic.startswith("linuxnet.netns.netns_hook ") for topic in topics)
    files = (ROLE / "tasks").glob("*.yml")
    notified = {
        task["notify"] for file in files for task in load(f"tasks/{file.name}") if "notify" in task
    }
    assert notified == topics


def units(systemd_version: int = 257, **given: t.Any) -> dict[str, str]:
    """Render all units of both triggers."""
    variables = load("vars/main.yml")
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(ROLE / "templates"), trim_blocks=True
    )
    environment.filters["bool"] = bool
    return {
        name: environment.get_template(f"{name}.j2").render(
            __netns_hook_systemd_version=systemd_version,
            **{**load("defaults/main.yml"), **given},
            **{key: value for key, value in variables.items() if key.startswith("__netns_hook")},
        )
        for kind in ("enabled", "activated")
        for names in variables[f"__netns_hook_{kind}_units"].values()
        for name in names
    }


def settings(text: str) -> set[str]:
    """Return the names of the settings in a unit."""
    return {line.partition("=")[0] for line in text.splitlines() if line[:1] not in "#["}


def test_units_that_mount_get_no_mount_namespace() -> None:
    # systemd.exec(5): settings that create a mount namespace, and settings that delete the ledger.
    forbidden = (
        *("Private", "Protect", "ReadOnly", "ReadWrite", "Inaccessible", "ExecPaths", "NoExec"),
        *("Temporary", "Bind", "Root", "Mount", "Dynamic", "Extension", "Image", "ProcSubset"),
        *("Runtime", "State", "Cache", "Logs", "Configuration", "LoadCredential"),
    )
    for name in ("linuxnet-netns-hook.service", "linuxnet-netns-hook-sync.service"):
        names = settings(units()[name])
        assert "CapabilityBoundingSet" in names
        assert [setting for setting in names if setting.startswith(forbidden)] == []


def test_the_doctor_needs_more_rights_than_the_links() -> None:
    for name in ("linuxnet-netns-hook.service", "linuxnet-netns-hook-sync.service"):
        without = units()[name].splitlines()
        added = [
            line for line in units(netns_hook_doctor=True)[name].splitlines() if line not in without
        ]
        assert [line for line in added if line[:1] != "#"] == [
            "CapabilityBoundingSet=CAP_NET_ADMIN CAP_SYS_CHROOT",
            "RestrictAddressFamilies=AF_UNIX AF_NETLINK",
            "RestrictNamespaces=net mnt",
        ]


def test_restart_steps_need_systemd_254() -> None:
    # systemd.service(5): both were added in version 254.
    new = {"RestartSteps", "RestartMaxDelaySec"}
    assert new <= settings(units(254)["linuxnet-netns-hook.service"])
    assert not new & settings(units(252)["linuxnet-netns-hook.service"])


@pytest.mark.parametrize("version", [247, 252, 253, 254, 257, 262])
def test_a_reload_is_reported_as_systemd_expects_it(version: int) -> None:
    lines = units(version)["linuxnet-netns-hook.service"].splitlines()
    # systemd.service(5): Type=notify-reload, added in version 253, sends SIGHUP itself.
    reload_lines = [line for line in lines if line.startswith(("Type=", "ExecReload="))]
    assert reload_lines == (
        ["Type=notify-reload"]
        if version >= 253
        else ["Type=notify", "ExecReload=/bin/kill -HUP $MAINPID"]
    )
    assert "Restart=always" in lines


def test_hosts_without_the_requirements_are_refused(tmp_path: pathlib.Path) -> None:
    pytest.importorskip("ansible.cli")
    hosts = {
        "good": ("Linux", "systemd", "3.8"),
        "openrc": ("Linux", "openrc", "3.8"),
        "bsd": ("FreeBSD", "bsdinit", "3.11"),
        "old": ("Linux", "systemd", "3.7"),
        "old_absent": ("Linux", "systemd", "3.7"),
    }
    names = ("__netns_hook_system", "__netns_hook_service_manager", "__netns_hook_python_version")
    inventory = {
        name: {"netns_hook_state": "present", **dict(zip(names, values))}
        for name, values in hosts.items()
    }
    inventory["old_absent"]["netns_hook_state"] = "absent"
    (tmp_path / "hosts.yml").write_text(yaml.safe_dump({"all": {"hosts": inventory}}))
    # Of the checks only the assertions: the other tasks gather facts about this host.
    assertions = [task for task in load("tasks/preflight.yml") if "ansible.builtin.assert" in task]
    play = {
        "hosts": "all",
        "gather_facts": False,
        "connection": "local",
        "vars": {"__netns_hook_python": "/usr/bin/python3"},
        "tasks": assertions,
    }
    (tmp_path / "play.yml").write_text(yaml.safe_dump([play]))
    command = [sys.executable, "-m", "ansible", "playbook", "-i", "hosts.yml", "play.yml"]
    environment = {**os.environ, "ANSIBLE_NOCOLOR": "true"}
    done = subprocess.run(
        command, check=False, stdout=subprocess.PIPE, text=True, cwd=tmp_path, env=environment
    )
    failed = dict(re.findall(r"^(\w+) +: .* failed=(\d)", done.stdout, re.MULTILINE))
    assert failed == {"good": "0", "openrc": "1", "bsd": "1", "old": "1", "old_absent": "0"}
    assert "this host runs Linux with openrc: use the module" in done.stdout
    assert "/usr/bin/python3 is Python 3.7: install a later one" in done.stdout


CHECK = "Check the settings with this version"
LABELS = {"tier": "front", "app": "shop"}
# By name of a host: its variables, as -e sets them, and what the settings then differ in; None where the play fails.
VARIABLES: dict[str, tuple[dict[str, t.Any], dict[str, t.Any] | None]] = {
    "defaults": ({}, {}),
    "an_engine": ({"netns_hook_engines": "docker"}, {"engines": ("docker",)}),
    "engines": ({"netns_engines": "docker,lxc"}, {"engines": ("docker", "lxc")}),
    "an_engine_list": ({"netns_hook_engines": ["docker"]}, {"engines": ("docker",)}),
    "a_label": ({"netns_hook_labels": "tier=front"}, {"labels": {"tier": "front"}}),
    "labels": ({"netns_labels": "tier=front,app=shop"}, {"labels": LABELS}),
    "spaced_labels": ({"netns_hook_labels": "tier=front app=shop"}, {"labels": LABELS}),
    "equals_in_a_label": ({"netns_labels": "cmd=a=b"}, {"labels": {"cmd": "a=b"}}),
    "labels_as_json": (
        {"netns_labels": '{"tier": "front", "n": 1}'},
        {"labels": {"tier": "front", "n": "1"}},
    ),
    "labels_as_dict": (
        {"netns_labels": {"tier": "front", "b": True}},
        {"labels": {"tier": "front", "b": "true"}},
    ),
    "the_role_counts": (
        {"netns_labels": "tier=front", "netns_hook_labels": "app=shop"},
        {"labels": {"app": "shop"}},
    ),
    "others": (
        {
            "netns_name_template": "{engine}-{name}",
            "netns_resolv_conf": "yes",
            "netns_hook_resync_interval": "30",
        },
        {"name_template": "{engine}-{name}", "resolv_conf": True, "resync_interval": 30},
    ),
    "doctor": ({"netns_hook_doctor": "yes"}, {"doctor": True}),
    "wrong_interval": ({"netns_hook_resync_interval": 0}, None),
    "wrong_template": ({"netns_name_template": "{x}"}, None),
    "unknown_engine": ({"netns_engines": "docker,rkt"}, None),
    "no_label": ({"netns_hook_labels": "tier"}, None),
    "containers": ({"netns_containers": "web"}, None),
}


def test_variables_of_the_command_line_and_of_the_other_playbooks(tmp_path: pathlib.Path) -> None:
    pytest.importorskip("ansible.cli")
    (playbook,) = yaml.safe_load((ROOT / "playbooks/hook.yml").read_text(encoding="utf-8"))
    spec = load("meta/argument_specs.yml")["argument_specs"]["main"]["options"]
    template = "linuxnet-netns-hook.json.j2"
    (check,) = (task for task in load("tasks/install.yml") if task["name"] == CHECK)
    play = {
        "hosts": "all",
        "gather_facts": False,
        "connection": "local",
        "vars": {
            "ansible_python_interpreter": sys.executable,
            "__netns_hook_python": sys.executable,
            "__netns_hook_current_version_dir": str(CORE.parent),
        },
        "pre_tasks": playbook["pre_tasks"],
        "roles": [{"role": "checked"}],
    }
    files = {
        "play.yml": [play],
        "hosts.yml": {
            "all": {"hosts": {name: given for name, (given, _expected) in VARIABLES.items()}}
        },
        "roles/checked/meta/argument_specs.yml": {"argument_specs": {"main": {"options": spec}}},
        "roles/checked/defaults/main.yml": load("defaults/main.yml"),
        "roles/checked/tasks/main.yml": [
            check,
            {
                "ansible.builtin.template": {
                    "src": template,
                    "dest": str(tmp_path / "{{ inventory_hostname }}"),
                }
            },
        ],
    }
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(yaml.safe_dump(content))
    (tmp_path / "roles/checked/templates").symlink_to(ROLE / "templates")
    command = [sys.executable, "-m", "ansible", "playbook", "-i", "hosts.yml", "play.yml"]
    environment = {**os.environ, "ANSIBLE_NOCOLOR": "true"}
    done = subprocess.run(
        command, check=False, stdout=subprocess.PIPE, text=True, cwd=tmp_path, env=environment
    )
    assert "resync_interval is 0: give a whole number of seconds" in done.stdout
    assert "unknown placeholder {x}" in done.stdout
    for name, (_given, expected) in VARIABLES.items():
        if expected is None:
            assert not (tmp_path / name).exists(), done.stdout
        else:
            assert (tmp_path / name).exists(), done.stdout
            settings = config.parse((tmp_path / name).read_bytes())
            assert settings == config.Config()._replace(**expected), name
    assert "The hook links all containers, and takes no netns_containers" in done.stdout


def test_settings_are_checked_before_a_version_becomes_current() -> None:
    names = [task["name"] for task in load("tasks/install.yml")]
    assert names.index(CHECK) < names.index("Make this version the current one")


# By name of a host: what `current` leads to there, the controller's version, and which directories stay.
VERSIONS: dict[str, tuple[str | None, str, set[str]]] = {
    "installed": ("1.1.0-b", "1.1.0-b", {"1.1.0-b"}),
    "not_installed_yet": ("1.0.0-a", "1.2.0-c", {"1.0.0-a"}),
    "absolute": ("/1.0.0-a", "1.2.0-c", {"1.0.0-a"}),
    "never_current": (None, "1.1.0-b", {"1.1.0-b"}),
}


def test_the_current_version_and_that_of_the_controller_stay(tmp_path: pathlib.Path) -> None:
    pytest.importorskip("ansible.cli")
    hosts = {}
    for host, (current, version, _left) in VERSIONS.items():
        lib_dir = tmp_path / host
        for name in ("1.0.0-a", "1.1.0-b"):
            (lib_dir / name).mkdir(parents=True)
        (lib_dir / "1.1.0-b.json").touch()
        if current:
            target = current if current[0] != "/" else f"{lib_dir}{current}"
            (lib_dir / "current").symlink_to(target)
        hosts[host] = {
            "__netns_hook_lib_dir": str(lib_dir),
            "__netns_hook_version_dir": f"{lib_dir}/{version}",
        }
    # Without those that start the units.
    tasks = [
        task
        for task in load("tasks/service.yml")
        if not {"ansible.builtin.meta", "ansible.builtin.systemd_service"} & set(task)
    ]
    play = {
        "hosts": "all",
        "gather_facts": False,
        "connection": "local",
        "vars": {"ansible_python_interpreter": sys.executable},
        "tasks": tasks,
    }
    (tmp_path / "play.yml").write_text(yaml.safe_dump([play]))
    (tmp_path / "hosts.yml").write_text(yaml.safe_dump({"all": {"hosts": hosts}}))
    command = [sys.executable, "-m", "ansible", "playbook", "-i", "hosts.yml", "play.yml"]
    done = subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stdout
    for host, (current, _version, left) in VERSIONS.items():
        expected = {*left, "current"} if current else left
        assert {path.name for path in (tmp_path / host).iterdir()} == expected, host


def test_program_reads_the_settings_of_the_role() -> None:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(ROLE / "templates"), trim_blocks=True
    )
    environment.filters["bool"] = bool
    environment.filters.update(to_nice_json=json.dumps, from_json=json.loads)
    template = environment.get_template("linuxnet-netns-hook.json.j2")
    variables = {**load("defaults/main.yml"), "netns_hook_labels": {"a": True, "b": 2, "c": "X"}}
    parsed = config.parse(template.render(variables))
    assert parsed.labels == {"a": "true", "b": "2", "c": "X"}
    assert parsed.engines is None
    assert parsed.resync_interval == 60
