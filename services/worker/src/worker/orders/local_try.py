"""First here, then in the queue (docs/adr/0009).

A step at a provider may be tried as a local activity, which spares the server a task
and the order a second. It holds the order's only workflow task, so it is short; and a
slow provider must not fill the worker, so there are few of them at a time.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from worker.orders.options import TRY_MARGIN


class NotTried(ApplicationError):
    """No answer here and now: the step that follows in the queue looks first."""

    def __init__(self, why: str) -> None:
        super().__init__(
            why,
            type="not-tried",
            non_retryable=True,
            category=ApplicationErrorCategory.BENIGN,
        )


class LocalTries:
    """`at_once` tries at one provider. Outside of local activities nothing is limited:
    those in a queue have its slots and time-outs."""

    def __init__(self, at_once: int) -> None:
        self._slots = asyncio.Semaphore(at_once)

    def expect(self) -> None:
        """Raises `NotTried` where there is no slot: before a step notes that it sends
        what it then would not send."""
        if _is_a_try() and self._slots.locked():
            raise NotTried("left to the queue")

    @asynccontextmanager
    async def limit(self, *, allowed: bool = True) -> AsyncIterator[None]:
        """Around the calls of a step. Raises `NotTried` at once where there is no slot
        or it is not `allowed`, and when the try has taken its time."""
        if not _is_a_try():
            yield
            return
        if not allowed:
            raise NotTried("left to the queue")
        self.expect()
        try:
            async with self._slots, asyncio.timeout(_seconds()):
                yield
        except TimeoutError:
            raise NotTried("no answer within the time of a local try") from None


def _is_a_try() -> bool:
    return activity.in_activity() and activity.info().is_local


def _seconds() -> float:
    """What is left for the provider of the time that the workflow gives the whole."""
    whole = activity.info().start_to_close_timeout
    return (whole - TRY_MARGIN).total_seconds() if whole else 0.0
