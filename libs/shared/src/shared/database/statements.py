"""Compiles statements from SQLAlchemy to PostgreSQL's form, once each.

SQLAlchemy checks a statement's tables and columns and names its parameters. Running it
through SQLAlchemy took 286 µs, of which the driver needs 115 (docs/adr/0044).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import TextClause, text
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
        """The arguments in order. Raises `KeyError` if a value is missing, even one
        that would be NULL."""
        if not self.converters:
            return [values[name] for name in self.names]
        return [
            self.converters[name](values[name])
            if name in self.converters
            else values[name]
            for name in self.names
        ]


def compiled(statement: Executable) -> Statement:
    """SQLAlchemy compiles a text once by its words, so a caller that puts the same
    conditions together again does not pay the millisecond again."""
    if isinstance(statement, TextClause):
        return _compiled_text(statement.text)
    return _compiled(statement)


# Most statements are constants. Callers' filters make further ones, which must not be
# kept for ever.
@lru_cache(1024)
def _compiled_text(words: str) -> Statement:
    return _compiled(text(words))


@lru_cache(1024)
def _compiled(statement: Executable) -> Statement:
    made = statement.compile(dialect=DIALECT)  # type: ignore[attr-defined]
    converters = {
        name: convert
        for name, parameter in made.binds.items()
        if (convert := converter(parameter.type)) is not None
    }
    return Statement(str(made), tuple(made.positiontup or ()), converters)


def converter(kind: Any) -> _Convert | None:
    """Converts a value of this column type for the driver: JSON becomes text, nearly
    all others stay."""
    convert: _Convert | None = kind.dialect_impl(DIALECT).bind_processor(DIALECT)
    return convert
