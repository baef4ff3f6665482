"""The steps of one refund."""

from shared.contracts.orders.activities import RefundSteps
from shared.contracts.orders.models import RefundFacts, RefundRef
from temporalio import activity

from worker.orders.activities.store import OrderStore
from worker.orders.facts import refund_facts


class RefundActivities(RefundSteps):
    def __init__(self, store: OrderStore) -> None:
        self._store = store

    @activity.defn(name="look_at_refund")
    async def look_at_refund(self, ref: RefundRef) -> RefundFacts:
        return refund_facts(await self._store.read(ref.order_id), ref.refund_id)
