"""No release may strand what it finds running."""

import asyncio

import pytest
from temporalio.client import Client
from temporalio.worker import Worker, WorkflowReplayResult

from tests.ship.release_gate import all_workflows, replay_open
from tests.ship.waiting import Impatience, Patience


async def replayed(
    client: Client, workflows: list[type], at_most: int = 10
) -> list[WorkflowReplayResult]:
    return [result async for result in replay_open(client, workflows, at_most)]


@pytest.fixture
async def waiting(temporal: Client) -> Client:
    """Where one workflow has taken its first step and waits."""
    async with Worker(temporal, task_queue="ship", workflows=[Patience]):
        handle = await temporal.start_workflow(
            Patience.run, id="patient", task_queue="ship"
        )
        assert await handle.query(Patience.waits)
    # The list follows a moment later, and tells nobody.
    while (await temporal.count_workflows()).count == 0:  # noqa: ASYNC110
        await asyncio.sleep(0.05)
    return temporal


async def test_unchanged_code_goes_on(waiting: Client) -> None:
    (result,) = await replayed(waiting, [Patience])
    assert result.replay_failure is None


async def test_code_that_takes_another_step_is_stopped(waiting: Client) -> None:
    (result,) = await replayed(waiting, [Impatience])
    assert "Nondeterminism" in str(result.replay_failure)


async def test_a_workflow_that_was_removed_is_stopped(waiting: Client) -> None:
    (result,) = await replayed(waiting, all_workflows(waiting))
    assert "Patience" in str(result.replay_failure)
