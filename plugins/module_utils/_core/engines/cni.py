# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The ports that the CNI plugin portmap publishes for pods and containers of containerd and CRI-O.

The library of CNI caches the result of each network that it adds a container to (libcni/api.go), with the ports
that the engine asked for.
"""

from __future__ import annotations

import base64
import re
import typing as t

from .. import model, untrusted
from . import ports, state_files

_RESULTS = "/var/lib/cni/results"
_MAX_RESULTS = 10_000
_MAX_FILE = 1 << 20
_CAPABILITY = "portMappings"
# nerdctl puts the namespace of containerd before the ID.
_ID = re.compile(r"(?:.*-)?([0-9a-f]{64})")


def published(deadline: state_files.Deadline) -> tuple[dict[str, list[model.Port]], list[str]]:
    """The ports by the container's ID, and why some are missing."""
    by_id: dict[str, list[model.Port]] = {}
    problems: list[str] = []
    try:
        with state_files.open_directory(_RESULTS, _RESULTS) as fd:
            names = state_files.list_directory(fd, _RESULTS)
            if len(names) > _MAX_RESULTS:
                problems.append(f"{_RESULTS} contains more than {_MAX_RESULTS} files")
            for name in names[:_MAX_RESULTS]:
                deadline.check(_RESULTS)
                try:
                    _add(by_id, t.cast("int", fd), name)
                except model.EngineError as error:
                    problems.append(str(error))
    except model.EngineError as error:
        problems.append(str(error))
    return by_id, problems


def _add(by_id: dict[str, list[model.Port]], fd: int, name: str) -> None:
    content = state_files.read_file(fd, name, _RESULTS, _MAX_FILE)
    # Most containers have no ports, and decoding each would take long.
    if content is None or f'"{_CAPABILITY}"'.encode() not in content[0]:
        return
    try:
        cached = untrusted.parse_json(content[0])
    except ValueError:
        raise model.EngineError(f"{_RESULTS}/{name} is not valid JSON") from None
    if not isinstance(cached, dict) or not _has_capability(cached.get("config")):
        return
    identity = cached.get("containerId")
    if isinstance(identity, str):
        match = _ID.fullmatch(identity)
        by_id.setdefault(match[1] if match else identity, []).extend(ports.from_cni(cached))


def _has_capability(config: t.Any) -> bool:
    """Whether a plugin of the network publishes ports: engines ask for that in any case."""
    try:
        network = untrusted.parse_json(base64.b64decode(config, validate=True))
        plugins = network.get("plugins", [network])
        return any(plugin.get("capabilities", {}).get(_CAPABILITY) is True for plugin in plugins)
    except (AttributeError, TypeError, ValueError):
        return False
