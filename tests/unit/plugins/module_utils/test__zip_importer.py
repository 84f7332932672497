# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The importer for the zip archive that Ansible sends to a managed host."""

from __future__ import annotations

import ast
import json
import pathlib
import subprocess
import sys
import typing as t
import zipfile

import pytest

from ansible_collections.linuxnet.netns.plugins.module_utils import _zip_importer
from ansible_collections.linuxnet.netns.plugins.module_utils._core.links import ledger

# Without the cache, which tests/kernel/test_zip_importer.py tests as root.
SOURCE = (
    pathlib.Path(_zip_importer.__file__)
    .read_text(encoding="utf-8")
    .replace(_zip_importer._PARENT, "/nowhere")
)
FILES = {
    "sent/__init__.py": "",
    "sent/before.py": "",
    "sent/utils/__init__.py": "",
    "sent/utils/_zip_importer.py": SOURCE,
    "sent/utils/main.py": "from . import _zip_importer\nfrom .core import work, missing\n",
    "sent/utils/core/__init__.py": "",
    "sent/utils/core/work.py": "def fail():\n    raise OSError\n",
    "sent/utils/core/missing.py": "try:\n    from . import nothing\nexcept ImportError:\n    pass\n",
    "sent/after.py": "",
}
PROGRAM = """
import builtins, collections, importlib, json, os, sys, traceback
root = sys.argv[1]
sys.path.insert(0, root)
compiled = collections.Counter()
compile_file = builtins.compile
def count(source, name, *arguments, **options):
    # The importer names files as in the archive.
    compiled[os.path.relpath(os.path.join(root, name), root)] += 1
    return compile_file(source, name, *arguments, **options)
builtins.compile = count
hooks = len(sys.path_hooks)
for name in ("sent.before", "sent.utils.main", "sent.after"):
    importlib.import_module(name)
from sent.utils.core import work
try:
    work.fail()
except OSError:
    lines = traceback.format_exc().splitlines()
files = {
    name: [os.path.relpath(module.__file__, root), bool(module.__spec__.submodule_search_locations)]
    for name, module in sys.modules.items() if name.partition(".")[0] == "sent"
}
print(json.dumps([compiled, files, [line.strip() for line in lines], len(sys.path_hooks) - hooks]))
"""

# What the garbage collector does from here on, and when Python ends.
COLLECTOR = """
import atexit, gc, sys
sys.path.insert(0, sys.argv[1])
# Python 3.12 starts with some.
frozen = gc.get_freeze_count()
atexit.register(lambda: print(gc.isenabled(), gc.get_freeze_count() > frozen))
import sent.utils.main
"""
# A module that prints its result, what is called when Python ends, and whether Python frees its objects.
END = """
import atexit, os, sys
sys.path.insert(0, sys.argv[1])
file = open(os.dup(1), "w")
file.write("freed\\n")
atexit.register(os.write, 1, b"before\\n")
from sent.utils import _zip_importer, main
atexit.register(os.write, 1, b"after\\n")
print("result")
"""
PLUGINS = pathlib.Path(_zip_importer.__file__).parents[1]


@pytest.mark.parametrize(
    "file", sorted(PLUGINS.glob("modules/netns_*.py")), ids=lambda file: file.name
)
def test_it_is_the_first_import_of_each_module(file: pathlib.Path) -> None:
    names = [
        (statement.module, [alias.name for alias in statement.names])
        for statement in ast.parse(file.read_text(encoding="utf-8")).body
        if isinstance(statement, ast.ImportFrom) and statement.module != "__future__"
    ]
    assert names[0] == (_zip_importer.__package__, ["_zip_importer"])


def test_it_knows_the_directories_of_the_ledger() -> None:
    known = (_zip_importer._PARENT, _zip_importer._NAME)
    assert known == (ledger.DIRECTORY, ledger.CODE_CACHE)


def run(root: pathlib.Path, program: str = PROGRAM) -> str:
    words = [sys.executable, "-B", "-c", program, str(root)]
    return subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True).stdout


@pytest.fixture
def archive(tmp_path: pathlib.Path) -> pathlib.Path:
    path = tmp_path / "payload.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as stream:
        for name, text in FILES.items():
            stream.writestr(name, text)
    return path


def test_files_that_follow_are_compiled_once(archive: pathlib.Path) -> None:
    compiled, files, lines, hooks = json.loads(run(archive))
    expected = dict.fromkeys(FILES, 1)
    # What is imported before the importer: Python itself compiles these twice.
    before = ("__init__", "before", "utils/__init__", "utils/main", "utils/_zip_importer")
    expected.update({f"sent/{name}.py": 2 for name in before})
    assert {name: compiled[name] for name in FILES} == expected
    modules = {
        name[: -len(".py")].replace("/", ".").replace(".__init__", ""): [
            name,
            name.endswith("__init__.py"),
        ]
        for name in FILES
    }
    assert files == modules
    # A traceback shows the lines of the files.
    assert "raise OSError" in lines
    assert hooks == 1


def test_garbage_is_not_searched_for(archive: pathlib.Path) -> None:
    assert run(archive, COLLECTOR) == "False True\n"


@pytest.mark.parametrize(
    ("statement", "status", "lines"),
    [
        # What was registered after the importer is called, and nothing is freed.
        ("_zip_importer.end_early(); sys.exit(0)", 0, ["after", "result"]),
        ("sys.exit(1)", 1, ["after", "before", "result", "freed"]),
        (
            "_zip_importer.end_early(); sys.modules['coverage'] = sys",
            0,
            ["after", "before", "result", "freed"],
        ),
        ("_zip_importer.end_early(); 1 / 0", 1, ["after", "before", "result", "freed"]),
        (
            "_zip_importer.end_early(); os.dup2(os.open('/dev/full', os.O_WRONLY), 1)",
            120,
            ["freed"],
        ),
    ],
    ids=["early", "not early", "coverage", "error after the result", "result not written"],
)
def test_the_end(
    archive: pathlib.Path, statement: str, status: int, lines: t.Sequence[str]
) -> None:
    words = [sys.executable, "-BE", "-c", END + statement, str(archive)]
    ended = subprocess.run(words, check=False, capture_output=True, text=True)
    assert (ended.returncode, ended.stdout.split()) == (status, lines)


def test_outside_an_archive_nothing_changes(tmp_path: pathlib.Path) -> None:
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    _compiled, files, _lines, hooks = json.loads(run(tmp_path))
    assert sorted(path for path, _is_package in files.values()) == sorted(FILES)
    assert hooks == 0
    assert run(tmp_path, COLLECTOR) == "True False\n"
