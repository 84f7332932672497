# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""/etc/netns/NAME/resolv.conf, which `ip netns exec` mounts over /etc/resolv.conf.

Ours say so in their first line, with the link that they go with: the files survive a reboot, the
links and the ledger do not. What lacks that mark is somebody else's.
"""

from __future__ import annotations

import contextlib
import json
import os
import typing as t

from .. import model, resolv_conf, untrusted

DIRECTORY = "/etc/netns"
_FILE = "resolv.conf"
# Where a directory of a link is made, and unmade.
_STAGE = ".linuxnet-netns"
_MARK = "# linuxnet.netns "
_MAX_READ = 1 << 16


class File(t.NamedTuple):
    """A file that stands there; `owner` is what our mark says, None where it is not ours."""

    text: str
    owner: t.Mapping[str, t.Any] | None


def path_of(name: str) -> str:
    """Where the file of a link is."""
    return os.path.join(DIRECTORY, name, _FILE)


def dns_lines(source: str) -> tuple[str, ...]:
    """The lines of a container's resolv.conf that take effect; none where it has no servers."""
    parsed = resolv_conf.parse(_read(source))
    return tuple(map(" ".join, parsed.lines)) if parsed.nameservers else ()


def compose(lines: t.Sequence[str], link: str, container: model.Container) -> str:
    """The file that goes with a link."""
    owner = {
        "link": link,
        "engine": container.engine,
        "container": container.id,
        "labels": dict(container.labels),
    }
    return "\n".join([_MARK + json.dumps(owner, sort_keys=True), *lines, ""])


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
            text = _read(path_of(name))
            files[name] = File(text, _owner(text))
    return files


def write(name: str, text: str) -> None:
    """Put the file in place, whole or not at all, and its directory with it where there is none."""
    directory = os.path.dirname(path_of(name))
    with _staged() as stage:
        path = os.path.join(stage, _FILE)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with open(os.open(path, flags, 0o644), "wb") as stream:
            stream.write(text.encode("utf-8", "surrogateescape"))
        try:
            os.rename(stage, directory)
        except OSError:  # it has something in it, or is a symbolic link
            os.replace(path, os.path.join(directory, _FILE))


def remove(name: str) -> None:
    """Take the file away, and its directory where nothing else is in it."""
    path = path_of(name)
    directory = os.path.dirname(path)
    with _staged() as stage, contextlib.suppress(FileNotFoundError):
        if os.listdir(directory) == [_FILE] and not os.path.islink(directory):
            # Both at once, so that a crash leaves neither.
            os.rename(directory, stage)
            if os.listdir(stage) == [_FILE]:
                return
            os.rename(stage, directory)
        os.unlink(path)


def tidy() -> None:
    """Remove what a run that was killed has left half done."""
    stage = os.path.join(DIRECTORY, _STAGE)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(os.path.join(stage, _FILE))
    with contextlib.suppress(OSError):
        os.rmdir(stage)
        os.rmdir(DIRECTORY)


@contextlib.contextmanager
def _staged() -> t.Iterator[str]:
    """An empty directory beside those of the links, which is gone afterwards."""
    stage = os.path.join(DIRECTORY, _STAGE)
    tidy()
    os.makedirs(stage, mode=0o755)
    try:
        yield stage
    finally:
        tidy()


def _read(path: str) -> str:
    """The text of a regular file of at most 64 KiB; empty for anything else."""
    try:
        data, _status = untrusted.read_file(path, _MAX_READ)
    except (untrusted.UnusableFileError, OSError):
        return ""
    return data.decode("utf-8", "surrogateescape")


def _owner(text: str) -> t.Mapping[str, t.Any] | None:
    first = text.partition("\n")[0]
    if first.startswith(_MARK):
        with contextlib.suppress(ValueError):
            owner = untrusted.parse_json(first[len(_MARK) :])
            if isinstance(owner, dict) and isinstance(owner.get("link"), str):
                return owner if isinstance(owner.get("labels", {}), dict) else None
    return None
