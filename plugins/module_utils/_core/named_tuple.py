# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""typing.NamedTuple, without a look at the annotations.

It compiles each annotation that is a string, as all are in these files (PEP 563): most of its time, and 3 ms in a run.
"""

from __future__ import annotations

import collections
import typing as t

if t.TYPE_CHECKING:
    from typing import NamedTuple

    __all__ = ["NamedTuple"]
else:

    class _Meta(type):
        """Makes a subclass of tuple from each class that has NamedTuple as its base."""

        def __new__(cls, name: str, bases: tuple[type, ...], namespace: dict[str, t.Any]) -> type:
            if not bases:
                return super().__new__(cls, name, bases, namespace)
            fields = namespace["__annotations__"]
            defaults = [namespace[field] for field in fields if field in namespace]
            made = collections.namedtuple(name, fields, defaults=defaults)
            for attribute, value in namespace.items():
                if attribute not in fields:
                    setattr(made, attribute, value)
            return made

    class NamedTuple(metaclass=_Meta):
        """The base of tuples with named fields: the attributes of a class that have annotations."""
