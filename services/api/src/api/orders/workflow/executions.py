"""Describes an order's workflows as Temporal has them, and restarts them."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from shared.contracts.base import Payload
from shared.contracts.orders.names import (
    order_workflow_id,
    refund_workflow_id,
    return_workflow_id,
)
from shared.contracts.orders.payloads import RefundRef, ReturnRef
from shared.contracts.orders.states import MoneyKind, MoneyStatus
from shared.contracts.orders.workflows import Refund, Return
from shared.database.orders.snapshot import OrderSnapshot
from temporalio.client import WorkflowExecutionDescription, WorkflowExecutionStatus

from api.http.dependencies import Dependencies
from api.http.problems import Unavailable
from api.orders.commands import commands
from api.orders.workflow.schemas import PendingActivity, Process
from api.orders.workflow.waiting import waiting_for


@dataclass(frozen=True)
class Beside:
    """A workflow of the order that may outlive it, and is no child."""

    run: Any
    ref: Payload
    workflow_id: str


def beside(order: OrderSnapshot) -> Iterator[Beside]:
    """Open returns, and refunds with a workflow of their own."""
    open_returns = {r.id for r in order.returns if not r.status.final}
    for return_id in sorted(open_returns):
        yield Beside(
            Return.run,
            ReturnRef(order_id=order.id, return_id=return_id),
            return_workflow_id(return_id),
        )
    owed = {
        row.ref
        for payment in order.payments
        for row in payment.rows(MoneyKind.REFUND)
        if row.status is MoneyStatus.PENDING
    }
    for refund in order.refunds:
        alone = not refund.reason.run_by_order and refund.return_id not in open_returns
        if refund.id in owed and alone:
            yield Beside(
                Refund.run,
                RefundRef(order_id=order.id, refund_id=refund.id),
                refund_workflow_id(refund.id),
            )


async def resume(deps: Dependencies, order: OrderSnapshot) -> None:
    """Start every workflow of the order that should run and does not, and nudge it.
    Raises `Unavailable`; safe to repeat."""
    if not await commands(deps).start(order.id, again=True):
        raise Unavailable("Temporal does not answer; please repeat.")
    await commands(deps).nudge(order.id)
    for missing in beside(order):
        await commands(deps).begin(missing.run, missing.ref, missing.workflow_id)


async def process_of(deps: Dependencies, order: OrderSnapshot) -> Process:
    workflow_id = order_workflow_id(order.id)
    running: bool | None = None
    pending: list[PendingActivity] = []
    try:
        found = await commands(deps).describe(workflow_id)
        running = found is not None and _runs(found)
        async for description in _family(deps, order, found):
            pending.extend(_attempts(description))
    except Unavailable:
        running = None
    return Process(
        workflow_id=workflow_id,
        running=running,
        waiting_for=waiting_for(order),
        pending_activities=pending,
        ui_url=_ui_url(deps, workflow_id),
    )


async def _family(
    deps: Dependencies,
    order: OrderSnapshot,
    found: WorkflowExecutionDescription | None,
) -> AsyncIterator[WorkflowExecutionDescription]:
    """All workflows of the order: its own, their children, and those beside it."""
    others = [missing.workflow_id for missing in beside(order)]
    if found is not None and _runs(found):
        yield found
        children = found.raw_description.pending_children
        others += [child.workflow_id for child in children]
    for workflow_id in others:
        description = await commands(deps).describe(workflow_id)
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
    # Local activities are not listed. A workflow task that fails again and again is a
    # bug: the workflow stands still until a fix.
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


def _ui_url(deps: Dependencies, workflow_id: str) -> str | None:
    base = deps.settings.temporal_ui_url
    if base is None:
        return None
    namespace = deps.settings.temporal_namespace
    return f"{base}/namespaces/{namespace}/workflows/{quote(workflow_id, safe='')}"
