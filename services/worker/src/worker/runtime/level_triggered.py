"""What level-triggered workflows have in common: look at the facts, take the next
step, wait until something may have changed."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from temporalio import workflow

T = TypeVar("T")


@dataclass(frozen=True)
class Wait:
    """Until somebody nudges, or until this moment."""

    until: datetime | None = None


@dataclass(frozen=True)
class End:
    """Nothing is left to do, nor to undo."""


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


async def should_continue_as_new() -> bool:
    """Whether to continue as new: the server suggests it at 4,096 events or 4 MB, long
    before it warns (at 10,240 or 10 MB). Returns when no command is being carried out.

    A fresh run looks at the facts and needs nothing from this one. Its children end
    with this one, and fresh ones look for themselves, as after a termination (ADR 9).
    """
    if not workflow.info().is_continue_as_new_suggested():
        return False
    await workflow.wait_condition(workflow.all_handlers_finished)
    return True


class Alarm:
    """Calls `ring` at the moment it is set to.

    A condition's own time-out would be a new timer for every wait, and one more event
    to cancel it. This one lasts until the moment changes, and ends with the workflow.
    """

    def __init__(self, ring: Callable[[], None]) -> None:
        self._ring = ring
        self._at: datetime | None = None
        self._timer: asyncio.TimerHandle | None = None

    def set(self, at: datetime | None) -> None:
        if at == self._at:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._at, self._timer = at, None
        if at is not None:
            seconds = max(0.0, (at - workflow.now()).total_seconds())
            self._timer = asyncio.get_running_loop().call_later(seconds, self._rang)

    def _rang(self) -> None:
        self._at = self._timer = None
        self._ring()
