"""Tax adds up, however goods are paid for, cancelled and sent back."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shared.contracts.money import tax_included
from shared.contracts.orders.states import OrderStatus
from shared.contracts.orders.tax import by_rate, main_rate, of_goodwill
from shared.database.orders.refund_breakdown import (
    RefundBreakdown,
    owed,
    tax_of,
    wished,
)
from shared.database.orders.snapshot import Line, OrderSnapshot, Payment

from tests.orders.test_refund_breakdown import after, partly
from tests.support.shop import SHIPPING, Shop

RATES = st.sampled_from([0, 250, 700, 1900, 2100, 10_000])
AMOUNTS = st.integers(0, 10**7)
LINES = st.lists(st.tuples(st.integers(1, 9), AMOUNTS, RATES), min_size=1, max_size=5)


def an_order(lines: list[tuple[int, int, int]], shipping: int) -> OrderSnapshot:
    """All paid for; each line is its units, its total and its rate."""
    rate = main_rate((bp, total) for _, total, bp in lines)
    total = sum(total for _, total, _ in lines) + shipping
    return partly(
        OrderSnapshot,
        id="ord",
        status=OrderStatus.COMPLETED,
        total=total,
        shipping=shipping,
        shipping_tax=tax_included(shipping, rate or 0),
        shipping_captured=shipping,
        shipping_credited=0,
        goodwill=0,
        deducted=0,
        lines=tuple(
            partly(
                Line,
                line=number,
                qty=units,
                total=total,
                tax=tax_included(total, bp),
                tax_bp=bp,
                captured=units,
                **dict.fromkeys(("cancelled", "voided", "credited"), 0),
            )
            for number, (units, total, bp) in enumerate(lines, 1)
        ),
        payments=(partly(Payment, captured=total, refunding=0, refunded=0),),
    )


@given(lines=LINES, shipping=AMOUNTS, data=st.data())
def test_the_tax_of_refunds_sums_to_that_of_the_order(
    lines: list[tuple[int, int, int]], shipping: int, data: st.DataObject
) -> None:
    """Units in any order, one at a time, with amounts given back in between."""
    order = an_order(lines, shipping)
    expected, taxes = order.tax, 0
    units = [line.line for line in order.lines for _ in range(line.qty)]

    def give(due: RefundBreakdown) -> None:
        nonlocal order, taxes
        taxes += tax_of(order, due)
        order = after(order, due)

    if order.refundable:
        goodwill = data.draw(st.integers(1, order.refundable))
        give(wished(order, {}, goodwill=goodwill))
    for line in data.draw(st.permutations(units)):
        give(owed(order, {line: 1}))
    give(owed(order, {}, shipping=shipping))
    assert order.refundable == 0
    assert taxes - of_goodwill(order.goodwill, 0, order.tax, order.total) == expected


@given(lines=LINES, data=st.data())
def test_a_deduction_keeps_its_share_of_the_tax(
    lines: list[tuple[int, int, int]], data: st.DataObject
) -> None:
    order = an_order(lines, 0)
    line = data.draw(st.sampled_from(order.lines))
    units = {line.line: data.draw(st.integers(1, line.qty))}
    whole = owed(order, units)
    kept = data.draw(st.integers(0, whole.goods))
    worn = owed(order, units, deductions={line.line: kept})
    tax, left = tax_of(order, whole), tax_of(order, worn)
    assert worn.amount == whole.amount - kept
    assert 0 <= left <= tax
    # Rounded half up: at most half a unit off.
    assert abs(2 * ((tax - left) * whole.goods - kept * tax)) <= whole.goods


@given(lines=LINES, shipping=AMOUNTS)
def test_taxes_by_rate_sum_to_the_whole(
    lines: list[tuple[int, int, int]], shipping: int
) -> None:
    order = an_order(lines, shipping)
    rate = main_rate((line.tax_bp, line.total) for line in order.lines)
    sums = by_rate(
        [
            *((line.tax_bp, line.total, line.tax) for line in order.lines),
            (rate, shipping, order.shipping_tax),
        ]
    )
    assert sum(amount for amount, _ in sums.values()) == order.total
    assert sum(tax for _, tax in sums.values()) == order.tax


@given(amount=AMOUNTS, rate=RATES)
def test_tax_is_off_by_half_a_unit_at_the_most(amount: int, rate: int) -> None:
    tax = tax_included(amount, rate)
    assert abs(2 * (tax * (10_000 + rate) - amount * rate)) <= 10_000 + rate


@pytest.mark.parametrize(
    ("lines", "rate"),
    [
        ([(1900, 100)], 1900),
        ([(1900, 100), (700, 101)], 700),
        ([(1900, 100), (700, 100)], 1900),
        ([(700, 60), (1900, 100), (700, 50)], 700),
        ([(None, 100), (700, 1)], 700),
        ([(None, 100)], None),
    ],
)
def test_sending_goods_is_taxed_as_most_of_them(
    lines: list[tuple[int | None, int]], rate: int | None
) -> None:
    assert main_rate(lines) == rate


# ── as it is told ───────────────────────────────────────────────────────────────────


def eur(amount: int) -> dict[str, Any]:
    return {"amount": amount, "currency": "EUR"}


def of_rate(tax_bp: int, amount: int, tax: int) -> dict[str, Any]:
    unnamed = {"tax_bp": tax_bp, "name": None, "rate": None}
    return unnamed | {"amount": eur(amount), "tax": eur(tax)}


async def priced(shop: Shop, sku: str, price: int, tax_bp: int) -> None:
    body = {"name": sku.title(), "price": eur(price), "tax_bp": tax_bp}
    (await shop.http.put(f"/v1/products/{sku}", json=body)).raise_for_status()


async def test_what_was_promised_at_placing_is_kept(shop: Shop) -> None:
    """Price, name and tax are the order's, whatever becomes of the product."""
    await shop.stock(TEA=2)
    await priced(shop, "TEA", 1290, 1900)
    order_id = await shop.place(TEA=2)
    before = await shop.get(f"/v1/orders/{order_id}")
    body = {"name": "Chai", "price": eur(9999), "tax_bp": 700, "active": False}
    (await shop.http.put("/v1/products/TEA", json=body)).raise_for_status()
    await shop.delivered(order_id)
    order = await shop.ended(order_id)
    after_all = await shop.get(f"/v1/orders/{order_id}")
    frozen = ("sku", "name", "quantity", "total", "tax", "tax_bp")
    (line,), (as_placed,) = after_all["lines"], before["lines"]
    assert [line[name] for name in frozen] == [as_placed[name] for name in frozen]
    for name in ("goods", "shipping", "total", "tax", "taxes"):
        assert after_all["totals"][name] == before["totals"][name]
    assert after_all["shipping"] == before["shipping"]
    assert order.captured == 2 * 1290 + SHIPPING


