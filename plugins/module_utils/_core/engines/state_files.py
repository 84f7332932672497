# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Engines' state directories, state files and configuration files, read with bounds.

Only regular files are read, and none beyond a maximum size.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
import time
import typing as t

from .. import model, untrusted
from ..kernel import nsfs

_MAX_CONFIG = 1 << 20


class Deadline:
    """The time by which reading has to be done."""

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self._end = time.monotonic() + timeout

    @property
    def left(self) -> float:
        """The seconds until then."""
        return max(0.0, self._end - time.monotonic())

    def check(self, path: str) -> None:
        """Raise EngineError when the time is over. `path` is what is being read."""
        if time.monotonic() > self._end:
            raise model.EngineError(f"{path} could not be read in full in {self._timeout:g} s")


def read_error(path: str, error: OSError) -> model.EngineError:
    """The EngineError for an OSError that reading a path raised."""
    if error.errno in (errno.EACCES, errno.EPERM):
        return model.EngineError(f"no permission to read {path} (`become: true`)")
    return model.EngineError(f"{path}: {error.strerror or error}")


def may_exist(path: str) -> bool:
    """Whether a path exists, or its existence cannot be checked."""
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True


@contextlib.contextmanager
def open_directory(name: str, path: str, dir_fd: int | None = None) -> t.Iterator[int | None]:
    """A descriptor of a directory; None where there is no directory of that name.

    `path` names it in errors. A symbolic link is not followed below `dir_fd`.
    """
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
    try:
        fd = os.open(name, flags | (os.O_NOFOLLOW if dir_fd is not None else 0), dir_fd=dir_fd)
    except (FileNotFoundError, NotADirectoryError):
        yield None
        return
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise read_error(path, error) from None
        yield None
        return
    try:
        yield fd
    finally:
        os.close(fd)


@contextlib.contextmanager
def open_regular(path: str) -> t.Iterator[int]:
    """A descriptor of a regular file. Raises EngineError for any other."""
    try:
        _check_regular(path, os.stat(path))
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise read_error(path, error) from None
    try:
        _check_regular(path, os.fstat(fd))
        yield fd
    finally:
        os.close(fd)


def _check_regular(path: str, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise model.EngineError(f"{path} is {nsfs.describe(status)}, not a file")


def list_directory(fd: int | None, path: str) -> list[str]:
    """The sorted names in an open directory; none for None."""
    try:
        return sorted(os.listdir(fd)) if fd is not None else []
    except OSError as error:
        raise read_error(path, error) from None


def read_file(fd: int, name: str, path: str, max_bytes: int) -> tuple[bytes, float] | None:
    """The content and mtime of a file in an open directory; None where it does not exist."""
    try:
        data, status = untrusted.read_file(name, max_bytes, fd)
    except FileNotFoundError:
        return None
    except untrusted.UnusableFileError as error:
        raise model.EngineError(f"{path}/{name} {error}") from None
    except OSError as error:
        raise read_error(f"{path}/{name}", error) from None
    return data, status.st_mtime


def config_text(path: str) -> str:
    """The text of a configuration file, "" where it does not exist or cannot be read."""
    try:
        data, _status = untrusted.read_file(path, _MAX_CONFIG, follow=True)
    except (untrusted.UnusableFileError, OSError, ValueError):
        return ""
    return data.decode("utf-8", "replace")


def toml_string(path: str, key: str, table: str) -> str:
    """A string of a TOML file, "" where it is not set. The top-level table is ""."""
    assignment = re.compile(rf"""\s*{re.escape(key)}\s*=\s*(?:"([^"]*)"|'([^']*)')""")
    current = ""
    for line in config_text(path).split("\n"):
        if line.lstrip().startswith("["):
            current = line.split("#")[0].strip(" \t[]")
        match = assignment.match(line) if current == table else None
        if match:
            return match.group(1) or match.group(2) or ""
    return ""
