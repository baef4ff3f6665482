"""Delivers to one endpoint while this process holds its lease.

The endpoint's progress is a position in the feed; only failed events, and those that
wait behind them, have rows. So an endpoint that is down costs an attempt now and then,
however much it misses, and continues where it was.
"""

import asyncio
import logging
import time
from collections.abc import Sequence
from datetime import UTC, datetime

from shared.database.engine import DATABASE_FAILURES
from shared.database.kernel.unit_of_work import CHANNEL
from shared.database.listen import Listener, Wake

from api.kernel.delivery.ending import give_up, stop_endpoint
from api.kernel.delivery.message import Message
from api.kernel.delivery.round import Round
from api.kernel.delivery.sender import Sender
from api.kernel.delivery.store import LeaseLost, Look, Pending, Store
from api.kernel.delivery.tail import Tail
from api.kernel.feed.queries import Position

log = logging.getLogger(__name__)

BATCH = 100
"""Messages of a round. After a crash as many may be sent again."""
MOST_PENDING = 1_000
"""Most pending rows of an endpoint; the rest stays in the feed."""
LOOK_EVERY_SECONDS = 10.0
"""Makes up for lost notifications."""
TRY_AGAIN_SECONDS = 2.0
NOTE_EVERY_SECONDS = 5.0
"""How often progress is stored while no event is for this endpoint."""


class Courier:
    def __init__(
        self,
        endpoint: str,
        store: Store,
        tail: Tail,
        listener: Listener,
        sender: Sender,
    ) -> None:
        self._endpoint = endpoint
        self._store = store
        self._tail = tail
        self._listener = listener
        self._sender = sender
        self._stopping = asyncio.Event()
        self._wake = Wake()
        self._known = self._reached = Position()
        self._noted_at = 0.0

    def stop(self) -> None:
        """Finish what is under way, and begin nothing new."""
        self._stopping.set()
        self._wake.call()

    async def run(self) -> None:
        """Deliver until the lease is lost, or it is asked to stop."""
        try:
            with (
                self._listener.subscribe(CHANNEL, self._endpoint) as self._wake,
                self._tail.waking(self._wake),
            ):
                while not self._stopping.is_set():
                    await self._wake.wait(await self._work())
        except LeaseLost:
            log.info("left an endpoint to others", extra={"endpoint": self._endpoint})
        finally:
            await self._sender.close()

    async def _work(self) -> float:
        """Do one round. Returns how many seconds there is nothing to do."""
        try:
            look = await self._store.look(self._endpoint, BATCH)
            return await self._round(look)
        except DATABASE_FAILURES as error:
            # Messages whose outcome was not stored are sent again.
            kind = type(error).__name__
            log.warning("an endpoint cannot be served right now: %s", kind)
            return TRY_AGAIN_SECONDS

    async def _round(self, look: Look) -> float:
        if look.position != self._known:
            # At the start, or after somebody has moved the endpoint back.
            self._known = self._reached = look.position
        due, news, end = await self._next(look)
        if not due and not news:
            await self._note_progress(look, end)
            return _seconds_until(look)
        round = Round(self._endpoint, look, self._sender, self._stopping)
        try:
            await round.deliver(due, news)
        finally:
            # Cancelled attempts, too: they were begun, and need a row.
            await asyncio.shield(self._settle(round, end))
        await self._end(round)
        return 0.0

    async def _next(
        self, look: Look
    ) -> tuple[Sequence[Pending], Sequence[Message], Position]:
        """What is due, what is new, and the new position in the feed."""
        tests = [p for p in look.due if p.message is not None and p.message.is_test]
        if look.health.rests(datetime.now(UTC)):
            return tests, (), self._reached
        limit = 1 if look.health.is_down else BATCH
        due = tests or look.due[:limit]
        if len(due) >= limit or look.pending >= MOST_PENDING:
            return due, (), self._reached
        part = await self._tail.after(self._reached, look.types, limit - len(due))
        return due, part.messages, part.end

    async def _settle(self, round: Round, end: Position) -> None:
        await self._store.settle(
            self._endpoint,
            round.outcomes(),
            round.health,
            (self._known, end),
            recovered=round.recovered,
        )
        self._note_reached(end)

    async def _note_progress(self, look: Look, end: Position) -> None:
        """Store the position after events that the endpoint does not want. Rarely:
        another deliverer may look at them again without harm."""
        self._reached = end
        is_time = time.monotonic() - self._noted_at > NOTE_EVERY_SECONDS
        if end != self._known and is_time:
            await self._store.settle(
                self._endpoint, (), look.health, (self._known, end), recovered=False
            )
            self._note_reached(end)

    def _note_reached(self, end: Position) -> None:
        self._known = self._reached = end
        self._noted_at = time.monotonic()

    async def _end(self, round: Round) -> None:
        engine = self._store.engine
        if round.is_gone:
            await stop_endpoint(engine, self._endpoint, "webhook_endpoint.gone")
        elif round.is_dead():
            await stop_endpoint(engine, self._endpoint, "webhook_endpoint.failed")
        for item in round.given_up():
            message = item.message
            await give_up(
                *(engine, self._endpoint, message.position),
                *(message.type, message.subject),
            )


def _seconds_until(look: Look) -> float:
    """Seconds until the next row is due, if that is soon."""
    moments = [look.next_due]
    if look.health.rests(datetime.now(UTC)):
        moments = [look.health.rests_until]
    due = min(filter(None, moments), default=None)
    if due is None:
        return LOOK_EVERY_SECONDS
    seconds = (due - datetime.now(UTC)).total_seconds()
    return min(max(seconds, 0.0), LOOK_EVERY_SECONDS)
