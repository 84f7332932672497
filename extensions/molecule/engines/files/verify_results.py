# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Compare the results of the modules with the kernel and with the recorded owners (owners.py).

    verify_results.py facts <FACTS       the result of netns_facts, as JSON
    verify_results.py links <LINKS       the links that netns_link returned with `all`, as JSON

Prints the differences, one per line. Exits with 0 if there are none.
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
SANDBOX_DIR = "/run/docker/netns"
_NETNS = re.compile(r"net:\[(\d+)\]")
_PID = re.compile(r"pid=(\d+)")
_GONE = (FileNotFoundError, ProcessLookupError)


class KernelState:
    """All network namespaces that the kernel shows, by inode.

    `pids` are the processes in a namespace, `mounts` its mount points in the host's mount namespace,
    and `other_mounts` those in other mount namespaces.
    """

    def __init__(self) -> None:
        self.pids: dict[int, set[int]] = collections.defaultdict(set)
        self.mounts: dict[int, set[str]] = collections.defaultdict(set)
        self.other_mounts: dict[int, set[str]] = collections.defaultdict(set)
        self.host = os.stat("/proc/1/ns/net").st_ino
        for path in glob.glob("/proc/[0-9]*/task/[0-9]*/ns/net"):
            for inode in self._namespace_of(path):
                self.pids[inode].add(int(path.split("/")[2]))
        opened = {
            inode for path in glob.glob("/proc/[0-9]*/fd/*") for inode in self._namespace_of(path)
        }
        mount_tables: dict[int, str] = {}
        for path in ["/proc/1/ns/mnt", *glob.glob("/proc/[0-9]*/ns/mnt")]:
            try:
                mount_tables.setdefault(os.stat(path).st_ino, path.replace("ns/mnt", "mountinfo"))
            except _GONE:
                continue
        for path in mount_tables.values():
            mounts = self.mounts if path == "/proc/1/mountinfo" else self.other_mounts
            for inode, mount in self._mounted(path):
                mounts[inode].add(mount)
        self.inodes = opened.union(self.pids, self.mounts, self.other_mounts)

    @staticmethod
    def _namespace_of(path: str) -> t.Iterator[int]:
        try:
            match = _NETNS.fullmatch(os.readlink(path))
        except _GONE:
            return
        if match:
            yield int(match[1])

    @staticmethod
    def _mounted(path: str) -> t.Iterator[tuple[int, str]]:
        try:
            table = pathlib.Path(path).read_text().splitlines()
        except _GONE:
            return
        for line in table:
            fields = line.split()
            match = _NETNS.fullmatch(fields[3])
            if match and fields[fields.index("-") + 1] == "nsfs":
                yield int(match[1]), fields[4]

    def listeners(self, inode: int) -> set[tuple[str, str, int, frozenset[int]]] | None:
        """Return protocol, address, port and PIDs of the sockets that `ss` lists.

        None for a namespace without a process.
        """
        if not self.pids[inode]:
            return None
        command = ("nsenter", f"--net=/proc/{min(self.pids[inode])}/ns/net", "ss", "-Htulnp")
        shown = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        return {
            (protocol, _address(address), int(port), frozenset(map(int, _PID.findall(line))))
            for line in shown.splitlines()
            for protocol, _state, _queued, _backlog, local in [line.split()[:5]]
            for address, _colon, port in [local.rpartition(":")]
        }

    def names(self, inode: int) -> list[str]:
        """Return its names in `ip netns`."""
        with os.scandir(NETNS_DIR) as entries:
            return sorted(entry.name for entry in entries if os.stat(entry.path).st_ino == inode)

    def unit(self, inode: int) -> str | None:
        """Return the unit of its processes, the system's or a user's, if they all are in one unit."""
        pids = ",".join(map(str, self.pids[inode]))
        for column in ("uunit", "unit") if pids else ():
            command = ("ps", "--no-headers", "-o", f"{column}=", "-p", pids)
            shown = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
            units = set(shown.split())
            if len(units) == 1 and units != {"-"}:
                return units.pop()
        return None

    def user(self, inode: int) -> str | None:
        """Return the user of its processes, if it is one user and not root."""
        users = {pathlib.Path(f"/proc/{pid}").owner() for pid in self.pids[inode]}
        return users.pop() if len(users) == 1 and users != {"root"} else None


def _address(text: str) -> str:
    """Return an address that `ss` shows, without the interface; `*` stands for both families."""
    return text.partition("%")[0].strip("[]").replace("*", "::")


