"""Creates schedules as the code defines them, and changes them when the code does."""

import logging
from dataclasses import replace
from datetime import timedelta

from temporalio.client import (
    Client,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
    ScheduleUpdate,
    ScheduleUpdateInput,
)
from temporalio.client import Schedule as TemporalSchedule

from worker.runtime.registry import Schedule

log = logging.getLogger(__name__)


async def ensure_schedule(client: Client, wanted: Schedule) -> None:
    """Safe to repeat, and safe for several workers at once. A schedule that somebody
    paused stays paused."""
    definition = _definition(wanted)
    try:
        await client.create_schedule(wanted.id, definition)
    except ScheduleAlreadyRunningError:
        await client.get_schedule_handle(wanted.id).update(
            lambda current: _changed(current, definition)
        )


def _definition(wanted: Schedule) -> TemporalSchedule:
    return TemporalSchedule(
        action=ScheduleActionStartWorkflow(
            wanted.workflow, id=wanted.id, task_queue=wanted.task_queue
        ),
        spec=ScheduleSpec(
            intervals=[ScheduleIntervalSpec(every=wanted.every, offset=wanted.offset)]
        ),
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP),
    )


def _changed(
    current: ScheduleUpdateInput, wanted: TemporalSchedule
) -> ScheduleUpdate | None:
    there = current.description.schedule
    if _essence(there) == _essence(wanted):
        return None
    log.info("schedule changed", extra={"schedule": current.description.id})
    return ScheduleUpdate(schedule=replace(wanted, state=there.state))


def _essence(schedule: TemporalSchedule) -> tuple[object, ...]:
    """Only what the definition sets; the server adds much else."""
    action = schedule.action
    assert isinstance(action, ScheduleActionStartWorkflow)  # noqa: S101 - we made it
    intervals = [
        (interval.every, interval.offset or timedelta())
        for interval in schedule.spec.intervals
    ]
    return intervals, action.workflow, action.task_queue, schedule.policy.overlap
