"""How a price is divided among units (M5)."""

from hypothesis import given
from hypothesis import strategies as st
from shared.contracts.money import decimals, share, tax_included


@given(total=st.integers(0, 10**9), data=st.data())
def test_any_way_of_splitting_a_line_sums_to_its_total(
    total: int, data: st.DataObject
) -> None:
    parts = data.draw(st.lists(st.integers(1, 50), min_size=1, max_size=20))
    quantity, before, paid = sum(parts), 0, 0
    for part in parts:
        paid += share(total, quantity, before, part)
        before += part
    assert paid == total


@given(total=st.integers(0, 10**9), quantity=st.integers(1, 1000))
def test_units_of_a_line_differ_by_a_cent_at_the_most(
    total: int, quantity: int
) -> None:
    prices = {share(total, quantity, n, 1) for n in range(quantity)}
    assert max(prices) - min(prices) <= 1


def test_the_tax_is_within_the_price() -> None:
    assert tax_included(11_900, 1900) == 1900
    assert tax_included(1290, 0) == 0


def test_the_minor_unit_is_the_standards() -> None:
    places = {name: decimals(name) for name in ("EUR", "JPY", "KWD", "RSD", "CLF")}
    assert places == {"EUR": 2, "JPY": 0, "KWD": 3, "RSD": 2, "CLF": 4}
