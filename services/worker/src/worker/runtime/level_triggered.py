"""The loop of level-triggered workflows: look at the facts, take the next step, wait
until something may have changed (docs/adr/0002)."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar

from temporalio import workflow

T = TypeVar("T")
S = TypeVar("S")
P = TypeVar("P")


@dataclass(frozen=True)
class Wait:
    """Sleep until a nudge, or until this moment."""

    until: datetime | None = None


@dataclass(frozen=True)
class End:
    """Nothing is left to do, nor to undo."""


class LevelTriggered(ABC, Generic[S, P]):
    """`S` is the state that a look returns, `P` a step of its policy.

    Nothing that matters is kept here, so a fresh run goes on where a terminated one
    stopped. A cancellation of the workflow tears no step apart.
    """

    def __init__(self, start: Any) -> None:
        self._start = start
        self._nudged = False
        self._alarm = Alarm(self.nudge)

    @workflow.signal
    def nudge(self) -> None:
        self._nudged = True

    @abstractmethod
    async def look(self) -> S | None:
        """The subject's state; `None` where there is no such subject."""

    @abstractmethod
    def next_step(self, state: S) -> P | Wait | End: ...

    @abstractmethod
    async def take(self, step: P, state: S) -> S | None: ...

    async def live(self, state: S | None) -> S | None:
        """Take steps until the end. Returns the last state."""
        while state is not None:
            step = self.next_step(state)
            if isinstance(step, Wait):
                state = await self.shielded(self.rest(step.until, state))
            elif not isinstance(step, End):
                state = await self.shielded(self.take(step, state))
            elif await self.is_over():
                return state
            else:
                state = await self.look_again()
        return None

    async def is_over(self) -> bool:
        """Whether no message came while the last commands were carried out."""
        await self.shielded(handlers_finished())
        return not self._nudged

    async def look_again(self) -> S | None:
        self._nudged = False
        return await self.shielded(self.look())

    async def shielded(self, step: Awaitable[T]) -> T:
        return await uninterrupted(step, self.on_cancel)

    def on_cancel(self) -> None:
        """Somebody cancelled the workflow itself. By default nothing changes: promises
        are kept."""
        self.nudge()

    def woken(self) -> bool:
        return self._nudged

    async def rest(self, until: datetime | None, state: S) -> S | None:
        """Returns the state after the wait."""
        await self.sleep_until(until)
        return await self.look_again()

    async def sleep_until(self, until: datetime | None) -> None:
        """Until woken, or in a new run where this one's history has become long: the
        server suggests it at 4,096 events or 4 MB, long before it warns (at 10,240 or
        10 MB). A step at a provider that ends with this run is taken again by the next
        one, which looks first."""
        if workflow.info().is_continue_as_new_suggested():
            await handlers_finished()
            workflow.continue_as_new(self._start)
        self._alarm.set(until)
        await workflow.wait_condition(self.woken)


async def handlers_finished() -> None:
    await workflow.wait_condition(workflow.all_handlers_finished)


async def uninterrupted(step: Awaitable[T], on_cancel: Callable[[], None]) -> T:
    """Await `step` to its end, whatever is requested meanwhile; a cancellation calls
    `on_cancel`.

    `asyncio.shield` alone is not enough: it lets the outer coroutine go, and when
    the workflow returns, the shielded rest dies with it. So the cancellation is taken
    back (`uncancel`) and the step awaited again.
    """
    task = asyncio.ensure_future(step)
    me = asyncio.current_task()
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.cancelled():
                raise
            on_cancel()
            if me is not None:
                me.uncancel()
        except Exception:  # noqa: S110 - raised by task.result() below
            # No wider: when the worker forgets the workflow, GeneratorExit must pass.
            pass
    return task.result()


LONGEST = timedelta(days=2)
"""Most orders are over by then, woken by nothing but what happens to them."""


class Alarm:
    """Calls `ring` at the moment it is set to, or before it.

    A timer costs an event, and to move one costs two more; to wake early costs a look.
    So one that rings no later than it must is left alone, and none is set for long.
    """

    def __init__(self, ring: Callable[[], None]) -> None:
        self._ring = ring
        self._at: datetime | None = None
        self._timer: asyncio.TimerHandle | None = None

    def set(self, at: datetime | None) -> None:
        if at is None or (self._at is not None and self._at <= at):
            return
        if self._timer is not None:
            self._timer.cancel()
        now = workflow.now()
        self._at = min(at, now + LONGEST)
        seconds = max(0.0, (self._at - now).total_seconds())
        self._timer = asyncio.get_running_loop().call_later(seconds, self._rang)

    def _rang(self) -> None:
        self._at = self._timer = None
        self._ring()
