"""Holds: what opens one, what a decision does, and what happens if nobody decides."""

from collections.abc import Awaitable, Callable, Mapping, Sequence

from shared.contracts.errors import NotFound, Refusal
from shared.contracts.orders.models import ReleaseHold
from shared.contracts.orders.states import (
    DECISIONS,
    Decision,
    HoldReason,
    silence_means,
)
from shared.database.ids import new_id
from shared.database.kernel.change import Change
from shared.database.kernel.holds import place_hold, release_holds
from shared.database.kernel.tables import Hold as HoldRow
from shared.database.orders.snapshot import Hold, OrderSnapshot, Refund
from shared.database.orders.tables import Order, Payment
from sqlalchemy import text

from worker.orders.activities import addresses, delivering, refunding, returning
from worker.orders.activities.cancelling import cancel_units, cancellable
from worker.orders.activities.store import Done, utc_now
from worker.orders.policy.holds import PAYMENT_DUE, STOCK_DUE, approval_due

Effect = Callable[[Change, OrderSnapshot, Hold], Awaitable[None]]
RefundEffect = Callable[[Change, OrderSnapshot, Refund], Awaitable[None]]

# ── opening ─────────────────────────────────────────────────────────────────────


async def miss_stock(change: Change, order_id: str) -> None:
    """Stock is missing. Where all of it may be back-ordered the order goes on and
    the rest follows; else a person decides."""
    back_order = await change.connection.scalar(_BACK_ORDER, {"id": order_id})
    if back_order:
        await _allow_partial(change)
    else:
        await place_hold(change, HoldReason.STOCK, due_in=STOCK_DUE)


_BACK_ORDER = text(
    """
    SELECT bool_and(p.backorder) FROM order_lines l JOIN products p USING (sku)
    WHERE l.order_id = :id AND l.cancelled + l.reserved + l.shipped < l.qty
    """
)


async def ask_for_approval(
    change: Change, order: OrderSnapshot, findings: Sequence[str]
) -> None:
    ends = min(
        (p.capture_before for p in order.payments if p.held and p.capture_before),
        default=None,
    )
    await place_hold(
        change,
        HoldReason.APPROVAL,
        due_at=approval_due(utc_now(), ends),
        detail={"findings": list(findings)},
    )


async def ask_for_payment(change: Change, why: str, **detail: object) -> None:
    await place_hold(
        change,
        HoldReason.PAYMENT,
        due_in=PAYMENT_DUE,
        detail={"cause": why, **detail},
    )


# ── nobody decides ──────────────────────────────────────────────────────────────


async def remind(change: Change, order: OrderSnapshot, *, hold_id: str) -> Done:
    hold = _find(order, hold_id)
    if hold is not None:
        await change.update(HoldRow, hold.id, reminded_at=utc_now())
        change.event("hold.reminded", hold_id=hold.id, reason=hold.reason)
    return Done()


async def expire(change: Change, order: OrderSnapshot, *, hold_id: str) -> Done:
    """Take the decision that silence stands for; if there is none, escalate."""
    hold = _find(order, hold_id)
    if hold is None:
        return Done()
    silence = silence_means(hold.reason, hold.subject)
    if silence is None:
        await change.update(HoldRow, hold.id, escalated_at=utc_now())
        change.event("hold.escalated", hold_id=hold.id, reason=hold.reason)
        return Done()
    await release_holds(change, silence, hold_id=hold.id)
    await EFFECTS[hold.reason, silence](change, order, hold)
    return Done()


def _find(order: OrderSnapshot, hold_id: str) -> Hold | None:
    return next((hold for hold in order.holds if hold.id == hold_id), None)


# ── somebody decides ────────────────────────────────────────────────────────────


async def release(
    change: Change, order: OrderSnapshot, *, command: ReleaseHold
) -> Done:
    """Raises `Refusal` already-released, four-eyes, decision-not-allowed."""
    hold = _find(order, command.hold_id)
    if hold is None:
        raise await _why_not_open(change, command.hold_id)
    if command.actor in _caused_by(order, hold):
        raise Refusal("four-eyes", "Somebody else has to decide about this.")
    if command.decision not in DECISIONS[hold.reason]:
        raise Refusal(
            "decision-not-allowed",
            f"A hold for {hold.reason} cannot be decided by {command.decision}.",
            allowed=list(DECISIONS[hold.reason]),
        )
    if command.lines and command.decision is not Decision.CANCEL_LINES:
        raise Refusal("decision-not-allowed", "Only cancel_lines takes lines.")
    await release_holds(change, command.decision, hold_id=hold.id, note_key=command.key)
    effect = _effects(hold).get((hold.reason, command.decision))
    if command.lines:
        wanted = {item.line: item.quantity for item in command.lines}
        await _cancel_some(change, order, hold, wanted)
    elif effect is not None:
        await effect(change, order, hold)
    return Done()


async def _why_not_open(change: Change, hold_id: str) -> Refusal:
    known = await change.connection.scalar(
        _DECISION, {"id": hold_id, "root": change.subject}
    )
    if known is None:
        return NotFound(f"hold {hold_id}")
    return Refusal("already-released", f"This was decided: {known}.", decision=known)


