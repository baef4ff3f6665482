"""Documents for the warehouse: pick lists, packing slips, labels."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Header, Query, Response

from api.http.auth import Principal, allowed
from api.http.dependencies import Deps
from api.http.openapi import problems
from api.kernel.personal_data import log_read
from api.orders.paper import schemas as shown
from api.orders.paper.labels import merged, read_labels
from api.orders.paper.limits import check_size
from api.orders.paper.packing_slips import read_slips
from api.orders.paper.pick_list import read_pick_list
from api.orders.paths import LocationPath

router = APIRouter(prefix="/v1", tags=["shipments"])

_PDF = "application/pdf"
_AT_ONCE = asyncio.Semaphore(2)
"""Documents that this process makes at a time: each needs memory, and the
interpreter."""


@router.get(
    "/locations/{code:path}/pick-list",
    response_model=shown.PickList,
    responses={
        200: {
            "description": f"The list, or the same to print with `Accept: {_PDF}`",
            "content": {_PDF: {}},
        },
        **problems("not-found", "nothing-to-pick", "document-too-large"),
    },
)
async def get_pick_list(
    caller: Annotated[Principal, allowed("fulfil")],
    code: LocationPath,
    query: Annotated[shown.PickListQuery, Query()],
    deps: Deps,
    accept: Annotated[str, Header(include_in_schema=False)] = "*/*",
) -> Response:
    """Show what to fetch at a location for the parcels that have waited longest. The
    printed list has bar codes of SKUs and parcels."""
    found = await read_pick_list(deps, code, query.limit)
    if _PDF not in accept:
        return Response(found.model_dump_json(), media_type="application/json")
    check_size(len(found.items) + sum(len(one.lines) for one in found.shipments))

    def draw() -> bytes:
        from api.orders.paper.pick_sheet import pick_sheet  # as `sheet.py` says

        return pick_sheet(found, datetime.now(UTC))

    return await _document(draw, "pick-list")


@router.get(
    "/shipments/packing-slips",
    response_class=Response,
    responses={
        200: {"content": {_PDF: {}}, "description": "One PDF; each parcel on its own."},
        **problems("not-found", "wrong-state", "document-too-large"),
    },
)
async def get_packing_slips(
    caller: Annotated[Principal, allowed("fulfil")],
    query: Annotated[shown.ParcelsQuery, Query()],
    deps: Deps,
) -> Response:
    """Print packing slips for the recipients of parcels: without prices and notes.
    Reading the recipients is logged."""
    slips = await read_slips(deps, query.ids)
    log_read(caller, "recipient", *(slip.shipment.order_id for slip in slips))

    def draw() -> bytes:
        from api.orders.paper.slip_sheet import slip_sheet  # as `sheet.py` says

        return slip_sheet(slips)

    return await _document(draw, "packing-slips")


@router.get(
    "/shipments/labels",
    response_class=Response,
    responses={
        200: {
            "content": {_PDF: {}},
            "description": "One PDF, of all boxes.",
        },
        **problems("not-found", "no-label", "document-too-large"),
    },
)
async def get_labels(
    caller: Annotated[Principal, allowed("fulfil")],
    query: Annotated[shown.ParcelsQuery, Query()],
    deps: Deps,
) -> Response:
    """Print the labels of parcels and all their packages, in the given order."""
    labels = await read_labels(deps, query.ids)
    return await _document(lambda: merged(labels), "labels")


async def _document(draw: Callable[[], bytes], name: str) -> Response:
    """In a thread, so that other requests are served meanwhile."""
    async with _AT_ONCE:
        content = await asyncio.to_thread(draw)
    headers = {"Content-Disposition": f'inline; filename="{name}.pdf"'}
    return Response(content, media_type=_PDF, headers=headers)
