# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The ledger, the list of managed links: an append-only file beside the lock, in /run as the mounts are.

Each line is the whole entry of one path, or its removal; the last line about a path counts. An
entry is written before the mount that it claims, so that a crash leaves no unknown link, and it
claims only what matches in full: path, namespace and the file beneath the mount.
"""

from __future__ import annotations

import contextlib
import json
import json.encoder
import os
import stat
import typing as t

from .. import model, names, untrusted
from ..kernel import locks
from ..named_tuple import NamedTuple

DIRECTORY = "/run/linuxnet-netns"
# Where the modules keep their compiled code: see _zip_importer.
CODE_CACHE = "pycache"
_NAME = "ledger"
_NEW = "ledger.new"
_LOCK = "lock"
_FROM_TEMPLATE = ":template"
_SPARE_LINES = 256
_MAX_SIZE = 1 << 26
_quote = json.encoder.encode_basestring_ascii


class Entry(NamedTuple):
    """One managed link.

    `file` is the inode number of the placeholder file beneath the mount, as its directory lists it
    (None: not created yet). `maker` is who made the link, the module or the hook. `previous` is the
    namespace that the link led to before, while it is moved. `pid` and `start_time` are of the first
    process of the container, or of the process that was given in place of a container. `from_template`
    is whether the name was made from a template, and not given: it goes where the template makes
    another name.
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
    from_template: bool = False

    @property
    def name(self) -> str:
        """The link's name."""
        return os.path.basename(self.path)

    @property
    def key(self) -> model.ContainerKey | None:
        """The container that the link was made for, None for a process or a path."""
        if self.engine is None or self.source is None or self.container_id is None:
            return None
        return model.ContainerKey(self.engine, self.source, self.container_id)

    def container(self) -> model.Container | None:
        """The container that the link was made for, as far as the ledger describes it."""
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
        """Whether a mount of this namespace at the path may be this link."""
        return netns in (self.netns, self.previous)


def _with_file(start: str, file: int | None) -> str:
    return f'{start},"file":{"null" if file is None else file}}}]'


def _encode_fields(entry: Entry) -> str:
    """The line of an entry up to its file, which is the last field.

    A JSON encoder takes five times as long, and each link needs a line.
    """
    (
        path,
        (dev, inode),
        _file,
        maker,
        previous,
        engine,
        source,
        container_id,
        container_name,
        pod,
        labels,
        pid,
        start_time,
        from_template,
    ) = entry
    if from_template:
        # Not a field of its own: 1.0.0 would take such an entry for invalid, and the link for foreign.
        maker += _FROM_TEMPLATE
    text = f'[{_quote(path)},{{"netns":[{dev},{inode}],"maker":{_quote(maker)}'
    if previous:
        text += f',"previous":[{previous[0]},{previous[1]}]'
    if engine:
        text += f',"engine":{_quote(engine)}'
    if source:
        text += f',"source":{_quote(source)}'
    if container_id:
        text += f',"container_id":{_quote(container_id)}'
    if container_name:
        text += f',"container_name":{_quote(container_name)}'
    if pod:
        text += f',"pod":{_encode_strings(pod._asdict())}'
    if labels:
        text += f',"labels":{_encode_strings(labels)}'
    if pid:
        text += f',"pid":{pid}'
    if start_time:
        text += f',"start_time":{start_time}'
    return text


def _encode_strings(strings: t.Mapping[str, str]) -> str:
    fields = [f"{_quote(name)}:{_quote(text)}" for name, text in strings.items()]
    return f"{{{','.join(fields)}}}"


def _decode_entry(path: str, fields: t.Mapping[str, t.Any]) -> Entry:
    """Decode an entry. Raises ValueError, TypeError, KeyError or AttributeError for an invalid one."""
    maker, from_template, _rest = fields["maker"].partition(_FROM_TEMPLATE)
    netns = _decode_netns(fields["netns"])
    values = {**fields, "netns": netns, "maker": maker, "from_template": bool(from_template)}
    if "previous" in values:
        values["previous"] = _decode_netns(values["previous"])
    if "pod" in values:
        values["pod"] = model.Pod(**_checked_strings(values["pod"]))
    _checked_strings(values.get("labels", {}))
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


def _parse_lines(lines: t.Sequence[bytes]) -> t.Iterator[tuple[str, t.Any]]:
    """The path and the fields of each line that is valid JSON of this form."""
    lines = [line for line in lines if line]
    try:
        # One call for all lines takes half the time.
        items = untrusted.parse_json(b"[" + b",".join(lines) + b"]")
        if len(items) != len(lines):
            raise ValueError
    except ValueError:
        items = []
        for line in lines:
            # A line cut short by a crash claims nothing, which is the safe way to read it.
            with contextlib.suppress(ValueError):
                items.append(untrusted.parse_json(line))
    for item in items:
        try:
            path, fields = item
        except (ValueError, TypeError):
            continue
        if isinstance(path, str):
            yield path, fields


