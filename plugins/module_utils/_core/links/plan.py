# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Wish and snapshot to steps: pure, so that check mode and a real run cannot differ."""

from __future__ import annotations

import typing as t

from .. import model, selection
from . import etc_netns, ledger, targets, transitions
from .request import HOOK, LinkRequest
from .snapshot import NETNS, NOTHING, SYMLINK, VACANT, Origin, PathState, Snapshot


class Step:
    """One name and what happens to it.

    `origin` is the namespace to link; `entry` what the ledger shall say of it, `old` what it says
    now (None: it is not ours). `clear` is whether what others left there goes first, by force;
    `forget` whether the ledger drops it afterwards. `resolv` is the text of a resolv.conf to
    write; `drop_resolv` whether the file goes.
    `exact` steps were asked for by name: what cannot be done for one fails the task.
    """

    def __init__(
        self,
        name: str,
        action: str,
        reason: str | None = None,
        exact: bool = False,
        path_state: PathState = VACANT,
        origin: Origin | None = None,
        container: model.Container | None = None,
        old: ledger.Entry | None = None,
        forget: bool = False,
    ) -> None:
        self.name = name
        self.action = action
        self.reason = reason
        self.exact = exact
        self.path_state = path_state
        self.origin = origin
        self.container = container
        self.old = old
        self.forget = forget
        self.entry: ledger.Entry | None = None
        self.clear = False
        self.resolv: str | None = None
        self.drop_resolv = False

    def refuse(self, reason: str | None) -> None:
        """Make it a conflict: nothing is done at this name."""
        self.action, self.reason = transitions.CONFLICT, reason
        self.entry, self.resolv = None, None
        self.forget = self.drop_resolv = False


class Plan(t.NamedTuple):
    """The steps sorted by name, what to warn of, and why the task fails after them.

    `gone` are links that the ledger names in vain, as others have removed them.
    """

    steps: tuple[Step, ...]
    gone: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    failures: tuple[str, ...] = ()


def make(request: LinkRequest, snapshot: Snapshot) -> Plan:
    """Work out the steps. Raises SelectionError for what is named exactly and cannot be had."""
    warnings = list(snapshot.warnings)
    gone: list[str] = []
    if request.absent:
        steps = _absent(request, snapshot)
    else:
        warnings += _check_directory(request, snapshot)
        found = targets.find(request, snapshot)
        warnings += found.warnings
        steps = _present(request, snapshot, found.targets)
    if request.prune:
        for step in _prune(request, snapshot, steps):
            if step.action == transitions.UNCHANGED:
                gone.append(step.name)
            else:
                steps.append(step)
    warnings += _check_engines(request, snapshot)
    refused = [step for step in steps if step.exact and step.action == transitions.CONFLICT]
    if refused:
        raise model.SelectionError(
            "; ".join(f"{request.link_path(step.name)}: {step.reason}" for step in refused)
        )
    failures = [
        f"{reading.engine} was not read, so its links were left as they are: {reading.error}"
        for reading in snapshot.readings
        if reading.error is not None
    ]
    return Plan(
        tuple(sorted(steps, key=lambda step: step.name)),
        tuple(gone),
        tuple(warnings),
        tuple(failures),
    )


def _check_directory(request: LinkRequest, snapshot: Snapshot) -> list[str]:
    directory = snapshot.directory
    if directory.mount_point and not directory.self_bind:
        raise model.SelectionError(
            f"netns_dir {request.netns_dir} is a mount point of something else, and links in it would be "
            "lost with that mount: `umount` it, or give another netns_dir"
        )
    if transitions.propagation(directory) == transitions.LEAVE and not directory.shared:
        warning = (
            f"{request.netns_dir} has mounts in it and is not shared, so other mount namespaces (services "
            "with a sandbox) do not see new links. Nothing was changed about that: when nobody uses "
            "the mounts in it, unmount them, and the next run shares it"
        )
        return [warning]
    return []


def _check_engines(request: LinkRequest, snapshot: Snapshot) -> list[str]:
    asks = request.prune or bool(request.containers) or request.all
    if not asks or (request.absent and not request.prune) or request.only is not None:
        return []
    found = {reading.engine for reading in snapshot.readings if reading.found}
    missing = [engine for engine in request.engines or () if engine not in found]
    if missing and request.maker == HOOK:
        return [f"no {' and no '.join(missing)} was found on this host yet"]
    if missing:
        raise model.SelectionError(
            f"no {' and no '.join(missing)} was found on this host: start it, or take it out of `engines`"
        )
    return [] if found else ["no container engine was found on this host"]


