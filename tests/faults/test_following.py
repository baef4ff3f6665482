"""Who follows an order hears everything once, whatever restarts meanwhile."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal

import pytest
from devstack.subprocess import Process

from tests.faults.customers import confirmed, look
from tests.faults.following import Follower
from tests.faults.gone import gone
from tests.faults.people import ADDRESS, Town
from tests.faults.plan import Json
from tests.faults.system import System

RESTARTS = 3


@asynccontextmanager
async def following(town: Town, order: Json) -> AsyncIterator[Follower]:
    follower = Follower(town.http, order["id"])
    task = asyncio.create_task(follower.follow())
    try:
        await follower.has_heard(order["version"])
        yield follower
    finally:
        task.cancel()
        await asyncio.wait({task})


async def hold_up_again_and_again(
    town: Town, order: Json, enough: asyncio.Event
) -> None:
    """To the end of what it has begun: a request that is cut off may have its effect
    after everybody has looked."""
    while not enough.is_set():
        path, note = f"/v1/orders/{order['id']}/holds", "The customer called."
        hold = await command(town, path, {"note": note}, who="clerk")
        released = {"decision": "release", "note": note}
        await command(town, f"/v1/holds/{hold['id']}/release", released)


async def command(town: Town, path: str, body: Json, who: str = "operator") -> Json:
    headers = {"Idempotency-Key": str(uuid.uuid4()), "X-Dev-User": who}
    answer = await town.ask("POST", path, body, **headers)
    answer.raise_for_status()
    done: Json = answer.json()
    return done


async def restart(process: Process, how: Literal["stops", "dies"]) -> None:
    if how == "stops":
        await process.stop()
        await process.start()
    else:
        await process.kill()
        await process.until_ready()


@pytest.mark.parametrize("how", [pytest.param("stops", marks=pytest.mark.slow), "dies"])
async def test_a_restart_of_the_api_neither_loses_nor_repeats_an_event(
    system: System, town: Town, how: Literal["stops", "dies"]
) -> None:
    order = await confirmed(town)
    async with following(town, order) as follower:
        enough = asyncio.Event()
        changing = asyncio.create_task(hold_up_again_and_again(town, order, enough))
        for done in range(RESTARTS):
            # What a dead API had sent is heard after its end: look at the stream, too.
            await follower.has_opened(done + 1)
            await follower.has_heard(follower.heard[-1] + 2)
            await restart(system.stack["api"], how)
        enough.set()
        await changing
        version = (await look(town, order["id"]))["version"]
        await follower.has_opened(RESTARTS + 1)
        await follower.has_heard(version)
    assert follower.heard == list(range(1, version + 1))


async def test_what_happens_without_temporal_is_heard(
    system: System, town: Town
) -> None:
    order = await confirmed(town)
    path, version = f"/v1/orders/{order['id']}/contact", order["version"]
    body = {"ship_to": ADDRESS | {"street": "Example Street 2"}}
    async with (
        following(town, order) as follower,
        gone(system.stack["temporal"], "refuses"),
    ):
        changed = await town.ask("PATCH", path, body, **{"If-Match": f'"{version}"'})
        assert changed.json()["version"] == version + 1
        await follower.has_heard(version + 1)
    assert follower.heard == list(range(1, version + 2))
