# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Renders the page as Ansible renders the template, and reads its data. Needs no browser."""

from __future__ import annotations

import hashlib
import itertools
import json
import pathlib
import typing as t

import jinja2

from ansible_collections.linuxnet.netns.plugins.plugin_utils import _fleet_page

PLAYBOOKS = pathlib.Path(_fleet_page.__file__).resolve().parents[2] / "playbooks"


def render(netns_fleet: t.Any, **variables: t.Any) -> str:
    """The page of a fleet."""

    def lookup(name: str, path: str) -> str:
        assert name == "ansible.builtin.file"
        return (PLAYBOOKS / "files" / path).read_text(encoding="utf-8").rstrip()

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(PLAYBOOKS / "templates"),
        trim_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["linuxnet.netns.netns_page"] = _fleet_page.data
    environment.filters["hash"] = lambda text, kind: hashlib.new(kind, text.encode()).hexdigest()
    template = environment.get_template("netns.html.j2")
    return str(template.render(netns_fleet=netns_fleet, lookup=lookup, **variables))


def facts_in(data: t.Any) -> dict[str, t.Any]:
    """The facts by host in the data of the page, as `fleet.js` reads them."""
    # Equal values are one object until here.
    return {
        host: json.loads(json.dumps(facts))
        for host, facts in zip(data["hosts"], _values(data["facts"], len(data["hosts"])))
    }


def _values(field: t.Any, length: int) -> list[t.Any]:
    column, shape = field
    values = _distinct(shape)
    appeared = itertools.count()
    numbers = column if isinstance(column, list) else [column] * length
    assert len(numbers) == length
    return [
        None if number < 0 else values[number - 1 if number else next(appeared)]
        for number in numbers
    ]


def _distinct(shape: t.Any) -> list[t.Any]:
    if isinstance(shape, list):
        return shape
    if "fields" in shape:
        rows = shape["rows"]
        columns = [_values(field, rows) for field in shape["fields"].values()]
        return [
            dict(zip(shape["fields"], (column[row] for column in columns))) for row in range(rows)
        ]
    items = iter(_values(shape["items"], sum(shape["lengths"])))
    return [list(itertools.islice(items, length)) for length in shape["lengths"]]
