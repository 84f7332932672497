# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""CRI-O, read from the OCI bundles in its run directory. Experimental: not tested with CRI-O itself.

Written from CRI-O's source (server/sandbox_run_linux.go, pkg/annotations/internal.go,
internal/oci/runtime_oci.go) and crio.conf(5): each container and each sandbox has a bundle in
RUNROOT/DRIVER-containers/ID/userdata, with its PID in `pidfile`. Podman's bundles are there too; the
annotation io.container.manager distinguishes them. A sandbox without an infra container, which is the
default since 1.22 (drop_infra_ctr), has a bundle and a pin, but no process: it is reported with the
process of one of its containers.
"""

from __future__ import annotations

import glob
import os
import typing as t

from .. import model
from ..named_tuple import NamedTuple
from . import bundles, daemons, state_files, values

NAME = "crio"
_RUN_DIRECTORY = "/run/crio"
_RUNROOT = "/run/containers/storage"
# Path and TOML table. The first file that sets `runroot` counts.
_CONFIGS = (
    ("/etc/crio/crio.conf.d/*", "crio"),
    ("/etc/crio/crio.conf", "crio"),
    ("/etc/containers/storage.conf", "storage"),
)
_DRIVER_SUFFIX = "-containers"
_PID_FILE = "pidfile"
_MANAGER = "io.container.manager"
_CRIO = "io.kubernetes.cri-o."
_POD = "io.kubernetes.pod."
_CONTAINER_NAME = "io.kubernetes.container.name"


def sources(environment: t.Mapping[str, str]) -> list[str]:
    """The run directory (runroot), where CRI-O's directory of sockets exists."""
    if not os.path.isdir(_RUN_DIRECTORY):
        return []
    for process, command in daemons.running(NAME):
        if command == NAME:
            runroot = daemons.option(process, "runroot")
            if runroot.startswith("/"):
                return [os.path.realpath(runroot)]
    return [os.path.realpath(_configured())]


def _configured() -> str:
    # Later files in crio.conf.d override earlier ones.
    for pattern, table in _CONFIGS:
        for path in sorted(glob.glob(pattern), reverse=True):
            runroot = state_files.toml_string(path, "runroot", table)
            if runroot.startswith("/"):
                return runroot
    return _RUNROOT


def read(source: str, timeout: float, wanted: t.Callable[[model.Container], bool]) -> model.Reading:
    """All containers and sandboxes; `problem` is set where bundle and process disagree."""
    # Other programs make /run/crio too: what mounts every socket that a runtime may have.
    if not os.path.isdir(source) and not _runs():
        return model.Reading(NAME, source, presence_uncertain=True)
    try:
        entries = _entries(source, state_files.Deadline(timeout))
        containers = tuple(_containers(source, entries, wanted))
    except model.EngineError as error:
        return model.Reading(NAME, source, error=str(error))
    # The run directory is Podman's as well.
    return model.Reading(
        NAME, source, containers=containers, presence_uncertain=not containers and not _runs()
    )


def _runs() -> bool:
    return any(command == NAME for _process, command in daemons.running(NAME))


def still_runs(container: model.Container, timeout: float) -> bool:
    """Whether the container's first process is still the one that was read before."""
    unread = None
    for entry in _entries(container.source, state_files.Deadline(timeout)):
        # A sandbox may be reported with the process of one of its containers.
        if (
            container.id in (entry.id, entry.sandbox_id)
            and entry.bundle.pid == container.pid
            and bundles.is_running(entry.bundle, entry.id)
        ):
            return True
        if entry.unread and (container.sandbox or container.id == entry.id):
            unread = entry.unread
    if unread:
        raise model.EngineError(unread)
    return False


class _Entry(NamedTuple):
    """A bundle of CRI-O, and the JSON in its annotations. `unread` is why these are not known in full."""

    id: str
    sandbox_id: str
    labels: dict[str, str]
    metadata: dict[str, t.Any]
    bundle: bundles.Bundle
    unread: str | None

    @property
    def is_sandbox(self) -> bool:
        return self.bundle.annotations.get(f"{_CRIO}ContainerType") == "sandbox"

    def annotation(self, *keys: str) -> str:
        """The first of these annotations that is set, "" where none is."""
        return next(filter(None, map(self.bundle.annotations.get, keys)), "")

    def label(self, key: str) -> str:
        """A label of the kubelet, which CRI-O also copies to the annotations."""
        return self.labels.get(key) or self.annotation(key)


def _entries(source: str, deadline: state_files.Deadline) -> list[_Entry]:
    entries: list[_Entry] = []
    with state_files.open_directory(source, source) as runroot:
        if runroot is None:
            raise model.EngineError(f"there is no directory {source}")
        for driver in state_files.list_directory(runroot, source):
            if driver.endswith(_DRIVER_SUFFIX):
                entries += _entries_of_driver(runroot, driver, f"{source}/{driver}", deadline)
    return entries


