# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The page of 1,000 hosts with 61 namespaces each: how large it is, and that it draws only what can be seen."""

from __future__ import annotations

import gzip
import json
import pathlib
import typing as t

import fleet
import pytest
from pages import PATIENCE, Open, wait_for_picture
from playwright.sync_api import Browser, Page, expect
from template import render

HOSTS = 1000
NAMESPACES = 61
# Compressed, the page is to have this part of the bytes of the facts.
MAX_SIZE = 0.5
# The most that the page may draw at once, whatever is searched for: rows of the list and nodes of the picture.
MAX_ROWS = 1000
MAX_NODES = 600
# The memory that the page may take for each byte of its data.
MAX_HEAP = 12
# Counts what the page draws, also if it is gone again. Unlike seconds, this does not depend on the machine.
COUNT = """() => {
  window.drawn = { rows: 0, nodes: 0 };
  const create = document.createElement.bind(document);
  document.createElement = (tag) => {
    if (tag === "li") window.drawn.rows += 1;
    return create(tag);
  };
  cy.on("add", "node", () => { window.drawn.nodes += 1; });
}"""


class Large(t.NamedTuple):
    path: pathlib.Path
    facts: dict[str, dict[str, t.Any]]


def draw_hosts(tmp_path_factory: pytest.TempPathFactory, count: int) -> Large:
    facts = dict(fleet.hosts(count))
    path = tmp_path_factory.mktemp("hosts") / "page.html"
    path.write_text(render(facts), encoding="utf-8")
    return Large(path, facts)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Large:
    return draw_hosts(tmp_path_factory, HOSTS)


@pytest.fixture(scope="module")
def opened(large: Large, browser: Browser) -> t.Iterator[Page]:
    """The page, opened once, as it takes a second."""
    page = browser.new_page(viewport={"width": 1500, "height": 900})
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(large.path.as_uri())
    page.evaluate(COUNT)
    yield page
    page.close()
    assert errors == []


@pytest.fixture
def page(opened: Page) -> Page:
    opened.locator("#query").fill("x")
    opened.locator("#query").press("Escape")
    expect(opened.locator("#query")).to_have_value("")
    opened.keyboard.press("Escape")
    wait_for_picture(opened)
    opened.evaluate("Object.assign(window.drawn, { rows: 0, nodes: 0 })")
    return opened


def search(page: Page, text: str, expected: int) -> None:
    page.locator("#query").fill(text)
    expect(page.locator("#found")).to_have_text(
        f"{expected} of {HOSTS * NAMESPACES}", timeout=PATIENCE
    )
    wait_for_picture(page)


def drawn_hosts(page: Page) -> list[str]:
    wait_for_picture(page)
    result = page.evaluate("cy.nodes('[type=\"host\"]').map((node) => node.data('label')).sort()")
    return t.cast("list[str]", result)


def check_drawn(page: Page) -> None:
    """The page contains few rows and nodes, and has not made many others since the last check."""
    wait_for_picture(page)
    counts = page.evaluate(
        """() => {
             const { rows, nodes } = window.drawn;
             Object.assign(window.drawn, { rows: 0, nodes: 0 });
             return { rows: Math.max(rows, document.querySelectorAll("#list li").length),
                      nodes: Math.max(nodes, cy.nodes().length) };
           }"""
    )
    assert 0 < counts["rows"] <= MAX_ROWS
    assert 0 < counts["nodes"] <= MAX_NODES


def test_the_page_is_smaller_than_the_facts(large: Large) -> None:
    facts = gzip.compress(json.dumps(large.facts).encode())
    assert len(gzip.compress(large.path.read_bytes())) <= MAX_SIZE * len(facts)


def test_memory(large: Large, page: Page) -> None:
    session = page.context.new_cdp_session(page)
    session.send("HeapProfiler.collectGarbage")
    used = session.send("Runtime.getHeapUsage")["usedSize"]
    assert used <= MAX_HEAP * large.path.stat().st_size


def test_only_what_can_be_seen_is_drawn(large: Large, page: Page) -> None:
    expect(page.locator("#summary")).to_contain_text("1000 hosts · 61000 namespaces")
    expect(page.locator("#range")).to_contain_text("of 1000")
    assert drawn_hosts(page)[0] == "node0"
    namespaces = [each for facts in large.facts.values() for each in facts["namespaces"]]
    # What finds everything, much, and some on many hosts.
    texts = {
        "node": len(namespaces),
        "docker": sum(each["is_host"] or each["engine"] == "docker" for each in namespaces),
        "api-29": sum(
            any(container["name"] == "api-29" for container in each["containers"])
            for each in namespaces
        ),
    }
    for text, expected in texts.items():
        search(page, text, expected)
        check_drawn(page)


def test_a_search_finds_one_of_all(large: Large, page: Page) -> None:
    namespaces = large.facts["node678"]["namespaces"]
    identity = next(each for each in namespaces if each["containers"])["containers"][0]["id"]
    search(page, identity[:20], 1)
    page.keyboard.press("Enter")
    expect(page.locator("#details")).to_contain_text("on node678")
    expect(page.locator("#details")).to_contain_text(identity)
    assert drawn_hosts(page) == ["node678"]
    assert page.locator("#list li").count() == 1


def test_the_rest_of_the_list_is_made_on_the_way(page: Page) -> None:
    page.evaluate("document.querySelector('#list').scrollTop = 1e9")
    last = page.locator("#list section").last
    expect(last.locator("li")).to_have_count(NAMESPACES)
    last.locator("li").last.scroll_into_view_if_needed()
    expect(last.locator("li").last).to_be_in_viewport()
    check_drawn(page)
    # A row there draws its host.
    last.locator("li button").last.click()
    assert "node999" in drawn_hosts(page)
    expect(page.locator("#details")).to_contain_text("on node999")
    # The arrow keys lead to the host before it.
    last.locator("li button").first.focus()
    page.keyboard.press("ArrowUp")
    focused = page.evaluate(
        "document.activeElement.closest('section').querySelector('h2').textContent"
    )
    assert focused.startswith("node998")
    page.evaluate("document.querySelector('#list').scrollTop = 0")
    expect(page.locator("#list section").first.locator("li")).to_have_count(NAMESPACES)


def test_hosts_are_drawn_page_by_page(page: Page) -> None:
    first = drawn_hosts(page)
    page.locator("#next").click()
    check_drawn(page)
    assert not set(first) & set(drawn_hosts(page))
    page.locator("#previous").click()
    assert drawn_hosts(page) == first
    expect(page.locator("#previous")).to_be_disabled()
    page.get_by_role("button", name="node5", exact=True).click()
    assert "node5" in drawn_hosts(page)


def test_the_print_version_has_the_whole_list(
    tmp_path_factory: pytest.TempPathFactory, show: Open
) -> None:
    page = show(draw_hosts(tmp_path_factory, 20).path)
    rows = page.locator("#list li")
    assert 0 < rows.count() < 20 * NAMESPACES
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert rows.count() == 20 * NAMESPACES
    page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    assert 0 < rows.count() < 20 * NAMESPACES
