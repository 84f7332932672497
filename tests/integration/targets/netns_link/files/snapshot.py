# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""snapshot.py DIRECTORY PREFIX LABEL: print the state of the kernel and of Docker as JSON.

Uses no code of the collection. `host` contains the entries of DIRECTORY whose names begin with PREFIX, the mounts
of these entries, and the resolv.conf files of links whose names begin with the value of LABEL (NAME=VALUE).
`containers` contains the containers with LABEL, by name.
"""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import typing as t

_KINDS = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "directory",
    stat.S_IFLNK: "symlink",
    stat.S_IFIFO: "fifo",
}


def _entries(directory: str, prefix: str) -> dict[str, dict[str, t.Any]]:
    nsfs = os.stat("/proc/self/ns/net").st_dev
    entries = {}
    for name in sorted(os.listdir(directory)) if os.path.isdir(directory) else []:
        if name.startswith(prefix):
            path = os.path.join(directory, name)
            entry = os.lstat(path)
            target = os.stat(path) if os.path.exists(path) else None
            entries[name] = {
                "kind": "netns" if entry.st_dev == nsfs else _KINDS[stat.S_IFMT(entry.st_mode)],
                "inode": target.st_ino if target and target.st_dev == nsfs else None,
                "leads_to": os.readlink(path) if stat.S_ISLNK(entry.st_mode) else None,
            }
    return entries


def _mounts(directory: str, prefix: str) -> list[list[str]]:
    """Return the root, the mount point and the propagation of each mount of the entries."""
    mounts = []
    with open("/proc/self/mountinfo", encoding="utf-8") as table:
        for line in table:
            fields = line.split()
            if fields[4].startswith(os.path.join(directory, prefix)) or fields[4] == directory:
                mounts.append(
                    [fields[3], fields[4], "shared" if "shared:" in fields[6] else "private"]
                )
    return sorted(mounts)


def _resolv(prefix: str) -> dict[str, str | None]:
    """Return the text of the resolv.conf in each directory of /etc/netns."""
    texts: dict[str, str | None] = {}
    for name in os.listdir("/etc/netns") if os.path.isdir("/etc/netns") else []:
        if name.startswith(prefix):
            path = os.path.join("/etc/netns", name, "resolv.conf")
            texts[name] = None
            if os.path.exists(path):
                with open(path, encoding="utf-8") as stream:
                    texts[name] = stream.read()
    return texts


def _docker(*arguments: str) -> str:
    return subprocess.run(
        ["docker", *arguments], check=True, stdout=subprocess.PIPE
    ).stdout.decode()


def _containers(label: str) -> dict[str, dict[str, t.Any]]:
    ids = _docker("ps", "-aq", "--no-trunc", "--filter", f"label={label}").split()
    containers = {}
    for item in json.loads(_docker("inspect", *ids)) if ids else []:
        pid = item["State"]["Pid"]
        networks = item["NetworkSettings"]["Networks"].values()
        containers[item["Name"][1:]] = {
            "id": item["Id"],
            "pid": pid,
            "inode": os.stat(f"/proc/{pid}/ns/net").st_ino if pid else None,
            "address": next((network["IPAddress"] for network in networks), ""),
        }
    return containers


def main() -> None:
    """Print the state."""
    directory, prefix, label = sys.argv[1:]
    host = {
        "links": _entries(directory, prefix),
        "mounts": _mounts(directory, prefix),
        "resolv": _resolv(label.partition("=")[2]),
    }
    print(json.dumps({"host": host, "containers": _containers(label)}, indent=1))


if __name__ == "__main__":
    main()
