"""Runs the worker: health first, then Temporal, then work; and stops in reverse."""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from datetime import timedelta

from shared.database.engine import Engine, connector, create_engine
from shared.database.listen import Listener
from shared.platform.connection import Connection
from shared.platform.health import HealthServer
from shared.platform.metrics import watch_event_loop
from shared.platform.version import version
from temporalio.client import Client
from temporalio.common import VersioningBehavior, WorkerDeploymentVersion
from temporalio.service import RPCError
from temporalio.worker import Worker, WorkerDeploymentConfig
from temporalio.workflow import NondeterminismError

from worker.runtime.backlog import Backlog
from worker.runtime.gauges import Gauge
from worker.runtime.heartbeats import Heartbeats
from worker.runtime.inbox import InboxRunner
from worker.runtime.metrics import Metrics
from worker.runtime.outbox import OutboxRunner
from worker.runtime.readiness import Readiness, missing_search_attributes
from worker.runtime.registry import InboxHandler, Process, Queue, Registration
from worker.runtime.sandbox import sandbox
from worker.runtime.schedules import ensure_schedule
from worker.settings import WorkerSettings

log = logging.getLogger(__name__)

LOOK_AGAIN_SECONDS = 2.0
LAST_WORDS = timedelta(seconds=5)
"""Extra time to report results to Temporal."""


class WorkerService:
    """Runs business processes until it is told to stop."""

    def __init__(
        self,
        settings: WorkerSettings,
        registrations: Sequence[Registration],
        gauges: Sequence[Gauge] = (),
    ) -> None:
        """The `gauges` of the platform and those of the processes are on the page of
        metrics before Temporal is there."""
        self._settings = settings
        self._registrations = registrations
        self._engine = create_engine(settings, application="worker")
        of_processes = [g for process in registrations for g in process.gauges]
        self._metrics = Metrics(self._engine, (*of_processes, *gauges))
        self._readiness = Readiness(self._engine)

    async def run(self, stop: asyncio.Event) -> int:
        """Returns the process's exit status: 0 after a stop, 1 when work broke off."""
        health = HealthServer(
            self._settings.metrics_host,
            self._settings.metrics_port,
            problems=self._readiness.problems,
            metrics=self._metrics.render,
        )
        serving = asyncio.create_task(health.serve())
        stopping = asyncio.create_task(stop.wait())
        working = asyncio.create_task(self._work(stop))
        watching = asyncio.create_task(watch_event_loop())
        try:
            await asyncio.wait(
                (serving, stopping, working), return_when=asyncio.FIRST_COMPLETED
            )
            broke_off = not stop.is_set()
            self._readiness.draining = True
            stop.set()
            await self._finish(working)
        finally:
            health.should_exit = True
            await serving
            await _end(watching)
            self._metrics.close()
            await self._engine.dispose()
        return 1 if broke_off else 0

    async def _finish(self, working: "asyncio.Task[None]") -> None:
        if not self._readiness.workers:
            working.cancel()  # still waiting for Temporal: nothing to drain
        patience = self._settings.graceful_shutdown + 2 * LAST_WORDS
        await asyncio.wait({working}, timeout=patience.total_seconds())
        if not working.done():
            log.error("not closed within %s", patience)
        elif not working.cancelled():
            working.result()

    async def _work(self, stop: asyncio.Event) -> None:
        async with AsyncExitStack() as stack:
            connection = Connection(self._settings, runtime=self._metrics.runtime)
            stack.push_async_callback(connection.close)
            processes = [
                process.build(self._settings, self._engine, lambda: connection.client)
                for process in self._registrations
            ]
            for process in processes:
                if process.close is not None:
                    stack.push_async_callback(process.close)
                for run in process.runners:
                    runner = asyncio.ensure_future(run())
                    stack.push_async_callback(_end, runner)
            await connection.open()
            connection.on_replaced(self._hand_over)
            self._readiness.connection = connection
            await self._until_registered(connection)
            await self._start_backlogs(stack, processes)
            await self._run_workers(connection.client, processes, stop)

    def _hand_over(self, client: Client) -> None:
        for worker in self._readiness.workers:
            worker.client = client

    async def _until_registered(self, connection: Connection) -> None:
        """A workflow that sets an unknown search attribute fails for ever."""
        wanted = [key for one in self._registrations for key in one.search_attributes]
        while True:
            try:
                missing = await missing_search_attributes(connection.client, wanted)
            except RPCError as error:
                log.warning("search attributes cannot be read: %s", error)
            else:
                if not missing:
                    return
                log.warning(
                    "search attributes are not registered yet; register them with:"
                    " temporal operator search-attribute create --namespace %s %s",
                    self._settings.temporal_namespace,
                    " ".join(missing),
                )
            await asyncio.sleep(LOOK_AGAIN_SECONDS)

    async def _start_backlogs(
        self, stack: AsyncExitStack, processes: Sequence[Process]
    ) -> None:
        listener = Listener(
            connector(self._settings, application="worker"),
            InboxRunner.channel,
            OutboxRunner.channel,
        )
        listener.start()
        stack.push_async_callback(listener.stop)
        for backlog in backlogs(processes, self._engine, listener):
            runner = asyncio.create_task(backlog.run())
            stack.push_async_callback(_end, runner)

    async def _run_workers(
        self, client: Client, processes: Sequence[Process], stop: asyncio.Event
    ) -> None:
        queues = [queue for process in processes for queue in process.queues]
        workers = [build_worker(client, queue, self._settings) for queue in queues]
        running = [asyncio.create_task(worker.run()) for worker in workers]
        self._readiness.workers = workers
        log.info("working", extra={"task_queues": [queue.name for queue in queues]})
        if _deployment(self._settings).use_worker_versioning:
            # Otherwise the first versioned rollout would wait silently.
            log.info(
                "versioned: new orders begin on this build once it is current"
                " (`worker release status`)",
                extra={"build": self._settings.temporal_worker_build_id},
            )
        try:
            await self._ensure_schedules(client, processes)
            stopped = asyncio.create_task(stop.wait())
            await asyncio.wait((stopped, *running), return_when=asyncio.FIRST_COMPLETED)
            stopped.cancel()
        finally:
            log.info("draining")
            await drain(workers, running, self._settings.graceful_shutdown + LAST_WORDS)

    async def _ensure_schedules(
        self, client: Client, processes: Sequence[Process]
    ) -> None:
        for process in processes:
            for schedule in process.schedules:
                try:
                    await ensure_schedule(client, schedule)
                except RPCError as error:
                    # The next start tries again; orders do not wait for it.
                    log.error("schedule %s was not set: %s", schedule.id, error)


