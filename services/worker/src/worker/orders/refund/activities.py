"""The steps of one refund."""

from functools import partial

from shared.contracts.orders.activities import RefundSteps
from shared.contracts.orders.models import RefundRef, RefundState, RequestRefund
from shared.contracts.orders.states import HoldReason, MoneyStatus, RefundReason
from shared.database.kernel.holds import place_hold
from shared.database.kernel.unit_of_work import UnitOfWork
from shared.database.orders.snapshot import OrderSnapshot
from temporalio import activity

from worker.orders.hold.policy import REFUND_DUE
from worker.orders.hold.screening import needs_second_person
from worker.orders.refund import changes as refunds
from worker.orders.refund.breakdown import wished
from worker.orders.refund.state import refund_state
from worker.orders.store import Done, OrderStore

NOBODYS_WISH = (RefundReason.CANCELLATION, RefundReason.RETURN)
"""Due for goods, whoever cancelled or received them: it does not count towards a
clerk's limit."""


class RefundActivities(RefundSteps):
    """`limit`, in minor units, is what a clerk may give back of an order alone."""

    def __init__(self, store: OrderStore, limit: int) -> None:
        self._store = store
        self._limit = limit

    @activity.defn(name="look_at_refund")
    async def look_at_refund(self, ref: RefundRef) -> RefundState | None:
        order = await self._store.read(ref.order_id)
        known = any(refund.id == ref.refund_id for refund in order.refunds)
        return refund_state(order, ref.refund_id) if known else None

    @activity.defn(name="request_refund")
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
    change: UnitOfWork, order: OrderSnapshot, *, command: RequestRefund, limit: int
) -> Done:
    due = wished(
        order,
        {item.line: item.quantity for item in command.lines},
        shipping=command.shipping,
        goodwill=command.goodwill,
    )
    await refunds.request(
        change, order, due, reason=command.reason, refund_id=command.refund_id
    )
    alone = due.amount + _given_alone(order, change.actor)
    if needs_second_person(alone, limit):
        await place_hold(
            change,
            HoldReason.REFUND,
            subject=command.refund_id,
            due_in=REFUND_DUE,
            detail={"refund_id": command.refund_id, "cause": "over-limit"},
        )
    return Done()


def _given_alone(order: OrderSnapshot, actor: str) -> int:
    """What this person has already refunded of the order without a second one's word:
    many small refunds are a large one."""
    return sum(
        refund.amount
        for refund in order.refunds
        if refund.requested_by == actor
        and refund.status is not MoneyStatus.FAILED
        and refund.approved_by is None
        and refund.reason not in NOBODYS_WISH
        and not refund_state(order, refund.id).on_hold
    )
