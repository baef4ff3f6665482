"""An order's process as Temporal has it, with those of its parcels and refunds."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from shared.contracts.orders.names import order_workflow_id
from shared.database.orders.snapshot import OrderSnapshot
from temporalio.client import WorkflowExecutionDescription, WorkflowExecutionStatus

from api.errors import Unavailable
from api.orders.schemas.operators import PendingActivity, Process
from api.orders.waiting import waiting_for
from api.services import Services


async def process_of(services: Services, order: OrderSnapshot) -> Process:
    workflow_id = order_workflow_id(order.id)
    running: bool | None = None
    pending: list[PendingActivity] = []
    try:
        found = await services.commands.describe(workflow_id)
        running = found is not None and _runs(found)
        async for description in _family(services, found):
            pending.extend(_attempts(description))
    except Unavailable:
        running = None
    return Process(
        workflow_id=workflow_id,
        running=running,
        waiting_for=waiting_for(order),
        pending_activities=pending,
        ui_url=_ui_url(services, workflow_id),
    )


async def _family(
    services: Services, found: WorkflowExecutionDescription | None
) -> Any:
    """The workflow and, if it runs, those that it has started."""
    if found is None or not _runs(found):
        return
    yield found
    for child in found.raw_description.pending_children:
        description = await services.commands.describe(child.workflow_id)
        if description is not None and _runs(description):
            yield description


def _runs(description: WorkflowExecutionDescription) -> bool:
    return description.status is WorkflowExecutionStatus.RUNNING


def _attempts(description: WorkflowExecutionDescription) -> Iterator[PendingActivity]:
    raw = description.raw_description
    for pending in raw.pending_activities:
        failed = pending.HasField("last_failure")
        yield PendingActivity(
            workflow_id=description.id,
            type=pending.activity_type.name,
            attempt=pending.attempt,
            last_error=pending.last_failure.message if failed else None,
            next_at=_moment(pending, "scheduled_time"),
        )
    # A step that lives within the workflow's own task is not listed; a task that
    # fails again and again is a mistake in the code, and stands still until a fix.
    task = raw.pending_workflow_task
    if task.attempt > 1:
        yield PendingActivity(
            workflow_id=description.id,
            type="workflow task",
            attempt=task.attempt,
            last_error="The workflow's own code fails; see the worker's log.",
            next_at=_moment(task, "scheduled_time"),
        )


def _moment(message: Any, field: str) -> datetime | None:
    if not message.HasField(field):
        return None
    moment: datetime = getattr(message, field).ToDatetime(tzinfo=UTC)
    return moment


def _ui_url(services: Services, workflow_id: str) -> str | None:
    base = services.settings.temporal_ui_url
    if base is None:
        return None
    namespace = services.settings.temporal_namespace
    return f"{base}/namespaces/{namespace}/workflows/{quote(workflow_id, safe='')}"
