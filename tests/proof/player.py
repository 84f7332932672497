# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""player.py PART SEED: one of those who work on the host at once, until SIGTERM (module and ip) or for
good (hook). At its end it says in JSON what it did how often, and how it was refused."""

from __future__ import annotations

import collections
import json
import os
import random
import signal
import subprocess
import sys
import typing as t

from world import ETC, NETNS, RUN, inode

from ansible_collections.linuxnet.netns.plugins.module_utils._core import model
from ansible_collections.linuxnet.netns.plugins.module_utils._core.hook import service
from ansible_collections.linuxnet.netns.plugins.module_utils._core.hook.config import Config
from ansible_collections.linuxnet.netns.plugins.module_utils._core.hook.stream import Source
from ansible_collections.linuxnet.netns.plugins.module_utils._core.links import etc_netns, run
from ansible_collections.linuxnet.netns.plugins.module_utils._core.links.request import LinkRequest

STATE = str(RUN / "linuxnet-netns")
NAMES = tuple(f"c{number}" for number in range(16))

ended: list[int] = []
done: collections.Counter[str] = collections.Counter()
refusals: collections.Counter[str] = collections.Counter()


def module(dice: random.Random) -> None:
    """Runs over sets that overlap those of the other players."""
    some = tuple(dice.sample(NAMES, 3))
    request: dict[str, t.Any] = dice.choice(
        (
            {"all": True},
            {"all": True, "prune": True, "resolv_conf": dice.random() < 0.5},
            {"containers": some[:1]},
            {"containers": ("c1*", some[0]), "prune": True},
            {"prune": True},
            {"state": "absent", "names": some},
            {"state": "absent", "containers": some},
            {"state": "absent", "all": True},
        )
    )
    request = {"netns_dir": str(NETNS), "engines": ("docker",), "timeout": 30.0, **request}
    try:
        result = run.run(LinkRequest(**request), state_dir=STATE)
    except model.NetnsError as error:
        refusals[str(error)] += 1
    else:
        for row in result.links:
            done[row["action"]] += 1
        for failure in result.failures:
            refusals[failure] += 1


def ip(dice: random.Random) -> None:
    """Names of its own come and go, and one stays."""
    mine = f"ip-{os.getpid()}-{dice.randrange(4)}"
    kept = f"kept-{os.getpid()}"
    if not (NETNS / kept).exists():
        subprocess.run(["ip", "netns", "add", kept], check=True)
    before = inode(NETNS / kept)
    subprocess.run(["ip", "netns", "add", mine], check=True)
    for name in (mine, kept):
        subprocess.run(["ip", "netns", "exec", name, "true"], check=True)
    subprocess.run(["ip", "netns", "del", mine], check=True)
    assert inode(NETNS / kept) == before
    done["ip netns"] += 5


def hook() -> None:
    config = Config(engines=("docker",), resync_interval=2, resolv_conf=True)
    source = Source("docker", os.environ["DOCKER_HOST"][7:], "/events", lambda _path: True)
    assert service.Service(config, (source,), (), STATE).loop() == service.STOP


def main() -> None:
    part, seed = sys.argv[1:]
    etc_netns.DIRECTORY = str(ETC)
    dice = random.Random(int(seed))
    print("ready", flush=True)
    if part == "hook":
        hook()
        return
    signal.signal(signal.SIGTERM, lambda number, _frame: ended.append(number))
    while not ended:
        (module if part == "module" else ip)(dice)
    print(json.dumps([done, refusals]))


if __name__ == "__main__":
    main()
