# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""containerd, read from its state directory: pods of the CRI plugin, containers of ctr and nerdctl.

For each container that has a task, containerd 1.2 and later keeps an OCI bundle (see `shims`), in
which the runc shim writes init.pid. The CRI plugin describes pods in annotations
(internal/cri/annotations). Labels are in containerd's database; nerdctl copies them to annotations
(pkg/labels) as well.
"""

from __future__ import annotations

import os
import re
import time
import typing as t

from .. import model
from ..named_tuple import NamedTuple
from . import bundles, containerd_metadata, daemons, state_files, values
from .shims import DOCKER_STATE_SUFFIX, STATE, TASKS, is_dockers

NAME = "containerd"
_CONFIG = "/etc/containerd/config.toml"
_ROOT = "/var/lib/containerd"
_PID_FILE = "init.pid"
# "containerd-shim-runc-v2": /proc truncates names to 15 characters.
_SHIM = "containerd-shim"
_CRI_NAMESPACE = "k8s.io"
_CRI = "io.kubernetes.cri."
_NERDCTL_NAME = "nerdctl/name"
# IDs of namespaces and containers (pkg/identifiers).
_IDENTIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
# What a state directory contains; the lower ones are read first, the last is not read.
_PODS, _CONTAINERS, _UNKNOWN, _EMPTY, _ONLY_DOCKER = range(5)


def sources(environment: t.Mapping[str, str]) -> list[str]:
    """The state directories with containers other than Docker's, those with pods first.

    They are those of the daemons and shims that run. Where these have none, the default one is read,
    so that what ended there is found to be gone. An empty directory is read as well: nothing was
    started there yet.
    """
    in_use = dict.fromkeys(os.path.realpath(state) for state in _states_in_use())
    for candidates in (in_use, (os.path.realpath(STATE),)):
        ranks = [(_rank(state, state in in_use), state) for state in candidates]
        states = [state for rank, state in sorted(ranks) if rank < _ONLY_DOCKER]
        if states:
            return states
    return []


def _rank(state: str, in_use: bool) -> int:
    try:
        namespaces = {name for name in os.listdir(f"{state}/{TASKS}") if name[:1] != "."}
    except (FileNotFoundError, NotADirectoryError):
        # The default directory also exists for the sockets of all shims.
        if not in_use or not os.path.isdir(state):
            return _ONLY_DOCKER
        namespaces = set()
    except OSError:  # `read` raises it
        return _UNKNOWN
    if not namespaces:
        return _ONLY_DOCKER if state.endswith(DOCKER_STATE_SUFFIX) else _EMPTY
    if all(is_dockers(name, f"{state}/{TASKS}/{name}") for name in namespaces):
        return _ONLY_DOCKER
    return _PODS if _CRI_NAMESPACE in namespaces else _CONTAINERS


def _states_in_use() -> t.Iterator[str]:
    """The state directories of the daemons and shims that run."""
    shim_states = {""}

    def is_candidate(pid: int, command: str) -> bool:
        # There is a shim for each container, and most have the same state directory.
        return command != _SHIM or _state_of_shim(f"/proc/{pid}/cwd") not in shim_states

    for process, command in daemons.running("containerd", is_candidate):
        if command == "containerd":
            yield _directory_of_daemon(process, "state") or STATE
        elif command == _SHIM:
            state = _state_of_shim("cwd", process)
            if state not in shim_states:
                shim_states.add(state)
                yield state


def _directory_of_daemon(process: int, name: str) -> str:
    """The directory that a daemon's option or configuration sets, "" for none."""
    directory = daemons.option(process, name) or state_files.toml_string(
        daemons.option(process, "config", "c") or _CONFIG, name, table=""
    )
    return directory if directory.startswith("/") else ""


def _root(source: str) -> str:
    """The root directory, with the database, of the daemon with this state directory; "" where not known."""
    if source != os.path.realpath(STATE):
        for process, command in daemons.running("containerd"):
            if command == "containerd":
                state = _directory_of_daemon(process, "state") or STATE
                if os.path.realpath(state) == source:
                    return _directory_of_daemon(process, "root") or _ROOT
        return ""
    root = state_files.toml_string(_CONFIG, "root", table="")
    return root if root.startswith("/") else _ROOT


