# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Carries a plan out, under the lock; never called in check mode.

Every name is looked at again right before it is touched, through a descriptor: what others did
since the snapshot turns its step into a conflict. The window that stays is between that look and
unlink(2), some microseconds, against programs that do not take our locks.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import time
import typing as t

from .. import model
from ..engines import registry
from ..kernel import locks, mounts, nsfs, procfs
from . import etc_netns, ledger, transitions
from .plan import Plan, Step
from .request import LinkRequest
from .snapshot import NETNS, NOTHING, SYMLINK, Origin, PathState, SessionCache, read_directory_state

# So many links at a time: two open files each, and two writes of the ledger for all.
_BATCH = 200
_BUSY_TRIES = 10
_BUSY_RETRY_DELAY = 0.01


def carry_out(request: LinkRequest, plan: Plan, session: SessionCache) -> None:
    """Do every step that changes something; one that fails says so in its action and reason."""
    book = session.book
    links = [step for step in plan.steps if step.entry and not _stands(step)]
    removals = [
        step
        for step in plan.steps
        if step.action == transitions.REMOVED and step.path_state.kind != NOTHING
    ]
    if links or removals:
        folder = _Folder(request.netns_dir, bool(links), session)
        try:
            for start in range(0, len(links), _BATCH):
                _link(
                    folder,
                    [
                        _Job(step, step.entry)
                        for step in links[start : start + _BATCH]
                        if step.entry
                    ],
                    request,
                    book,
                )
            _each(removals, folder.clear)
        finally:
            folder.close()
    etc_netns.tidy()
    _each([step for step in plan.steps if step.action in transitions.CHANGES], _resolv_conf)
    book.record(
        # A link that stays may be for another container of its namespace from now on.
        [step.entry for step in plan.steps if step.entry and _stands(step)],
        map(request.link_path, [step.name for step in plan.steps if step.forget] + list(plan.gone)),
    )


def _stands(step: Step) -> bool:
    """Whether what stands there is the link that is wanted."""
    return step.origin is not None and step.path_state.netns == step.origin.netns


class _Job:
    """A link in the making: its step, what the ledger is to say of it, and two open files."""

    def __init__(self, step: Step, entry: ledger.Entry) -> None:
        self.step = step
        self.entry = entry
        self.namespace = -1
        self.placeholder = -1

    def close(self) -> None:
        for fd in (self.namespace, self.placeholder):
            if fd >= 0:
                os.close(fd)


_Item = t.TypeVar("_Item", Step, _Job)


def _each(items: t.Iterable[_Item], action: t.Callable[[_Item], None]) -> list[_Item]:
    """Do it for each; those that it worked for. The others' steps tell why, and others go on."""
    done = []
    for item in items:
        step = item if isinstance(item, Step) else item.step
        try:
            action(item)
        except model.GoneError as error:
            step.refuse(f"{error}: run again")
            if not step.exact:
                step.action = transitions.SKIPPED
        except model.NetnsError as error:
            step.refuse(str(error))
        except OSError as error:
            step.refuse(explain(error))
        else:
            done.append(item)
    return done


def explain(error: OSError) -> str:
    """What an error of the kernel's means to the user."""
    name = errno.errorcode.get(error.errno or 0, "?")
    hint = (
        ": root lacks CAP_SYS_ADMIN here, as inside a container"
        if error.errno == errno.EPERM
        else ""
    )
    return f"{error.strerror} ({name}) at {error.filename}{hint}"


def _link(
    folder: _Folder, jobs: t.Sequence[_Job], request: LinkRequest, book: ledger.Ledger
) -> None:
    """Open and check each namespace, claim the names, then mount."""
    try:
        opened = _each(jobs, lambda job: _open_namespace(job, request.timeout))
        # The intent: whatever a crash leaves from here on is known to be ours.
        book.record(job.entry for job in opened)
        placed = _each(opened, folder.place)
        for job in placed:
            job.entry = job.entry._replace(file=os.fstat(job.placeholder).st_ino)
        book.record(job.entry for job in placed)
        mounted = set(_each(placed, lambda job: mounts.bind(job.namespace, job.placeholder)))
        lost = [job for job in opened if job not in mounted]
        for job in lost:
            folder.discard(job)
        book.record(
            [job.entry._replace(previous=None) for job in mounted if job.entry.previous]
            # It may still stand as it was; if not, the next look at it says so.
            + [job.step.old for job in lost if job.step.old],
            [job.entry.path for job in lost if not job.step.old],
        )
    finally:
        for job in jobs:
            job.close()


def _open_namespace(job: _Job, timeout: float) -> None:
    """Open what was planned, once, and make sure whose it is: this very file is then mounted."""
    origin = job.step.origin
    if origin is None:
        raise model.GoneError("there is nothing to link")
    try:
        if origin.path is not None:
            job.namespace = nsfs.open_netns(origin.path)
        elif origin.container is not None:
            job.namespace = _open_of_container(origin, origin.container, timeout)
        elif origin.pid:
            job.namespace = nsfs.open_netns("ns/net", dir_fd=origin.held)
        else:
            job.namespace = os.dup(origin.held)
    except (FileNotFoundError, ProcessLookupError, model.NotANetnsError):
        raise model.GoneError("it ended while it was to be linked") from None
    if nsfs.netns_id(os.fstat(job.namespace)) != origin.netns:
        raise model.GoneError("it came into another namespace while it was to be linked")


