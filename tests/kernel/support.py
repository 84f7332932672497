# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the tests on the real kernel share: a host of their own, what `ip` shows, and Docker's API."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import socket
import subprocess
import sys
import threading
import time
import typing as t

from ansible_collections.linuxnet.netns.plugins.module_utils._core import model
from ansible_collections.linuxnet.netns.plugins.module_utils._core.kernel import mounts, procfs
from ansible_collections.linuxnet.netns.plugins.module_utils._core.links import ledger, run
from ansible_collections.linuxnet.netns.plugins.module_utils._core.links.request import LinkRequest

# Arguments of `ip link add` by kind of interface, for those on top of another (`link …`) and those by
# themselves. Not every kernel has all of them.
UPPER = {
    "macvlan": "type macvlan mode bridge",
    "macvtap": "type macvtap mode bridge",
    "ipvlan": "type ipvlan mode l2",
    "vlan": "type vlan id 7",
    "macsec": "type macsec",
}
LONE = {
    "dummy": "type dummy",
    "ifb": "type ifb",
    "bridge": "type bridge",
    "vxlan": "type vxlan id 7 dev eth0 dstport 4789",
    "geneve": "type geneve id 7 remote 192.0.2.1",
    "gre": "type gre remote 192.0.2.1 local 192.0.2.2 dev eth0",
    "wireguard": "type wireguard",
    "vrf": "type vrf table 9",
    "bond": "type bond",
}

# Changes its root directory, and waits there.
CHROOT = (
    "import os, sys, time; os.chroot(sys.argv[1]); os.chdir('/'); print(flush=True); time.sleep(99)"
)

# The start of a response without an end.
_STREAM = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def wait_a_clock_tick() -> None:
    """Wait for a clock tick, the unit of start times: the processes are then older than the next run."""
    time.sleep(1.1 / os.sysconf("SC_CLK_TCK"))


class ScratchHost:
    """A netns_dir, a ledger, a directory in place of /etc/netns, and processes of the test's own."""

    def __init__(self, root: pathlib.Path) -> None:
        self.dir = root / "netns"
        self.state = root / "state"
        self.etc = root / "etc-netns"
        self._processes: list[subprocess.Popen[bytes]] = []

    def run(self, check: bool = False, **request: t.Any) -> run.Result:
        return run.run(LinkRequest(netns_dir=str(self.dir), **request), check, str(self.state))

    def act(self, **request: t.Any) -> dict[str, str]:
        """The actions by name of a run that must succeed."""
        result = self.run(**request)
        assert result.failures == ()
        return {row["name"]: row["action"] for row in result.links}

    def process(self, *command: str) -> int:
        """Start a process in a network namespace of its own."""
        process = subprocess.Popen(["unshare", "--net", *(command or ("sleep", "infinity"))])
        self._processes.append(process)
        own = inode("/proc/self/ns/net")
        while inode(f"/proc/{process.pid}/ns/net") == own:
            assert process.poll() is None
        wait_a_clock_tick()
        return process.pid

    def sharer(self, pid: int) -> int:
        """Start a process in the namespace of another process."""
        sharer = self.process("nsenter", f"--net=/proc/{pid}/ns/net", "sleep", "infinity")
        wait_for(lambda: pathlib.Path(f"/proc/{sharer}/comm").read_text() == "sleep\n")
        return sharer

    def end(self, pid: int) -> None:
        """Kill a process and wait until it is gone."""
        for process in self._processes:
            if process.pid == pid:
                process.kill()
                process.wait()

    def link(self, name: str) -> pathlib.Path:
        return self.dir / name

    def entries(self) -> dict[str, ledger.Entry]:
        return ledger.Ledger(str(self.state)).entries

    def pin(self, name: str, pid: int) -> None:
        """Make a foreign link, as `ip netns attach` does."""
        self.dir.mkdir(exist_ok=True)
        self.link(name).touch(0o444)
        subprocess.run(["mount", "--bind", f"/proc/{pid}/ns/net", self.link(name)], check=True)

    def take_down(self) -> None:
        for process in self._processes:
            process.kill()
            process.wait()
        for mount in reversed(mounts.read()):
            point = pathlib.PurePath(mount.point)
            if self.dir.parent in (point, *point.parents):
                subprocess.run(
                    ["umount", "--lazy", mount.point], check=False, stderr=subprocess.DEVNULL
                )


