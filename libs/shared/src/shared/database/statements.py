"""Statements as PostgreSQL takes them: written with SQLAlchemy, compiled once.

SQLAlchemy checks a statement's tables and columns and names its parameters. Running it
through SQLAlchemy took 286 µs, of which the driver needs 115 (docs/adr/0044).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy.dialects.postgresql.asyncpg import dialect
from sqlalchemy.sql import Executable

DIALECT = dialect()  # type: ignore[no-untyped-call]
Values = Mapping[str, Any]
_Convert = Callable[[Any], Any]


@dataclass(frozen=True)
class Statement:
    """`text` has `$1`, `$2`, …; `names` says which value each of them is."""

    text: str
    names: Sequence[str]
    converters: Mapping[str, _Convert]

    def arguments(self, values: Values) -> list[Any]:
        """Raises `KeyError` where a value is missing, also one that would be NULL."""
        if not self.converters:
            return [values[name] for name in self.names]
        return [
            self.converters[name](values[name])
            if name in self.converters
            else values[name]
            for name in self.names
        ]


# Most are constants of a module; those with conditions are made anew by each caller,
# and must not be kept for ever.
@lru_cache(1024)
def compiled(statement: Executable) -> Statement:
    made = statement.compile(dialect=DIALECT)  # type: ignore[attr-defined]
    converters = {
        name: convert
        for name, parameter in made.binds.items()
        if (convert := converter(parameter.type)) is not None
    }
    return Statement(str(made), tuple(made.positiontup or ()), converters)


def converter(kind: Any) -> _Convert | None:
    """How a value of a column of this type is handed to the driver: JSON as text, and
    nearly all others as they are."""
    convert: _Convert | None = kind.dialect_impl(DIALECT).bind_processor(DIALECT)
    return convert
