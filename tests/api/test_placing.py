"""Placing an order: accepted by PostgreSQL alone, once for a key, at today's price."""

import asyncio
import json

import pytest
from api.app import create_app
from api.http import dependencies
from api.http.idempotency import fingerprint
from api.orders.commands import Commands
from api.orders.order.schemas import NewOrder
from shared.database.engine import Engine
from sqlalchemy import text

from tests.api.conftest import MakeSettings, running
from tests.api.shop import (
    ADDRESS,
    PRICE,
    SHIPPING,
    SKU,
    Shop,
    an_order,
    as_user,
    code,
    done,
    eur,
    key,
)


async def test_an_order_is_accepted_while_temporal_is_down(shop: Shop) -> None:
    await shop.sell(tax_bp=700)
    answer = await shop.client.post("/v1/orders", json=an_order(2), headers=key())
    order = answer.json()
    assert answer.status_code == 201
    assert answer.headers["location"] == f"/v1/orders/{order['id']}"
    assert answer.headers["etag"] == '"1"'
    assert order["status"] == "placed"
    assert order["payment_status"] == "unpaid"
    assert order["fulfillment_status"] == "unfulfilled"
    assert order["totals"]["total"] == eur(2 * PRICE + SHIPPING)
    assert order["totals"]["tax"] == eur(169 + 32)


@pytest.fixture
def starting(monkeypatch: pytest.MonkeyPatch) -> tuple[asyncio.Event, asyncio.Event]:
    """Set when the API begins to start a workflow; and it goes on when this is set."""
    begun, may_go_on = asyncio.Event(), asyncio.Event()
    start = Commands.start

    async def slowly(self: Commands, order_id: str) -> bool:
        begun.set()
        await may_go_on.wait()
        return await start(self, order_id)

    monkeypatch.setattr(Commands, "start", slowly)
    return begun, may_go_on


async def test_no_answer_waits_for_the_start_of_its_workflow(
    shop: Shop, starting: tuple[asyncio.Event, asyncio.Event]
) -> None:
    begun, may_go_on = starting
    await shop.sell()
    assert (await shop.order())["status"] == "placed"
    await begun.wait()
    may_go_on.set()


