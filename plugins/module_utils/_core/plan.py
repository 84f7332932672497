# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Wish and snapshot to steps: pure, so that check mode and a real run cannot differ."""

from __future__ import annotations

import typing as t

from . import decide, ledger, model, resolvconf, selection, targets
from .snapshot import NETNS, NO_STAND, NOTHING, SYMLINK, Origin, Snapshot, Stand
from .wish import HOOK, Wish


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
        stand: Stand = NO_STAND,
        origin: Origin | None = None,
        container: model.Container | None = None,
        old: ledger.Entry | None = None,
        forget: bool = False,
    ) -> None:
        self.name = name
        self.action = action
        self.reason = reason
        self.exact = exact
        self.stand = stand
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
        self.action, self.reason = decide.CONFLICT, reason
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


def make(wish: Wish, snapshot: Snapshot) -> Plan:
    """Work out the steps. Raises SelectionError for what is named exactly and cannot be had."""
    warnings = list(snapshot.warnings)
    gone: list[str] = []
    if wish.absent:
        steps = _absent(wish, snapshot)
    else:
        warnings += _check_directory(wish, snapshot)
        found = targets.find(wish, snapshot)
        warnings += found.warnings
        steps = _present(wish, snapshot, found.targets)
    if wish.prune:
        for step in _prune(wish, snapshot, steps):
            if step.action == decide.UNCHANGED:
                gone.append(step.name)
            else:
                steps.append(step)
    warnings += _check_engines(wish, snapshot)
    refused = [step for step in steps if step.exact and step.action == decide.CONFLICT]
    if refused:
        raise model.SelectionError(
            "; ".join(f"{wish.link_path(step.name)}: {step.reason}" for step in refused)
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


def _check_directory(wish: Wish, snapshot: Snapshot) -> list[str]:
    directory = snapshot.directory
    if directory.mount_point and not directory.self_bind:
        raise model.SelectionError(
            f"netns_dir {wish.netns_dir} is a mount point of something else, and links in it would be "
            "lost with that mount: `umount` it, or give another netns_dir"
        )
    if decide.propagation(directory) == decide.LEAVE and not directory.shared:
        warning = (
            f"{wish.netns_dir} has mounts in it and is not shared, so other mount namespaces (services "
            "with a sandbox) do not see new links. Nothing was changed about that: when nobody uses "
            "the mounts in it, unmount them, and the next run shares it"
        )
        return [warning]
    return []


def _check_engines(wish: Wish, snapshot: Snapshot) -> list[str]:
    asks = wish.prune or bool(wish.containers) or wish.all
    if not asks or (wish.absent and not wish.prune) or wish.only is not None:
        return []
    found = {reading.engine for reading in snapshot.readings if reading.found}
    missing = [engine for engine in wish.engines or () if engine not in found]
    if missing and wish.maker == HOOK:
        return [f"no {' and no '.join(missing)} was found on this host yet"]
    if missing:
        raise model.SelectionError(
            f"no {' and no '.join(missing)} was found on this host: start it, or take it out of `engines`"
        )
    return [] if found else ["no container engine was found on this host"]


def _present(wish: Wish, snapshot: Snapshot, wanted: t.Sequence[targets.Target]) -> list[Step]:
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
                    decide.SKIPPED,
                    target.skip,
                    origin=target.origin,
                    container=target.container,
                )
            )
        else:
            step = _link(wish, snapshot, called, target, target.origin)
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
    wish: Wish,
    snapshot: Snapshot,
    called: t.Mapping[model.ContainerKey, str],
    target: targets.Target,
    origin: Origin,
) -> Step:
    path = wish.link_path(target.name)
    stand = snapshot.stand(target.name)
    old = snapshot.entries.get(path)
    ours = decide.is_ours(stand, old)
    action, reason = decide.present(stand, old, origin.netns, wish.force)
    if ours and old is not None and action in decide.CHANGES:
        held = _held(wish, snapshot, called, old, target)
        action, reason = (decide.CONFLICT, held) if held else (action, reason)
    step = Step(
        target.name,
        action,
        reason,
        exact=target.exact,
        stand=stand,
        origin=origin,
        container=target.container,
        old=old if ours else None,
    )
    if action == decide.CONFLICT:
        return step
    entry = _entry(wish, target, origin, stand)
    if step.old is not None and (action == decide.UNCHANGED or step.old.maker == HOOK):
        entry = entry._replace(maker=step.old.maker)
    if action in decide.CHANGES:
        step.clear = not ours and (stand.kind in (NETNS, SYMLINK) or stand.holder is not None)
        step.entry = entry._replace(
            file=None if step.clear else stand.file,
            previous=stand.netns if ours and action == decide.RELINKED else None,
        )
    elif ours and old is not None and (old.key != entry.key or old.previous is not None):
        # It stays, now for another container of the same namespace; or its move is over, which a
        # crash kept the ledger from saying.
        step.entry = entry
    if wish.resolv_conf and target.container is not None:
        _add_resolv_conf(wish, snapshot, step, target.container)
    return step


