"""What runs by the clock."""

from datetime import datetime, timedelta

from shared.contracts.orders.activities import (
    ErasureSteps,
    ReconcileSteps,
    RetentionSteps,
    SweepSteps,
)
from shared.contracts.orders.models import LookAgain, Reconciled, Window
from shared.contracts.orders.workflows import Reconcile, Retention, Sweep
from temporalio import workflow

from worker.orders.workflows import options

SWEEP_EVERY = timedelta(minutes=5)

RECONCILE_EVERY = timedelta(hours=1)
STILL_MOVING = timedelta(minutes=15)
"""What happened so lately may be under way between the provider and us."""
FIRST_LOOK = timedelta(days=1)
PROVIDER_REMEMBERS = timedelta(days=29)
"""Stripe lists the events of 30 days."""

RETENTION_EVERY = timedelta(days=1)
RETENTION_AT = timedelta(hours=2, minutes=30)
"""After midnight UTC, when few people order."""


@workflow.defn(name="Sweep")
class SweepWorkflow(Sweep):
    @workflow.run
    async def run(self) -> None:
        for step in (
            SweepSteps.start_missing_orders,
            SweepSteps.start_missing_returns,
            SweepSteps.nudge_overdue_orders,
            SweepSteps.allocate_free_stock,
            SweepSteps.audit,
        ):
            await workflow.execute_activity_method(step, **options.SWEEP)


@workflow.defn(name="Reconcile")
class ReconcileWorkflow(Reconcile):
    @workflow.run
    async def run(self, again: LookAgain | None = None) -> Reconciled:
        until = workflow.now() - STILL_MOVING
        since = _since(until) if again is None else again.since
        return await workflow.execute_activity_method(
            ReconcileSteps.reconcile,
            Window(since=max(since, until - PROVIDER_REMEMBERS), until=until),
            **options.RECONCILE,
        )


def _since(until: datetime) -> datetime:
    """Where the last run ended, so that an hour that was missed is not lost."""
    last = workflow.get_last_completion_result(Reconciled)
    return until - FIRST_LOOK if last is None else last.until


@workflow.defn(name="Retention")
class RetentionWorkflow(Retention):
    @workflow.run
    async def run(self) -> None:
        for step in (
            RetentionSteps.forget_keys,
            RetentionSteps.forget_webhooks,
            RetentionSteps.forget_steps,
            RetentionSteps.erase_contacts,
        ):
            await workflow.execute_activity_method(step, **options.RETENTION)
        await workflow.execute_activity_method(
            ErasureSteps.erase_at_provider, **options.ERASURE
        )