def _state_of_shim(cwd: str, process: int | None = None) -> str:
    """The state directory by a shim's working directory, which is its bundle; "" for any other."""
    try:
        bundle = os.readlink(cwd, dir_fd=process)
    except OSError:  # it ended, or may not be read
        return ""
    state, separator, _rest = bundle.partition(f"/{TASKS}/")
    return state if separator else ""


def read(source: str, timeout: float, wanted: t.Callable[[model.Container], bool]) -> model.Reading:
    """All containers of all namespaces; `problem` is set where bundle and process disagree."""
    try:
        deadline = state_files.Deadline(timeout)
        tasks = _tasks(source, deadline)
        labels = _labels(source, tasks, deadline)
        containers = tuple(_containers(source, tasks, labels, wanted))
    except model.EngineError as error:
        return model.Reading(NAME, source, error=str(error))
    # A removed package leaves its directories.
    is_gone = not containers and source not in map(os.path.realpath, _states_in_use())
    return model.Reading(NAME, source, containers=containers, presence_uncertain=is_gone)


def still_runs(container: model.Container, timeout: float) -> bool:
    """Whether the container's first process is still the one that was read before."""
    identity = container.id.rpartition("/")[2]
    for task in _tasks(container.source, state_files.Deadline(timeout), identity):
        if task.unique_id == container.id:
            if task.bundle.unread:
                raise model.EngineError(task.bundle.unread)
            return task.bundle.pid == container.pid and bundles.is_running(task.bundle, identity)
    return False


class _Task(NamedTuple):
    namespace: str
    id: str
    bundle: bundles.Bundle

    @property
    def unique_id(self) -> str:
        """The container's ID. One that a user chose is only unique within its namespace."""
        is_unique = self.namespace == "default" or values.CONTAINER_ID.fullmatch(self.id)
        return self.id if is_unique else f"{self.namespace}/{self.id}"


def _tasks(source: str, deadline: state_files.Deadline, only: str | None = None) -> list[_Task]:
    if not os.path.isdir(source):
        raise model.EngineError(f"there is no directory {source}")
    path = f"{source}/{TASKS}"
    tasks: list[_Task] = []
    with state_files.open_directory(path, path) as parent:
        for namespace in state_files.list_directory(parent, path):
            if _IDENTIFIER.fullmatch(namespace) and not is_dockers(
                namespace, f"{path}/{namespace}"
            ):
                with state_files.open_directory(namespace, f"{path}/{namespace}", parent) as fd:
                    tasks += _tasks_in(namespace, fd, f"{path}/{namespace}", deadline, only)
    return tasks


def _tasks_in(
    namespace: str,
    parent: int | None,
    path: str,
    deadline: state_files.Deadline,
    only: str | None,
) -> list[_Task]:
    tasks = []
    for identity in state_files.list_directory(parent, path) if only is None else [only]:
        deadline.check(path)
        # containerd renames a task's directory to ".ID" while it deletes it.
        if parent is None or not _IDENTIFIER.fullmatch(identity):
            continue
        bundle = bundles.read_in(parent, identity, f"{path}/{identity}", _PID_FILE)
        if bundle is not None:
            tasks.append(_Task(namespace, identity, bundle))
    return tasks


def _labels(
    source: str, tasks: t.Iterable[_Task], deadline: state_files.Deadline
) -> dict[containerd_metadata.Key, containerd_metadata.Labels | model.EngineError]:
    """The labels in the database, where there is one."""
    keys = {(task.namespace, task.id) for task in tasks}
    root = _root(source) if keys else ""
    path = containerd_metadata.path(root)
    if not root or not state_files.may_exist(path):
        return {}
    return containerd_metadata.read(path, keys, time.monotonic() + deadline.left)