def _present(
    request: LinkRequest, snapshot: Snapshot, wanted: t.Sequence[targets.LinkTarget]
) -> list[Step]:
    skipped = []
    # Two sharers, both named exactly, may ask for one link to their one namespace.
    links: dict[tuple[str, model.NetnsId], Step] = {}
    called = {
        target.container.key: target.name
        for target in wanted
        if target.container and not target.skip
    }
    for target in wanted:
        if target.skip or target.origin is None:
            skipped.append(
                Step(
                    target.name,
                    transitions.SKIPPED,
                    target.skip,
                    origin=target.origin,
                    container=target.container,
                )
            )
        else:
            step = _link(request, snapshot, called, target, target.origin)
            links.setdefault((step.name, target.origin.netns), step)
    rivals: dict[str, list[Step]] = {}
    for step in links.values():
        rivals.setdefault(step.name, []).append(step)
    for name, steps in rivals.items():
        if len(steps) > 1:
            whose = " and ".join(sorted(_describe(step) for step in steps))
            for step in steps:
                step.refuse(
                    f"{whose} would all be called {name!r}: use `name_template`, or select fewer"
                )
    return [*skipped, *links.values()]


def _describe(step: Step) -> str:
    container = step.container
    return f"{container.engine} container {container.id[:12]}" if container else step.name


def _link(
    request: LinkRequest,
    snapshot: Snapshot,
    called: t.Mapping[model.ContainerKey, str],
    target: targets.LinkTarget,
    origin: Origin,
) -> Step:
    path = request.link_path(target.name)
    path_state = snapshot.path_state(target.name)
    old = snapshot.entries.get(path)
    ours = transitions.is_ours(path_state, old)
    action, reason = transitions.present(path_state, old, origin.netns, request.force)
    if ours and old is not None and action in transitions.CHANGES:
        held = _held(request, snapshot, called, old, target)
        action, reason = (transitions.CONFLICT, held) if held else (action, reason)
    step = Step(
        target.name,
        action,
        reason,
        exact=target.exact,
        path_state=path_state,
        origin=origin,
        container=target.container,
        old=old if ours else None,
    )
    if action == transitions.CONFLICT:
        return step
    entry = _entry(request, target, origin, path_state)
    if step.old is not None and (action == transitions.UNCHANGED or step.old.maker == HOOK):
        entry = entry._replace(maker=step.old.maker)
    if action in transitions.CHANGES:
        step.clear = not ours and (
            path_state.kind in (NETNS, SYMLINK) or path_state.holder is not None
        )
        step.entry = entry._replace(
            file=None if step.clear else path_state.file,
            previous=path_state.netns if ours and action == transitions.RELINKED else None,
        )
    elif ours and old is not None and (old.key != entry.key or old.previous is not None):
        # It stays, now for another container of the same namespace; or its move is over, which a
        # crash kept the ledger from saying.
        step.entry = entry
    if request.resolv_conf and target.container is not None:
        _add_resolv_conf(request, snapshot, step, target.container)
    return step


def _held(
    request: LinkRequest,
    snapshot: Snapshot,
    called: t.Mapping[model.ContainerKey, str],
    old: ledger.Entry,
    target: targets.LinkTarget,
) -> str | None:
    """Why the hook, which nobody watches, leaves one of our links at the name that it wants."""
    if request.maker != HOOK or (target.container and old.key == target.container.key):
        return None
    if old.key is None:
        return "a link that netns_link made for a process or a path stands there"
    is_renamed = old.maker == HOOK and called.get(old.key, old.name) != old.name
    if is_renamed or _is_over(snapshot, old):
        return None
    whose = f"{old.engine} container {old.container_name}"
    return f"the link of {whose} stands there: give one of them another name by `name_template`"


def _is_over(snapshot: Snapshot, entry: ledger.Entry) -> bool:
    """Whether a link's container is known to have left the namespace that it leads to."""
    if entry.key is None or not _was_read(snapshot, entry.key):
        return False
    origin = snapshot.origins.get(entry.key)
    if origin is not None:
        return not entry.claims(origin.netns)
    return entry.key not in _running(snapshot)


def _running(snapshot: Snapshot) -> set[model.ContainerKey]:
    return {
        container.key
        for reading in snapshot.readings
        for container in reading.containers
        if container.running
    }


def _entry(
    request: LinkRequest, target: targets.LinkTarget, origin: Origin, path_state: PathState
) -> ledger.Entry:
    container = target.container
    entry = ledger.Entry(
        path=request.link_path(target.name),
        netns=origin.netns,
        file=path_state.file,
        maker=request.maker,
    )
    if container is None:
        return entry._replace(pid=origin.pid or None, start_time=origin.start_time or None)
    return entry._replace(
        engine=container.engine,
        source=container.source,
        container_id=container.id,
        container_name=container.name,
        pod=container.pod,
        labels=container.labels,
    )


