"""No release may strand what it finds running: `worker replay` says so before."""

from pathlib import Path

import pytest
from temporalio.client import Client
from temporalio.worker import Worker
from worker.orders.registration import WORKFLOWS
from worker.releasing.builds import Builds
from worker.releasing.replaying import Replayed, newest, replay

from tests.releases.commands import at, worker, worker_process
from tests.releases.waiting import (
    DEPLOYMENT,
    QUEUE,
    Impatience,
    Patience,
    build_of_patience,
    known,
    listed,
    wait_patiently,
)
from tests.support.shop import Shop

HISTORIES = Path(__file__).parents[1] / "histories"


async def replayed(
    client: Client, *workflows: type, at_most: int = 10, pinned: bool = False
) -> list[Replayed]:
    histories = newest(client, workflows, at_most, pinned=pinned)
    return [
        result
        async for result in replay(
            histories, workflows, client.data_converter, client.namespace
        )
    ]


@pytest.fixture
async def waiting(temporal: Client) -> Client:
    """Where one workflow waits."""
    async with Worker(temporal, task_queue=QUEUE, workflows=[Patience]):
        await wait_patiently(temporal, "patient")
    await listed(temporal, 1)
    return temporal


# ── what runs ───────────────────────────────────────────────────────────────────────


async def test_unchanged_code_goes_on(waiting: Client) -> None:
    (result,) = await replayed(waiting, Patience)
    assert result.failure is None


async def test_code_that_takes_another_step_is_stopped(waiting: Client) -> None:
    (result,) = await replayed(waiting, Impatience)
    assert (result.workflow, result.type) == ("patient", "Patience")
    assert "Nondeterminism" in str(result.failure)
    assert "workflow.patched" in result.advice


async def test_a_workflow_that_was_removed_is_stopped(waiting: Client) -> None:
    (result,) = await replayed(waiting, *WORKFLOWS)
    assert "Patience" in str(result.failure)
    assert "does not have the workflow" in result.advice


async def test_no_more_are_looked_at_than_asked_for(temporal: Client) -> None:
    async with Worker(temporal, task_queue=QUEUE, workflows=[Patience]):
        for n in range(3):
            await wait_patiently(temporal, f"patient-{n}")
    await listed(temporal, 3)
    looked_at = await replayed(temporal, Patience, at_most=2)
    assert [result.workflow for result in looked_at] == ["patient-2", "patient-1"]


async def test_what_stays_on_its_build_never_meets_this_code(
    temporal: Client,
) -> None:
    async with build_of_patience(temporal, "a"):
        builds = Builds(temporal, DEPLOYMENT)
        await known(builds, "a")
        await builds.make_current("a")
        await wait_patiently(temporal, "pinned")
    await listed(temporal, 1, "TemporalWorkflowVersioningBehavior = 'Pinned'")
    assert await replayed(temporal, Impatience) == []
    (result,) = await replayed(temporal, Impatience, pinned=True)
    assert result.failure is not None


async def test_the_histories_of_a_shop_replay(shop: Shop, temporal: Client) -> None:
    order_id = await shop.confirmed(TEA=1)
    await shop.delivered(order_id)
    await shop.ended(order_id)
    await shop.confirmed(MUG=1)
    await listed(temporal, 2)
    ended = await worker_process("replay", "--live", **at(temporal))
    assert ended.status == 0, ended.said
    assert "2 replayed (2 Order), 0 broke" in ended.said


async def test_one_that_breaks_is_named_with_what_to_do_next(waiting: Client) -> None:
    ended = await worker("replay", "--live", "--open", **at(waiting))
    assert ended.status == 1
    assert "Patience patient" in ended.said
    assert "does not have the workflow" in ended.said


async def test_a_server_that_is_not_reachable_is_status_2() -> None:
    ended = await worker("replay", "--live", TEMPORAL_HOST="127.0.0.1:1")
    assert ended.status == 2
    assert "not reachable at 127.0.0.1:1" in ended.said


# ── what was recorded ───────────────────────────────────────────────────────────────


async def test_recorded_histories_replay_from_files_and_directories(
    tmp_path: Path,
) -> None:
    recorded = (HISTORIES / "delivered-order.json").read_text()
    (tmp_path / "mine.json").write_text(recorded)
    ended = await worker(
        "replay", str(tmp_path), str(HISTORIES / "returned-return-1.json")
    )
    assert ended.status == 0
    assert "2 replayed (1 Order, 1 Return), 0 broke" in ended.said


async def test_a_recorded_history_with_another_step_breaks(tmp_path: Path) -> None:
    recorded = (HISTORIES / "split-order.json").read_text()
    (tmp_path / "changed.json").write_text(recorded.replace('"buy_label"', '"label"'))
    ended = await worker("replay", str(tmp_path))
    assert ended.status == 1
    assert "Order changed" in ended.said
    assert "workflow.patched" in ended.said


@pytest.mark.parametrize("content", ["", "{}", '{"events": 1}'])
async def test_a_file_that_is_no_history_is_status_2(
    tmp_path: Path, content: str
) -> None:
    (tmp_path / "else.json").write_text(content)
    ended = await worker("replay", str(tmp_path))
    assert ended.status == 2
    assert "else.json is no history" in ended.said


async def test_an_empty_directory_is_status_2(tmp_path: Path) -> None:
    assert (await worker("replay", str(tmp_path))).status == 2
