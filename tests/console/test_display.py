"""How amounts are written, and what things are called."""

import pytest
from console.display import minor_units, sum_of
from console.words import CHOICES, REASONS
from shared.contracts.orders.holds import HOLDS


@pytest.mark.parametrize(
    ("minor", "currency", "written"),
    [
        (1290, "EUR", "€12.90"),
        (123456789, "EUR", "€1,234,567.89"),
        (1290, "JPY", "JP¥1,290"),
        (1290, "KWD", "KWD1.290"),
        # CLDR counts what people pay in; money is counted by ISO 4217.
        (1290, "RSD", "RSD12.90"),
    ],
)
def test_an_amount_has_the_decimals_of_its_currency(
    minor: int, currency: str, written: str
) -> None:
    assert sum_of(minor, currency).replace("\u00a0", "") == written


@pytest.mark.parametrize(
    ("typed", "currency", "minor"),
    [("12.90", "EUR", 1290), ("12,9", "EUR", 1290), ("7", "JPY", 7)],
)
def test_an_amount_is_read_as_people_write_it(
    typed: str, currency: str, minor: int
) -> None:
    assert minor_units(typed, currency) == minor


@pytest.mark.parametrize("typed", ["", "-1", "1.234", "NaN", "Infinity", "12 EUR"])
def test_what_is_no_amount_is_refused(typed: str) -> None:
    with pytest.raises(ValueError, match="amount"):
        minor_units(typed, "EUR")


def test_every_reason_and_every_decision_has_its_words() -> None:
    decisions = {
        (str(reason), str(decision))
        for reason, rule in HOLDS.items()
        for decision in rule.decisions
    }
    assert decisions - CHOICES.keys() == set()
    assert {str(reason) for reason in HOLDS} == REASONS.keys()
