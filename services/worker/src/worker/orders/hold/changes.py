"""Holds: what opens one, what a decision does, and what happens if nobody decides."""

from collections.abc import Sequence

from shared.contracts.errors import NotFound, Refusal
from shared.contracts.holds import decision_not_allowed
from shared.contracts.orders.holds import (
    HOLDS,
    Decision,
    HoldReason,
    due_of,
    silence_of,
)
from shared.contracts.orders.payloads import ReleaseHold
from shared.contracts.orders.states import OrderStatus
from shared.database.kernel.holds import place_hold, release_holds
from shared.database.kernel.tables import Hold as HoldRow
from shared.database.kernel.unit_of_work import Done, UnitOfWork
from shared.database.orders.four_eyes import barred_from
from shared.database.orders.snapshot import Hold, OrderSnapshot
from shared.database.orders.tables import Order
from sqlalchemy import text

from worker.orders.hold.effects import effect_of, lines_effect_of
from worker.orders.hold.policy import approval_due
from worker.orders.store import utc_now

# ── opening ─────────────────────────────────────────────────────────────────────


async def miss_stock(change: UnitOfWork, order_id: str) -> None:
    """Stock is missing. If all of it may be back-ordered, the order goes on and the
    rest follows later; else a person decides."""
    back_order = await change.connection.scalar(_BACK_ORDER, {"id": order_id})
    if back_order:
        await allow_partial(change)
    else:
        await place_hold(change, HoldReason.STOCK, due_in=due_of(HoldReason.STOCK))


_BACK_ORDER = text(
    """
    SELECT bool_and(p.backorder) FROM order_lines l JOIN products p USING (sku)
    WHERE l.order_id = :id AND l.cancelled + l.reserved + l.shipped < l.qty
    """
)


async def ask_for_approval(
    change: UnitOfWork, order: OrderSnapshot, findings: Sequence[str]
) -> None:
    renewed = order.status is OrderStatus.CONFIRMED
    ends = min(
        (p.capture_before for p in order.payments if p.held and p.capture_before),
        default=None,
    )
    await place_hold(
        change,
        HoldReason.APPROVAL,
        due_at=approval_due(utc_now(), None if renewed else ends),
        detail={"findings": list(findings)},
    )


async def ask_for_payment(change: UnitOfWork, why: str, **detail: object) -> None:
    await place_hold(
        change,
        HoldReason.PAYMENT,
        due_in=due_of(HoldReason.PAYMENT),
        detail={"cause": why, **detail},
    )


async def ask_about_provider(
    change: UnitOfWork, why: str, *, subject: str | None = None, **detail: object
) -> None:
    """Open a hold, because the payment provider or the carrier refuses or is silent.
    `why` is its own code."""
    await place_hold(
        change,
        HoldReason.PROVIDER,
        subject=subject,
        due_in=due_of(HoldReason.PROVIDER),
        detail={"cause": why, **detail},
    )


async def settle_provider_hold(
    change: UnitOfWork, order: OrderSnapshot, subject: str | None = None
) -> None:
    """Close the hold: the provider has answered."""
    if order.hold(HoldReason.PROVIDER, subject) is not None:
        await release_holds(
            change,
            Decision.SETTLED,
            reason=HoldReason.PROVIDER,
            subject=subject or order.id,
        )


async def allow_partial(change: UnitOfWork) -> None:
    await change.update(Order, change.subject, ship_partial=True)
    change.event("order.partial_allowed")


# ── nobody decides ──────────────────────────────────────────────────────────────


async def remind(change: UnitOfWork, order: OrderSnapshot, *, hold_id: str) -> Done:
    hold = _find(order, hold_id)
    if hold is not None:
        await change.update(HoldRow, hold.id, reminded_at=utc_now())
        change.event("hold.reminded", hold_id=hold.id, reason=hold.reason)
    return Done()


async def expire(change: UnitOfWork, order: OrderSnapshot, *, hold_id: str) -> Done:
    """Nobody has decided in time: take the default decision, or escalate if there is
    none."""
    hold = _find(order, hold_id)
    if hold is None:
        return Done()
    silence = silence_of(hold.reason, hold.subject)
    if silence is None:
        await change.update(HoldRow, hold.id, escalated_at=utc_now())
        change.event("hold.escalated", hold_id=hold.id, reason=hold.reason)
        return Done()
    await release_holds(change, silence, hold_id=hold.id)
    effect = effect_of(hold, silence)
    if effect is not None:
        await effect(change, order, hold)
    return Done()


def _find(order: OrderSnapshot, hold_id: str) -> Hold | None:
    return next((hold for hold in order.holds if hold.id == hold_id), None)


# ── somebody decides ────────────────────────────────────────────────────────────


async def release(
    change: UnitOfWork, order: OrderSnapshot, *, command: ReleaseHold
) -> Done:
    """Raises `Refusal` already-released, four-eyes, decision-not-allowed."""
    hold = _find(order, command.hold_id)
    if hold is None:
        raise await _why_not_open(change, command.hold_id)
    if command.actor in await barred_from(
        change.connection, order.id, hold.reason, hold.placed_by
    ):
        raise Refusal("four-eyes", "Somebody else has to decide about this.")
    allowed = HOLDS[hold.reason].decisions
    if command.decision not in allowed:
        detail = f"A hold for {hold.reason} does not allow {command.decision}."
        raise decision_not_allowed(hold.reason, allowed, detail)
    on_lines = lines_effect_of(hold, command.decision)
    if command.lines and on_lines is None:
        detail = "Only cancel_lines takes lines."
        raise decision_not_allowed(hold.reason, allowed, detail)
    await release_holds(change, command.decision, hold_id=hold.id, note_key=command.key)
    if command.lines and on_lines is not None:
        wanted = {item.line: item.quantity for item in command.lines}
        await on_lines(change, order, hold, wanted)
    elif (effect := effect_of(hold, command.decision)) is not None:
        await effect(change, order, hold)
    return Done()


async def _why_not_open(change: UnitOfWork, hold_id: str) -> Refusal:
    known = await change.connection.scalar(
        _DECISION, {"id": hold_id, "root": change.subject}
    )
    if known is None:
        return NotFound(f"hold {hold_id}")
    return Refusal("already-released", f"This was decided: {known}.", decision=known)


_DECISION = text("SELECT decision FROM holds WHERE id = :id AND root = :root")
