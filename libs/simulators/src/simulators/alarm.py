"""How a background task waits: until something happens or a moment comes."""

import asyncio
from contextlib import suppress

# Waking now and then though nothing rang costs nothing and forgives a clock that jumped
LONGEST_SLEEP_SECONDS = 60.0


class Alarm:
    def __init__(self) -> None:
        self._rung = asyncio.Event()

    def ring(self) -> None:
        self._rung.set()

    async def sleep(self, seconds: float | None) -> None:
        """Return when rung, or after `seconds` (None: only when rung)."""
        limit = LONGEST_SLEEP_SECONDS if seconds is None else max(seconds, 0)
        with suppress(TimeoutError):
            async with asyncio.timeout(min(limit, LONGEST_SLEEP_SECONDS)):
                await self._rung.wait()
        self._rung.clear()
