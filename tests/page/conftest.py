# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fixtures: the playbook writes a page from captured facts, and Chromium opens it."""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import subprocess
import typing as t

import pytest
from pages import HERE, QUIET, Draw, Open, wait_for_picture
from playwright import sync_api


@pytest.fixture(scope="session")
def draw(tmp_path_factory: pytest.TempPathFactory) -> Draw:
    def write_page(fleet: t.Mapping[str, object]) -> pathlib.Path:
        directory = tmp_path_factory.mktemp("page")
        inventory = directory / "hosts.ini"
        lines = []
        for host, facts in fleet.items():
            captured = directory / f"{host}.json"
            captured.write_text(json.dumps(facts), encoding="utf-8")
            lines.append(f"{host} captured={captured}" if facts else host)
        inventory.write_text("\n".join(lines), encoding="utf-8")
        page = directory / "page.html"
        subprocess.run(
            [
                "ansible-playbook",
                f"--inventory={inventory}",
                "--extra-vars=netns_gather=false",
                f"--extra-vars=netns_html={page}",
                HERE / "draw.yml",
            ],
            check=True,
            stdout=subprocess.PIPE,
        )
        return page

    return write_page


@pytest.fixture(scope="session")
def browser() -> t.Iterator[sync_api.Browser]:
    executable = shutil.which(os.environ.get("CHROMIUM", "chromium"))
    assert executable, (
        "Chromium is not installed: install it, or name another one with CHROMIUM=… make page"
    )
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=executable,
            # Chromium's sandbox does not work for root.
            chromium_sandbox=os.geteuid() != 0,
            args=[f"--{flag}" for flag in QUIET],
        )
        yield chromium
        chromium.close()


@pytest.fixture
def show(browser: sync_api.Browser) -> t.Iterator[Open]:
    contexts = []
    requests: list[str] = []
    messages: list[str] = []

    def open_page(path: pathlib.Path, **options: t.Any) -> sync_api.Page:
        context = browser.new_context(**{"viewport": {"width": 1500, "height": 900}, **options})
        contexts.append(context)
        page = context.new_page()
        page.on("request", lambda request: requests.append(request.url))
        page.on("console", lambda message: messages.append(message.text))
        page.on("pageerror", lambda error: messages.append(str(error)))
        page.goto(path.as_uri())
        wait_for_picture(page)
        assert requests.pop() == path.as_uri()
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert requests == []
    assert messages == []
