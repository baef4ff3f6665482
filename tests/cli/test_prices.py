"""Prices in further currencies, and shipping methods, by the command line."""

from tests.cli.conftest import Orders
from tests.support.shop import Shop


async def test_a_product_costs_something_in_each_currency(
    shop: Shop, orders: Orders
) -> None:
    put = ("products", "put", "TEA", "--name", "Tea", "--price", "12.90", "--tax", "7")
    said = await orders(*put, "--also", "CHF=13,90@2.6", "--also", "JPY=1900")
    product = (await orders("products", "show", "TEA", "-o", "json")).json
    assert said.out.strip() == "TEA costs 12.90 EUR, 13.90 CHF, 1900 JPY."
    assert [more["tax_bp"] for more in product["prices"]] == [260, 700]
    assert (await orders(*put, "--also", "CHF")).status == 2


async def test_shipping_methods_are_put_shown_and_listed(
    shop: Shop, orders: Orders
) -> None:
    new = await orders("shipping", "put", "express", "--rate", "*=9.90")
    assert new.status == 1
    assert "--name" in new.err
    put = ("shipping", "put", "express", "--name", "Express")
    home = ("--rate", "DE,AT=4.90", "--rate", "*=9.90", "--free-from", "50.00")
    await orders(*put, *home, "--tax", "19", "--carrier", "dhl")
    await orders("shipping", "put", "express", "--currency", "CHF", "--rate", "CH=9.00")
    shown = await orders("shipping", "show", "express")
    assert "any other" in shown.out
    assert "9.00 CHF" in shown.out
    paris = ("--country", "FR", "--currency", "EUR", "--goods", "60")
    found = (await orders("shipping", "list", *paris, "-o", "json")).json["data"]
    costs = {rate["code"]: rate["amount"]["amount"] for rate in found}
    assert costs == {"express": 0, "standard": 990}
