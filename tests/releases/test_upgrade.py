"""From the last commit whose parcels had workflows of their own (docs/adr/0009) to this
one: no worker of this code can go on with what runs there. Done as an operator does it:
docs/how-to/operate.md, "Roll out a version that cannot go on with what runs"."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest
from devstack.services import encryption
from devstack.temporal import temporal_binary
from temporalio.client import Client

from tests.releases.commands import Ended, at, worker, worker_process
from tests.releases.older import checked_out, git
from tests.releases.street import COURSES, Street
from tests.releases.two_builds import DEPLOYMENT, Build, Builds, servers, versioned

BEFORE = "4307bf67f01b85159034f1ff07402035d6cb20e3"
MEANWHILE = COURSES[::4]
"""What is ordered while both builds run."""
RUNNING = "ExecutionStatus = 'Running'"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1200),
    pytest.mark.skipif(
        git("cat-file", "-t", BEFORE) != "commit",
        reason=f"the history of this clone does not go back to {BEFORE:.7}",
    ),
]


@pytest.fixture(scope="module")
def python_before(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with checked_out(BEFORE, tmp_path_factory.mktemp("before") / "tree") as python:
        yield python


@pytest.fixture
async def builds(tmp_path: Path) -> AsyncIterator[Builds]:
    async with servers(tmp_path) as builds:
        yield builds


@pytest.fixture
async def street(builds: Builds) -> AsyncIterator[Street]:
    async with AsyncExitStack() as resources:
        yield Street(builds.stack, resources)


@pytest.fixture
async def client(builds: Builds) -> Client:
    return await Client.connect(builds.stack.at.temporal)


async def test_orders_end_on_their_build_or_are_taken_along(
    builds: Builds, street: Street, client: Client, python_before: Path
) -> None:
    before = builds.add("before", versioned("before"), python_before, public=True)
    await opened(before)
    await make_current(client, "before")
    await street.fill_shelves(before.url)
    left_alone = await street.place(before.url)
    by_old_api, by_new_api = [await street.place(before.url) for _ in range(2)]
    begun: list[str] = []

    async with street.sweeping(client), asyncio.TaskGroup() as people:
        people.create_task(street.finish(before.url, by_old_api))
        after = builds.add("after", versioned("after"))
        await after.migrations.run_to_end()
        await after.api.start()
        people.create_task(street.finish(after.url, by_new_api))
        for api in (after.url, before.url):
            begun += await street.place(api, MEANWHILE)
        await replaced(before, builds.add("public", versioned("after"), public=True))
        await after.worker.start()
        await make_current(client, "after")
        begun += await street.place(after.url, MEANWHILE)
        people.create_task(street.finish(after.url, begun))

    # What waits for somebody, perhaps for weeks.
    taken_along = await release(client, "restart", "--build", "before")
    assert taken_along.status == 0, taken_along.said
    await before.worker.stop()
    await street.sweep(client)
    await street.finish(before.url, left_alone)
    assert await street.rest(client) == []


async def test_without_builds_all_that_runs_is_ended_and_begins_anew(
    builds: Builds, street: Street, client: Client, python_before: Path
) -> None:
    before = builds.add("before", encryption(), python_before, public=True)
    await opened(before)
    await street.fill_shelves(before.url)
    left_alone, at_work = [await street.place(before.url) for _ in range(2)]
    assert await release_gate(client) == 1

    async with street.misbehaving(), asyncio.TaskGroup() as people:
        people.create_task(street.finish(before.url, at_work))
        # In the middle of whatever it does.
        await before.worker.kill(restart=False)
        await terminate_all(client)
        assert await release_gate(client) == 0
        after = builds.add("after", encryption(), public=True)
        await after.migrations.run_to_end()
        await replaced(before, after)
        await after.worker.start()
        await street.sweep(client)
        people.create_task(street.finish(after.url, left_alone))
    assert await street.rest(client) == []


async def opened(build: Build) -> None:
    await build.migrations.run_to_end()
    await build.api.start()
    await build.worker.start()


async def replaced(older: Build, newer: Build) -> None:
    """The public API."""
    await older.api.stop()
    await newer.api.start()


async def make_current(client: Client, build: str) -> None:
    # Refused until its workers have asked for work on every task queue.
    while (await release(client, "current", "--build", build)).status:  # noqa: ASYNC110
        await asyncio.sleep(0.2)


async def release(client: Client, *arguments: str) -> Ended:
    return await worker("release", *arguments, "--deployment", DEPLOYMENT, **at(client))


async def release_gate(client: Client) -> int:
    ended = await worker_process(
        *("replay", "--live", "--open"), **at(client), **encryption()
    )
    return ended.status


async def terminate_all(client: Client) -> None:
    where = client.service_client.config.target_host
    old = f"{RUNNING} AND StartTime < '{datetime.now(UTC).isoformat()}'"
    ending = await asyncio.create_subprocess_exec(
        *(temporal_binary(), "workflow", "terminate", "--address", where),
        *("--query", RUNNING, "--reason", "upgrade", "--yes"),
    )
    assert await ending.wait() == 0
    # The server does it in the background, and tells nobody. What a command begins anew
    # meanwhile takes no step yet.
    while (await client.count_workflows(old)).count:  # noqa: ASYNC110
        await asyncio.sleep(0.2)
