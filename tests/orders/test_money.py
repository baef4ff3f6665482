"""How a price is divided among units (M5)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shared.contracts.money import decimals, share, spread, tax_included
from shared.contracts.orders.charging import charging

CURRENCIES = st.sampled_from([charging("EUR"), charging("JPY"), charging("KWD")])
STEPS = CURRENCIES.map(lambda rule: rule.step if rule else 0)


@given(steps=st.integers(0, 10**9), step=STEPS, data=st.data())
def test_any_way_of_splitting_a_line_sums_to_its_total(
    steps: int, step: int, data: st.DataObject
) -> None:
    parts = data.draw(st.lists(st.integers(1, 50), min_size=1, max_size=20))
    total = steps * step
    quantity, before, paid = sum(parts), 0, 0
    for part in parts:
        price = share(total, quantity, before, part, step)
        assert price % step == 0
        paid += price
        before += part
    assert paid == total


@given(over=st.lists(st.integers(0, 10**9), max_size=12), step=STEPS, data=st.data())
def test_a_discount_is_spread_to_the_cent_and_takes_no_line_below_nothing(
    over: list[int], step: int, data: st.DataObject
) -> None:
    sums = [each * step for each in over]
    amount = data.draw(st.integers(0, sum(over))) * step
    parts = spread(amount, sums, step)
    assert sum(parts) == amount
    for part, each in zip(parts, sums, strict=True):
        assert part % step == 0
        assert 0 <= part <= each
        # Within a step of its exact part.
        assert abs(part * sum(sums) - amount * each) < step * sum(sums) or not each


def test_the_largest_remainders_get_the_cents_that_are_left() -> None:
    assert spread(100, [200, 200, 200]) == [34, 33, 33]
    assert spread(10, [1, 98, 1]) == [0, 10, 0]
    assert spread(500, [1290, 990]) == [283, 217]
    assert spread(100, [3330, 3330, 3330], 10) == [40, 30, 30]
    with pytest.raises(ValueError, match="3 of 2"):
        spread(3, [1, 1])


@given(total=st.integers(0, 10**9), quantity=st.integers(1, 1000))
def test_units_of_a_line_differ_by_a_cent_at_the_most(
    total: int, quantity: int
) -> None:
    prices = {share(total, quantity, n, 1) for n in range(quantity)}
    assert max(prices) - min(prices) <= 1


def test_the_tax_is_within_the_price() -> None:
    assert tax_included(11_900, 1900) == 1900
    assert tax_included(1290, 0) == 0
    # 15.97 cents and 3.5: half up.
    assert tax_included(100, 1900) == 16
    assert tax_included(7, 10_000) == 4


def test_the_minor_unit_is_the_standards() -> None:
    places = {name: decimals(name) for name in ("EUR", "JPY", "KWD", "RSD", "CLF")}
    assert places == {"EUR": 2, "JPY": 0, "KWD": 3, "RSD": 2, "CLF": 4}
