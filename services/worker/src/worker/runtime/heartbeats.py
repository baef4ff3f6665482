"""Sends heartbeats to Temporal for running activities.

Without them, an activity that died with its worker is missed only when its whole
time-out is over: a minute in which nothing happens to an order.
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
    """Heartbeats for every activity that has a heartbeat time-out, until it sends one
    itself: such an activity knows better whether it makes progress."""

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
    """Notices the activity's own heartbeats."""

    heard = False

    def heartbeat(self, *details: Any) -> None:
        self.heard = True
        super().heartbeat(*details)
