"""Disputes of payments, and amounts that differ from the provider's."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel
from shared.contracts.errors import Refusal
from shared.contracts.orders.holds import Decision, HoldReason, due_of
from shared.database.ids import new_id
from shared.database.kernel.holds import place_hold
from shared.database.kernel.unit_of_work import UnitOfWork, change
from shared.database.orders.tables import Order
from sqlalchemy import text

from api.http.auth import Principal, allowed
from api.http.dependencies import Dependencies, Deps
from api.http.idempotency import Command, Idempotent, StoredResponse
from api.http.openapi import keyed, problems
from api.http.paging import moment, page_response
from api.http.paging import text as text_of
from api.http.schemas import Money, Page
from api.kernel.discrepancy.queries import read_discrepancy
from api.kernel.discrepancy.schemas import Discrepancy, Resolution
from api.kernel.hold.queries import read_hold
from api.kernel.paths import DiscrepancyPath
from api.kernel.process import Decided
from api.orders.hold.release import release
from api.orders.payment import schemas as shown
from api.orders.payment.queries import (
    Difference,
    page_of_disputes,
    read_difference,
)

router = APIRouter(prefix="/v1", tags=["operators"])

AUDITOR = "worker"
"""The actor that found the difference. It is no person, so anybody may book it."""


@router.get("/disputes", response_model=Page[shown.Dispute], responses=problems())
async def list_disputes(
    request: Request,
    caller: Annotated[Principal, allowed("money:read", "refunds:any")],
    query: Annotated[shown.DisputeQuery, Query()],
    deps: Deps,
) -> Response:
    """List the payments that customers dispute at their bank, newest first."""
    position = query.position(request, moment, text_of) or [None, None]
    rows = await page_of_disputes(
        deps,
        order=query.order,
        is_open=query.open,
        before=(position[0], position[1]),
        rows=query.limit + 1,
    )
    return page_response(
        request, rows, query.limit, _show, lambda row: (row.created_at, row.id)
    )


def _show(row: Any) -> shown.Dispute:
    return shown.Dispute(
        id=row.id,
        order_id=row.order_id,
        payment_id=row.payment_id,
        status=row.status,
        reason=row.reason,
        amount=Money(amount=row.amount, currency=row.currency),
        withdrawn=Money(amount=row.withdrawn, currency=row.currency),
        evidence_due_at=row.due_at,
        opened_at=row.created_at,
    )


@router.post(
    "/discrepancies/{discrepancy_id}/book",
    response_model=Discrepancy,
    responses=keyed("not-found", "wrong-state", "already-released", "four-eyes"),
)
async def book_discrepancy(
    caller: Annotated[Principal, allowed("refunds:any")],
    discrepancy_id: DiscrepancyPath,
    wanted: Resolution,
    idempotent: Idempotent,
    deps: Deps,
) -> Response:
    """Book the provider's amounts of a payment. This releases the order's `difference`
    hold with `book`, and the order continues."""
    found = await read_difference(deps, discrepancy_id)

    async def work(command: Command) -> StoredResponse:
        hold_id = await _stop(
            deps, found, command.memo["hold_id"], command.key, wanted.note
        )
        decided = Decided(
            key=command.key,
            actor=caller.subject,
            decision=Decision.BOOK,
            note=wanted.note,
        )
        await release(deps, await read_hold(deps, hold_id), decided)
        return StoredResponse(200, await read_discrepancy(deps, discrepancy_id))

    memo = {"hold_id": new_id("hld")}
    return await idempotent.run(caller, wanted, work, memo=memo)


class _Stopped(BaseModel):
    hold_id: str


async def _stop(
    deps: Dependencies, found: Difference, hold_id: str, key: str, note: str
) -> str:
    """Open the order's hold `difference` if it is closed: a discrepancy may outlive its
    hold. Safe to repeat."""

    async def place(work: UnitOfWork) -> _Stopped:
        if found.resolved_by is not None:
            raise Refusal("wrong-state", f"{found.resolved_by} has resolved it.")
        values = {"key": f"{key}:book", "id": found.id, "text": note}
        await work.connection.execute(_NOTE, values)
        open_hold = await work.connection.scalar(
            _HOLD, {"order": found.order_id, "reason": HoldReason.DIFFERENCE}
        )
        return _Stopped(hold_id=open_hold or await _place(work, found, hold_id))

    stopped = await change(
        deps.engine,
        Order,
        found.order_id,
        key=f"{found.order_id}:{key}:stop",
        actor=AUDITOR,
        apply=place,
        result=_Stopped,
    )
    return stopped.hold_id


async def _place(work: UnitOfWork, found: Difference, hold_id: str) -> str:
    sums = {name: found.detail[name] for name in _SUMS if name in found.detail}
    await place_hold(
        work,
        HoldReason.DIFFERENCE,
        hold_id=hold_id,
        due_in=due_of(HoldReason.DIFFERENCE),
        detail={"payment_id": found.payment_id, **sums},
    )
    return hold_id


_SUMS = ("held", "captured", "refunded")
_HOLD = text(
    "SELECT id FROM holds"
    " WHERE subject = :order AND reason = :reason AND released_at IS NULL"
)
_NOTE = text("INSERT INTO notes (key, subject, text) VALUES (:key, :id, :text)")
