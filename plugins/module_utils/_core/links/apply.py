# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Carries out a plan, under the lock. Check mode does not call it.

Every path is checked again right before it is changed, through a descriptor. If another program has
changed it since the snapshot, its step becomes a conflict. Between that check and unlink(2) or rename(2), a
program that does not take these locks still has some microseconds to change it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
import time
import typing as t

from .. import model
from ..engines import registry
from ..kernel import locks, mounts, nsfs
from ..named_tuple import NamedTuple
from . import etc_netns, opening, transitions
from .ledger import Entry, Ledger
from .netns_dir import NETNS, NOTHING, SYMLINK, PathState, directory_state, is_on_host_mount
from .request import LinkRequest
from .session import SessionCache
from .step import Plan, Step, StepResult

# How many links are made at a time. Each has two open files; the ledger is written for all of them at once.
_BATCH_SIZE = 200
_NEW_FILE = os.O_RDONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
_BUSY_TRIES = 10
_BUSY_RETRY_DELAY = 0.01


class Applied(NamedTuple):
    """The result of each step, in the plan's order, and the warnings."""

    results: tuple[StepResult, ...]
    warnings: tuple[str, ...]


def apply(request: LinkRequest, plan: Plan, session: SessionCache) -> Applied:
    """Do every step that changes something."""
    warnings: list[str] = []
    tasks = [
        _LinkTask(step, step.entry)
        if step.entry and not step.links_already
        else _Task(step, request.link_path(step.name))
        for step in plan.steps
    ]
    links = [task for task in tasks if isinstance(task, _LinkTask)]
    others = [task for task in tasks if not isinstance(task, _LinkTask)]
    removals = [
        task
        for task in others
        if task.step.action == transitions.REMOVED and task.step.path_state.kind != NOTHING
    ]
    if links or removals:
        with contextlib.ExitStack() as open_files:
            directory = _LockedDirectory(request.netns_dir, bool(links), session, open_files)
            warnings += directory.warnings
            for start in range(0, len(links), _BATCH_SIZE):
                batch = links[start : start + _BATCH_SIZE]
                _link(directory, batch, session.budget, session.ledger)
            _for_each(removals, lambda task: directory.clear(task.step))
    etc_netns.remove_leftovers()
    _for_each(
        [
            task
            for task in tasks
            if (task.step.resolv_conf is not None or task.step.remove_resolv_conf)
            and task.step.changes
            and not task.failed
        ],
        _resolv_conf,
    )
    done = [task.step for task in others if not task.failed]
    session.ledger.record(
        # A link that stays may be for another container of its namespace from now on.
        [step.entry for step in done if step.entry],
        map(request.link_path, [step.name for step in done if step.forget] + list(plan.vanished)),
    )
    return Applied(tuple(task.result for task in tasks), tuple(warnings))


def share(netns_dir: str, session: SessionCache) -> None:
    """Have mounts in netns_dir propagate. Raises NetnsError where that is not possible."""
    with contextlib.ExitStack() as open_files:
        _LockedDirectory(netns_dir, True, session, open_files)
    if session.ready_mount is None:
        raise model.NetnsError("it cannot be shared any more: run again")


class _Task:
    """A step while it is carried out, and its result. `path` is the file that it changes."""

    def __init__(self, step: Step, path: str) -> None:
        self.step = step
        self.path = path
        self.result = StepResult(step.action, step.reason)
        self.failed = False

    def fail(
        self, reason: str, action: str = transitions.CONFLICT, by_kernel: bool = False
    ) -> None:
        self.failed = True
        self.result = StepResult(action, reason, by_kernel)


class _LinkTask(_Task):
    """A link while it is made: the entry that the ledger records of it, and two open files.

    `namespace` is the namespace, or with `is_copy` a copy of the engine's mount of it, and `placeholder` the file that
    it is mounted on; -1 is not open yet. `is_vacant` is whether nothing is at its name any more.
    """

    def __init__(self, step: Step, entry: Entry) -> None:
        super().__init__(step, entry.path)
        self.entry = entry
        self.is_vacant = step.path_state.kind == NOTHING
        self.namespace = -1
        self.is_copy = False
        self.placeholder = -1

    def close(self) -> None:
        for fd in (self.namespace, self.placeholder):
            if fd >= 0:
                os.close(fd)


_AnyTask = t.TypeVar("_AnyTask", bound=_Task)


def _for_each(
    tasks: t.Iterable[_AnyTask], function: t.Callable[[_AnyTask], object]
) -> list[_AnyTask]:
    """Call the function for each task. Returns the tasks that succeeded; those that fail get a result."""
    succeeded = []
    for task in tasks:
        try:
            function(task)
        except model.GoneError as error:
            action = transitions.CONFLICT if task.step.exact else transitions.SKIPPED
            task.fail(f"{error}: run again", action)
        except model.NetnsError as error:
            task.fail(str(error))
        except OSError as error:
            task.fail(explain(error, task.path), transitions.SKIPPED, by_kernel=True)
        else:
            succeeded.append(task)
    return succeeded