async def test_whoever_is_slow_behind_the_api_slows_its_callers(
    shop: Shop,
    starting: tuple[asyncio.Event, asyncio.Event],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begun, may_go_on = starting
    monkeypatch.setattr(dependencies, "MOST_IN_BACKGROUND", 0)
    await shop.sell()
    placing = asyncio.create_task(shop.order())
    await begun.wait()
    assert not placing.done()
    may_go_on.set()
    assert (await placing)["status"] == "placed"


async def test_the_answer_is_what_is_read_afterwards(shop: Shop) -> None:
    await shop.sell()
    placed = await shop.order(metadata={"campaign": "spring", "gift": True})
    assert await shop.get(f"/v1/orders/{placed['id']}") == placed


async def test_twenty_posts_with_one_key_place_one_order(
    shop: Shop, engine: Engine
) -> None:
    await shop.sell()
    same = key()
    answers = await asyncio.gather(
        *(
            shop.client.post(
                "/v1/orders", json=an_order(external_ref="web-1"), headers=same
            )
            for _ in range(20)
        )
    )
    first = answers[0].json()
    assert [answer.status_code for answer in answers] == [201] * 20
    assert all(answer.json() == first for answer in answers)
    replays = [a for a in answers if a.headers.get("idempotency-replayed") == "true"]
    assert len(replays) == 19
    async with engine.connect() as connection:
        assert await connection.scalar(text("SELECT count(*) FROM orders")) == 1


async def test_a_key_belongs_to_one_request(shop: Shop) -> None:
    await shop.sell()
    same = key()
    done(await shop.client.post("/v1/orders", json=an_order(1), headers=same))
    other = await shop.client.post("/v1/orders", json=an_order(2), headers=same)
    assert (other.status_code, code(other)) == (422, "idempotency-key-reused")


async def test_another_caller_may_use_the_same_key(shop: Shop) -> None:
    await shop.sell()
    same = key()
    mine = await shop.client.post("/v1/orders", json=an_order(), headers=same)
    theirs = await shop.client.post(
        "/v1/orders", json=an_order(), headers=same | as_user("other", "orders:write")
    )
    assert done(mine)["id"] != done(theirs)["id"]


async def test_a_key_means_the_same_however_the_body_is_written(shop: Shop) -> None:
    await shop.sell()
    same = key() | {"Content-Type": "application/json"}
    compact = json.dumps(an_order(), separators=(",", ":"))
    spread = json.dumps(dict(reversed(an_order().items())), indent=2)
    first = await shop.client.post("/v1/orders", content=compact, headers=same)
    again = await shop.client.post("/v1/orders", content=spread, headers=same)
    assert done(again) == done(first)


def test_a_key_means_the_same_to_a_release_with_more_fields() -> None:
    class LaterOrder(NewOrder):
        gift_wrap: bool = False

    before, later = (
        fingerprint("POST /v1/orders", order.model_validate(an_order()))
        for order in (NewOrder, LaterOrder)
    )
    other = LaterOrder.model_validate(an_order(gift_wrap=True))
    assert before == later != fingerprint("POST /v1/orders", other)


async def test_a_key_means_the_same_across_the_upgrade_to_this_build(
    shop: Shop, engine: Engine
) -> None:
    """The one before told requests apart by fields, too, that nobody had sent."""
    await shop.sell()
    same = key()
    placed = await shop.client.post("/v1/orders", json=an_order(), headers=same)
    of_before = "UPDATE idempotency_keys SET fingerprint = sha256('an order')"
    async with engine.begin() as connection:
        await connection.execute(text(of_before))
    again = await shop.client.post("/v1/orders", json=an_order(), headers=same)
    assert done(again) == done(placed)


@pytest.mark.parametrize("missing", [{}, {"Idempotency-Key": ""}])
async def test_an_order_needs_a_key(shop: Shop, missing: dict[str, str]) -> None:
    answer = await shop.client.post("/v1/orders", json=an_order(), headers=missing)
    assert (answer.status_code, code(answer)) == (400, "idempotency-key-missing")


async def test_a_key_is_short_and_printable(shop: Shop) -> None:
    for wrong in (b"x" * 201, b"a b", "é".encode(), b'"half', b'half"', b'"'):
        headers = [
            (b"Idempotency-Key", wrong.encode() if isinstance(wrong, str) else wrong)
        ]
        answer = await shop.client.post("/v1/orders", json=an_order(), headers=headers)
        assert (answer.status_code, code(answer)) == (400, "malformed")


async def test_of_two_keys_none_is_taken(shop: Shop) -> None:
    headers = [("Idempotency-Key", "one"), ("Idempotency-Key", "two")]
    answer = await shop.client.post("/v1/orders", json=an_order(), headers=headers)
    assert (answer.status_code, code(answer)) == (400, "malformed")


async def test_a_refusal_is_told_again(shop: Shop) -> None:
    await shop.sell()
    wrong, same = an_order(expected_total=eur(1)), key()
    first = await shop.client.post("/v1/orders", json=wrong, headers=same)
    again = await shop.client.post("/v1/orders", json=wrong, headers=same)
    assert (again.status_code, code(again)) == (409, "price-changed")
    assert again.headers["idempotency-replayed"] == "true"
    assert again.json() == first.json()


async def test_the_total_must_be_what_it_costs_now(shop: Shop, engine: Engine) -> None:
    await shop.sell(price=1000)
    shown = an_order(2, expected_total=eur(2 * 900 + SHIPPING))
    answer = await shop.client.post("/v1/orders", json=shown, headers=key())
    assert (answer.status_code, code(answer)) == (409, "price-changed")
    assert answer.json()["total"] == eur(2 * 1000 + SHIPPING)
    async with engine.connect() as connection:
        assert await connection.scalar(text("SELECT count(*) FROM orders")) == 0


async def test_a_price_that_was_shown_must_be_the_price_now(shop: Shop) -> None:
    await shop.sell()
    lines = [
        {"sku": SKU, "quantity": 1, "unit_price": eur(PRICE)},
        {"sku": SKU, "quantity": 1, "unit_price": eur(PRICE + 1)},
    ]
    answer = await shop.client.post(
        "/v1/orders",
        json=an_order(lines=lines),
        headers=key() | as_user("storefront", "orders:write"),
    )
    assert (answer.status_code, code(answer)) == (409, "price-changed")
    assert answer.json()["prices"] == [{"line": 2, "sku": SKU, "price": eur(PRICE)}]


async def test_a_later_price_does_not_change_an_order(shop: Shop) -> None:
    await shop.sell()
    order = await shop.order(1)
    await shop.sell(price=9999)
    again = await shop.get(f"/v1/orders/{order['id']}")
    assert again["totals"]["goods"] == eur(PRICE)


@pytest.mark.parametrize(
    ("lines", "currency"),
    [
        ([{"sku": "NOBODY", "quantity": 1}], "EUR"),
        ([{"sku": "RETIRED", "quantity": 1}], "EUR"),
        ([{"sku": SKU, "quantity": 1}], "USD"),
    ],
)
async def test_only_what_is_sold_can_be_ordered(
    shop: Shop, lines: list[dict[str, object]], currency: str
) -> None:
    await shop.sell()
    await shop.sell("RETIRED", active=False)
    answer = await shop.client.post(
        "/v1/orders", json=an_order(lines=lines, currency=currency), headers=key()
    )
    assert (answer.status_code, code(answer)) == (422, "unknown-sku")
    assert answer.json()["skus"] == [lines[0]["sku"]]


async def test_a_reference_names_one_order(shop: Shop) -> None:
    await shop.sell()
    await shop.order(external_ref="web-7")
    answer = await shop.client.post(
        "/v1/orders", json=an_order(external_ref="web-7"), headers=key()
    )
    assert (answer.status_code, code(answer)) == (409, "duplicate-reference")


async def test_all_amounts_are_in_the_order_s_currency(shop: Shop) -> None:
    await shop.sell()
    dollars = {"amount": 3070, "currency": "USD"}
    answer = await shop.client.post(
        "/v1/orders", json=an_order(expected_total=dollars), headers=key()
    )
    assert code(answer) == "validation"
    assert answer.json()["errors"][0]["pointer"] == "#/expected_total/currency"


async def test_personal_data_is_in_the_contact_alone(
    shop: Shop, engine: Engine
) -> None:
    await shop.sell()
    order = await shop.order()
    async with engine.connect() as connection:
        contact = (
            await connection.execute(text("SELECT name, ship_to::text FROM contacts"))
        ).one()
        events = await connection.scalar(
            text("SELECT string_agg(data::text, '') FROM events")
        )
    assert contact.name == "Ada Example"
    assert json.loads(contact.ship_to) == ADDRESS
    assert "Ada" not in json.dumps(order) + str(events)


async def test_a_customer_orders_for_themselves(shop: Shop) -> None:
    await shop.sell()
    ada = as_user("ada", "orders:own")
    mine = await shop.client.post(
        "/v1/orders", json=an_order(customer_id=None), headers=ada | key()
    )
    theirs = await shop.client.post(
        "/v1/orders", json=an_order(customer_id="bob"), headers=ada | key()
    )
    assert done(mine)["customer_id"] == "ada"
    assert (theirs.status_code, code(theirs)) == (403, "insufficient-scope")


async def test_a_customer_s_id_may_be_as_long_as_a_subject(shop: Shop) -> None:
    await shop.sell()
    subject = "s" * 200
    order = await shop.order(customer_id=subject)
    page = await shop.get("/v1/orders", customer=subject)
    assert [found["id"] for found in page["data"]] == [order["id"]]
    answer = await shop.client.post(
        "/v1/erasures", json={"customer_id": subject}, headers=key()
    )
    assert code(answer) == "still-needed"


async def test_a_service_names_the_customer(shop: Shop) -> None:
    answer = await shop.client.post(
        "/v1/orders", json=an_order(customer_id=None), headers=key()
    )
    assert code(answer) == "validation"
    assert answer.json()["errors"][0]["pointer"] == "#/customer_id"


async def test_a_failure_leaves_the_key_open(make_settings: MakeSettings) -> None:
    same = key()
    down = make_settings(database_url="postgresql://postgres@127.0.0.1:1/nowhere")
    async with running(create_app(down)) as client:
        failed = await client.post("/v1/orders", json=an_order(), headers=same)
    assert (failed.status_code, code(failed)) == (503, "unavailable")
    assert failed.headers["retry-after"]
    async with running(create_app(make_settings())) as client:
        shop = Shop(client)
        await shop.sell()
        done(await client.post("/v1/orders", json=an_order(), headers=same))


async def test_waiting_ends_when_somebody_has_to_act(live: Shop) -> None:
    await live.sell()
    order = await live.post("/v1/orders", an_order(), Prefer="wait=20")
    assert [hold["reason"] for hold in order["holds"]] == ["stock"]


async def test_waiting_ends_when_the_order_is_confirmed(live: Shop) -> None:
    await live.sell()
    await live.receive(5)
    same = key() | {"Prefer": "respond-async, wait=20"}
    answer = await live.client.post("/v1/orders", json=an_order(), headers=same)
    assert answer.headers["preference-applied"] == "wait=20"
    assert done(answer)["status"] == "confirmed"
    again = await live.client.post("/v1/orders", json=an_order(), headers=same)
    assert again.headers["idempotency-replayed"] == "true"
    assert done(again)["id"] == answer.json()["id"]


@pytest.mark.parametrize(
    "prefer", ["Wait=1", "wait=1;why=x", 'wait = "1"', "a, wait=1"]
)
async def test_a_preference_is_understood_however_it_is_written(
    shop: Shop, prefer: str
) -> None:
    await shop.sell()
    answer = await shop.client.post(
        "/v1/orders", json=an_order(), headers=key() | {"Prefer": prefer}
    )
    assert answer.headers["preference-applied"] == "wait=1"


async def test_preferences_may_come_in_several_lines(shop: Shop) -> None:
    await shop.sell()
    headers = [*key().items(), ("Prefer", "respond-async"), ("Prefer", "wait=1")]
    answer = await shop.client.post("/v1/orders", json=an_order(), headers=headers)
    assert answer.headers["preference-applied"] == "wait=1"


async def test_waiting_ends_in_any_case(shop: Shop) -> None:
    await shop.sell()
    answer = await shop.client.post(
        "/v1/orders", json=an_order(), headers=key() | {"Prefer": "wait=1"}
    )
    assert done(answer)["status"] == "placed"
