# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""actor.py ROLE SEED: a process that works on the host beside others, until SIGTERM.

The roles are module, ip and hook. The first two print what they did how often, and their refusals, as JSON.
"""

from __future__ import annotations

import collections
import json
import os
import random
import signal
import subprocess
import sys
import typing as t

from isolated_host import ETC, NETNS, RUN, inode

from ansible_collections.linuxnet.netns.plugins.module_utils._core import model
from ansible_collections.linuxnet.netns.plugins.module_utils._core.hook import service
from ansible_collections.linuxnet.netns.plugins.module_utils._core.hook.config import Config
from ansible_collections.linuxnet.netns.plugins.module_utils._core.hook.signals import Signals
from ansible_collections.linuxnet.netns.plugins.module_utils._core.hook.stream import Source
from ansible_collections.linuxnet.netns.plugins.module_utils._core.links import etc_netns, run
from ansible_collections.linuxnet.netns.plugins.module_utils._core.links.request import LinkRequest

STATE = str(RUN / "linuxnet-netns")
NAMES = tuple(f"c{number}" for number in range(16))

signals: list[int] = []
actions: collections.Counter[str] = collections.Counter()
refusals: collections.Counter[str] = collections.Counter()


def run_module(dice: random.Random) -> None:
    """A run over containers that overlap those of the other actors."""
    sample = tuple(dice.sample(NAMES, 3))
    request: dict[str, t.Any] = dice.choice(
        (
            {"all": True},
            {"all": True, "prune": True, "resolv_conf": dice.random() < 0.5},
            {"containers": sample[:1]},
            {"containers": ("c1*", sample[0]), "prune": True},
            {"prune": True},
            {"state": "absent", "names": sample},
            {"state": "absent", "containers": sample},
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
            actions[row["action"]] += 1
        for failure in result.failures:
            refusals[failure] += 1


def run_ip(dice: random.Random) -> None:
    """Add and delete a name with `ip netns`, beside a name that is kept."""
    temporary = f"ip-{os.getpid()}-{dice.randrange(4)}"
    kept = f"kept-{os.getpid()}"
    if not (NETNS / kept).exists():
        subprocess.run(["ip", "netns", "add", kept], check=True)
    before = inode(NETNS / kept)
    subprocess.run(["ip", "netns", "add", temporary], check=True)
    for name in (temporary, kept):
        subprocess.run(["ip", "netns", "exec", name, "true"], check=True)
    subprocess.run(["ip", "netns", "del", temporary], check=True)
    assert inode(NETNS / kept) == before
    actions["ip netns"] += 5


def run_hook() -> None:
    """The hook's service."""
    config = Config(engines=("docker",), resync_interval=2, resolv_conf=True)
    source = Source("docker", os.environ["DOCKER_HOST"][7:], "/events", lambda _path: True)
    with Signals() as received:
        assert service.Service(config, (source,), (), STATE).loop(received) == service.STOP


def main() -> None:
    role, seed = sys.argv[1:]
    etc_netns.DIRECTORY = str(ETC)
    dice = random.Random(int(seed))
    print("ready", flush=True)
    if role == "hook":
        run_hook()
        return
    signal.signal(signal.SIGTERM, lambda number, _frame: signals.append(number))
    while not signals:
        (run_module if role == "module" else run_ip)(dice)
    print(json.dumps([actions, refusals]))


if __name__ == "__main__":
    main()
