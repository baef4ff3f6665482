"""Taxes as whoever sets prices gives them: within the prices, on top, or none."""

from typing import Any

import httpx2
import pytest

from tests.api.shop import SKU, Json, Shop, an_order, as_user, code, done, eur, key

STOREFRONT = as_user("storefront", "orders:write")
CART = as_user("cart", "orders:write", "orders:price")


def usd(amount: int) -> Json:
    return {"amount": amount, "currency": "USD"}


def tax(name: str, rate: str, amount: int) -> Json:
    return {"name": name, "rate": rate, "amount": usd(amount)}


NEW_YORK = [tax("NY", "4", 80), tax("NYC", "4.875", 98)]


def a_line(quantity: int = 2, price: int = 1000, **more: Any) -> Json:
    return {"sku": SKU, "quantity": quantity, "unit_price": usd(price)} | more


async def place(
    shop: Shop, *lines: Json, who: dict[str, str] = CART, **changed: Any
) -> httpx2.Response:
    await shop.sell(tax_bp=1900, prices=[{"price": usd(1000)}])
    order = an_order(
        **(
            {
                "currency": "USD",
                "expected_total": None,
                "lines": [*lines],
                "shipping": {"method": "x", "amount": usd(500)},
            }
            | changed
        )
    )
    return await shop.client.post("/v1/orders", json=order, headers=who | key())


def of(taxes: list[Json]) -> list[tuple[str, int, int]]:
    return [(t["name"], t["amount"]["amount"], t["tax"]["amount"]) for t in taxes]


async def test_taxes_come_on_top(shop: Shop) -> None:
    order = done(
        await place(
            shop,
            a_line(taxes=NEW_YORK),
            a_line(1, 500),
            tax_treatment="added",
            shipping={"method": "x", "amount": usd(500), "taxes": [tax("NY", "4", 20)]},
            expected_total=usd(2000 + 178 + 500 + 520),
        )
    )
    taxed, plain = order["lines"]
    assert (taxed["unit_price"], taxed["total"]) == (usd(1000), usd(2178))
    assert (taxed["tax"], taxed["taxes"]) == (usd(178), NEW_YORK)
    assert (plain["total"], plain["tax"]) == (usd(500), usd(0))
    assert order["shipping"]["amount"] == usd(520)
    totals = order["totals"]
    assert (totals["tax"], totals["net"]) == (usd(198), usd(3000))
    assert of(totals["taxes"]) == [
        ("NY", 2178 + 520, 100),
        ("NYC", 2178, 98),
        (None, 500, 0),
    ]
    assert await shop.get(f"/v1/orders/{order['id']}") == order


async def test_a_discount_of_net_prices_comes_before_their_taxes(shop: Shop) -> None:
    off = [{"code": "SPRING", "reason": None, "amount": usd(300)}]
    order = done(
        await place(
            shop,
            a_line(taxes=[tax("NY", "4", 71)]),
            a_line(1, taxes=[tax("NY", "4", 36)]),
            tax_treatment="added",
            discounts=off,
        )
    )
    assert [line["total"]["amount"] for line in order["lines"]] == [1871, 936]


async def test_given_taxes_are_within_the_prices_where_nothing_else_is_said(
    shop: Shop,
) -> None:
    order = done(await place(shop, a_line(taxes=NEW_YORK)))
    (line,) = order["lines"]
    assert (line["total"], line["tax"], line["tax_bp"]) == (usd(2000), usd(178), None)


async def test_an_exempt_customer_pays_the_price_that_is_given(shop: Shop) -> None:
    order = done(await place(shop, a_line(price=840), tax_treatment="exempt"))
    assert order["tax_treatment"] == "exempt"
    assert order["totals"]["tax"] == usd(0)
    assert order["totals"]["total"] == usd(2 * 840 + 500)


async def test_an_order_says_nothing_of_taxes_and_has_its_products(shop: Shop) -> None:
    order = done(await place(shop, {"sku": SKU, "quantity": 1}))
    (line,) = order["lines"]
    assert (order["tax_treatment"], line["tax_bp"], line["taxes"]) == (
        "included",
        1900,
        [],
    )


@pytest.mark.parametrize(
    ("changed", "wrong"),
    [
        ({"tax_treatment": "added"}, "#/tax_treatment"),
        ({"tax_treatment": "exempt"}, "#/tax_treatment"),
        ({"lines": [a_line(taxes=NEW_YORK)]}, "#/lines/0/taxes/0"),
        (
            {"shipping": {"method": "x", "amount": usd(0), "taxes": NEW_YORK}},
            "#/shipping/taxes/0",
        ),
    ],
)
async def test_nobody_else_says_what_is_tax(
    shop: Shop, changed: Json, wrong: str
) -> None:
    order: Json = {"lines": [a_line()]} | changed
    lines = order.pop("lines")
    answer = await place(shop, *lines, who=STOREFRONT, **order)
    assert (answer.status_code, code(answer)) == (403, "insufficient-scope")
    assert wrong in answer.json()["detail"]


@pytest.mark.parametrize(
    ("changed", "wrong"),
    [
        ({"lines": [a_line(), a_line(taxes=[tax("T", "1", 2001)])]}, "#/lines/1/taxes"),
        (
            {"lines": [a_line(taxes=[tax("T", "1", 1), tax("T", "1", 1)])]},
            "#/lines/0/taxes",
        ),
        (
            {"lines": [a_line(taxes=NEW_YORK)], "tax_treatment": "exempt"},
            "#/lines/0/taxes",
        ),
        (
            {
                "lines": [a_line(), {"sku": SKU, "quantity": 1}],
                "tax_treatment": "added",
            },
            "#/lines/1/unit_price",
        ),
        (
            {"shipping": {"method": "x"}, "tax_treatment": "added"},
            "#/shipping/amount",
        ),
        (
            {"lines": [a_line(taxes=[{"name": "T", "amount": eur(1)}])]},
            "#/lines/0/taxes/0/amount/currency",
        ),
        (
            {"lines": [a_line(taxes=[tax("T", "1,5", 1)])]},
            "#/lines/0/taxes/0/rate",
        ),
    ],
)
async def test_what_cannot_be_meant_names_the_line(
    shop: Shop, changed: Json, wrong: str
) -> None:
    order: Json = {"lines": [a_line()]} | changed
    answer = await place(shop, **order)
    assert (answer.status_code, code(answer)) == (422, "validation")
    assert [error["pointer"] for error in answer.json()["errors"]] == [wrong]


async def test_taxes_of_dinars_sum_to_what_can_be_charged(shop: Shop) -> None:
    def kwd(amount: int) -> Json:
        return {"amount": amount, "currency": "KWD"}

    def order(*taxes: int) -> Json:
        given = [{"name": f"T{n}", "amount": kwd(each)} for n, each in enumerate(taxes)]
        line = {"sku": SKU, "quantity": 1, "unit_price": kwd(1000), "taxes": given}
        return {
            "lines": [line],
            "currency": "KWD",
            "tax_treatment": "added",
            "shipping": {"method": "x", "amount": kwd(0)},
        }

    await shop.sell(prices=[{"price": kwd(1000)}])
    for taxes, accepted in (((51, 49), True), ((51,), False)):
        body = an_order(**order(*taxes), expected_total=None)
        answer = await shop.client.post("/v1/orders", json=body, headers=CART | key())
        assert answer.is_success is accepted
    assert answer.json()["errors"][0]["pointer"] == "#/lines/0/taxes"
