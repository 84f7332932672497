# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Compares lists and maps in the documentation with the code, and checks the links between pages."""

from __future__ import annotations

import fnmatch
import pathlib
import re
import subprocess
import typing as t

import pytest
import yaml

from ansible_collections.linuxnet.netns.plugins.doc_fragments import _host
from ansible_collections.linuxnet.netns.plugins.module_utils import (
    _doctor_module,
    _exec_module,
    _facts_module,
    _link_module,
)
from ansible_collections.linuxnet.netns.plugins.module_utils._core.engines import registry

ROOT = pathlib.Path(__file__).resolve().parents[3]
CORE = ROOT / "plugins" / "module_utils" / "_core"


PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("roles/*/*.md")])
FACTS = _facts_module.spec().argument_spec
OPTIONS = {
    "linuxnet.netns.netns_doctor": _doctor_module.spec().argument_spec,
    "linuxnet.netns.netns_facts": FACTS,
    "linuxnet.netns.netns_info": FACTS,
    "linuxnet.netns.netns_exec": _exec_module.spec().argument_spec,
    "linuxnet.netns.netns_link": _link_module.spec().argument_spec,
}


def page(name: str) -> str:
    """A page of the documentation."""
    return (ROOT / name).read_text(encoding="utf-8")


def directories(name: str, heading: str) -> list[str]:
    """The directories that a table of a page lists."""
    rows = re.findall(r"^\| (`.*?`) \|", section(page(name), heading), re.MULTILINE)
    return [directory for row in rows for directory in re.findall(r"`(.+?)/`", row)]


def is_published(name: str) -> bool:
    """Whether a file or directory of the checkout is in the tarball."""
    ignored = parsed("galaxy.yml")["build_ignore"]
    parents = [name, *map(str, pathlib.PurePath(name).parents)]
    return not any(fnmatch.fnmatch(path, pattern) for path in parents for pattern in ignored)


def section(text: str, heading: str) -> str:
    """The text below a heading, up to the next heading of its level."""
    return text.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]


def parsed(name: str) -> t.Any:
    """A YAML file of the project."""
    return yaml.safe_load(page(name))


def test_every_list_of_engines_is_complete() -> None:
    options = parsed("roles/netns_hook/meta/argument_specs.yml")["argument_specs"]["main"]
    documented = yaml.safe_load(_host.ModuleDocFragment.DOCUMENTATION)["options"]
    assert options["options"]["netns_hook_engines"]["choices"] == list(registry.NAMES)
    assert documented["engines"]["choices"] == list(registry.NAMES)
    rows = re.findall(r"^\| `(\w+)` \|", page("docs/engines.md"), flags=re.MULTILINE)
    assert rows == list(registry.NAMES)


def test_the_action_group_has_every_module() -> None:
    modules = sorted(path.stem for path in (ROOT / "plugins" / "modules").glob("*.py"))
    assert parsed("meta/runtime.yml")["action_groups"] == {"netns": modules}


def test_the_two_tables_of_directories_have_every_directory() -> None:
    published = directories("README.md", "Directories")
    others = directories("CONTRIBUTING.md", "Directories outside the released collection")
    assert [name for name in [*published, *others] if not (ROOT / name).is_dir()] == []
    assert [name for name in published if not is_published(name)] == []
    assert [name for name in others if is_published(name)] == []
    listed = subprocess.run(
        ["git", "-C", ROOT, "ls-files", "-co", "--exclude-standard"],
        check=False,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout
    if not listed:
        pytest.skip("the checkout is not a git repository here")
    tops = {line.partition("/")[0] for line in listed.splitlines() if "/" in line}
    named = {name.partition("/")[0] for name in [*published, *others]}
    assert {top for top in tops if top[0] != "."} <= named


def test_the_map_for_contributors_has_every_package_and_module() -> None:
    rows = re.findall(
        r"^\| (`.*?`) \|", section(page("CONTRIBUTING.md"), "Map of the code"), re.MULTILINE
    )
    named = {name for row in rows for name in re.findall(r"`(\w+)/?`", row)}
    tree = {path.stem for path in CORE.iterdir() if path.stem not in ("__init__", "__pycache__")}
    assert named == tree


@pytest.mark.parametrize(
    "playbook", sorted((ROOT / "playbooks").glob("*.yml")), ids=lambda path: path.stem
)
def test_the_readme_names_every_playbook(playbook: pathlib.Path) -> None:
    assert f"linuxnet.netns.{playbook.stem}" in page("README.md")


def tasks(value: t.Any) -> t.Iterator[tuple[str, t.Any]]:
    """The calls of the collection's modules in a part of a playbook, at any depth."""
    if isinstance(value, list):
        for item in value:
            yield from tasks(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            if key in OPTIONS:
                yield key, item or {}
            else:
                yield from tasks(item)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_tasks_use_only_options_that_exist(path: pathlib.Path) -> None:
    text = path.read_text(encoding="utf-8")
    for block in re.findall(r"^```yaml\n(.*?)^```$", text, flags=re.DOTALL | re.MULTILINE):
        # An example of the facts has an ellipsis, which is not valid YAML everywhere.
        for module, options in tasks(yaml.safe_load(block.replace("…", "x"))):
            names = set(OPTIONS[module])
            names.update(*(spec.get("aliases", ()) for spec in OPTIONS[module].values()))
            assert set(options) <= names, block


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_links_lead_somewhere(path: pathlib.Path) -> None:
    text = path.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        file, _hash, anchor = target.partition("#")
        if "://" in file or target.startswith("http"):
            continue
        other = path.parent / file if file else path
        assert other.exists(), target
        if path.name == "README.md":
            # Galaxy and the tarball have the page too.
            assert is_published(str(other.resolve().relative_to(ROOT))), target
        if anchor:
            headings = re.findall(r"^#+ (.*)$", other.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in {
                re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings
            }, target


def test_the_guarantees_name_tests_that_exist() -> None:
    files = {path.name for path in ROOT.glob("tests/**/test_*.py")}
    named = set(re.findall(r"\btest_\w+\.py", page("docs/guarantees.md")))
    assert named
    assert named <= files
