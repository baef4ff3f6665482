"""A ledger row on its way to the provider and back."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

from shared.contracts.base import Payload
from shared.contracts.errors import NotFound
from shared.contracts.orders.states import MoneyKind, MoneyStatus
from shared.database.kernel.unit_of_work import Done, UnitOfWork
from shared.database.orders.payments import KEY_SPENT
from shared.database.orders.snapshot import (
    OF_SUBJECT,
    LedgerRow,
    OrderSnapshot,
    Payment,
)
from sqlalchemy import text
from temporalio import activity

from worker.orders.hold.changes import ask_about_provider
from worker.orders.payment import ledger
from worker.orders.ports import KeySpent, Refused, Unavailable
from worker.orders.store import OrderStore, utc_now

A = TypeVar("A")

KEY_LIVES = timedelta(hours=23)
"""Stripe may forget a key after 24 h; one hour is a margin for clocks and queues."""
PATIENCE = timedelta(minutes=15)
"""After this long without an answer a hold tells a person. The step keeps trying."""
TRIES_OF_THE_UNKNOWN = 5
"""How often a request is repeated whose error is in no table. Then it counts as
refused."""


class ProviderRequest(Payload):
    """What to send to the provider. `row_id` is the idempotency key. `repeat`: the
    provider may have it already, sent at `since` at the earliest. `sent`: the row says
    so."""

    row_id: str
    payment_id: str
    amount: int
    since: datetime
    repeat: bool
    sent: bool = True
    provider_ref: str | None = None


def resume(payment: Payment, row: LedgerRow, *, sent: bool = False) -> ProviderRequest:
    """Take up a row that an earlier try opened, and perhaps sent. `sent`: the caller
    has just noted in the row that it sends it."""
    return ProviderRequest(
        row_id=row.id,
        payment_id=payment.id,
        amount=row.amount,
        since=row.created_at,
        repeat=row.sent_at is not None,
        sent=sent or row.sent_at is not None,
        provider_ref=row.provider_ref,
    )


async def open_request(
    change: UnitOfWork,
    payment_id: str,
    kind: MoneyKind,
    amount: int,
    ref: str,
    at: datetime,
    *,
    attempt: int = 1,
    sent: bool = True,
) -> ProviderRequest:
    """Open a row. `sent=False`: another step than this one will send it."""
    row_id = await ledger.begin(
        change, payment_id, kind, amount, ref, attempt=attempt, sent=sent
    )
    return ProviderRequest(
        row_id=row_id,
        payment_id=payment_id,
        amount=amount,
        since=at,
        repeat=False,
        sent=sent,
    )


async def under_new_key(
    change: UnitOfWork, order: OrderSnapshot, *, row_id: str
) -> Done:
    """Give up a spent key and ask under a new one. The counters stay as they are."""
    payment, row = ledger.find_row(order, row_id)
    if row.status is MoneyStatus.PENDING:
        await ledger.settle(change, row.id, MoneyStatus.FAILED, failure=KEY_SPENT)
        await ledger.begin(
            change,
            payment.id,
            row.kind,
            row.amount,
            row.ref,
            attempt=row.attempt + 1,
            sent=True,
        )
    return Done()


async def report_silence(
    change: UnitOfWork, order: OrderSnapshot, *, row_id: str, why: str
) -> Done:
    """Open a hold, so that a person finds out what is wrong. The step keeps trying."""
    _, row = ledger.find_row(order, row_id)
    if row.status is MoneyStatus.PENDING:
        refund = row.ref if row.kind is MoneyKind.REFUND else None
        await ask_about_provider(change, why, subject=refund, asked_for=row.kind)
    return Done()


async def read_and_send(
    store: OrderStore, order_id: str, kind: MoneyKind, ref: str
) -> tuple[OrderSnapshot, bool]:
    """Return the order, and whether the caller has to send the request for `ref`. It
    has to if the row is open and nobody has sent it; the row then counts as sent.
    Nothing is sent for an order that is over."""
    async with store.reads.connect() as connection:
        found = await connection.execute(
            _SEND, {"order_id": order_id, "subject": order_id, "kind": kind, "ref": ref}
        )
    row = found.first()
    if row is None or row.snapshot is None:
        raise NotFound(f"order {order_id}")
    return OrderSnapshot.model_validate_json(row.snapshot), row.sent


_SEND = text(
    f"""
    WITH sent AS (
      UPDATE ledger l SET sent_at = now()
      FROM payments p JOIN orders o ON o.id = p.order_id
      WHERE o.id = :order_id AND o.status IN ('placed', 'confirmed')
        AND l.payment_id = p.id AND l.kind = :kind AND l.ref = :ref
        AND l.status = 'pending' AND l.sent_at IS NULL
      RETURNING l.id)
    SELECT ({OF_SUBJECT}) AS snapshot, EXISTS (SELECT FROM sent) AS sent
    """  # noqa: S608 - our own words
)
_SENT = text("UPDATE ledger SET sent_at = now() WHERE id = :id AND sent_at IS NULL")


class ProviderRequests:
    """Sends what was opened. A repeat looks at the provider before it sends again.

    What becomes of an error: a refusal is an answer (`refused`); what no table knows is
    one after a few tries, if a look finds that nothing happened; and whatever else is
    tried again, with a hold once that takes longer than `PATIENCE`.
    """

    def __init__(self, store: OrderStore, provider: str) -> None:
        self._store = store
        self._provider = provider

    async def send(
        self,
        order_id: str,
        request: ProviderRequest,
        look: Callable[[], Awaitable[A | None]],
        call: Callable[[str], Awaitable[A]],
        refused: Callable[[str], A],
    ) -> A:
        try:
            return await self._send(order_id, request, look, call)
        except Refused as no:
            return refused(no.code)
        except Unavailable as silence:
            if not silence.understood and tries() >= TRIES_OF_THE_UNKNOWN:
                return await look() or refused(silence.why)
            if utc_now() - max(request.since, asked_at()) > PATIENCE:
                await self._store.change(
                    order_id,
                    partial(report_silence, row_id=request.row_id, why=silence.why),
                    Done,
                )
            raise

    async def _send(
        self,
        order_id: str,
        request: ProviderRequest,
        look: Callable[[], Awaitable[A | None]],
        call: Callable[[str], Awaitable[A]],
    ) -> A:
        if not request.sent:
            await self._note_sent(request.row_id)
        if request.repeat:
            found = await look()
            if found is not None:
                return found
        try:
            if utc_now() - request.since > KEY_LIVES:
                raise KeySpent("the provider may have forgotten the key")
            return await call(request.row_id)
        except KeySpent as spent:
            found = await look()
            if found is not None:
                return found
            await self._store.change(
                order_id, partial(under_new_key, row_id=request.row_id), Done
            )
            raise Unavailable(self._provider, f"{spent}; a new key is next") from None

    async def _note_sent(self, row_id: str) -> None:
        async with self._store.reads.connect() as connection:
            await connection.execute(_SENT, {"id": row_id})


def tries() -> int:
    """Which try of the step this is. Webhooks and reconciliation run outside of a step,
    and ask once."""
    return activity.info().attempt if activity.in_activity() else 1


def asked_at() -> datetime:
    """When this step was scheduled. Its row may be older: it may have waited for a
    person."""
    return activity.info().scheduled_time if activity.in_activity() else utc_now()