_OWN_FILE = r"/proc/(self|[0-9]+/fd)/"
_HINTS = {
    errno.EPERM: ": root lacks CAP_SYS_ADMIN here, as inside a container",
    errno.ENOSPC: ": its file system is full: free space there, and run again",
}


def explain(error: OSError, path: str | None = None) -> str:
    """A kernel error as a message for the user; `path` is what was changed, where the error does not name it."""
    name = errno.errorcode.get(error.errno or 0, "?")
    named = error.filename if isinstance(error.filename, str) else ""
    # A descriptor of this process means nothing to the user: /proc/self/fd/N, or /proc/PID/fd/N.
    is_own = re.match(_OWN_FILE, named) is not None
    if path and (not named.startswith("/") or is_own):
        named = path
    where = f" at {named}" if named else ""
    return f"{error.strerror} ({name}){where}{_HINTS.get(error.errno or 0, '')}"


def _link(
    directory: _LockedDirectory,
    tasks: t.Sequence[_LinkTask],
    budget: registry.Budget,
    ledger: Ledger,
) -> None:
    """Open and verify each namespace, claim the names, then mount."""
    own_files = nsfs.open_own_files()
    try:
        opened = _for_each(tasks, lambda task: _open_namespace(task, budget, own_files))
        # Record the intent, so that whatever a crash leaves from here on counts as managed.
        ledger.record(task.entry for task in opened)
        _for_each([task for task in opened if not task.is_vacant], directory.vacate)
        vacated = [task for task in opened if not task.failed]
        # The old files of these are gone, and the numbers of the new ones are not known yet: with None, the
        # entry also claims the empty file that a crash leaves.
        with_new_file = [task for task in vacated if task.is_vacant and task.entry.file is not None]
        ledger.record(task.entry._replace(file=None) for task in with_new_file)
        placed = _for_each(vacated, directory.place)
        ledger.record_files((task.path, os.fstat(task.placeholder).st_ino) for task in placed)
        mounted = set(_for_each(placed, _mount))
        not_mounted = [task for task in opened if task not in mounted]
        for task in not_mounted:
            directory.discard(task)
        ledger.record(
            [
                ledger.entries[task.path]._replace(previous=None)
                for task in mounted
                if task.entry.previous
            ]
            # The old link may still be there; if it is not, the next run notices.
            + [task.step.old_entry for task in not_mounted if task.step.old_entry],
            [task.entry.path for task in not_mounted if not task.step.old_entry],
        )
    finally:
        os.close(own_files)
        for task in tasks:
            task.close()


def _open_namespace(task: _LinkTask, budget: registry.Budget, own_files: int) -> None:
    """Open the planned namespace, once, and verify its owner. The open file is what is mounted later."""
    origin = task.step.origin
    if origin is None:
        raise model.GoneError("there is nothing to link")
    copy = opening.copy_pin(origin, own_files)
    task.is_copy = copy is not None
    task.namespace = opening.open_origin(origin, budget) if copy is None else copy


def _mount(task: _LinkTask) -> None:
    bind = mounts.bind_copy if task.is_copy else mounts.bind
    bind(task.namespace, task.placeholder)


