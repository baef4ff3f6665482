"""`worker release`: who begins new orders, and no way to leave them to nobody."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from temporalio.client import Client
from worker.releasing.builds import Builds
from worker.releasing.problems import Refused
from worker.releasing.release_command import ramp, roll_back

from tests.api.shop import eventually
from tests.releases.commands import at, worker
from tests.releases.waiting import (
    DEPLOYMENT,
    Broken,
    Failing,
    build_of_patience,
    known,
    listed,
    wait_patiently,
)


@pytest.fixture
def builds(temporal: Client) -> Builds:
    return Builds(temporal, DEPLOYMENT)


async def shares(builds: Builds) -> dict[str, float]:
    return {build.id: build.share for build in await builds.all()}


async def test_a_ramp_goes_up_by_steps_until_the_build_is_current(
    builds: Builds, temporal: Client
) -> None:
    async with build_of_patience(temporal, "a"), build_of_patience(temporal, "b"):
        await known(builds, "a")
        await known(builds, "b")
        await builds.make_current("a")
        await ramp(builds, "b", [25], pause=0)
        assert await shares(builds) == {"a": 75, "b": 25}
        await ramp(builds, "b", [50, 100], pause=0)
        assert await shares(builds) == {"a": 0, "b": 100}
        assert (await builds.one("b")).state == "current"


async def test_a_rollback_stops_the_ramp_first_then_leaves_the_build(
    builds: Builds, temporal: Client
) -> None:
    async with build_of_patience(temporal, "a"), build_of_patience(temporal, "b"):
        await known(builds, "a")
        await known(builds, "b")
        await builds.make_current("a")
        await builds.make_current("b")
        await builds.ramp("a", 10)
        await roll_back(builds, None)
        assert await shares(builds) == {"a": 0, "b": 100}
        await roll_back(builds, None)
        assert await shares(builds) == {"a": 100, "b": 0}


async def test_a_build_whose_orders_have_failed_is_ramped_no_further(
    builds: Builds, temporal: Client
) -> None:
    async with on_a_ramp(builds, temporal, Failing):
        await listed(temporal, 1, "ExecutionStatus = 'Failed'")
        await is_taken_back(builds)


# The server speaks of trouble after five attempts.
@pytest.mark.slow
@pytest.mark.timeout(240)
async def test_a_build_whose_orders_are_in_trouble_is_ramped_no_further(
    builds: Builds, temporal: Client
) -> None:
    async with on_a_ramp(builds, temporal, Broken):
        # It takes a few attempts, and the list shows it a moment later.
        while not await builds.stuck_at_their_start():  # noqa: ASYNC110
            await asyncio.sleep(0.2)
        await is_taken_back(builds)


@asynccontextmanager
async def on_a_ramp(
    builds: Builds, temporal: Client, code: type
) -> AsyncIterator[None]:
    """Build b, with this code, has begun a workflow beside the current build a."""
    sound = build_of_patience(temporal, "a")
    async with sound, build_of_patience(temporal, "b", code):
        await known(builds, "a")
        await known(builds, "b")
        await builds.make_current("a")
        await builds.ramp("b", 100)
        await temporal.start_workflow("Patience", id="begun", task_queue=DEPLOYMENT)
        yield


async def is_taken_back(builds: Builds) -> None:
    with pytest.raises(Refused, match="taken back: 1 workflows"):
        await ramp(builds, "b", [10, 20], pause=0)
    assert await shares(builds) == {"a": 100, "b": 0}


async def test_no_build_gets_orders_whose_workers_are_gone(
    builds: Builds, temporal: Client
) -> None:
    async with build_of_patience(temporal, "a"):
        await known(builds, "a")
    # The server itself would allow it.
    with pytest.raises(Refused, match="No worker of build a"):
        await builds.make_current("a")
    with pytest.raises(Refused, match="No worker of build a"):
        await builds.ramp("a", 10)


async def test_there_is_nothing_to_go_back_to_before_the_second_build(
    builds: Builds, temporal: Client
) -> None:
    async with build_of_patience(temporal, "a"):
        await known(builds, "a")
        with pytest.raises(Refused, match="nothing to leave"):
            await roll_back(builds, None)
        await builds.make_current("a")
        with pytest.raises(Refused, match="No build was current before a"):
            await roll_back(builds, None)


async def test_the_command_shows_and_refuses_in_sentences(
    builds: Builds, temporal: Client
) -> None:
    where = at(temporal) | {"TEMPORAL_DEPLOYMENT_NAME": DEPLOYMENT}
    async with build_of_patience(temporal, "a"):
        await known(builds, "a")
        nobody = await worker("release", "status", **where)
        assert nobody.status == 0
        assert "no build is current" in nobody.said
        unknown = await worker("release", "current", "--build", "c", **where)
        assert unknown.status == 1
        assert "patience has no build 'c'; there are: a." in unknown.said
        await builds.make_current("a")
        await wait_patiently(temporal, "order")
        await listed(temporal, 1)

        async def the_build_is_listed_too() -> bool:
            status = await worker("release", "status", **where)
            lines = [" ".join(line.split()) for line in status.said.splitlines()]
            return "a current 100 % 1 open 0 in trouble" in lines

        # Which build an order is on comes to the list later than the order.
        assert await eventually(the_build_is_listed_too)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["status"], "TEMPORAL_DEPLOYMENT_NAME"),
        (["current", "--deployment", "d"], "TEMPORAL_WORKER_BUILD_ID"),
        (["ramp", "--deployment", "d", "--build", "b", "0"], "more than 0"),
        ([], "ACTION"),
    ],
)
async def test_what_is_missing_is_said(
    temporal: Client, arguments: list[str], said: str
) -> None:
    ended = await worker("release", *arguments, **at(temporal))
    assert ended.status == 2
    assert said in ended.said
