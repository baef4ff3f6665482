"""What refunds are worth, in any order and with any of them taken back (M1, M5)."""

from typing import Any, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    invariant,
    multiple,
    rule,
)
from pydantic import BaseModel
from shared.contracts.errors import Refusal
from shared.contracts.money import share
from shared.contracts.orders.states import MoneyStatus, OrderStatus
from shared.database.orders.refund_breakdown import (
    RefundBreakdown,
    owed,
    undone,
    wished,
)
from shared.database.orders.snapshot import Line, OrderSnapshot, Payment, Refund
from worker.orders.hold.screening import (
    ReturnLimits,
    ReturnScreening,
    needs_second_person,
    screen_return,
)

M = TypeVar("M", bound=BaseModel)


def partly(model: type[M], **fields: object) -> M:
    """With only the fields that these rules look at."""
    construct: Any = model.model_construct
    made: M = construct(**fields)
    return made


def an_order(
    *lines: tuple[int, int], shipping: int = 0, goodwill: int = 0, refunded: int = 0
) -> OrderSnapshot:
    """All paid for; each line is its units and its total."""
    total = sum(total for _, total in lines) + shipping
    return partly(
        OrderSnapshot,
        id="ord",
        status=OrderStatus.COMPLETED,
        shipping=shipping,
        shipping_captured=shipping,
        shipping_credited=0,
        goodwill=goodwill,
        deducted=0,
        lines=tuple(
            a_line(number, units, total)
            for number, (units, total) in enumerate(lines, 1)
        ),
        payments=(partly(Payment, captured=total, refunding=0, refunded=refunded),),
    )


def a_line(number: int, units: int, total: int) -> Line:
    return partly(
        Line,
        line=number,
        qty=units,
        total=total,
        captured=units,
        **dict.fromkeys(("cancelled", "voided", "credited"), 0),
    )


def after(
    order: OrderSnapshot, credit: RefundBreakdown, sign: int = 1
) -> OrderSnapshot:
    """What the transaction makes of it."""
    (payment,) = order.payments
    return order.model_copy(
        update={
            "lines": tuple(
                line.model_copy(
                    update={
                        "credited": line.credited
                        + sign * credit.lines.get(line.line, 0)
                    }
                )
                for line in order.lines
            ),
            "shipping_credited": order.shipping_credited + sign * credit.shipping,
            "goodwill": order.goodwill + sign * credit.goodwill,
            "deducted": order.deducted + sign * credit.deducted,
            "payments": (
                payment.model_copy(
                    update={"refunding": payment.refunding + sign * credit.amount}
                ),
            ),
        }
    )


def assert_m1(order: OrderSnapshot) -> None:
    goods = sum(
        share(line.total, line.qty, 0, line.captured)
        - share(line.total, line.qty, 0, line.credited)
        for line in order.lines
    )
    shipping = order.shipping_captured - order.shipping_credited
    assert order.refundable == goods + shipping - order.goodwill + order.deducted


def a_refund(credit: RefundBreakdown) -> Refund:
    return partly(
        Refund,
        id="ref",
        amount=credit.amount,
        shipping=credit.shipping,
        goodwill=credit.goodwill,
        status=MoneyStatus.PENDING,
        lines=tuple(
            {"line": n, "quantity": u}
            | ({"deduction": credit.deductions[n]} if n in credit.deductions else {})
            for n, u in credit.lines.items()
        ),
    )


# ── by example ──────────────────────────────────────────────────────────────────────


def test_ten_euros_for_three_come_back_as_ten_euros() -> None:
    order = an_order((3, 1000))
    amounts = []
    for _ in range(3):
        credit = wished(order, {1: 1})
        order = after(order, credit)
        amounts.append(credit.amount)
    assert amounts == [333, 333, 334]


def test_goods_after_goodwill_are_worth_what_is_left() -> None:
    order = an_order((2, 1000), goodwill=300, refunded=300)
    credit = owed(order, {1: 2})
    assert (credit.goods, credit.goodwill, credit.amount) == (1000, -300, 700)


