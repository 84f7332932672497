# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which engine pins namespaces at which paths, and for what: containers or networks."""

from __future__ import annotations

import os
import re
import typing as t

from .. import model

if t.TYPE_CHECKING:
    from . import registry

_UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
# Engine, paths of the pins of its containers, source. Paths that several engines use, as containerd and
# Podman 3 use /run/netns/cni-…, are left out.
_CONTAINER_PINS: tuple[tuple[str, re.Pattern[str], str | None], ...] = (
    ("podman", re.compile(rf"(?:/var)?/run/netns/netns-{_UUID}"), None),
    ("containerd", re.compile(rf"(/.+)/io\.containerd\.grpc\.v1\.cri/netns/cni-{_UUID}"), r"\1"),
)
# Of all names of Docker's pins.
_PIN_LENGTH = 12
# The name of a pin of Docker's. Those for networks, such as "ingress_sbox", belong to no container.
_CONTAINER_PIN = re.compile(r"[0-9a-f]{12}")
# Names of pins that engines make in /run/netns, beside those of `ip netns` and others, and the engines that may have
# made them.
_SHARED_PINS = (
    (re.compile(rf"cni-{_UUID}"), frozenset(("containerd", "crio", "podman"))),
    (re.compile(_UUID), frozenset(("crio",))),
)


def engines_that_pin_as(name: str) -> frozenset[str]:
    """The engines that may have made a pin of this name, where its directory does not show which."""
    for pattern, engines in _SHARED_PINS:
        if pattern.fullmatch(name):
            return engines
    return frozenset()


class Pins:
    """Who pins namespaces at which paths.

    The pins of Docker's containers show where its daemons have theirs. Of a daemon without such a container, its
    options do.
    """

    def __init__(self, readings: t.Collection[model.Reading] = ()) -> None:
        # The source of each daemon by its exec-root.
        self._sources: dict[str, str] = {}
        directories = {
            os.path.dirname(container.pin or ""): container.source
            for reading in readings
            if reading.engine == "docker"
            for container in reading.containers
        }
        for directory, source in directories.items():
            if directory.endswith("/netns"):
                self._sources[os.path.dirname(os.path.realpath(directory))] = source
        self._sources_without_pin = {
            reading.source for reading in readings if reading.engine == "docker"
        }.difference((model.PROCESSES, *self._sources.values()))

    def owner(self, path: str) -> tuple[str, str | None] | None:
        """The engine that pins its containers' namespaces at such a path, and its source if the path has it."""
        docker = self._docker(path)
        if docker and _CONTAINER_PIN.fullmatch(os.path.basename(path)):
            return "docker", docker
        for engine, pattern, source in _CONTAINER_PINS:
            match = pattern.fullmatch(path)
            if match:
                return engine, None if source is None else match.expand(source)
        return None

    def is_network(self, path: str) -> bool:
        """Whether Docker pins namespaces of its networks at such a path."""
        return bool(self._docker(path)) and not self.owner(path)

    def _docker(self, path: str) -> str:
        """The source of the daemon that pins namespaces at such a path, "" for none."""
        exec_root, is_pin, name = path.rpartition("/netns/")
        is_unknown = len(name) == _PIN_LENGTH and not exec_root.endswith(("/run", "/docker"))
        if self._sources_without_pin and is_pin and is_unknown and exec_root not in self._sources:
            from . import docker_daemons  # noqa: PLC0415 - few hosts have such a daemon

            self._sources.update(docker_daemons.exec_roots(self._sources_without_pin))
            self._sources_without_pin = set()
        default = f"{exec_root}.sock" if is_pin and exec_root.endswith("/docker") else ""
        return self._sources.get(exec_root, default) if is_pin else ""

    def networks(
        self, names: t.Sequence[str] | None, pins: t.Iterable[str], budget: registry.Budget
    ) -> tuple[dict[str, model.Network], list[tuple[str, str]]]:
        """The network of each pin that an engine made for one, and (engine, reason) of what failed.

        Only Docker makes such pins, and it is asked only where there are some.
        """
        pins_by_source: dict[str, list[str]] = {}
        for pin in pins:
            if self.is_network(pin):
                pins_by_source.setdefault(self._docker(pin), []).append(pin)
        if not pins_by_source or (names is not None and "docker" not in names):
            return {}, []
        from . import docker  # noqa: PLC0415 - only where Docker is there

        networks: dict[str, model.Network] = {}
        problems = []
        for source, source_pins in pins_by_source.items():
            try:
                with budget.use(docker.NAME, source) as timeout:
                    found, problem = docker.networks(source, source_pins, timeout)
            except model.EngineError as error:
                found, problem = {}, str(error)
            networks.update(found)
            problems += [(docker.NAME, problem)] if problem else []
        return networks, problems
