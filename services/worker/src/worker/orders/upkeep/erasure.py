"""Erases customers at the payment provider, once they are erased here."""

from datetime import timedelta

from shared.contracts.orders.activities import ErasureSteps
from shared.contracts.orders.payloads import Swept
from shared.database.engine import Engine
from sqlalchemy import text
from temporalio import activity

from worker.orders.ports import PaymentProvider

KEY_LIVES = timedelta(hours=25)
"""How long the provider keeps keys (24 h), and an hour to spare."""

# A customer of the provider may have several orders here. It was created under a key
# whose answer the provider repeats for a day: until then, a customer who comes back
# would get this one.
ERASABLE = text(
    """
    SELECT DISTINCT p.customer_ref FROM payments p
    WHERE p.customer_ref IS NOT NULL AND NOT EXISTS (
      SELECT FROM payments q JOIN contacts c ON c.order_id = q.order_id
      LEFT JOIN ledger l ON l.payment_id = q.id
      WHERE q.customer_ref = p.customer_ref AND (
        c.erased_at IS NULL OR l.created_at > now() - cast(:key_lives AS interval)))
    """
)
# Stored webhooks name them too.
ERASED = (
    text("UPDATE payments SET customer_ref = NULL WHERE customer_ref = :ref"),
    text("DELETE FROM inbox WHERE source = :source AND payload ->> 'object_id' = :ref"),
)


class ErasureActivities(ErasureSteps):
    def __init__(self, engine: Engine, provider: PaymentProvider) -> None:
        self._engine = engine
        self._provider = provider

    async def erase_at_provider(self) -> Swept:
        async with self._engine.connect() as connection:
            refs = await connection.scalars(ERASABLE, {"key_lives": KEY_LIVES})
        for ref in refs:
            await self._provider.erase_customer(ref)
            await self._forget(ref)
            activity.heartbeat()
        return Swept(found=len(refs))

    async def _forget(self, ref: str) -> None:
        values = {"ref": ref, "source": self._provider.name}
        async with self._engine.begin() as connection:
            for statement in ERASED:
                await connection.execute(statement, values)
