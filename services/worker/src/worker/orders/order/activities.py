"""The steps of an order, each one transaction under its business key."""

from collections.abc import Mapping
from functools import partial

from shared.contracts.errors import Refusal, nothing_to_cancel, too_many_attempts
from shared.contracts.orders.activities import OrderSteps
from shared.contracts.orders.models import (
    Cancel,
    Cancelled,
    Command,
    HoldRef,
    OrderRef,
    OrderState,
    Pay,
    PlaceHold,
    RefundRef,
    ReleaseHold,
)
from shared.contracts.orders.states import (
    Decision,
    HoldReason,
    OrderStatus,
    RefundReason,
)
from shared.database.kernel.holds import place_hold, release_holds
from shared.database.kernel.unit_of_work import UnitOfWork
from shared.database.orders.snapshot import OrderSnapshot, read_order
from shared.database.orders.tables import Order
from sqlalchemy import text
from temporalio import activity

from worker.orders.hold import changes as holds
from worker.orders.hold.screening import Limits, Screening, screen
from worker.orders.nudger import Nudger
from worker.orders.order import state
from worker.orders.order.cancel import cancel_units, cancellable
from worker.orders.order.late_payment import reserve_again
from worker.orders.order.policy import Complete, next_step
from worker.orders.payment.amounts import pending_refunds
from worker.orders.refund.second_person import ask_second_person
from worker.orders.shipment.address import ask_for_address, read_address, wrong_fields
from worker.orders.shipment.plan import plan
from worker.orders.stock.changes import reserve_missing
from worker.orders.store import Apply, Done, OrderStore, utc_now


class OrderActivities(OrderSteps):
    def __init__(
        self, store: OrderStore, limits: Limits, nudger: Nudger, refund_limit: int
    ) -> None:
        self._store = store
        self._refund_limit = refund_limit
        self._limits = limits
        self._nudger = nudger

    @activity.defn(name="look")
    async def look(self, ref: OrderRef) -> OrderState:
        order = await self._store.read(ref.order_id)
        return state.order_state(order, utc_now())

    @activity.defn(name="reserve")
    async def reserve(self, ref: OrderRef) -> OrderState:
        return await self._step(ref.order_id, "reserve", _reserve)

    @activity.defn(name="confirm")
    async def confirm(self, ref: OrderRef) -> OrderState:
        return await self._step(ref.order_id, None, partial(_confirm, self._limits))

    @activity.defn(name="plan_shipments")
    async def plan_shipments(self, ref: OrderRef) -> OrderState:
        return await self._step(ref.order_id, None, _plan)

    @activity.defn(name="remind")
    async def remind(self, ref: HoldRef) -> OrderState:
        return await self._step(
            ref.order_id,
            f"remind:{ref.hold_id}",
            partial(holds.remind, hold_id=ref.hold_id),
        )

    @activity.defn(name="expire_hold")
    async def expire_hold(self, ref: HoldRef) -> OrderState:
        return await self._step(
            ref.order_id,
            f"expire:{ref.hold_id}",
            partial(holds.expire, hold_id=ref.hold_id),
        )

    @activity.defn(name="complete")
    async def complete(self, ref: OrderRef) -> OrderState:
        return await self._step(ref.order_id, None, _complete)

    @activity.defn(name="cancel")
    async def cancel(self, command: Cancel) -> Cancelled:
        return await self._store.change(
            command.order_id,
            partial(_cancel, command=command),
            Cancelled,
            key=command.key,
            actor=command.actor,
        )

    @activity.defn(name="pay")
    async def pay(self, command: Pay) -> None:
        await self._command(command, partial(_pay, command=command))

    @activity.defn(name="place_hold")
    async def place_hold(self, command: PlaceHold) -> None:
        await self._command(command, partial(_place_manual_hold, command=command))

    @activity.defn(name="release_hold")
    async def release_hold(self, command: ReleaseHold) -> None:
        await self._command(
            command, partial(_release, command=command, refund_limit=self._refund_limit)
        )
        if command.decision is Decision.REFUND:
            await self._start_refunds(command.order_id)

    async def _start_refunds(self, order_id: str) -> None:
        """A refund of lost goods may outlive the order, so it is no child of it."""
        order = await self._store.read(order_id)
        for refund in order.refunds:
            alone = refund.reason != RefundReason.CANCELLATION and not refund.return_id
            if alone and pending_refunds(order, refund.id):
                await self._nudger.start_refund(
                    RefundRef(order_id=order_id, refund_id=refund.id)
                )

    async def _command(self, command: Command, apply: Apply) -> None:
        await self._store.change(
            command.order_id, apply, Done, key=command.key, actor=command.actor
        )

    async def _step(self, order_id: str, key: str | None, apply: Apply) -> OrderState:
        """Change, then look: what others did meanwhile is seen as well."""
        await self._store.change(order_id, apply, Done, key=key)
        return await self.look(OrderRef(order_id=order_id))


