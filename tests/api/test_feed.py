"""The feed: every event of every subject, once and in order, whoever commits late."""

import asyncio

import httpx2
import pytest
from api.app import create_app
from shared.database.engine import Engine
from shared.database.kernel import unit_of_work
from shared.database.kernel.unit_of_work import UnitOfWork, change
from shared.database.orders.tables import Order
from sqlalchemy import text

from tests.api.conftest import MakeSettings
from tests.api.serving import events, serving
from tests.api.shop import Json, Shop, as_user, code, eventually
from tests.api.test_timeline import STREAM, Nothing, happens

HOLDS_ITS_TRANSACTION = text(
    "INSERT INTO events (subject, seq, type, actor) VALUES (:order, 99, 'late', 'x')"
)

GATE = "pg_advisory_xact_lock(1)"
AT_THE_GATE = text(
    "SELECT count(*) FROM pg_locks JOIN pg_database d ON d.oid = database"
    " WHERE locktype = 'advisory' AND NOT granted AND datname = current_database()"
)
locking = unit_of_work._locking


@pytest.fixture
async def order(shop: Shop) -> Json:
    await shop.sell()
    return await shop.order()


async def settled(shop: Shop, count: int, **params: object) -> list[Json]:
    """The first `count` events: the transactions of tests that run beside this one may
    hold the feed of this server up for a moment."""

    async def found() -> list[Json]:
        page = await shop.get("/v1/events", **params)
        return page["data"] if len(page["data"]) >= count else []

    return await eventually(found)


def types(events: list[Json]) -> list[str]:
    return [event["type"] for event in events]


async def test_what_commits_late_is_neither_skipped_nor_reordered(
    shop: Shop, order: Json, engine: Engine
) -> None:
    [placed] = await settled(shop, 1)
    async with engine.begin() as late:
        await late.execute(HOLDS_ITS_TRANSACTION, {"order": order["id"]})
        await happens(engine, order, "early")
        page = await shop.get("/v1/events", after=placed["id"])
        assert (page["data"], page["next_cursor"]) == ([], None)
    assert types(await settled(shop, 2, after=placed["id"])) == ["late", "early"]


