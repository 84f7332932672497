# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""LXC, read from the monitor processes of the containers that root started.

A monitor (see lxc_monitors) is an lxc-start (or lxc-autostart, lxc-copy) that stays. In the foreground,
as lxc@.service and lxc-execute run it, it keeps the arguments that it was started with.

The ID of a container in the host's lxcpath is its name, as LXC has no other; that of any other
container is its path, LXCPATH/NAME. All have the host's lxcpath as `source`, so that a container in
another lxcpath is reported as gone when it is. LXC pins no namespaces.

When a container stops, LXC removes its veth interfaces and takes back its physical ones. Others go with
the namespace (lxc_delete_network in src/lxc/network.c): what the container cannot have twice at a time
keeps it from starting again as long as something keeps the old namespace.
"""

from __future__ import annotations

import glob
import os
import re
import typing as t

from .. import model, untrusted
from ..kernel import procfs
from ..named_tuple import NamedTuple
from . import lxc_monitors, state_files

NAME = "lxc"
_CONFIG = "/etc/lxc/lxc.conf"
_LXCPATH_LINE = re.compile(r"\s*lxc\.lxcpath\s*=\s*(/.*?)\s*")
_LXCPATH = "/var/lib/lxc"
_TOOL_PREFIX = "lxc-"
_TOOL = "lxc-start"
# All tools can be one executable, "lxc".
_EXECUTABLE_PREFIX = "lxc"
_FOREGROUND_TOOL = "lxc-execute"
_FLAGS = {"--foreground": "F", "--daemon": "d", "--close-all-fds": "C", "--quiet": "q"}
_OPTIONS = {"--name": "n", "--lxcpath": "P", "--rcfile": "f"}
_MAX_CONFIG = 1 << 20
_MAX_INCLUDES = 32
_CONFIG_LINE = re.compile(r"\s*(lxc\.[a-z0-9_.]+)\s*=\s*(.*?)\s*")
_INTERFACE_KEY = re.compile(r"lxc\.net\.([0-9]+)\.([a-z0-9_.]+)")


def sources(environment: t.Mapping[str, str]) -> list[str]:
    """The lxcpath of the host, where it exists."""
    path = os.path.realpath(_configured())
    return [path] if os.path.isdir(path) else []


def _configured() -> str:
    for line in state_files.config_text(_CONFIG).split("\n"):
        match = _LXCPATH_LINE.fullmatch(line)
        if match:
            return match.group(1)
    return _LXCPATH


def read(source: str, timeout: float, wanted: t.Callable[[model.Container], bool]) -> model.Reading:
    """All containers that have a monitor, and those in the host's lxcpath without one."""
    try:
        containers = tuple(_containers(source, state_files.Deadline(timeout), wanted))
    except model.EngineError as error:
        return model.Reading(NAME, source, error=str(error))
    # A removed package leaves its directories.
    return model.Reading(
        NAME,
        source,
        containers=containers,
        presence_uncertain=not containers and not _is_installed(),
    )


def _is_installed() -> bool:
    return any(os.access(f"{path}/{_TOOL}", os.X_OK) for path in os.get_exec_path())


def still_runs(container: model.Container, timeout: float) -> bool:
    """Whether the container's first process is still the one that was read before."""
    try:
        with procfs.opened(container.pid) as process, procfs.opened(
            procfs.parent(process)
        ) as monitor:
            monitored = _monitored_container(monitor, container.source)
            return (
                monitored is not None
                and monitored.id(container.source) == container.id
                and lxc_monitors.is_first_process(process, monitor)
            )
    except lxc_monitors.ENDED:
        return False
    except OSError as error:
        raise state_files.read_error(f"/proc/{container.pid}", error) from None


class _MonitoredContainer(NamedTuple):
    """A container as the arguments of its monitor name it; `config` is its configuration file."""

    lxcpath: str
    name: str
    config: str

    def id(self, source: str) -> str:
        """The container's ID on a host with this lxcpath."""
        return self.name if self.lxcpath == source else f"{self.lxcpath}/{self.name}"


def _containers(
    source: str,
    deadline: state_files.Deadline,
    wanted: t.Callable[[model.Container], bool],
) -> t.Iterator[model.Container]:
    ids = set()
    for monitored, process in lxc_monitors.find(
        _TOOL_PREFIX, lambda monitor: _monitored_container(monitor, source), deadline
    ):
        identity = monitored.id(source)
        # While a container restarts, its last monitor may still run.
        if identity in ids:
            continue
        ids.add(identity)
        container = model.Container(
            engine=NAME,
            source=source,
            id=identity,
            name=monitored.name,
            running=process is not None,
            status="running" if process else "starting or stopping",
            created=process.started if process else 0.0,
            unread=process.unread if process else None,
        )
        if process and not process.unread and wanted(container):
            container = container._replace(
                pid=process.pid, needs_device=_needed_device(monitored.config)
            )
        yield container
    for name in _configured_names(source, deadline):
        if name not in ids:
            yield model.Container(NAME, source, name, name, running=False, status="stopped")


def _configured_names(lxcpath: str, deadline: state_files.Deadline) -> list[str]:
    """The containers that have a configuration file in an lxcpath."""
    names = []
    try:
        for name in sorted(os.listdir(lxcpath)):
            deadline.check(lxcpath)
            if _is_printable(name) and os.path.isfile(f"{lxcpath}/{name}/config"):
                names.append(name)
    except OSError:  # only root may list stopped containers, and nothing depends on them
        pass
    return names


