# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""OCI bundles as runtimes write them: config.json, and a file with the container's PID.

The fields of config.json are those of the OCI runtime specification, 1.0 and later. They are compared
with the kernel: the process has to be in the container's cgroup, and in the namespace that the bundle
names.
"""

from __future__ import annotations

import os
import re
import stat
import time
import typing as t

from .. import model
from ..kernel import mounts, nsfs, procfs
from ..named_tuple import NamedTuple
from . import state_files, values

_CONFIG = "config.json"
_MAX_CONFIG = 1 << 22
_MAX_PID_FILE = 64
_MAX_PID = 1 << 22
_MAX_READS = 4
_RETRY_DELAY = 0.02
# A file that was written longer ago is not half written, but cut.
_MAX_WRITE_TIME = 2.0
_NETNS_ROOT = re.compile(r"net:\[([0-9]{1,20})\]")


class HiddenPinError(model.GoneError):
    """The file of a pin is empty: what is mounted on it is in another mount namespace, or covered."""


class Bundle(NamedTuple):
    """What is read from one bundle.

    `netns_path` is None for a container in the host's network namespace, "" for one that gets a new
    namespace, else the path of the namespace to join. `mtime` is config.json's. `pid` is 0 before the
    runtime has written it. `unread` is why the bundle could not be read, or not in full.
    """

    annotations: dict[str, str]
    netns_path: str | None
    cgroups_path: str
    resolv_conf: str | None
    mtime: float
    pid: int
    unread: str | None = None

    @property
    def pin(self) -> str | None:
        """The pin to join. A path below /proc is that of another container's process, and not a pin."""
        path = self.netns_path
        return path if path and path.startswith("/") and not path.startswith("/proc/") else None

    @property
    def is_unknown(self) -> bool:
        """Whether nothing of config.json could be read."""
        return self.mtime == 0.0


_UNREAD = Bundle({}, "", "", None, 0.0, 0)


def read_in(parent: int, name: str, path: str, pid_file: str) -> Bundle | None:
    """The bundle in a directory below an open one; None where it is not there (yet, or any more)."""
    try:
        with state_files.open_directory(name, path, parent) as fd:
            return None if fd is None else read(fd, path, pid_file)
    except model.EngineError as error:
        return _UNREAD._replace(unread=str(error))


def read(fd: int, path: str, pid_file: str) -> Bundle | None:
    """The bundle in an open directory; None where it has no config.json (yet, or any more).

    What could not be read is in `unread`, as one bundle must not hide the others.
    """
    bundle = _UNREAD
    try:
        config = _read_config(fd, path)
        if config is None:
            return None
        bundle = config
        return bundle._replace(pid=_read_pid(fd, pid_file, path))
    except model.EngineError as error:
        return bundle._replace(unread=str(error))


def _read_config(fd: int, path: str) -> Bundle | None:
    for attempt in range(_MAX_READS):
        content = state_files.read_file(fd, _CONFIG, path, _MAX_CONFIG)
        if content is None:
            return None
        data, mtime = content
        try:
            config = values.parse_json(data, f"{path}/{_CONFIG}")
            break
        except model.EngineError:
            # Runtimes write it in place: it may be half written.
            if attempt + 1 == _MAX_READS or not _is_recent(mtime):
                raise
            time.sleep(_RETRY_DELAY)
    try:
        return _bundle(config, mtime)
    except model.EngineError as error:
        raise model.EngineError(f"{path}/{_CONFIG}: {error}") from None


def _is_recent(mtime: float) -> bool:
    return time.time() - mtime < _MAX_WRITE_TIME


def _read_pid(fd: int, name: str, path: str) -> int:
    """The PID in a file of a bundle; 0 where the file does not exist yet."""
    text = b""
    for _attempt in range(_MAX_READS):
        content = state_files.read_file(fd, name, path, _MAX_PID_FILE)
        if content is None:
            return 0
        text = content[0].strip()
        if text.isdigit() and 0 < int(text) <= _MAX_PID:
            return int(text)
        if not _is_recent(content[1]):
            break
        # It may be half written.
        time.sleep(_RETRY_DELAY)
    raise model.EngineError(f"{path}/{name} does not contain a PID: {text!r}")


def _bundle(config: t.Any, mtime: float) -> Bundle:
    netns_path = None
    for item in values.field(config, "linux.namespaces", list):
        namespace = values.typed(item, dict, "a namespace")
        if namespace.get("type") == "network":
            netns_path = values.typed(namespace.get("path"), str, "a namespace's path")
    resolv_conf = None
    for item in values.field(config, "mounts", list):
        mount = values.typed(item, dict, "a mount")
        if mount.get("destination") == "/etc/resolv.conf":
            resolv_conf = values.typed(mount.get("source"), str, "a mount's source")
    return Bundle(
        annotations=values.string_dict(values.field(config, "annotations", dict), "annotations"),
        netns_path=netns_path,
        cgroups_path=values.field(config, "linux.cgroupsPath", str),
        resolv_conf=resolv_conf if resolv_conf and _is_path(resolv_conf) else None,
        mtime=mtime,
        pid=0,
    )


