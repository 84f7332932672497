# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the page shows in Chromium, and how it reacts to clicks, keys and searches."""

from __future__ import annotations

import json
import pathlib
import typing as t

import pytest
import template
from pages import Draw, Open, large, small, wait_for_picture
from playwright.sync_api import Page, expect

HOSTILE = (
    "</script><script>window.pwned = 1</script><img src=x onerror='window.pwned = 1'>{{ 6 * 7 }}"
)


@pytest.fixture(scope="session")
def few(draw: Draw) -> pathlib.Path:
    return draw({"web1": small(), "web2": None})


@pytest.fixture(scope="session")
def many(draw: Draw) -> pathlib.Path:
    return draw({"node7": large()})


def labels(page: Page, kind: str) -> list[str]:
    """The labels of the nodes of a type in the graph, from top to bottom."""
    wait_for_picture(page)
    result = page.evaluate(
        """(kind) => cy.nodes(`[type="${kind}"]`).sort((a, b) => a.position("y") - b.position("y"))
             .map((node) => node.data("label"))""",
        kind,
    )
    return t.cast("list[str]", result)


def click_node(page: Page, label: str) -> None:
    position = page.evaluate(
        """(label) => {
             const node = cy.nodes().filter((node) => (node.data("label") || "").startsWith(label)).first();
             const box = cy.container().getBoundingClientRect();
             const { x, y } = node.renderedPosition();
             return [box.x + x, box.y + y];
           }""",
        label,
    )
    page.mouse.click(*position)


def search(page: Page, text: str, expected: str) -> None:
    page.locator("#query").fill(text)
    expect(page.locator("#found")).to_have_text(expected)
    wait_for_picture(page)


def test_the_path_from_the_bridge_to_the_address(few: pathlib.Path, show: Open) -> None:
    page = show(few)
    expect(page.locator("#summary")).to_contain_text("2 hosts · 5 namespaces · 1 stale")
    assert labels(page, "host") == ["web1"]
    assert labels(page, "namespace") == ["db", "metrics, web", "mail", "gone  (stale)"]
    path = page.evaluate(
        """() => {
             const node = cy.nodes().filter((node) => node.data("label") === "metrics, web");
             return node.predecessors("node[type != 'anchor']").map((node) => node.data("label")).reverse();
           }"""
    )
    assert path == ["docker0  172.18.0.1/16", "veth62f2f52", "eth0  172.18.0.2/16"]
    # There is one column for each type, from the host to the namespaces.
    columns = page.evaluate(
        """() => ["nic", "bridge", "port", "inner", "namespace"].map((type) =>
             [...new Set(cy.nodes(`[type="${type}"]`).map((node) => Math.round(node.position("x"))))])"""
    )
    assert [len(column) for column in columns] == [1] * 5
    assert columns == sorted(columns)
    expect(page.locator("#list .problem")).to_have_text(
        "no facts: the host did not answer, or the cache has none"
    )


def test_details(few: pathlib.Path, show: Open) -> None:
    page = show(few)
    details = page.locator("#details")
    expect(details).to_be_hidden()
    page.get_by_role("button", name="metrics, web").click()
    expect(details.locator("h2")).to_have_text("metrics, web")
    expect(details.locator(".path li")).to_have_text(
        ["docker0", "veth62f2f52", "eth0", "172.18.0.2/16"]
    )
    expect(details).to_contain_text("/run/netns/web")
    expect(details.locator("table").last).to_contain_text("default172.18.0.1eth0")
    assert page.evaluate("cy.nodes('.path').length") == 4
    # Clicks in the graph: an interface in a namespace, and the bridge.
    click_node(page, "eth0  172.19.0.2")
    expect(details.locator("h2")).to_have_text("db")
    click_node(page, "docker0")
    expect(details.locator("h2")).to_have_text("the host itself")
    assert page.evaluate("cy.nodes('.path').length") == 4
    page.keyboard.press("Escape")
    expect(details).to_be_hidden()
    assert page.evaluate("cy.elements('.path').length") == 0


