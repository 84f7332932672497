# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""CRI-O, read from the OCI bundles in its run directory. Experimental: it was not run.

Written after CRI-O's own files (server/sandbox_run_linux.go, pkg/annotations/internal.go,
internal/oci/runtime_oci.go) and crio.conf(5): each container and each pod has a bundle in
RUNROOT/DRIVER-containers/ID/userdata, with the PID in `pidfile`. Podman keeps its own there too;
the annotation io.container.manager tells them apart. A pod without an infra container, which is the
default since 1.22 (drop_infra_ctr), has a bundle and a pin, and no process: here it has that of one
of its containers.
"""

from __future__ import annotations

import glob
import os
import re
import typing as t

from .. import model
from . import oci

NAME = "crio"
_ID = re.compile(r"[0-9a-f]{64}")
_RUN_FOLDER = "/run/crio"
_RUNROOT = "/run/containers/storage"
# The first that sets it wins.
_CONFIGS = (
    ("/etc/crio/crio.conf.d/*", "crio"),
    ("/etc/crio/crio.conf", "crio"),
    ("/etc/containers/storage.conf", "storage"),
)
_DRIVER_FOLDER = "-containers"
_PID_FILE = "pidfile"
_MANAGER = "io.container.manager"
_CRIO = "io.kubernetes.cri-o."
_POD = "io.kubernetes.pod."
_CONTAINER_NAME = "io.kubernetes.container.name"


def sources(environment: t.Mapping[str, str]) -> list[str]:
    """The run directory, where CRI-O has its folder for sockets."""
    if not os.path.isdir(_RUN_FOLDER):
        return []
    for process, command in oci.daemons(NAME):
        if command == NAME:
            told = oci.option(process, "runroot")
            if told.startswith("/"):
                return [os.path.realpath(told)]
    return [os.path.realpath(_configured())]


def _configured() -> str:
    # Later files in crio.conf.d override earlier ones.
    for pattern, table in _CONFIGS:
        for path in sorted(glob.glob(pattern), reverse=True):
            told = oci.setting(path, "runroot", table)
            if told.startswith("/"):
                return told
    return _RUNROOT


def read(source: str, timeout: float, wanted: t.Callable[[model.Container], bool]) -> model.Reading:
    """All containers and pods; `problem` tells of one whose bundle and process disagree."""
    try:
        found = _bundles(source, oci.Clock(timeout))
        containers = tuple(_containers(source, found, wanted))
    except model.EngineError as error:
        return model.Reading(NAME, source, error=str(error))
    return model.Reading(NAME, source, containers=containers)


def still_runs(container: model.Container, timeout: float) -> bool:
    """Look again whether the container's first process is still the one that was told before."""
    for found in _bundles(container.source, oci.Clock(timeout)):
        # A pod may have the process of one of its containers.
        if (
            container.id in (found.id, found.sandbox)
            and found.bundle.pid == container.pid
            and oci.is_running(found.bundle, found.id)
        ):
            return True
    return False


class _Found(t.NamedTuple):
    id: str
    sandbox: str
    labels: dict[str, str]
    metadata: dict[str, t.Any]
    bundle: oci.Bundle

    @property
    def is_sandbox(self) -> bool:
        return self.bundle.annotations.get(f"{_CRIO}ContainerType") == "sandbox"

    def tell(self, *keys: str) -> str:
        """The first of some annotations that is there."""
        return next(filter(None, map(self.bundle.annotations.get, keys)), "")

    def label(self, key: str) -> str:
        """A label of the kubelet's, which CRI-O also makes an annotation."""
        return self.labels.get(key) or self.tell(key)


def _bundles(source: str, clock: oci.Clock) -> list[_Found]:
    found: list[_Found] = []
    with oci.folder(source, source) as runroot:
        if runroot is None:
            raise model.EngineError(f"there is no folder {source}")
        for driver in oci.names(runroot, source):
            if driver.endswith(_DRIVER_FOLDER):
                found += _of_driver(runroot, driver, f"{source}/{driver}", clock)
    return found


