"""Locations: the places that goods lie at and are sent from."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from shared.database.engine import Connection
from sqlalchemy import text

from api.http.auth import Principal, allowed
from api.http.dependencies import Dependencies, Deps
from api.http.openapi import problems, problems_of_bodies
from api.http.paging import page_response
from api.http.paging import text as text_of
from api.http.problems import Problem
from api.http.schemas import Page
from api.orders.commands import commands
from api.orders.location import schemas as shown
from api.orders.location.queries import (
    page_of_locations,
    read_location,
    skus_waited_for,
)
from api.orders.paths import LocationPath

router = APIRouter(prefix="/v1/locations", tags=["stock"])

READERS = ("fulfil", "stock:read", "locations:write", "orders:read")


@router.get("", response_model=Page[shown.Location], responses=problems())
async def list_locations(
    request: Request,
    caller: Annotated[Principal, allowed(*READERS)],
    query: Annotated[shown.LocationQuery, Query()],
    deps: Deps,
) -> Response:
    """List all locations by their codes."""
    after = query.position(request, text_of) or [None]
    async with deps.engine.connect() as connection:
        found = await page_of_locations(connection, query, after[0])
    return page_response(
        request, found, query.limit, lambda one: one, lambda one: (one.code,)
    )


@router.get(
    "/{code:path}", response_model=shown.Location, responses=problems("not-found")
)
async def get_location(
    caller: Annotated[Principal, allowed(*READERS)], code: LocationPath, deps: Deps
) -> Response:
    """Show a location."""
    async with deps.engine.connect() as connection:
        return _answer(await read_location(connection, code))


@router.put(
    "/{code:path}",
    response_model=shown.Location,
    responses=problems_of_bodies("duplicate-location"),
)
async def put_location(
    caller: Annotated[Principal, allowed("locations:write")],
    code: LocationPath,
    wanted: shown.LocationBody,
    deps: Deps,
) -> Response:
    """Create or replace a location. Stock that becomes available there goes to the
    orders that wait for it."""
    address = wanted.address and wanted.address.model_dump_json(exclude_none=True)
    values = wanted.model_dump(exclude={"address"}) | {"code": code, "address": address}
    async with deps.engine.begin() as connection:
        await connection.execute(_LOCK)
        await _check_new(connection, code)
        await connection.execute(_PUT, values)
    if wanted.active:
        deps.in_background(_serve_waiting_orders(deps, code))
    return _answer(shown.Location(code=code, **dict(wanted)))


async def _check_new(connection: Connection, code: str) -> None:
    """Raises `Problem` for a code that people would confuse with another one."""
    other = await connection.scalar(_ALIKE, {"code": code})
    if other is not None:
        raise Problem(
            "duplicate-location",
            f"There is a location {other}: use that code, or one that differs by more"
            " than capitals.",
            location=other,
        )


async def _serve_waiting_orders(deps: Dependencies, code: str) -> None:
    async with deps.engine.connect() as connection:
        skus = await skus_waited_for(connection, code)
    await commands(deps).allocate(*skus)


def _answer(location: shown.Location) -> Response:
    return Response(location.model_dump_json(), media_type="application/json")


# One at a time, so that two that differ by capitals alone see each other.
_LOCK = text("LOCK TABLE locations IN SHARE ROW EXCLUSIVE MODE")
# Locations from before may differ by capitals alone, and can be changed like any other.
_ALIKE = text(
    """
    SELECT code FROM locations
    WHERE lower(code) = lower(:code)
      AND NOT EXISTS (SELECT FROM locations WHERE code = :code) LIMIT 1
    """
)
_PUT = text(
    """
    INSERT INTO locations (code, name, address, active, priority, safety_stock)
    VALUES (:code, :name, cast(:address AS jsonb), :active, :priority, :safety_stock)
    ON CONFLICT (code) DO UPDATE SET name = excluded.name, address = excluded.address,
      active = excluded.active, priority = excluded.priority,
      safety_stock = excluded.safety_stock
    """
)
