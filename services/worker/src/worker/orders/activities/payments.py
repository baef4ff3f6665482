"""Money at the provider: begin (transaction) → call → settle (transaction).

A repeat looks before it calls again: what happened is settled, what did not is asked
for under the same key, which the provider answers once. Only when the provider keeps
answering a stored error under a key does the next attempt get a new one.
"""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

from shared.contracts.orders.activities import PaymentSteps
from shared.contracts.orders.models import (
    Captured,
    OrderFacts,
    OrderRef,
    PaymentRef,
    RefundFacts,
    RefundRef,
    ShipmentRef,
)
from temporalio import activity

from worker.orders.activities import (
    asking,
    authorizing,
    capturing,
    releasing,
    settling_refunds,
)
from worker.orders.activities.store import Apply, Done, OrderStore, utc_now
from worker.orders.facts import order_facts, refund_facts, uncovered
from worker.orders.ports import (
    Authorization,
    KeySpent,
    PaymentProvider,
    ProviderPayment,
    ProviderRefund,
    Unavailable,
)

A = TypeVar("A")


class PaymentActivities(PaymentSteps):
    def __init__(self, store: OrderStore, provider: PaymentProvider) -> None:
        self._store = store
        self._provider = provider

    @activity.defn(name="authorize")
    async def authorize(self, ref: OrderRef) -> OrderFacts:
        await self.authorize_payment(ref.order_id)
        return await self._facts(ref.order_id)

    async def authorize_payment(
        self, order_id: str, payment_id: str | None = None
    ) -> None:
        """Cover the order, or find out how this one payment of it stands."""
        begun = await self._store.change(
            order_id,
            partial(authorizing.begin, now=utc_now(), payment_id=payment_id),
            authorizing.Begun,
        )
        asked = begun.asked
        if asked is None:
            return
        customer_ref = begun.customer_ref or await self._provider.customer(
            begun.customer
        )
        wanted = Authorization(
            order_id=order_id,
            payment_id=asked.payment_id,
            amount=asked.amount,
            currency=begun.currency,
            method_ref=begun.method_ref,
            customer_ref=customer_ref,
            off_session=begun.off_session,
            return_url=begun.return_url,
        )
        answer = await self._ask(
            order_id,
            asked,
            look=lambda: self._provider.find(wanted, asked.since),
            call=lambda key: self._provider.authorize(wanted, key),
        )
        await self._settle(
            order_id,
            partial(
                authorizing.settle,
                row_id=asked.row_id,
                customer_ref=customer_ref,
                answer=answer,
            ),
        )

    @activity.defn(name="capture")
    async def capture(self, ref: ShipmentRef) -> Captured:
        begun = await self._store.change(
            ref.order_id,
            partial(capturing.begin, shipment_id=ref.shipment_id, now=utc_now()),
            capturing.Begun,
        )
        if begun.asked is None:
            return Captured(outcome=begun.outcome)
        asked = begun.asked

        async def look() -> ProviderPayment | None:
            found = await self._provider.payment(begun.provider_ref)
            taken = found.captured >= begun.captured_before + asked.amount
            over = found.status == "cancelled"
            return found if taken or over else None

        answer = await self._ask(
            ref.order_id,
            asked,
            look=look,
            call=lambda key: self._provider.capture(
                begun.provider_ref,
                asked.amount,
                final=not begun.multicapture,
                key=key,
            ),
        )
        await self._settle(
            ref.order_id,
            partial(capturing.settle, row_id=asked.row_id, answer=answer),
        )
        order = await self._store.read(ref.order_id)
        paid = order.shipment(ref.shipment_id).captured_at is not None
        return Captured(
            outcome="captured" if paid else "declined",
            rest_uncovered=paid and uncovered(order, utc_now()) > 0,
        )

    @activity.defn(name="release")
    async def release(self, ref: PaymentRef) -> OrderFacts:
        begun = await self._store.change(
            ref.order_id,
            partial(releasing.begin, payment_id=ref.payment_id, now=utc_now()),
            releasing.Begun,
        )
        if begun.asked is None:
            return await self._facts(ref.order_id)
        asked = begun.asked

        async def look() -> ProviderPayment | None:
            found = await self._provider.payment(begun.provider_ref)
            return found if found.status in ("cancelled", "captured") else None

        await self._ask(
            ref.order_id,
            asked,
            look=look,
            # A row that waits for the customer has already used its id as a key.
            call=lambda key: self._provider.release(
                begun.provider_ref, f"release:{key}"
            ),
        )
        await self._settle(ref.order_id, partial(releasing.settle, row_id=asked.row_id))
        return await self._facts(ref.order_id)

    async def is_cancelled(self, provider_ref: str) -> bool:
        return (await self._provider.payment(provider_ref)).status == "cancelled"

    @activity.defn(name="refund")
    async def refund(self, ref: RefundRef) -> RefundFacts:
        order = await self._store.read(ref.order_id)
        for part in settling_refunds.open_parts(order, ref.refund_id):
            # A part that failed has opened a hold: the others wait for it.
            held = refund_facts(order, ref.refund_id).on_hold
            await self._refund_part(ref, part, may_call=not held)
            order = await self._store.read(ref.order_id)
        return refund_facts(order, ref.refund_id)

    async def recheck_refund(self, ref: RefundRef, provider_ref: str) -> None:
        """Take the provider's current word for what it knows by this reference, even if
        it said before that it was paid."""
        order = await self._store.read(ref.order_id)
        part = settling_refunds.part_at_provider(order, ref.refund_id, provider_ref)
        if part is not None:
            await self._refund_part(ref, part, may_call=False)

    async def _refund_part(
        self, ref: RefundRef, part: settling_refunds.Part, *, may_call: bool
    ) -> None:
        row_id = part.asked.row_id

        async def look() -> ProviderRefund | None:
            return await self._provider.find_refund(
                part.payment_ref, refund_id=ref.refund_id, key=row_id
            )

        async def call(key: str) -> ProviderRefund:
            return await self._provider.refund(
                part.payment_ref, part.asked.amount, refund_id=ref.refund_id, key=key
            )

        if may_call:
            answer = await self._ask(ref.order_id, part.asked, look=look, call=call)
        elif (found := await look()) is not None:
            answer = found
        else:
            return  # a person decides first whether it is asked for again
        await self._settle(
            ref.order_id,
            partial(
                settling_refunds.settle,
                refund_id=ref.refund_id,
                row_id=row_id,
                answer=answer,
            ),
        )

    async def _ask(
        self,
        order_id: str,
        asked: asking.Asked,
        look: Callable[[], Awaitable[A | None]],
        call: Callable[[str], Awaitable[A]],
    ) -> A:
        if asked.repeat:
            found = await look()
            if found is not None:
                return found
        try:
            if utc_now() - asked.since > asking.KEY_LIVES:
                raise KeySpent("the provider may have forgotten the key")
            return await call(asked.row_id)
        except KeySpent as spent:
            found = await look()
            if found is not None:
                return found
            await self._store.change(
                order_id, partial(asking.under_new_key, row_id=asked.row_id), Done
            )
            name = self._provider.name
            raise Unavailable(name, f"{spent}; a new key is next") from None

    async def _settle(self, order_id: str, apply: Apply) -> None:
        await self._store.change(order_id, apply, Done)

    async def _facts(self, order_id: str) -> OrderFacts:
        return order_facts(await self._store.read(order_id), utc_now())
