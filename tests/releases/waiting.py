"""A workflow as it was written once, and as it was changed while one was running.

Not in the sandbox, which cannot import what pytest has imported.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

from temporalio import workflow
from temporalio.client import Client
from temporalio.common import VersioningBehavior, WorkerDeploymentVersion
from temporalio.exceptions import ApplicationError
from temporalio.worker import Worker, WorkerDeploymentConfig
from worker.releasing.builds import Build, Builds
from worker.releasing.problems import Refused

DEPLOYMENT = "patience"
QUEUE = "patience"


@workflow.defn(name="Patience", sandboxed=False)
class Patience:
    @workflow.run
    async def run(self) -> None:
        await workflow.sleep(timedelta(days=1))

    @workflow.query
    def waits(self) -> bool:
        return True


@workflow.defn(name="Patience", sandboxed=False)
class Impatience:
    @workflow.run
    async def run(self) -> None:
        await workflow.execute_activity(
            "hurry", start_to_close_timeout=timedelta(minutes=1)
        )


@workflow.defn(name="Patience", sandboxed=False)
class Broken:
    @workflow.run
    async def run(self) -> None:
        raise RuntimeError("this build is broken")


@workflow.defn(name="Patience", sandboxed=False)
class Failing:
    @workflow.run
    async def run(self) -> None:
        raise ApplicationError("as if it did not follow its history")


@asynccontextmanager
async def build_of_patience(
    client: Client, build: str, workflow: type = Patience
) -> AsyncIterator[None]:
    """A worker of one build, in this process."""
    version = WorkerDeploymentConfig(
        version=WorkerDeploymentVersion(DEPLOYMENT, build),
        use_worker_versioning=True,
        default_versioning_behavior=VersioningBehavior.PINNED,
    )
    async with Worker(
        client, task_queue=QUEUE, workflows=[workflow], deployment_config=version
    ):
        yield


async def wait_patiently(client: Client, id: str) -> None:
    """A workflow that has taken its first step and waits."""
    handle = await client.start_workflow(Patience.run, id=id, task_queue=QUEUE)
    assert await handle.query(Patience.waits)


async def listed(client: Client, count: int, which: str = "") -> None:
    # The list follows a moment later, and nothing announces it.
    while (await client.count_workflows(which)).count < count:  # noqa: ASYNC110
        await asyncio.sleep(0.05)


async def known(builds: Builds, id: str) -> Build:
    """A build, once the server has heard of it and of its workers."""
    while True:
        with suppress(Refused):
            if not (build := await builds.one(id)).unpolled:
                return build
        await asyncio.sleep(0.05)
