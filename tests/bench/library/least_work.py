# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An Ansible module that makes only the requests and system calls that a safe result needs.

It reads what shows that a process is a container's, and writes what later runs recognize links by. It covers Docker
alone, which it asks about one container at most of those that have a link. It compares nothing, and does not parse what
the kernel returns about a namespace. Then it returns a result that was recorded before. So no module with that result
can be faster.
"""

from __future__ import annotations

import atexit
import ctypes
import gc
import json
import os
import socket
import struct
import sys
import typing as t

from ansible.module_utils.basic import AnsibleModule

Json = t.Dict[str, t.Any]

_AT_A_TIME = 64
_MS_BIND = 0x1000
_CLONE_NEWNET = 0x40000000
_HEADER = struct.Struct("=IHHII")
_DUMP = 0x301
_NLMSG_DONE = 3
# RTM_GETLINK with its header and IFLA_EXT_MASK (RTEXT_FILTER_SKIP_STATS), RTM_GETADDR, RTM_GETROUTE of the main table.
_DUMPS = (
    (18, bytes(16) + struct.pack("=HHI", 8, 29, 1 << 3)),
    (22, bytes(8)),
    (26, bytes(4) + b"\xfe" + bytes(7)),
)
# The sockets of TCP, and those of UDP over IPv4 and IPv6 (sock_diag(7)), in all states.
_TCP, _UDP = struct.Struct("=BBBB48xII"), struct.Struct("=BBBBI48x")
_SOCKETS = (
    (18, _TCP.pack(socket.AF_INET, 0, 0, 0, 0xFFF, 0)),
    (20, _UDP.pack(socket.AF_INET, socket.IPPROTO_UDP, 0, 0, 0xFFF)),
    (20, _UDP.pack(socket.AF_INET6, socket.IPPROTO_UDP, 0, 0, 0xFFF)),
)
_NETLINK_SOCK_DIAG = 4
# What shows a process, its owner and its resolver settings.
_FILES = ("comm", "cgroup", "status", "root/etc/resolv.conf")
_libc = ctypes.CDLL(None, use_errno=True)


def containers(label: str, limit: int | None = None) -> list[Json]:
    """The details of Docker's containers that have a label, at most of `limit` of them."""
    key, _equals, value = label.partition("=")
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect("/var/run/docker.sock")
        with connection.makefile("rb", 1 << 16) as stream:
            connection.sendall(_request("/containers/json?all=1"))
            listed: list[Json] = json.loads(_body(stream))
            found = [each for each in listed if each["Labels"].get(key) == value][:limit]
            inspected: list[Json] = []
            for start in range(0, len(found), _AT_A_TIME):
                batch = found[start : start + _AT_A_TIME]
                requests = (_request(f"/containers/{each['Id']}/json") for each in batch)
                connection.sendall(b"".join(requests))
                inspected += (json.loads(_body(stream)) for _each in batch)
            return inspected


def _request(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()


def _body(stream: t.IO[bytes]) -> bytes:
    length = None
    for line in iter(stream.readline, b"\r\n"):
        name, _colon, value = line.lower().partition(b":")
        if name == b"content-length":
            length = int(value)
    if length is not None:
        return stream.read(length)
    chunks = []
    while not chunks or chunks[-1]:
        chunks.append(stream.read(int(stream.readline(), 16)))
        stream.readline()
    return b"".join(chunks)


def check(pid: int) -> None:
    """Read what identifies a process: start time, cgroup and namespace."""
    process = os.open(f"/proc/{pid}", os.O_RDONLY | os.O_DIRECTORY)
    for name in ("stat", "cgroup"):
        file = os.open(name, os.O_RDONLY, dir_fd=process)
        os.read(file, 1 << 12)
        os.close(file)
    os.stat("ns/net", dir_fd=process)
    os.close(process)


def check_again(pid: int) -> None:
    """Read what identifies a process that was recognized before: the inode number of its pidfd, and its namespace."""
    process = os.pidfd_open(pid)
    os.fstat(process)
    os.close(process)
    os.stat(f"/proc/{pid}/ns/net")


def bind(pids: t.Sequence[int], directory: str) -> None:
    """Mount the namespace of each process on a new file, which is recorded before and after."""
    record = os.open(f"{directory}.record", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    lines = "".join(json.dumps([directory, pid]) + "\n" for pid in pids).encode()
    os.write(record, lines)
    for pid in pids:
        check(pid)
        target = f"{directory}/{pid}"
        os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_RDONLY, 0))
        source = f"/proc/{pid}/ns/net"
        _libc.mount(source.encode(), target.encode(), None, ctypes.c_ulong(_MS_BIND), None)
    os.write(record, lines)
    os.close(record)