def _held(
    wish: Wish,
    snapshot: Snapshot,
    called: t.Mapping[model.ContainerKey, str],
    old: ledger.Entry,
    target: targets.Target,
) -> str | None:
    """Why the hook, which nobody watches, leaves one of our links at the name that it wants."""
    if wish.maker != HOOK or (target.container and old.key == target.container.key):
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


def _entry(wish: Wish, target: targets.Target, origin: Origin, stand: Stand) -> ledger.Entry:
    container = target.container
    entry = ledger.Entry(
        path=wish.link_path(target.name), netns=origin.netns, file=stand.file, maker=wish.maker
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
    wish: Wish, snapshot: Snapshot, step: Step, container: model.Container
) -> None:
    lines = snapshot.dns.get(container.key, ())
    if not lines:
        step.reason = "the container has no DNS servers, so no resolv.conf was written"
        return
    path = resolvconf.path_of(step.name)
    text = resolvconf.compose(lines, wish.link_path(step.name), container)
    file = snapshot.resolv_files.get(step.name)
    if file is not None and file.owner is None and not wish.force:
        step.refuse(
            f"{path} was not written by this collection: move it away, or replace it by `force: true`"
        )
    elif file is None or file.text != text:
        step.resolv = text
        if step.action == decide.UNCHANGED:
            step.action, step.reason = decide.REPAIRED, f"the link stands; {path} is written"


def _absent(wish: Wish, snapshot: Snapshot) -> list[Step]:
    if wish.names is not None:
        return [_unlink_name(wish, snapshot, name) for name in dict.fromkeys(wish.names)]
    if wish.all:
        return [_unlink(wish, snapshot, entry) for entry in _narrowed(wish, snapshot)]
    return _absent_containers(wish, snapshot)


def _narrowed(wish: Wish, snapshot: Snapshot) -> list[ledger.Entry]:
    """Our links of the engines, and with the labels, that the wish names."""
    return [
        entry
        for entry in snapshot.entries.values()
        if (wish.engines is None or entry.engine in wish.engines)
        and selection.has_labels(entry.labels, wish.labels)
    ]


def _absent_containers(wish: Wish, snapshot: Snapshot) -> list[Step]:
    """By container: those that run, and those that only the ledger still knows."""
    known = {one.key: one for reading in snapshot.readings for one in reading.containers}
    entries: dict[model.ContainerKey, list[ledger.Entry]] = {}
    for entry in _narrowed(wish, snapshot):
        container = entry.container()
        if container is not None:
            known.setdefault(container.key, container)
            entries.setdefault(container.key, []).append(entry)
    # Links that another daemon of a silent engine told us of are as unknown as its own.
    silent = {reading.engine: reading for reading in snapshot.readings if reading.error}
    steps: dict[str, Step] = {}
    for item in wish.containers or ():
        choice = selection.choose(item, list(known.values()), wish.labels)
        if choice.exact and not choice.containers:
            steps.setdefault(
                item, Step(item, decide.UNCHANGED, "no link was made for such a container")
            )
        for container in choice.containers:
            for entry in entries.get(container.key, ()):
                reading = silent.get(container.engine)
                if reading is None or _was_read(snapshot, container.key):
                    steps[entry.name] = _unlink(wish, snapshot, entry)
                else:
                    steps[entry.name] = Step(
                        entry.name,
                        decide.SKIPPED,
                        f"{reading.engine} was not read",
                        container=container,
                    )
            if container.key not in entries:
                reason = "this collection made no link for it"
                steps.setdefault(
                    container.name,
                    Step(container.name, decide.UNCHANGED, reason, container=container),
                )
    return list(steps.values())


def _unlink(wish: Wish, snapshot: Snapshot, entry: ledger.Entry) -> Step:
    """Remove what the ledger lists, if it is still what stands there."""
    stand = snapshot.stand(entry.name)
    step = Step(
        entry.name,
        decide.UNCHANGED,
        stand=stand,
        container=entry.container(),
        old=entry,
        forget=True,
    )
    if decide.is_ours(stand, entry):
        step.action, step.reason = decide.absent(stand, entry, wish.force)
    elif stand.kind != NOTHING:
        step.reason = "what stands there now, others have made"
        return step
    else:
        step.reason = "the link is gone already"
    if step.action == decide.CONFLICT:
        step.refuse(step.reason)
    else:
        _drop_resolv_conf(wish, snapshot, step)
    return step


