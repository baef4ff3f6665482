"""Prices and discounts from whom the shop trusts, frozen with the order."""

from typing import Any

import httpx2
import pytest

from tests.api.shop import (
    PRICE,
    SHIPPING,
    SKU,
    Json,
    Shop,
    an_order,
    as_user,
    code,
    done,
    eur,
    key,
)

STOREFRONT = as_user("storefront", "orders:write")
CART = as_user("cart", "orders:write", "orders:price")


def a_line(quantity: int = 1, *discounts: Json, **changed: Any) -> Json:
    return {"sku": SKU, "quantity": quantity, "discounts": [*discounts]} | changed


def off(amount: int, named: str = "SPRING", currency: str = "EUR") -> Json:
    money = {"amount": amount, "currency": currency}
    return {"code": named, "reason": "coupon", "amount": money}


async def place(
    shop: Shop, *lines: Json, who: dict[str, str] = CART, **changed: Any
) -> httpx2.Response:
    order = an_order(**({"expected_total": None, "lines": [*lines]} | changed))
    return await shop.client.post("/v1/orders", json=order, headers=who | key())


async def test_a_discount_is_taken_off_its_line(shop: Shop) -> None:
    await shop.sell(tax_bp=700)
    order = done(await place(shop, a_line(2, off(300)), a_line()))
    reduced, full = order["lines"]
    assert reduced["unit_price"] == eur(PRICE)
    assert reduced["total"] == eur(2 * PRICE - 300)
    assert reduced["discounts"] == [off(300) | {"of": "line"}]
    assert (full["total"], full["discounts"]) == (eur(PRICE), [])
    totals = order["totals"]
    assert totals["discount"] == eur(300)
    assert totals["total"] == eur(3 * PRICE - 300 + SHIPPING)
    assert await shop.get(f"/v1/orders/{order['id']}") == order


async def test_a_discount_of_all_goods_is_spread_over_the_lines(shop: Shop) -> None:
    await shop.sell()
    order = done(await place(shop, a_line(), a_line(), a_line(), discounts=[off(1000)]))
    assert [line["total"] for line in order["lines"]] == [
        eur(PRICE - 334),
        eur(PRICE - 333),
        eur(PRICE - 333),
    ]
    assert order["lines"][0]["discounts"] == [off(334) | {"of": "order"}]
    assert order["totals"]["discount"] == eur(1000)


async def test_the_tax_is_that_of_what_is_paid(shop: Shop) -> None:
    await shop.sell(tax_bp=1900)
    (full,) = done(await place(shop, a_line()))["lines"]
    (half,) = done(await place(shop, a_line(1, off(PRICE // 2))))["lines"]
    assert abs(full["tax"]["amount"] - 2 * half["tax"]["amount"]) <= 1


async def test_a_unit_costs_what_whoever_sets_prices_says(shop: Shop) -> None:
    await shop.sell()
    order = done(await place(shop, a_line(2, unit_price=eur(900))))
    assert order["lines"][0]["total"] == eur(1800)


async def test_the_expected_total_protects_whoever_wants_it(shop: Shop) -> None:
    await shop.sell()
    answer = await place(shop, a_line(1, off(1)), expected_total=eur(PRICE + SHIPPING))
    assert (answer.status_code, code(answer)) == (409, "price-changed")
    problem = answer.json()
    assert problem["total"] == eur(PRICE + SHIPPING - 1)
    assert problem["lines"] == [{"line": 1, "sku": SKU, "total": eur(PRICE - 1)}]
    assert problem["shipping"] == eur(SHIPPING)


@pytest.mark.parametrize(
    "order",
    [
        {"lines": [a_line(1, off(1))]},
        {"lines": [a_line()], "discounts": [off(1)]},
    ],
)
async def test_nobody_else_gives_discounts(shop: Shop, order: Json) -> None:
    await shop.sell()
    answer = await place(shop, who=STOREFRONT, **order)
    assert (answer.status_code, code(answer)) == (403, "insufficient-scope")
    assert "discounts/0" in answer.json()["detail"]


LINE = "#/lines/1/discounts/0"


@pytest.mark.parametrize(
    ("changed", "wrong"),
    [
        ({"lines": [a_line(), a_line(1, off(PRICE + 1))]}, f"{LINE}/amount/amount"),
        (
            {"lines": [a_line(), a_line(1, off(PRICE, "A"), off(1, "B"))]},
            "#/lines/1/discounts/1/amount/amount",
        ),
        ({"lines": [a_line(), a_line(1, off(1), off(1))]}, "#/lines/1/discounts"),
        (
            {"lines": [a_line(), a_line(1, off(1, currency="CHF"))]},
            f"{LINE}/amount/currency",
        ),
        ({"lines": [a_line(), a_line(1, off(1, "S P"))]}, f"{LINE}/code"),
        ({"lines": [a_line()], "discounts": [off(1), off(1)]}, "#/discounts"),
        (
            {"lines": [a_line()], "discounts": [off(PRICE, "A"), off(1, "B")]},
            "#/discounts/1/amount/amount",
        ),
        ({"lines": [a_line()], "payment": None}, "#/payment"),
    ],
)
async def test_what_cannot_be_meant_names_the_line(
    shop: Shop, changed: Json, wrong: str
) -> None:
    await shop.sell()
    answer = await place(shop, **changed)
    assert (answer.status_code, code(answer)) == (422, "validation")
    assert [error["pointer"] for error in answer.json()["errors"]] == [wrong]


async def test_of_dinars_the_last_digit_stays_nothing(shop: Shop) -> None:
    def kwd(amount: int) -> Json:
        return {"amount": amount, "currency": "KWD"}

    await shop.sell(prices=[{"price": kwd(1000)}])
    in_dinars: Json = {
        "currency": "KWD",
        "shipping": {"method": "x", "amount": kwd(0)},
    }
    lines = (a_line(3), a_line(3), a_line(3))
    order = done(
        await place(shop, *lines, **in_dinars, discounts=[off(100, currency="KWD")])
    )
    totals = [line["total"]["amount"] for line in order["lines"]]
    assert totals == [2960, 2970, 2970]
    odd = await place(shop, *lines, **in_dinars, discounts=[off(5, currency="KWD")])
    assert odd.json()["errors"][0]["pointer"] == "#/discounts/0/amount/amount"


async def test_an_order_that_costs_nothing_needs_no_payment(shop: Shop) -> None:
    await shop.sell()
    free: Json = {"shipping": {"method": "x", "amount": eur(0)}, "payment": None}
    order = done(await place(shop, a_line(1, off(PRICE)), **free))
    assert order["totals"]["total"] == eur(0)
    assert order["payments"] == []
    assert order["payment_status"] == "captured"
    assert await shop.get(f"/v1/orders/{order['id']}") == order
