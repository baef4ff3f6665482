"""Transactions of which nothing stays."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from shared.database.engine import Connection, Engine


class _Undo(Exception):
    pass


@asynccontextmanager
async def undone(engine: Engine) -> AsyncIterator[Connection]:
    with suppress(_Undo):
        async with engine.begin() as connection:
            yield connection
            raise _Undo
