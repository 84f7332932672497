# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Wait until the links match the running containers, or report the differences.

Uses the commands of the engines, the kernel and ip, and no code of the collection. Docker is always
included, other engines by name. A container has a link if it has a network namespace of its own: not
the host's, and not that of another container that is still in it. A label selects only Docker's
containers with this label. Each link has exactly one mount. If there are links, the mounts of their
directory are shared.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import subprocess
import sys
import time

NETNS_DIR = "/run/netns"
# Its own, and that of K3s.
CONTAINERD_SOCKETS = ("/run/containerd/containerd.sock", "/run/k3s/containerd/containerd.sock")
# Pins of engines in the same directory.
_ENGINE_PIN = re.compile(r"(cni|netns)-[0-9a-f]{8}-[0-9a-f-]{27}")


def output_of(*command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def inode(pid):
    return os.stat(f"/proc/{pid}/ns/net").st_ino


# Each engine yields the id, the name, the PID and the id of the container whose namespace it joins.


def docker(label=None):
    filters = [f"--filter=label={label}"] if label else []
    ids = output_of("docker", "ps", "--quiet", "--no-trunc", *filters).split()
    for container in json.loads(output_of("docker", "inspect", *ids)) if ids else ():
        name, mode = container["Name"][1:], container["HostConfig"]["NetworkMode"]
        yield container["Id"], name, container["State"]["Pid"], mode.partition("container:")[2]


def podman():
    pods = json.loads(output_of("podman", "pod", "ps", "--format=json"))
    pod_names = {pod["Id"]: pod["Name"] for pod in pods}
    ids = output_of("podman", "ps", "--quiet", "--no-trunc").split()
    for container in json.loads(output_of("podman", "inspect", *ids)) if ids else ():
        # The infra container represents the pod.
        if container["IsInfra"] or not container["Pod"]:
            mode = container["HostConfig"]["NetworkMode"]
            name = pod_names.get(container["Pod"], container["Name"])
            yield container["Id"], name, container["State"]["Pid"], mode.partition("container:")[2]


def containerd():
    for socket in filter(os.path.exists, CONTAINERD_SOCKETS):
        yield from pods_of_containerd("ctr", f"--address={socket}", "--namespace=k8s.io")


def pods_of_containerd(*ctr):
    tasks = [line.split() for line in output_of(*ctr, "tasks", "ls").splitlines()[1:]]
    for identity, pid, status in tasks:
        info = json.loads(output_of(*ctr, "containers", "info", identity))
        annotations, cri = info["Spec"]["annotations"], "io.kubernetes.cri"
        if status == "RUNNING" and annotations[f"{cri}.container-type"] == "sandbox":
            name = "_".join(annotations[f"{cri}.sandbox-{part}"] for part in ("namespace", "name"))
            yield identity, name, int(pid), ""


def lxc():
    for name in output_of("lxc-ls", "--running", "-1").split():
        pid = output_of("lxc-info", "--no-humanize", "--pid", "--name", name)
        yield name, name, int(pid), ""


def nspawn():
    for line in output_of("machinectl", "list", "--no-legend", "--no-pager").splitlines():
        name = line.split()[0]
        leader = output_of("machinectl", "show", name, "--property=Leader", "--value")
        yield name, name, int(leader), ""


def instances(client):
    for instance in json.loads(output_of(client, "list", "--all-projects", "--format=json")):
        if instance["status"] == "Running":
            name, project = instance["name"], instance["project"]
            link = name if project == "default" else f"{project}_{name}"
            yield link, link, instance["state"]["pid"], ""


ENGINES = {
    "podman": podman,
    "containerd": containerd,
    "lxc": lxc,
    "nspawn": nspawn,
    "incus": lambda: instances("incus"),
    "lxd": lambda: instances("lxc"),
}


def expected_links(label=None, engines=()):
    """Return the expected links: inodes by name."""
    host = inode(1)
    containers = {}
    for engine in (docker(label), *(ENGINES[name]() for name in engines)):
        for identity, name, pid, joined in engine:
            containers[identity] = (name, inode(pid), joined)
    return {
        name: own
        for name, own, joined in containers.values()
        if own != host and not (joined in containers and containers[joined][1] == own)
    }


def actual_links():
    """Return the links in /run/netns: inodes by name."""
    links = {}
    for item in os.scandir(NETNS_DIR) if os.path.isdir(NETNS_DIR) else ():
        if not _ENGINE_PIN.fullmatch(item.name):
            with contextlib.suppress(FileNotFoundError):  # the hook removed it meanwhile
                links[item.name] = os.stat(item.path).st_ino
    return links


def mounts():
    """Return whether each mount of the directory is shared, and the mounts in it, in PID 1's mount namespace."""
    shared, inside = [], []
    with open("/proc/1/mountinfo", encoding="utf-8") as stream:
        for line in stream:
            fields = line.split(" ")
            directory, name = os.path.split(fields[4])
            if fields[4] == NETNS_DIR:
                options = fields[6 : fields.index("-")]
                shared.append(any(option.startswith("shared:") for option in options))
            elif directory == NETNS_DIR and not _ENGINE_PIN.fullmatch(name):
                inside.append((name, fields[3]))
    return shared, sorted(inside)


def differences(label=None, engines=(), foreign=()):
    """Return what differs; `foreign` are the names of an administrator's namespaces."""
    problems = []
    expected, links = expected_links(label, engines), actual_links()
    shared, inside = mounts()
    listed = [line.split()[0] for line in output_of("ip", "netns", "list").splitlines()]
    if {name: inode for name, inode in links.items() if name not in foreign} != expected:
        problems.append(f"expected: {expected}\nlinks: {links}")
    if not links.keys() >= set(foreign):
        problems.append(f"not all of {foreign} exist")
    if inside != sorted((name, f"net:[{inode}]") for name, inode in links.items()):
        problems.append(f"mounts: {inside}\nlinks: {links}")
    if links and not (shared and all(shared)):
        problems.append(f"{NETNS_DIR} is not a shared mount")
    if sorted(name for name in listed if not _ENGINE_PIN.fullmatch(name)) != sorted(links):
        problems.append(f"ip netns list: {listed}\nlinks: {links}")
    return problems


def missing_addresses(label=None):
    """Return the addresses of Docker's containers that `ip netns exec` does not show."""
    names = sorted(expected_links(label))
    template = "127.0.0.1{{range .NetworkSettings.Networks}} {{.IPAddress}}{{end}}"
    lines = (
        output_of("docker", "inspect", "--format", template, *names).splitlines() if names else []
    )
    missing = []
    for name, line in zip(names, lines):
        shown = output_of("ip", "netns", "exec", name, "ip", "-oneline", "addr")
        missing += [
            f"{address} is not in the namespace of the link {name}:\n{shown}"
            for address in line.split()
            if f"inet {address}/" not in shown
        ]
    return missing


def wait(seconds, label=None, engines=(), foreign=()):
    """Return None as soon as nothing differs, or after some seconds what differs."""
    end = time.monotonic() + seconds
    while True:
        try:
            problems = differences(label, engines, foreign)
        except (OSError, subprocess.CalledProcessError) as error:
            # A container has stopped meanwhile.
            problems = [str(error)]
        if not problems or time.monotonic() > end:
            return "\n".join(problems) or None
        time.sleep(0.1)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("seconds", type=float, help="how long to wait until nothing differs")
    parser.add_argument("selection", nargs="*", metavar="ENGINE|LABEL=VALUE")
    parser.add_argument("--foreign", action="append", default=[], metavar="NAME")
    options = parser.parse_args()
    label = next((item for item in options.selection if "=" in item), None)
    engines = [item for item in options.selection if item in ENGINES]
    problems = wait(options.seconds, label, engines, options.foreign)
    problems = problems or "\n".join(missing_addresses(label))
    sys.stdout.write(f"{problems or 'the links match the running containers'}\n")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
