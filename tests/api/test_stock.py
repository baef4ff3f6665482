"""Products and stock: what is on hand is the sum of what happened to it."""

import asyncio
import uuid

import pytest
from shared.database.engine import Engine
from sqlalchemy import text

from tests.api.shop import (
    PRICE,
    SKU,
    Json,
    Shop,
    as_user,
    code,
    done,
    eur,
    eventually,
    key,
)


def receipt(quantity: int, sku: str = SKU) -> Json:
    lines = [{"sku": sku, "quantity": quantity}]
    return {"location": "berlin", "ref": "d-1", "lines": lines}


def adjustment(delta: int, **changed: object) -> Json:
    lines = [{"sku": SKU, "delta": delta}]
    return {"location": "berlin", "ref": "count", "lines": lines} | changed


async def on_hand(shop: Shop, **params: object) -> dict[str, int]:
    page = await shop.get("/v1/stock", **params)
    return {row["sku"]: row["on_hand"] for row in page["data"]}


async def test_a_product_is_created_and_replaced(shop: Shop) -> None:
    await shop.sell()
    await shop.sell(price=PRICE + 1, returnable=False)
    product = await shop.get(f"/v1/products/{SKU}")
    assert product["price"] == eur(PRICE + 1)
    assert product["returnable"] is False


async def test_products_are_listed_by_sku(shop: Shop) -> None:
    for sku in ("B", "A", "C"):
        await shop.sell(sku)
    first = await shop.get("/v1/products", limit=2)
    rest = await shop.get("/v1/products", limit=2, cursor=first["next_cursor"])
    listed = [product["sku"] for product in first["data"] + rest["data"]]
    assert listed == ["A", "B", "C"]


async def test_a_product_needs_a_plausible_price(shop: Shop) -> None:
    for price in (eur(-1), eur(10**11), {"amount": 1}):
        body = {"name": "Tea", "price": price}
        answer = await shop.client.put(f"/v1/products/{SKU}", json=body)
        assert (answer.status_code, code(answer)) == (422, "validation")


async def test_an_unknown_product_is_not_found(shop: Shop) -> None:
    for sku in ("NOTHING", "a b"):
        answer = await shop.client.get(f"/v1/products/{sku}")
        assert (answer.status_code, code(answer)) == (404, "not-found")


async def test_what_is_no_sku_is_told_so(shop: Shop) -> None:
    for sku in ("%00", "x" * 65):
        answer = await shop.client.get(f"/v1/products/{sku}")
        assert (answer.status_code, code(answer)) == (422, "validation")


async def test_goods_that_arrive_are_on_hand(shop: Shop) -> None:
    await shop.sell()
    changed = await shop.receive(5)
    assert changed["data"] == [
        {
            "sku": SKU,
            "location": "berlin",
            "on_hand": 5,
            "reserved": 0,
            "available": 5,
        }
    ]


async def test_a_receipt_counts_once(shop: Shop) -> None:
    await shop.sell()
    same = key()
    answers = await asyncio.gather(
        *(
            shop.client.post("/v1/stock/receipts", json=receipt(5), headers=same)
            for _ in range(10)
        )
    )
    assert [answer.status_code for answer in answers] == [201] * 10
    assert await on_hand(shop) == {SKU: 5}


async def test_a_receipt_counts_once_also_when_its_key_was_forgotten(
    shop: Shop, engine: Engine
) -> None:
    await shop.sell()
    same = key()
    await shop.client.post("/v1/stock/receipts", json=receipt(5), headers=same)
    async with engine.begin() as connection:
        await connection.execute(text("DELETE FROM idempotency_keys"))
    again = await shop.client.post("/v1/stock/receipts", json=receipt(5), headers=same)
    assert done(again)["data"][0]["on_hand"] == 5


async def test_a_delivery_note_is_booked_once(shop: Shop) -> None:
    """Unless it is said that as much came once more; the rest of it may follow."""
    for sku in (SKU, "MUG"):
        await shop.sell(sku)
    await shop.post("/v1/stock/receipts", receipt(5))
    twice = receipt(5) | {"lines": [{"sku": s, "quantity": 5} for s in (SKU, "MUG")]}
    answer = await shop.client.post("/v1/stock/receipts", json=twice, headers=key())
    assert (answer.status_code, code(answer)) == (409, "duplicate-reference")
    assert answer.json()["skus"] == [SKU]
    assert await on_hand(shop) == {SKU: 5}
    for more in (
        receipt(5, "MUG"),
        receipt(5) | {"again": True},
        receipt(5) | {"ref": "d-2"},
    ):
        await shop.post("/v1/stock/receipts", more)
    assert await on_hand(shop) == {"MUG": 5, SKU: 15}


async def test_receipts_at_once_lock_in_one_order(shop: Shop) -> None:
    for sku in ("A", "B"):
        await shop.sell(sku)

    def both(*skus: str) -> Json:
        lines = [{"sku": sku, "quantity": 1} for sku in skus]
        return {"location": "berlin", "ref": str(uuid.uuid4()), "lines": lines}

    answers = await asyncio.gather(
        *(
            shop.client.post("/v1/stock/receipts", json=both(*skus), headers=key())
            for skus in [("A", "B"), ("B", "A")] * 8
        )
    )
    assert [answer.status_code for answer in answers] == [201] * 16
    assert await on_hand(shop) == {"A": 16, "B": 16}


