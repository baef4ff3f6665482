"""Probes: `/health`, the process lives; `/ready`, it can serve."""

import asyncio

from fastapi import APIRouter, Response
from shared.database.engine import DATABASE_FAILURES
from shared.database.revision import database_revision, fits
from shared.platform.connection import REFUSED

from api.http.dependencies import Dependencies, Deps

router = APIRouter(include_in_schema=False)

CHECK_SECONDS = 2.0


@router.get("/health")
async def health() -> dict[str, str]:
    """Anybody may ask, so it names neither version nor faults."""
    return {"status": "ok"}


@router.get("/ready")
async def ready(deps: Deps, response: Response) -> dict[str, str]:
    """Temporal's state is for information only: orders are accepted without it."""
    if deps.looking is None or deps.looking.done():
        # One check for all simultaneous callers, since anybody may ask as often as they
        # like.
        deps.looking = asyncio.create_task(_look(deps))
    database, temporal = await asyncio.shield(deps.looking)
    able = database == "ready" and not deps.draining
    response.status_code = 200 if able else 503
    status = "draining" if deps.draining else "ready" if able else "not ready"
    return {"status": status, "database": database, "temporal": temporal}


async def _look(deps: Dependencies) -> tuple[str, str]:
    return await asyncio.gather(_database(deps), _temporal(deps))


async def _database(deps: Dependencies) -> str:
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            revision = await database_revision(deps.engine)
    except DATABASE_FAILURES:
        return "unreachable"
    return "ready" if fits(revision) else "migrations missing"


async def _temporal(deps: Dependencies) -> str:
    """For people to read."""
    trouble = await deps.temporal.trouble(CHECK_SECONDS)
    if trouble is None:
        return "reachable"
    return REFUSED if trouble == REFUSED else "unreachable"
