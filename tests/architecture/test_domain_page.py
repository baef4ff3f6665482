"""docs/domain.md has the states, holds and times that the code has, and tests for all
that must always be true."""

import re
from datetime import timedelta
from enum import StrEnum

import pytest
from shared.contracts.orders.states import (
    DECISIONS,
    SILENCE_MEANS,
    HoldReason,
    MoneyStatus,
    OrderStatus,
    ReturnStatus,
    ShipmentStatus,
)
from worker.orders.hold import policy as holds
from worker.orders.payment.policy import RENEW_BEFORE
from worker.orders.return_ import policy as returns
from worker.orders.shipment.policy import PARCEL_LOST_AFTER, SCAN_DUE
from worker.orders.upkeep import retention
from worker.orders.upkeep.workflow import SWEEP_EVERY

from tests.architecture.test_security_page import ROOT, is_there, rows_of

PAGE = (ROOT / "docs/domain.md").read_text()


def section(title: str) -> str:
    return PAGE.partition(f"## {title}\n")[2].partition("\n## ")[0]


def words(cell: str) -> list[str]:
    return re.findall(r"`(\w+)`", cell)


def by_first_cell(title: str) -> dict[str, list[str]]:
    return {row[0].strip("`"): row[1:] for row in rows_of(section(title))}


@pytest.mark.parametrize(
    ("subject", "states"),
    [
        ("order", OrderStatus),
        ("shipment", ShipmentStatus),
        ("return", ReturnStatus),
        ("refund", MoneyStatus),
    ],
)
def test_the_states_are_those_of_the_contract(
    subject: str, states: type[StrEnum]
) -> None:
    assert set(words(by_first_cell("States")[subject][0])) == set(states)


@pytest.mark.parametrize("reason", HoldReason)
def test_a_hold_is_decided_as_the_contract_says(reason: HoldReason) -> None:
    _, decisions, _, silence = by_first_cell("Holds")[reason]
    assert words(decisions) == list(DECISIONS[reason])
    expected = [SILENCE_MEANS[reason]] if reason in SILENCE_MEANS else []
    assert words(silence) == expected


@pytest.mark.parametrize(
    ("reason", "due"),
    [
        (HoldReason.APPROVAL, holds.APPROVAL_DUE),
        (HoldReason.STOCK, holds.STOCK_DUE),
        (HoldReason.PAYMENT, holds.PAYMENT_DUE),
        (HoldReason.ADDRESS, holds.ADDRESS_DUE),
        (HoldReason.DELIVERY, holds.DELIVERY_DUE),
        (HoldReason.REFUND, holds.REFUND_DUE),
    ],
)
def test_a_hold_is_due_when_the_policy_says(reason: HoldReason, due: timedelta) -> None:
    assert first_time(by_first_cell("Holds")[reason][2]) == due


def first_time(text: str) -> timedelta:
    number, unit = re.findall(r"(\d+) (h|days)", text)[0]
    return timedelta(hours=int(number)) if unit == "h" else timedelta(days=int(number))


@pytest.mark.parametrize(
    ("said", "time"),
    [
        ("no scan for {hours} h", SCAN_DUE),
        ("no scan for {days} days (lost)", PARCEL_LOST_AFTER),
        ("{hours} h before the authorisation ends", holds.APPROVAL_BEFORE_CAPTURE),
        ("renewed | {hours} h", RENEW_BEFORE),
        ("until {days} days after", returns.RETURN_WINDOW),
        ("awaited | {days} days", returns.RETURN_DUE),
        ("a reminder every {days}", returns.RETURN_REMINDED_EVERY),
        ("every {minutes} minutes", SWEEP_EVERY),
        ("keys after {days} days", retention.KEYS_LIVE),
        ("webhooks and messages after {days}", retention.WEBHOOKS_LIVE),
    ],
)
def test_a_time_is_that_of_the_code(said: str, time: timedelta) -> None:
    hours, minutes = time / timedelta(hours=1), time / timedelta(minutes=1)
    assert (
        said.format(hours=f"{hours:g}", minutes=f"{minutes:g}", days=time.days) in PAGE
    )


def test_every_invariant_has_a_test() -> None:
    rows = [row for row in rows_of(section("Invariants")) if row[0]]
    assert len(rows) > 10
    for name, *_, test in rows:
        assert is_there(test.strip("`")), name