def _decode_netns(value: t.Sequence[t.Any]) -> model.NetnsId:
    dev, inode = value
    if not untrusted.is_number(dev) or not untrusted.is_number(inode):
        raise ValueError
    return model.NetnsId(dev, inode)


def _checked_strings(value: t.Mapping[str, t.Any]) -> t.Mapping[str, str]:
    """The mapping, whose names and values must be strings that can be encoded."""
    for name, text in value.items():
        (name + text).encode()
    return value


def _stamp(status: os.stat_result) -> tuple[int, int, int]:
    return (status.st_ino, status.st_size, status.st_mtime_ns)


def boot_id() -> str:
    """What the kernel calls this boot."""
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as stream:
        return stream.read().strip()


class _Index:
    """The paths of entries by container and by namespace.

    With hundreds of links, a look at each takes longer than the rest of what the hook does for one container.
    """

    def __init__(self, entries: t.Iterable[Entry]) -> None:
        self._paths: dict[str | model.NetnsId | None, dict[str, None]] = {}
        for entry in entries:
            self.add(entry)

    def add(self, entry: Entry) -> None:
        for value in (entry.container_id, entry.netns):
            self._paths.setdefault(value, {})[entry.path] = None

    def remove(self, entry: Entry) -> None:
        for value in (entry.container_id, entry.netns):
            paths = self._paths[value]
            del paths[entry.path]
            if not paths:
                del self._paths[value]

    def paths(self, value: str | model.NetnsId | None) -> t.Iterable[str]:
        return self._paths.get(value, ())


class Ledger:
    """The entries by path; `record` changes them in memory and in the file."""

    def __init__(self, directory: str = DIRECTORY) -> None:
        self.directory = directory
        self._path = os.path.join(directory, _NAME)
        self._lines = 0
        self._ends_mid_line = False
        self._read_stamp: tuple[int, int, int] | None = None
        # The lines of entries whose file is not created yet: with its number they are written once more.
        self._started: dict[str, str] = {}
        self.entries: dict[str, Entry] = {}
        # Made where it is needed first.
        self._index: _Index | None = None
        self._load()

    def of_containers(self, ids: t.Iterable[str | None]) -> list[Entry]:
        """The links of these containers; None stands for links without a container."""
        self._index = self._index or _Index(self.entries.values())
        return [self.entries[path] for identity in ids for path in self._index.paths(identity)]

    def to_namespaces(self, namespaces: t.Iterable[model.NetnsId]) -> list[Entry]:
        """The links to these namespaces."""
        self._index = self._index or _Index(self.entries.values())
        return [self.entries[path] for netns in namespaces for path in self._index.paths(netns)]

    def invalidate(self) -> None:
        """Have the next refresh read the file, as a run was interrupted and may have written it."""
        self._read_stamp = (0, 0, 0)

    def refresh(self) -> None:
        """Read the file again if another process has written it since."""
        if self._current_stamp() != self._read_stamp:
            self.entries.clear()
            self._started.clear()
            self._index = None
            self._lines, self._ends_mid_line = 0, False
            self._load()

    def _current_stamp(self) -> tuple[int, int, int] | None:
        try:
            return _stamp(os.stat(self._path))
        except FileNotFoundError:
            return None

    def _load(self) -> None:
        self._read_stamp = self._current_stamp()
        try:
            data, _status = untrusted.read_file(self._path, _MAX_SIZE)
        except FileNotFoundError:
            return
        except untrusted.UnusableFileError as error:
            raise model.NetnsError(
                f"{self._path} {error}: move it away; all links then count as foreign"
            ) from None
        first, *lines = data.split(b"\n")
        # /run need not be a tmpfs: what another boot wrote claims nothing.
        if first.decode("utf-8", "replace") != self._header():
            return
        self._lines = len(lines)
        self._ends_mid_line = not data.endswith(b"\n")
        # The last line about a path counts, unless it is invalid: then the one before.
        by_path: dict[str, list[t.Mapping[str, t.Any]]] = {}
        for path, fields in _parse_lines(lines):
            if fields is None:
                by_path.pop(path, None)
            else:
                by_path.setdefault(path, []).append(fields)
        for path, candidates in by_path.items():
            for fields in reversed(candidates):
                try:
                    self.entries[path] = _decode_entry(path, fields)
                except (ValueError, TypeError, KeyError, AttributeError):
                    continue
                break

    @staticmethod
    def _header() -> str:
        return json.dumps(["linuxnet.netns ledger", 1, boot_id()])

    def record(self, entries: t.Iterable[Entry] = (), removed: t.Iterable[str] = ()) -> None:
        """Write entries, and the paths whose entries are removed."""
        lines = []
        for entry in entries:
            path = entry.path
            if path in self.entries:
                self._forget(path)
            self.entries[path] = entry
            if self._index:
                self._index.add(entry)
            start = _encode_fields(entry)
            if entry.file is None:
                self._started[path] = start
            lines.append(_with_file(start, entry.file))
        for path in removed:
            if self._forget(path):
                lines.append(f"[{_quote(path)},null]")
        self._write(lines)

    def record_files(self, files: t.Iterable[tuple[str, int]]) -> None:
        """Write the placeholder files, paths and inode numbers, of entries that were recorded before."""
        lines = []
        for path, file in files:
            entry = self.entries[path]
            lines.append(self._line(entry, file))
            self._started.pop(path, None)
            # Not by _replace(), which takes five times as long. The file is the third field.
            self.entries[path] = tuple.__new__(Entry, (*entry[:2], file, *entry[3:]))
        self._write(lines)

    def _forget(self, path: str) -> bool:
        """Drop the entry of a path in memory. Returns whether there was one."""
        entry = self.entries.pop(path, None)
        if entry is None:
            return False
        self._started.pop(path, None)
        if self._index:
            self._index.remove(entry)
        return True

    def _line(self, entry: Entry, file: int | None) -> str:
        """The line of an entry with this file."""
        return _with_file(self._started.get(entry.path) or _encode_fields(entry), file)

    def _write(self, lines: t.Sequence[str]) -> None:
        if not lines:
            return
        try:
            if not self._lines or self._lines + len(lines) > 2 * len(self.entries) + _SPARE_LINES:
                self._rewrite()
                return
            self._append(("\n" if self._ends_mid_line else "") + "\n".join(lines) + "\n")
        except OSError as error:
            # write(2) names no file.
            error.filename = error.filename or self._path
            raise
        self._ends_mid_line = False
        self._lines += len(lines)

    def _append(self, text: str) -> None:
        # Not by open(), as the hook's service does this at each change.
        fd = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        try:
            data = text.encode()
            while data:
                data = data[os.write(fd, data) :]
            self._read_stamp = _stamp(os.fstat(fd))
        finally:
            os.close(fd)

    def _rewrite(self) -> None:
        lines = [self._header()]
        lines += [self._line(entry, entry.file) for entry in self.entries.values()]
        new = os.path.join(os.path.dirname(self._path), _NEW)
        fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with open(fd, "wb") as stream:
            stream.write(("\n".join(lines) + "\n").encode())
        os.replace(new, self._path)
        self._ends_mid_line = False
        self._lines = len(lines)
        self._read_stamp = self._current_stamp()


