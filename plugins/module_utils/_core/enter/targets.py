# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The namespaces that a request selects: each once, with what it is called and how it is opened again."""

from __future__ import annotations

import contextlib
import os
import typing as t

from .. import model, selection
from ..engines import registry
from ..kernel import nsfs, procfs
from ..links import targets as link_targets
from ..links.netns_dir import Directory
from ..links.origins import Origin, locate, open_request_origin
from ..links.request import LinkRequest
from ..links.snapshot import Snapshot
from ..named_tuple import NamedTuple
from ..texts import describe_unread
from . import namespace
from .request import ExecRequest

_ETC_NETNS = "/etc/netns"
_HOST = "this is the host's own network namespace, where commands run without this module"


class ExecTarget(NamedTuple):
    """A namespace to run the command in.

    `label` is what messages call it, `names` are its names in netns_dir, and `link` is the one whose files
    of /etc/netns are used. `container` was selected; `containers` are all that are known to be in the
    namespace. `origin` is None where it cannot be entered: then `skip` is the reason.
    """

    label: str
    origin: Origin | None
    names: tuple[str, ...] = ()
    link: str | None = None
    container: model.Container | None = None
    containers: tuple[model.Container, ...] = ()
    skip: str | None = None


class Found(NamedTuple):
    """The targets by label, what to warn of, and why the task fails after it: what could not be read."""

    targets: list[ExecTarget]
    warnings: list[str]
    failures: list[str]


def find(request: ExecRequest, budget: registry.Budget, open_files: contextlib.ExitStack) -> Found:
    """Find the namespaces. Raises SelectionError for one that is named exactly and cannot be entered."""
    names: dict[model.NetnsId, list[str]] = {}
    for name, entry in sorted(_list_names(request.netns_dir).items()):
        names.setdefault(entry.netns, []).append(name)
    if request.links is not None:
        return _by_link(request, request.links, names)
    if request.pid is not None or request.path is not None:
        label, origin = _given(request, open_files)
        return Found([_named(ExecTarget(label, origin), names)], [], [])
    return _by_container(request, budget, names)


def _list_names(netns_dir: str) -> dict[str, nsfs.DirectoryEntry]:
    try:
        return nsfs.list_names(netns_dir)
    except OSError as error:
        raise model.SelectionError(f"netns_dir {netns_dir}: {error.strerror}") from None


def _named(
    target: ExecTarget, names: t.Mapping[model.NetnsId, t.Sequence[str]], link: str | None = None
) -> ExecTarget:
    """The target with the names of its namespace in netns_dir."""
    if target.origin is None:
        return target
    own = tuple(names.get(target.origin.netns, ()))
    with_files = (name for name in own if os.path.isdir(os.path.join(_ETC_NETNS, name)))
    return target._replace(names=own, link=link or next(with_files, None))


def _by_link(
    request: ExecRequest, items: t.Sequence[str], names: t.Mapping[model.NetnsId, t.Sequence[str]]
) -> Found:
    links = [(name, netns) for netns, own in names.items() for name in own]
    host = nsfs.host_netns()
    targets: dict[model.NetnsId, ExecTarget] = {}
    warnings = []
    for item in items:
        _how, found = selection.resolve(item, links, lambda link: selection.Identity((link[0],)))
        if not found and not selection.is_pattern(item):
            raise model.SelectionError(
                f"no link {item!r} in {request.netns_dir}: create it with netns_link or the hook, or give a path"
            )
        if not found:
            warnings.append(f"no link matches {item!r}")
        for name, netns in found:
            if netns == host:
                raise model.SelectionError(f"{name}: {_HOST}")
            origin = Origin(netns, path=os.path.join(request.netns_dir, name))
            targets.setdefault(netns, _named(ExecTarget(name, origin), names, name))
    return Found(_by_label(targets.values()), warnings, [])


def _given(request: ExecRequest, open_files: contextlib.ExitStack) -> tuple[str, Origin]:
    """The namespace of `pid` or `path`, kept open so that it cannot become another's meanwhile."""
    if request.path is None:
        label = f"process {request.pid}"
        origin = open_request_origin(LinkRequest(pid=request.pid), open_files)
        if origin is None:
            raise model.SelectionError(f"there is no process {request.pid}")
    else:
        label = request.path
        try:
            fd, _name = namespace.open_target(request.path, request.netns_dir)
        except namespace.EnterError as error:
            raise model.SelectionError(str(error)) from None
        open_files.callback(os.close, fd)
        origin = Origin(nsfs.netns_id(os.fstat(fd)), fd=fd)
    if origin.netns == nsfs.host_netns():
        raise model.SelectionError(f"{label}: {_HOST}")
    return label, origin


def _by_container(
    request: ExecRequest,
    budget: registry.Budget,
    names: t.Mapping[model.NetnsId, t.Sequence[str]],
) -> Found:
    started = procfs.now()
    sources = registry.parse_sources(request.sources, request.engines)
    readings = registry.start(request.engines, budget, lambda _container: True, (), sources)()
    origins, problems, warnings = locate(readings, started)
    host = Snapshot(nsfs.host_netns(), Directory(), {}, {}, tuple(readings), origins, problems)
    selected = LinkRequest(containers=request.containers, all=request.all, labels=request.labels)
    chosen, more = link_targets.choose(selected, host)
    owners, unread = link_targets.owners_of(host), host.unread()
    by_netns: dict[model.NetnsId, list[model.Container]] = {}
    for origin in origins.values():
        if origin.container is not None:
            by_netns.setdefault(origin.netns, []).append(origin.container)
    targets: dict[t.Any, ExecTarget] = {}
    refused = []
    for container, exact in chosen:
        # Containers that share a namespace are one target, so that any of them will do.
        skip = link_targets.unavailable(host, owners, unread, container, exact=True)
        label = selection.names_of(container)[0]
        if exact and skip is not None:
            refused.append(f"{label}: {skip}")
        target = ExecTarget(label, None, container=container, skip=skip)
        found_at = None if skip else origins[container.key]
        if found_at is None:
            targets[container.key] = target
        elif found_at.netns not in targets or owners[found_at.netns].key == container.key:
            target = target._replace(origin=found_at, containers=tuple(by_netns[found_at.netns]))
            targets[found_at.netns] = _named(target, names)
    if refused:
        raise model.SelectionError("; ".join(refused))
    found = [*warnings, *more, *link_targets.check_engines(request.engines, readings, False)]
    return Found(_by_label(targets.values()), found, _unread(request, host, chosen))


def _by_label(targets: t.Iterable[ExecTarget]) -> list[ExecTarget]:
    return sorted(targets, key=lambda target: target.label)


def _unread(
    request: ExecRequest,
    host: Snapshot,
    chosen: t.Iterable[tuple[model.Container, bool]],
) -> list[str]:
    """What could not be read, and was selected or may be: unknown is not gone."""
    keys = {container.key for container, _exact in chosen}
    selects_several = request.all or any(map(selection.is_pattern, request.containers or ()))
    return [
        f"{reading.engine} was not read: {reading.error}"
        for reading in host.readings
        if reading.error is not None
    ] + [
        describe_unread(container)
        for container in host.unread().values()
        if container.key in keys or (selects_several and not container.status)
    ]
