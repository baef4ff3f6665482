"""Schedules as the code defines them, and as an operator leaves them."""

from datetime import timedelta

from shared.contracts.orders.names import ORDERS
from shared.contracts.orders.workflows import Sweep
from temporalio.client import Client, ScheduleDescription
from worker.runtime.registry import Schedule
from worker.runtime.schedules import ensure_schedule

HOUR = timedelta(hours=1)


def every(period: timedelta) -> Schedule:
    return Schedule("sweep", Sweep.run, ORDERS, every=period)


async def described(client: Client) -> ScheduleDescription:
    return await client.get_schedule_handle("sweep").describe()


async def test_a_schedule_is_made_once(temporal: Client) -> None:
    await ensure_schedule(temporal, every(HOUR))
    made = await described(temporal)
    await ensure_schedule(temporal, every(HOUR))
    again = await described(temporal)
    assert again.schedule.spec.intervals[0].every == HOUR
    assert again.info.last_updated_at == made.info.last_updated_at


async def test_a_schedule_follows_its_definition(temporal: Client) -> None:
    await ensure_schedule(temporal, every(HOUR))
    await ensure_schedule(temporal, every(2 * HOUR))
    assert (await described(temporal)).schedule.spec.intervals[0].every == 2 * HOUR


async def test_a_paused_schedule_stays_paused(temporal: Client) -> None:
    await ensure_schedule(temporal, every(HOUR))
    await temporal.get_schedule_handle("sweep").pause(note="maintenance")
    await ensure_schedule(temporal, every(2 * HOUR))
    state = (await described(temporal)).schedule.state
    assert state.paused
    assert state.note == "maintenance"
