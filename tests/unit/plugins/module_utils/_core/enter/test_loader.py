# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the loader of the become plugin imports, and what it shares with the ledger.

tests/kernel/test_enter.py tests as root what it loads.
"""

from __future__ import annotations

import ast
import inspect

from ansible_collections.linuxnet.netns.plugins.module_utils._core.enter import loader
from ansible_collections.linuxnet.netns.plugins.module_utils._core.links import ledger


def test_it_imports_little_if_the_code_is_cached() -> None:
    tree = ast.parse(inspect.getsource(loader))
    always = [node for node in tree.body if isinstance(node, (ast.Import, ast.ImportFrom))]
    # namespace.py imports these as well, and marshal is a part of Python.
    names = {alias.name for node in always if isinstance(node, ast.Import) for alias in node.names}
    assert names == {"marshal", "os", "stat", "sys"}
    others = [node.module for node in always if isinstance(node, ast.ImportFrom)]
    assert others == ["__future__"]


def test_it_knows_the_directories_of_the_ledger() -> None:
    assert loader._PATH == (ledger.DIRECTORY, ledger.CODE_CACHE)