_DECISION = text("SELECT decision FROM holds WHERE id = :id AND root = :root")


def _caused_by(order: OrderSnapshot, hold: Hold) -> set[str]:
    """The people who must not decide about a hold."""
    if hold.reason is HoldReason.APPROVAL:
        return {hold.placed_by, order.customer}
    return {hold.placed_by}


async def _cancel_all(change: Change, order: OrderSnapshot, hold: Hold) -> None:
    await _cancel(change, order, hold, dict(cancellable(order)))


async def _cancel_short(change: Change, order: OrderSnapshot, hold: Hold) -> None:
    short = {line.line: line.short for line in order.lines if line.short}
    await _cancel(change, order, hold, short)


async def _cancel_some(
    change: Change, order: OrderSnapshot, hold: Hold, wanted: dict[int, int]
) -> None:
    """Of what is missing still it is asked again."""
    await _cancel(change, order, hold, wanted)
    if any(line.short > wanted.get(line.line, 0) for line in order.lines):
        await _wait_for_stock(change, order, hold)


async def _cancel(
    change: Change, order: OrderSnapshot, hold: Hold, wanted: dict[int, int]
) -> None:
    if wanted:
        await cancel_units(
            change, order, wanted, key=hold.id, reason=f"{hold.reason}-hold"
        )


async def _wait_for_stock(change: Change, order: OrderSnapshot, hold: Hold) -> None:
    await place_hold(
        change,
        HoldReason.STOCK,
        due_in=STOCK_DUE,
        detail={"waiting": True},
        placed_by=hold.placed_by,
    )


async def _ship_partial(change: Change, order: OrderSnapshot, hold: Hold) -> None:
    await _allow_partial(change)


async def _allow_partial(change: Change) -> None:
    await change.update(Order, change.subject, ship_partial=True)
    change.event("order.partial_allowed")


async def _try_card_again(change: Change, order: OrderSnapshot, hold: Hold) -> None:
    last = order.payments[-1]
    await change.insert(
        Payment,
        {
            "id": new_id("pay"),
            "order_id": order.id,
            "provider": last.provider,
            "method_ref": last.method_ref,
            "customer_ref": last.customer_ref,
            "off_session": last.off_session,
            "return_url": last.return_url,
        },
    )


async def _needs_new_method(change: Change, order: OrderSnapshot, hold: Hold) -> None:
    if not any(not payment.ledger for payment in order.payments):
        raise Refusal(
            "decision-not-allowed", "Give the new method with POST …/payments first."
        )


def _on_refund(decided: RefundEffect) -> Effect:
    async def effect(change: Change, order: OrderSnapshot, hold: Hold) -> None:
        await decided(change, order, order.refund(hold.subject))

    return effect


def _effects(hold: Hold) -> Mapping[tuple[HoldReason, Decision], Effect]:
    return RETURN_EFFECTS if hold.subject.startswith("ret_") else EFFECTS


async def _reship(change: Change, order: OrderSnapshot, hold: Hold) -> None:
    if await delivering.reship(change, order, hold):
        await miss_stock(change, order.id)


EFFECTS: dict[tuple[HoldReason, Decision], Effect] = {
    (HoldReason.APPROVAL, Decision.REJECT): _cancel_all,
    (HoldReason.STOCK, Decision.WAIT): _wait_for_stock,
    (HoldReason.STOCK, Decision.SHIP_PARTIAL): _ship_partial,
    (HoldReason.STOCK, Decision.CANCEL_LINES): _cancel_short,
    (HoldReason.PAYMENT, Decision.RETRY): _try_card_again,
    (HoldReason.PAYMENT, Decision.NEW_METHOD): _needs_new_method,
    (HoldReason.PAYMENT, Decision.CANCEL): _cancel_all,
    (HoldReason.ADDRESS, Decision.CORRECT): addresses.require_correction,
    (HoldReason.ADDRESS, Decision.OVERRIDE): addresses.accept,
    (HoldReason.ADDRESS, Decision.CANCEL): _cancel_all,
    (HoldReason.REFUND, Decision.APPROVE): _on_refund(refunding.go_on),
    (HoldReason.REFUND, Decision.RETRY): _on_refund(refunding.go_on),
    (HoldReason.REFUND, Decision.REJECT): _on_refund(refunding.reject),
    (HoldReason.REFUND, Decision.PAID_OTHERWISE): _on_refund(refunding.pay_otherwise),
    (HoldReason.DELIVERY, Decision.RESHIP): _reship,
    (HoldReason.DELIVERY, Decision.REFUND): delivering.refund,
    (HoldReason.DELIVERY, Decision.WAIT): delivering.wait,
    (HoldReason.MANUAL, Decision.CANCEL): _cancel_all,
}
"""What a decision changes beyond closing the hold."""

RETURN_EFFECTS: dict[tuple[HoldReason, Decision], Effect] = {
    (HoldReason.APPROVAL, Decision.APPROVE): returning.approve,
    (HoldReason.APPROVAL, Decision.REJECT): returning.reject,
}
"""The same of a return's holds."""