def backlogs(
    processes: Sequence[Process], engine: Engine, listener: Listener
) -> Sequence[Backlog]:
    """What works off the webhooks and the messages of these processes."""
    webhooks = {k: sql for p in processes for k, sql in p.inbox_contexts.items()}
    about = {p.name: p.message_context for p in processes}
    return (
        InboxRunner(engine, listener, _by_source(processes), webhooks),
        OutboxRunner(
            *(engine, listener, {p.name: p.messages for p in processes}),
            {name: sql for name, sql in about.items() if sql is not None},
        ),
    )


def _by_source(processes: Sequence[Process]) -> dict[str, InboxHandler]:
    """Raises `ValueError` where two processes take webhooks of one source."""
    handlers: dict[str, InboxHandler] = {}
    for process in processes:
        if both := handlers.keys() & process.inbox.keys():
            raise ValueError(f"two processes handle {', '.join(sorted(both))}")
        handlers |= process.inbox
    return handlers


def build_worker(client: Client, queue: Queue, settings: WorkerSettings) -> Worker:
    """A worker for one task queue; its caller also shuts it down."""
    return Worker(
        client,
        task_queue=queue.name,
        workflows=queue.workflows,
        activities=queue.activities,
        workflow_runner=sandbox(),
        # The sweep begins it anew by the facts, instead of a task that fails for ever
        # (docs/adr/0046).
        workflow_failure_exception_types=[NondeterminismError],
        interceptors=[Heartbeats()],
        max_cached_workflows=settings.max_cached_workflows,
        max_concurrent_activities=queue.steps,
        max_concurrent_local_activities=queue.steps,
        graceful_shutdown_timeout=settings.graceful_shutdown,
        deployment_config=_deployment(settings),
    )


async def drain(
    workers: Sequence[Worker],
    running: Sequence[asyncio.Task[None]],
    patience: timedelta,
) -> None:
    """Let running work finish; another worker repeats what does not finish in time.

    `Worker.shutdown` alone has no deadline for a workflow that cannot be evicted.
    """
    try:
        async with asyncio.timeout(patience.total_seconds()):
            await asyncio.gather(*(worker.shutdown() for worker in workers))
            await asyncio.gather(*running)
    except TimeoutError:
        log.error("not drained within %s", patience)


def _deployment(settings: WorkerSettings) -> WorkerDeploymentConfig:
    """Versioned only when both names are given: a versioned worker gets no work
    until somebody makes its version the current one."""
    name = settings.temporal_deployment_name
    build = settings.temporal_worker_build_id
    if name is None or build is None:
        # Named all the same: the SDK would make up a name by reading all code that is
        # loaded, which takes most of a start.
        return WorkerDeploymentConfig(
            version=WorkerDeploymentVersion(deployment_name="", build_id=version()),
            use_worker_versioning=False,
        )
    return WorkerDeploymentConfig(
        version=WorkerDeploymentVersion(deployment_name=name, build_id=build),
        use_worker_versioning=True,
        default_versioning_behavior=VersioningBehavior.PINNED,
    )


async def _end(task: "asyncio.Future[None]") -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
