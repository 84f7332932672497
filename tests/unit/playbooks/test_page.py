# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The HTML page of the playbook facts, without a browser. The tests in tests/page open it in one."""

from __future__ import annotations

import hashlib
import html.parser
import json
import pathlib
import re
import typing as t

import pytest

from ansible_collections.linuxnet.netns.plugins.plugin_utils import _fleet_schema

jinja2 = pytest.importorskip("jinja2")

PLAYBOOKS = pathlib.Path(_fleet_schema.__file__).resolve().parents[2] / "playbooks"
FILES = PLAYBOOKS / "files" / "page"
OWN_FILES = ("page.css", "page.js")
HOSTILE = [
    "</script><script>alert(1)</script>",
    "<!--<script>",
    "]]>",
    "{{ 7 * 7 }}{% raw %}",
    "\u2028\u2029",
    "<img src=x onerror=alert(1)>&amp;",
    "'\"`\\",
]


def render(netns_fleet: t.Any, **variables: t.Any) -> str:
    """Render the page as Ansible renders the template."""

    def lookup(name: str, path: str) -> str:
        assert name == "ansible.builtin.file"
        return (PLAYBOOKS / "files" / path).read_text(encoding="utf-8").rstrip()

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(PLAYBOOKS / "templates"),
        trim_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["to_json"] = json.dumps
    environment.filters["hash"] = lambda text, kind: hashlib.new(kind, text.encode()).hexdigest()
    template = environment.get_template("netns.html.j2")
    return str(template.render(netns_fleet=netns_fleet, lookup=lookup, **variables))


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


def test_facts_are_data_and_no_markup() -> None:
    facts = {
        "web1": {"namespaces": [{"names": HOSTILE, "labels": {text: text for text in HOSTILE}}]}
    }
    page = Page(render(facts))
    kinds = [script[0].get("type") for script in page.scripts]
    assert kinds == ["application/json", None, None, None]
    assert json.loads(page.scripts[0][1]) == facts
    assert not re.search("[<>&]", page.scripts[0][1])
    assert [tag for tag, _attributes in page.elements] == [
        tag for tag, _attributes in Page(render({})).elements
    ]


def test_findings_are_data_of_their_hosts() -> None:
    fleet = {"web1": {"namespaces": []}, "web2": {"namespaces": []}, "web3": None}
    findings = [
        {"host": "web1, web3", "message": HOSTILE[0]},
        {"host": "web1", "message": HOSTILE[1]},
    ]
    page = Page(render(fleet, netns_page_findings=findings))
    assert json.loads(page.scripts[0][1]) == {
        **fleet,
        "web1": {"namespaces": [], "findings": findings},
    }
    assert not re.search("[<>&]", page.scripts[0][1])


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


def test_page_creates_no_markup_from_text() -> None:
    text = (FILES / "page.js").read_text(encoding="utf-8")
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacent|document\.write|DOMParser|\beval\b|Function\(", text
    )
