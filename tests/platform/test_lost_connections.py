"""PostgreSQL may be gone at any moment, also while a connection is given back."""

import asyncio
from collections.abc import Callable

import pytest
from shared.database.engine import Engine
from sqlalchemy import text

ONE = text("SELECT 1")


# How many turns of the event loop it takes to give one back depends on the driver.
TURNS = range(6)


async def test_what_was_read_is_kept_when_the_connection_is_lost_afterwards(
    engine: Engine,
) -> None:
    for turns in TURNS:
        async with engine.connect() as connection:
            read = await connection.scalar(ONE)
            _after(turns, connection.driver.terminate)
        assert read == 1


async def test_what_failed_says_so_itself_when_the_connection_is_lost_too(
    engine: Engine,
) -> None:
    for turns in TURNS:
        with pytest.raises(KeyError):
            await _fail_and_lose(engine, turns)


async def test_a_connection_comes_back_from_whoever_is_cancelled(
    engine: Engine,
) -> None:
    async def work() -> None:
        async with engine.connect() as connection:
            await connection.scalar(ONE)

    # While it is lent, used or given back.
    for turns in range(20):
        working = asyncio.create_task(work())
        _after(turns, working.cancel)
        await asyncio.wait([working])
    async with asyncio.timeout(10):
        while engine.connections()[0]:  # noqa: ASYNC110 - nobody is told
            await asyncio.sleep(0)


async def _fail_and_lose(engine: Engine, turns: int) -> None:
    async with engine.connect() as connection:
        await connection.scalar(ONE)
        _after(turns, connection.driver.terminate)
        raise KeyError


def _after(turns: int, lose: Callable[[], object]) -> None:
    """Call it after so many turns of the event loop."""
    if turns == 0:
        lose()
    else:
        asyncio.get_running_loop().call_soon(_after, turns - 1, lose)
