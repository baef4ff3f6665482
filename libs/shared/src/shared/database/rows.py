"""Rows as the driver returns them."""

from typing import Any

import asyncpg


class Row(asyncpg.Record):
    """A row, whose columns are attributes as well."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None


class Rows(list[Row]):
    """All rows of an answer."""

    def first(self) -> Row | None:
        return self[0] if self else None

    def one(self) -> Row:
        """Raises `LookupError` unless there is exactly one."""
        if len(self) != 1:
            raise LookupError(f"one row was expected, {len(self)} came")
        return self[0]

    def one_or_none(self) -> Row | None:
        """Raises `LookupError` where there is more than one."""
        return self.one() if self else None
