"""The transactions of an order, and those of its other subjects that belong into the
same transaction."""

from collections.abc import Awaitable, Callable
from datetime import datetime

from shared.contracts.errors import Refusal, too_many_attempts
from shared.contracts.money import AmountLimit
from shared.contracts.orders.addresses import check_address
from shared.contracts.orders.holds import Decision, HoldReason
from shared.contracts.orders.payloads import Pay, PlaceHold, ReleaseHold
from shared.contracts.orders.states import OrderStatus
from shared.database.kernel.holds import place_hold, release_holds
from shared.database.kernel.unit_of_work import Done, UnitOfWork
from shared.database.orders.snapshot import OrderSnapshot, read_order
from shared.database.orders.tables import Order
from sqlalchemy import text

from worker.orders.hold import changes as holds
from worker.orders.hold.screening import Limits, Screening, screen
from worker.orders.order.late_payment import reserve_again
from worker.orders.order.policy import is_completable, is_confirmable
from worker.orders.order.state import order_state
from worker.orders.payment import authorize
from worker.orders.payment.attempts import AttemptLimits
from worker.orders.refund.second_person import ask_second_person
from worker.orders.shipment.address import ask_for_address
from worker.orders.shipment.plan import plan
from worker.orders.stock.changes import note_allocated, reserve_missing
from worker.orders.store import utc_now

# ── placed ──────────────────────────────────────────────────────────────────────


async def reserve_and_authorize(
    change: UnitOfWork,
    order: OrderSnapshot,
    *,
    now: datetime,
    payment_id: str | None,
    attempts: AttemptLimits,
) -> authorize.Begun:
    """Reserve stock, once, then open the authorisation. Authorises nothing while a
    person has to decide about missing stock."""
    if order.status is OrderStatus.PLACED and await note_allocated(change):
        reserved = await reserve_missing(change, order, f"{order.id}:reserve")
        missing = order.short - reserved
        if reserved:
            change.event("stock.reserved", units=reserved, missing=missing)
        if missing:
            await holds.miss_stock(change, order.id)
            order = await read_order(change.connection, order.id)
    if order.hold(HoldReason.STOCK) is not None and not order.status.final:
        return authorize.Begun()
    return await authorize.begin(
        change, order, now=now, payment_id=payment_id, attempts=attempts
    )


async def settle_and_confirm(
    settle: Callable[[UnitOfWork, OrderSnapshot], Awaitable[OrderSnapshot | None]],
    limits: Limits,
    change: UnitOfWork,
    order: OrderSnapshot,
) -> Done:
    """Book the provider's answer; if the order is covered now, go on with it."""
    settled = await settle(change, order)
    if order.status is OrderStatus.PLACED:
        now = settled or await read_order(change.connection, order.id)
        await confirm(limits, change, now)
    return Done()


# ── confirmed ───────────────────────────────────────────────────────────────────


async def confirm(limits: Limits, change: UnitOfWork, order: OrderSnapshot) -> Done:
    state = order_state(order, utc_now())
    again = order.status is OrderStatus.CONFIRMED and order.unscreened
    placed = order.status is OrderStatus.PLACED and is_confirmable(state)
    if not (again or placed):
        return Done()
    if order.unscreened:
        await change.update(Order, order.id, unscreened=False)
        change.event("order.screened")
    if placed and order.short:
        if await reserve_again(change, order):
            return Done()
        order = await read_order(change.connection, order.id)
    findings, wrong = await _screen(limits, change, order)
    if findings:
        await holds.ask_for_approval(change, order, findings)
    if wrong:
        await ask_for_address(change, "check-failed", fields=wrong)
    if findings or wrong or again:
        return Done()
    await change.update(Order, order.id, status=OrderStatus.CONFIRMED)
    change.event("order.confirmed", total=order.total)
    await plan(change, order)
    return Done()


async def _screen(
    limits: Limits, change: UnitOfWork, order: OrderSnapshot
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Screen the order: reasons for a person to look at it, and address fields that are
    wrong."""
    known = await change.ask(
        _KNOWN,
        {
            "customer": order.customer,
            "id": order.id,
            "window": limits.burst_window,
            "burst": limits.burst_orders + 1,
        },
    )
    row = known.one()
    findings = screen(
        Screening(
            total=order.total,
            currency=order.currency,
            customers_orders=row.earlier,
            recent_orders=row.recent,
            ships_abroad_of_billing=bool(row.abroad),
        ),
        limits,
    )
    checked = () if row.ship_to_accepted else check_address(row.ship_to).wrong
    decided = order.approved and not order.unscreened
    return () if decided else findings, checked


_KNOWN = text(
    """
    SELECT
      (SELECT count(*) FROM (SELECT FROM orders o
        WHERE o.customer = :customer AND o.id <> :id
          AND o.status IN ('confirmed', 'completed') LIMIT 1) c) AS earlier,
      (SELECT count(*) FROM (SELECT FROM orders o
        WHERE o.customer = :customer
          AND o.created_at > now() - cast(:window AS interval)
        LIMIT :burst) r) AS recent,
      c.bill_to ->> 'country' <> c.ship_to ->> 'country' AS abroad,
      c.ship_to, c.ship_to_accepted
    FROM contacts c WHERE c.order_id = :id
    """
)


async def plan_more(change: UnitOfWork, order: OrderSnapshot) -> Done:
    if order.status is OrderStatus.CONFIRMED:
        await plan(change, order)
    return Done()


# ── completed ───────────────────────────────────────────────────────────────────


async def complete(change: UnitOfWork, order: OrderSnapshot) -> Done:
    state = order_state(order, utc_now())
    if order.status is OrderStatus.CONFIRMED and is_completable(state):
        await change.update(Order, order.id, status=OrderStatus.COMPLETED)
        change.event("order.completed")
    return Done()


# ── commands ────────────────────────────────────────────────────────────────────


async def pay(change: UnitOfWork, order: OrderSnapshot, *, command: Pay) -> Done:
    """The API has stored the payment with its method; from here on it may be
    charged."""
    order.payment(command.payment_id)
    if order.payment_stopped:
        raise too_many_attempts()
    if order.status.final:
        raise Refusal("not-payable", f"The order is {order.status}.")
    await release_holds(change, Decision.NEW_METHOD, reason=HoldReason.PAYMENT)
    change.event("payment.method_given", payment_id=command.payment_id)
    return Done()


async def release(
    change: UnitOfWork,
    order: OrderSnapshot,
    *,
    command: ReleaseHold,
    refund_limit: AmountLimit,
) -> Done:
    """Release a hold. Whatever the decision is, an amount above the clerk's limit waits
    for a second person."""
    await holds.release(change, order, command=command)
    if command.decision is Decision.REFUND:
        known = {refund.id for refund in order.refunds}
        now = await read_order(change.connection, order.id)
        for refund in now.refunds:
            if refund.id not in known:
                await ask_second_person(
                    *(change, order, refund.id, refund.amount), limit=refund_limit
                )
    return Done()


async def place_manual_hold(
    change: UnitOfWork, order: OrderSnapshot, *, command: PlaceHold
) -> Done:
    if order.status.final:
        raise Refusal("wrong-state", f"The order is {order.status}.")
    placed = await place_hold(
        change, HoldReason.MANUAL, hold_id=command.hold_id, due_at=command.due_at
    )
    if placed is None:
        raise Refusal("already-on-hold", "The order has a manual hold already.")
    return Done()
