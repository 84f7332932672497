# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What reading many namespaces costs, ours and others' ways; seconds as JSON into a file.

    unshare --mount --net --pid --fork --mount-proc python tests/bench/gather.py COUNT ROUNDS FILE

The world that `unshare` makes is its host: nothing else is in there, and nothing stays. Each
namespace has a name, a process, and a veth whose other end is on a bridge of that host.
"""

from __future__ import annotations

import functools
import json
import os
import pathlib
import subprocess
import sys
import typing as t

from measure import Run, command, medians, say
from pyroute2 import NetNS

from ansible_collections.linuxnet.netns.plugins.module_utils._core.facts import (
    discovery,
    gather,
    peers,
    request,
)
from ansible_collections.linuxnet.netns.plugins.module_utils._core.kernel import (
    libc,
    mounts,
    netlink,
    netns_reader,
    rtnetlink,
)

DIR = pathlib.Path("/run/netns")
SUBSET = request.parse_subset([request.INTERFACES, request.ROUTES])
# What `ip` says of a namespace that our facts say too.
ADDRESSES = ("addr",)
ROUTES = ("-4 route", "-6 route")


def batch(lines: t.Iterable[str], *enter: str) -> None:
    text = "\n".join(lines)
    subprocess.run([*enter, "ip", "-batch", "-"], input=text, text=True, check=True)


def make(names: t.Sequence[str]) -> None:
    say(f"making {len(names)} namespaces")
    # Of the machine's own this world has got copies.
    for mount in mounts.read():
        if mount.fstype == "nsfs":
            libc.umount(mount.point, libc.MNT_DETACH)
    command("mount", "-t", "tmpfs", "none", "/run")
    batch(["link set lo up", "link add br0 type bridge", "link set br0 up"])
    for number, name in enumerate(names):
        batch(
            [
                f"netns add {name}",
                f"link add v{number} type veth peer name eth0 netns {name}",
                f"link set v{number} master br0 up",
                # Else what IPv6 says to all at its start, a thousand times a thousand, takes the time.
                f"link set v{number} type bridge_slave mcast_flood off",
            ]
        )
        enter(name, functools.partial(furnish, f"10.{number // 250}.{number % 250}.2/8"))
        if number % 200 == 199:
            say(f"{number + 1} are there")


def furnish(address: str) -> None:
    batch(
        [
            "link set lo up",
            "link set eth0 up",
            f"addr add {address} dev eth0",
            "route add default via 10.255.255.254",
        ]
    )
    subprocess.Popen(["sleep", "infinity"])


def enter(name: str, work: t.Callable[[], object]) -> None:
    """Do it in there, and come back."""
    home = os.open("/proc/self/ns/net", os.O_RDONLY)
    away = os.open(DIR / name, os.O_RDONLY)
    try:
        libc.setns(away, libc.CLONE_NEWNET)
        work()
    finally:
        libc.setns(home, libc.CLONE_NEWNET)
        os.close(home)
        os.close(away)


def ours(count: int) -> None:
    found = gather.gather(request.FactsRequest(str(DIR), None, 5.0, SUBSET))
    leads = [
        each["peer"] for one in found["namespaces"] for each in one["interfaces"] if each["peer"]
    ]
    # Nobody is faster by leaving things out.
    assert len(leads) == 2 * count, found["incomplete"]
    assert found["complete"]


def parsed() -> Run:
    """What is between the dumps and the facts, of namespaces that are found already."""
    found = discovery.discover(str(DIR))
    refs = {netns: references.netns_ref(netns) for netns, references in found.namespaces.items()}

    def read() -> None:
        views = netns_reader.collect_views(
            list(refs.values()), found.own_netns, refs[found.host_netns], True, True
        )
        peers.resolve(views, refs, found.own_netns, found.host_netns)

    return read


def dump() -> None:
    with netlink.Socket() as rtnl:
        rtnetlink.dump_interfaces(rtnl)
        rtnetlink.dump_addresses(rtnl)
        rtnetlink.dump_routes(rtnl)


def bare(names: t.Iterable[str]) -> None:
    """The floor: what the kernel takes to hand over the same answers, which nobody looks at."""
    for name in names:
        enter(name, dump)
    dump()


def by_ip(names: t.Iterable[str], questions: t.Iterable[str]) -> None:
    for name in names:
        for question in questions:
            command("ip", "-n", name, "-j", *question.split())


def by_pyroute2(names: t.Iterable[str]) -> None:
    for name in names:
        with NetNS(name) as netns:
            for answers in (netns.get_links(), netns.get_addr(), netns.get_routes()):
                list(answers)


def main() -> None:
    count, rounds, file = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    names = [f"n{number}" for number in range(count)]
    make(names)
    runs: dict[str, Run] = {
        "ours": functools.partial(ours, count),
        "parsed": parsed(),
        "bare": functools.partial(bare, names),
        "exec": functools.partial(command, *["ip", "-all", "netns", "exec", "ip", "-j", "addr"]),
        "addresses": functools.partial(by_ip, names, ADDRESSES),
        "routes": functools.partial(by_ip, names, ROUTES),
        "pyroute2": functools.partial(by_pyroute2, names),
        "lsns": functools.partial(command, *["lsns", "-t", "net", "-J"]),
    }
    seconds = medians(rounds, **runs)
    pathlib.Path(file).write_text(json.dumps(seconds))


if __name__ == "__main__":
    main()
