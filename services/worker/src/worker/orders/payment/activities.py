"""Money at the provider: begin (transaction) → call → settle (transaction).

A repeat looks before it calls again: what happened is settled, what did not is asked
for under the same key, which the provider answers once. Only when the provider keeps
answering a stored error under a key does the next attempt get a new one.
"""

from functools import partial

from shared.contracts.orders.activities import PaymentSteps
from shared.contracts.orders.models import (
    Captured,
    OrderRef,
    OrderState,
    PaymentRef,
    ShipmentRef,
)
from temporalio import activity

from worker.orders.order.state import order_state
from worker.orders.payment import authorize, capture, disputes, release
from worker.orders.payment.amounts import uncovered
from worker.orders.payment.attempts import AttemptLimits
from worker.orders.payment.requests import ProviderRequests
from worker.orders.ports import (
    Authorization,
    PaymentProvider,
    ProviderDispute,
    ProviderPayment,
    declined,
)
from worker.orders.store import Apply, Done, OrderStore, utc_now


class PaymentActivities(PaymentSteps):
    def __init__(
        self, store: OrderStore, provider: PaymentProvider, attempts: AttemptLimits
    ) -> None:
        self._store = store
        self._attempts = attempts
        self._provider = provider
        self._requests = ProviderRequests(store, provider.name)

    @activity.defn(name="authorize")
    async def authorize(self, ref: OrderRef) -> OrderState:
        await self.authorize_payment(ref.order_id)
        return await self._facts(ref.order_id)

    async def authorize_payment(
        self, order_id: str, payment_id: str | None = None
    ) -> None:
        """Cover the order, or find out how this one payment of it stands."""
        begun = await self._store.change(
            order_id,
            partial(
                authorize.begin,
                now=utc_now(),
                payment_id=payment_id,
                attempts=self._attempts,
            ),
            authorize.Begun,
        )
        request = begun.request
        if request is None:
            return
        customer_ref = begun.customer_ref

        async def wanted() -> Authorization:
            nonlocal customer_ref
            customer_ref = customer_ref or await self._provider.customer(begun.customer)
            return Authorization(
                order_id=order_id,
                payment_id=request.payment_id,
                amount=request.amount,
                currency=begun.currency,
                method_ref=begun.method_ref,
                customer_ref=customer_ref,
                off_session=begun.off_session,
                return_url=begun.return_url,
            )

        async def look() -> ProviderPayment | None:
            return await self._provider.find(await wanted(), request.since)

        async def call(key: str) -> ProviderPayment:
            return await self._provider.authorize(await wanted(), key)

        answer = await self._requests.send(order_id, request, look, call, declined)
        await self._settle(
            order_id,
            partial(
                authorize.settle,
                row_id=request.row_id,
                customer_ref=customer_ref,
                answer=answer,
            ),
        )

    @activity.defn(name="capture")
    async def capture(self, ref: ShipmentRef) -> Captured:
        begun = await self._store.change(
            ref.order_id,
            partial(capture.begin, shipment_id=ref.shipment_id, now=utc_now()),
            capture.Begun,
        )
        if begun.request is None:
            return Captured(outcome=begun.outcome)
        request = begun.request

        async def look() -> ProviderPayment | None:
            found = await self._provider.payment(begun.provider_ref)
            taken = found.captured >= begun.captured_before + request.amount
            over = found.status == "cancelled"
            return found if taken or over else None

        answer = await self._requests.send(
            ref.order_id,
            request,
            look=look,
            call=lambda key: self._provider.capture(
                begun.provider_ref,
                request.amount,
                final=not begun.multicapture,
                key=key,
            ),
            refused=declined,
        )
        await self._settle(
            ref.order_id,
            partial(capture.settle, row_id=request.row_id, answer=answer),
        )
        order = await self._store.read(ref.order_id)
        paid = order.shipment(ref.shipment_id).captured_at is not None
        return Captured(
            outcome="captured" if paid else "declined",
            rest_uncovered=paid and uncovered(order, utc_now()) > 0,
        )

    @activity.defn(name="release")
    async def release(self, ref: PaymentRef) -> OrderState:
        begun = await self._store.change(
            ref.order_id,
            partial(release.begin, payment_id=ref.payment_id, now=utc_now()),
            release.Begun,
        )
        if begun.request is None:
            return await self._facts(ref.order_id)
        request = begun.request

        async def look() -> ProviderPayment | None:
            found = await self._provider.payment(begun.provider_ref)
            return found if found.status in ("cancelled", "captured") else None

        answer = await self._requests.send(
            ref.order_id,
            request,
            look=look,
            # A row that waits for the customer has already used its id as a key.
            call=lambda key: self._provider.release(
                begun.provider_ref, f"release:{key}"
            ),
            refused=declined,
        )
        await self._settle(
            ref.order_id,
            partial(release.settle, row_id=request.row_id, answer=answer),
        )
        return await self._facts(ref.order_id)

    async def hear_of_dispute(
        self, order_id: str, payment_id: str, said: ProviderDispute
    ) -> None:
        await self._settle(
            order_id, partial(disputes.record, payment_id=payment_id, said=said)
        )

    async def dispute(self, ref: str) -> ProviderDispute:
        return await self._provider.dispute(ref)

    async def is_cancelled(self, provider_ref: str) -> bool:
        return (await self._provider.payment(provider_ref)).status == "cancelled"

    async def _settle(self, order_id: str, apply: Apply) -> None:
        await self._store.change(order_id, apply, Done)

    async def _facts(self, order_id: str) -> OrderState:
        return order_state(await self._store.read(order_id), utc_now())