def _is_path(text: str) -> bool:
    return text.startswith("/") and "\0" not in text


def is_running(bundle: Bundle, identity: str) -> bool:
    """Whether the bundle's PID is a process of the container with this ID."""
    try:
        with procfs.opened(bundle.pid) as process:
            return _is_in_cgroup(process, bundle, identity)
    except model.GoneError:
        return False
    except OSError as error:
        raise state_files.read_error(f"/proc/{bundle.pid}", error) from None


def netns_of(bundle: Bundle, identity: str) -> model.NetnsId:
    """The container's network namespace, where bundle and kernel agree.

    Raises GoneError where the container has no process, ContradictionError where its process is in
    another namespace than the bundle's pin.
    """
    if not bundle.pid:
        raise model.GoneError("it has no known process")
    try:
        with procfs.opened(bundle.pid) as process:
            if not _is_in_cgroup(process, bundle, identity):
                raise model.GoneError("its PID belongs to another process")
            netns = procfs.netns(process)
    except model.GoneError as error:
        raise model.GoneError(f"its process is gone: {error}") from None
    except OSError as error:
        raise state_files.read_error(f"/proc/{bundle.pid}/ns/net", error) from None
    if bundle.pin:
        _check_pin(bundle.pin, bundle.pid, netns)
    return netns


def _check_pin(pin: str, pid: int, netns: model.NetnsId) -> None:
    """Raise ContradictionError where a process is not in the namespace that its engine has pinned."""
    try:
        pinned: model.NetnsId | None = pinned_netns(pin)
    except model.GoneError as error:
        pinned = netns_pinned_elsewhere(pin, pid)
        if pinned is None:
            # Only the process is left to go by; one that is on the host's network may have moved there.
            if not isinstance(error, HiddenPinError) or netns == nsfs.host_netns():
                raise model.ContradictionError(str(error)) from None
            pinned = netns
    if pinned != netns:
        raise model.ContradictionError(
            f"its first process is in the network namespace {netns.inode}, not in {pin}"
        )


def pinned_netns(path: str) -> model.NetnsId:
    """The namespace that is pinned at a path. Raises GoneError where none is."""
    try:
        status = os.stat(path)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        raise model.GoneError(f"its pin {path!r} is gone") from None
    except OSError as error:
        raise state_files.read_error(path, error) from None
    if status.st_dev != nsfs.device():
        is_empty = stat.S_ISREG(status.st_mode) and status.st_size == 0
        error_type = HiddenPinError if is_empty else model.GoneError
        raise error_type(f"its pin {path!r} is {nsfs.describe(status)}, not a namespace")
    return nsfs.netns_id(status)


def netns_pinned_elsewhere(path: str, pid: int) -> model.NetnsId | None:
    """The namespace that the engine of a container has pinned at a path; None where that is not known.

    `pid` is the container's process. Its parent, the shim or monitor, is in the mount namespace of the
    engine, which may be another than ours. The mount table also has pins that another mount covers.
    """
    try:
        with procfs.opened(pid) as process:
            table = mounts.read(f"/proc/{procfs.parent(process)}/mountinfo")
        directory, name = os.path.split(path)
        # "/var/run" is a symbolic link.
        points = (path, os.path.join(os.path.realpath(directory), name))
    # It ended, or may not be read, or the path is none.
    except (model.GoneError, OSError, ValueError):
        return None
    # The topmost is listed last.
    for mount in reversed(table):
        match = _NETNS_ROOT.fullmatch(mount.root)
        if match and mount.fstype == "nsfs" and mount.point in points:
            return model.NetnsId(nsfs.device(), int(match.group(1)))
    return None


def _is_in_cgroup(process: int, bundle: Bundle, identity: str) -> bool:
    if not bundle.cgroups_path.startswith("/"):
        # "SLICE:PREFIX:ID", from which systemd makes PREFIX-ID.scope, or empty.
        return procfs.in_cgroup_of(process, identity)
    # The container may have made directories below it, and where the machine is itself a container, it
    # is below the machine's own cgroup.
    cgroup = bundle.cgroups_path.rstrip("/") + "/"
    return len(cgroup) > 1 and any(
        cgroup in line.split(":", 2)[-1] + "/" for line in procfs.cgroup_lines(process)
    )
