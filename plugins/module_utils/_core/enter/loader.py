# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Load the code that the become plugin sends, without compiling it for each task.

For root, the compiled code is kept in the directory in which `_zip_importer` keeps that of modules. A run that
locks the ledger makes it.

The become plugin sends this file as well, and Python compiles it for each task. So it is short, and imports only
what the loaded code imports anyway, unless there is nothing in the cache.
"""

from __future__ import annotations

import marshal
import os
import stat
import sys

# `DIRECTORY` and `CODE_CACHE` of `ledger`.
_PATH = ("/run/linuxnet-netns", "pycache")
_MAX_CODE = 1 << 20


def load(packed: str, digest: str) -> object:
    """What exec() runs for a packed source: its code, or the source itself where no code can be kept.

    A cache that cannot be used raises nothing. Descriptors stay open until this process becomes the task's command.
    """
    # The version alone does not identify a build of Python.
    header = f"{digest} {sys.version}\0".encode()
    name = f"enter.{sys.implementation.cache_tag}.pyc"
    cache = _open_cache()
    code = None if cache is None else _read(cache, name, header)
    if code is not None:
        return code
    import binascii
    import zlib

    source = zlib.decompress(binascii.a2b_base64(packed))
    # Python ignores the variable in isolated mode.
    if cache is None or sys.dont_write_bytecode or os.getenv("PYTHONDONTWRITEBYTECODE"):
        # compile() takes 0.5 ms more than exec(): it makes the types of ast.
        return source
    code = compile(source, "<string>", "exec", dont_inherit=True)
    _write(cache, name, header + marshal.dumps(code))
    return code


def _open_cache() -> int | None:
    """A descriptor of the directory of the cache, if only root can change it, else None."""
    if os.geteuid():
        return None
    directory = None
    try:
        for name in _PATH:
            directory = os.open(
                name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=directory
            )
            found = os.fstat(directory)
            if found.st_uid or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
                return None
    except OSError:
        return None
    return directory


def _read(cache: int, name: str, header: bytes) -> object:
    """The code of a file in the cache, or None if it is not there, damaged, or of another source or Python."""
    try:
        content = os.read(os.open(name, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=cache), _MAX_CODE)
        return marshal.loads(content[len(header) :]) if content.startswith(header) else None
    except (OSError, EOFError, ValueError, TypeError):
        return None


def _write(cache: int, name: str, content: bytes) -> None:
    """Put a file into the cache, for all tasks that come later."""
    new = f"{name}.{os.getpid()}"
    try:
        file = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=cache)
        try:
            if os.write(file, content) == len(content):
                os.rename(new, name, src_dir_fd=cache, dst_dir_fd=cache)
                return
        except OSError:
            pass
        os.unlink(new, dir_fd=cache)
    except OSError:
        pass