def scan() -> None:
    """Read which namespaces all processes, threads and descriptors refer to, and all mount tables."""
    tables = set()
    for name in filter(str.isdecimal, os.listdir("/proc")):
        process = f"/proc/{name}"
        try:
            os.readlink(f"{process}/ns/net")
            mount_namespace = os.readlink(f"{process}/ns/mnt")
            if os.stat(f"{process}/task").st_nlink > 3:
                _read_links(f"{process}/task", "/ns/net")
            _read_links(f"{process}/fd", "")
            if mount_namespace not in tables:
                tables.add(mount_namespace)
                with open(f"{process}/mountstats", "rb", buffering=0) as table:
                    table.read()
        except OSError:  # the process ended
            continue


def _read_links(directory: str, suffix: str) -> None:
    fd = os.open(directory, os.O_RDONLY)
    try:
        for name in os.listdir(fd):
            os.readlink(name + suffix, dir_fd=fd)
    finally:
        os.close(fd)


def dump(pids: t.Sequence[int]) -> None:
    """Receive the interfaces, addresses, routes and sockets of the namespace of each process."""
    buffer = bytearray(1 << 15)
    for pid in pids:
        namespace = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY)
        _libc.setns(namespace, _CLONE_NEWNET)
        os.close(namespace)
        has_tcp, has_udp = _in_use()
        sockets = [*(_SOCKETS[:1] if has_tcp else ()), *(_SOCKETS[1:] if has_udp else ())]
        dumps_by_protocol = [(socket.NETLINK_ROUTE, _DUMPS)]
        if sockets:
            dumps_by_protocol.append((_NETLINK_SOCK_DIAG, tuple(sockets)))
        for protocol, dumps in dumps_by_protocol:
            with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, protocol) as netlink:
                for kind, body in dumps:
                    header = _HEADER.pack(_HEADER.size + len(body), kind, _DUMP, 1, 0)
                    netlink.send(header + body)
                    while not _has_end(buffer, netlink.recv_into(buffer)):
                        pass


def _in_use() -> tuple[bool, bool]:
    """Whether there are sockets of TCP, and of UDP."""
    counters = b""
    for name in ("sockstat", "sockstat6"):
        with open(f"/proc/self/net/{name}", "rb", buffering=0) as stream:
            counters += stream.read()
    no_tcp = b"TCP6: inuse 0\n" in counters and b"TCP: inuse 0 orphan 0 tw 0 " in counters
    no_udp = b"UDP6: inuse 0\n" in counters and b"UDP: inuse 0 " in counters
    return not no_tcp, not no_udp


def _has_end(buffer: bytearray, size: int) -> bool:
    offset = 0
    while offset < size:
        length, kind = _HEADER.unpack_from(buffer, offset)[:2]
        if kind <= _NLMSG_DONE:
            return True
        offset += (length + 3) & ~3
    return False


def read_files(pids: t.Sequence[int]) -> None:
    """Read the files about each process."""
    for pid in pids:
        for name in _FILES:
            with open(f"/proc/{pid}/{name}", "rb", buffering=0) as stream:
                stream.read()


def facts(label: str) -> None:
    """Read what facts are made of: a child scans while this process asks Docker, another one reads the namespaces."""
    children = [_in_child(scan)]
    containers(label, limit=1)
    pids = linked_pids()
    for pid in pids:
        check_again(pid)
    children.append(_in_child(dump, pids))
    read_files(pids)
    for child in children:
        os.waitpid(child, 0)


def _in_child(work: t.Callable[..., None], *arguments: t.Any) -> int:
    child = os.fork()
    if not child:
        work(*arguments)
        os._exit(0)
    return child


def linked_pids() -> list[int]:
    """The first processes of the containers that are linked."""
    with open("/run/linuxnet-netns/ledger", "rb") as ledger:
        _header, *lines = ledger.read().splitlines()
    entries: list[t.Any] = json.loads(b"[" + b",".join(lines) + b"]")
    pids = {fields.get("pid") for path, fields in entries if fields and os.path.exists(path)}
    return sorted(filter(None, pids))


def nothing_to_do(label: str, directory: str) -> None:
    """See that the containers are the same, and that what is linked are their namespaces."""
    pids = linked_pids()
    containers(label, limit=0)
    for pid in pids:
        check_again(pid)
    for name in os.listdir(directory):
        os.stat(f"{directory}/{name}")
    with open("/proc/self/mountinfo", "rb") as table:
        table.read()


def main() -> None:
    gc.disable()
    atexit.register(gc.freeze)
    texts = {name: {"type": "str"} for name in ("work", "label", "directory", "result")}
    module = AnsibleModule({**texts, "limit": {"type": "int"}})
    label, limit, work = (module.params[name] for name in ("label", "limit", "work"))
    if work == "link":
        pids = [each["State"]["Pid"] for each in containers(label, limit)]
        bind(pids, module.params["directory"])
    elif work == "nothing":
        nothing_to_do(label, module.params["directory"])
    elif work == "facts":
        facts(label)
    with open(module.params["result"], encoding="utf-8") as recorded:
        print(recorded.read())
    sys.exit(0)


if __name__ == "__main__":
    main()
