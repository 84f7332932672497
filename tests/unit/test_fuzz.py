# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The targets of `make fuzz`, each with its seeds and a few random changes of them."""

from __future__ import annotations

import random

import pytest
from fuzz_targets import TARGETS


@pytest.mark.parametrize("name", TARGETS)
def test_target(name: str) -> None:
    target = TARGETS[name]
    chance = random.Random(name)
    with target.open() as function:
        for seed in target.seeds:
            function(seed)
        for _run in range(60):
            data = bytearray(chance.choice(target.seeds))
            data += bytes(chance.choices(range(256), k=chance.randrange(40)))
            for _change in range(chance.randrange(4) if data else 0):
                data[chance.randrange(len(data))] = chance.randrange(256)
            function(bytes(data))
