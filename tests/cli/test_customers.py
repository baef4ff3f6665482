"""Customers, by the command line."""

from tests.cli.conftest import Orders
from tests.support.shop import Shop


async def test_a_customer_is_erased_after_a_yes(shop: Shop, orders: Orders) -> None:
    order_id = await shop.place(customer="c-42")
    await shop.cancel(order_id)
    await shop.ended(order_id)
    asked = await orders("customers", "erase", "c-42", scopes="admin")
    assert asked.status == 1
    assert "Erase?" in asked.err
    erased = await orders("customers", "erase", "c-42", "--yes", scopes="admin")
    assert erased.out.startswith("Erased from 1 orders, now of era_")


async def test_an_order_with_work_left_is_named(shop: Shop, orders: Orders) -> None:
    order_id = await shop.place(customer="c-42")
    refused = await orders("customers", "erase", "c-42", "--yes", scopes="admin")
    assert refused.status == 1
    assert order_id in refused.err
