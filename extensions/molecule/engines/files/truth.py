# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Judge the collection's answers by what the kernel shows and what the engines said (owners.py).

    truth.py facts <FACTS       what netns_facts gave, as JSON
    truth.py links <LINKS       what netns_link gave with `all`, as JSON

Prints what is wrong, a line each, and exits with 0 if nothing is.
"""

from __future__ import annotations

import argparse
import collections
import glob
import json
import os
import pathlib
import re
import subprocess
import sys
import typing as t

import owners

NETNS_DIR = "/run/netns"
SANDBOXES = "/run/docker/netns"
_NETNS = re.compile(r"net:\[(\d+)\]")
_GONE = (FileNotFoundError, ProcessLookupError)


class Kernel:
    """Every network namespace that the kernel shows, by inode.

    `pids` are the processes in it, `mounts` where it is mounted in the host's mount table, and
    `foreign` where in others.
    """

    def __init__(self) -> None:
        self.pids: dict[int, set[int]] = collections.defaultdict(set)
        self.mounts: dict[int, set[str]] = collections.defaultdict(set)
        self.foreign: dict[int, set[str]] = collections.defaultdict(set)
        self.host = os.stat("/proc/1/ns/net").st_ino
        for path in glob.glob("/proc/[0-9]*/task/[0-9]*/ns/net"):
            for inode in self._linked(path):
                self.pids[inode].add(int(path.split("/")[2]))
        opened = {inode for path in glob.glob("/proc/[0-9]*/fd/*") for inode in self._linked(path)}
        tables: dict[int, str] = {}
        for path in ["/proc/1/ns/mnt", *glob.glob("/proc/[0-9]*/ns/mnt")]:
            try:
                tables.setdefault(os.stat(path).st_ino, path.replace("ns/mnt", "mountinfo"))
            except _GONE:
                continue
        for path in tables.values():
            into = self.mounts if path == "/proc/1/mountinfo" else self.foreign
            for inode, mount in self._mounted(path):
                into[inode].add(mount)
        self.inodes = opened.union(self.pids, self.mounts, self.foreign)

    @staticmethod
    def _linked(path: str) -> t.Iterator[int]:
        try:
            found = _NETNS.fullmatch(os.readlink(path))
        except _GONE:
            return
        if found:
            yield int(found[1])

    @staticmethod
    def _mounted(path: str) -> t.Iterator[tuple[int, str]]:
        try:
            table = pathlib.Path(path).read_text().splitlines()
        except _GONE:
            return
        for line in table:
            fields = line.split()
            found = _NETNS.fullmatch(fields[3])
            if found and fields[fields.index("-") + 1] == "nsfs":
                yield int(found[1]), fields[4]

    def names(self, inode: int) -> list[str]:
        """What `ip netns` calls it."""
        with os.scandir(NETNS_DIR) as entries:
            return sorted(one.name for one in entries if os.stat(one.path).st_ino == inode)

    def unit(self, inode: int) -> str | None:
        """The one unit that its processes are of, the system's or a user's."""
        pids = ",".join(map(str, self.pids[inode]))
        for column in ("uunit", "unit") if pids else ():
            command = ("ps", "--no-headers", "-o", f"{column}=", "-p", pids)
            shown = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
            units = set(shown.split())
            if len(units) == 1 and units != {"-"}:
                return units.pop()
        return None

    def user(self, inode: int) -> str | None:
        """The one user whose its processes are, if that is not root."""
        users = {pathlib.Path(f"/proc/{pid}").owner() for pid in self.pids[inode]}
        return users.pop() if len(users) == 1 and users != {"root"} else None


class Truth:
    """What the engines said, and what the kernel shows now.

    Of the engines of root that are `silent`, as they cannot answer, nothing is expected but that
    their links stay.
    """

    def __init__(self, silent: t.Collection[str], foretold: bool) -> None:
        self.silent = silent
        self.foretold = foretold
        self.owners, self.networks = owners.kept()
        self.kernel = Kernel()
        self.places: dict[int, list[owners.Owner]] = collections.defaultdict(list)
        for owner in self.owners:
            self.places[owner.inode].append(owner)

    def facts(self, facts: dict[str, t.Any]) -> t.Iterator[str]:
        """What is wrong with facts."""
        told = collections.Counter(one["inode"] for one in facts["namespaces"])
        for inode, times in told.items():
            if times > 1:
                yield f"{self._about(inode)} is listed {times} times"
        for inode in self.kernel.inodes - told.keys():
            yield f"{self._about(inode)} is missing"
        for seen in facts["namespaces"]:
            if seen["inode"] in self.kernel.inodes:
                yield from self._namespace(seen)
            # What only an open file kept may be gone by now, as one of dockerd's.
            elif seen["pins"] or seen["containers"]:
                yield f"{self._about(seen['inode'])} is not there: {seen}"
        incomplete = {one["source"] for one in facts["incomplete"]}
        if incomplete != set(self.silent) or facts["complete"] == bool(self.silent):
            yield f"incomplete is {facts['incomplete']}, complete {facts['complete']}"
        if {one["name"] for one in facts["engines"]} != {one.engine for one in self.owners}:
            yield f"engines are {facts['engines']}"

    def _namespace(self, seen: dict[str, t.Any]) -> t.Iterator[str]:
        inode = seen["inode"]
        members = sorted((one["name"], one["id"], one["pid"]) for one in seen["containers"])
        simple = {**seen, "containers": members}
        for key, expected in self._expected(inode).items():
            if key not in simple or simple[key] != expected:
                told = repr(simple[key]) if key in simple else "not told"
                yield f"{self._about(inode)}: {key} is {told}, not {expected!r}"
        pins = self.kernel.mounts[inode].difference(seen["pins"])
        # How a path of another mount table is written is not judged here.
        pins.update(
            path
            for path in self.kernel.foreign[inode]
            if not any(pin.endswith(path) for pin in seen["pins"])
        )
        if pins:
            yield f"{self._about(inode)}: pins lacks {pins}"

    def _expected(self, inode: int) -> dict[str, t.Any]:
        here = [one for one in self.places[inode] if not self._is_silent(one)]
        expected: dict[str, t.Any] = {
            "is_host": inode == self.kernel.host,
            "names": self.kernel.names(inode),
            "containers": sorted((one.name, one.id, one.pid) for one in here if not one.sandbox),
        }
        nothing = dict.fromkeys(("engine", "pod", "unit", "user", "network"))
        if inode == self.kernel.host:
            expected.update(nothing, kind="host")
        elif here:
            pod = next((one.pod for one in here if one.pod), None)
            expected.update(nothing, kind="pod" if pod else "container", pod=pod)
            expected.update(engine=here[0].engine, user=here[0].user)
        elif not self.silent:
            pinned = self.kernel.mounts[inode] or self.kernel.foreign[inode]
            expected.update(kind="named" if pinned else "process", pod=None)
            expected.update(unit=self.kernel.unit(inode), user=self.kernel.user(inode))
            network = self._network(inode)
            expected.update(network=network)
            # What is only kept by links of what is gone may still have its engine's name.
            if network or self.kernel.pids[inode]:
                expected.update(engine="docker" if network else None)
        return expected

    def _is_silent(self, owner: owners.Owner) -> bool:
        return owner.engine in self.silent and owner.user is None

    def _network(self, inode: int) -> dict[str, str] | None:
        # Docker's own sandboxes have the beginning of the network's id in their names.
        paths = map(os.path.split, self.kernel.mounts[inode])
        for name in (name for folder, name in paths if folder == SANDBOXES):
            for network in self.networks:
                if name == "ingress_sbox" and network["name"] == "ingress":
                    return network
                kind, _dash, start = re.sub("^lb_", "lb-", name).partition("-")
                if kind in ("1", "lb") and network["id"].startswith(start):
                    return network
        return None

    def links(self, links: list[dict[str, t.Any]]) -> t.Iterator[str]:
        """What is wrong with links."""
        rows = {one["name"]: one for one in links}
        expected: dict[str, owners.Owner] = {}
        for owner in self.owners:
            if not self._is_silent(owner):
                expected.setdefault(owner.link, owner)
            elif not self._has_none(owner):
                yield from self._link(owner)
        if len(rows) < len(links):
            yield f"names are not unique: {links}"
        for name in expected.keys() - rows:
            yield f"no row for {expected[name]}"
        for name in rows.keys() - expected:
            yield f"a row too many: {rows[name]}"
        for name in rows.keys() & expected:
            yield from self._row(rows[name], expected[name])

    def _row(self, row: dict[str, t.Any], owner: owners.Owner) -> t.Iterator[str]:
        if self._has_none(owner):
            if row["action"] != "skipped" or not row["reason"]:
                yield f"not skipped for a reason: {row}"
            if os.path.lexists(f"{NETNS_DIR}/{owner.link}"):
                yield f"{owner.link} is linked"
            return
        if (row["engine"], row["netns"]) != (owner.engine, owner.inode):
            yield f"{row} is not about {owner} in {owner.inode}"
        if row["action"] == "skipped":
            yield f"skipped: {row}"
        # What check mode foretells is not there yet.
        if not self.foretold:
            yield from self._link(owner)

    def _has_none(self, owner: owners.Owner) -> bool:
        # On the host's network, or still in the namespace of the one that it was started to share.
        shares = any(one.id == owner.joins for one in self.places[owner.inode])
        return shares or owner.inode == self.kernel.host

    def _link(self, owner: owners.Owner) -> t.Iterator[str]:
        path = f"{NETNS_DIR}/{owner.link}"
        if not os.path.exists(path):
            yield f"{path} is not there, for {owner}"
        elif os.stat(path).st_ino != owner.inode:
            yield f"{path} leads to {os.stat(path).st_ino}, not to {owner} in {owner.inode}"
        elif path not in self.kernel.mounts[owner.inode]:
            yield f"{path} is not mounted where the host sees it"

    def _about(self, inode: int) -> str:
        about = {f"{one.engine} {one.link}" for one in self.places[inode]}
        about.update(self.kernel.mounts[inode] | self.kernel.foreign[inode])
        about.update(f"process {pid}" for pid in sorted(self.kernel.pids[inode])[:3])
        return f"{inode} ({', '.join(sorted(about))})"


def main() -> None:
    """Judge one answer."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("facts", "links"))
    parser.add_argument("--silent", action="append", default=[], metavar="ENGINE")
    parser.add_argument("--foretold", action="store_true", help="the links are of check mode")
    arguments = parser.parse_args()
    truth = Truth(arguments.silent, arguments.foretold)
    wrong = list(getattr(truth, arguments.what)(json.load(sys.stdin)))
    print("\n".join(wrong))
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
