# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""OCI bundles as runtimes keep them: config.json, and a file with the first process's PID.

The layout of config.json is that of the OCI runtime specification, 1.0 and later. What it says is
compared with the kernel: the process has to be the container's, and has to be in the namespace that
the bundle names. Files are read only if they are regular ones, and not beyond a size.

Where the bundles are is told by the daemons that run, by their options and settings.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import time
import typing as t

from .. import model, untrusted
from ..kernel import nsfs, procfs

_CONFIG = "config.json"
_MAX_CONFIG = 1 << 22
_MAX_PID = 64
_PID_MAX = 1 << 22
_MAX_SETTINGS = 1 << 20
_MAX_READS = 4
_RETRY_DELAY = 0.02
_Value = t.TypeVar("_Value")


class Bundle(t.NamedTuple):
    """What a bundle tells.

    `network` is None where it asks for no network namespace and so runs in the host's, "" where it
    asks for a new one, else the path of the one to join. `pid` is 0 where there is none yet.
    """

    annotations: dict[str, str]
    network: str | None
    cgroup: str
    resolv_conf: str | None
    written: float
    pid: int

    @property
    def pin(self) -> str | None:
        """The pin to join; paths below /proc are another container's process, and no pin."""
        path = self.network
        return path if path and path.startswith("/") and not path.startswith("/proc/") else None


class Clock:
    """The time that a reading may take."""

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self._deadline = time.monotonic() + timeout

    def check(self, path: str) -> None:
        """Raise EngineError when it is over."""
        if time.monotonic() > self._deadline:
            raise model.EngineError(f"{path} could not be read in full in {self._timeout:g} s")


def explain(path: str, error: OSError) -> model.EngineError:
    """What an error in reading a path means to the user."""
    if error.errno in (errno.EACCES, errno.EPERM):
        return model.EngineError(f"no permission to read {path} (`become: true`)")
    return model.EngineError(f"{path}: {error.strerror or error}")


def may_be_there(path: str) -> bool:
    """Whether something is at a path, or only reading it can tell."""
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True


@contextlib.contextmanager
def folder(name: str, path: str, dir_fd: int | None = None) -> t.Iterator[int | None]:
    """A folder, open; None where there is none, or something that is no folder.

    `path` names it in errors. A symbolic link is not followed below `dir_fd`.
    """
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
    try:
        fd = os.open(name, flags | (os.O_NOFOLLOW if dir_fd is not None else 0), dir_fd=dir_fd)
    except (FileNotFoundError, NotADirectoryError):
        yield None
        return
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise explain(path, error) from None
        yield None
        return
    try:
        yield fd
    finally:
        os.close(fd)


def names(fd: int | None, path: str) -> list[str]:
    """What is in an open folder, sorted; nothing where there is none."""
    try:
        return sorted(os.listdir(fd)) if fd is not None else []
    except OSError as error:
        raise explain(path, error) from None


def read_file(fd: int, name: str, path: str, max_bytes: int) -> tuple[bytes, float] | None:
    """The content and age of a file in an open folder; None where it is not there (any more)."""
    try:
        data, status = untrusted.read_file(name, max_bytes, fd)
    except FileNotFoundError:
        return None
    except untrusted.UnusableFileError as error:
        raise model.EngineError(f"{path}/{name} {error}") from None
    except OSError as error:
        raise explain(f"{path}/{name}", error) from None
    return data, status.st_mtime


def parse_json(text: str | bytes, path: str) -> t.Any:
    """Decode JSON. Raises EngineError that names where it stands."""
    try:
        return untrusted.parse_json(text)
    except ValueError:
        raise model.EngineError(f"{path} is no JSON: {text[:60]!r}") from None


def read_pid(fd: int, name: str, path: str) -> int:
    """The PID in a file of a bundle; 0 where there is none yet."""
    text = b""
    for _attempt in range(_MAX_READS):
        found = read_file(fd, name, path, _MAX_PID)
        if found is None:
            return 0
        text = found[0].strip()
        if text.isdigit() and 0 < int(text) <= _PID_MAX:
            return int(text)
        # Just being written?
        time.sleep(_RETRY_DELAY)
    raise model.EngineError(f"{path}/{name} holds no PID: {text!r}")


