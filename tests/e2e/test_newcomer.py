"""What a newcomer does first, on the whole system as `dev` starts it."""

import asyncio
import subprocess
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from tests.e2e.walking import DEV, running_system, walk

# A machine that is busy with everything else that the tests start.
pytestmark = pytest.mark.timeout(300)


# The full one is played in tests/privacy, too.
@pytest.mark.parametrize(
    "story",
    [("short", "--encrypt"), pytest.param(("full",), marks=pytest.mark.slow)],
    ids="".join,
)
def test_the_demo_ends_with_a_delivered_order(
    tmp_path: Path, story: tuple[str, ...]
) -> None:
    demo = subprocess.run(
        [*DEV, "--data", str(tmp_path / "dev"), "--demo", *story, "--exit"],
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert demo.returncode == 0, demo.stdout + demo.stderr
    assert "order.completed" in demo.stdout


def test_an_order_can_be_walked_through_as_the_how_to_says(tmp_path: Path) -> None:
    with running_system(tmp_path / "dev") as at:
        walk("walk-an-order.md", tmp_path, API=at["api"])
        assert asyncio.run(audit_rows(at["database_url"])) == []


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
