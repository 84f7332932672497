"""exactly.py SECONDS: wait until the links are exactly the running containers, or say what differs.

It asks Docker's command and the kernel, and nothing of the collection. A container has a link if its
namespace is its own: not the host's, and not joined while the one that it joined is still in it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time


def docker(*arguments):
    return subprocess.run(
        ["docker", *arguments], check=True, stdout=subprocess.PIPE, text=True
    ).stdout.split("\n")


def running():
    host = os.stat("/proc/1/ns/net").st_ino
    ids = [line for line in docker("ps", "--quiet", "--no-trunc") if line]
    if not ids:
        return {}
    shown = "{{.Id}} {{.Name}} {{.State.Pid}} {{.HostConfig.NetworkMode}}"
    found = {}
    for line in docker("inspect", "--format", shown, *ids):
        if line:
            identity, name, pid, mode = line.split(" ")
            found[identity] = (name[1:], os.stat(f"/proc/{pid}/ns/net").st_ino, mode)
    links = {}
    for name, inode, mode in found.values():
        other = found.get(mode.partition("container:")[2])
        if inode != host and not (other and other[1] == inode):
            links[name] = inode
    return links


def linked():
    return {
        item.name: os.stat(item.path).st_ino
        for item in (os.scandir("/run/netns") if os.path.isdir("/run/netns") else ())
    }


def pins():
    with open("/proc/1/mountinfo", encoding="utf-8") as stream:
        points = [line.split(" ")[4] for line in stream if " - nsfs " in line]
    return sorted(os.path.basename(one) for one in points if one.startswith("/run/netns/"))


def wait(seconds):
    """What differs when the time is over, None as soon as nothing does."""
    end = time.monotonic() + seconds
    while True:
        try:
            wanted, links = running(), linked()
            if wanted == links and pins() == sorted(links):
                return None
            words = f"running: {wanted}\nlinked: {links}\npinned: {pins()}"
        except (OSError, subprocess.CalledProcessError) as error:
            words = str(error)
        if time.monotonic() > end:
            return words
        time.sleep(0.1)


if __name__ == "__main__":
    wrong = wait(float(sys.argv[1]))
    sys.stdout.write(f"{wrong or 'as it should be'}\n")
    sys.exit(1 if wrong else 0)
