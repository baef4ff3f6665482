"""Keeps the newest events in memory, read once for all endpoints that keep up.

Each endpoint has its own position in the feed. Those that keep up would all run the
same query for every event; they read from here, and the others query for themselves.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from shared.database.engine import DATABASE_FAILURES, Engine
from shared.database.kernel.unit_of_work import CHANNEL
from shared.database.listen import Listener, Wake

from api.kernel.delivery.message import Message, message_of
from api.kernel.feed.queries import Position, fits, read_page

log = logging.getLogger(__name__)

KEPT = 2_000
"""Events; with their bodies about a megabyte."""
BATCH = 500
LOOK_EVERY_SECONDS = 5.0
GATHER_SECONDS = 0.02
"""Events that are committed together are read together."""
SETTLE_SECONDS = 0.05
"""How soon to look again while events wait for an older transaction."""


@dataclass(frozen=True)
class Part:
    """A part of the feed: the wanted events, and where it ends."""

    messages: Sequence[Message]
    end: Position
    more: bool


class Tail:
    def __init__(
        self, engine: Engine, listener: Listener, hrefs: Mapping[str, str]
    ) -> None:
        self._engine = engine
        self._listener = listener
        self._hrefs = hrefs
        self._kept: deque[Message] = deque()
        # The kept events are all that the feed has between these two.
        self._start: Position | None = None
        self._end = Position()
        self._wakes: set[Wake] = set()
        self._followed = asyncio.Event()

    @contextmanager
    def waking(self, wake: Wake) -> Iterator[None]:
        """Have `wake` called whenever there is more."""
        self._wakes.add(wake)
        self._followed.set()
        try:
            yield
        finally:
            self._wakes.discard(wake)
            if not self._wakes:
                self._followed.clear()

    async def after(self, position: Position, types: Sequence[str], limit: int) -> Part:
        """The wanted events after a position, from memory or else from the database."""
        if self._start is None or position < self._start:
            wanted = () if "*" in types else types
            page = await read_page(self._engine, position, wanted, limit)
            messages = [message_of(event, self._hrefs) for event in page.events]
            return Part(messages, max(page.end, position), page.more)
        found = [
            message
            for message in self._kept
            if message.position > position and fits(message.type, types)
        ]
        more = len(found) > limit
        end = found[limit - 1].position if more else max(self._end, position)
        return Part(found[:limit], end, more)

    async def run(self) -> None:
        """Reads until cancelled, and only while an endpoint follows: without one, as in
        most shops, an order costs the feed nothing."""
        while True:
            await self._followed.wait()
            await self._follow()
            self._kept.clear()
            self._start = None

    async def _follow(self) -> None:
        with self._listener.subscribe(CHANNEL) as wake:
            while self._followed.is_set():
                try:
                    unsettled = await self._read()
                except DATABASE_FAILURES as error:
                    log.warning("the feed cannot be read: %s", type(error).__name__)
                    unsettled = False
                if unsettled:
                    await asyncio.sleep(SETTLE_SECONDS)
                elif await wake.wait(LOOK_EVERY_SECONDS):
                    await asyncio.sleep(GATHER_SECONDS)

    async def _read(self) -> bool:
        """Read on. Returns whether events wait for an older transaction."""
        if self._start is None:
            newest = (await read_page(self._engine, Position(), (), 1)).newest
            self._start = self._end = newest
            # Events between their own last query and this start are not kept here.
            self._wake_all()
        more = True
        while more:
            page = await read_page(self._engine, self._end, (), BATCH)
            if page.events:
                self._keep([message_of(event, self._hrefs) for event in page.events])
            more = page.more
        return page.unsettled

    def _keep(self, messages: Sequence[Message]) -> None:
        self._kept.extend(messages)
        self._end = messages[-1].position
        while len(self._kept) > KEPT:
            self._start = self._kept.popleft().position
        self._wake_all()

    def _wake_all(self) -> None:
        for wake in self._wakes:
            wake.call()
