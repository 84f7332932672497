# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""The command that enters a namespace on a host, for the become plugin."""

from __future__ import annotations

import base64
import functools
import hashlib
import json
import os
import shlex
import typing as t
import zlib

# By its path, as the packages around it take longer to import than the files to be read.
_DIRECTORY = os.path.join(
    os.path.dirname(os.path.dirname(__file__)), "module_utils", "_core", "enter"
)
_TOO_OLD = "this Python is older than 3.8: set ansible_netns_python to a later one of the host"
# The effective user of the shell is the second number of its line "Uid:". To run `id` takes a millisecond.
_IS_ROOT = (
    "while read -r netns_field netns_real netns_user netns_rest; "
    'do [ "$netns_field" = Uid: ] && break; done </proc/self/status; [ "$netns_user" = 0 ]'
)


def enter(python: str, target: str, netns_dir: str, user: str, features: t.Sequence[str]) -> str:
    """The command whose arguments end with the command in the namespace: see `namespace.main()`."""
    words = (python, "-I", "-S", "-c", helper(), target, netns_dir, user, ",".join(features))
    return " ".join(map(shlex.quote, words))


def as_root(sudo: str, command: str) -> str:
    """The command of a shell that runs `command`, with `sudo` unless the user is root already."""
    quoted = shlex.quote(f'{_IS_ROOT} && exec "$@"; {sudo} "$@"')
    return f"/bin/sh -c {quoted} netns {command}"


@functools.lru_cache(maxsize=None)
def helper() -> str:
    """The code that enters a namespace, as an argument of `python3 -c`."""
    source = _read("namespace.py").encode()
    digest = hashlib.sha256(source).hexdigest()
    # Each task packs this. Level 9 takes much longer, for some bytes.
    text = base64.b64encode(zlib.compress(source, 6)).decode()
    # An old Python parses all of this before it runs the check, so newer syntax is in strings only. There are no
    # single quotes and no newlines, which shells would need to have escaped, at several levels.
    return (
        f'import sys;sys.version_info<(3,8)and sys.exit("{_TOO_OLD}");'
        f'exec({json.dumps(_read("loader.py"))});exec(load("{text}","{digest}"))'
    )


def _read(name: str) -> str:
    with open(os.path.join(_DIRECTORY, name), encoding="utf-8") as stream:
        return compact(stream.read())


def compact(source: str) -> str:
    """The source with empty docstrings, and without lines that are empty or a comment.

    Neither by a parser nor by a pattern, as Ansible calls this in a new process for each task. These files have three
    quotes around docstrings only.
    """
    code = '""'.join(source.split('"""')[::2])
    return "".join(
        f"{line}\n" for line in code.split("\n") if line and not line.lstrip().startswith("#")
    )
