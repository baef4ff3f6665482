"""The one way to reach PostgreSQL."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

import asyncpg
from sqlalchemy import event
from sqlalchemy.engine import ExceptionContext, make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from shared.database.observing import observe
from shared.platform.settings import DatabaseSettings

T = TypeVar("T")


Connect = Callable[[], Awaitable["asyncpg.Connection[Any]"]]


def connector(settings: DatabaseSettings, *, application: str) -> Connect:
    """How to open one connection.

    The DSN is parsed by asyncpg itself, so `sslmode` and `sslrootcert` mean what
    they mean to libpq. A password file is read anew for each connection, which is
    how a rotated password is picked up without a restart.
    """
    dsn = make_url(settings.database_url.get_secret_value()).set(
        drivername="postgresql"
    )
    options: dict[str, Any] = {
        "dsn": dsn.render_as_string(hide_password=False),
        "timeout": settings.database_connect_timeout.total_seconds(),
        "command_timeout": settings.database_statement_timeout.total_seconds(),
        # Times are read as JSON too, and PostgreSQL writes those in its own zone.
        "server_settings": {"application_name": application, "timezone": "UTC"},
    }
    if settings.database_password_file is not None:
        options["password"] = settings.read_database_password

    async def connect() -> "asyncpg.Connection[Any]":
        connection: asyncpg.Connection[Any] = await asyncpg.connect(**options)
        return connection

    return connect


def create_engine(settings: DatabaseSettings, *, application: str) -> AsyncEngine:
    """A pool of at most `database_pool_size` connections, opened when needed."""
    engine = create_async_engine(
        "postgresql+asyncpg://",
        async_creator=connector(settings, application=application),
        pool_size=settings.database_pool_size,
        max_overflow=0,
        # A request that would wait longer had better be told to try again.
        pool_timeout=settings.database_pool_timeout.total_seconds(),
        pool_recycle=1800,
        # An error's text reaches logs and histories; a statement's parameters must not.
        hide_parameters=True,
    )
    observe(engine, pool=application)
    event.listen(engine.sync_engine, "handle_error", _forget_the_row)
    return engine


def _forget_the_row(failure: ExceptionContext) -> None:
    """PostgreSQL quotes the row that it refused, with names and addresses in it."""
    error: BaseException | None = failure.sqlalchemy_exception
    error = error or failure.original_exception
    while error is not None:
        if isinstance(error, asyncpg.PostgresError):
            error.detail = None
        error.args = tuple(
            arg.partition("\nDETAIL:")[0] if isinstance(arg, str) else arg
            for arg in error.args
        )
        error = error.__cause__ or error.__context__ or getattr(error, "orig", None)


def single_statements(engine: AsyncEngine) -> AsyncEngine:
    """The same pool without transactions: each statement is one of its own, and takes
    one round trip instead of three."""
    single = _SINGLE.get(engine)
    if single is None:
        single = engine.execution_options(isolation_level="AUTOCOMMIT")
        _SINGLE[engine] = single
    return single


# Every change announces itself through it, and to make one anew costs a statement.
_SINGLE: WeakKeyDictionary[AsyncEngine, AsyncEngine] = WeakKeyDictionary()


SERIALIZATION_FAILURES = ("40001", "40P01")


def is_serialization_failure(error: DBAPIError) -> bool:
    """A deadlock or serialization failure: nothing happened, the same may be tried."""
    return getattr(error.orig, "sqlstate", None) in SERIALIZATION_FAILURES


async def retry_serialization(work: Callable[[], Awaitable[T]], tries: int = 5) -> T:
    """Run a transaction again when PostgreSQL chose it as a deadlock's victim."""
    for attempt in range(1, tries):
        try:
            return await work()
        except DBAPIError as error:
            if not is_serialization_failure(error):
                raise
            await asyncio.sleep(random.uniform(0, 0.02 * attempt))  # noqa: S311
    return await work()
