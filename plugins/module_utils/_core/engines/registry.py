# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The container engines, one file of this folder each; all give `model.Container`."""

from __future__ import annotations

import os
import typing as t

from .. import model
from . import docker

NAMES = ("docker", "podman", "containerd", "crio", "lxc", "nspawn")


class _Reader(t.Protocol):
    """What a file of this folder offers."""

    def locate(self, environment: t.Mapping[str, str]) -> str | None:
        """Where to read this engine on this host; None where it is not there."""

    def read(
        self, source: str, timeout: float, wanted: t.Callable[[model.Container], bool]
    ) -> model.Reading:
        """All containers, with PID and pin of those that are wanted; never raises EngineError."""

    def still_runs(self, container: model.Container, timeout: float) -> bool:
        """Whether the PID that was told is still the container's. Raises EngineError."""

    def sandbox_source(self, path: str) -> str | None:
        """The source whose pins stand at such a path, None where it is not this engine's pin."""


_READERS: dict[str, _Reader] = {docker.NAME: docker}


def check(names: t.Sequence[str] | None) -> None:
    """Refuse engines that this release does not read."""
    for name in names or ():
        if name not in _READERS:
            raise model.SelectionError(
                f"engine {name!r} is not supported yet, only {', '.join(sorted(_READERS))}: take it "
                "out of `engines`, or give the container's process by `pid` and `name`"
            )


def read(
    names: t.Sequence[str] | None,
    timeout: float,
    wanted: t.Callable[[model.Container], bool],
) -> list[model.Reading]:
    """Read the named engines, or every one, where they are found on this host."""
    readings = []
    for name, reader in _READERS.items():
        if names is None or name in names:
            source = reader.locate(os.environ)
            if source is not None:
                readings.append(reader.read(source, timeout, wanted))
    return readings


def still_runs(container: model.Container, timeout: float) -> bool:
    """Ask a container's engine again whether the process it told is still the container's."""
    return _READERS[container.engine].still_runs(container, timeout)


def sandbox(path: str) -> tuple[str, str] | None:
    """The engine and source that pin containers' namespaces at such a path, or None."""
    for name, reader in _READERS.items():
        source = reader.sandbox_source(path)
        if source is not None:
            return name, source
    return None
