# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The settings of the hook: one JSON file, which the role writes."""

from __future__ import annotations

import json
import os
import types
import typing as t

from .. import model, untrusted
from ..engines import registry
from ..links.request import HOOK, LinkRequest
from ..named_tuple import NamedTuple

PATH = "/etc/linuxnet-netns-hook.json"
_MAX_SIZE = 1 << 20
_DAY = 86400
TRIGGERS = ("events", "udev")
# Not a setting: `ip netns` uses no other directory.
_NETNS_DIR = "/run/netns"


class Config(NamedTuple):
    """The variables of the role `netns_hook`, as its documentation describes them."""

    trigger: str = TRIGGERS[0]
    engines: tuple[str, ...] | None = None
    sources: tuple[str, ...] = ()
    labels: t.Mapping[str, str] = {}
    name_template: str = "{name}"
    resolv_conf: bool = False
    resync_interval: int = 60
    doctor: bool = False
    # Without symbolic links, as netns_link has it: mount tables and the ledger compare paths.
    netns_dir: str = _NETNS_DIR

    def link_request(
        self,
        only: t.Mapping[str, frozenset[str] | None] | None = None,
        ended: t.Mapping[str, frozenset[str]] = types.MappingProxyType({}),
    ) -> LinkRequest:
        """The request for a run over all containers, or only over those in `only`.

        `ended` are those of them of which the engine has reported that they ended.
        """
        return LinkRequest(
            all=True,
            prune=True,
            engines=self.engines,
            sources=self.sources,
            labels=self.labels,
            name_template=self.name_template,
            resolv_conf=self.resolv_conf,
            netns_dir=self.netns_dir,
            maker=HOOK,
            only=only,
            ended=ended,
        )

    def includes(self, engine: str) -> bool:
        """Whether the hook links the containers of an engine."""
        return self.engines is None or engine in self.engines


def load(path: str = PATH) -> Config:
    """Read the file. Raises NetnsError, which names the file and what is wrong in it."""
    try:
        data, _status = untrusted.read_file(path, _MAX_SIZE, follow=True)
    except untrusted.UnusableFileError as error:
        raise model.NetnsError(f"{path} {error}") from None
    except OSError as error:
        raise model.NetnsError(f"{path} cannot be read: {error}") from None
    try:
        return parse(data)
    except model.NetnsError as error:
        raise model.NetnsError(f"{path}: {error}") from None


def parse(text: str | bytes) -> Config:
    """The settings in a JSON text. Raises NetnsError."""
    try:
        values = untrusted.parse_json(text)
    except ValueError as error:
        raise model.NetnsError(f"the settings are not valid JSON: {error}") from None
    if not isinstance(values, dict):
        raise model.NetnsError("the settings are not a JSON object")
    unknown = sorted(set(values) - set(_CHECKS))
    if unknown:
        raise model.NetnsError(f"there is no setting {unknown[0]!r}")
    for name, value in values.items():
        problem = _CHECKS[name](value)
        if problem:
            raise model.NetnsError(f"{name} is {json.dumps(value)[:80]}: {problem}")
    if values.get("engines") is not None:
        values["engines"] = tuple(values["engines"])
    values["sources"] = tuple(values.get("sources", ()))
    config = Config(**values, netns_dir=os.path.realpath(_NETNS_DIR))
    config.link_request().check()
    return config


def _check_trigger(value: t.Any) -> str | None:
    return None if value in TRIGGERS else f"give {' or '.join(TRIGGERS)}"


def _check_engines(value: t.Any) -> str | None:
    if value is None or (isinstance(value, list) and all(name in registry.NAMES for name in value)):
        return None
    return f"give a list of {', '.join(registry.NAMES)}, or null for all engines"


def _check_sources(value: t.Any) -> str | None:
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return None
    return "give a list of ENGINE:/PATH"


def _check_labels(value: t.Any) -> str | None:
    if isinstance(value, dict) and all(isinstance(label, str) for label in value.values()):
        return None
    return "give an object of strings"


def _check_text(value: t.Any) -> str | None:
    return None if isinstance(value, str) else "give a string"


def _check_boolean(value: t.Any) -> str | None:
    return None if isinstance(value, bool) else "give true or false"


def _check_seconds(value: t.Any) -> str | None:
    if untrusted.is_number(value) and 0 < value <= _DAY:
        return None
    return f"give a whole number of seconds from 1 to {_DAY}"


# What is wrong with the value of each setting, None if it can be used.
_CHECKS: dict[str, t.Callable[[t.Any], str | None]] = {
    "trigger": _check_trigger,
    "engines": _check_engines,
    "sources": _check_sources,
    "labels": _check_labels,
    "name_template": _check_text,
    "resolv_conf": _check_boolean,
    "resync_interval": _check_seconds,
    "doctor": _check_boolean,
}