async def test_tax_is_told_by_line_rate_and_refund(shop: Shop) -> None:
    await shop.stock(TEA=2, MUG=1)
    await priced(shop, "TEA", 1290, 700)
    await priced(shop, "MUG", 990, 1900)
    order_id = await shop.place(TEA=2, MUG=1)
    placed = await shop.get(f"/v1/orders/{order_id}")
    assert [(line["tax"], line["tax_bp"]) for line in placed["lines"]] == [
        (eur(169), 700),
        (eur(158), 1900),
    ]
    assert (placed["shipping"]["tax"], placed["shipping"]["tax_bp"]) == (eur(32), 700)
    assert placed["totals"]["taxes"] == [
        of_rate(700, 2580 + SHIPPING, 169 + 32),
        of_rate(1900, 990, 158),
    ]
    await shop.pack(order_id)
    answer = await shop.cancel(order_id, {2: 1})
    refund = await shop.get(f"/v1/refunds/{answer['refund_id']}")
    assert (refund["amount"], refund["tax"]) == (eur(990), eur(158))
    mug = {"line": 2, "quantity": 1, "amount": eur(990), "tax": eur(158)}
    mug |= {"deduction": eur(0)}
    assert (refund["lines"], refund["shipping_tax"]) == ([mug], eur(0))
    assert refund["taxes"] == [of_rate(1900, 990, 158)]
    assert answer["order"]["refunds"][0]["tax"] == eur(158)


async def test_totals_tell_what_is_wanted_still_and_left_to_pay(shop: Shop) -> None:
    await shop.stock(TEA=2, MUG=1)
    order_id = await shop.place(TEA=2, MUG=1)
    totals = (await shop.get(f"/v1/orders/{order_id}"))["totals"]
    whole = 2 * 1290 + 990 + SHIPPING
    assert [totals[name] for name in ("total", "wanted", "to_pay")] == [eur(whole)] * 3
    await shop.until(order_id, lambda order: order.shipments)
    totals = (await shop.cancel(order_id, {1: 2}))["order"]["totals"]
    assert totals["total"] == eur(whole)
    assert totals["wanted"] == totals["to_pay"] == eur(990 + SHIPPING)
    await shop.pack(order_id)
    totals = (await shop.get(f"/v1/orders/{order_id}"))["totals"]
    assert (totals["wanted"], totals["to_pay"]) == (eur(990 + SHIPPING), eur(0))
    totals = (await shop.cancel(order_id))["order"]["totals"]
    assert (totals["total"], totals["wanted"]) == (eur(whole), eur(0))
