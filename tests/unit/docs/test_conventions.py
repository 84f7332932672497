# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lists and maps that are written in two places are the same in both, and links between pages lead somewhere."""

from __future__ import annotations

import pathlib
import re
import subprocess
import typing as t

import pytest
import yaml

from ansible_collections.linuxnet.netns.plugins.doc_fragments import _host
from ansible_collections.linuxnet.netns.plugins.module_utils import (
    _argspec,
    _facts_module,
    _link_module,
)
from ansible_collections.linuxnet.netns.plugins.module_utils._core.engines import registry

ROOT = pathlib.Path(__file__).resolve().parents[3]
CORE = ROOT / "plugins" / "module_utils" / "_core"


PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("roles/*/*.md")])
FACTS = {**_argspec.HOST_SPEC, **_facts_module.FACTS_SPEC}
OPTIONS = {
    "linuxnet.netns.netns_facts": FACTS,
    "linuxnet.netns.netns_info": FACTS,
    "linuxnet.netns.netns_link": {**_argspec.HOST_SPEC, **_link_module._LINK_SPEC},
}


def page(name: str) -> str:
    """A page of the documentation."""
    return (ROOT / name).read_text(encoding="utf-8")


def section(text: str, heading: str) -> str:
    """The text below a heading, up to the next heading of its level."""
    return text.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]


def parsed(name: str) -> t.Any:
    """A YAML file of the project."""
    return yaml.safe_load(page(name))


def test_every_list_of_engines_has_all_of_them() -> None:
    options = parsed("roles/netns_hook/meta/argument_specs.yml")["argument_specs"]["main"]
    documented = yaml.safe_load(_host.ModuleDocFragment.DOCUMENTATION)["options"]
    assert options["options"]["netns_hook_engines"]["choices"] == list(registry.NAMES)
    assert documented["engines"]["choices"] == list(registry.NAMES)
    rows = re.findall(r"^\| `(\w+)` \|", page("docs/engines.md"), flags=re.MULTILINE)
    assert rows == list(registry.NAMES)


def test_the_action_group_has_every_module() -> None:
    modules = sorted(path.stem for path in (ROOT / "plugins" / "modules").glob("*.py"))
    assert parsed("meta/runtime.yml")["action_groups"] == {"netns": modules}


def test_the_map_of_the_readme_has_every_folder() -> None:
    rows = re.findall(
        r"^\| (`.*?`) \|", section(page("README.md"), "Where things are"), re.MULTILINE
    )
    named = [name for row in rows for name in re.findall(r"`(.+?)/`", row)]
    assert [name for name in named if not (ROOT / name).is_dir()] == []
    listed = subprocess.run(
        ["git", "-C", ROOT, "ls-files", "-co", "--exclude-standard"],
        check=False,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout
    if not listed:
        pytest.skip("the checkout is no repository here")
    tops = {line.partition("/")[0] for line in listed.splitlines() if "/" in line}
    assert {top for top in tops if top[0] != "."} <= {name.partition("/")[0] for name in named}


def test_the_map_for_contributors_has_every_room() -> None:
    rows = re.findall(r"^\| (`.*?`) \|", section(page("CONTRIBUTING.md"), "The map"), re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`(\w+)/?`", row)}
    rooms = {path.stem for path in CORE.iterdir() if path.stem not in ("__init__", "__pycache__")}
    assert named == rooms


@pytest.mark.parametrize(
    "playbook", sorted((ROOT / "playbooks").glob("*.yml")), ids=lambda path: path.stem
)
def test_the_readme_names_every_playbook(playbook: pathlib.Path) -> None:
    assert f"linuxnet.netns.{playbook.stem}" in page("README.md")


def tasks(value: t.Any) -> t.Iterator[tuple[str, t.Any]]:
    """The calls of our modules in a part of a playbook, at any depth."""
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
def test_tasks_have_options_that_there_are(path: pathlib.Path) -> None:
    text = path.read_text(encoding="utf-8")
    for block in re.findall(r"^```yaml\n(.*?)^```$", text, flags=re.DOTALL | re.MULTILINE):
        # What is left out of the facts has no place in YAML.
        for module, options in tasks(yaml.safe_load(block.replace("…", "x"))):
            known = set(OPTIONS[module])
            known.update(*(spec.get("aliases", ()) for spec in OPTIONS[module].values()))
            assert set(options) <= known, block


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_links_lead_somewhere(path: pathlib.Path) -> None:
    text = path.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        file, _hash, anchor = target.partition("#")
        if "://" in file or target.startswith("http"):
            continue
        other = path.parent / file if file else path
        assert other.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.*)$", other.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in {
                re.sub(r"[^\w\- ]", "", one.lower()).replace(" ", "-") for one in headings
            }, target
