"""The steps of an order, each one transaction under its business key."""

from functools import partial

from shared.contracts.money import AmountLimit
from shared.contracts.orders.activities import OrderSteps
from shared.contracts.orders.holds import Decision
from shared.contracts.orders.names import WORKER
from shared.contracts.orders.payloads import (
    Cancel,
    Cancelled,
    CancelledOrder,
    Command,
    HoldRef,
    OrderRef,
    OrderState,
    Pay,
    PlaceHold,
    RefundRef,
    ReleaseHold,
)

from worker.orders.hold import changes as holds
from worker.orders.hold.screening import Limits
from worker.orders.nudger import Nudger
from worker.orders.order import cancel, changes
from worker.orders.order.state import read_state, state_now
from worker.orders.payment.amounts import pending_refunds
from worker.orders.store import Apply, OrderStore


class OrderActivities(OrderSteps):
    def __init__(
        self,
        store: OrderStore,
        limits: Limits,
        nudger: Nudger,
        refund_limit: AmountLimit,
    ) -> None:
        self._store = store
        self._limits = limits
        self._nudger = nudger
        self._refund_limit = refund_limit

    async def look(self, ref: OrderRef) -> OrderState:
        return await read_state(self._store, ref.order_id)

    async def confirm(self, ref: OrderRef) -> OrderState:
        return await self._step(ref.order_id, partial(changes.confirm, self._limits))

    async def plan_shipments(self, ref: OrderRef) -> OrderState:
        return await self._step(ref.order_id, changes.plan_more)

    async def remind(self, ref: HoldRef) -> OrderState:
        return await self._step(
            ref.order_id,
            partial(holds.remind, hold_id=ref.hold_id),
            key=f"remind:{ref.hold_id}",
        )

    async def expire_hold(self, ref: HoldRef) -> OrderState:
        return await self._step(
            ref.order_id,
            partial(holds.expire, hold_id=ref.hold_id),
            key=f"expire:{ref.hold_id}",
        )

    async def complete(self, ref: OrderRef) -> OrderState:
        return await self._step(ref.order_id, changes.complete)

    async def carry_out_cancel(self, ref: OrderRef) -> OrderState:
        return await self._step(ref.order_id, cancel.carry_out)

    async def cancel(self, command: Cancel) -> CancelledOrder:
        cancelled = await self._store.change(
            command.order_id,
            partial(cancel.cancel, command=command),
            Cancelled,
            key=command.key,
            actor=command.actor,
        )
        state = await read_state(self._store, command.order_id)
        return CancelledOrder(cancelled=cancelled, state=state)

    async def pay(self, command: Pay) -> OrderState:
        return await self._command(command, partial(changes.pay, command=command))

    async def place_hold(self, command: PlaceHold) -> OrderState:
        return await self._command(
            command, partial(changes.place_manual_hold, command=command)
        )

    async def release_hold(self, command: ReleaseHold) -> OrderState:
        release = partial(
            changes.release, command=command, refund_limit=self._refund_limit
        )
        state = await self._command(command, release)
        if command.decision is Decision.REFUND:
            await self._start_refunds(command.order_id)
        return state

    async def _start_refunds(self, order_id: str) -> None:
        order = await self._store.read(order_id)
        for refund in order.refunds:
            alone = not (refund.reason.run_by_order or refund.return_id)
            if alone and pending_refunds(order, refund.id):
                await self._nudger.start_refund(
                    RefundRef(order_id=order_id, refund_id=refund.id)
                )

    async def _command(self, command: Command, apply: Apply) -> OrderState:
        return await self._step(
            command.order_id, apply, key=command.key, actor=command.actor
        )

    async def _step(
        self,
        order_id: str,
        apply: Apply,
        *,
        key: str | None = None,
        actor: str = WORKER,
    ) -> OrderState:
        return state_now(
            await self._store.change_and_read(order_id, apply, key=key, actor=actor)
        )
