# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""RETURN of netns_facts and netns_info describes the same facts, as Ansible has no fragments for RETURN."""

from __future__ import annotations

import ast
import pathlib
import typing as t

import yaml

MODULES = pathlib.Path(__file__).parents[4] / "plugins" / "modules"


def returned(module: str) -> t.Any:
    """RETURN of a module, read from its text: importing it would need a controller's packages."""
    for statement in ast.parse((MODULES / f"{module}.py").read_text(encoding="utf-8")).body:
        if (
            isinstance(statement, ast.Assign)
            and getattr(statement.targets[0], "id", "") == "RETURN"
        ):
            text = ast.literal_eval(statement.value)
            return yaml.safe_load(text.replace("RV(ansible_facts.netns.", "RV(netns."))
    raise AssertionError(f"{module} documents no result")


def test_both_modules_document_the_same_content() -> None:
    assert returned("netns_facts")["ansible_facts"]["contains"] == returned("netns_info")
