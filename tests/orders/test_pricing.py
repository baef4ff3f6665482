"""Whatever an order is priced at, its parts add up to what was frozen (M1, M5)."""

from datetime import UTC, datetime
from typing import Any

from api.orders.order.placement import Known, new_order
from api.orders.order.pricing import Product
from api.orders.order.schemas import NewOrder
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from shared.contracts.orders.charging import chargeable, charging
from shared.contracts.orders.tax import of_goodwill
from shared.database.orders.refund_breakdown import (
    RefundBreakdown,
    owed,
    tax_of,
    wished,
)
from shared.database.orders.snapshot import Line, OrderSnapshot, Payment

from tests.orders.test_refund_breakdown import after, partly
from tests.support.shop import ADDRESS

Json = dict[str, Any]

STEPS = {"EUR": 1, "JPY": 1, "KWD": 10}
RATES = [0, 250, 700, 1900, 2100]
few = settings(max_examples=40)
TREATMENTS = ["included", "added", "exempt"]


@st.composite
def wanted(draw: st.DrawFn) -> Json:
    """An order as a service sends it that sets prices: anything that is accepted."""
    currency = draw(st.sampled_from(sorted(STEPS)))
    treatment = draw(st.sampled_from(TREATMENTS))
    step = STEPS[currency]

    def money(amount: int) -> Json:
        return {"amount": amount, "currency": currency}

    def up_to(most: int) -> int:
        return draw(st.integers(0, most // step)) * step

    def discounts(most: int) -> list[Json]:
        given = []
        for code in draw(st.sampled_from(["", "A", "AB", "ABC"])):
            taken = up_to(most)
            most -= taken
            given.append({"code": code, "amount": money(taken)})
        return given

    def taxes(most: int) -> list[Json] | None:
        if treatment == "exempt" or draw(st.booleans()):
            return None
        # Of dinars only their sum can be charged.
        first, whole = draw(st.integers(0, most)), up_to(most)
        first = min(first, whole)
        parts = {"STATE": first, "CITY": whole - first}
        return [{"name": name, "amount": money(n)} for name, n in parts.items()]

    lines: list[Json] = []
    left = 0
    for number in range(draw(st.integers(1, 4))):
        units, price = draw(st.integers(1, 7)), up_to(50_000)
        off = discounts(units * price)
        left += units * price - sum(one["amount"]["amount"] for one in off)
        lines.append(
            {
                "sku": f"SKU{number}",
                "quantity": units,
                "unit_price": money(price),
                "discounts": off,
            }
        )
    of_order = discounts(left)
    shipping = up_to(2000)
    order: Json = {
        "currency": currency,
        "tax_treatment": treatment,
        "lines": lines,
        "discounts": of_order,
        "shipping": {"method": "x", "amount": money(shipping)},
        "contact": {"name": "Some Body", "email": "somebody@example.com"},
        "ship_to": ADDRESS,
        "payment": {"method": "pm_card_visa"},
    }
    for line, at_most in zip(lines, totals(order), strict=True):
        line["taxes"] = taxes(at_most)
    order["shipping"]["taxes"] = taxes(shipping)
    return order


def totals(order: Json) -> list[int]:
    """What the lines cost after all discounts and before taxes are added."""
    untaxed = order | {"tax_treatment": "included"}
    return [line.total for line in placed(untaxed).lines]


def placed(order: Json) -> OrderSnapshot:
    rates = [RATES[n % len(RATES)] for n in range(len(order["lines"]))]
    products = {
        line["sku"]: Product(line["sku"], "Something", 1, rate, returnable=True)
        for line, rate in zip(order["lines"], rates, strict=True)
    }
    known = Known(
        number=1,
        now=datetime(2026, 3, 2, tzinfo=UTC),
        taken_by=None,
        products=products,
        rates=(),
        supply=[],
        claimed={},
        unpaid=0,
        tried=False,
        customer_ref=None,
    )
    total = price_of(order)
    assume(total == 0 or chargeable(order["currency"], total))
    wanted = NewOrder.model_validate(order)
    return new_order(wanted, known, "somebody", sets_prices=True)


def price_of(order: Json) -> int:
    """By adding up what was sent, and nothing else."""
    total = int(order["shipping"]["amount"]["amount"])
    for line in order["lines"]:
        total += line["quantity"] * line["unit_price"]["amount"]
        total -= sums(line["discounts"])
    total -= sums(order["discounts"])
    if order["tax_treatment"] == "added":
        of_lines = [sums(line.get("taxes")) for line in order["lines"]]
        total += sum(of_lines) + sums(order["shipping"].get("taxes"))
    return total


def sums(given: list[Json] | None) -> int:
    return sum(one["amount"]["amount"] for one in given or ())


@few
@given(wanted())
def test_an_order_costs_what_was_sent(sent: Json) -> None:
    order = placed(sent)
    assert order.total == price_of(sent)
    assert order.total == sum(line.total for line in order.lines) + order.shipping
    assert 0 <= order.tax <= order.total
    given = [*sent["discounts"], *(d for ln in sent["lines"] for d in ln["discounts"])]
    assert order.discount == sums(given)
    for line in order.lines:
        assert 0 <= line.tax <= line.total
        assert line.total % STEPS[order.currency] == 0
        assert line.step == STEPS[order.currency]


@few
@given(wanted(), st.data())
def test_captures_of_an_order_sum_to_what_it_costs(
    sent: Json, data: st.DataObject
) -> None:
    """Unit by unit, in any order."""
    order = placed(sent)
    rule = charging(order.currency)
    assert rule is not None
    taken = 0
    for line in order.lines:
        left = line
        while left.uncaptured:
            units = data.draw(st.integers(1, left.uncaptured))
            part = left.price_to_capture(units)
            assert part % rule.step == 0
            taken += part
            left = left.model_copy(update={"captured": left.captured + units})
    assert taken + order.shipping == order.total == order.to_capture


@few
@given(wanted(), st.data())
def test_what_is_cancelled_is_not_wanted_to_the_cent(
    sent: Json, data: st.DataObject
) -> None:
    order = placed(sent)
    lines = []
    for line in order.lines:
        units = data.draw(st.integers(0, line.qty))
        gone = line.model_copy(update={"cancelled": units})
        lines.append(gone)
        assert gone.price_to_capture(gone.uncaptured) == gone.price_wanted
        assert (units == 0) <= (gone.price_wanted == line.total)
        assert (units == line.qty) <= (gone.price_wanted == 0)
    some = order.model_copy(update={"lines": tuple(lines)})
    assert some.to_capture == some.wanted <= order.total


@few
@given(wanted(), st.data())
def test_credits_of_an_order_sum_to_what_it_costs_and_to_its_tax(
    sent: Json, data: st.DataObject
) -> None:
    """Units in any order, with an amount given back in between."""
    order = paid(placed(sent))
    expected, given_back, taxes = order.tax, 0, 0
    step = STEPS[order.currency]

    def give(due: RefundBreakdown) -> None:
        nonlocal order, given_back, taxes
        assert due.amount % step == 0
        given_back += due.amount
        taxes += tax_of(order, due)
        order = after(order, due)

    if order.refundable:
        goodwill = data.draw(st.integers(1, order.refundable // step)) * step
        give(wished(order, {}, goodwill=goodwill))
    units = [line.line for line in order.lines for _ in range(line.qty)]
    for line in data.draw(st.permutations(units)):
        give(owed(order, {line: 1}))
    give(owed(order, {}, shipping=order.shipping))
    assert given_back == order.total
    assert order.refundable == 0
    assert taxes - of_goodwill(order.goodwill, 0, order.tax, order.total) == expected


def paid(order: OrderSnapshot) -> OrderSnapshot:
    """All of it has been captured, at once."""
    payment = partly(Payment, captured=order.total, refunding=0, refunded=0)
    return order.model_copy(
        update={
            "lines": tuple(_captured(line) for line in order.lines),
            "shipping_captured": order.shipping,
            "payments": (payment,),
        }
    )


def _captured(line: Line) -> Line:
    return line.model_copy(update={"captured": line.qty, "shipped": line.qty})
