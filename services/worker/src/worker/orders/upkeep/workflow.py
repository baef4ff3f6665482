"""The scheduled workflows: sweep, reconciliation, retention."""

from datetime import datetime, timedelta
from typing import Any

from shared.contracts.orders.activities import (
    ErasureSteps,
    ReconcileSteps,
    RetentionSteps,
    SweepSteps,
)
from shared.contracts.orders.payloads import LookAgain, Reconciled, Window
from shared.contracts.orders.workflows import Reconcile, Retention, Sweep
from temporalio import workflow
from temporalio.exceptions import ActivityError, is_cancelled_exception

from worker.orders import options

SWEEP_EVERY = timedelta(minutes=5)

RECONCILE_EVERY = timedelta(hours=1)
STILL_MOVING = timedelta(minutes=15)
"""Changes younger than this may still be under way between the provider and us."""
FIRST_LOOK = timedelta(days=1)
PROVIDER_REMEMBERS = timedelta(days=29)
"""Stripe lists the events of 30 days."""

RETENTION_EVERY = timedelta(days=1)
RETENTION_AT = timedelta(hours=2, minutes=30)
"""After midnight UTC, when orders are few."""


@workflow.defn(name="Sweep")
class SweepWorkflow(Sweep):
    @workflow.run
    async def run(self) -> None:
        await _take_each(
            (SweepSteps.start_missing_orders, options.SWEEP),
            (SweepSteps.start_missing_returns, options.SWEEP),
            (SweepSteps.nudge_overdue_orders, options.SWEEP),
            (SweepSteps.allocate_free_stock, options.SWEEP),
            (SweepSteps.audit, options.SWEEP),
        )


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
    """Where the last run ended, so that a missed hour is made up for."""
    last = workflow.get_last_completion_result(Reconciled)
    return until - FIRST_LOOK if last is None else last.until


@workflow.defn(name="Retention")
class RetentionWorkflow(Retention):
    @workflow.run
    async def run(self) -> None:
        await _take_each(
            (RetentionSteps.forget_keys, options.RETENTION),
            (RetentionSteps.forget_webhooks, options.RETENTION),
            (RetentionSteps.forget_steps, options.RETENTION),
            (RetentionSteps.erase_contacts, options.RETENTION),
            (ErasureSteps.erase_at_provider, options.ERASURE),
        )


async def _take_each(*steps: tuple[Any, options.HeartbeatOptions]) -> None:
    """Run activities one after the other, also after one has failed: none needs
    another, and people must be erased even if some table cannot be cleaned up. Fails in
    the end with the first failure."""
    failures: list[ActivityError] = []
    for step, how in steps:
        try:
            await workflow.execute_activity_method(step, **how)
        except ActivityError as failure:
            if is_cancelled_exception(failure):
                raise
            failures.append(failure)
    if failures:
        raise failures[0]