def _add_resolv_conf(
    request: LinkRequest, snapshot: Snapshot, step: Step, container: model.Container
) -> None:
    lines = snapshot.dns.get(container.key, ())
    if not lines:
        step.reason = "the container has no DNS servers, so no resolv.conf was written"
        return
    path = etc_netns.path_of(step.name)
    text = etc_netns.compose(lines, request.link_path(step.name), container)
    file = snapshot.resolv_files.get(step.name)
    if file is not None and file.owner is None and not request.force:
        step.refuse(
            f"{path} was not written by this collection: move it away, or replace it by `force: true`"
        )
    elif file is None or file.text != text:
        step.resolv = text
        if step.action == transitions.UNCHANGED:
            step.action, step.reason = transitions.REPAIRED, f"the link stands; {path} is written"


def _absent(request: LinkRequest, snapshot: Snapshot) -> list[Step]:
    if request.names is not None:
        return [_unlink_name(request, snapshot, name) for name in dict.fromkeys(request.names)]
    if request.all:
        return [_unlink(request, snapshot, entry) for entry in _narrowed(request, snapshot)]
    return _absent_containers(request, snapshot)


def _narrowed(request: LinkRequest, snapshot: Snapshot) -> list[ledger.Entry]:
    """Our links of the engines, and with the labels, that the wish names."""
    return [
        entry
        for entry in snapshot.entries.values()
        if (request.engines is None or entry.engine in request.engines)
        and selection.has_labels(entry.labels, request.labels)
    ]


def _absent_containers(request: LinkRequest, snapshot: Snapshot) -> list[Step]:
    """By container: those that run, and those that only the ledger still knows."""
    known = {one.key: one for reading in snapshot.readings for one in reading.containers}
    entries: dict[model.ContainerKey, list[ledger.Entry]] = {}
    for entry in _narrowed(request, snapshot):
        container = entry.container()
        if container is not None:
            known.setdefault(container.key, container)
            entries.setdefault(container.key, []).append(entry)
    # Links that another daemon of a silent engine told us of are as unknown as its own.
    silent = {reading.engine: reading for reading in snapshot.readings if reading.error}
    steps: dict[str, Step] = {}
    for item in request.containers or ():
        choice = selection.choose(item, list(known.values()), request.labels)
        if choice.exact and not choice.containers:
            steps.setdefault(
                item, Step(item, transitions.UNCHANGED, "no link was made for such a container")
            )
        for container in choice.containers:
            for entry in entries.get(container.key, ()):
                reading = silent.get(container.engine)
                if reading is None or _was_read(snapshot, container.key):
                    steps[entry.name] = _unlink(request, snapshot, entry)
                else:
                    steps[entry.name] = Step(
                        entry.name,
                        transitions.SKIPPED,
                        f"{reading.engine} was not read",
                        container=container,
                    )
            if container.key not in entries:
                reason = "this collection made no link for it"
                steps.setdefault(
                    container.name,
                    Step(container.name, transitions.UNCHANGED, reason, container=container),
                )
    return list(steps.values())


def _unlink(request: LinkRequest, snapshot: Snapshot, entry: ledger.Entry) -> Step:
    """Remove what the ledger lists, if it is still what stands there."""
    path_state = snapshot.path_state(entry.name)
    step = Step(
        entry.name,
        transitions.UNCHANGED,
        path_state=path_state,
        container=entry.container(),
        old=entry,
        forget=True,
    )
    if transitions.is_ours(path_state, entry):
        step.action, step.reason = transitions.absent(path_state, entry, request.force)
    elif path_state.kind != NOTHING:
        step.reason = "what stands there now, others have made"
        return step
    else:
        step.reason = "the link is gone already"
    if step.action == transitions.CONFLICT:
        step.refuse(step.reason)
    else:
        _drop_resolv_conf(request, snapshot, step)
    return step


def _unlink_name(request: LinkRequest, snapshot: Snapshot, name: str) -> Step:
    path_state = snapshot.path_state(name)
    entry = snapshot.entries.get(request.link_path(name))
    ours = entry if transitions.is_ours(path_state, entry) else None
    labels = ours.labels if ours else {}
    if path_state.kind != NOTHING and not selection.has_labels(labels, request.labels):
        return Step(
            name, transitions.SKIPPED, "its container has not these labels", path_state=path_state
        )
    action, reason = transitions.absent(path_state, entry, request.force)
    step = Step(
        name,
        action,
        reason,
        exact=True,
        path_state=path_state,
        container=ours.container() if ours else None,
        old=ours,
        forget=entry is not None,
    )
    if action != transitions.CONFLICT:
        _drop_resolv_conf(request, snapshot, step)
    return step


