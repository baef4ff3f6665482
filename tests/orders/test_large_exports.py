"""A million rows in one file: what it takes, and that memory is not among it."""

import json
import time
import tracemalloc
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from shared.contracts.orders.payloads import ExportRef
from temporalio.client import Client
from temporalio.testing import ActivityEnvironment
from worker.orders.export.activities import ExportActivities

from tests.conftest import OpenShop
from tests.support.shop import Shop

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

ROWS = 1_000_000
MIB = 2**20
FIGURES = Path(__file__).parents[2] / "benchmarks/results/export.json"
FILLING = f"""
INSERT INTO stock_movements (key, sku, location, on_hand, reason, ref, actor, at)
SELECT 'fill-' || n, 'TEA', 'berlin', 1, 'receipt', 'delivery-' || n / 100, 'filler',
  now() - n * interval '10 seconds'
FROM generate_series(1, {ROWS}) AS n
"""


async def filled(shop: Shop, database: str) -> None:
    await shop.stock(TEA=0)
    connection = await asyncpg.connect(database)
    try:
        await connection.execute(FILLING)
        await connection.execute(
            "INSERT INTO stock (sku, location, on_hand)"
            f" VALUES ('TEA', 'berlin', {ROWS})"
        )
        await connection.execute("VACUUM ANALYZE stock_movements")
    finally:
        await connection.close()


@pytest.mark.parametrize("form", ["csv", "jsonl"])
async def test_a_million_rows_are_written_and_read_in_parts(
    open_shop: OpenShop, temporal: Client, database: str, form: str
) -> None:
    async with open_shop(temporal) as shop:
        await filled(shop, database)
        asked = await shop.post("/v1/exports", {"kind": "movements", "format": form})
        assert asked["rows_expected"] == ROWS
        tracemalloc.start()
        began = time.monotonic()
        ref = ExportRef(export_id=asked["id"])
        written = await ActivityEnvironment().run(
            ExportActivities(shop.engine).write_export, ref
        )
        seconds = time.monotonic() - began
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert written.rows == ROWS
        assert peak < 64 * MIB
        lines, size = 0, 0
        async with shop.http.stream("GET", f"/v1/exports/{asked['id']}/file") as file:
            async for part in file.aiter_bytes():
                lines, size = lines + part.count(b"\n"), size + len(part)
        export = await shop.get(f"/v1/exports/{asked['id']}")
        assert (lines, size) == (ROWS + (form == "csv"), export["bytes"])
        (kept,) = await shop.fetch(
            "SELECT sum(length(data)) AS bytes FROM export_chunks"
        )
        keep(
            form,
            {
                "rows": ROWS,
                "seconds_under_tracemalloc": round(seconds, 1),
                "peak_mib": round(peak / MIB, 1),
                "file_mib": round(size / MIB, 1),
                "stored_mib": round(int(kept.bytes) / MIB, 1),
            },
        )


def keep(form: str, figures: dict[str, Any]) -> None:
    known = json.loads(FIGURES.read_text()) if FIGURES.exists() else {}
    FIGURES.write_text(json.dumps(known | {form: figures}, indent=2) + "\n")
