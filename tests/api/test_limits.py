"""What is as large as it may be is taken, and one more is refused on admission."""

import json
from typing import Any

import pytest
from api.http.request_limits import MAX_BODY_BYTES
from fastapi import FastAPI
from shared.database.engine import Engine
from sqlalchemy import text

from tests.api.conftest import MakeSettings, running
from tests.api.shop import PRICE, SHIPPING, SKU, Json, Shop, an_order, code, eur, key

LARGEST_METADATA = {f"{n:040}": "\N{GOTHIC LETTER AHSA}" * 500 for n in range(50)}
"""100 kB of text."""


def lines(count: int) -> Json:
    return {
        "lines": [{"sku": SKU, "quantity": 1}] * count,
        "expected_total": eur(PRICE * count + SHIPPING),
    }


def with_metadata(**more: Any) -> Json:
    """In the place of one entry of the largest."""
    rest = list(LARGEST_METADATA.items())[1:]
    return {"metadata": dict(rest) | more}


def url_of(length: int) -> str:
    return "https://shop.example.com/".ljust(length, "u")


LARGEST: dict[str, Json] = {
    "lines": lines(500),
    "quantity": {
        # `ORDER_LINE_UNITS`, unless the shop sets another limit.
        "lines": [{"sku": SKU, "quantity": 1_000}],
        "expected_total": eur(PRICE * 1_000 + SHIPPING),
    },
    "metadata": {"metadata": LARGEST_METADATA},
    "external_ref": {"external_ref": "r" * 100},
    "customer_id": {"customer_id": "c" * 200},
    "locale": {
        "contact": {
            "name": "n" * 250,
            "email": f"{'e' * 242}@example.com",
            "phone": "0" * 40,
            "locale": "de-" + "-".join(["abcdefg"] * 4),
        }
    },
    "return_url": {
        "payment": {
            "method": "m" * 100,
            "return_url": url_of(2000),
        }
    },
}
TOO_LARGE: dict[str, Json] = {
    "#/lines": lines(501),
    "#/lines/0/quantity": {"lines": [{"sku": SKU, "quantity": 1_000_001}]},
    "#/metadata": with_metadata(a="", b=""),
    f"#/metadata/{'k' * 41}/[key]": with_metadata(**{"k" * 41: ""}),
    "#/metadata/k": with_metadata(k="\N{GOTHIC LETTER AHSA}" * 500 + "."),
    "#/external_ref": {"external_ref": "r" * 101},
    "#/customer_id": {"customer_id": "c" * 201},
    "#/contact/locale": {
        "contact": {
            "name": "Ada",
            "email": "ada@example.com",
            "locale": "de-" + "-".join(["abcdefgh"] * 4),
        }
    },
    "#/contact/email": {
        "contact": {"name": "Ada", "email": f"{'e' * 243}@example.com"}
    },
    "#/payment/return_url": {
        "payment": {
            "method": "m",
            "return_url": url_of(2001),
        }
    },
    "#/expected_total/amount": {"expected_total": eur(10**12 + 1)},
}


@pytest.mark.parametrize("field", LARGEST)
async def test_the_largest_order_is_taken(shop: Shop, field: str) -> None:
    await shop.sell()
    order = await shop.order(1, **LARGEST[field])
    assert await shop.get(f"/v1/orders/{order['id']}") == order


@pytest.mark.parametrize("field", TOO_LARGE)
async def test_an_order_that_is_larger_is_refused(shop: Shop, field: str) -> None:
    await shop.sell()
    answer = await shop.client.post(
        "/v1/orders", json=an_order(1, **TOO_LARGE[field]), headers=key()
    )
    assert (answer.status_code, code(answer)) == (422, "validation")
    assert [mistake["pointer"] for mistake in answer.json()["errors"]] == [field]


@pytest.mark.parametrize(("over", "status"), [(0, 201), (1, 413)])
async def test_a_body_ends_where_its_limit_is(
    shop: Shop, over: int, status: int
) -> None:
    await shop.sell()
    body = json.dumps(an_order()).encode().ljust(MAX_BODY_BYTES + over)
    headers = key() | {"Content-Type": "application/json"}
    answer = await shop.client.post("/v1/orders", content=body, headers=headers)
    assert answer.status_code == status
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


# ── a customer of many years ────────────────────────────────────────────────────────

MANY = 10_000
FEW = 500
"""Rows of orders that a page and a new order may look at."""

_MANY_ORDERS = text(
    """
    WITH placed AS (
      INSERT INTO orders (id, customer, status, currency, shipping_method, shipping,
        total, version, created_at, payment_status, fulfillment_status)
      SELECT 'ord_' || lpad(n::text, 26, '0'), 'ada', 'completed', 'EUR', 'standard',
        0, 0, 1, now() - n * interval '1 hour', 'captured', 'unfulfilled'
      FROM generate_series(1, :many) n
      RETURNING id
    )
    INSERT INTO order_lines (order_id, line, sku, name, qty, total, tax)
    SELECT id, 1, :sku, 'Tea', 1, 0, 0 FROM placed
    """
)
_LOOKED_AT = text(
    "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_user_tables"
    " WHERE relname = 'orders'"
)


async def looked_at(engine: Engine) -> int:
    """Rows of orders that were read by connections that have ended since."""
    async with engine.connect() as connection:
        return int(await connection.scalar(_LOOKED_AT) or 0)


async def test_a_customer_with_ten_thousand_orders_is_served_like_any_other(
    make_settings: MakeSettings, engine: Engine, app: FastAPI
) -> None:
    async with running(app) as client:
        await Shop(client).sell()
    async with engine.begin() as connection:
        await connection.execute(_MANY_ORDERS, {"many": MANY, "sku": SKU})
    async with engine.connect() as connection:
        await connection.execute(text("ANALYZE orders"))
    await engine.dispose()  # what it has read is counted when it is gone
    before = await looked_at(engine)
    async with running(app) as client:
        shop = Shop(client)
        order = await shop.order(customer_id="ada")
        first = await shop.get("/v1/orders", customer="ada", limit=50)
        second = await shop.get(
            "/v1/orders", customer="ada", limit=50, cursor=first["next_cursor"]
        )
    shown = [*first["data"], *second["data"]]
    assert len({order["id"] for order in shown}) == len(shown) == 100
    assert shown[0]["id"] == order["id"]
    assert len(shown) <= await looked_at(engine) - before < FEW
