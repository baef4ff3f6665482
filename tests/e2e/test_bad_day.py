"""A bad day of a shop, as docs/how-to tells it: by the command line alone."""

from pathlib import Path

import pytest

from tests.e2e.walking import running_system, walk

# A machine that is busy with everything else that the tests start.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


def test_a_shop_gets_through_a_bad_day(tmp_path: Path) -> None:
    slow_carrier = ("--carrier-step-seconds", "3600")
    with running_system(tmp_path / "dev", *slow_carrier) as at:
        day = walk(
            "a-bad-day.md", tmp_path, ORDERS_API_URL=at["api"], CARRIER=at["carrier"]
        )
    # What finance sees last.
    assert day.stdout.strip().endswith("audit_money, audit_stock, audit_ledger")
