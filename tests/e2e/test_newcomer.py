"""What a newcomer does first, on the whole system as `dev` starts it."""

import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest

PROJECT = Path(__file__).parents[2]
DEV = [sys.executable, "-m", "devstack", "--ports", "auto"]
# A machine that is busy with everything else that the tests start.
pytestmark = pytest.mark.timeout(300)


# The full story begins with the short one.
@pytest.mark.parametrize(
    "story",
    [pytest.param(("short", "--encrypt"), marks=pytest.mark.slow), ("full",)],
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


def test_an_order_can_be_walked_through_as_the_how_to_says(
    tmp_path: Path,
) -> None:
    script = bash_blocks(PROJECT / "docs/how-to/walk-an-order.md")
    with running_system(tmp_path / "dev") as at:
        walk = subprocess.run(
            ["bash", "-euxo", "pipefail", "-c", script],
            env={**os.environ, "API": at["api"]},
            capture_output=True,
            text=True,
            timeout=200,
        )
        assert walk.returncode == 0, walk.stdout[-2000:] + walk.stderr[-4000:]
        assert asyncio.run(audit_rows(at["database_url"])) == []


def bash_blocks(page: Path) -> str:
    return "\n".join(re.findall(r"```bash\n(.*?)```", page.read_text(), re.DOTALL))


@contextmanager
def running_system(data: Path, *options: str) -> Iterator[dict[str, Any]]:
    dev = subprocess.Popen(
        [*DEV, "--data", str(data), "--json", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert dev.stdout is not None
    try:
        yield json.loads(dev.stdout.readline())
    finally:
        dev.terminate()
        assert dev.wait() == 0
        dev.stdout.close()


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
