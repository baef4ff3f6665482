"""The page about prices can be followed as it stands."""

import asyncio
from pathlib import Path

import pytest

from tests.conftest import API
from tests.e2e.walking import walk
from tests.support.peers import Host
from tests.support.shop import Shop


# Dozens of commands, each a process; tests/cli/test_prices.py has them in this one.
@pytest.mark.slow
async def test_orders_at_prices_of_every_kind_are_placed(
    shop: Shop, host: Host, tmp_path: Path
) -> None:
    url = f"{host.url}/{API}"
    # In a thread: the API is served by this one.
    day = await asyncio.to_thread(walk, "prices.md", tmp_path, ORDERS_API_URL=url)
    rows = await shop.fetch("SELECT currency, tax_treatment, total FROM orders")
    assert {tuple(row) for row in rows} == {
        ("CHF", "included", 2 * 1390 + 900),
        ("EUR", "included", 2 * 1190 - 595 + 990 - 500 + 490),
        ("EUR", "included", 0),
        ("USD", "added", 2 * 1300 + 104 + 127 + 500),
    }
    assert "1.27 USD NYC at 4.875 %" in day.stdout