async def _reserve(change: UnitOfWork, order: OrderSnapshot) -> Done:
    if order.status is not OrderStatus.PLACED:
        return Done()
    reserved = await reserve_missing(change, order, f"{order.id}:reserve")
    missing = order.short - reserved
    change.event("stock.reserved", units=reserved, missing=missing)
    if missing:
        await holds.miss_stock(change, order.id)
    return Done()


async def _confirm(limits: Limits, change: UnitOfWork, order: OrderSnapshot) -> Done:
    again = order.status is OrderStatus.CONFIRMED and order.unscreened
    if not again and (order.status is not OrderStatus.PLACED or order.holds):
        return Done()
    if order.short:
        if await reserve_again(change, order):
            return Done()
        order = await read_order(change.connection, order.id)
    findings, wrong = await _screen(limits, change, order)
    if order.unscreened:
        await change.update(Order, order.id, unscreened=False)
        change.event("order.screened")
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
    """What a person should look at, and which fields of the address are wrong."""
    known = await change.connection.execute(
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
            customers_orders=row.earlier,
            recent_orders=row.recent,
            ships_abroad_of_billing=bool(row.abroad),
        ),
        limits,
    )
    checked = () if row.ship_to_accepted else wrong_fields(read_address(row.ship_to))
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


async def _plan(change: UnitOfWork, order: OrderSnapshot) -> Done:
    if order.status is OrderStatus.CONFIRMED:
        await plan(change, order)
    return Done()


async def _complete(change: UnitOfWork, order: OrderSnapshot) -> Done:
    now = utc_now()
    known = state.order_state(order, now)
    attended = {shipment.shipment_id for shipment in known.shipments}
    if next_step(known, attended, now) == Complete():
        await change.update(Order, order.id, status=OrderStatus.COMPLETED)
        change.event("order.completed")
    return Done()


async def _cancel(
    change: UnitOfWork, order: OrderSnapshot, *, command: Cancel
) -> Cancelled:
    if order.status.final:
        raise nothing_to_cancel(cancelled=order.status is OrderStatus.CANCELLED)
    wanted: Mapping[int, int] = {
        item.line: item.quantity for item in command.lines
    } or cancellable(order)
    return await cancel_units(
        change, order, wanted, key=command.key, reason=command.reason
    )


async def _pay(change: UnitOfWork, order: OrderSnapshot, *, command: Pay) -> Done:
    """The API wrote the payment with its method; from now on it may be charged."""
    order.payment(command.payment_id)
    if order.status.final:
        raise Refusal("not-payable", f"The order is {order.status}.")
    if order.payment_stopped:
        raise too_many_attempts()
    await release_holds(change, Decision.NEW_METHOD, reason=HoldReason.PAYMENT)
    change.event("payment.method_given", payment_id=command.payment_id)
    return Done()


async def _release(
    change: UnitOfWork,
    order: OrderSnapshot,
    *,
    command: ReleaseHold,
    refund_limit: int,
) -> Done:
    """Whatever is decided, more than one clerk may give back waits for a second."""
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


async def _place_manual_hold(
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
