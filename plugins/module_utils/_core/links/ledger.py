# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which links are ours: an append-only file beside the lock, in /run as the mounts are.

Each line is the whole entry of one path, or its removal; the last line about a path counts. An
entry is written before the mount that it claims, so that a crash leaves no link without an owner,
and it claims only what matches in full: path, namespace and the file beneath the mount.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
import typing as t

from .. import model, names, untrusted
from ..kernel import locks

DIRECTORY = "/run/linuxnet-netns"
_NAME = "ledger"
_NEW = "ledger.new"
_SPARE_LINES = 256
_MAX_SIZE = 1 << 26
_encode = json.JSONEncoder(separators=(",", ":")).encode


class Entry(t.NamedTuple):
    """One link of ours.

    `file` is the inode number of the placeholder beneath the mount, as its directory lists it
    (None: not created yet). `previous` is the namespace that a move in progress comes from.
    """

    path: str
    netns: model.NetnsId
    file: int | None
    maker: str
    previous: model.NetnsId | None = None
    engine: str | None = None
    source: str | None = None
    container_id: str | None = None
    container_name: str | None = None
    pod: model.Pod | None = None
    labels: t.Mapping[str, str] = {}
    pid: int | None = None
    start_time: int | None = None

    @property
    def name(self) -> str:
        """The link's name."""
        return os.path.basename(self.path)

    @property
    def key(self) -> model.ContainerKey | None:
        """The container it was made for, None for a process or a path."""
        if self.engine is None or self.source is None or self.container_id is None:
            return None
        return model.ContainerKey(self.engine, self.source, self.container_id)

    def container(self) -> model.Container | None:
        """The container it was made for, as far as the ledger remembers it."""
        if self.key is None:
            return None
        return model.Container(
            *self.key,
            name=self.container_name or self.key.id,
            running=False,
            status="gone",
            labels=self.labels,
            pod=self.pod,
            sandbox=self.pod is not None,
        )

    def claims(self, netns: model.NetnsId) -> bool:
        """Whether a mount of this namespace at the path may be ours."""
        return netns in (self.netns, self.previous)


def _line(entry: Entry) -> str:
    fields = {name: value for name, value in entry._asdict().items() if value and name != "path"}
    fields["file"] = entry.file
    if entry.pod:
        fields["pod"] = entry.pod._asdict()
    return _encode([entry.path, fields])


def _entry(path: str, fields: t.Mapping[str, t.Any]) -> Entry:
    """An entry as it was written. Raises what a wrong type makes of it, for what nobody of ours wrote."""
    values = dict(fields, netns=_netns(fields["netns"]))
    if "previous" in values:
        values["previous"] = _netns(values["previous"])
    if "pod" in values:
        values["pod"] = model.Pod(**_texts(values["pod"]))
    _texts(values.get("labels", {}))
    entry = Entry(path, **values)
    if not path.startswith("/") or names.unusable(entry.name):
        raise ValueError
    for value in (entry.file, entry.pid, entry.start_time):
        if value is not None and not untrusted.is_number(value):
            raise ValueError
    for text in (entry.engine, entry.source, entry.container_id, entry.container_name):
        if text is not None:
            text.encode()
    entry.maker.encode()
    return entry


def _netns(value: t.Sequence[t.Any]) -> model.NetnsId:
    dev, inode = value
    if not untrusted.is_number(dev) or not untrusted.is_number(inode):
        raise ValueError
    return model.NetnsId(dev, inode)


def _texts(value: t.Mapping[str, t.Any]) -> t.Mapping[str, str]:
    for name, text in value.items():
        (name + text).encode()
    return value


def _stamp(status: os.stat_result) -> tuple[int, int, int]:
    return (status.st_ino, status.st_size, status.st_mtime_ns)


def _boot_id() -> str:
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as stream:
        return stream.read().strip()