def _containers(
    source: str,
    tasks: t.Sequence[_Task],
    labels: t.Mapping[containerd_metadata.Key, containerd_metadata.Labels | model.EngineError],
    wanted: t.Callable[[model.Container], bool],
) -> t.Iterator[model.Container]:
    netns_by_sandbox: dict[str, model.NetnsId] = {}
    pods_by_sandbox = {_sandbox_id(task.bundle): _pod(task.bundle) for task in tasks}
    # Sandboxes first: the containers of a pod have to be in the namespace of its sandbox.
    for task in sorted(tasks, key=lambda task: not _is_sandbox(task.bundle)):
        status, problem, unread = "running", None, task.bundle.unread
        known_labels = labels.get((task.namespace, task.id), {})
        try:
            if unread:
                raise model.EngineError(unread)
            if isinstance(known_labels, model.EngineError):
                raise known_labels
            netns = bundles.netns_of(task.bundle, task.id)
            if _is_sandbox(task.bundle):
                netns_by_sandbox[task.id] = netns
            if netns != netns_by_sandbox.get(_sandbox_id(task.bundle), netns):
                problem = f"its first process left its pod for the network namespace {netns.inode}"
        except model.GoneError as error:
            status = str(error)
        except model.ContradictionError as error:
            problem = str(error)
        except model.EngineError as error:
            unread = str(error)
        container = _container(source, task, status)._replace(problem=problem, unread=unread)
        if isinstance(known_labels, dict):
            container = container._replace(labels={**container.labels, **known_labels})
        pod = pods_by_sandbox.get(task.id)
        if unread and pod and not container.pod:
            # Its containers show that it is the sandbox of their pod.
            container = container._replace(name=pod.full_name, pod=pod, sandbox=True)
        if task.bundle.is_unknown:
            container = container._replace(status="")
        if container.running and not problem and not unread and wanted(container):
            container = container._replace(
                pid=task.bundle.pid,
                pin=_pin(task.bundle),
                resolv_conf=task.bundle.resolv_conf,
            )
        yield container


def _is_sandbox(bundle: bundles.Bundle) -> bool:
    return bundle.annotations.get(f"{_CRI}container-type") == "sandbox"


def _sandbox_id(bundle: bundles.Bundle) -> str:
    """The ID of the sandbox of a pod's container, "" for any other."""
    is_in_pod = bundle.annotations.get(f"{_CRI}container-type") == "container"
    return bundle.annotations.get(f"{_CRI}sandbox-id", "") if is_in_pod else ""


def _network_mode(bundle: bundles.Bundle) -> str:
    if bundle.netns_path is None:
        return "host"
    sandbox = _sandbox_id(bundle)
    return f"container:{sandbox}" if sandbox else ""


def _pin(bundle: bundles.Bundle) -> str | None:
    return None if _sandbox_id(bundle) else bundle.pin


def _pod(bundle: bundles.Bundle) -> model.Pod | None:
    name = bundle.annotations.get(f"{_CRI}sandbox-name")
    if not name:
        return None
    return model.Pod(
        namespace=bundle.annotations.get(f"{_CRI}sandbox-namespace", ""),
        name=name,
        uid=bundle.annotations.get(f"{_CRI}sandbox-uid", ""),
    )


def _container(source: str, task: _Task, status: str) -> model.Container:
    annotations = task.bundle.annotations
    pod = _pod(task.bundle)
    if pod and _is_sandbox(task.bundle):
        name = pod.full_name
    else:
        name = annotations.get(f"{_CRI}container-name") or annotations.get(_NERDCTL_NAME) or ""
    return model.Container(
        engine=NAME,
        source=source,
        id=task.unique_id,
        name=name or task.id,
        running=status == "running",
        status=status,
        image=annotations.get(f"{_CRI}image-name")
        or annotations.get(f"{_CRI}podsandbox.image-name", ""),
        created=task.bundle.mtime,
        labels=annotations if _NERDCTL_NAME in annotations else {},
        network_mode=_network_mode(task.bundle),
        pod=pod,
        sandbox=_is_sandbox(task.bundle),
    )
