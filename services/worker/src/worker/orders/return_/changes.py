"""Returns: what may come back, what is approved, and how long we wait for it.

Goods count from their delivery on. A parcel whose carrier reports nothing (a `manual`
one) has to be reported as delivered first.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, TypeGuard

from shared.contracts.errors import Refusal
from shared.contracts.orders.holds import Decision, HoldReason, due_of
from shared.contracts.orders.payloads import RequestReturn
from shared.contracts.orders.states import ReturnStatus, ShipmentStatus
from shared.database.kernel.holds import place_hold
from shared.database.kernel.unit_of_work import Done, UnitOfWork
from shared.database.orders.refund_breakdown import owed
from shared.database.orders.snapshot import Hold, OrderSnapshot, Return
from shared.database.orders.tables import Return as ReturnTable
from shared.database.orders.tables import ReturnLine
from sqlalchemy import text

from worker.orders.hold.effects import decides
from worker.orders.hold.screening import ReturnLimits, ReturnScreening, screen_return
from worker.orders.options import CLOCKS_APART
from worker.orders.ports import Label
from worker.orders.return_.policy import (
    RETURN_DUE,
    RETURN_REMINDED_EVERY,
    RETURN_WINDOW,
)
from worker.orders.store import utc_now

# ── what may come back ──────────────────────────────────────────────────────────


def returnable(order: OrderSnapshot, since: datetime | None = None) -> dict[int, int]:
    """Delivered units of each line that are in no return. With `since`, only those of
    parcels that arrived after it: earlier returns are taken to be of older parcels
    first."""
    delivered = _delivered(order, None)
    recent = _delivered(order, since)
    taken = order.in_returns()
    return {
        line: min(recent.get(line, 0), units - taken.get(line, 0))
        for line, units in delivered.items()
    }


def _delivered(order: OrderSnapshot, since: datetime | None) -> dict[int, int]:
    units: dict[int, int] = {}
    for shipment in order.shipments:
        if shipment.status is not ShipmentStatus.DELIVERED:
            continue
        at = shipment.delivered_at
        if since is None or (at is not None and at >= since):
            for item in shipment.lines:
                units[item.line] = units.get(item.line, 0) + item.qty
    return units


async def _check(
    change: UnitOfWork, order: OrderSnapshot, wanted: Mapping[int, int]
) -> None:
    there = returnable(order)
    if any(units > there.get(line, 0) for line, units in wanted.items()):
        raise Refusal(
            "quantity-exceeded",
            "More than was delivered and is not in a return already.",
            returnable=as_units(there),
        )
    keep = await _not_returnable(change, order, wanted)
    if keep:
        raise Refusal("not-returnable", "This product cannot be returned.", lines=keep)
    in_time = returnable(order, utc_now() - RETURN_WINDOW)
    if any(units > in_time.get(line, 0) for line, units in wanted.items()):
        raise Refusal(
            "window-closed",
            f"Returns are accepted for {RETURN_WINDOW.days} days after delivery.",
            returnable=as_units(in_time),
        )


async def _not_returnable(
    change: UnitOfWork, order: OrderSnapshot, wanted: Mapping[int, int]
) -> list[int]:
    """Those of the `wanted` lines that were sold as final. Lines from before that was
    recorded go by their product."""
    lines = [order.line(number) for number in wanted]
    unsaid = [line.sku for line in lines if line.returnable is None]
    found = set[str]()
    if unsaid:
        found.update(await change.connection.scalars(_FINAL_SALE, {"skus": unsaid}))
    return [
        line.line for line in lines if line.returnable is False or line.sku in found
    ]


_FINAL_SALE = text("SELECT sku FROM products WHERE sku = ANY(:skus) AND NOT returnable")


def as_units(lines: Mapping[int, int]) -> list[dict[str, int]]:
    return [{"line": n, "quantity": units} for n, units in lines.items() if units]


# ── asked for and decided ───────────────────────────────────────────────────────


async def request(
    change: UnitOfWork,
    order: OrderSnapshot,
    *,
    command: RequestReturn,
    limits: ReturnLimits,
) -> Done:
    """Raises `Refusal` quantity-exceeded, not-returnable, window-closed."""
    wanted = {item.line: item.quantity for item in command.lines}
    await _check(change, order, wanted)
    findings = screen_return(
        ReturnScreening(
            value=owed(order, wanted).goods,
            currency=order.currency,
            recent_returns=await _recent(change, order, limits.recent_window),
        ),
        limits,
    )
    await _write(change, order, command, approved=not findings)
    if findings:
        await place_hold(
            change,
            HoldReason.APPROVAL,
            subject=command.return_id,
            due_in=due_of(HoldReason.APPROVAL),
            detail={"return_id": command.return_id, "findings": list(findings)},
        )
    return Done()


async def _recent(change: UnitOfWork, order: OrderSnapshot, window: timedelta) -> int:
    recent = await change.connection.scalar(
        _RECENT, {"customer": order.customer, "window": window}
    )
    return int(recent or 0)


_RECENT = text(
    "SELECT count(*) FROM returns r JOIN orders o ON o.id = r.order_id"
    " WHERE o.customer = :customer AND r.status <> 'rejected'"
    " AND r.created_at > now() - cast(:window AS interval)"
)


async def _write(
    change: UnitOfWork, order: OrderSnapshot, command: RequestReturn, *, approved: bool
) -> None:
    await change.insert(
        ReturnTable,
        {
            "id": command.return_id,
            "order_id": order.id,
            "status": ReturnStatus.APPROVED if approved else ReturnStatus.REQUESTED,
            "requested_by": change.actor,
        },
    )
    await change.insert(
        ReturnLine,
        *(
            {
                "return_id": command.return_id,
                "order_id": order.id,
                "line": item.line,
                "qty": item.quantity,
                "reason": item.reason,
            }
            for item in command.lines
        ),
    )
    change.event(
        "return.requested",
        return_id=command.return_id,
        lines=[item.model_dump() for item in command.lines],
    )


@decides(HoldReason.APPROVAL, Decision.APPROVE, of_return=True)
async def approve(change: UnitOfWork, order: OrderSnapshot, hold: Hold) -> None:
    await change.update(ReturnTable, hold.subject, status=ReturnStatus.APPROVED)


@decides(HoldReason.APPROVAL, Decision.REJECT, of_return=True)
async def reject(change: UnitOfWork, order: OrderSnapshot, hold: Hold) -> None:
    await change.update(ReturnTable, hold.subject, status=ReturnStatus.REJECTED)
    change.event("return.rejected", return_id=hold.subject)


# ── awaited ─────────────────────────────────────────────────────────────────────


async def expect(
    change: UnitOfWork,
    order: OrderSnapshot,
    *,
    return_id: str,
    label: Label | None,
) -> Done:
    """It is settled how the goods are sent: from now they are awaited, and the customer
    is notified. Without a label the customer chooses the carrier."""
    return_ = order.return_(return_id)
    bought: dict[str, Any] = (
        {"label_ref": label.ref, "label_url": label.url, "tracking": label.tracking}
        if label
        else {}
    )
    if return_.status is ReturnStatus.APPROVED and return_.due_at is None:
        now = utc_now()
        await change.update(
            ReturnTable,
            return_id,
            **bought,
            due_at=now + RETURN_DUE,
            remind_at=now + RETURN_REMINDED_EVERY,
        )
        change.event(
            "return.approved", return_id=return_id, tracking=bought.get("tracking")
        )
    elif label is not None and return_.label_ref is None:
        # The goods arrived before the carrier answered: the label was bought all the
        # same.
        await change.update(ReturnTable, return_id, **bought)
    return Done()


async def remind(change: UnitOfWork, order: OrderSnapshot, *, return_id: str) -> Done:
    return_ = order.return_(return_id)
    at, due = return_.remind_at, return_.due_at
    if return_.status is not ReturnStatus.APPROVED or not _has_come(at):
        return Done()
    again = at + RETURN_REMINDED_EVERY
    await change.update(
        ReturnTable, return_id, remind_at=again if due is None or again < due else None
    )
    change.event("return.reminded", return_id=return_id)
    return Done()


async def expire(change: UnitOfWork, order: OrderSnapshot, *, return_id: str) -> Done:
    return_ = order.return_(return_id)
    if return_.status is ReturnStatus.APPROVED and _has_come(return_.due_at):
        await change.update(ReturnTable, return_id, status=ReturnStatus.EXPIRED)
        change.event("return.expired", return_id=return_id)
    return Done()


def _has_come(moment: datetime | None) -> TypeGuard[datetime]:
    return moment is not None and moment <= utc_now() + CLOCKS_APART


# ── over ─────────────────────────────────────────────────────────────────────────


async def close(change: UnitOfWork, order: OrderSnapshot, *, return_id: str) -> Done:
    if order.return_(return_id).status is ReturnStatus.RECEIVED:
        await change.update(ReturnTable, return_id, status=ReturnStatus.CLOSED)
        change.event("return.closed", return_id=return_id)
    return Done()


def wrong_state(return_: Return) -> Refusal:
    return Refusal(
        "wrong-state", f"The return is {return_.status}.", status=return_.status
    )
