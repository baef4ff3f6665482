"""docs/domain.md has the states, holds and times that the code has, and tests for all
that must always be true."""

import re
from enum import StrEnum

import pytest
from shared.contracts.holds import HoldRule
from shared.contracts.orders.holds import HOLDS, HoldReason
from shared.contracts.orders.states import (
    MoneyStatus,
    OrderStatus,
    ReturnStatus,
    ShipmentStatus,
)

from tests.architecture.domain_page import with_tables
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


def test_holds_and_clocks_are_those_of_the_code() -> None:
    page = with_tables(PAGE)
    assert page == PAGE, "write it anew: python -m tests.architecture.domain_page"


def test_a_new_hold_is_not_on_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    rule = HoldRule("somebody wonders", decisions=("wait",), decider="approvals")
    monkeypatch.setitem(HOLDS, "wonder", rule)  # type: ignore[misc]
    row = "| `wonder` | somebody wonders | `wait` | `approvals` |  | escalated |"
    assert row in with_tables(PAGE)


def test_a_new_reason_is_written_in_three_files_and_where_its_effect_is() -> None:
    listing = [
        source.as_posix().partition("/src/")[2]
        for source in ROOT.glob("*/*/src/**/*.py")
        if all(f'"{reason}"' in source.read_text() for reason in HoldReason)
    ]
    assert len(listing) <= 3
    index = rows_of((ROOT / "docs/README.md").read_text())
    answer = next(row[1] for row in index if row[0].endswith("new reason for holds"))
    assert [path for path in listing if f"`{path}`" not in answer] == []


def test_every_invariant_has_a_test() -> None:
    rows = [row for row in rows_of(section("Invariants")) if row[0]]
    assert len(rows) > 10
    for name, *_, test in rows:
        assert is_there(test.strip("`")), name
