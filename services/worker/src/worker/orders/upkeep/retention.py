"""Deletes what is no longer needed, and erases people when it is time."""

from datetime import timedelta

from shared.contracts.base import Payload
from shared.contracts.orders.activities import RetentionSteps
from shared.contracts.orders.payloads import Swept
from shared.database.kernel.unit_of_work import UnitOfWork
from shared.database.orders.erasure import WORK_LEFT, erase_person
from shared.database.orders.snapshot import OrderSnapshot
from sqlalchemy import text
from sqlalchemy.sql import TextClause
from temporalio import activity

from worker.orders.store import OrderStore
from worker.runtime.retention import (
    KEYS,
    MESSAGES,
    WEBHOOKS,
    forgetting_steps,
)

BATCH = 1000

KEYS_LIVE = timedelta(days=7)
"""How long the API promises to replay an answer."""
WEBHOOKS_LIVE = timedelta(days=90)
MAILS_COUNT = timedelta(days=1)
STEPS_LIVE = timedelta(days=90)
"""After an order's last change; by then no workflow repeats a step."""

MAILS_SENT = text(
    """
    DELETE FROM mails_sent WHERE (address, hour) IN (
      SELECT address, hour FROM mails_sent
      WHERE hour < now() - cast(:age AS interval) LIMIT :batch)
    """
)
EXPORTS = text(
    """
    DELETE FROM exports WHERE id IN (
      SELECT id FROM exports
      WHERE expires_at < now() - cast(:age AS interval) LIMIT :batch)
    """
)
STEPS = forgetting_steps(
    "orders",
    ended="SELECT FROM orders o WHERE o.id = a.subject"
    " AND o.status IN ('completed', 'cancelled')"
    " AND o.updated_at < now() - cast(:age AS interval)",
)
FORGETTABLE = text(
    f"""
    SELECT c.order_id FROM contacts c JOIN orders o ON o.id = c.order_id
    WHERE c.erased_at IS NULL AND o.updated_at < now() - cast(:age AS interval)
      AND NOT {WORK_LEFT}
    ORDER BY o.updated_at LIMIT :batch
    """  # noqa: S608 - our own condition
)


class Erased(Payload):
    contacts: int


class RetentionActivities(RetentionSteps):
    def __init__(self, store: OrderStore, contacts_live: timedelta) -> None:
        self._store = store
        self._contacts_live = contacts_live

    async def forget_keys(self) -> Swept:
        return await self._forget(KEYS, KEYS_LIVE)

    async def forget_webhooks(self) -> Swept:
        """Delete old webhooks, messages, exports and counts of mails per address."""
        await self._forget(MAILS_SENT, MAILS_COUNT)
        webhooks = await self._forget(WEBHOOKS, WEBHOOKS_LIVE)
        messages = await self._forget(MESSAGES, WEBHOOKS_LIVE)
        exports = await self._forget(EXPORTS, WEBHOOKS_LIVE)
        return Swept(found=webhooks.found + messages.found + exports.found)

    async def forget_steps(self) -> Swept:
        return await self._forget(STEPS, STEPS_LIVE)

    async def erase_contacts(self) -> Swept:
        erased = 0
        while orders := await self._forgettable():
            for order_id in orders:
                done = await self._store.change(order_id, _erase, Erased)
                erased += done.contacts
                activity.heartbeat(order_id)
        return Swept(found=erased)

    async def _forgettable(self) -> list[str]:
        async with self._store.engine.connect() as connection:
            found = await connection.scalars(
                FORGETTABLE, {"age": self._contacts_live, "batch": BATCH}
            )
            return list(found)

    async def _forget(self, statement: TextClause, age: timedelta) -> Swept:
        """In batches, so that no lock is held for long."""
        forgotten = 0
        while True:
            async with self._store.engine.begin() as connection:
                gone = await connection.count(statement, {"age": age, "batch": BATCH})
            forgotten += gone
            activity.heartbeat(forgotten)
            if gone < BATCH:
                return Swept(found=forgotten)


async def _erase(change: UnitOfWork, _: OrderSnapshot) -> Erased:
    return Erased(contacts=int(await erase_person(change)))
