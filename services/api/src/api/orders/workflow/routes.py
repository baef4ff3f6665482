"""The process behind an order, for operators."""

from typing import Annotated

from fastapi import APIRouter, Response
from shared.contracts.orders.names import order_workflow_id

from api.http.auth import Principal, allowed
from api.http.dependencies import Deps
from api.http.idempotency import Command, Idempotent, StoredResponse
from api.http.openapi import keyed, problems
from api.http.schemas import Nothing
from api.orders.order import queries
from api.orders.paths import OrderPath
from api.orders.workflow.executions import process_of, resume
from api.orders.workflow.schemas import Process, Resumed

router = APIRouter(prefix="/v1/orders/{order_id}", tags=["operators"])


@router.get("/process", response_model=Process, responses=problems("not-found"))
async def get_process(
    caller: Annotated[Principal, allowed("orders:operate")],
    order_id: OrderPath,
    deps: Deps,
) -> Response:
    """Show what the order waits for, since when, and what happens if nobody acts."""
    order = await queries.order(deps, order_id)
    process = await process_of(deps, order)
    return Response(process.model_dump_json(), media_type="application/json")


@router.post(
    "/resume",
    status_code=202,
    response_model=Resumed,
    responses=keyed("not-found"),
)
async def resume_order(
    caller: Annotated[Principal, allowed("admin")],
    order_id: OrderPath,
    idempotent: Idempotent,
    deps: Deps,
    wanted: Nothing | None = None,
) -> Response:
    """Restart the order's workflow if it was lost or terminated; a running one reads
    the order again. Safe at any time: no step runs twice."""
    await queries.order(deps, order_id)

    async def work(_: Command) -> StoredResponse:
        await resume(deps, await queries.order(deps, order_id))
        return StoredResponse(202, Resumed(workflow_id=order_workflow_id(order_id)))

    return await idempotent.run(caller, None, work)
