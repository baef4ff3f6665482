"""Steps that a cancellation must not tear apart."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


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
