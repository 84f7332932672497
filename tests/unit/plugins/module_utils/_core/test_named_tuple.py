# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A class of ours is what typing.NamedTuple makes of it."""

from __future__ import annotations

import pickle
import typing as t

import pytest

from ansible_collections.linuxnet.netns.plugins.module_utils._core.named_tuple import NamedTuple


class Ours(NamedTuple):
    """A pair."""

    first: int
    second: "no such type" = 2  # type: ignore[name-defined, assignment] # noqa: F722

    @property
    def swapped(self) -> Ours:
        return Ours(self.second, self.first)

    @classmethod
    def of(cls, number: int) -> Ours:
        return cls(number)


class Typing(t.NamedTuple):
    """A pair."""

    first: int
    second: int = 2


def test_it_is_as_that_of_typing() -> None:
    assert (Ours._fields, Ours._field_defaults) == (Typing._fields, Typing._field_defaults)
    assert Ours.__annotations__.keys() == Typing.__annotations__.keys()
    assert (Ours.__bases__, Ours.__doc__, Ours.__slots__) == ((tuple,), "A pair.", ())
    assert Ours(1) == Typing(1) == (1, 2)
    assert repr(Ours(1)) == "Ours(first=1, second=2)"
    assert Ours(first=1, second=3)._replace(first=4)._asdict() == {"first": 4, "second": 3}
    assert Ours.of(1).swapped == (2, 1)
    assert pickle.loads(pickle.dumps(Ours(1))).swapped == (2, 1)
    assert not hasattr(Ours(1), "__dict__")


@pytest.mark.parametrize("arguments", [(), (1, 2, 3)])
def test_wrong_arguments(arguments: tuple[int, ...]) -> None:
    with pytest.raises(TypeError):
        Ours(*arguments)
