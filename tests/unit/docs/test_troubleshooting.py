# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The troubleshooting page has every message of the code, and no other."""

from __future__ import annotations

import ast
import pathlib
import re
import typing as t

import yaml

from ansible_collections.linuxnet.netns.plugins.module_utils._core.checks import registry as checks
from ansible_collections.linuxnet.netns.plugins.plugin_utils import _enter_command

ROOT = pathlib.Path(__file__).resolve().parents[3]
PAGE = ROOT / "docs" / "troubleshooting.md"
CODE = ROOT / "plugins"
# Sentences of the code that report no problem: help, headings, requests, and descriptions of existing entries.
NO_MESSAGES = {
    "Links the network namespaces of containers for ip netns.",
    "GET … HTTP/1.1\\r\\nHost: localhost\\r\\n\\r\\n",
    "a file that is not empty",
    "a namespace of type …",
    "a symbolic link that cannot be followed: …",
    "a symbolic link that leads nowhere",
    "a symbolic link to another namespace",
    "a symbolic link to …",
    "an IPC namespace",
    "an empty file",
    "bind and make shared",
    "check a file of settings",
    "linuxnet.netns ledger",
    "look for what is wrong with the namespaces of this host",
    "reconcile all links until nothing changes, for the udev trigger",
    "reconcile all links with the running containers now",
    "retry after a conflict or failure",
    "repair nothing, and show what would be",
    "repair what this check finds",
    "run the service, which follows the engines",
    "show each link, its owner, and the action that sync would take",
    "show the settings, and whether the hook is active",
    "… findings of … checks",
    "… links are unchanged",
    "… of a mounted file system",
    "{{ ansible_playbook_python }}",
    "{{ hostvars[netns_host].… }}",
    "{{ hostvars[netns_host].ansible_host | default(netns_host) }}",
}


def is_sentence(text: str) -> bool:
    """Whether the text has three words, and is not a statement in SQL."""
    return (
        " " in text.strip()
        and "SELECT" not in text
        and len(re.findall(r"[A-Za-z']{2,}", text)) >= 3
    )


def template(node: ast.AST) -> str | None:
    """A string of the code, with … for the parts that only a run can fill in."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(template(part) or "…" for part in node.values)
    return None


def sentences(path: pathlib.Path, kind: type[ast.AST]) -> t.Iterator[str]:
    """The sentences in a file's nodes of one kind, without docstrings."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    parts: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            parts.update(node.values)
        elif isinstance(node, ast.Expr):
            # A docstring.
            parts.add(node.value)
    for outer in ast.walk(tree):
        if isinstance(outer, kind):
            for node in ast.walk(outer):
                text = None if node in parts else template(node)
                if text and is_sentence(text):
                    yield text.replace("\r", "\\r").replace("\n", "\\n")


def programs() -> t.Iterator[str]:
    """The sentences of the modules and the hook, and the errors of the filters."""
    for path in sorted((CODE / "module_utils").rglob("*.py")):
        # What checks find is on the page of the doctor.
        if path.stem not in checks.NAMES:
            yield from sentences(path, ast.Module)
    for name in ("_fleet_inventory.py", "_fleet_schema.py"):
        yield from sentences(CODE / "plugin_utils" / name, ast.Module)
    yield from sentences(CODE / "inventory" / "containers.py", ast.Call)
    yield from sentences(CODE / "plugin_utils" / "_fleet_findings.py", ast.Raise)
    yield _enter_command._TOO_OLD
    for path in (
        CODE / "become" / "netns.py",
        CODE / "filter" / "netns.py",
        CODE / "plugin_utils" / "_fleet_search.py",
        CODE / "plugin_utils" / "_fleet_target.py",
    ):
        yield from sentences(path, ast.Raise)


def plays() -> t.Iterator[str]:
    """The messages of the role and the playbooks."""
    directories = (ROOT / "roles" / "netns_hook" / "tasks", ROOT / "playbooks")
    for path in (path for directory in directories for path in sorted(directory.glob("*.yml"))):
        yield from messages(yaml.safe_load(path.read_text(encoding="utf-8")))


def messages(value: t.Any) -> t.Iterator[str]:
    """The messages in a part of a playbook, at any depth."""
    if isinstance(value, list):
        for item in value:
            yield from messages(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            if key in ("fail_msg", "msg") and isinstance(item, str):
                text = re.sub(r"\{\{.*?\}\}", "…", item, flags=re.DOTALL)
                if is_sentence(text):
                    yield text
            else:
                yield from messages(item)


def test_every_message_is_explained() -> None:
    page = PAGE.read_text(encoding="utf-8")
    explained = {
        line
        for block in re.findall(r"^```text\n(.*?)^```$", page, flags=re.DOTALL | re.MULTILINE)
        for line in block.splitlines()
    }
    given = {*programs(), *plays()}
    assert given - explained - NO_MESSAGES == set()
    # Some messages on the page have fewer than three words.
    assert {text for text in explained if is_sentence(text)} - given == set()
    assert NO_MESSAGES - given == set()
