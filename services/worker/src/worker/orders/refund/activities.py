"""The steps of one refund."""

from functools import partial

from shared.contracts.errors import Refusal
from shared.contracts.money import AmountLimit
from shared.contracts.orders.activities import RefundSteps
from shared.contracts.orders.payloads import RefundRef, RefundState, RequestRefund
from shared.database.kernel.unit_of_work import Done, UnitOfWork
from shared.database.orders.refund_breakdown import wished
from shared.database.orders.snapshot import OrderSnapshot

from worker.orders.refund import changes as refunds
from worker.orders.refund.second_person import ask_second_person
from worker.orders.refund.state import refund_state
from worker.orders.store import OrderStore


class RefundActivities(RefundSteps):
    """`limit` is what a clerk may give back of an order alone."""

    def __init__(self, store: OrderStore, limit: AmountLimit) -> None:
        self._store = store
        self._limit = limit

    async def look_at_refund(self, ref: RefundRef) -> RefundState | None:
        order = await self._store.read(ref.order_id)
        known = any(refund.id == ref.refund_id for refund in order.refunds)
        return refund_state(order, ref.refund_id) if known else None

    async def request_refund(self, command: RequestRefund) -> RefundState:
        await self._store.change(
            command.order_id,
            partial(_request, command=command, limit=self._limit),
            Done,
            key=command.key,
            actor=command.actor,
        )
        order = await self._store.read(command.order_id)
        return refund_state(order, command.refund_id)


async def _request(
    change: UnitOfWork,
    order: OrderSnapshot,
    *,
    command: RequestRefund,
    limit: AmountLimit,
) -> Done:
    if change.actor == order.customer:
        raise Refusal("four-eyes", "It is your own order: somebody else refunds it.")
    due = wished(
        order,
        {item.line: item.quantity for item in command.lines},
        shipping=command.shipping,
        goodwill=command.goodwill,
    )
    await refunds.request(
        change, order, due, reason=command.reason, refund_id=command.refund_id
    )
    await ask_second_person(
        *(change, order, command.refund_id, due.amount), limit=limit
    )
    return Done()