def test_what_was_credited_before_is_not_owed_again() -> None:
    order = after(an_order((3, 900)), RefundBreakdown({1: 2}, goods=600))
    assert owed(order, {1: 3}).amount == 300


def test_nothing_is_owed_for_what_was_paid_back_wholly() -> None:
    order = an_order((1, 500), goodwill=500, refunded=500)
    credit = owed(order, {1: 1})
    assert (credit.amount, credit.lines) == (0, {1: 1})


@pytest.mark.parametrize(
    "wish",
    [
        {"lines": {1: 3}},
        {"lines": {}, "goodwill": 1491},
        {"lines": {1: 2}, "shipping": True, "goodwill": 1},
        {"lines": {}},
    ],
)
def test_more_than_is_left_and_nothing_at_all_are_refused(
    wish: dict[str, object],
) -> None:
    with pytest.raises(Refusal) as refused:
        wished(an_order((2, 1000), shipping=490), **wish)  # type: ignore[arg-type]
    assert refused.value.type == "exceeds-refundable"


def test_a_part_that_was_paid_out_stays_goodwill() -> None:
    order = an_order((2, 1000))
    credit = wished(order, {1: 2})
    order = after(order, credit)
    back = undone(order, a_refund(credit), given_up=600)
    assert (back.amount, back.goods, back.goodwill) == (600, 1000, -400)


def test_a_cent_left_over_by_a_rejection_goes_with_the_next_goods() -> None:
    # The units cost 1, 2, 1 and 2: the second is taken back when it is the third.
    order = an_order((4, 6))
    refunds = []
    for _ in range(3):
        refunds.append(wished(order, {1: 1}))
        order = after(order, refunds[-1])
    order = after(order, undone(order, a_refund(refunds[1]), given_up=2), sign=-1)
    assert order.goodwill == -1
    rest = owed(order, {1: 2})
    assert refunds[0].amount + refunds[2].amount + rest.amount == 6


def test_what_is_deducted_goes_back_with_no_other_goods() -> None:
    order = an_order((1, 1000), (1, 1000), shipping=490)
    worn = owed(order, {1: 1}, deductions={1: 200})
    assert (worn.amount, worn.goods, worn.goodwill) == (800, 1000, 0)
    rest = owed(after(order, worn), {2: 1}, shipping=490)
    assert rest.amount == 1490


def test_what_is_deducted_does_not_make_up_for_goodwill() -> None:
    """Given back before, it is taken off with the last of the goods, as without."""
    order = an_order((1, 1000), (1, 1000), goodwill=300, refunded=300)
    worn = owed(order, {1: 1}, deductions={1: 200})
    rest = owed(after(order, worn), {2: 1})
    assert (worn.amount, rest.amount) == (800, 700)


def test_a_refund_that_is_taken_back_deducts_nothing() -> None:
    order = an_order((2, 1000))
    worn = owed(order, {1: 1}, deductions={1: 200})
    back = undone(after(order, worn), a_refund(worn), given_up=worn.amount)
    assert after(after(order, worn), back, sign=-1) == order


@pytest.mark.parametrize(
    ("before", "deductions", "most"),
    [
        (0, {1: 501}, 500),
        (0, {2: 1}, 0),
        # Of what was paid back before nothing can be kept.
        (1300, {1: 500, 2: 201}, 700),
    ],
)
def test_more_than_is_paid_back_is_not_deducted(
    before: int, deductions: dict[int, int], most: int
) -> None:
    order = an_order((2, 1000), (1, 1000), goodwill=before, refunded=before)
    accepted = {1: 1} if not before else {1: 2, 2: 1}
    with pytest.raises(Refusal) as refused:
        owed(order, accepted, deductions=deductions)
    assert refused.value.type == "deduction-exceeds-value"
    assert refused.value.details[0]["most"] == most


# ── by chance ───────────────────────────────────────────────────────────────────────

LINES = st.lists(
    st.tuples(st.integers(1, 7), st.integers(0, 2000)), min_size=1, max_size=3
)


