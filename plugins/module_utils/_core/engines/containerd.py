# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""containerd, read from its state folder: pods of the CRI plugin, and containers of ctr and nerdctl.

For each container that has a task, containerd 1.2 and later keeps an OCI bundle (see `shims`), in
which the runc shim writes init.pid. The CRI plugin tells pods by annotations (internal/cri/annotations). nerdctl makes
annotations of all labels (pkg/labels); those of pods and of ctr are only in containerd's database,
so that their `labels` are empty here.
"""

from __future__ import annotations

import os
import re
import typing as t

from .. import model
from . import oci
from .shims import DOCKERS, DOCKERS_OWN, STATE, TASKS

NAME = "containerd"
_CONFIG = "/etc/containerd/config.toml"
_PID_FILE = "init.pid"
# "containerd-shim-runc-v2": /proc cuts names off after 15 characters.
_SHIM = "containerd-shim"
_CRI_NAMESPACE = "k8s.io"
_CRI = "io.kubernetes.cri."
_NERDCTL_NAME = "nerdctl/name"
_FULL_ID = re.compile(r"[0-9a-f]{64}")
# Of namespaces and containers (pkg/identifiers).
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_PODS, _OTHERS, _UNKNOWN, _EMPTY, _NOT_OURS = range(5)


def sources(environment: t.Mapping[str, str]) -> list[str]:
    """The state folders with containers besides Docker's, that of pods first.

    These are where the daemons and shims that run work.

    Without any it is the default one, where it is: something is left there to be found gone. One
    that holds only Docker's does not count, one that is empty does: nothing was started yet.
    """
    at_work = dict.fromkeys(os.path.realpath(folder) for folder in _folders_at_work())
    for candidates in (at_work, (os.path.realpath(STATE),)):
        ranks = [(_rank(state, state in at_work), state) for state in candidates]
        found = [state for rank, state in sorted(ranks) if rank < _NOT_OURS]
        if found:
            return found
    return []


def _rank(state: str, at_work: bool) -> int:
    try:
        namespaces = {name for name in os.listdir(f"{state}/{TASKS}") if name[:1] != "."}
    except (FileNotFoundError, NotADirectoryError):
        # The default one is also made for the sockets of all shims.
        if not at_work or not os.path.isdir(state):
            return _NOT_OURS
        namespaces = set()
    except OSError:  # what it holds is for `read` to find out, or to say why not
        return _UNKNOWN
    if not namespaces:
        return _NOT_OURS if state.endswith(DOCKERS_OWN) else _EMPTY
    if namespaces <= DOCKERS:
        return _NOT_OURS
    return _PODS if _CRI_NAMESPACE in namespaces else _OTHERS


def _folders_at_work() -> t.Iterator[str]:
    known = {""}

    def is_news(pid: int, command: str) -> bool:
        # There is a shim for each container, and most of them say the same.
        return command != _SHIM or _state_of_shim(f"/proc/{pid}/cwd") not in known

    for process, command in oci.daemons("containerd", is_news):
        if command == "containerd":
            state = oci.option(process, "state") or oci.setting(
                oci.option(process, "config", "c") or _CONFIG, "state", table=""
            )
            yield state if state.startswith("/") else STATE
        elif command == _SHIM:
            state = _state_of_shim("cwd", process)
            if state not in known:
                known.add(state)
                yield state


def _state_of_shim(folder: str, process: int | None = None) -> str:
    """The state folder by where a shim works, "" where it is none."""
    try:
        bundle = os.readlink(folder, dir_fd=process)
    except OSError:  # it ended, or is not ours to look at
        return ""
    state, found, _rest = bundle.partition(f"/{TASKS}/")
    return state if found else ""


def read(source: str, timeout: float, wanted: t.Callable[[model.Container], bool]) -> model.Reading:
    """All containers of all namespaces; `problem` tells of one whose bundle and process disagree."""
    try:
        bundles = _bundles(source, oci.Clock(timeout))
        containers = tuple(_containers(source, bundles, wanted))
    except model.EngineError as error:
        return model.Reading(NAME, source, error=str(error))
    return model.Reading(NAME, source, containers=containers)


def still_runs(container: model.Container, timeout: float) -> bool:
    """Look again whether the container's first process is still the one that was told before."""
    identity = container.id.rpartition("/")[2]
    return any(
        found.bundle.pid == container.pid and oci.is_running(found.bundle, identity)
        for found in _bundles(container.source, oci.Clock(timeout), identity)
    )


