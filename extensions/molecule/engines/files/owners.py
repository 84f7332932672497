# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""owners.py <PODS: ask every engine, by its own command, whose process is whose, and keep it.

PODS is what tests/hosts/cri/client.py lists. It is kept as some engines cannot answer later.
"""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
import typing as t

KEPT = pathlib.Path("/run/netns-owners.json")
# The user of a rootless engine.
USER = "alice"

Pod = t.Dict[str, str]


class Owner(t.NamedTuple):
    """A running container.

    `sandbox` is whether it only holds its pod's namespace; `joins` is the id of the one in whose
    namespace it was started, if it was. `inode` is the namespace that it has.
    """

    engine: str
    id: str
    name: str
    pid: int
    user: str | None = None
    pod: Pod | None = None
    sandbox: bool = False
    joins: str | None = None
    inode: int = 0

    @property
    def link(self) -> str:
        """The name that its link should have, its pod's where it is in one."""
        if self.pod is None:
            return self.name
        return "_".join(filter(None, (self.pod["namespace"], self.pod["name"])))


class Kept(t.NamedTuple):
    """What was asked for; `networks` are Docker's of a swarm, by id and name."""

    owners: list[Owner]
    networks: list[dict[str, str]]


def kept() -> Kept:
    """What was asked for before."""
    owners, networks = json.loads(KEPT.read_text())
    return Kept([Owner(*one) for one in owners], networks)


def _ask(*command: str, user: str | None = None) -> str:
    if user is not None:
        home, uid = (
            os.path.expanduser(f"~{user}"),
            pathlib.Path(f"~{user}").expanduser().stat().st_uid,
        )
        session = [
            f"--chdir={home}",
            f"HOME={home}",
            f"XDG_RUNTIME_DIR=/run/user/{uid}",
            f"DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/{uid}/bus",
            f"DOCKER_HOST=unix:///run/user/{uid}/docker.sock",
        ]
        command = ("runuser", "-u", user, "--", "env", *session, *command)
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def _joined(inspected: dict[str, t.Any]) -> str | None:
    kind, _colon, which = inspected["HostConfig"]["NetworkMode"].partition(":")
    return which if kind == "container" else None


def docker(user: str | None = None) -> t.Iterator[Owner]:
    """Docker's containers, root's or a user's."""
    ids = _ask("docker", "ps", "--quiet", "--no-trunc", user=user).split()
    for one in json.loads(_ask("docker", "inspect", *ids, user=user)):
        name, pid = one["Name"].lstrip("/"), one["State"]["Pid"]
        yield Owner("docker", one["Id"], name, pid, user, joins=_joined(one))


def podman(user: str | None = None) -> t.Iterator[Owner]:
    """Podman's containers, root's or a user's."""
    pods = {
        one["Id"]: {"namespace": "", "name": one["Name"], "uid": one["Id"]}
        for one in json.loads(_ask("podman", "pod", "ps", "--format=json", user=user))
    }
    ids = _ask("podman", "ps", "--quiet", "--no-trunc", user=user).split()
    for one in json.loads(_ask("podman", "inspect", *ids, user=user)):
        pod, pid = pods.get(one["Pod"]), one["State"]["Pid"]
        joins = None if pod else _joined(one)
        yield Owner("podman", one["Id"], one["Name"], pid, user, pod, one["IsInfra"], joins)


def _tasks(namespace: str) -> dict[str, int]:
    tasks = _ask("ctr", "--namespace", namespace, "tasks", "ls").splitlines()[1:]
    return {one: int(pid) for one, pid, status in map(str.split, tasks) if status == "RUNNING"}


def containerd(pods: t.Iterable[dict[str, t.Any]]) -> t.Iterator[Owner]:
    """The containers of the pods that the container runtime interface lists, and those of no pod."""
    pids = _tasks("k8s.io")
    for listed in pods:
        namespace, name = listed["pod"].split("/")
        pod = {"namespace": namespace, "name": name, "uid": listed["uid"]}
        members = {
            listed["sandbox"]: "",
            **{one: name for name, one in listed["containers"].items()},
        }
        for one, name in members.items():
            if one in pids:
                yield Owner("containerd", one, name, pids[one], None, pod, not name)
    for name, pid in _tasks("default").items():
        yield Owner("containerd", name, name, pid)


def lxc() -> t.Iterator[Owner]:
    """LXC's containers."""
    for name in _ask("lxc-ls", "--running", "-1").split():
        pid = int(_ask("lxc-info", "--no-humanize", "--pid", "--name", name))
        yield Owner("lxc", name, name, pid)


def nspawn() -> t.Iterator[Owner]:
    """The machines of systemd-nspawn."""
    for line in _ask("machinectl", "list", "--no-legend", "--no-pager").splitlines():
        name, _kind, service, *_system = line.split()
        if service == "systemd-nspawn":
            pid = _ask("machinectl", "show", name, "--property=Leader", "--value")
            yield Owner("nspawn", name, name, int(pid))


def swarm() -> t.Iterator[dict[str, str]]:
    """Docker's networks of a swarm."""
    options = ("--no-trunc", "--filter=scope=swarm", "--format={{.ID}} {{.Name}}")
    for line in _ask("docker", "network", "ls", *options).splitlines():
        yield dict(zip(("id", "name"), line.split()))


def main() -> None:
    """Ask, while all of them are well."""
    owners = [*docker(), *docker(USER), *podman(), *podman(USER), *lxc(), *nspawn()]
    owners += containerd(json.load(sys.stdin))
    owners = [one._replace(inode=os.stat(f"/proc/{one.pid}/ns/net").st_ino) for one in owners]
    KEPT.write_text(json.dumps(Kept(owners, list(swarm()))))


if __name__ == "__main__":
    main()
