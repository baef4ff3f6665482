"""Collects the rows that a unit of work writes, and sends them in one statement.

Rows that are sent together see one snapshot, and each may be written once. So two
writes of one row are merged, and rows whose order matters are sent first: a row may
take a unique place that another has just left.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from shared.database.kernel.tables import Base
from shared.database.statements import DIALECT, Statement, converter

Columns = Mapping[str, Any]
Key = tuple[tuple[str, Any], ...]

ONE_BY_ONE = 4
"""Up to so many rows of one shape are written one by one, which PostgreSQL plans once.
More are passed as arrays, so that there are few texts of statements."""


@dataclass(frozen=True)
class Shape:
    """Everything that writes of one shape share: all but the values."""

    table: type[Base]
    key: tuple[str, ...]
    columns: tuple[str, ...]
    added: tuple[str, ...] = ()
    or_add: str | None = None
    """For inserts: a counter to raise if the row exists."""

    @property
    def inserts(self) -> bool:
        return not self.key

    @property
    def names(self) -> tuple[str, ...]:
        return (*self.key, *self.columns, *self.added)

    def as_arrays(self, rows: int) -> bool:
        """PostgreSQL runs the parts of a statement in an order of its own: rows whose
        order is told by their ids are one part."""
        in_order = rows > 1 and self.inserts and self.table.in_order
        return rows > ONE_BY_ONE or in_order


class Writes:
    def __init__(self) -> None:
        self._updates: dict[tuple[type[Base], Key], tuple[Columns, Columns]] = {}
        self._inserts: list[tuple[type[Base], Columns, str | None]] = []

    def __bool__(self) -> bool:
        return bool(self._updates or self._inserts)

    def need_sending_before(self, table: type[Base], key: Columns | None) -> bool:
        """Whether collected rows must be sent before a row of `table` is inserted or,
        with a `key`, updated."""
        if key is None:
            return any(written is table for written, _ in self._updates)
        return any(
            written is table and key.items() <= row.items()
            for written, row, _ in self._inserts
        )

    def insert(self, table: type[Base], row: Columns, or_add: str | None) -> None:
        _check_columns(table, tuple(row))
        self._inserts.append((table, row, or_add))

    def update(
        self, table: type[Base], key: Columns, columns: Columns, added: Columns
    ) -> bool:
        """Collect an update. Returns `False`, and collects nothing, if another write of
        this row must be sent first: one sets what the other adds to."""
        _check_columns(table, (*key, *columns, *added))
        place = (table, tuple(sorted(key.items())))
        known, counted = self._updates.get(place, ({}, {}))
        if known.keys() & added.keys() or counted.keys() & columns.keys():
            return False
        sums = {name: counted.get(name, 0) + n for name, n in added.items()}
        self._updates[place] = ({**known, **columns}, {**counted, **sums})
        return True

    def take(self) -> tuple[Statement, list[Any]]:
        """The one statement for all collected rows, with its arguments. Clears the
        collection."""
        shapes: dict[Shape, list[list[Any]]] = {}
        for table, row, or_add in self._inserts:
            shape = Shape(table, (), tuple(row), or_add=or_add)
            shapes.setdefault(shape, []).append(list(row.values()))
        for (table, key), (columns, added) in self._updates.items():
            names = tuple(name for name, _ in key)
            shape = Shape(table, names, tuple(columns), tuple(added))
            values = [v for _, v in key] + [*columns.values(), *added.values()]
            shapes.setdefault(shape, []).append(values)
        self._inserts.clear()
        self._updates.clear()
        return _joined(shapes)


def _joined(shapes: Mapping[Shape, list[list[Any]]]) -> tuple[Statement, list[Any]]:
    text = _text(tuple((s, min(len(r), ONE_BY_ONE + 1)) for s, r in shapes.items()))
    arguments = [
        argument for shape, rows in shapes.items() for argument in _values(shape, rows)
    ]
    return Statement(text, (), {}), arguments


def _values(shape: Shape, rows: list[list[Any]]) -> Iterable[Any]:
    """One argument for each value, or one array for each column."""
    converters = _converters(shape)
    converted = [
        [
            value if c is None else c(value)
            for c, value in zip(converters, row, strict=True)
        ]
        for row in rows
    ]
    if shape.as_arrays(len(rows)):
        return map(list, zip(*converted, strict=True))
    return (value for row in converted for value in row)


@lru_cache(1024)
def _converters(shape: Shape) -> list[Any]:
    columns = shape.table.__table__.c
    return [converter(columns[name].type) for name in shape.names]


@lru_cache(1024)
def _text(parts: tuple[tuple[Shape, int], ...]) -> str:
    numbers = iter(range(1, 32_768))
    written = [
        statement
        for shape, rows in parts
        for statement in (
            [_many(shape, numbers)]
            if shape.as_arrays(rows)
            else [_one(shape, numbers) for _ in range(rows)]
        )
    ]
    *before, last = written
    if not before:
        return last
    named = ",\n".join(f"w{n} AS ({text})" for n, text in enumerate(before))
    return f"WITH {named}\n{last}"


def _one(shape: Shape, numbers: Iterator[int]) -> str:
    places = {
        name: f"${number}::{_type(shape, name)}"
        for name, number in zip(shape.names, numbers, strict=False)
    }
    table = shape.table.__tablename__
    if shape.inserts:
        return (
            f"INSERT INTO {table} AS t ({', '.join(shape.columns)})"  # noqa: S608
            f" VALUES ({', '.join(places.values())}){_or_add(shape)}"
        )
    return f"UPDATE {table} AS t SET {_set(shape, places)} WHERE " + " AND ".join(  # noqa: S608
        f"t.{name} = {places[name]}" for name in shape.key
    )


def _many(shape: Shape, numbers: Iterator[int]) -> str:
    names = shape.names
    kinds = [_type(shape, name) for name in names]
    # The driver cannot write an array of JSON.
    arrays = ", ".join(
        f"${number}::{'TEXT' if kind == 'JSONB' else kind}[]"
        for kind, number in zip(kinds, numbers, strict=False)
    )
    rows = f"unnest({arrays}) AS w ({', '.join(names)})"
    values = {
        name: f"w.{name}::{kind}" for name, kind in zip(names, kinds, strict=True)
    }
    table = shape.table.__tablename__
    if shape.inserts:
        return (
            f"INSERT INTO {table} AS t ({', '.join(names)})"  # noqa: S608
            f" SELECT {', '.join(values.values())} FROM {rows}{_or_add(shape)}"
        )
    return (
        f"UPDATE {table} AS t SET {_set(shape, values)} FROM {rows} WHERE "  # noqa: S608
        + " AND ".join(f"t.{name} = {values[name]}" for name in shape.key)
    )


def _or_add(shape: Shape) -> str:
    if shape.or_add is None:
        return ""
    key = ", ".join(column.name for column in shape.table.__table__.primary_key)
    counter = shape.or_add
    return (
        f" ON CONFLICT ({key}) DO UPDATE SET"
        f" {counter} = t.{counter} + excluded.{counter}"
    )


def _set(shape: Shape, places: Mapping[str, str]) -> str:
    return ", ".join(
        [f"{name} = {places[name]}" for name in shape.columns]
        + [f"{name} = t.{name} + {places[name]}" for name in shape.added]
    )


def _type(shape: Shape, name: str) -> str:
    return str(shape.table.__table__.c[name].type.compile(dialect=DIALECT))


def _check_columns(table: type[Base], names: tuple[str, ...]) -> None:
    """Raises `LookupError` for unknown columns, which mypy cannot see in keyword
    arguments."""
    unknown = set(names) - set(table.__table__.c.keys())
    if unknown:
        raise LookupError(f"{table.__tablename__} has no {', '.join(sorted(unknown))}")
