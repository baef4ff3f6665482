"""(f) Pages of the feed with a million events in it."""

import time
from typing import Any

import asyncpg
import httpx2
from devstack.stack import Stack

from benchmarks.processes import pids_of, used_by
from benchmarks.system import running
from benchmarks.throughput import percentiles

Json = dict[str, Any]
PARTS = ("postgres", "temporal", "api")
IN_A_TRANSACTION = 1_000
ASKED: dict[str, Json] = {
    "50 events": {"limit": 50},
    "200 events": {"limit": 200},
    "50 of a type": {"limit": 50, "types": "refund.*"},
}


async def measure(events: int, pages: int) -> Json:
    """Over HTTP, one after the other, from the beginning, the middle and the end."""
    async with (
        running(PARTS) as stack,
        httpx2.AsyncClient(base_url=stack.at.api, trust_env=False) as api,
    ):
        database = await asyncpg.connect(stack.at.database)
        for first in range(0, events, IN_A_TRANSACTION):
            await database.execute(_HAPPENED, first, IN_A_TRANSACTION)
        await database.execute("ANALYZE events")
        found = {}
        for where in ("beginning", "middle", "end"):
            after = await _position(database, where, events)
            found[where] = {
                name: await _times(stack, api, pages, after=after, **asked)
                for name, asked in ASKED.items()
            }
        await database.close()
    return {"events": events, "pages": pages, "milliseconds_per_page": found}


async def _position(database: "asyncpg.Connection", where: str, events: int) -> str:
    share = {"beginning": 0.0, "middle": 0.5, "end": 0.999}[where]
    return str(await database.fetchval(_POSITION, int(events * share) + 1))


async def _times(
    stack: Stack, api: httpx2.AsyncClient, pages: int, **params: Any
) -> Json:
    """With the processor time, which others that are at work hardly change."""
    seconds = []
    with used_by(pids_of(stack)) as usage:
        for _ in range(pages):
            began = time.perf_counter()
            (await api.get("/v1/events", params=params)).raise_for_status()
            seconds.append(time.perf_counter() - began)
    cpu_ms = {p: usage.cpu_seconds[p] * 1000 / pages for p in ("api", "postgres")}
    return percentiles(seconds) | {"cpu_ms": cpu_ms}


_HAPPENED = """
INSERT INTO events (subject, seq, type, actor, data)
SELECT 'ord_' || lpad((n / 20)::text, 26, '0'), n % 20 + 1,
  CASE n % 20 WHEN 19 THEN 'refund.succeeded' ELSE 'order.placed' END, 'system',
  '{"amount": 1290}'
FROM generate_series($1::int, $1::int + $2::int - 1) AS n
"""
_POSITION = """
SELECT transaction_id || '-' || id FROM events ORDER BY id OFFSET $1 - 1 LIMIT 1
"""
