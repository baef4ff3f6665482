"""Stock by location, and its movements."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from shared.database.engine import Connection
from sqlalchemy import text

from api.http.auth import Principal, allowed
from api.http.dependencies import Dependencies, Deps
from api.http.idempotency import Command, Idempotent, StoredResponse
from api.http.openapi import keyed, problems
from api.http.paging import ListQuery, moment, page_response
from api.http.paging import text as text_of
from api.http.problems import invalid
from api.http.schemas import Page
from api.orders.commands import commands
from api.orders.paths import SkuPath
from api.orders.stock import changes
from api.orders.stock import schemas as shown
from api.orders.stock.changes import StockChange, change_stock, summed, waited_for

router = APIRouter(prefix="/v1/stock", tags=["stock"])


@router.get("", response_model=Page[shown.Stock], responses=problems())
async def list_stock(
    request: Request,
    caller: Annotated[Principal, allowed("fulfil", "stock:read")],
    query: Annotated[shown.StockQuery, Query()],
    deps: Deps,
) -> Response:
    """List stock by SKU and location."""
    position = query.position(request, text_of, text_of) or [None, None]
    parameters = {
        "sku": query.sku,
        "location": query.location,
        "below": query.below,
        "after_sku": position[0],
        "after_location": position[1],
        "rows": query.limit + 1,
    }
    async with deps.engine.connect() as connection:
        rows = await connection.execute(_STOCK, parameters)
    stock = [shown.Stock.model_validate(dict(row)) for row in rows]
    return page_response(
        request, stock, query.limit, lambda s: s, lambda s: (s.sku, s.location)
    )


@router.get(
    "/{sku:path}/movements",
    response_model=Page[shown.Movement],
    responses=problems("not-found"),
)
async def list_stock_movements(
    request: Request,
    caller: Annotated[Principal, allowed("fulfil", "stock:read")],
    sku: SkuPath,
    query: Annotated[ListQuery, Query()],
    deps: Deps,
) -> Response:
    """List the stock movements of a product, newest first."""
    position = query.position(request, moment, text_of) or [None, None]
    parameters = {
        "sku": sku,
        "at": position[0],
        "key": position[1],
        "rows": query.limit + 1,
    }
    async with deps.engine.connect() as connection:
        rows = await connection.execute(_MOVEMENTS, parameters)
    return page_response(
        request,
        rows,
        query.limit,
        lambda row: shown.Movement.model_validate(dict(row)),
        lambda row: (row["at"], row["key"]),
    )


@router.post(
    "/receipts",
    status_code=201,
    response_model=shown.StockChanged,
    responses=keyed(
        *("unknown-sku", "quantity-exceeded", "duplicate-reference"),
        *("unknown-location", "inactive-location"),
    ),
)
async def receive_stock(
    caller: Annotated[Principal, allowed("stock:write")],
    wanted: shown.Receipt,
    idempotent: Idempotent,
    deps: Deps,
) -> Response:
    """Record goods that arrived. Waiting orders get them, the oldest first."""
    deltas = summed((line.sku, line.quantity) for line in wanted.lines)
    return await _move(caller, wanted, deltas, idempotent, deps)


@router.post(
    "/adjustments",
    status_code=201,
    response_model=shown.StockChanged,
    responses=keyed(
        *("unknown-sku", "would-go-negative", "quantity-exceeded"),
        *("unknown-location", "inactive-location"),
    ),
)
async def adjust_stock(
    caller: Annotated[Principal, allowed("stock:write")],
    wanted: shown.Adjustment,
    idempotent: Idempotent,
    deps: Deps,
) -> Response:
    """Correct the stock by a difference or to a count. Reserved units stay: to have
    fewer, first move or pick short the parcels that they are for."""
    counted = _counted(wanted)
    deltas = summed(
        (line.sku, line.delta) for line in wanted.lines if line.delta is not None
    )
    return await _move(caller, wanted, deltas, idempotent, deps, counted)


@router.post(
    "/transfers",
    status_code=201,
    response_model=shown.StockChanged,
    responses=keyed(
        *("unknown-sku", "would-go-negative", "quantity-exceeded"),
        *("unknown-location", "inactive-location"),
    ),
)
async def transfer_stock(
    caller: Annotated[Principal, allowed("stock:write")],
    wanted: shown.Transfer,
    idempotent: Idempotent,
    deps: Deps,
) -> Response:
    """Move stock to another location in one booking: at any moment units are at one of
    the two. Reserved units stay: move the parcels that they are for."""
    units = summed((line.sku, line.quantity) for line in wanted.lines)

    async def work(connection: Connection, command: Command) -> StoredResponse:
        transfer = changes.Transfer(
            key=command.key,
            origin=wanted.origin,
            destination=wanted.destination,
            units=units,
            ref=wanted.ref,
            actor=caller.subject,
        )
        data = await changes.transfer_stock(connection, transfer)
        return StoredResponse(201, shown.StockChanged(ref=wanted.ref, data=data))

    response = await idempotent.transaction(caller, wanted, work)
    if response.status_code == 201:
        deps.in_background(_serve_waiting_orders(deps, [*units]))
    return response


def _counted(wanted: shown.Adjustment) -> Mapping[str, int]:
    """The counted lines. Raises `Problem` for a line with both or neither, a counted
    SKU that is named again, and a write-off of counted units."""
    counted: dict[str, int] = {}
    seen: set[str] = set()
    for index, line in enumerate(wanted.lines):
        at = f"#/lines/{index}"
        if (line.delta is None) is (line.counted is None):
            raise invalid(at, "one-of", "Give either delta or counted.")
        if line.sku in counted or (line.counted is not None and line.sku in seen):
            raise invalid(f"{at}/sku", "twice", "It is counted once.")
        seen.add(line.sku)
        if line.counted is not None:
            counted[line.sku] = line.counted
    if counted and wanted.reason != "adjust":
        raise invalid("#/reason", "one-of", "What is written off is a delta.")
    return dict(sorted(counted.items()))


async def _move(
    caller: Principal,
    wanted: shown.Receipt | shown.Adjustment,
    deltas: Mapping[str, int],
    idempotent: Idempotent,
    deps: Dependencies,
    counted: Mapping[str, int] = MappingProxyType({}),
) -> Response:
    async def work(connection: Connection, command: Command) -> StoredResponse:
        change = StockChange(
            key=command.key,
            location=wanted.location,
            deltas=deltas,
            counted=counted,
            reason=wanted.reason,
            ref=wanted.ref,
            actor=caller.subject,
            once=isinstance(wanted, shown.Receipt) and not wanted.again,
        )
        data = await change_stock(connection, change)
        return StoredResponse(201, shown.StockChanged(ref=wanted.ref, data=data))

    response = await idempotent.transaction(caller, wanted, work)
    more = [*counted, *(sku for sku, delta in deltas.items() if delta > 0)]
    if response.status_code == 201 and more:
        deps.in_background(_serve_waiting_orders(deps, more))
    return response


async def _serve_waiting_orders(deps: Dependencies, skus: list[str]) -> None:
    async with deps.engine.connect() as connection:
        wanted = await waited_for(connection, skus)
    await commands(deps).allocate(*wanted)


_STOCK = text(
    """
    SELECT sku, location, on_hand, reserved, on_hand - reserved AS available
    FROM stock
    WHERE (cast(:sku AS text) IS NULL OR sku = :sku)
      AND (cast(:location AS text) IS NULL OR location = :location)
      AND (cast(:below AS int) IS NULL OR on_hand - reserved < :below)
      AND (cast(:after_sku AS text) IS NULL
           OR (sku, location) > (:after_sku, :after_location))
    ORDER BY sku, location LIMIT :rows
    """
)
_MOVEMENTS = text(
    """
    SELECT * FROM stock_movements
    WHERE sku = :sku
      AND (cast(:key AS text) IS NULL OR (at, key) < (cast(:at AS timestamptz), :key))
    ORDER BY at DESC, key DESC LIMIT :rows
    """
)