def _ended(pin: str) -> bool:
    """Whether a pin was in the mount namespace of a process, and is gone.

    The process has ended; or dockerd has removed the file of a container that ended: it does so once a minute, and
    until then a mount namespace that got no news of the unmount keeps its copy.
    """
    return re.match(r"/proc/\d+/root/", pin) is not None and not os.path.exists(pin)


class Verifier:
    """The recorded owners, and the state of the kernel.

    For root's engines that are `unavailable`, the only expectation is that their links stay.
    """

    def __init__(self, unavailable: t.Collection[str], check_mode: bool) -> None:
        self.unavailable = unavailable
        self.check_mode = check_mode
        self.owners, self.networks = owners.load()
        self.kernel = KernelState()
        self.owners_by_inode: dict[int, list[owners.Owner]] = collections.defaultdict(list)
        for owner in self.owners:
            self.owners_by_inode[owner.inode].append(owner)

    def facts(self, facts: dict[str, t.Any]) -> t.Iterator[str]:
        """Yield what is wrong with facts."""
        listed = collections.Counter(namespace["inode"] for namespace in facts["namespaces"])
        for inode, times in listed.items():
            if times > 1:
                yield f"{self._about(inode)} is listed {times} times"
        for inode in self.kernel.inodes - listed.keys():
            yield f"{self._about(inode)} is missing"
        for namespace in facts["namespaces"]:
            if namespace["inode"] in self.kernel.inodes:
                yield from self._namespace(namespace)
            # One that only an open file kept, such as dockerd's, may be gone by now, and one that was only
            # mounted in the mount namespace of a process.
            elif namespace["containers"] or not all(map(_ended, namespace["pins"])):
                yield f"{self._about(namespace['inode'])} does not exist: {namespace}"
        incomplete = {problem["source"] for problem in facts["incomplete"]}
        if incomplete != set(self.unavailable) or facts["complete"] == bool(self.unavailable):
            yield f"incomplete is {facts['incomplete']}, complete {facts['complete']}"
        if {engine["name"] for engine in facts["engines"]} != {
            owner.engine for owner in self.owners
        }:
            yield f"engines are {facts['engines']}"

    def _namespace(self, namespace: dict[str, t.Any]) -> t.Iterator[str]:
        inode = namespace["inode"]
        members = sorted(
            (container["name"], container["id"], container["pid"])
            for container in namespace["containers"]
        )
        actual = {**namespace, "containers": members}
        for key, expected in self._expected(inode).items():
            if key not in actual or actual[key] != expected:
                value = repr(actual[key]) if key in actual else "missing"
                yield f"{self._about(inode)}: {key} is {value}, not {expected!r}"
        if "listeners" in namespace:
            yield from self._listeners(namespace)
        missing = self.kernel.mounts[inode].difference(namespace["pins"])
        # The facts may have a prefix before paths in other mount namespaces.
        missing.update(
            path
            for path in self.kernel.other_mounts[inode]
            if not any(pin.endswith(path) for pin in namespace["pins"])
        )
        if missing:
            yield f"{self._about(inode)}: pins lacks {missing}"

    def _listeners(self, namespace: dict[str, t.Any]) -> t.Iterator[str]:
        """Yield the sockets that only one of the facts and `ss` has."""
        listed = {
            (
                *(each["protocol"], each["address"], each["port"]),
                frozenset(one["pid"] for one in each["processes"]),
            )
            for each in namespace["listeners"] or ()
        }
        expected = self.kernel.listeners(namespace["inode"])
        if expected is not None and listed != expected:
            difference = sorted(map(str, listed ^ expected))
            yield f"{self._about(namespace['inode'])}: listeners differ in {difference}"

    def _expected(self, inode: int) -> dict[str, t.Any]:
        members = [
            owner for owner in self.owners_by_inode[inode] if not self._is_unavailable(owner)
        ]
        expected: dict[str, t.Any] = {
            "is_host": inode == self.kernel.host,
            "names": self.kernel.names(inode),
            "containers": sorted(
                (owner.name, owner.id, owner.pid) for owner in members if not owner.sandbox
            ),
        }
        nothing = dict.fromkeys(("engine", "pod", "unit", "user", "network"))
        if inode == self.kernel.host:
            expected.update(nothing, kind="host")
        elif members:
            pod = next((owner.pod for owner in members if owner.pod), None)
            expected.update(nothing, kind="pod" if pod else "container", pod=pod)
            expected.update(engine=members[0].engine, user=members[0].user)
        elif not self.unavailable:
            pinned = self.kernel.mounts[inode] or self.kernel.other_mounts[inode]
            expected.update(kind="named" if pinned else "process", pod=None)
            expected.update(unit=self.kernel.unit(inode), user=self.kernel.user(inode))
            network = self._network(inode)
            expected.update(network=network)
            # A namespace that only links keep may still have the name of its engine.
            if network or self.kernel.pids[inode]:
                expected.update(engine="docker" if network else None)
        return expected

    def _is_unavailable(self, owner: owners.Owner) -> bool:
        return owner.engine in self.unavailable and owner.user is None

    def _network(self, inode: int) -> dict[str, str] | None:
        # The names of Docker's network sandboxes contain the beginning of the network's id.
        paths = map(os.path.split, self.kernel.mounts[inode])
        for name in (name for directory, name in paths if directory == SANDBOX_DIR):
            for network in self.networks:
                if name == "ingress_sbox" and network["name"] == "ingress":
                    return network
                kind, _dash, start = re.sub("^lb_", "lb-", name).partition("-")
                if kind in ("1", "lb") and network["id"].startswith(start):
                    return network
        return None

    def links(self, links: list[dict[str, t.Any]]) -> t.Iterator[str]:
        """Yield what is wrong with links."""
        rows = {row["name"]: row for row in links}
        expected: dict[str, owners.Owner] = {}
        for owner in self.owners:
            if not self._is_unavailable(owner):
                expected.setdefault(owner.link, owner)
            elif not self._has_no_link(owner):
                yield from self._link(owner)
        if len(rows) < len(links):
            yield f"names are not unique: {links}"
        for name in expected.keys() - rows:
            yield f"no row for {expected[name]}"
        for name in rows.keys() - expected:
            yield f"unexpected row: {rows[name]}"
        for name in rows.keys() & expected:
            yield from self._row(rows[name], expected[name])

    def _row(self, row: dict[str, t.Any], owner: owners.Owner) -> t.Iterator[str]:
        if self._has_no_link(owner):
            if row["action"] != "skipped" or not row["reason"]:
                yield f"not skipped with a reason: {row}"
            if os.path.lexists(f"{NETNS_DIR}/{owner.link}"):
                yield f"{owner.link} is linked"
            return
        if (row["engine"], row["netns"]) != (owner.engine, owner.inode):
            yield f"{row} is not about {owner} in {owner.inode}"
        if row["action"] == "skipped":
            yield f"skipped: {row}"
        # In check mode the links do not exist yet.
        if not self.check_mode:
            yield from self._link(owner)

    def _has_no_link(self, owner: owners.Owner) -> bool:
        # It is on the host's network, or still in the namespace of the container that it joined.
        shares = any(member.id == owner.joins for member in self.owners_by_inode[owner.inode])
        return shares or owner.inode == self.kernel.host

    def _link(self, owner: owners.Owner) -> t.Iterator[str]:
        path = f"{NETNS_DIR}/{owner.link}"
        if not os.path.exists(path):
            yield f"{path} does not exist, for {owner}"
        elif os.stat(path).st_ino != owner.inode:
            yield f"{path} leads to {os.stat(path).st_ino}, not to {owner} in {owner.inode}"
        elif path not in self.kernel.mounts[owner.inode]:
            yield f"{path} is not mounted in the host's mount namespace"

    def _about(self, inode: int) -> str:
        about = {f"{owner.engine} {owner.link}" for owner in self.owners_by_inode[inode]}
        about.update(self.kernel.mounts[inode] | self.kernel.other_mounts[inode])
        about.update(f"process {pid}" for pid in sorted(self.kernel.pids[inode])[:3])
        return f"{inode} ({', '.join(sorted(about))})"


def main() -> None:
    """Verify one result."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("kind", choices=("facts", "links"))
    parser.add_argument("--unavailable", action="append", default=[], metavar="ENGINE")
    parser.add_argument(
        "--check-mode", action="store_true", help="the links are those of check mode"
    )
    arguments = parser.parse_args()
    verifier = Verifier(arguments.unavailable, arguments.check_mode)
    differences = list(getattr(verifier, arguments.kind)(json.load(sys.stdin)))
    print("\n".join(differences))
    sys.exit(bool(differences))


if __name__ == "__main__":
    main()
