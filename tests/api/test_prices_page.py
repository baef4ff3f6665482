"""The orders on the page about prices are accepted as they stand."""

import json
import re
from typing import Any

import pytest

from tests.api.shop import Json, Shop, as_user, done, key
from tests.architecture.test_pages import ROOT

PAGE = (ROOT / "docs/how-to/prices.md").read_text()
ORDERS: list[Json] = [
    json.loads(block) for block in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
]
CART = as_user("cart", "orders:write", "orders:price")


def usd(amount: int) -> dict[str, Any]:
    return {"amount": amount, "currency": "USD"}


@pytest.mark.parametrize("order", ORDERS, ids=lambda order: str(order["currency"]))
async def test_an_order_on_the_page_is_accepted(shop: Shop, order: Json) -> None:
    for sku in ("TEA-ASSAM", "MUG-BLUE"):
        await shop.sell(sku, prices=[{"price": usd(1300)}])
    placed = done(
        await shop.client.post("/v1/orders", json=order, headers=CART | key())
    )
    assert placed["totals"]["total"]["currency"] == order["currency"]


def test_the_page_has_orders() -> None:
    assert len(ORDERS) == 2