def _unlink_name(wish: Wish, snapshot: Snapshot, name: str) -> Step:
    stand = snapshot.stand(name)
    entry = snapshot.entries.get(wish.link_path(name))
    ours = entry if decide.is_ours(stand, entry) else None
    labels = ours.labels if ours else {}
    if stand.kind != NOTHING and not selection.has_labels(labels, wish.labels):
        return Step(name, decide.SKIPPED, "its container has not these labels", stand=stand)
    action, reason = decide.absent(stand, entry, wish.force)
    step = Step(
        name,
        action,
        reason,
        exact=True,
        stand=stand,
        container=ours.container() if ours else None,
        old=ours,
        forget=entry is not None,
    )
    if action != decide.CONFLICT:
        _drop_resolv_conf(wish, snapshot, step)
    return step


def _drop_resolv_conf(wish: Wish, snapshot: Snapshot, step: Step) -> None:
    """The link's resolv.conf goes with it; one that is not ours only by force, and if asked for."""
    file = snapshot.resolv_files.get(step.name)
    if file is None:
        return
    ours = file.owner is not None and file.owner["link"] == wish.link_path(step.name)
    if ours or (wish.force and wish.resolv_conf):
        step.drop_resolv = True
        if step.action == decide.UNCHANGED:
            step.action = decide.REMOVED
            step.reason = f"only {resolvconf.path_of(step.name)} was left of it"


def _prune(wish: Wish, snapshot: Snapshot, steps: t.Sequence[Step]) -> list[Step]:
    """Our links for containers that are gone, as an engine that was read in full says.

    The hook's own links go as well where it has another for the container, or is to have none.
    """
    running = _running(snapshot)
    linked = {
        step.container.key: step.name
        for step in steps
        if step.container and step.action not in (decide.SKIPPED, decide.CONFLICT)
    }
    taken = {
        step.name
        for step in steps
        if (step.origin or step.old) and step.action not in (decide.SKIPPED, decide.CONFLICT)
    }
    disputed = {step.name for step in steps if step.action == decide.CONFLICT}
    pruned = []
    for entry in _narrowed(wish, snapshot):
        if entry.name in taken or entry.key is None or not _is_over(snapshot, entry):
            continue
        step = _unlink(wish, snapshot, entry)
        if step.action == decide.CONFLICT and entry.name in disputed:
            continue
        if step.action == decide.REMOVED and entry.key in running:
            step.reason = "its container runs in another namespace now"
        pruned.append(step)
    if wish.maker == HOOK:
        done = taken | {step.name for step in pruned}
        pruned += _unwanted(wish, snapshot, linked, done)
        pruned += _left_behind(wish, snapshot, pruned)
    done = {step.name for step in pruned}
    if wish.only is not None:
        return pruned
    return pruned + [
        step
        for name in snapshot.resolv_files
        if name not in done and name not in taken and name not in disputed
        for step in [_orphan(wish, snapshot, name)]
        if step is not None
    ]


def _unwanted(
    wish: Wish,
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
        if wish.engines is not None and entry.engine not in wish.engines:
            reason = f"the hook is not to link containers of {entry.engine}"
        elif not selection.has_labels(container.labels if container else entry.labels, wish.labels):
            reason = "the hook is not to link containers without these labels"
        elif entry.key in linked:
            reason = f"its container's link is {linked[entry.key]} now"
        else:
            continue
        step = _unlink(wish, snapshot, entry)
        if step.action == decide.REMOVED:
            step.reason = reason
        yield step


def _left_behind(wish: Wish, snapshot: Snapshot, pruned: t.Iterable[Step]) -> t.Iterator[Step]:
    """Links by PID or path to namespaces that containers have ended in."""
    running = _running(snapshot)
    ended = {
        step.stand.netns
        for step in pruned
        if step.action == decide.REMOVED and step.old and step.old.key not in running
    }
    used = {origin.netns for origin in snapshot.origins.values()}
    used.update(
        entry.netns
        for entry in snapshot.entries.values()
        if entry.key is not None and not _is_over(snapshot, entry)
    )
    for entry in snapshot.entries.values():
        if entry.key is None and entry.netns in ended - used:
            step = _unlink(wish, snapshot, entry)
            if step.action == decide.REMOVED:
                step.reason = "the container that had its namespace is gone"
            yield step


def _was_read(snapshot: Snapshot, key: model.ContainerKey) -> bool:
    """Whether the container's own daemon was read in full: unknown is not gone."""
    return any(one.knows(key) for one in snapshot.readings)


def _orphan(wish: Wish, snapshot: Snapshot, name: str) -> Step | None:
    """A resolv.conf of ours whose link is gone: after a reboot, or by `ip netns del`."""
    owner = snapshot.resolv_files[name].owner
    if (
        owner is None
        or owner["link"] != wish.link_path(name)
        or snapshot.stand(name).kind != NOTHING
        or (wish.engines is not None and owner.get("engine") not in wish.engines)
        or not selection.has_labels(owner.get("labels") or {}, wish.labels)
    ):
        return None
    step = Step(name, decide.UNCHANGED)
    _drop_resolv_conf(wish, snapshot, step)
    return step
