# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The HTML page of the playbook facts, without a browser. The tests in tests/page open it in one."""

from __future__ import annotations

import hashlib
import html.parser
import json
import re
import typing as t

import pytest

pytest.importorskip("jinja2")

from template import PLAYBOOKS, facts_in, render

FILES = PLAYBOOKS / "files" / "page"
OWN_FILES = ("page.css", "fleet.js", "page.js")
HOSTILE = [
    "</script><script>alert(1)</script>",
    "<!--<script>",
    "]]>",
    "{{ 7 * 7 }}{% raw %}",
    "\u2028\u2029",
    "<img src=x onerror=alert(1)>&amp;",
    "'\"`\\",
]


class Page(html.parser.HTMLParser):
    """The elements of the page, and the text in each script."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[tuple[dict[str, str | None], str]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag == "script":
            self.scripts.append((dict(attrs), ""))

    def handle_data(self, data: str) -> None:
        if self.scripts and self.elements[-1][0] == "script":
            attributes, text = self.scripts[-1]
            self.scripts[-1] = (attributes, text + data)


def shown(page: Page) -> dict[str, t.Any]:
    """The facts by host in the data of the page, without what they do not contain."""
    assert not re.search("[<>&]", page.scripts[0][1])
    return {
        host: without_null(facts)
        for host, facts in facts_in(json.loads(page.scripts[0][1])).items()
    }


def without_null(value: t.Any) -> t.Any:
    if isinstance(value, dict):
        return {key: without_null(item) for key, item in value.items() if item is not None}
    return list(map(without_null, value)) if isinstance(value, list) else value


def test_facts_are_data_and_no_markup() -> None:
    container = {"name": HOSTILE[0], "labels": {text: text for text in HOSTILE}}
    namespaces = [{"inode": 1, "names": HOSTILE, "containers": [container]}]
    page = Page(render({"web1": {"namespaces": namespaces}}))
    kinds = [script[0].get("type") for script in page.scripts]
    assert kinds == ["application/json", None, None, None]
    container["labels"] = [{"key": text, "value": text} for text in HOSTILE]
    assert shown(page) == {"web1": {"namespaces": namespaces}}
    assert [tag for tag, _attributes in page.elements] == [
        tag for tag, _attributes in Page(render({})).elements
    ]


def test_findings_are_data_of_their_hosts() -> None:
    fleet = {"web1": {"namespaces": []}, "web2": {"namespaces": []}, "web3": None}
    findings = [
        {"host": "web1, web3", "message": HOSTILE[0], "subject": {"inode": 1, "names": HOSTILE}},
        {"host": "web1", "message": HOSTILE[1]},
    ]
    page = Page(render(fleet, netns_page_findings=findings))
    expected = [{key: each[key] for key in each if key != "host"} for each in findings]
    assert shown(page) == {
        "web1": {"namespaces": [], "findings": expected},
        "web2": {"namespaces": []},
        "web3": {"findings": expected[:1]},
    }


def test_only_scripts_of_the_page_run_and_nothing_is_loaded() -> None:
    page = Page(render({"web1": None}))
    (policy,) = (
        attributes["content"]
        for tag, attributes in page.elements
        if attributes.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy is not None
    nonce = page.scripts[1][0]["nonce"]
    assert policy.split("; ") == [
        "default-src 'none'",
        f"script-src 'nonce-{nonce}'",
        f"style-src 'nonce-{nonce}'",
        "img-src data:",
        "base-uri 'none'",
        "form-action 'none'",
    ]
    # Facts cannot contain the nonce, because it is a hash of them.
    assert nonce != Page(render({"web2": None})).scripts[1][0]["nonce"]
    for element in page.elements:
        assert not element[1].keys() & {"src", "href", "style", "onclick", "onload"}


def test_libraries_have_their_checksums_and_licenses() -> None:
    sums = dict(
        reversed(line.split("  ")) for line in (FILES / "SHA256SUMS").read_text().splitlines()
    )
    assert sums == {
        name: hashlib.sha256((FILES / name).read_bytes()).hexdigest()
        for name in (file.name for file in FILES.iterdir())
        if name not in (*OWN_FILES, "SHA256SUMS")
    }
    licenses = (FILES / "LICENSES.txt").read_text(encoding="utf-8")
    assert licenses in render({})


@pytest.mark.parametrize("name", [*OWN_FILES, "cytoscape.min.js", "cytoscape-dagre.min.js"])
def test_files_contain_nothing_that_ends_their_element(name: str) -> None:
    text = (FILES / name).read_text(encoding="utf-8")
    assert not re.search("</script|</style|<!--|sourceMappingURL", text, re.IGNORECASE)


@pytest.mark.parametrize("name", ["fleet.js", "page.js"])
def test_page_creates_no_markup_from_text(name: str) -> None:
    text = (FILES / name).read_text(encoding="utf-8")
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacent|document\.write|DOMParser|\beval\b|Function\(", text
    )