class Ledger:
    """The entries by path; `record` makes a change last."""

    def __init__(self, directory: str = DIRECTORY) -> None:
        self._path = os.path.join(directory, _NAME)
        self._lines = 0
        self._torn = False
        self._seen: tuple[int, int, int] | None = None
        self.entries: dict[str, Entry] = {}
        self._load()

    def distrust(self) -> None:
        """Read it again at the next refresh, as a run broke off."""
        self._seen = (0, 0, 0)

    def refresh(self) -> None:
        """Read it again if others have written it since."""
        if self._state() != self._seen:
            self.entries.clear()
            self._lines, self._torn = 0, False
            self._load()

    def _state(self) -> tuple[int, int, int] | None:
        try:
            return _stamp(os.stat(self._path))
        except FileNotFoundError:
            return None

    def _load(self) -> None:
        self._seen = self._state()
        try:
            data, _status = untrusted.read_file(self._path, _MAX_SIZE)
        except FileNotFoundError:
            return
        except untrusted.UnusableFileError as error:
            raise model.NetnsError(
                f"{self._path} {error}: move it away, and all links count as others' from then on"
            ) from None
        first, *lines = data.split(b"\n")
        # /run need not be a tmpfs: what another boot wrote claims nothing.
        if first.decode("utf-8", "replace") != self._header():
            return
        self._lines = len(lines)
        self._torn = not data.endswith(b"\n")
        for line in lines:
            # A line cut short by a crash claims nothing, which is the safe way to read it.
            with contextlib.suppress(ValueError, TypeError, KeyError, AttributeError):
                path, fields = untrusted.parse_json(line)
                if fields is None:
                    self.entries.pop(path, None)
                else:
                    self.entries[path] = _entry(path, fields)

    @staticmethod
    def _header() -> str:
        return json.dumps(["linuxnet.netns ledger", 1, _boot_id()])

    def record(self, entries: t.Iterable[Entry] = (), gone: t.Iterable[str] = ()) -> None:
        """Write entries, and that paths are not ours any more, before or after the deed."""
        lines = []
        for entry in entries:
            self.entries[entry.path] = entry
            lines.append(_line(entry))
        for path in gone:
            if self.entries.pop(path, None):
                lines.append(_encode([path, None]))
        if not lines:
            return
        if not self._lines or self._lines + len(lines) > 2 * len(self.entries) + _SPARE_LINES:
            self._rewrite()
            return
        self._append(("\n" if self._torn else "") + "\n".join(lines) + "\n")
        self._torn = False
        self._lines += len(lines)

    def _append(self, text: str) -> None:
        # Not by open(), as a process that stays does this at each change.
        fd = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        try:
            data = text.encode()
            while data:
                data = data[os.write(fd, data) :]
            self._seen = _stamp(os.fstat(fd))
        finally:
            os.close(fd)

    def _rewrite(self) -> None:
        lines = [self._header()]
        lines += [_line(entry) for entry in self.entries.values()]
        new = os.path.join(os.path.dirname(self._path), _NEW)
        fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with open(fd, "wb") as stream:
            stream.write(("\n".join(lines) + "\n").encode())
        os.replace(new, self._path)
        self._torn = False
        self._lines = len(lines)
        self._seen = self._state()


def _open_folder(path: str) -> int:
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)


@contextlib.contextmanager
def locked(directory: str = DIRECTORY, create: bool = True) -> t.Iterator[None]:
    """Hold the one lock that every run of the modules and the hook takes.

    Where `create` is false (check mode) and nothing of ours was ever here, there is nothing to
    lock and nothing is made.
    """
    try:
        folder = _open_folder(directory)
    except FileNotFoundError:
        if not create:
            yield
            return
        with contextlib.suppress(FileExistsError):
            os.mkdir(directory, 0o755)
        folder = _open_folder(directory)
    try:
        status = os.fstat(folder)
        if status.st_uid != os.geteuid() or stat.S_IMODE(status.st_mode) & 0o022:
            raise model.NetnsError(
                f"{directory} can be written by others than root, so what it says of our links cannot be "
                f"trusted: `chown root: {directory}; chmod 755 {directory}` after a look at what is in it"
            )
        locks.lock(folder, directory)
        if create:
            # What a run that was killed while it wrote has left.
            with contextlib.suppress(FileNotFoundError):
                os.unlink(_NEW, dir_fd=folder)
        yield
    finally:
        os.close(folder)
