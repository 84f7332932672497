# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""LXC, known by the process that monitors each container: containers that root's tools started.

The monitor is the lxc-start that stays (or lxc-autostart, lxc-copy), with the title "[lxc monitor]
LXCPATH NAME" (do_lxcapi_start in src/lxc/lxccontainer.c), or in the foreground, as lxc@.service and
lxc-execute have it, with the arguments that it was started with. The container's first process is
its child. LXC writes neither to a file, and its cgroups can be called anything.

Containers in the lxcpath of the host go by their name, which is all the id that LXC has; others by
their path, LXCPATH/NAME. All of them have the host's lxcpath as `source`, so that one in another
lxcpath is known to be gone when it is. Nothing is pinned.
"""

from __future__ import annotations

import contextlib
import os
import re
import typing as t

from .. import model
from ..kernel import procfs
from . import oci

NAME = "lxc"
_SETTINGS = "/etc/lxc/lxc.conf"
_SETTING = re.compile(r"\s*lxc\.lxcpath\s*=\s*(/.*?)\s*")
_LXCPATH = "/var/lib/lxc"
_TOOLS = "lxc-"
# All tools can be one file, "lxc".
_TOOLS_FILES = "lxc"
_TITLE = "[lxc monitor] "
_FOREGROUND_TOOL = "lxc-execute"
# The options without a value, and the long names of those of which the value matters.
_SWITCHES = {"--foreground": "F", "--daemon": "d", "--close-all-fds": "C", "--quiet": "q"}
_OPTIONS = {"--name": "n", "--lxcpath": "P"}
_GONE = (model.GoneError, FileNotFoundError, ProcessLookupError)
_MAX_STAT = 1 << 12


def sources(environment: t.Mapping[str, str]) -> list[str]:
    """The lxcpath of the host, where it is there."""
    path = os.path.realpath(_configured())
    return [path] if os.path.isdir(path) else []


def _configured() -> str:
    for line in oci.settings(_SETTINGS).split("\n"):
        match = _SETTING.fullmatch(line)
        if match:
            return match.group(1)
    return _LXCPATH


def read(source: str, timeout: float, wanted: t.Callable[[model.Container], bool]) -> model.Reading:
    """All containers that have a monitor, and those in the host's lxcpath that have none."""
    try:
        containers = tuple(_containers(source, oci.Clock(timeout), wanted))
    except model.EngineError as error:
        return model.Reading(NAME, source, error=str(error))
    return model.Reading(NAME, source, containers=containers)


def still_runs(container: model.Container, timeout: float) -> bool:
    """Look again whether the process is still the first one of this container."""
    try:
        with procfs.opened(container.pid) as process, procfs.opened(
            procfs.parent(process)
        ) as monitor:
            claim = _claim(monitor, container.source)
            return (
                claim is not None
                and claim.id(container.source) == container.id
                and _is_init(process, monitor)
            )
    except _GONE:
        return False
    except OSError as error:
        raise oci.explain(f"/proc/{container.pid}", error) from None


class _Claim(t.NamedTuple):
    """Which container a process monitors."""

    lxcpath: str
    name: str

    def id(self, source: str) -> str:
        """What the container goes by on a host with this lxcpath."""
        return self.name if self.lxcpath == source else f"{self.lxcpath}/{self.name}"


class _Init(t.NamedTuple):
    pid: int
    started: float


def _containers(
    source: str, clock: oci.Clock, wanted: t.Callable[[model.Container], bool]
) -> t.Iterator[model.Container]:
    known = set()
    for claim, init in _monitored(source, clock):
        identity = claim.id(source)
        # While it is started again the last monitor may still be there.
        if identity in known:
            continue
        known.add(identity)
        container = model.Container(
            engine=NAME,
            source=source,
            id=identity,
            name=claim.name,
            running=init is not None,
            status="running" if init else "starting or stopping",
            created=init.started if init else 0.0,
        )
        if init and wanted(container):
            container = container._replace(pid=init.pid)
        yield container
    for name in _folders(source, clock):
        if name not in known:
            yield model.Container(NAME, source, name, name, running=False, status="stopped")


def _folders(lxcpath: str, clock: oci.Clock) -> list[str]:
    found = []
    try:
        for name in sorted(os.listdir(lxcpath)):
            clock.check(lxcpath)
            if _is_text(name) and os.path.isfile(f"{lxcpath}/{name}/config"):
                found.append(name)
    except OSError:  # only root may see what does not run, and nothing depends on it
        pass
    return found


def _is_text(name: str) -> bool:
    try:
        return bool(name.encode()) and name.isprintable()
    except UnicodeEncodeError:
        return False


