# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Each check of the doctor has a file, a section of the page with its messages, and its name among the choices."""

from __future__ import annotations

import ast
import pathlib
import re

import pytest
import yaml

from ansible_collections.linuxnet.netns.plugins.module_utils._core.checks import finding, registry
from ansible_collections.linuxnet.netns.plugins.modules import netns_doctor

ROOT = pathlib.Path(__file__).resolve().parents[3]
CHECKS = ROOT / "plugins" / "module_utils" / "_core" / "checks"
PAGE = (ROOT / "docs" / "doctor.md").read_text(encoding="utf-8")
SEVERITIES = dict(
    re.findall(r"^\| `(error|warning|note)` \| [^|]+ \| ([^|]+) \|$", PAGE, re.MULTILINE)
)
SECTIONS = dict(re.findall(r"^### (\w+)\n(.*?)(?=^##|\Z)", PAGE, re.DOTALL | re.MULTILINE))
OPTIONS = yaml.safe_load(netns_doctor.DOCUMENTATION)["options"]


def template(node: ast.AST) -> str:
    """A message, with … for what a run fills in."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    assert isinstance(node, ast.JoinedStr)
    parts = (template(part) if isinstance(part, ast.Constant) else "…" for part in node.values)
    return "".join(parts)


def test_the_page_has_a_section_for_each_check() -> None:
    assert set(SECTIONS) == set(registry.NAMES)


def test_the_registry_has_every_check() -> None:
    files = {
        path.stem
        for path in CHECKS.glob("*.py")
        if "\nCHECK = " in path.read_text(encoding="utf-8")
    }
    assert files == set(registry.NAMES)


def test_the_module_documents_every_check() -> None:
    names = list(registry.NAMES)
    assert OPTIONS["checks"]["choices"] == [*names, *(f"!{name}" for name in names)]
    assert OPTIONS["repair"]["choices"] == list(registry.REPAIRS)


@pytest.mark.parametrize("name", registry.NAMES)
def test_the_page_lists_the_severities_of_a_check(name: str) -> None:
    text = (CHECKS / f"{name}.py").read_text(encoding="utf-8")
    used = {
        severity for severity in finding.SEVERITIES if re.search(rf"\b{severity.upper()}\b", text)
    }
    assert used == {severity for severity, checks in SEVERITIES.items() if f"`{name}`" in checks}


@pytest.mark.parametrize("check", registry.CHECKS, ids=lambda check: check.name)
def test_a_section_explains_the_check_and_has_its_messages(check: registry.Check) -> None:
    text = SECTIONS[check.name]
    for heading in ("What it means", "How it comes about", "What repairs it"):
        assert f"**{heading}**: " in text
    assert (f"`repair: [{check.name}]`" in text) == check.repairs
    tree = ast.parse((CHECKS / f"{check.name}.py").read_text(encoding="utf-8"))
    messages = [
        template(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.keyword)
        and node.arg == "message"
        and not isinstance(node.value, ast.Name)
    ]
    assert messages
    blocks = re.findall(r"^```text\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    assert sorted("".join(blocks).splitlines()) == sorted(messages)