def read(fd: int, path: str, pid_file: str) -> Bundle | None:
    """The bundle in an open folder; None where it is not complete yet, or not there any more."""
    for attempt in range(_MAX_READS):
        found = read_file(fd, _CONFIG, path, _MAX_CONFIG)
        if found is None:
            return None
        try:
            data, written = found
            config = parse_json(data, f"{path}/{_CONFIG}")
            break
        except model.EngineError:
            # Runtimes write it in place: it may be half written.
            if attempt + 1 == _MAX_READS:
                raise
            time.sleep(_RETRY_DELAY)
    try:
        return _bundle(config, written, read_pid(fd, pid_file, path))
    except _WrongTypeError as error:
        raise model.EngineError(f"{path}/{_CONFIG}: {error}") from None


class _WrongTypeError(Exception):
    pass


def _typed(value: t.Any, kind: type[_Value], what: str) -> _Value:
    """A value that may be null or not there, `kind()` then."""
    if value is None:
        return kind()
    if not isinstance(value, kind):
        raise _WrongTypeError(f"a {type(value).__name__} where {what} is a {kind.__name__}")
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            raise _WrongTypeError(f"{what} is no text: {value[:60]!a}") from None
    return value


def strings(value: t.Any, what: str) -> dict[str, str]:
    """A dict of strings. Raises EngineError where it is something else."""
    try:
        return _strings(value, what)
    except _WrongTypeError as error:
        raise model.EngineError(str(error)) from None


def _strings(value: t.Any, what: str) -> dict[str, str]:
    return {
        _typed(name, str, what): _typed(inner, str, f"{name[:80]!a} in {what}")
        for name, inner in _typed(value, dict, what).items()
    }


def _bundle(config: t.Any, written: float, pid: int) -> Bundle:
    config = _typed(config, dict, "all of it")
    linux = _typed(config.get("linux"), dict, "linux")
    network = None
    for item in _typed(linux.get("namespaces"), list, "linux.namespaces"):
        namespace = _typed(item, dict, "a namespace")
        if namespace.get("type") == "network":
            network = _typed(namespace.get("path"), str, "a namespace's path")
    resolv_conf = None
    for item in _typed(config.get("mounts"), list, "mounts"):
        mount = _typed(item, dict, "a mount")
        if mount.get("destination") == "/etc/resolv.conf":
            resolv_conf = _typed(mount.get("source"), str, "a mount's source")
    return Bundle(
        annotations=_strings(config.get("annotations"), "annotations"),
        network=network,
        cgroup=_typed(linux.get("cgroupsPath"), str, "linux.cgroupsPath"),
        resolv_conf=resolv_conf if resolv_conf and _is_path(resolv_conf) else None,
        written=written,
        pid=pid,
    )


def _is_path(text: str) -> bool:
    return text.startswith("/") and "\0" not in text


def is_running(bundle: Bundle, identity: str) -> bool:
    """Whether the bundle's PID is a process of this container."""
    try:
        with procfs.opened(bundle.pid) as process:
            return _is_of(process, bundle, identity)
    except model.GoneError:
        return False
    except OSError as error:
        raise explain(f"/proc/{bundle.pid}", error) from None


def netns_of(bundle: Bundle, identity: str) -> model.NetnsId:
    """The namespace of the container, if bundle and kernel agree about it.

    Raises GoneError where it has no process, ContradictionError where that is not where the bundle
    says.
    """
    if not bundle.pid:
        raise model.GoneError("no process of it is known")
    try:
        with procfs.opened(bundle.pid) as process:
            if not _is_of(process, bundle, identity):
                raise model.GoneError("another has its PID")
            seen = procfs.netns(process)
    except model.GoneError as error:
        raise model.GoneError(f"its process is gone: {error}") from None
    except OSError as error:
        raise explain(f"/proc/{bundle.pid}/ns/net", error) from None
    try:
        agreed = bundle.pin is None or pinned(bundle.pin) == seen
    except model.GoneError as error:
        raise model.ContradictionError(str(error)) from None
    if not agreed:
        raise model.ContradictionError(
            f"its first process is in the network namespace {seen.inode}, and not in {bundle.pin}"
        )
    return seen


