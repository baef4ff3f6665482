"""Tries a provider's step here first, then in its queue (docs/adr/0009).

A step may be tried as a local activity, which spares the server a task and the order a
second. It holds the order's only workflow task, so a try is short; and few run at a
time, so that a slow provider does not fill the worker.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from worker.orders.options import TRY_MARGIN


class NotTried(ApplicationError):
    """No answer within the try: the step that follows in the queue looks first."""

    def __init__(self, why: str) -> None:
        super().__init__(
            why,
            type="not-tried",
            non_retryable=True,
            category=ApplicationErrorCategory.BENIGN,
        )


class LocalTries:
    """Allows `at_once` tries at one provider. Ordinary activities are not limited here:
    they have their queue's slots and time-outs."""

    def __init__(self, at_once: int) -> None:
        self._slots = asyncio.Semaphore(at_once)

    def expect(self) -> None:
        """Raises `NotTried` if there is no free slot, before a step notes that it sends
        something."""
        if _is_a_try() and self._slots.locked():
            raise NotTried("left to the queue")

    @asynccontextmanager
    async def limit(self, *, allowed: bool = True) -> AsyncIterator[None]:
        """Enter it around the calls of a step. Raises `NotTried` at once if there is no
        free slot or the try is not `allowed`, and when the try has used up its time."""
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
    """Seconds that are left for the provider, of the time that the workflow gives the
    whole try."""
    whole = activity.info().start_to_close_timeout
    return (whole - TRY_MARGIN).total_seconds() if whole else 0.0
