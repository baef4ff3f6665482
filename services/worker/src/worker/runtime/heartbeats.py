"""Tells Temporal that an activity is still at work.

Without it, one that died with its worker is missed only when its whole time-out is
over: a minute in which nothing happens to an order.
"""

import asyncio
from datetime import timedelta
from typing import Any

from temporalio import activity
from temporalio.worker import (
    ActivityInboundInterceptor,
    ActivityOutboundInterceptor,
    ExecuteActivityInput,
    Interceptor,
)

BEATS_PER_TIMEOUT = 3


class Heartbeats(Interceptor):
    """For every activity with a heartbeat time-out, until it heartbeats itself: such a
    one knows better whether it makes progress, and notes how far it is."""

    def intercept_activity(
        self, next: ActivityInboundInterceptor
    ) -> ActivityInboundInterceptor:
        return _Beating(next)


class _Beating(ActivityInboundInterceptor):
    def init(self, outbound: ActivityOutboundInterceptor) -> None:
        self._own = _Own(outbound)
        super().init(self._own)

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        timeout = activity.info().heartbeat_timeout
        if not timeout:
            return await super().execute_activity(input)
        beating = asyncio.create_task(self._beat(timeout / BEATS_PER_TIMEOUT))
        try:
            return await super().execute_activity(input)
        finally:
            beating.cancel()

    async def _beat(self, every: timedelta) -> None:
        while True:
            await asyncio.sleep(every.total_seconds())
            if self._own.heard:
                return
            self._own.next.heartbeat()


class _Own(ActivityOutboundInterceptor):
    """Notices what the activity says itself."""

    heard = False

    def heartbeat(self, *details: Any) -> None:
        self.heard = True
        super().heartbeat(*details)