class _LockedDirectory:
    """netns_dir, open and locked as `ip netns` locks it, so that neither sees half of a change.

    With `make`, it is created where it does not exist, and prepared so that mounts in it propagate.
    `open_files` closes it, also where that fails. `warnings` are about the lock.
    """

    def __init__(
        self, path: str, make: bool, session: SessionCache, open_files: contextlib.ExitStack
    ) -> None:
        self._path = path
        self._open_files = open_files
        self.warnings: list[str] = []
        try:
            self._fd = self._open()
        except FileNotFoundError:
            if not make:
                raise
            self._make()
            self._fd = self._open()
        if not locks.lock_directory(self._fd):
            self.warnings.append(
                f"another program holds the lock on {path}, which `ip netns` takes as well: this run went on "
                f"without it. See which with `fuser -v {path}`"
            )
        if make and (
            session.ready_mount is None or mounts.mount_id(self._fd) != session.ready_mount
        ):
            session.ready_mount = self._prepare_propagation()
        self._device = os.fstat(self._fd).st_dev

    def _open(self) -> int:
        fd = os.open(self._path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._open_files.callback(os.close, fd)
        return fd

    def _make(self) -> None:
        try:
            os.mkdir(self._path, 0o755)
        except FileExistsError:
            pass
        except FileNotFoundError:
            raise model.NetnsError(
                f"netns_dir {self._path} has no parent directory: make it first"
            ) from None

    def _prepare_propagation(self) -> int | None:
        """Have mounts in it propagate, where that is possible. Returns the id of its mount, if they do."""
        table = {mount.id: mount for mount in mounts.read(directory=self._path)}
        preparation = transitions.propagation(directory_state(self._fd, self._path, table))
        if preparation in (transitions.BIND_SHARED, transitions.MAKE_SHARED):
            if not is_on_host_mount(self._path):
                # It is on a peer of the host's mount. A mount made here would not be a peer of the host's.
                return None
            is_bound = preparation == transitions.MAKE_SHARED
            mounts.make_shared_self_bind(self._path, bound=is_bound)
            # Open it again, so that what is opened through it from now on is on the new mount.
            self._fd = self._open()
        return None if preparation == transitions.LEAVE else mounts.mount_id(self._fd)

    def vacate(self, task: _LinkTask) -> None:
        """Detach what is mounted at the name, and remove the file.

        When the file is removed, the kernel also detaches the mounts on it in all other mount namespaces.
        Containers with the host's /run have private copies, which would keep the old namespace alive.
        """
        step = task.step
        try:
            if step.clear:
                self.clear(step)
                task.is_vacant = True
            elif not task.is_vacant:
                self._detach(step.name, step.path_state)
        except OSError as error:
            # A mount on the file that no path leads to, or a kernel before 3.18: the file is used again.
            if error.errno != errno.EBUSY or step.old_entry is None:
                raise
            task.result = task.result._replace(
                reason="another mount of the old link is left, and keeps the old namespace: see `findmnt -t nsfs`"
            )

    def place(self, task: _LinkTask) -> None:
        """Open an empty file at the name, a new one or the old one, with nothing mounted on it."""
        step = task.step
        if task.is_vacant:
            try:
                task.placeholder = os.open(step.name, _NEW_FILE, 0, dir_fd=self._fd)
            except FileExistsError:
                raise model.NetnsError(
                    "another program made an entry of this name meanwhile: run again"
                ) from None
        else:
            task.placeholder = self._open_placeholder(step.name, step.path_state.file)

    def discard(self, task: _LinkTask) -> None:
        """Remove a placeholder that nothing was mounted on."""
        if task.placeholder >= 0:
            file = os.fstat(task.placeholder).st_ino
            _for_each([task], lambda _task: self._unlink(task.step.name, file))

    def clear(self, step: Step) -> None:
        """Remove what is at a name: mounts, then the file; or the symbolic link alone."""
        with contextlib.suppress(FileNotFoundError):  # `ip netns del` was quicker
            self._clear(step)

    def _clear(self, step: Step) -> None:
        if step.path_state.kind == SYMLINK:
            status = os.stat(step.name, dir_fd=self._fd, follow_symlinks=False)
            if not stat.S_ISLNK(status.st_mode) or status.st_ino != step.path_state.file:
                raise _replaced()
            os.unlink(step.name, dir_fd=self._fd)
            return
        self._detach(step.name, step.path_state)
        self._unlink(step.name, step.path_state.file)

    def _detach(self, name: str, path_state: PathState) -> None:
        """Detach the mounts that the snapshot has at a name, each verified, and no more."""
        if path_state.kind != NETNS or path_state.netns is None:
            return
        expected = {path_state.netns.inode, *path_state.layers}
        for _layer in range(max(1, len(path_state.layers))):
            fd = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self._fd)
            try:
                status = os.fstat(fd)
                if status.st_dev != path_state.netns.dev:
                    return
                if status.st_ino not in expected:
                    raise model.NetnsError(
                        "another program mounted another namespace at this path meanwhile: run again"
                    )
                mounts.detach(fd)
            finally:
                os.close(fd)

    def _open_placeholder(self, name: str, file: int | None) -> int:
        """Open the empty file at a name. Raises NetnsError where it is not this file, or not empty."""
        fd = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self._fd)
        status = os.fstat(fd)
        if (status.st_dev, status.st_ino, status.st_size) != (
            self._device,
            file,
            0,
        ) or not stat.S_ISREG(status.st_mode):
            os.close(fd)
            raise _replaced()
        return fd

    def _unlink(self, name: str, file: int | None) -> None:
        os.close(self._open_placeholder(name, file))
        for tries_left in reversed(range(_BUSY_TRIES)):
            try:
                os.unlink(name, dir_fd=self._fd)
                return
            except OSError as error:
                # Either a mount on it is just being detached, or no path leads to a mount on it.
                if error.errno != errno.EBUSY or not tries_left:
                    raise
                time.sleep(_BUSY_RETRY_DELAY)


def _replaced() -> model.NetnsError:
    return model.NetnsError("another program replaced the entry at this path meanwhile: run again")


def _resolv_conf(task: _Task) -> None:
    step = task.step
    task.path = etc_netns.path_of(step.name)
    if step.resolv_conf is not None:
        etc_netns.write(step.name, step.resolv_conf, step.found_resolv_conf)
    elif step.remove_resolv_conf:
        etc_netns.remove(step.name, step.found_resolv_conf)