def _monitored(source: str, clock: oci.Clock) -> list[tuple[_Claim, _Init | None]]:
    """The containers that are monitored, each with its first process, those with one first."""
    candidates: list[int] = []
    children: dict[int, list[int]] = {}
    try:
        for pid in procfs.pids():
            clock.check(model.PROCESSES)
            text = _text(pid)
            if text:
                children.setdefault(int(procfs.stat_fields(text)[1]), []).append(pid)
                if text.partition("(")[2].startswith(_TOOLS):
                    candidates.append(pid)
    except OSError as error:
        raise oci.explain(model.PROCESSES, error) from None
    found: list[tuple[_Claim, _Init | None]] = []
    for pid in candidates:
        clock.check(model.PROCESSES)
        try:
            with procfs.opened(pid) as monitor:
                claim = _claim(monitor, source)
                if claim is not None:
                    found.append((claim, _init(monitor, sorted(children.get(pid, ())))))
        except _GONE:
            continue
        except OSError as error:
            raise oci.explain(f"/proc/{pid}", error) from None
    return sorted(found, key=lambda one: (one[1] is None, one[0]))


def _text(pid: int) -> str:
    """The stat of a process, "" where it has ended: the one file that is read of every process."""
    try:
        fd = os.open(f"/proc/{pid}/stat", os.O_RDONLY | os.O_CLOEXEC)
        try:
            return os.fsdecode(os.read(fd, _MAX_STAT))
        finally:
            os.close(fd)
    # Others' processes may be hidden from an ordinary user.
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return ""


def _claim(process: int, source: str) -> _Claim | None:
    """What a process is the monitor of; None where it is none, or not one that root started here."""
    tool = procfs.command(process)
    if not tool.startswith(_TOOLS) or not _is_roots(process):
        return None
    arguments = procfs.read_text(process, "cmdline").rstrip("\0").split("\0")
    if arguments[0].startswith(_TITLE):
        told = arguments[0][len(_TITLE) :]
        # Either may have a space in it; that of the host is known.
        lxcpath, _space, name = told.rpartition(" ")
        if told.startswith(f"{source} "):
            lxcpath, name = source, told[len(source) + 1 :]
    else:
        options = _options(arguments)
        # One that goes to the background only waits until another has become the monitor.
        if tool != _FOREGROUND_TOOL and "F" not in options:
            return None
        lxcpath, name = options.get("P", source), options.get("n", "")
    if not (_is_text(lxcpath) and _is_text(name)) or "/" in name:
        return None
    lxcpath = os.path.normpath(lxcpath)
    if os.path.isabs(lxcpath) and os.path.realpath(lxcpath) == source:
        lxcpath = source
    return _Claim(lxcpath, name)


def _is_roots(process: int) -> bool:
    """Whether it is a tool of LXC's that root runs, and sees the files that we see.

    A user can give any name, title and arguments to a program that is setuid root, and to any in a
    container: a whole node can be in one.
    """
    users = procfs.status_field(process, "Uid")
    if any(user != "0" for user in users):
        return False
    try:
        tool = os.path.basename(os.readlink("exe", dir_fd=process))
        root = os.stat("root", dir_fd=process)
    except PermissionError:  # others' processes, not for an ordinary user
        return True
    return tool.startswith(_TOOLS_FILES) and os.path.samestat(root, os.stat("/"))


def _options(arguments: t.Sequence[str]) -> dict[str, str]:
    """The options that a tool was started with, by letter; a name needs none, and is "n" as well."""
    found: dict[str, str] = {}
    rest = iter(arguments[1:])
    for argument in rest:
        if argument == "--":
            break
        if argument.startswith("--"):
            long, equals, value = argument.partition("=")
            if long in _SWITCHES:
                found.setdefault(_SWITCHES[long], "")
            else:
                found.setdefault(_OPTIONS.get(long, long), value if equals else next(rest, ""))
        elif argument.startswith("-"):
            letters = argument[1:]
            while letters[:1] and letters[0] in _SWITCHES.values():
                found.setdefault(letters[0], "")
                letters = letters[1:]
            if letters:
                found.setdefault(letters[0], letters[1:] or next(rest, ""))
        else:
            found.setdefault("n", argument)
    return found


def _init(monitor: int, children: t.Iterable[int]) -> _Init | None:
    for pid in children:
        with contextlib.suppress(*_GONE), procfs.opened(pid) as process:
            if _is_init(process, monitor):
                return _Init(pid, procfs.since_epoch(procfs.start_time(process)))
    return None


def _is_init(process: int, monitor: int) -> bool:
    """Whether a child of the monitor is the container; its hooks are children as well."""
    if len(procfs.status_field(process, "NSpid")) > len(procfs.status_field(monitor, "NSpid")):
        return True
    return procfs.read_text(process, "cgroup") != procfs.read_text(monitor, "cgroup")