def test_stale_namespaces_are_marked(few: pathlib.Path, show: Open) -> None:
    page = show(few)
    page.get_by_label("only stale").check()
    assert labels(page, "namespace") == ["gone  (stale)"]
    assert page.evaluate("cy.nodes('[?stale]').style('border-style')") == "dashed"
    page.get_by_role("button", name="gone").click()
    expect(page.locator("#details .stale")).to_contain_text("Stale")


def test_findings_of_the_doctor_are_marked(draw: Draw, show: Open) -> None:
    facts = small()
    by_name = {name: each["inode"] for each in facts["namespaces"] for name in each["names"]}
    nothing: dict[str, t.Any] = {"inode": None, "names": [], "path": None, "interface": None}

    def finding(severity: str, message: str, **subject: t.Any) -> dict[str, t.Any]:
        return {
            "check": "mtu",
            "severity": severity,
            "message": message,
            "remedy": "set it",
            "subject": {**nothing, "containers": [], **subject},
        }

    facts["findings"] = [
        finding("warning", f"web is ill {HOSTILE}", inode=by_name["web"]),
        finding("error", "a bridge is ill", interface="docker0"),
        finding("note", "a name is dead", names=["dead"]),
    ]
    page = show(draw({"web1": facts}))
    expect(page.locator("#list .problem")).to_have_text("note: a name is dead")
    web = page.get_by_role("button", name="metrics, web")
    expect(web).to_contain_text("warning")
    expect(page.get_by_role("button", name="the host itself")).to_contain_text("error")
    web.click()
    expect(page.locator("#details")).to_contain_text(f"warning: web is ill {HOSTILE}")
    expect(page.locator("#details")).to_contain_text("mtu: set it")
    search(page, "warning", "1 of 5")


def test_findings_of_a_host_without_facts(tmp_path: pathlib.Path, show: Open) -> None:
    subject = {"inode": None, "interface": "docker0", "names": []}
    finding = {"check": "mtu", "severity": "error", "message": "a bridge is ill", "remedy": ""}
    findings = [{**finding, "host": "web2", "subject": subject}]
    (tmp_path / "page.html").write_text(
        template.render({"web1": small(), "web2": None}, netns_page_findings=findings)
    )
    page = show(tmp_path / "page.html")
    expect(page.locator("#list .problem")).to_have_text(
        ["no facts: the host did not answer, or the cache has none", "error: a bridge is ill"]
    )
    assert labels(page, "host") == ["web1"]


@pytest.mark.parametrize(
    ("text", "count", "namespaces"),
    [
        ("172.18.0.2/16", 1, ["metrics, web"]),
        ("VETH62f2f52", 2, ["metrics, web"]),
        ("02e4ee", 1, ["metrics, web"]),
        ("tier=front", 1, ["metrics, web"]),
        ("podman0 10.88.0.2", 1, ["mail"]),
        ("stale", 1, ["gone  (stale)"]),
        ("docker0", 2, ["metrics, web"]),
        ("nobody", 0, []),
    ],
)
def test_search(
    few: pathlib.Path, show: Open, text: str, count: int, namespaces: list[str]
) -> None:
    page = show(few)
    search(page, text, f"{count} of 5")
    assert page.locator("#list li:not([hidden])").count() == count
    assert labels(page, "namespace") == namespaces


@pytest.fixture(scope="session")
def with_ports(draw: Draw) -> pathlib.Path:
    facts = small()
    web = next(each for each in facts["namespaces"] if "web" in each["names"])
    keys = ("protocol", "address", "port", "processes")
    nginx = {"pid": 1234, "name": HOSTILE, "container": "web"}
    web["listeners"] = [
        dict(zip(keys, ("tcp", "0.0.0.0", 80, [nginx]))),
        dict(zip(keys, ("udp", "127.0.0.1", 5353, None))),
    ]
    web["interfaces"][1]["altnames"] = ["enp0s31f6"]
    web["routes"][0]["type"] = "blackhole"
    forward = {
        "protocol": "tcp",
        "port": 8080,
        "to_address": "172.18.0.2",
        "to_port": 80,
        "inode": web["inode"],
        "container": "web",
        "by": "docker",
        "listening": True,
    }
    facts["forwards"] = [
        {**forward, "address": "0.0.0.0"},
        {**forward, "address": "::"},
        {**forward, "address": "10.0.0.5", "port": 81, "to_port": 81, "listening": False},
    ]
    return draw({"web1": facts})