class RefundsOfAnOrder(RuleBasedStateMachine):
    refunds = Bundle("refunds")

    def __init__(self) -> None:
        super().__init__()
        self.taken_back: set[int] = set()
        self.order = an_order((4, 6), (3, 1000), (7, 995), shipping=490)

    @rule(
        target=refunds,
        line=st.integers(1, 3),
        units=st.integers(0, 7),
        shipping=st.booleans(),
        goodwill=st.integers(0, 300),
    )
    def give_back(self, line: int, units: int, shipping: bool, goodwill: int) -> object:
        lines = {line: units} if units else {}
        try:
            credit = wished(self.order, lines, shipping=shipping, goodwill=goodwill)
        except Refusal:
            return multiple()
        self.order = after(self.order, credit)
        return credit

    @rule(
        target=refunds,
        line=st.integers(1, 3),
        units=st.integers(1, 7),
        kept=st.sampled_from([0, 0, 1, 90, 500]),
    )
    def take_in(self, line: int, units: int, kept: int) -> object:
        unworn = owed(self.order, {line: units})
        try:
            credit = owed(self.order, {line: units}, deductions={line: kept})
        except Refusal:
            assert kept > min(unworn.goods, unworn.amount)
            return multiple()
        assert credit.amount == unworn.amount - kept
        self.order = after(self.order, credit)
        return credit if credit.amount else multiple()

    @rule(credit=refunds, paid=st.integers(0, 100))
    def take_back(self, credit: RefundBreakdown, paid: int) -> None:
        if id(credit) in self.taken_back:
            return
        self.taken_back.add(id(credit))
        given_up = credit.amount - min(paid, credit.amount)
        back = undone(self.order, a_refund(credit), given_up)
        self.order = after(self.order, back, sign=-1)

    @invariant()
    def the_books_balance(self) -> None:
        assert_m1(self.order)

    @invariant()
    def nobody_gets_more_than_was_paid(self) -> None:
        assert self.order.refundable >= 0
        assert all(0 <= line.credited <= line.captured for line in self.order.lines)

    def teardown(self) -> None:
        """With the last of the goods all that was paid has come back, to the cent, but
        for what was deducted; unless a person has given back that, too."""
        order = self.order
        if any(line.creditable for line in order.lines):
            everything = {line.line: line.qty for line in order.lines}
            shipping = order.shipping_creditable
            order = after(order, owed(order, everything, shipping=shipping))
            assert order.refundable == max(0, order.deducted - order.goodwill)
            assert order.goodwill in range(order.deducted + 1)
            if not order.deducted:
                assert (order.refundable, order.goodwill) == (0, 0)


TestRefundsOfAnOrder = RefundsOfAnOrder.TestCase


@given(LINES, st.integers(0, 500), st.data())
def test_a_return_of_everything_gives_back_everything(
    lines: list[tuple[int, int]], shipping: int, data: st.DataObject
) -> None:
    order = an_order(*lines, shipping=shipping)
    given_before = data.draw(st.integers(0, order.refundable))
    if given_before:
        order = after(order, wished(order, {}, goodwill=given_before))
    everything = {line.line: line.qty for line in order.lines}
    order = after(order, owed(order, everything, shipping=shipping))
    assert (order.refundable, order.goodwill) == (0, 0)


# ── who decides ─────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("value", "recent", "findings"),
    [
        (50_000, 0, ()),
        (50_001, 0, ("value-over-limit",)),
        (1, 5, ("many-returns",)),
    ],
)
def test_a_costly_return_or_one_of_many_is_looked_at(
    value: int, recent: int, findings: tuple[str, ...]
) -> None:
    asked = ReturnScreening(value=value, currency="EUR", recent_returns=recent)
    assert screen_return(asked, ReturnLimits()) == findings


@pytest.mark.parametrize(("amount", "needed"), [(10_000, False), (10_001, True)])
def test_a_large_refund_needs_a_second_person(amount: int, needed: bool) -> None:
    assert needs_second_person(amount, 10_000) is needed
