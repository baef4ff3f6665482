"""An operator stops an order."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Response
from shared.contracts.errors import Refusal
from shared.contracts.orders import payloads, workflows
from shared.contracts.orders.holds import HOLDS, HoldReason
from shared.database.ids import new_id
from shared.database.orders.snapshot import OrderSnapshot

from api.http.auth import Principal, allowed
from api.http.dependencies import Deps
from api.http.idempotency import Command, Idempotent, StoredResponse
from api.http.openapi import keyed
from api.http.problems import invalid
from api.kernel.hold.presenter import show_hold
from api.kernel.hold.queries import read_hold
from api.kernel.hold.schemas import Hold
from api.orders.commands import commands
from api.orders.hold.schemas import NewHold
from api.orders.notes import keep_note
from api.orders.order import queries
from api.orders.paths import OrderPath

router = APIRouter(prefix="/v1", tags=["holds"])


@router.post(
    "/orders/{order_id}/holds",
    status_code=201,
    response_model=Hold,
    responses=keyed("not-found", "already-on-hold", "wrong-state"),
)
async def place_hold(
    caller: Annotated[Principal, allowed("orders:operate")],
    order_id: OrderPath,
    wanted: NewHold,
    idempotent: Idempotent,
    deps: Deps,
) -> Response:
    """Put an order on hold: the warehouse packs nothing of it until the release."""
    await queries.order(deps, order_id)

    async def work(command: Command) -> StoredResponse:
        hold_id = command.memo["hold_id"]
        _check_due(wanted.due_at, command.memo["asked_at"])
        await keep_note(
            *(deps.engine, command.key, order_id, wanted.note),
            actor=caller.subject,
            about=hold_id,
        )
        await commands(deps).order(
            workflows.Order.place_hold,
            payloads.PlaceHold(
                order_id=order_id,
                key=command.key,
                actor=caller.subject,
                hold_id=hold_id,
                due_at=wanted.due_at,
            ),
            is_over,
        )
        hold = await read_hold(deps, hold_id)
        return StoredResponse(201, show_hold(hold, HOLDS[HoldReason.MANUAL]))

    # Compared with the time of the first request, so that a repeat has the same answer.
    memo = {"hold_id": new_id("hld"), "asked_at": datetime.now(UTC).isoformat()}
    return await idempotent.run(caller, wanted, work, memo=memo)


def _check_due(due_at: datetime | None, asked_at: str) -> None:
    if due_at is not None and due_at <= datetime.fromisoformat(asked_at):
        raise invalid("#/due_at", "in-the-past", "Nobody could decide it in time.")


def is_over(order: OrderSnapshot) -> Refusal:
    return Refusal("wrong-state", f"The order is {order.status}.")
