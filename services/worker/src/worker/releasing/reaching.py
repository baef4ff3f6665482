"""A connection to Temporal for the time of one command."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from shared.platform.connection import Connection
from shared.platform.settings import TemporalSettings
from shared.platform.tokens import NoToken
from temporalio.client import Client

from worker.releasing.problems import CannotTell


@asynccontextmanager
async def reaching(settings: TemporalSettings) -> AsyncIterator[Client]:
    """Connect, and renew the token meanwhile: a ramp outlives one. Raises `CannotTell`
    if the server or the issuer is not there."""
    connection = Connection(settings)
    try:
        try:
            await connection.open_now()
        except (NoToken, RuntimeError, OSError) as error:
            raise CannotTell(
                f"Temporal is not reachable at {settings.temporal_host}: {error}"
            ) from error
        yield connection.client
    finally:
        await connection.close()
