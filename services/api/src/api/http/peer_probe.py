"""Tells a slow peer from a silent one.

A peer that is stopped refuses connections, so callers know at once. One whose machine
is gone accepts them and stays silent: waiting for each time-out on the way would take
longer than any caller stays.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta


class PeerProbe:
    """Probes a peer, once for all who wait for it at that time."""

    def __init__(
        self, ask: Callable[[], Awaitable[object]], fail_fast_after: timedelta
    ) -> None:
        self._ask = ask
        self.fail_fast_seconds = fail_fast_after.total_seconds()
        self._asking: asyncio.Task[bool] | None = None

    async def is_silent(self) -> bool:
        """Whether the peer is silent for `fail_fast_after`. A refusal is an answer."""
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._says_nothing())
        return await asyncio.shield(self._asking)

    async def _says_nothing(self) -> bool:
        answer = asyncio.ensure_future(self._ask())
        await asyncio.wait({answer}, timeout=self.fail_fast_seconds)
        if answer.done():
            answer.exception()  # the caller gets this error from the peer itself
            return False
        answer.cancel()
        return True

    async def end_early(self, limit: asyncio.Timeout) -> None:
        """End `limit` early if the peer is silent after `fail_fast_after`."""
        await asyncio.sleep(self.fail_fast_seconds)
        if await self.is_silent():
            limit.reschedule(asyncio.get_running_loop().time())
