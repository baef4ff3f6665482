"""Deliveries to an endpoint, and sending one again."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from shared.contracts.errors import NotFound
from shared.database.engine import Connection
from sqlalchemy import text

from api.http.auth import Principal, allowed
from api.http.dependencies import Deps
from api.http.idempotency import Command, Idempotent, StoredResponse
from api.http.openapi import keyed, problems
from api.http.paging import number, page_response
from api.http.schemas import Nothing, Page
from api.kernel.delivery import queries
from api.kernel.delivery import schemas as shown
from api.kernel.feed.queries import like
from api.kernel.paths import EndpointPath
from api.kernel.webhook_endpoint.changes import not_enabled, wake
from api.kernel.webhook_endpoint.queries import read_endpoint, read_endpoint_by

router = APIRouter(
    prefix="/v1/webhook-endpoints/{endpoint_id}/deliveries", tags=["webhook endpoints"]
)


@router.get("", response_model=Page[shown.Delivery], responses=problems("not-found"))
async def list_deliveries(
    request: Request,
    caller: Annotated[Principal, allowed("webhooks:read", "webhooks:write")],
    endpoint_id: EndpointPath,
    query: Annotated[shown.DeliveryQuery, Query()],
    deps: Deps,
) -> Response:
    """List the deliveries to an endpoint, newest event first. Successful ones are kept
    for 7 days, others for 30."""
    await read_endpoint(deps, endpoint_id)
    position = query.position(request, number, number) or [None, None]
    statement = queries.PAGE_OF_STATUS.get(query.status or "", queries.PAGE)
    parameters = {
        "endpoint": endpoint_id,
        "type": query.type and like(query.type),
        "subject": query.subject,
        "transaction_id": position[0],
        "id": position[1],
        "rows": query.limit + 1,
    }
    async with deps.engine.connect() as connection:
        rows = await connection.execute(statement, parameters)
    return page_response(
        *(request, rows, query.limit, queries.show_delivery),
        lambda row: (row.transaction_id, row.event_id),
    )


@router.get("/{delivery_id}", responses=problems("not-found"))
async def get_delivery(
    caller: Annotated[Principal, allowed("webhooks:read", "webhooks:write")],
    endpoint_id: EndpointPath,
    delivery_id: str,
    deps: Deps,
) -> shown.Delivery:
    """Show a delivery with its last attempt."""
    async with deps.engine.connect() as connection:
        return await queries.read_delivery(connection, endpoint_id, delivery_id)


@router.post(
    "/{delivery_id}/redeliver",
    status_code=202,
    response_model=shown.Delivery,
    responses=keyed("not-found", "wrong-state"),
)
async def redeliver(
    caller: Annotated[Principal, allowed("webhooks:write")],
    endpoint_id: EndpointPath,
    delivery_id: str,
    wanted: Nothing,
    idempotent: Idempotent,
    deps: Deps,
) -> Response:
    """Send one event again now, under the same `webhook-id`; retries run for another
    three days."""
    position = queries.known_position(delivery_id)

    async def work(connection: Connection, command: Command) -> StoredResponse:
        endpoint = await read_endpoint_by(connection, endpoint_id)
        if endpoint.status != "enabled":
            raise not_enabled()
        values = {
            "endpoint": endpoint_id,
            "transaction_id": position.transaction_id,
            "id": position.id,
        }
        if not await connection.count(_REDELIVER, values):
            raise NotFound(f"delivery {delivery_id} of {endpoint_id}")
        await wake(connection, endpoint_id)
        delivery = await queries.read_delivery(connection, endpoint_id, delivery_id)
        return StoredResponse(202, delivery)

    return await idempotent.transaction(caller, wanted, work)


_REDELIVER = text(
    """
    UPDATE webhook_deliveries
    SET status = 'pending', due_at = now(), first_attempt_at = NULL, attempts = 0
    WHERE endpoint = :endpoint AND transaction_id = :transaction_id AND event_id = :id
    """
)