def _drop_resolv_conf(request: LinkRequest, snapshot: Snapshot, step: Step) -> None:
    """The link's resolv.conf goes with it; one that is not ours only by force, and if asked for."""
    file = snapshot.resolv_files.get(step.name)
    if file is None:
        return
    ours = file.owner is not None and file.owner["link"] == request.link_path(step.name)
    if ours or (request.force and request.resolv_conf):
        step.drop_resolv = True
        if step.action == transitions.UNCHANGED:
            step.action = transitions.REMOVED
            step.reason = f"only {etc_netns.path_of(step.name)} was left of it"


def _prune(request: LinkRequest, snapshot: Snapshot, steps: t.Sequence[Step]) -> list[Step]:
    """Our links for containers that are gone, as an engine that was read in full says.

    The hook's own links go as well where it has another for the container, or is to have none.
    """
    running = _running(snapshot)
    linked = {
        step.container.key: step.name
        for step in steps
        if step.container and step.action not in (transitions.SKIPPED, transitions.CONFLICT)
    }
    taken = {
        step.name
        for step in steps
        if (step.origin or step.old)
        and step.action not in (transitions.SKIPPED, transitions.CONFLICT)
    }
    disputed = {step.name for step in steps if step.action == transitions.CONFLICT}
    pruned = []
    for entry in _narrowed(request, snapshot):
        if entry.name in taken or entry.key is None or not _is_over(snapshot, entry):
            continue
        step = _unlink(request, snapshot, entry)
        if step.action == transitions.CONFLICT and entry.name in disputed:
            continue
        if step.action == transitions.REMOVED and entry.key in running:
            step.reason = "its container runs in another namespace now"
        pruned.append(step)
    if request.maker == HOOK:
        done = taken | {step.name for step in pruned}
        pruned += _unwanted(request, snapshot, linked, done)
        pruned += _left_behind(request, snapshot, pruned)
    done = {step.name for step in pruned}
    if request.only is not None:
        return pruned
    return pruned + [
        step
        for name in snapshot.resolv_files
        if name not in done and name not in taken and name not in disputed
        for step in [_orphan(request, snapshot, name)]
        if step is not None
    ]


def _unwanted(
    request: LinkRequest,
    snapshot: Snapshot,
    linked: t.Mapping[model.ContainerKey, str],
    done: t.Container[str],
) -> t.Iterator[Step]:
    """Links that the hook made and would not make any more: of another name, of what it leaves out."""
    known = {one.key: one for reading in snapshot.readings for one in reading.containers}
    for entry in snapshot.entries.values():
        if entry.maker != HOOK or entry.key is None or entry.name in done:
            continue
        container = known.get(entry.key)
        if request.engines is not None and entry.engine not in request.engines:
            reason = f"the hook is not to link containers of {entry.engine}"
        elif not selection.has_labels(
            container.labels if container else entry.labels, request.labels
        ):
            reason = "the hook is not to link containers without these labels"
        elif entry.key in linked:
            reason = f"its container's link is {linked[entry.key]} now"
        else:
            continue
        step = _unlink(request, snapshot, entry)
        if step.action == transitions.REMOVED:
            step.reason = reason
        yield step


def _left_behind(
    request: LinkRequest, snapshot: Snapshot, pruned: t.Iterable[Step]
) -> t.Iterator[Step]:
    """Links by PID or path to namespaces that containers have ended in."""
    running = _running(snapshot)
    ended = {
        step.path_state.netns
        for step in pruned
        if step.action == transitions.REMOVED and step.old and step.old.key not in running
    }
    used = {origin.netns for origin in snapshot.origins.values()}
    used.update(
        entry.netns
        for entry in snapshot.entries.values()
        if entry.key is not None and not _is_over(snapshot, entry)
    )
    for entry in snapshot.entries.values():
        if entry.key is None and entry.netns in ended - used:
            step = _unlink(request, snapshot, entry)
            if step.action == transitions.REMOVED:
                step.reason = "the container that had its namespace is gone"
            yield step


def _was_read(snapshot: Snapshot, key: model.ContainerKey) -> bool:
    """Whether the container's own daemon was read in full: unknown is not gone."""
    return any(one.contains(key) for one in snapshot.readings)


def _orphan(request: LinkRequest, snapshot: Snapshot, name: str) -> Step | None:
    """A resolv.conf of ours whose link is gone: after a reboot, or by `ip netns del`."""
    owner = snapshot.resolv_files[name].owner
    if (
        owner is None
        or owner["link"] != request.link_path(name)
        or snapshot.path_state(name).kind != NOTHING
        or (request.engines is not None and owner.get("engine") not in request.engines)
        or not selection.has_labels(owner.get("labels") or {}, request.labels)
    ):
        return None
    step = Step(name, transitions.UNCHANGED)
    _drop_resolv_conf(request, snapshot, step)
    return step
