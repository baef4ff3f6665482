"""Paying money back at the provider."""

from functools import partial

from shared.contracts.orders.activities import RefundPaymentSteps
from shared.contracts.orders.payloads import RefundRef, RefundState
from shared.database.kernel.unit_of_work import Done

from worker.orders.local_try import LocalTries
from worker.orders.payment.requests import ProviderRequests
from worker.orders.ports import PaymentProvider, ProviderRefund, Refused
from worker.orders.refund import settle
from worker.orders.refund.state import refund_state
from worker.orders.store import OrderStore


class RefundPaymentActivities(RefundPaymentSteps):
    def __init__(
        self, store: OrderStore, provider: PaymentProvider, tries: LocalTries
    ) -> None:
        self._store = store
        self._provider = provider
        self._tries = tries
        self._requests = ProviderRequests(store, provider.name)

    async def refund(self, ref: RefundRef) -> RefundState:
        order = await self._store.read(ref.order_id)
        for part in settle.open_parts(order, ref.refund_id):
            # A part that failed has opened a hold: the others wait for it.
            held = refund_state(order, ref.refund_id).on_hold
            await self._refund_part(ref, part, may_call=not held)
            order = await self._store.read(ref.order_id)
        return refund_state(order, ref.refund_id)

    async def recheck_refund(self, ref: RefundRef, provider_ref: str) -> None:
        """Book what the provider now says about this reference, even if it said before
        that it was paid."""
        order = await self._store.read(ref.order_id)
        part = settle.part_at_provider(order, ref.refund_id, provider_ref)
        if part is not None:
            await self._refund_part(ref, part, may_call=False)

    async def _refund_part(
        self, ref: RefundRef, part: settle.Part, *, may_call: bool
    ) -> None:
        row_id = part.request.row_id

        async def look() -> ProviderRefund | None:
            return await self._provider.find_refund(
                part.payment_ref, refund_id=ref.refund_id, key=row_id
            )

        async def call(key: str) -> ProviderRefund:
            return await self._provider.refund(
                part.payment_ref, part.request.amount, refund_id=ref.refund_id, key=key
            )

        async with self._tries.limit():
            if may_call:
                answer = await self._requests.send(
                    ref.order_id, part.request, look, call, _refused
                )
            elif (found := await look()) is not None:
                answer = found
            else:
                return  # a person decides first whether it is asked for again
            refunded = await self._refunded(part) if answer.status == "failed" else None
        await self._store.change(
            ref.order_id,
            partial(
                settle.settle,
                refund_id=ref.refund_id,
                row_id=row_id,
                answer=answer,
                refunded=refunded,
            ),
            Done,
        )

    async def _refunded(self, part: settle.Part) -> int | None:
        """The part of the payment that was refunded, by anybody."""
        try:
            booked = await self._provider.booked(part.payment_ref)
        except Refused:
            return None
        return booked.refunded if booked else None


def _refused(why: str) -> ProviderRefund:
    return ProviderRefund(ref="", status="failed", failure=why)
