"""Finding and exporting by the command line."""

import csv
from io import StringIO
from pathlib import Path

from shared.contracts.orders.states import OrderStatus

from tests.cli.conftest import Orders
from tests.support.shop import PERSONAL, Shop, has_status


async def test_a_list_is_written_as_csv(shop: Shop, orders: Orders) -> None:
    ids = [await shop.place(TEA=1, customer="=ada") for _ in range(2)]
    for order_id in ids:
        await shop.until(order_id, lambda order: order.holds)
    said = await orders("list", "--up", "-o", "csv")
    rows = list(csv.DictReader(StringIO(said.out)))
    assert [row["order"] for row in rows] == ids
    assert {row["holds"] for row in rows} == {"stock"}
    assert rows[0]["placed"].endswith("Z"), "a time that a program can read"
    shown = await orders("show", ids[0], "-o", "csv")
    (facts,) = csv.DictReader(StringIO(shown.out))
    assert "'=ada" in facts.values(), "no formula"


async def test_orders_are_listed_by_where_they_stand(
    shop: Shop, orders: Orders
) -> None:
    paid, unpaid = await shop.confirmed(TEA=1), await shop.place(MUG=1)
    listed = await orders("list", "--payment", "authorized,captured", "--sku", "TEA")
    assert paid in listed.out
    assert unpaid not in listed.out
    refused = await orders("list", "--goods", "lost")
    assert refused.status == 2
    assert "unfulfilled" in refused.err


async def test_an_order_is_found_by_whom_it_is_for(shop: Shop, orders: Orders) -> None:
    order_id = await shop.place(TEA=1)
    for known in (PERSONAL["email"], "quibblethwaite zeb"):
        assert order_id in (await orders("search", known)).out


async def test_rows_are_exported_into_a_file(
    shop: Shop, orders: Orders, tmp_path: Path
) -> None:
    order_id = await shop.place(TEA=1)
    await shop.until(order_id, has_status(OrderStatus.PLACED))
    file = tmp_path / "lines.csv"
    said = await orders("export", "lines", "--since", "1h", "--file", str(file))
    assert "1 rows" in said.out
    (row,) = csv.DictReader(StringIO(file.read_text()))
    assert row["order_id"] == order_id
