# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The time of the filters over the facts of many hosts. Writes seconds and bytes as JSON to a file.

    python tests/bench/fleet.py HOSTS ROUNDS FILE

Each host has 60 of the captured namespaces of one host, with ids, inodes and hardware addresses of its own.
"""

from __future__ import annotations

import functools
import gzip
import json
import pathlib
import random
import sys
import typing as t

from timing import medians, say

from ansible_collections.linuxnet.netns.plugins.plugin_utils import (
    _fleet_page,
    _fleet_search,
    _fleet_table,
)

ROOT = pathlib.Path(__file__).resolve().parents[2]
CAPTURED = ROOT / "tests" / "page" / "node7.json.gz"
NAMESPACES = 60
QUESTIONS = ["10.88.0.32", "mail", "veth30", "172.18.0.30", "api-29", "nobody", "eth7"]
QUESTIONS += ["4026532258", "02:42:ac:12:00:02", "shop-db"]


def hosts(count: int) -> t.Iterator[tuple[str, dict[str, t.Any]]]:
    """The facts of each host of a fleet."""
    captured = json.loads(gzip.decompress(CAPTURED.read_bytes()))
    everything = captured.pop("namespaces")
    (host,) = (namespace for namespace in everything if namespace["is_host"])
    others = [namespace for namespace in everything if not namespace["is_host"]]
    chance = random.Random(1)
    for number in range(count):
        chosen = json.loads(json.dumps(chance.sample(others, NAMESPACES)))
        before = [namespace["inode"] for namespace in chosen]
        ends = {peer["interface"] for namespace in chosen for peer in change(namespace, chance)}
        inodes = dict(zip(before, (namespace["inode"] for namespace in chosen)))
        interfaces = [
            {
                **interface,
                "peer": peer and {**peer, "inode": inodes.get(peer["inode"], peer["inode"])},
            }
            for interface in host["interfaces"]
            for peer in [interface["peer"]]
            if not peer or interface["name"] in ends
        ]
        namespaces = [{**host, "interfaces": interfaces}, *chosen]
        yield f"node{number}", {**captured, "namespaces": namespaces}


def change(namespace: dict[str, t.Any], chance: random.Random) -> list[dict[str, t.Any]]:
    """Give a namespace an identity of its own. Returns the peers of its interfaces."""
    namespace["inode"] = chance.randrange(4026531840, 1 << 32)
    for container in namespace["containers"]:
        container["id"] = f"{chance.getrandbits(256):064x}"
    for interface in namespace["interfaces"]:
        if interface["name"] != "lo":
            interface["mac"] = ":".join(f"{chance.getrandbits(8):02x}" for _byte in range(6))
    return [interface["peer"] for interface in namespace["interfaces"] if interface["peer"]]


def page_bytes(data: str) -> int:
    """The size of the page with this data, compressed."""
    files = sorted((ROOT / "playbooks" / "files" / "page").iterdir())
    texts = [file.read_text(encoding="utf-8") for file in files]
    return len(gzip.compress("".join([*texts, data]).encode()))


def main() -> None:
    count, rounds, file = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    say(f"making the facts of {count} hosts")
    text = json.dumps(dict(hosts(count)))
    fleet = json.loads(text)
    measured = medians(
        rounds,
        loads=functools.partial(json.loads, text),
        one=functools.partial(_fleet_search.find, fleet, QUESTIONS[0]),
        ten=functools.partial(_fleet_search.find, fleet, QUESTIONS),
        table=functools.partial(_fleet_table.table, fleet),
        csv=functools.partial(_fleet_table.comma_separated, fleet),
        page=functools.partial(_fleet_page.data, fleet),
    )
    measured["facts_bytes"] = len(gzip.compress(text.encode()))
    measured["page_bytes"] = page_bytes(_fleet_page.data(fleet))
    pathlib.Path(file).write_text(json.dumps(measured))


if __name__ == "__main__":
    main()
