# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An Ansible module in one file that only makes the requests and system calls without which there is no result.

It checks nothing, records nothing, covers Docker alone, and does not parse what the kernel returns about a
namespace. Then it returns a result that was recorded before. So no module with that result can be faster.
"""

from __future__ import annotations

import ctypes
import json
import os
import socket
import struct
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


def bind(pids: t.Sequence[int], directory: str) -> None:
    """Mount the namespace of each process on a new file."""
    for pid in pids:
        target = f"{directory}/{pid}"
        os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_RDONLY, 0))
        source = f"/proc/{pid}/ns/net"
        _libc.mount(source.encode(), target.encode(), None, ctypes.c_ulong(_MS_BIND), None)


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
                with open(f"{process}/mountinfo", "rb") as table:
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
    """Receive the interfaces, addresses and routes of the namespace of each process."""
    buffer = bytearray(1 << 15)
    for pid in pids:
        namespace = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY)
        _libc.setns(namespace, _CLONE_NEWNET)
        os.close(namespace)
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as rtnl:
            for kind, body in _DUMPS:
                rtnl.send(_HEADER.pack(_HEADER.size + len(body), kind, _DUMP, 1, 0) + body)
                while True:
                    size = rtnl.recv_into(buffer)
                    if _has_end(buffer, size):
                        break


def _has_end(buffer: bytearray, size: int) -> bool:
    offset = 0
    while offset < size:
        length, kind = _HEADER.unpack_from(buffer, offset)[:2]
        if kind <= _NLMSG_DONE:
            return True
        offset += (length + 3) & ~3
    return False


def facts(label: str) -> None:
    """Read what facts are made of: another process reads the namespaces while this one scans the others."""
    pids = [each["State"]["Pid"] for each in containers(label)]
    child = os.fork()
    if not child:
        dump(pids)
        os._exit(0)
    scan()
    os.waitpid(child, 0)


def nothing_to_do(label: str) -> None:
    """See that the containers are the same, and that what is linked are their namespaces."""
    containers(label, limit=0)
    with open("/proc/self/mountinfo", "rb") as table:
        table.read()


def main() -> None:
    texts = {name: {"type": "str"} for name in ("work", "label", "directory", "result")}
    module = AnsibleModule({**texts, "limit": {"type": "int"}})
    label, limit = module.params["label"], module.params["limit"]
    if module.params["work"] == "link":
        pids = [each["State"]["Pid"] for each in containers(label, limit)]
        bind(pids, module.params["directory"])
    elif module.params["work"] == "nothing":
        nothing_to_do(label)
    else:
        facts(label)
    with open(module.params["result"], encoding="utf-8") as recorded:
        module.exit_json(**json.load(recorded))


if __name__ == "__main__":
    main()