def _open_of_container(origin: Origin, container: model.Container, timeout: float) -> int:
    """Open the namespace of a container that has no pin, by a process that is verified to be its."""
    process = procfs.open_process(origin.pid)
    try:
        if procfs.start_time(process) != origin.start_time:
            raise model.GoneError(f"process {origin.pid} is another one by now")
        # A user's cgroups have the names that the user gives them.
        if container.user or not procfs.in_cgroup_of(process, container.id):
            # Engines learn late of an end, so that asking again does not tell of a PID taken anew.
            if origin.young:
                raise model.GoneError(f"process {origin.pid} started while its engine was asked")
            if not registry.still_runs(container, timeout):
                raise model.GoneError(f"process {origin.pid} is not the container's any more")
        return nsfs.open_netns("ns/net", dir_fd=process)
    finally:
        os.close(process)


class _Folder:
    """netns_dir, open and locked as `ip netns` locks it, so that neither sees half of a change."""

    def __init__(self, path: str, make: bool, session: SessionCache) -> None:
        self._path = path
        try:
            self._fd = self._open()
        except FileNotFoundError:
            if not make:
                raise
            self._make()
            self._fd = self._open()
        locks.lock(self._fd, path)
        self._lock = self._fd
        if make and (session.ready is None or mounts.mount_id(self._fd) != session.ready):
            session.ready = self._share()
        self._device = os.fstat(self._fd).st_dev

    def _open(self) -> int:
        return os.open(self._path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def _make(self) -> None:
        try:
            os.mkdir(self._path, 0o755)
        except FileExistsError:
            pass
        except FileNotFoundError:
            raise model.NetnsError(
                f"netns_dir {self._path} has no parent directory: make it first"
            ) from None

    def _share(self) -> int | None:
        """Have what is mounted in it propagate, where that can be. Returns its mount, if it does."""
        table = {mount.id: mount for mount in mounts.read(directory=self._path)}
        todo = transitions.propagation(read_directory_state(self._fd, self._path, table))
        if todo in (transitions.BIND_SHARED, transitions.MAKE_SHARED):
            mounts.make_shared_self_bind(self._path, bound=todo == transitions.MAKE_SHARED)
            # What is opened through the folder from now on is to be on its new mount.
            self._fd = self._open()
        return None if todo == transitions.LEAVE else mounts.mount_id(self._fd)

    def close(self) -> None:
        for fd in sorted({self._fd, self._lock}):
            os.close(fd)

    def place(self, job: _Job) -> None:
        """Have an empty file of ours at the name, with nothing mounted on it."""
        step = job.step
        if step.clear:
            self.clear(step)
        if step.clear or step.path_state.kind == NOTHING:
            try:
                flags = os.O_RDONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
                job.placeholder = os.open(step.name, flags, 0, dir_fd=self._fd)
            except FileExistsError:
                raise model.NetnsError(
                    "somebody else made a link of this name meanwhile: run again"
                ) from None
        else:
            self._detach(step.name, step.path_state)
            job.placeholder = self._open_placeholder(step.name, step.path_state.file)

    def discard(self, job: _Job) -> None:
        """Take away a placeholder that nothing came to be mounted on."""
        if job.placeholder >= 0:
            file = os.fstat(job.placeholder).st_ino
            _each([job], lambda _job: self._unlink(job.step.name, file))

    def clear(self, step: Step) -> None:
        """Take away what stands at a name: mounts, then the file; or the symbolic link alone."""
        with contextlib.suppress(FileNotFoundError):  # `ip netns del` was quicker
            self._clear(step)

    def _clear(self, step: Step) -> None:
        if step.path_state.kind == SYMLINK:
            if stat.S_ISLNK(os.stat(step.name, dir_fd=self._fd, follow_symlinks=False).st_mode):
                os.unlink(step.name, dir_fd=self._fd)
            return
        self._detach(step.name, step.path_state)
        self._unlink(step.name, step.path_state.file)

    def _detach(self, name: str, path_state: PathState) -> None:
        """Detach the mounts that the snapshot saw at a name, each checked, and no more."""
        if path_state.kind != NETNS or path_state.netns is None:
            return
        known = {path_state.netns.inode, *path_state.layers}
        for _layer in range(max(1, len(path_state.layers))):
            fd = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self._fd)
            try:
                status = os.fstat(fd)
                if status.st_dev != path_state.netns.dev:
                    return
                if status.st_ino not in known:
                    raise model.NetnsError(
                        "somebody else mounted another namespace there meanwhile: run again"
                    )
                mounts.detach(fd)
            finally:
                os.close(fd)

    def _open_placeholder(self, name: str, file: int | None) -> int:
        fd = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self._fd)
        status = os.fstat(fd)
        if (status.st_dev, status.st_ino, status.st_size) != (
            self._device,
            file,
            0,
        ) or not stat.S_ISREG(status.st_mode):
            os.close(fd)
            raise model.NetnsError("somebody else put something there meanwhile: run again")
        return fd

    def _unlink(self, name: str, file: int | None) -> None:
        os.close(self._open_placeholder(name, file))
        for tries_left in reversed(range(_BUSY_TRIES)):
            try:
                os.unlink(name, dir_fd=self._fd)
                return
            except OSError as error:
                # A mount on it that is just being torn down, or one that no path leads to.
                if error.errno != errno.EBUSY or not tries_left:
                    raise
                time.sleep(_BUSY_RETRY_DELAY)


def _resolv_conf(step: Step) -> None:
    if step.resolv is not None:
        etc_netns.write(step.name, step.resolv)
    elif step.drop_resolv:
        etc_netns.remove(step.name)
