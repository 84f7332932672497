# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The cache of compiled code: a run as root finds what the run before compiled, and trusts only root's files."""

from __future__ import annotations

import importlib.util
import json
import os
import pathlib
import subprocess
import sys
import typing as t
import zipfile

import pytest

from ansible_collections.linuxnet.netns.plugins.module_utils import _zip_importer
from ansible_collections.linuxnet.netns.plugins.module_utils._core.links import ledger

SOURCE = pathlib.Path(_zip_importer.__file__).read_text(encoding="utf-8")
PROGRAM = """
# All that other users may not be able to read.
import __future__, builtins, importlib.machinery, importlib.util, json, marshal, os, stat, sys, tokenize, traceback
import typing, zipimport
sys.path.insert(0, sys.argv[1])
os.setuid(int(sys.argv[2]))
compiled = []
compile_file = builtins.compile
def count(source, name, *arguments, **options):
    compiled.append(os.path.basename(str(name)))
    return compile_file(source, name, *arguments, **options)
builtins.compile = count
from sent.utils import main
try:
    main.work.fail()
except OSError:
    lines = traceback.format_exc().splitlines()
files = [os.path.relpath(module.__file__, sys.argv[1]) for module in (main, main.work)]
print(json.dumps([compiled.count("work.py"), main.work.ANSWER, files, lines[-2].strip()]))
"""
NOBODY = 65534
WORK = "sent.utils.work"


class Payload:
    """An archive as Ansible sends it, and the directory of the ledger that its importer knows."""

    def __init__(self, directory: pathlib.Path) -> None:
        self.directory = directory
        self.ledger = directory / "ledger"
        self.cache = self.ledger / "pycache"
        self.runs = 0

    def run(
        self, answer: int = 1, *options: str, uid: int = 0, before: str = ""
    ) -> tuple[int, int]:
        """Import the file, from an archive with a new path. How often was it compiled, and what is in it?"""
        self.runs += 1
        archive = self.directory / f"payload-{self.runs}.zip"
        files = {
            "sent/__init__.py": "",
            "sent/utils/__init__.py": "",
            "sent/utils/_zip_importer.py": SOURCE.replace(_zip_importer._PARENT, str(self.ledger)),
            "sent/utils/main.py": "from . import _zip_importer\nfrom . import work\n",
            "sent/utils/work.py": f"ANSWER = {answer}\ndef fail():\n    raise OSError\n",
        }
        with zipfile.ZipFile(archive, "w") as stream:
            for name, text in files.items():
                stream.writestr(name, text)
        words = [sys.executable, "-IS", *options, "-c", before + PROGRAM, str(archive), str(uid)]
        output = subprocess.run(words, check=True, stdout=subprocess.PIPE).stdout
        compiled, found, paths, line = json.loads(output)
        assert paths == ["sent/utils/main.py", "sent/utils/work.py"]
        # A traceback shows the lines of this run's archive.
        assert line == "raise OSError"
        return compiled, found

    def cached(self) -> pathlib.Path:
        (file,) = self.cache.glob(f"{WORK}.*")
        return file


@pytest.fixture
def payload(tmp_path: pathlib.Path) -> Payload:
    # For other users as well.
    for directory in (tmp_path, *list(tmp_path.parents)[:2]):
        directory.chmod(0o755)
    payload = Payload(tmp_path)
    payload.ledger.mkdir()
    ledger.prepare_code_cache(str(payload.ledger))
    return payload


def test_the_second_run_compiles_nothing(payload: Payload) -> None:
    assert payload.run() == (1, 1)
    assert payload.run() == (0, 1)
    assert payload.cache.stat().st_mode & 0o777 == 0o700
    assert payload.cached().stat().st_mode & 0o777 == 0o600
    # Nothing is left of the writing.
    assert [file.suffix for file in payload.cache.iterdir()] == [".pyc"]
    assert payload.cached().read_bytes().startswith(importlib.util.MAGIC_NUMBER)


def test_another_source_is_compiled(payload: Payload) -> None:
    payload.run(1)
    assert payload.run(2) == (1, 2)
    assert payload.run(2) == (0, 2)


