# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to this collection: it can change at any time. Do not use it from other collections or plugins.

"""Imports each file of a module once from the zip archive that Ansible sends, where Python compiles it twice.

Importing this file is enough. It has to be the first import, and changes nothing outside a zip archive.
"""

from __future__ import annotations

import os
import sys
import typing as t
import zipimport


class _Importer(zipimport.zipimporter):
    """A zipimporter that returns the name of a file without compiling the file for that."""

    def get_filename(self, fullname: str) -> str:
        end = "/__init__.py" if self.is_package(fullname) else ".py"
        return os.path.join(self.archive, self.prefix, fullname.rpartition(".")[2]) + end


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


_spec: t.Any = sys.modules[__name__].__spec__
if _spec and isinstance(_spec.loader, zipimport.zipimporter):
    _install(_spec.loader.archive)
