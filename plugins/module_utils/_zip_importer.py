# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: it can change at any time. Do not use it from other collections or plugins.

"""Imports the files of a module from the zip archive that Ansible sends, without compiling them at each run.

Python compiles each file of such an archive twice, at each run. This importer compiles it once. For root, it also keeps
the compiled code in a directory beside the ledger, as Python does in __pycache__. A run over all links makes it.

With end_early(), it also keeps Python from freeing each object when the module ends.

Importing this file is enough. It has to be the first import, and changes nothing outside a zip archive.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib.machinery
import importlib.util
import marshal
import os
import stat
import sys
import typing as t
import zipimport

# `DIRECTORY` and `CODE_CACHE` of `ledger`, which can't be imported yet.
_PARENT = "/run/linuxnet-netns"
_NAME = "pycache"
# What zipimport knows about the files of each archive. The name is not public: a Python without it gets no cache.
_LISTINGS: t.Mapping[str, t.Mapping[str, t.Sequence[t.Any]]] = getattr(
    zipimport, "_zip_directory_cache", {}
)


class _Importer(zipimport.zipimporter):
    """A zipimporter that returns the name of a file without compiling it, and its code from the cache."""

    def get_filename(self, fullname: str) -> str:
        return os.path.join(self.archive, self._member(fullname))

    def get_code(self, fullname: str) -> t.Any:
        member = self._member(fullname)
        header = self._header(member)
        name = f"{fullname}.{sys.implementation.cache_tag}.pyc"
        code = _read(name, header) if header else None
        if code is None:
            source = self.get_data(os.path.join(self.archive, member))
            # The archive has another path at each run. A traceback finds the lines by the module.
            code = compile(source, member, "exec", dont_inherit=True)
            if header:
                _write(name, header + marshal.dumps(code))
        return code

    # Those of all loaders that have `get_code`. Python 3.8 and 3.9 would compile without them.
    create_module = importlib.machinery.SourceFileLoader.create_module
    exec_module = importlib.machinery.SourceFileLoader.exec_module

    def _header(self, member: str) -> bytes | None:
        """What a file begins with in the cache: the version of Python's code, and the size and CRC of the source.

        For its own cache, Python takes the size and the time. A hash would take longer, as each source would be read.
        """
        listed = _LISTINGS.get(self.archive, {}).get(member)
        if listed is None:
            return None
        size: int = listed[3]
        crc: int = listed[7]
        return importlib.util.MAGIC_NUMBER + size.to_bytes(8, "little") + crc.to_bytes(4, "little")

    def _member(self, fullname: str) -> str:
        end = "/__init__.py" if self.is_package(fullname) else ".py"
        return os.path.join(self.prefix, fullname.rpartition(".")[2]) + end


def _open_cache() -> int | None:
    """A descriptor of the directory of the cache, if only root can change it, else None."""
    if os.geteuid() or sys.flags.optimize:
        return None
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        parent = os.open(_PARENT, flags)
        try:
            if not _is_roots(parent):
                return None
            cache = os.open(_NAME, flags, dir_fd=parent)
        finally:
            os.close(parent)
    except OSError:
        return None
    if _is_roots(cache):
        return cache
    os.close(cache)
    return None


def _is_roots(directory: int) -> bool:
    """Whether only root can add files to an open directory."""
    found = os.fstat(directory)
    return found.st_uid == 0 and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _read(name: str, header: bytes) -> t.Any:
    """The code of a file in the cache, or None if it is not there or of another source or Python."""
    if _cache is None:
        return None
    try:
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=_cache)
        with open(descriptor, "rb", buffering=0) as stream:
            content = stream.readall()
        return marshal.loads(content[len(header) :]) if content.startswith(header) else None
    except (OSError, EOFError, ValueError, TypeError):
        return None


def _write(name: str, content: bytes) -> None:
    """Put a file into the cache, for all runs that come later."""
    if _cache is None or sys.dont_write_bytecode:
        return
    new = f"{name}.{os.getpid()}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with contextlib.suppress(OSError):
        descriptor = os.open(new, flags, 0o600, dir_fd=_cache)
        try:
            with open(descriptor, "wb", buffering=0) as stream:
                complete = stream.write(content) == len(content)
            if complete:
                os.rename(new, name, src_dir_fd=_cache, dst_dir_fd=_cache)
                return
        except OSError:
            pass
        os.unlink(new, dir_fd=_cache)


def _install(archive: str) -> None:
    inside = archive + os.sep

    def hook(path: str) -> t.Any:
        if path != archive and not path.startswith(inside):
            raise ImportError(path)
        return _Importer(path)

    sys.path_hooks.insert(0, hook)
    for path in list(sys.path_importer_cache):
        if path == archive or path.startswith(inside):
            del sys.path_importer_cache[path]


def end_early() -> None:
    """Have the process end with status 0 after the calls that were registered with atexit since this import."""
    global _ends_early  # noqa: PLW0603
    _ends_early = True


def _end() -> None:
    # Otherwise, the collector looks at all objects again.
    gc.freeze()
    # `last_value` is there after an error that nothing caught. `coverage` writes its file after this.
    if _ends_early and not hasattr(sys, "last_value") and "coverage" not in sys.modules:
        sys.stdout.flush()
        sys.stderr.flush()
        # The kernel frees all objects at once, Python one by one.
        os._exit(0)


_ends_early = False
_cache: int | None = None
_spec: t.Any = sys.modules[__name__].__spec__
if _spec and isinstance(_spec.loader, zipimport.zipimporter):
    _cache = _open_cache()
    _install(_spec.loader.archive)
    # A module ends before there is much garbage that only the collector finds, and it looks at all objects each time.
    gc.disable()
    # The first to be registered is the last to be called.
    atexit.register(_end)