def _entries_of_driver(
    runroot: int, driver: str, path: str, deadline: state_files.Deadline
) -> list[_Entry]:
    entries = []
    with state_files.open_directory(driver, path, runroot) as parent:
        for identity in state_files.list_directory(parent, path):
            deadline.check(path)
            if not values.CONTAINER_ID.fullmatch(identity):
                continue
            userdata = f"{path}/{identity}/userdata"
            bundle = None
            if parent is not None:
                bundle = bundles.read_in(parent, f"{identity}/userdata", userdata, _PID_FILE)
            # Whose it is, is not known of a bundle that could not be read.
            if bundle and (bundle.is_unknown or bundle.annotations.get(_MANAGER) == "cri-o"):
                entries.append(_entry(identity, bundle, f"{userdata}/config.json"))
    return entries


def _entry(identity: str, bundle: bundles.Bundle, path: str) -> _Entry:
    def embedded(key: str) -> t.Any:
        return values.parse_json(
            bundle.annotations.get(f"{_CRIO}{key}") or "null", f"{key} in {path}"
        )

    labels, metadata, unread = {}, None, bundle.unread
    try:
        metadata = embedded("Metadata")
        labels = values.string_dict(embedded("Labels"), f"Labels in {path}")
    except model.EngineError as error:
        unread = unread or str(error)
    return _Entry(
        id=identity,
        sandbox_id=bundle.annotations.get(f"{_CRIO}SandboxID", ""),
        labels=labels,
        metadata=metadata if isinstance(metadata, dict) else {},
        bundle=bundle,
        unread=unread,
    )


def _containers(
    source: str, entries: t.Sequence[_Entry], wanted: t.Callable[[model.Container], bool]
) -> t.Iterator[model.Container]:
    pods = {entry.id: _pod(entry) for entry in entries if entry.is_sandbox}
    pods_of_members = {
        entry.sandbox_id: _pod(entry) for entry in entries if entry.label(f"{_POD}name")
    }
    # Sandboxes last, as they may be reported with the process of one of their containers.
    pids_by_sandbox: dict[str, list[int]] = {}
    for entry in sorted(entries, key=lambda entry: entry.is_sandbox):
        status, problem, unread, pid = "running", None, entry.unread, entry.bundle.pid
        try:
            if unread:
                raise model.EngineError(unread)
            if entry.is_sandbox and not pid:
                pid = _pid_of_member(entry.bundle, pids_by_sandbox.get(entry.id, ()))
            else:
                bundles.netns_of(entry.bundle, entry.id)
                pids_by_sandbox.setdefault(entry.sandbox_id, []).append(pid)
        except model.GoneError as error:
            status = str(error)
        except model.ContradictionError as error:
            problem = str(error)
        except model.EngineError as error:
            unread = str(error)
        container = _container(source, entry, pods.get(entry.sandbox_id), status)._replace(
            problem=problem, unread=unread
        )
        if unread and entry.id in pods_of_members:
            # Its containers show that it is the sandbox of their pod.
            pod = container.pod or pods_of_members[entry.id]
            container = container._replace(name=pod.full_name, pod=pod, sandbox=True)
        if entry.bundle.is_unknown:
            container = container._replace(status="")
        if container.running and not problem and not unread and wanted(container):
            container = container._replace(
                pid=pid,
                pin=entry.bundle.pin if entry.is_sandbox else None,
                resolv_conf=entry.bundle.resolv_conf,
            )
        yield container


def _pid_of_member(bundle: bundles.Bundle, pids: t.Collection[int]) -> int:
    """The PID of a container of a sandbox that has no process, 0 where none runs.

    Raises GoneError where the sandbox is gone, as its pin exists as long as it does; where the pin is
    mounted in CRI-O's own mount namespace alone, its file does.
    """
    if bundle.pin is not None:
        try:
            bundles.pinned_netns(bundle.pin)
        except bundles.HiddenPinError:
            pass
        except model.GoneError:
            if not any(bundles.netns_pinned_elsewhere(bundle.pin, pid) for pid in pids):
                raise
    return next(iter(pids), 0)


def _pod(entry: _Entry) -> model.Pod:
    uid = entry.metadata.get("uid")
    return model.Pod(
        namespace=entry.annotation(f"{_CRIO}Namespace") or entry.label(f"{_POD}namespace"),
        name=entry.annotation(f"{_CRIO}KubeName") or entry.label(f"{_POD}name") or entry.id,
        uid=entry.label(f"{_POD}uid") or (uid if isinstance(uid, str) else ""),
    )


def _container(source: str, entry: _Entry, pod: model.Pod | None, status: str) -> model.Container:
    if pod is None and entry.label(f"{_POD}name"):
        pod = _pod(entry)
    name = entry.label(_CONTAINER_NAME)
    if entry.is_sandbox and pod:
        name = pod.full_name
    return model.Container(
        engine=NAME,
        source=source,
        id=entry.id,
        name=name or entry.id,
        running=status == "running",
        status=status,
        image=entry.annotation(f"{_CRIO}ImageName", f"{_CRIO}Image"),
        created=entry.bundle.mtime,
        labels=entry.labels,
        network_mode=_network_mode(entry),
        pod=pod,
        sandbox=entry.is_sandbox,
    )


def _network_mode(entry: _Entry) -> str:
    if entry.bundle.netns_path is None:
        return "host"
    return f"container:{entry.sandbox_id}" if entry.sandbox_id and not entry.is_sandbox else ""
