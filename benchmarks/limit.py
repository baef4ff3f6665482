"""(g) The limit: the smallest workflow with four steps that do nothing, on the same
server, by the same SDK. No gateway, no database, no child."""

import asyncio
import statistics
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from devstack.temporal import NAMESPACE
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker, WorkflowRunner
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner

from benchmarks.four_steps import FourSteps, nothing
from benchmarks.processes import pids_of, used_by
from benchmarks.system import running

Json = dict[str, Any]


async def measure(workflows: int, concurrency: int, runs: int) -> Json:
    """Workflows a second, by kind of step and of sandbox."""
    runners: dict[str, WorkflowRunner] = {
        "sandboxed": SandboxedWorkflowRunner(),
        "unsandboxed": UnsandboxedWorkflowRunner(),
    }
    found: Json = {"workflows": workflows, "concurrency": concurrency}
    async with running(("temporal",)) as stack:
        client = await Client.connect(stack.at.temporal, namespace=NAMESPACE)
        for name, runner in runners.items():
            for local in (False, True):
                kind = "local steps" if local else "steps"
                async with _worker(client, runner) as queue:
                    await _run(client, queue, local, concurrency, concurrency)
                    pids = pids_of(stack)
                    with used_by(pids) as usage:
                        rates = [
                            await _run(client, queue, local, workflows, concurrency)
                            for _ in range(runs)
                        ]
                found[f"{kind}, {name}"] = {
                    "workflows_per_second": statistics.median(rates),
                    "cpu_ms": {
                        part: seconds * 1000 / (workflows * runs)
                        for part, seconds in usage.cpu_seconds.items()
                    },
                }
    return found


@asynccontextmanager
async def _worker(client: Client, runner: WorkflowRunner) -> AsyncIterator[str]:
    queue = f"limit-{uuid.uuid4()}"
    async with Worker(
        client,
        task_queue=queue,
        workflows=[FourSteps],
        activities=[nothing],
        workflow_runner=runner,
    ):
        yield queue


async def _run(
    client: Client, queue: str, local: bool, workflows: int, concurrency: int
) -> float:
    places = asyncio.Semaphore(concurrency)

    async def one() -> None:
        async with places:
            await client.execute_workflow(
                FourSteps.run, local, id=str(uuid.uuid4()), task_queue=queue
            )

    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(workflows):
            group.create_task(one())
    return workflows / (time.perf_counter() - began)
