"""Receives PostgreSQL's notifications on one connection per process, however many
listen.

A wake-up means "look again" and no more. It may come without a change and get lost with
a connection, so listeners also look from time to time.
"""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from shared.database.engine import Connect

log = logging.getLogger(__name__)

RECONNECT_SECONDS = 1.0
CHECK_SECONDS = 30.0
"""A connection that died silently is noticed within this time."""


class Wake:
    """Remembers one call until it is waited for, so that none is lost in between."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def call(self) -> None:
        self._event.set()

    def forget(self) -> None:
        """Drop earlier calls: whoever looks after this sees everything that they were
        about."""
        self._event.clear()

    async def wait(self, timeout: float) -> bool:
        """Wait for a call, at most `timeout` seconds; true if there was one."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await self._event.wait()
        called = self._event.is_set()
        self.forget()
        return called


class Listener:
    """Listens on `channels` between `start` and `stop`, and connects again by itself.

    `with listener.subscribe("changes", order_id) as wake: await wake.wait(5)`
    """

    def __init__(self, connect: Connect, *channels: str) -> None:
        self._connect = connect
        self._channels = channels
        self._wakes: dict[tuple[str, str | None], set[Wake]] = {}
        self._task: asyncio.Task[None] | None = None

    @contextmanager
    def subscribe(self, channel: str, subject: str | None = None) -> Iterator[Wake]:
        """Be woken for `subject`, or for everything announced on `channel`."""
        wake = Wake()
        self._wakes.setdefault((channel, subject), set()).add(wake)
        try:
            yield wake
        finally:
            waiting = self._wakes[channel, subject]
            waiting.discard(wake)
            if not waiting:
                del self._wakes[channel, subject]

    def wake_all(self) -> None:
        """Wake everybody: after a gap, because notifications may be lost, and before a
        stop."""
        for waiting in self._wakes.values():
            for wake in waiting:
                wake.call()

    def start(self) -> None:
        self._task = asyncio.create_task(self._listen())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    async def _listen(self) -> None:
        while True:
            try:
                await self._listen_until_lost()
            except Exception as error:
                # Any error: if this task ended, nobody would notice. Logged without its
                # `repr`, which may contain the payload.
                kind = type(error).__name__
                log.warning("cannot listen to the database: %s: %s", kind, error)
            await asyncio.sleep(RECONNECT_SECONDS)

    async def _listen_until_lost(self) -> None:
        connection = await self._connect()
        lost = asyncio.Event()
        try:
            connection.add_termination_listener(lambda _: lost.set())
            for channel in self._channels:
                await connection.add_listener(channel, self._heard)
            self.wake_all()
            while not lost.is_set():
                with suppress(TimeoutError):
                    async with asyncio.timeout(CHECK_SECONDS):
                        await lost.wait()
                if not lost.is_set():
                    await connection.execute("SELECT 1")
        finally:
            connection.terminate()

    def _heard(self, _: Any, __: int, channel: str, subject: Any) -> None:
        for key in ((channel, str(subject)), (channel, None)):
            for wake in self._wakes.get(key, ()):
                wake.call()
