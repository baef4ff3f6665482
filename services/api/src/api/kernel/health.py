"""Probes: `/health`, the process lives; `/ready`, it can serve."""

import asyncio

from fastapi import APIRouter, Response
from shared.database.engine import DATABASE_FAILURES
from shared.database.revision import database_revision, fits
from shared.platform.connection import REFUSED

from api.http.services import ApiServices, Services

router = APIRouter(include_in_schema=False)

CHECK_SECONDS = 2.0


@router.get("/health")
async def health() -> dict[str, str]:
    """Anybody may ask, so it names neither version nor faults."""
    return {"status": "ok"}


@router.get("/ready")
async def ready(services: ApiServices, response: Response) -> dict[str, str]:
    """Temporal's state is for information only: orders are accepted without it."""
    if services.looking is None or services.looking.done():
        # One check for all simultaneous callers, since anybody may ask as often as they
        # like.
        services.looking = asyncio.create_task(_look(services))
    database, temporal = await asyncio.shield(services.looking)
    able = database == "ready" and not services.draining
    response.status_code = 200 if able else 503
    status = "draining" if services.draining else "ready" if able else "not ready"
    return {"status": status, "database": database, "temporal": temporal}


async def _look(services: Services) -> tuple[str, str]:
    return await asyncio.gather(_database(services), _temporal(services))


async def _database(services: Services) -> str:
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            revision = await database_revision(services.engine)
    except DATABASE_FAILURES:
        return "unreachable"
    return "ready" if fits(revision) else "migrations missing"


async def _temporal(services: Services) -> str:
    """For people to read."""
    trouble = await services.temporal.trouble(CHECK_SECONDS)
    if trouble is None:
        return "reachable"
    return REFUSED if trouble == REFUSED else "unreachable"
