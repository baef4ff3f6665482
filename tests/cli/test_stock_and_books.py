"""Stock, products and the books by the command line."""

import pytest
from cli.options import money, shown

from tests.cli.conftest import Orders
from tests.support.shop import Shop


async def test_stock_is_received_corrected_and_explained(
    shop: Shop, orders: Orders
) -> None:
    await orders("products", "put", "TEA", "--name", "Tea", "--price", "12.90")
    await orders("locations", "put", "berlin")
    await orders("stock", "receive", "TEA=20", "--at", "berlin", "--ref", "d-1")
    await orders("stock", "adjust", "TEA=-2", "--at", "berlin", "--ref", "count")
    (stock,) = (await orders("stock", "show", "TEA", "-o", "json")).json["data"]
    moved = await orders("stock", "show", "TEA", "--movements")
    assert stock["available"] == 18
    assert "receipt" in moved.out
    assert "d-1" in moved.out


async def test_stock_is_taken_from_one_location_to_another(
    shop: Shop, orders: Orders
) -> None:
    await shop.stock(TEA=5)
    await shop.open_location("hamburg")
    van = ("--from", "berlin", "--to", "hamburg", "--ref", "van 3")
    said = await orders("stock", "transfer", "TEA=2", *van)
    assert "TEA at berlin: 3 on hand" in said.out
    assert "TEA at hamburg: 2 on hand" in said.out


async def test_a_product_may_be_named_twice(shop: Shop, orders: Orders) -> None:
    await shop.stock(TEA=1)
    await orders("stock", "receive", "TEA=2", "TEA=3", "--at", "berlin", "--ref", "d")
    assert await shop.stock_of("TEA") == (6, 0)


@pytest.mark.parametrize(
    ("currency", "minor"), [("EUR", 500), ("XOF", 5), ("TND", 5000), ("ISK", 5)]
)
def test_every_currency_has_its_own_digits(currency: str, minor: int) -> None:
    amount = money("5", currency)
    assert amount == {"amount": minor, "currency": currency}
    assert float(shown(amount).split()[0]) == 5


async def test_a_price_is_written_as_people_write_it(orders: Orders) -> None:
    await orders("products", "put", "MUG", "--name", "Mug", "--price", "9.9")
    product = (await orders("products", "show", "MUG", "-o", "json")).json
    assert product["price"] == {"amount": 990, "currency": "EUR"}


async def test_a_price_that_is_not_one_is_refused_before_anything_is_sent(
    orders: Orders,
) -> None:
    said = await orders("products", "put", "MUG", "--name", "Mug", "--price", "1,5,0")
    assert said.status == 2
    assert "no amount such as 12.90" in said.err


async def test_the_audit_fails_on_any_row(shop: Shop, orders: Orders) -> None:
    await shop.stock(TEA=1)
    assert (await orders("audit", "run")).status == 0
    await shop.fetch("UPDATE stock SET on_hand = on_hand + 1")
    said = await orders("audit", "run")
    assert said.status == 1
    assert "audit_stock" in said.out
    await shop.fetch("UPDATE stock SET on_hand = on_hand - 1")


async def test_a_discrepancy_is_resolved_with_a_note(
    shop: Shop, orders: Orders
) -> None:
    found = f"dis_{'0' * 26}"
    await shop.fetch(
        "INSERT INTO discrepancies (id, kind, subject, detail)"
        " VALUES (:id, 'money-differs', 'pay_1', '{}')",
        id=found,
    )
    assert found in (await orders("discrepancies", "list")).out
    await orders("discrepancies", "resolve", found, "--note", "by hand")
    assert found not in (await orders("discrepancies", "list")).out
    assert found in (await orders("discrepancies", "list", "--resolved")).out


async def test_a_dispute_is_listed(shop: Shop, orders: Orders) -> None:
    order_id = await shop.place(TEA=1)
    (payment,) = (await shop.order(order_id)).payments
    await shop.fetch(
        "INSERT INTO disputes (id, payment_id, amount, withdrawn, status, reason)"
        " VALUES ('dp_1', :payment, 1780, 1780, 'needs_response', 'fraudulent')",
        payment=payment.id,
    )
    said = await orders("disputes", "list", "--order", order_id)
    assert "dp_1" in said.out
    assert "17.80 EUR" in said.out
    assert "dp_1" not in (await orders("disputes", "list", "--ended")).out


async def test_a_wrong_environment_is_told_before_anything_else(
    orders: Orders,
) -> None:
    said = await orders("list", ORDERS_API_URL="nowhere")
    assert "ORDERS_API_URL: must begin with https://" in said.err


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ORDERS_API_URL", "http://[::1"),
        ("ORDERS_TOKEN", "a b\nc"),
        ("ORDERS_USER", "Ünal"),
    ],
)
async def test_what_cannot_be_sent_is_told_by_the_name_of_its_variable(
    orders: Orders, name: str, value: str
) -> None:
    said = await orders("list", user="grace", **{"ORDERS_USER": "grace", name: value})
    assert said.status == 1
    assert f"{name}:" in said.err
