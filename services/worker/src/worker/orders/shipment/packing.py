"""Paying for a parcel and labelling it in one go, where both answer at once."""

import asyncio
from datetime import timedelta

from shared.contracts.orders.activities import PackingSteps
from shared.contracts.orders.models import Captured, Labelled, ShipmentRef
from temporalio import activity
from temporalio.exceptions import ApplicationError

from worker.orders.payment.activities import PaymentActivities
from worker.orders.shipment.labels import CarrierActivities

AT_ONCE = timedelta(seconds=3)
"""A carrier that takes longer is asked again by a step on a queue of its own."""


class PackingActivities(PackingSteps):
    """Runs beside the payments, which a dead carrier must not delay: a label is tried
    after its capture is settled, for `AT_ONCE`, and never by more than `labels` of
    these steps at a time. Not at a carrier that might sell a second one to the step
    that follows."""

    def __init__(
        self, payments: PaymentActivities, parcels: CarrierActivities, labels: int
    ) -> None:
        self._payments = payments
        self._parcels = parcels
        self._labels = asyncio.Semaphore(labels)

    @activity.defn(name="pay_and_label")
    async def pay_and_label(self, ref: ShipmentRef) -> Captured:
        captured = await self._payments.capture(ref)
        if captured.outcome != "captured":
            return captured
        labelled = await self._try_to_label(ref)
        return captured.model_copy(update={"labelled": labelled})

    async def _try_to_label(self, ref: ShipmentRef) -> Labelled | None:
        if self._labels.locked() or not self._parcels.repeatable:
            return None
        async with self._labels:
            try:
                async with asyncio.timeout(AT_ONCE.total_seconds()):
                    return await self._parcels.buy_label(ref)
            except (ApplicationError, TimeoutError):
                # The step that follows meets the same, and is the one to tell.
                return None
