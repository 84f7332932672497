# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Texts for messages: containers, and foreign text that a terminal can show."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from . import model


def printable(text: str) -> str:
    """Foreign text for a terminal or a journal: what moves the cursor or breaks the line is escaped."""
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else ascii(character)[1:-1] for character in text
    )


def describe(container: model.Container) -> str:
    """A container for messages: its engine, name, id and user."""
    pod = container.pod
    is_pod = pod is not None and container.sandbox
    name = pod.full_name if pod is not None and is_pod else container.name
    identity = "" if container.id == name else f" ({container.id[:12]})"
    user = f" of user {container.user}" if container.user else ""
    return f"{container.engine} {'pod' if is_pod else 'container'} {name}{identity}{user}"


def describe_unread(container: model.Container) -> str:
    """A container that could not be read, and why."""
    return f"{container.engine} container {container.name} could not be read: {container.unread}"
