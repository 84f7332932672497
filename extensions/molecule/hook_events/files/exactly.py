"""exactly.py SECONDS [ENGINE...] [LABEL=VALUE]: wait until the links are exactly what runs, or say what differs.

It asks the engines' own commands and the kernel, and nothing of the collection. Docker always, other engines by name.
What runs has a link if its namespace is its own: not the host's, and not joined while the one that it joined is still
in it. With a label, only Docker's containers that have it.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time

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


def running(label, engines):
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
    return {
        item.name: os.stat(item.path).st_ino
        for item in (os.scandir("/run/netns") if os.path.isdir("/run/netns") else ())
        if not _THEIRS.fullmatch(item.name)
    }


def pins():
    with open("/proc/1/mountinfo", encoding="utf-8") as stream:
        points = [line.split(" ")[4] for line in stream if " - nsfs " in line]
    names = [os.path.basename(one) for one in points if one.startswith("/run/netns/")]
    return sorted(name for name in names if not _THEIRS.fullmatch(name))


def wait(seconds, label=None, engines=()):
    """What differs when the time is over, None as soon as nothing does."""
    end = time.monotonic() + seconds
    while True:
        try:
            wanted, links = running(label, engines), linked()
            if wanted == links and pins() == sorted(links):
                return None
            words = f"running: {wanted}\nlinked: {links}\npinned: {pins()}"
        except (OSError, subprocess.CalledProcessError) as error:
            words = str(error)
        if time.monotonic() > end:
            return words
        time.sleep(0.1)


if __name__ == "__main__":
    options = sys.argv[2:]
    labels = [one for one in options if "=" in one]
    wrong = wait(
        float(sys.argv[1]), *labels[:1] or [None], [one for one in options if one in ENGINES]
    )
    sys.stdout.write(f"{wrong or 'as it should be'}\n")
    sys.exit(1 if wrong else 0)
