# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Many namespaces with processes that listen: the results are right, and the number of system calls is linear."""

from __future__ import annotations

import typing as t

from isolated_host import IsolatedHost, Progress, check, netns
from support import wait_a_clock_tick
from syscall_tracer import Traced

from ansible_collections.linuxnet.netns.plugins.module_utils._core.facts import gather
from ansible_collections.linuxnet.netns.plugins.module_utils._core.facts.request import (
    FactsRequest,
    parse_subset,
)

SIZES, SAMPLE = (100, 1000), (10, 50)
# Threads and forked children.
CLONES = ("clone", "clone3", "fork", "vfork")
# A self-bind of netns_dir, private, then shared.
SETUP_MOUNTS = 3
# Where each process listens, and the first port that is published.
PORT, FIRST = 80, 20000
# How much more calls a namespace may take among many.
MAX_GROWTH = 1.1


def _gather(host: IsolatedHost) -> list[tuple[t.Any, ...]]:
    """Of each container: namespace, names, and who listens at which port that is published as which."""
    subset = parse_subset(["all"])
    request = FactsRequest(str(host.dir), ("docker",), 60.0, subset)
    facts = gather.gather(request, str(host.state))
    published = {each["inode"]: each for each in facts["forwards"]}
    assert len(facts["forwards"]) == len(published)
    return [
        (
            *(namespace["inode"], namespace["names"]),
            *([container["name"] for container in namespace["containers"]],),
            [
                (each["port"], [(one["pid"], one["container"]) for one in each["processes"]])
                for each in namespace["listeners"]
            ],
            *(published[namespace["inode"]][key] for key in ("port", "container", "listening")),
        )
        for namespace in facts["namespaces"]
        if namespace["kind"] == "container"
    ]


def _traced(function: t.Callable[[], t.Any]) -> tuple[t.Any, dict[str, int]]:
    with Traced(function) as traced:
        counts = traced.run()
        assert traced.error is None, traced.error
        return traced.result, counts


def _count_calls(count: int, host: IsolatedHost, progress: Progress) -> dict[str, dict[str, int]]:
    """The system calls of each kind of run, with so many containers."""
    host.reset()
    pids = {}
    for number in range(count):
        pids[f"c{number}"] = host.process_soon(listens_at=PORT)
        progress(f"{number} of {count} namespaces")
    host.containers = {
        f"{number:064x}": {
            "name": name,
            "pid": pid,
            "labels": {},
            "ports": {f"{PORT}/tcp": [{"HostIp": "0.0.0.0", "HostPort": str(FIRST + number)}]},
        }
        for number, (name, pid) in enumerate(pids.items())
    }
    host.update_engine()
    wait_a_clock_tick()
    request = {"all": True, "prune": True, "timeout": 60.0}
    counts = {}
    for kind, action in (("link", "created"), ("again", "unchanged")):
        result, counts[kind] = _traced(host.deferred_run(**request))
        assert result.failures == ()
        assert {row["name"]: row["action"] for row in result.links} == dict.fromkeys(pids, action)
        check(host, pids, {})
        progress(f"{kind} of {count}: {sum(counts[kind].values())} calls", always=True)
    facts, counts["facts"] = _traced(lambda: _gather(host))
    assert sorted(facts) == sorted(
        (netns(pid), [name], [name], [(PORT, [(pid, name)])], FIRST + number, name, True)
        for number, (name, pid) in enumerate(pids.items())
    )
    progress(f"facts of {count}: {sum(counts['facts'].values())} calls", always=True)
    host.containers = {}
    host.update_engine()
    result, counts["prune"] = _traced(host.deferred_run(**request))
    assert result.failures == ()
    assert {row["name"]: row["action"] for row in result.links} == dict.fromkeys(pids, "removed")
    check(host, {}, {})
    assert host.all_pins() == []
    progress(f"prune of {count}: {sum(counts['prune'].values())} calls", always=True)
    host.end_all()
    return counts


def test_many_namespaces(host: IsolatedHost, full: bool, progress: Progress) -> None:
    sizes = SIZES if full else SAMPLE
    few, many = (_count_calls(count, host, progress) for count in sizes)
    for count, counts in zip(sizes, (few, many)):
        assert counts["link"]["mount"] == SETUP_MOUNTS
        assert counts["link"]["move_mount"] == counts["prune"]["umount2"] == count
        assert "umount2" not in counts["link"]
        for kind in ("again", "facts"):
            assert {"mount", "move_mount", "umount2"}.isdisjoint(counts[kind])
    for kind in few:
        forks = [sum(counts[kind].get(call, 0) for call in CLONES) for counts in (few, many)]
        assert forks[0] == forks[1], f"{kind}: threads and forks by size"
        small, big = (sum(counts[kind].values()) / size for size, counts in zip(sizes, (few, many)))
        assert big <= small * MAX_GROWTH, f"{kind}: calls a namespace"
