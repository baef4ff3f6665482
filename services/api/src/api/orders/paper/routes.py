"""The warehouse's paper: what to fetch."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from api.http.auth import Principal, allowed
from api.http.openapi import problems
from api.http.services import ApiServices
from api.orders.paper import schemas as shown
from api.orders.paper.pick_list import read_pick_list
from api.orders.paths import LocationPath

router = APIRouter(prefix="/v1", tags=["shipments"])


@router.get(
    "/locations/{code:path}/pick-list",
    response_model=shown.PickList,
    responses=problems("not-found", "nothing-to-pick"),
)
async def get_pick_list(
    caller: Annotated[Principal, allowed("fulfil")],
    code: LocationPath,
    query: Annotated[shown.PickListQuery, Query()],
    services: ApiServices,
) -> Response:
    """What is to be fetched at a location for the parcels that wait longest there."""
    found = await read_pick_list(services, code, query.limit)
    return Response(found.model_dump_json(), media_type="application/json")
