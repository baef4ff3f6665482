"""How amounts are written, and what things are called."""

import pytest
from console.display import minor_units, sum_of
from console.pages.beside import COUNTED, counted
from console.picture import stations
from console.words import CHOICES, EVENTS, REASONS, event_of
from shared.contracts.orders.events import ORDER_EVENTS
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


def test_words_are_for_events_that_happen_and_a_parcel_is_a_parcel() -> None:
    kinds = {kind for kind in EVENTS if not kind.startswith("hold.")}
    assert kinds - ORDER_EVENTS.keys() == set()
    assert [
        said for kind in ORDER_EVENTS if "hipment" in (said := event_of(kind))
    ] == []


def test_what_was_not_counted_to_its_end_says_so() -> None:
    """Of a full page of parcels some are to be packed; nobody has seen the others."""
    new = {"shipped_at": None, "created_at": "2999-01-01T00:00:00Z"}
    old = new | {"created_at": "2026-01-01T00:00:00Z"}
    ready, packed = old | {"status": "ready"}, new | {"status": "packed"}
    house = [*[ready] * 3, *[packed] * (COUNTED - 3)]
    assert counted({"house": house, "under_way": []}) == {
        "pack": (3, True),
        "late": (3, True),
        "under_way": (0, False),
    }
    assert counted({"house": [ready, packed], "under_way": None}) == {
        "pack": (1, False),
        "late": (1, False),
        "under_way": None,
    }


@pytest.mark.parametrize(
    ("status", "state", "told"),
    [("confirmed", "here", "1 of 2"), ("completed", "done", "")],
)
def test_a_parcel_that_was_lost_and_replaced_is_missed_until_the_order_is_over(
    status: str, state: str, told: str
) -> None:
    order = {
        "status": status,
        "holds": [],
        "lines": [{"quantity": 1, "cancelled": 0, "reserved": 0, "shipped": 1}],
        "totals": {"total": {"amount": 100}},
        "payment_status": "captured",
    }
    parcels = [{"status": "lost"}, {"status": "delivered"}]
    delivered = stations(order, parcels)[-1]
    assert (delivered.state, delivered.told) == (state, told)
