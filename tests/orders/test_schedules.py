"""What runs by the clock, as the server has it."""

from dataclasses import replace
from datetime import timedelta

import pytest
from shared.contracts.orders.names import ORDERS
from shared.contracts.orders.workflows import Reconcile, Sweep
from temporalio.client import (
    Client,
    ScheduleActionStartWorkflow,
    ScheduleDescription,
    WorkflowFailureError,
)
from worker.runtime.registry import Schedule
from worker.runtime.schedules import ensure_schedule

from tests.support.shop import Shop

NIGHTLY = Schedule(
    *("nightly", Sweep.run, ORDERS),
    every=timedelta(days=1),
    offset=timedelta(hours=2),
)


async def test_a_part_of_the_sweep_that_fails_does_not_stop_the_others(
    shop: Shop,
) -> None:
    await shop.confirmed(TEA=1)
    await shop.fetch("UPDATE stock SET on_hand = on_hand + 1")
    await shop.fetch("ALTER TABLE returns RENAME TO returns_away")
    try:
        with pytest.raises(WorkflowFailureError):
            await shop.client.execute_workflow(Sweep.run, id="s", task_queue=ORDERS)
    finally:
        await shop.fetch("ALTER TABLE returns_away RENAME TO returns")
        await shop.fetch("UPDATE stock SET on_hand = on_hand - 1")
    (found,) = await shop.fetch("SELECT kind FROM discrepancies")
    assert found.kind == "audit_stock"


async def described(client: Client) -> ScheduleDescription:
    return await client.get_schedule_handle(NIGHTLY.id).describe()


async def test_a_schedule_is_made_once_however_many_workers_start(
    temporal: Client,
) -> None:
    await ensure_schedule(temporal, NIGHTLY)
    before = await described(temporal)
    await ensure_schedule(temporal, NIGHTLY)
    after = await described(temporal)
    assert before.info.last_updated_at == after.info.last_updated_at
    (interval,) = after.schedule.spec.intervals
    assert (interval.every, interval.offset) == (NIGHTLY.every, NIGHTLY.offset)


async def test_a_schedule_changes_with_its_definition(temporal: Client) -> None:
    await ensure_schedule(temporal, NIGHTLY)
    hourly = timedelta(hours=1)
    await ensure_schedule(
        temporal,
        replace(NIGHTLY, workflow=Reconcile.run, every=hourly, offset=timedelta()),
    )
    schedule = (await described(temporal)).schedule
    assert isinstance(schedule.action, ScheduleActionStartWorkflow)
    assert schedule.action.workflow == "Reconcile"
    assert schedule.spec.intervals[0].every == hourly


async def test_a_paused_schedule_stays_paused(temporal: Client) -> None:
    await ensure_schedule(temporal, NIGHTLY)
    await temporal.get_schedule_handle(NIGHTLY.id).pause()
    await ensure_schedule(temporal, NIGHTLY)
    await ensure_schedule(temporal, replace(NIGHTLY, every=timedelta(hours=5)))
    assert (await described(temporal)).schedule.state.paused