def test_without_the_listing_of_the_archive_there_is_no_cache(
    payload: Payload, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with a Python that has another zipimport."""
    source = SOURCE.replace("_zip_directory_cache", "_renamed")
    assert source != SOURCE
    monkeypatch.setattr(sys.modules[__name__], "SOURCE", source)
    assert payload.run() == (1, 1)
    assert payload.run() == (1, 1)
    assert list(payload.cache.iterdir()) == []


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[:10],
        lambda content: content[:-10],
        lambda content: content[:16] + b"N",
        lambda content: content[:16] + b"?" * 50,
        lambda content: b"\0" * 4 + content[4:],
    ],
    ids=["empty", "header cut", "code cut", "no code", "no marshal", "another Python"],
)
def test_a_damaged_file_is_replaced(payload: Payload, damage: t.Callable[[bytes], bytes]) -> None:
    payload.run()
    payload.cached().write_bytes(damage(payload.cached().read_bytes()))
    assert payload.run() == (1, 1)
    assert payload.run() == (0, 1)


@pytest.mark.parametrize("size", [0, 40])
def test_nothing_is_left_of_what_cannot_be_written(payload: Payload, size: int) -> None:
    """As on a full file system."""
    before = (
        "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({size}, {size}))\n"
    )
    assert payload.run(before=before) == (1, 1)
    assert list(payload.cache.iterdir()) == []
    assert payload.run() == (1, 1)


def test_what_was_not_finished_is_removed(payload: Payload) -> None:
    payload.run()
    files = list(payload.cache.iterdir())
    (payload.cache / f"{WORK}.pyc.{os.getpid()}").touch()
    ledger.prepare_code_cache(str(payload.ledger))
    assert list(payload.cache.iterdir()) == files


def _to_nobody(payload: Payload) -> None:
    os.chown(payload.cache, NOBODY, NOBODY)


def _to_group(payload: Payload) -> None:
    payload.cache.chmod(0o770)


def _parent_to_nobody(payload: Payload) -> None:
    os.chown(payload.ledger, NOBODY, NOBODY)


def _parent_to_all(payload: Payload) -> None:
    payload.ledger.chmod(0o777)


def _by_link(payload: Payload) -> None:
    elsewhere = payload.directory / "elsewhere"
    payload.cache.rename(elsewhere)
    payload.cache.symlink_to(elsewhere)


def _parent_by_link(payload: Payload) -> None:
    elsewhere = payload.directory / "elsewhere"
    payload.ledger.rename(elsewhere)
    payload.ledger.symlink_to(elsewhere)


@pytest.mark.parametrize(
    "expose", [_to_nobody, _to_group, _parent_to_nobody, _parent_to_all, _by_link, _parent_by_link]
)
def test_a_directory_that_others_can_change_is_not_used(
    payload: Payload, expose: t.Callable[[Payload], None]
) -> None:
    payload.run()
    expose(payload)
    before = {file: file.read_bytes() for file in payload.cache.iterdir()}
    for _run in range(2):
        assert payload.run(2) == (1, 2)
        assert payload.run(1) == (1, 1)
    assert {file: file.read_bytes() for file in payload.cache.iterdir()} == before


def test_a_symbolic_link_in_the_cache_is_replaced(payload: Payload) -> None:
    payload.run()
    cached, elsewhere = payload.cached(), payload.directory / "elsewhere"
    cached.rename(elsewhere)
    cached.symlink_to(elsewhere)
    assert payload.run() == (1, 1)
    assert not payload.cached().is_symlink()


def test_other_users_and_other_flags_use_no_cache(payload: Payload) -> None:
    payload.run()
    assert payload.run(uid=NOBODY) == (1, 1)
    assert payload.run(1, "-O") == (1, 1)
    assert payload.run(2, "-B") == (1, 2)
    # The last one wrote nothing.
    assert payload.run(1) == (0, 1)


def test_without_the_directory_nothing_is_made(payload: Payload) -> None:
    payload.cache.rmdir()
    before = payload.ledger.stat()
    assert payload.run() == (1, 1)
    assert payload.ledger.stat() == before
