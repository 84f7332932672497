# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Create and remove pods as the kubelet does, through the CRI socket of a container runtime.

From outside, the path of the socket of a test host is /proc/PID/root/run/containerd/containerd.sock,
where PID is that of the host's systemd (`docker inspect -f '{{.State.Pid}}' HOST`).
Needs grpcio-tools. Prints JSON.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import sys
import typing as t
import uuid

import grpc

_POD, _CONTAINER, _NODE = range(3)


def _load() -> tuple[t.Any, t.Any]:
    # Compiles the messages at each start, so that no generated file is needed.
    directory = str(pathlib.Path(__file__).parent)
    sys.path.insert(0, directory)
    try:
        return grpc.protos_and_services("cri.proto")
    finally:
        sys.path.remove(directory)


class Runtime:
    """The RuntimeService of a container runtime."""

    def __init__(self, socket: str) -> None:
        self._messages, services = _load()
        self._channel = grpc.insecure_channel(
            f"unix:{socket}", options=[("grpc.default_authority", "localhost")]
        )
        self._service = services.RuntimeServiceStub(self._channel)

    def call(self, name: str, **fields: t.Any) -> t.Any:
        """Send a request and return the response."""
        request = getattr(self._messages, f"{name}Request")(**fields)
        return getattr(self._service, name)(request, wait_for_ready=True, timeout=60)

    def version(self) -> dict[str, str]:
        """Return the name and the version of the runtime."""
        response = self.call("Version")
        return {"name": response.runtime_name, "version": response.runtime_version}

    def _pod(self, pod: str, arguments: argparse.Namespace) -> dict[str, t.Any]:
        namespace, _slash, name = pod.partition("/")
        return {
            "metadata": {"name": name, "namespace": namespace, "uid": str(uuid.uuid4())},
            "hostname": "" if arguments.host_network else name,
            "dns_config": {"servers": arguments.dns},
            "port_mappings": [
                {"host_port": host_port, "container_port": port}
                for host_port, port in (map(int, pair.split(":")) for pair in arguments.port)
            ],
            "labels": {"app": name},
            "linux": {
                "cgroup_parent": arguments.cgroup_parent,
                "security_context": {
                    "namespace_options": {
                        "network": _NODE if arguments.host_network else _POD,
                        "pid": _CONTAINER,
                    }
                },
            },
        }

    def run(self, pod: str, arguments: argparse.Namespace) -> dict[str, t.Any]:
        """Start a pod and its containers."""
        config = self._pod(pod, arguments)
        sandbox = self.call("RunPodSandbox", config=config).pod_sandbox_id
        containers = {}
        for name in arguments.container:
            containers[name] = self.call(
                "CreateContainer",
                pod_sandbox_id=sandbox,
                sandbox_config=config,
                config={
                    "metadata": {"name": name},
                    "image": {"image": arguments.image},
                    "command": ["sleep", "86400"],
                    "linux": {"security_context": config["linux"]["security_context"]},
                },
            ).container_id
            self.call("StartContainer", container_id=containers[name])
        return {
            "sandbox": sandbox,
            "uid": config["metadata"]["uid"],
            "containers": containers,
        }

    def list(self) -> list[dict[str, t.Any]]:
        """Return all pods, with the ids of their containers by name."""
        pods = {
            item.id: {
                "sandbox": item.id,
                "pod": f"{item.metadata.namespace}/{item.metadata.name}",
                "uid": item.metadata.uid,
                "containers": {},
            }
            for item in self.call("ListPodSandbox").items
        }
        for item in self.call("ListContainers").containers:
            pods[item.pod_sandbox_id]["containers"][item.metadata.name] = item.id
        return list(pods.values())

    def stop(self, pods: t.Sequence[str], remove: bool) -> list[str]:
        """Stop pods with all their containers: the named pods, or all pods."""
        stopped = []
        for pod in self.list():
            if not pods or pod["pod"] in pods:
                self.call("StopPodSandbox", pod_sandbox_id=pod["sandbox"])
                if remove:
                    self.call("RemovePodSandbox", pod_sandbox_id=pod["sandbox"])
                stopped.append(pod["pod"])
        return stopped

    def stop_container(self, container: str, remove: bool) -> str:
        """Stop a container by its id."""
        self.call("StopContainer", container_id=container, timeout=0)
        if remove:
            self.call("RemoveContainer", container_id=container)
        return container


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("socket")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("version")
    commands.add_parser("list")
    run = commands.add_parser("run", help="start a pod")
    run.add_argument("pod", metavar="NAMESPACE/POD")
    run.add_argument("--host-network", action="store_true")
    run.add_argument("--container", action="append", default=[], metavar="NAME")
    run.add_argument("--port", action="append", default=[], metavar="HOST:CONTAINER")
    run.add_argument("--dns", action="append", default=[], metavar="ADDRESS")
    run.add_argument("--cgroup-parent", default="")
    run.add_argument("--image", default="localhost/pause:1")
    for command in ("stop", "remove"):
        pods = commands.add_parser(command, help=f"{command} the named pods, or all pods")
        pods.add_argument("pod", nargs="*", metavar="NAMESPACE/POD")
        container = commands.add_parser(f"{command}-container")
        container.add_argument("id")
    return parser.parse_args()


def main() -> None:
    """Run one command."""
    arguments = _arguments()
    runtime = Runtime(arguments.socket)
    result: t.Any
    if arguments.command == "version":
        result = runtime.version()
    elif arguments.command == "list":
        result = runtime.list()
    elif arguments.command == "run":
        result = runtime.run(arguments.pod, arguments)
    elif arguments.command in ("stop", "remove"):
        result = runtime.stop(arguments.pod, arguments.command == "remove")
    else:
        result = runtime.stop_container(arguments.id, arguments.command == "remove-container")
    json.dump(result, sys.stdout)
    print()


if __name__ == "__main__":
    main()
