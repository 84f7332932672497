# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the REST APIs of Docker, Podman and Incus have in common: lists, and details of each container.

An odd response about one container is a reason for that container alone, which is then `unread`.
"""

from __future__ import annotations

import typing as t

from .. import model
from . import unix_http, values

_MAX_REASON = 200
_MAX_ODD_ITEMS = 100


def body(response: unix_http.Response) -> t.Any:
    """The JSON of a successful response. Raises EngineError."""
    if response.status != 200:
        text = response.body[:_MAX_REASON].decode("utf-8", "replace").strip()
        raise model.EngineError(f"status {response.status}: {text}")
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


def summaries(
    listed: t.Iterable[t.Any],
    identify: t.Callable[[t.Any], str],
    summary: t.Callable[[t.Any], model.Container],
    known_by_id: t.Callable[[str, str], model.Container],
) -> tuple[list[model.Container], str | None]:
    """The containers of a list, and why it may lack some: an item without an ID may be any container.

    `known_by_id` makes a container of an ID, and of the reason why no more is known. Raises EngineError where hardly
    any item has an ID.
    """
    containers, problems = [], []
    for item in listed:
        try:
            identity = identify(item)
        except model.EngineError as error:
            problems.append(str(error))
            # So many are no list of containers.
            if len(problems) > _MAX_ODD_ITEMS:
                raise
            continue
        try:
            containers.append(summary(item))
        except model.EngineError as error:
            containers.append(known_by_id(identity, str(error)))
    return containers, problems[0] if problems else None


def listed_by_id(
    engine: str,
    source: str,
    response: unix_http.Response,
    summary: t.Callable[[str, t.Any], model.Container],
) -> tuple[list[model.Container], str | None]:
    """The containers in a response that lists them with an "Id". Raises EngineError where it is not a list."""
    return summaries(
        items(response),
        lambda item: values.container_id(item, "Id"),
        lambda item: summary(source, item),
        lambda identity, reason: model.Container.known_by_id(engine, source, identity, reason),
    )


def inspect(
    client: unix_http.Client,
    endpoint: str,
    containers: t.Sequence[model.Container],
    wanted: t.Callable[[model.Container], bool],
    add_details: t.Callable[[model.Container, t.Any], model.Container],
) -> list[model.Container]:
    """The containers of a list, with details of those that run and are wanted.

    Without those that were removed since they were listed.
    """
    chosen = [each for each in containers if each.running and each.unread is None and wanted(each)]
    by_target = {f"{endpoint}/{container.id}/json": container for container in chosen}
    made = client.make_each(
        list(by_target),
        lambda target, answer: with_details(by_target[target], answer, add_details),
    )
    details = dict(zip((container.id for container in by_target.values()), made))
    merged = (details.get(container.id, container) for container in containers)
    return [container for container in merged if container]


def with_details(
    container: model.Container,
    answer: unix_http.Answer,
    add_details: t.Callable[[model.Container, t.Any], model.Container],
) -> model.Container | None:
    """The container with the details of an answer, or `unread`; None where it does not exist."""
    try:
        if isinstance(answer, model.EngineError):
            raise answer
        if answer.status == 404:
            return None
        details = body(answer)
        # Responses that were mixed up would show one container's namespace as another's.
        identity = values.field(details, "Id", str)
        if identity != container.id:
            raise model.EngineError(f"the response is about container {identity[:80]!r}")
        return add_details(container, details)
    except model.EngineError as error:
        return container._replace(
            running=True, pid=0, pin=None, resolv_conf=None, unread=str(error)
        )
