# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Link names: what `ip netns` can use as one, and the template that makes them."""

from __future__ import annotations

import re
import string

from . import model

PLACEHOLDERS = (
    "name",
    "id",
    "short_id",
    "engine",
    "pod",
    "pod_namespace",
    "pod_uid",
    "compose_project",
    "compose_service",
)
_COMPOSE = "com.docker.compose."
_LONGEST = 255
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
# strtol(3) with base 0, as `ip link set … netns NAME` falls back to it for a PID.
_NUMBER = re.compile(r"\s*[+-]?(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*)")


def printable(text: str) -> str:
    """Text of others for a terminal or a journal: what moves the cursor, or breaks a line, is escaped."""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text)


def unusable(name: str) -> str | None:
    """Which rule for file names in netns_dir a name breaks, or None."""
    if not name:
        return "it is empty"
    if name in (".", ".."):
        return "it names a directory"
    if "/" in name:
        return "it holds a '/'"
    if _CONTROL.search(name):
        return "it holds a control character"
    try:
        size = len(name.encode("utf-8", "surrogateescape"))
    except UnicodeEncodeError:
        return "it is no text"
    return f"it is longer than {_LONGEST} bytes" if size > _LONGEST else None


def refusal(name: str) -> str | None:
    """Why a name is not given to a new link, or None.

    `ip` takes what reads as a number for a PID where no link of that name is left.
    """
    if _NUMBER.fullmatch(name) or _is_python_number(name):
        return "`ip` reads it as a PID"
    return unusable(name)


def _is_python_number(name: str) -> bool:
    try:
        int(name, 0)
    except ValueError:
        return False
    return True


class Template:
    """A `name_template`; raises SelectionError for what cannot be one."""

    def __init__(self, text: str) -> None:
        self._text = text
        try:
            parts = list(string.Formatter().parse(text))
        except ValueError as error:
            raise self._refuse(str(error)) from None
        for _literal, placeholder, spec, conversion in parts:
            if placeholder is not None and (placeholder not in PLACEHOLDERS or spec or conversion):
                raise self._refuse(f"unknown placeholder {{{placeholder}}}")

    def _refuse(self, why: str) -> model.SelectionError:
        known = " ".join(f"{{{name}}}" for name in PLACEHOLDERS)
        return model.SelectionError(
            f"name_template {self._text!r}: {why}. The placeholders are {known}; in YAML quote the template, "
            "as an unquoted {id} is a dict"
        )

    def fill(self, container: model.Container) -> str:
        """The link's name for a container. Raises SelectionError where it lacks a placeholder."""
        pod = container.pod
        values = {
            "name": pod.full_name if pod and container.sandbox else container.name,
            "id": container.id,
            "short_id": container.id[:12],
            "engine": container.engine,
            "pod": pod.name if pod else "",
            "pod_namespace": pod.namespace if pod else "",
            "pod_uid": pod.uid if pod else "",
            "compose_project": container.labels.get(f"{_COMPOSE}project", ""),
            "compose_service": container.labels.get(f"{_COMPOSE}service", ""),
        }
        for part in string.Formatter().parse(self._text):
            placeholder = part[1]
            if placeholder is not None and not values[placeholder]:
                raise model.SelectionError(
                    f"it has no {placeholder}, which the name template asks for"
                )
        return self._text.format(**values)
