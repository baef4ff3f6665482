"""The events of an order."""

from typing import Annotated

from fastapi import APIRouter, Header, Query, Request, Response

from api.http.auth import Principal, allowed
from api.http.dependencies import Deps
from api.http.openapi import problems
from api.http.schemas import Page
from api.kernel.timeline.schemas import Event
from api.kernel.timeline.timeline import (
    EventQuery,
    Readers,
    Seq,
    Timeline,
    WhileAnswering,
    answer_timeline,
)
from api.orders.order import queries
from api.orders.paths import OrderPath

router = APIRouter(prefix="/v1", tags=["orders"])

READERS = Readers(
    staff="orders:read",
    ended="SELECT updated_at FROM orders"
    " WHERE id = :id AND status IN ('completed', 'cancelled')",
)


@router.get(
    "/orders/{order_id}/events",
    response_model=Page[Event],
    responses={
        200: {
            "description": "The events, or a stream of them with `Accept:"
            " text/event-stream`",
            "content": {"text/event-stream": {}},
        },
        204: {"description": "The stream has ended."},
        **problems("not-found"),
    },
)
async def list_order_events(
    request: Request,
    caller: Annotated[Principal, allowed("orders:own", "orders:read")],
    order_id: OrderPath,
    query: Annotated[EventQuery, Query()],
    deps: Deps,
    while_answering: WhileAnswering,
    last_event_id: Annotated[Seq | None, Header()] = None,
) -> Response:
    """List events with a higher `seq` than `after`, oldest first. A stream resumes
    after `Last-Event-ID` and closes a minute after the order ends; later connections
    get 204, because no event will follow."""
    await queries.require_sight(deps, caller, order_id, "orders:read")
    timeline = Timeline(deps, caller, order_id, READERS)
    return await answer_timeline(
        timeline, request, query, while_answering, last_event_id
    )