def _is_printable(name: str) -> bool:
    try:
        return bool(name.encode()) and name.isprintable()
    except UnicodeEncodeError:
        return False


def _monitored_container(process: int, source: str) -> _MonitoredContainer | None:
    """The container that a process is the monitor of; None where root did not start it as one here."""
    tool = procfs.command(process)
    if not tool.startswith(_TOOL_PREFIX) or not lxc_monitors.is_program_of_root(
        process, _EXECUTABLE_PREFIX
    ):
        return None
    arguments = procfs.read_text(process, "cmdline").rstrip("\0").split("\0")
    if arguments[0].startswith(lxc_monitors.TITLE):
        path_and_name = arguments[0][len(lxc_monitors.TITLE) :]
        # Both may contain spaces; of the host's lxcpath it is known where it ends.
        lxcpath, _space, name = path_and_name.rpartition(" ")
        config = ""
        if path_and_name.startswith(f"{source} "):
            lxcpath, name = source, path_and_name[len(source) + 1 :]
    else:
        options = _options(arguments)
        # A tool that goes to the background only waits until its child has become the monitor.
        if tool != _FOREGROUND_TOOL and "F" not in options:
            return None
        lxcpath, name = options.get("P", source), options.get("n", "")
        config = options.get("f", "")
    if not (_is_printable(lxcpath) and _is_printable(name)) or "/" in name:
        return None
    lxcpath = os.path.normpath(lxcpath)
    if os.path.isabs(lxcpath) and os.path.realpath(lxcpath) == source:
        lxcpath = source
    # A relative path is one from the working directory in which the tool was started.
    if not config and os.path.isabs(lxcpath):
        config = f"{lxcpath}/{name}/config"
    return _MonitoredContainer(lxcpath, name, config if os.path.isabs(config) else "")


def _options(arguments: t.Sequence[str]) -> dict[str, str]:
    """A tool's options by letter. A name that is given without an option is "n" too."""
    options: dict[str, str] = {}
    rest = iter(arguments[1:])
    for argument in rest:
        if argument == "--":
            break
        if argument.startswith("--"):
            long, equals, value = argument.partition("=")
            if long in _FLAGS:
                options.setdefault(_FLAGS[long], "")
            else:
                options.setdefault(_OPTIONS.get(long, long), value if equals else next(rest, ""))
        elif argument.startswith("-"):
            letters = argument[1:]
            while letters[:1] and letters[0] in _FLAGS.values():
                options.setdefault(letters[0], "")
                letters = letters[1:]
            if letters:
                options.setdefault(letters[0], letters[1:] or next(rest, ""))
        else:
            options.setdefault("n", argument)
    return options


def _needed_device(config: str) -> str:
    """What of its interfaces a container cannot have a second time, by its configuration file."""
    settings: list[tuple[str, str]] = []
    if not config:
        return ""
    try:
        _read_config(config, settings, [])
    except model.EngineError as error:
        return f"its configuration cannot be read, so that its network interfaces are not known: {error}"
    interfaces: dict[str, dict[str, str]] = {}
    for key, value in settings:
        match = _INTERFACE_KEY.fullmatch(key)
        if match:
            interfaces.setdefault(match.group(1), {})[match.group(2)] = value
        elif key == "lxc.net":
            interfaces.clear()
    for number, interface in interfaces.items():
        reason = _exclusive_part(interface)
        if reason:
            return f"lxc.net.{number} in {config} is {reason}"
    return ""


def _exclusive_part(interface: t.Mapping[str, str]) -> str:
    kind = interface.get("type")
    mac = interface.get("hwaddr", "")
    addresses = [interface.get(f"{family}.address", "") for family in ("ipv4", "ipv6")]
    if kind == "macvlan" and interface.get("macvlan.mode") == "passthru":
        return "a macvlan interface in passthru mode"
    # LXC replaces each "x" by a random digit.
    if kind == "macvlan" and mac and "x" not in mac.lower():
        return f"a macvlan interface with the MAC address {mac}"
    if kind == "ipvlan" and any(addresses):
        return f"an ipvlan interface with the address {next(filter(None, addresses))}"
    if kind == "vlan":
        return f"the VLAN {interface.get('vlan.id', '')} of {interface.get('link', '')}"
    return ""


def _read_config(path: str, settings: list[tuple[str, str]], included: list[str]) -> None:
    """Add the settings of a configuration file and of those that it includes. Raises EngineError."""
    included.append(path)
    if len(included) > _MAX_INCLUDES:
        raise model.EngineError(f"{included[0]} includes more than {_MAX_INCLUDES} files")
    try:
        data, _status = untrusted.read_file(path, _MAX_CONFIG, follow=True)
    except (FileNotFoundError, NotADirectoryError):
        return
    except untrusted.UnusableFileError as error:
        raise model.EngineError(f"{path} {error}") from None
    except OSError as error:
        raise state_files.read_error(path, error) from None
    except ValueError:
        return
    for line in data.decode("utf-8", "replace").split("\n"):
        match = _CONFIG_LINE.fullmatch(line)
        if not match:
            continue
        key, value = match.groups()
        if len(value) > 1 and value[0] in "'\"" and value[-1] == value[0]:
            value = value[1:-1]
        if key != "lxc.include":
            settings.append((key, value))
        elif os.path.isdir(value):
            for file in sorted(glob.glob(f"{glob.escape(value)}/*.conf")):
                _read_config(file, settings, included)
        else:
            _read_config(value, settings, included)
