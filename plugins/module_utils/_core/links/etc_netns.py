# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""/etc/netns/NAME/resolv.conf, which `ip netns exec` mounts over /etc/resolv.conf.

Managed files have a mark in their first line, with the link that they belong to: the files survive a
reboot, the links and the ledger do not. A file without the mark is foreign.
"""

from __future__ import annotations

import contextlib
import json
import os
import typing as t

from .. import model, resolv_conf, untrusted
from ..named_tuple import NamedTuple

DIRECTORY = "/etc/netns"
_FILE = "resolv.conf"
# Where the directory of a link is prepared, and taken apart.
_STAGING_DIR = ".linuxnet-netns"
_MARK = "# linuxnet.netns "
_MAX_READ = 1 << 16


class File(NamedTuple):
    """A resolv.conf that exists; `mark` is the content of its mark, None where it is foreign."""

    text: str
    mark: t.Mapping[str, t.Any] | None


def path_of(name: str) -> str:
    """The path of a link's file."""
    return os.path.join(DIRECTORY, name, _FILE)


def dns_lines(source: str) -> tuple[str, ...]:
    """The lines of a container's resolv.conf that take effect; none where it has no servers."""
    parsed = resolv_conf.parse(_read(source))
    return tuple(map(" ".join, parsed.lines)) if parsed.nameservers else ()


def compose(lines: t.Sequence[str], link: str, container: model.Container) -> str:
    """The text of a link's file."""
    mark = {
        "link": link,
        "engine": container.engine,
        "container": container.id,
        "labels": dict(container.labels),
    }
    return "\n".join([_MARK + json.dumps(mark, sort_keys=True), *lines, ""])


def present(names: t.Iterable[str] | None = None) -> dict[str, File]:
    """The files of all links, or of these, by link name."""
    if names is None:
        try:
            names = os.listdir(DIRECTORY)
        except FileNotFoundError:
            names = ()
    files = {}
    for name in names:
        if os.path.lexists(path_of(name)):
            files[name] = _file(path_of(name))
    return files


def write(name: str, text: str, found: File | None) -> None:
    """Write the file, whole or not at all, and make its directory where there is none.

    `found` is the file that it replaces. Raises NetnsError where there is another one now.
    """
    directory = os.path.dirname(path_of(name))
    with _staging_dir() as staging:
        path = os.path.join(staging, _FILE)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with open(os.open(path, flags, 0o644), "wb") as stream:
            stream.write(text.encode("utf-8", "surrogateescape"))
        try:
            os.rename(staging, directory)
        except OSError:  # it has something in it, or is a symbolic link
            with _unchanged(name, found) as directory_fd:
                os.replace(path, _FILE, dst_dir_fd=directory_fd)


def remove(name: str, found: File | None) -> None:
    """Remove the file, and its directory where nothing else is in it.

    `found` is the file. Raises NetnsError where there is another one now.
    """
    directory = os.path.dirname(path_of(name))
    with contextlib.ExitStack() as stack:
        staging = stack.enter_context(_staging_dir())
        stack.enter_context(contextlib.suppress(FileNotFoundError))
        directory_fd = stack.enter_context(_unchanged(name, found))
        if os.listdir(directory) == [_FILE] and not os.path.islink(directory):
            # File and directory at once, so that a crash leaves neither.
            os.rename(directory, staging)
            if os.listdir(staging) == [_FILE]:
                return
            os.rename(staging, directory)
        os.unlink(_FILE, dir_fd=directory_fd)


@contextlib.contextmanager
def _unchanged(name: str, found: File | None) -> t.Iterator[int]:
    """A descriptor of the directory of a link, which has the file that was found, or none."""
    path = path_of(name)
    fd = os.open(os.path.dirname(path), os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        # A symbolic link is a file of its own here, which write() would replace.
        with contextlib.suppress(FileNotFoundError):
            os.stat(_FILE, dir_fd=fd, follow_symlinks=False)
            if _file(_FILE, fd) != found:
                raise model.NetnsError(f"another program wrote {path} meanwhile: run again")
        yield fd
    finally:
        os.close(fd)


def remove_leftovers() -> None:
    """Remove what a run that was killed has left unfinished."""
    staging = os.path.join(DIRECTORY, _STAGING_DIR)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(os.path.join(staging, _FILE))
    with contextlib.suppress(OSError):
        os.rmdir(staging)
        os.rmdir(DIRECTORY)


@contextlib.contextmanager
def _staging_dir() -> t.Iterator[str]:
    """An empty directory beside those of the links, which is removed afterwards."""
    staging = os.path.join(DIRECTORY, _STAGING_DIR)
    remove_leftovers()
    os.makedirs(staging, mode=0o755)
    try:
        yield staging
    finally:
        remove_leftovers()


def _file(path: str, dir_fd: int | None = None) -> File:
    text = _read(path, dir_fd)
    return File(text, _mark(text))


def _read(path: str, dir_fd: int | None = None) -> str:
    """The text of a regular file of at most 64 KiB; empty for anything else."""
    try:
        data, _status = untrusted.read_file(path, _MAX_READ, dir_fd)
    except (untrusted.UnusableFileError, OSError):
        return ""
    return data.decode("utf-8", "surrogateescape")


def _mark(text: str) -> t.Mapping[str, t.Any] | None:
    first = text.partition("\n")[0]
    if first.startswith(_MARK):
        with contextlib.suppress(ValueError):
            mark = untrusted.parse_json(first[len(_MARK) :])
            if isinstance(mark, dict) and isinstance(mark.get("link"), str):
                return mark if isinstance(mark.get("labels", {}), dict) else None
    return None
