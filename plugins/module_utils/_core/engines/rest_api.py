# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the REST APIs of Docker and Podman have in common: lists, and details of each container."""

from __future__ import annotations

import typing as t

from .. import model
from . import unix_http, values


def body(response: unix_http.Response) -> t.Any:
    """The JSON of a successful response. Raises EngineError."""
    if response.status != 200:
        raise model.EngineError(
            f"status {response.status}: {response.body[:200].decode('utf-8', 'replace').strip()}"
        )
    return values.parse_json(response.body, "the response")


def items(response: unix_http.Response) -> list[t.Any]:
    """The list in a successful response. Raises EngineError."""
    value = body(response)
    if not isinstance(value, list):
        raise model.EngineError(f"the response is of type {type(value).__name__}, not list")
    return value


def version(response: unix_http.Response, product: str) -> str | None:
    """The version in the Server header, as "Docker/20.10.24+dfsg1 (linux)", None without one.

    Every response has it, so that no request is spent on it.
    """
    name, _slash, number = response.headers.get("server", "").split(" ")[0].partition("/")
    return number if name == product and number else None


def inspect(
    client: unix_http.Client,
    endpoint: str,
    containers: t.Sequence[model.Container],
    wanted: t.Callable[[model.Container], bool],
    add_details: t.Callable[[model.Container, t.Any], model.Container],
) -> tuple[model.Container, ...]:
    """The containers of a list, with details of those that run and are wanted.

    Without those that were removed since they were listed.
    """
    chosen = [container for container in containers if container.running and wanted(container)]
    details: dict[str, model.Container | None] = {}
    responses = client.get([f"{endpoint}/{container.id}/json" for container in chosen])
    for container, response in zip(chosen, responses):
        details[container.id] = (
            None if response.status == 404 else add_details(container, body(response))
        )
    merged = (details.get(container.id, container) for container in containers)
    return tuple(container for container in merged if container)
