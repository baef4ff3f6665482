"""What a terminal knows of the API without asking: its closed lists, amounts, times."""

from datetime import UTC, datetime

import pytest
import typer
from cli import words
from cli.options import money
from shared.contracts.orders import holds, states


def test_the_closed_lists_are_those_of_the_contract() -> None:
    assert tuple(states.OrderStatus) == words.ORDER_STATUS
    assert tuple(states.ShipmentStatus) == words.SHIPMENT_STATUS
    assert tuple(states.ReturnStatus) == words.RETURN_STATUS
    assert tuple(states.Disposition) == words.DISPOSITION
    assert {*map(str, words.HoldReason)} == {*map(str, holds.HoldReason)}
    assert {*map(str, words.Decision), "settled"} == {*map(str, holds.Decision)}


@pytest.mark.parametrize(
    ("text", "currency", "amount"),
    [
        ("5,00", "EUR", 500),
        ("5.00", "EUR", 500),
        ("5", "EUR", 500),
        ("5,00 €", "EUR", 500),
        ("5,00\u00a0€", "EUR", 500),
        ("EUR 5.00", "EUR", 500),
        ("1.234,50", "EUR", 123450),
        ("1,234.50", "EUR", 123450),
        ("1'234.50", "CHF", 123450),
        ("1.234.567,89", "EUR", 123456789),
        ("¥500", "JPY", 500),
        ("1,500", "KWD", 1500),
    ],
)
def test_an_amount_is_read_as_mails_print_it(
    text: str, currency: str, amount: int
) -> None:
    assert money(text, currency) == {"amount": amount, "currency": currency}


@pytest.mark.parametrize(
    "text", ["", "€", "-5", "5,000", "1.234", "1.23,4", "1.2.3", "5,001", "five", "٥"]
)
def test_what_may_mean_two_amounts_means_none(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        money(text, "EUR")


def test_several_words_are_given_with_commas() -> None:
    known = words.ORDER_STATUS
    assert words.some_of("placed, confirmed", known) == ["placed", "confirmed"]
    assert words.some_of(None, known) is None
    with pytest.raises(typer.BadParameter, match="none of placed, confirmed"):
        words.some_of("place", known)


def test_a_time_may_be_how_long_ago_it_was() -> None:
    now = datetime.now(UTC)
    for text, seconds in (("2h", 7200), ("3d", 259_200)):
        at = datetime.fromisoformat(str(words.since(text)))
        assert abs((now - at).total_seconds() - seconds) < 60
    assert words.since("2026-11-30T12:00:00+00:00") == "2026-11-30T12:00:00+00:00"
    assert datetime.fromisoformat(str(words.since("2026-11-30"))).tzinfo is not None
    with pytest.raises(typer.BadParameter, match="2h, 3d"):
        words.since("yesterday")
