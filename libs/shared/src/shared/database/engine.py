"""The one way to reach PostgreSQL: a pool of asyncpg's connections, and statements that
SQLAlchemy has compiled."""

import asyncio
import json
import random
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import partial
from typing import Any, TypeVar

import asyncpg
from sqlalchemy.engine import make_url
from sqlalchemy.sql import Executable

from shared.database.metrics import Observed, observe_pool
from shared.database.rows import Row, Rows
from shared.database.statements import Statement, compiled
from shared.platform.settings import DatabaseSettings

T = TypeVar("T")


Connect = Callable[[], Awaitable["asyncpg.Connection[Any]"]]

STATEMENTS_KEPT = 300
"""Prepared statements that a connection keeps: more than we have, so that none is
prepared twice."""
DATABASE_FAILURES = (
    OSError,
    TimeoutError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)
"""Errors of a statement while PostgreSQL is down or refuses."""
LAST_WORDS_SECONDS = 2.0
"""How long busy connections may take to come back at the end."""


def _options(settings: DatabaseSettings, application: str) -> dict[str, Any]:
    """The DSN is parsed by asyncpg itself, so `sslmode` and `sslrootcert` mean what
    they mean to libpq. A password file is read anew for each connection, which is how a
    rotated password is picked up without a restart."""
    dsn = make_url(settings.database_url.get_secret_value()).set(
        drivername="postgresql"
    )
    options: dict[str, Any] = {
        "dsn": dsn.render_as_string(hide_password=False),
        "timeout": settings.database_connect_timeout.total_seconds(),
        "command_timeout": settings.database_statement_timeout.total_seconds(),
        # PostgreSQL writes times in JSON in the session's zone.
        "server_settings": {"application_name": application, "timezone": "UTC"},
    }
    if settings.database_password_file is not None:
        options["password"] = settings.read_database_password
    return options


def connector(settings: DatabaseSettings, *, application: str) -> Connect:
    """Opens single connections, outside of any pool."""
    options = _options(settings, application)

    async def connect() -> "asyncpg.Connection[Any]":
        connection: asyncpg.Connection[Any] = await asyncpg.connect(**options)
        return connection

    return connect


def create_engine(settings: DatabaseSettings, *, application: str) -> "Engine":
    """A pool of at most `database_pool_size` connections, opened when needed."""
    make_pool = partial(
        asyncpg.create_pool,
        **_options(settings, application),
        min_size=0,
        max_size=settings.database_pool_size,
        statement_cache_size=STATEMENTS_KEPT,
        record_class=Row,
        init=_speak_json,
        # A transaction that was left open is rolled back all the same.
        reset=_keep_session,
    )
    # A request that would wait longer should rather try again.
    patience = settings.database_pool_timeout.total_seconds()
    engine = Engine(make_pool, patience)
    observe_pool(engine, name=application, most=settings.database_pool_size)
    return engine


async def _speak_json(connection: "asyncpg.Connection[Any]") -> None:
    for kind in ("json", "jsonb"):
        await connection.set_type_codec(
            kind, schema="pg_catalog", encoder=str, decoder=json.loads
        )


async def _keep_session(connection: object) -> None:
    """Skip asyncpg's reset, which costs a round trip for each use: no statement of ours
    changes a session."""


class Engine:
    """Opens connections when they are needed, and lends them."""

    def __init__(
        self, make_pool: Callable[[], "asyncpg.Pool[Any]"], patience_seconds: float
    ) -> None:
        self._make_pool = make_pool
        self._patience_seconds = patience_seconds
        self._pool: asyncpg.Pool[Any] | None = None

    @asynccontextmanager
    async def connect(self) -> AsyncIterator["Connection"]:
        """A connection on which each statement is a transaction of its own. Raises
        `TimeoutError` where none is free in time, and `OSError`."""
        if self._pool is None:
            self._pool = self._make_pool()
        pool = await self._pool
        # The pool's own time-outs would make a task of each.
        async with asyncio.timeout(self._patience_seconds):
            driver = await pool.acquire()
        try:
            yield Connection(driver)
        finally:
            # The work is done or has failed. A connection that cannot come back is
            # closed by the pool, which opens another one for the next caller.
            with suppress(*DATABASE_FAILURES):
                # The pool shields it: no cancellation here leaks the connection.
                await pool.release(driver, timeout=self._patience_seconds)

    @asynccontextmanager
    async def begin(self) -> AsyncIterator["Connection"]:
        """The same within one transaction, which an exception rolls back."""
        async with self.connect() as connection, connection.transaction():
            yield connection

    async def dispose(self) -> None:
        """Close all connections; what needs one later opens new ones."""
        pool, self._pool = self._pool, None
        if pool is None:
            return
        try:
            async with asyncio.timeout(LAST_WORDS_SECONDS):
                await pool.close()
        except TimeoutError:
            pool.terminate()

    def connections(self) -> tuple[int, int]:
        """How many connections are in use, and how many are open and idle."""
        if self._pool is None:
            return 0, 0
        idle = self._pool.get_idle_size()
        return self._pool.get_size() - idle, idle


