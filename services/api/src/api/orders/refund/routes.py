"""Refunds that people request."""

from typing import Annotated

from fastapi import APIRouter, Response
from shared.contracts.orders import payloads, workflows
from shared.contracts.orders.states import RefundReason
from shared.database.ids import new_id
from shared.database.orders.snapshot import OrderSnapshot

from api.http.auth import Principal, allowed
from api.http.dependencies import Deps
from api.http.idempotency import Command, Idempotent, StoredResponse
from api.http.openapi import keyed, problems, response_headers
from api.http.problems import invalid
from api.orders.amounts import check_part
from api.orders.commands import commands
from api.orders.lines import of_command
from api.orders.notes import keep_note
from api.orders.order import queries
from api.orders.paths import OrderPath, RefundPath
from api.orders.refund import schemas as shown
from api.orders.refund.presenter import show_refund
from api.orders.refund.queries import order_of_refund

router = APIRouter(prefix="/v1", tags=["refunds"])


@router.post(
    "/orders/{order_id}/refunds",
    status_code=201,
    response_model=shown.Refund,
    responses={
        201: response_headers("Location"),
        202: {
            "model": shown.Refund,
            "description": "Waits for a second person.",
            **response_headers("Location"),
        },
        **keyed("not-found", "exceeds-refundable"),
    },
)
async def refund_order(
    caller: Annotated[Principal, allowed("refunds:write")],
    order_id: OrderPath,
    wanted: shown.NewRefund,
    idempotent: Idempotent,
    deps: Deps,
) -> Response:
    """Refund the price of lines, shipped or not, or an amount. Above the clerk's limit
    the refund waits until a second person releases its hold."""
    order = await queries.order(deps, order_id)
    _check(order, wanted)

    async def work(command: Command) -> StoredResponse:
        refund_id = command.memo["refund_id"]
        await keep_note(
            *(deps.engine, command.key, order_id, wanted.note),
            actor=caller.subject,
            about=refund_id,
        )
        requested = await commands(deps).refund(
            refund_id,
            workflows.Refund.request,
            payloads.RequestRefund(
                order_id=order_id,
                key=command.key,
                actor=caller.subject,
                refund_id=refund_id,
                reason=RefundReason(wanted.reason),
                lines=of_command(wanted.lines),
                shipping=wanted.shipping,
                goodwill=wanted.amount.amount if wanted.amount else 0,
            ),
        )
        order = await queries.order(deps, order_id)
        status = 202 if requested.on_hold else 201
        return StoredResponse(
            status,
            show_refund(order, refund_id),
            {"Location": f"/v1/refunds/{refund_id}"},
        )

    return await idempotent.run(caller, wanted, work, memo={"refund_id": new_id("ref")})


def _check(order: OrderSnapshot, wanted: shown.NewRefund) -> None:
    known = {line.line for line in order.lines}
    for index, item in enumerate(wanted.lines or ()):
        if item.line not in known:
            raise invalid(f"#/lines/{index}/line", "line", "The order has no such line")
    if wanted.amount and wanted.amount.currency != order.currency:
        raise invalid(
            "#/amount/currency", "currency", f"The order is in {order.currency}"
        )
    if wanted.amount:
        check_part("#/amount/amount", order.currency, wanted.amount.amount)


@router.get(
    "/refunds/{refund_id}",
    response_model=shown.Refund,
    responses=problems("not-found"),
)
async def get_refund(
    caller: Annotated[Principal, allowed("orders:own", "orders:read")],
    refund_id: RefundPath,
    deps: Deps,
) -> Response:
    """Show a refund as it is now. Customers see their own."""
    order = await order_of_refund(deps, caller, refund_id)
    return StoredResponse(200, show_refund(order, refund_id)).response()
