# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The time of reading many namespaces, with our facts and with other tools. Writes seconds as JSON.

    unshare --mount --net --pid --fork --mount-proc python tests/bench/gather_facts.py COUNT ROUNDS FILE

The namespaces that `unshare` makes are the host: they contain nothing else, and nothing stays. Each
measured namespace has a name, a process that listens, and a veth to a bridge of that host. The host also has
a mount for each of them, as for the root directory of a container: `ip -n` copies all mounts for each command.
"""

from __future__ import annotations

import functools
import json
import os
import pathlib
import socket
import subprocess
import sys
import typing as t

from library import least_work
from timing import Run, as_in_module, command, in_own_process, medians, say, warm

from ansible_collections.linuxnet.netns.plugins.module_utils._core.facts import (
    discovery,
    gather,
    peers,
    request,
)
from ansible_collections.linuxnet.netns.plugins.module_utils._core.kernel import (
    inet_sockets,
    libc,
    mounts,
    netlink,
    netns_reader,
    rtnetlink,
)

DIR = pathlib.Path("/run/netns")
ROOTS = pathlib.Path("/run/roots")
SUBSET = request.parse_subset([request.INTERFACES, request.ROUTES])
LISTENERS = frozenset((request.SOCKETS,))
# `ss` reads all descriptors of the host for each namespace: that takes long for more.
MAX_SS = 300
# The `ip` commands that show what our facts contain.
ADDRESSES = ("addr",)
ROUTES = ("-4 route", "-6 route")


def batch(lines: t.Iterable[str], *enter: str) -> None:
    text = "\n".join(lines)
    subprocess.run([*enter, "ip", "-batch", "-"], input=text, text=True, check=True)


def make(names: t.Sequence[str]) -> None:
    say(f"making {len(names)} namespaces")
    # The new mount namespace has copies of the pins of this machine.
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
                # Otherwise a thousand namespaces receive the IPv6 multicasts of each other.
                f"link set v{number} type bridge_slave mcast_flood off",
            ]
        )
        run_in(name, functools.partial(configure, f"10.{number // 250}.{number % 250}.2/8"))
        root = ROOTS / name
        root.mkdir(parents=True)
        libc.mount(str(root), str(root), libc.MS_BIND)
        if number % 200 == 199:
            say(f"{number + 1} exist")


def configure(address: str) -> None:
    batch(
        [
            "link set lo up",
            "link set eth0 up",
            f"addr add {address} dev eth0",
            "route add default via 10.255.255.254",
        ]
    )
    with socket.create_server(("0.0.0.0", 80)) as listener:
        subprocess.Popen(["sleep", "infinity"], pass_fds=[listener.fileno()])


def run_in(name: str, work: t.Callable[[], object]) -> None:
    """Enter a namespace, work, and return."""
    own = os.open("/proc/self/ns/net", os.O_RDONLY)
    other = os.open(DIR / name, os.O_RDONLY)
    try:
        libc.setns(other, libc.CLONE_NEWNET)
        work()
    finally:
        libc.setns(own, libc.CLONE_NEWNET)
        os.close(own)
        os.close(other)


def our_facts(count: int) -> None:
    facts = gather.gather(request.FactsRequest(str(DIR), None, 5.0, SUBSET))
    resolved = [
        interface["peer"]
        for namespace in facts["namespaces"]
        for interface in namespace["interfaces"]
        if interface["peer"]
    ]
    # A run that leaves something out would be faster.
    assert len(resolved) == 2 * count, facts["incomplete"]
    assert facts["complete"]


def our_listeners(count: int) -> None:
    facts = gather.gather(request.FactsRequest(str(DIR), None, 5.0, LISTENERS))
    found = [each for namespace in facts["namespaces"] for each in namespace["listeners"]]
    assert len(found) == count, facts["incomplete"]
    assert all(each["processes"] for each in found)


def by_ss(names: t.Iterable[str]) -> None:
    for name in names:
        command("ss", "-N", name, "-Htulnp")


def views_and_peers() -> Run:
    """Read, parse and resolve peers, without discovery and shape."""
    found = discovery.Search(str(DIR)).wait()
    refs = {netns: references.netns_ref(netns) for netns, references in found.namespaces.items()}

    def read() -> None:
        views = netns_reader.Views(
            list(refs.values()), found.own_netns, refs[found.host_netns], True, True
        ).wait()
        peers.resolve(views, refs, found.own_netns, found.host_netns)

    return read


def dump() -> None:
    with netlink.Socket() as rtnl:
        rtnetlink.dump_interfaces(rtnl)
        rtnetlink.dump_addresses(rtnl)
        rtnetlink.dump_routes(rtnl)


def dumps(names: t.Iterable[str]) -> None:
    """The lower bound: receive the same dumps from the kernel and do not parse them."""
    for name in names:
        run_in(name, dump)
    dump()


def dump_sockets(names: t.Iterable[str]) -> None:
    """The lower bound: receive the sockets of each namespace, and read which process has which."""
    collector = inet_sockets.Collector()
    for name in names:
        run_in(name, collector.collect)
    least_work.scan()


def by_ip(names: t.Iterable[str], commands: t.Iterable[str]) -> None:
    for name in names:
        for words in commands:
            command("ip", "-n", name, "-j", *words.split())


def by_pyroute2(names: t.Iterable[str]) -> None:
    from pyroute2 import NetNS  # noqa: PLC0415 - only in the process that measures it

    for name in names:
        with NetNS(name) as netns:
            for messages in (netns.get_links(), netns.get_addr(), netns.get_routes()):
                list(messages)


def main() -> None:
    count, rounds, file = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    names = [f"n{number}" for number in range(count)]
    make(names)
    pyroute2 = in_own_process(functools.partial(by_pyroute2, names))
    pyroute2()  # imports it
    # They take milliseconds, their ratios are near their goals, and other programs may take the processor for seconds:
    # many rounds for one of the others.
    seconds = medians(
        20 * rounds,
        views_and_peers=warm(as_in_module(views_and_peers())),
        dumps=warm(as_in_module(functools.partial(dumps, names))),
        facts=warm(as_in_module(functools.partial(our_facts, count))),
    )
    runs: dict[str, Run | tuple[Run, Run]] = {
        "facts_among_tools": warm(as_in_module(functools.partial(our_facts, count))),
        "exec": functools.partial(command, *["ip", "-all", "netns", "exec", "ip", "-j", "addr"]),
        "addresses": functools.partial(by_ip, names, ADDRESSES),
        "routes": functools.partial(by_ip, names, ROUTES),
        "pyroute2": pyroute2,
        "lsns": functools.partial(command, *["lsns", "-t", "net", "-J"]),
    }
    if count <= MAX_SS:
        runs["listeners"] = warm(as_in_module(functools.partial(our_listeners, count)))
        runs["least_listeners"] = warm(as_in_module(functools.partial(dump_sockets, names)))
        runs["ss"] = functools.partial(by_ss, names)
    seconds.update(medians(rounds, **runs))
    pathlib.Path(file).write_text(json.dumps(seconds))


if __name__ == "__main__":
    main()
