# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""atheris_worker TARGET [OPTION...]: fuzz one target of fuzz_targets.py with atheris and libFuzzer's options."""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["ansible_collections"]):
    from fuzz_targets import TARGETS


def main() -> None:
    """Fuzz the target. A defect ends the process with a traceback, and its input is left in a file."""
    target = TARGETS[sys.argv.pop(1)]
    with target.open() as function:
        atheris.Setup(sys.argv, function)
        atheris.Fuzz()


main()
