"""Starts orders whose start was lost: the API died, or Temporal was down, between
commit and start.

The sweep finds what this misses.
"""

import asyncio
import logging

from shared.database.engine import DATABASE_FAILURES, Engine
from sqlalchemy import text
from temporalio.service import RPCError

from worker.orders.nudger import Nudger

log = logging.getLogger(__name__)

LOOK_EVERY_SECONDS = 3.0

# Placing makes at most two events, and the first thing that a workflow does is to send
# the authorisation, or to write down why it does not.
NOT_BEGUN = """
    o.status = 'placed' AND o.version <= 2 AND NOT EXISTS (
      SELECT FROM payments p JOIN ledger l ON l.payment_id = p.id
      WHERE p.order_id = o.id AND l.sent_at IS NOT NULL)
"""
"""An order that no workflow has touched."""


class LostStarts:
    def __init__(self, engine: Engine, nudger: Nudger) -> None:
        self._engine = engine
        self._nudger = nudger
        self._tried: set[str] = set()

    async def run(self) -> None:
        """Runs until cancelled. Any number may run side by side: an order that runs
        keeps its one workflow."""
        while True:
            try:
                await self.start_lost()
            except (*DATABASE_FAILURES, RPCError, RuntimeError) as error:
                kind = type(error).__name__
                log.warning("lost starts cannot be looked for: %s", kind)
            await asyncio.sleep(LOOK_EVERY_SECONDS)

    async def start_lost(self) -> int:
        """Returns how many were started that had not been tried before."""
        async with self._engine.connect() as connection:
            found = set(await connection.scalars(_NOT_BEGUN))
        new = sorted(found - self._tried)
        for order_id in new:
            await self._nudger.start_order(order_id)
            self._tried.add(order_id)
        # With many waiting for a busy worker, each is started once.
        self._tried &= found
        return len(new)


# Younger ones are about to be started by the API itself.
_NOT_BEGUN = text(
    f"""
    SELECT o.id FROM orders o
    WHERE {NOT_BEGUN}
      AND o.created_at > now() - interval '2 minutes'
      AND o.created_at < now() - interval '1 second'
    """  # noqa: S608 - our own condition
)