def pinned(path: str) -> model.NetnsId:
    """What is pinned at a path. Raises GoneError where that is no namespace."""
    try:
        status = os.stat(path)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        raise model.GoneError(f"its pin {path!r} is gone") from None
    except OSError as error:
        raise explain(path, error) from None
    if status.st_dev != nsfs.device():
        raise model.GoneError(f"its pin {path!r} is {nsfs.describe(status)}, and no namespace")
    return nsfs.of(status)


def _is_of(process: int, bundle: Bundle, identity: str) -> bool:
    if not bundle.cgroup.startswith("/"):
        # "SLICE:PREFIX:ID", which systemd makes PREFIX-ID.scope of, or nothing.
        return procfs.in_cgroup_of(process, identity)
    # It may be followed by a folder that the container made, and stand below one that the machine
    # itself is in where that is a container.
    wanted = bundle.cgroup.rstrip("/") + "/"
    return len(wanted) > 1 and any(
        wanted in line.split(":", 2)[-1] + "/"
        for line in procfs.lines(procfs.read_text(process, "cgroup"))
    )


def daemons(
    prefix: str, may_be: t.Callable[[int, str], bool] = lambda _pid, _command: True
) -> t.Iterator[tuple[int, str]]:
    """The processes of root, open, whose command begins so, with the command.

    Only root's, as anybody's process can be called so, and only those to whom paths mean the same as
    to us, as a whole node can be in a container. `may_be` says by PID and command whether to look
    closer, which costs much more.
    """
    root = os.stat("/")
    for pid in sorted(procfs.pids()):
        # Most processes are others: to open their folders too would double the time.
        command = _command(pid)
        if not command.startswith(prefix) or not may_be(pid, command):
            continue
        try:
            process = procfs.open_process(pid)
        except (OSError, model.GoneError):
            continue
        try:
            command = procfs.command(process)
            if command.startswith(prefix) and procfs.user(process) == 0 and _sees(process, root):
                yield process, command
        except (OSError, model.GoneError):  # it ended, or is not ours to look at
            continue
        finally:
            os.close(process)


def _command(pid: int) -> str:
    try:
        fd = os.open(f"/proc/{pid}/comm", os.O_RDONLY | os.O_CLOEXEC)
        try:
            return os.fsdecode(os.read(fd, _MAX_PID)).rstrip("\n")
        finally:
            os.close(fd)
    except OSError:
        return ""


def _sees(process: int, root: os.stat_result) -> bool:
    try:
        return os.path.samestat(os.stat("root", dir_fd=process), root)
    except PermissionError:  # others' processes, not for an ordinary user
        return True


def option(process: int, *options: str) -> str:
    """The value of an option that a daemon was started with, "" where it was not."""
    try:
        arguments = procfs.read_text(process, "cmdline").split("\0")
    except (OSError, model.GoneError):
        return ""
    for argument, following in zip(arguments, [*arguments[1:], ""]):
        name, equals, value = argument.partition("=")
        if name.startswith("-") and name.lstrip("-") in options:
            return value if equals else following
    return ""


def setting(path: str, key: str, table: str) -> str:
    """A string in a table ("": above all tables) of a TOML file, "" where there is none."""
    line = re.compile(rf"""\s*{re.escape(key)}\s*=\s*(?:"([^"]*)"|'([^']*)')""")
    current = ""
    for text in settings(path).split("\n"):
        if text.lstrip().startswith("["):
            current = text.split("#")[0].strip(" \t[]")
        match = line.match(text) if current == table else None
        if match:
            return match.group(1) or match.group(2) or ""
    return ""


def settings(path: str) -> str:
    """The text of a file of settings, "" where there is none, or nothing that can be one."""
    try:
        data, _status = untrusted.read_file(path, _MAX_SETTINGS, follow=True)
    except (untrusted.UnusableFileError, OSError, ValueError):
        return ""
    return data.decode("utf-8", "replace")
