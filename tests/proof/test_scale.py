# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Many namespaces with processes: all right, and what it takes counted in system calls."""

from __future__ import annotations

import typing as t

from tracer import Traced
from world import Progress, World, check, netns, patience_of_a_tick

from ansible_collections.linuxnet.netns.plugins.module_utils._core.facts import gather
from ansible_collections.linuxnet.netns.plugins.module_utils._core.facts.request import (
    FactsRequest,
    parse_subset,
)

SIZES, SAMPLE = (100, 1000), (20, 100)
# Threads and forked children.
CLONES = ("clone", "clone3", "fork", "vfork")
# A self-bind of netns_dir, private, then shared.
MOUNTS_ONCE = 3
FLAT = 1.1


def _look(world: World) -> list[tuple[int, list[str], list[str]]]:
    subset = parse_subset(["all"])
    facts_request = FactsRequest(str(world.dir), ("docker",), 60.0, subset)
    seen = gather.gather(facts_request, str(world.state))
    return [
        (one["inode"], one["names"], [box["name"] for box in one["containers"]])
        for one in seen["namespaces"]
        if one["kind"] == "container"
    ]


def _traced(work: t.Callable[[], t.Any]) -> tuple[t.Any, dict[str, int]]:
    with Traced(work) as traced:
        counts = traced.run()
        assert traced.error is None, traced.error
        return traced.result, counts


def _each(count: int, world: World, progress: Progress) -> dict[str, dict[str, int]]:
    """The calls of each kind of run, with so many containers."""
    world.fresh()
    pids = {}
    for number in range(count):
        pids[f"c{number}"] = world.process_soon()
        progress(f"{number} of {count} namespaces")
    world.containers = {
        f"{number:064x}": {"name": name, "pid": pid, "labels": {}}
        for number, (name, pid) in enumerate(pids.items())
    }
    world.tell()
    patience_of_a_tick()
    request = {"all": True, "prune": True, "timeout": 60.0}
    counts = {}
    for kind, action in (("link", "created"), ("again", "unchanged")):
        result, counts[kind] = _traced(world.work(**request))
        assert result.failures == ()
        assert {row["name"]: row["action"] for row in result.links} == dict.fromkeys(pids, action)
        check(world, pids, {})
        progress(f"{kind} of {count}: {sum(counts[kind].values())} calls", always=True)
    seen, counts["facts"] = _traced(lambda: _look(world))
    assert sorted(seen) == sorted((netns(pid), [name], [name]) for name, pid in pids.items())
    progress(f"facts of {count}: {sum(counts['facts'].values())} calls", always=True)
    world.containers = {}
    world.tell()
    result, counts["prune"] = _traced(world.work(**request))
    assert result.failures == ()
    assert {row["name"]: row["action"] for row in result.links} == dict.fromkeys(pids, "removed")
    check(world, {}, {})
    assert world.all_pins() == []
    progress(f"prune of {count}: {sum(counts['prune'].values())} calls", always=True)
    world.end_all()
    return counts


def test_many_namespaces(world: World, full: bool, progress: Progress) -> None:
    sizes = SIZES if full else SAMPLE
    few, many = (_each(count, world, progress) for count in sizes)
    for count, counts in zip(sizes, (few, many)):
        assert counts["link"]["mount"] == count + MOUNTS_ONCE
        assert counts["prune"]["umount2"] == count
        for kind, changes in (("link", "umount2"), ("again", "mount"), ("again", "umount2")):
            assert changes not in counts[kind]
        assert {"mount", "umount2"}.isdisjoint(counts["facts"])
    for kind in few:
        forks = [sum(counts[kind].get(call, 0) for call in CLONES) for counts in (few, many)]
        assert forks[0] == forks[1], f"{kind}: threads and forks by size"
        small, big = (sum(counts[kind].values()) / size for size, counts in zip(sizes, (few, many)))
        assert big <= small * FLAT, f"{kind}: calls a namespace"
