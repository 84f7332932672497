# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""owners.py <PODS: record the owner of each namespace, as the commands of the engines report it.

PODS is the output of `tests/hosts/cri/client.py … list`. The owners are recorded in a file, because
later some engines do not answer.
"""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
import typing as t

RECORD = pathlib.Path("/run/netns-owners.json")
# The user of the rootless engines.
USER = "alice"

Pod = t.Dict[str, str]


class Owner(t.NamedTuple):
    """A running container.

    `sandbox` is whether it only holds the namespace of its pod. `joins` is the id of the container
    whose namespace it was started in, if any. `project` is that of Incus or LXD. `inode` is the inode of its namespace.
    """

    engine: str
    id: str
    name: str
    pid: int
    user: str | None = None
    pod: Pod | None = None
    sandbox: bool = False
    joins: str | None = None
    project: str = ""
    inode: int = 0

    @property
    def link(self) -> str:
        """The expected name of its link: the name of its pod, if it is in one."""
        if self.pod is None:
            return "_".join(filter(None, (self.project, self.name)))
        return "_".join(filter(None, (self.pod["namespace"], self.pod["name"])))


class Record(t.NamedTuple):
    """The recorded owners; `networks` are the ids and names of Docker's swarm networks."""

    owners: list[Owner]
    networks: list[dict[str, str]]


def load() -> Record:
    """Read the record."""
    owners, networks = json.loads(RECORD.read_text())
    return Record([Owner(*fields) for fields in owners], networks)


def _output_of(*command: str, user: str | None = None) -> str:
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
    kind, _colon, identity = inspected["HostConfig"]["NetworkMode"].partition(":")
    return identity if kind == "container" else None


def docker(user: str | None = None) -> t.Iterator[Owner]:
    """Yield Docker's containers, root's or a user's."""
    ids = _output_of("docker", "ps", "--quiet", "--no-trunc", user=user).split()
    for container in json.loads(_output_of("docker", "inspect", *ids, user=user)):
        name, pid = container["Name"].lstrip("/"), container["State"]["Pid"]
        joins, pod = _joined(container), None
        labels = container["Config"]["Labels"] or {}
        if "io.kubernetes.pod.name" in labels:
            pod = {key: labels[f"io.kubernetes.pod.{key}"] for key in ("namespace", "name", "uid")}
            name, joins = labels["io.kubernetes.container.name"], None
        sandbox = name == "POD" and pod is not None
        yield Owner("docker", container["Id"], name, pid, user, pod, sandbox, joins)


def podman(user: str | None = None) -> t.Iterator[Owner]:
    """Yield Podman's containers, root's or a user's."""
    pods = {
        pod["Id"]: {"namespace": "", "name": pod["Name"], "uid": pod["Id"]}
        for pod in json.loads(_output_of("podman", "pod", "ps", "--format=json", user=user))
    }
    ids = _output_of("podman", "ps", "--quiet", "--no-trunc", user=user).split()
    for container in json.loads(_output_of("podman", "inspect", *ids, user=user)):
        pod, pid = pods.get(container["Pod"]), container["State"]["Pid"]
        joins = None if pod else _joined(container)
        yield Owner(
            "podman",
            container["Id"],
            container["Name"],
            pid,
            user,
            pod,
            container["IsInfra"],
            joins,
        )


def _tasks(namespace: str) -> dict[str, int]:
    tasks = _output_of("ctr", "--namespace", namespace, "tasks", "ls").splitlines()[1:]
    return {
        identity: int(pid) for identity, pid, status in map(str.split, tasks) if status == "RUNNING"
    }


def containerd(pods: t.Iterable[dict[str, t.Any]]) -> t.Iterator[Owner]:
    """Yield the containers of the pods that CRI lists, and those without a pod."""
    pids = _tasks("k8s.io")
    for listed in pods:
        namespace, name = listed["pod"].split("/")
        pod = {"namespace": namespace, "name": name, "uid": listed["uid"]}
        members = {
            listed["sandbox"]: "",
            **{identity: name for name, identity in listed["containers"].items()},
        }
        for identity, name in members.items():
            if identity in pids:
                yield Owner("containerd", identity, name, pids[identity], None, pod, not name)
    for name, pid in _tasks("default").items():
        yield Owner("containerd", name, name, pid)


def lxc() -> t.Iterator[Owner]:
    """Yield LXC's containers."""
    for name in _output_of("lxc-ls", "--running", "-1").split():
        pid = int(_output_of("lxc-info", "--no-humanize", "--pid", "--name", name))
        yield Owner("lxc", name, name, pid)


def nspawn() -> t.Iterator[Owner]:
    """Yield the machines of systemd-nspawn."""
    for line in _output_of("machinectl", "list", "--no-legend", "--no-pager").splitlines():
        name, _kind, service, *_system = line.split()
        if service == "systemd-nspawn":
            pid = _output_of("machinectl", "show", name, "--property=Leader", "--value")
            yield Owner("nspawn", name, name, int(pid))


def instances() -> t.Iterator[Owner]:
    """Yield the instances of Incus and LXD."""
    for engine, client, directory in (
        ("incus", "incus", "/var/lib/incus"),
        ("lxd", "lxc", "/var/lib/lxd"),
    ):
        if not os.path.exists(f"{directory}/unix.socket"):
            continue
        listed = _output_of(client, "list", "--all-projects", "--format=json")
        for instance in json.loads(listed):
            name, project = instance["name"], instance["project"]
            project = "" if project == "default" else project
            identity = f"{project}/{name}" if project else name
            if instance["status"] == "Running":
                pid = instance["state"]["pid"]
                yield Owner(engine, identity, name, pid, project=project)


def swarm() -> t.Iterator[dict[str, str]]:
    """Yield Docker's swarm networks."""
    options = ("--no-trunc", "--filter=scope=swarm", "--format={{.ID}} {{.Name}}")
    for line in _output_of("docker", "network", "ls", *options).splitlines():
        yield dict(zip(("id", "name"), line.split()))


def main() -> None:
    """Record all owners. All engines have to answer."""
    owners = [*docker(), *docker(USER), *podman(), *podman(USER), *lxc(), *nspawn(), *instances()]
    owners += containerd(json.load(sys.stdin))
    owners = [owner._replace(inode=os.stat(f"/proc/{owner.pid}/ns/net").st_ino) for owner in owners]
    RECORD.write_text(json.dumps(Record(owners, list(swarm()))))


if __name__ == "__main__":
    main()