async def test_stock_is_corrected_in_both_directions(shop: Shop) -> None:
    await shop.sell()
    await shop.receive(5)
    await shop.post("/v1/stock/adjustments", adjustment(-3, reason="write_off"))
    await shop.post("/v1/stock/adjustments", adjustment(1))
    assert await on_hand(shop) == {SKU: 3}
    movements = (await shop.get(f"/v1/stock/{SKU}/movements"))["data"]
    told = [(movement["reason"], movement["on_hand"]) for movement in movements]
    assert told == [("adjust", 1), ("write_off", -3), ("receipt", 5)]


async def test_what_was_counted_is_there(shop: Shop) -> None:
    """Whether it was more or fewer, and noted as a count also where nothing differs."""
    for sku in (SKU, "MUG", "PIN"):
        await shop.sell(sku)
        await shop.receive(5, sku)
    counted = [
        {"sku": SKU, "counted": 3},
        {"sku": "MUG", "counted": 5},
        {"sku": "PIN", "delta": 1},
    ]
    body = adjustment(0) | {"lines": counted}
    for _ in range(2):
        await shop.post("/v1/stock/adjustments", body, **key("count-7"))
    assert await on_hand(shop) == {SKU: 3, "MUG": 5, "PIN": 6}
    told = {
        sku: (await shop.get(f"/v1/stock/{sku}/movements"))["data"][0]
        for sku in (SKU, "MUG", "PIN")
    }
    assert {
        sku: (moved["reason"], moved["on_hand"], moved["actor"])
        for sku, moved in told.items()
    } == {
        SKU: ("count", -2, "dev"),
        "MUG": ("count", 0, "dev"),
        "PIN": ("adjust", 1, "dev"),
    }


@pytest.mark.parametrize(
    ("lines", "reason", "pointer"),
    [
        ([{"sku": SKU}], "adjust", "#/lines/0"),
        ([{"sku": SKU, "delta": 1, "counted": 1}], "adjust", "#/lines/0"),
        ([{"sku": SKU, "counted": 1}] * 2, "adjust", "#/lines/1/sku"),
        ([{"sku": SKU, "counted": 1}], "write_off", "#/reason"),
    ],
)
async def test_a_count_that_says_two_things_is_refused(
    shop: Shop, lines: list[Json], reason: str, pointer: str
) -> None:
    await shop.sell()
    body = adjustment(0, reason=reason) | {"lines": lines}
    answer = await shop.client.post("/v1/stock/adjustments", json=body, headers=key())
    assert (answer.status_code, code(answer)) == (422, "validation")
    assert answer.json()["errors"][0]["pointer"] == pointer


async def test_what_is_reserved_cannot_be_taken_away(
    shop: Shop, engine: Engine
) -> None:
    await shop.sell()
    await shop.receive(5)
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE stock SET reserved = 2"))
    answer = await shop.client.post(
        "/v1/stock/adjustments", json=adjustment(-4), headers=key()
    )
    assert (answer.status_code, code(answer)) == (409, "would-go-negative")
    assert answer.json()["reserved"] == 2
    assert await on_hand(shop) == {SKU: 5}


async def test_stock_that_is_not_there_cannot_be_taken_away(shop: Shop) -> None:
    await shop.sell()
    answer = await shop.client.post(
        "/v1/stock/adjustments", json=adjustment(-1), headers=key()
    )
    assert (answer.status_code, code(answer)) == (409, "would-go-negative")


async def test_there_is_a_most_that_can_be_counted(shop: Shop, engine: Engine) -> None:
    await shop.sell()
    await shop.receive(5)
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE stock SET on_hand = 2000000000"))
    answer = await shop.client.post(
        "/v1/stock/receipts", json=receipt(1), headers=key()
    )
    assert (answer.status_code, code(answer)) == (409, "quantity-exceeded")


async def test_only_products_are_received(shop: Shop) -> None:
    await shop.open_location()
    answer = await shop.client.post(
        "/v1/stock/receipts", json=receipt(1, "NOTHING"), headers=key()
    )
    assert (answer.status_code, code(answer)) == (422, "unknown-sku")


async def test_stock_is_found_by_what_runs_low(shop: Shop) -> None:
    for sku, quantity in (("A", 2), ("B", 20)):
        await shop.sell(sku)
        await shop.receive(quantity, sku)
    assert await on_hand(shop, below=10) == {"A": 2}
    assert await on_hand(shop, sku="B") == {"B": 20}
    assert await on_hand(shop, location="nowhere") == {}
    first = await shop.get("/v1/stock", limit=1)
    rest = await shop.get("/v1/stock", limit=1, cursor=first["next_cursor"])
    assert [row["sku"] for row in first["data"] + rest["data"]] == ["A", "B"]


