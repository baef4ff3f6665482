"""Finding orders by what people have of them, and naming them by their number."""

from typing import Any

import httpx2
import pytest
from shared.database.engine import Engine
from sqlalchemy import text

from tests.api.shop import ADDRESS, Shop, as_user, code, done, key

MARIA: dict[str, Any] = {
    "customer_id": "maria",
    "contact": {"name": "Márïa Müller", "email": "Maria.Mueller@example.com"},
    "ship_to": ADDRESS | {"name": "Anna-Lena Gruber"},
}


async def found(shop: Shop, q: str, **more: Any) -> list[str]:
    answer = await shop.client.post("/v1/orders/search", json={"q": q, **more})
    return [order["id"] for order in done(answer)["data"]]


async def test_orders_are_found_by_whom_they_are_for(shop: Shop) -> None:
    await shop.sell()
    await shop.order()
    order = await shop.order(external_ref="web-7", **MARIA)
    for known in (
        *("maria müller", "MULLER", "muller mar", "Gruber", "lena"),
        "maria.mueller@EXAMPLE.com",
        *("web-7", f"#{order['number']}", str(order["number"]), order["id"]),
    ):
        assert await found(shop, known) == [order["id"]], known
    for unknown in (
        "mulleria",
        "maria ada",
        "mueller@example.com",
        "&|!()':*",
        "9" * 90,
    ):
        assert await found(shop, unknown) == [], unknown


async def test_orders_are_found_by_the_number_of_any_of_their_parcels(
    shop: Shop, engine: Engine
) -> None:
    await shop.sell()
    order = await shop.order()
    async with engine.begin() as connection:
        for statement in (
            "INSERT INTO shipments (id, order_id, location, status, tracking)"
            " VALUES ('shp_x', :id, 'berlin', 'ready', 'SIM1')",
            "INSERT INTO shipment_lines (shipment_id, order_id, line, qty)"
            " VALUES ('shp_x', :id, 1, 0)",
            "INSERT INTO packages (shipment_id, number, parcel, tracking)"
            " SELECT 'shp_x', 2, '{}', 'SIM2' FROM orders WHERE id = :id",
            "INSERT INTO returns (id, order_id, status, tracking, requested_by)"
            " VALUES ('ret_x', :id, 'closed', 'SIM3', 'ada')",
            "INSERT INTO return_lines (return_id, order_id, line, qty, reason)"
            " VALUES ('ret_x', :id, 1, 1, 'x')",
        ):
            await connection.execute(text(statement), {"id": order["id"]})
    for tracking in ("SIM1", "SIM2", "SIM3"):
        assert await found(shop, tracking) == [order["id"]]
        page = await shop.get("/v1/orders", tracking=["SIM9", tracking])
        assert [one["id"] for one in page["data"]] == [order["id"]]


async def test_a_search_goes_on_where_its_page_ended(shop: Shop) -> None:
    await shop.sell()
    newest_first = [(await shop.order())["id"] for _ in range(3)][::-1]
    search = {"q": "ada example", "limit": 2}
    first = await shop.client.post("/v1/orders/search", json=search)
    assert "link" not in first.headers, "nobody can follow it"
    page = done(first)
    assert [order["id"] for order in page["data"]] == newest_first[:2]
    rest = await found(shop, "ada example", limit=2, cursor=page["next_cursor"])
    assert rest == newest_first[2:]


async def test_whom_an_order_is_for_stands_in_no_address(shop: Shop) -> None:
    for name in ("email", "name", "phone"):
        answer = await shop.client.get("/v1/orders", params={name: "ada"})
        assert (answer.status_code, code(answer)) == (422, "validation")


async def test_an_order_is_named_by_its_number_wherever_by_its_id(shop: Shop) -> None:
    await shop.sell()
    order = await shop.order()
    for name in (str(order["number"]), f"%23{order['number']}"):
        for path in ("", "/events", "/contact", "/notes", "/messages"):
            by_id = await shop.get(f"/v1/orders/{order['id']}{path}")
            assert await shop.get(f"/v1/orders/{name}{path}") == by_id
    note = {"text": "by number"}
    done(
        await shop.client.post(
            f"/v1/orders/{order['number']}/notes", json=note, headers=key()
        )
    )
    notes = await shop.get(f"/v1/orders/{order['id']}/notes")
    assert [one["text"] for one in notes["data"]] == ["by number"]


async def test_a_number_tells_nothing_of_an_order_of_somebody_else(shop: Shop) -> None:
    await shop.sell()
    order = await shop.order()
    bob = as_user("bob", "orders:own")
    answers = [
        await shop.client.get(f"/v1/orders/{name}", headers=bob)
        for name in (order["number"], order["number"] + 1, order["id"])
    ]
    said = {(answer.status_code, answer.json()["detail"]) for answer in answers}
    assert len(said) == 1
    assert answers[0].status_code == 404
    assert order["id"] not in answers[0].text