@pytest.mark.parametrize(
    ("text", "count"),
    [
        *(
            (text, 1)
            for text in (":8080", "8080/tcp", ":8080/TCP", ":80", "10.0.0.5:81", "127.0.0.1:5353")
        ),
        *((text, 0) for text in (":808", "8080/udp", "10.0.0.6:81")),
        *((text, 1) for text in ("enp0s31f6", ":8080 172.18.0.2")),
    ],
)
def test_search_for_ports(with_ports: pathlib.Path, show: Open, text: str, count: int) -> None:
    page = show(with_ports)
    search(page, text, f"{count} of 5")
    assert labels(page, "namespace") == ["metrics, web"] * count


def test_ports_in_the_details(with_ports: pathlib.Path, show: Open) -> None:
    page = show(with_ports)
    page.get_by_role("button", name="metrics, web").click()
    published, listening, interfaces, routes = page.locator("#details table").all()
    expect(published.locator("tbody tr")).to_have_text(
        [":8080/tcp172.18.0.2:80docker webyes", "10.0.0.5:81/tcp172.18.0.2:81docker webnothing"]
    )
    expect(listening.locator("tbody tr")).to_have_text(
        [f":80/tcp{HOSTILE} (1234) of web", "127.0.0.1:5353/udp"]
    )
    expect(interfaces).to_contain_text("enp0s31f6")
    expect(routes.locator("tbody tr").first).to_contain_text("blackhole")
    assert page.evaluate("window.pwned") is None


def test_keys(few: pathlib.Path, show: Open) -> None:
    page = show(few)
    page.keyboard.press("/")
    page.keyboard.type("db")
    page.keyboard.press("Enter")
    expect(page.locator("#details h2")).to_have_text("db")
    assert labels(page, "namespace") == ["db"]
    page.keyboard.press("Escape")
    assert len(labels(page, "namespace")) == 4
    page.keyboard.press("Escape")
    expect(page.locator("#details")).to_be_hidden()
    # The arrow keys go through the list, and Enter selects.
    expect(page.get_by_role("button", name="db")).to_be_focused()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator("#details h2")).to_have_text("gone")
    page.locator("#graph").focus()
    before = page.evaluate("[cy.zoom(), cy.pan().y]")
    page.keyboard.press("+")
    page.keyboard.press("ArrowDown")
    after = page.evaluate("[cy.zoom(), cy.pan().y]")
    assert after[0] > before[0]
    assert after[1] < before[1]


def test_three_hundred_namespaces_are_legible(many: pathlib.Path, show: Open) -> None:
    page = show(many)
    expect(page.locator("#summary")).to_contain_text("1 host · 302 namespaces · 3 stale")
    assert page.locator("#list li").count() == 302
    assert len(labels(page, "namespace")) == 301
    # The text has a usual size, and no nodes overlap.
    assert page.evaluate("12 * cy.zoom()") >= 9
    overlapping = page.evaluate(
        """() => {
             const boxes = cy.nodes("[type != 'host'][type != 'anchor']").map((node) =>
               [node.data("label"), node.boundingBox({ includeLabels: false, includeOverlays: false })]);
             boxes.sort(([, a], [, b]) => a.y1 - b.y1);
             const overlaps = [];
             boxes.forEach(([name, a], index) => {
               for (const [other, b] of boxes.slice(index + 1)) {
                 if (b.y1 >= a.y2) break;
                 if (a.x1 < b.x2 && b.x1 < a.x2) overlaps.push(`${name} and ${other}`);
               }
             });
             return overlaps;
           }"""
    )
    assert overlapping == []
    # The namespaces of each bridge are together and in order.
    assert labels(page, "namespace")[:3] == ["lan-1", "lan-2", "lan-3"]
    assert labels(page, "namespace").index("api-9") + 1 == labels(page, "namespace").index("api-10")
    # The wheel scrolls, and zooms with Ctrl.
    page.locator("#graph").hover()
    before = page.evaluate("[cy.pan().y, cy.zoom()]")
    page.mouse.wheel(0, 500)
    page.wait_for_timeout(500)
    after = page.evaluate("[cy.pan().y, cy.zoom()]")
    assert after == [before[0] - 500, before[1]]
    page.keyboard.down("Control")
    page.mouse.wheel(0, 100)
    page.keyboard.up("Control")
    page.wait_for_timeout(500)
    assert page.evaluate("cy.zoom()") < before[1]
    page.locator("#whole").click()
    assert page.evaluate("cy.extent().h > cy.elements().boundingBox().h")


