"""A worker inside the test's own process: the product's, but for its probes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress

from shared.database.engine import Engine, connector
from shared.database.listen import Listener
from temporalio.client import Client
from worker.orders.registration import orders_process
from worker.runtime.inbox import InboxRunner
from worker.runtime.outbox import OutboxRunner
from worker.runtime.service import LAST_WORDS, backlogs, build_worker, drain
from worker.settings import WorkerSettings


@asynccontextmanager
async def working(
    settings: WorkerSettings, engine: Engine, client: Client
) -> AsyncIterator[None]:
    """Works from entering to leaving. What runs then is cut off, as by a crash, if
    `graceful_shutdown_seconds` is 0."""
    process = orders_process(settings, engine, lambda: client)
    async with AsyncExitStack() as stack:
        if process.close is not None:
            stack.push_async_callback(process.close)
        listener = Listener(
            connector(settings, application="worker"),
            InboxRunner.channel,
            OutboxRunner.channel,
        )
        listener.start()
        stack.push_async_callback(listener.stop)
        for runner in backlogs([process], engine, listener):
            stack.push_async_callback(_end, asyncio.create_task(runner.run()))
        workers = [build_worker(client, queue, settings) for queue in process.queues]
        running = [asyncio.create_task(worker.run()) for worker in workers]
        patience = settings.graceful_shutdown + LAST_WORDS
        stack.push_async_callback(drain, workers, running, patience)
        yield


async def _end(task: "asyncio.Task[None]") -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