def _open_directory(path: str) -> int:
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)


@contextlib.contextmanager
def locked(directory: str = DIRECTORY, create: bool = True) -> t.Iterator[None]:
    """Hold the one lock that every run of the modules and the hook takes.

    It is a file that only root can open. Version 1.0.0 locks the directory in its place, so that is
    locked as well: the two then exclude each other while a host is upgraded.
    Where `create` is false (check mode) and the directory does not exist, there is nothing to lock and
    nothing is made.
    """
    with contextlib.ExitStack() as open_files:
        try:
            directory_fd = _open_directory(directory)
        except FileNotFoundError:
            if not create:
                yield
                return
            with contextlib.suppress(FileExistsError):
                os.mkdir(directory, 0o755)
            directory_fd = _open_directory(directory)
        open_files.callback(os.close, directory_fd)
        status = os.fstat(directory_fd)
        if status.st_uid != os.geteuid() or stat.S_IMODE(status.st_mode) & 0o022:
            raise model.NetnsError(
                f"users other than root can write to {directory}, so the list of links in it cannot be trusted: "
                f"check its contents, then run `chown root: {directory}; chmod 755 {directory}`"
            )
        path = os.path.join(directory, _LOCK)
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | (os.O_CREAT if create else 0)
        with contextlib.suppress(FileNotFoundError):
            lock_fd = os.open(path, flags, 0o600)
            open_files.callback(os.close, lock_fd)
            locks.lock(lock_fd, path)
        locks.lock_directory(directory_fd)
        if create:
            # A run that was killed while it wrote the file anew has left this.
            with contextlib.suppress(FileNotFoundError):
                os.unlink(_NEW, dir_fd=directory_fd)
        yield


def prepare_code_cache(directory: str = DIRECTORY) -> None:
    """Make the directory of the compiled code, or remove what runs that were killed have not finished in it.

    For a caller that holds the lock. Runs write code without the lock: if the unfinished file of one is removed, the
    next run compiles that code again. Where this fails, runs are only slower.
    """
    path = os.path.join(directory, CODE_CACHE)
    with contextlib.suppress(OSError):
        try:
            os.mkdir(path, 0o700)
        except FileExistsError:
            cache = _open_directory(path)
            try:
                for name in os.listdir(cache):
                    if not name.endswith(".pyc"):
                        os.unlink(name, dir_fd=cache)
            finally:
                os.close(cache)