async def test_a_page_may_end_anywhere(shop: Shop) -> None:
    await shop.sell()
    for location in ("Halle\u00a0A", "Z"):
        await shop.open_location(location)
        await shop.post("/v1/stock/receipts", receipt(1) | {"location": location})
    first = await shop.get("/v1/stock", limit=1)
    rest = await shop.get("/v1/stock", limit=1, cursor=first["next_cursor"])
    assert [row["location"] for row in rest["data"]] == ["Z"]


async def test_movements_come_in_pages(shop: Shop) -> None:
    await shop.sell()
    for quantity in (1, 2, 3):
        await shop.receive(quantity)
    path = f"/v1/stock/{SKU}/movements"
    first = await shop.get(path, limit=2)
    rest = await shop.get(path, limit=2, cursor=first["next_cursor"])
    assert [m["on_hand"] for m in first["data"] + rest["data"]] == [3, 2, 1]


async def test_goods_that_arrive_wake_the_orders_that_wait_for_them(
    live: Shop,
) -> None:
    await live.sell(backorder=True)
    order = await live.confirmed_order(2)
    assert order["lines"][0]["reserved"] == 0
    await live.receive(5)
    await eventually(lambda: live.shipments(order))
    changed = await live.get(f"/v1/orders/{order['id']}")
    assert changed["lines"][0]["reserved"] == 2


async def test_each_part_of_it_has_its_scope(shop: Shop) -> None:
    clerk = as_user("clerk", "stock:read")
    refused = await shop.client.post(
        "/v1/stock/receipts", json=receipt(1), headers=clerk | key()
    )
    assert (refused.status_code, code(refused)) == (403, "insufficient-scope")
    done(await shop.client.get("/v1/stock", headers=clerk))


# ── from one location to another ────────────────────────────────────────────────────


def transfer(quantity: int, **changed: object) -> Json:
    lines = [{"sku": SKU, "quantity": quantity}]
    places = {"origin": "berlin", "destination": "hamburg"}
    return places | {"lines": lines, "ref": "van 3"} | changed


async def by_place(shop: Shop) -> dict[str, int]:
    page = await shop.get("/v1/stock", sku=SKU)
    return {row["location"]: row["on_hand"] for row in page["data"]}


async def two_places(shop: Shop) -> None:
    await shop.sell()
    await shop.open_location("hamburg")
    await shop.receive(5)


async def test_a_transfer_leaves_one_place_and_is_at_the_other(shop: Shop) -> None:
    await two_places(shop)
    done = await shop.post("/v1/stock/transfers", transfer(2))
    assert [row["on_hand"] for row in done["data"]] == [3, 2]
    assert await by_place(shop) == {"berlin": 3, "hamburg": 2}
    rows = (await shop.get(f"/v1/stock/{SKU}/movements"))["data"]
    moved = {(m["location"], m["on_hand"]) for m in rows if m["reason"] == "move"}
    assert moved == {("berlin", -2), ("hamburg", 2)}
    assert {m["ref"] for m in rows if m["reason"] == "move"} == {"van 3"}


async def test_a_transfer_counts_once_also_when_its_key_was_forgotten(
    shop: Shop, engine: Engine
) -> None:
    await two_places(shop)
    same = key()
    for _ in range(2):
        path = "/v1/stock/transfers"
        done(await shop.client.post(path, json=transfer(2), headers=same))
        async with engine.begin() as connection:
            await connection.execute(text("DELETE FROM idempotency_keys"))
    assert await by_place(shop) == {"berlin": 3, "hamburg": 2}


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"lines": [{"sku": SKU, "quantity": 6}]}, "would-go-negative"),
        ({"lines": [{"sku": "NOTHING", "quantity": 1}]}, "unknown-sku"),
        ({"destination": "atlantis"}, "unknown-location"),
        ({"destination": "berlin"}, "validation"),
    ],
)
async def test_a_transfer_that_cannot_be_moves_nothing(
    shop: Shop, changed: Json, problem: str
) -> None:
    await two_places(shop)
    body = transfer(2, **changed)
    answer = await shop.client.post("/v1/stock/transfers", json=body, headers=key())
    assert code(answer) == problem
    assert await by_place(shop) == {"berlin": 5}


async def test_transfers_in_both_directions_wait_for_one_another(shop: Shop) -> None:
    for sku in (SKU, "MUG"):
        await shop.sell(sku)
    await shop.open_location("hamburg")
    for sku in (SKU, "MUG"):
        await shop.receive(100, sku)
    lines = [{"sku": sku, "quantity": 1} for sku in (SKU, "MUG")]
    there = transfer(1, lines=lines)
    await shop.post(
        "/v1/stock/transfers",
        transfer(1, lines=[line | {"quantity": 50} for line in lines]),
    )
    back = there | {"origin": "hamburg", "destination": "berlin"}
    path = "/v1/stock/transfers"
    answers = await asyncio.gather(
        *(
            shop.client.post(path, json=body, headers=key())
            for body in (there, back) * 10
        )
    )
    assert {answer.status_code for answer in answers} == {201}
    assert await by_place(shop) == {"berlin": 50, "hamburg": 50}
