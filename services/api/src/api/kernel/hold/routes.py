"""What waits for a person, and what the person decides."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel
from shared.contracts.errors import NotFound, Refusal
from shared.contracts.orders import models, workflows
from shared.contracts.orders.states import DECISIONS, Decision, HoldReason, RefundReason
from shared.database.engine import Connection
from shared.database.ids import new_id
from shared.database.kernel.unit_of_work import UnitOfWork, change
from shared.database.orders import tables
from shared.database.orders.snapshot import Hold, OrderSnapshot
from sqlalchemy import text

from api.http.auth import Principal, allowed
from api.http.idempotency import Command, Idempotent, StoredResponse
from api.http.openapi import keyed, problems
from api.http.paging import moment, page_response
from api.http.paging import text as text_of
from api.http.problems import Problem, invalid
from api.http.schemas import Page
from api.kernel.hold import schemas as shown
from api.kernel.notes import keep_note
from api.orders.lines import of_command
from api.orders.order import queries
from api.orders.paths import HoldPath, OrderPath
from api.services import ApiServices, Services

router = APIRouter(prefix="/v1", tags=["holds"])

DECIDERS: dict[HoldReason, str] = {
    HoldReason.APPROVAL: "approvals",
    HoldReason.REFUND: "refunds:any",
    HoldReason.DIFFERENCE: "refunds:any",
    HoldReason.DISPUTE: "refunds:any",
    **dict.fromkeys(
        (
            HoldReason.STOCK,
            HoldReason.PAYMENT,
            HoldReason.ADDRESS,
            HoldReason.DELIVERY,
            HoldReason.MANUAL,
            HoldReason.PROVIDER,
        ),
        "orders:operate",
    ),
}
"""The scope that may decide on a hold of this reason."""
_LAST = datetime(2999, 12, 31, tzinfo=UTC)
"""Where holds that wait for ever stand in the queue."""


@router.get("/holds", response_model=Page[shown.Hold], responses=problems())
async def list_holds(
    request: Request,
    caller: Annotated[Principal, allowed("orders:operate", *DECIDERS.values())],
    query: Annotated[shown.HoldQuery, Query()],
    services: ApiServices,
) -> Response:
    """The open holds, first due first. Who only decides on some sees those."""
    holds = await _page(services, query, _seen_by(caller))
    return page_response(
        request, holds, query.limit, _show, lambda h: (h.due_at or _LAST, h.id)
    )


@router.post(
    "/orders/{order_id}/holds",
    status_code=201,
    response_model=shown.Hold,
    responses=keyed("not-found", "already-on-hold", "wrong-state"),
)
async def place_hold(
    caller: Annotated[Principal, allowed("orders:operate")],
    order_id: OrderPath,
    wanted: shown.NewHold,
    idempotent: Idempotent,
    services: ApiServices,
) -> Response:
    """Stop an order for a while: nothing of it is packed until the hold is released."""
    await queries.order(services, order_id)

    async def work(command: Command) -> StoredResponse:
        hold_id = command.memo["hold_id"]
        _check_due(wanted.due_at, command.memo["asked_at"])
        await keep_note(services.engine, command.key, order_id, wanted.note)
        await services.commands.order(
            workflows.Order.place_hold,
            models.PlaceHold(
                order_id=order_id,
                key=command.key,
                actor=caller.subject,
                hold_id=hold_id,
                due_at=wanted.due_at,
            ),
            _is_over,
        )
        return StoredResponse(201, _show(await _hold(services, hold_id)))

    # When it was asked first: what was in time stays so in a repeat.
    memo = {"hold_id": new_id("hld"), "asked_at": datetime.now(UTC).isoformat()}
    return await idempotent.run(caller, wanted, work, memo=memo)


def _check_due(due_at: datetime | None, asked_at: str) -> None:
    if due_at is not None and due_at <= datetime.fromisoformat(asked_at):
        raise invalid("#/due_at", "in-the-past", "Nobody could decide it in time.")


@router.post(
    "/holds/{hold_id}/assign",
    response_model=shown.Hold,
    responses=keyed("not-found", "already-released"),
)
async def assign_hold(
    caller: Annotated[Principal, allowed("orders:operate", *DECIDERS.values())],
    hold_id: HoldPath,
    wanted: shown.Assignment,
    idempotent: Idempotent,
    services: ApiServices,
) -> Response:
    """Say who takes care of it."""
    hold = await _hold(services, hold_id)
    caller.require(DECIDERS[hold.reason])

    async def work(command: Command) -> StoredResponse:
        await change(
            services.engine,
            tables.Order,
            hold.root,
            key=command.key,
            actor=caller.subject,
            apply=lambda work: _assign(work, hold_id, wanted.assignee),
            result=_Assigned,
        )
        return StoredResponse(200, _show(await _hold(services, hold_id)))

    return await idempotent.run(caller, wanted, work)


@router.post(
    "/holds/{hold_id}/release",
    response_model=shown.Hold,
    responses=keyed(
        *("not-found", "already-released", "decision-not-allowed", "four-eyes"),
        # What the decision leads to may be refused as well.
        *("already-shipped", "exceeds-refundable", "wrong-state"),
    ),
)
async def release_hold(
    caller: Annotated[Principal, allowed("orders:operate", *DECIDERS.values())],
    hold_id: HoldPath,
    wanted: shown.Release,
    idempotent: Idempotent,
    services: ApiServices,
) -> Response:
    """Decide. Never by the person who caused the hold."""
    hold = await _hold(services, hold_id)
    caller.require(DECIDERS[hold.reason])
    if wanted.decision == Decision.REFUND:
        caller.require("refunds:write", "refunds:any")

    async def work(command: Command) -> StoredResponse:
        _check_decision(hold, wanted, caller)
        await keep_note(services.engine, command.key, hold.root, wanted.note)
        await _release(services, hold, _decided(hold, wanted, caller, command))
        return StoredResponse(200, _show(await _hold(services, hold_id)))

    return await idempotent.run(caller, wanted, work)


def _check_decision(hold: Hold, wanted: shown.Release, caller: Principal) -> None:
    if wanted.decision not in DECISIONS[hold.reason]:
        raise Problem(
            "decision-not-allowed",
            f"A hold for {hold.reason} does not allow {wanted.decision}.",
            decisions=list(DECISIONS[hold.reason]),
        )
    if hold.placed_by == caller.subject:
        raise Problem("four-eyes", "You caused this hold: somebody else decides.")


def _decided(
    hold: Hold, wanted: shown.Release, caller: Principal, command: Command
) -> models.ReleaseHold:
    return models.ReleaseHold(
        order_id=hold.root,
        key=command.key,
        actor=caller.subject,
        hold_id=hold.id,
        decision=wanted.decision,
        lines=of_command(wanted.params.lines if wanted.params else None),
    )


async def _release(services: Services, hold: Hold, decided: models.ReleaseHold) -> None:
    commands = services.commands
    if hold.subject.startswith("ret_"):
        await commands.return_(hold.subject, workflows.Return.release_hold, decided)
    elif hold.subject.startswith("ref_"):
        order = await queries.order(services, hold.root)
        cancelled = order.refund(hold.subject).reason == RefundReason.CANCELLATION
        refund = commands.cancellation_refund if cancelled else commands.refund
        await refund(hold.subject, workflows.Refund.release_hold, decided)
    else:
        await services.commands.order(workflows.Order.release_hold, decided, _is_over)


def _is_over(order: OrderSnapshot) -> Refusal:
    return Refusal("wrong-state", f"The order is {order.status}.")


def _show(hold: Hold) -> shown.Hold:
    return shown.Hold(
        **hold.model_dump(exclude={"root", "reminded_at"}),
        order_id=hold.root,
        decisions=list(DECISIONS[hold.reason]) if hold.released_at is None else [],
    )


class _Assigned(BaseModel):
    """The answer is the hold itself, as it is by then."""


async def _assign(work: UnitOfWork, hold_id: str, assignee: str | None) -> _Assigned:
    found = await work.connection.scalar(_ASSIGN, {"id": hold_id, "assignee": assignee})
    if found is None:
        raise Refusal("already-released", "The hold is decided already.")
    work.event("hold.assigned", hold_id=hold_id, assignee=assignee)
    return _Assigned()


_ASSIGN = text(
    "UPDATE holds SET assignee = :assignee"
    " WHERE id = :id AND released_at IS NULL RETURNING id"
)


async def _hold(services: Services, hold_id: str) -> Hold:
    async with services.engine.connect() as connection:
        row = await connection.scalar(_HOLD, {"id": hold_id})
    if row is None:
        raise NotFound(f"hold {hold_id}")
    return Hold.model_validate_json(row)


_HOLD = text("SELECT row_to_json(h)::text FROM holds h WHERE id = :id")


def _seen_by(caller: Principal) -> list[HoldReason]:
    return [
        reason
        for reason, scope in DECIDERS.items()
        if caller.may("orders:operate", scope)
    ]


async def _page(
    services: Services, query: shown.HoldQuery, seen: Sequence[HoldReason]
) -> list[Hold]:
    position = query.position(moment, text_of) or [None, None]
    parameters = {
        "reason": query.reason,
        "seen": list(seen),
        "assignee": query.assignee,
        "overdue": query.overdue,
        "subject": query.subject,
        "last": _LAST,
        "due": position[0],
        "id": position[1],
        "rows": query.limit + 1,
    }
    async with services.engine.connect() as connection:
        return await _open_holds(connection, parameters)


async def _open_holds(
    connection: Connection, parameters: dict[str, object]
) -> list[Hold]:
    rows = await connection.scalars(_OPEN, parameters)
    return [Hold.model_validate_json(row) for row in rows]


_OPEN = text(
    """
    SELECT row_to_json(h)::text FROM holds h
    WHERE released_at IS NULL AND reason = ANY(:seen)
      AND (cast(:reason AS text) IS NULL OR reason = :reason)
      AND (cast(:assignee AS text) IS NULL OR assignee = :assignee)
      AND (cast(:overdue AS boolean) IS NULL
           OR (coalesce(due_at, :last) < now()) = :overdue)
      AND (cast(:subject AS text) IS NULL OR subject = :subject OR root = :subject)
      AND (cast(:id AS text) IS NULL
           OR (coalesce(due_at, :last), id) > (cast(:due AS timestamptz), :id))
    ORDER BY coalesce(due_at, :last), id LIMIT :rows
    """
)