async def test_who_waited_for_a_younger_transaction_comes_after_it(
    shop: Shop, order: Json, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostgreSQL may number a transaction before it has the lock that it waits for, and
    one with a higher number may have the lock first."""
    async with engine.begin() as gate:
        await gate.execute(text(f"SELECT {GATE}"))
        with monkeypatch.context() as patched:
            patched.setattr(unit_of_work, "_locking", numbered_at_the_gate)
            waiting = asyncio.create_task(happens(engine, order, "waited"))
            await eventually(lambda: waits_at_the_gate(engine))
        await happens(engine, order, "younger")
    await waiting
    found = await settled(shop, 3)
    assert types(found) == ["order.placed", "younger", "waited"]
    assert [event["seq"] for event in found] == [1, 2, 3]


def numbered_at_the_gate(table: str, subject: str) -> str:
    begin, lock = locking(table, subject).split("; ")
    return f"{begin}; SELECT pg_current_xact_id(); SELECT {GATE}; {lock}"


async def waits_at_the_gate(engine: Engine) -> bool:
    async with engine.connect() as connection:
        return bool(await connection.scalar(AT_THE_GATE, {}))


@pytest.mark.parametrize("count", [2, 3, 9])
async def test_what_one_transaction_writes_comes_in_the_order_of_its_subject(
    shop: Shop, order: Json, engine: Engine, count: int
) -> None:
    """Statements that are sent as parts of one run in an order of PostgreSQL's own."""

    async def apply(work: UnitOfWork) -> Nothing:
        for number in range(count):
            work.event(f"step.{number}")
        return Nothing()

    await change(
        *(engine, Order, order["id"]),
        key="steps",
        actor="system",
        apply=apply,
        result=Nothing,
    )
    found = await settled(shop, count + 1)
    assert [event["seq"] for event in found] == list(range(1, count + 2))


async def test_a_page_is_continued_where_it_ended(
    shop: Shop, order: Json, engine: Engine
) -> None:
    await happens(engine, order, "order.confirmed")
    whole = await settled(shop, 2)
    first = await shop.get("/v1/events", limit=1)
    rest = await shop.get("/v1/events", cursor=first["next_cursor"])
    assert first["data"] + rest["data"] == whole
    assert rest["next_cursor"] is None


async def test_an_event_is_thin_and_leads_to_its_subject(
    shop: Shop, order: Json
) -> None:
    [event] = await settled(shop, 1)
    assert set(event) == {"id", "type", "subject", "seq", "at", "data", "href"}
    assert (await shop.get(event["href"]))["id"] == order["id"]


async def test_who_has_taken_a_hold_over_is_told_to_nobody_outside(
    shop: Shop, order: Json, engine: Engine
) -> None:
    data = {"hold_id": "hld_1", "assignee": "grace@shop.example"}
    await happens(engine, order, "hold.assigned", **data)
    [_, assigned] = await settled(shop, 2)
    assert assigned["data"] == {"hold_id": "hld_1"}
    timeline = await shop.get(f"/v1/orders/{order['id']}/events")
    assert timeline["data"][-1]["data"]["assignee"] == "grace@shop.example"


async def test_only_the_types_that_are_asked_for_come(
    shop: Shop, order: Json, engine: Engine
) -> None:
    await happens(engine, order, "order.confirmed", "refund.succeeded", "orderly.x")
    await settled(shop, 4)
    orders = await settled(shop, 2, types="order.*")
    others = await settled(shop, 2, types=["refund.*", "orderly.x"])
    assert types(orders) == ["order.placed", "order.confirmed"]
    assert types(others) == ["refund.succeeded", "orderly.x"]


async def test_a_rare_type_is_looked_for_page_by_page(
    shop: Shop, order: Json, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.kernel.feed.queries.MOST_SCANNED", 2)
    await happens(engine, order, "a.a", "a.b", "a.c", "rare.one")
    await settled(shop, 5)
    after, found = "0-0", []
    while after is not None:
        page = await shop.get("/v1/events", types="rare.*", after=after)
        found += page["data"]
        after = page["next_cursor"]
    assert types(found) == ["rare.one"]


async def test_latest_brings_only_what_comes(
    shop: Shop, order: Json, engine: Engine
) -> None:
    await settled(shop, 1)
    latest = await shop.get("/v1/events", after="latest")
    assert latest["data"] == []


@pytest.mark.parametrize(
    ("params", "problem"),
    [
        ({"after": "9223372036854775807-1"}, "cursor-ahead"),
        ({"after": "9223372036854775808-1"}, "validation"),
        ({"after": "order"}, "validation"),
        ({"cursor": "1-１"}, "validation"),
        ({"types": "order.*.x"}, "validation"),
        ({"types": ""}, "validation"),
        ({"limit": "201"}, "validation"),
        ({"since": "1"}, "validation"),
    ],
)
async def test_a_mistaken_question_has_its_problem(
    client: httpx2.AsyncClient, params: dict[str, str], problem: str
) -> None:
    assert code(await client.get("/v1/events", params=params)) == problem


async def test_customers_do_not_see_it(client: httpx2.AsyncClient) -> None:
    answer = await client.get("/v1/events", headers=as_user("ada", "orders:own"))
    assert code(answer) == "insufficient-scope"


async def test_a_stream_goes_on_after_the_last_event_that_was_heard(
    make_settings: MakeSettings, engine: Engine
) -> None:
    async with (
        serving(create_app(make_settings())) as (_, url),
        httpx2.AsyncClient(base_url=url) as client,
    ):
        shop = Shop(client)
        await shop.sell()
        order = await shop.order()
        [placed] = await settled(shop, 1)
        headers = STREAM | {"Last-Event-ID": placed["id"]}
        async with client.stream("GET", "/v1/events", headers=headers) as stream:
            heard = events(stream)
            async with engine.begin() as late:
                await late.execute(HOLDS_ITS_TRANSACTION, {"order": order["id"]})
                await happens(engine, order, "early")
            async with asyncio.timeout(30):
                assert [(await anext(heard))["type"] for _ in range(2)] == [
                    "late",
                    "early",
                ]


@pytest.mark.slow
async def test_a_follower_misses_nothing_of_a_transaction_that_was_open_for_30_seconds(
    make_settings: MakeSettings, engine: Engine
) -> None:
    """It has the lowest id, and others write all the time while it is open."""
    async with (
        serving(create_app(make_settings())) as (_, url),
        httpx2.AsyncClient(base_url=url, timeout=60) as client,
    ):
        shop = Shop(client)
        await shop.sell()
        order = await shop.order()
        [placed] = await settled(shop, 1)
        written = ["late"]
        headers = STREAM | {"Last-Event-ID": placed["id"]}
        async with client.stream("GET", "/v1/events", headers=headers) as stream:
            heard = events(stream)
            async with engine.begin() as late:
                await late.execute(HOLDS_ITS_TRANSACTION, {"order": "ord_of_another"})
                until = asyncio.get_running_loop().time() + 30
                while asyncio.get_running_loop().time() < until:
                    written.append(f"early.{len(written)}")
                    await happens(engine, order, written[-1])
                    page = await shop.get("/v1/events", after=placed["id"])
                    assert page["data"] == []
            assert len(written) > 30
            async with asyncio.timeout(30):
                told = [await anext(heard) for _ in written]
        pages, after = list[Json](), placed["id"]
        while page := (await shop.get("/v1/events", after=after, limit=200))["data"]:
            pages, after = pages + page, page[-1]["id"]
    assert types(told) == written
    assert pages == told
