"""Waiting for what another process does."""

import asyncio
from collections.abc import Callable

import psutil


async def eventually(condition: Callable[[], object], seconds: float = 20) -> None:
    """Return once `condition` holds; raise `TimeoutError` if it does not in time."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - nobody tells us, so we ask
            await asyncio.sleep(0.02)


def is_running(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