class Connection:
    """Runs statements. Errors do not quote the refused row: they reach logs and
    histories, and rows have names and addresses."""

    def __init__(self, driver: Any) -> None:
        self.driver = driver

    async def execute(
        self, statement: Executable, values: Mapping[str, Any] | None = None
    ) -> Rows:
        """Run a statement, and return all its rows. Raises `asyncpg.PostgresError`,
        and `TimeoutError` where it takes too long."""
        known = compiled(statement)
        return await self.run(known, known.arguments(values or {}))

    async def run(self, statement: Statement, arguments: Sequence[Any]) -> Rows:
        """Run a compiled statement."""
        with Observed(statement.text), _nobodys_data():
            return Rows(await self.driver.fetch(statement.text, *arguments))

    async def scalar(
        self, statement: Executable, values: Mapping[str, Any] | None = None
    ) -> Any:
        """The first column of the first row; `None` where there is no row."""
        rows = await self.execute(statement, values)
        return rows[0][0] if rows else None

    async def scalars(
        self, statement: Executable, values: Mapping[str, Any] | None = None
    ) -> list[Any]:
        """The first column of all rows."""
        return [row[0] for row in await self.execute(statement, values)]

    async def count(
        self, statement: Executable, values: Mapping[str, Any] | None = None
    ) -> int:
        """Run a statement that returns no rows. Returns how many it has changed."""
        known = compiled(statement)
        arguments = known.arguments(values or {})
        with Observed(known.text), _nobodys_data():
            status: str = await self.driver.execute(known.text, *arguments)
        return int(status.rpartition(" ")[2])

    @asynccontextmanager
    async def transaction(self, begin: str = "BEGIN") -> AsyncIterator[list[str]]:
        """A transaction. `begin` may carry statements along; so does COMMIT: statements
        put into the list run after it, in the same round trip."""
        afterwards: list[str] = []
        try:
            await self._script(begin)
            yield afterwards
        except BaseException:
            await self._roll_back()
            raise
        await self._script("; ".join(["COMMIT", *afterwards]))

    async def _script(self, text: str) -> None:
        with _nobodys_data():
            await self.driver.execute(text)

    async def _roll_back(self) -> None:
        if self.driver.is_closed() or not self.driver.is_in_transaction():
            return
        try:
            await self._script("ROLLBACK")
        except DATABASE_FAILURES:
            # Its state is unknown: the next user would be inside the transaction.
            self.driver.terminate()


def literal(value: str) -> str:
    """A text as an SQL literal, for statements that take no parameters. Only quotes
    need escaping, because `standard_conforming_strings` is on by default. Raises
    `ValueError`."""
    if "\0" in value:
        raise ValueError("PostgreSQL has no text with a zero byte")
    return "'" + value.replace("'", "''") + "'"


@contextmanager
def _nobodys_data() -> Iterator[None]:
    """The error without data: PostgreSQL quotes the refused row, and the driver the
    value."""
    try:
        yield
    except asyncpg.PostgresError as error:
        error.detail = None
        raise
    except asyncpg.DataError as error:
        raise TypeError(f"{error}".partition(":")[0]) from None


_TRY_AGAIN = (
    asyncpg.SerializationError,
    asyncpg.DeadlockDetectedError,
    asyncpg.InvalidCachedStatementError,
)
"""Also for a table that has just been migrated. Nothing has happened, so the
transaction may be repeated."""


async def retry_serialization(work: Callable[[], Awaitable[T]], tries: int = 5) -> T:
    """Run a transaction again when PostgreSQL chose it as a deadlock's victim."""
    for attempt in range(1, tries):
        try:
            return await work()
        except _TRY_AGAIN:
            await asyncio.sleep(random.uniform(0, 0.02 * attempt))  # noqa: S311
    return await work()
