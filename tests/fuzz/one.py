# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""one TARGET [OPTION...]: fuzz one target of targets.py with atheris, with libFuzzer's options."""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["ansible_collections"]):
    from targets import TARGETS


def main() -> None:
    """What is wrong ends it with a traceback, and the bytes that did it in a file."""
    target = TARGETS[sys.argv.pop(1)]
    with target.open() as function:
        atheris.Setup(sys.argv, function)
        atheris.Fuzz()


main()
