# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The page of troubleshooting has every message that the code gives, and no other."""

from __future__ import annotations

import ast
import pathlib
import re
import typing as t

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[3]
PAGE = ROOT / "docs" / "troubleshooting.md"
CODE = ROOT / "plugins"
# Sentences of the code that complain of nothing: help, headings, requests, and words for what stands somewhere.
NO_MESSAGES = {
    "Keeps links to the network namespaces of containers.",
    "GET … HTTP/1.1\\r\\nHost: localhost\\r\\n\\r\\n",
    "a file that is not empty",
    "a namespace of type …",
    "a symbolic link that leads nowhere",
    "a symbolic link to another namespace",
    "a symbolic link to …",
    "all of it",
    "an IPC namespace",
    "an empty file",
    "bind and make shared",
    "follow the engines, as the service does",
    "linuxnet.netns ledger",
    "look at everything now, and put right what is not",
    "look until nothing changes any more, as the udev trigger does",
    "now and then",
    "see whether a file of settings is right",
    "show every link of ours, whose it is, and whether it is as it should be",
    "show what the hook is set to do, and whether it runs",
    "the service has started",
    "… links are as they should be",
    "… of a mounted file system",
}


def sentence(text: str) -> bool:
    """Whether it has three words, and is no text of another language than English."""
    return (
        " " in text.strip()
        and "SELECT" not in text
        and len(re.findall(r"[A-Za-z']{2,}", text)) >= 3
    )


def said(node: ast.AST) -> str | None:
    """A string with … for what is only known at run time."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(said(part) or "…" for part in node.values)
    return None


def sentences(path: pathlib.Path, only: type[ast.AST]) -> t.Iterator[str]:
    """What a file says, less what it says of itself; in nodes of one kind."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    parts: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            parts.update(node.values)
        elif isinstance(node, ast.Expr):
            # A docstring.
            parts.add(node.value)
    for outer in ast.walk(tree):
        if isinstance(outer, only):
            for node in ast.walk(outer):
                text = None if node in parts else said(node)
                if text and sentence(text):
                    yield text.replace("\r", "\\r").replace("\n", "\\n")


def programs() -> t.Iterator[str]:
    """What the modules and the hook say, and of the filters the errors."""
    for path in sorted((CODE / "module_utils").rglob("*.py")):
        yield from sentences(path, ast.Module)
    for path in (CODE / "filter" / "netns.py", CODE / "plugin_utils" / "_fleet.py"):
        yield from sentences(path, ast.Raise)


def plays() -> t.Iterator[str]:
    """What the role and the playbooks say themselves."""
    folders = (ROOT / "roles" / "netns_hook" / "tasks", ROOT / "playbooks")
    for path in (path for folder in folders for path in sorted(folder.glob("*.yml"))):
        yield from words(yaml.safe_load(path.read_text(encoding="utf-8")))


def words(value: t.Any) -> t.Iterator[str]:
    """The messages in a part of a playbook, at any depth."""
    if isinstance(value, list):
        for item in value:
            yield from words(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            if key in ("fail_msg", "msg") and isinstance(item, str):
                text = re.sub(r"\{\{.*?\}\}", "…", item, flags=re.DOTALL)
                if sentence(text):
                    yield text
            else:
                yield from words(item)


def test_every_message_is_explained() -> None:
    page = PAGE.read_text(encoding="utf-8")
    explained = {
        line
        for block in re.findall(r"^```text\n(.*?)^```$", page, flags=re.DOTALL | re.MULTILINE)
        for line in block.splitlines()
    }
    given = {*programs(), *plays()}
    assert given - explained - NO_MESSAGES == set()
    # Some of those that are explained have fewer words.
    assert {text for text in explained if sentence(text)} - given == set()
    assert NO_MESSAGES - given == set()