def environment() -> dict[str, str]:
    """The environment in which a child finds the program and these helpers."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


def inode(path: str | os.PathLike[str]) -> int:
    return os.stat(path).st_ino


def children(pid: int) -> list[int]:
    """The processes that its first thread started, none if it is gone."""
    with contextlib.suppress(FileNotFoundError):
        return [
            int(child)
            for child in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        ]
    return []


def wait_for(condition: t.Callable[[], object], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"the condition is not met after {seconds} s"
        time.sleep(0.005)


def pins(netns: int) -> int:
    """The number of mounts of a network namespace in this mount namespace."""
    return sum(mount.root == f"net:[{netns}]" for mount in mounts.read())


def _json_of(*command: str) -> t.Any:
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def interfaces_by_ip(*enter: str) -> list[dict[str, t.Any]]:
    """What `ip` shows in a namespace, field by field; `enter` is the command that enters it."""
    return [
        {
            "index": interface["ifindex"],
            "name": interface["ifname"],
            "altnames": interface.get("altnames", []),
            "kind": interface.get("linkinfo", {}).get("info_kind"),
            "mac": interface.get("address"),
            "mtu": interface["mtu"],
            "state": interface["operstate"],
            "master": interface.get("master"),
            "addresses": [
                f"{address['local']}/{address['prefixlen']}" for address in interface["addr_info"]
            ],
        }
        for interface in _json_of(*enter, "ip", "-json", "-details", "addr", "show")
    ]


_MAIN_ROUTES = ("route", "show", "table", "main")


def routes_by_ip(*enter: str) -> list[tuple[t.Any, ...]]:
    """The main routing table that `ip` shows in a namespace, a row for each next hop."""
    rows = []
    for option, family, bits in (("-4", "inet", 32), ("-6", "inet6", 128)):
        for route in _json_of(*enter, "ip", "-json", "-details", option, *_MAIN_ROUTES):
            dst = route["dst"]
            if dst != "default" and "/" not in dst:
                dst = f"{dst}/{bits}"
            kind = route["type"]
            dropped = kind in ("blackhole", "unreachable", "prohibit", "throw")
            origin = (route["scope"], route["protocol"], route.get("prefsrc"))
            for hop in route.get("nexthops", [route]):
                gateway = hop.get("gateway") or hop.get("via", {}).get("host")
                interface = None if dropped else hop.get("dev")
                metric = route.get("metric", 0)
                rows.append((dst, gateway, interface, metric, "main", family, kind, *origin))
    return rows


def _started_at(pid: t.Any) -> str:
    """When a process started, as Docker writes times."""
    try:
        with procfs.opened(pid) as process:
            seconds = procfs.since_epoch(procfs.start_time(process))
    except (model.GoneError, OSError, OverflowError, ValueError):
        return "0001-01-01T00:00:00Z"
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def accepted(listener: socket.socket) -> t.Iterator[socket.socket]:
    """Each connection to a socket, until it is shut down."""
    while True:
        try:
            connection, _address = listener.accept()
        except OSError:
            return
        yield connection


def listed(identity: str, container: dict[str, t.Any]) -> dict[str, t.Any]:
    """A container in Docker's list."""
    return {
        "Id": identity,
        "Names": [f"/{container['name']}"],
        "State": "running" if container["pid"] else "exited",
        "Labels": container["labels"],
        "Created": 1,
        "HostConfig": {"NetworkMode": container.get("mode", "")},
    }


def inspected(identity: str, container: dict[str, t.Any]) -> dict[str, t.Any]:
    """A container in detail, as Docker describes it."""
    return {
        "Id": identity,
        "Name": f"/{container['name']}",
        "Config": {"Labels": container["labels"]},
        "HostConfig": {"NetworkMode": container.get("mode", "")},
        "State": {
            "Pid": container["pid"],
            "Running": bool(container["pid"]),
            "StartedAt": container.get("started", _started_at(container["pid"])),
        },
        "NetworkSettings": {
            "SandboxKey": container.get("pin", ""),
            "Ports": container.get("ports", {}),
            "Networks": container.get("networks", {}),
        },
        "ResolvConfPath": container.get("resolv_conf", ""),
    }


class Daemon:
    """Docker's API over real processes, for behavior that a real daemon cannot be made to have.

    It may hang (`hangs`), or respond with nonsense (`garbage`). It reports that a container started when
    its process did, unless `started` of the container is another time: no cgroup here is named after one.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.containers: dict[str, dict[str, t.Any]] = {}
        self.networks: list[dict[str, t.Any]] = []
        self.garbage: bytes | None = None
        self.hangs = threading.Event()
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(path)
        self._socket.listen()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def add(self, name: str, pid: int, identity: str, **labels: str) -> str:
        """Add a running container whose first process is `pid`."""
        self.containers[identity] = {"name": name, "pid": pid, "labels": labels}
        return identity

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()

    def _serve(self) -> None:
        for connection in accepted(self._socket):
            with connection, connection.makefile("rb") as requests, contextlib.suppress(OSError):
                for line in requests:
                    if line.startswith(b"GET "):
                        if self.hangs.is_set():
                            requests.read()
                            break
                        connection.sendall(self._answer(line.split()[1].decode()))

    def _answer(self, target: str) -> bytes:
        if self.garbage is not None:
            return self.garbage
        if target.startswith("/containers/json"):
            # A copy, as tests add containers meanwhile.
            body: t.Any = [listed(*item) for item in list(self.containers.items())]
        elif target == "/networks":
            body = self.networks
        else:
            identity = target.split("/")[2]
            container = self.containers.get(identity)
            if container is None:
                return b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n{}"
            body = inspected(identity, container)
        text = json.dumps(body).encode()
        return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(text), text)


class Engine(Daemon):
    """Docker's API with its stream of events."""

    def __init__(self, path: str) -> None:
        self.requests: list[str] = []
        self._streams: list[socket.socket] = []
        self._connections: list[socket.socket] = []
        super().__init__(path)

    def report_event(self, action: str, identity: str) -> None:
        line = b'{"Type":"container","Action":"%s","Actor":{"ID":"%s"}}\n' % (
            action.encode(),
            identity.encode(),
        )
        for stream in self._streams:
            stream.sendall(b"%x\r\n%s\r\n" % (len(line), line))

    def hang_up(self) -> None:
        """Close all connections, as a daemon that stops does."""
        while self._streams:
            self._streams.pop().close()
        while self._connections:
            with contextlib.suppress(OSError):
                self._connections.pop().shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self.hang_up()
        super().close()

    def _serve(self) -> None:
        with contextlib.ExitStack() as ends:
            for connection in accepted(self._socket):
                self._connections.append(connection)
                thread = threading.Thread(target=self._talk, args=(connection,))
                thread.start()
                ends.callback(thread.join)

    def _talk(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as requests, contextlib.suppress(OSError):
            for line in requests:
                if line.startswith(b"GET /events"):
                    connection.sendall(_STREAM)
                    self._streams.append(connection.dup())
                    return
                if line.startswith(b"GET "):
                    target = line.split()[1].decode()
                    self.requests.append(target)
                    connection.sendall(self._answer(target))
