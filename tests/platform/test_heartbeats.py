"""Activities that say nothing themselves are said to be alive."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from temporalio import activity
from temporalio.testing import ActivityEnvironment
from temporalio.worker import (
    ActivityInboundInterceptor,
    ActivityOutboundInterceptor,
    ExecuteActivityInput,
)
from worker.runtime.heartbeats import Heartbeats

Work = Callable[[], Awaitable[None]]


class Outbound(ActivityOutboundInterceptor):
    def __init__(self) -> None: ...

    def heartbeat(self, *details: Any) -> None:
        activity.heartbeat(*details)


class Inbound(ActivityInboundInterceptor):
    """The activity itself: `work`, which may beat through `outbound`."""

    def __init__(self, work: Work) -> None:
        self._work = work

    def init(self, outbound: ActivityOutboundInterceptor) -> None:
        self.outbound = outbound

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        await self._work()


class Heard:
    """What Temporal hears while an activity is at work."""

    def __init__(self, heartbeat_timeout: timedelta | None) -> None:
        self.beats: asyncio.Queue[tuple[Any, ...]] = asyncio.Queue()
        self._env = ActivityEnvironment()
        self._env.info = replace(self._env.info, heartbeat_timeout=heartbeat_timeout)
        self._env.on_heartbeat = lambda *details: self.beats.put_nowait(details)

    async def run(self, inbound: Inbound) -> None:
        beating = Heartbeats().intercept_activity(inbound)
        beating.init(Outbound())
        nothing = ExecuteActivityInput(lambda: None, (), None, {})
        await self._env.run(beating.execute_activity, nothing)


async def test_a_silent_activity_is_said_to_be_alive_again_and_again() -> None:
    temporal = Heard(timedelta(seconds=0.03))

    async def work() -> None:
        for _ in range(3):
            assert await temporal.beats.get() == ()

    await temporal.run(Inbound(work))


async def test_an_activity_that_tells_how_far_it_is_speaks_for_itself() -> None:
    temporal = Heard(timedelta(seconds=0.03))

    async def work() -> None:
        inbound.outbound.heartbeat("half-way")
        assert await temporal.beats.get() == ("half-way",)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(temporal.beats.get(), 0.1)

    inbound = Inbound(work)
    await temporal.run(inbound)


async def test_nothing_is_said_of_one_without_a_heartbeat_timeout() -> None:
    temporal = Heard(None)

    async def work() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(temporal.beats.get(), 0.05)

    await temporal.run(Inbound(work))
