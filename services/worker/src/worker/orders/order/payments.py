"""An order's money at the provider: begin (transaction) → call → settle (transaction).

A repeat looks before it calls again: what happened is settled, what did not is asked
for under the same key, which the provider answers once. Only when the provider keeps
answering a stored error under a key does the next attempt get a new one.
"""

from functools import partial

from shared.contracts.orders.activities import PaymentSteps
from shared.contracts.orders.payloads import (
    OrderRef,
    OrderState,
    PaymentRef,
    ShipmentRef,
)
from shared.contracts.orders.states import MoneyKind
from shared.database.kernel.unit_of_work import Done
from shared.database.orders.snapshot import OrderSnapshot

from worker.orders.hold.screening import Limits
from worker.orders.local_try import LocalTries
from worker.orders.order import changes
from worker.orders.order.state import read_state, state_now
from worker.orders.payment import authorize as authorizing
from worker.orders.payment import capture as capturing
from worker.orders.payment import disputes
from worker.orders.payment import release as releasing
from worker.orders.payment.attempts import AttemptLimits
from worker.orders.payment.requests import ProviderRequests, read_and_send
from worker.orders.ports import (
    Authorization,
    PaymentProvider,
    ProviderDispute,
    ProviderPayment,
    declined,
)
from worker.orders.shipment import changes as shipments
from worker.orders.store import OrderStore, utc_now


class PaymentActivities(PaymentSteps):
    def __init__(
        self,
        store: OrderStore,
        provider: PaymentProvider,
        limits: Limits,
        attempts: AttemptLimits,
        tries: LocalTries,
    ) -> None:
        self._store = store
        self._provider = provider
        self._limits = limits
        self._attempts = attempts
        self._tries = tries
        self._requests = ProviderRequests(store, provider.name)

    # ── authorising ─────────────────────────────────────────────────────────────

    async def authorize(self, ref: OrderRef) -> OrderState:
        order = await self.authorize_payment(ref.order_id)
        return state_now(order or await self._store.read(ref.order_id))

    async def authorize_payment(
        self, order_id: str, payment_id: str | None = None
    ) -> OrderSnapshot | None:
        """Cover the order, or find out how this one payment of it stands. Returns the
        order; nothing if no request was needed."""
        self._tries.expect()
        begun = await self._begin_to_authorize(order_id, payment_id)
        request = begun.request
        if request is None:
            return None
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

        async with self._tries.limit():
            answer = await self._requests.send(order_id, request, look, call, declined)
        settle = partial(
            authorizing.settle,
            row_id=request.row_id,
            customer_ref=customer_ref,
            answer=answer,
        )
        return await self._store.change_and_read(
            order_id, partial(changes.settle_and_confirm, settle, self._limits)
        )

    async def _begin_to_authorize(
        self, order_id: str, payment_id: str | None
    ) -> authorizing.Begun:
        order, sends = await read_and_send(
            self._store, order_id, MoneyKind.AUTHORIZE, order_id
        )
        under_way = authorizing.resumed(order, payment_id, sent=sends)
        if under_way and authorizing.was_sent(under_way) and order.allocated:
            return under_way
        return await self._store.change(
            order_id,
            partial(
                changes.reserve_and_authorize,
                now=utc_now(),
                payment_id=payment_id,
                attempts=self._attempts,
            ),
            authorizing.Begun,
        )

    # ── capturing ───────────────────────────────────────────────────────────────

    async def capture(self, ref: ShipmentRef) -> OrderState:
        self._tries.expect()
        begun = await self._begin_to_capture(ref)
        request = begun.request
        if request is None:
            return await read_state(self._store, ref.order_id)

        async def look() -> ProviderPayment | None:
            found = await self._provider.payment(begun.provider_ref)
            taken = capturing.is_taken(found, begun, ref.shipment_id)
            return found if taken or found.status == "cancelled" else None

        async with self._tries.limit():
            answer = await self._requests.send(
                ref.order_id,
                request,
                look=look,
                call=lambda key: self._provider.capture(
                    begun.provider_ref,
                    request.amount,
                    final=not begun.multicapture,
                    what=ref.shipment_id,
                    key=key,
                ),
                refused=declined,
            )
        settle = partial(capturing.settle, row_id=request.row_id, answer=answer)
        return state_now(await self._store.change_and_read(ref.order_id, settle))

    async def _begin_to_capture(self, ref: ShipmentRef) -> capturing.Begun:
        order, sends = await read_and_send(
            self._store, ref.order_id, MoneyKind.CAPTURE, ref.shipment_id
        )
        under_way = capturing.resumed(order, ref.shipment_id, sent=sends)
        if under_way is not None:
            return under_way
        return await self._store.change(
            ref.order_id,
            partial(
                shipments.begin_capture, shipment_id=ref.shipment_id, now=utc_now()
            ),
            capturing.Begun,
        )

    # ── giving back ─────────────────────────────────────────────────────────────

    async def release(self, ref: PaymentRef) -> OrderState:
        begun = await self._store.change(
            ref.order_id,
            partial(releasing.begin, payment_id=ref.payment_id, now=utc_now()),
            releasing.Begun,
        )
        request = begun.request
        if request is None:
            return await read_state(self._store, ref.order_id)

        async def look() -> ProviderPayment | None:
            found = await self._provider.payment(begun.provider_ref)
            return found if found.status in ("cancelled", "captured") else None

        async with self._tries.limit():
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
        settle = partial(releasing.settle, row_id=request.row_id, answer=answer)
        return state_now(await self._store.change_and_read(ref.order_id, settle))

    async def hear_of_dispute(
        self, order_id: str, payment_id: str, said: ProviderDispute
    ) -> None:
        record = partial(disputes.record, payment_id=payment_id, said=said)
        await self._store.change(order_id, record, Done)

    async def dispute(self, ref: str) -> ProviderDispute:
        return await self._provider.dispute(ref)

    async def is_cancelled(self, provider_ref: str) -> bool:
        return (await self._provider.payment(provider_ref)).status == "cancelled"
