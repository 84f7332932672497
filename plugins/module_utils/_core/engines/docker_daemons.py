# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Docker daemons that run, and where they have their state (exec-root), in which they pin namespaces."""

from __future__ import annotations

import os
import typing as t

from .. import model
from ..kernel import procfs, sockets
from . import daemons, state_files, values

_COMMAND = "dockerd"
CONFIG = "/etc/docker/daemon.json"
_EXEC_ROOT = "/var/run/docker"


def running() -> t.Iterator[tuple[int, list[str], str]]:
    """Each daemon that runs: a descriptor of its process, its command line, and its configuration file."""
    for process, command in daemons.running(_COMMAND):
        if command == _COMMAND:
            words = daemons.arguments(process)
            config_file = daemons.option_among(words, "config-file")
            yield process, words, config_file if config_file.startswith("/") else CONFIG


def exec_roots(sources: t.Iterable[str]) -> dict[str, str]:
    """The source by the exec-root of each daemon that has one of these sockets open."""
    found = {}
    try:
        inodes = {
            source: sockets.listening(source) | sockets.listening(f"/var{source}")
            for source in sources
        }
    except OSError:
        return {}
    for process, words, config_file in running():
        try:
            pid = int(procfs.read_text(process, "stat").partition(" ")[0])
        except (model.GoneError, OSError):
            continue
        for source, listening in inodes.items():
            if listening and sockets.holds(pid, listening):
                found[os.path.realpath(_exec_root(words, config_file))] = source
    return found


def _exec_root(words: t.Sequence[str], config_file: str) -> str:
    given = daemons.option_among(words, "exec-root")
    if given.startswith("/"):
        return given
    text = state_files.config_text(config_file)
    try:
        config = values.parse_json(text, config_file) if text.strip() else None
        return values.absolute_path(config, "exec-root") or _EXEC_ROOT
    except model.EngineError:
        return _EXEC_ROOT
