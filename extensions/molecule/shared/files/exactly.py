# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Wait until the links are exactly what runs, or say what differs.

It asks the engines' own commands, the kernel and ip, and nothing of the collection. Docker always,
other engines by name. What runs has a link if its namespace is its own: not the host's, and not
joined while the one that it joined is still in it. With a label, only Docker's containers that have
it. Each link has one mount, and where there are some their folder is a shared mount.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import time

NETNS_DIR = "/run/netns"
# What engines pin in the same folder.
_THEIRS = re.compile(r"(cni|netns)-[0-9a-f]{8}-[0-9a-f-]{27}")


def ask(*command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def inode(pid):
    return os.stat(f"/proc/{pid}/ns/net").st_ino


def docker(label=None):
    filters = [f"--filter=label={label}"] if label else []
    ids = ask("docker", "ps", "--quiet", "--no-trunc", *filters).split()
    for one in json.loads(ask("docker", "inspect", *ids)) if ids else ():
        name, mode = one["Name"][1:], one["HostConfig"]["NetworkMode"]
        yield one["Id"], name, one["State"]["Pid"], mode.partition("container:")[2]


def podman():
    pods = {
        one["Id"]: one["Name"] for one in json.loads(ask("podman", "pod", "ps", "--format=json"))
    }
    ids = ask("podman", "ps", "--quiet", "--no-trunc").split()
    for one in json.loads(ask("podman", "inspect", *ids)) if ids else ():
        # All of a pod are in the namespace of its own container.
        if one["IsInfra"] or not one["Pod"]:
            mode = one["HostConfig"]["NetworkMode"]
            name = pods.get(one["Pod"], one["Name"])
            yield one["Id"], name, one["State"]["Pid"], mode.partition("container:")[2]


def containerd():
    ctr = ("ctr", "--namespace", "k8s.io")
    tasks = [line.split() for line in ask(*ctr, "tasks", "ls").splitlines()[1:]]
    for identity, pid, status in tasks:
        notes = json.loads(ask(*ctr, "containers", "info", identity))["Spec"]["annotations"]
        cri = "io.kubernetes.cri"
        if status == "RUNNING" and notes[f"{cri}.container-type"] == "sandbox":
            name = "_".join(notes[f"{cri}.sandbox-{part}"] for part in ("namespace", "name"))
            yield identity, name, int(pid), ""


def lxc():
    for name in ask("lxc-ls", "--running", "-1").split():
        yield name, name, int(ask("lxc-info", "--no-humanize", "--pid", "--name", name)), ""


def nspawn():
    for line in ask("machinectl", "list", "--no-legend", "--no-pager").splitlines():
        name = line.split()[0]
        yield name, name, int(ask("machinectl", "show", name, "--property=Leader", "--value")), ""


ENGINES = {"podman": podman, "containerd": containerd, "lxc": lxc, "nspawn": nspawn}


def running(label=None, engines=()):
    """The inode by name of what is to be linked."""
    host = inode(1)
    found = {}
    for engine in (docker(label), *(ENGINES[name]() for name in engines)):
        for identity, name, pid, joined in engine:
            found[identity] = (name, inode(pid), joined)
    return {
        name: own
        for name, own, joined in found.values()
        if own != host and not (joined in found and found[joined][1] == own)
    }


def linked():
    """The inode by name of what is linked."""
    return {
        item.name: os.stat(item.path).st_ino
        for item in (os.scandir(NETNS_DIR) if os.path.isdir(NETNS_DIR) else ())
        if not _THEIRS.fullmatch(item.name)
    }


def mounts():
    """Whether each mount of the folder itself is shared, and what is mounted in it, as PID 1 sees them."""
    shared, inside = [], []
    with open("/proc/1/mountinfo", encoding="utf-8") as stream:
        for line in stream:
            fields = line.split(" ")
            folder, name = os.path.split(fields[4])
            if fields[4] == NETNS_DIR:
                options = fields[6 : fields.index("-")]
                shared.append(any(option.startswith("shared:") for option in options))
            elif folder == NETNS_DIR and not _THEIRS.fullmatch(name):
                inside.append((name, fields[3]))
    return shared, sorted(inside)


def differences(label=None, engines=(), others=()):
    """What is not as it should be; `others` are names there that are an administrator's."""
    found = []
    wanted, links = running(label, engines), linked()
    shared, inside = mounts()
    listed = [line.split()[0] for line in ask("ip", "netns", "list").splitlines()]
    if {name: one for name, one in links.items() if name not in others} != wanted:
        found.append(f"running: {wanted}\nlinked: {links}")
    if not links.keys() >= set(others):
        found.append(f"not all of {others} are there")
    if inside != sorted((name, f"net:[{one}]") for name, one in links.items()):
        found.append(f"mounted: {inside}\nlinked: {links}")
    if links and not (shared and all(shared)):
        found.append(f"{NETNS_DIR} is not a shared mount")
    if sorted(name for name in listed if not _THEIRS.fullmatch(name)) != sorted(links):
        found.append(f"ip lists: {listed}\nlinked: {links}")
    return found


def unreachable(label=None):
    """The addresses of Docker's containers that ip does not find behind their links."""
    names = sorted(running(label))
    shown = "127.0.0.1{{range .NetworkSettings.Networks}} {{.IPAddress}}{{end}}"
    lines = ask("docker", "inspect", "--format", shown, *names).splitlines() if names else []
    found = []
    for name, line in zip(names, lines):
        seen = ask("ip", "netns", "exec", name, "ip", "-oneline", "addr")
        found += [
            f"{address} is not behind the link {name}:\n{seen}"
            for address in line.split()
            if f"inet {address}/" not in seen
        ]
    return found


def wait(seconds, label=None, engines=(), others=()):
    """What differs when the time is over, None as soon as nothing does."""
    end = time.monotonic() + seconds
    while True:
        try:
            found = differences(label, engines, others)
        except (OSError, subprocess.CalledProcessError) as error:
            # Of what ends meanwhile.
            found = [str(error)]
        if not found or time.monotonic() > end:
            return "\n".join(found) or None
        time.sleep(0.1)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("seconds", type=float, help="for so long it may differ")
    parser.add_argument("what", nargs="*", metavar="ENGINE|LABEL=VALUE")
    parser.add_argument("--other", action="append", default=[], metavar="NAME", dest="others")
    options = parser.parse_args()
    label = next((one for one in options.what if "=" in one), None)
    engines = [one for one in options.what if one in ENGINES]
    wrong = wait(options.seconds, label, engines, options.others) or "\n".join(unreachable(label))
    sys.stdout.write(f"{wrong or 'as it should be'}\n")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
