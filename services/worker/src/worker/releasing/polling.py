"""Finds out whether a build has live workers.

The server remembers for five minutes that a worker polled, also after it stopped; its
list of workers tells which ones announced their stop.
"""

from datetime import UTC, datetime, timedelta

from temporalio.api.deployment.v1 import WorkerDeploymentVersion
from temporalio.api.enums.v1 import WorkerStatus
from temporalio.api.taskqueue.v1 import PollerInfo, TaskQueue
from temporalio.api.worker.v1 import WorkerHeartbeat
from temporalio.api.workflowservice.v1 import (
    DescribeTaskQueueRequest,
    DescribeWorkerDeploymentVersionRequest,
    DescribeWorkerDeploymentVersionResponse,
    ListWorkersRequest,
)
from temporalio.client import Client

ASKED_WITHIN = timedelta(minutes=2)
"""A worker polls at least once a minute."""
VersionTaskQueue = DescribeWorkerDeploymentVersionResponse.VersionTaskQueue


async def unpolled(client: Client, deployment: str, build: str) -> tuple[str, ...]:
    """The task queues of a build that none of its workers polls."""
    version = WorkerDeploymentVersion(deployment_name=deployment, build_id=build)
    described = await client.workflow_service.describe_worker_deployment_version(
        DescribeWorkerDeploymentVersionRequest(
            namespace=client.namespace, deployment_version=version
        )
    )
    stopped = await _stopped(client, version)
    silent = {
        queue.name
        for queue in described.version_task_queues
        if not any(
            _asks(poller, queue.name, stopped)
            for poller in await _pollers(client, queue, version)
        )
    }
    return tuple(sorted(silent))


async def _pollers(
    client: Client, queue: VersionTaskQueue, version: WorkerDeploymentVersion
) -> list[PollerInfo]:
    described = await client.workflow_service.describe_task_queue(
        DescribeTaskQueueRequest(
            namespace=client.namespace,
            task_queue=TaskQueue(name=queue.name),
            task_queue_type=queue.type,
        )
    )
    return [
        poller
        for poller in described.pollers
        if poller.deployment_options.deployment_name == version.deployment_name
        and poller.deployment_options.build_id == version.build_id
    ]


def _asks(poller: PollerInfo, queue: str, stopped: list[WorkerHeartbeat]) -> bool:
    asked = poller.last_access_time.ToDatetime(UTC)
    has_stopped = any(
        last.task_queue == queue
        and last.worker_identity == poller.identity
        and last.heartbeat_time.ToDatetime(UTC) >= asked
        for last in stopped
    )
    return not has_stopped and datetime.now(UTC) - asked < ASKED_WITHIN


async def _stopped(
    client: Client, version: WorkerDeploymentVersion
) -> list[WorkerHeartbeat]:
    """The last words of workers that have stopped."""
    found: list[WorkerHeartbeat] = []
    page = b""
    while True:
        listed = await client.workflow_service.list_workers(
            ListWorkersRequest(
                namespace=client.namespace, page_size=100, next_page_token=page
            )
        )
        found += [
            worker.worker_heartbeat
            for worker in listed.workers_info
            if worker.worker_heartbeat.status != WorkerStatus.WORKER_STATUS_RUNNING
            and worker.worker_heartbeat.deployment_version.build_id == version.build_id
        ]
        page = listed.next_page_token
        if not page:
            return found