def test_search_among_three_hundred_namespaces(many: pathlib.Path, show: Open) -> None:
    page = show(many)
    search(page, "api-42", "1 of 302")
    page.keyboard.press("Enter")
    expect(page.locator("#details .path li").first).to_have_text("docker0")
    assert len(labels(page, "port")) == len(labels(page, "bridge")) == 1
    # A container in two networks.
    search(page, "front-3 docker", "11 of 302")
    page.get_by_role("button", name="front-3 ").first.click()
    expect(page.locator("#details .path")).to_have_count(2)
    # A path without a bridge, and one without the host.
    search(page, "lan-2", "1 of 302")
    assert labels(page, "nic") == ["eth0  172.17.0.5/16"]
    search(page, "10.9.9", "2 of 302")
    assert sorted(labels(page, "inner")) == ["w0  10.9.9.1/30", "w1  10.9.9.2/30"]


def test_texts_in_facts_are_never_executed(draw: Draw, show: Open) -> None:
    text = json.dumps(small())
    for word in ("metrics", "imap", "docker0", "gone", "linuxnet-netns-test:1", "tier", "front"):
        text = text.replace(json.dumps(word), json.dumps(f"{word}{HOSTILE}"))
    page = show(draw({"web1": json.loads(text)}))
    page.get_by_role("button", name="web", exact=False).first.click()
    for button in page.locator("#list button").all():
        button.click()
    expect(page.locator("#list")).to_contain_text(f"gone{HOSTILE}")
    search(page, "pwned", "5 of 5")
    assert page.evaluate("window.pwned") is None
    assert page.evaluate("document.images.length") == 0


def test_a_fleet(draw: Draw, show: Open) -> None:
    fleet = {f"web{number}": small() for number in range(1, 21)}
    page = show(draw(fleet))
    expect(page.locator("#summary")).to_contain_text("20 hosts · 100 namespaces · 20 stale")
    assert len(labels(page, "host")) == 20
    search(page, "web7 mail", "1 of 100")
    assert labels(page, "host") == ["web7"]


def test_facts_without_the_host_and_without_interfaces(draw: Draw, show: Open) -> None:
    narrowed = {
        **small(),
        "namespaces": [
            namespace for namespace in small()["namespaces"] if namespace["kind"] == "container"
        ],
    }
    page = show(draw({"web1": narrowed}))
    assert sorted(labels(page, "bridge")) == ["br-3801874c5732", "docker0"]
    always = ("inode", "dev", "is_host", "names", "pins", "nsid", "kind", "stale", "engine")
    bare = {
        **small(),
        "namespaces": [
            {key: namespace[key] for key in always} for namespace in small()["namespaces"]
        ],
    }
    page = show(draw({"web1": bare}))
    assert len(labels(page, "namespace")) == 4
    page.get_by_role("button", name="gone").click()
    expect(page.locator("#details h2")).to_have_text("gone")


def test_dark_and_small_screens(few: pathlib.Path, show: Open) -> None:
    page = show(few)
    page.emulate_media(color_scheme="light")
    day = page.evaluate("cy.nodes('[type=\"namespace\"]').style('color')")
    page.emulate_media(color_scheme="dark")
    page.wait_for_timeout(300)
    assert page.evaluate("cy.nodes('[type=\"namespace\"]').style('color')") != day
    page = show(few, viewport={"width": 420, "height": 800})
    page.get_by_role("button", name="db").click()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_printing(few: pathlib.Path, show: Open) -> None:
    page = show(few)
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    expect(page.locator("#paper")).to_be_visible()
    expect(page.locator("#list")).to_contain_text("metrics, web")
    expect(page.locator("#query")).to_be_hidden()
    page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    expect(page.locator("#paper")).to_have_count(0)