@pytest.mark.parametrize("sort", ["-created_at", "created_at"])
async def test_orders_of_products_or_places_come_in_pages_and_each_once(
    shop: Shop, engine: Engine, sort: str
) -> None:
    for sku in ("TEA", "CUP", "POT"):
        await shop.sell(sku)
    placed = []
    for skus in (["TEA"], ["CUP"], ["TEA", "TEA", "CUP"], ["POT"], ["CUP", "TEA"]):
        lines = [{"sku": sku, "quantity": 1} for sku in skus]
        order = await shop.order(lines=lines, expected_total=None)
        placed.append((order["id"], set(skus)))
    async with engine.begin() as connection:
        # As a worker does: the moment of the order is PostgreSQL's to know.
        for number, location in enumerate(("berlin", "hamburg", "berlin")):
            shipment = {"id": f"shp_{number}", "at": location, "of": placed[2][0]}
            await connection.execute(_SHIPMENT, shipment)
    sent_from_berlin = [placed[2][0]]
    if sort.startswith("-"):
        placed.reverse()
    for wanted in ({"TEA"}, {"TEA", "POT"}):
        known = [order for order, skus in placed if skus & wanted]
        assert await pages(shop, sort=sort, sku=[*wanted]) == known
    assert await pages(shop, sort=sort, location=["berlin"]) == sent_from_berlin


_SHIPMENT = text(
    "WITH sent AS (INSERT INTO shipments (id, order_id, location, status)"
    " VALUES (:id, :of, :at, 'ready') RETURNING id, order_id)"
    " INSERT INTO shipment_lines (shipment_id, order_id, line, qty)"
    " SELECT id, order_id, 1, 0 FROM sent"
)


async def pages(shop: Shop, **params: Any) -> list[str]:
    """All of a list, two at a time."""
    ids: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = await shop.get("/v1/orders", limit=2, **params, **cursor)
        ids += [order["id"] for order in page["data"]]
        if page["next_cursor"] is None:
            return ids
        cursor = {"cursor": page["next_cursor"]}


async def test_a_line_that_an_older_build_wrote_knows_when_it_was_ordered(
    shop: Shop, engine: Engine
) -> None:
    await shop.sell()
    order = await shop.order()
    async with engine.begin() as connection:
        await connection.execute(
            text(
                "INSERT INTO order_lines (order_id, line, sku, name, qty, total)"
                " VALUES (:id, 2, 'OLD', 'Old', 1, 1)"
            ),
            {"id": order["id"]},
        )
    assert await pages(shop, sku=["OLD"]) == [order["id"]]


@pytest.mark.parametrize(
    ("params", "pointer", "error"),
    [
        ({"sort": "price"}, "query:sort", "literal_error"),
        ({"payment_status": "rich"}, "query:payment_status/0", "literal_error"),
        (
            {
                "created_from": "2026-02-01T00:00:00Z",
                "created_to": "2026-02-01T00:00:00Z",
            },
            "query:created_to",
            "empty-range",
        ),
        (
            {
                "updated_from": "2026-02-01T00:00:00Z",
                "updated_to": "2026-01-01T00:00:00Z",
            },
            "query:updated_to",
            "empty-range",
        ),
        ({"sku": ["A"] * 21}, "query:sku", "too_long"),
    ],
    ids=str,
)
async def test_what_makes_no_list_is_refused(
    shop: Shop, params: dict[str, Any], pointer: str, error: str
) -> None:
    answer = await shop.client.get("/v1/orders", params=params)
    assert (answer.status_code, code(answer)) == (422, "validation")
    [mistake] = answer.json()["errors"]
    assert (mistake["pointer"], mistake["code"]) == (pointer, error)


async def test_a_cursor_belongs_to_a_list_and_how_it_is_sorted(shop: Shop) -> None:
    await shop.sell()
    for _ in range(2):
        await shop.order()
    page = await shop.get("/v1/orders", limit=1, sort="number")
    for sort in ("-number", "created_at"):
        other = {"limit": 1, "sort": sort, "cursor": page["next_cursor"]}
        answer = await shop.client.get("/v1/orders", params=other)
        assert pointer_of(answer) == "query:cursor"
    search = {"q": "ada", "cursor": page["next_cursor"]}
    answer = await shop.client.post("/v1/orders/search", json=search)
    assert pointer_of(answer) == "#/cursor"


def pointer_of(answer: httpx2.Response) -> str:
    assert answer.status_code == 422
    return str(answer.json()["errors"][0]["pointer"])
