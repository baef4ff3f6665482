"""Controls which build of the worker new orders begin on, through Temporal's Worker
Deployments.

An order stays on the build it began on. Routing decides where new ones begin: on the
current build, but for the ramping one's share. Without a current build, versioned
workers get no work at all.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp
from temporalio.api.deployment.v1 import WorkerDeploymentInfo
from temporalio.api.enums.v1 import (
    RoutingConfigUpdateState,
    WorkerDeploymentVersionStatus,
)
from temporalio.api.workflowservice.v1 import (
    DescribeWorkerDeploymentRequest,
    SetWorkerDeploymentCurrentVersionRequest,
    SetWorkerDeploymentRampingVersionRequest,
)
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from worker.releasing.polling import unpolled
from worker.releasing.problems import Refused

PROPAGATED_WITHIN_SECONDS = 30

OPEN = "ExecutionStatus = 'Running'"
TROUBLED = "TemporalReportedProblems IS NOT NULL"
FAILED = "ExecutionStatus = 'Failed'"
Summary = WorkerDeploymentInfo.WorkerDeploymentVersionSummary


@dataclass(frozen=True)
class Build:
    """`open` workflows are pinned to it. This build's code fails on `troubled` ones, be
    they open or ended: it did not follow its own history (docs/adr/0046)."""

    id: str
    state: str
    """current, ramping, inactive, draining or drained"""
    share: float
    """Its share of new orders, in percent."""
    last_current: datetime | None
    unpolled: tuple[str, ...]
    """Those of its task queues that none of its workers polls."""
    open: int
    troubled: int


class Builds:
    """The builds of one deployment. Methods raise `Refused`; all are safe to repeat."""

    def __init__(self, client: Client, deployment: str) -> None:
        self.client = client
        self.deployment = deployment

    # ── looking ─────────────────────────────────────────────────────────────────

    async def all(self) -> list[Build]:
        """The newest first. Empty if the deployment never had a worker."""
        try:
            info = await self._describe()
        except Refused:
            return []
        routing = info.routing_config
        ramping = routing.ramping_deployment_version.build_id
        share = {ramping: routing.ramping_version_percentage} if ramping else {}
        current = routing.current_deployment_version.build_id
        share[current] = 100 - sum(share.values())
        found = [
            await self._build(summary, share) for summary in info.version_summaries
        ]
        return [build for build in found if build is not None]

    async def _build(self, known: Summary, share: dict[str, float]) -> Build | None:
        id = known.deployment_version.build_id
        try:
            silent = await unpolled(self.client, self.deployment, id)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            return None  # its first worker is just registering, or it is being deleted
        return Build(
            id=id,
            state=_state(known.status),
            share=share.get(id, 0),
            last_current=_moment(known.last_current_time),
            unpolled=silent,
            open=await self._count(self._open(id)),
            troubled=await self._count(
                f"{self._of(id)} AND ({FAILED} OR ({OPEN} AND {TROUBLED}))"
            ),
        )

    async def stuck_at_their_start(self) -> int:
        """Workflows whose first step fails again and again: they have no build yet."""
        return await self._count(
            f"{TROUBLED} AND {OPEN} AND TemporalWorkerDeploymentVersion IS NULL"
        )

    async def one(self, id: str) -> Build:
        builds = await self.all()
        for build in builds:
            if build.id == id:
                return build
        known = ", ".join(build.id for build in builds) or "none"
        raise Refused(
            f"{self.deployment} has no build {id!r}; there are: {known}."
            " A build is known once one of its workers has asked for work."
        )

    # ── routing ─────────────────────────────────────────────────────────────────

    async def make_current(self, id: str) -> None:
        """All new orders begin on it."""
        await self._require_workers(id)
        with _refusals():
            await self.client.workflow_service.set_worker_deployment_current_version(
                SetWorkerDeploymentCurrentVersionRequest(
                    namespace=self.client.namespace,
                    deployment_name=self.deployment,
                    build_id=id,
                    identity=self.client.identity,
                )
            )
        await self._propagated()

    async def ramp(self, id: str, percentage: float) -> None:
        """This share of the new orders begins on it, the rest on the current build."""
        await self._require_workers(id)
        await self._set_ramp(id, percentage)

    async def stop_ramp(self) -> None:
        """New orders begin on the current build alone."""
        await self._set_ramp("", 0)

    async def _set_ramp(self, id: str, percentage: float) -> None:
        with _refusals():
            await self.client.workflow_service.set_worker_deployment_ramping_version(
                SetWorkerDeploymentRampingVersionRequest(
                    namespace=self.client.namespace,
                    deployment_name=self.deployment,
                    build_id=id,
                    percentage=percentage,
                    identity=self.client.identity,
                )
            )
        await self._propagated()

    async def _require_workers(self, id: str) -> None:
        """The server would give orders to a build whose workers are gone."""
        build = await self.one(id)
        if build.unpolled:
            raise Refused(
                f"No worker of build {id} asks for work on"
                f" {', '.join(build.unpolled)}: its orders would wait."
                " Start its workers first."
            )

    async def _propagated(self) -> None:
        """Until all partitions of the task queues know of it."""
        done = RoutingConfigUpdateState.ROUTING_CONFIG_UPDATE_STATE_COMPLETED
        try:
            async with asyncio.timeout(PROPAGATED_WITHIN_SECONDS):
                # Nothing tells of it.
                while (await self._describe()).routing_config_update_state != done:  # noqa: ASYNC110
                    await asyncio.sleep(0.1)
        except TimeoutError:
            raise Refused(
                f"It is set, but after {PROPAGATED_WITHIN_SECONDS} s not all of the"
                " server knows of it: look with `worker release status`."
            ) from None

    # ── what began on a build ───────────────────────────────────────────────────

    async def restart(self, id: str) -> int:
        """End what runs on a build; the sweep starts it again on the current one. The
        facts are in the database, so nothing is lost or done twice."""
        ended = 0
        async for found in self.client.list_workflows(self._open(id)):
            handle = self.client.get_workflow_handle(found.id, run_id=found.run_id)
            try:
                await handle.terminate(f"restarted: build {id} was rolled back")
            except RPCError as error:
                if error.status is not RPCStatusCode.NOT_FOUND:
                    raise
                continue  # a child, and its parent took it along
            ended += 1
        return ended

    def _open(self, id: str) -> str:
        return f"{self._of(id)} AND {OPEN}"

    def _of(self, id: str) -> str:
        return f"TemporalWorkerDeploymentVersion = '{self.deployment}:{id}'"

    async def _count(self, query: str) -> int:
        return (await self.client.count_workflows(query)).count

    # ── asking Temporal ─────────────────────────────────────────────────────────

    async def _describe(self) -> WorkerDeploymentInfo:
        with _refusals():
            described = await self.client.workflow_service.describe_worker_deployment(
                DescribeWorkerDeploymentRequest(
                    namespace=self.client.namespace, deployment_name=self.deployment
                )
            )
        return described.worker_deployment_info


def _state(status: WorkerDeploymentVersionStatus.ValueType) -> str:
    return WorkerDeploymentVersionStatus.Name(status).rpartition("_")[2].lower()


def _moment(timestamp: Timestamp) -> datetime | None:
    return timestamp.ToDatetime(UTC) if timestamp.seconds else None


@contextmanager
def _refusals() -> Iterator[None]:
    """Turns the server's refusal into one sentence."""
    try:
        yield
    except RPCError as error:
        if error.status in (RPCStatusCode.UNAVAILABLE, RPCStatusCode.CANCELLED):
            raise
        raise Refused(f"Temporal refuses: {error.message}") from error
