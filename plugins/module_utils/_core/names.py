# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names of links: which names `ip netns` can use, and the template that names are made from."""

from __future__ import annotations

import contextlib
import functools
import re
import string
import typing as t

from . import model

DEFAULT_TEMPLATE = "{name}"
_COMPOSE = "com.docker.compose."
_SWARM = "com.docker.swarm."
_MAX_BYTES = 255
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
# strtol(3) with base 0, as `ip link set … netns NAME` falls back to it for a PID.
# Not compiled here, as most runs do not need it.
_NUMBER = r"\s*[+-]?(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*)"


def unusable(name: str) -> str | None:
    """Why a name cannot be a file name in netns_dir, or None."""
    if not name:
        return "it is empty"
    if name in (".", ".."):
        return "it names a directory"
    if "/" in name:
        return "it contains a '/'"
    if _CONTROL.search(name):
        return "it contains a control character"
    try:
        size = len(name.encode("utf-8", "surrogateescape"))
    except UnicodeEncodeError:
        return "it is not valid text"
    return f"it is longer than {_MAX_BYTES} bytes" if size > _MAX_BYTES else None


def refusal(name: str) -> str | None:
    """Why a new link cannot have a name, or None.

    `ip` takes a number for a PID where no link has that name.
    """
    if _is_number(name):
        return "`ip` reads it as a PID"
    return unusable(name)


def _is_number(name: str) -> bool:
    # No number begins with a letter, and most names do.
    if "A" <= name[:1] <= "z":
        return False
    if re.fullmatch(_NUMBER, name):
        return True
    try:
        int(name, 0)
    except ValueError:
        return False
    return True


def _swarm_slot(labels: t.Mapping[str, str]) -> str:
    """The number of a task in its service; of a global service, which has one on each node, the node's id.

    A task is called SERVICE.SLOT.TASK. The name of a service can contain dots.
    """
    service = labels.get(f"{_SWARM}service.name", "")
    task = labels.get(f"{_SWARM}task.name", "")
    return task[len(service) + 1 :].partition(".")[0] if task.startswith(f"{service}.") else ""


def _label(name: str) -> t.Callable[[model.Container], str]:
    return lambda container: container.labels.get(name, "")


# What each placeholder of a template stands for.
_VALUES: dict[str, t.Callable[[model.Container], str]] = {
    "name": lambda container: container.full_name,
    "id": lambda container: container.id,
    "short_id": lambda container: container.id[:12],
    "engine": lambda container: container.engine,
    "user": lambda container: container.user or "root",
    "pod": lambda container: container.pod.name if container.pod else "",
    "pod_namespace": lambda container: container.pod.namespace if container.pod else "",
    "pod_uid": lambda container: container.pod.uid if container.pod else "",
    "compose_project": _label(f"{_COMPOSE}project"),
    "compose_service": _label(f"{_COMPOSE}service"),
    "compose_number": _label(f"{_COMPOSE}container-number"),
    "swarm_service": _label(f"{_SWARM}service.name"),
    "swarm_slot": lambda container: _swarm_slot(container.labels),
}
PLACEHOLDERS = tuple(_VALUES)


def distinguishing_template(text: str, containers: t.Sequence[model.Container]) -> str:
    """A template that gives each of these containers another name, which `text` does not."""
    candidates = []
    # Not for every container: only those that the template has selected by such a placeholder have them all.
    if "{compose_" in text:
        candidates += [f"{text}-{{compose_number}}", f"{{compose_project}}-{text}"]
    if "{swarm_" in text:
        candidates += [f"{text}.{{swarm_slot}}"]
    candidates += [f"{{engine}}-{text}", f"{{user}}-{text}", f"{{engine}}-{{user}}-{text}"]
    for candidate in candidates:
        with contextlib.suppress(model.SelectionError):
            template = Template(candidate)
            filled = {template.fill(container) for container in containers}
            if len(filled) == len(containers) and not any(map(refusal, filled)):
                return candidate
    return f"{text}-{{short_id}}"


@functools.lru_cache(maxsize=None)
def _parse(text: str) -> tuple[tuple[str, str | None, str | None, str | None], ...]:
    """The parts of a template: literal text, placeholder, format and conversion. Raises ValueError."""
    return tuple(string.Formatter().parse(text))


class Template:
    """A `name_template`. Raises SelectionError for an invalid one."""

    def __init__(self, text: str) -> None:
        self._text = text
        try:
            parts = _parse(text)
        except ValueError as error:
            raise self._refuse(str(error)) from None
        for _literal, placeholder, spec, conversion in parts:
            if placeholder is not None and (placeholder not in PLACEHOLDERS or spec or conversion):
                raise self._refuse(f"unknown placeholder {{{placeholder}}}")

    def _refuse(self, why: str) -> model.SelectionError:
        placeholders = " ".join(f"{{{name}}}" for name in PLACEHOLDERS)
        return model.SelectionError(
            f"name_template {self._text!r}: {why}. The placeholders are {placeholders}; in YAML quote the template, "
            "as an unquoted {id} is a dict"
        )

    def fill(self, container: model.Container) -> str:
        """The name of a container's link. Raises SelectionError where the container lacks a placeholder.

        With the default template, a name that is a number gets the engine before it: Proxmox and others
        name all their containers so.
        """
        values = {}
        for _literal, placeholder, _spec, _conversion in _parse(self._text):
            if placeholder is not None:
                values[placeholder] = _VALUES[placeholder](container)
                if not values[placeholder]:
                    raise model.SelectionError(
                        f"it has no {placeholder}, which the name template uses"
                    )
        name = self._text.format(**values)
        is_default = self._text == DEFAULT_TEMPLATE
        return f"{container.engine}-{name}" if is_default and _is_number(name) else name
