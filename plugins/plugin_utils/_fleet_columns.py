# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins!

"""Nested values as columns, in which each value is stored once and has a number.

The values of a field repeat in a fleet: routes, images, whole interfaces such as `lo`. So each shape keeps its
distinct values, in the order in which they first appear, and whatever contains them has their numbers. The numbers
of each field are together, in a column. There, a number is

- 0 for the next value that has not appeared in this column yet,
- N + 1 for the value N,
- -1 for null.

Thus a column of values that never repeat consists of zeros. A column of equal numbers is this number alone.
"""

from __future__ import annotations

import itertools
import typing as t

_Row = t.Tuple[t.Any, ...]
_Distinct = t.Dict[t.Any, int]


class Shape:
    """Values of one shape. Each is represented by a key, which is hashable and equal for equal values.

    The methods raise what `_fleet_schema.WRONG_TYPE` lists for values of another shape.
    """

    def key(self, value: t.Any) -> t.Any:
        """The key of a value that is not null."""
        raise NotImplementedError

    def column(self, keys: t.Iterable[t.Any]) -> list[t.Any]:
        """The column of these keys, and the distinct values."""
        distinct: _Distinct = {}
        column = _packed(
            None if key is None else distinct.setdefault(key, len(distinct)) for key in keys
        )
        return [column, self.values(distinct)]

    def values(self, keys: t.Collection[t.Any]) -> t.Any:
        """The values with these keys."""
        raise NotImplementedError


class Scalar(Shape):
    """A text, a number or a flag, or null. It is its own key."""

    def __init__(self, kind: type) -> None:
        self._types = (kind, type(None))

    def column(self, keys: t.Iterable[t.Any]) -> list[t.Any]:
        distinct: _Distinct = {}
        column = _packed([distinct.setdefault(key, len(distinct)) for key in keys])
        for each in set(map(type, distinct)):
            # A bool is an int as well.
            if not issubclass(each, self._types) or (each is bool and bool not in self._types):
                raise TypeError(f"{each} is none of {self._types}")
        return [column, list(distinct)]


class Record(Shape):
    """Some keys of a dict, whose values are scalars. Those that are missing are null."""

    def __init__(self, **fields: Scalar) -> None:
        self._fields = fields
        self._names = tuple(fields)

    def key(self, value: t.Any) -> t.Any:
        return tuple(map(value.get, self._names))

    def values(self, keys: t.Collection[t.Any]) -> t.Any:
        return _fields(self._fields, keys)


class List(Shape):
    """A list of values of one shape."""

    def __init__(self, item: Shape) -> None:
        self._item = item

    def key(self, value: t.Any) -> t.Any:
        return tuple(map(self._item.key, value))

    def values(self, keys: t.Collection[t.Any]) -> t.Any:
        items = itertools.chain.from_iterable(keys)
        return {"lengths": list(map(len, keys)), "items": self._item.column(items)}


class Scalars(List):
    """A list of scalars."""

    def key(self, value: t.Any) -> t.Any:
        # Of a text, each character would be an item.
        if value.__class__ is not list and not isinstance(value, (list, tuple)):
            raise TypeError(f"{type(value)} is not a list")
        return tuple(value)


class Records(List):
    """A list of records."""

    def __init__(self, **fields: Scalar) -> None:
        super().__init__(Record(**fields))
        self._names = tuple(fields)

    def key(self, value: t.Any) -> t.Any:
        names = self._names
        return tuple([tuple(map(item.get, names)) for item in value])


class Table(Shape):
    """Some keys of a dict, whose values have any shape. Keeps the values: their keys are their numbers."""

    def __init__(self, **fields: Shape) -> None:
        scalars = {name: field for name, field in fields.items() if isinstance(field, Scalar)}
        others = {name: field for name, field in fields.items() if name not in scalars}
        self._rows: dict[_Row, int] = {}
        self._fields: dict[str, Shape] = {**scalars, **others}
        self._scalars = tuple(scalars)
        self._others = [(name, field.key) for name, field in others.items()]

    def key(self, value: t.Any) -> int:
        get = value.get
        others = [
            None if (item := get(name)) is None else key_of(item) for name, key_of in self._others
        ]
        return self.number((*map(get, self._scalars), *others))

    def number(self, row: _Row) -> int:
        """The number of the value with these keys of its fields."""
        return self._rows.setdefault(row, len(self._rows))

    def column(self, keys: t.Iterable[t.Any]) -> list[t.Any]:
        return [_packed(keys), _fields(self._fields, self._rows)]


def _fields(fields: t.Mapping[str, Shape], rows: t.Collection[_Row]) -> dict[str, t.Any]:
    columns: t.Iterable[_Row] = zip(*rows) if rows else itertools.repeat(())
    return {
        "rows": len(rows),
        "fields": {
            name: field.column(column) for (name, field), column in zip(fields.items(), columns)
        },
    }


def _packed(numbers: t.Iterable[int | None]) -> list[int] | int:
    """A column, see above."""
    appeared = 0
    column = []
    for number in numbers:
        if number == appeared:
            appeared += 1
            column.append(0)
        else:
            column.append(-1 if number is None else number + 1)
    return column[0] if column and column.count(column[0]) == len(column) else column
