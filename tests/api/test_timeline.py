"""The timeline: every event once and in order, as a list and as it happens."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta

import httpx2
import pytest
from api.app import create_app
from api.http.auth import principal
from api.kernel.timeline.timeline import MOST_STREAMS, Timeline
from api.orders.timeline.routes import READERS
from api.settings import ApiSettings
from fastapi import FastAPI
from pydantic import BaseModel
from shared.database.engine import Engine
from shared.database.kernel.unit_of_work import UnitOfWork, change
from shared.database.orders.tables import Order
from shared.platform.serving import DrainingServer
from sqlalchemy import text

from tests.api.conftest import MakeSettings, running
from tests.api.serving import events, serving
from tests.api.shop import Json, Shop, as_user, code, done, eventually

STREAM = {"Accept": "text/event-stream"}


class Nothing(BaseModel):
    pass


async def happens(engine: Engine, order: Json, *types: str, **data: object) -> None:
    """What a worker does: change the order, one transaction for each event."""

    for type in types:

        async def apply(pending: UnitOfWork, type: str = type) -> Nothing:
            pending.event(type, **data)
            return Nothing()

        await change(
            engine,
            Order,
            order["id"],
            key=None,
            actor="system",
            apply=apply,
            result=Nothing,
        )


@asynccontextmanager
async def an_order_served(
    settings: ApiSettings,
) -> AsyncIterator[tuple[DrainingServer, httpx2.AsyncClient, Json]]:
    """An order in an API on a socket, which streams need."""
    async with (
        serving(create_app(settings)) as (server, url),
        httpx2.AsyncClient(base_url=url) as client,
    ):
        shop = Shop(client)
        await shop.sell()
        yield server, client, await shop.order()


@asynccontextmanager
async def streamed(
    client: httpx2.AsyncClient, order: Json, after: int | None = None
) -> AsyncIterator[AsyncIterator[Json]]:
    """The events of an order, as a browser hears them that knows the first `after`."""
    path = f"/v1/orders/{order['id']}/events"
    known = {} if after is None else {"Last-Event-ID": str(after)}
    async with client.stream("GET", path, headers=STREAM | known) as stream:
        yield events(stream)


async def ended(engine: Engine, order: Json, ago: timedelta) -> None:
    async with engine.begin() as connection:
        await connection.execute(
            text(
                "UPDATE orders SET status = 'completed', updated_at = :at"
                " WHERE id = :id"
            ),
            {"id": order["id"], "at": datetime.now(UTC) - ago},
        )


async def test_events_are_listed_after_a_number(shop: Shop, engine: Engine) -> None:
    await shop.sell()
    order = await shop.order()
    await happens(engine, order, "a", "b", "c")
    path = f"/v1/orders/{order['id']}/events"
    first = await shop.get(path, limit=2)
    rest = await shop.get(path, after=first["next_cursor"])
    assert [event["type"] for event in first["data"]] == ["order.placed", "a"]
    assert [event["seq"] for event in rest["data"]] == [3, 4]
    assert rest["next_cursor"] is None
    assert await shop.get(path, cursor=first["next_cursor"]) == rest


async def test_a_page_of_events_links_to_the_next(shop: Shop, engine: Engine) -> None:
    await shop.sell()
    order = await shop.order()
    await happens(engine, order, "order.confirmed")
    first = await shop.client.get(f"/v1/orders/{order['id']}/events?limit=1")
    link = first.headers["link"].partition(">")[0].removeprefix("<")
    following = await shop.client.get(link)
    assert [event["seq"] for event in done(following)["data"]] == [2]
    assert "link" not in following.headers


async def test_a_customer_learns_neither_who_works_on_it_nor_why_it_waits(
    shop: Shop, engine: Engine
) -> None:
    await shop.sell()
    order = await shop.order()
    await happens(engine, order, "hold.placed", reason="approval", findings=["fraud"])
    path = f"/v1/orders/{order['id']}/events?after=1"
    told = await shop.client.get(path, headers=as_user("ada", "orders:own"))
    [event] = done(told)["data"]
    assert event["actor"] == "shop"
    assert event["data"] == {"reason": "approval"}


@pytest.mark.parametrize("after", ["-1", "x", str(2**31), "1\0"])
async def test_a_number_that_is_not_one_is_refused(shop: Shop, after: str) -> None:
    await shop.sell()
    path = f"/v1/orders/{(await shop.order())['id']}/events"
    listed = await shop.client.get(path, params={"after": after})
    assert (listed.status_code, code(listed)) == (422, "validation")
    streamed = await shop.client.get(path, headers=STREAM | {"Last-Event-ID": after})
    assert (streamed.status_code, code(streamed)) == (422, "validation")


async def test_a_stream_tells_what_was_and_what_happens(
    make_settings: MakeSettings, engine: Engine
) -> None:
    async with (
        an_order_served(make_settings()) as (_, client, order),
        streamed(client, order) as heard,
    ):
        assert (await anext(heard))["type"] == "order.placed"
        await happens(engine, order, "a", "b")
        assert [(await anext(heard))["seq"] for _ in range(2)] == [2, 3]


async def test_a_stream_goes_on_after_the_last_event_that_was_heard(
    make_settings: MakeSettings, engine: Engine
) -> None:
    async with an_order_served(make_settings()) as (_, client, order):
        await happens(engine, order, "a", "b", "c")
        async with streamed(client, order, after=2) as heard:
            assert [(await anext(heard))["seq"] for _ in range(2)] == [3, 4]


async def test_a_stream_ends_a_while_after_the_order(
    shop: Shop, engine: Engine
) -> None:
    await shop.sell()
    order = await shop.order()
    await ended(engine, order, ago=timedelta(seconds=61))
    answer = await shop.client.get(f"/v1/orders/{order['id']}/events", headers=STREAM)
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert "id: 1\n" in answer.text


async def test_whoever_has_heard_the_end_is_not_made_to_come_again(
    shop: Shop, engine: Engine
) -> None:
    await shop.sell()
    order = await shop.order()
    path = f"/v1/orders/{order['id']}/events"
    await ended(engine, order, ago=timedelta(seconds=61))
    missed = await shop.client.get(path, headers=STREAM | {"Last-Event-ID": "0"})
    assert "id: 1\n" in missed.text
    heard = await shop.client.get(path, headers=STREAM | {"Last-Event-ID": "1"})
    assert heard.status_code == 204


async def test_a_stream_ends_with_the_caller_s_token(app: FastAPI) -> None:
    async with running(app) as client:
        shop = Shop(client)
        await shop.sell()
        order = await shop.order()
        caller = principal("ada", "orders:read", until=time.time() + 0.5)
        told = Timeline(app.state.deps, caller, order["id"], READERS)
        heard = b"".join([part async for part in told.stream(0)])
    assert b"order.placed" in heard


async def test_a_stream_ends_when_the_server_is_asked_to_stop(
    make_settings: MakeSettings,
) -> None:
    async with (
        an_order_served(make_settings()) as (server, client, order),
        streamed(client, order) as heard,
    ):
        await anext(heard)
        server.begin_to_drain()
        assert [event async for event in heard] == []


async def test_a_customer_may_follow_only_so_many_streams_at_once(
    make_settings: MakeSettings,
) -> None:
    async with (
        an_order_served(make_settings()) as (_, client, order),
        AsyncExitStack() as streams,
    ):
        path = f"/v1/orders/{order['id']}/events"
        ada = STREAM | as_user("ada", "orders:own")
        for _ in range(MOST_STREAMS):
            await heard_once(streams, client, path, ada)
        refused = await client.get(path, headers=ada)
        assert (refused.status_code, code(refused)) == (429, "too-many-requests")
        assert refused.headers["retry-after"]
        await heard_once(
            streams, client, path, STREAM | as_user("storefront", "orders:read")
        )
        await streams.aclose()

        async def is_let_in() -> bool:
            async with client.stream("GET", path, headers=ada) as stream:
                return stream.status_code == 200

        assert await eventually(is_let_in)


async def test_a_burst_of_streams_gets_no_further(make_settings: MakeSettings) -> None:
    async with an_order_served(make_settings()) as (_, client, order):
        path = f"/v1/orders/{order['id']}/events"
        ada = STREAM | as_user("ada", "orders:own")
        answered = asyncio.Barrier(MOST_STREAMS + 10)

        async def follow() -> int:
            async with client.stream("GET", path, headers=ada) as stream:
                await answered.wait()
                return stream.status_code

        statuses = await asyncio.gather(*(follow() for _ in range(answered.parties)))
        assert statuses.count(200) == MOST_STREAMS
        assert statuses.count(429) == 10


async def heard_once(
    streams: AsyncExitStack, client: httpx2.AsyncClient, path: str, who: dict[str, str]
) -> None:
    stream = client.stream("GET", path, headers=who)
    heard = events(await streams.enter_async_context(stream))
    streams.push_async_callback(heard.aclose)
    await anext(heard)


async def test_streams_are_heard_by_many(
    make_settings: MakeSettings, engine: Engine
) -> None:
    settings = make_settings(database_pool_size=2)
    async with an_order_served(settings) as (_, client, order):
        ready = [asyncio.Event() for _ in range(20)]

        async def listen(begun: asyncio.Event) -> str:
            async with streamed(client, order) as heard:
                await anext(heard)
                begun.set()
                return str((await anext(heard))["type"])

        listeners = [asyncio.create_task(listen(begun)) for begun in ready]
        for begun in ready:
            await begun.wait()
        await happens(engine, order, "news")
        assert await asyncio.gather(*listeners) == ["news"] * 20