def _of_driver(runroot: int, driver: str, path: str, clock: oci.Clock) -> list[_Found]:
    found = []
    with oci.folder(driver, path, runroot) as containers:
        for identity in oci.names(containers, path):
            clock.check(path)
            if not _ID.fullmatch(identity):
                continue
            where = f"{path}/{identity}/userdata"
            with oci.folder(f"{identity}/userdata", where, containers) as one:
                bundle = None if one is None else oci.read(one, where, _PID_FILE)
            if bundle is not None and bundle.annotations.get(_MANAGER) == "cri-o":
                found.append(_found(identity, bundle, f"{where}/config.json"))
    return found


def _found(identity: str, bundle: oci.Bundle, path: str) -> _Found:
    def embedded(key: str) -> t.Any:
        return oci.parse_json(bundle.annotations.get(f"{_CRIO}{key}") or "null", f"{key} in {path}")

    metadata = embedded("Metadata")
    return _Found(
        id=identity,
        sandbox=bundle.annotations.get(f"{_CRIO}SandboxID", ""),
        labels=oci.strings(embedded("Labels"), f"Labels in {path}"),
        metadata=metadata if isinstance(metadata, dict) else {},
        bundle=bundle,
    )


def _containers(
    source: str, found: t.Sequence[_Found], wanted: t.Callable[[model.Container], bool]
) -> t.Iterator[model.Container]:
    pods = {one.id: _pod(one) for one in found if one.is_sandbox}
    # Members before their pods, which may need a process of theirs.
    members: dict[str, list[int]] = {}
    for one in sorted(found, key=lambda each: each.is_sandbox):
        status, problem, pid = "running", None, one.bundle.pid
        try:
            if one.is_sandbox and not pid:
                pid = _borrowed(one.bundle, members.get(one.id, ()))
            else:
                oci.netns_of(one.bundle, one.id)
                members.setdefault(one.sandbox, []).append(pid)
        except model.GoneError as error:
            status = str(error)
        except model.ContradictionError as error:
            problem = str(error)
        container = _container(source, one, pods.get(one.sandbox), status, problem)
        if container.running and not problem and wanted(container):
            container = container._replace(
                pid=pid,
                pin=one.bundle.pin if one.is_sandbox else None,
                resolv_conf=one.bundle.resolv_conf,
            )
        yield container


def _borrowed(bundle: oci.Bundle, pids: t.Iterable[int]) -> int:
    """A process of a pod that has none of its own, 0 where none runs just now.

    Raises GoneError where the pod is gone: its pin stays as long as it does.
    """
    if bundle.pin is not None:
        oci.pinned(bundle.pin)
    return next(iter(pids), 0)


def _pod(found: _Found) -> model.Pod:
    uid = found.metadata.get("uid")
    return model.Pod(
        namespace=found.tell(f"{_CRIO}Namespace") or found.label(f"{_POD}namespace"),
        name=found.tell(f"{_CRIO}KubeName") or found.label(f"{_POD}name") or found.id,
        uid=found.label(f"{_POD}uid") or (uid if isinstance(uid, str) else ""),
    )


def _container(
    source: str, found: _Found, pod: model.Pod | None, status: str, problem: str | None
) -> model.Container:
    if pod is None and found.label(f"{_POD}name"):
        pod = _pod(found)
    name = found.label(_CONTAINER_NAME)
    if found.is_sandbox and pod:
        name = f"{pod.namespace}_{pod.name}" if pod.namespace else pod.name
    return model.Container(
        engine=NAME,
        source=source,
        id=found.id,
        name=name or found.id,
        running=status == "running",
        status=status,
        image=found.tell(f"{_CRIO}ImageName", f"{_CRIO}Image"),
        created=found.bundle.written,
        labels=found.labels,
        network_mode=_network_mode(found),
        pod=pod,
        sandbox=found.is_sandbox,
        problem=problem,
    )


def _network_mode(found: _Found) -> str:
    if found.bundle.network is None:
        return "host"
    return f"container:{found.sandbox}" if found.sandbox and not found.is_sandbox else ""
