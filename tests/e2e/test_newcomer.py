"""What a newcomer does first, on the whole system as `dev` starts it."""

import asyncio
import subprocess
import time
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from tests.e2e.walking import DEV, running_system, walk

# A machine that is busy with everything else that the tests start.
pytestmark = pytest.mark.timeout(300)


def test_an_order_is_walked_through_as_the_how_to_says_beside_the_demo(
    tmp_path: Path,
) -> None:
    """With encrypted payloads, which nobody notices."""
    said = tmp_path / "said"
    with running_system(tmp_path / "dev", "--demo", "--encrypt", said=said) as at:
        walked = walk("walk-an-order.md", tmp_path, API=at["api"])
        assert "/problems/price-changed" in walked.stdout
        while "order.completed" not in said.read_text():
            time.sleep(0.1)
        assert asyncio.run(audit_rows(at["database_url"])) == []


# The full one is played in tests/privacy, too.
@pytest.mark.slow
@pytest.mark.parametrize("story", ["short", "full"])
def test_the_demo_ends_with_a_delivered_order(tmp_path: Path, story: str) -> None:
    demo = subprocess.run(
        [*DEV, "--data", str(tmp_path / "dev"), "--demo", story, "--exit"],
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert demo.returncode == 0, demo.stdout + demo.stderr
    assert "order.completed" in demo.stdout


async def audit_rows(database_url: str) -> list[Any]:
    connection = await asyncpg.connect(database_url)
    try:
        return [
            tuple(row)
            for view in ("audit_money", "audit_stock", "audit_ledger")
            for row in await connection.fetch(f"SELECT * FROM {view}")
        ]
    finally:
        await connection.close()
