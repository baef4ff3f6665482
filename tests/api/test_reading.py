"""Reading orders: pages, filters, versions, and who sees what."""

import threading
from datetime import UTC, datetime
from typing import Any

import pytest
from api.app import create_app
from api.http.renderings import Renderings
from api.orders.order.presenter import show_order
from api.orders.order.schemas import Order
from shared.database.engine import Engine
from shared.database.orders.snapshot import OrderSnapshot
from sqlalchemy import text

from tests.api.conftest import MakeSettings, running
from tests.api.shop import SKU, Shop, an_order, as_user, code, done, key


async def ids(shop: Shop, **params: Any) -> list[str]:
    page = await shop.get("/v1/orders", **params)
    return [order["id"] for order in page["data"]]


async def placed(shop: Shop, count: int) -> list[str]:
    """Newest first, as lists have them."""
    await shop.sell()
    orders = [(await shop.order(external_ref=f"web-{n}"))["id"] for n in range(count)]
    return orders[::-1]


async def test_pages_follow_one_another_without_a_gap(shop: Shop) -> None:
    newest_first = await placed(shop, 5)
    seen, params = [], {"limit": 2}
    while True:
        page = await shop.get("/v1/orders", **params)
        seen += [order["id"] for order in page["data"]]
        if page["next_cursor"] is None:
            break
        params["cursor"] = page["next_cursor"]
    assert seen == newest_first


async def test_a_page_links_to_the_next(shop: Shop) -> None:
    newest_first = await placed(shop, 3)
    first = await shop.client.get("/v1/orders?limit=2&customer=ada")
    link = first.headers["link"].partition(">")[0].removeprefix("<")
    following = done(await shop.client.get(link))
    assert [order["id"] for order in following["data"]] == newest_first[2:]
    assert "link" not in (await shop.client.get(link)).headers