class _Found(t.NamedTuple):
    namespace: str
    id: str
    bundle: oci.Bundle


def _bundles(source: str, clock: oci.Clock, only: str | None = None) -> list[_Found]:
    if not os.path.isdir(source):
        raise model.EngineError(f"there is no folder {source}")
    path = f"{source}/{TASKS}"
    found: list[_Found] = []
    with oci.folder(path, path) as tasks:
        for namespace in oci.names(tasks, path):
            if namespace not in DOCKERS and _NAME.fullmatch(namespace):
                with oci.folder(namespace, f"{path}/{namespace}", tasks) as containers:
                    found += _in_namespace(
                        namespace, containers, f"{path}/{namespace}", clock, only
                    )
    return found


def _in_namespace(
    namespace: str, fd: int | None, path: str, clock: oci.Clock, only: str | None
) -> list[_Found]:
    found = []
    for identity in oci.names(fd, path) if only is None else [only]:
        clock.check(path)
        # ".ID" is one that is just being deleted.
        if fd is None or not _NAME.fullmatch(identity):
            continue
        with oci.folder(identity, f"{path}/{identity}", fd) as one:
            bundle = None
            if one is not None:
                bundle = oci.read(one, f"{path}/{identity}", _PID_FILE)
        if bundle is not None:
            found.append(_Found(namespace, identity, bundle))
    return found


def _containers(
    source: str, found: t.Sequence[_Found], wanted: t.Callable[[model.Container], bool]
) -> t.Iterator[model.Container]:
    pods: dict[str, model.NetnsId] = {}
    # Pods before their members, which have to be where their pod is.
    for one in sorted(found, key=lambda each: not _is_sandbox(each.bundle)):
        status, problem = "running", None
        try:
            netns = oci.netns_of(one.bundle, one.id)
            if _is_sandbox(one.bundle):
                pods[one.id] = netns
            if netns != pods.get(_sandbox_id(one.bundle), netns):
                problem = f"its first process left its pod for the network namespace {netns.inode}"
        except model.GoneError as error:
            status = str(error)
        except model.ContradictionError as error:
            problem = str(error)
        container = _container(source, one, status, problem)
        if container.running and not problem and wanted(container):
            container = container._replace(
                pid=one.bundle.pid,
                pin=_pin(one.bundle),
                resolv_conf=one.bundle.resolv_conf,
            )
        yield container


def _is_sandbox(bundle: oci.Bundle) -> bool:
    return bundle.annotations.get(f"{_CRI}container-type") == "sandbox"


def _sandbox_id(bundle: oci.Bundle) -> str:
    """The id of the pod of a container, "" for a pod and where there is none."""
    is_member = bundle.annotations.get(f"{_CRI}container-type") == "container"
    return bundle.annotations.get(f"{_CRI}sandbox-id", "") if is_member else ""


def _network_mode(bundle: oci.Bundle) -> str:
    if bundle.network is None:
        return "host"
    sandbox = _sandbox_id(bundle)
    return f"container:{sandbox}" if sandbox else ""


def _pin(bundle: oci.Bundle) -> str | None:
    return None if _sandbox_id(bundle) else bundle.pin


def _container(source: str, found: _Found, status: str, problem: str | None) -> model.Container:
    annotations = found.bundle.annotations
    pod = None
    if annotations.get(f"{_CRI}sandbox-name"):
        pod = model.Pod(
            namespace=annotations.get(f"{_CRI}sandbox-namespace", ""),
            name=annotations[f"{_CRI}sandbox-name"],
            uid=annotations.get(f"{_CRI}sandbox-uid", ""),
        )
    if pod and _is_sandbox(found.bundle):
        name = f"{pod.namespace}_{pod.name}" if pod.namespace else pod.name
    else:
        name = annotations.get(f"{_CRI}container-name") or annotations.get(_NERDCTL_NAME) or ""
    # Names that people give as ids are only unique within their namespace.
    plain = found.namespace == "default" or _FULL_ID.fullmatch(found.id)
    return model.Container(
        engine=NAME,
        source=source,
        id=found.id if plain else f"{found.namespace}/{found.id}",
        name=name or found.id,
        running=status == "running",
        status=status,
        image=annotations.get(f"{_CRI}image-name")
        or annotations.get(f"{_CRI}podsandbox.image-name", ""),
        created=found.bundle.written,
        labels=annotations if _NERDCTL_NAME in annotations else {},
        network_mode=_network_mode(found.bundle),
        pod=pod,
        sandbox=_is_sandbox(found.bundle),
        problem=problem,
    )
