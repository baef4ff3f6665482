"""Delivers to every endpoint that is nobody else's: one task for each, so that a slow
one delays no other."""

import asyncio
import logging
import socket
import ssl
import uuid
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta

from shared.database.engine import DATABASE_FAILURES, Engine
from shared.database.listen import Listener
from shared.platform.addresses import Network

from api.kernel.delivery import metrics
from api.kernel.delivery.courier import Courier
from api.kernel.delivery.sender import Sender
from api.kernel.delivery.store import MOST_ENDPOINTS_LEASED, Store
from api.kernel.delivery.tail import Tail

log = logging.getLogger(__name__)

LOOK_EVERY_SECONDS = 1.0
FORGET_EVERY_SECONDS = 3600.0
KEPT = {"succeeded": timedelta(days=7), "failed": timedelta(days=30)}
"""How long rows are kept after the last attempt."""
FINISH_SECONDS = 10.0
"""How long running attempts may take to end; another deliverer repeats the others."""


class Deliverer:
    def __init__(
        self,
        engine: Engine,
        listener: Listener,
        hrefs: Mapping[str, str],
        allowed: Sequence[Network],
        trusted: ssl.SSLContext,
    ) -> None:
        """`allowed` networks may be called beside public addresses; `trusted` says
        whose certificates are accepted."""
        self._store = Store(engine, f"{socket.gethostname()}-{uuid.uuid4()}", hrefs)
        self._listener = listener
        self._tail = Tail(engine, listener, hrefs)
        self._allowed = allowed
        self._trusted = trusted
        self._couriers: dict[str, tuple[Courier, asyncio.Task[None]]] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Deliver until asked to stop, then finish running attempts."""
        # Looking up the name of a dead server takes long, and the others must not queue
        # behind it.
        names = ThreadPoolExecutor(MOST_ENDPOINTS_LEASED, "names")
        asyncio.get_running_loop().set_default_executor(names)
        tasks = [
            asyncio.create_task(task)
            for task in (self._tail.run(), self._keep_forgetting())
        ]
        try:
            while not stop.is_set():
                await self._look()
                with suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_EVERY_SECONDS):
                        await stop.wait()
        finally:
            await self._finish()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _look(self) -> None:
        try:
            ours = await self._store.lease()
        except DATABASE_FAILURES as error:
            # A deliverer that cannot renew a lease loses it, and learns that when it
            # writes.
            log.warning("no lease can be renewed: %s", type(error).__name__)
            return
        for endpoint in self._couriers.keys() - ours:
            await self._let_go(endpoint)
        for endpoint, (_, task) in list(self._couriers.items()):
            if task.done():
                await self._let_go(endpoint)
        for endpoint in ours - self._couriers.keys():
            self._begin(endpoint)

    def _begin(self, endpoint: str) -> None:
        metrics.begin(endpoint)
        courier = Courier(
            *(endpoint, self._store, self._tail, self._listener),
            Sender(self._allowed, self._trusted),
        )
        task = asyncio.create_task(courier.run())
        self._couriers[endpoint] = courier, task

    async def _let_go(self, endpoint: str) -> None:
        _, task = self._couriers.pop(endpoint)
        task.cancel()
        (ended,) = await asyncio.gather(task, return_exceptions=True)
        if isinstance(ended, Exception):
            log.error("deliveries to an endpoint broke off", exc_info=ended)
        metrics.end(endpoint)

    async def _finish(self) -> None:
        for courier, _ in self._couriers.values():
            courier.stop()
        if self._couriers:
            tasks = [task for _, task in self._couriers.values()]
            await asyncio.wait(tasks, timeout=FINISH_SECONDS)
        for endpoint in list(self._couriers):
            await self._let_go(endpoint)
        with suppress(*DATABASE_FAILURES):
            await self._store.release()

    async def _keep_forgetting(self) -> None:
        while True:
            with suppress(*DATABASE_FAILURES):
                await self.forget()
            await asyncio.sleep(FORGET_EVERY_SECONDS)

    async def forget(self) -> int:
        """Delete old deliveries, and those of deleted endpoints. Returns how many."""
        forgotten = 0
        for endpoint in await self._store.with_deliveries():
            while gone := await self._store.forget(endpoint, KEPT):
                forgotten += gone
        return forgotten