async def test_a_large_page_is_made_while_others_are_served(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    await placed(shop, 2)
    threads = []

    def seen(order: OrderSnapshot) -> Order:
        threads.append(threading.get_ident())
        return show_order(order)

    monkeypatch.setattr("api.orders.order.queries.show_order", seen)
    assert len(await ids(shop)) == len(threads) == 2
    assert threading.get_ident() not in threads, "the loop's own thread"


async def test_a_list_shows_each_order_as_it_is_now(shop: Shop, engine: Engine) -> None:
    """Whoever asks, and though only what has changed is written anew."""
    ids = await placed(shop, 3)
    clerk = as_user("grace", "orders:read")
    # The last as after a restore: the same version of another change.
    for changed, step in (*((one, 1) for one in ids), (ids[0], 1), (ids[0], 0)):
        async with engine.begin() as connection:
            await connection.execute(
                text(
                    "UPDATE orders SET version = version + :step, updated_at = now(),"
                    " reason = 'asked', status = 'cancelled',"
                    " metadata = jsonb_build_object('at', now()) WHERE id = :id"
                ),
                {"id": changed, "step": step},
            )
        for headers in (None, clerk):
            answer = await shop.client.get("/v1/orders", headers=headers)
            assert done(answer)["data"] == [
                await shop.get(f"/v1/orders/{order_id}") for order_id in ids
            ]


def test_no_more_is_remembered_than_there_is_room_for() -> None:
    renderings = Renderings(most_bytes=10)
    first, second = ((number, datetime.now(UTC)) for number in (1, 2))
    renderings.keep("a", first, "aaaa")
    renderings.keep("b", first, "bbbb")
    assert renderings.find("a", first) == "aaaa", "and is the one seen last"
    renderings.keep("c", first, "cccc")
    assert [renderings.find(one, first) for one in "abc"] == ["aaaa", None, "cccc"]
    renderings.keep("a", second, "aa")
    assert renderings.find("a", first) is None
    renderings.keep("d", first, "d" * 11)
    assert [renderings.find(one, first) for one in "acd"] == [None] * 3


async def test_orders_are_found_by_what_people_know(shop: Shop) -> None:
    await placed(shop, 2)
    page = await shop.get("/v1/orders", q="web-1")
    [order] = page["data"]
    assert await ids(shop, q=str(order["number"])) == [order["id"]]
    assert await ids(shop, q=order["id"]) == [order["id"]]
    assert await ids(shop, q="9" * 90) == []


async def test_filters_narrow_the_list(shop: Shop) -> None:
    [order_id] = await placed(shop, 1)
    assert await ids(shop, status="placed") == [order_id]
    assert await ids(shop, status="cancelled") == []
    assert await ids(shop, customer="ada") == [order_id]
    assert await ids(shop, customer="bob") == []
    assert await ids(shop, created_from="2020-01-01T00:00:00Z") == [order_id]
    assert await ids(shop, created_to="2020-01-01T00:00:00+01:00") == []
    assert await ids(shop, hold="stock") == []


async def test_orders_on_hold_are_found_by_the_reason(
    shop: Shop, engine: Engine
) -> None:
    order_id, _ = await placed(shop, 2)
    async with engine.begin() as connection:
        await connection.execute(
            text(
                "INSERT INTO holds (id, subject, root, reason, placed_by)"
                " VALUES ('hld_x', :id, :id, 'stock', 'system')"
            ),
            {"id": order_id},
        )
    assert await ids(shop, hold="stock") == [order_id]


@pytest.mark.parametrize(
    ("params", "pointer"),
    [
        ({"limit": "0"}, "query:limit"),
        ({"limit": "201"}, "query:limit"),
        ({"cursor": "bm90IGpzb24"}, "query:cursor"),
        ({"cursor": "W251bGwsbnVsbF0"}, "query:cursor"),
        ({"cursor": "WyIwMDAxLTAxLTAxVDAwOjAwOjAwKzAwOjAwIiwieCJd"}, "query:cursor"),
        ({"status": "lost"}, "query:status/0"),
        ({"created_from": "0001-01-01T00:00:00+14:00"}, "query:created_from"),
        ({"created_from": "2020-01-01T00:00:00"}, "query:created_from"),
        ({"created_from": "1577836800"}, "query:created_from"),
        ({"q": "a\0b"}, "query:q"),
        ({"statsu": "placed"}, "query:statsu"),
    ],
)
async def test_a_filter_that_makes_no_sense_is_refused(
    shop: Shop, params: dict[str, str], pointer: str
) -> None:
    answer = await shop.client.get("/v1/orders", params=params)
    assert (answer.status_code, code(answer)) == (422, "validation")
    assert answer.json()["errors"][0]["pointer"] == pointer


async def test_an_unchanged_order_is_not_sent_again(shop: Shop) -> None:
    [order_id] = await placed(shop, 1)
    first = await shop.client.get(f"/v1/orders/{order_id}")
    for known in (first.headers["etag"], f'W/{first.headers["etag"]}, "7"', "*"):
        again = await shop.client.get(
            f"/v1/orders/{order_id}", headers={"If-None-Match": known}
        )
        assert (again.status_code, again.content) == (304, b"")
    lines = [("If-None-Match", '"7"'), ("If-None-Match", first.headers["etag"])]
    again = await shop.client.get(f"/v1/orders/{order_id}", headers=lines)
    assert again.status_code == 304
    changed = await shop.client.get(
        f"/v1/orders/{order_id}", headers={"If-None-Match": '"0"'}
    )
    assert changed.status_code == 200


@pytest.mark.parametrize(
    "order_id",
    ["ord_01k00000000000000000000000", "ord_x", "%00", "%ED%A0%80", "1" * 3000, "..."],
)
async def test_an_order_that_is_not_there_is_not_found(
    shop: Shop, order_id: str
) -> None:
    answer = await shop.client.get(f"/v1/orders/{order_id}")
    assert (answer.status_code, code(answer)) == (404, "not-found")


async def test_a_customer_sees_no_order_but_their_own(shop: Shop) -> None:
    await shop.sell()
    mine, theirs = await shop.order(), await shop.order(customer_id="bob")
    ada = as_user("ada", "orders:own")
    page = done(await shop.client.get("/v1/orders", headers=ada))
    assert [order["id"] for order in page["data"]] == [mine["id"]]
    done(await shop.client.get(f"/v1/orders/{mine['id']}", headers=ada))
    for method, path, body in (
        ("GET", "", None),
        ("GET", "/events", None),
        ("POST", "/cancellations", {"reason": "x"}),
        ("POST", "/payments", {"method": "pm_card_visa"}),
        ("PATCH", "/contact", {"email": "me@example.com"}),
    ):
        answer = await shop.client.request(
            method,
            f"/v1/orders/{theirs['id']}{path}",
            json=body,
            headers=ada | key() | {"If-Match": "*"},
        )
        assert (answer.status_code, code(answer)) == (404, "not-found"), path


async def test_what_is_ordered_twice_stands_on_two_lines(shop: Shop) -> None:
    await shop.sell()
    lines = [{"sku": SKU, "quantity": 1}, {"sku": SKU, "quantity": 1}]
    order = await shop.post("/v1/orders", an_order(2, lines=lines))
    assert [line["line"] for line in order["lines"]] == [1, 2]


async def test_times_are_in_utc_wherever_the_database_is(
    make_settings: MakeSettings, engine: Engine
) -> None:
    async with engine.begin() as connection:
        name = await connection.scalar(text("SELECT current_database()"))
        await connection.execute(
            text(f"ALTER DATABASE {name} SET timezone = 'Asia/Tokyo'")
        )
    async with running(create_app(make_settings())) as client:
        shop = Shop(client)
        await shop.sell()
        placed = await shop.order()
        read = await shop.get(f"/v1/orders/{placed['id']}")
        [event] = (await shop.get(f"/v1/orders/{placed['id']}/events"))["data"]
    moments = (placed["created_at"], read["created_at"], event["at"])
    assert [moment[-1] for moment in moments] == ["Z", "Z", "Z"]


async def test_several_orders_are_read_at_once(shop: Shop) -> None:
    await shop.sell()
    one, _, three = [(await shop.order())["id"] for _ in range(3)]
    found = await shop.get("/v1/orders", id=[one, three])
    assert [order["id"] for order in found["data"]] == [three, one]


async def test_a_caller_is_told_who_they_are(shop: Shop) -> None:
    answer = await shop.client.get("/v1/me", headers=as_user("grace", "stock:write"))
    assert answer.json() == {
        "subject": "grace",
        "scopes": ["stock:read", "stock:write"],
        "link": None,
    }
